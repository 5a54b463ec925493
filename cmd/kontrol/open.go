package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kontrol/config"
	"kontrol/models"
	"kontrol/store"
)

// settings is the config, read at most once in an execution.
type settings struct {
	done bool
	cfg  *config.Config
	err  error
}

// configPlaces are where the config is looked for, in this order.
func (c *cli) configPlaces() []string {
	if c.flags.config != "" {
		return []string{c.flags.config}
	}
	if p := c.env.getenv("KONTROL_CONFIG"); p != "" {
		return []string{p}
	}
	return []string{"./config.toml", "/etc/kontrol/config.toml"}
}

// config returns the config of this execution, or a usage error that tells all that is wrong with it.
func (c *cli) config() (*config.Config, error) {
	if !c.conf.done {
		c.conf.done = true
		c.conf.cfg, c.conf.err = c.readConfig()
	}
	return c.conf.cfg, c.conf.err
}

func (c *cli) readConfig() (*config.Config, error) {
	places := c.configPlaces()
	for _, place := range places {
		if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		cfg, err := config.LoadOffline(place, c.env.getenv)
		if err != nil {
			return nil, &usageError{err}
		}
		return cfg, nil
	}
	return nil, misused(models.Say("cli.error.no_config", "Places", places))
}

// strictConfig is config for commands that log in to mailboxes: passwords and certificates have to be there.
func (c *cli) strictConfig() (*config.Config, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if cfg, err = config.Load(cfg.File(), c.env.getenv); err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}

// configLanguage is the language that the config asks for, even when the rest of it is wrong; "" without a config.
func (c *cli) configLanguage() string {
	cfg, err := c.config()
	var wrong *config.Errors
	switch {
	case cfg != nil:
		return cfg.Language
	case errors.As(err, &wrong):
		return wrong.Language
	}
	return ""
}

// configZone is the department's zone; UTC without a config.
func (c *cli) configZone() *time.Location {
	if cfg, err := c.config(); err == nil {
		return cfg.Location()
	}
	return time.UTC
}

// read opens the database for looking. A database that does not exist or is of an older version is left as it is, and
// the error says what to do. What is seen is what the viewer may see.
func (c *cli) read(ctx context.Context, f func(q *store.Queries) error) error {
	return c.withDB(ctx, false, func(db *store.DB) error {
		q, err := c.seen(ctx, db.Read())
		if err != nil {
			return err
		}
		return f(q)
	})
}

// change opens the database for writing, makes or upgrades it as the daemon does, and runs f in one transaction. With
// dry the transaction is rolled back when f has succeeded.
func (c *cli) change(ctx context.Context, dry bool, f func(tx *store.Tx) error) error {
	return c.forChange(ctx, dry, func(db *store.DB) error { return c.inTx(ctx, db, dry, f) })
}

// forChange opens the database for writing. With dry the change is tried on an empty database when there is none and an older one
// is not upgraded, so that nothing is left behind.
func (c *cli) forChange(ctx context.Context, dry bool, f func(db *store.DB) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	switch {
	case !dry:
		return c.withDB(ctx, true, f)
	case databaseExists(cfg) != nil:
		return c.inScratch(ctx, f)
	}
	return c.withDB(ctx, false, f)
}

// inScratch runs f on an empty database that is thrown away.
func (c *cli) inScratch(ctx context.Context, f func(db *store.DB) error) (err error) {
	dir, err := os.MkdirTemp("", "kontrol-dry-run-")
	if err != nil {
		return fmt.Errorf("make a folder for a try: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return c.open(ctx, func(s *store.Config) {
		s.URL, s.AutoMigrateSchema = "sqlite:"+filepath.Join(dir, "kontrol.db"), true
	}, f)
}

// errDry rolls a transaction back that was only tried.
var errDry = errors.New("dry run")

// inTx runs f in a transaction, which may change only what the person may whom --as names, and is rolled back with dry.
func (c *cli) inTx(ctx context.Context, db *store.DB, dry bool, f func(tx *store.Tx) error) error {
	err := db.Tx(ctx, func(tx *store.Tx) error {
		if err := c.actAs(ctx, tx); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		if dry {
			return errDry
		}
		return nil
	})
	if errors.Is(err, errDry) {
		return nil
	}
	return err
}

// withDB opens the database that the config names, runs f and closes it. With create a missing database is made and an
// older one upgraded.
func (c *cli) withDB(ctx context.Context, create bool, f func(db *store.DB) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if !create {
		if err := databaseExists(cfg); err != nil {
			return err
		}
	}
	return c.open(ctx, func(s *store.Config) { s.AutoMigrateSchema = create }, f)
}

// open opens the database that the config names with further settings, runs f and closes it.
func (c *cli) open(ctx context.Context, set func(*store.Config), f func(db *store.DB) error) (err error) {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	s := store.Config{URL: cfg.DatabaseURL(), Logger: c.log, Now: c.env.now}
	set(&s)
	db, err := store.Open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return f(db)
}

// databaseExists keeps a command that only looks from making an empty SQLite file.
func databaseExists(cfg *config.Config) error {
	path, lite := strings.CutPrefix(cfg.DatabaseURL(), "sqlite:")
	if !lite {
		return nil
	}
	path, _, _ = strings.Cut(path, "?")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return told(models.Say("cli.error.no_database", "Place", path))
	}
	return nil
}

// schemaVersion is the schema that this program knows.
func schemaVersion() int64 { return store.KnownSchema() }

// openOld opens the database whatever its version and makes the file when it is missing: for migrating.
func (c *cli) openOld(ctx context.Context, f func(db *store.DB) error) error {
	return c.open(ctx, func(s *store.Config) { s.AllowOldSchema = true }, f)
}

// withOld opens a database that exists, whatever its version.
func (c *cli) withOld(ctx context.Context, f func(db *store.DB) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := databaseExists(cfg); err != nil {
		return err
	}
	return c.openOld(ctx, f)
}
