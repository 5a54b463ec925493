package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kontrol/config"
	"kontrol/imapsync"
	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/internal/rawimap"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// quick makes everything happen at once that people would wait for.
var quick = imapsync.Timing{
	IdleSlice: 300 * time.Millisecond, PollEvery: 100 * time.Millisecond, StatusEvery: 100 * time.Millisecond,
	FirstRetry: 10 * time.Millisecond, LastRetry: 100 * time.Millisecond, LoginRetry: 10 * time.Millisecond,
	SecondRetry: 50 * time.Millisecond, HealthEvery: 10 * time.Millisecond,
}

// patience is how long a test waits for what has to happen; a busy machine is slow.
const patience = 60 * time.Second

// desk is a running daemon with its config file.
type desk struct {
	t    *testing.T
	app  *App
	file string
	stop func() error
}

// place is what goes into a config file.
type place struct {
	url, imap, ca string
	passwords     map[string]string // by mailbox
	more          string
}

func (p place) write(t *testing.T, file string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[company]\nname = \"Тепло\"\ndomains = [\"teplodom.example\"]\n[database]\nurl = %q\n[servers.s]\nimap = %q\n", p.url, p.imap)
	if p.ca != "" {
		fmt.Fprintf(&b, "ca_file = %q\n", p.ca)
	}
	b.WriteString(p.more)
	for _, a := range slices.Sorted(keys(p.passwords)) {
		name, _, _ := strings.Cut(a, "@")
		fmt.Fprintf(&b, "[[managers]]\nname = %q\nemail = %q\nusername = %q\npassword = %q\n", name, a, a, p.passwords[a])
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// sqliteIn returns the URL of a migrated SQLite database for one test.
func sqliteIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kontrol.db")
	writeMigrated(t, path)
	return "sqlite:" + path
}

// open makes an App from a config file without running it.
func open(t *testing.T, p place) (*App, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	p.write(t, file)
	load := func() (*config.Config, error) { return config.Load(file, nil) }
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	app, err := New(t.Context(), Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Timing: quick, Load: load})
	return app, file, err
}

// start runs a daemon until the test ends or stop is called.
func start(t *testing.T, p place) *desk {
	t.Helper()
	app, file, err := open(t, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	d := &desk{t: t, app: app, file: file}
	d.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// mailbox reads how a mailbox is.
func (d *desk) mailbox(address string) models.Mailbox {
	d.t.Helper()
	m, err := d.app.DB().Read().Mailbox(d.t.Context(), address)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// synced waits until the mailboxes have been looked at.
func (d *desk) synced(addresses ...string) {
	d.t.Helper()
	for _, a := range addresses {
		eventually(d.t, a+" is looked at", func() bool { m := d.mailbox(a); return m.Connected && m.SyncedAt != nil })
	}
}

// raw is a letter as it goes over the wire.
func raw(m mail) []byte {
	h := &house{now: time.Now().Truncate(time.Second)}
	f := h.fetched(1, m)
	return append(f.Header, f.Text...)
}

func memory(t *testing.T, users ...string) *imaptest.Memory {
	t.Helper()
	o := imaptest.MemoryOptions{Users: map[string]string{}}
	for _, u := range users {
		o.Users[u] = "secret"
	}
	return imaptest.NewMemory(t, o)
}

// put puts a letter into a folder of a memory server.
func put(t *testing.T, m *imaptest.Memory, user, folder string, letter mail) {
	t.Helper()
	if _, err := m.Deliver(user, folder, raw(letter)); err != nil {
		t.Fatal(err)
	}
}

// live counts the copies that are in the folder of a mailbox, as far as the daemon knows.
func (d *desk) live(address string, role models.FolderRole) int {
	d.t.Helper()
	s, err := d.app.DB().Read().Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, m := range s.Mailboxes {
		if m.Address == address {
			return m.Live[role]
		}
	}
	return -1
}

func TestStartAndStopLeaveNothing(t *testing.T) { // not parallel: it counts goroutines
	before := goleak.IgnoreCurrent()
	m, err := imaptest.StartMemory(imaptest.MemoryOptions{Users: map[string]string{anna: "secret", boris: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, m, anna, "INBOX", request)
	d := start(t, place{url: sqliteIn(t), imap: m.URL(), passwords: map[string]string{anna: "secret", boris: "secret"}})
	d.synced(anna, boris)
	put(t, m, anna, "Sent", request.reply("a@teplodom.example", anna, ivan))
	eventually(t, "the letter is filed", func() bool { return d.live(anna, models.FolderProcessed) == 1 })
	begin := time.Now()
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > StopWithin {
		t.Errorf("stopping took %v", took)
	}
	d.app.Close()
	_ = m.Close()
	goleak.VerifyNone(t, before)
}

func TestUnusedAppIsClosed(t *testing.T) { // not parallel: it counts goroutines
	before := goleak.IgnoreCurrent()
	p := place{url: sqliteIn(t), imap: "imap+insecure://127.0.0.1:1", passwords: map[string]string{anna: "secret"}}
	for range 2 {
		app, _, err := open(t, p)
		if err != nil {
			t.Fatal(err)
		}
		app.Close()
	}
	goleak.VerifyNone(t, before)
}

func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		p := place{url: url, imap: "imap+insecure://127.0.0.1:1", passwords: map[string]string{anna: "secret"}}
		d := start(t, p)
		_, _, err := open(t, p)
		var told *models.Told
		if !errors.As(err, &told) || told.Phrase.ID != "store.daemon_running" {
			t.Errorf("second daemon: %v", err)
		}
		if err := d.stop(); err != nil {
			t.Error(err)
		}
		third, _, err := open(t, p)
		if err != nil {
			t.Fatal(err)
		}
		third.Close()
	})
}

func TestJobOfAnotherProcessReachesTheMailbox(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		m := memory(t, anna)
		free := mail{id: "1@mail.ru", from: "romashka@mail.ru", to: anna, subject: "Заявка"}
		put(t, m, anna, "INBOX", free)
		put(t, m, anna, "Sent", free.reply("a@teplodom.example", anna, ivan))
		quiet := quick
		quiet.IdleSlice, quiet.PollEvery, quiet.StatusEvery = time.Hour, time.Hour, time.Hour // nothing but the job wakes it
		p := place{url: url, imap: m.URL(), passwords: map[string]string{anna: "secret"}}
		d := startTimed(t, p, quiet)
		d.synced(anna)
		eventually(t, "both letters are known", func() bool {
			return d.live(anna, models.FolderInbox) == 1 && d.live(anna, models.FolderSent) == 1
		})
		cli := storetest.Open(t, store.Config{URL: url})
		h := &house{t: t, db: cli}
		client := h.client("Ромашка", []string{ivan, "romashka@mail.ru"})
		n, err := Relink(t.Context(), cli, SettingsOf(d.app.Config()), client, time.Now)
		if err != nil || n != 2 {
			t.Fatalf("%d letters tied, %v", n, err)
		}
		eventually(t, "the letter is filed", func() bool { return d.live(anna, models.FolderProcessed) == 1 })
	})
}

