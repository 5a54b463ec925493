package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// What the mailbox engine needs of the store, it has.
var (
	_ imapsync.Folders = (*store.DB)(nil)
	_ imapsync.Journal = (*store.DB)(nil)
)

func plan(t *testing.T, db *store.DB, o office, l models.Location, role models.FolderRole) models.Filing {
	t.Helper()
	f := models.Filing{LocationID: l.ID, TargetFolderID: o.folders[role].ID}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.PlanFiling(ctx, &f) })
	return f
}

func live(t *testing.T, db *store.DB, letter int64) []models.Location {
	t.Helper()
	rows, err := db.Read().LiveLocationsOf(t.Context(), []int64{letter})
	must(t, err)
	return rows
}

func TestFilingDone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		letter := newLetter(t, db, "a", nil)
		source := newLocation(t, db, o, models.FolderInbox, 5, letter)
		f := plan(t, db, o, source, models.FolderProcessed)
		if f.Generation != 1 || f.State != models.FilingPlanned || f.SourceUID != 5 || f.SourceUIDValidity != 7 || f.HeaderHash != source.HeaderHash {
			t.Errorf("planned: %+v", f)
		}
		again := models.Filing{LocationID: source.ID, TargetFolderID: f.TargetFolderID}
		err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.PlanFiling(tx.Context(), &again) })
		if !errors.Is(err, models.ErrDuplicate) {
			t.Errorf("second filing of the copy: %v", err)
		}
		f.State, f.DestUIDNext, f.SentAt = models.FilingSent, 9, &day
		must(t, db.SaveFiling(t.Context(), &f))
		open, err := db.OpenFilings(t.Context(), o.mailbox.ID, day.Add(-time.Hour))
		must(t, err)
		if len(open) != 1 || open[0].State != models.FilingSent || open[0].DestUIDNext != 9 || !open[0].SentAt.Equal(day) ||
			open[0].SourceFolder.Role != models.FolderInbox || open[0].TargetFolder.Role != models.FolderProcessed {
			t.Fatalf("open: %+v", open)
		}
		f.State, f.DestUIDValidity, f.DestUID = models.FilingDone, 70, 9
		must(t, db.FinishFiling(t.Context(), &f))
		if f.FinishedAt == nil {
			t.Error("not finished")
		}
		rows := live(t, db, letter.ID)
		if len(rows) != 1 || rows[0].UID != 9 || rows[0].UIDValidity != 70 || rows[0].Folder.Role != models.FolderProcessed || rows[0].HandsOff ||
			rows[0].HeaderHash != source.HeaderHash || rows[0].Size != source.Size || !rows[0].InternalDate.Equal(day) || !rows[0].Flags.Has(`\Seen`) {
			t.Errorf("live copies: %+v", rows)
		}
		for _, err := range []error{db.FinishFiling(t.Context(), &f), db.SaveFiling(t.Context(), &models.Filing{ID: f.ID, State: models.FilingSent})} {
			if !errors.Is(err, models.ErrNotFound) {
				t.Errorf("finished filing changed: %v", err)
			}
		}
		events, err := db.Read().EventsOf(t.Context(), letter.ID)
		must(t, err)
		if len(events) != 1 || events[0].Kind != models.EventLetterFiled || *events[0].DedupeKey != fmt.Sprintf("filed/%d", f.ID) || *events[0].FilingID != f.ID {
			t.Errorf("events: %+v", events)
		}
		back := plan(t, db, o, rows[0], models.FolderInbox)
		if back.Generation != 1 || back.LocationID == source.ID {
			t.Errorf("next filing: %+v", back)
		}
	})
}

func TestFilingOfACopyThatIntakeMetFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		letter, twin := newLetter(t, db, "a", nil), newLetter(t, db, "b", nil)
		source := newLocation(t, db, o, models.FolderInbox, 5, letter)
		f := plan(t, db, o, source, models.FolderControl)
		met := newLocation(t, db, o, models.FolderControl, 3, twin)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.SetHandsOff(ctx, met.ID) })
		f.State, f.DestUIDValidity, f.DestUID = models.FilingDone, 7, 3
		must(t, db.FinishFiling(t.Context(), &f))
		rows := live(t, db, letter.ID)
		if len(rows) != 1 || rows[0].ID != met.ID || rows[0].HandsOff || rows[0].HeaderHash != source.HeaderHash {
			t.Errorf("live copies: %+v", rows)
		}
	})
}

