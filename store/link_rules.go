package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"kontrol/models"
)

// LinkByHand ties a letter to a client, and to a deal of it when that is not nil, because a person said so, and settles
// what was proposed about it. Every other link of the letter ends. It returns the new link.
func (tx *Tx) LinkByHand(ctx context.Context, l models.Link) (models.Link, error) {
	ctx, err := tx.mayChange(ctx, touched{letters: []int64{l.LetterID}, clients: []int64{l.ClientID}})
	if err != nil {
		return models.Link{}, err
	}
	if err := tx.Unlink(ctx, l.LetterID, l.Actor); err != nil {
		return models.Link{}, err
	}
	l.Method, l.Score, l.Ask = models.LinkManual, 100, false
	return l, tx.AddLink(ctx, &l)
}

// Unlink ends all links of a letter because a person said so, and settles what was proposed about it. It is not tied
// again by itself.
func (tx *Tx) Unlink(ctx context.Context, letterID int64, actor string) error {
	ctx, err := tx.mayChange(ctx, touched{letters: []int64{letterID}})
	if err != nil {
		return err
	}
	err = tx.on(ctx).Model(&models.Link{}).Where("letter_id = ? AND superseded_at IS NULL", letterID).
		Updates(map[string]any{"superseded_at": tx.now(), "ended_by": actor}).Error
	if err != nil {
		return failed("end links", err)
	}
	return tx.SettleProposals(ctx, letterID, actor)
}

// AddLinkRule stores what a person has taught and sets the rule's ID. What was taught about the address before ends.
func (tx *Tx) AddLinkRule(ctx context.Context, r *models.LinkRule) error {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{r.ClientID}})
	if err != nil {
		return err
	}
	row := *r
	row.ID, row.Client, row.Deal, row.Letter, row.RemovedAt, row.RemovedBy = 0, nil, nil, nil, nil, nil
	row.Address = models.NormalAddress(row.Address)
	err = tx.on(ctx).Model(&models.LinkRule{}).Where("address = ? AND removed_at IS NULL", storable(row.Address)).
		Updates(map[string]any{"removed_at": tx.now(), "removed_by": row.Actor}).Error
	if err != nil {
		return failed("end link rule", err)
	}
	if err := tx.on(ctx).Omit("Client", "Deal", "Letter").Create(&row).Error; err != nil {
		return failed("store link rule", err)
	}
	*r = row
	return nil
}

// RemoveLinkRule takes back what was taught and returns it. It returns models.ErrNotFound when there is no such rule, or it
// was taken back already.
func (tx *Tx) RemoveLinkRule(ctx context.Context, id int64, actor string) (models.LinkRule, error) {
	var row models.LinkRule
	err := locked(tx.on(ctx)).Where("id = ? AND removed_at IS NULL", id).Take(&row).Error
	if err != nil {
		return row, failed(fmt.Sprintf("read link rule %d", id), err)
	}
	if ctx, err = tx.mayChange(ctx, touched{clients: []int64{row.ClientID}}); err != nil {
		return models.LinkRule{}, err
	}
	at := tx.now()
	row.RemovedAt, row.RemovedBy = &at, &actor
	res := tx.on(ctx).Model(&models.LinkRule{}).Where("id = ?", id).Updates(map[string]any{"removed_at": at, "removed_by": actor})
	return row, changedOne(res, "end link rule")
}

// RemoveRulesOf takes back what tying the letter has taught.
func (tx *Tx) RemoveRulesOf(ctx context.Context, letterID int64, actor string) error {
	ctx, err := tx.mayChange(ctx, touched{letters: []int64{letterID}})
	if err != nil {
		return err
	}
	err = tx.on(ctx).Model(&models.LinkRule{}).Where("letter_id = ? AND removed_at IS NULL", letterID).
		Updates(map[string]any{"removed_at": tx.now(), "removed_by": actor}).Error
	return failed("end link rules", err)
}

// LinkRules returns the rules that hold, of one client or with 0 of all, with Client and Deal filled in, by address.
func (q *Queries) LinkRules(ctx context.Context, clientID int64) ([]models.LinkRule, error) {
	g := q.on(ctx).Where("removed_at IS NULL").Preload("Client").Preload("Deal").Order("address")
	if clientID != 0 {
		g = g.Where("client_id = ?", clientID)
	}
	var rows []models.LinkRule
	return rows, failed("read link rules", g.Find(&rows).Error)
}

// LinkRulesFor returns the rules that hold about the addresses, with Client and Deal filled in, by address.
func (q *Queries) LinkRulesFor(ctx context.Context, addresses []string) ([]models.LinkRule, error) {
	var rows []models.LinkRule
	err := q.on(ctx).Where("removed_at IS NULL AND address IN ?", storableAll(addresses)).Preload("Client").Preload("Deal").
		Order("address").Find(&rows).Error
	return rows, failed("read link rules", err)
}

// secretOctets is the length of a secret.
const secretOctets = 32

// Secret returns the secret with the name. It is made, at random, when it is asked for the first time.
func (tx *Tx) Secret(ctx context.Context, name string) ([]byte, error) {
	ctx = tx.free(ctx)
	row, err := tx.readSecret(ctx, name)
	if errors.Is(err, models.ErrNotFound) {
		fresh := make([]byte, secretOctets)
		if _, err := rand.Read(fresh); err != nil {
			return nil, fmt.Errorf("make secret %s: %w", name, err)
		}
		made := models.Secret{Name: name, Value: hex.EncodeToString(fresh)}
		if err := ignoring(tx.on(ctx)).Create(&made).Error; err != nil {
			return nil, failed("store secret", err)
		}
		row, err = tx.readSecret(ctx, name) // somebody else may have been faster
	}
	if err != nil {
		return nil, err
	}
	value, err := hex.DecodeString(row.Value)
	if err != nil {
		return nil, fmt.Errorf("decode secret %s: %w", name, err)
	}
	return value, nil
}

func (tx *Tx) readSecret(ctx context.Context, name string) (models.Secret, error) {
	var row models.Secret
	return row, failed("read secret "+name, tx.on(ctx).Where("name = ?", name).Take(&row).Error)
}
