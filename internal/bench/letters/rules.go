package letters

import (
	"fmt"
	"strings"
)

// Kind says what a rule looks at.
type Kind string

// The kinds of rules.
const (
	From       Kind = "from"    // the sender's address
	FromDomain Kind = "domain"  // the sender's domain
	Subject    Kind = "subject" // words in the decoded subject
	Thread     Kind = "thread"  // a Message-ID in References
)

// Rule is one rule of the triage. A letter matches one at most, so that their order does not matter.
type Rule struct {
	Kind   Kind   `json:"kind"`
	Value  string `json:"value"`
	Folder int    `json:"folder"` // index into Folders
}

// Folders are the names of the two folders into which rules file, and Kontrol too.
func Folders() [2]string {
	return [2]string{"Обработанные письма", "На контроле"}
}

// WireFolders are the same names as they go over the wire. See RFC 3501 section 5.1.3.
func WireFolders() [2]string {
	return [2]string{
		"&BB4EMQRABDAEMQQ+BEIEMAQ9BD0ESwQ1- &BD8EOARBBEwEPAQw-",
		"&BB0EMA- &BDoEPgQ9BEIEQAQ+BDsENQ-",
	}
}

var values = []struct {
	kind Kind
	list []string
}{
	{From, []string{
		"billing@hosting-one.example", "invoice@telecom-two.example", "buh@sklad-tri.example", "info@bank-four.example",
		"orders@shop-five.example", "zakaz@ci-six.example", "duty@monitor-seven.example", "hr@office-eight.example",
	}},
	{FromDomain, []string{
		"news-alpha.example", "promo-beta.example", "list-gamma.example", "digest-delta.example",
		"pay-epsilon.example", "tax-zeta.example", "travel-eta.example", "forum-theta.example",
	}},
	{Subject, []string{
		"[TICKET-QX]", "Quarterly statement", "Build report #", "Weekly digest no.",
		"Счёт на оплату", "Акт сверки взаиморасчётов", "Подтверждение бронирования", "Еженедельная подборка",
	}},
}

// HeadRules is how many of Rules, the first ones, look at sender and subject. The others look at threads: letters that
// match those are one conversation each, longer than any in real life.
const HeadRules = 24

// Rules returns the thirty rules of the triage.
func Rules() []Rule {
	rules := make([]Rule, 0, 30)
	add := func(k Kind, v string) { rules = append(rules, Rule{k, v, len(rules) % 2}) }
	for _, v := range values {
		for _, s := range v.list {
			add(v.kind, s)
		}
	}
	for i := range 6 {
		add(Thread, fmt.Sprintf("root-%d@threads.example", i))
	}
	return rules
}

// Matcher asks all rules at once.
type Matcher struct {
	exact    map[Kind]map[string]int // kind, value, folder
	subjects []Rule
}

// NewMatcher returns a Matcher for Rules.
func NewMatcher() *Matcher {
	m := &Matcher{exact: map[Kind]map[string]int{From: {}, FromDomain: {}, Thread: {}}}
	for _, r := range Rules() {
		if r.Kind == Subject {
			m.subjects = append(m.subjects, r)
		} else {
			m.exact[r.Kind][r.Value] = r.Folder
		}
	}
	return m
}

// Match returns the folder of a letter, as an index into Folders. The subject is decoded, refs are Message-IDs without
// angle brackets.
func (m *Matcher) Match(from, subject string, refs []string) (folder int, ok bool) {
	from = strings.ToLower(from)
	if f, ok := m.exact[From][from]; ok {
		return f, true
	}
	if f, ok := m.exact[FromDomain][from[strings.LastIndexByte(from, '@')+1:]]; ok {
		return f, true
	}
	for _, r := range m.subjects {
		if strings.Contains(subject, r.Value) {
			return r.Folder, true
		}
	}
	for _, id := range refs {
		if f, ok := m.exact[Thread][id]; ok {
			return f, true
		}
	}
	return 0, false
}

// SplitIDs returns the Message-IDs of a References field, without angle brackets.
func SplitIDs(s string) []string {
	var ids []string
	for {
		_, rest, ok := strings.Cut(s, "<")
		id, after, closed := strings.Cut(rest, ">")
		if !ok || !closed {
			return ids
		}
		ids, s = append(ids, id), after
	}
}
