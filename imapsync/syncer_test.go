package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kontrol/models"
)

const (
	sent = "Sent"
	done = "Обработанные письма"
)

// syncWorld is a Syncer over the model server; use it inside a synctest bubble, where time is free.
type syncWorld struct {
	t      *testing.T
	m      *model
	st     *memStore
	cfg    SyncerConfig
	y      *Syncer
	cancel context.CancelFunc
	result chan error
}

func newSyncWorld(t *testing.T) *syncWorld {
	w := &syncWorld{t: t, m: newModel(), st: newMemStore()}
	w.m.create(inbox, sent)
	w.cfg = SyncerConfig{
		MailboxID: 1, Address: "ivanov@example.org", Dialer: w.m, Intake: w.st, Folders: w.st,
		Mover: NewMover(w.st, MoverConfig{}, nil, nil),
		Resolve: func(ctx context.Context, s Session) (map[models.FolderRole]models.Folder, error) {
			for _, n := range []string{ctrl, done} {
				if err := s.Create(ctx, n); err != nil {
					return nil, err
				}
			}
			return map[models.FolderRole]models.Folder{
				models.FolderInbox: {Name: inbox, Delimiter: "/"}, models.FolderSent: {Name: sent, Delimiter: "/"},
				models.FolderControl: {Name: ctrl, Delimiter: "/"}, models.FolderProcessed: {Name: done, Delimiter: "/"},
			}, nil
		},
		Rand: func() float64 { return 0.5 },
	}
	return w
}

func (w *syncWorld) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.y, w.cancel, w.result = NewSyncer(w.cfg), cancel, make(chan error, 1)
	go func() { w.result <- w.y.Run(ctx) }()
	synctest.Wait()
}

func (w *syncWorld) stop() {
	w.t.Helper()
	w.cancel()
	if err := <-w.result; err != nil {
		w.t.Errorf("Run ended with %v", err)
	}
	synctest.Wait()
	if n := w.m.sessionCount(); n != 0 {
		w.t.Errorf("%d connections left open", n)
	}
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d) // in a bubble: comes when everybody else is idle
	synctest.Wait()
}

func (w *syncWorld) arrived(role models.FolderRole, header string) int {
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	return w.st.arrivals[string(role)+"/"+header]
}

func (w *syncWorld) wantArrived(role models.FolderRole, header string, want int) {
	w.t.Helper()
	if got := w.arrived(role, header); got != want {
		w.t.Errorf("%s: letter handed over %d times, want %d", role, got, want)
	}
}

// history returns what the intake was told since the last call.
func (w *syncWorld) history() string {
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	s := strings.Join(w.st.order, " ")
	w.st.order = nil
	return s
}

func (w *syncWorld) where(header string) (names []string) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for n, b := range w.m.boxes {
		for _, c := range b.mail {
			if c.header == header {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return names
}

func (w *syncWorld) health() models.MailboxHealth {
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	return w.st.health
}

// bubble runs a test over a syncWorld in a bubble.
func bubble(t *testing.T, f func(t *testing.T, w *syncWorld)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newSyncWorld(t)) })
}

func TestFirstLookTellsOldFromNew(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		firsts := map[string]bool{}
		w.st.decide = func(_ models.Folder, l Fetched, first bool) models.FolderRole {
			firsts[string(l.Header)] = first
			return ""
		}
		for i := range 120 {
			w.m.deliver(inbox, header(fmt.Sprint("old", i)))
		}
		w.start()
		w.wantArrived(models.FolderInbox, header("old0"), 1)
		w.wantArrived(models.FolderInbox, header("old119"), 1)
		w.m.deliver(inbox, header("new"))
		pass(time.Second)
		w.wantArrived(models.FolderInbox, header("new"), 1)
		w.stop()
		if !firsts[header("old0")] || !firsts[header("old119")] || firsts[header("new")] {
			t.Errorf("first look: old %v %v, new %v", firsts[header("old0")], firsts[header("old119")], firsts[header("new")])
		}
		f := w.st.role(models.FolderInbox)
		if f.FirstUID != 121 || f.LastUID != 121 || f.SyncedAt == nil {
			t.Errorf("cursor: %+v", f)
		}
		if h := w.health(); h.Connected || h.State != models.MailboxActive {
			t.Errorf("health after stop: %+v", h)
		}
	})
}

func TestNewMailAndSentAreSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.start()
		if h := w.health(); !h.Connected || h.SyncedAt == nil || !h.Reason.IsZero() {
			t.Errorf("health: %+v", h)
		}
		for i := range 5 {
			w.m.deliver(inbox, header(fmt.Sprint("in", i)))
			w.m.deliver(sent, header(fmt.Sprint("out", i)))
			pass(100 * time.Millisecond)
			w.wantArrived(models.FolderInbox, header(fmt.Sprint("in", i)), 1)
			w.wantArrived(models.FolderSent, header(fmt.Sprint("out", i)), 1)
		}
		if n := w.m.sessionCount(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
		w.stop()
	})
}

func TestLetterIsFiledAndNotTakenForMovedByAPerson(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.st.decide = func(f models.Folder, _ Fetched, _ bool) models.FolderRole {
			if f.Role == models.FolderInbox {
				return models.FolderControl
			}
			return ""
		}
		w.m.deliver(inbox, header("a"))
		w.start()
		w.m.deliver(inbox, header("b"))
		pass(2 * time.Second)
		for _, h := range []string{header("a"), header("b")} {
			if got := w.where(h); !slices.Equal(got, []string{ctrl}) {
				t.Errorf("letter is in %v", got)
			}
		}
		pass(3 * time.Hour)
		w.wantArrived(models.FolderControl, header("a"), 0)
		w.wantArrived(models.FolderControl, header("b"), 0)
		if got := w.history(); got != "+inbox/1 +inbox/2" {
			t.Errorf("intake was told %q", got)
		}
		w.stop()
	})
}

func TestPokeFilesWithoutWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.deliver(inbox, header("a"))
		w.start()
		w.st.mu.Lock()
		w.st.plan(w.st.locations[0], w.st.role(models.FolderProcessed), time.Now())
		w.st.mu.Unlock()
		w.y.Poke()
		synctest.Wait()
		if got := w.where(header("a")); !slices.Equal(got, []string{done}) {
			t.Errorf("letter is in %v", got)
		}
		w.stop()
	})
}

func TestMoveByHandIsSeenAtTheNewPlaceFirst(t *testing.T) {
	for _, way := range [][2]string{{inbox, ctrl}, {ctrl, inbox}, {ctrl, done}, {inbox, sent}, {sent, done}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			bubble(t, func(t *testing.T, w *syncWorld) {
				w.m.create(ctrl, done)
				uid := w.m.deliver(way[0], header("a"))
				w.start()
				w.history()
				w.m.person(way[0], uid, way[1])
				pass(61 * time.Second) // the poll finds what nobody idles on
				got := strings.Fields(w.history())
				if len(got) != 2 || got[0][0] != '+' || got[1][0] != '-' {
					t.Errorf("intake was told %v", got)
				}
				w.stop()
			})
		})
	}
}

func TestFlagsAndVanishesAreReported(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		a, b := w.m.deliver(inbox, header("a")), w.m.deliver(inbox, header("b"))
		w.start()
		w.history()
		w.m.setFlags(inbox, a, `\Seen`, `\Answered`)
		pass(time.Second)
		w.m.mu.Lock()
		w.m.expungeLocked(nil, inbox, b)
		w.m.mu.Unlock()
		pass(time.Second)
		if got := w.history(); got != "~inbox/1 -inbox/2" {
			t.Errorf("intake was told %q", got)
		}
		w.stop()
	})
}

func TestFlagInALargeFolderIsReported(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		for i := range smallFolder + 100 {
			w.m.deliver(inbox, header(fmt.Sprint(i)))
		}
		w.start()
		w.history()
		w.m.setFlags(inbox, 7, `\Flagged`)
		pass(time.Second)
		if got := w.history(); got != "~inbox/7" {
			t.Errorf("intake was told %q", got)
		}
		w.m.deliver(inbox, header("new"))
		pass(time.Second)
		if got := w.history(); got != "+inbox/601" {
			t.Errorf("intake was told %q", got)
		}
		w.stop()
	})
}

