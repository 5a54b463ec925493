package deals

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"kontrol/models"
	"kontrol/names"
)

// mostDraftName is how many characters a proposed name has at most.
const mostDraftName = 200

// newClient proposes an unknown sender as a new client, with what the letter tells about him.
func newClient(s Subject, who Sender, free func(string) bool, by models.LinkMethod) models.Proposal {
	d := models.ClientDraft{Address: addressKey(who.Address), Contact: plainName(who.Name), Phones: unique(s.Phones)}
	if corporate := corporateNames(models.DomainOf(d.Address), s.OwnDomain, free); len(corporate) > 0 {
		d.Domain = corporate[len(corporate)-1]
	}
	for _, n := range s.INNs {
		if n != s.OwnINN && ValidINN(n) {
			d.INN = n
			break
		}
	}
	if len(s.KPPs) == 1 && len(d.INN) == 10 {
		d.KPP = s.KPPs[0]
	}
	d.Name, d.NameFrom = draftName(s, d)
	return models.Proposal{
		Kind: models.ProposeClient, Key: d.Address, Method: by, Score: score(by) / 2, Draft: d,
		Evidence: models.Say("deals.propose.client", "Name", d.Name, "Address", shownAddress(d.Address)),
	}
}

// Draft is what a letter from outside tells about its sender as a client. It reports false for a letter of ours and for
// one without anybody outside.
func Draft(s Subject) (models.ClientDraft, bool) {
	parties := counterparties(s, FreeMail)
	if s.Letter.Direction != models.Inbound || len(parties) == 0 {
		return models.ClientDraft{}, false
	}
	return newClient(s, senderOf(s, parties[0]), FreeMail, models.LinkAddress).Draft, true
}

// senderOf names who has written a letter. In a form of a web site the name in From is the site's.
func senderOf(s Subject, p party) Sender {
	if addressKey(s.Letter.FromAddress) != p.address {
		return Sender{Address: p.address}
	}
	return Sender{Name: s.Letter.FromName, Address: p.address}
}

// draftName finds a name for an unknown client, and says where.
func draftName(s Subject, d models.ClientDraft) (name, from string) {
	if name = CompanyIn(s.Signature); name != "" {
		return name, models.NameFromSignature
	}
	switch {
	case d.Domain != "":
		return shown(d.Domain), models.NameFromDomain
	case d.Contact != "":
		return d.Contact, models.NameFromSender
	}
	return shownAddress(d.Address), models.NameFromAddress
}

// CompanyIn returns the name of the company that a signature names with its legal form, such as «ООО «Ромашка»» or "Acme
// LLC"; "" when there is none. It takes the first line that has one.
func CompanyIn(signature string) string {
	for line := range strings.Lines(signature) {
		line = strings.TrimSpace(line)
		if len(line) > 4*mostDraftName || names.Key(line) == strings.Join(names.Words(line), " ") {
			continue
		}
		if name := companyInLine(line); name != "" {
			return plainName(name)
		}
	}
	return ""
}

// plainName makes a name that can be stored of what a stranger has written: without controls and marks that cannot be seen.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	return firstRunes(strings.Join(strings.Fields(s), " "), mostDraftName)
}

// companyInLine cuts the name out of a line: from the legal form to the closing quote or the next comma; for a form that
// stands behind the name (LLC, GmbH), from the last comma to the form.
func companyInLine(line string) string {
	var before []string
	for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' || r == '|' || r == '•' || r == '\t' }) {
		part = strings.TrimSpace(part)
		words := strings.Fields(part)
		at := formAt(words)
		if at < 0 {
			before = append(before, part)
			continue
		}
		if rest := strings.Join(words[at+1:], " "); hasLetters(rest) {
			return untilQuote(strings.Join(words[at:], " "))
		}
		if hasLetters(strings.Join(words[:at], " ")) { // "Acme LLC"
			return part
		}
		if len(before) > 0 { // "Acme, LLC"
			return before[len(before)-1] + ", " + part
		}
	}
	return ""
}

// formAt returns the place of the first word that is a legal form, or -1.
func formAt(words []string) int {
	for i, w := range words {
		w = strings.Trim(w, `"«»„“”'().`)
		if utf8.RuneCountInString(w) >= 2 && names.Key("ъ "+w) == "ъ" {
			return i
		}
	}
	return -1
}

// untilQuote ends a name after its closing quotes, when it has some.
func untilQuote(name string) string {
	open := strings.IndexFunc(name, func(r rune) bool { return strings.ContainsRune(`"«„“`, r) })
	if open < 0 {
		return strings.TrimRight(name, " .-–—")
	}
	last := strings.LastIndexFunc(name, func(r rune) bool { return strings.ContainsRune(`"»“”`, r) })
	if last <= open {
		return name
	}
	_, size := utf8.DecodeRuneInString(name[last:])
	return name[:last+size]
}

func hasLetters(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }
