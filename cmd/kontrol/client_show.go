package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

// The most letters that `kontrol client show` and `kontrol deal show` list.
const lastLetters = 10

func (c *cli) clientShow() *cobra.Command {
	var limit int
	cmd := c.command("show", "cli.client_show", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			found, err := c.findClient(cmd.Context(), q, args[0])
			if err != nil {
				return err
			}
			return c.showClient(cmd.Context(), q, found.ID, rowLimit(limit))
		})
	})
	cmd.Flags().IntVar(&limit, "limit", 20, c.Text("cli.flag.limit"))
	cmd.ValidArgsFunction = argument(0, c.completeClients)
	return cmd
}

// clientDetailJSON is what `kontrol client show --format json` gives.
type clientDetailJSON struct {
	clientJSON
	Deals    []dealJSON     `json:"deals"`
	Letters  []letterJSON   `json:"letters"`
	Rules    []linkRuleJSON `json:"rules"`
	Owners   []ownerJSON    `json:"owners"`
	Timeline []entryJSON    `json:"timeline"`
}

// ownerJSON is a span of a client's time.
type ownerJSON struct {
	Manager string  `json:"manager"`
	Since   *string `json:"since"`
	Until   *string `json:"until"`
	Reason  string  `json:"reason"`
	Comment string  `json:"comment"`
}

// entryJSON is a line of a client's timeline.
type entryJSON struct {
	At   *string `json:"at"`
	Kind string  `json:"kind"`
	ID   int64   `json:"id"`
	Who  string  `json:"who"`
	Text string  `json:"text"`
}

// entry says a line of a timeline.
func (c *cli) entry(e store.Entry) entryJSON {
	j := entryJSON{At: stamp(&e.At), Kind: string(e.Kind), ID: e.ID}
	switch e.Kind {
	case store.EntryLetter:
		j.Kind += "_" + string(e.Letter.Direction)
		j.Who, j.Text = counterpart(*e.Letter), arrow(e.Letter.Direction)+" "+c.subject(*e.Letter)
	case store.EntryNote:
		j.Who, j.Text = e.Note.Author, e.Note.Text
	case store.EntryEvent:
		j.Kind, j.Who, j.Text = string(e.Event.Kind), actor(e.Event.Actor), c.texts.Say(e.Event.Text)
	}
	return j
}

// tellTimeline writes the timeline, the newest first.
func (c *cli) tellTimeline(entries []store.Entry) error {
	l := listing{columns: []column{{title: c.Text("cli.column.when")}, {title: c.Text("cli.column.what"), flex: true}, {title: c.Text("cli.column.who"), flex: true},
		{title: "№", right: true}}, empty: "  " + c.Text("cli.client_show.no_timeline")}
	for _, e := range entries {
		j, number := c.entry(e), ""
		if e.Kind == store.EntryLetter {
			number = strconv.FormatInt(e.ID, 10)
		}
		l.rows = append(l.rows, []string{c.texts.Time(e.At), strings.ReplaceAll(j.Text, "\n", " "), j.Who, number})
	}
	return c.out.list(formatTable, l)
}

func (c *cli) showClient(ctx context.Context, q *store.Queries, id int64, limit int) error {
	card, err := q.Client(ctx, id)
	if err != nil {
		return err
	}
	deals, err := q.Deals(ctx, store.DealFilter{ClientID: id})
	if err != nil {
		return err
	}
	letters, err := q.ListLetters(ctx, store.LetterFilter{ClientID: id, Limit: lastLetters})
	if err != nil {
		return err
	}
	rules, err := q.LinkRules(ctx, id)
	if err != nil {
		return err
	}
	timeline, err := q.Timeline(ctx, id, time.Time{}, limit)
	if err != nil {
		return err
	}
	owners, err := q.OwnersOf(ctx, id)
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(c.clientDetail(card, deals, letters, rules, owners, timeline))
	}
	if err := c.clientFacts(card); err != nil || c.flags.format == formatCSV {
		return err
	}
	c.tellContacts(card)
	c.tellLinkRules(rules)
	c.out.heading(c.Text("cli.client_show.deals"))
	table := c.dealListing(deals, false)
	table.empty = "  " + c.Text("cli.client_show.no_deals")
	if err := c.out.list(formatTable, table); err != nil {
		return err
	}
	c.tellOwners(owners)
	c.out.heading(c.Text("cli.client_show.timeline"))
	return c.tellTimeline(timeline)
}

