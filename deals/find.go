package deals

import (
	"slices"
	"strconv"
	"strings"

	"kontrol/models"
)

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
	return found, append(trace, w.strangeMarks(found)...)
}

// strangeMarks asks about marks of deals to whose clients the letter does not lead.
func (w *view) strangeMarks(found []finding) models.Trace {
	var trace models.Trace
	for _, d := range w.marked {
		if slices.ContainsFunc(found, func(f finding) bool { return f.client == d.ClientID }) {
			continue
		}
		id := d.ID
		why := models.Say("deals.link.token_stranger", "Party", w.parties[0].text, "Deal", dealName(d), "Client", w.nameOf(d.ClientID))
		trace = append(trace, step(false, why))
		w.review(d.ClientID, &id, models.LinkToken, why)
	}
	return trace
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

// findParty tries one way after the other for one counterparty. What holds but decides nothing is in the trace as well.
func (w *view) findParty(p party) (*finding, models.Trace) {
	var trace models.Trace
	for _, way := range []func(party, *models.Trace) *finding{w.byTeaching, w.byThread, w.byMark, w.byContact, w.byWords, w.byName} {
		if f := way(p, &trace); f != nil {
			return f, append(trace, step(true, f.evidence))
		}
	}
	return nil, trace
}

// byTeaching is for addresses about which a person has said whose they are. In the client's own thread the thread is
// named, for it knows the deal better.
func (w *view) byTeaching(p party, trace *models.Trace) *finding {
	m, ok := matchOf(w.byRule, p.keys)
	if !ok {
		return nil
	}
	f := &finding{client: m.ClientID, name: m.ClientName, method: models.LinkRuled, ruled: m.DealID,
		evidence: models.Say("deals.link.rule", "Party", p.text, "Client", m.ClientName)}
	for _, t := range w.ties {
		if t.client == m.ClientID {
			f.deal, f.several = t.deal, t.deals > 1
		} else {
			w.doubt(p, t, trace)
		}
	}
	return f
}

// byThread finds the thread's client to whom the counterparty belongs. Without that a thread proves nothing, since
// anybody can copy References.
func (w *view) byThread(p party, trace *models.Trace) *finding {
	if t, why, ok := w.tieOf(p); ok {
		return &finding{client: t.client, name: w.nameOf(t.client), method: models.LinkThread, evidence: why, deal: t.deal, several: t.deals > 1}
	}
	for _, t := range w.ties {
		w.doubt(p, t, trace)
	}
	return nil
}

// doubt notes that the counterparty does not belong to a client of the thread.
func (w *view) doubt(p party, t tie, trace *models.Trace) {
	why := models.Say("deals.link.third_party", "Party", p.text, "Client", w.nameOf(t.client))
	*trace = append(*trace, step(false, why))
	if w.letter.Direction == models.Inbound {
		w.review(t.client, t.deal, models.LinkThread, why)
	}
}

func (w *view) review(client int64, deal *int64, by models.LinkMethod, why models.Phrase) {
	w.doubts = append(w.doubts, models.Proposal{
		Kind: models.ProposeReview, ClientID: &client, DealID: deal, Method: by, Score: score(by) / 2, Evidence: why,
	})
}

func (w *view) tieOf(p party) (tie, models.Phrase, bool) {
	for _, t := range w.ties {
		if w.isContact(p, t.client) {
			return t, models.Say("deals.link.thread_contact", "Party", p.text, "Client", w.nameOf(t.client)), true
		}
	}
	for _, t := range w.ties {
		if w.hasDomain(p, t.client) {
			return t, models.Say("deals.link.thread_domain", "Party", p.text, "Domain", shown(p.domain), "Client", w.nameOf(t.client)), true
		}
	}
	for _, t := range w.ties {
		if w.members[t.client][personKey(p.address)] {
			return t, models.Say("deals.link.thread_member", "Party", p.text, "Client", w.nameOf(t.client)), true
		}
	}
	return tie{}, models.Phrase{}, false
}

// byMark finds the client of the deal whose mark the letter holds, if the counterparty belongs there. A mark can be passed
// on, so that it proves nothing about a stranger.
func (w *view) byMark(p party, _ *models.Trace) *finding {
	for _, d := range w.marked {
		if !w.isContact(p, d.ClientID) && !w.hasDomain(p, d.ClientID) {
			continue
		}
		name, id := w.nameOf(d.ClientID), d.ID
		return &finding{client: d.ClientID, name: name, method: models.LinkToken, deal: &id,
			evidence: models.Say("deals.link.token", "Party", p.text, "Deal", dealName(d), "Client", name)}
	}
	return nil
}

func (w *view) byContact(p party, _ *models.Trace) *finding {
	m, ok := matchOf(w.byAddress, p.keys)
	if !ok {
		return nil
	}
	return &finding{client: m.ClientID, name: m.ClientName, method: models.LinkAddress,
		evidence: models.Say("deals.link.address", "Party", p.text, "Client", m.ClientName)}
}

// byWords goes by the INN that the letter names, then by a phone. When they lead to several clients a person is asked.
func (w *view) byWords(p party, trace *models.Trace) *finding {
	for _, kind := range []struct {
		method models.LinkMethod
		text   string
		keys   []string
		found  map[string]Match
	}{{models.LinkINN, "deals.link.inn", w.s.INNs, w.byINN}, {models.LinkPhone, "deals.link.phone", w.s.Phones, w.byPhone}} {
		var all []finding
		for _, k := range unique(kind.keys) {
			if m, ok := kind.found[k]; ok && !slices.ContainsFunc(all, func(f finding) bool { return f.client == m.ClientID }) {
				all = append(all, finding{client: m.ClientID, name: m.ClientName, method: kind.method,
					evidence: models.Say(kind.text, "Party", p.text, "Value", k, "Client", m.ClientName)})
			}
		}
		if len(all) == 1 {
			return &all[0]
		}
		for _, f := range all {
			*trace = append(*trace, step(false, f.evidence))
			w.review(f.client, nil, f.method, f.evidence)
		}
	}
	return nil
}

// byName goes by the corporate domain.
func (w *view) byName(p party, trace *models.Trace) *finding {
	say := func(key string, pairs ...any) {
		*trace = append(*trace, step(false, models.Say(key, append([]any{"Party", p.text}, pairs...)...)))
	}
	if p.free {
		say("deals.link.free_mail", "Domain", shown(p.domain))
		return nil
	}
	for _, d := range p.domains {
		m, registered := w.byDomain[d]
		switch {
		case !registered:
			continue
		case !w.guess:
			say("deals.link.no_guess", "Domain", shown(d))
			return nil
		}
		return &finding{client: m.ClientID, name: m.ClientName, method: models.LinkDomain,
			evidence: models.Say("deals.link.domain", "Party", p.text, "Domain", shown(d), "Client", m.ClientName)}
	}
	say("deals.link.unknown")
	return nil
}

// nameOf gives the client's name as far as anything told it.
func (w *view) nameOf(client int64) string {
	for _, t := range w.ties {
		if t.client == client && t.name != "" {
			return t.name
		}
	}
	for _, d := range w.marked {
		if d.ClientID == client && d.Client != nil {
			return d.Client.Name
		}
	}
	for _, m := range []map[string]Match{w.byRule, w.byAddress, w.byDomain} {
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
	if score(f.method) > score(found[at].method) {
		found[at] = f
	}
	return found
}
