package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

func (c *cli) messageCommand() *cobra.Command {
	return c.group("message", "cli.message", c.messageList(), c.messageShow(), c.messageWhy(), c.messageThreads())
}

// listFilter holds the flags of `kontrol message list`.
type listFilter struct {
	mailbox, folder, client, class, since, query string
	deal                                         string
	unanswered                                   bool
	limit                                        int
}

func (c *cli) messageList() *cobra.Command {
	var f listFilter
	cmd := c.command("list", "cli.message_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error { return c.listLetters(cmd.Context(), q, f) })
	})
	flags := cmd.Flags()
	flags.StringVar(&f.mailbox, "mailbox", "", c.Text("cli.flag.mailbox"))
	flags.StringVar(&f.folder, "folder", "", c.Text("cli.flag.folder"))
	flags.StringVar(&f.client, "client", "", c.Text("cli.flag.client"))
	flags.StringVar(&f.deal, "deal", "", c.Text("cli.flag.deal"))
	flags.StringVar(&f.class, "class", "", c.Text("cli.flag.class"))
	flags.BoolVar(&f.unanswered, "unanswered", false, c.Text("cli.flag.unanswered"))
	flags.StringVar(&f.since, "since", "", c.Text("cli.flag.since"))
	flags.StringVar(&f.query, "query", "", c.Text("cli.flag.query"))
	flags.IntVar(&f.limit, "limit", 50, c.Text("cli.flag.limit"))
	c.completeFlag(cmd, "mailbox", c.completeMailboxes)
	c.completeFlag(cmd, "client", c.completeClients)
	c.completeFlag(cmd, "deal", c.completeDeals)
	c.completeWords(cmd, "folder", folderRoles()...)
	c.completeWords(cmd, "class", classes()...)
	return cmd
}

func folderRoles() []string {
	return []string{string(models.FolderInbox), string(models.FolderControl), string(models.FolderProcessed), string(models.FolderSent)}
}

func classes() []string {
	var names []string
	for _, k := range models.Classes() {
		names = append(names, string(k))
	}
	return names
}

// filter turns the flags into what the store asks for.
func (c *cli) filter(ctx context.Context, q *store.Queries, f listFilter) (store.LetterFilter, error) {
	out := store.LetterFilter{Role: models.FolderRole(f.folder), Class: models.Class(f.class), Query: f.query,
		Unanswered: f.unanswered, Limit: rowLimit(f.limit)}
	if f.folder != "" {
		if err := c.oneOf("folder", f.folder, folderRoles()); err != nil {
			return out, err
		}
	}
	if f.class != "" {
		if err := c.oneOf("class", f.class, classes()); err != nil {
			return out, err
		}
	}
	if f.since != "" {
		since, err := parseSince(f.since, c.localNow())
		if err != nil {
			return out, err
		}
		out.Since = since
	}
	if f.mailbox != "" {
		m, err := c.findMailbox(ctx, q, f.mailbox)
		if err != nil {
			return out, err
		}
		out.MailboxID = m.ID
	}
	if f.client != "" {
		client, err := c.findClient(ctx, q, f.client)
		if err != nil {
			return out, err
		}
		out.ClientID = client.ID
	}
	if f.deal != "" {
		d, err := c.findDeal(ctx, q, f.deal)
		if err != nil {
			return out, err
		}
		out.DealID = d.ID
	}
	return out, nil
}

// rowLimit turns the 0 of --limit, meaning all, into a number.
func rowLimit(n int) int {
	const all = 1 << 30
	if n <= 0 {
		return all
	}
	return n
}

// listedJSON is a row of `kontrol message list --format json`.
type listedJSON struct {
	letterJSON
	Clients []string   `json:"clients"`
	Deals   []int64    `json:"deals"`
	Copies  []copyJSON `json:"copies"`
}

func (c *cli) listLetters(ctx context.Context, q *store.Queries, f listFilter) error {
	filter, err := c.filter(ctx, q, f)
	if err != nil {
		return err
	}
	letters, err := q.ListLetters(ctx, filter)
	if err != nil {
		return err
	}
	return c.showLetters(ctx, q, letters, c.Text("cli.message_list.empty"))
}

