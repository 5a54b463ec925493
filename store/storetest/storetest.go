// Package storetest gives tests a fresh store on each of the databases that Kontrol works with.
package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"kontrol/internal/postgres"
	"kontrol/store"
)

// Each runs f as a subtest on SQLite and as one on PostgreSQL, each time with an empty, migrated database that goes away
// with the test. The subtests run in parallel. Where PostgreSQL is missing, see postgres.Test.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachMigrated(t, func(t *testing.T, url string) { f(t, open(t, store.Config{URL: url})) })
}

// EachMigrated is Each for tests that open the database themselves: it is empty, and has its tables.
func EachMigrated(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		content, err := sqliteTemplate()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "kontrol.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		f(t, "sqlite:"+path)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		name, err := postgresTemplate()
		if errors.Is(err, postgres.ErrMissing) {
			postgres.Test(t) // skips or fails
		}
		if err != nil {
			t.Fatal(err)
		}
		f(t, postgres.Copy(t, name))
	})
}

// sqliteTemplate is the content of a migrated database. Migrating takes far longer than copying.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "kontrol-storetest")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "kontrol.db")
	if err = migrate("sqlite:" + path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	content, err := os.ReadFile(path)
	return content, errors.Join(err, os.RemoveAll(dir))
})

// postgresTemplate is the name of a migrated database.
var postgresTemplate = sync.OnceValues(func() (string, error) {
	return postgres.Template(context.Background(), migrate)
})

func migrate(url string) error {
	db, err := store.Open(context.Background(), store.Config{URL: url, AutoMigrateSchema: true})
	if err != nil {
		return err
	}
	return db.Close()
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
	return open(t, cfg)
}

func open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
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
