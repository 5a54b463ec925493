package store

import (
	"context"

	"gorm.io/gorm"

	"kontrol/models"
)

// AddProposals stores proposals; one whose kind and key are there already is passed over. IDs are not set. A zero
// CreatedAt becomes now.
func (tx *Tx) AddProposals(ctx context.Context, list []*models.Proposal) error {
	rows := make([][]any, 0, len(list))
	for _, p := range list {
		if p.CreatedAt.IsZero() {
			p.CreatedAt = tx.now()
		}
		evidence, err := p.Evidence.Value()
		if err != nil {
			return failed("store proposals", err)
		}
		draft, err := p.Draft.Value()
		if err != nil {
			return failed("store proposals", err)
		}
		rows = append(rows, []any{
			p.LetterID, string(p.Kind), shortKey(p.Key, 400), p.ClientID, p.DealID, string(p.Method), int64(p.Score), storable(evidence.(string)),
			storable(draft.(string)), instant(p.CreatedAt),
		})
	}
	_, err := tx.insert(ctx, "store proposals", "proposals", []column{
		{"letter_id", kindNumber}, {"kind", kindText}, {"key", kindText}, {"client_id", kindNumber}, {"deal_id", kindNumber},
		{"method", kindText}, {"score", kindNumber}, {"evidence", kindText}, {"draft", kindText}, {"created_at", kindTime},
	}, rows)
	return err
}

// ProposalsOf returns what was proposed about the letter, also what is settled, with Client and Deal filled in, by
// ascending id.
func (q *Queries) ProposalsOf(ctx context.Context, letterID int64) ([]models.Proposal, error) {
	var rows []models.Proposal
	err := q.on(ctx).Where("letter_id = ?", letterID).Preload("Client").Preload("Deal").Order("id").Find(&rows).Error
	return rows, failed("read proposals", err)
}

// ProposalFilter narrows Proposals. The zero value takes all that are open.
type ProposalFilter struct {
	Kinds    []models.ProposalKind // nil: all
	ClientID int64
	Limit    int // zero means 50
}

// Proposals returns what a person is asked at present, the newest first, with Letter (without its text), Client and Deal
// filled in. A new client is not proposed any more when its address belongs to one.
func (q *Queries) Proposals(ctx context.Context, f ProposalFilter) ([]models.Proposal, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	g := q.on(ctx).Where("settled_at IS NULL").Where(`NOT (kind = ? AND EXISTS (SELECT 1 FROM contact_points
		WHERE contact_points.kind = 'email' AND contact_points.value = proposals.key))`, models.ProposeClient)
	if f.Kinds != nil {
		g = g.Where("kind IN ?", f.Kinds)
	}
	if f.ClientID != 0 {
		g = g.Where("client_id = ?", f.ClientID)
	}
	var rows []models.Proposal
	err := g.Preload("Client").Preload("Deal").Preload("Letter", func(g *gorm.DB) *gorm.DB { return g.Omit("text") }).
		Order("id DESC").Limit(f.Limit).Find(&rows).Error
	return rows, failed("read proposals", err)
}

// ProposalOf returns the proposal of a new client that the letter, or another letter of its sender, has led to, or
// models.ErrNotFound.
func (q *Queries) ProposalOf(ctx context.Context, letterID int64) (models.Proposal, error) {
	var row models.Proposal
	err := q.on(ctx).Where("kind = ? AND (letter_id = ? OR key IN (SELECT from_address FROM letters WHERE letters.id = ?))",
		models.ProposeClient, letterID, letterID).Order("id DESC").Take(&row).Error
	return row, failed("read proposal", err)
}

// SettleProposals ends what is proposed about the letter: the person has decided.
func (tx *Tx) SettleProposals(ctx context.Context, letterID int64, actor string) error {
	ctx, err := tx.mayChange(ctx, touched{letters: []int64{letterID}})
	if err != nil {
		return err
	}
	err = tx.on(ctx).Model(&models.Proposal{}).Where("letter_id = ? AND settled_at IS NULL", letterID).
		Updates(map[string]any{"settled_at": tx.now(), "settled_by": actor}).Error
	return failed("settle proposals", err)
}
