package main

import (
	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

func (c *cli) dbCommand() *cobra.Command {
	return c.group("db", "cli.db", c.dbMigrate(), c.dbBackup(), c.dbVerify())
}

// migrationJSON is what `kontrol db migrate --format json` gives.
type migrationJSON struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Backup string `json:"backup"`
	DryRun bool   `json:"dry_run"`
}

func (c *cli) dbMigrate() *cobra.Command {
	var dry bool
	cmd := c.command("migrate", "cli.db_migrate", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		cfg, err := c.config()
		if err != nil {
			return err
		}
		if dry && databaseExists(cfg) != nil {
			return c.toldMigration(migrationJSON{To: schemaVersion(), DryRun: true})
		}
		return c.openOld(cmd.Context(), func(db *store.DB) error {
			s, err := db.Schema(cmd.Context())
			if err != nil {
				return err
			}
			m := store.Migration{From: s.Version, To: s.Known}
			if !dry {
				if m, err = db.Migrate(cmd.Context()); err != nil {
					return err
				}
			}
			return c.toldMigration(migrationJSON{From: m.From, To: m.To, Backup: m.Backup, DryRun: dry})
		})
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

func (c *cli) toldMigration(m migrationJSON) error {
	if c.flags.format == formatJSON {
		return c.out.json(m)
	}
	switch {
	case m.From == m.To:
		c.out.line(c.Text("cli.db_migrate.current", "To", m.To))
	case m.DryRun:
		c.out.line(c.Text("cli.db_migrate.would", "From", m.From, "To", m.To))
	case m.From == 0:
		c.out.line(c.Text("cli.db_migrate.made", "To", m.To))
	default:
		c.out.line(c.Text("cli.db_migrate.done", "From", m.From, "To", m.To))
	}
	if m.Backup != "" {
		c.out.line(c.Text("cli.db_migrate.backup", "Path", m.Backup))
	}
	return c.out.err
}

func (c *cli) dbBackup() *cobra.Command {
	var dry bool
	cmd := c.command("backup", "cli.db_backup", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.withOld(cmd.Context(), func(db *store.DB) error {
			if dry {
				c.out.line(c.Text("cli.db_backup.would", "Path", args[0]))
				return c.out.err
			}
			if err := db.Backup(cmd.Context(), args[0]); err != nil {
				return err
			}
			c.out.line(c.Text("cli.db_backup.done", "Path", args[0]))
			return c.out.err
		})
	})
	cmd.ValidArgsFunction = nil // files
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

// verifyJSON is what `kontrol db verify --format json` gives.
type verifyJSON struct {
	Kind     string   `json:"kind"`
	Schema   int64    `json:"schema"`
	Known    int64    `json:"known"`
	Sound    bool     `json:"sound"`
	Problems []string `json:"problems"`
}

func (c *cli) dbVerify() *cobra.Command {
	return c.command("verify", "cli.db_verify", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.withOld(cmd.Context(), func(db *store.DB) error {
			s, err := db.Schema(cmd.Context())
			if err != nil {
				return err
			}
			problems, err := db.Verify(cmd.Context())
			if err != nil {
				return err
			}
			return c.toldVerify(verifyJSON{Kind: db.Kind(), Schema: s.Version, Known: s.Known,
				Sound: len(problems) == 0 && s.Version == s.Known, Problems: list(problems)})
		})
	})
}

func (c *cli) toldVerify(v verifyJSON) error {
	if c.flags.format == formatJSON {
		if err := c.out.json(v); err != nil {
			return err
		}
	} else {
		for _, p := range v.Problems {
			c.out.line(c.out.paint(paintBad, "✗"), " ", p)
		}
		switch {
		case v.Schema != v.Known:
			c.out.line(c.Text("cli.db_verify.old", "Schema", v.Schema, "Known", v.Known))
		case v.Sound:
			c.out.line(c.Text("cli.db_verify.sound", "Kind", v.Kind, "Schema", v.Schema))
		}
	}
	if len(v.Problems) > 0 {
		return told(models.Say("cli.db_verify.broken", "Count", len(v.Problems)))
	}
	if !v.Sound {
		return errWarned
	}
	return c.out.err
}
