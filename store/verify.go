package store

import (
	"context"
	"io/fs"
	"strconv"
	"strings"
)

// KnownSchema returns the newest version of the schema that this program knows, without a database; 0 only when the
// program was built without its migrations.
func KnownSchema() int64 {
	names, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		return 0
	}
	newest := int64(0)
	for _, name := range names {
		number, _, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

// Verify looks for damage and returns what it found, one line for each, in English; nothing for a sound database. SQLite
// checks its whole file and all foreign keys; PostgreSQL keeps its own checks, so only constraints that were never
// validated and indexes that are not valid are looked for. The schema's version is not looked at; see Schema.
func (db *DB) Verify(ctx context.Context) ([]string, error) {
	if db.dialect == dialectSQLite {
		return db.verifySQLite(ctx)
	}
	return db.lines(ctx, `SELECT 'constraint ' || conname || ' of ' || conrelid::regclass || ' was never validated'
		FROM pg_constraint WHERE NOT convalidated
		UNION ALL SELECT 'index ' || indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT indisvalid`)
}

func (db *DB) verifySQLite(ctx context.Context) ([]string, error) {
	found, err := db.lines(ctx, "PRAGMA integrity_check")
	if err != nil {
		return nil, err
	}
	if len(found) == 1 && found[0] == "ok" {
		found = nil
	}
	broken, err := db.lines(ctx, `SELECT 'row ' || COALESCE(rowid, '?') || ' of ' || "table" || ' names a row of ' || parent || ' that is not there'
		FROM pragma_foreign_key_check`)
	return append(found, broken...), err
}

// lines reads a query that has one column of text.
func (db *DB) lines(ctx context.Context, query string) ([]string, error) {
	rows, err := db.readSQL.QueryContext(ctx, query)
	if err != nil {
		return nil, failed("verify database", err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, failed("verify database", err)
		}
		out = append(out, line)
	}
	return out, failed("verify database", rows.Err())
}
