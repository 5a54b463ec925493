package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/daemon"
	"kontrol/models"
	"kontrol/store"
)

// hand holds what a person decides about a letter at the terminal.
type hand struct {
	letter       models.Letter
	client       models.Client // zero: the letter is nobody's
	deal         *models.Deal
	noRule, dry  bool
	keepsNoDeals bool // the letter stays with the client, without a deal
}

func (c *cli) dealLink() *cobra.Command {
	var noRule, dry bool
	cmd := c.command("link", "cli.deal_link", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.byHand(cmd.Context(), args[0], noRule, dry, func(q *store.Queries, h *hand) error {
			d, err := c.findDeal(cmd.Context(), q, args[1])
			if err == nil {
				h.deal, h.client = &d, *d.Client
			}
			return err
		})
	})
	c.handFlags(cmd, &noRule, &dry)
	cmd.ValidArgsFunction = argument(1, c.completeDeals)
	return cmd
}

func (c *cli) clientLink() *cobra.Command {
	var noRule, dry bool
	cmd := c.command("link", "cli.client_link", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.byHand(cmd.Context(), args[0], noRule, dry, func(q *store.Queries, h *hand) (err error) {
			h.client, err = c.findClient(cmd.Context(), q, args[1])
			return err
		})
	})
	c.handFlags(cmd, &noRule, &dry)
	cmd.ValidArgsFunction = argument(1, c.completeClients)
	return cmd
}

func (c *cli) handFlags(cmd *cobra.Command, noRule, dry *bool) {
	if noRule != nil {
		cmd.Flags().BoolVar(noRule, "no-rule", false, c.Text("cli.flag.no_rule"))
	}
	cmd.Flags().BoolVar(dry, "dry-run", false, c.Text("cli.flag.dry_run"))
}

func (c *cli) clientUnlink() *cobra.Command {
	var dry bool
	cmd := c.command("unlink", "cli.client_unlink", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.byHand(cmd.Context(), args[0], true, dry, func(*store.Queries, *hand) error { return nil })
	})
	c.handFlags(cmd, nil, &dry)
	return cmd
}

func (c *cli) dealUnlink() *cobra.Command {
	var dry bool
	cmd := c.command("unlink", "cli.deal_unlink", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.byHand(cmd.Context(), args[0], true, dry, func(q *store.Queries, h *hand) error {
			links, err := q.CurrentLinks(cmd.Context(), []int64{h.letter.ID})
			if err != nil {
				return err
			}
			for _, l := range links {
				if l.DealID != nil {
					h.client, h.keepsNoDeals = *l.Client, true
					return nil
				}
			}
			return told(models.Say("cli.error.no_link", "ID", h.letter.ID))
		})
	})
	c.handFlags(cmd, nil, &dry)
	return cmd
}

// linkedJSON is what the commands that tie and untie give as JSON.
type linkedJSON struct {
	Letter     int64         `json:"letter"`
	ClientID   *int64        `json:"client_id"`
	Client     string        `json:"client"`
	DealNumber *int64        `json:"deal_number"`
	Rule       *linkRuleJSON `json:"rule"`
	Others     int           `json:"others"`
	DryRun     bool          `json:"dry_run"`
}

