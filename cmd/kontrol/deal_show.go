package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

func (c *cli) dealShow() *cobra.Command {
	cmd := c.command("show", "cli.deal_show", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			d, err := c.findDeal(cmd.Context(), q, args[0])
			if err != nil {
				return err
			}
			return c.showDeal(cmd.Context(), q, d)
		})
	})
	cmd.ValidArgsFunction = argument(0, c.completeDeals)
	return cmd
}

// dealDetailJSON is what `kontrol deal show --format json` gives.
type dealDetailJSON struct {
	dealJSON
	History []stageChangeJSON `json:"history"`
	Letters []letterJSON      `json:"letters"`
}

type stageChangeJSON struct {
	From       string  `json:"from"`
	To         string  `json:"to"`
	Actor      string  `json:"actor"`
	Reason     string  `json:"reason"`
	OccurredAt *string `json:"occurred_at"`
}

func (c *cli) showDeal(ctx context.Context, q *store.Queries, d models.Deal) error {
	history, err := q.StageChanges(ctx, d.ID)
	if err != nil {
		return err
	}
	stages, err := q.Stages(ctx)
	if err != nil {
		return err
	}
	letters, err := q.ListLetters(ctx, store.LetterFilter{DealID: d.ID, Limit: lastLetters})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		j := dealDetailJSON{dealJSON: c.dealJSON(d), History: []stageChangeJSON{}, Letters: []letterJSON{}}
		for _, h := range history {
			j.History = append(j.History, stageChangeJSON{h.FromCode, h.ToCode, h.Actor, h.Reason, stamp(&h.OccurredAt)})
		}
		for _, l := range letters {
			j.Letters = append(j.Letters, c.letterJSON(l.Letter))
		}
		return c.out.json(j)
	}
	if err := c.dealFacts(d); err != nil || c.flags.format == formatCSV {
		return err
	}
	c.tellHistory(history, stages)
	c.out.heading(c.Text("cli.client_show.letters"))
	return c.showLetters(ctx, q, letters, "  "+c.Text("cli.client_show.no_letters"))
}

func (c *cli) dealFacts(d models.Deal) error {
	j := c.dealJSON(d)
	amount := ""
	if d.Amount.Minor != 0 {
		amount = showMoney(d.Amount)
	}
	return c.facts([][2]string{
		{c.Text("cli.column.deal"), "#" + strconv.FormatInt(d.Number, 10) + " " + d.Title},
		{c.Text("cli.column.client"), j.Client},
		{c.Text("cli.column.stage"), j.StageName},
		{c.Text("cli.column.amount"), amount},
		{c.Text("cli.column.owner"), j.Owner},
		{c.Text("cli.column.next"), d.NextAction},
		{c.Text("cli.column.next_at"), c.day(d.NextActionAt)},
		{c.Text("cli.column.lost_reason"), d.LostReason},
		{c.Text("cli.column.created"), c.texts.Time(d.CreatedAt)},
		{c.Text("cli.column.closed"), c.when(d.ClosedAt)},
	})
}

func (c *cli) tellHistory(history []models.StageChange, stages []models.Stage) {
	names := make(map[string]string, len(stages))
	for _, s := range stages {
		names[s.Code] = s.Name
	}
	c.out.heading(c.Text("cli.deal_show.history"))
	for _, h := range history {
		text := names[h.ToCode]
		if h.FromCode != "" {
			text = names[h.FromCode] + " → " + text
		}
		if h.Reason != "" {
			text += ": " + h.Reason
		}
		if who := actor(h.Actor); who != "" {
			text += " (" + who + ")"
		}
		c.out.line("  ", c.texts.Time(h.OccurredAt), "  ", text)
	}
}
