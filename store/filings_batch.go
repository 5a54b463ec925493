package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// SaveFiling stores State, Dest*, Attempts, LastError, Reason, NextAttemptAt and SentAt of an open filing. It returns
// models.ErrNotFound when the stored filing is no longer open.
func (tx *Tx) SaveFiling(ctx context.Context, f *models.Filing) error {
	closed, err := tx.SaveFilings(ctx, []*models.Filing{f})
	return closedError("save", closed, err)
}

// SaveFilings is SaveFiling for many filings. It returns the ids of those that are no longer open, which are left as they
// are.
func (tx *Tx) SaveFilings(ctx context.Context, list []*models.Filing) (closed []int64, err error) {
	for _, f := range list {
		if !f.State.Open() {
			return nil, fmt.Errorf("save filing %d: state %q is not open", f.ID, f.State)
		}
	}
	return tx.updateFilings(ctx, list, nil)
}

// FinishFiling stores the final state of a filing and what follows from it. Done: the source copy is gone, the destination
// copy (DestUIDValidity, DestUID) is known as a copy of the same letter that may be moved again, and the event
// letter.filed is there; with DestUID zero (the server did not tell) no destination copy is made. Gone: the source copy is
// gone. Failed: the event filing.failed. Cancelled: nothing else. It returns models.ErrNotFound when the stored filing is
// no longer open.
func (tx *Tx) FinishFiling(ctx context.Context, f *models.Filing) error {
	closed, err := tx.FinishFilings(ctx, []*models.Filing{f})
	return closedError("finish", closed, err)
}

// FinishFilings is FinishFiling for many filings. It returns the ids of those that are no longer open, which are left as
// they are.
func (tx *Tx) FinishFilings(ctx context.Context, list []*models.Filing) (closed []int64, err error) {
	for _, f := range list {
		if f.State.Open() || f.State == "" {
			return nil, fmt.Errorf("finish filing %d: state %q is not final", f.ID, f.State)
		}
	}
	now := tx.now()
	if closed, err = tx.updateFilings(ctx, list, &now); err != nil {
		return nil, err
	}
	was := make(map[int64]bool, len(closed))
	for _, id := range closed {
		was[id] = true
	}
	byState := make(map[models.FilingState][]int64)
	for _, f := range list {
		f.FinishedAt = &now
		if !was[f.ID] {
			byState[f.State] = append(byState[f.State], f.ID)
		}
	}
	if err := tx.filed(ctx, list, byState[models.FilingDone], now); err != nil {
		return nil, err
	}
	if err := tx.sourcesGone(ctx, byState[models.FilingGone], now); err != nil {
		return nil, err
	}
	return closed, tx.filingsFailed(ctx, byState[models.FilingFailed], now)
}

func closedError(doing string, closed []int64, err error) error {
	if err == nil && len(closed) > 0 {
		err = models.ErrNotFound
	}
	if len(closed) > 0 {
		return fmt.Errorf("%s filing %d: %w", doing, closed[0], err)
	}
	return err
}

// told is everything that a filing's row is told at once; filings with the same go into one statement.
type told struct {
	state                        models.FilingState
	destUIDValidity, destUIDNext uint32
	attempts                     int
	lastError, reason            string
	nextAttempt, sent            time.Time
	hasNextAttempt, hasSent      bool
}

func toldOf(f *models.Filing) (told, error) {
	t := told{
		state: f.State, destUIDValidity: f.DestUIDValidity, destUIDNext: f.DestUIDNext, attempts: f.Attempts,
		lastError: storable(f.LastError),
	}
	if f.NextAttemptAt != nil {
		t.nextAttempt, t.hasNextAttempt = instant(*f.NextAttemptAt), true
	}
	if f.SentAt != nil {
		t.sent, t.hasSent = instant(*f.SentAt), true
	}
	reason, err := f.Reason.Value()
	if err != nil {
		return t, fmt.Errorf("save filing %d: %w", f.ID, err)
	}
	t.reason, _ = reason.(string)
	t.reason = storable(t.reason)
	return t, nil
}

// updateFilings writes what the Mover may change of open filings and returns the ids of those that are not open.
func (tx *Tx) updateFilings(ctx context.Context, list []*models.Filing, finished *time.Time) ([]int64, error) {
	alike := make(map[told][]*models.Filing)
	var order []told // the same every time, so that two transactions do not lock rows crosswise
	for _, f := range list {
		t, err := toldOf(f)
		if err != nil {
			return nil, err
		}
		if alike[t] == nil {
			order = append(order, t)
		}
		alike[t] = append(alike[t], f)
	}
	open := make(map[int64]bool, len(list))
	for _, t := range order {
		if err := tx.updateAlike(ctx, t, alike[t], finished, open); err != nil {
			return nil, err
		}
	}
	var closed []int64
	for _, f := range list {
		if !open[f.ID] {
			closed = append(closed, f.ID)
		}
	}
	return closed, nil
}