func TestFilingEndsOtherwise(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		for i, c := range []struct {
			state models.FilingState
			live  int
			event models.EventKind
		}{
			{models.FilingDone, 0, models.EventLetterFiled}, // the server did not tell where the copy is
			{models.FilingGone, 0, ""},
			{models.FilingFailed, 1, models.EventFilingFailed},
			{models.FilingCancelled, 1, ""},
		} {
			letter := newLetter(t, db, fmt.Sprint(i), nil)
			l := newLocation(t, db, o, models.FolderInbox, uint32(10+i), letter)
			f := plan(t, db, o, l, models.FolderProcessed)
			f.State, f.Reason, f.LastError = c.state, models.Say("x.y"), "NO \xff"
			must(t, db.FinishFiling(t.Context(), &f))
			if rows := live(t, db, letter.ID); len(rows) != c.live {
				t.Errorf("%s: live %+v", c.state, rows)
			}
			events, err := db.Read().EventsOf(t.Context(), letter.ID)
			must(t, err)
			if len(events) > 1 || (len(events) == 1) != (c.event != "") || (len(events) == 1 && events[0].Kind != c.event) {
				t.Errorf("%s: events %+v", c.state, events)
			}
			stored, err := db.Read().Filing(t.Context(), f.ID)
			must(t, err)
			if stored.State != c.state || stored.FinishedAt == nil || stored.LastError != "NO \uFFFD" {
				t.Errorf("%s: stored %+v", c.state, stored)
			}
			if c.live == 1 {
				if next := plan(t, db, o, l, models.FolderControl); next.Generation != 2 {
					t.Errorf("%s: next generation %d", c.state, next.Generation)
				}
			} else if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.PlanFiling(tx.Context(), &models.Filing{LocationID: l.ID}) }); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("%s: filing of a copy that is gone: %v", c.state, err)
			}
		}
		counts, err := db.Read().OpenFilingsCount(t.Context())
		must(t, err)
		if counts[o.mailbox.ID] != 2 {
			t.Errorf("open filings: %v", counts)
		}
		for _, state := range []models.FilingState{models.FilingSent, ""} {
			if err := db.FinishFiling(t.Context(), &models.Filing{ID: 1, State: state}); err == nil {
				t.Errorf("finished as %q", state)
			}
		}
		if err := db.SaveFiling(t.Context(), &models.Filing{ID: 1, State: models.FilingDone}); err == nil {
			t.Error("saved as done")
		}
	})
}

func TestFilingsDueAndCancelled(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		var copies []models.Location
		var filings []models.Filing
		for i := range 3 {
			l := newLocation(t, db, o, models.FolderInbox, uint32(i+1), newLetter(t, db, fmt.Sprint(i), nil))
			copies, filings = append(copies, l), append(filings, plan(t, db, o, l, models.FolderProcessed))
		}
		later := day.Add(time.Minute)
		filings[0].NextAttemptAt, filings[0].Attempts = &later, 1
		must(t, db.SaveFiling(t.Context(), &filings[0]))
		filings[1].State = models.FilingUnknown
		must(t, db.SaveFiling(t.Context(), &filings[1]))
		for at, want := range map[time.Time]int{day: 2, later.Add(-time.Nanosecond): 2, later: 3, later.In(time.FixedZone("x", -7*3600)): 3} {
			due, err := db.OpenFilings(t.Context(), o.mailbox.ID, at)
			must(t, err)
			if len(due) != want {
				t.Errorf("due at %v: %d, want %d", at, len(due), want)
			}
		}
		ids := []int64{copies[0].ID, copies[1].ID, copies[2].ID, copies[2].ID}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			n, err := tx.CancelFilings(ctx, ids)
			if n != 2 {
				t.Errorf("%d filings cancelled; the one that may have been done must go on", n)
			}
			return err
		})
		all, err := db.Read().FilingsToDecide(t.Context(), ids)
		must(t, err)
		if len(all) != 3 || all[ids[0]][0].State != models.FilingCancelled || all[ids[1]][0].State != models.FilingUnknown || all[ids[2]][0].FinishedAt == nil {
			t.Errorf("filings: %+v", all)
		}
		into, err := db.Read().FilingsTo(t.Context(), o.folders[models.FolderProcessed].ID)
		must(t, err)
		of, err := db.Read().FilingsOf(t.Context(), copies[1].LetterID)
		must(t, err)
		if len(into) != 1 || len(of) != 1 || into[0].ID != of[0].ID {
			t.Errorf("into the folder %+v, of the letter %+v", into, of)
		}
	})
}
