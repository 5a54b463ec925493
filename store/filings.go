package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// Filing returns the filing with the id, with SourceFolder and TargetFolder filled in, or models.ErrNotFound.
func (q *Queries) Filing(ctx context.Context, id int64) (models.Filing, error) {
	return first[models.Filing](q.on(ctx).Preload("SourceFolder").Preload("TargetFolder"), "read filing", id)
}

// OpenFilings returns the open filings of a mailbox that are due at now, oldest first, with SourceFolder, TargetFolder and
// Location filled in.
func (q *Queries) OpenFilings(ctx context.Context, mailboxID int64, now time.Time) ([]models.Filing, error) {
	var rows []models.Filing
	err := q.on(ctx).Preload("SourceFolder").Preload("TargetFolder").Preload("Location").
		Where("mailbox_id = ? AND finished_at IS NULL AND (next_attempt_at IS NULL OR next_attempt_at <= ?)", mailboxID, instant(now)).
		Order("planned_at, id").Find(&rows).Error
	return rows, failed("read open filings", err)
}

// StartedFilings returns open filings of a mailbox of which something may have been said to the server (sent, copied,
// unknown), that are due at now and have an id above after: at most limit of them, by ascending id, with SourceFolder,
// TargetFolder and Location filled in; of the copy what the filing knows of it, Flags and HandsOff.
func (q *Queries) StartedFilings(ctx context.Context, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	return q.dueFilings(ctx, "f.state <> ?", mailboxID, now, after, limit)
}

// PlannedFilings is StartedFilings for filings of which nothing has been said to the server yet.
func (q *Queries) PlannedFilings(ctx context.Context, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	return q.dueFilings(ctx, "f.state = ?", mailboxID, now, after, limit)
}

// dueFilings reads thousands of rows at once, which is why it goes past gorm.
func (q *Queries) dueFilings(ctx context.Context, planned string, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	var rows []models.Filing
	var copies []models.Location
	err := q.each(ctx, "read due filings", `SELECT f.id, f.mailbox_id, f.letter_id, f.location_id, f.generation, f.source_folder_id,
			f.source_uid_validity, f.source_uid, f.header_hash, f.size, f.target_folder_id, f.state, f.dest_uid_validity, f.dest_uid_next,
			f.dest_uid, f.decision_id, f.attempts, f.last_error, f.reason, f.next_attempt_at, f.planned_at, f.sent_at, l.flags, l.hands_off
		FROM filings f JOIN locations l ON l.id = f.location_id
		WHERE f.mailbox_id = ? AND f.finished_at IS NULL AND f.id > ? AND (f.next_attempt_at IS NULL OR f.next_attempt_at <= ?)
			AND `+planned+` ORDER BY f.id LIMIT ?`, func(r *sql.Rows) error {
		var f models.Filing
		var l models.Location
		err := r.Scan(&f.ID, &f.MailboxID, &f.LetterID, &f.LocationID, &f.Generation, &f.SourceFolderID, &f.SourceUIDValidity, &f.SourceUID,
			&f.HeaderHash, &f.Size, &f.TargetFolderID, &f.State, &f.DestUIDValidity, &f.DestUIDNext, &f.DestUID, &f.DecisionID, &f.Attempts,
			&f.LastError, &f.Reason, &f.NextAttemptAt, &f.PlannedAt, &f.SentAt, &l.Flags, &l.HandsOff)
		l.ID, l.LetterID, l.MailboxID = f.LocationID, f.LetterID, f.MailboxID
		l.FolderID, l.UIDValidity, l.UID, l.HeaderHash, l.Size = f.SourceFolderID, f.SourceUIDValidity, f.SourceUID, f.HeaderHash, f.Size
		rows, copies = append(rows, f), append(copies, l)
		return err
	}, mailboxID, after, instant(now), string(models.FilingPlanned), limit)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	folders, err := q.Folders(ctx, mailboxID)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*models.Folder, len(folders))
	for i := range folders {
		byID[folders[i].ID] = &folders[i]
	}
	for i := range rows {
		rows[i].Location, rows[i].SourceFolder, rows[i].TargetFolder = &copies[i], byID[rows[i].SourceFolderID], byID[rows[i].TargetFolderID]
	}
	return rows, nil
}

// FilingsOf returns all filings of the letter, by ascending id.
func (q *Queries) FilingsOf(ctx context.Context, letterID int64) ([]models.Filing, error) {
	var rows []models.Filing
	err := q.on(ctx).Preload("SourceFolder").Preload("TargetFolder").Where("letter_id = ?", letterID).Order("id").Find(&rows).Error
	return rows, failed("read filings of letter", err)
}

// FilingsTo returns the open filings whose destination is the folder, by ascending id: a copy that turns up there may be
// theirs.
func (q *Queries) FilingsTo(ctx context.Context, folderID int64) ([]models.Filing, error) {
	var rows []models.Filing
	err := q.on(ctx).Where("target_folder_id = ? AND finished_at IS NULL", folderID).Order("id").Find(&rows).Error
	return rows, failed("read filings into folder", err)
}

