package imapsync

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"kontrol/models"
)

// smallSets makes sets of 125 letters: what has been tried once goes in smaller sets.
func smallSets(t *testing.T, n int) (*deskWorld, []*models.Filing) {
	t.Helper()
	w, list := manyWorld(t, n)
	for _, f := range list {
		f.Attempts = 1
	}
	return w, list
}

// inState counts what the journal holds, from any goroutine.
func (w *deskWorld) inState(states ...models.FilingState) (n int) {
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	for _, f := range w.st.filings {
		if slices.Contains(states, f.State) {
			n++
		}
	}
	return n
}

// TestSetsAreAnnouncedBeforeTheyLeave counts at each MOVE what the journal has as sent, and how many sets were announced
// while the one before them was under way.
func TestSetsAreAnnouncedBeforeTheyLeave(t *testing.T) {
	t.Parallel()
	w, list := smallSets(t, 1000)
	saves := atomic.Int64{}
	w.st.onChange = func(op string) {
		if op == "SaveFiling" {
			saves.Add(1)
		}
	}
	moves := 0
	w.m.fault = func(_ *fakeSession, cmd string) fault {
		if cmd == "MOVE" {
			moves++
			if n := w.inState(models.FilingSent, models.FilingDone); n < moves*125 {
				t.Errorf("move %d leaves with %d letters announced", moves, n)
			}
		}
		return fine
	}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.settled(list)
	if moves != 8 || saves.Load() != 8 {
		t.Errorf("%d moves, announced with %d writes; want 8 of each", moves, saves.Load())
	}
}

// TestKilledWhileTheJournalIsWritten kills the process before and after each write and each command. Whatever was under way
// then, in the end every letter is in its folder once.
func TestKilledWhileTheJournalIsWritten(t *testing.T) {
	t.Parallel()
	points := func() int {
		w, _ := smallSets(t, 500)
		var n atomic.Int64
		w.st.fail = func(string, bool) bool { n.Add(1); return false }
		w.m.fault = func(*fakeSession, string) fault { n.Add(1); return fine }
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		return int(n.Load())
	}()
	for at := 1; at <= points; at++ {
		late := []fault{dieAfter, partDied}[at%2]
		for name, answer := range map[string]fault{"before": dieBefore, "after": late} {
			w, list := smallSets(t, 500)
			var n atomic.Int64
			dead := func() bool { return n.Add(1) >= int64(at) }
			w.st.fail = func(string, bool) bool { return dead() }
			first := true
			w.m.fault = func(*fakeSession, string) fault {
				if !dead() {
					return fine
				}
				defer func() { first = false }()
				if first {
					return answer // this command was the last that the server heard
				}
				return dieBefore
			}
			err := w.run()
			w.st.fail, w.m.fault = nil, nil
			for range 4 {
				if rerr := w.run(); rerr != nil {
					t.Fatalf("killed at point %d of %d, %s (%v): %v", at, points, name, err, rerr)
				}
				w.now = w.now.Add(2 * time.Hour)
			}
			w.settled(list)
		}
	}
}

// TestWhatWasAnnouncedAndNotSentIsTakenBack ends a Run while the next set has been announced.
func TestWhatWasAnnouncedAndNotSentIsTakenBack(t *testing.T) {
	t.Parallel()
	w, list := smallSets(t, 1000)
	s, err := w.m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.on("MOVE", fine, cancel)
	m := NewMover(w.st, w.cfg, func() time.Time { return w.now }, nil)
	if err := m.Run(ctx, s, 1); err == nil {
		t.Fatal("a Run that was ended says nothing")
	}
	s.Close()
	if n := w.inState(models.FilingSent, models.FilingUnknown); n != 0 {
		t.Errorf("%d letters are in doubt", n)
	}
	for _, f := range list {
		if f.State == models.FilingPlanned && (f.Attempts != 1 || f.SentAt != nil || f.DestUIDNext != 0) {
			t.Fatalf("not taken back: %+v", f)
		}
	}
	if done, planned := w.inState(models.FilingDone), w.inState(models.FilingPlanned); done != 125 || planned != 875 {
		t.Errorf("%d done and %d planned", done, planned)
	}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.settled(list)
}

