package main

import (
	"context"

	"kontrol/config"
	"kontrol/models"
	"kontrol/store"
)

// viewer finds out in whose name the database is asked: everything for the administrator at the terminal, and what the
// person sees whom --as names.
func (c *cli) viewer(ctx context.Context, q *store.Queries) (store.Viewer, error) {
	if c.flags.as == "" {
		return store.Viewer{Scope: store.ScopeAll}, nil
	}
	cfg, err := c.config()
	if err != nil {
		return store.Viewer{}, err
	}
	managers, err := q.Managers(ctx)
	if err != nil {
		return store.Viewer{}, err
	}
	m, err := findOwner(managers, c.flags.as)
	if err != nil {
		return store.Viewer{}, err
	}
	c.acting = m.Email
	v := store.Viewer{ManagerID: m.ID, Scope: store.ScopeOwn}
	see := cfg.Clients.Visibility
	switch {
	case m.Role == models.RoleAdmin, see == config.SeeAll:
		v.Scope = store.ScopeAll
	case m.Role == models.RoleHead, see == config.SeeTeam:
		v.Scope = store.ScopeTeam
	}
	return v, nil
}

// actAs makes a transaction change only what the person may whom --as names.
func (c *cli) actAs(ctx context.Context, tx *store.Tx) error {
	if c.flags.as == "" {
		return nil
	}
	if _, err := c.staff(ctx, tx); err != nil {
		return err
	}
	v, err := c.viewer(ctx, tx.Queries)
	if err != nil {
		return err
	}
	tx.ActAs(v)
	return nil
}

// seen narrows queries to what the viewer may see.
func (c *cli) seen(ctx context.Context, q *store.Queries) (*store.Queries, error) {
	v, err := c.viewer(ctx, q)
	if err != nil {
		return nil, err
	}
	return q.As(v), nil
}

// foundClient finds the client that a person means, among those that the viewer sees.
func (c *cli) foundClient(ctx context.Context, tx *store.Tx, word string) (models.Client, error) {
	q, err := c.seen(ctx, tx.Queries)
	if err != nil {
		return models.Client{}, err
	}
	return c.findClient(ctx, q, word)
}

// manager finds a manager by name or address; an empty word means the one in whose name the command runs.
func (c *cli) manager(ctx context.Context, tx *store.Tx, word string) (models.Manager, error) {
	people, err := c.staff(ctx, tx)
	if err != nil {
		return models.Manager{}, err
	}
	if word == "" {
		word = c.flags.as
	}
	if word == "" {
		return models.Manager{}, misused(models.Say("cli.error.who"))
	}
	return findOwner(people, word)
}
