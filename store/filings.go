package store

import (
	"context"
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
		Where("mailbox_id = ? AND state IN ? AND (next_attempt_at IS NULL OR next_attempt_at <= ?)", mailboxID, openStates(), instant(now)).
		Order("planned_at, id").Find(&rows).Error
	return rows, failed("read open filings", err)
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
	err := q.on(ctx).Model(&models.Filing{}).Select("mailbox_id, COUNT(*) AS n").Where("state IN ?", openStates()).
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

// SaveFiling stores State, Dest*, Attempts, LastError, Reason, NextAttemptAt and SentAt of an open filing. It returns
// models.ErrNotFound when the stored filing is no longer open.
func (tx *Tx) SaveFiling(ctx context.Context, f *models.Filing) error {
	if !f.State.Open() {
		return fmt.Errorf("save filing %d: state %q is not open", f.ID, f.State)
	}
	return tx.updateFiling(ctx, f, nil)
}

func (tx *Tx) updateFiling(ctx context.Context, f *models.Filing, finished *time.Time) error {
	res := tx.on(ctx).Model(&models.Filing{}).Where("id = ? AND finished_at IS NULL", f.ID).Updates(map[string]any{
		"state": f.State, "dest_uid_validity": f.DestUIDValidity, "dest_uid_next": f.DestUIDNext, "dest_uid": f.DestUID,
		"attempts": f.Attempts, "last_error": f.LastError, "reason": f.Reason, "next_attempt_at": f.NextAttemptAt,
		"sent_at": f.SentAt, "finished_at": finished,
	})
	return changedOne(res, fmt.Sprintf("save filing %d", f.ID))
}

// FinishFiling stores the final state of a filing and what follows from it. Done: the source copy is gone, the destination
// copy (DestUIDValidity, DestUID) is known as a copy of the same letter that may be moved again, and the event
// letter.filed is there; with DestUID zero (the server did not tell) no destination copy is made. Gone: the source copy is
// gone. Failed: the event filing.failed. Cancelled: nothing else. It returns models.ErrNotFound when the stored filing is
// no longer open.
func (tx *Tx) FinishFiling(ctx context.Context, f *models.Filing) error {
	if f.State.Open() || f.State == "" {
		return fmt.Errorf("finish filing %d: state %q is not final", f.ID, f.State)
	}
	var stored models.Filing
	err := locked(tx.on(ctx)).Where("id = ? AND finished_at IS NULL", f.ID).Take(&stored).Error
	if err != nil {
		return failed(fmt.Sprintf("finish filing %d", f.ID), err)
	}
	now := tx.now()
	if err := tx.updateFiling(ctx, f, &now); err != nil {
		return err
	}
	switch f.State {
	case models.FilingDone:
		err = tx.filed(ctx, stored, *f, now)
	case models.FilingGone:
		err = tx.gone(ctx, []int64{stored.LocationID}, now)
	case models.FilingFailed:
		text := f.Reason
		if text.IsZero() {
			text = models.Say("store.event.filing_failed")
		}
		err = tx.filingEvent(ctx, stored, models.EventFilingFailed, fmt.Sprintf("filing-failed/%d", stored.ID), text, now)
	}
	f.FinishedAt = &now
	return err
}

func (tx *Tx) filed(ctx context.Context, stored, f models.Filing, now time.Time) error {
	var source models.Location
	if err := tx.on(ctx).Where("id = ?", stored.LocationID).Take(&source).Error; err != nil {
		return failed("finish filing", err)
	}
	if err := tx.gone(ctx, []int64{source.ID}, now); err != nil {
		return err
	}
	if f.DestUID != 0 && f.DestUIDValidity != 0 {
		if err := tx.bindDestination(ctx, stored, f, source, now); err != nil {
			return err
		}
	}
	target, err := tx.Folder(ctx, stored.TargetFolderID)
	if err != nil {
		return err
	}
	text := models.Say("store.event.filed", "Folder", models.Say("folder."+string(target.Role)))
	return tx.filingEvent(ctx, stored, models.EventLetterFiled, fmt.Sprintf("filed/%d", stored.ID), text, now)
}

// bindDestination makes the copy known that the move has made. Intake may have met it first: then it is the same letter,
// and it was not a person who put it there. A copy that has left the folder meanwhile stays gone.
func (tx *Tx) bindDestination(ctx context.Context, stored, f models.Filing, source models.Location, now time.Time) error {
	dest := models.Location{
		LetterID: stored.LetterID, MailboxID: stored.MailboxID, FolderID: stored.TargetFolderID, UIDValidity: f.DestUIDValidity,
		UID: f.DestUID, Flags: source.Flags, InternalDate: source.InternalDate, Size: source.Size, HeaderHash: source.HeaderHash,
		SeenAt: now,
	}
	res := ignoring(tx.on(ctx)).Create(&dest)
	if res.Error != nil || res.RowsAffected > 0 {
		return failed("store copy in target folder", res.Error)
	}
	err := tx.on(ctx).Model(&models.Location{}).
		Where("folder_id = ? AND uid_validity = ? AND uid = ?", dest.FolderID, dest.UIDValidity, dest.UID).
		Updates(map[string]any{"letter_id": dest.LetterID, "header_hash": dest.HeaderHash, "hands_off": false}).Error
	return failed("bind copy in target folder", err)
}

func (tx *Tx) filingEvent(ctx context.Context, f models.Filing, kind models.EventKind, key string, text models.Phrase, at time.Time) error {
	links, err := tx.CurrentLinks(ctx, []int64{f.LetterID})
	if err != nil {
		return err
	}
	e := models.Event{
		Kind: kind, OccurredAt: at, Actor: actorKontrol, DedupeKey: &key, LetterID: &f.LetterID, MailboxID: &f.MailboxID,
		FilingID: &f.ID, Text: text,
	}
	if len(links) == 1 {
		e.ClientID, e.DealID = &links[0].ClientID, links[0].DealID
	}
	_, err = tx.AddEvent(ctx, &e)
	return err
}

// OpenFilings is Queries.OpenFilings outside of a transaction.
func (db *DB) OpenFilings(ctx context.Context, mailboxID int64, now time.Time) ([]models.Filing, error) {
	return db.Read().OpenFilings(ctx, mailboxID, now)
}

// SaveFiling is Tx.SaveFiling in a transaction of its own; it is durable when it returns nil.
func (db *DB) SaveFiling(ctx context.Context, f *models.Filing) error {
	return db.Tx(ctx, func(tx *Tx) error { return tx.SaveFiling(ctx, f) })
}

// FinishFiling is Tx.FinishFiling in a transaction of its own; it is durable when it returns nil.
func (db *DB) FinishFiling(ctx context.Context, f *models.Filing) error {
	return db.Tx(ctx, func(tx *Tx) error { return tx.FinishFiling(ctx, f) })
}
