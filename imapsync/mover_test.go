package imapsync

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"kontrol/models"
)

// deskWorld is a mailbox with one letter in INBOX that is to be moved to «На контроле».
type deskWorld struct {
	t   *testing.T
	m   *model
	st  *memStore
	now time.Time
	cfg MoverConfig
	uid uint32
	f   *models.Filing
}

func newDeskWorld(t *testing.T) *deskWorld {
	t.Helper()
	w := &deskWorld{t: t, m: newModel(), st: newMemStore(), now: time.Unix(1e9, 0), cfg: MoverConfig{Rand: func() float64 { return 0.5 }}}
	w.m.create(inbox, ctrl, other)
	for role, name := range map[models.FolderRole]string{models.FolderInbox: inbox, models.FolderControl: ctrl, models.FolderProcessed: other} {
		w.st.saveFolder(&models.Folder{MailboxID: 1, Role: role, Name: name})
	}
	w.uid = w.m.deliver(inbox, header("a"), `\Seen`)
	w.st.sync(w.m)
	w.f = w.plan(w.uid)
	return w
}

func (w *deskWorld) plan(uid uint32) *models.Filing {
	in := w.st.role(models.FolderInbox)
	return w.st.plan(w.st.location(in.ID, in.UIDValidity, uid), w.st.role(models.FolderControl), w.now)
}

