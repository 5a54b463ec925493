package daemon

import (
	"context"
	"slices"
	"time"

	"kontrol/models"
)

// loadThreads reads the threads that are not known yet.
func (d *directory) loadThreads(ctx context.Context, ids []int64) error {
	var missing []int64
	for _, id := range ids {
		if d.threads[id] == nil {
			missing = append(missing, id)
			d.threads[id] = newThreadCard(id)
		}
	}
	ties, err := d.q.TiesOfThreads(ctx, missing)
	if err != nil {
		return err
	}
	tied := make([]int64, 0, len(ties))
	for id, links := range ties {
		tied = append(tied, id)
		d.threads[id].links = links
		for _, l := range links {
			d.names[l.ClientID] = l.Client.Name
		}
	}
	heads, err := d.q.ThreadHeads(ctx, tied)
	for id, head := range heads {
		d.threads[id].head = head
	}
	return err
}

// began notes a thread that the transaction has made.
func (d *directory) began(threadID int64) { d.threads[threadID] = newThreadCard() }

// joined notes a letter that the transaction has put into a thread, and its links.
func (d *directory) joined(l models.Letter, links []models.Link) {
	t := d.threads[l.ThreadID]
	if t == nil {
		return
	}
	t.links = append(t.links, links...)
	t.added = append(t.added, models.Letter{MessageID: l.MessageID, BaseSubject: l.BaseSubject, ArrivedAt: l.ArrivedAt, ID: l.ID})
	if l.Class != models.ClassPerson {
		return
	}
	for _, k := range links {
		list := append(t.members[k.ClientID], l.FromAddress)
		t.members[k.ClientID] = unique(append(append(append(list, l.ReplyTo...), l.To...), l.Cc...))
	}
}

// unique removes doubles.
func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// merged notes that one thread was emptied into another.
func (d *directory) merged(into, from int64) {
	a, b := d.threads[into], d.threads[from]
	delete(d.threads, from)
	if a == nil || b == nil { // both are loaded with the index, or were begun here
		return
	}
	if len(b.stored) > 0 { // the store has moved their letters
		clear(a.read)
	}
	a.links, a.added = append(a.links, b.links...), append(a.added, b.added...)
	for client, list := range b.members {
		a.members[client] = unique(append(a.members[client], list...))
	}
}

// ThreadLinks returns the current links that tell whose a thread is.
func (d *directory) ThreadLinks(ctx context.Context, threadID int64) ([]models.Link, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return nil, err
	}
	return d.threads[threadID].links, nil
}

// Participants returns who takes part in a thread on a client's side, going by the letters of people tied to that client.
func (d *directory) Participants(ctx context.Context, threadID, clientID int64) ([]string, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return nil, err
	}
	t := d.threads[threadID]
	if _, ok := t.read[clientID]; !ok {
		t.read[clientID] = nil
		for _, id := range t.stored {
			list, err := d.q.ThreadMembers(ctx, id, clientID)
			if err != nil {
				return nil, err
			}
			t.read[clientID] = unique(list)
		}
	}
	return slices.Concat(t.read[clientID], t.members[clientID]), nil
}

// ThreadHead returns the base subject of a thread and when its last letter came.
func (d *directory) ThreadHead(ctx context.Context, threadID int64) (models.Thread, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return models.Thread{}, err
	}
	t := d.threads[threadID]
	head := t.head
	for i, l := range t.added {
		if i == 0 && head.LastAt.IsZero() {
			head.BaseSubject = l.BaseSubject
		}
		if l.ArrivedAt.After(head.LastAt) {
			head.LastAt = l.ArrivedAt
		}
	}
	return head, nil
}

// SubjectInThread reports whether another letter of the thread has the base subject.
func (d *directory) SubjectInThread(ctx context.Context, threadID int64, baseSubject string, except int64) (bool, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return false, err
	}
	t := d.threads[threadID]
	if slices.ContainsFunc(t.added, func(l models.Letter) bool { return l.BaseSubject == baseSubject && l.ID != except }) {
		return true, nil
	}
	for _, id := range t.stored {
		if found, err := d.q.SubjectInThread(ctx, id, baseSubject, except); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// DealsOfMessages returns to which deals letters of a thread are tied for a client.
func (d *directory) DealsOfMessages(ctx context.Context, threadID, clientID int64, messageIDs []string) (map[string]int64, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return nil, err
	}
	t, out := d.threads[threadID], map[string]int64{}
	for _, id := range t.stored {
		found, err := d.q.DealsOfMessages(ctx, id, clientID, messageIDs)
		if err != nil {
			return nil, err
		}
		for message, deal := range found {
			out[message] = deal
		}
	}
	for _, l := range t.added {
		for _, k := range t.links {
			if k.LetterID == l.ID && k.ClientID == clientID && k.DealID != nil && slices.Contains(messageIDs, l.MessageID) {
				out[l.MessageID] = *k.DealID
			}
		}
	}
	return out, nil
}

// ClosedDeal returns the newest deal of a client that is won or lost.
func (d *directory) ClosedDeal(ctx context.Context, clientID int64) (*models.Deal, error) {
	if _, ok := d.closed[clientID]; !ok {
		if err := d.loadClosed(ctx, []int64{clientID}); err != nil {
			return nil, err
		}
	}
	return d.closed[clientID], nil
}

// DealsByNumbers finds deals by their numbers.
func (d *directory) DealsByNumbers(ctx context.Context, numbers []int64) (map[int64]models.Deal, error) {
	return d.q.DealsByNumbers(ctx, numbers)
}

// DealSubjects lists the subjects of the letters of deals.
func (d *directory) DealSubjects(ctx context.Context, dealIDs []int64) (map[int64][]string, error) {
	return d.q.DealSubjects(ctx, dealIDs)
}

// LastSent returns the deal of the last letter that was sent to a client.
func (d *directory) LastSent(ctx context.Context, clientID int64, from []string, since, until time.Time) (*int64, error) {
	return d.q.LastSentDeal(ctx, clientID, from, since, until)
}
