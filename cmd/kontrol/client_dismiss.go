package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

// clientDismiss is `kontrol client dismiss`: an unknown sender is no client and is not proposed again.
func (c *cli) clientDismiss() *cobra.Command {
	var undo, dry bool
	cmd := c.command("dismiss", "cli.client_dismiss", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.dismiss(cmd.Context(), args[0], undo, dry)
	})
	cmd.Flags().BoolVar(&undo, "undo", false, c.Text("cli.flag.undo_dismiss"))
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.ValidArgsFunction = argument(0, c.completeProposed)
	return cmd
}

func (c *cli) dismiss(ctx context.Context, word string, undo, dry bool) error {
	var done models.Phrase
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		if _, err := c.staff(ctx, tx); err != nil {
			return err
		}
		address, err := c.senderOf(ctx, tx, word)
		if err != nil {
			return err
		}
		if undo {
			was, err := tx.RecallSender(ctx, address)
			if err == nil && !was {
				return told(models.Say("cli.client_dismiss.not_dismissed", "Address", address))
			}
			done = models.Say("cli.client_dismiss.recalled", "Address", address)
			return err
		}
		fresh, err := tx.DismissSender(ctx, address, c.actor())
		done = models.Say("cli.client_dismiss.done", "Address", address)
		if !fresh {
			done = models.Say("cli.client_dismiss.known", "Address", address)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.saidOf(c.texts.Say(done), dry)
}

// senderOf understands an address, or the number of a letter, of which it gives the sender.
func (c *cli) senderOf(ctx context.Context, tx *store.Tx, word string) (string, error) {
	if strings.Contains(word, "@") && !strings.ContainsAny(word, "<>") {
		address, ok := deals.NormalEmail(strings.ToLower(word))
		if !ok {
			return "", misused(models.Say("deals.import.email", "Value", word))
		}
		return address, nil
	}
	q, err := c.seen(ctx, tx.Queries)
	if err != nil {
		return "", err
	}
	letter, err := findLetter(ctx, q, word)
	if err != nil {
		return "", err
	}
	p, err := q.ProposalOf(ctx, letter.ID)
	switch {
	case err == nil:
		return p.Key, nil
	case !errors.Is(err, models.ErrNotFound):
		return "", err
	case letter.Direction != models.Inbound || letter.FromAddress == "":
		return "", told(models.Say("cli.error.no_stranger", "ID", letter.ID))
	}
	return letter.FromAddress, nil
}

// dismissedJSON is a sender who was dismissed, in JSON.
type dismissedJSON struct {
	Address     string  `json:"address"`
	Actor       string  `json:"actor"`
	DismissedAt *string `json:"dismissed_at"`
}

func (c *cli) listDismissed(ctx context.Context, q *store.Queries, limit int) error {
	found, err := q.DismissedSenders(ctx, rowLimit(limit))
	if err != nil {
		return err
	}
	l := listing{columns: []column{
		{title: c.Text("cli.column.email"), flex: true}, {title: c.Text("cli.column.dismissed_by"), flex: true}, {title: c.Text("cli.column.dismissed_at")},
	}, empty: c.Text("cli.client_list.none_dismissed")}
	values := []dismissedJSON{}
	for _, d := range found {
		values = append(values, dismissedJSON{Address: d.Address, Actor: d.Actor, DismissedAt: stamp(&d.CreatedAt)})
		l.rows = append(l.rows, []string{d.Address, d.Actor, c.texts.Time(d.CreatedAt)})
	}
	l.values = values
	return c.out.list(c.flags.format, l)
}

func (c *cli) completeProposed(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), func(q *store.Queries) ([]string, error) {
		list, err := q.Proposals(cmd.Context(), store.ProposalFilter{Kinds: []models.ProposalKind{models.ProposeClient}})
		words := make([]string, 0, len(list))
		for _, p := range list {
			words = append(words, clean(p.Key))
		}
		return words, err
	})
}
