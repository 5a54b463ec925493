package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/riverqueue/river"

	"kontrol/models"
	"kontrol/rules"
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
		if err := w.decideThread(ctx, c, id); err != nil {
			return err
		}
	}
	if err := w.tx.AddDecisions(ctx, w.decisions); err != nil {
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
func (w *work) decideThread(ctx context.Context, c *conversations, threadID int64) error {
	view := c.view(threadID)
	for _, l := range c.letters[threadID] {
		for _, loc := range c.copies[l.ID] {
			if !isIn(loc, models.FolderInbox) || c.mailboxes[loc.MailboxID].State == models.MailboxRemoved {
				continue
			}
			facts, err := c.facts(ctx, l, loc, view)
			if err != nil {
				return err
			}
			if err := w.carryOut(ctx, c, loc, l, rules.Decide(facts)); err != nil {
				return err
			}
		}
	}
	return nil
}

// carryOut stores a decision that says something new and plans or withdraws the move it implies.
func (w *work) carryOut(ctx context.Context, c *conversations, loc models.Location, letter models.Letter, d models.Decision) error {
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
		if err := w.tx.AddDecision(ctx, &d); err != nil {
			return err
		}
	}
	switch {
	case !known:
		w.in.log.WarnContext(ctx, "letter not filed: the mailbox has no such folder", "mailbox", loc.MailboxID, "folder", d.Target)
		return nil
	case blocked:
		return nil
	case open != nil && (open.State != models.FilingPlanned || open.TargetFolderID == target.ID):
		return nil
	}
	if err := w.withdraw(ctx, open); err != nil { // it was to go elsewhere
		return err
	}
	return w.plan(ctx, c, loc, letter, target.ID, d)
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

// plan writes a move into the journal.
func (w *work) plan(ctx context.Context, c *conversations, loc models.Location, letter models.Letter, target int64, d models.Decision) error {
	f := models.Filing{LocationID: loc.ID, TargetFolderID: target, DecisionID: &d.ID, PlannedAt: w.now}
	err := w.tx.PlanFiling(ctx, &f)
	if errors.Is(err, models.ErrNotFound) || errors.Is(err, models.ErrDuplicate) {
		// The Mover has finished or begun with this copy since it was read. It belongs to another mailbox's connection.
		w.in.log.InfoContext(ctx, "letter is being filed already", "mailbox", loc.MailboxID, "location", loc.ID)
		return nil
	}
	if err != nil {
		return err
	}
	w.pokes[loc.MailboxID] = true
	if d.AnswerID == nil {
		return nil
	}
	e := w.event(models.EventLetterAnswered, "answered/"+decimal(loc.LetterID), loc.LetterID, loc.MailboxID, models.Say("daemon.event.answered"))
	if answer, ok := c.letter(letter.ThreadID, *d.AnswerID); ok {
		e.OccurredAt = answer.ArrivedAt
	}
	if links := c.links[loc.LetterID]; len(links) == 1 {
		e.ClientID, e.DealID = &links[0].ClientID, links[0].DealID
	}
	return nil
}

func sameDecision(a, b models.Decision) bool {
	return a.Action == b.Action && a.Target == b.Target && a.Rule == b.Rule && reflect.DeepEqual(a.AnswerID, b.AnswerID) &&
		sameTrace(a.Trace, b.Trace)
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
