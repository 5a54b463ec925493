package deals

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kontrol/models"
	"kontrol/names"
)

// choice is the deal that a letter of a client concerns, or why there is none.
type choice struct {
	deal  *int64
	ask   bool
	fresh bool // it seems to be about something new: a deal is proposed
	text  models.Phrase
}

// How strongly each kind of evidence speaks for a deal, and by how much the best deal must lead. What is not named is asked.
const (
	pointsMark     = 100
	pointsThread   = 95
	pointsNumber   = 90
	pointsDocument = 80
	pointsRule     = 60
	pointsLastSent = 40
	pointsWords    = 30 // when all words that tell the deal's title from the others' are there
	margin         = 15
)

// candidate is an open deal of the client and what speaks for it.
type candidate struct {
	deal   models.Deal
	points int
	why    models.Phrase // the strongest evidence
}

func (c *candidate) add(points int, why models.Phrase) {
	if points > c.points {
		c.why = why
	}
	c.points = max(c.points, points)
}

// chooseDeal takes the deal for which most speaks: the mark, the thread, a number in the text, what a person has taught,
// our last letter, the words of the title. The only open deal needs no evidence. When the best does not lead by a margin,
// it asks. A conversation that goes on about something else after two weeks of silence is not taken for its old deal. A
// letter that no person wrote (guess is false) gets the deal of the mark or the thread or none, and nobody is asked about it.
func (l Linker) chooseDeal(ctx context.Context, w *view, f finding) (choice, error) {
	open, err := l.Dir.OpenDeals(ctx, f.client)
	if err != nil {
		return choice{}, fmt.Errorf("read open deals of client %d: %w", f.client, err)
	}
	var list []candidate
	for _, d := range open {
		if d.ClosedAt == nil {
			list = append(list, candidate{deal: d})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Compare(a.deal.Number, b.deal.Number) })
	if len(list) == 0 {
		return l.noDeal(ctx, f)
	}
	stale, err := l.stale(ctx, w, f)
	if err != nil {
		return choice{}, err
	}
	if err := l.certain(ctx, w, f, list, stale); err != nil {
		return choice{}, err
	}
	if best, ok := lead(list, pointsDocument); ok {
		return best, nil
	}
	switch {
	case !w.guess:
		return choice{text: models.Say("deals.deal.no_guess")}, nil
	case stale:
		return choice{ask: true, fresh: true, text: models.Say("deals.deal.stale", "Count", len(list), "Deals", dealNames(list))}, nil
	case len(list) == 1:
		return choice{deal: &list[0].deal.ID, text: models.Say("deals.deal.only", "Deal", dealName(list[0].deal))}, nil
	}
	if err := l.likely(ctx, w, f, list); err != nil {
		return choice{}, err
	}
	if best, ok := lead(list, margin); ok {
		return best, nil
	}
	return choice{ask: true, text: models.Say("deals.deal.several", "Count", len(list), "Deals", dealNames(list))}, nil
}

// noDeal says what can be done when no deal is open.
func (l Linker) noDeal(ctx context.Context, f finding) (choice, error) {
	last, err := l.Dir.ClosedDeal(ctx, f.client)
	if err != nil {
		return choice{}, fmt.Errorf("read closed deals of client %d: %w", f.client, err)
	}
	if last == nil {
		return choice{text: models.Say("deals.deal.none", "Client", f.name)}, nil
	}
	return choice{text: models.Say("deals.deal.reopen", "Client", f.name, "Deal", dealName(*last))}, nil
}

// lead returns the best deal, if it has so many points at least and leads by the margin.
func lead(list []candidate, least int) (choice, bool) {
	best := slices.MaxFunc(list, func(a, b candidate) int { return cmp.Compare(a.points, b.points) })
	if best.points < least {
		return choice{}, false
	}
	for _, c := range list {
		if c.deal.ID != best.deal.ID && best.points-c.points < margin {
			return choice{}, false
		}
	}
	return choice{deal: &best.deal.ID, text: best.why}, true
}

// certain weighs what names a deal: mark, thread, numbers.
func (l Linker) certain(ctx context.Context, w *view, f finding, list []candidate, stale bool) error {
	thread := f.deal
	if f.several && f.method != models.LinkToken {
		answered, err := l.answeredDeal(ctx, w, f)
		if err != nil {
			return err
		}
		if answered != nil {
			thread = answered
		}
	}
	for i := range list {
		c := &list[i]
		name := dealName(c.deal)
		if slices.ContainsFunc(w.marked, func(d models.Deal) bool { return d.ID == c.deal.ID }) {
			c.add(pointsMark, models.Say("deals.deal.token", "Deal", name))
		}
		if thread != nil && *thread == c.deal.ID && !stale && f.method != models.LinkToken {
			c.add(pointsThread, models.Say("deals.deal.thread", "Deal", name))
		}
		if w.guess && slices.Contains(w.s.Deals, strconv.FormatInt(c.deal.Number, 10)) {
			c.add(pointsNumber, models.Say("deals.deal.named", "Deal", name))
		}
	}
	if !w.guess || len(w.s.Offers)+len(w.s.Invoices) == 0 || len(list) == 1 && !stale {
		return nil
	}
	return l.documents(ctx, w, list)
}

