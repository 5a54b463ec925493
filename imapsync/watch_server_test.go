package imapsync

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/models"
)

func (w *liveWorld) command(wire string) {
	w.t.Helper()
	if _, err := w.hand.link.raw(w.t.Context(), command{wire: wire}); err != nil {
		w.t.Fatalf("%s: %v", wire, err)
	}
}

// spoken is a protocol log that can be read while it is written.
type spoken struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// rest stops the Syncer and puts a new one over the same store in its place.
func (w *liveWorld) rest(log *spoken, a Account) {
	w.t.Helper()
	w.cancel()
	if err := <-w.result; err != nil {
		w.t.Error(err)
	}
	w.result <- nil // for the clean-up of the first start
	a.ProtocolLog = log
	w.st.mu.Lock()
	w.st.health = models.MailboxHealth{}
	w.st.mu.Unlock()
	w.y = NewSyncer(SyncerConfig{
		MailboxID: 1, Address: a.Address, Dialer: NewDialer(a, nil, nil), Intake: w.st, Folders: w.st,
		Mover: NewMover(w.st, MoverConfig{}, nil, nil), Timing: quickTiming(), Single: true,
	})
	w.result = make(chan error, 1)
	w.start()
	w.until("looked at again", func() bool { return w.st.health.Connected && w.st.health.SyncedAt != nil })
}

func TestDovecotRestartAsksForLittle(t *testing.T) {
	t.Parallel()
	a := dovecotAccount(dovecot.Test(t, dovecot.Options{}), "ivan")
	w := newLiveWorld(t, a, quickTiming())
	for i := range 30 {
		w.put("INBOX", i)
	}
	w.start()
	w.until("first look", w.told("+inbox/30"))
	w.until("numbers are stored", func() bool {
		for _, f := range w.st.folders {
			if f.SyncedAt == nil {
				return false
			}
		}
		return len(w.st.folders) == 4
	})
	log := &spoken{}
	w.rest(log, a)
	if n := strings.Count(log.String(), "UID FETCH"); n != 0 {
		t.Errorf("%d times UID FETCH although nothing has changed:\n%s", n, log.String())
	}
	must[Selected](t)(w.hand.Select(t.Context(), "INBOX", false))
	w.command("UID STORE 3,7,20 +FLAGS (\\Flagged)")
	w.put("INBOX", 31)
	w.put("INBOX", 32)
	log = &spoken{}
	w.rest(log, a)
	w.until("changes are seen", w.told("+inbox/31", "+inbox/32", "~inbox/3", "~inbox/7", "~inbox/20"))
	if strings.Contains(log.String(), "UID FETCH 1:* (FLAGS UID)\n") || !strings.Contains(log.String(), "CHANGEDSINCE") {
		t.Errorf("everything was listed:\n%s", log.String())
	}
	w.once()
}

func TestDovecotNotifiesOfOtherFolders(t *testing.T) {
	t.Parallel()
	timing := quickTiming()
	timing.PollEvery, timing.StatusEvery = time.Hour, time.Hour
	w := newLiveWorld(t, dovecotAccount(dovecot.Test(t, dovecot.Options{}), "ivan"), timing)
	w.start()
	w.until("first look", func() bool { return w.st.health.Connected && w.st.health.SyncedAt != nil && len(w.st.folders) == 4 })
	for !w.y.notified.Load() {
		runtime.Gosched()
	}
	uid := w.put(w.name(models.FolderControl), 1)
	w.until("letter in another folder", w.told(fmt.Sprintf("+control/%d", uid)))
	uid = w.put(w.name(models.FolderProcessed), 2)
	w.until("letter in one more", w.told(fmt.Sprintf("+processed/%d", uid)))
	must[Selected](t)(w.hand.Select(t.Context(), w.name(models.FolderControl), false))
	w.command("UID STORE 1 +FLAGS (\\Flagged)")
	w.until("flag in another folder", w.told("~control/1"))
}

