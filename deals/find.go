package deals

import (
	"slices"
	"strconv"
	"strings"

	"kontrol/models"
)

// view is everything known about one letter that is being linked.
type view struct {
	letter    models.Letter
	parties   []party
	guess     bool // a person wrote it: domain and single open deal may be used
	manual    bool // a person has linked this very letter
	ties      []tie
	members   map[int64]map[string]bool // client to addresses that took part in the thread with it
	byAddress map[string]Match
	byDomain  map[string]Match
}

// find gives the clients that the letter leads to, each once.
func (w *view) find() ([]finding, models.Trace) {
	if w.isReport() {
		return w.findReport()
	}
	var found []finding
	var trace models.Trace
	inbound := w.letter.Direction != models.Outbound
	for _, p := range w.parties {
		f, steps := w.findParty(p)
		if inbound && len(found) > 0 {
			if f != nil && f.client != found[0].client {
				trace = append(trace, step(false, models.Say("deals.link.sender_decides", "Party", p.text, "Client", f.name)))
			}
			continue
		}
		trace = append(trace, steps...)
		if f != nil {
			found = addFinding(found, *f)
		}
	}
	return found, trace
}

// isReport reports whether nobody outside speaks in this letter: it has no counterparty, or the counterparty is the mail
// system of whoever forwards for us (mailer-daemon@yandex.ru for a company that has its mail there).
func (w *view) isReport() bool {
	for _, p := range w.parties {
		local, _, _ := strings.Cut(p.address, "@")
		if !w.letter.Class.AboutOurs() || local != "mailer-daemon" && local != "postmaster" {
			return false
		}
	}
	return true
}

// findReport links a report about a letter in a client's thread, so that it is shown there. It rests on nothing but the
// thread, and only when the thread has one client.
func (w *view) findReport() ([]finding, models.Trace) {
	if !w.letter.Class.AboutOurs() || len(w.ties) != 1 {
		return nil, models.Trace{step(false, models.Say("deals.link.nobody"))}
	}
	t := w.ties[0]
	why := models.Say("deals.link.report", "Client", w.nameOf(t.client))
	f := finding{client: t.client, name: w.nameOf(t.client), method: models.LinkThread, evidence: why, deal: t.deal}
	return []finding{f}, models.Trace{step(true, why)}
}

// findParty tries thread, address and domain for one counterparty.
func (w *view) findParty(p party) (*finding, models.Trace) {
	var trace models.Trace
	address, known := w.addressOf(p)
	domain, byDomain, registered := w.domainOf(p)
	t, why, ok := w.tieOf(p, address, known, byDomain, registered)
	if ok {
		return &finding{client: t.client, name: w.nameOf(t.client), method: models.LinkThread, evidence: why, deal: t.deal},
			models.Trace{step(true, why)}
	}
	for _, t := range w.ties {
		trace = append(trace, step(false, models.Say("deals.link.third_party", "Party", p.text, "Client", w.nameOf(t.client))))
	}
	if known {
		why := models.Say("deals.link.address", "Party", p.text, "Client", address.ClientName)
		return &finding{client: address.ClientID, name: address.ClientName, method: models.LinkAddress, evidence: why},
			append(trace, step(true, why))
	}
	switch {
	case p.free:
		return nil, append(trace, step(false, models.Say("deals.link.free_mail", "Party", p.text, "Domain", shown(p.domain))))
	case registered && !w.guess:
		return nil, append(trace, step(false, models.Say("deals.link.no_guess", "Party", p.text, "Domain", shown(domain))))
	case registered:
		why := models.Say("deals.link.domain", "Party", p.text, "Domain", shown(domain), "Client", byDomain.ClientName)
		return &finding{client: byDomain.ClientID, name: byDomain.ClientName, method: models.LinkDomain, evidence: why},
			append(trace, step(true, why))
	}
	return nil, append(trace, step(false, models.Say("deals.link.unknown", "Party", p.text)))
}

// tieOf finds the thread's client to whom the counterparty belongs. Without that a thread proves nothing, since
// anybody can copy References. A contact of one client is not taken for another's because of a shared domain.
func (w *view) tieOf(p party, address Match, known bool, byDomain Match, registered bool) (tie, models.Phrase, bool) {
	for _, t := range w.ties {
		if known && address.ClientID == t.client {
			return t, models.Say("deals.link.thread_contact", "Party", p.text, "Client", w.nameOf(t.client)), true
		}
	}
	for _, t := range w.ties {
		if !known && registered && byDomain.ClientID == t.client {
			return t, models.Say("deals.link.thread_domain", "Party", p.text, "Domain", shown(p.domain), "Client", w.nameOf(t.client)), true
		}
	}
	for _, t := range w.ties {
		if w.members[t.client][p.address] {
			return t, models.Say("deals.link.thread_member", "Party", p.text, "Client", w.nameOf(t.client)), true
		}
	}
	return tie{}, models.Phrase{}, false
}

func (w *view) addressOf(p party) (Match, bool) {
	for _, k := range p.keys {
		if m, ok := w.byAddress[k]; ok {
			return m, true
		}
	}
	return Match{}, false
}

func (w *view) domainOf(p party) (string, Match, bool) {
	for _, d := range p.domains {
		if m, ok := w.byDomain[d]; ok {
			return d, m, true
		}
	}
	return "", Match{}, false
}

// nameOf gives the client's name as far as anything told it.
func (w *view) nameOf(client int64) string {
	for _, t := range w.ties {
		if t.client == client && t.name != "" {
			return t.name
		}
	}
	for _, m := range []map[string]Match{w.byAddress, w.byDomain} {
		for _, x := range m {
			if x.ClientID == client && x.ClientName != "" {
				return x.ClientName
			}
		}
	}
	return strconv.FormatInt(client, 10)
}

// addFinding keeps each client once, with the strongest method.
func addFinding(found []finding, f finding) []finding {
	at := slices.IndexFunc(found, func(x finding) bool { return x.client == f.client })
	if at < 0 {
		return append(found, f)
	}
	if strength(f.method) > strength(found[at].method) {
		found[at] = f
	}
	return found
}

func strength(m models.LinkMethod) int {
	return slices.Index([]models.LinkMethod{models.LinkDomain, models.LinkAddress, models.LinkThread, models.LinkManual}, m)
}
