package imapsync

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
)

const (
	inbox = "INBOX"
	ctrl  = "На контроле"
	other = "Прочее"
)

// moverWorld is a mailbox, its journal, the people who work in it, and what must hold.
type moverWorld struct {
	t       *rapid.T
	m       *model
	st      *memStore
	now     time.Time
	quiet   bool            // faults and people have stopped
	owed    map[string]int  // header → copies that no person has deleted
	touched map[string]bool // headers that a person has touched
	foreign []uint32        // letters in INBOX that somebody has marked as deleted
	seen    map[string]bool // header → \Seen
	cfg     MoverConfig
}

func newMoverWorld(t *rapid.T) *moverWorld {
	w := &moverWorld{
		t: t, m: newModel(), st: newMemStore(), now: time.Unix(1e9, 0),
		owed: map[string]int{}, touched: map[string]bool{}, seen: map[string]bool{},
	}
	w.m.caps = Caps{Move: rapid.Bool().Draw(t, "move"), UIDPlus: rapid.Bool().Draw(t, "uidplus")}
	w.cfg = MoverConfig{LeaveDeleted: rapid.Bool().Draw(t, "leaveDeleted"), MaxAttempts: rapid.SampledFrom([]int{3, 8}).Draw(t, "attempts"), Rand: rand.New(rand.NewPCG(1, 2)).Float64}
	w.m.create(inbox, other)
	if rapid.IntRange(0, 4).Draw(t, "target") > 0 {
		w.m.create(ctrl)
	}
	for i, name := range []string{inbox, ctrl, other} {
		role := []models.FolderRole{models.FolderInbox, models.FolderControl, models.FolderProcessed}[i]
		w.st.saveFolder(&models.Folder{MailboxID: 1, Role: role, Name: name})
	}
	sameSecond := rapid.Bool().Draw(t, "sameSecond")
	n := rapid.SampledFrom([]int{1, 2, 3, 4, 4, 8, 13}).Draw(t, "letters")
	for i := range n {
		h := header(fmt.Sprint("letter-", i))
		w.seen[h] = rapid.Bool().Draw(t, "seen")
		for copy := range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "copies") {
			var flags []string
			if w.seen[h] {
				flags = []string{`\Seen`}
			}
			uid := w.m.deliver(inbox, h, flags...)
			if sameSecond && copy == 0 { // then only headers tell the letters from one another
				w.m.findLocked(inbox, uid).date = time.Unix(1e9, 0)
			}
			w.owed[h]++
		}
	}
	w.foreign = []uint32{w.m.deliver(inbox, header("foreign"), `\Deleted`)}
	w.st.sync(w.m)
	for _, l := range slices.Clone(w.st.locations) {
		if l.Flags == nil || !slices.Contains(l.Flags, `\Deleted`) {
			if rapid.IntRange(0, 4).Draw(t, "file") > 0 {
				w.st.plan(l, w.st.role(models.FolderControl), w.now)
			}
		}
	}
	w.m.fault = w.fault
	w.m.after = func(cmd string) { w.noLoss(cmd) }
	w.st.fail = func(op string, after bool) bool {
		return !w.quiet && (op == "SaveFiling" || op == "FinishFiling") && rapid.IntRange(0, 19).Draw(w.t, "journal") == 0
	}
	return w
}

var faultsOf = map[string][]fault{
	"MOVE": {
		dieBefore, dieAfter, dieAfter, refuseIt, refuseFull, noCopyUID, halfDied, halfNo, halfMarked, noEffect,
		partNo, partFull, partDied, mixedNo, someCopyUID, lies, lies,
	},
	"COPY":    {dieBefore, dieAfter, dieAfter, refuseIt, refuseFull, noCopyUID, partNo, partFull, partDied, someCopyUID, lies},
	"STORE":   {dieBefore, dieAfter, refuseIt, noEffect},
	"EXPUNGE": {dieBefore, dieAfter, refuseIt, noEffect, partNo},
}