// startTimed is start with other timing.
func startTimed(t *testing.T, p place, timing imapsync.Timing) *desk {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	p.write(t, file)
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	app, err := New(t.Context(), Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Timing: timing})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &desk{t: t, app: app, file: file}
}

func TestWrongPasswordAndReload(t *testing.T) {
	t.Parallel()
	m := memory(t, anna, boris)
	p := place{url: sqliteIn(t), imap: m.URL(), passwords: map[string]string{anna: "wrong", boris: "secret"}}
	d := start(t, p)
	d.synced(boris)
	eventually(t, "anna is stopped", func() bool { return d.mailbox(anna).State == models.MailboxStopped })
	if got := d.mailbox(anna); got.LoginRefusals != 3 || got.StateReason.IsZero() {
		t.Errorf("stopped after %d refusals, because %v", got.LoginRefusals, got.StateReason)
	}
	put(t, m, boris, "INBOX", request)
	eventually(t, "boris goes on", func() bool { return d.live(boris, models.FolderInbox) == 1 })

	// A reload without a better password tries once more, and only once.
	if _, err := d.app.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "anna is tried again", func() bool { return d.mailbox(anna).LoginRefusals == 4 })
	if got := d.mailbox(anna); got.State != models.MailboxStopped {
		t.Errorf("anna is %s", got.State)
	}
	p.passwords[anna] = "secret"
	p.write(t, d.file)
	r, err := d.app.Reload(t.Context())
	if err != nil || !slices.Equal(r.Applied, []string{"managers[" + anna + "].password"}) || len(r.Restart) != 0 {
		t.Errorf("reload: %+v, %v", r, err)
	}
	d.synced(anna)
	if got := d.mailbox(anna); got.State != models.MailboxActive || got.LoginRefusals != 0 {
		t.Errorf("anna is %s after %d refusals", got.State, got.LoginRefusals)
	}
	events, err := d.app.DB().Read().EventsAfter(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	stops := 0
	for _, e := range events {
		if e.Kind == models.EventMailboxStopped && !e.Text.IsZero() {
			stops++
		}
	}
	if stops != 2 {
		t.Errorf("%d stops in the history", stops)
	}
}

func TestReloadOfABrokenFile(t *testing.T) {
	t.Parallel()
	m := memory(t, anna)
	p := place{url: sqliteIn(t), imap: m.URL(), passwords: map[string]string{anna: "secret"}}
	d := start(t, p)
	before := d.app.Config()
	p.more = "[triage]\nfirst_look = \"soon\"\nnonsense = 1\n"
	p.write(t, d.file)
	_, err := d.app.Reload(t.Context())
	var all *config.Errors
	if !errors.As(err, &all) || len(all.Unwrap()) != 2 {
		t.Errorf("reload of a broken file: %v", err)
	}
	if d.app.Config() != before {
		t.Error("the config in force has changed")
	}
	p.more = "[triage]\nfirst_look = \"7d\"\n"
	p.passwords[boris] = "secret"
	p.write(t, d.file)
	r, err := d.app.Reload(t.Context())
	if err != nil || !slices.Equal(r.Applied, []string{"triage.first_look"}) || !slices.Equal(r.Restart, []string{"managers[" + boris + "]"}) {
		t.Errorf("reload: %+v, %v", r, err)
	}
	if got := d.app.intake.settings.Load().FirstLookWindow; got != 7*24*time.Hour {
		t.Errorf("first look %v", got)
	}
	if n := len(d.app.Config().Managers); n != 1 {
		t.Errorf("%d managers in force", n)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = d.app.Reload(t.Context()); d.app.poke(1, 99); d.app.Config().Mailboxes() })
	}
	wg.Wait()
}

// TestReloadOfHosts takes the second connection away from a mailbox, and gives it back.
func TestReloadOfHosts(t *testing.T) {
	t.Parallel()
	m := memory(t, anna)
	p := place{url: sqliteIn(t), imap: m.URL(), passwords: map[string]string{anna: "secret"}}
	d := start(t, p)
	d.synced(anna)
	for _, c := range []struct{ more, why string }{
		{"[[hosts]]\nname = \"127.0.0.1\"\nper_mailbox = 1\ncommands_per_minute = 6000\n", "sync.one_connection_config"}, {"", ""},
	} {
		p.more = c.more
		p.write(t, d.file)
		r, err := d.app.Reload(t.Context())
		if err != nil || !slices.Equal(r.Applied, []string{"hosts[127.0.0.1]"}) || len(r.Restart) != 0 {
			t.Errorf("reload: %+v, %v", r, err)
		}
		eventually(t, "reason is "+c.why, func() bool { return d.mailbox(anna).StateReason.ID == c.why })
	}
	put(t, m, anna, "INBOX", request)
	eventually(t, "a letter is seen", func() bool { return d.live(anna, models.FolderInbox) == 1 })
}

func TestBoundsOfAServerAndItsHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ server, host, want int }{{0, 0, 0}, {4, 0, 4}, {0, 5, 5}, {4, 5, 4}, {6, 5, 5}} {
		cfg := &config.Config{Hosts: []config.Host{{Name: "other", Connections: 1}, {Name: "mail.firma.example", Connections: c.host}}}
		got := boundsOf(cfg, config.ServerConfig{IMAP: config.Endpoint{Host: "mail.firma.example"}, MaxConnections: c.server})
		if got.Connections != c.want {
			t.Errorf("%d for the server and %d for the host: %d", c.server, c.host, got.Connections)
		}
	}
}

func TestServerIsRestartedUnderTheDaemon(t *testing.T) {
	t.Parallel()
	// Not Maildir: its lock file outlives a killed Dovecot and stops the next one for up to two minutes.
	srv := dovecot.Test(t, dovecot.Options{Storage: "sdbox"})
	host, port, err := net.SplitHostPort(srv.IMAPSAddr)
	if err != nil {
		t.Fatal(err)
	}
	p := place{url: sqliteIn(t), imap: "imaps://" + net.JoinHostPort(host, port), ca: srv.CAFile, passwords: map[string]string{anna: srv.Password}}
	d := start(t, p)
	d.synced(anna)
	const n = 24
	for i := range n {
		m := mail{id: fmt.Sprintf("%d@romashka.example", i), from: ivan, to: anna, subject: fmt.Sprintf("Заявка %d", i)}
		if err := srv.Deliver(t.Context(), anna, raw(m)); err != nil {
			t.Fatal(err)
		}
		c, err := rawimap.Dial(srv.IMAPSAddr, srv.TLS(), anna, srv.Password)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Append("Sent", `\Seen`, raw(m.reply("a"+m.id, anna, ivan)))
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
		if i%8 == 7 {
			srv.KillHard()
			if err := srv.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "all letters are filed", func() bool { return d.live(anna, models.FolderProcessed) == n })
	c, err := rawimap.Dial(srv.IMAPSAddr, srv.TLS(), anna, srv.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for folder, want := range map[string]int{"INBOX": 0, rawimap.Processed: n, "Sent": n} {
		all, err := c.Look(folder)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, l := range all {
			seen[l.MessageID()] = true
		}
		if len(all) != want || len(seen) != want {
			t.Errorf("%s holds %d letters, %d different ones, want %d", folder, len(all), len(seen), want)
		}
	}
}
