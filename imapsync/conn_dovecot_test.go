package imapsync

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/models"
)

func dovecotAccount(d *dovecot.Server, user string) Account {
	return Account{
		MailboxID: 1, Address: user + "@example.ru", URL: "imaps://" + d.IMAPSAddr, Username: user, CAFile: d.CAFile,
		Secret: func(context.Context) (string, error) { return d.Password, nil },
	}
}

func phraseOf(t *testing.T, err error) string {
	t.Helper()
	p, ok := models.PhraseOf(err)
	if !ok {
		t.Fatalf("error cannot be told: %v", err)
	}
	return p.ID
}

func TestDovecotLogin(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	dial := func(change func(*Account)) (Session, error) {
		a := dovecotAccount(d, "ivan")
		change(&a)
		s, err := NewDialer(a, nil, nil).Dial(t.Context())
		if err == nil {
			t.Cleanup(s.Close)
		}
		return s, err
	}
	if s, err := dial(func(*Account) {}); err != nil || !s.Caps().Move || !s.Caps().CondStore {
		t.Fatalf("tls: %v", err)
	}
	if _, err := dial(func(a *Account) { a.URL = "imap://" + d.IMAPAddr }); err != nil {
		t.Fatalf("starttls: %v", err)
	}
	if _, err := dial(func(a *Account) { a.URL = "imap+insecure://" + d.IMAPAddr }); err != nil {
		t.Fatalf("cleartext on the loopback: %v", err)
	}
	_, err := dial(func(a *Account) { a.Secret = func(context.Context) (string, error) { return "wrong", nil } })
	var refused *LoginError
	if !errors.As(err, &refused) || refused.Address != "ivan@example.ru" || phraseOf(t, err) != "imap.login_refused" {
		t.Errorf("wrong password: %v", err)
	}
	_, err = dial(func(a *Account) { a.CAFile = "" })
	if phraseOf(t, err) != "imap.tls_unknown_ca" || models.IsTemporary(err) {
		t.Errorf("unknown ca: %v", err)
	}
	_, err = dial(func(a *Account) { a.ServerName = "mail.other.example" })
	if phraseOf(t, err) != "imap.tls_wrong_name" {
		t.Errorf("wrong name: %v", err)
	}
	_, err = dial(func(a *Account) { a.URL = "imaps://" + d.IMAPAddr })
	if phraseOf(t, err) != "imap.tls_none" {
		t.Errorf("no tls on the port: %v", err)
	}
	a := dovecotAccount(d, "ivan")
	a.CAFile = filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(a.CAFile, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Check(); phraseOf(t, err) != "imap.ca_file" {
		t.Errorf("empty ca file: %v", err)
	}
}

func TestDovecotCertificateInTheFuture(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	later := func() time.Time { return time.Now().AddDate(50, 0, 0) }
	_, err := NewDialer(dovecotAccount(d, "ivan"), nil, later).Dial(t.Context())
	if phraseOf(t, err) != "imap.tls_expired" || !models.IsTemporary(err) {
		t.Errorf("expired: %v", err)
	}
}

func TestDovecotLimit(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{MaxConn: 1})
	a := dovecotAccount(d, "ivan")
	dialTest(t, a)
	_, err := NewDialer(a, nil, nil).Dial(t.Context())
	var login *LoginError
	if errors.As(err, &login) || !models.IsTemporary(err) || phraseOf(t, err) != "imap.busy" {
		t.Errorf("too many connections: %v", err)
	}
}

// day walks through everything a working day needs. The server may have any layout.
func dovecotDay(t *testing.T, o dovecot.Options, wantProcessed string) {
	d := dovecot.Test(t, o)
	c := dialTest(t, dovecotAccount(d, "ivan"))
	ctx := t.Context()
	folders, notes, err := ResolveFolders(ctx, c, Names{Processed: "Продажи/Обработанные письма"})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(notes)
	if got := folders[models.FolderProcessed].Name; got != wantProcessed {
		t.Errorf("processed is %q, want %q", got, wantProcessed)
	}
	again, notes, err := ResolveFolders(ctx, c, Names{Processed: "Продажи/Обработанные письма"})
	if err != nil || len(notes) != 0 || again[models.FolderControl] != folders[models.FolderControl] {
		t.Errorf("second look: %v %v %v", again, notes, err)
	}
	if subs, err := d.Doveadm(ctx, "mailbox", "list", "-8", "-s", "-u", "ivan"); err != nil || !strings.Contains(subs, "На контроле") || strings.Count(subs, "Продажи") < 2 {
		t.Errorf("subscribed: %q %v", subs, err)
	}
	for i := range 4 {
		if err := d.Deliver(ctx, "ivan", letter(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	sel := must[Selected](t)(c.Select(ctx, "INBOX", false))
	if sel.Messages != 4 || sel.UIDNext != 5 || !sel.Keywords || sel.ReadOnly || sel.ModSeq == 0 {
		t.Errorf("selected %+v", sel)
	}
	ans := must[FetchAnswer](t)(c.Fetch(ctx, []uint32{1, 2, 3, 4, 77}, 5))
	if len(ans.Letters) != 4 || len(ans.Bad) != 0 || !slices.Equal(ans.Gone, []uint32{77}) || string(ans.Letters[3].Text) != "body " {
		t.Fatalf("fetch %+v", ans)
	}
	if to := must[CopyUID](t)(c.Move(ctx, 1, wantProcessed)); to.UID != 1 {
		t.Errorf("moved to %+v", to)
	}
	_, err = c.Move(ctx, 2, o.Prefix+"Нет такой")
	var refused *StatusError
	if !errors.As(err, &refused) || refused.Code != "TRYCREATE" {
		t.Errorf("move to nowhere: %v", err)
	}
	_, err = c.Copy(ctx, 2, o.Prefix+"Нет такой")
	if !errors.As(err, &refused) || refused.Code != "TRYCREATE" || c.Dead() {
		t.Errorf("copy to nowhere: %v", err)
	}
	if to := must[CopyUID](t)(c.Copy(ctx, 2, wantProcessed)); to.UID != 2 {
		t.Errorf("copied to %+v", to)
	}
	if err := errors.Join(c.MarkDeleted(ctx, 2), c.MarkDeleted(ctx, 3), c.Expunge(ctx, 2)); err != nil {
		t.Fatal(err)
	}
	metas := must[[]Meta](t)(c.UIDs(ctx, 1, 0))
	if len(metas) != 2 || metas[0].UID != 3 || !slices.Contains(metas[0].Flags, `\Deleted`) {
		t.Errorf("left: %+v", metas)
	}
	if to := must[CopyUID](t)(c.Append(ctx, folders[models.FolderSent].Name, []string{`\Seen`}, time.Now(), letter(9))); to.UID != 1 {
		t.Errorf("appended to %+v", to)
	}
	go func() { _ = d.Deliver(context.WithoutCancel(ctx), "ivan", letter(5)) }()
	if changed := must[bool](t)(c.Idle(ctx, 10*time.Second, nil)); !changed {
		t.Error("idle noticed nothing")
	}
	if _, err := c.Append(ctx, "Нет такой", nil, time.Time{}, []byte(strings.Repeat("x", 9000))); !errors.As(err, &refused) || !c.Dead() {
		t.Errorf("refused append: %v, dead %v", err, c.Dead())
	}
}

func TestDovecotDay(t *testing.T) {
	t.Parallel()
	dovecotDay(t, dovecot.Options{}, "Продажи/Обработанные письма")
}

func TestDovecotOldLayout(t *testing.T) {
	t.Parallel()
	dovecotDay(t, dovecot.Options{Separator: ".", Prefix: "INBOX."}, "INBOX.Продажи.Обработанные письма")
}

func TestDovecotOverQuota(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{Quota: "20K"})
	c := dialTest(t, dovecotAccount(d, "ivan"))
	ctx := t.Context()
	big := append(letter(1), strings.Repeat("0123456789\r\n", 1000)...)
	must[CopyUID](t)(c.Append(ctx, "INBOX", nil, time.Time{}, big))
	must[Selected](t)(c.Select(ctx, "INBOX", false))
	_, err := c.Copy(ctx, 1, "Sent")
	var refused *StatusError
	if !errors.As(err, &refused) || refused.Code != "OVERQUOTA" || c.Dead() {
		t.Errorf("copy over quota: %v", err)
	}
}

func TestDovecotKilledUnderUs(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	c := dialTest(t, dovecotAccount(d, "ivan"))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	time.AfterFunc(50*time.Millisecond, d.KillHard)
	start := time.Now()
	if _, err := c.Idle(t.Context(), time.Minute, nil); !models.IsTemporary(err) || !c.Dead() {
		t.Errorf("killed: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("noticed after %v", took)
	}
	if _, err := NewDialer(dovecotAccount(d, "ivan"), nil, nil).Dial(t.Context()); !models.IsTemporary(err) || phraseOf(t, err) == "" {
		t.Errorf("dial a dead server: %v", err)
	}
}

func TestDovecotExpungedWhileFetching(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	c := dialTest(t, dovecotAccount(d, "ivan"))
	other := dialTest(t, dovecotAccount(d, "ivan"))
	ctx := t.Context()
	for i := range 5 {
		if err := d.Deliver(ctx, "ivan", letter(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	must[Selected](t)(c.Select(ctx, "INBOX", false))
	must[Selected](t)(other.Select(ctx, "INBOX", false))
	if err := errors.Join(other.MarkDeleted(ctx, 2), other.Expunge(ctx, 2)); err != nil {
		t.Fatal(err)
	}
	ans := must[FetchAnswer](t)(c.Fetch(ctx, []uint32{1, 2, 3}, 100))
	if len(ans.Letters) != 2 || !slices.Equal(ans.Gone, []uint32{2}) {
		t.Errorf("fetch %+v", ans)
	}
}
