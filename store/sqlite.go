package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	msqlite "modernc.org/sqlite"

	"kontrol/models"
)

// What every connection is opened with. Immediate transactions, because a deferred one that starts to write later is
// refused as busy without waiting. FULL, because with NORMAL a power cut may forget the last commits. The time format,
// because only then do times compare rightly as text.
const sqliteOptions = "_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=foreign_keys(1)&_time_format=sqlite&_timezone=UTC"

// What the writing connection is opened with besides. The indexes of a few hundred thousand letters are written to all
// over: with the usual 2 MB of cache nearly every letter would read pages back, and with a checkpoint every 4 MB the same
// pages would be written to the file over and over. The log may grow to 32 MB; what a commit promises is the same.
const sqliteWriterOptions = "&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(8000)"

// How many connections read at the same time. Writing needs exactly one, shared with the job engine.
const sqliteReaders = 4

// sqliteDialector is gorm's own dialector over the pure Go driver, whose errors gorm does not know.
type sqliteDialector struct{ *sqlite.Dialector }

// Translate tells gorm which of its errors a driver error is; the driver's error stays in the chain.
func (d sqliteDialector) Translate(err error) error {
	var e *msqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case 1555, 2067: // SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
		return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
	case 787: // SQLITE_CONSTRAINT_FOREIGNKEY
		return fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, err)
	case 275: // SQLITE_CONSTRAINT_CHECK
		return fmt.Errorf("%w: %w", gorm.ErrCheckConstraintViolated, err)
	}
	return err
}

func sqliteDSN(path, more string) string {
	return sqliteURI(path) + "?" + sqliteOptions + more
}

// sqliteURI escapes what has a meaning in a URI of SQLite. See https://www.sqlite.org/uri.html.
func sqliteURI(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}

// sqlitePath takes the path out of what follows "sqlite:": PATH or //PATH.
func sqlitePath(rest string) (string, error) {
	path := strings.TrimPrefix(rest, "//")
	if path == "" || strings.HasPrefix(path, ":") {
		return "", &models.Told{
			Phrase: models.Say("store.url.path"),
			Err:    errors.New("open database: the sqlite url names no file"),
		}
	}
	return path, nil
}

func (db *DB) openSQLite(ctx context.Context, rest string) error {
	path, err := sqlitePath(rest)
	if err != nil {
		return err
	}
	db.dialect, db.path = dialectSQLite, path
	if err := createPrivate(path); err != nil {
		return &models.Told{
			Phrase: models.Say("store.file", "Path", path, "Error", err.Error()),
			Err:    fmt.Errorf("open database %s: %w", path, err),
		}
	}
	err = db.openSQLitePools(ctx, path)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

func (db *DB) openSQLitePools(ctx context.Context, path string) (err error) {
	db.write, db.writeSQL, err = openSQLitePool(ctx, sqliteDSN(path, sqliteWriterOptions), 1, db)
	if err != nil {
		return openFailed(path, err)
	}
	db.read, db.readSQL, err = openSQLitePool(ctx, sqliteDSN(path, "&_query_only=1"), sqliteReaders, db)
	if err != nil {
		return openFailed(path, err)
	}
	if err := verifyPragmas(ctx, db.writeSQL, "0"); err != nil {
		return err
	}
	if err := verifyPragmas(ctx, db.readSQL, "1"); err != nil {
		return err
	}
	db.driver = riversqlite.New(db.writeSQL)
	return nil
}

func openSQLitePool(ctx context.Context, dsn string, conns int, db *DB) (*gorm.DB, *sql.DB, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("open database: %w", err)
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	if err := ready(ctx, pool); err != nil { // before gorm, which asks for the version and does not try again
		return nil, nil, errors.Join(err, pool.Close())
	}
	g, err := openGorm(sqliteDialector{&sqlite.Dialector{DriverName: "sqlite", Conn: pool}}, db)
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	return g, pool, nil
}

// createPrivate creates the file readable by its owner only: it will hold people's mail. A file that exists is left as
// it is and not even opened, because closing it would drop the locks that SQLite holds in this process.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// ready makes the first connection. Several processes that turn on WAL in a new file at once get a "busy" that SQLite
// does not wait out by itself.
func ready(ctx context.Context, pool *sql.DB) error {
	var err error
	for try := 0; try < 20; try++ {
		if err = pool.PingContext(ctx); err == nil || !models.IsTemporary(failed("ping", err)) {
			return err
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
	return err
}

func openFailed(path string, err error) error {
	return &models.Told{
		Phrase: models.Say("store.file", "Path", path, "Error", err.Error()),
		Err:    failed("open database "+path, err),
	}
}

// verifyPragmas asks SQLite itself whether it works the way the promises of the program need.
func verifyPragmas(ctx context.Context, pool *sql.DB, queryOnly string) error {
	want := []struct{ name, value string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}, {"busy_timeout", "10000"}, {"query_only", queryOnly},
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return failed("check database settings", err)
	}
	defer func() { _ = conn.Close() }()
	for _, w := range want {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+w.name).Scan(&got); err != nil {
			return failed("check pragma "+w.name, err)
		}
		if !strings.EqualFold(got, w.value) {
			return &models.Told{
				Phrase: models.Say("store.pragma", "Name", w.name, "Got", got, "Want", w.value),
				Err:    fmt.Errorf("open database: pragma %s is %q, must be %q", w.name, got, w.value),
			}
		}
	}
	return nil
}

// Backup writes a consistent copy of a SQLite database to a new file while others go on reading. The file must not
// exist; it is readable by its owner only. On PostgreSQL it returns an error that says to use pg_dump.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.dialect != dialectSQLite {
		return &models.Told{Phrase: models.Say("store.backup.postgres"), Err: errors.New("backup: not for postgres, use pg_dump")}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		_, err = db.writeSQL.ExecContext(ctx, "VACUUM INTO ?", path) // SQLite takes an empty file
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return &models.Told{
			Phrase: models.Say("store.backup.failed", "Path", path, "Error", err.Error()),
			Err:    failed("backup to "+path, err),
		}
	}
	return nil
}
