package deals

import (
	"cmp"
	"slices"

	"kontrol/models"
)

// party is a counterparty of a letter.
type party struct {
	address string
	text    models.Phrase // names it: "the sender ivan@romashka.ru"
	keys    []string      // forms of the address to look up, the exact one first
	domains []string      // names under which its corporate domain may be registered, the longest first
	domain  string        // its domain, whatever it is
	free    bool          // the domain is free mail
}

// counterparties lists those outside: From and Reply-To of a letter to us, To and Cc of a letter of ours.
func counterparties(s Subject, free func(string) bool) []party {
	var list []party
	seen := map[string]bool{}
	add := func(say func(address string) models.Phrase, addresses ...string) {
		for _, a := range addresses {
			key := addressKey(a)
			if key == "" || seen[key] || isOwn(s, key) {
				continue
			}
			seen[key] = true
			domain := models.DomainOf(key)
			p := party{address: key, text: say(shownAddress(key)), domain: domain, free: free(domain)}
			p.keys = unique([]string{key, models.NormalAddress(a), withoutTag(key)})
			p.domains = corporateNames(domain, s.OwnDomain, free)
			list = append(list, p)
		}
	}
	l := s.Letter
	if l.Direction == models.Outbound {
		add(func(a string) models.Phrase { return models.Say("deals.party.to", "Address", a) }, l.To...)
		add(func(a string) models.Phrase { return models.Say("deals.party.cc", "Address", a) }, l.Cc...)
		return list
	}
	add(func(a string) models.Phrase { return models.Say("deals.party.from", "Address", a) }, l.FromAddress)
	add(func(a string) models.Phrase { return models.Say("deals.party.reply_to", "Address", a) }, l.ReplyTo...)
	return list
}

// addressKey is NormalEmail where that works, and the plain normalised address where it does not.
func addressKey(a string) string {
	if e, ok := NormalEmail(a); ok {
		return e
	}
	return models.NormalAddress(a)
}

func isOwn(s Subject, address string) bool {
	if s.Own != nil && s.Own(address) {
		return true
	}
	d, ok := NormalDomain(models.DomainOf(address))
	return ok && s.OwnDomain != nil && ownDomain(s.OwnDomain, d)
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// tie is a client to whom a thread belongs.
type tie struct {
	client int64
	name   string
	deal   *int64
	deals  int         // how many deals letters of the thread are tied to: 0, 1 or more
	best   models.Link // the link that named the deal
}

// addTie notes one link of the thread. The deal is the one named last by a person, else the one named last.
func (w *view) addTie(k models.Link) {
	at, ok := slices.BinarySearchFunc(w.ties, k.ClientID, func(t tie, id int64) int { return cmp.Compare(t.client, id) })
	if !ok {
		w.ties = slices.Insert(w.ties, at, tie{client: k.ClientID})
	}
	t := &w.ties[at]
	if k.Client != nil {
		t.name = k.Client.Name
	}
	if k.DealID != nil && (t.deal == nil || *t.deal != *k.DealID) {
		t.deals++
	}
	if k.DealID != nil && (t.deal == nil || newer(k, t.best)) {
		t.deal, t.best = k.DealID, k
	}
}

func newer(a, b models.Link) bool {
	if x, y := a.Method == models.LinkManual, b.Method == models.LinkManual; x != y {
		return x
	}
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c > 0
	}
	return a.ID > b.ID
}
