package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

func (c *cli) clientMerge() *cobra.Command {
	var force, undo, dry bool
	cmd := c.command("merge", "cli.client_merge", func(cmd *cobra.Command, args []string) error {
		if undo {
			if err := c.arguments(cmd, args, 1, 1); err != nil {
				return err
			}
			return c.unmerge(cmd.Context(), args[0], dry)
		}
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.mergeClients(cmd.Context(), args, force, dry)
	})
	cmd.Flags().BoolVar(&undo, "undo", false, c.Text("cli.flag.undo_merge"))
	cmd.Flags().BoolVar(&force, "force", false, c.Text("cli.flag.force_merge"))
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.ValidArgsFunction = c.completeClients
	return cmd
}

func (c *cli) mergeClients(ctx context.Context, words []string, force, dry bool) error {
	var into models.Client
	err := c.onClient(ctx, words[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
		into = x
		from, err := c.foundClient(ctx, tx, words[1])
		if err != nil {
			return models.Phrase{}, err
		}
		r, err := tx.MergeClients(ctx, into.ID, from.ID, force, c.actor())
		return models.Say("cli.client_merge.done", "Into", into.Name, "IntoID", into.ID, "From", from.Name, "FromID", from.ID,
			"Contacts", r.Moved["contacts"], "Deals", r.Moved["deals"], "Letters", r.Moved["links"]), err
	})
	if err != nil {
		return err
	}
	return c.relinkAfter(ctx, dry, into.ID)
}

func (c *cli) unmerge(ctx context.Context, word string, dry bool) error {
	id, err := strconv.ParseInt(strings.TrimLeft(word, "#№ "), 10, 64)
	if err != nil {
		return misused(models.Say("cli.error.merge_number", "Value", word))
	}
	return c.change(ctx, dry, func(tx *store.Tx) error {
		m, err := tx.UnmergeClient(ctx, id, c.actor())
		if errors.Is(err, models.ErrNotFound) {
			return told(models.Say("cli.error.no_merge", "ID", id))
		}
		if err != nil {
			return err
		}
		text := c.Text("cli.client_merge.undone", "ID", id, "Name", m.FromName)
		if c.flags.format == formatJSON {
			return c.out.json(doneJSON{Client: id, Text: text, DryRun: dry})
		}
		if dry {
			text = c.Text("cli.would", "Text", text)
		}
		c.out.line(text)
		return c.out.err
	})
}

// duplicateJSON is a row of `kontrol client duplicates --format json`.
type duplicateJSON struct {
	Reason  string  `json:"reason"`
	Value   string  `json:"value"`
	Clients []int64 `json:"clients"`
}

func (c *cli) clientDuplicates() *cobra.Command {
	return c.command("duplicates", "cli.client_duplicates", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			own := c.ownDomain()
			found, err := q.FindDuplicates(cmd.Context(), func(domain string) bool {
				_, err := deals.CorporateDomain(domain, own)
				return err != nil
			})
			if err != nil {
				return err
			}
			l := listing{columns: []column{{title: c.Text("cli.column.why")}, {title: c.Text("cli.column.shared"), flex: true},
				{title: "№", right: true}, {title: c.Text("cli.column.client"), flex: true}, {title: c.Text("cli.column.inn")},
				{title: c.Text("cli.column.owner"), flex: true}}, empty: c.Text("cli.client_duplicates.empty")}
			values := []duplicateJSON{}
			for _, d := range found {
				j := duplicateJSON{Reason: string(d.Reason), Value: d.Value}
				why, shared := c.Text("cli.duplicate."+string(d.Reason)), d.Value
				for _, x := range d.Clients {
					j.Clients = append(j.Clients, x.ID)
					row := []string{why, shared, strconv.FormatInt(x.ID, 10), x.Name, "", ""}
					if x.INN != nil {
						row[4] = *x.INN
					}
					if x.Owner != nil {
						row[5] = x.Owner.Name
					}
					l.rows = append(l.rows, row)
					if c.flags.format == formatTable {
						why, shared = "", ""
					}
				}
				values = append(values, j)
			}
			l.values = values
			if err := c.out.list(c.flags.format, l); err != nil || len(found) == 0 || c.flags.format != formatTable {
				return err
			}
			c.out.line()
			c.out.line(c.Text("cli.client_duplicates.hint"))
			return c.out.err
		})
	})
}