// byHand carries out what a person says about a letter.
func (c *cli) byHand(ctx context.Context, letter string, noRule, dry bool, whose func(*store.Queries, *hand) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	h := hand{noRule: noRule, dry: dry}
	var taught daemon.Taught
	err = c.withDB(ctx, !dry, func(db *store.DB) error {
		q := db.Read()
		if h.letter, err = findLetter(ctx, q, letter); err != nil {
			return err
		}
		if err := c.mayLink(ctx, q, &h, whose); err != nil || dry {
			return err
		}
		d := daemon.ByHand{LetterID: h.letter.ID, ClientID: h.client.ID, Teach: !noRule, Actor: c.actor()}
		if h.deal != nil {
			d.DealID = &h.deal.ID
		}
		taught, err = daemon.LinkByHand(ctx, db, daemon.SettingsOf(cfg), d, c.env.now)
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(c.linkedJSON(h, taught))
	}
	c.tellByHand(h, taught)
	return c.out.err
}

// mayLink finds out whose the letter is to be, and refuses letters of which nothing is stored.
func (c *cli) mayLink(ctx context.Context, q *store.Queries, h *hand, whose func(*store.Queries, *hand) error) error {
	if h.letter.Class == models.ClassPrivate || h.letter.Class == models.ClassInternal && h.letter.MessageID == "" {
		return told(models.Say("cli.error.not_stored", "ID", h.letter.ID))
	}
	if err := whose(q, h); err != nil || h.client.ID != 0 {
		return err
	}
	links, err := q.CurrentLinks(ctx, []int64{h.letter.ID})
	if err == nil && len(links) == 0 {
		return told(models.Say("cli.error.no_link", "ID", h.letter.ID))
	}
	return err
}

func (c *cli) linkedJSON(h hand, t daemon.Taught) linkedJSON {
	j := linkedJSON{Letter: h.letter.ID, Client: h.client.Name, Others: t.Others, DryRun: h.dry}
	if h.client.ID != 0 {
		j.ClientID = &h.client.ID
	}
	if h.deal != nil {
		j.DealNumber = &h.deal.Number
	}
	if t.Rule.ID != 0 {
		t.Rule.Client, t.Rule.Deal = &h.client, h.deal
		r := c.linkRuleJSON(t.Rule)
		j.Rule = &r
	}
	return j
}

func (c *cli) tellByHand(h hand, t daemon.Taught) {
	say := func(done, would string, pairs ...any) {
		if h.dry {
			done = would
		}
		c.out.line(c.texts.Say(models.Say(done, append([]any{"ID", h.letter.ID, "Client", h.client.Name}, pairs...)...)))
	}
	switch {
	case h.client.ID == 0:
		say("cli.by_hand.untied_done", "cli.by_hand.untied_would")
	case h.keepsNoDeals:
		say("cli.by_hand.no_deal_done", "cli.by_hand.no_deal_would")
	case h.deal != nil:
		say("cli.by_hand.deal_done", "cli.by_hand.deal_would", "Number", h.deal.Number, "Title", h.deal.Title)
	default:
		say("cli.by_hand.client_done", "cli.by_hand.client_would")
	}
	if t.Rule.ID != 0 {
		c.out.line(c.Text("cli.by_hand.taught", "Number", t.Rule.ID, "Address", t.Rule.Address))
	}
	if t.Others > 0 {
		c.out.line(c.Text("cli.relinked", "Letters", models.Say("count.letters", "Count", t.Others)))
	}
}

func (c *cli) clientRules() *cobra.Command {
	return c.group("rules", "cli.client_rules", c.clientRulesList(), c.clientRulesRemove())
}

func (c *cli) clientRulesList() *cobra.Command {
	cmd := c.command("list", "cli.client_rules_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 1); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			var id int64
			if len(args) > 0 {
				found, err := c.findClient(cmd.Context(), q, args[0])
				if err != nil {
					return err
				}
				id = found.ID
			}
			rules, err := q.LinkRules(cmd.Context(), id)
			if err != nil {
				return err
			}
			return c.out.list(c.flags.format, c.linkRuleListing(rules))
		})
	})
	cmd.ValidArgsFunction = argument(0, c.completeClients)
	return cmd
}

// linkRuleJSON is a rule that a person has taught, in JSON.
type linkRuleJSON struct {
	ID         int64   `json:"id"`
	Address    string  `json:"address"`
	ClientID   int64   `json:"client_id"`
	Client     string  `json:"client"`
	DealNumber *int64  `json:"deal_number"`
	LetterID   *int64  `json:"letter_id"`
	Actor      string  `json:"actor"`
	CreatedAt  *string `json:"created_at"`
}

func (c *cli) linkRuleJSON(r models.LinkRule) linkRuleJSON {
	j := linkRuleJSON{ID: r.ID, Address: r.Address, ClientID: r.ClientID, LetterID: r.LetterID, Actor: r.Actor, CreatedAt: stamp(&r.CreatedAt)}
	if r.Client != nil {
		j.Client = r.Client.Name
	}
	if r.Deal != nil {
		j.DealNumber = &r.Deal.Number
	}
	return j
}

func (c *cli) linkRuleListing(rules []models.LinkRule) listing {
	l := listing{columns: []column{
		{title: "№", right: true}, {title: c.Text("cli.column.email"), flex: true}, {title: c.Text("cli.column.client"), flex: true},
		{title: c.Text("cli.column.deal")}, {title: c.Text("cli.column.taught_by")}, {title: c.Text("cli.column.created")},
	}, empty: c.Text("cli.client_rules_list.empty")}
	values := []linkRuleJSON{}
	for _, r := range rules {
		j := c.linkRuleJSON(r)
		values = append(values, j)
		deal := ""
		if r.Deal != nil {
			deal = "#" + strconv.FormatInt(r.Deal.Number, 10)
		}
		l.rows = append(l.rows, []string{strconv.FormatInt(r.ID, 10), r.Address, j.Client, deal, r.Actor, c.texts.Time(r.CreatedAt)})
	}
	l.values = values
	return l
}

func (c *cli) clientRulesRemove() *cobra.Command {
	var dry bool
	cmd := c.command("remove", "cli.client_rules_remove", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		id, err := strconv.ParseInt(strings.TrimLeft(args[0], "#№ "), 10, 64)
		if err != nil {
			return misused(models.Say("cli.error.rule_number", "Value", args[0]))
		}
		return c.removeRule(cmd.Context(), id, dry)
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

func (c *cli) removeRule(ctx context.Context, id int64, dry bool) error {
	var rule models.LinkRule
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		var err error
		if rule, err = tx.RemoveLinkRule(ctx, id, c.actor()); err != nil {
			return notFound(err, models.Say("cli.error.no_rule", "ID", id))
		}
		_, err = tx.AddEvent(ctx, &models.Event{Kind: models.EventRuleRemoved, Actor: c.actor(), ClientID: &rule.ClientID, DealID: rule.DealID,
			LetterID: rule.LetterID, Text: models.Say("store.event.rule_removed", "Address", rule.Address)})
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(c.linkRuleJSON(rule))
	}
	key := "cli.client_rules_remove.done"
	if dry {
		key = "cli.client_rules_remove.would"
	}
	c.out.line(c.Text(key, "Number", rule.ID, "Address", rule.Address))
	return c.out.err
}
