package store

import (
	"context"
	"math"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// Folders returns the folders of a mailbox, in no particular order. Mailbox zero means all mailboxes.
func (q *Queries) Folders(ctx context.Context, mailboxID int64) ([]models.Folder, error) {
	var rows []models.Folder
	g := q.on(ctx)
	if mailboxID != 0 {
		g = g.Where("mailbox_id = ?", mailboxID)
	}
	return rows, failed("read folders", g.Order("id").Find(&rows).Error)
}

// Folder returns the folder with the id, or models.ErrNotFound.
func (q *Queries) Folder(ctx context.Context, id int64) (models.Folder, error) {
	return first[models.Folder](q.on(ctx), "read folder", id)
}

// FolderByRole returns the mailbox's folder with the role, or models.ErrNotFound.
func (q *Queries) FolderByRole(ctx context.Context, mailboxID int64, role models.FolderRole) (models.Folder, error) {
	var row models.Folder
	err := q.on(ctx).Where("mailbox_id = ? AND role = ?", mailboxID, role).Take(&row).Error
	return row, failed("read folder "+string(role), err)
}

// SaveFolder inserts or updates the folder of (MailboxID, Role) and makes *f what is stored, the ID included. It never
// moves LastUID backwards unless UIDValidity differs. A zero UIDValidity (no server gives one, see RFC 9051 section
// 2.3.1.1) means that the caller does not know it: the stored cursor stays. A nil SyncedAt and a zero FirstUID of the
// same UIDValidity leave what is stored.
func (tx *Tx) SaveFolder(ctx context.Context, f *models.Folder) error {
	return tx.saveFolder(ctx, f, "mailbox_id = ? AND role = ?", f.MailboxID, f.Role)
}

// AdvanceFolder stores the cursor of a known folder, by ID: UIDValidity, LastUID, FirstUID, ModSeq, UIDNext, Messages and
// SyncedAt, under the same rules as SaveFolder. It returns models.ErrNotFound when there is no such folder.
func (tx *Tx) AdvanceFolder(ctx context.Context, f models.Folder) error {
	stored, err := tx.lockFolder(ctx, "id = ?", f.ID)
	if err != nil {
		return err
	}
	keepCursor(&f, stored)
	return tx.updateFolder(ctx, stored.ID, cursor(f))
}

func (tx *Tx) lockFolder(ctx context.Context, where string, args ...any) (models.Folder, error) {
	var row models.Folder
	err := locked(tx.on(ctx)).Where(where, args...).Take(&row).Error
	return row, failed("read folder", err)
}

func (tx *Tx) saveFolder(ctx context.Context, f *models.Folder, where string, args ...any) error {
	fresh := *f
	fresh.ID, fresh.Mailbox, fresh.ModSeq = 0, nil, hint(f.ModSeq)
	res := ignoring(tx.on(ctx)).Create(&fresh)
	if res.Error != nil {
		return failed("store folder", res.Error)
	}
	if res.RowsAffected > 0 {
		*f = fresh
		return nil
	}
	stored, err := tx.lockFolder(ctx, where, args...)
	if err != nil {
		return err
	}
	keepCursor(f, stored)
	f.ID, f.CreatedAt = stored.ID, stored.CreatedAt
	values := cursor(*f)
	values["name"], values["delimiter"], values["read_only"] = f.Name, f.Delimiter, f.ReadOnly
	return tx.updateFolder(ctx, f.ID, values)
}

func (tx *Tx) updateFolder(ctx context.Context, id int64, values map[string]any) error {
	res := tx.on(ctx).Model(&models.Folder{}).Where("id = ?", id).Updates(values)
	return changedOne(res, "store folder")
}

func cursor(f models.Folder) map[string]any {
	return map[string]any{
		"uid_validity": f.UIDValidity, "last_uid": f.LastUID, "first_uid": f.FirstUID, "mod_seq": f.ModSeq, "synced_at": f.SyncedAt,
		"uid_next": f.UIDNext, "messages": f.Messages,
	}
}

// keepCursor puts into f what of the stored cursor must not be lost.
func keepCursor(f *models.Folder, stored models.Folder) {
	f.ModSeq = hint(f.ModSeq)
	if f.SyncedAt == nil {
		f.SyncedAt = stored.SyncedAt
	}
	if f.UIDValidity == 0 {
		f.UIDValidity, f.LastUID, f.FirstUID, f.ModSeq = stored.UIDValidity, stored.LastUID, stored.FirstUID, stored.ModSeq
		f.UIDNext, f.Messages = stored.UIDNext, stored.Messages
		return
	}
	if f.UIDValidity != stored.UIDValidity {
		return
	}
	f.LastUID = max(f.LastUID, stored.LastUID)
	if f.FirstUID == 0 {
		f.FirstUID = stored.FirstUID
	}
}

// hint drops a mod-sequence that no database can hold; RFC 7162 section 3.1.1 has 63 bits, RFC 4551 had 64.
func hint(modSeq uint64) uint64 {
	if modSeq > math.MaxInt64 {
		return 0
	}
	return modSeq
}

// AddQuarantine stores that a copy could not be taken in, by (FolderID, UIDValidity, UID). One that is in quarantine
// already gets one more attempt and the new reason. *e becomes what is stored.
func (tx *Tx) AddQuarantine(ctx context.Context, e *models.Quarantine) error {
	fresh := *e
	fresh.ID, fresh.Attempts, fresh.ResolvedAt = 0, 1, nil
	res := ignoring(tx.on(ctx)).Create(&fresh)
	if res.Error != nil {
		return failed("quarantine letter", res.Error)
	}
	if res.RowsAffected > 0 {
		*e = fresh
		return nil
	}
	where := tx.on(ctx).Where("folder_id = ? AND uid_validity = ? AND uid = ?", e.FolderID, e.UIDValidity, e.UID)
	err := where.Session(&gorm.Session{}).Model(&models.Quarantine{}).
		Updates(map[string]any{"attempts": gorm.Expr("attempts + 1"), "reason": e.Reason, "resolved_at": nil}).Error
	if err == nil {
		err = where.Session(&gorm.Session{}).Take(e).Error
	}
	return failed("quarantine letter", err)
}

// Quarantined returns what is in quarantine and not resolved, oldest first. Mailbox zero means all mailboxes.
func (q *Queries) Quarantined(ctx context.Context, mailboxID int64) ([]models.Quarantine, error) {
	var rows []models.Quarantine
	g := q.on(ctx).Where("resolved_at IS NULL")
	if mailboxID != 0 {
		g = g.Where("mailbox_id = ?", mailboxID)
	}
	return rows, failed("read quarantine", g.Order("id").Find(&rows).Error)
}

// QuarantinedIn returns what of a folder is in quarantine under a UIDVALIDITY and not resolved, ascending by UID.
func (q *Queries) QuarantinedIn(ctx context.Context, folderID int64, uidValidity uint32) ([]models.Quarantine, error) {
	var rows []models.Quarantine
	err := q.on(ctx).Where("folder_id = ? AND uid_validity = ? AND resolved_at IS NULL", folderID, uidValidity).Order("uid").Find(&rows).Error
	return rows, failed("read quarantine of folder", err)
}

// QuarantinedIn is Queries.QuarantinedIn outside of a transaction.
func (db *DB) QuarantinedIn(ctx context.Context, folderID int64, uidValidity uint32) ([]models.Quarantine, error) {
	return db.Read().QuarantinedIn(ctx, folderID, uidValidity)
}

// ReleaseQuarantined is Tx.ResolveQuarantine in a transaction of its own, at this moment.
func (db *DB) ReleaseQuarantined(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) error {
	return db.Tx(ctx, func(tx *Tx) error { return tx.ResolveQuarantine(ctx, folderID, uidValidity, uids, db.now()) })
}

// ResolveQuarantine stores that the copies have been taken in, or are no longer there. UIDs that are not in quarantine
// are passed over.
func (tx *Tx) ResolveQuarantine(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32, at time.Time) error {
	if len(uids) == 0 {
		return nil
	}
	set, err := values(tx.Queries, uids)
	if err != nil {
		return failed("resolve quarantine", err)
	}
	_, err = tx.change(ctx, "resolve quarantine", `UPDATE quarantines SET resolved_at = ?, updated_at = ?
		WHERE folder_id = ? AND uid_validity = ? AND resolved_at IS NULL AND uid IN (?)`, instant(at), tx.now(), folderID, int64(uidValidity), set)
	return err
}

// Folders is Queries.Folders outside of a transaction.
func (db *DB) Folders(ctx context.Context, mailboxID int64) ([]models.Folder, error) {
	return db.Read().Folders(ctx, mailboxID)
}

// LiveCopies is Queries.LiveCopies outside of a transaction.
func (db *DB) LiveCopies(ctx context.Context, folderID int64, uidValidity uint32) ([]models.Location, error) {
	return db.Read().LiveCopies(ctx, folderID, uidValidity)
}

// SaveFolder is Tx.SaveFolder in a transaction of its own.
func (db *DB) SaveFolder(ctx context.Context, f *models.Folder) error {
	return db.Tx(ctx, func(tx *Tx) error {
		row := *f // untouched when the transaction is run again
		if err := tx.SaveFolder(ctx, &row); err != nil {
			return err
		}
		*f = row
		return nil
	})
}
