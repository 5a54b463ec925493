package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

func (c *cli) dealCommand() *cobra.Command {
	return c.group("deal", "cli.deal", c.dealAdd(), c.dealList(), c.dealShow(), c.dealStage(), c.dealLink(), c.dealUnlink())
}

// newDeal holds the flags of `kontrol deal add`.
type newDeal struct {
	amount, owner, stage, next, nextAt string
	dry                                bool
}

func (c *cli) dealAdd() *cobra.Command {
	var n newDeal
	cmd := c.command("add", "cli.deal_add", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.addDeal(cmd.Context(), args[0], args[1], n)
	})
	f := cmd.Flags()
	f.StringVar(&n.amount, "amount", "", c.Text("cli.flag.amount"))
	f.StringVar(&n.owner, "owner", "", c.Text("cli.flag.owner"))
	f.StringVar(&n.stage, "stage", "", c.Text("cli.flag.stage"))
	f.StringVar(&n.next, "next", "", c.Text("cli.flag.next"))
	f.StringVar(&n.nextAt, "next-at", "", c.Text("cli.flag.next_at"))
	f.BoolVar(&n.dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	c.completeFlag(cmd, "owner", c.completeOwners)
	c.completeFlag(cmd, "stage", c.completeStages)
	cmd.ValidArgsFunction = argument(0, c.completeClients)
	return cmd
}

func (c *cli) addDeal(ctx context.Context, client, title string, n newDeal) error {
	d := models.Deal{Title: title, NextAction: n.next}
	var err error
	if n.amount != "" {
		if d.Amount, err = parseMoney(n.amount); err != nil {
			return err
		}
	}
	if n.nextAt != "" {
		at, err := parseDay(n.nextAt, c.localNow(), true)
		if err != nil {
			return err
		}
		d.NextActionAt = &at
	}
	var stored models.Deal
	err = c.change(ctx, n.dry, func(tx *store.Tx) error {
		fresh := d
		if err := c.fillDeal(ctx, tx, &fresh, client, n); err != nil {
			return err
		}
		if err := tx.CreateDeal(ctx, &fresh, c.actor()); err != nil {
			return err
		}
		stored, err = tx.Deal(ctx, fresh.Number)
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(dealAddedJSON{c.dealJSON(stored), n.dry})
	}
	p := models.Say("cli.deal_add.done", "Number", stored.Number, "Title", stored.Title, "Client", stored.Client.Name, "Stage", stored.Stage.Name)
	if n.dry {
		p = models.Say("cli.deal_add.would", "Title", stored.Title, "Client", stored.Client.Name, "Stage", stored.Stage.Name)
	}
	c.out.line(c.texts.Say(p))
	return c.out.err
}

// dealAddedJSON is what `kontrol deal add --format json` gives.
type dealAddedJSON struct {
	dealJSON
	DryRun bool `json:"dry_run"`
}

// fillDeal looks up whom and what the words name.
func (c *cli) fillDeal(ctx context.Context, tx *store.Tx, d *models.Deal, client string, n newDeal) error {
	people, err := c.staff(ctx, tx)
	if err != nil {
		return err
	}
	found, err := c.foundClient(ctx, tx, client)
	if err != nil {
		return err
	}
	d.ClientID, d.OwnerID = found.ID, found.OwnerID
	if n.owner != "" {
		m, err := findOwner(people, n.owner)
		if err != nil {
			return err
		}
		d.OwnerID = &m.ID
	}
	if n.stage != "" {
		s, err := findStage(ctx, tx.Queries, n.stage)
		if err != nil {
			return err
		}
		d.StageCode = s.Code
	}
	return nil
}

func (c *cli) dealList() *cobra.Command {
	var open bool
	var client, owner, stage string
	var limit int
	cmd := c.command("list", "cli.deal_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			f := store.DealFilter{Open: open, Limit: rowLimit(limit)}
			if err := c.dealFilter(cmd.Context(), q, &f, client, owner, stage); err != nil {
				return err
			}
			found, err := q.Deals(cmd.Context(), f)
			if err != nil {
				return err
			}
			return c.out.list(c.flags.format, c.dealListing(found, true))
		})
	})
	f := cmd.Flags()
	f.BoolVar(&open, "open", false, c.Text("cli.flag.open"))
	f.StringVar(&client, "client", "", c.Text("cli.flag.client"))
	f.StringVar(&owner, "owner", "", c.Text("cli.flag.owner_filter"))
	f.StringVar(&stage, "stage", "", c.Text("cli.flag.stage"))
	f.IntVar(&limit, "limit", 50, c.Text("cli.flag.limit"))
	c.completeFlag(cmd, "client", c.completeClients)
	c.completeFlag(cmd, "owner", c.completeOwners)
	c.completeFlag(cmd, "stage", c.completeStages)
	return cmd
}

