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
// ascending id. A sender who was dismissed is left out.
func (q *Queries) ProposalsOf(ctx context.Context, letterID int64) ([]models.Proposal, error) {
	var rows []models.Proposal
	err := q.on(ctx).Where("letter_id = ?", letterID).
		Where("NOT (kind = ? AND key IN (SELECT address FROM dismissed_senders))", models.ProposeClient).Preload("Client").Preload("Deal").Order("id").Find(&rows).Error
	return rows, failed("read proposals", err)
}

// ProposalFilter narrows Proposals. The zero value takes all that are open.
type ProposalFilter struct {
	Kinds    []models.ProposalKind // nil: all
	ClientID int64
	Limit    int // zero means 50
}

// Proposals returns what a person is asked at present, the newest first, with Letter (without its text), Client and Deal
// filled in. A new client is not proposed any more when its address belongs to one, or was dismissed.
func (q *Queries) Proposals(ctx context.Context, f ProposalFilter) ([]models.Proposal, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	g := q.on(ctx).Where("settled_at IS NULL").Where(`NOT (kind = ? AND (EXISTS (SELECT 1 FROM contact_points
		WHERE contact_points.kind = 'email' AND contact_points.value = proposals.key) OR key IN (SELECT address FROM dismissed_senders)))`,
		models.ProposeClient)
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

// DismissSender remembers that an address is no client's: it is not proposed any more, and its letters stay tied to nobody,
// until it is added to a client by hand. It reports false when that was said before. It returns models.ErrDuplicate with
// a phrase when the address is a client's.
func (tx *Tx) DismissSender(ctx context.Context, address, actor string) (bool, error) {
	address = models.NormalAddress(storable(address))
	ctx, err := tx.mayDismiss(ctx, address)
	if err != nil {
		return false, err
	}
	points, err := tx.ClientsByAddresses(ctx, []string{address})
	if err != nil {
		return false, err
	}
	if p, ok := points[address]; ok {
		return false, taken(models.Say("store.duplicate.email", "Value", address, "Client", p.Contact.Client.Name), "address")
	}
	res := ignoring(tx.on(ctx)).Create(&models.DismissedSender{Address: address, Actor: actor})
	return res.Error == nil && res.RowsAffected > 0, failed("dismiss sender", res.Error)
}

// RecallSender takes back that an address is no client's: what was proposed about it is asked again. It reports whether it
// had been dismissed.
func (tx *Tx) RecallSender(ctx context.Context, address string) (bool, error) {
	address = models.NormalAddress(storable(address))
	ctx, err := tx.mayDismiss(ctx, address)
	if err != nil {
		return false, err
	}
	res := tx.on(ctx).Where("address = ?", address).Delete(&models.DismissedSender{})
	return res.Error == nil && res.RowsAffected > 0, failed("recall sender", res.Error)
}

// mayDismiss looks whose letters have led to what is proposed about an address.
func (tx *Tx) mayDismiss(ctx context.Context, address string) (context.Context, error) {
	var letters []int64
	err := tx.on(ctx).Model(&models.Proposal{}).Where("kind = ? AND key = ?", models.ProposeClient, address).Pluck("letter_id", &letters).Error
	if err != nil {
		return ctx, failed("read proposals", err)
	}
	return tx.mayChange(ctx, touched{letters: letters})
}

// DismissedSenders returns the addresses that were dismissed and belong to no client since, the newest first, at most limit.
func (q *Queries) DismissedSenders(ctx context.Context, limit int) ([]models.DismissedSender, error) {
	var rows []models.DismissedSender
	err := q.on(ctx).Where(`NOT EXISTS (SELECT 1 FROM contact_points WHERE contact_points.kind = 'email'
		AND contact_points.value = dismissed_senders.address)`).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, failed("read dismissed senders", err)
}
