package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
)

// intakeFunc is an Intake of which only Arrived is of interest.
type intakeFunc func(a Arrival) error

func (f intakeFunc) Arrived(_ context.Context, a Arrival) error         { return f(a) }
func (intakeFunc) Changed(context.Context, Change) error                { return nil }
func (intakeFunc) Reset(_ context.Context, _ models.Folder) (err error) { return nil }

// takeWorld is a worker on the model server, with an INBOX of n letters, that takes them in with takeIn.
type takeWorld struct {
	m      *model
	st     *memStore
	w      *worker
	d      *folder
	budget *Budget
}

func newTakeWorld(t testing.TB, n int, in Intake, budget *Budget) *takeWorld {
	t.Helper()
	m := newModel()
	m.create(inbox)
	for i := range n {
		m.deliver(inbox, header(fmt.Sprint(i)))
	}
	st := newMemStore()
	if in == nil {
		in = st
	}
	s, err := m.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	y := NewSyncer(SyncerConfig{MailboxID: 1, Dialer: m, Intake: in, Folders: st, Budget: budget})
	w := &worker{Syncer: y, s: &selecting{Session: s}, ctx: context.Background()}
	d := &folder{f: models.Folder{MailboxID: 1, Role: models.FolderInbox, Name: inbox}}
	if _, err := w.open(w.ctx, d); err != nil {
		t.Fatal(err)
	}
	return &takeWorld{m: m, st: st, w: w, d: d, budget: budget}
}

func (tw *takeWorld) takeIn(ctx context.Context) (int, error) {
	metas, err := tw.w.s.UIDs(ctx, 1, 0)
	if err != nil {
		return 0, err
	}
	return tw.w.takeIn(ctx, tw.d, metas, nil)
}

func (tw *takeWorld) fetches() int {
	tw.m.mu.Lock()
	defer tw.m.mu.Unlock()
	n := 0
	for _, cmd := range tw.m.log {
		if cmd == "FETCH" {
			n++
		}
	}
	return n
}

// TestFetchedWhileStored: while a batch is being stored exactly one more is fetched, and what is in memory is counted.
func TestFetchedWhileStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tw *takeWorld
		budget := NewBudget(64 << 20)
		var last uint32
		stored := 0
		in := intakeFunc(func(a Arrival) error {
			<-time.After(time.Minute)
			if got := tw.fetches(); got != min(stored+2, 20) {
				t.Errorf("batch %d is being stored and %d are fetched", stored+1, got)
			}
			held := int64(0)
			for _, l := range a.Letters {
				held += int64(len(l.Header) + len(l.Text))
				if l.UID != last+1 {
					t.Errorf("letter %d after %d", l.UID, last)
				}
				last = l.UID
			}
			if now, _ := budget.Held(); now < held || now > 3*held {
				t.Errorf("%d octets held, %d of them being stored", now, held)
			}
			if a.Folder.LastUID != last || tw.d.f.LastUID != a.Letters[0].UID-1 {
				t.Errorf("cursor %d to be stored, is %d, letters to %d", a.Folder.LastUID, tw.d.f.LastUID, last)
			}
			stored++
			return nil
		})
		tw = newTakeWorld(t, 200, in, budget)
		tw.m.most = 10
		if n, err := tw.takeIn(t.Context()); n != 200 || err != nil || stored != 20 {
			t.Errorf("%d taken in with %d batches: %v", n, stored, err)
		}
		if now, _ := budget.Held(); now != 0 {
			t.Errorf("%d octets still held", now)
		}
	})
}

// TestStoreFailsWhileFetching: the batch that was fetched ahead is dropped, the cursor stays, the connection lives, and
// the next look takes everything in once.
func TestStoreFailsWhileFetching(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1 << 20)
	tw := newTakeWorld(t, 100, nil, budget)
	tw.m.most = 10
	calls := 0
	tw.st.fail = func(op string, _ bool) bool {
		if op == "Arrived" {
			calls++
		}
		return op == "Arrived" && calls == 7
	}
	_, err := tw.takeIn(t.Context())
	if !isStoreError(err) || tw.w.s.Dead() {
		t.Fatalf("%v, dead %v", err, tw.w.s.Dead())
	}
	cursor := tw.st.role(models.FolderInbox).LastUID
	if cursor != tw.d.f.LastUID || cursor%10 != 0 || cursor == 0 || cursor >= 100 {
		t.Errorf("cursor stored %d, kept %d", cursor, tw.d.f.LastUID)
	}
	if now, _ := budget.Held(); now != 0 {
		t.Errorf("%d octets still held", now)
	}
	if n, err := tw.takeIn(t.Context()); err != nil || n != 100-int(cursor) {
		t.Errorf("%d taken in: %v", n, err)
	}
	for h, n := range tw.st.arrivals {
		if n != 1 {
			t.Errorf("%q handed over %d times", h, n)
		}
	}
	if len(tw.st.arrivals) != 100 {
		t.Errorf("%d letters", len(tw.st.arrivals))
	}
}

// TestPanicWhileFetchingAhead: a panic in the goroutine that fetches ahead is an error like any other.
func TestPanicWhileFetchingAhead(t *testing.T) {
	t.Parallel()
	tw := newTakeWorld(t, 30, nil, nil)
	tw.m.most = 10
	fetches := 0
	tw.m.fault = func(_ *fakeSession, cmd string) fault {
		if cmd == "FETCH" {
			if fetches++; fetches == 3 {
				panic("broken") //nolint:forbidigo // what is tested
			}
		}
		return fine
	}
	_, err := tw.takeIn(t.Context())
	var p *panicError
	if !errors.As(err, &p) || tw.w.Panics() != 1 || tw.d.f.LastUID != 20 {
		t.Errorf("%v, cursor %d", err, tw.d.f.LastUID)
	}
}

