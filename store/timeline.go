package store

import (
	"context"
	"slices"
	"time"

	"kontrol/models"
)

// EntryKind says what an entry of a timeline is about.
type EntryKind string

// The kinds of entry. Whatever is recorded as an event of a client is in its timeline as EntryEvent.
const (
	EntryLetter EntryKind = "letter"
	EntryNote   EntryKind = "note"
	EntryEvent  EntryKind = "event"
)

// Entry is one dated line of a client's timeline. Of Letter, Note and Event exactly the one that Kind names is set.
type Entry struct {
	At     time.Time
	Kind   EntryKind
	ID     int64 // of the letter, note or event
	Letter *models.Letter
	Note   *models.ClientNote
	Event  *models.Event
}

// source gives the entries of one kind, the newest first, at most limit of them that are older than before.
type source func(ctx context.Context, q *Queries, clientID int64, before time.Time, limit int) ([]Entry, error)

// timelineSources are where the entries come from. What has words of its own (a letter, a note) has a source; everything
// else that happens to a client is an event and comes with those.
func timelineSources() []source { return []source{letterEntries, noteEntries, eventEntries} }

// Timeline returns what there was with a client, the newest first: letters tied to it, notes, and its events (deals and their
// stages, owners, claims, tags). At most limit entries older than before; a zero before means from the newest. Texts of
// letters are left out.
func (q *Queries) Timeline(ctx context.Context, clientID int64, before time.Time, limit int) ([]Entry, error) {
	if before.IsZero() {
		before = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	var all []Entry
	for _, from := range timelineSources() {
		some, err := from(ctx, q, clientID, instant(before), limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return b.At.Compare(a.At) })
	return all[:min(len(all), limit)], nil
}

func letterEntries(ctx context.Context, q *Queries, clientID int64, before time.Time, limit int) ([]Entry, error) {
	var rows []models.Letter
	err := LetterFilter{ClientID: clientID, Until: before}.where(q.on(ctx)).Omit("text").
		Order("arrived_at DESC, id DESC").Limit(limit).Find(&rows).Error
	out := make([]Entry, 0, len(rows))
	for i, l := range rows {
		out = append(out, Entry{At: l.ArrivedAt, Kind: EntryLetter, ID: l.ID, Letter: &rows[i]})
	}
	return out, failed("read letters of client", err)
}

func noteEntries(ctx context.Context, q *Queries, clientID int64, before time.Time, limit int) ([]Entry, error) {
	var rows []models.ClientNote
	err := q.on(ctx).Where("client_id = ? AND occurred_at < ?", clientID, before).
		Order("occurred_at DESC, id DESC").Limit(limit).Find(&rows).Error
	out := make([]Entry, 0, len(rows))
	for i, n := range rows {
		out = append(out, Entry{At: n.OccurredAt, Kind: EntryNote, ID: n.ID, Note: &rows[i]})
	}
	return out, failed("read notes", err)
}

// eventEntries leaves out what the letters say themselves.
func eventEntries(ctx context.Context, q *Queries, clientID int64, before time.Time, limit int) ([]Entry, error) {
	var rows []models.Event
	err := q.on(ctx).Where("client_id = ? AND occurred_at < ?", clientID, before).Where("letter_id IS NULL").
		Order("occurred_at DESC, id DESC").Limit(limit).Find(&rows).Error
	out := make([]Entry, 0, len(rows))
	for i, e := range rows {
		out = append(out, Entry{At: e.OccurredAt, Kind: EntryEvent, ID: e.ID, Event: &rows[i]})
	}
	return out, failed("read events of client", err)
}
