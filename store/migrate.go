package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/rivermigrate"

	"kontrol/models"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// How often a process that waits for another one's migration looks again, and how often at most (five minutes).
const (
	lockRetry    = 500 * time.Millisecond
	lockAttempts = 600
)

// Schema is how the database's schema stands to the one that this program knows.
type Schema struct {
	Version int64 // of the database; 0 when it is empty
	Known   int64 // the newest that this program knows
}

func (s Schema) refuseNewer() error {
	if s.Version <= s.Known {
		return nil
	}
	return &models.Told{
		Phrase: models.Say("store.schema.newer", "Version", s.Version, "Known", s.Known),
		Err:    fmt.Errorf("open database: its schema has version %d, this program knows versions up to %d", s.Version, s.Known),
	}
}

func (db *DB) refuseOlder(ctx context.Context, s Schema) error {
	older := s.Version < s.Known
	if !older {
		pending, err := db.enginePending(ctx)
		if err != nil {
			return err
		}
		older = pending
	}
	if !older {
		return nil
	}
	return &models.Told{
		Phrase: models.Say("store.schema.older", "Version", s.Version, "Known", s.Known),
		Err:    fmt.Errorf("open database: its schema has version %d, this program needs version %d", s.Version, s.Known),
	}
}

// Schema reads the version of the schema without changing anything.
func (db *DB) Schema(ctx context.Context) (Schema, error) {
	p, err := db.provider()
	if err != nil {
		return Schema{}, err
	}
	s := Schema{}
	for _, source := range p.ListSources() {
		s.Known = max(s.Known, source.Version)
	}
	there, err := db.hasTable(ctx, "goose_db_version")
	if err != nil || !there {
		return s, err
	}
	row := db.readSQL.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version")
	return s, failed("read schema version", row.Scan(&s.Version))
}

func (db *DB) hasTable(ctx context.Context, name string) (bool, error) {
	query := "SELECT to_regclass($1) IS NOT NULL"
	if db.dialect == dialectSQLite {
		query = "SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = ?"
	}
	var there bool
	err := db.readSQL.QueryRowContext(ctx, query, name).Scan(&there)
	return there, failed("look for table "+name, err)
}

func (db *DB) provider() (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations/"+string(db.dialect))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return db.providerOf(sub)
}

func (db *DB) providerOf(files fs.FS) (*goose.Provider, error) {
	kind := goose.DialectPostgres
	if db.dialect == dialectSQLite {
		kind = goose.DialectSQLite3
	}
	p, err := goose.NewProvider(kind, db.writeSQL, files, goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// Migration is what Migrate did.
type Migration struct {
	From, To int64  // schema versions; alike when there was nothing to do
	Backup   string // SQLite: the copy made before an upgrade; "" when none was needed
}

// Migrate brings the schema, and that of the job engine, up to date. Only one process does it at a time; the others wait
// for it, up to five minutes. Each step is a transaction. On SQLite a schema that is not empty is first copied to
// PATH.backup-vN-YYYYMMDD-HHMMSS, N being its version. A newer schema gives an error with a phrase.
//
// The lock is the file PATH.lock on SQLite, which stays, and the row of the table goose_lock on PostgreSQL, which also
// works through a connection pooler and expires after a crash.
func (db *DB) Migrate(ctx context.Context) (Migration, error) {
	// A look first: nearly every start finds nothing to do, and then waits for nobody.
	if m, done, err := db.upToDate(ctx); err != nil || done {
		return m, err
	}
	unlock, err := db.lockSchema(ctx)
	if err != nil {
		return Migration{}, err
	}
	m, err := db.migrateLocked(ctx)
	return m, errors.Join(err, unlock())
}

// upToDate reports whether there is nothing to migrate.
func (db *DB) upToDate(ctx context.Context) (Migration, bool, error) {
	s, err := db.Schema(ctx)
	if err != nil {
		return Migration{}, false, err
	}
	m := Migration{From: s.Version, To: s.Version}
	if err := s.refuseNewer(); err != nil {
		return m, false, err
	}
	pending, err := db.enginePending(ctx)
	return m, err == nil && s.Version == s.Known && !pending, err
}

func (db *DB) migrateLocked(ctx context.Context) (Migration, error) {
	m, done, err := db.upToDate(ctx) // another process may have been faster
	if err != nil || done {
		return m, err
	}
	if db.dialect == dialectSQLite && m.From > 0 {
		m.Backup = fmt.Sprintf("%s.backup-v%d-%s", db.path, m.From, db.now().Format("20060102-150405"))
		if err := db.Backup(ctx, m.Backup); err != nil {
			return m, err
		}
	}
	p, err := db.provider()
	if err != nil {
		return m, err
	}
	if _, err := p.Up(ctx); err != nil {
		return m, failed("migrate schema", err)
	}
	m.To = KnownSchema()
	return m, db.migrateEngine(ctx)
}

// enginePending reports whether the job engine's tables are missing or older than its code.
func (db *DB) enginePending(ctx context.Context) (bool, error) {
	there, err := db.hasTable(ctx, "river_migration")
	if err != nil || !there {
		return !there, err
	}
	m, err := db.engineMigrator()
	if err != nil {
		return false, err
	}
	res, err := m.Validate(ctx, nil)
	if err != nil {
		return false, failed("check job engine's schema", err)
	}
	return !res.OK, nil
}

func (db *DB) migrateEngine(ctx context.Context) error {
	m, err := db.engineMigrator()
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return failed("migrate job engine's schema", err)
	}
	return nil
}

func (db *DB) engineMigrator() (*rivermigrate.Migrator[*sql.Tx], error) {
	m, err := rivermigrate.New(db.driver, &rivermigrate.Config{Logger: quiet(db.log)})
	if err != nil {
		return nil, fmt.Errorf("prepare job engine's migrations: %w", err)
	}
	return m, nil
}

// lockSchema waits until no other process migrates and returns what gives the lock back.
func (db *DB) lockSchema(ctx context.Context) (func() error, error) {
	if db.dialect == dialectSQLite {
		return lockFile(ctx, db.path+".lock", lockAttempts)
	}
	// A lock of the session: it ends with the process. A lock in a table would outlive a killed one for half a minute.
	l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockAttempts/2))
	if err != nil {
		return nil, fmt.Errorf("prepare migration lock: %w", err)
	}
	conn, err := db.writeSQL.Conn(ctx)
	if err != nil {
		return nil, failed("wait for another migration", err)
	}
	if err := l.SessionLock(ctx, conn); err != nil {
		return nil, errors.Join(failed("wait for another migration", err), conn.Close())
	}
	return func() error {
		err := l.SessionUnlock(context.WithoutCancel(ctx), conn)
		return errors.Join(failed("release migration lock", err), conn.Close())
	}, nil
}

// lockFile locks a SQLite database that holds nothing: the lock ends with the process, however that ends. It is tried so
// many times; when another process holds it all the while the error is temporary.
func lockFile(ctx context.Context, path string, attempts int) (func() error, error) {
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("create lock: %w", err)
	}
	pool, err := sql.Open("sqlite", sqliteURI(path)+"?_pragma=busy_timeout(0)&_pragma=journal_mode(OFF)")
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	pool.SetMaxOpenConns(1)
	for try := range attempts {
		if try > 0 && pause(ctx, lockRetry) != nil {
			break
		}
		if _, err = pool.ExecContext(ctx, "BEGIN EXCLUSIVE"); err == nil {
			return pool.Close, nil
		}
	}
	return nil, errors.Join(failed("wait for another process", err), pool.Close())
}
