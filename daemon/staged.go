package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kontrol/models"
)

// firstProvisional is where the IDs of threads and links begin that are not stored yet: after all others, so that the
// eldest of several is found as if they were.
const firstProvisional = int64(1) << 62

// staged is what a transaction is going to store. It is written at once, before anything is decided.
type staged struct {
	letterIDs []int64 // reserved ones that are left
	copyIDs   []int64
	last      int64 // the last provisional ID

	threads  []*models.Thread // by provisional ID
	merged   map[int64]bool   // new threads that were emptied
	touched  map[int64]time.Time
	letters  []*models.Letter
	refs     []models.Reference
	copies   []models.Location
	links    []*models.Link
	linked   []*models.Event // of the links
	proposed []*models.Proposal
	asked    map[proposalKey]bool // of proposed
	subjects map[string][]subjectEntry
}

// subjectEntry is a letter that is going to be stored, and whose it is.
type subjectEntry struct {
	letter  *models.Letter
	clients []int64
}

func newStaged() staged {
	return staged{
		last: firstProvisional, merged: map[int64]bool{}, touched: map[int64]time.Time{}, subjects: map[string][]subjectEntry{}, asked: map[proposalKey]bool{},
	}
}

// reserve asks for the IDs of as many new letters and copies.
func (w *work) reserve(ctx context.Context, letters, copies int) (err error) {
	if w.staged.letterIDs, err = w.tx.ReserveLetters(ctx, letters); err != nil {
		return err
	}
	w.staged.copyIDs, err = w.tx.ReserveLocations(ctx, copies)
	return err
}

func (s *staged) letterID() int64 { return take(&s.letterIDs) }
func (s *staged) copyID() int64   { return take(&s.copyIDs) }

func take(ids *[]int64) int64 {
	id := (*ids)[0]
	*ids = (*ids)[1:]
	return id
}

func (s *staged) provisional() int64 { s.last++; return s.last }

// isNew reports whether the thread was begun by this transaction.
func (s *staged) isNew(thread int64) bool { return thread > firstProvisional }

// begin stages a thread and returns its provisional ID.
func (s *staged) begin(t models.Thread) int64 {
	t.ID = s.provisional()
	s.threads = append(s.threads, &t)
	return t.ID
}

// thread returns a new thread.
func (s *staged) thread(id int64) *models.Thread {
	i, ok := slices.BinarySearchFunc(s.threads, id, func(t *models.Thread, id int64) int { return int(t.ID - id) })
	if !ok {
		return nil
	}
	return s.threads[i]
}

// touch notes that a letter was put into a thread.
func (s *staged) touch(id int64, at time.Time) {
	if t := s.thread(id); t != nil {
		if at.After(t.LastAt) {
			t.LastAt = at
		}
	} else if last, ok := s.touched[id]; !ok || at.After(last) {
		s.touched[id] = at
	}
}

// merge empties a new thread into another.
func (s *staged) merge(elder, younger int64) {
	s.merged[younger] = true
	s.touch(elder, s.thread(younger).LastAt)
}

// inherit makes what was noted about an emptied thread true of the one that has its letters now.
func (s *staged) inherit(elder, younger int64) {
	if at, ok := s.touched[younger]; ok {
		delete(s.touched, younger)
		s.touch(elder, at)
	}
}

// add stages a letter that has its ID, with what it names and whose it is.
func (s *staged) add(l models.Letter, references []string, links []models.Link) {
	s.letters = append(s.letters, &l)
	for i, id := range references {
		s.refs = append(s.refs, models.Reference{LetterID: l.ID, Position: i, MessageID: id})
	}
	if l.BaseSubject == "" || len(links) == 0 {
		return
	}
	e := subjectEntry{letter: &l}
	for _, k := range links {
		e.clients = append(e.clients, k.ClientID)
	}
	s.subjects[l.BaseSubject] = append(s.subjects[l.BaseSubject], e)
}

// bySubject does for the letters that are not stored yet what Queries.ThreadBySubject does for the others.
func (s *staged) bySubject(subject string, client int64, since, until time.Time) (models.Letter, bool) {
	var found *models.Letter
	for _, e := range s.subjects[subject] {
		at := e.letter.ArrivedAt
		if slices.Contains(e.clients, client) && !at.Before(since) && !at.After(until) && (found == nil || !at.Before(found.ArrivedAt)) {
			found = e.letter
		}
	}
	if found == nil {
		return models.Letter{}, false
	}
	return models.Letter{ID: found.ID, ThreadID: found.ThreadID, ArrivedAt: found.ArrivedAt}, true
}

// flush stores what was staged, in the order in which rows refer to one another, and notes the threads of the letters.
func (w *work) flush(ctx context.Context) error {
	s := &w.staged
	if err := w.flushThreads(ctx); err != nil {
		return err
	}
	if err := w.tx.AddLetters(ctx, s.letters); err != nil {
		return err
	}
	if err := w.tx.AddReferences(ctx, s.refs); err != nil {
		return err
	}
	if err := w.tx.AddLocations(ctx, s.copies); err != nil {
		return err
	}
	if err := w.tx.AddLinks(ctx, s.links); err != nil {
		return err
	}
	if err := w.tx.AddProposals(ctx, s.proposed); err != nil {
		return err
	}
	for i, l := range s.links {
		key := fmt.Sprintf("linked/%d/%d", l.LetterID, l.ID)
		s.linked[i].DedupeKey = &key
	}
	w.staged = newStaged()
	return nil
}

// flushThreads stores the new threads and gives the letters their real IDs.
func (w *work) flushThreads(ctx context.Context) error {
	s := &w.staged
	provisional := make([]int64, 0, len(s.threads))
	for _, t := range s.threads {
		provisional = append(provisional, t.ID)
	}
	if err := w.tx.AddThreads(ctx, s.threads); err != nil {
		return err
	}
	ids := make(map[int64]int64, len(s.threads))
	var emptied []int64
	for i, t := range s.threads {
		ids[provisional[i]] = t.ID
		if s.merged[provisional[i]] {
			emptied = append(emptied, t.ID)
		}
	}
	for _, l := range s.letters {
		l.ThreadID = w.index.now(l.ThreadID)
		if id, ok := ids[l.ThreadID]; ok {
			l.ThreadID = id
		}
		w.threads[l.ThreadID] = true
		delete(w.letters, l.ID) // its thread is known
	}
	if err := w.tx.DeleteThreads(ctx, emptied); err != nil {
		return err
	}
	return w.tx.TouchThreads(ctx, s.touched)
}
