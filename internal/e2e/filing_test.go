package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/imapsync"
	"kontrol/internal/dovecot"
	"kontrol/models"
	"kontrol/store"
)

// writeConfig writes the config of the department on the private server, over TLS, and returns its path.
func writeConfig(t *testing.T, srv *dovecot.Server, imapsAddr, databaseURL string) string {
	t.Helper()
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(imapsAddr)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("[company]\nname = \"ООО «Теплодом»\"\ndomains = [%q]\n\n[database]\nurl = %q\n\n"+
		"[servers.corp]\nimap = \"imaps://localhost:%s\"\nca_file = %q\n\n[log]\nlevel = \"warn\"\n", domain, databaseURL, port, srv.CAFile)
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(srv.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range managers {
		text += fmt.Sprintf("\n[[managers]]\nname = %q\nemail = \"%s@%s\"\nserver = \"corp\"\nusername = %q\npassword_file = %q\n",
			m, m, domain, m, secret)
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// storeDeals makes the clients whose deals wait for something, and one without a deal for every other unit.
func storeDeals(t *testing.T, db *store.DB, units []*unit) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		for _, u := range units {
			if u.kind == stranger {
				continue
			}
			c := store.ClientCard{
				Client: models.Client{Name: fmt.Sprintf("ООО «Клиент %d»", u.n)},
				Contacts: []store.ContactCard{{
					Contact: models.Contact{Name: "Иван"},
					Points:  []models.ContactPoint{{Kind: models.PointEmail, Value: u.from}},
				}},
			}
			if err := tx.CreateClient(t.Context(), &c, "test"); err != nil {
				return err
			}
			stage := "talks"
			if u.kind == outstandingDeal {
				stage = "offer"
			}
			d := models.Deal{ClientID: c.ID, Title: "Сделка", StageCode: stage}
			if err := tx.CreateDeal(t.Context(), &d, "test"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoHundredLettersAreFiled is the main job: letters come by LMTP, answers appear in Sent, every answered letter is
// filed and every unanswered one stays, on a real server over TLS, looked at from outside.
//
// It runs alone in this package: the time that it measures is the program's and not that of the tests beside it.
func TestTwoHundredLettersAreFiled(t *testing.T) {
	srv := dovecot.Test(t, dovecot.Options{})
	cfg, err := config.Load(writeConfig(t, srv, srv.IMAPSAddr, "sqlite:kontrol.db"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	units := newUnits(185, "main")
	run(t, cfg, imapsync.Timing{}, units)
	out := newOutside(t, srv)
	n := 0
	for _, u := range units {
		out.arrive(u)
		n += len(u.letters)
	}
	if n < 200 {
		t.Fatalf("only %d letters", n)
	}
	// Half of the answers come in one heap, the other half one after another, each timed from outside.
	var took []time.Duration
	for i, u := range units {
		if i%2 == 0 || u.answer == nil || u.letters[0].want == inbox {
			out.reply(u)
		}
	}
	for i, u := range units {
		if i%2 == 1 && u.answer != nil && u.letters[0].want != inbox {
			took = append(took, out.timedReply(u))
		}
	}
	out.settled(units, 60*time.Second)
	out.check(units)
	slices.Sort(took)
	t.Logf("from answer to filed, %d letters, seen from outside: median %v, p95 %v, max %v", len(took),
		took[len(took)/2].Round(time.Millisecond), took[len(took)*95/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if p95 := took[len(took)*95/100]; p95 > 2*time.Second {
		t.Errorf("from answer to filed: p95 %v, want under 2 s", p95)
	}
}

// run runs the daemon in this process, with the units' clients in its store, until the test ends.
func run(t *testing.T, cfg *config.Config, timing imapsync.Timing, units []*unit) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	app, err := daemon.New(ctx, daemon.Options{Config: cfg, Logger: log, Timing: timing})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	storeDeals(t, app.DB(), units)
	stopped := make(chan error, 1)
	go func() { stopped <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// TestOtherLayoutsAndAbilities is the same on servers of another make: folders below INBOX with dots, without MOVE,
// without IDLE, with room for one connection a mailbox beside the one that looks on.
func TestOtherLayoutsAndAbilities(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]dovecot.Options{
		"folders below INBOX": {Separator: ".", Prefix: "INBOX."},
		"without MOVE":        {Caps: "IMAP4rev1 IDLE UIDPLUS LITERAL+ NAMESPACE"},
		"without IDLE":        {Caps: "IMAP4rev1 MOVE UIDPLUS"},
		"one connection each": {MaxConn: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := dovecot.Test(t, o)
			cfg, err := config.Load(writeConfig(t, srv, srv.IMAPSAddr, "sqlite:kontrol.db"), func(string) string { return "" })
			if err != nil {
				t.Fatal(err)
			}
			if o.MaxConn != 0 {
				corp := cfg.Servers["corp"]
				corp.MaxConnections = len(managers)
				cfg.Servers["corp"] = corp
			}
			units := newUnits(30, "other")
			run(t, cfg, imapsync.Timing{PollEvery: 500 * time.Millisecond, StatusEvery: time.Second}, units)
			out := newOutside(t, srv)
			out.prefix = o.Prefix
			for _, u := range units {
				out.arrive(u)
				out.reply(u)
			}
			out.settled(units, 60*time.Second)
			out.check(units)
		})
	}
}

// timedReply puts the answer into Sent and measures the time until its letters are in their folder.
func (o *outside) timedReply(u *unit) time.Duration {
	o.t.Helper()
	o.reply(u)
	begin := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, l := range u.letters {
		for {
			uids, err := o.box[u.box].Find(o.wire(l.want), l.id)
			if err == nil && len(uids) == 1 {
				break
			}
			if time.Since(begin) > 30*time.Second {
				o.t.Fatalf("unit %d: %s not filed within 30 s (%v)", u.n, l.id, err)
			}
			<-tick.C
		}
	}
	return time.Since(begin)
}

// testWriter sends the daemon's log to the test's.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}
