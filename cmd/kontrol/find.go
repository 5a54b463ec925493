package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"kontrol/models"
	"kontrol/names"
	"kontrol/store"
)

// findMailbox finds a mailbox by its address, or by a part of it that fits only one.
func (c *cli) findMailbox(ctx context.Context, q *store.Queries, word string) (models.Mailbox, error) {
	boxes, err := q.Mailboxes(ctx)
	if err != nil {
		return models.Mailbox{}, err
	}
	address := models.NormalAddress(word)
	var fit []models.Mailbox
	known := make([]string, 0, len(boxes))
	for _, m := range boxes {
		if m.Address == address || m.Aliases.Has(address) {
			return m, nil
		}
		if strings.Contains(m.Address, address) {
			fit = append(fit, m)
		}
		known = append(known, m.Address)
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	return models.Mailbox{}, misused(models.Say("cli.error.no_mailbox", "Value", word, "Nearest", nearest(address, known), "Known", known))
}

// The most clients that are named when a word fits several.
const mostNamed = 10

// findClient finds the client that a person means: by number (as `client list` shows it), INN, address, domain or name.
// When several fit it is a usage error that lists them.
func (c *cli) findClient(ctx context.Context, q *store.Queries, word string) (models.Client, error) {
	if id, err := strconv.ParseInt(strings.TrimLeft(word, "#№ "), 10, 64); err == nil && len(word) < 10 {
		card, err := q.Client(ctx, id)
		if errors.Is(err, models.ErrNotFound) {
			if m, err := q.MergedInto(ctx, id); err == nil { // its number leads on
				into, err := q.Client(ctx, m.IntoID)
				return into.Client, err
			}
			return models.Client{}, told(models.Say("cli.error.no_client_id", "ID", id))
		}
		return card.Client, err
	}
	found, err := q.FindClients(ctx, word, mostNamed+1)
	if err != nil {
		return models.Client{}, err
	}
	if key := names.Key(word); len(found) > 1 && key != "" {
		exact := slices.DeleteFunc(slices.Clone(found), func(x models.Client) bool { return x.NameKey != key })
		if len(exact) == 1 {
			found = exact
		}
	}
	switch len(found) {
	case 0:
		return models.Client{}, told(models.Say("cli.error.no_client", "Value", word))
	case 1:
		return found[0], nil
	}
	return models.Client{}, misused(models.Say("cli.error.many_clients", "Value", word, "List", c.clientLines(found)))
}

// clientLines names clients one a line, with their numbers.
func (c *cli) clientLines(found []models.Client) string {
	var b strings.Builder
	for i, x := range found {
		if i == mostNamed {
			b.WriteString("\n  …")
			break
		}
		b.WriteString("\n  " + strconv.FormatInt(x.ID, 10) + "  " + clean(x.Name))
		if x.INN != nil {
			b.WriteString("  " + c.Text("cli.inn", "INN", *x.INN))
		}
		if x.Owner != nil {
			b.WriteString("  " + clean(x.Owner.Name))
		}
	}
	return b.String()
}

// findDeal finds a deal by its number: 12 or #12.
func (c *cli) findDeal(ctx context.Context, q *store.Queries, word string) (models.Deal, error) {
	number, err := strconv.ParseInt(strings.TrimLeft(word, "#№ "), 10, 64)
	if err != nil {
		return models.Deal{}, misused(models.Say("cli.error.deal_number", "Value", word))
	}
	d, err := q.Deal(ctx, number)
	if errors.Is(err, models.ErrNotFound) {
		return d, told(models.Say("cli.error.no_deal", "Number", number))
	}
	return d, err
}

// findStage finds a step of the pipeline by its code or its name.
func findStage(ctx context.Context, q *store.Queries, word string) (models.Stage, error) {
	stages, err := q.Stages(ctx)
	if err != nil {
		return models.Stage{}, err
	}
	var words []string
	known := make([]string, 0, len(stages))
	for _, s := range stages {
		if foldWord(s.Code) == foldWord(word) || foldWord(s.Name) == foldWord(word) {
			return s, nil
		}
		words = append(words, s.Code, s.Name)
		known = append(known, s.Name+" ("+s.Code+")")
	}
	return models.Stage{}, misused(models.Say("cli.error.no_stage", "Value", word, "Nearest", nearest(word, words), "Known", known))
}

// findOwner finds a manager by address or name; a part of the name is enough when it fits only one.
func findOwner(managers []models.Manager, word string) (models.Manager, error) {
	var fit []models.Manager
	words, known := []string{}, []string{}
	folded := strings.ToLower(strings.TrimSpace(word))
	for _, m := range managers {
		if m.Email == models.NormalAddress(word) || strings.EqualFold(m.Name, folded) {
			return m, nil
		}
		if m.Active && folded != "" && strings.Contains(strings.ToLower(m.Name), folded) {
			fit = append(fit, m)
		}
		if m.Active {
			words = append(words, m.Name, m.Email)
			known = append(known, person(m.Name, m.Email))
		}
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	return models.Manager{}, misused(models.Say("cli.error.no_owner", "Value", word, "Nearest", nearest(folded, words), "Known", known))
}

// ownerFilter gives the id of the manager that a flag names, 0 for an empty flag.
func (c *cli) ownerFilter(ctx context.Context, q *store.Queries, word string) (int64, error) {
	if word == "" {
		return 0, nil
	}
	managers, err := q.Managers(ctx)
	if err != nil {
		return 0, err
	}
	m, err := findOwner(managers, word)
	return m.ID, err
}

// declared are the people whom the config names, as the store keeps them.
func (c *cli) declared() ([]models.Manager, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	list := make([]models.Manager, 0, len(cfg.Managers))
	for _, m := range cfg.Managers {
		list = append(list, models.Manager{Name: m.Name, Email: m.Email, Role: m.Role, Timezone: m.Timezone, Team: m.Team, Active: true})
	}
	return list, nil
}

// staff makes the people of the config known to the store, as the daemon does when it starts, and returns all of them.
func (c *cli) staff(ctx context.Context, tx *store.Tx) ([]models.Manager, error) {
	list, err := c.declared()
	if err != nil {
		return nil, err
	}
	if err := tx.SyncManagers(ctx, list); err != nil {
		return nil, err
	}
	return list, nil
}

// actor is who is working at the terminal, for the events.
func (c *cli) actor() string {
	if c.acting != "" {
		return c.acting
	}
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if u := c.env.getenv(name); u != "" {
			return u
		}
	}
	return "cli"
}
