package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"kontrol/store"
)

// The most words that are offered for completion.
const mostOffered = 200

// offer runs a query for completion. Whatever goes wrong, nothing is offered: the Tab key is no place for errors.
func (c *cli) offer(ctx context.Context, f func(q *store.Queries) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if ctx == nil {
		ctx = context.Background()
	}
	var words []string
	err := c.read(ctx, func(q *store.Queries) (err error) { words, err = f(q); return err })
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func (c *cli) completeClients(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), func(q *store.Queries) ([]string, error) {
		found, err := q.ListClients(cmd.Context(), store.ClientFilter{Query: begun}, mostOffered, 0)
		words := make([]string, 0, len(found))
		for _, x := range found {
			words = append(words, cobra.CompletionWithDesc(clean(x.Name), "№ "+strconv.FormatInt(x.ID, 10)))
		}
		return words, err
	})
}

func (c *cli) completeDeals(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), func(q *store.Queries) ([]string, error) {
		found, err := q.Deals(cmd.Context(), store.DealFilter{Open: true, Limit: mostOffered})
		words := make([]string, 0, len(found))
		for _, d := range found {
			about := d.Title
			if d.Client != nil {
				about = d.Client.Name + ": " + about
			}
			words = append(words, cobra.CompletionWithDesc(strconv.FormatInt(d.Number, 10), clean(about)))
		}
		return words, err
	})
}

func (c *cli) completeStages(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), func(q *store.Queries) ([]string, error) {
		stages, err := q.Stages(cmd.Context())
		words := make([]string, 0, len(stages))
		for _, s := range stages {
			words = append(words, cobra.CompletionWithDesc(s.Code, clean(s.Name)))
		}
		return words, err
	})
}

func (c *cli) completeMailboxes(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), func(q *store.Queries) ([]string, error) {
		boxes, err := q.Mailboxes(cmd.Context())
		words := make([]string, 0, len(boxes))
		for _, m := range boxes {
			words = append(words, m.Address)
		}
		return words, err
	})
}

// completeOwners offers the people of the config.
func (c *cli) completeOwners(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	people, err := c.declared()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := make([]string, 0, len(people))
	for _, m := range people {
		words = append(words, cobra.CompletionWithDesc(m.Email, clean(m.Name)))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// argument makes a completion for one position among the arguments.
func argument(position int, f completion) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) != position {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, begun)
	}
}
