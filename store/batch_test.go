package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestBatchQueries(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, q := t.Context(), db.Read()
		o := newOffice(t, db, "sales@firma.example")
		a := newLetter(t, db, "a", func(l *models.Letter) { l.Text = "long" })
		b := newLetter(t, db, "b", nil, a.MessageID, "unknown@x.example")
		byPrint, err := q.KnownLetters(ctx, []string{a.Fingerprint, "none", ""})
		must(t, err)
		if got := byPrint[a.Fingerprint]; len(byPrint) != 1 || got.ID != a.ID || got.Text != "" {
			t.Errorf("by fingerprint: %+v", byPrint)
		}
		named, err := q.ThreadsNamed(ctx, []string{a.MessageID, b.MessageID, "unknown@x.example", ""})
		must(t, err)
		if len(named) != 2 || !slices.Equal(named[a.MessageID], []int64{a.ThreadID}) {
			t.Errorf("threads named: %v", named)
		}
		naming, err := q.ThreadsNaming(ctx, []string{a.MessageID, b.MessageID, "unknown@x.example"})
		must(t, err)
		if len(naming) != 2 || !slices.Equal(naming["unknown@x.example"], []int64{b.ThreadID}) {
			t.Errorf("threads naming: %v", naming)
		}
		threads, err := q.ThreadsOf(ctx, []int64{a.ID, a.ID, b.ID, 999})
		must(t, err)
		if slices.Sort(threads); !slices.Equal(threads, []int64{a.ThreadID, b.ThreadID}) {
			t.Errorf("threads of letters: %v", threads)
		}
		resets, err := q.FolderResets(ctx, o.folders[models.FolderInbox].ID)
		must(t, err)
		if len(resets) != 0 {
			t.Errorf("resets: %v", resets)
		}
	})
}

func TestOpenDealsOf(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var ids []int64
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			for _, name := range []string{"Ромашка", "Лютик"} {
				card := store.ClientCard{Client: models.Client{Name: name}}
				if err := tx.CreateClient(ctx, &card, "test"); err != nil {
					return err
				}
				ids = append(ids, card.ID)
				if err := tx.CreateDeal(ctx, &models.Deal{ClientID: card.ID, Title: name}, "test"); err != nil {
					return err
				}
			}
			return nil
		})
		open, err := db.Read().OpenDealsOf(t.Context(), ids[:1])
		must(t, err)
		if list := open[ids[0]]; len(open) != 1 || len(list) != 1 || list[0].Stage == nil || list[0].Title != "Ромашка" {
			t.Errorf("open deals: %+v", open)
		}
	})
}

func TestThreadsToFile(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		l := newLetter(t, db, "a", nil)
		inbox := o.folders[models.FolderInbox]
		loc := models.Location{LetterID: l.ID, MailboxID: o.mailbox.ID, FolderID: inbox.ID, UIDValidity: 7, UID: 1, SeenAt: day}
		decide := func(action models.Action) {
			d := &models.Decision{LetterID: l.ID, LocationID: loc.ID, MailboxID: o.mailbox.ID, Action: action, Rule: "r"}
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return tx.AddDecisions(ctx, []*models.Decision{d})
			})
			if d.ID == 0 || d.DecidedAt.IsZero() {
				t.Errorf("stored decision: %+v", d)
			}
		}
		want := func(ids ...int64) {
			t.Helper()
			got, err := db.Read().ThreadsToFile(t.Context())
			must(t, err)
			if !slices.Equal(got, ids) {
				t.Errorf("threads to file: %v, want %v", got, ids)
			}
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.LockThreads(ctx); err != nil {
				return err
			}
			_, err := tx.AddLocation(ctx, &loc)
			return err
		})
		want()
		decide(models.ActionFile)
		want(l.ThreadID)
		f := models.Filing{LocationID: loc.ID, TargetFolderID: o.folders[models.FolderProcessed].ID}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.PlanFiling(ctx, &f) })
		want()
		byLetter, err := db.Read().FilingsOfLetters(t.Context(), []int64{l.ID})
		must(t, err)
		if len(byLetter[l.ID]) != 1 {
			t.Errorf("filings of letters: %v", byLetter)
		}
		f.State = models.FilingFailed
		must(t, db.FinishFiling(t.Context(), &f))
		want(l.ThreadID)
		decide(models.ActionStay)
		want()
	})
}

func TestAddEventsPassesOverKnownOnes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		event := func(key string) *models.Event {
			return &models.Event{Kind: models.EventMailboxReset, OccurredAt: day, DedupeKey: &key}
		}
		for range 2 {
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return tx.AddEvents(ctx, []*models.Event{event("reset/5/1/1"), event("reset/5/1/1"), event("reset/51/1/1"), event("reset/5/2/2")})
			})
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddEvents(ctx, nil) })
		at, err := db.Read().FolderResets(t.Context(), 5)
		must(t, err)
		if len(at) != 2 || !at[0].Truncate(time.Microsecond).Equal(day.Truncate(time.Microsecond)) {
			t.Errorf("resets %v", at)
		}
	})
}
