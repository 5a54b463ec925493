package main

import (
	"context"

	"github.com/spf13/cobra"

	"kontrol/config"
	"kontrol/models"
)

func (c *cli) runCommand() *cobra.Command {
	return c.command("run", "cli.run", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		cfg, err := c.config()
		if err != nil {
			return err
		}
		return c.runDaemon(cmd.Context(), cfg)
	})
}

// runDaemon runs until ctx ends.
func (c *cli) runDaemon(_ context.Context, _ *config.Config) error {
	return told(models.Say("cli.error.not_in_build", "Path", "kontrol run"))
}
