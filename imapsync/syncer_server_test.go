package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/models"
)

// liveWorld is a Syncer against a real server.
type liveWorld struct {
	t       *testing.T
	st      *memStore
	y       *Syncer
	hand    *Conn // what a person does, with a mail client of their own
	changed chan struct{}
	dials   atomic.Int64
	cancel  context.CancelFunc
	result  chan error
}

// counted counts logins.
type counted struct {
	Dialer
	n *atomic.Int64
}

func (d counted) Dial(ctx context.Context) (Session, error) {
	d.n.Add(1)
	return d.Dialer.Dial(ctx)
}

func quickTiming() Timing {
	return Timing{
		FirstRetry: 50 * time.Millisecond, LastRetry: time.Second, LoginRetry: 20 * time.Millisecond,
		PollEvery: 300 * time.Millisecond, StatusEvery: 500 * time.Millisecond, HealthEvery: time.Millisecond,
	}
}

func newLiveWorld(t *testing.T, a Account, timing Timing) *liveWorld {
	t.Helper()
	w := &liveWorld{t: t, st: newMemStore(), changed: make(chan struct{}, 1), result: make(chan error, 1)}
	w.st.onChange = func(string) {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	w.hand = dialTest(t, a)
	w.y = NewSyncer(SyncerConfig{
		MailboxID: 1, Address: a.Address, Dialer: counted{NewDialer(a, nil, nil), &w.dials}, Intake: w.st, Folders: w.st,
		Mover: NewMover(w.st, MoverConfig{}, nil, nil), Timing: timing,
	})
	return w
}

func (w *liveWorld) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	y, result := w.y, w.result
	go func() { result <- y.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		select {
		case err := <-result:
			if err != nil {
				w.t.Errorf("Run ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			w.t.Error("Run did not end")
		}
	})
}

// until waits until ok holds; it is called under the store's lock after each change of the store.
func (w *liveWorld) until(what string, ok func() bool) {
	w.t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for {
		w.st.mu.Lock()
		good, health := ok(), w.st.health
		order := slices.Clone(w.st.order)
		w.st.mu.Unlock()
		if good {
			return
		}
		select {
		case <-w.changed:
		case <-limit.C:
			w.t.Fatalf("%s: did not happen; intake was told %v, health %+v", what, order, health)
		}
	}
}

func (w *liveWorld) told(what ...string) func() bool {
	return func() bool {
		for _, x := range what {
			if !slices.Contains(w.st.order, x) {
				return false
			}
		}
		return true
	}
}

// name returns a folder's name as the Syncer has found it.
func (w *liveWorld) name(role models.FolderRole) string {
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	return w.st.role(role).Name
}

// once checks that every letter was handed over once in each folder.
func (w *liveWorld) once() {
	w.t.Helper()
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	seen := map[string]int{}
	for _, x := range w.st.order {
		if seen[x]++; seen[x] > 1 {
			w.t.Errorf("%s was told %d times", x, seen[x])
		}
	}
}

func (w *liveWorld) put(folder string, n int) uint32 {
	w.t.Helper()
	got, err := w.hand.Append(w.t.Context(), folder, nil, time.Time{}, letter(n))
	if err != nil {
		w.t.Fatalf("append to %s: %v", folder, err)
	}
	return got.UID
}

func (w *liveWorld) move(from string, uid uint32, to string) {
	w.t.Helper()
	if _, err := w.hand.Select(w.t.Context(), from, false); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.hand.Move(w.t.Context(), uid, to); err != nil {
		w.t.Fatalf("move %s/%d to %s: %v", from, uid, to, err)
	}
}

// day is an ordinary day: mail comes and is filed, a person answers and moves letters about.
func (w *liveWorld) day() {
	w.t.Helper()
	w.st.decide = func(f models.Folder, l Fetched, first bool) models.FolderRole {
		if f.Role == models.FolderInbox && !first && string(l.Header)+string(l.Text) == string(letter(2)) {
			return models.FolderControl
		}
		return ""
	}
	w.put("INBOX", 1)
	w.start()
	w.until("first look", func() bool { return w.st.health.Connected && w.st.health.SyncedAt != nil && w.told("+inbox/1")() })
	control := w.name(models.FolderControl)
	start := time.Now()
	w.put("INBOX", 2)
	w.until("new letter is filed", func() bool { return len(w.st.filings) == 1 && w.st.filings[0].State == models.FilingDone })
	if took := time.Since(start); took > 5*time.Second {
		w.t.Errorf("a new letter was filed after %v", took)
	}
	start = time.Now()
	w.put(w.name(models.FolderSent), 3)
	w.until("sent letter is seen", w.told("+sent/1"))
	if took := time.Since(start); took > 5*time.Second {
		w.t.Errorf("a sent letter was seen after %v", took)
	}
	w.move("INBOX", 1, control)
	w.until("move by hand is seen", w.told("+control/2", "-inbox/1"))
	w.move(control, 2, "INBOX")
	w.until("move back is seen", w.told("+inbox/3", "-control/2"))
	w.once()
}

func TestDayOnMemory(t *testing.T) {
	t.Parallel()
	for _, without := range [][]string{nil, {"IDLE"}, {"MOVE"}} {
		t.Run(fmt.Sprint(without), func(t *testing.T) {
			t.Parallel()
			m := imaptest.NewMemory(t, imaptest.MemoryOptions{Users: map[string]string{"ivan": "pass"}, Without: without})
			a := account(m.URL())
			a.Timeouts.Poll = 200 * time.Millisecond
			w := newLiveWorld(t, a, quickTiming())
			if slices.Contains(without, "MOVE") {
				w.hand.caps.Move = false
				w.filedByCopy()
				return
			}
			w.day()
			w.mailThroughCuts(m)
		})
	}
}

// filedByCopy files one letter on a server without MOVE.
func (w *liveWorld) filedByCopy() {
	w.t.Helper()
	w.st.decide = func(f models.Folder, _ Fetched, _ bool) models.FolderRole {
		if f.Role == models.FolderInbox {
			return models.FolderProcessed
		}
		return ""
	}
	w.put("INBOX", 1)
	w.start()
	w.until("letter is filed", func() bool { return len(w.st.filings) == 1 && w.st.filings[0].State == models.FilingDone })
	metas := func(folder string) int {
		must[Selected](w.t)(w.hand.Select(w.t.Context(), folder, true))
		return len(must[[]Meta](w.t)(w.hand.UIDs(w.t.Context(), 1, 0)))
	}
	if in, out := metas("INBOX"), metas(w.name(models.FolderProcessed)); in != 0 || out != 1 {
		w.t.Errorf("%d letters in INBOX, %d filed", in, out)
	}
}

// mailThroughCuts delivers letters while all connections are cut again and again.
func (w *liveWorld) mailThroughCuts(m *imaptest.Memory) {
	w.t.Helper()
	var want []string
	for i := range 15 {
		uid, err := m.Deliver("ivan", "INBOX", letter(100+i))
		if err != nil {
			w.t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("+inbox/%d", uid))
		if i%3 == 0 {
			m.Drop()
		}
	}
	w.until("all letters are seen", w.told(want...))
	w.once()
}

func TestDayOnDovecot(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, dovecotAccount(dovecot.Test(t, dovecot.Options{}), "ivan"), quickTiming())
	w.day()
}