// tellOwners writes whose the client was, when that has ever changed.
func (c *cli) tellOwners(owners []models.ClientOwner) {
	if len(owners) < 2 {
		return
	}
	c.out.heading(c.Text("cli.client_show.owners"))
	for _, o := range owners {
		name := ""
		if o.Manager != nil {
			name = o.Manager.Name
		}
		line := "  " + c.day(&o.Since) + " – " + c.day(o.Until) + "  " + name
		if o.Comment != "" {
			line += ": " + o.Comment
		}
		c.out.line(line)
	}
}

func (c *cli) clientDetail(card store.ClientCard, deals []models.Deal, letters []store.ListedLetter, rules []models.LinkRule,
	owners []models.ClientOwner, timeline []store.Entry,
) clientDetailJSON {
	j := clientDetailJSON{
		clientJSON: c.clientJSON(card), Deals: []dealJSON{}, Letters: []letterJSON{}, Rules: []linkRuleJSON{}, Owners: []ownerJSON{}, Timeline: []entryJSON{},
	}
	for _, r := range rules {
		j.Rules = append(j.Rules, c.linkRuleJSON(r))
	}
	for _, d := range deals {
		j.Deals = append(j.Deals, c.dealJSON(d))
	}
	for _, l := range letters {
		j.Letters = append(j.Letters, c.letterJSON(l.Letter))
	}
	for _, o := range owners {
		x := ownerJSON{Since: stamp(&o.Since), Until: stamp(o.Until), Reason: string(o.Reason), Comment: o.Comment}
		if o.Manager != nil {
			x.Manager = o.Manager.Name
		}
		j.Owners = append(j.Owners, x)
	}
	for _, e := range timeline {
		j.Timeline = append(j.Timeline, c.entry(e))
	}
	return j
}

func (c *cli) clientFacts(card store.ClientCard) error {
	j := c.clientJSON(card)
	inn := ""
	if j.INN != nil {
		inn = *j.INN
	}
	claim := ""
	if card.Claim != nil {
		claim = c.Text("cli.client_show.claim", "Manager", j.ClaimedBy, "Until", card.Claim.ExpiresAt)
	}
	rows := [][2]string{
		{"№", strconv.FormatInt(j.ID, 10)},
		{c.Text("cli.column.client"), j.Name},
		{c.Text("cli.column.inn"), inn},
		{c.Text("cli.column.kpp"), j.KPP},
		{c.Text("cli.column.owner"), j.Owner},
		{c.Text("cli.column.claims"), claim},
		{c.Text("cli.column.temperature"), c.temperatureName(card.Temperature)},
		{c.Text("cli.column.tags"), strings.Join(j.Tags, ", ")},
		{c.Text("cli.column.domains"), strings.Join(j.Domains, ", ")},
		{c.Text("cli.column.comment"), j.Comment},
		{c.Text("cli.column.created"), c.texts.Time(card.CreatedAt)},
		{c.Text("cli.column.forgotten"), c.when(card.ForgottenAt)},
	}
	for _, f := range card.Fields {
		rows = append(rows, [2]string{f.Name, f.Value})
	}
	return c.facts(rows)
}

func (c *cli) tellContacts(card store.ClientCard) {
	c.out.heading(c.Text("cli.client_show.contacts"))
	if len(card.Contacts) == 0 {
		c.out.line("  ", c.Text("cli.client_show.no_contacts"))
	}
	for _, k := range card.Contacts {
		var parts []string
		for _, s := range []string{k.Name, k.Position} {
			if s != "" {
				parts = append(parts, s)
			}
		}
		for _, kind := range []models.ContactPointKind{models.PointEmail, models.PointPhone} {
			for _, p := range k.Points {
				switch {
				case p.Kind != kind:
				case p.Alive():
					parts = append(parts, p.Value)
				default:
					parts = append(parts, c.Text("cli.client_show.dead", "Address", p.Value, "At", *p.DeadAt))
				}
			}
		}
		c.out.line("  ", strings.Join(parts, ", "))
	}
}
