package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestFolderCursor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		id := o.folders[models.FolderInbox].ID
		base := models.Folder{ID: id, MailboxID: o.mailbox.ID, Role: models.FolderInbox, Name: "INBOX", Delimiter: "/"}
		for i, c := range []struct {
			save          bool
			validity, uid uint32
			want          [2]uint32
		}{
			{true, 7, 10, [2]uint32{7, 10}},
			{false, 7, 12, [2]uint32{7, 12}},
			{true, 7, 5, [2]uint32{7, 12}},
			{false, 7, 5, [2]uint32{7, 12}},
			{true, 0, 0, [2]uint32{7, 12}},
			{false, 0, 99, [2]uint32{7, 12}},
			{false, 6, 3, [2]uint32{6, 3}},
			{true, math.MaxUint32, math.MaxUint32, [2]uint32{math.MaxUint32, math.MaxUint32}},
			{true, 8, 0, [2]uint32{8, 0}},
		} {
			f := base
			f.UIDValidity, f.LastUID, f.ModSeq, f.Name = c.validity, c.uid, math.MaxUint64, "Входящие\xff"
			if c.save {
				f.ID = 0
				must(t, db.SaveFolder(t.Context(), &f))
				if f.ID != id || f.LastUID != c.want[1] {
					t.Errorf("%d: %+v", i, f)
				}
			} else {
				inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AdvanceFolder(ctx, f) })
			}
			stored, err := db.Read().Folder(t.Context(), id)
			must(t, err)
			if got := [2]uint32{stored.UIDValidity, stored.LastUID}; got != c.want {
				t.Errorf("%d: cursor %v, want %v", i, got, c.want)
			}
			if stored.ModSeq != 0 || stored.Role != models.FolderInbox {
				t.Errorf("%d: stored %+v", i, stored)
			}
		}
		folders, err := db.Folders(t.Context(), o.mailbox.ID)
		must(t, err)
		if len(folders) != 4 {
			t.Errorf("%d folders", len(folders))
		}
		err = db.Tx(t.Context(), func(tx *store.Tx) error { return tx.AdvanceFolder(tx.Context(), models.Folder{ID: 999}) })
		if !errors.Is(err, models.ErrNotFound) {
			t.Errorf("unknown folder: %v", err)
		}
	})
}

func TestLocations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		letter, other := newLetter(t, db, "a", nil), newLetter(t, db, "b", nil)
		l := newLocation(t, db, o, models.FolderInbox, 1, letter)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			twice := models.Location{LetterID: other.ID, MailboxID: o.mailbox.ID, FolderID: l.FolderID, UIDValidity: 7, UID: 1}
			created, err := tx.AddLocation(ctx, &twice)
			if created || twice.ID != l.ID || twice.LetterID != letter.ID {
				t.Errorf("the same uid again: %v %+v", created, twice)
			}
			gone, gerr := tx.MarkGone(ctx, l.FolderID, 7, []uint32{1, 2, 1}, day)
			again, aerr := tx.MarkGone(ctx, l.FolderID, 7, []uint32{1}, day)
			if len(gone) != 1 || gone[0].GoneAt != nil || len(again) != 0 {
				t.Errorf("gone %+v, again %+v", gone, again)
			}
			back := models.Location{LetterID: letter.ID, MailboxID: o.mailbox.ID, FolderID: l.FolderID, UIDValidity: 7, UID: 1, Flags: models.Strings{`\Flagged`}}
			created, berr := tx.AddLocation(ctx, &back)
			if created || back.ID != l.ID || back.GoneAt != nil || !back.Flagged() {
				t.Errorf("back again: %+v", back)
			}
			return errors.Join(err, gerr, aerr, berr, tx.SetFlags(ctx, l.FolderID, 7, map[uint32][]string{1: nil, 9: {"x"}}), tx.SetHandsOff(ctx, l.ID))
		})
		rows, err := db.LiveCopies(t.Context(), l.FolderID, 7)
		must(t, err)
		if len(rows) != 1 || rows[0].LetterID != letter.ID || len(rows[0].Flags) != 0 || !rows[0].HandsOff || rows[0].UID != 1 {
			t.Errorf("live copies: %+v", rows)
		}
		copies, err := db.Copies(t.Context(), l.FolderID, 7, 1, 0)
		must(t, err)
		some, err := db.CopiesOf(t.Context(), l.FolderID, 7, []uint32{9, 1})
		must(t, err)
		n, err := db.CountCopies(t.Context(), l.FolderID, 7)
		must(t, err)
		if len(copies) != 1 || copies[0].UID != 1 || len(copies[0].Flags) != 0 || len(some) != 1 || n != 1 {
			t.Errorf("copies: %+v %+v %d", copies, some, n)
		}
		newLocation(t, db, o, models.FolderSent, 1, letter)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			gone, err := tx.MarkFolderReset(ctx, l.FolderID, 7, day)
			if len(gone) != 1 || gone[0].ID != l.ID {
				t.Errorf("reset: %+v", gone)
			}
			return err
		})
		all, err := db.Read().LocationsOf(t.Context(), letter.ID)
		must(t, err)
		if len(all) != 2 || all[0].GoneAt == nil || !all[0].GoneAt.Equal(day) || all[1].GoneAt != nil || all[1].Folder.Role != models.FolderSent {
			t.Errorf("copies: %+v", all)
		}
	})
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		inbox := o.folders[models.FolderInbox].ID
		for attempt := 1; attempt <= 3; attempt++ {
			e := models.Quarantine{MailboxID: o.mailbox.ID, FolderID: inbox, UIDValidity: 7, UID: 4, Reason: fmt.Sprint("bad ", attempt)}
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddQuarantine(ctx, &e) })
			if e.Attempts != attempt || e.ID == 0 {
				t.Errorf("attempt %d: %+v", attempt, e)
			}
		}
		for mailbox, want := range map[int64]int{0: 1, o.mailbox.ID: 1, o.mailbox.ID + 1: 0} {
			rows, err := db.Read().Quarantined(t.Context(), mailbox)
			must(t, err)
			if len(rows) != want || (want == 1 && rows[0].Reason != "bad 3") {
				t.Errorf("mailbox %d: %+v", mailbox, rows)
			}
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.ResolveQuarantine(ctx, inbox, 7, []uint32{4, 5}, day)
		})
		rows, err := db.Read().Quarantined(t.Context(), 0)
		must(t, err)
		if len(rows) != 0 {
			t.Errorf("resolved: %+v", rows)
		}
	})
}

