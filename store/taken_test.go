package store_test

import (
	"context"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestPlanFilings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		l := newLetter(t, db, "a", nil)
		free := newLocation(t, db, o, models.FolderInbox, 1, l)
		busy := newLocation(t, db, o, models.FolderInbox, 2, l)
		gone := newLocation(t, db, o, models.FolderInbox, 3, l)
		again := newLocation(t, db, o, models.FolderInbox, 4, l)
		target := o.folders[models.FolderProcessed].ID
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			for _, c := range []models.Location{busy, again} {
				if err := tx.PlanFiling(ctx, &models.Filing{LocationID: c.ID, TargetFolderID: target}); err != nil {
					return err
				}
			}
			if _, err := tx.CancelFilings(ctx, []int64{again.ID}); err != nil {
				return err
			}
			_, err := tx.MarkGone(ctx, gone.FolderID, gone.UIDValidity, []uint32{3}, day)
			return err
		})
		list := []*models.Filing{
			{LocationID: gone.ID, TargetFolderID: target}, {LocationID: free.ID, TargetFolderID: target}, {LocationID: busy.ID, TargetFolderID: target},
			{LocationID: again.ID, TargetFolderID: target}, {LocationID: 999, TargetFolderID: target}, {LocationID: free.ID, TargetFolderID: target},
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.PlanFilings(ctx, list) })
		for i, want := range []int{0, 1, 0, 2, 0, 0} { // the generation; 0: not planned
			if f := list[i]; (f.ID != 0) != (want > 0) || f.Generation != want {
				t.Errorf("filing %d: %+v", i, f)
			}
		}
		got, err := db.Read().Filing(t.Context(), list[1].ID)
		must(t, err)
		if got.LetterID != l.ID || got.SourceUID != 1 || got.HeaderHash != free.HeaderHash || got.State != models.FilingPlanned || got.PlannedAt.IsZero() {
			t.Errorf("stored: %+v", got)
		}
	})
}

// What is known already is never stored twice, and nothing of the transaction remains.
func TestKnownLetterUndoesTheWhole(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		known := newLetter(t, db, "a", nil)
		tries, ids := 0, []int64{}
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			tries++
			thread := &models.Thread{LastAt: day, CreatedAt: day}
			if err := tx.AddThreads(tx.Context(), []*models.Thread{thread}); err != nil {
				return err
			}
			var err error
			if ids, err = tx.ReserveLetters(tx.Context(), 2); err != nil {
				return err
			}
			return tx.AddLetters(tx.Context(), []*models.Letter{
				{ID: ids[0], Fingerprint: "new", ThreadID: thread.ID, ArrivedAt: day, CreatedAt: day},
				{ID: ids[1], Fingerprint: known.Fingerprint, ThreadID: thread.ID, ArrivedAt: day, CreatedAt: day},
			})
		})
		if !models.IsTemporary(err) || (db.Kind() == "postgres") != (tries > 1) {
			t.Errorf("after %d tries: %v", tries, err)
		}
		rows, err := db.Read().LettersByFingerprints(t.Context(), []string{"new", known.Fingerprint})
		must(t, err)
		if len(rows) != 1 || rows[0].ID != known.ID {
			t.Errorf("stored: %+v", rows)
		}
	})
}

func TestThreadsInBulk(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		list := []*models.Thread{{BaseSubject: "a\x00b", LastAt: day, CreatedAt: day}, {LastAt: day, CreatedAt: day}, {LastAt: day, CreatedAt: day}}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.AddThreads(ctx, list); err != nil {
				return err
			}
			later, earlier := day.Add(time.Hour), day.Add(-time.Hour)
			if err := tx.TouchThreads(ctx, map[int64]time.Time{list[0].ID: later, list[1].ID: earlier}); err != nil {
				return err
			}
			return tx.DeleteThreads(ctx, []int64{list[2].ID})
		})
		first, err := db.Read().Thread(t.Context(), list[0].ID)
		must(t, err)
		second, err := db.Read().Thread(t.Context(), list[1].ID)
		must(t, err)
		if first.BaseSubject != "ab" || !first.LastAt.Equal(day.Add(time.Hour)) || !second.LastAt.Equal(day) || list[0].ID >= list[1].ID {
			t.Errorf("threads: %+v %+v", first, second)
		}
		if _, err := db.Read().Thread(t.Context(), list[2].ID); err == nil {
			t.Error("the third is still there")
		}
	})
}

func TestMailboxesToDecide(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "a@firma.example")
		newOffice(t, db, "b@firma.example") // the first is no longer declared: it is removed, and read all the same
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			boxes, folders, err := tx.MailboxesToDecide(ctx, []int64{o.mailbox.ID, 999})
			if err != nil {
				return err
			}
			if b := boxes[o.mailbox.ID]; len(boxes) != 1 || len(folders) != 1 || b.Address != "a@firma.example" || b.State != models.MailboxRemoved {
				t.Errorf("%+v, %+v", boxes, folders)
			}
			for role, f := range o.folders {
				if folders[o.mailbox.ID][role] != f.ID {
					t.Errorf("%s: folder %d, want %d", role, folders[o.mailbox.ID][role], f.ID)
				}
			}
			return nil
		})
	})
}
