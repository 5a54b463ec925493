package daemon

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"kontrol/models"
	"kontrol/rules"
	"kontrol/store"
)

// decideTouched decides anew about every copy in an inbox whose thread the transaction touched.
func (w *work) decideTouched(ctx context.Context) error {
	touched, err := w.tx.ThreadsOf(ctx, slices.Collect(maps.Keys(w.letters)))
	if err != nil {
		return err
	}
	for _, id := range touched {
		w.threads[id] = true
	}
	threads := slices.Sorted(maps.Keys(w.threads))
	if len(threads) == 0 {
		return nil
	}
	c, err := w.conversations(ctx, threads)
	if err != nil {
		return err
	}
	for _, id := range threads {
		if t := c.threads[id]; t != nil {
			if err := w.decideThread(ctx, c, t); err != nil {
				return err
			}
		}
	}
	if err := w.storeDecisions(ctx, c); err != nil {
		return err
	}
	for id := range w.pokes { // a backstop: the poke after the commit may be lost with the process
		if err := w.tx.Enqueue(ctx, FileLetters{MailboxID: id}, &river.InsertOpts{MaxAttempts: 5}); err != nil {
			return err
		}
	}
	return nil
}

// decideThread decides about the copies of a thread's letters that lie in the inbox of a mailbox that is still ours.
func (w *work) decideThread(ctx context.Context, c *conversations, t *conversation) error {
	thread := rules.NewThread(t.siblings)
	for _, k := range t.inInbox {
		facts, err := c.facts(ctx, k.Letter, k.Location, t)
		if err != nil {
			return err
		}
		if err := w.carryOut(ctx, c, k, thread.Decide(facts)); err != nil {
			return err
		}
	}
	return nil
}

// carryOut notes a decision that says something new and plans or withdraws the move it implies.
func (w *work) carryOut(ctx context.Context, c *conversations, k store.CopyToDecide, d models.Decision) error {
	loc := k.Location
	d.LetterID, d.LocationID, d.MailboxID, d.DecidedAt = loc.LetterID, loc.ID, loc.MailboxID, w.now
	last, had := c.last[loc.ID]
	news := !had || !sameDecision(last, d)
	if !news {
		d.ID = last.ID
	}
	open, blocked := w.filingState(c.filings[loc.ID])
	target, known := c.folders[loc.MailboxID][d.Target]
	switch {
	case d.Action != models.ActionFile:
		if news {
			w.decisions = append(w.decisions, &d)
		}
		return w.withdraw(ctx, open)
	case news:
		w.filed = append(w.filed, &d)
	}
	switch {
	case !known:
		w.in.log.WarnContext(ctx, "letter not filed: the mailbox has no such folder", "mailbox", loc.MailboxID, "folder", d.Target)
		return nil
	case blocked:
		return nil
	case open != nil && (open.State != models.FilingPlanned || open.TargetFolderID == target):
		return nil
	}
	if err := w.withdraw(ctx, open); err != nil { // it was to go elsewhere
		return err
	}
	w.plans = append(w.plans, plan{filing: &models.Filing{LocationID: loc.ID, TargetFolderID: target, PlannedAt: w.now}, decision: &d})
	return nil
}

// plan is a move that is going to be written into the journal.
type plan struct {
	filing   *models.Filing
	decision *models.Decision
}

// storeDecisions writes down what was decided, and the moves into the journal.
func (w *work) storeDecisions(ctx context.Context, c *conversations) error {
	if err := w.tx.AddDecisions(ctx, w.filed); err != nil {
		return err
	}
	filings := make([]*models.Filing, 0, len(w.plans))
	for _, p := range w.plans {
		p.filing.DecisionID = &p.decision.ID
		filings = append(filings, p.filing)
	}
	if err := w.tx.PlanFilings(ctx, filings); err != nil {
		return err
	}
	answers := make([]int64, 0, len(w.plans))
	for _, p := range w.plans {
		if p.filing.ID != 0 && p.decision.AnswerID != nil {
			answers = append(answers, *p.decision.AnswerID)
		}
	}
	at, err := w.tx.ArrivedAt(ctx, answers)
	if err != nil {
		return err
	}
	for _, p := range w.plans {
		w.planned(ctx, c, p, at)
	}
	return w.tx.AddDecisions(ctx, w.decisions)
}

// planned notes that a move is in the journal.
func (w *work) planned(ctx context.Context, c *conversations, p plan, answered map[int64]time.Time) {
	d := p.decision
	if p.filing.ID == 0 {
		// The Mover has finished or begun with this copy since it was read. It belongs to another mailbox's connection.
		w.in.log.InfoContext(ctx, "letter is being filed already", "mailbox", d.MailboxID, "location", d.LocationID)
		return
	}
	w.pokes[d.MailboxID] = true
	if d.AnswerID == nil {
		return
	}
	e := w.event(models.EventLetterAnswered, "answered/"+decimal(d.LetterID), d.LetterID, d.MailboxID, models.Say("daemon.event.answered"))
	if at, ok := answered[*d.AnswerID]; ok {
		e.OccurredAt = at
	}
	if links := c.links[d.LetterID]; len(links) == 1 {
		e.ClientID, e.DealID = &links[0].ClientID, links[0].DealID
	}
}

// withdraw cancels a filing of which nothing has been said to the server yet.
func (w *work) withdraw(ctx context.Context, open *models.Filing) error {
	if open == nil || open.State != models.FilingPlanned {
		return nil
	}
	_, err := w.tx.CancelFilings(ctx, []int64{open.LocationID})
	return err
}

// filingState returns the open filing of a copy, if any, and whether a new one must not be made: one that failed since
// the program started would only fail again.
func (w *work) filingState(all []models.Filing) (open *models.Filing, blocked bool) {
	for i := range all {
		f := &all[i]
		if f.State.Open() {
			open = f
		}
		if f.State == models.FilingFailed && f.FinishedAt != nil && !f.FinishedAt.Before(w.in.started) {
			blocked = true
		}
	}
	return open, blocked
}

// sameDecision reports whether a decision says what the last one said. The same reasons give the same text; what an
// earlier version of the program has written may be another text for the same.
func sameDecision(last store.LastDecision, d models.Decision) bool {
	if last.Action != d.Action || last.Target != d.Target || last.Rule != d.Rule || !reflect.DeepEqual(last.AnswerID, d.AnswerID) {
		return false
	}
	text, err := d.Trace.Value()
	if err != nil || text == last.Trace {
		return err == nil
	}
	var before models.Trace
	return before.Scan(last.Trace) == nil && sameTrace(before, d.Trace)
}

// sameTrace compares what the traces say. One of them has been stored: its nested phrases are maps now, and its numbers
// and instants are what JSON makes of them.
func sameTrace(a, b models.Trace) bool {
	x, errX := plain(a)
	y, errY := plain(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func plain(t models.Trace) (v any, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return v, json.Unmarshal(text, &v)
}