func TestNewUIDValidityRepeatsNothingAsOld(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		var firsts []bool
		w.m.deliver(inbox, header("a"))
		w.start()
		w.st.mu.Lock()
		w.st.decide = func(_ models.Folder, _ Fetched, first bool) models.FolderRole {
			firsts = append(firsts, first)
			return ""
		}
		w.st.mu.Unlock()
		w.m.reset(inbox)
		w.m.deliver(inbox, header("b"))
		pass(time.Second)
		w.wantArrived(models.FolderInbox, header("a"), 2) // bound again
		w.wantArrived(models.FolderInbox, header("b"), 1)
		if w.st.resets != 1 || slices.Contains(firsts, true) {
			t.Errorf("resets %d, first look %v", w.st.resets, firsts)
		}
		pass(2 * time.Hour)
		w.wantArrived(models.FolderInbox, header("a"), 2)
		w.stop()
	})
}

func TestServerKilledAndRestarted(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.deliver(inbox, header("a"))
		w.start()
		pass(10 * time.Minute)
		w.m.kill(true)
		w.m.deliver(inbox, header("b"))
		w.m.deliver(sent, header("c"))
		pass(20 * time.Second)
		if h := w.health(); h.Connected || h.Reason.ID != "sync.disconnected" {
			t.Errorf("health: %+v", h)
		}
		w.m.up()
		pass(30 * time.Second)
		w.wantArrived(models.FolderInbox, header("a"), 1)
		w.wantArrived(models.FolderInbox, header("b"), 1)
		w.wantArrived(models.FolderSent, header("c"), 1)
		w.m.kill(false)
		pass(5 * time.Second)
		if n := w.m.sessionCount(); n != 2 {
			t.Errorf("%d connections after a restart, want 2", n)
		}
		w.stop()
	})
}

func TestServerThatAcceptsAndDropsIsNotStormed(t *testing.T) {
	for _, after := range []time.Duration{0, 3 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *syncWorld) {
				w.start()
				for range int(2 * time.Hour / (time.Second + after)) {
					w.m.kill(false)
					pass(time.Second + after)
				}
				if n := w.m.dialCount(); n > 90 {
					t.Errorf("%d logins in two hours", n)
				}
				pass(20 * time.Minute)
				w.m.deliver(inbox, header("a"))
				pass(2 * time.Second)
				w.wantArrived(models.FolderInbox, header("a"), 1)
				w.stop()
			})
		})
	}
}

func refusal(int) error {
	return &LoginError{Address: "ivanov@example.org", Proven: true, Err: errors.New("AUTHENTICATIONFAILED")}
}

func TestThreeRefusedLoginsStopTheMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.refuse = refusal
		w.start()
		err := <-w.result
		phrase, ok := models.PhraseOf(err)
		if !ok || phrase.ID != "sync.stopped" || phrase.Args["Address"] != "ivanov@example.org" || models.IsTemporary(err) {
			t.Errorf("error: %v, phrase %v", err, phrase)
		}
		if h := w.health(); h.State != models.MailboxStopped || h.LoginRefusals != 3 || h.Connected {
			t.Errorf("health: %+v", h)
		}
		if n := w.m.dialCount(); n != 3 {
			t.Errorf("%d logins", n)
		}
		w.cfg.InitialRefusals = 3
		w.start()
		if err := <-w.result; err == nil || w.m.dialCount() != 4 {
			t.Errorf("after a restart: %v, %d logins in all", err, w.m.dialCount())
		}
		w.m.refuse = nil
		w.start()
		if h := w.health(); h.LoginRefusals != 0 || !h.Connected || h.State != models.MailboxActive {
			t.Errorf("health after a good login: %+v", h)
		}
		w.stop()
	})
}

func TestOneConnectionOnly(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.limit = 1
		w.start()
		pass(time.Minute)
		w.m.deliver(inbox, header("in"))
		pass(time.Second)
		w.wantArrived(models.FolderInbox, header("in"), 1)
		w.m.deliver(sent, header("out"))
		pass(30 * time.Second)
		w.wantArrived(models.FolderSent, header("out"), 1)
		if n := w.m.dialCount(); n > 5 {
			t.Errorf("%d logins", n)
		}
		w.m.mu.Lock()
		w.m.limit = 2
		w.m.mu.Unlock()
		pass(20 * time.Minute)
		if n := w.m.sessionCount(); n != 2 {
			t.Errorf("%d connections when there is room again", n)
		}
		w.stop()
	})
}