// fault lets people act and things break before each command.
func (w *moverWorld) fault(_ *fakeSession, cmd string) fault {
	if w.quiet {
		return fine
	}
	if rapid.IntRange(0, 9).Draw(w.t, "person") == 0 {
		w.personLocked()
	}
	list := faultsOf[cmd]
	odds := 1
	if list == nil {
		list, odds = []fault{dieBefore, dieAfter, refuseIt}, 4
	}
	if rapid.IntRange(0, odds*3).Draw(w.t, "fault") > 0 {
		return fine
	}
	return rapid.SampledFrom(list).Draw(w.t, "kind")
}

// personLocked moves, deletes, marks or restores a letter somewhere.
func (w *moverWorld) personLocked() {
	var names []string
	for n, b := range w.m.boxes {
		if len(b.mail) > 0 {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	from := rapid.SampledFrom(names).Draw(w.t, "from")
	c := rapid.SampledFrom(w.m.boxes[from].mail).Draw(w.t, "letter")
	if c.header == header("foreign") {
		return
	}
	marked := c.has(`\Deleted`)
	switch rapid.IntRange(0, 7).Draw(w.t, "act") {
	case 0:
		if marked {
			return // might be ours: a copy left behind on purpose
		}
		w.owed[c.header]--
		w.m.expungeLocked(nil, from, c.uid)
	case 1:
		if marked {
			return
		}
		w.owed[c.header]--
		c.flags = append(c.flags, `\Deleted`)
	case 2:
		w.starLocked(c)
		return
	case 3:
		if rapid.IntRange(0, 3).Draw(w.t, "reset") > 0 {
			return
		}
		w.resetLocked(from)
		return
	default:
		to := rapid.SampledFrom([]string{inbox, ctrl, other}).Draw(w.t, "to")
		if marked || to == from || w.m.boxes[to] == nil {
			return
		}
		w.m.copyLocked(nil, from, c.uid, to)
		w.m.expungeLocked(nil, from, c.uid)
	}
	w.touched[c.header] = true
}

// starLocked sets or removes a star.
func (w *moverWorld) starLocked(c *mail) {
	if n := slices.Index(c.flags, `\Flagged`); n >= 0 {
		c.flags = slices.Delete(slices.Clone(c.flags), n, n+1)
	} else {
		c.flags = append(slices.Clone(c.flags), `\Flagged`)
	}
}

// resetLocked gives a folder another UIDVALIDITY, so that nothing is known of its letters for sure any more.
func (w *moverWorld) resetLocked(name string) {
	w.m.resetLocked(name)
	for h := range w.owed {
		w.touched[h] = true
	}
	if name == inbox {
		w.foreign = nil
		for _, c := range w.m.boxes[inbox].mail {
			if c.header == header("foreign") {
				w.foreign = append(w.foreign, c.uid)
			}
		}
	}
}

// noLoss holds at every instant: each letter that no person deleted is there, unmarked.
func (w *moverWorld) noLoss(when string) {
	for h, n := range w.owed {
		if got := w.m.countLocked(h); got < n {
			w.t.Fatalf("after %s: %d copies of %q, %d are owed\n%v", when, got, h[29:40], n, w.m.log)
		}
	}
	for _, uid := range w.foreign {
		if c := w.m.findLocked(inbox, uid); c == nil || !c.has(`\Deleted`) {
			w.t.Fatalf("after %s: a foreign deleted letter was touched", when)
		}
	}
}

// run is one life of the process, until an error.
func (w *moverWorld) run() error {
	s, err := w.m.Dial(context.Background())
	if err != nil {
		return err
	}
	defer s.Close()
	m := NewMover(w.st, w.cfg, func() time.Time { return w.now }, nil)
	for range 3 {
		if err := m.RunTelling(context.Background(), s, 1, w.tell); err != nil {
			return err
		}
		if rapid.IntRange(0, 3).Draw(w.t, "sync") == 0 {
			w.st.sync(w.m)
		}
	}
	return nil
}

// tell stores changed stars, as the intake does; the decisions stay as they are.
func (w *moverWorld) tell(_ context.Context, c Change) error {
	return w.st.guarded("Changed", func() error {
		for u, flags := range c.Flags {
			w.st.location(c.Folder.ID, c.Folder.UIDValidity, u).Flags = flags
		}
		return nil
	})
}

func (w *moverWorld) open() (n int) {
	for _, f := range w.st.filings {
		if f.State.Open() {
			n++
		}
	}
	return n
}

// settled checks what must hold when everything has come to rest.
func (w *moverWorld) settled() {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.noLoss("the end")
	states := map[string]map[models.FilingState]int{}
	dest := map[[2]uint32]bool{}
	for _, f := range w.st.filings {
		var h string
		for x := range w.owed {
			if HeaderHash([]byte(x)) == f.HeaderHash {
				h = x
			}
		}
		if states[h] == nil {
			states[h] = map[models.FilingState]int{}
		}
		states[h][f.State]++
		if f.State != models.FilingDone {
			continue
		}
		at := [2]uint32{f.DestUIDValidity, f.DestUID}
		if dest[at] {
			w.t.Fatalf("two filings claim the same copy %d", f.DestUID)
		}
		dest[at] = true
		if c := w.m.findLocked(ctrl, f.DestUID); !w.touched[h] && (c == nil || c.header != h) {
			w.t.Fatalf("filing %d is done, but its letter is not at UID %d", f.ID, f.DestUID)
		}
	}
	for h, n := range w.owed {
		if w.touched[h] {
			continue
		}
		stuck := states[h][models.FilingFailed] // a half-done move that the server does not let us finish keeps its copy
		if got := w.m.countLocked(h); got != n && (got > n+stuck) {
			w.t.Fatalf("%d copies of %q instead of %d: %v\n%v", got, h[29:40], n, states[h], w.m.log)
		}
		if got := w.m.countLocked(h, ctrl); stuck == 0 && got != states[h][models.FilingDone] {
			w.t.Fatalf("%d copies of %q in the target folder: %v\n%v", got, h[29:40], states[h], w.m.log)
		}
		if states[h][models.FilingGone]+states[h][models.FilingCancelled] > 0 {
			w.t.Fatalf("nobody touched %q: %v\n%v\n%s", h[29:40], states[h], w.m.log, w.dump())
		}
	}
	for name, b := range w.m.boxes {
		for _, c := range b.mail {
			if c.has(`\Seen`) != w.seen[c.header] {
				w.t.Fatalf("%s/%d: \\Seen has changed", name, c.uid)
			}
		}
	}
}

// TestMoveNeverLosesALetter is the promise of the journal: whatever breaks, whoever meddles, and however often the
// process dies, each letter that no person deleted stays, and ends up once, where the journal says.
//
// Forty turns of rapid's hundred cases; -rapid.checks=N makes each turn longer.
func TestMoveNeverLosesALetter(t *testing.T) {
	t.Parallel()
	for turn := range 40 {
		t.Run(strconv.Itoa(turn), rapid.MakeCheck(moveNeverLosesALetter))
	}
}

func moveNeverLosesALetter(t *rapid.T) {
	w := newMoverWorld(t)
	for range rapid.IntRange(1, 6).Draw(t, "lives") {
		_ = w.run()
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
	}
	w.quiet = true
	for range 12 {
		if err := w.run(); err != nil {
			t.Fatalf("run without faults: %v", err)
		}
		w.now = w.now.Add(2 * time.Hour)
	}
	if n := w.open(); n > 0 {
		t.Fatalf("%d filings are still open", n)
	}
	w.settled()
}

func (w *moverWorld) dump() (s string) {
	for _, f := range w.st.filings {
		s += fmt.Sprintf("filing %d of UID %d: %s, dest %d/%d (next %d), attempts %d, %s\n", f.ID, f.SourceUID, f.State, f.DestUIDValidity, f.DestUID, f.DestUIDNext, f.Attempts, f.LastError)
	}
	for name, b := range w.m.boxes {
		for _, c := range b.mail {
			s += fmt.Sprintf("%s/%d %v %q\n", name, c.uid, c.flags, c.header[29:50])
		}
	}
	return s
}