func (c *cli) showLetters(ctx context.Context, q *store.Queries, letters []store.ListedLetter, empty string) error {
	mailboxes, folders, err := loadPlaces(ctx, q)
	if err != nil {
		return err
	}
	s := story{mailboxes: mailboxes, folders: folders}
	rows, values := [][]string{}, []listedJSON{}
	for _, l := range letters {
		j := listedJSON{letterJSON: c.letterJSON(l.Letter), Clients: []string{}, Deals: []int64{}, Copies: []copyJSON{}}
		var places []string
		for _, at := range l.Locations {
			j.Copies = append(j.Copies, c.copyJSON(s, at))
			places = append(places, mailboxes[at.MailboxID].Address+": "+c.folderName(folders[at.FolderID].Role))
		}
		whose := make([]string, 0, len(l.Links))
		for _, k := range l.Links {
			name := ""
			if k.Client != nil {
				name = k.Client.Name
				j.Clients = append(j.Clients, name)
			}
			if k.Deal != nil {
				name += " #" + strconv.FormatInt(k.Deal.Number, 10)
				j.Deals = append(j.Deals, k.Deal.Number)
			}
			whose = append(whose, name)
		}
		values = append(values, j)
		kind := ""
		if l.Class != models.ClassPerson { // what nearly all are is not worth the room
			kind = c.class(l.Class)
		}
		rows = append(rows, []string{strconv.FormatInt(l.ID, 10), arrow(l.Direction), c.texts.Time(l.ArrivedAt), counterpart(l.Letter),
			c.subject(l.Letter), kind, strings.Join(whose, "; "), strings.Join(places, "; ")})
	}
	return c.out.list(c.flags.format, listing{columns: []column{
		{title: "№", right: true}, {title: "↔"}, {title: c.Text("cli.column.arrived")}, {title: c.Text("cli.column.who"), flex: true},
		{title: c.Text("cli.column.subject"), flex: true}, {title: c.Text("cli.column.class")},
		{title: c.Text("cli.column.client"), flex: true}, {title: c.Text("cli.column.where"), flex: true},
	}, rows: rows, values: values, empty: empty})
}

// counterpart names who is at the other end of a letter.
func counterpart(l models.Letter) string {
	switch {
	case l.Direction == models.Outbound && len(l.To) > 0:
		return l.To[0]
	case l.FromName != "":
		return l.FromName
	}
	return l.FromAddress
}

func (c *cli) messageShow() *cobra.Command {
	return c.command("show", "cli.message_show", func(cmd *cobra.Command, args []string) error {
		return c.withLetter(cmd, args, func(q *store.Queries, l models.Letter) error {
			s, err := loadStory(cmd.Context(), q, l)
			if err != nil {
				return err
			}
			if c.flags.format == formatJSON {
				return c.out.json(c.shownJSON(s))
			}
			return c.showLetter(s)
		})
	})
}

// shownJSON is what `kontrol message show --format json` gives.
type shownJSON struct {
	letterJSON
	Links  []linkJSON `json:"links"`
	Copies []copyJSON `json:"copies"`
	Text   string     `json:"text"`
}

func (c *cli) shownJSON(s story) shownJSON {
	full := c.storyJSON(s)
	return shownJSON{letterJSON: full.Letter, Links: full.Links, Copies: full.Copies, Text: s.letter.Text}
}

func (c *cli) showLetter(s story) error {
	c.tellLetter(s.letter)
	var current []models.Link
	for _, l := range s.links {
		if l.SupersededAt == nil {
			current = append(current, l)
		}
	}
	c.tellLinks(current)
	c.tellCopies(s)
	c.out.heading(c.Text("cli.message_show.text"))
	if strings.TrimSpace(s.letter.Text) == "" {
		c.out.line("  ", c.Text("cli.message_show.no_text"))
	} else {
		c.out.block("  ", strings.TrimSpace(s.letter.Text))
	}
	return c.out.err
}

func (c *cli) messageWhy() *cobra.Command {
	return c.command("why", "cli.message_why", func(cmd *cobra.Command, args []string) error {
		return c.withLetter(cmd, args, func(q *store.Queries, l models.Letter) error {
			s, err := loadStory(cmd.Context(), q, l)
			if err != nil {
				return err
			}
			if c.flags.format == formatJSON {
				return c.out.json(c.storyJSON(s))
			}
			return c.tellStory(s)
		})
	})
}

// withLetter finds the letter that the only argument names.
func (c *cli) withLetter(cmd *cobra.Command, args []string, f func(q *store.Queries, l models.Letter) error) error {
	if err := c.arguments(cmd, args, 1, 1); err != nil {
		return err
	}
	if c.flags.format == formatCSV {
		return misused(models.Say("cli.error.no_csv", "Path", cmd.CommandPath()))
	}
	return c.read(cmd.Context(), func(q *store.Queries) error {
		l, err := findLetter(cmd.Context(), q, args[0])
		if err != nil {
			return err
		}
		return f(q, l)
	})
}

// findLetter finds a letter by its number (17, №17) or by its Message-ID.
func findLetter(ctx context.Context, q *store.Queries, word string) (models.Letter, error) {
	if id, err := strconv.ParseInt(strings.TrimLeft(word, "#№ "), 10, 64); err == nil {
		l, err := q.Letter(ctx, id)
		if errors.Is(err, models.ErrNotFound) {
			return l, told(models.Say("cli.error.no_letter", "ID", id))
		}
		return l, err
	}
	found, err := q.LettersByMessageIDs(ctx, []string{strings.Trim(word, "<> ")})
	switch {
	case err != nil:
		return models.Letter{}, err
	case len(found) == 0:
		return models.Letter{}, told(models.Say("cli.error.no_message_id", "Value", word))
	case len(found) > 1:
		var ids []string
		for _, l := range found {
			ids = append(ids, strconv.FormatInt(l.ID, 10))
		}
		return models.Letter{}, misused(models.Say("cli.error.many_letters", "Value", word, "IDs", ids))
	}
	return found[0], nil
}
