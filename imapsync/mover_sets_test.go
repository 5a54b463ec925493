package imapsync

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
)

// manyWorld is a mailbox with n letters in INBOX, all to be moved, half of them to each of two folders.
func manyWorld(t *testing.T, n int) (*deskWorld, []*models.Filing) {
	t.Helper()
	w := newDeskWorld(t)
	w.f.State = models.FilingCancelled
	for i := range n {
		w.m.deliver(inbox, header(fmt.Sprint("many-", i)))
	}
	w.st.sync(w.m)
	in := w.st.role(models.FolderInbox)
	var list []*models.Filing
	for _, l := range w.st.locations {
		if l.UID == w.uid {
			continue
		}
		role := []models.FolderRole{models.FolderControl, models.FolderProcessed}[len(list)%2]
		list = append(list, w.st.plan(w.st.location(in.ID, in.UIDValidity, l.UID), w.st.role(role), w.now))
	}
	return w, list
}

// settled checks that every letter is once where its filing wants it and nowhere else.
func (w *deskWorld) settled(list []*models.Filing, but ...uint32) {
	w.t.Helper()
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	hashes := map[string]*mail{}
	copies := map[string]int{}
	for name, b := range w.m.boxes {
		for _, c := range b.mail {
			if c.has(`\Deleted`) {
				continue
			}
			h := HeaderHash([]byte(c.header))
			copies[h]++
			if name != inbox {
				hashes[h] = c
			}
		}
	}
	for _, f := range list {
		if slices.Contains(but, f.SourceUID) {
			continue
		}
		c := hashes[f.HeaderHash]
		if f.State != models.FilingDone || c == nil || copies[f.HeaderHash] != 1 || c.uid != f.DestUID {
			w.t.Fatalf("filing of UID %d is %s (%s, dest %d), %d copies, copy %+v", f.SourceUID, f.State, f.LastError, f.DestUID, copies[f.HeaderHash], c)
		}
	}
}

func (w *deskWorld) commands(name string) (n int) {
	for _, c := range w.m.log {
		if c == name {
			n++
		}
	}
	return n
}

func TestManyLettersTakeFewCommands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caps Caps
		max  int
	}{
		"with MOVE":    {Caps{Move: true, UIDPlus: true}, 40},
		"without MOVE": {Caps{UIDPlus: true}, 250}, // every header is read twice, fifty at a time
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, list := manyWorld(t, 2400)
			w.m.caps, w.m.log = c.caps, nil
			foreign := w.m.deliver(inbox, header("foreign"), `\Deleted`)
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			w.settled(list)
			if w.m.findLocked(inbox, foreign) == nil {
				t.Error("a foreign deleted letter was removed")
			}
			if len(w.m.log) > c.max {
				t.Errorf("%d commands for %d letters, want at most %d", len(w.m.log), len(list), c.max)
			}
			t.Logf("%d letters: %d commands", len(list), len(w.m.log))
		})
	}
}

func TestManyLettersWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"done": dieAfter, "not done": dieBefore, "half of it done": partDied, "copied": halfDied, "copied and marked": halfMarked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, list := manyWorld(t, 1300)
			w.on("MOVE", f, nil)
			if err := w.run(); !models.IsTemporary(err) {
				t.Fatalf("lost connection gives %v", err)
			}
			w.m.log = nil
			for range 3 {
				if err := w.run(); err != nil {
					t.Fatal(err)
				}
				w.now = w.now.Add(time.Hour)
			}
			w.settled(list)
			if len(w.m.log) > 300 {
				t.Errorf("%d commands to find out", len(w.m.log))
			}
		})
	}
}

func TestOneStuckLetterDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	for _, move := range []bool{true, false} {
		w, list := manyWorld(t, 1000)
		bad := list[300].SourceUID
		w.m.caps.Move, w.m.stuck = move, map[string]map[uint32]bool{inbox: {bad: true}}
		w.m.log = nil
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		w.settled(list, bad)
		if f := list[300]; f.State != models.FilingPlanned || f.Attempts != 1 || f.NextAttemptAt == nil || f.Reason.ID != "sync.refused" {
			t.Errorf("stuck letter: %+v", f)
		}
		if n := w.commands("MOVE") + w.commands("COPY"); n > 30 {
			t.Errorf("%d commands to move with one stuck letter", n)
		}
	}
}

func TestFullFolderIsNotAskedForEachLetter(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"without a word why": refuseIt, "over quota": refuseFull} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, list := manyWorld(t, 1000)
			w.m.fault = func(_ *fakeSession, cmd string) fault {
				if cmd == "MOVE" {
					return f
				}
				return fine
			}
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				if f.State != models.FilingPlanned || f.Attempts != 1 || f.NextAttemptAt == nil {
					t.Fatalf("filing %+v", f)
				}
			}
			if n := w.commands("MOVE"); n > 2*(giveUp+10) {
				t.Errorf("asked %d times", n)
			}
			w.m.fault = nil
			w.now = w.now.Add(time.Hour)
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			w.settled(list)
		})
	}
}

