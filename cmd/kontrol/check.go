package main

import (
	"github.com/spf13/cobra"

	"kontrol/config"
	"kontrol/models"
)

func (c *cli) checkCommand() *cobra.Command {
	var live bool
	cmd := c.command("check", "cli.check", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		cfg, err := c.strictConfig()
		if err != nil {
			return err
		}
		if err := c.checked(cfg); err != nil {
			return err
		}
		if live {
			if err := c.checkLive(cmd.Context(), cfg); err != nil {
				return err
			}
		}
		if len(cfg.Warnings()) > 0 {
			return errWarned
		}
		return nil
	})
	cmd.Flags().BoolVar(&live, "live", false, c.Text("cli.flag.live"))
	return cmd
}

// checkJSON is what `kontrol check --format json` gives for a config without errors.
type checkJSON struct {
	Config    string       `json:"config"`
	Database  string       `json:"database"`
	Mailboxes []string     `json:"mailboxes"`
	Warnings  []phraseJSON `json:"warnings"`
}

func (c *cli) checked(cfg *config.Config) error {
	j := checkJSON{Config: cfg.File(), Database: cfg.RedactedDatabaseURL(), Mailboxes: []string{}, Warnings: []phraseJSON{}}
	for _, m := range cfg.Mailboxes() {
		j.Mailboxes = append(j.Mailboxes, m.Address)
	}
	for _, w := range cfg.Warnings() {
		j.Warnings = append(j.Warnings, *c.phrase(w))
	}
	if c.flags.format == formatJSON {
		return c.out.json(j)
	}
	for _, w := range j.Warnings {
		c.out.line(c.out.paint(paintWarn, "!"), " ", w.Text)
	}
	c.out.line(c.out.paint(paintGood, "✓"), " ", c.Text("cli.check.sound", "Config", j.Config, "Database", j.Database,
		"Mailboxes", models.Say("cli.count.mailboxes", "Count", len(j.Mailboxes))))
	return c.out.err
}