func (c *cli) dealFilter(ctx context.Context, q *store.Queries, f *store.DealFilter, client, owner, stage string) error {
	var err error
	if f.OwnerID, err = c.ownerFilter(ctx, q, owner); err != nil {
		return err
	}
	if client != "" {
		found, err := c.findClient(ctx, q, client)
		if err != nil {
			return err
		}
		f.ClientID = found.ID
	}
	if stage != "" {
		s, err := findStage(ctx, q, stage)
		if err != nil {
			return err
		}
		f.StageCode = s.Code
	}
	return nil
}

// dealListing is the table of deals.
func (c *cli) dealListing(found []models.Deal, withClient bool) listing {
	l := listing{columns: []column{{title: "№", right: true}}, empty: c.Text("cli.deal_list.empty")}
	if withClient {
		l.columns = append(l.columns, column{title: c.Text("cli.column.client"), flex: true})
	}
	l.columns = append(l.columns, column{title: c.Text("cli.column.deal"), flex: true}, column{title: c.Text("cli.column.stage")},
		column{title: c.Text("cli.column.amount"), right: true}, column{title: c.Text("cli.column.owner"), flex: true},
		column{title: c.Text("cli.column.next"), flex: true}, column{title: c.Text("cli.column.next_at")})
	values := []dealJSON{}
	for _, d := range found {
		j := c.dealJSON(d)
		row := []string{strconv.FormatInt(d.Number, 10)}
		if withClient {
			row = append(row, j.Client)
		}
		amount := ""
		if d.Amount.Minor != 0 {
			amount = showMoney(d.Amount)
		}
		l.rows = append(l.rows, append(row, d.Title, j.StageName, amount, j.Owner, d.NextAction, c.day(d.NextActionAt)))
		values = append(values, j)
	}
	l.values = values
	return l
}

// dealJSON is a deal in JSON.
type dealJSON struct {
	Number       int64        `json:"number"`
	ClientID     int64        `json:"client_id"`
	Client       string       `json:"client"`
	Title        string       `json:"title"`
	Stage        string       `json:"stage"`
	StageName    string       `json:"stage_name"`
	Amount       models.Money `json:"amount"`
	Owner        string       `json:"owner"`
	NextAction   string       `json:"next_action"`
	NextActionAt *string      `json:"next_action_at"`
	LostReason   string       `json:"lost_reason"`
	CreatedAt    *string      `json:"created_at"`
	ClosedAt     *string      `json:"closed_at"`
}

func (c *cli) dealJSON(d models.Deal) dealJSON {
	j := dealJSON{Number: d.Number, ClientID: d.ClientID, Title: d.Title, Stage: d.StageCode, StageName: d.StageCode, Amount: d.Amount,
		NextAction: d.NextAction, NextActionAt: stamp(d.NextActionAt), LostReason: d.LostReason, CreatedAt: stamp(&d.CreatedAt),
		ClosedAt: stamp(d.ClosedAt)}
	if d.Client != nil {
		j.Client = d.Client.Name
	}
	if d.Stage != nil {
		j.StageName = d.Stage.Name
	}
	if d.Owner != nil {
		j.Owner = d.Owner.Name
	}
	return j
}

func (c *cli) dealStage() *cobra.Command {
	var reason string
	var dry bool
	cmd := c.command("stage", "cli.deal_stage", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.moveDeal(cmd.Context(), args[0], args[1], reason, dry)
	})
	cmd.Flags().StringVar(&reason, "reason", "", c.Text("cli.flag.reason"))
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return c.completeDeals(cmd, args, begun)
		case 1:
			return c.completeStages(cmd, args, begun)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func (c *cli) moveDeal(ctx context.Context, number, stage, reason string, dry bool) error {
	var before, after models.Deal
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		q, err := c.seen(ctx, tx.Queries)
		if err != nil {
			return err
		}
		if before, err = c.findDeal(ctx, q, number); err != nil {
			return err
		}
		to, err := findStage(ctx, tx.Queries, stage)
		if err != nil {
			return err
		}
		if _, _, err := deals.Transition(before, to, reason, c.env.now()); err != nil {
			return err
		}
		if _, err := tx.SetDealStage(ctx, store.StageMove{Number: before.Number, To: to.Code, Actor: c.actor(), Reason: reason}); err != nil {
			return err
		}
		after, err = tx.Deal(ctx, before.Number)
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(dealAddedJSON{c.dealJSON(after), dry})
	}
	key := "cli.deal_stage.done"
	if dry {
		key = "cli.deal_stage.would"
	}
	c.out.line(c.Text(key, "Number", after.Number, "Title", after.Title, "From", before.Stage.Name, "To", after.Stage.Name))
	return c.out.err
}
