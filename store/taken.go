package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"kontrol/models"
)

// KnownUIDs returns which of the UIDs are known as copies in the folder, and of each whether the copy is gone. The bounds in
// the query keep PostgreSQL from comparing each copy in the folder with each of the UIDs.
func (q *Queries) KnownUIDs(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) (map[uint32]bool, error) {
	gone := make(map[uint32]bool)
	if len(uids) == 0 {
		return gone, nil
	}
	err := readSet(ctx, q, "read known copies", `SELECT uid, gone_at IS NOT NULL FROM locations
		WHERE uid IN (?) AND folder_id = ? AND uid_validity = ? AND uid BETWEEN ? AND ?`, uids, func(r *sql.Rows) error {
		var uid uint32
		var left bool
		err := r.Scan(&uid, &left)
		gone[uid] = left
		return err
	}, folderID, int64(uidValidity), int64(slices.Min(uids)), int64(slices.Max(uids)))
	return gone, err
}

// ReserveLetters returns the IDs that the next n letters are to have, ascending. See AddLetters.
func (tx *Tx) ReserveLetters(ctx context.Context, n int) ([]int64, error) {
	return tx.reserve(ctx, "letters", n)
}

// ReserveLocations returns the IDs that the next n copies are to have, ascending. See AddLocations.
func (tx *Tx) ReserveLocations(ctx context.Context, n int) ([]int64, error) {
	return tx.reserve(ctx, "locations", n)
}

// AddThreads stores new threads and sets their IDs, ascending.
func (tx *Tx) AddThreads(ctx context.Context, list []*models.Thread) error {
	ids, err := tx.reserve(ctx, "threads", len(list))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(list))
	for i, t := range list {
		t.ID, t.BaseSubject, t.LastAt, t.CreatedAt = ids[i], storable(t.BaseSubject), instant(t.LastAt), instant(t.CreatedAt)
		rows = append(rows, []any{t.ID, t.BaseSubject, t.LastAt, t.CreatedAt})
	}
	return tx.insertAll(ctx, "create threads", "threads", []column{
		{"id", kindNumber}, {"base_subject", kindText}, {"last_at", kindTime}, {"created_at", kindTime},
	}, rows)
}

// DeleteThreads removes threads without letters.
func (tx *Tx) DeleteThreads(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	set, err := values(tx.Queries, ids)
	if err != nil {
		return failed("delete threads", err)
	}
	_, err = tx.change(ctx, "delete threads", "DELETE FROM threads WHERE id IN (?)", set)
	return err
}

// TouchThreads is TouchThread for several threads.
func (tx *Tx) TouchThreads(ctx context.Context, at map[int64]time.Time) error {
	ids := slices.Sorted(maps.Keys(at)) // rows are locked in this order
	if !tx.postgres() {
		for _, id := range ids {
			t := instant(at[id])
			if _, err := tx.change(ctx, "touch threads", "UPDATE threads SET last_at = ? WHERE id = ? AND last_at < ?", t, id, t); err != nil {
				return err
			}
		}
		return nil
	}
	if len(ids) == 0 {
		return nil
	}
	times := make([]time.Time, 0, len(ids))
	for _, id := range ids {
		times = append(times, instant(at[id]))
	}
	_, err := tx.change(ctx, "touch threads", `UPDATE threads SET last_at = v.at FROM unnest(?::bigint[], ?::timestamptz[]) AS v(id, at)
		WHERE threads.id = v.id AND threads.last_at < v.at`, ids, times)
	return err
}

// AddLetters stores letters under the IDs that they have from ReserveLetters. Their threads must be there. What cannot be
// stored is taken out of the letters first, see FitLetter. When one of them is known already the whole transaction is run
// again (PostgreSQL; it cannot be on SQLite).
func (tx *Tx) AddLetters(ctx context.Context, list []*models.Letter) error {
	rows := make([][]any, 0, len(list))
	for _, l := range list {
		row, err := letterRow(l)
		if err != nil {
			return failed("store letters", err)
		}
		rows = append(rows, row)
	}
	return tx.insertAll(ctx, "store letters", "letters", []column{
		{"id", kindNumber}, {"fingerprint", kindText}, {"message_id", kindText}, {"thread_id", kindNumber}, {"direction", kindText},
		{"class", kindText}, {"from_address", kindText}, {"from_name", kindText}, {"reply_to", kindText}, {"to", kindText}, {"cc", kindText},
		{"subject", kindText}, {"base_subject", kindText}, {"date", kindTime}, {"arrived_at", kindTime}, {"size", kindNumber},
		{"text", kindText}, {"class_reason", kindText}, {"problems", kindText}, {"created_at", kindTime},
	}, rows)
}