func (w *deskWorld) run() error {
	w.t.Helper()
	s, err := w.m.Dial(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	return NewMover(w.st, w.cfg, func() time.Time { return w.now }, nil).Run(w.t.Context(), s, 1)
}

func (w *deskWorld) want(state models.FilingState, in, target int) {
	w.t.Helper()
	if w.f.State != state {
		w.t.Errorf("filing is %s (%s), want %s", w.f.State, w.f.LastError, state)
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if a, b := w.m.countLocked(header("a"), inbox), w.m.countLocked(header("a"), ctrl); a != in || b != target {
		w.t.Errorf("%d in INBOX and %d in the target, want %d and %d", a, b, in, target)
	}
}

// on makes one command go wrong once.
func (w *deskWorld) on(cmd string, f fault, also func()) {
	w.m.fault = func(_ *fakeSession, c string) fault {
		if c != cmd {
			return fine
		}
		w.m.fault = nil
		if also != nil {
			also()
		}
		return f
	}
}

func TestMover(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(w *deskWorld){
		"moves": func(w *deskWorld) {
			w.run()
			w.want(models.FilingDone, 0, 1)
			if w.f.DestUID != 1 || w.f.DestUIDNext != 1 || w.f.FinishedAt == nil {
				w.t.Errorf("filing %+v", w.f)
			}
		},
		"is gone": func(w *deskWorld) {
			w.m.person(inbox, w.uid, other)
			w.run()
			w.want(models.FilingGone, 0, 0)
		},
		"was moved there by a person": func(w *deskWorld) {
			w.m.person(inbox, w.uid, ctrl)
			w.run()
			w.want(models.FilingDone, 0, 1)
		},
		"folder has another UIDVALIDITY": func(w *deskWorld) {
			w.m.reset(inbox)
			w.run()
			w.want(models.FilingCancelled, 1, 0)
		},
		"is being deleted": func(w *deskWorld) {
			w.m.setFlags(inbox, w.uid, `\deleted`)
			w.run()
			w.want(models.FilingCancelled, 0, 0)
		},
		"source is read-only": func(w *deskWorld) {
			w.m.boxes[inbox].readOnly = true
			w.run()
			w.want(models.FilingFailed, 1, 0)
			if w.f.Reason.ID != "sync.read_only" {
				w.t.Errorf("reason %v", w.f.Reason)
			}
		},
		"server can do nothing": func(w *deskWorld) {
			w.m.caps = Caps{}
			w.run()
			w.want(models.FilingFailed, 1, 0)
			if w.f.Reason.ID != "sync.cannot_remove" || len(w.m.log) != 0 {
				w.t.Errorf("reason %v, commands %v", w.f.Reason, w.m.log)
			}
		},
		"source may be left marked": func(w *deskWorld) {
			w.m.caps, w.cfg.LeaveDeleted = Caps{}, true
			foreign := w.m.deliver(inbox, header("b"), `\Deleted`)
			for range 3 {
				w.run()
				w.now = w.now.Add(time.Hour)
			}
			w.want(models.FilingDone, 0, 1)
			if c := w.m.findLocked(inbox, w.uid); c == nil || !c.has(`\Deleted`) || !c.has(`\Seen`) || w.m.findLocked(inbox, foreign) == nil {
				w.t.Errorf("source copy %+v", c)
			}
			if slices.Contains(w.m.log, "EXPUNGE") {
				w.t.Error("something was expunged")
			}
		},
		"by copy": func(w *deskWorld) {
			w.m.caps.Move = false
			w.run()
			w.want(models.FilingDone, 0, 1)
		},
		"target is missing": func(w *deskWorld) {
			w.m.remove(ctrl)
			w.run()
			w.want(models.FilingDone, 0, 1)
		},
		"target vanishes at the last moment": func(w *deskWorld) {
			w.on("MOVE", fine, func() { delete(w.m.boxes, ctrl) })
			w.run()
			w.want(models.FilingDone, 0, 1)
		},
		"target is made anew while the outcome is unknown": func(w *deskWorld) {
			w.on("MOVE", dieAfter, nil)
			if err := w.run(); !models.IsTemporary(err) {
				w.t.Errorf("lost connection gives %v", err)
			}
			w.want(models.FilingUnknown, 0, 1)
			w.m.reset(ctrl)
			w.run()
			w.want(models.FilingDone, 0, 1)
			if w.f.DestUIDValidity != w.m.boxes[ctrl].validity {
				w.t.Error("old UIDVALIDITY is kept")
			}
		},
		"target is removed without a code while the outcome is unknown": func(w *deskWorld) {
			w.on("MOVE", dieBefore, nil)
			w.run()
			w.m.remove(ctrl)
			w.run()
			w.want(models.FilingDone, 0, 1)
		},
		"server stops half-way": func(w *deskWorld) {
			w.on("MOVE", halfNo, nil)
			w.run()
			w.want(models.FilingDone, 0, 1)
		},
		"server stops half-way and cannot remove": func(w *deskWorld) {
			w.m.caps.UIDPlus = false
			w.on("MOVE", halfDied, nil)
			w.run()
			w.run()
			w.want(models.FilingFailed, 1, 1)
			if w.f.Reason.ID != "sync.half_done" {
				w.t.Errorf("reason %v", w.f.Reason)
			}
		},
		"server says OK to everything": func(w *deskWorld) {
			w.m.caps.Move = false
			w.m.fault = func(_ *fakeSession, cmd string) fault {
				if cmd == "EXPUNGE" {
					return noEffect
				}
				return fine
			}
			for range 10 {
				w.run()
			}
			w.want(models.FilingFailed, 0, 1)
			if w.f.Reason.ID != "sync.half_done" {
				w.t.Errorf("reason %v", w.f.Reason)
			}
		},
		"twin of the same second is moved by a person": func(w *deskWorld) {
			twin := w.m.deliver(inbox, header("a"))
			w.m.findLocked(inbox, twin).date = w.m.findLocked(inbox, w.uid).date
			w.st.sync(w.m)
			w.on("MOVE", dieBefore, nil)
			w.run()
			w.m.person(inbox, twin, ctrl)
			w.run()
			w.want(models.FilingDone, 0, 2)
		},
		"older copy that nobody knows lies in the target": func(w *deskWorld) {
			old := w.m.deliver(ctrl, header("a"))
			w.m.findLocked(ctrl, old).date = w.m.findLocked(inbox, w.uid).date
			w.on("MOVE", dieBefore, nil)
			w.run()
			w.run()
			w.want(models.FilingDone, 0, 2)
		},
		"twin does not take a copy that waits": func(w *deskWorld) {
			w.m.caps.Move = false
			twin := w.plan(w.m.deliver2(w.st, header("a")))
			w.on("EXPUNGE", refuseIt, func() { w.m.expungeLocked(nil, inbox, twin.SourceUID) })
			w.run()
			if w.f.State != models.FilingCopied || twin.State != models.FilingPlanned {
				w.t.Errorf("states %s and %s", w.f.State, twin.State)
			}
			w.run()
			w.want(models.FilingDone, 0, 1)
			if twin.State != models.FilingGone {
				w.t.Errorf("twin is %s", twin.State)
			}
		},
		"was cancelled meanwhile": func(w *deskWorld) {
			w.st.fail = func(op string, after bool) bool {
				if op == "OpenFilings" && after {
					w.f.State = models.FilingCancelled
				}
				return false
			}
			if err := w.run(); err != nil {
				w.t.Error(err)
			}
			w.want(models.FilingCancelled, 1, 0)
		},
		"cannot be read in the target": func(w *deskWorld) {
			w.on("MOVE", dieBefore, nil)
			w.run()
			w.m.deliver(ctrl, "")
			w.run()
			w.want(models.FilingUnknown, 1, 0)
			if w.f.Reason.ID != "sync.unsure" {
				w.t.Errorf("reason %v", w.f.Reason)
			}
		},
		"target is the source": func(w *deskWorld) {
			w.f.TargetFolderID = w.f.SourceFolderID
			w.run()
			w.want(models.FilingCancelled, 1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeskWorld(t)
			test(w)
			for name, b := range w.m.boxes {
				for _, c := range b.mail {
					if c.uid == w.uid && name == inbox && !c.has(`\Seen`) && !c.has(`\deleted`) {
						t.Error(`\Seen was taken away`)
					}
				}
			}
		})
	}
}

// deliver2 delivers a letter and lets the store know.
func (m *model) deliver2(st *memStore, header string) uint32 {
	uid := m.deliver(inbox, header)
	st.sync(m)
	return uid
}

func TestFullMailboxIsTriedMoreAndMoreSlowly(t *testing.T) {
	t.Parallel()
	w := newDeskWorld(t)
	w.m.fault = func(_ *fakeSession, cmd string) fault {
		if cmd == "MOVE" {
			return refuseFull
		}
		return fine
	}
	for i, minutes := range []time.Duration{1, 2, 4, 8, 16, 32, 60} {
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		w.want(models.FilingPlanned, 1, 0)
		if w.f.Reason.ID != "sync.over_quota" || w.f.Attempts != i+1 {
			t.Errorf("attempt %d: reason %v, attempts %d", i+1, w.f.Reason, w.f.Attempts)
		}
		if got := w.f.NextAttemptAt.Sub(w.now); got != minutes*time.Minute {
			t.Errorf("attempt %d: next in %v", i+1, got)
		}
		w.run() // not due
		if w.f.Attempts != i+1 {
			t.Errorf("attempt %d was repeated too early", i+1)
		}
		w.now = *w.f.NextAttemptAt
	}
	w.run()
	w.want(models.FilingFailed, 1, 0)
}

func TestMoverStopsBetweenSets(t *testing.T) {
	t.Parallel()
	w := newDeskWorld(t)
	w.m.deliver2(w.st, header("b"))
	in := w.st.role(models.FolderInbox)
	second := w.st.plan(w.st.location(in.ID, in.UIDValidity, w.uid+1), w.st.role(models.FolderProcessed), w.now)
	ctx, cancel := context.WithCancel(t.Context())
	w.m.after = func(cmd string) {
		if cmd == "STATUS" {
			cancel()
		}
	}
	s, _ := w.m.Dial(ctx)
	defer s.Close()
	err := NewMover(w.st, w.cfg, nil, nil).Run(ctx, s, 1)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("run ended with %v", err)
	}
	w.want(models.FilingDone, 0, 1)
	if second.State != models.FilingPlanned {
		t.Errorf("the next letter is %s", second.State)
	}
}

func TestHeaderHash(t *testing.T) {
	t.Parallel()
	same := []string{"A: 1\r\nB: 2\r\n\r\n", "A: 1\nB: 2\n\n", "A: 1\r\nB: 2", "A: 1\nB: 2\r\n", "A: 1\rB: 2\r"}
	for _, h := range same {
		if HeaderHash([]byte(h)) != HeaderHash([]byte(same[0])) {
			t.Errorf("%q differs", h)
		}
	}
	for _, h := range []string{"", "A: 1\r\nB: 3\r\n", "A: 1\r\n\r\nB: 2\r\n", "A: 1B: 2"} {
		if HeaderHash([]byte(h)) == HeaderHash([]byte(same[0])) {
			t.Errorf("%q is the same", h)
		}
	}
	if len(HeaderHash(nil)) != 64 {
		t.Error("not a hex SHA-256")
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	low, high := func() float64 { return 0 }, func() float64 { return 0.999999 }
	for n, want := range map[int]time.Duration{-1: 0, 0: 0, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 11: 600 * time.Second, 1 << 40: 600 * time.Second} {
		a, b := backoff(n, time.Second, 10*time.Minute, low), backoff(n, time.Second, 10*time.Minute, high)
		if a != want*8/10 || b > want*12/10 || b < want*119/100 {
			t.Errorf("n=%d: %v to %v around %v", n, a, b, want)
		}
	}
}
