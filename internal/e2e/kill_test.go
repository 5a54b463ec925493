package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/postgres"
	"kontrol/models"
	"kontrol/store"
)

// kills is how often the daemon is killed in one run of the ordinary test.
const kills = 50

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "kontrol")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "kontrol/cmd/kontrol").CombinedOutput()
	if err != nil {
		return "", &buildError{err, out}
	}
	return path, nil
})

type buildError struct {
	err error
	out []byte
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + string(e.out) }

func program(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKilledFiftyTimes runs the program as a user does and kills it with SIGKILL at fifty random moments while letters
// come and answers appear; after each kill it is started again. In the end everything must be as if nothing had happened.
func TestKilledFiftyTimes(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killed(t, "sqlite:"+filepath.Join(t.TempDir(), "kontrol.db"), kills)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		killed(t, postgres.Test(t), kills)
	})
}

// TestSoakKilled is the same with ten times as many kills. See CONTRIBUTING.md for how to run it.
func TestSoakKilled(t *testing.T) {
	if os.Getenv("KONTROL_SOAK") == "" {
		t.Skip("a long test: make soak")
	}
	t.Run("sqlite", func(t *testing.T) { killed(t, "sqlite:"+filepath.Join(t.TempDir(), "kontrol.db"), 10*kills) })
	t.Run("postgres", func(t *testing.T) { killed(t, postgres.Test(t), 10*kills) })
}

func killed(t *testing.T, databaseURL string, kills int) {
	t.Helper()
	bin := program(t)
	srv := dovecot.Test(t, dovecot.Options{})
	path := writeConfig(t, srv, distance(t, srv.IMAPSAddr, 5*time.Millisecond), databaseURL)
	units := newUnits(max(185, 185*kills/100), "kill")
	db, err := store.Open(t.Context(), store.Config{URL: databaseURL, AutoMigrateSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	storeDeals(t, db, units)
	out := newOutside(t, srv)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, seed))

	// The people: they never wait for the program. Letters and answers are spread over the whole time.
	people := make(chan func(), 4*len(units))
	for _, u := range units {
		people <- func() { out.arrive(u) }
		people <- func() { out.reply(u) }
	}
	close(people)
	perLife, planned, midway := len(people)/kills+1, 0, 0
	for i := range kills {
		d := start(t, bin, path)
		if i%5 != 0 { // every fifth is killed while it starts
			d.waitReady()
		}
		for range perLife {
			if act, ok := <-people; ok {
				act()
			}
		}
		d.killAfter(time.Duration(rnd.IntN(900)) * time.Millisecond)
		p, m := underWay(t, db)
		planned, midway = planned+p, midway+m
	}
	t.Logf("moves that the kills left behind: %d planned, %d with the server's answer outstanding", planned, midway)
	for act := range people {
		act()
	}
	d := start(t, bin, path)
	out.settled(units, 90*time.Second)
	waitBooks(t, db) // a letter may have been in its folder since the last kill, and the journal not know it yet
	d.stop()
	out.check(units)
	checkBooks(t, db)

	// Once more from the start: nothing may be done a second time.
	d = start(t, bin, path)
	waitSynced(t, db, time.Now())
	d.stop()
	out.check(units)
	report(t, db, units)
}

// underWay counts the open filings that are only planned, and those of which the server may have been told already.
func underWay(t *testing.T, db *store.DB) (planned, midway int) {
	t.Helper()
	boxes, err := db.Read().Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		open, err := db.OpenFilings(t.Context(), b.ID, time.Now().Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range open {
			if f.State == models.FilingPlanned {
				planned++
			} else {
				midway++
			}
		}
	}
	return planned, midway
}

// waitBooks waits until the journal has nothing open.
func waitBooks(t *testing.T, db *store.DB) {
	t.Helper()
	deadline := time.After(90 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		open, err := db.Read().OpenFilingsCount(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, n := range open {
			left += n
		}
		if left == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d filings still open after 90 s", left)
		}
	}
}

// checkBooks compares the journal with itself: nothing is left open, and no letter was filed twice.
func checkBooks(t *testing.T, db *store.DB) {
	t.Helper()
	open, err := db.Read().OpenFilingsCount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for box, n := range open {
		if n > 0 {
			t.Errorf("mailbox %d: %d filings still open", box, n)
		}
	}
}

// report checks that no letter was filed more than once, and tells how the moves ended, for the record.
func report(t *testing.T, db *store.DB, units []*unit) {
	t.Helper()
	states := map[models.FilingState]int{}
	attempts := 0
	for _, u := range units {
		for _, l := range u.letters {
			rows, err := db.Read().LettersByMessageIDs(t.Context(), []string{l.id})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 {
				t.Errorf("%s is known %d times", l.id, len(rows))
				continue
			}
			filings, err := db.Read().FilingsOf(t.Context(), rows[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			done := 0
			for _, x := range filings {
				states[x.State]++
				attempts += x.Attempts
				if x.State == models.FilingDone {
					done++
				}
			}
			if want := 1; l.want == inbox && done != 0 || l.want != inbox && done != want {
				t.Errorf("%s: filed %d times", l.id, done)
			}
		}
	}
	t.Logf("filings by state: %v; commands announced: %d", states, attempts)
}

// waitSynced waits until every mailbox has been looked at completely after a moment.
func waitSynced(t *testing.T, db *store.DB, after time.Time) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		boxes, err := db.Read().Mailboxes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ready := 0
		for _, b := range boxes {
			if b.SyncedAt != nil && b.SyncedAt.After(after) {
				ready++
			}
		}
		if ready == len(managers) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("mailboxes were not looked at within 30 s")
		}
		<-tick.C
	}
}

// process is the program, running.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	output *said
	ended  chan error
}

func start(t *testing.T, bin, config string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan error, 1), output: &said{ready: make(chan struct{})}}
	p.cmd = exec.Command(bin, "--config", config, "run")
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// killAfter kills the program with SIGKILL after a while. A program that has ended by itself has failed.
func (p *process) killAfter(d time.Duration) {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.t.Fatalf("the program ended by itself: %v\n%s", err, p.output.String())
	case <-time.After(d):
	}
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// waitReady waits until the program has said that it is at work.
func (p *process) waitReady() {
	p.t.Helper()
	select {
	case <-p.output.ready:
	case err := <-p.ended:
		p.t.Fatalf("the program ended while starting: %v\n%s", err, p.output.String())
	case <-time.After(30 * time.Second):
		p.t.Fatalf("the program did not start within 30 s\n%s", p.output.String())
	}
}

// said keeps what a program has said, and tells when it said that it is at work.
type said struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	if bytes.Contains(s.text.Bytes(), []byte("Kontrol следит")) {
		s.once.Do(func() { close(s.ready) })
	}
	return n, err
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// stop asks the program to stop, as systemd does, and wants exit code 0 within ten seconds.
func (p *process) stop() {
	p.t.Helper()
	p.waitReady()
	if err := p.cmd.Process.Signal(sigterm); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Errorf("stop: %v\n%s", err, p.output.String())
		}
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("the program did not stop within 15 s\n%s", p.output.String())
	}
}