// serverModel is a mail server's view of one letter, to which the store's is compared.
type serverModel struct {
	copies map[models.FolderRole][]uint32 // UIDs in each folder
	next   map[models.FolderRole]uint32
	last   map[models.FolderRole]uint32 // cursor that has been stored
	known  map[models.FolderRole]map[uint32]bool
}

// TestCopiesFollowTheServer lets a letter be delivered, moved by a person, filed and reset in any order, with intake
// hearing of it early, late and twice, and compares the live copies and the cursor with the server after each step.
func TestCopiesFollowTheServer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			w := &world{t: t, rt: rt, db: db, o: newOffice(t, db, fmt.Sprintf("box%d@firma.example", n)), letter: newLetter(t, db, fmt.Sprint("w", n), nil),
				m: serverModel{map[models.FolderRole][]uint32{}, map[models.FolderRole]uint32{}, map[models.FolderRole]uint32{}, map[models.FolderRole]map[uint32]bool{}}}
			for _, role := range roles {
				w.m.next[role], w.m.known[role] = 1, map[uint32]bool{}
			}
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				step := rapid.SampledFrom([]string{"deliver", "delete", "look", "look", "file", "file unheard", "stale cursor"}).Draw(rt, "step")
				w.step(step, rapid.SampledFrom(roles).Draw(rt, "folder"))
				w.check(step)
			}
		})
	})
}

var roles = []models.FolderRole{models.FolderInbox, models.FolderProcessed, models.FolderControl}

type world struct {
	t      *testing.T
	rt     *rapid.T
	db     *store.DB
	o      office
	letter models.Letter
	m      serverModel
}

func (w *world) step(step string, role models.FolderRole) {
	switch step {
	case "deliver":
		w.m.copies[role] = append(w.m.copies[role], w.m.next[role])
		w.m.next[role]++
	case "delete":
		if n := len(w.m.copies[role]); n > 0 {
			w.m.copies[role] = w.m.copies[role][:n-1]
		}
	case "look":
		w.look(role)
	case "file":
		w.file(role, false)
	case "file unheard":
		w.file(role, true)
	case "stale cursor":
		f := w.o.folders[role]
		f.LastUID = 0
		must(w.rt, w.db.SaveFolder(w.t.Context(), &f))
	}
}

// look is what intake does after a comparison of a folder with the server.
func (w *world) look(role models.FolderRole) {
	f := w.o.folders[role]
	f.LastUID = w.m.next[role] - 1
	must(w.rt, w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		ctx := tx.Context()
		copies, err := tx.LiveCopies(ctx, f.ID, f.UIDValidity)
		if err != nil {
			return err
		}
		var gone []uint32
		for _, l := range copies {
			if !slices.Contains(w.m.copies[role], l.UID) {
				gone = append(gone, l.UID)
			}
		}
		if _, err := tx.MarkGone(ctx, f.ID, f.UIDValidity, gone, day); err != nil {
			return err
		}
		for _, uid := range w.m.copies[role] {
			l := models.Location{LetterID: w.letter.ID, MailboxID: f.MailboxID, FolderID: f.ID, UIDValidity: f.UIDValidity, UID: uid, HeaderHash: "h"}
			if _, err := tx.AddLocation(ctx, &l); err != nil {
				return err
			}
		}
		return tx.AdvanceFolder(ctx, f)
	}))
	w.m.last[role] = f.LastUID
	w.m.known[role] = map[uint32]bool{}
	for _, uid := range w.m.copies[role] {
		w.m.known[role][uid] = true
	}
}

