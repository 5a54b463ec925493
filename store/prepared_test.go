package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"testing"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// Statements that are kept from one transaction to the next see what was committed meanwhile and nothing that was rolled
// back, and leave nothing open that would keep the log from being emptied.
func TestStatementsAreKept(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		undo := errors.New("undo")
		add := func(tx *store.Tx) (int, error) {
			thread := &models.Thread{LastAt: day, CreatedAt: day}
			if err := tx.AddThreads(ctx, []*models.Thread{thread}); err != nil {
				return 0, err
			}
			ids, err := tx.ReserveLetters(ctx, 1)
			if err != nil {
				return 0, err
			}
			l := &models.Letter{ID: ids[0], ThreadID: thread.ID, Fingerprint: strconv.FormatInt(ids[0], 10), MessageID: "same", ArrivedAt: day, CreatedAt: day}
			if err := tx.AddLetters(ctx, []*models.Letter{l}); err != nil {
				return 0, err
			}
			found, err := tx.ThreadsNamed(ctx, []string{"same"})
			return len(found["same"]), err
		}
		for i := range 5 {
			for _, end := range []error{undo, nil} {
				err := db.Tx(ctx, func(tx *store.Tx) error {
					n, err := add(tx)
					if err == nil && n != i+1 {
						t.Errorf("%d letters, want %d", n, i+1)
					}
					return errors.Join(err, end)
				})
				if !errors.Is(err, end) {
					t.Fatal(err)
				}
			}
		}
		if db.Kind() != "sqlite" {
			return
		}
		if store.Prepared(db) < 4 {
			t.Errorf("only %d statements are kept", store.Prepared(db))
		}
		if busy, log, err := store.Checkpoint(ctx, db); err != nil || busy != 0 || log != 0 {
			t.Errorf("the log cannot be emptied: busy %d, %d pages left, %v", busy, log, err)
		}
	})
}

// A statement whose transaction is cancelled can be used by the next one.
func TestKeptStatementAfterCancel(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, store.Config{URL: "sqlite:" + t.TempDir() + "/kontrol.db"})
	read := func(ctx context.Context) error {
		return db.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ThreadsNamed(ctx, []string{"x"})
			return err
		})
	}
	for range 3 {
		if err := read(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Tx(ctx, func(tx *store.Tx) error {
			cancel()
			_, err := tx.ThreadsNamed(ctx, []string{"x"})
			return err
		})
		if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
			t.Fatal(err)
		}
	}
	if err := read(t.Context()); err != nil {
		t.Fatal(err)
	}
}
