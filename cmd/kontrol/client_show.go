package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

// The most letters that `kontrol client show` lists.
const lastLetters = 10

func (c *cli) clientShow() *cobra.Command {
	cmd := c.command("show", "cli.client_show", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			found, err := c.findClient(cmd.Context(), q, args[0])
			if err != nil {
				return err
			}
			return c.showClient(cmd.Context(), q, found.ID)
		})
	})
	cmd.ValidArgsFunction = argument(0, c.completeClients)
	return cmd
}

// clientDetailJSON is what `kontrol client show --format json` gives.
type clientDetailJSON struct {
	clientJSON
	Deals   []dealJSON     `json:"deals"`
	Letters []letterJSON   `json:"letters"`
	Rules   []linkRuleJSON `json:"rules"`
}

func (c *cli) showClient(ctx context.Context, q *store.Queries, id int64) error {
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
	if c.flags.format == formatJSON {
		j := clientDetailJSON{clientJSON: c.clientJSON(card), Deals: []dealJSON{}, Letters: []letterJSON{}, Rules: []linkRuleJSON{}}
		for _, r := range rules {
			j.Rules = append(j.Rules, c.linkRuleJSON(r))
		}
		for _, d := range deals {
			j.Deals = append(j.Deals, c.dealJSON(d))
		}
		for _, l := range letters {
			j.Letters = append(j.Letters, c.letterJSON(l.Letter))
		}
		return c.out.json(j)
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
	c.out.heading(c.Text("cli.client_show.letters"))
	return c.showLetters(ctx, q, letters, "  "+c.Text("cli.client_show.no_letters"))
}

func (c *cli) clientFacts(card store.ClientCard) error {
	j := c.clientJSON(card)
	inn := ""
	if j.INN != nil {
		inn = *j.INN
	}
	return c.facts([][2]string{
		{"№", strconv.FormatInt(j.ID, 10)},
		{c.Text("cli.column.client"), j.Name},
		{c.Text("cli.column.inn"), inn},
		{c.Text("cli.column.kpp"), j.KPP},
		{c.Text("cli.column.owner"), j.Owner},
		{c.Text("cli.column.domains"), strings.Join(j.Domains, ", ")},
		{c.Text("cli.column.comment"), j.Comment},
		{c.Text("cli.column.created"), c.texts.Time(card.CreatedAt)},
	})
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
				if p.Kind == kind {
					parts = append(parts, p.Value)
				}
			}
		}
		c.out.line("  ", strings.Join(parts, ", "))
	}
}
