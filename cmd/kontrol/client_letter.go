package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"kontrol/daemon"
	"kontrol/models"
	"kontrol/store"
)

// notFound turns models.ErrNotFound into an error for people.
func notFound(err error, p models.Phrase) error {
	if errors.Is(err, models.ErrNotFound) {
		return told(p)
	}
	return err
}

// fromLetter is a value that was taken from a letter, and where it stood.
type fromLetter struct {
	What  string `json:"what"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// addFromLetter adds the client as whom a letter introduces its sender. What is said on the command line counts more.
func (c *cli) addFromLetter(ctx context.Context, name, letter string, n newClient) error {
	draft, id, err := c.draftOf(ctx, letter)
	if err != nil {
		return err
	}
	took := c.fillFrom(draft, &name, &n)
	if c.flags.format != formatJSON {
		c.out.line(c.Text("cli.from_letter.took", "ID", id))
		for _, t := range took {
			c.out.line("  ", t.What, ": ", t.Value, " — ", t.From)
		}
	}
	n.letter, n.took = id, took
	return c.addClient(ctx, name, n)
}

// draftOf returns what a letter tells about its sender.
func (c *cli) draftOf(ctx context.Context, word string) (models.ClientDraft, int64, error) {
	cfg, err := c.config()
	if err != nil {
		return models.ClientDraft{}, 0, err
	}
	var draft models.ClientDraft
	var id int64
	err = c.read(ctx, func(q *store.Queries) error {
		letter, err := findLetter(ctx, q, word)
		if err != nil {
			return err
		}
		id = letter.ID
		links, err := q.CurrentLinks(ctx, []int64{id})
		if err != nil {
			return err
		}
		if len(links) > 0 {
			return told(models.Say("cli.error.letter_tied", "ID", id, "Client", links[0].Client.Name))
		}
		p, err := q.ProposalOf(ctx, id)
		if err == nil {
			draft = p.Draft
			return nil
		}
		found := false
		if errors.Is(err, models.ErrNotFound) {
			if draft, found = daemon.DraftOf(letter, daemon.SettingsOf(cfg)); !found {
				return told(models.Say("cli.error.no_stranger", "ID", id))
			}
			return nil
		}
		return err
	})
	return draft, id, err
}

// fillFrom fills in what the command line leaves open, and returns what was taken from where.
func (c *cli) fillFrom(d models.ClientDraft, name *string, n *newClient) []fromLetter {
	var took []fromLetter
	take := func(what, value, from string) {
		took = append(took, fromLetter{c.Text("cli.column." + what), value, c.Text("cli.from_letter." + from)})
	}
	if *name == "" && d.Name != "" {
		*name = d.Name
		take("client", d.Name, d.NameFrom)
	}
	if n.contact == "" && d.Contact != "" && d.Contact != *name {
		n.contact = d.Contact
		take("contact", d.Contact, models.NameFromSender)
	}
	if len(n.emails) == 0 && d.Address != "" {
		n.emails = []string{d.Address}
		take("email", d.Address, models.NameFromSender)
	}
	if len(n.domains) == 0 && d.Domain != "" {
		n.domains = []string{d.Domain}
		take("domains", d.Domain, models.NameFromAddress)
	}
	if n.inn == "" && d.INN != "" {
		n.inn = d.INN
		take("inn", d.INN, "text")
		if n.kpp == "" && d.KPP != "" {
			n.kpp = d.KPP
			take("kpp", d.KPP, "text")
		}
	}
	if len(n.phones) == 0 && len(d.Phones) > 0 {
		n.phones = d.Phones
		take("phone", strings.Join(d.Phones, ", "), "text")
	}
	return took
}

// proposalJSON is something that a person is asked, in JSON.
type proposalJSON struct {
	LetterID   int64              `json:"letter_id"`
	Kind       string             `json:"kind"`
	ClientID   *int64             `json:"client_id"`
	Client     string             `json:"client"`
	DealNumber *int64             `json:"deal_number"`
	Method     string             `json:"method"`
	Score      int                `json:"score"`
	Evidence   *phraseJSON        `json:"evidence"`
	Draft      models.ClientDraft `json:"draft"`
	CreatedAt  *string            `json:"created_at"`
	SettledAt  *string            `json:"settled_at"`
}

func (c *cli) proposalJSON(p models.Proposal) proposalJSON {
	j := proposalJSON{LetterID: p.LetterID, Kind: string(p.Kind), ClientID: p.ClientID, Method: string(p.Method), Score: p.Score,
		Evidence: c.phrase(p.Evidence), Draft: p.Draft, CreatedAt: stamp(&p.CreatedAt), SettledAt: stamp(p.SettledAt)}
	if p.Client != nil {
		j.Client = p.Client.Name
	}
	if p.Deal != nil {
		j.DealNumber = &p.Deal.Number
	}
	return j
}

// listProposed lists the unknown senders who may be new clients.
func (c *cli) listProposed(ctx context.Context, q *store.Queries, limit int) error {
	found, err := q.Proposals(ctx, store.ProposalFilter{Kinds: []models.ProposalKind{models.ProposeClient}, Limit: rowLimit(limit)})
	if err != nil {
		return err
	}
	l := listing{columns: []column{
		{title: c.Text("cli.column.letter"), right: true}, {title: c.Text("cli.column.client"), flex: true}, {title: c.Text("cli.column.contact"), flex: true},
		{title: c.Text("cli.column.email"), flex: true}, {title: c.Text("cli.column.inn")}, {title: c.Text("cli.column.phone")},
		{title: c.Text("cli.column.subject"), flex: true}, {title: c.Text("cli.column.arrived")},
	}, empty: c.Text("cli.client_list.none_proposed")}
	values := []proposalJSON{}
	for _, p := range found {
		values = append(values, c.proposalJSON(p))
		subject, arrived := "", ""
		if p.Letter != nil {
			subject, arrived = c.subject(*p.Letter), c.texts.Time(p.Letter.ArrivedAt)
		}
		d := p.Draft
		l.rows = append(l.rows, []string{strconv.FormatInt(p.LetterID, 10), d.Name, d.Contact, d.Address, d.INN, strings.Join(d.Phones, ", "), subject, arrived})
	}
	l.values = values
	return c.out.list(c.flags.format, l)
}
