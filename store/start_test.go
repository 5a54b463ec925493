package store_test

import (
	"context"
	"testing"
	"time"

	"kontrol/store"
	"kontrol/store/storetest"
)

// TestStartWaitsForNoMigrationWhenThereIsNone opens a current database while somebody holds the lock of migrations: a
// daemon killed at its start once made the next one wait for half a minute.
func TestStartWaitsForNoMigrationWhenThereIsNone(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		db := storetest.Open(t, store.Config{URL: url})
		unlock, err := db.LockSchema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		again, err := store.Open(ctx, store.Config{URL: url, AutoMigrateSchema: true})
		if err != nil {
			t.Fatalf("open while migrations are locked: %v", err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		if err := unlock(); err != nil {
			t.Error(err)
		}
	})
}