// TestStopWhileWaitingForMemory: a mailbox that waits for its share ends when it is told to.
func TestStopWhileWaitingForMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(80)
		other, _ := budget.Acquire(t.Context(), 70)
		tw := newTakeWorld(t, 10, nil, budget)
		ctx, stop := context.WithCancel(t.Context())
		tw.w.ctx = ctx
		result := make(chan error, 1)
		go func() {
			_, err := tw.takeIn(t.Context())
			result <- err
		}()
		synctest.Wait()
		stop()
		if err := <-result; !errors.Is(err, context.Canceled) || tw.fetches() != 0 {
			t.Errorf("%v after %d fetches", err, tw.fetches())
		}
		other.Release()
		if now, _ := budget.Held(); now != 0 {
			t.Errorf("%d held", now)
		}
	})
}

// TestHugeMailboxDoesNotStarveOthers: with memory for one batch only, a mailbox of ten thousand letters and three of a
// hundred take turns.
func TestHugeMailboxDoesNotStarveOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(batchOctets * 8 / 7)
		start := time.Now()
		slow := intakeFunc(func(Arrival) error { <-time.After(time.Second); return nil })
		took := make([]time.Duration, 4)
		var running []chan struct{}
		for i := range took {
			n := 100
			if i == 0 {
				n = 10000
			}
			tw := newTakeWorld(t, n, slow, budget)
			tw.m.most = 10
			ended := make(chan struct{})
			running = append(running, ended)
			go func() {
				defer close(ended)
				if got, err := tw.takeIn(t.Context()); got != n || err != nil {
					t.Errorf("%d of %d: %v", got, n, err)
				}
				took[i] = time.Since(start)
			}()
			synctest.Wait()
		}
		for _, ended := range running {
			<-ended
		}
		// Ten batches each of a second, four mailboxes in turn; a first batch of the huge one before.
		for i := range took[1:] {
			if took[i+1] > 60*time.Second || took[0] < 500*time.Second {
				t.Errorf("mailbox %d took %v, the huge one %v", i+1, took[i+1], took[0])
			}
		}
	})
}

// TestTakeInProperty: whatever is known already, gone or unreadable, wherever the folder's first UID lies and however few
// letters come at once, each new letter is handed over once, in ascending order, and the cursor ends at the last UID.
func TestTakeInProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(r, "letters")
		first := uint32(rapid.IntRange(1, n+1).Draw(r, "first"))
		known := rapid.SliceOfNDistinct(rapid.IntRange(1, n), 0, n, rapid.ID[int]).Draw(r, "known")
		var last uint32
		handed := 0
		tw := newTakeWorld(t, n, intakeFunc(func(a Arrival) error {
			for _, l := range a.Letters {
				if l.UID <= last || slices.Contains(known, int(l.UID)) || (l.UID < first) != a.FirstLook {
					r.Errorf("letter %d after %d, first look %v", l.UID, last, a.FirstLook)
				}
				last = l.UID
				handed++
			}
			if a.Folder.LastUID < last {
				r.Errorf("cursor %d below letter %d", a.Folder.LastUID, last)
			}
			return nil
		}), NewBudget(rapid.Int64Range(1, 1<<20).Draw(r, "budget")))
		tw.m.most = rapid.IntRange(1, 20).Draw(r, "at once")
		tw.d.f.FirstUID = first
		for _, uid := range known {
			tw.st.addLocation(&tw.d.f, uint32(uid), []byte(fmt.Sprint("known", uid)), 1, nil)
		}
		if got, err := tw.takeIn(context.Background()); err != nil || got != n || handed != n-len(known) || tw.d.f.LastUID != uint32(n) {
			r.Fatalf("%d, handed over %d, cursor %d: %v", got, handed, tw.d.f.LastUID, err)
		}
		if now, _ := tw.budget.Held(); now != 0 {
			r.Fatalf("%d octets still held", now)
		}
	})
}

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	if n, octets := p.next(10000, 64<<10); n != firstBatch || octets != batchOctets {
		t.Errorf("first %d, %d", n, octets)
	}
	for range 10 {
		n, _ := p.next(10000, 64<<10)
		p.learn(n, int64(n)*5000, 100*time.Millisecond)
	}
	if n, _ := p.next(10000, 64<<10); n != batchLetters {
		t.Errorf("a quick server: %d", n)
	}
	if n, octets := p.next(1, 64<<10); n != 1 || octets != 320<<10 {
		t.Errorf("one letter: %d, %d", n, octets)
	}
	for range 10 {
		n, _ := p.next(10000, 64<<10)
		p.learn(n, int64(n)*70000, time.Second)
	}
	if n, _ := p.next(10000, 64<<10); n < 40 || n > 60 {
		t.Errorf("large letters: %d", n)
	}
	for range 20 {
		n, _ := p.next(10000, 64<<10)
		p.learn(n, int64(n)*70000, time.Minute)
	}
	if n, _ := p.next(10000, 64<<10); n != 1 {
		t.Errorf("a slow server: %d", n)
	}
	p.learn(1, 70000, time.Second)
	if n, _ := p.next(10000, 64<<10); n != 2 {
		t.Errorf("it recovers: %d", n)
	}
}
