package main

import (
	"context"

	"github.com/spf13/cobra"

	"kontrol/models"
)

func (c *cli) demoCommand() *cobra.Command {
	return c.command("demo", "cli.demo", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.runDemo(cmd.Context())
	})
}

// runDemo shows the product with nothing installed, until ctx ends.
func (c *cli) runDemo(_ context.Context) error {
	return told(models.Say("cli.error.not_in_build", "Path", "kontrol demo"))
}
