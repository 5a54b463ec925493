package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"kontrol/locale"
	"kontrol/models"
)

// The exit codes, as documented in `kontrol help`.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitWarnings = 3
)

// environment is what a command takes from the outside world.
type environment struct {
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	getenv   func(string) string
	now      func() time.Time
	width    int  // columns of the terminal that stdout is; 0 when it is none
	terminal bool // stderr is a terminal: progress bars and colours make sense
}

// system is the environment of the running process.
func system() environment {
	env := environment{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, now: time.Now,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		env.width = 80
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			env.width = w
		}
	}
	return env
}

// cli is one execution of the command line.
type cli struct {
	env   environment
	texts *locale.Texts
	out   *output
	flags globalFlags
	conf  settings
	log   *slog.Logger

	acting string // the address of the person in whose name a command runs; "" for who is at the terminal
}

// globalFlags are the flags that every command has.
type globalFlags struct {
	config  string
	format  string
	lang    string
	as      string // the manager in whose name is looked; "" sees everything
	noColor bool
	verbose bool
}

// errWarned ends a command that has done its work and has already said what needs a person's attention.
var errWarned = errors.New("done with warnings")

// usageError is an error in the way the program was called or configured: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// told makes an error for people from a key and its arguments; the log gets the key.
func told(p models.Phrase) error { return &models.Told{Phrase: p, Err: errors.New(p.ID)} }

// misused makes a usage error for people.
func misused(p models.Phrase) error { return &usageError{told(p)} }

// execute runs the command line args and returns the exit code.
func execute(ctx context.Context, args []string, env environment) int {
	c := &cli{env: env}
	early := scanEarly(args)
	c.flags = early
	lang := early.lang
	if lang == "" {
		lang = c.configLanguage()
	}
	texts, err := locale.New(lang, c.configZone())
	if err != nil { // an unknown --lang is reported in Russian by checkGlobals, an unknown language by the config
		if texts, err = locale.New("", c.configZone()); err != nil {
			_, _ = io.WriteString(env.stderr, err.Error()+"\n")
			return exitFailed
		}
	}
	c.texts = texts
	plain := early.noColor || env.getenv("NO_COLOR") != "" || env.getenv("TERM") == "dumb"
	c.out = &output{w: env.stdout, width: env.width, colour: env.width > 0 && !plain}
	c.log = c.logger(plain)
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetIn(env.stdin)
	err = root.ExecuteContext(ctx)
	if err == nil {
		err = c.out.err
	}
	return c.finish(err)
}

// logger writes for the administrator: warnings only, or everything with --verbose.
func (c *cli) logger(plain bool) *slog.Logger {
	level := slog.LevelWarn
	if c.flags.verbose {
		level = slog.LevelDebug
	}
	return slog.New(tint.NewTextHandler(c.env.stderr, &tint.Options{
		Level: level, NoColor: plain || !c.env.terminal, TimeFormat: time.DateTime,
	}))
}

// Text renders the text with the given key; see models.Say.
func (c *cli) Text(id string, pairs ...any) string { return c.texts.Text(id, pairs...) }

// optional renders a text that not every command has: "" when there is none.
func (c *cli) optional(id string) string {
	if s := c.texts.Text(id); s != id {
		return s
	}
	return ""
}

// complain writes a line for people to standard error, so that listings on standard output stay clean.
func (c *cli) complain(text string) {
	e := output{w: c.env.stderr}
	for _, line := range strings.Split(text, "\n") {
		e.line(line)
	}
}

// finish tells the error, if any, and picks the exit code.
func (c *cli) finish(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errWarned):
		return exitWarnings
	case errors.Is(err, errRefused):
		return exitFailed
	case errors.Is(err, context.Canceled):
		c.complain(c.Text("cli.error.interrupted"))
		return exitFailed
	}
	code := exitFailed
	var usage *usageError
	if errors.As(err, &usage) {
		code = exitUsage
	}
	c.complain(c.errorText(err))
	if c.flags.verbose {
		c.complain(c.Text("cli.error.detail", "Detail", err.Error()))
	}
	return code
}

// errorText says an error: the phrase where there is one, and otherwise that the technical words are what we have.
func (c *cli) errorText(err error) string {
	var usage *usageError
	if errors.As(err, &usage) {
		err = usage.err // it may be several, which are told one a line
	}
	text := c.texts.Error(err)
	if _, ok := models.PhraseOf(err); ok {
		return text
	}
	return c.Text("cli.error.unexpected", "Detail", text)
}

// scanEarly finds the global flags that decide the language before the commands are built. It is forgiving: the real
// parsing comes later and complains.
func scanEarly(args []string) globalFlags {
	var g globalFlags
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		name, value, has := strings.Cut(args[i], "=")
		if !has && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--lang":
			g.lang = value
		case "--config":
			g.config = value
		case "--no-color":
			g.noColor = !has || value == "true"
		case "--verbose":
			g.verbose = !has || value == "true"
		}
	}
	return g
}

// misusedAll makes one usage error of all that is wrong, nil when nothing is.
func misusedAll(wrong []models.Phrase) error {
	errs := make([]error, 0, len(wrong))
	for _, p := range wrong {
		errs = append(errs, told(p))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}
