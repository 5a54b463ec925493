package store

import (
	"cmp"
	"context"
	"slices"

	"gorm.io/gorm"

	"kontrol/models"
)

// AddLink ties a letter to a client and sets the link's ID. A current link of the letter to the same client is superseded;
// links to other clients stay (see SupersedeLinks). A zero CreatedAt becomes now, an empty Actor "kontrol".
func (tx *Tx) AddLink(ctx context.Context, l *models.Link) error {
	err := tx.supersede(ctx, "letter_id = ? AND client_id = ?", l.LetterID, l.ClientID)
	if err != nil {
		return err
	}
	l.ID, l.SupersededAt = 0, nil
	if l.Actor == "" {
		l.Actor = actorKontrol
	}
	return failed("store link", tx.on(ctx).Omit("Letter", "Client", "Deal").Create(l).Error)
}

// SupersedeLinks ends all current links of the letter.
func (tx *Tx) SupersedeLinks(ctx context.Context, letterID int64) error {
	return tx.supersede(ctx, "letter_id = ?", letterID)
}

func (tx *Tx) supersede(ctx context.Context, where string, args ...any) error {
	err := tx.on(ctx).Model(&models.Link{}).Where(where, args...).Where("superseded_at IS NULL").
		Updates(map[string]any{"superseded_at": tx.now()}).Error
	return failed("supersede links", err)
}

// CurrentLinks returns the links of the letters that hold now, with Client and Deal filled in, by ascending id.
func (q *Queries) CurrentLinks(ctx context.Context, letterIDs []int64) ([]models.Link, error) {
	rows, err := findIn[models.Link](q.on(ctx), "letter_id", letterIDs, func(g *gorm.DB) *gorm.DB {
		return g.Where("superseded_at IS NULL").Preload("Client").Preload("Deal")
	})
	slices.SortFunc(rows, func(a, b models.Link) int { return cmp.Compare(a.ID, b.ID) })
	return rows, failed("read links", err)
}

// LinksOf returns all links of the letter, also superseded ones, with Client and Deal filled in, by ascending id.
func (q *Queries) LinksOf(ctx context.Context, letterID int64) ([]models.Link, error) {
	return q.links(ctx, "letter_id = ?", letterID)
}

// ThreadLinks returns the links that hold now of all letters of the thread, with Client and Deal filled in, by ascending
// id.
func (q *Queries) ThreadLinks(ctx context.Context, threadID int64) ([]models.Link, error) {
	return q.links(ctx, "superseded_at IS NULL AND letter_id IN (SELECT id FROM letters WHERE thread_id = ?)", threadID)
}

func (q *Queries) links(ctx context.Context, where string, id int64) ([]models.Link, error) {
	var rows []models.Link
	err := q.on(ctx).Where(where, id).Preload("Client").Preload("Deal").Order("id").Find(&rows).Error
	return rows, failed("read links", err)
}
