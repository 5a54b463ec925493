package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"kontrol/internal/demo"
	"kontrol/locale"
	"kontrol/models"
)

func (c *cli) demoCommand() *cobra.Command {
	var exit bool
	var seconds int
	cmd := c.command("demo", "cli.demo", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		if seconds < 1 || seconds > 3600 {
			return misused(models.Say("cli.error.demo_seconds", "Value", seconds))
		}
		return c.runDemo(cmd.Context(), exit, time.Duration(seconds)*time.Second)
	})
	cmd.Flags().BoolVar(&exit, "exit", false, c.Text("cli.flag.demo_exit"))
	cmd.Flags().IntVar(&seconds, "seconds", 60, c.Text("cli.flag.demo_seconds"))
	return cmd
}

// runDemo shows the product with nothing installed, until ctx ends.
func (c *cli) runDemo(ctx context.Context, exit bool, length time.Duration) error {
	log := slog.New(slog.DiscardHandler)
	if c.flags.verbose {
		log = c.log
	}
	// The demo has a config of its own: the user's, if there is one, must not show through.
	texts, err := locale.New(c.flags.lang, time.Local)
	if err != nil {
		return err
	}
	err = demo.Run(ctx, demo.Options{Out: c.env.stdout, Log: log, Texts: texts, Colour: c.out.colour, Width: c.env.width, Length: length, Exit: exit})
	if errors.Is(err, demo.ErrWrong) {
		return told(models.Say("cli.error.demo_wrong"))
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // Ctrl-C is the way out
	}
	return err
}
