package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"gorm.io/driver/postgres"

	"kontrol/models"
)

func (db *DB) openPostgres(ctx context.Context, rawURL string) error {
	db.dialect = dialectPostgres
	cfg, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return &models.Told{Phrase: models.Say("store.url.bad"), Err: errors.New("open database: cannot parse the postgres url")}
	}
	cfg.AfterConnect = timesInUTC
	db.pool, err = pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return hidePassword(rawURL, failed("open database", err))
	}
	db.writeSQL = stdlib.OpenDBFromPool(db.pool)
	db.readSQL = db.writeSQL
	err = db.openPostgresGorm(ctx, cfg)
	if err != nil {
		return errors.Join(hidePassword(rawURL, err), db.Close())
	}
	return nil
}

func (db *DB) openPostgresGorm(ctx context.Context, cfg *pgxpool.Config) error {
	if err := db.writeSQL.PingContext(ctx); err != nil {
		return &models.Told{
			Phrase: models.Say("store.connect", "Host", cfg.ConnConfig.Host, "Database", cfg.ConnConfig.Database, "User", cfg.ConnConfig.User),
			Err:    failed("connect to database", err),
		}
	}
	if err := verifyPostgres(ctx, db); err != nil {
		return err
	}
	var err error
	db.write, err = openGorm(postgres.New(postgres.Config{Conn: db.writeSQL}), db)
	if err != nil {
		return err
	}
	db.read = db.write
	db.driver = riverdatabasesql.New(db.writeSQL)
	return nil
}

// timesInUTC makes instants come back in UTC, as they do from SQLite, not in the zone of this machine.
func timesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// verifyPostgres checks that a commit is on the disk when it returns (every value of synchronous_commit but "off"
// promises that) and that Russian can be stored.
func verifyPostgres(ctx context.Context, db *DB) error {
	commit, err := show(ctx, db.writeSQL, "synchronous_commit")
	if err != nil {
		return err
	}
	if commit == "off" {
		return &models.Told{
			Phrase: models.Say("store.synchronous_commit"),
			Err:    errors.New("open database: synchronous_commit is off"),
		}
	}
	encoding, err := show(ctx, db.writeSQL, "server_encoding")
	if err != nil {
		return err
	}
	if encoding != "UTF8" {
		return &models.Told{
			Phrase: models.Say("store.encoding", "Got", encoding),
			Err:    fmt.Errorf("open database: server_encoding is %s, must be UTF8", encoding),
		}
	}
	fsync, err := show(ctx, db.writeSQL, "fsync")
	if err != nil {
		return err
	}
	if fsync != "on" {
		db.log.WarnContext(ctx, "the database server runs with fsync off: a power cut may destroy it")
	}
	return nil
}

func show(ctx context.Context, pool *sql.DB, name string) (string, error) {
	var value string
	if err := pool.QueryRowContext(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
		return "", failed("read setting "+name, err)
	}
	return value, nil
}

// hidePassword makes sure that an error's text does not hold the password of the URL, whatever a library put into it.
func hidePassword(rawURL string, err error) error {
	u, perr := url.Parse(rawURL)
	if err == nil || perr != nil || u.User == nil {
		return err
	}
	password, ok := u.User.Password()
	if !ok || password == "" {
		return err
	}
	text := err.Error()
	for _, secret := range []string{password, url.QueryEscape(password), url.PathEscape(password)} {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if text == err.Error() {
		return err
	}
	hidden := errors.New(text)
	if models.IsTemporary(err) {
		return models.Temporary(hidden)
	}
	return hidden
}