func TestRefusedNotifyIsForgotten(t *testing.T) {
	t.Parallel()
	p := imaptest.Plain()
	p.Caps += " NOTIFY LIST-STATUS"
	s, c := script(t, p)
	s.On("NOTIFY", imaptest.Answer("* STATUS INBOX (UIDNEXT 7)\r\nTAG NO [BADEVENT (MessageNew MessageExpunge)] no\r\n"))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	if on := must[bool](t)(c.Notify(t.Context(), []string{"На контроле", `a"b`})); on || c.Dead() {
		t.Errorf("notify %v, dead %v", on, c.Dead())
	}
	if !slices.Contains(s.Commands(), `NOTIFY SET STATUS (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge))`) {
		t.Errorf("commands %q", s.Commands())
	}
	s.On("LIST", imaptest.Answer("TAG BAD what\r\n"))
	st, err := c.Statuses(t.Context(), []string{"INBOX", "Sent", "нет такой"})
	if err != nil || len(st) != 2 || st["Sent"].UIDNext != 1 || c.Caps().ListStatus {
		t.Errorf("statuses %+v, %v, caps %+v", st, err, c.Caps())
	}
}

// A server that goes silent is noticed on both connections, in an IDLE that nothing interrupts.
func TestDovecotGoneSilentIsNoticed(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	a := dovecotAccount(d, "ivan")
	a.Timeouts = Timeouts{Slice: 500 * time.Millisecond, Proof: 500 * time.Millisecond}
	timing := quickTiming()
	timing.PollEvery, timing.StatusEvery = time.Hour, time.Hour
	w := newLiveWorld(t, a, timing)
	w.hand.Close()
	watching := dialTest(t, a)
	must[Selected](t)(watching.Select(t.Context(), "INBOX", true))
	w.start()
	w.until("first look", func() bool { return w.st.health.Connected && w.st.health.SyncedAt != nil })
	if err := d.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Thaw() })
	start := time.Now()
	err := watching.Listen(t.Context(), time.Hour, nil, func(Notice) bool { return true })
	if !models.IsTemporary(err) || !watching.Dead() {
		t.Errorf("silence: %v", err)
	}
	w.until("the silence is noticed", func() bool { return !w.st.health.Connected })
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("noticed after %v", took)
	}
}

// Only what we send is lost: the server keeps on telling that it is there.
func TestHalfOpenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	c.link.dialer.account.Timeouts.Slice = 50 * time.Millisecond
	s.On("IDLE", func(turn *imaptest.Turn) bool {
		turn.Printf("+ idling\r\n")
		go turn.Hang() // DONE is never heard
		for range 200 {
			turn.Printf("* OK Still here\r\n")
			<-time.After(10 * time.Millisecond)
		}
		return true
	})
	must[Selected](t)(c.Select(t.Context(), "INBOX", true))
	start := time.Now()
	err := c.Listen(t.Context(), time.Hour, nil, func(Notice) bool { return true })
	if took := time.Since(start); !models.IsTemporary(err) || !c.Dead() || took > 1500*time.Millisecond {
		t.Errorf("half open: %v after %v", err, took)
	}
}

func TestPlainMetasReadOnlyThePlainestLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`(UID 7 FLAGS (\Seen \Recent a))`:          `[{7 [\Seen a]}]`,
		`(FLAGS () UID 4294967295)`:                "[{4294967295 []}]",
		`(UID 7 MODSEQ (12) FLAGS (\ANSWERED))`:    `[{7 [\Answered]}]`,
		`(FLAGS () MODSEQ (99999999999999) UID 1)`: "[{1 []}]",
		`(UID 7 FLAGS (\Seen) )`:                   "[]",
		`(UID 7 FLAGS (\Seen)`:                     "[]",
		`(UID 7)`:                                  "[]",
		`(FLAGS (\Seen))`:                          "[]",
		`(UID 0 FLAGS ())`:                         "[]",
		`(UID 4294967296 FLAGS ())`:                "[]",
		`(UID 7 FLAGS ("a b"))`:                    "[]",
		`(UID 7 FLAGS ({5})`:                       "[]",
		`(UID 7 FLAGS (Срочно))`:                   "[]",
		`(UID 7 FLAGS () BODY[HEADER] {4}`:         "[]",
		`(UID 7 FLAGS () UID 8)`:                   "[]",
		`(UID 7  FLAGS ())`:                        "[]",
		`(UID 7 FLAGS NIL)`:                        "[]",
		`UID 7 FLAGS ()`:                           "[]",
		`(uid 7 flags ())`:                         "[]",
		`(UID 7 FLAGS () MODSEQ ("x))`:             "[]",
	} {
		p := &plainMetas{accept: func(uint32) bool { return true }, alike: map[string][]string{}}
		list := []Meta{}
		m, took := p.take([]byte(line))
		if took {
			list = append(list, m)
		}
		if fmt.Sprint(list) != want {
			t.Errorf("%s: took %v, want %v", line, list, want)
		}
	}
}
