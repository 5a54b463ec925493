package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/imapsync"
	"kontrol/internal/bench/letters"
	"kontrol/models"
)

// daemonChild is the whole program, as `kontrol run` starts it, over TLS. It says that it is ready when every mailbox has
// been looked at and all letters of Sent are known.
func daemonChild(ctx context.Context, c *child) error {
	cfg, err := c.daemonConfig()
	if err != nil {
		return err
	}
	app, err := daemon.New(ctx, daemon.Options{Config: cfg, Logger: logger(), Timing: imapsync.Timing{}})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	err = c.timed("start", func() error {
		go func() { ended <- app.Run(ctx) }()
		return until(ctx, 50*time.Millisecond, 20*time.Minute, func() (bool, error) { return c.allSeen(ctx, app) })
	})
	if err == nil {
		err = c.ready()
	}
	stop()
	return errors.Join(err, <-ended)
}

// allSeen tells whether all mailboxes are connected and looked at, with as many letters in Sent as there have to be.
func (c *child) allSeen(ctx context.Context, app *daemon.App) (bool, error) {
	boxes, err := app.DB().Read().Mailboxes(ctx)
	if err != nil {
		return false, err
	}
	n := 0
	for _, b := range boxes {
		if b.Connected && b.SyncedAt != nil {
			n++
		}
	}
	if n < max(1, c.Boxes) || c.Sent == 0 {
		return n >= max(1, c.Boxes), nil
	}
	f, err := app.DB().Read().FolderByRole(ctx, boxes[0].ID, models.FolderSent)
	return f.SyncedAt != nil && f.LastUID >= uint32(c.Sent), err
}

// daemonConfig writes and reads a config as an administrator would write it.
func (c *child) daemonConfig() (*config.Config, error) {
	_, port, err := net.SplitHostPort(c.IMAPS)
	if err != nil {
		return nil, err
	}
	secret := filepath.Join(c.State, "password")
	if err := os.WriteFile(secret, []byte(c.Password+"\n"), 0o600); err != nil {
		return nil, err
	}
	f := letters.Folders()
	var b strings.Builder
	fmt.Fprintf(&b, "[company]\nname = \"ООО «Теплодом»\"\ndomains = [%q]\n\n[database]\nurl = %q\n\n[servers.corp]\nimap = \"imaps://localhost:%s\"\n"+
		"ca_file = %q\n\n[folders]\nprocessed = %q\ncontrol = %q\n\n[log]\nlevel = \"warn\"\n",
		letters.Company, c.Database, port, c.CAFile, f[0], f[1])
	for i := range max(1, c.Boxes) {
		user := c.User
		if c.Boxes > 0 {
			user = idleUser(i)
		}
		fmt.Fprintf(&b, "\n[[managers]]\nname = %q\nemail = \"%s@%s\"\nserver = \"corp\"\nusername = %q\npassword_file = %q\n",
			user, user, letters.Company, user, secret)
	}
	path := filepath.Join(c.State, "config.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	return config.Load(path, func(string) string { return "" })
}

// idleUser is the login of mailbox number i of job idle.
func idleUser(i int) string { return fmt.Sprintf("idle%04d", i) }