func TestVanishOfEverythingNeedsProof(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		for i := range 60 {
			w.m.deliver(inbox, header(fmt.Sprint(i)))
		}
		w.start()
		w.history()
		w.m.mu.Lock()
		hidden := w.m.boxes[inbox].mail
		w.m.boxes[inbox].mail = nil
		w.m.notifyLocked(nil, inbox, Notice{Gone: true}, nil)
		looks := 0
		w.m.fault = func(s *fakeSession, cmd string) fault { // the letters are back when one looks a second time
			if cmd == "UIDS" && s.selected == inbox {
				looks++
			}
			if looks == 1 && cmd == "SELECT" {
				w.m.boxes[inbox].mail = hidden
			}
			return fine
		}
		w.m.mu.Unlock()
		pass(2 * time.Minute)
		if got := w.history(); got != "" {
			t.Errorf("intake was told %q", got)
		}
		w.m.mu.Lock()
		w.m.boxes[inbox].mail = nil
		w.m.notifyLocked(nil, inbox, Notice{Gone: true}, nil)
		w.m.mu.Unlock()
		pass(2 * time.Minute)
		if got := strings.Count(w.history(), "-inbox"); got != 60 {
			t.Errorf("%d vanished letters reported, want 60", got)
		}
		w.stop()
	})
}

func TestFolderThatGoesIsMadeAgainTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.start()
		for i := range 3 {
			w.m.remove(ctrl)
			pass(5 * time.Minute)
			w.m.mu.Lock()
			there := w.m.boxes[ctrl] != nil
			w.m.mu.Unlock()
			if there != (i < 2) {
				t.Errorf("after removal %d: folder there %v", i+1, there)
			}
		}
		if h := w.health(); !h.Connected || h.Reason.ID != "sync.folder_lost" {
			t.Errorf("health: %+v", h)
		}
		w.m.deliver(inbox, header("a"))
		pass(time.Second)
		w.wantArrived(models.FolderInbox, header("a"), 1)
		w.stop()
	})
}

func TestLetterThatCannotBeTakenInDoesNotStopTheOthers(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *syncWorld) {
				w.st.poison = func(l Fetched) error {
					if string(l.Header) != header("17") {
						return nil
					}
					if how == "panic" {
						panic("cannot read this")
					}
					return errors.New("cannot read this")
				}
				for i := range 40 {
					w.m.deliver(inbox, header(fmt.Sprint(i)))
				}
				w.start()
				pass(5 * time.Minute)
				for i := range 40 {
					if i != 17 {
						w.wantArrived(models.FolderInbox, header(fmt.Sprint(i)), 1)
					}
				}
				if len(w.st.bad) != 1 || w.st.bad[0].UID != 18 {
					t.Errorf("quarantine: %v", w.st.bad)
				}
				w.stop()
			})
		})
	}
}

func TestStoreOutageKeepsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.start()
		w.st.mu.Lock()
		w.st.fail = func(string, bool) bool { return true }
		w.st.mu.Unlock()
		w.m.deliver(inbox, header("a"))
		pass(time.Hour)
		if n := w.m.dialCount(); n != 2 {
			t.Errorf("%d logins during the outage", n)
		}
		w.st.mu.Lock()
		w.st.fail = nil
		w.st.mu.Unlock()
		pass(2 * time.Minute)
		w.wantArrived(models.FolderInbox, header("a"), 1)
		w.stop()
	})
}

func TestPanicIsSurvived(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.fault = func(_ *fakeSession, cmd string) fault {
			if w.m.dials == 1 && cmd == "UIDS" {
				panic("surprise")
			}
			return fine
		}
		w.m.deliver(inbox, header("a"))
		w.start()
		if h := w.health(); h.Reason.ID != "sync.internal" {
			t.Errorf("health: %+v", h)
		}
		pass(5 * time.Second)
		w.wantArrived(models.FolderInbox, header("a"), 1)
		if n := w.y.Panics(); n != 1 {
			t.Errorf("%d panics counted", n)
		}
		w.stop()
	})
}

func TestWithoutIdle(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.caps.Idle = false
		w.start()
		w.m.deliver(inbox, header("in"))
		w.m.deliver(sent, header("out"))
		pass(30 * time.Second)
		w.wantArrived(models.FolderInbox, header("in"), 1)
		w.wantArrived(models.FolderSent, header("out"), 1)
		w.stop()
	})
}