// FitLetter brings a letter to the form in which it comes back from the store: without what cannot be stored, and with
// instants as exact as the store is.
func FitLetter(l *models.Letter) {
	l.Fingerprint, l.MessageID = fitText(l.Fingerprint, 64), storable(l.MessageID)
	l.Direction, l.Class = models.Direction(fitText(string(l.Direction), 20)), models.Class(fitText(string(l.Class), 20))
	l.FromAddress, l.FromName = fitText(l.FromAddress, 320), storable(l.FromName)
	l.Subject, l.BaseSubject, l.Text = storable(l.Subject), storable(l.BaseSubject), storable(l.Text)
	l.ArrivedAt, l.CreatedAt = instant(l.ArrivedAt), instant(l.CreatedAt)
	if l.Date != nil {
		t := instant(*l.Date)
		l.Date = &t
	}
}

func letterRow(l *models.Letter) ([]any, error) {
	FitLetter(l)
	var lists [4]string
	for i, list := range [][]string{l.ReplyTo, l.To, l.Cc, l.Problems} {
		var err error
		if lists[i], err = listText(list); err != nil {
			return nil, err
		}
	}
	reason, err := l.ClassReason.Value()
	if err != nil {
		return nil, err
	}
	return []any{
		l.ID, l.Fingerprint, l.MessageID, l.ThreadID, string(l.Direction), string(l.Class), l.FromAddress, l.FromName, lists[0], lists[1],
		lists[2], l.Subject, l.BaseSubject, l.Date, l.ArrivedAt, l.Size, l.Text, reason, lists[3], l.CreatedAt,
	}, nil
}

// AddReferences stores the Message-IDs that letters name. IDs of the rows are not set.
func (tx *Tx) AddReferences(ctx context.Context, list []models.Reference) error {
	ids, err := tx.reserve(ctx, "letter_references", len(list))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(list))
	for i, r := range list {
		rows = append(rows, []any{ids[i], r.LetterID, int64(r.Position), storable(r.MessageID)})
	}
	return tx.insertAll(ctx, "store references", "letter_references", []column{
		{"id", kindNumber}, {"letter_id", kindNumber}, {"position", kindNumber}, {"message_id", kindText},
	}, rows)
}

// AddLocations stores copies that are not known under the IDs that they have from ReserveLocations. Their letters must be
// there. When one of them is known already the whole transaction is run again (PostgreSQL; it cannot be on SQLite).
func (tx *Tx) AddLocations(ctx context.Context, list []models.Location) error {
	rows := make([][]any, 0, len(list))
	for _, l := range list {
		flags, err := listText(l.Flags)
		if err != nil {
			return failed("store copies", err)
		}
		var date *time.Time
		if l.InternalDate != nil {
			t := instant(*l.InternalDate)
			date = &t
		}
		rows = append(rows, []any{
			l.ID, l.LetterID, l.MailboxID, l.FolderID, int64(l.UIDValidity), int64(l.UID), flags, date, l.Size, fitText(l.HeaderHash, 64),
			l.HandsOff, l.FirstLook, instant(l.SeenAt),
		})
	}
	return tx.insertAll(ctx, "store copies", "locations", []column{
		{"id", kindNumber}, {"letter_id", kindNumber}, {"mailbox_id", kindNumber}, {"folder_id", kindNumber}, {"uid_validity", kindNumber},
		{"uid", kindNumber}, {"flags", kindText}, {"internal_date", kindTime}, {"size", kindNumber}, {"header_hash", kindText},
		{"hands_off", kindBool}, {"first_look", kindBool}, {"seen_at", kindTime},
	}, rows)
}

