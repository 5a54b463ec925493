package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/inbound"
	"kontrol/models"
)

// threadings are the ways to make conversations, by the words of --by.
func threadings() map[string]inbound.Threading {
	return map[string]inbound.Threading{"references": inbound.ByReferences, "ids": inbound.ByReferencesOnly, "subject": inbound.BySubject}
}

func (c *cli) messageThreads() *cobra.Command {
	by := ""
	cmd := c.command("threads", "cli.message_threads", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1<<20); err != nil {
			return err
		}
		how, ok := threadings()[by]
		if !ok {
			return c.oneOf("by", by, []string{"references", "ids", "subject"})
		}
		var letters diskLetters
		for _, path := range args {
			if err := letters.read(cmd.Context(), path); err != nil {
				return told(models.Say("cli.message_threads.unreadable", "Path", path, "Detail", reasonOf(err)))
			}
		}
		return c.showThreads(letters, inbound.Threads(letters.threaded, how))
	})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	cmd.Flags().StringVar(&by, "by", "references", c.Text("cli.flag.by"))
	c.completeWords(cmd, "by", "references", "ids", "subject")
	return cmd
}

// diskLetters are letters in files, as many as there are: only what threading needs of each is kept.
type diskLetters struct {
	threaded []inbound.Threaded
	files    []string // where each lies
}

// read takes in a letter, a file of many, or a directory of either with all below it. Files that are no letters are passed
// over; of what is hidden only what is named.
func (d *diskLetters) read(ctx context.Context, path string) error {
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case name != path && strings.HasPrefix(entry.Name(), ".") && !entry.IsDir():
			return nil
		case entry.IsDir() || name != path && !entry.Type().IsRegular():
			return nil
		}
		return d.file(name)
	})
}

func (d *diskLetters) file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	err = inbound.ReadBox(file, func(header []byte, at time.Time) error {
		l, ok := inbound.ThreadedOf(header, at)
		if ok || !at.IsZero() {
			d.threaded, d.files = append(d.threaded, l), append(d.files, name)
		}
		return nil
	})
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// threadJSON is a conversation in the output of `kontrol message threads --format json`.
type threadJSON struct {
	Messages []threadMessageJSON `json:"messages"`
}

// threadMessageJSON is a letter of it. Numbers count the letters as they were read, from 1; they tell apart letters without
// a Message-ID.
type threadMessageJSON struct {
	MessageID    string   `json:"message_id"`
	Parent       *string  `json:"parent"` // its Message-ID; null for a letter that continues none of those read
	Number       int      `json:"number"`
	ParentNumber *int     `json:"parent_number"`
	Subject      string   `json:"subject"`
	Date         *string  `json:"date"`
	File         string   `json:"file"`
	Copies       []string `json:"copies"` // files with the same letter once more
}

func (c *cli) showThreads(letters diskLetters, threads [][]inbound.ThreadNode) error {
	values, rows := make([]threadJSON, 0, len(threads)), [][]string{}
	for number, nodes := range threads {
		var thread threadJSON
		for _, n := range nodes {
			l := letters.threaded[n.Letter]
			m := threadMessageJSON{MessageID: l.ID, Number: n.Letter + 1, Subject: l.Subject, File: letters.files[n.Letter], Copies: []string{}}
			if n.Parent >= 0 {
				parent := nodes[n.Parent].Letter + 1
				m.Parent, m.ParentNumber = &letters.threaded[parent-1].ID, &parent
			}
			date := ""
			if !l.At.IsZero() {
				m.Date, date = stamp(&l.At), c.texts.Time(l.At)
			}
			for _, i := range n.Copies {
				m.Copies = append(m.Copies, letters.files[i])
			}
			thread.Messages = append(thread.Messages, m)
			indent := strings.Repeat("  ", min(n.Depth, 10))
			rows = append(rows, []string{strconv.Itoa(number + 1), indent + c.subject(models.Letter{Subject: l.Subject}), date, l.ID, m.File})
		}
		values = append(values, thread)
	}
	return c.out.list(c.flags.format, listing{columns: []column{
		{title: c.Text("cli.column.thread"), right: true}, {title: c.Text("cli.column.subject"), flex: true}, {title: c.Text("cli.column.date")},
		{title: "Message-ID", flex: true}, {title: c.Text("cli.column.file"), flex: true},
	}, rows: rows, values: values, empty: c.Text("cli.message_threads.empty")})
}