// answeredDeal returns the deal of the newest letter that this one names, in a thread about several.
func (l Linker) answeredDeal(ctx context.Context, w *view, f finding) (*int64, error) {
	if len(w.s.References) == 0 || w.letter.ThreadID == 0 {
		return nil, nil //nolint:nilnil // nothing answered is no error
	}
	found, err := l.Dir.DealsOfMessages(ctx, w.letter.ThreadID, f.client, w.s.References)
	if err != nil {
		return nil, fmt.Errorf("read deals of answered letters: %w", err)
	}
	for _, id := range slices.Backward(w.s.References) {
		if deal, ok := found[id]; ok {
			return &deal, nil
		}
	}
	return nil, nil //nolint:nilnil // nothing answered is no error
}

// documents weighs the numbers of offers and invoices: they belong to the deal in whose title or letters they stand.
func (l Linker) documents(ctx context.Context, w *view, list []candidate) error {
	subjects, err := l.Dir.DealSubjects(ctx, dealIDs(list))
	if err != nil {
		return fmt.Errorf("read subjects of deals: %w", err)
	}
	for i := range list {
		c := &list[i]
		texts := append([]string{c.deal.Title}, subjects[c.deal.ID]...)
		for _, number := range slices.Concat(w.s.Offers, w.s.Invoices) {
			if slices.ContainsFunc(texts, func(t string) bool { return hasNumber(t, number) }) {
				c.add(pointsDocument, models.Say("deals.deal.document", "Deal", dealName(c.deal), "Number", number))
			}
		}
	}
	return nil
}

// hasNumber reports whether the number of a document stands in a text, not as a part of a longer one.
func hasNumber(text, number string) bool {
	text, number = strings.ToLower(text), strings.ToLower(strings.TrimSpace(number))
	for at := 0; number != ""; {
		i := strings.Index(text[at:], number)
		if i < 0 {
			return false
		}
		start, end := at+i, at+i+len(number)
		if (start == 0 || !wordByte(text[start-1])) && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		at = start + 1
	}
	return false
}

// likely weighs what only hints at a deal.
func (l Linker) likely(ctx context.Context, w *view, f finding, list []candidate) error {
	last, err := l.lastSent(ctx, w, f)
	if err != nil {
		return err
	}
	said := names.Words(w.letter.Subject + "\n" + w.s.NewWords)
	for i := range list {
		c := &list[i]
		if f.ruled != nil && *f.ruled == c.deal.ID {
			c.add(pointsRule, models.Say("deals.deal.rule", "Deal", dealName(c.deal)))
		}
		if last != nil && *last == c.deal.ID {
			c.add(pointsLastSent, models.Say("deals.deal.last_sent", "Deal", dealName(c.deal)))
		}
		if n, word := titleWords(list, i, said); n > 0 {
			c.add(n, models.Say("deals.deal.words", "Deal", dealName(c.deal), "Word", word))
		}
	}
	return nil
}

// lastSent returns the deal about which the manager to whom the letter came has written to the client last.
func (l Linker) lastSent(ctx context.Context, w *view, f finding) (*int64, error) {
	var from []string
	for _, a := range slices.Concat(w.letter.To, w.letter.Cc) {
		if key := addressKey(a); isOwn(w.s, key) {
			from = append(from, key)
		}
	}
	if w.letter.Direction != models.Inbound || len(from) == 0 || w.letter.ArrivedAt.IsZero() {
		return nil, nil //nolint:nilnil // no letter of ours is no error
	}
	deal, err := l.Dir.LastSent(ctx, f.client, unique(from), w.letter.ArrivedAt.Add(-lastSentWindow), w.letter.ArrivedAt)
	if err != nil {
		return nil, fmt.Errorf("read the last letter to client %d: %w", f.client, err)
	}
	return deal, nil
}

// stale reports whether a person's letter goes on with a thread after a long silence under a subject that the thread has
// never had.
func (l Linker) stale(ctx context.Context, w *view, f finding) (bool, error) {
	letter := w.letter
	inThread := slices.ContainsFunc(w.ties, func(t tie) bool { return t.client == f.client })
	if !w.guess || !inThread || letter.Direction != models.Inbound || letter.BaseSubject == "" || letter.ArrivedAt.IsZero() {
		return false, nil
	}
	head, err := l.Dir.ThreadHead(ctx, letter.ThreadID)
	if err != nil {
		return false, fmt.Errorf("read thread %d: %w", letter.ThreadID, err)
	}
	if head.BaseSubject == letter.BaseSubject || head.LastAt.IsZero() || letter.ArrivedAt.Sub(head.LastAt) <= lastSentWindow {
		return false, nil
	}
	had, err := l.Dir.SubjectInThread(ctx, letter.ThreadID, letter.BaseSubject, letter.ID)
	if err != nil {
		return false, fmt.Errorf("read subjects of thread %d: %w", letter.ThreadID, err)
	}
	return !had, nil
}

func dealIDs(list []candidate) []int64 {
	ids := make([]int64, 0, len(list))
	for _, c := range list {
		ids = append(ids, c.deal.ID)
	}
	return ids
}

func dealNames(list []candidate) []any {
	out := make([]any, 0, len(list))
	for _, c := range list {
		out = append(out, dealName(c.deal))
	}
	return out
}

// dealName is how people call a deal: #12 «Насосы».
func dealName(d models.Deal) models.Phrase {
	if d.Title == "" {
		return models.Say("deals.deal.number", "Number", d.Number)
	}
	return models.Say("deals.deal.name", "Number", d.Number, "Title", d.Title)
}
