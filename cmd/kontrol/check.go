package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/models"
	"kontrol/oauth"
	"kontrol/store"
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
		if err := c.checkMailboxes(cmd.Context(), cfg, live); err != nil {
			return err
		}
		if len(cfg.Warnings()) > 0 {
			return errWarned
		}
		return nil
	})
	cmd.Flags().BoolVar(&live, "live", false, c.Text("cli.flag.live"))
	return cmd
}

// checkMailboxes shows what was checked, with the database where mailboxes are logged in to with tokens from it.
func (c *cli) checkMailboxes(ctx context.Context, cfg *config.Config, live bool) error {
	look := func(db *store.DB) error {
		all, err := c.gatherLogins(ctx, db)
		if err != nil {
			return err
		}
		if err := c.checked(cfg, all); err != nil || !live {
			return err
		}
		var tokens oauth.Store
		if db != nil {
			tokens = db
		}
		return c.checkLive(ctx, cfg, daemon.NewLogins(cfg, tokens, c.env.now, c.log), all)
	}
	anyOAuth := slices.ContainsFunc(cfg.Mailboxes(), func(b config.Mailbox) bool { return b.OAuth != nil && b.OAuth.Token == nil })
	if !anyOAuth || databaseExists(cfg) != nil {
		return look(nil)
	}
	return c.withDB(ctx, false, look)
}

// checkJSON is what `kontrol check --format json` gives for a config without errors.
type checkJSON struct {
	Config    string       `json:"config"`
	Database  string       `json:"database"`
	Mailboxes []string     `json:"mailboxes"`
	Warnings  []phraseJSON `json:"warnings"`
	// Logins tell how the mailboxes with OAuth2 are logged in to, by address.
	Logins map[string]*loginJSON `json:"logins,omitempty"`
}

func (c *cli) checked(cfg *config.Config, all logins) error {
	j := checkJSON{Config: cfg.File(), Database: cfg.RedactedDatabaseURL(), Mailboxes: []string{}, Warnings: []phraseJSON{}}
	for _, m := range cfg.Mailboxes() {
		j.Mailboxes = append(j.Mailboxes, m.Address)
		if m.OAuth != nil {
			if j.Logins == nil {
				j.Logins = map[string]*loginJSON{}
			}
			j.Logins[m.Address] = c.loginJSON(all, m.Address)
		}
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
	for _, m := range cfg.Mailboxes() {
		if m.OAuth != nil {
			c.out.line("  ", m.Address, ": ", c.Text("cli.login.line", "Login", c.loginText(all, m.Address)))
		}
	}
	return c.out.err
}