// updateAlike updates filings that are told the same but for the UID in the target folder, and notes which were open.
func (tx *Tx) updateAlike(ctx context.Context, t told, list []*models.Filing, finished *time.Time, open map[int64]bool) error {
	doing := fmt.Sprintf("save filing %d and %d more", list[0].ID, len(list)-1)
	if err := tx.guarded(ctx); err != nil { // it writes, although it reads what comes back
		return err
	}
	from, args, err := tx.destinations(list)
	if err != nil {
		return failed(doing, err)
	}
	set := []any{
		string(t.state), int64(t.destUIDValidity), int64(t.destUIDNext), int64(t.attempts), t.lastError, t.reason,
		orNull(t.nextAttempt, t.hasNextAttempt), orNull(t.sent, t.hasSent), finished,
	}
	return tx.each(ctx, doing, `UPDATE filings SET dest_uid = told.dest, state = ?, dest_uid_validity = ?, dest_uid_next = ?, attempts = ?,
		last_error = ?, reason = ?, next_attempt_at = ?, sent_at = ?, finished_at = ?
		FROM `+from+` WHERE filings.id = told.filing AND filings.finished_at IS NULL RETURNING filings.id`, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		open[id] = true
		return err
	}, append(set, args...)...)
}

// destinations is a table "told" of filings and the UIDs of their copies in the target folder.
func (tx *Tx) destinations(list []*models.Filing) (from string, args []any, err error) {
	if tx.postgres() {
		ids, dests := make([]int64, 0, len(list)), make([]int64, 0, len(list))
		for _, f := range list {
			ids, dests = append(ids, f.ID), append(dests, int64(f.DestUID))
		}
		return "unnest(?::bigint[], ?::bigint[]) AS told(filing, dest)", []any{ids, dests}, nil
	}
	pairs := make(map[int64]uint32, len(list)) // JSON has the keys in order as text; the order is of no matter here
	for _, f := range list {
		pairs[f.ID] = f.DestUID
	}
	text, err := json.Marshal(pairs)
	return "(SELECT CAST(key AS integer) AS filing, value AS dest FROM json_each(?)) AS told", []any{string(text)}, err
}

func orNull(at time.Time, has bool) *time.Time {
	if !has {
		return nil
	}
	return &at
}

// filed stores what follows from letters that have been moved. The ids are those of list that were open.
func (tx *Tx) filed(ctx context.Context, list []*models.Filing, ids []int64, now time.Time) error {
	if err := tx.sourcesGone(ctx, ids, now); err != nil {
		return err
	}
	for _, part := range apart(list, ids) {
		if err := tx.bindDestinations(ctx, part, now); err != nil {
			return err
		}
	}
	return tx.filedEvents(ctx, ids, now)
}

// sourcesGone marks the source copies of filings as gone.
func (tx *Tx) sourcesGone(ctx context.Context, ids []int64, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	set, err := values(tx.Queries, ids)
	if err != nil {
		return failed("mark source copies as gone", err)
	}
	_, err = tx.change(ctx, "mark source copies as gone", `UPDATE locations SET gone_at = ?
		WHERE gone_at IS NULL AND id IN (SELECT location_id FROM filings WHERE id IN (?))`, now, set)
	return err
}

