package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html/template"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/oauth"
	"kontrol/store"
)

// loginFlags say how a person logs in.
type loginFlags struct{ device, browser, noOpen bool }

func (c *cli) mailboxLogin() *cobra.Command {
	var f loginFlags
	cmd := c.command("login", "cli.mailbox_login", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		if f.device && f.browser {
			return misused(models.Say("cli.mailbox_login.both"))
		}
		box, err := c.oauthMailbox(args[0])
		if err != nil {
			return err
		}
		device, err := c.chooseFlow(box, f)
		if err != nil {
			return err
		}
		return c.withDB(cmd.Context(), true, func(db *store.DB) error { return c.logIn(cmd.Context(), db, box, device, f.noOpen) })
	})
	cmd.Flags().BoolVar(&f.device, "device", false, c.Text("cli.flag.device"))
	cmd.Flags().BoolVar(&f.browser, "browser", false, c.Text("cli.flag.browser"))
	cmd.Flags().BoolVar(&f.noOpen, "no-open", false, c.Text("cli.flag.no_open"))
	cmd.ValidArgsFunction = argument(0, c.completeDeclaredMailboxes)
	return cmd
}

func (c *cli) mailboxLogout() *cobra.Command {
	cmd := c.command("logout", "cli.mailbox_logout", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.withDB(cmd.Context(), false, func(db *store.DB) error {
			err := db.DeleteOAuthToken(cmd.Context(), args[0])
			if errors.Is(err, models.ErrNotFound) {
				return told(models.Say("cli.mailbox_logout.nothing", "Address", args[0]))
			}
			if err != nil {
				return err
			}
			c.out.line(c.out.paint(paintGood, "✓"), " ", c.Text("cli.mailbox_logout.done", "Address", models.NormalAddress(args[0])))
			return c.out.err
		})
	})
	cmd.ValidArgsFunction = argument(0, c.completeDeclaredMailboxes)
	return cmd
}

// completeDeclaredMailboxes offers the mailboxes of the config: a first login comes before the database knows any.
func (c *cli) completeDeclaredMailboxes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, err := c.config()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for _, b := range cfg.Mailboxes() {
		if b.OAuth != nil {
			words = append(words, b.Address)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// oauthMailbox finds a mailbox of the config that a person can log in to.
func (c *cli) oauthMailbox(word string) (config.Mailbox, error) {
	cfg, err := c.config()
	if err != nil {
		return config.Mailbox{}, err
	}
	address := models.NormalAddress(word)
	var known []string
	for _, b := range cfg.Mailboxes() {
		known = append(known, b.Address)
		if b.Address != address && !models.Strings(b.Aliases).Has(address) {
			continue
		}
		switch {
		case b.OAuth == nil:
			return b, told(models.Say("cli.mailbox_login.password", "Address", b.Address, "Server", b.Server.Name))
		case b.OAuth.Token != nil:
			return b, told(models.Say("cli.mailbox_login.command", "Address", b.Address))
		}
		return b, nil
	}
	return config.Mailbox{}, misused(models.Say("cli.error.no_mailbox", "Value", word, "Nearest", nearest(address, known), "Known", known))
}

// chooseFlow picks the way to log in: by code where the browser could not come back to this machine.
func (c *cli) chooseFlow(box config.Mailbox, f loginFlags) (device bool, err error) {
	app := box.OAuth.App
	canBrowse := app.AuthURL != "" && (!app.Exact || app.RedirectURL != "")
	switch {
	case f.device && app.DeviceURL == "":
		return false, told(models.Say("cli.mailbox_login.no_device", "Provider", app.Title(), "Address", box.Address))
	case (f.browser || app.DeviceURL == "") && !canBrowse:
		return false, told(models.Say("cli.mailbox_login.no_browser", "Provider", app.Title(), "Server", box.Server.Name))
	case f.device || f.browser:
		return f.device, nil
	}
	return app.DeviceURL != "" && (!canBrowse || !c.hasDisplay()), nil
}

func (c *cli) hasDisplay() bool {
	return runtime.GOOS == "windows" || runtime.GOOS == "darwin" || c.env.getenv("BROWSER") != "" ||
		c.env.getenv("DISPLAY") != "" || c.env.getenv("WAYLAND_DISPLAY") != ""
}

// logIn gets the permission, sees whether it is for this mailbox, and stores it.
func (c *cli) logIn(ctx context.Context, db *store.DB, box config.Mailbox, device, noOpen bool) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	var tokens oauth.Tokens
	if device {
		tokens, err = box.OAuth.App.Device(ctx, box.Address, func(p oauth.Prompt) { c.showCode(box, p, noOpen) })
	} else {
		tokens, err = c.browse(ctx, box, noOpen)
	}
	if err != nil {
		return err
	}
	unsure := daemon.TryToken(ctx, box, tokens.Access(), c.env.now, c.log)
	var refused *imapsync.LoginError
	if errors.As(unsure, &refused) && !models.IsTemporary(unsure) {
		return &models.Told{Phrase: models.Say("cli.mailbox_login.other_account", "Address", box.Address, "Username", box.Username,
			"Provider", box.OAuth.App.Title(), "Reason", c.texts.Error(unsure)), Err: unsure}
	}
	if err := daemon.NewLogins(cfg, db, c.env.now, c.log).Source(box).Grant(ctx, tokens); err != nil {
		return err
	}
	running, err := db.DaemonRunning(ctx)
	if err != nil {
		return err
	}
	next := models.Say("cli.mailbox_login.start")
	if running {
		next = models.Say("cli.mailbox_login.goes_on")
	}
	c.out.line(c.out.paint(paintGood, "✓"), " ", c.Text("cli.mailbox_login.done", "Address", box.Address, "Next", next))
	if unsure != nil {
		c.out.line(c.out.paint(paintWarn, "!"), " ", c.Text("cli.mailbox_login.unsure", "Reason", c.texts.Error(unsure)))
		return errWarned
	}
	return c.out.err
}

// showCode says what to do for the device flow.
func (c *cli) showCode(box config.Mailbox, p oauth.Prompt, noOpen bool) {
	c.out.line(c.Text("cli.mailbox_login.open", "Address", box.Address))
	c.out.line()
	c.out.line("    ", c.out.paint(paintBold, p.URL))
	c.out.line()
	c.out.line(c.Text("cli.mailbox_login.code"))
	c.out.line()
	c.out.line("    ", c.out.paint(paintBold, p.Code))
	c.out.line()
	c.out.line(c.Text("cli.mailbox_login.waiting"))
	url := p.Complete
	if url == "" {
		url = p.URL
	}
	if !noOpen && c.hasDisplay() {
		c.openBrowser(url)
	}
}

// browse runs the browser flow.
func (c *cli) browse(ctx context.Context, box config.Mailbox, noOpen bool) (oauth.Tokens, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return box.OAuth.App.Browser(ctx, oauth.BrowserOptions{
		Address: box.Address,
		Show: func(url string) {
			opened := !noOpen && c.hasDisplay() && c.openBrowser(url)
			if opened {
				c.out.line(c.Text("cli.mailbox_login.opened", "Address", box.Address))
			} else {
				c.out.line(c.Text("cli.mailbox_login.open", "Address", box.Address))
			}
			c.out.line()
			c.out.line("    ", url)
			c.out.line()
			c.out.line(c.Text("cli.mailbox_login.paste"))
		},
		Page:   func(err error) string { return c.page(box.Address, err) },
		Pasted: c.pastedLines(ctx),
	})
}

// pastedLines gives the lines that a person pastes: the address at which a browser elsewhere has stopped. The goroutine
// ends with the input or, at the latest, with the program: reading a terminal cannot be broken off.
func (c *cli) pastedLines(ctx context.Context) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(c.env.stdin)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// openBrowser starts the person's browser and reports whether that can be expected to have worked.
func (c *cli) openBrowser(url string) bool {
	name, args := "xdg-open", []string{url}
	switch {
	case c.env.getenv("BROWSER") != "":
		words := strings.Fields(c.env.getenv("BROWSER"))
		name, args = words[0], append(words[1:], url)
	case runtime.GOOS == "darwin":
		name = "open"
	case runtime.GOOS == "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(name, args...) //nolint:noctx // the browser outlives the command
	if err := cmd.Start(); err != nil {
		return false
	}
	go func() { _ = cmd.Wait() }()
	return true
}

// page is what the browser shows in the end.
func (c *cli) page(address string, err error) string {
	title, text := c.Text("cli.mailbox_login.page_done"), c.Text("cli.mailbox_login.page_close", "Address", address)
	if err != nil {
		title, text = c.Text("cli.mailbox_login.page_failed"), c.errorText(err)
	}
	esc := template.HTMLEscapeString
	return fmt.Sprintf(`<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Kontrol</title>
<style>body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:18vh auto;padding:0 1em;color:#222}h1{font-size:1.5em}</style>
</head><body><h1>%s</h1><p>%s</p></body></html>
`, esc(c.texts.Language()), esc(title), esc(text))
}