func TestServerThatNamesTheWrongCopies(t *testing.T) {
	t.Parallel()
	for name, sameSecond := range map[string]bool{"told apart by date": false, "told apart by header": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, list := manyWorld(t, 100)
			if sameSecond {
				for _, c := range w.m.boxes[inbox].mail {
					c.date = time.Unix(1e9, 0)
				}
			}
			w.m.fault = func(_ *fakeSession, cmd string) fault {
				if cmd == "MOVE" {
					return lies
				}
				return fine
			}
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			w.settled(list)
		})
	}
}

func TestStarsOfASetAreToldAtOnce(t *testing.T) {
	t.Parallel()
	w, list := manyWorld(t, 200)
	for _, f := range list[:50] {
		w.m.setFlags(inbox, f.SourceUID, `\Flagged`)
	}
	told := 0
	s, err := w.m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := NewMover(w.st, w.cfg, func() time.Time { return w.now }, nil)
	err = m.RunTelling(t.Context(), s, 1, func(_ context.Context, c Change) error {
		told++
		for u, flags := range c.Flags {
			w.st.location(c.Folder.ID, c.Folder.UIDValidity, u).Flags = flags
		}
		return nil
	})
	if err != nil || told != 2 {
		t.Errorf("told %d times, %v", told, err)
	}
	w.settled(list)
}

// TestSetsFitIntoALine draws any filings: no set is too long, too heavy or not ascending, and none is left out.
func TestSetsFitIntoALine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		uids := rapid.SliceOfNDistinct(rapid.Uint32Range(1, 1<<32-1), 1, 3000, rapid.ID).Draw(t, "uids")
		if rapid.Bool().Draw(t, "dense") {
			for i := range uids {
				uids[i] = uint32(i/3*4 + i%3 + 1)
			}
		}
		var list []*models.Filing
		for _, u := range uids {
			list = append(list, &models.Filing{SourceUID: u, Size: rapid.Int64Range(0, setWeight/500).Draw(t, "size")})
		}
		n := 0
		for _, set := range cutSet(list, setLetters, setOctets) {
			weight := int64(0)
			for _, f := range set {
				weight += f.Size
			}
			us := sourceUIDs(set)
			if err := checkSet(us); err != nil || len(set) > setLetters || len(uidSet(us).String()) > setOctets || (weight > setWeight && len(set) > 1) {
				t.Fatalf("set of %d, %d octets, weight %d: %v", len(set), len(uidSet(us).String()), weight, err)
			}
			n += len(set)
		}
		slices.Sort(uids)
		var all []uint32
		for _, part := range cutUIDs(uids) {
			if len(part) > setLetters || len(uidSet(part).String()) > setOctets {
				t.Fatalf("part of %d", len(part))
			}
			all = append(all, part...)
		}
		if n != len(uids) || !slices.Equal(all, uids) {
			t.Fatalf("%d of %d letters in sets", n, len(uids))
		}
	})
}

func TestCopyUIDOfASet(t *testing.T) {
	t.Parallel()
	asked := []uint32{4, 7, 8, 9}
	for _, c := range []struct {
		codes []string
		want  string
	}{
		{nil, "0 map[]"},
		{[]string{"9 4,7:9 1:4"}, "9 map[4:1 7:2 8:3 9:4]"},
		{[]string{"9 4,7:8 11,10:9"}, "9 map[4:11 7:9 8:10]"},
		{[]string{"9 7:9,4 1:4"}, "9 map[4:4 7:1 8:2 9:3]"},
		{[]string{"9 9:7 1:3"}, "9 map[7:1 8:2 9:3]"}, // a range backwards means the same
		{[]string{"9 4 1", "9 7:9 2:4"}, "9 map[4:1 7:2 8:3 9:4]"},
		{[]string{"9 4 1", "9 4 1"}, "9 map[4:1]"},
		{[]string{"9 4 1", "9 4 2"}, "0 map[]"},
		{[]string{"9 4 1", "9 7 1"}, "0 map[]"},
		{[]string{"9 4 1", "8 7 2"}, "0 map[]"},
		{[]string{"9 4,7 1"}, "0 map[]"},
		{[]string{"9 4,7 1:3"}, "0 map[]"},
		{[]string{"9 5 1"}, "0 map[]"}, // never asked for
		{[]string{"9 4 0"}, "0 map[]"},
		{[]string{"0 4 1"}, "0 map[]"},
		{[]string{"9 4 *"}, "0 map[]"},
		{[]string{"9 1:4294967295 1:4294967295"}, "0 map[]"},
		{[]string{"9  ", ""}, "0 map[]"},
		{[]string{"9 4 1 and more"}, "0 map[]"},
	} {
		got := copiedSet(c.codes, asked)
		if s := fmt.Sprint(got.UIDValidity, got.To); s != c.want && !(len(got.To) == 0 && c.want == "0 map[]") {
			t.Errorf("%q: %s, want %s", c.codes, s, c.want)
		}
	}
}