// file moves a copy that the store believes in; intake may see the result before the journal does.
func (w *world) file(target models.FolderRole, unheard bool) {
	copies := live(w.t, w.db, w.letter.ID)
	if len(copies) == 0 || copies[0].Folder.Role == target {
		return
	}
	source := copies[0]
	f := plan(w.t, w.db, w.o, source, target)
	from := source.Folder.Role
	at := slices.Index(w.m.copies[from], source.UID)
	if at < 0 {
		f.State = models.FilingGone
	} else {
		f.State, f.DestUIDValidity, f.DestUID = models.FilingDone, 7, w.m.next[target]
		w.m.copies[from] = slices.Delete(w.m.copies[from], at, at+1)
		w.step("deliver", target)
	}
	if unheard {
		w.look(target)
	}
	must(w.rt, w.db.FinishFiling(w.t.Context(), &f))
	delete(w.m.known[from], source.UID)
	if f.State == models.FilingDone {
		w.m.known[target][f.DestUID] = true
	}
}

func (w *world) check(step string) {
	seen := map[string]bool{}
	got := map[models.FolderRole]int{}
	for _, l := range live(w.t, w.db, w.letter.ID) {
		key := fmt.Sprint(l.FolderID, l.UIDValidity, l.UID)
		if seen[key] || !w.m.known[l.Folder.Role][l.UID] {
			w.rt.Fatalf("after %s: copy %s is doubled or wrong", step, key)
		}
		seen[key] = true
		got[l.Folder.Role]++
	}
	for _, role := range roles {
		if got[role] != len(w.m.known[role]) {
			w.rt.Fatalf("after %s: %d live copies in %s, want %d", step, got[role], role, len(w.m.known[role]))
		}
		f, err := w.db.Read().Folder(w.t.Context(), w.o.folders[role].ID)
		must(w.rt, err)
		if f.LastUID != w.m.last[role] {
			w.rt.Fatalf("after %s: cursor of %s is %d, want %d", step, role, f.LastUID, w.m.last[role])
		}
	}
}

func TestThreads(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newLetter(t, db, "a", nil)
		b := newLetter(t, db, "b", func(l *models.Letter) { l.ArrivedAt = day.Add(time.Hour) })
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.TouchThread(ctx, a.ThreadID, day.Add(-time.Hour)), tx.MergeThreads(ctx, a.ThreadID, a.ThreadID), tx.MergeThreads(ctx, a.ThreadID, b.ThreadID))
		})
		letters, err := db.Read().ThreadLetters(t.Context(), a.ThreadID)
		must(t, err)
		if len(letters) != 2 || letters[0].ID != a.ID {
			t.Errorf("letters: %+v", letters)
		}
		th, err := db.Read().Thread(t.Context(), a.ThreadID)
		must(t, err)
		if !th.LastAt.Equal(day.Add(time.Hour)) {
			t.Errorf("last at %v", th.LastAt)
		}
		if _, err := db.Read().Thread(t.Context(), b.ThreadID); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("emptied thread: %v", err)
		}
		err = db.Tx(t.Context(), func(tx *store.Tx) error { return tx.MergeThreads(tx.Context(), a.ThreadID, b.ThreadID) })
		if !errors.Is(err, models.ErrNotFound) {
			t.Errorf("merging what is merged: %v", err)
		}
	})
}

func TestCopies(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		letter := newLetter(t, db, "a", nil)
		var l models.Location
		for _, uid := range []uint32{30, 4, 4_000_000_000, 7} {
			l = newLocation(t, db, o, models.FolderInbox, uid, letter)
		}
		flags := map[uint32][]string{4: {`\Seen`, `на "потом"`}, 7: {`\Seen`}, 30: {`\Seen`}, 4_000_000_000: nil}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.MarkGone(ctx, l.FolderID, l.UIDValidity, []uint32{7}, day)
			return errors.Join(err, tx.SetFlags(ctx, l.FolderID, l.UIDValidity, flags))
		})
		for _, c := range []struct {
			first, last uint32
			want        string
		}{
			{1, 0, `[{4 [\Seen на "потом"]} {30 [\Seen]} {4000000000 []}]`}, {5, 0, `[{30 [\Seen]} {4000000000 []}]`},
			{4, 30, `[{4 [\Seen на "потом"]} {30 [\Seen]}]`}, {31, 40, "[]"},
		} {
			got, err := db.Copies(t.Context(), l.FolderID, l.UIDValidity, c.first, c.last)
			must(t, err)
			if s := fmt.Sprint(got); s != c.want {
				t.Errorf("copies %d to %d: %s, want %s", c.first, c.last, s, c.want)
			}
		}
		n, err := db.CountCopies(t.Context(), l.FolderID, l.UIDValidity)
		must(t, err)
		if n != 3 {
			t.Errorf("%d copies counted", n)
		}
	})
}
