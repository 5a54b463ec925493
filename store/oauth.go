package store

import (
	"context"
	"errors"
	"time"

	"kontrol/models"
)

// OAuthTokens returns the tokens of all mailboxes, by address.
func (q *Queries) OAuthTokens(ctx context.Context) ([]models.OAuthToken, error) {
	var rows []models.OAuthToken
	return rows, failed("read oauth tokens", q.on(ctx).Order("address").Find(&rows).Error)
}

// OAuthToken returns the tokens of the mailbox with the address, or models.ErrNotFound.
func (q *Queries) OAuthToken(ctx context.Context, address string) (models.OAuthToken, error) {
	var row models.OAuthToken
	err := q.on(ctx).Where("address = ?", models.NormalAddress(storable(address))).Take(&row).Error
	return row, failed("read oauth token", err)
}

// OAuthToken is Queries.OAuthToken outside of any transaction.
func (db *DB) OAuthToken(ctx context.Context, address string) (models.OAuthToken, error) {
	return db.Read().OAuthToken(ctx, address)
}

// GrantOAuthToken stores what a person has just agreed to, in the place of whatever was there, and makes *t what is
// stored. Whoever is refreshing the old tokens at that moment loses: RenewOAuthToken refuses his.
func (db *DB) GrantOAuthToken(ctx context.Context, t *models.OAuthToken) error {
	return db.Tx(ctx, func(tx *Tx) error {
		row := *t
		row.Address = models.NormalAddress(storable(row.Address))
		row.ID, row.CreatedAt, row.UpdatedAt, row.Generation = 0, time.Time{}, time.Time{}, 1
		row.GrantedAt, row.RefusedAt, row.Holder, row.HeldUntil = tx.now(), nil, "", nil
		var old models.OAuthToken
		err := failed("read oauth token", locked(tx.on(ctx)).Where("address = ?", row.Address).Take(&old).Error)
		switch {
		case errors.Is(err, models.ErrNotFound):
		case err != nil:
			return err
		default:
			row.ID, row.CreatedAt, row.Generation = old.ID, old.CreatedAt, old.Generation+1
			// Two logins within one tick of the clock are still two.
			if !row.GrantedAt.After(old.GrantedAt) {
				row.GrantedAt = old.GrantedAt.Add(time.Microsecond)
			}
		}
		if err := failed("store oauth token", tx.on(ctx).Save(&row).Error); err != nil {
			return err
		}
		*t = row
		return nil
	})
}

// HoldOAuthToken claims the right to refresh the mailbox's tokens for so long, and returns them as they are. held is
// false while another holder has it. The claim ends by itself, so that a killed process blocks nobody for long. It returns
// models.ErrNotFound when there are no tokens.
func (db *DB) HoldOAuthToken(ctx context.Context, address, holder string, d time.Duration) (row models.OAuthToken, held bool, err error) {
	err = db.Tx(ctx, func(tx *Tx) error {
		held = false
		err := locked(tx.on(ctx)).Where("address = ?", models.NormalAddress(storable(address))).Take(&row).Error
		if err != nil {
			return failed("read oauth token", err)
		}
		now := tx.now()
		if row.Holder != "" && row.Holder != holder && row.HeldUntil != nil && now.Before(*row.HeldUntil) {
			return nil
		}
		until := now.Add(d)
		row.Holder, row.HeldUntil, held = holder, &until, true
		return changedOne(tx.on(ctx).Model(&models.OAuthToken{}).Where("id = ?", row.ID).
			Updates(map[string]any{"holder": holder, "held_until": until}), "hold oauth token")
	})
	return row, held, err
}

// ReleaseOAuthToken gives back what HoldOAuthToken claimed. Nothing happens when somebody else holds it by now.
func (db *DB) ReleaseOAuthToken(ctx context.Context, address, holder string) error {
	return db.Tx(ctx, func(tx *Tx) error {
		return failed("release oauth token", tx.on(ctx).Model(&models.OAuthToken{}).
			Where("address = ? AND holder = ?", models.NormalAddress(storable(address)), holder).
			Updates(map[string]any{"holder": "", "held_until": nil}).Error)
	})
}

// RenewOAuthToken stores refreshed tokens: Refresh, Access, IssuedAt and ExpiresAt of *t, one generation after
// t.Generation, and ends the holder's claim. It returns models.ErrNotFound, and stores nothing, when the stored
// generation is another one: a stale token never takes the place of a newer one.
func (db *DB) RenewOAuthToken(ctx context.Context, t *models.OAuthToken) error {
	err := db.Tx(ctx, func(tx *Tx) error {
		return changedOne(tx.on(ctx).Model(&models.OAuthToken{}).
			Where("address = ? AND generation = ?", models.NormalAddress(storable(t.Address)), t.Generation).
			Updates(map[string]any{
				"refresh": t.Refresh, "access": t.Access, "issued_at": t.IssuedAt, "expires_at": t.ExpiresAt,
				"generation": t.Generation + 1, "refused_at": nil, "holder": "", "held_until": nil,
			}), "renew oauth token")
	})
	if err == nil {
		t.Generation++
		t.RefusedAt, t.Holder, t.HeldUntil = nil, "", nil
	}
	return err
}

// RefuseOAuthToken stores that the provider does not accept the refresh token of this generation any more. Nothing
// happens when there is a newer one.
func (db *DB) RefuseOAuthToken(ctx context.Context, address string, generation int64) error {
	return db.Tx(ctx, func(tx *Tx) error {
		return failed("refuse oauth token", tx.on(ctx).Model(&models.OAuthToken{}).
			Where("address = ? AND generation = ?", models.NormalAddress(storable(address)), generation).
			Updates(map[string]any{"refused_at": tx.now(), "access": "", "holder": "", "held_until": nil}).Error)
	})
}

// DeleteOAuthToken forgets a mailbox's tokens. It returns models.ErrNotFound when there are none.
func (db *DB) DeleteOAuthToken(ctx context.Context, address string) error {
	return db.Tx(ctx, func(tx *Tx) error {
		return changedOne(tx.on(ctx).Where("address = ?", models.NormalAddress(storable(address))).
			Delete(&models.OAuthToken{}), "delete oauth token")
	})
}
