package deals

import (
	"context"
	"fmt"
	"slices"

	"kontrol/models"
)

// view is everything known about one letter that is being linked.
type view struct {
	s         Subject
	letter    models.Letter
	parties   []party
	free      func(string) bool
	guess     bool // a person wrote it: what it says, domain and single open deal may be used
	manual    bool // a person has linked this very letter
	ties      []tie
	members   map[int64]map[string]bool // client to addresses that took part in the thread with it
	byRule    map[string]Match
	byAddress map[string]Match
	byDomain  map[string]Match
	byINN     map[string]Match
	byPhone   map[string]Match
	marked    []models.Deal // of the valid marks, in the order of the letter
	doubts    []models.Proposal
}

// look asks the directory everything that can be asked at once.
func (l Linker) look(ctx context.Context, s Subject) (*view, error) {
	w := &view{s: s, letter: s.Letter, free: l.FreeMail, members: map[int64]map[string]bool{}}
	if w.free == nil {
		w.free = FreeMail
	}
	w.parties = counterparties(s, w.free)
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
		addresses = unique(addresses)
		if w.byAddress, err = l.Dir.ByAddresses(ctx, addresses); err != nil {
			return nil, fmt.Errorf("find clients by address: %w", err)
		}
		if w.byRule, err = l.Dir.ByRules(ctx, addresses); err != nil {
			return nil, fmt.Errorf("find rules by address: %w", err)
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
	if err := l.lookNamed(ctx, w); err != nil {
		return nil, err
	}
	if err := l.lookMarks(ctx, w); err != nil {
		return nil, err
	}
	return w, l.lookMembers(ctx, w)
}

// lookNamed reads whose the INNs and phones are that a person's letter from outside names.
func (l Linker) lookNamed(ctx context.Context, w *view) (err error) {
	if !w.guess || w.letter.Direction != models.Inbound || len(w.parties) == 0 {
		return nil
	}
	inns := slices.DeleteFunc(unique(w.s.INNs), func(n string) bool { return n == w.s.OwnINN || !ValidINN(n) })
	if len(inns) > 0 {
		if w.byINN, err = l.Dir.ByINNs(ctx, inns); err != nil {
			return fmt.Errorf("find clients by inn: %w", err)
		}
	}
	if len(w.s.Phones) > 0 {
		if w.byPhone, err = l.Dir.ByPhones(ctx, unique(w.s.Phones)); err != nil {
			return fmt.Errorf("find clients by phone: %w", err)
		}
	}
	return nil
}

// lookMarks reads the deals of the marks that are ours.
func (l Linker) lookMarks(ctx context.Context, w *view) error {
	if len(w.s.Tokens) == 0 || l.Key == nil || len(w.parties) == 0 {
		return nil
	}
	key, err := l.Key(ctx)
	if err != nil {
		return fmt.Errorf("read the key of marks: %w", err)
	}
	var numbers []int64
	for _, t := range w.s.Tokens {
		if key.Valid(t) && !slices.Contains(numbers, t.Number) {
			numbers = append(numbers, t.Number)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	found, err := l.Dir.DealsByNumbers(ctx, numbers)
	if err != nil {
		return fmt.Errorf("read marked deals: %w", err)
	}
	for _, n := range numbers {
		if d, ok := found[n]; ok {
			w.marked = append(w.marked, d)
		}
	}
	return nil
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
			set[personKey(addressKey(m))] = true
		}
		w.members[t.client] = set
	}
	return nil
}

// settled reports whether the counterparty belongs to a client of the thread by its address or domain.
func (w *view) settled(p party) bool {
	return slices.ContainsFunc(w.ties, func(t tie) bool { return w.isContact(p, t.client) || w.hasDomain(p, t.client) })
}

// isContact reports whether the counterparty is a contact of the client, or has been taught to be one.
func (w *view) isContact(p party, client int64) bool {
	if m, ok := matchOf(w.byRule, p.keys); ok {
		return m.ClientID == client
	}
	m, ok := matchOf(w.byAddress, p.keys)
	return ok && m.ClientID == client
}

// hasDomain reports whether the counterparty, being nobody's contact, stands under a corporate domain of the client. A
// contact of one client is not taken for another's because of a shared domain.
func (w *view) hasDomain(p party, client int64) bool {
	if _, known := matchOf(w.byAddress, p.keys); known {
		return false
	}
	if _, taught := matchOf(w.byRule, p.keys); taught {
		return false
	}
	m, ok := matchOf(w.byDomain, p.domains)
	return ok && m.ClientID == client
}

// matchOf returns what the first known key leads to.
func matchOf(found map[string]Match, keys []string) (Match, bool) {
	for _, k := range keys {
		if m, ok := found[k]; ok {
			return m, true
		}
	}
	return Match{}, false
}
