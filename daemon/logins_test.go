package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kontrol/config"
	"kontrol/internal/dovecot"
	"kontrol/internal/idp"
	"kontrol/models"
	"kontrol/oauth"
	"kontrol/store"
	"kontrol/store/storetest"
)

// tokenDesk is a daemon on a Dovecot that takes tokens.
type tokenDesk struct {
	*desk
	idp     *idp.Server
	dovecot *dovecot.Server
}

func startWithTokens(t *testing.T, o idp.Options) tokenDesk {
	t.Helper()
	p := idp.Test(t, o)
	jwt, err := p.Keys()
	if err != nil {
		t.Fatal(err)
	}
	server := dovecot.Test(t, dovecot.Options{JWT: jwt})
	more := fmt.Sprintf("[servers.s.oauth]\nclient_id = \"kontrol\"\nauth_url = %q\ntoken_url = %q\ndevice_url = %q\n"+
		"[[managers]]\nname = \"Anna\"\nemail = %q\n", p.AuthURL, p.TokenURL, p.DeviceURL, anna)
	d := start(t, place{url: sqliteIn(t), imap: "imaps://" + server.IMAPSAddr, ca: server.CAFile, more: more})
	return tokenDesk{d, p, server}
}

// login does what `kontrol mailbox login` does, as another process.
func (d tokenDesk) login() {
	d.t.Helper()
	cfg, err := config.Load(d.file, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	db := storetest.Open(d.t, store.Config{URL: cfg.DatabaseURL()})
	box := cfg.Mailboxes()[0]
	tokens, err := box.OAuth.App.Device(d.t.Context(), anna, func(p oauth.Prompt) { d.idp.Approve(p.Code, anna, false) })
	if err != nil {
		d.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if err := TryToken(d.t.Context(), box, tokens.Access(), time.Now, log); err != nil {
		d.t.Fatal(err)
	}
	if err := NewLogins(cfg, db, time.Now, log).Source(box).Grant(d.t.Context(), tokens); err != nil {
		d.t.Fatal(err)
	}
}

// connections counts the mailbox's connections.
func (d tokenDesk) connections() int {
	out, err := d.dovecot.Doveadm(d.t.Context(), "who", "-1", anna)
	if err != nil {
		return 0
	}
	return strings.Count(out, anna)
}

func (d tokenDesk) trouble() string { return d.mailbox(anna).StateReason.ID }

// expired waits until the tokens given so far are no longer good.
func (d tokenDesk) expired() {
	d.t.Helper()
	row, err := d.app.DB().OAuthToken(d.t.Context(), anna)
	if err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, "the token has expired", func() bool { return time.Now().After(*row.ExpiresAt) })
}

// TestDaemonLivesOnTokens: tokens that live for seconds, two connections, and a person who comes and goes.
func TestDaemonLivesOnTokens(t *testing.T) {
	t.Parallel()
	d := startWithTokens(t, idp.Options{Lifetime: 4 * time.Second})
	eventually(t, "somebody is asked to log in", func() bool { return d.trouble() == "oauth.login_first" })
	d.login()
	d.synced(anna)
	eventually(t, "both connections stand", func() bool { return d.connections() == 2 })

	before := d.idp.Counts().Refreshes
	d.expired()
	if _, err := d.dovecot.Doveadm(t.Context(), "kick", anna); err != nil {
		t.Fatal(err)
	}
	put := raw(mail{id: "1@x.example", from: "x@x.example", to: anna, subject: "Запрос"})
	if err := d.dovecot.Deliver(t.Context(), anna, put); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the letter is known and both connections stand", func() bool {
		return d.live(anna, models.FolderInbox) == 1 && d.connections() == 2
	})
	if c := d.idp.Counts(); c.Refreshes != before+1 || c.Reuses != 0 {
		t.Errorf("%d refreshes for two connections, %+v", c.Refreshes-before, c)
	}

	d.idp.Withdraw(anna)
	d.expired()
	if _, err := d.dovecot.Doveadm(t.Context(), "kick", anna); err != nil {
		t.Fatal(err)
	}
	eventually(t, "somebody is asked to log in again", func() bool { return d.trouble() == "oauth.login_again" })
	d.login()
	eventually(t, "the mailbox is back", func() bool { m := d.mailbox(anna); return m.Connected && m.StateReason.IsZero() })
	if err := d.app.DB().DeleteOAuthToken(context.WithoutCancel(t.Context()), anna); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a logout takes effect", func() bool { return d.trouble() == "oauth.login_first" })
}

// TestLoginRevivesAStoppedMailbox: three refusals have stopped it, and no signal is needed to have it tried again.
func TestLoginRevivesAStoppedMailbox(t *testing.T) {
	t.Parallel()
	d := startWithTokens(t, idp.Options{})
	d.login()
	d.synced(anna)
	stranger := d.app.logins.Source(d.app.Config().Mailboxes()[0])
	d.idp.SetUser("petrov", false)
	app := d.app.Config().Mailboxes()[0].OAuth.App
	tokens, err := app.Device(t.Context(), anna, func(p oauth.Prompt) { d.idp.Approve(p.Code, "petrov@teplodom.example", false) })
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Grant(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mailbox is stopped", func() bool { return d.mailbox(anna).State == models.MailboxStopped })
	if d.trouble() != "sync.stopped_token" {
		t.Errorf("told %s", d.trouble())
	}
	d.login()
	eventually(t, "the mailbox is back", func() bool {
		m := d.mailbox(anna)
		return m.State == models.MailboxActive && m.Connected && m.LoginRefusals == 0
	})
}
