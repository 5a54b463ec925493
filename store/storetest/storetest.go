// Package storetest gives tests a fresh store on each of the databases that Kontrol works with.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that creates the databases

	"kontrol/store"
)

// Each runs f as a subtest on SQLite and as one on PostgreSQL, each time with an empty, migrated database that goes away
// with the test. The subtests run in parallel.
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
		f(t, freshPostgres(t))
	})
}

// Open opens and migrates the database and closes it at the end of the test.
func Open(t *testing.T, cfg store.Config) *store.DB {
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

var count atomic.Int64

func freshPostgres(t *testing.T) string {
	base := os.Getenv("KONTROL_TEST_POSTGRES")
	if base == "" {
		t.Skip("no KONTROL_TEST_POSTGRES")
	}
	admin, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	name := fmt.Sprintf("t_%d_%d", os.Getpid(), count.Add(1))
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
