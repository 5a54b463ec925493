package store

import (
	"context"

	"kontrol/models"
)

// actorKontrol is who acts when no person does.
const actorKontrol = "kontrol"

// AddDecision stores a decision and sets its ID. A zero DecidedAt becomes now.
func (tx *Tx) AddDecision(ctx context.Context, d *models.Decision) error {
	d.ID = 0
	if d.DecidedAt.IsZero() {
		d.DecidedAt = tx.now()
	}
	return failed("store decision", tx.on(ctx).Omit("Letter").Create(d).Error)
}

// DecisionsOf returns all decisions about the letter, by ascending id.
func (q *Queries) DecisionsOf(ctx context.Context, letterID int64) ([]models.Decision, error) {
	var rows []models.Decision
	err := q.on(ctx).Where("letter_id = ?", letterID).Order("id").Find(&rows).Error
	return rows, failed("read decisions of letter", err)
}

// AddEvent records what happened and sets the event's ID. An event whose DedupeKey is known already is not recorded
// again: nothing changes and AddEvent reports false. A zero OccurredAt becomes now, RecordedAt always does; an empty
// Actor becomes "kontrol". A DedupeKey longer than its column is replaced by its hash.
func (tx *Tx) AddEvent(ctx context.Context, e *models.Event) (bool, error) {
	tx.completeEvent(e)
	res := ignoring(tx.on(ctx)).Create(e)
	return res.Error == nil && res.RowsAffected > 0, failed("record event "+string(e.Kind), res.Error)
}

func (tx *Tx) completeEvent(e *models.Event) {
	e.ID, e.RecordedAt = 0, tx.now()
	if e.OccurredAt.IsZero() {
		e.OccurredAt = e.RecordedAt
	}
	if e.Actor == "" {
		e.Actor = actorKontrol
	}
	if e.DedupeKey != nil {
		key := shortKey(*e.DedupeKey, dedupeKeySize)
		e.DedupeKey = &key
	}
}

// The size of the column of Event.DedupeKey.
const dedupeKeySize = 200

// EventsOf returns the events of the letter, by business time.
func (q *Queries) EventsOf(ctx context.Context, letterID int64) ([]models.Event, error) {
	return q.events(ctx, "letter_id = ?", letterID)
}

// EventsOfDeal returns the events of the deal, by business time.
func (q *Queries) EventsOfDeal(ctx context.Context, dealID int64) ([]models.Event, error) {
	return q.events(ctx, "deal_id = ?", dealID)
}

// EventsOfClient returns the events of the client, those of its deals included, by business time.
func (q *Queries) EventsOfClient(ctx context.Context, clientID int64) ([]models.Event, error) {
	return q.events(ctx, "client_id = ?", clientID)
}

// EventsAfter returns at most limit events with an id above the given one, by id.
func (q *Queries) EventsAfter(ctx context.Context, id int64, limit int) ([]models.Event, error) {
	var rows []models.Event
	err := q.on(ctx).Where("id > ?", id).Order("id").Limit(limit).Find(&rows).Error
	return rows, failed("read events", err)
}

func (q *Queries) events(ctx context.Context, where string, id int64) ([]models.Event, error) {
	var rows []models.Event
	err := q.on(ctx).Where(where, id).Order("occurred_at, id").Find(&rows).Error
	return rows, failed("read events", err)
}
