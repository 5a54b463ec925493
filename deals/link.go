package deals

import (
	"context"
	"fmt"
	"slices"

	"kontrol/models"
)

// actor is who makes the links that Linker proposes.
const actor = "kontrol"

// Linker ties letters to clients and deals. It holds no state of its own and is safe for concurrent use when its
// Directory is. Dir is required.
type Linker struct {
	Dir      Directory
	FreeMail func(domain string) bool // nil: the package's FreeMail
}

// Subject is a letter to be linked, and what is ours.
type Subject struct {
	Letter    models.Letter
	Own       func(address string) bool // reports one of our addresses; nil: OwnDomain alone decides
	OwnDomain func(domain string) bool  // reports one of our domains; nil: none
}

// Result is what Link found. Links have no ID, LetterID, CreatedAt: the store gives them. The trace names everything
// that was looked at; a step that holds is one that led to a link.
type Result struct {
	Links []models.Link
	Trace models.Trace
}

// Link finds the clients, and where it is beyond doubt the deal, that a letter concerns. The counterparties are From and
// Reply-To of a letter from outside, To and Cc of one of ours, without our own addresses. For each of them the first of
// these that holds decides: the thread's client, if the counterparty belongs there; a contact with that address; the
// client that registered the corporate domain. Two clients give two links of ours without a deal; in a letter from
// outside the sender decides. A letter between colleagues is never linked, and a letter that no person wrote never by
// domain. A letter that a person has linked by hand gets no further link.
func (l Linker) Link(ctx context.Context, s Subject) (Result, error) {
	if s.Letter.Direction == models.Internal || s.Letter.Class == models.ClassInternal {
		return Result{Trace: models.Trace{step(false, models.Say("deals.link.internal"))}}, nil
	}
	w, err := l.look(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if w.manual {
		return Result{Trace: models.Trace{step(false, models.Say("deals.link.manual"))}}, nil
	}
	found, trace := w.find()
	links, more, err := l.withDeals(ctx, w, found)
	if err != nil {
		return Result{}, err
	}
	return Result{Links: links, Trace: append(trace, more...)}, nil
}

func step(holds bool, text models.Phrase) models.Step { return models.Step{Text: text, Holds: holds} }

// finding is one client that a letter leads to.
type finding struct {
	client   int64
	name     string
	method   models.LinkMethod
	evidence models.Phrase
	deal     *int64 // the thread's deal
}

// look asks the directory everything that can be asked at once.
func (l Linker) look(ctx context.Context, s Subject) (*view, error) {
	free := l.FreeMail
	if free == nil {
		free = FreeMail
	}
	w := &view{letter: s.Letter, parties: counterparties(s, free), members: map[int64]map[string]bool{}}
	w.guess = s.Letter.Class == models.ClassPerson
	if err := l.lookThread(ctx, w); err != nil {
		return nil, err
	}
	var addresses, domains []string
	for _, p := range w.parties {
		addresses = append(addresses, p.keys...)
		domains = append(domains, p.domains...)
	}
	var err error
	if len(addresses) > 0 {
		if w.byAddress, err = l.Dir.ByAddresses(ctx, unique(addresses)); err != nil {
			return nil, fmt.Errorf("find clients by address: %w", err)
		}
	}
	if len(domains) > 0 {
		if w.byDomain, err = l.Dir.ByDomains(ctx, unique(domains)); err != nil {
			return nil, fmt.Errorf("find clients by domain: %w", err)
		}
	}
	if w.manual {
		return w, nil
	}
	return w, l.lookMembers(ctx, w)
}

// lookThread reads to whom the thread belongs and who takes part in it.
func (l Linker) lookThread(ctx context.Context, w *view) error {
	if w.letter.ThreadID == 0 {
		return nil
	}
	links, err := l.Dir.ThreadLinks(ctx, w.letter.ThreadID)
	if err != nil {
		return fmt.Errorf("read links of thread %d: %w", w.letter.ThreadID, err)
	}
	for _, k := range links {
		if k.SupersededAt != nil {
			continue
		}
		if w.letter.ID == 0 || k.LetterID != w.letter.ID {
			w.addTie(k)
		} else if k.Method == models.LinkManual {
			w.manual = true
		}
	}
	return nil
}

// lookMembers reads who takes part in the thread, when address and domain leave it open to whom a counterparty belongs.
func (l Linker) lookMembers(ctx context.Context, w *view) error {
	if !slices.ContainsFunc(w.parties, func(p party) bool { return !w.settled(p) }) {
		return nil
	}
	for _, t := range w.ties {
		members, err := l.Dir.Participants(ctx, w.letter.ThreadID, t.client)
		if err != nil {
			return fmt.Errorf("read participants of thread %d: %w", w.letter.ThreadID, err)
		}
		set := make(map[string]bool, len(members))
		for _, m := range members {
			set[addressKey(m)] = true
		}
		w.members[t.client] = set
	}
	return nil
}

// settled reports whether the counterparty belongs to a client of the thread by its address or domain.
func (w *view) settled(p party) bool {
	address, known := w.addressOf(p)
	_, byDomain, registered := w.domainOf(p)
	return slices.ContainsFunc(w.ties, func(t tie) bool {
		return known && address.ClientID == t.client || !known && registered && byDomain.ClientID == t.client
	})
}

// withDeals turns findings into links and chooses the deal.
func (l Linker) withDeals(ctx context.Context, w *view, found []finding) ([]models.Link, models.Trace, error) {
	var links []models.Link
	var trace models.Trace
	for _, f := range found {
		c := choice{text: models.Say("deals.deal.many_clients", "Count", len(found))}
		if len(found) == 1 {
			open, err := l.Dir.OpenDeals(ctx, f.client)
			if err != nil {
				return nil, nil, fmt.Errorf("read open deals of client %d: %w", f.client, err)
			}
			c = chooseDeal(f, open, w.guess)
		}
		trace = append(trace, step(c.deal != nil, c.text))
		links = append(links, models.Link{
			ClientID: f.client, DealID: c.deal, Method: f.method, Ask: c.ask, Actor: actor,
			Evidence: models.Say("deals.evidence", "How", f.evidence, "Deal", c.text),
		})
	}
	return links, trace, nil
}