// AddLinks ties letters to clients that they are not tied to at present, and sets the links' IDs, ascending. When one of
// them is tied already the whole transaction is run again (PostgreSQL), or fails with a temporary error.
func (tx *Tx) AddLinks(ctx context.Context, list []*models.Link) error {
	ids, err := tx.reserve(ctx, "links", len(list))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(list))
	for i, l := range list {
		l.ID, l.SupersededAt = ids[i], nil
		if l.Actor == "" {
			l.Actor = actorKontrol
		}
		if l.CreatedAt.IsZero() {
			l.CreatedAt = tx.now()
		}
		evidence, err := l.Evidence.Value()
		if err != nil {
			return failed("store links", err)
		}
		rows = append(rows, []any{
			l.ID, l.LetterID, l.ClientID, l.DealID, string(l.Method), int64(l.Score), evidence, l.Ask, fitText(l.Actor, 320), instant(l.CreatedAt),
		})
	}
	return tx.insertAll(ctx, "store links", "links", []column{
		{"id", kindNumber}, {"letter_id", kindNumber}, {"client_id", kindNumber}, {"deal_id", kindNumber}, {"method", kindText},
		{"score", kindNumber}, {"evidence", kindText}, {"ask", kindBool}, {"actor", kindText}, {"created_at", kindTime},
	}, rows)
}

// AddDecisions stores decisions and sets their IDs, like AddDecision with each of them.
func (tx *Tx) AddDecisions(ctx context.Context, list []*models.Decision) error {
	ids, err := tx.reserve(ctx, "decisions", len(list))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(list))
	for i, d := range list {
		d.ID = ids[i]
		if d.DecidedAt.IsZero() {
			d.DecidedAt = tx.now()
		}
		d.DecidedAt = instant(d.DecidedAt)
		trace, err := d.Trace.Value()
		if err != nil {
			return failed("store decisions", err)
		}
		rows = append(rows, []any{
			d.ID, d.LetterID, d.LocationID, d.MailboxID, string(d.Action), string(d.Target), fitText(d.Rule, 100), d.AnswerID, trace, d.DecidedAt,
		})
	}
	return tx.insertAll(ctx, "store decisions", "decisions", []column{
		{"id", kindNumber}, {"letter_id", kindNumber}, {"location_id", kindNumber}, {"mailbox_id", kindNumber}, {"action", kindText},
		{"target", kindText}, {"rule", kindText}, {"answer_id", kindNumber}, {"trace", kindText}, {"decided_at", kindTime},
	}, rows)
}

// AddEvents records events like AddEvent with each of them, but neither sets their IDs nor tells which were known already.
func (tx *Tx) AddEvents(ctx context.Context, list []*models.Event) error {
	rows := make([][]any, 0, len(list))
	for _, e := range list {
		tx.completeEvent(e)
		text, err := e.Text.Value()
		if err != nil {
			return failed("record events", err)
		}
		rows = append(rows, []any{
			fitText(string(e.Kind), 60), instant(e.OccurredAt), e.RecordedAt, fitText(e.Actor, 320), e.DedupeKey, e.LetterID, e.MailboxID,
			e.ClientID, e.DealID, e.FilingID, text,
		})
	}
	_, err := tx.insert(ctx, "record events", "events", []column{
		{"kind", kindText}, {"occurred_at", kindTime}, {"recorded_at", kindTime}, {"actor", kindText}, {"dedupe_key", kindText},
		{"letter_id", kindNumber}, {"mailbox_id", kindNumber}, {"client_id", kindNumber}, {"deal_id", kindNumber}, {"filing_id", kindNumber},
		{"text", kindText},
	}, rows)
	return err
}

