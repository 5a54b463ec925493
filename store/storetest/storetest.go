// Package storetest gives tests a fresh store on each of the databases that Kontrol works with.
package storetest

import (
	"path/filepath"
	"testing"

	"kontrol/internal/postgres"
	"kontrol/store"
)

// Each runs f as a subtest on SQLite and as one on PostgreSQL, each time with an empty, migrated database that goes away
// with the test. The subtests run in parallel. Where PostgreSQL is missing, see postgres.Test.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { f(t, Open(t, store.Config{URL: url})) })
}

// EachURL is like Each for tests that open the database themselves: it is empty, without any tables.
func EachURL(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, "sqlite:"+filepath.Join(t.TempDir(), "kontrol.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, postgres.Test(t))
	})
}

// Open opens the database, migrated unless cfg.AllowOldSchema is set, and closes it at the end of the test.
func Open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	cfg.AutoMigrateSchema = !cfg.AllowOldSchema
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
