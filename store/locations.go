package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// LiveCopies returns ID, LetterID, UID, Flags and HandsOff of all copies that are in the folder under the UIDVALIDITY as
// far as is known, ascending by UID.
func (q *Queries) LiveCopies(ctx context.Context, folderID int64, uidValidity uint32) ([]models.Location, error) {
	var rows []models.Location
	err := q.on(ctx).Select("id", "letter_id", "uid", "flags", "hands_off").
		Where("folder_id = ? AND uid_validity = ? AND gone_at IS NULL", folderID, uidValidity).Order("uid").Find(&rows).Error
	return rows, failed("read live copies", err)
}

// Location returns the copy with the id, with Folder filled in, or models.ErrNotFound.
func (q *Queries) Location(ctx context.Context, id int64) (models.Location, error) {
	return first[models.Location](q.on(ctx).Preload("Folder"), "read location", id)
}

// LiveLocationsOf returns the copies of the letters that are in some folder now, with Folder filled in, by ascending id.
func (q *Queries) LiveLocationsOf(ctx context.Context, letterIDs []int64) ([]models.Location, error) {
	rows, err := findIn[models.Location](q.on(ctx), "letter_id", letterIDs, func(g *gorm.DB) *gorm.DB {
		return g.Where("gone_at IS NULL").Preload("Folder")
	})
	return sortedLocations(rows), failed("read live copies of letters", err)
}

// LocationsOf returns all copies of the letter, also those that are gone, with Folder filled in, by ascending id.
func (q *Queries) LocationsOf(ctx context.Context, letterID int64) ([]models.Location, error) {
	var rows []models.Location
	err := q.on(ctx).Where("letter_id = ?", letterID).Preload("Folder").Order("id").Find(&rows).Error
	return rows, failed("read copies of letter", err)
}

// LocationsOfLetters returns all copies of the letters, also those that are gone, with Folder filled in, by ascending id.
func (q *Queries) LocationsOfLetters(ctx context.Context, letterIDs []int64) ([]models.Location, error) {
	rows, err := findIn[models.Location](q.on(ctx), "letter_id", letterIDs, func(g *gorm.DB) *gorm.DB { return g.Preload("Folder") })
	return sortedLocations(rows), failed("read copies of letters", err)
}

// LocationByUID returns the copies with the UIDs, also those that are gone, ascending by UID.
func (q *Queries) LocationByUID(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) ([]models.Location, error) {
	return q.byUID(q.on(ctx), folderID, uidValidity, uids)
}

func (q *Queries) byUID(g *gorm.DB, folderID int64, uidValidity uint32, uids []uint32) ([]models.Location, error) {
	rows, err := findIn[models.Location](g, "uid", uids, func(g *gorm.DB) *gorm.DB {
		return g.Where("folder_id = ? AND uid_validity = ?", folderID, uidValidity).Order("uid")
	})
	return rows, failed("read copies by uid", err) // chunks are made of sorted UIDs
}

func sortedLocations(rows []models.Location) []models.Location {
	slices.SortFunc(rows, func(a, b models.Location) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

// AddLocation stores a copy that is not known yet, by (FolderID, UIDValidity, UID), and reports true. When it is known
// *l becomes the stored row and it reports false; a known copy that was taken for gone is live again, with l's flags. A
// copy keeps the letter it was first bound to, since a UID never changes its letter: look at l.LetterID.
func (tx *Tx) AddLocation(ctx context.Context, l *models.Location) (bool, error) {
	row := *l
	row.ID, row.Letter, row.Folder, row.GoneAt = 0, nil, nil, nil
	if row.SeenAt.IsZero() {
		row.SeenAt = tx.now()
	}
	res := ignoring(tx.on(ctx)).Create(&row)
	if res.Error != nil {
		return false, failed("store copy", res.Error)
	}
	if res.RowsAffected > 0 {
		*l = row
		return true, nil
	}
	stored, err := tx.byUID(locked(tx.on(ctx)), l.FolderID, l.UIDValidity, []uint32{l.UID})
	if err != nil || len(stored) == 0 {
		return false, failed("read copy", cmp.Or(err, error(models.ErrNotFound)))
	}
	if stored[0].GoneAt != nil {
		stored[0].GoneAt, stored[0].Flags, stored[0].SeenAt = nil, row.Flags, instant(row.SeenAt)
		err = tx.on(ctx).Model(&models.Location{}).Where("id = ?", stored[0].ID).
			Updates(map[string]any{"gone_at": nil, "flags": row.Flags, "seen_at": row.SeenAt}).Error
	}
	*l = stored[0]
	return false, failed("store copy", err)
}

// MarkGone stores that the copies have left the folder at the instant. It returns those that were live until now, as they
// were, ascending by UID; UIDs that are not known or gone already are passed over.
func (tx *Tx) MarkGone(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32, at time.Time) ([]models.Location, error) {
	live, err := tx.byUID(locked(tx.on(ctx)).Where("gone_at IS NULL"), folderID, uidValidity, uids)
	if err != nil {
		return nil, err
	}
	return live, tx.gone(ctx, idsOf(live), at)
}

func (tx *Tx) gone(ctx context.Context, ids []int64, at time.Time) error {
	err := inChunks(ids, func(part []int64) error {
		return tx.on(ctx).Model(&models.Location{}).Where("id IN ? AND gone_at IS NULL", part).
			Updates(map[string]any{"gone_at": at}).Error
	})
	return failed("mark copies as gone", err)
}

func idsOf(rows []models.Location) []int64 {
	ids := make([]int64, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

// MarkFolderReset stores that a folder has got another UIDVALIDITY: all copies known under the old one are gone. It
// returns those that were live, as they were, ascending by UID.
func (tx *Tx) MarkFolderReset(ctx context.Context, folderID int64, oldUIDValidity uint32, at time.Time) ([]models.Location, error) {
	var live []models.Location
	err := locked(tx.on(ctx)).Where("folder_id = ? AND uid_validity = ? AND gone_at IS NULL", folderID, oldUIDValidity).
		Order("uid").Find(&live).Error
	if err != nil {
		return nil, failed("reset folder", err)
	}
	return live, tx.gone(ctx, idsOf(live), at)
}

// SetFlags stores the flags of copies by UID, as the server spells them. UIDs that are not known are passed over.
func (tx *Tx) SetFlags(ctx context.Context, folderID int64, uidValidity uint32, flags map[uint32][]string) error {
	alike := make(map[string][]uint32) // most copies have one of a few sets of flags
	for uid, list := range flags {
		text, err := listText(list)
		if err != nil {
			return failed("store flags", err)
		}
		alike[text] = append(alike[text], uid)
	}
	for _, uids := range alike {
		err := inChunks(uids, func(part []uint32) error {
			return tx.on(ctx).Model(&models.Location{}).
				Where("folder_id = ? AND uid_validity = ? AND uid IN ?", folderID, uidValidity, part).
				Updates(map[string]any{"flags": models.Strings(flags[part[0]])}).Error
		})
		if err != nil {
			return failed("store flags", err)
		}
	}
	return nil
}

// SetHandsOff stores that a person put the copy where it is: it is never moved again.
func (tx *Tx) SetHandsOff(ctx context.Context, locationID int64) error {
	res := tx.on(ctx).Model(&models.Location{}).Where("id = ?", locationID).Updates(map[string]any{"hands_off": true})
	return changedOne(res, "mark copy as hands off")
}