// PlanFilings is PlanFiling for several copies. A filing that must not be planned, because one of its copy is open, or
// because the copy is not known or gone, is left with ID zero; that is no error.
func (tx *Tx) PlanFilings(ctx context.Context, list []*models.Filing) error {
	copies := make([]int64, 0, len(list))
	for _, f := range list {
		f.ID = 0
		copies = append(copies, f.LocationID)
	}
	if len(list) == 0 {
		return nil
	}
	live, err := tx.lockCopies(ctx, copies)
	if err != nil {
		return err
	}
	last, err := tx.lastFilings(ctx, copies)
	if err != nil {
		return err
	}
	var planned []*models.Filing
	for _, f := range list {
		l, ok := live[f.LocationID]
		if ok && !last[l.ID].State.Open() {
			f.MailboxID, f.LetterID, f.SourceFolderID, f.SourceUIDValidity = l.MailboxID, l.LetterID, l.FolderID, l.UIDValidity
			f.SourceUID, f.HeaderHash, f.Size, f.State, f.Generation = l.UID, l.HeaderHash, l.Size, models.FilingPlanned, last[l.ID].Generation+1
			last[l.ID] = models.Filing{State: f.State, Generation: f.Generation}
			planned = append(planned, f)
		}
	}
	return tx.insertFilings(ctx, planned)
}

func (tx *Tx) insertFilings(ctx context.Context, list []*models.Filing) error {
	ids, err := tx.reserve(ctx, "filings", len(list))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(list))
	for i, f := range list {
		f.ID = ids[i]
		if f.PlannedAt.IsZero() {
			f.PlannedAt = tx.now()
		}
		reason, err := f.Reason.Value()
		if err != nil {
			return failed("plan filings", err)
		}
		rows = append(rows, []any{
			f.ID, f.MailboxID, f.LetterID, f.LocationID, int64(f.Generation), f.SourceFolderID, int64(f.SourceUIDValidity), int64(f.SourceUID),
			f.HeaderHash, f.Size, f.TargetFolderID, string(f.State), f.DecisionID, "", reason, f.NextAttemptAt, instant(f.PlannedAt),
		})
	}
	return tx.insertAll(ctx, "plan filings", "filings", []column{
		{"id", kindNumber}, {"mailbox_id", kindNumber}, {"letter_id", kindNumber}, {"location_id", kindNumber}, {"generation", kindNumber},
		{"source_folder_id", kindNumber}, {"source_uid_validity", kindNumber}, {"source_uid", kindNumber}, {"header_hash", kindText},
		{"size", kindNumber}, {"target_folder_id", kindNumber}, {"state", kindText}, {"decision_id", kindNumber}, {"last_error", kindText},
		{"reason", kindText}, {"next_attempt_at", kindTime}, {"planned_at", kindTime},
	}, rows)
}

// lockCopies locks those of the copies that are not gone, in the order of their ids.
func (tx *Tx) lockCopies(ctx context.Context, ids []int64) (map[int64]models.Location, error) {
	set, err := values(tx.Queries, ids)
	if err != nil {
		return nil, failed("lock copies", err)
	}
	text := `SELECT id, letter_id, mailbox_id, folder_id, uid_validity, uid, header_hash, size FROM locations
		WHERE id IN (?) AND gone_at IS NULL ORDER BY id`
	if tx.postgres() {
		text += " FOR UPDATE"
	}
	out := make(map[int64]models.Location, len(ids))
	err = tx.each(ctx, "lock copies", text, func(r *sql.Rows) error {
		var l models.Location
		err := r.Scan(&l.ID, &l.LetterID, &l.MailboxID, &l.FolderID, &l.UIDValidity, &l.UID, &l.HeaderHash, &l.Size)
		out[l.ID] = l
		return err
	}, set)
	return out, err
}

// lastFilings reads State and Generation of the last filing of each copy.
func (tx *Tx) lastFilings(ctx context.Context, copies []int64) (map[int64]models.Filing, error) {
	set, err := values(tx.Queries, copies)
	if err != nil {
		return nil, failed("read filings of copies", err)
	}
	out := make(map[int64]models.Filing, len(copies))
	err = tx.each(ctx, "read filings of copies", "SELECT location_id, generation, state FROM filings WHERE location_id IN (?)", func(r *sql.Rows) error {
		var f models.Filing
		err := r.Scan(&f.LocationID, &f.Generation, &f.State)
		if f.Generation > out[f.LocationID].Generation {
			out[f.LocationID] = f
		}
		return err
	}, set)
	return out, err
}