// OpenFilingsCount returns the number of open filings of each mailbox that has any.
func (q *Queries) OpenFilingsCount(ctx context.Context) (map[int64]int, error) {
	var rows []struct {
		MailboxID int64
		N         int
	}
	err := q.on(ctx).Model(&models.Filing{}).Select("mailbox_id, COUNT(*) AS n").Where("finished_at IS NULL").
		Group("mailbox_id").Find(&rows).Error
	out := make(map[int64]int, len(rows))
	for _, r := range rows {
		out[r.MailboxID] = r.N
	}
	return out, failed("count open filings", err)
}

// PlanFiling writes a new filing of a live copy into the journal. LocationID and TargetFolderID say what goes where; the
// letter, the mailbox, the source, HeaderHash and Size are taken from the copy, State is planned, Generation one more
// than the last of this copy, PlannedAt now unless it is set. It returns models.ErrDuplicate when a filing of this copy is
// open and models.ErrNotFound when the copy is not known or gone.
func (tx *Tx) PlanFiling(ctx context.Context, f *models.Filing) error {
	var l models.Location
	if err := locked(tx.on(ctx)).Where("id = ? AND gone_at IS NULL", f.LocationID).Take(&l).Error; err != nil {
		return failed("plan filing", err)
	}
	var last models.Filing
	err := tx.on(ctx).Where("location_id = ?", l.ID).Order("generation DESC").Take(&last).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return failed("plan filing", err)
	}
	if last.State.Open() {
		return fmt.Errorf("plan filing: one of copy %d is open: %w", l.ID, models.ErrDuplicate)
	}
	row := models.Filing{
		MailboxID: l.MailboxID, LetterID: l.LetterID, LocationID: l.ID, Generation: last.Generation + 1,
		SourceFolderID: l.FolderID, SourceUIDValidity: l.UIDValidity, SourceUID: l.UID, HeaderHash: l.HeaderHash, Size: l.Size,
		TargetFolderID: f.TargetFolderID, State: models.FilingPlanned, DecisionID: f.DecisionID, Reason: f.Reason,
		NextAttemptAt: f.NextAttemptAt, PlannedAt: f.PlannedAt,
	}
	if row.PlannedAt.IsZero() {
		row.PlannedAt = tx.now()
	}
	if err := tx.on(ctx).Create(&row).Error; err != nil {
		return failed("plan filing", err)
	}
	*f = row
	return nil
}

// CancelFilings cancels the filings of the copies of which nothing has been said to the server yet, and returns how many
// there were. Those that have been started go on.
func (tx *Tx) CancelFilings(ctx context.Context, locationIDs []int64) (int, error) {
	total := 0
	err := inChunks(locationIDs, func(part []int64) error {
		res := tx.on(ctx).Model(&models.Filing{}).Where("location_id IN ? AND state = ?", part, models.FilingPlanned).
			Updates(map[string]any{"state": models.FilingCancelled, "finished_at": tx.now()})
		total += int(res.RowsAffected)
		return res.Error
	})
	return total, failed("cancel filings", err)
}

// OpenFilings is Queries.OpenFilings outside of a transaction.
func (db *DB) OpenFilings(ctx context.Context, mailboxID int64, now time.Time) ([]models.Filing, error) {
	return db.Read().OpenFilings(ctx, mailboxID, now)
}

// StartedFilings is Queries.StartedFilings outside of a transaction.
func (db *DB) StartedFilings(ctx context.Context, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	return db.Read().StartedFilings(ctx, mailboxID, now, after, limit)
}

// PlannedFilings is Queries.PlannedFilings outside of a transaction.
func (db *DB) PlannedFilings(ctx context.Context, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	return db.Read().PlannedFilings(ctx, mailboxID, now, after, limit)
}

// SaveFilings is Tx.SaveFilings in a transaction of its own; it is durable when it returns nil.
func (db *DB) SaveFilings(ctx context.Context, list []*models.Filing) (closed []int64, err error) {
	err = db.Tx(ctx, func(tx *Tx) error {
		closed, err = tx.SaveFilings(tx.Context(), list)
		return err
	})
	return closed, err
}

// FinishFilings is Tx.FinishFilings in a transaction of its own; it is durable when it returns nil.
func (db *DB) FinishFilings(ctx context.Context, list []*models.Filing) (closed []int64, err error) {
	err = db.Tx(ctx, func(tx *Tx) error {
		closed, err = tx.FinishFilings(tx.Context(), list)
		return err
	})
	return closed, err
}

// SaveFiling is Tx.SaveFiling in a transaction of its own; it is durable when it returns nil.
func (db *DB) SaveFiling(ctx context.Context, f *models.Filing) error {
	return db.Tx(ctx, func(tx *Tx) error { return tx.SaveFiling(ctx, f) })
}

// FinishFiling is Tx.FinishFiling in a transaction of its own; it is durable when it returns nil.
func (db *DB) FinishFiling(ctx context.Context, f *models.Filing) error {
	return db.Tx(ctx, func(tx *Tx) error { return tx.FinishFiling(ctx, f) })
}