// apart cuts filings so that no two of a part have the same destination, which one statement could not bind.
func apart(list []*models.Filing, ids []int64) (parts [][]int64) {
	open := make(map[int64]bool, len(ids))
	for _, id := range ids {
		open[id] = true
	}
	type place struct {
		folder        int64
		validity, uid uint32
	}
	taken := make(map[place]bool)
	var part []int64
	for _, f := range list {
		if !open[f.ID] {
			continue
		}
		// The target folder is not looked at: a caller may have left it out.
		p := place{f.TargetFolderID, f.DestUIDValidity, f.DestUID}
		if taken[p] {
			parts, part = append(parts, part), nil
			clear(taken)
		}
		part, taken[p] = append(part, f.ID), true
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

// bindDestinations makes the copies known that the moves have made. Intake may have met one first: then it is the same
// letter, and it was not a person who put it there. A copy that has left the folder meanwhile stays gone.
func (tx *Tx) bindDestinations(ctx context.Context, ids []int64, now time.Time) error {
	set, err := values(tx.Queries, ids)
	if err != nil {
		return failed("store copies in target folder", err)
	}
	_, err = tx.change(ctx, "store copies in target folder", `INSERT INTO locations (letter_id, mailbox_id, folder_id, uid_validity, uid,
			flags, internal_date, size, header_hash, hands_off, first_look, seen_at)
		SELECT f.letter_id, f.mailbox_id, f.target_folder_id, f.dest_uid_validity, f.dest_uid, l.flags, l.internal_date,
			l.size, l.header_hash, FALSE, FALSE, `+tx.instantOf("?")+`
		FROM filings f JOIN locations l ON l.id = f.location_id
		WHERE f.id IN (?) AND f.dest_uid <> 0 AND f.dest_uid_validity <> 0 ORDER BY f.dest_uid
		ON CONFLICT (folder_id, uid_validity, uid) DO UPDATE
		SET letter_id = excluded.letter_id, header_hash = excluded.header_hash, hands_off = FALSE`, now, set)
	return err
}

// instantOf tells PostgreSQL the type of a value that it cannot take from the place where it goes.
func (q *Queries) instantOf(text string) string {
	if q.postgres() {
		return text + "::timestamptz"
	}
	return text
}

// textOf is instantOf for text.
func (q *Queries) textOf(text string) string {
	if q.postgres() {
		return text + "::text"
	}
	return text
}

// filedEvents records that letters have been filed, with client and deal of those that have exactly one link.
func (tx *Tx) filedEvents(ctx context.Context, ids []int64, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	set, err := values(tx.Queries, ids)
	if err != nil {
		return failed("record events", err)
	}
	targets := make(map[int64]models.FolderRole)
	err = tx.each(ctx, "read target folders", `SELECT id, role FROM folders
		WHERE id IN (SELECT target_folder_id FROM filings WHERE id IN (?)) ORDER BY id`, func(r *sql.Rows) error {
		var id int64
		var role models.FolderRole
		err := r.Scan(&id, &role)
		targets[id] = role
		return err
	}, set)
	if err != nil {
		return err
	}
	at, as := tx.instantOf("?"), tx.textOf("?")
	for _, id := range slices.Sorted(maps.Keys(targets)) {
		text, err := models.Say("store.event.filed", "Folder", models.Say("folder."+string(targets[id]))).Value()
		if err != nil {
			return fmt.Errorf("record events: %w", err)
		}
		_, err = tx.change(ctx, "record events", `INSERT INTO events (kind, occurred_at, recorded_at, actor, dedupe_key, letter_id, mailbox_id,
				filing_id, client_id, deal_id, text)
			SELECT `+as+`, `+at+`, `+at+`, `+as+`, 'filed/' || f.id, f.letter_id, f.mailbox_id, f.id, k.client_id, k.deal_id, `+as+`
			FROM filings f LEFT JOIN (
				SELECT letter_id, MIN(client_id) AS client_id, MIN(deal_id) AS deal_id FROM links
				WHERE superseded_at IS NULL AND letter_id IN (SELECT letter_id FROM filings WHERE id IN (?))
				GROUP BY letter_id HAVING COUNT(*) = 1
			) k ON k.letter_id = f.letter_id
			WHERE f.id IN (?) AND f.target_folder_id = ? ORDER BY f.id
			ON CONFLICT DO NOTHING`, string(models.EventLetterFiled), now, now, actorKontrol, text, set, set, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// filingsFailed records the failures, each with its reason.
func (tx *Tx) filingsFailed(ctx context.Context, ids []int64, now time.Time) error {
	stored, err := findIn[models.Filing](tx.on(ctx), "id", ids, func(g *gorm.DB) *gorm.DB { return g.Order("id") })
	if err != nil {
		return failed("read failed filings", err)
	}
	letters := make([]int64, 0, len(stored))
	for _, f := range stored {
		letters = append(letters, f.LetterID)
	}
	links, err := tx.CurrentLinks(ctx, letters)
	if err != nil {
		return err
	}
	of := group(links, func(l models.Link) int64 { return l.LetterID })
	events := make([]*models.Event, 0, len(stored))
	for _, f := range stored {
		key := fmt.Sprintf("filing-failed/%d", f.ID)
		e := &models.Event{
			Kind: models.EventFilingFailed, OccurredAt: now, Actor: actorKontrol, DedupeKey: &key, LetterID: &f.LetterID,
			MailboxID: &f.MailboxID, FilingID: &f.ID, Text: f.Reason,
		}
		if e.Text.IsZero() {
			e.Text = models.Say("store.event.filing_failed")
		}
		if l := of[f.LetterID]; len(l) == 1 {
			e.ClientID, e.DealID = &l[0].ClientID, l[0].DealID
		}
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b *models.Event) int { return cmp.Compare(*a.FilingID, *b.FilingID) })
	return tx.AddEvents(ctx, events)
}