func TestDovecotKilledAndRestartedUnderTheSyncer(t *testing.T) {
	t.Parallel()
	// Maildir leaves lock files behind when it is killed, and Dovecot waits two minutes before it breaks them.
	d := dovecot.Test(t, dovecot.Options{Storage: "sdbox"})
	w := newLiveWorld(t, dovecotAccount(d, "ivan"), quickTiming())
	w.st.decide = func(f models.Folder, _ Fetched, _ bool) models.FolderRole {
		if f.Role == models.FolderInbox {
			return models.FolderControl
		}
		return ""
	}
	w.start()
	for n := range 3 {
		for i := range 10 {
			w.put("INBOX", n*10+i)
		}
		w.until("a letter is filed", func() bool {
			return slices.ContainsFunc(w.st.filings[min(n*10, len(w.st.filings)):], func(f *models.Filing) bool { return f.State == models.FilingDone })
		})
		d.KillHard()
		w.until("the loss is noticed", func() bool { return !w.st.health.Connected })
		if err := restart(t, d); err != nil {
			t.Fatal(err)
		}
		w.hand = dialTest(t, dovecotAccount(d, "ivan"))
	}
	w.until("everything is filed", func() bool {
		open := slices.ContainsFunc(w.st.filings, func(f *models.Filing) bool { return f.State != models.FilingDone })
		return len(w.st.filings) == 30 && !open
	})
	w.once()
	for folder, want := range map[string]uint32{"INBOX": 0, w.name(models.FolderControl): 30} {
		if st := must[Selected](t)(w.hand.Status(t.Context(), folder)); st.Messages != want {
			t.Errorf("%s holds %d letters, want %d", folder, st.Messages, want)
		}
	}
}

