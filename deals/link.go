package deals

import (
	"context"
	"slices"
	"time"

	"kontrol/models"
)

// actor is who makes the links that Linker proposes.
const actor = "kontrol"

// Linker ties letters to clients and deals. It holds no state of its own and is safe for concurrent use when its
// Directory is. Dir is required.
type Linker struct {
	Dir      Directory
	FreeMail func(domain string) bool // nil: the package's FreeMail
	// Key returns the key of our marks. It is asked only about letters that hold something like a mark. Nil: no mark is ours.
	Key func(ctx context.Context) (TokenKey, error)
}

// Subject is a letter to be linked, what it says, and what is ours. Only Letter is required: what is not known is empty.
type Subject struct {
	Letter    models.Letter
	Own       func(address string) bool // reports one of our addresses; nil: OwnDomain alone decides
	OwnDomain func(domain string) bool  // reports one of our domains; nil: none
	OwnINN    string                    // of our own firm, which proves nothing about a client

	References []string // Message-IDs that the letter names, oldest first
	Tokens     []Token  // what looks like our marks, in the subject, the text, quotes included, and the Message-IDs
	NewWords   string   // what the person has written, without quotes
	Signature  string
	// What the new words and the signature name: INNs and KPPs with right check digits, phones in E.164.
	INNs, KPPs, Phones []string
	// Numbers of deals (digits), offers and invoices (as written) that the new words or the subject name.
	Deals, Offers, Invoices []string
	// Inner is the sender of the letter that this one forwards, zero when it forwards none. It counts only in a letter from
	// one of our own addresses.
	Inner Sender
}

// Sender is somebody as a letter names him.
type Sender struct {
	Name, Address string
}

// Result is what Link found. Links have no ID, LetterID, CreatedAt: the store gives them. Proposals are what a person is
// to be asked; they have no ID, LetterID and CreatedAt, and a Key only where they do not belong to the one letter. The trace names
// everything that was looked at; a step that holds is one that led to a link.
type Result struct {
	Links     []models.Link
	Proposals []models.Proposal
	Trace     models.Trace
}

// Link finds the clients, and where it is beyond doubt the deal, that a letter concerns. The counterparties are From and
// Reply-To of a letter from outside, To and Cc of one of ours, without our own addresses. For each of them the first of
// these that holds decides:
//
//  1. what a person has taught about the address;
//  2. the thread's client, if the counterparty is a contact of it, shares its corporate domain, or takes part in the thread;
//  3. our mark of a deal, if the counterparty belongs to the deal's client;
//  4. a contact with that address;
//  5. the INN, then a phone of a client in the new words or the signature of a person's letter;
//  6. the client that registered the corporate domain.
//
// A thread or a mark that leads to a client to whom the counterparty does not belong ties nothing: it is proposed for
// review. Two clients give two links of ours without a deal; in a letter from outside the sender decides. A letter between
// colleagues is never linked, and a letter that no person wrote never by what it says or by domain. What a colleague has
// forwarded is only proposed. A letter that a person has linked by hand gets no further link.
func (l Linker) Link(ctx context.Context, s Subject) (Result, error) {
	if s.Letter.Direction == models.Internal || s.Letter.Class == models.ClassInternal {
		return l.linkInternal(ctx, s)
	}
	w, err := l.look(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if w.manual {
		return Result{Trace: models.Trace{step(false, models.Say("deals.link.manual"))}}, nil
	}
	found, trace := w.find()
	r := Result{Trace: trace}
	if err := l.withDeals(ctx, w, found, &r); err != nil {
		return Result{}, err
	}
	l.propose(w, &r)
	return r, l.forwarded(ctx, s, &r)
}

// linkInternal looks only at what a colleague has forwarded.
func (l Linker) linkInternal(ctx context.Context, s Subject) (Result, error) {
	r := Result{Trace: models.Trace{step(false, models.Say("deals.link.internal"))}}
	return r, l.forwarded(ctx, s, &r)
}

func step(holds bool, text models.Phrase) models.Step { return models.Step{Text: text, Holds: holds} }

// finding is one client that a letter leads to.
type finding struct {
	client   int64
	name     string
	method   models.LinkMethod
	evidence models.Phrase
	deal     *int64 // the thread's deal, or that of the mark
	ruled    *int64 // the deal of the rule that a person has taught
	several  bool   // letters of the thread are tied to several deals
}

// score says how sure a client is that was found so.
func score(m models.LinkMethod) int {
	switch m {
	case models.LinkManual:
		return 100
	case models.LinkRuled:
		return 98
	case models.LinkThread, models.LinkToken:
		return 95
	case models.LinkAddress:
		return 90
	case models.LinkINN:
		return 80
	case models.LinkPhone:
		return 70
	case models.LinkDomain:
		return 60
	case models.LinkForward:
		return 50
	}
	return 0
}

// withDeals turns findings into links and chooses the deal.
func (l Linker) withDeals(ctx context.Context, w *view, found []finding, r *Result) error {
	for _, f := range found {
		c := choice{text: models.Say("deals.deal.many_clients", "Count", len(found))}
		if len(found) == 1 {
			var err error
			if c, err = l.chooseDeal(ctx, w, f); err != nil {
				return err
			}
		}
		r.Trace = append(r.Trace, step(c.deal != nil, c.text))
		link := models.Link{
			ClientID: f.client, DealID: c.deal, Method: f.method, Score: score(f.method), Ask: c.ask, Actor: actor,
			Evidence: models.Say("deals.evidence", "How", f.evidence, "Deal", c.text),
		}
		r.Links = append(r.Links, link)
		if c.fresh {
			r.Proposals = append(r.Proposals, models.Proposal{
				Kind: models.ProposeDeal, ClientID: &link.ClientID, Method: f.method, Score: link.Score, Evidence: c.text,
			})
		}
	}
	return nil
}

// propose adds what a person is to be asked about the letter: the clients to whom its sender does not seem to belong, or
// else whether an unknown sender is a new client.
func (l Linker) propose(w *view, r *Result) {
	if !w.guess {
		return
	}
	for _, p := range w.doubts {
		tied := slices.ContainsFunc(r.Links, func(k models.Link) bool { return k.ClientID == *p.ClientID })
		if !tied && !slices.ContainsFunc(r.Proposals, func(x models.Proposal) bool { return sameDoubt(x, p) }) {
			r.Proposals = append(r.Proposals, p)
		}
	}
	if len(r.Links) > 0 || len(r.Proposals) > 0 || w.s.Letter.Direction != models.Inbound || len(w.parties) == 0 {
		return
	}
	r.Proposals = append(r.Proposals, newClient(w.s, senderOf(w.s, w.parties[0]), w.free, models.LinkAddress))
}

func sameDoubt(a, b models.Proposal) bool {
	return a.Kind == b.Kind && a.ClientID != nil && b.ClientID != nil && *a.ClientID == *b.ClientID
}

// forwarded adds what a letter of a colleague suggests that forwards another one: both are kept, and a person decides.
func (l Linker) forwarded(ctx context.Context, s Subject, r *Result) error {
	if s.Inner.Address == "" || !isOwn(s, addressKey(s.Letter.FromAddress)) || isOwn(s, addressKey(s.Inner.Address)) {
		return nil
	}
	inner := s
	inner.Letter = models.Letter{Direction: models.Inbound, Class: models.ClassPerson, FromAddress: s.Inner.Address, FromName: s.Inner.Name,
		ArrivedAt: s.Letter.ArrivedAt, Subject: s.Letter.Subject, BaseSubject: s.Letter.BaseSubject}
	inner.INNs, inner.KPPs, inner.Phones, inner.References, inner.Signature = nil, nil, nil, nil, "" // they are the colleague's
	w, err := l.look(ctx, inner)
	if err != nil {
		return err
	}
	found, _ := w.find()
	if len(found) == 0 {
		if len(w.parties) > 0 && len(r.Links) == 0 {
			r.Proposals = append(r.Proposals, newClient(inner, s.Inner, w.free, models.LinkForward))
		}
		return nil
	}
	f := found[0]
	if slices.ContainsFunc(r.Links, func(k models.Link) bool { return k.ClientID == f.client }) {
		return nil
	}
	c, err := l.chooseDeal(ctx, w, f)
	if err != nil {
		return err
	}
	text := models.Say("deals.link.forward", "Address", shownAddress(w.parties[0].address), "Client", f.name)
	r.Trace = append(r.Trace, step(false, text))
	r.Proposals = append(r.Proposals, models.Proposal{
		Kind: models.ProposeForward, ClientID: &f.client, DealID: c.deal, Method: models.LinkForward, Score: score(models.LinkForward),
		Evidence: models.Say("deals.evidence", "How", text, "Deal", c.text),
	})
	return nil
}

// lastSentWindow is how long a letter of ours shows which deal an answer is about, and how long a silence is after which a
// conversation under another subject is about something new.
const lastSentWindow = 14 * 24 * time.Hour
