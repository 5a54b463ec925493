package main

import (
	"context"
	"fmt"

	"kontrol/daemon"
	"kontrol/models"
	"kontrol/store"
)

// relink ties letters that are stored already to clients that are new or have new addresses, and says how many. A client
// that has gone meanwhile is passed over.
func (c *cli) relink(ctx context.Context, clientIDs ...int64) error {
	cfg, err := c.config()
	if err != nil || len(clientIDs) == 0 {
		return err
	}
	set, tied := daemon.SettingsOf(cfg), 0
	err = c.withDB(ctx, true, func(db *store.DB) error {
		for _, id := range clientIDs {
			n, err := daemon.Relink(ctx, db, set, id, c.env.now)
			if err != nil {
				return fmt.Errorf("tie letters to client %d: %w", id, err)
			}
			tied += n
		}
		return nil
	})
	if err == nil && tied > 0 && c.flags.format != formatJSON {
		c.out.line(c.Text("cli.relinked", "Letters", models.Say("count.letters", "Count", tied)))
	}
	return err
}

// relinkAfter is relink after a change that was perhaps only tried.
func (c *cli) relinkAfter(ctx context.Context, dry bool, clientIDs ...int64) error {
	if dry {
		return nil
	}
	return c.relink(ctx, clientIDs...)
}
