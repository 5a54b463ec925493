package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/locale"
	"kontrol/models"
)

func (c *cli) runCommand() *cobra.Command {
	return c.command("run", "cli.run", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		cfg, err := c.strictConfig()
		if err != nil {
			return err
		}
		return c.runDaemon(cmd.Context(), cfg)
	})
}

// runDaemon runs the daemon until ctx ends, and reads the config again on SIGHUP.
func (c *cli) runDaemon(ctx context.Context, cfg *config.Config) error {
	level := new(slog.LevelVar)
	c.setLevel(level, cfg)
	log := c.daemonLogger(cfg, level)
	for _, w := range append(cfg.Warnings(), cfg.UnknownEnv(os.Environ(), "KONTROL_CONFIG")...) {
		c.complain("! " + c.texts.Say(w))
	}
	news := make(chan models.Phrase, 64)
	app, err := daemon.New(ctx, daemon.Options{
		Config: cfg, Logger: log, Now: c.env.now,
		Load: func() (*config.Config, error) { return config.Load(cfg.File(), c.env.getenv) },
		Tell: func(p models.Phrase) {
			select {
			case news <- p:
			default: // a terminal that does not keep up; kontrol status has it
			}
		},
	})
	if err != nil && ctx.Err() != nil {
		c.complain(c.Text("cli.run.stopped")) // told to stop while starting
		return nil
	}
	if err != nil {
		return err
	}
	c.complain(c.Text("cli.run.started", "Mailboxes", models.Say("cli.count.mailboxes", "Count", len(cfg.Mailboxes())),
		"Database", cfg.RedactedDatabaseURL()))
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	for {
		select {
		case <-hup:
			c.reload(ctx, app, level)
		case p := <-news:
			c.complain("! " + c.texts.Say(p))
		case err := <-done:
			if err == nil {
				c.complain(c.Text("cli.run.stopped"))
			}
			return err
		}
	}
}

// reload tells what a SIGHUP has brought. A broken config changes nothing.
func (c *cli) reload(ctx context.Context, app *daemon.App, level *slog.LevelVar) {
	got, err := app.Reload(ctx)
	var wrong *config.Errors
	if errors.As(err, &wrong) {
		c.complain(c.Text("cli.run.reload_refused"))
		c.complain(c.texts.Error(wrong))
		return
	}
	if err != nil {
		c.complain(c.errorText(err))
		return
	}
	c.setLevel(level, app.Config())
	if texts, err := locale.New(app.Config().Language, app.Config().Location()); err == nil && c.flags.lang == "" {
		c.texts = texts
	}
	if len(got.Applied) > 0 {
		c.complain(c.Text("cli.run.reloaded", "Keys", strings.Join(got.Applied, ", ")))
	} else {
		c.complain(c.Text("cli.run.nothing_changed"))
	}
	if len(got.Restart) > 0 {
		c.complain(c.Text("cli.run.needs_restart", "Keys", strings.Join(got.Restart, ", ")))
	}
}

func (c *cli) setLevel(level *slog.LevelVar, cfg *config.Config) {
	level.Set(cfg.LogLevel())
	if c.flags.verbose {
		level.Set(slog.LevelDebug)
	}
}

// daemonLogger writes the daemon's log in the format that the config asks for.
func (c *cli) daemonLogger(cfg *config.Config, level slog.Leveler) *slog.Logger {
	asText := cfg.Log.Format == config.LogText || (cfg.Log.Format == config.LogAuto && c.env.terminal)
	if !asText {
		return slog.New(slog.NewJSONHandler(c.env.stderr, &slog.HandlerOptions{Level: level}))
	}
	plain := c.flags.noColor || c.env.getenv("NO_COLOR") != "" || !c.env.terminal
	return slog.New(tint.NewTextHandler(c.env.stderr, &tint.Options{Level: level, NoColor: plain}))
}
