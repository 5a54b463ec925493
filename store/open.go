package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"gorm.io/gorm"

	"kontrol/models"
)

// Config says which database to open and how. URL is required, everything else has a working zero value.
type Config struct {
	// URL is "sqlite:PATH" or "postgres://user:password@host/database?options".
	URL string
	// AutoMigrateSchema brings an older schema up to date while opening. Without it an older schema is refused.
	AutoMigrateSchema bool
	// AllowOldSchema opens an older (or empty) schema without touching it, so that Migrate or Backup can be called.
	// Nothing else may be called then. A newer schema is refused all the same.
	AllowOldSchema bool
	// Logger is told at level debug about every statement, without its values. Nil: nothing is logged.
	Logger *slog.Logger
	// Now gives the time. Nil means time.Now.
	Now func() time.Time
}

// dialect tells the two kinds of database apart.
type dialect string

const (
	dialectSQLite   dialect = "sqlite"
	dialectPostgres dialect = "postgres"
)

// DB is an open database. It is safe for concurrent use. Close it when done.
type DB struct {
	dialect dialect
	path    string // SQLite: the file as named in the URL
	log     *slog.Logger
	clock   func() time.Time

	write    *gorm.DB
	read     *gorm.DB // SQLite: a pool of its own that cannot write
	writeSQL *sql.DB
	readSQL  *sql.DB
	pool     *pgxpool.Pool // PostgreSQL only

	driver riverdriver.Driver[*sql.Tx]
	jobs   *river.Client[*sql.Tx] // inserts only

	prepared prepared
}

// Open opens the database, checks that commits are durable and that the schema is the one this program knows, and
// returns it. With cfg.AutoMigrateSchema an older schema is migrated first (see DB.Migrate). A newer schema, a database
// that does not promise durable commits or a URL that cannot be understood gives an error with a phrase (models.Told).
// Errors never contain the password of the URL.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connect(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{log: cfg.Logger, clock: cfg.Now}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	scheme, rest, _ := strings.Cut(cfg.URL, ":")
	switch strings.ToLower(scheme) {
	case "sqlite":
		return db, db.openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return db, db.openPostgres(ctx, cfg.URL)
	}
	return nil, &models.Told{
		Phrase: models.Say("store.url.unknown"),
		Err:    errors.New("open database: the url starts neither with sqlite: nor with postgres://"),
	}
}

// prepare does what Open does after the connection stands.
func (db *DB) prepare(ctx context.Context, cfg Config) error {
	state, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	if err := state.refuseNewer(); err != nil {
		return err
	}
	switch {
	case cfg.AutoMigrateSchema:
		// Migrate also brings the job engine's own tables up to date, so it is called even when ours are current.
		if _, err := db.Migrate(ctx); err != nil {
			return err
		}
	case !cfg.AllowOldSchema:
		if err := db.refuseOlder(ctx, state); err != nil {
			return err
		}
	}
	db.jobs, err = river.NewClient(db.driver, &river.Config{Logger: quiet(db.log)})
	if err != nil {
		return fmt.Errorf("prepare job engine: %w", err)
	}
	return nil
}

// Close closes all connections. A transaction that is running fails.
func (db *DB) Close() error {
	var errs []error
	if db.readSQL != nil && db.readSQL != db.writeSQL {
		errs = append(errs, db.readSQL.Close())
	}
	if db.writeSQL != nil {
		errs = append(errs, db.writeSQL.Close())
	}
	if db.pool != nil {
		db.pool.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Kind returns "sqlite" or "postgres".
func (db *DB) Kind() string { return string(db.dialect) }

// Read returns the queries outside of any transaction. They see what was committed when each of them starts. On SQLite
// they neither wait for a writer nor make one wait.
func (db *DB) Read() *Queries { return &Queries{g: db.read, now: db.now} }

// now is the present instant as it can be stored in both databases: UTC, whole microseconds.
func (db *DB) now() time.Time { return instant(db.clock()) }

// instant brings a time to the form in which it comes back from both databases.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