// restart starts a killed server again. Its processes may need a moment to give their ports back.
func restart(t *testing.T, d *dovecot.Server) (err error) {
	t.Helper()
	for range 5 {
		if err = d.Restart(t.Context()); err == nil {
			return nil
		}
		d.KillHard()
	}
	return err
}

func TestDovecotFolderMadeAnew(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	w := newLiveWorld(t, dovecotAccount(d, "ivan"), quickTiming())
	w.start()
	w.until("first look", func() bool { return w.st.health.SyncedAt != nil })
	sent := w.name(models.FolderSent)
	w.put(sent, 1)
	w.until("sent letter is seen", w.told("+sent/1"))
	if _, err := d.Doveadm(t.Context(), "mailbox", "delete", "-u", "ivan", sent); err != nil {
		t.Fatal(err)
	}
	// Either this makes it anew or the Syncer has been faster.
	if _, err := d.Doveadm(t.Context(), "mailbox", "create", "-u", "ivan", sent); err != nil && !strings.Contains(err.Error(), "already exists") {
		t.Fatal(err)
	}
	for try := 1; ; try++ { // Dovecot may still take the new folder for the old one
		w.hand = dialTest(t, dovecotAccount(d, "ivan"))
		_, err := w.hand.Append(t.Context(), sent, nil, time.Time{}, letter(2))
		if err == nil {
			break
		}
		if try == 20 {
			t.Fatal(err)
		}
	}
	w.until("letter in the new folder is seen", func() bool { return w.st.resets == 1 && w.st.arrivals["sent/"+headerOf(2)] == 1 })
}

func headerOf(n int) string {
	return fmt.Sprintf("From: a@b.ru\r\nSubject: letter %d\r\nMessage-ID: <%d@x>\r\n\r\n", n, n)
}

func TestDovecotAllowsOneConnection(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{MaxConn: 1})
	w := newLiveWorld(t, dovecotAccount(d, "ivan"), quickTiming())
	w.hand.Close()
	w.start()
	w.until("first look", func() bool { return w.st.health.SyncedAt != nil })
	if err := d.Deliver(t.Context(), "ivan", letter(1)); err != nil {
		t.Fatal(err)
	}
	w.until("new letter is seen", w.told("+inbox/1"))
	if n := w.dials.Load(); n > 10 {
		t.Errorf("%d logins", n)
	}
}

func TestDovecotRefusesThePassword(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	a := dovecotAccount(d, "ivan")
	w := newLiveWorld(t, a, quickTiming())
	a.Secret = func(context.Context) (string, error) { return "wrong", nil }
	w.y.cfg.Dialer = counted{NewDialer(a, nil, nil), &w.dials}
	err := w.y.Run(t.Context())
	var login *LoginError
	if p, _ := models.PhraseOf(err); p.ID != "sync.stopped" || !errors.As(err, &login) || w.dials.Load() != 3 {
		t.Errorf("%v after %d logins", err, w.dials.Load())
	}
	if h := w.st.health; h.State != models.MailboxStopped || h.LoginRefusals != 3 {
		t.Errorf("health %+v", h)
	}
}