// TestPeopleAreFasterThanAnAnnouncement lets people change letters of the next set while the one before it moves.
func TestPeopleAreFasterThanAnAnnouncement(t *testing.T) {
	t.Parallel()
	w, list := smallSets(t, 1000)
	var of []*models.Filing // to the second folder: none of them is in the first set
	for _, f := range list {
		if f.TargetFolderID != list[0].TargetFolderID {
			of = append(of, f)
		}
	}
	starred, deleted, taken, cancelled, there, kept := of[0], of[1], of[2], of[3], of[4], of[5]
	w.m.create("Архив")
	announced := make(chan struct{})
	saves := 0
	w.st.onChange = func(op string) {
		if op != "SaveFiling" {
			return
		}
		if saves++; saves == 5 {
			close(announced)
		}
	}
	patience, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	moves := 0
	w.m.fault = func(_ *fakeSession, cmd string) fault {
		if cmd != "MOVE" {
			return fine
		}
		switch moves++; moves {
		case 3:
			w.st.mu.Lock()
			cancelled.State = models.FilingCancelled
			w.st.mu.Unlock()
		case 4: // the first folder takes four moves: during the fourth the first set for the second folder is announced
			select {
			case <-announced:
			case <-patience.Done():
				t.Error("the next set is not announced while one is moved")
			}
			w.m.findLocked(inbox, starred.SourceUID).flags = []string{`\Flagged`}
			w.m.findLocked(inbox, deleted.SourceUID).flags = []string{`\Deleted`}
			for f, to := range map[*models.Filing]string{taken: "Архив", there: other} {
				w.m.copyLocked(nil, inbox, f.SourceUID, to)
				w.m.expungeLocked(nil, inbox, f.SourceUID)
			}
		}
		return fine
	}
	s, err := w.m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	told := 0
	m := NewMover(w.st, w.cfg, func() time.Time { return w.now }, nil)
	err = m.RunTelling(t.Context(), s, 1, func(_ context.Context, c Change) error {
		told += len(c.Flags)
		w.st.mu.Lock()
		defer w.st.mu.Unlock()
		for _, f := range []*models.Filing{starred, kept} { // that is what is decided about a starred letter and its thread
			if f.State != models.FilingPlanned {
				t.Errorf("filing is %s when people's wishes are told", f.State)
			}
			f.State = models.FilingCancelled
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if told != 1 || starred.Attempts != 1 || w.m.findLocked(inbox, starred.SourceUID) == nil {
		t.Errorf("starred letter: told %d times, %+v", told, starred)
	}
	for f, want := range map[*models.Filing]models.FilingState{deleted: models.FilingCancelled, taken: models.FilingGone, there: models.FilingDone} {
		if f.State != want {
			t.Errorf("filing %d is %s (%s), want %s", f.ID, f.State, f.LastError, want)
		}
	}
	for _, f := range []*models.Filing{cancelled, kept} {
		if w.m.findLocked(inbox, f.SourceUID) == nil || f.State != models.FilingCancelled {
			t.Errorf("a cancelled letter was moved: %+v", f)
		}
	}
	w.settled(list, starred.SourceUID, deleted.SourceUID, taken.SourceUID, cancelled.SourceUID, kept.SourceUID)
}

// TestWhatTheJournalDidNotTakeIsFoundAgain lets the journal refuse to finish letters, in the background.
func TestWhatTheJournalDidNotTakeIsFoundAgain(t *testing.T) {
	t.Parallel()
	w, list := manyWorld(t, 400)
	w.st.fail = func(op string, after bool) bool { return op == "FinishFiling" && !after }
	if err := w.run(); err == nil {
		t.Fatal("a journal that does not take what was moved is not told of")
	}
	w.st.fail, w.m.log = nil, nil
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	if n := w.commands("MOVE"); n != 0 {
		t.Errorf("moved %d times again", n)
	}
	w.settled(list)
}

// TestNothingIsMovedAfterTheJournalHasFailed begins with a failure in the background.
func TestNothingIsMovedAfterTheJournalHasFailed(t *testing.T) {
	t.Parallel()
	w, _ := manyWorld(t, 10)
	s, err := w.m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	due, err := w.st.PlannedFilings(t.Context(), 1, w.now, 0, page)
	if err != nil || len(due) != 10 {
		t.Fatalf("%d due: %v", len(due), err)
	}
	r := &moving{
		Mover: NewMover(w.st, w.cfg, func() time.Time { return w.now }, nil), s: s, ended: func() error { return nil },
		finishing: []chan error{background(func() error { return errStore })},
	}
	if err := r.caughtUp(); !errors.Is(err, errStore) || r.finishing != nil {
		t.Errorf("waiting gives %v", err)
	}
	failed := make(chan error, 1)
	failed <- errStore
	r.finishing, w.m.log = []chan error{failed}, nil
	if err := r.carryOut(t.Context(), pointers(due), r.planned); !errors.Is(err, errStore) || len(w.m.log) > 0 {
		t.Errorf("carried out %v, %v", w.m.log, err)
	}
}

// TestLongLinesTakeMoreLetters sends as many letters at once as a long line holds.
func TestLongLinesTakeMoreLetters(t *testing.T) {
	t.Parallel()
	w, list := manyWorld(t, 2400) // of which an ordinary set takes a thousand
	w.m.caps.LongLines, w.m.log = true, nil
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.settled(list)
	if n := w.commands("MOVE"); n != 2 { // two folders
		t.Errorf("%d moves of %d letters", n, len(list))
	}
}
