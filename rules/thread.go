package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
)

// Thread is what the letters of one thread are judged by, put in order once for all of them: deciding about every letter
// of a thread of n letters takes about n steps, not n times n. It is not safe for concurrent use.
type Thread struct {
	all       []Sibling
	sent      []sentLetter // copies in Sent folders, one per letter, oldest first
	later     []Sibling    // the other letters from outside that can be named, newest first
	naming    map[string][]int
	answering []int          // of sent, those that may answer and name some of later; ascending
	ids       map[int64]bool // of the letters in sent
	stored    bool           // all letters in sent have an ID
	groups    [][]string     // who the sent letters went to, each set of people once
	parties   map[party][]known
	procedure []rule
}

// sentLetter is a letter of ours with what does not depend on the letter that it may answer.
type sentLetter struct {
	Sibling
	group int   // to whom it went
	named []int // the letters of later that it names, newest first
}

// party is who must be answered. Letters of one party are answered by letters to the same people.
type party struct {
	senders string
	client  *models.Client
}

// known says whether an answer to certain people is an answer to a party.
type known uint8

const (
	knownNot known = 1 + iota
	knownYes
)

// NewThread prepares what Facts.Thread would name: the letters of one thread, in any order.
func NewThread(siblings []Sibling) *Thread {
	t := newThread(siblings)
	for _, s := range siblings {
		if !s.Sent && s.Letter.Direction == models.Inbound && messageID(s.Letter.MessageID) != "" {
			t.later = append(t.later, s)
		}
	}
	slices.SortFunc(t.later, func(a, b Sibling) int { return compareSiblings(b, a) })
	var sent []Sibling
	for _, s := range siblings {
		if s.Sent {
			sent = append(sent, s)
			t.ids[s.Letter.ID] = true
			t.stored = t.stored && s.Letter.ID != 0
		}
	}
	slices.SortFunc(sent, compareSiblings)
	t.index(slices.CompactFunc(sent, func(a, b Sibling) bool { return sameLetter(a.Letter, b.Letter) }))
	return t
}

func newThread(siblings []Sibling) *Thread {
	return &Thread{
		all: siblings, naming: map[string][]int{}, ids: map[int64]bool{}, stored: true, parties: map[party][]known{}, procedure: procedure(),
	}
}

// index notes who names whom.
func (t *Thread) index(sent []Sibling) {
	later := make(map[string][]int, len(t.later))
	for i, l := range t.later {
		id := messageID(l.Letter.MessageID)
		later[id] = append(later[id], i)
	}
	groups := map[string]int{}
	t.sent = make([]sentLetter, 0, len(sent))
	for i, s := range sent {
		l := sentLetter{Sibling: s}
		for _, r := range s.References {
			id := messageID(r)
			if id == "" {
				continue
			}
			if n := t.naming[id]; len(n) == 0 || n[len(n)-1] != i {
				t.naming[id] = append(n, i)
			}
			l.named = append(l.named, later[id]...)
		}
		slices.Sort(l.named)
		l.named = slices.Compact(l.named)
		to := recipients(s.Letter)
		key := joined(to)
		group, ok := groups[key]
		if !ok {
			group = len(t.groups)
			groups[key], t.groups = group, append(t.groups, to)
		}
		l.group = group
		if len(l.named) > 0 && l.may() {
			t.answering = append(t.answering, i)
		}
		t.sent = append(t.sent, l)
	}
}

// may reports whether a letter is of a kind that answers anything at all.
func (s *sentLetter) may() bool {
	return !s.Draft && s.Letter.Direction == models.Outbound && s.Letter.Class == models.ClassPerson
}

// without returns the thread as a letter sees it that lies in a Sent folder itself: it does not answer itself.
func (t *Thread) without(l models.Letter) *Thread {
	same := func(s Sibling) bool { return sameLetter(s.Letter, l) }
	inSent := t.ids[l.ID]
	if !t.stored || l.ID == 0 {
		inSent = slices.ContainsFunc(t.all, func(s Sibling) bool { return s.Sent && same(s) })
	}
	if !inSent {
		return t
	}
	return NewThread(slices.DeleteFunc(slices.Clone(t.all), same))
}

// newest finds the newest letter that a sent letter names, of those that arrived no earlier than the letter l and are
// not l.
func (t *Thread) newest(s *sentLetter, l *models.Letter) *models.Letter {
	for _, i := range s.named {
		other := &t.later[i].Letter
		if other.ArrivedAt.Before(l.ArrivedAt) {
			return nil
		}
		if !sameLetter(*other, *l) {
			return other
		}
	}
	return nil
}

// since returns those of answering that were sent no earlier than the instant.
func (t *Thread) since(at time.Time) []int {
	from, _ := slices.BinarySearchFunc(t.answering, at, func(i int, at time.Time) int { return t.sent[i].Letter.ArrivedAt.Compare(at) })
	return t.answering[from:]
}

// reaches reports whether a sent letter went to the sender's side.
func (t *Thread) reaches(v *view, s *sentLetter) bool {
	if v.party == nil {
		key := party{senders: joined(v.senders), client: v.f.Client}
		if t.parties[key] == nil {
			t.parties[key] = make([]known, len(t.groups))
		}
		v.party = t.parties[key]
	}
	if v.party[s.group] == 0 {
		v.party[s.group] = knownNot
		if _, ok := v.addressed(t.groups[s.group]); ok {
			v.party[s.group] = knownYes
		}
	}
	return v.party[s.group] == knownYes
}

// joined makes one text of a list, another for each list.
func joined(list []string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(' ')
		b.WriteString(s)
	}
	return b.String()
}
