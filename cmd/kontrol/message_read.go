package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/inbound"
	"kontrol/models"
)

func (c *cli) messageRead() *cobra.Command {
	var own []string
	cmd := c.command("read", "cli.message_read", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1<<20); err != nil {
			return err
		}
		if c.flags.format == formatCSV {
			return misused(models.Say("cli.error.no_csv", "Path", cmd.CommandPath()))
		}
		ours, err := ownAddresses(own)
		if err != nil {
			return err
		}
		r := letterReading{c: c, own: ours}
		for _, path := range args {
			if err := r.path(cmd.Context(), path); err != nil {
				return err
			}
		}
		if r.bad > 0 {
			return errWarned
		}
		return c.out.err
	})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	cmd.Flags().StringSliceVar(&own, "own", nil, c.Text("cli.flag.own"))
	return cmd
}

// ownAddresses sorts the values of --own: "@domain" is a domain, the rest are addresses.
func ownAddresses(values []string) (inbound.Own, error) {
	var addresses, domains []string
	for _, v := range values {
		at := strings.LastIndexByte(v, '@')
		switch {
		case at < 0 || at == len(v)-1:
			return inbound.Own{}, misused(models.Say("cli.error.own", "Value", v))
		case at == 0:
			domains = append(domains, v[1:])
		default:
			addresses = append(addresses, v)
		}
	}
	return inbound.NewOwn(addresses, domains), nil
}

// letterReading reads letters from files and shows them as they come.
type letterReading struct {
	c     *cli
	own   inbound.Own
	shown int
	bad   int // files and letters that could not be read
}

// path reads a file, standard input ("-"), or a directory with all below it. What cannot be read is reported and passed
// over.
func (r *letterReading) path(ctx context.Context, path string) error {
	if path == "-" {
		return r.letters(ctx, path, r.c.env.stdin, false)
	}
	info, err := os.Stat(path)
	if err != nil {
		r.complain(path, err)
		return nil
	}
	if !info.IsDir() {
		return r.file(ctx, path, true)
	}
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.complain(name, err)
			return nil
		case entry.IsDir() || !entry.Type().IsRegular(), strings.HasPrefix(entry.Name(), "."):
			return nil
		}
		return r.file(ctx, name, false)
	})
}

// file reads one file. One that was not named itself, but found in a directory, is only taken for letters when it begins
// like one or is named like one.
func (r *letterReading) file(ctx context.Context, name string, named bool) error {
	f, err := os.Open(name)
	if err != nil {
		r.complain(name, err)
		return nil
	}
	single := strings.EqualFold(filepath.Ext(name), ".eml")
	start := make([]byte, 512)
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		r.complain(name, err)
		return f.Close()
	}
	if named || single || inbound.LooksLikeLetter(start[:n]) {
		all := io.MultiReader(bytes.NewReader(start[:n]), f) // not by seeking: it may be a pipe
		if err := r.letters(ctx, name, all, single); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	return nil
}

// letters reads what a file holds: one letter, or a mailbox.
func (r *letterReading) letters(ctx context.Context, name string, in io.Reader, single bool) error {
	number := 0
	one := func(letter io.Reader) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		number++
		facts, err := inbound.ReadAll(letter, r.own)
		if quarantine := inbound.Quarantine(err); !quarantine.IsZero() {
			r.bad++
			return r.quarantined(name, number, quarantine)
		}
		if err != nil {
			return &readError{err}
		}
		return r.show(name, number, facts)
	}
	err := error(nil)
	if single {
		err = one(in)
	} else {
		err = inbound.EachLetter(in, one)
	}
	var failed *readError
	if errors.As(err, &failed) {
		r.complain(name, failed.err)
		return nil
	}
	return err
}

// readError is the failure to read a file, as opposed to the failure to show what was read.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func (r *letterReading) complain(name string, err error) {
	r.bad++
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	r.c.complain(r.c.Text("cli.message_read.unreadable", "Path", name, "Detail", err.Error()))
}

// quarantined tells of a letter that nothing can be made of.
func (r *letterReading) quarantined(name string, number int, why models.Phrase) error {
	r.c.complain(r.c.Text("cli.message_read.quarantined", "Path", name, "Number", number, "Why", r.c.texts.Say(why)))
	if r.c.flags.format != formatJSON {
		return r.c.out.err
	}
	j := readJSONOf(name, number, inbound.Facts{})
	j.Quarantine = r.c.phrase(why)
	return r.c.out.jsonLine(j)
}

func (r *letterReading) show(name string, number int, f inbound.Facts) error {
	if r.c.flags.format == formatJSON {
		return r.c.out.jsonLine(readJSONOf(name, number, f))
	}
	if r.shown++; r.shown > 1 {
		r.c.out.line()
	}
	return r.c.showRead(name, f)
}
