package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// TestClaims: a claim keeps others off until it ends, by its day or by hand; a manager holds only so many, and those that have
// run out do not count.
func TestClaims(t *testing.T) {
	t.Parallel()
	storetest.EachMigrated(t, func(t *testing.T, url string) {
		now := day
		db := storetest.Open(t, store.Config{URL: url, Now: func() time.Time { return now }})
		var people []models.Manager
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			people = []models.Manager{{Name: "Анна", Email: "a@f", Role: models.RoleManager, Timezone: "UTC"}, {Name: "Борис", Email: "b@f", Role: models.RoleManager, Timezone: "UTC"}}
			return tx.SyncManagers(ctx, people)
		})
		one, two, three := createClient(t, db, card("Раз", "", "", "")), createClient(t, db, card("Два", "", "", "")), createClient(t, db, card("Три", "", "", ""))
		claim := func(when string, c store.ClientCard, m models.Manager, want error) {
			t.Helper()
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				return second(tx.Claim(tx.Context(), store.ClaimRequest{ClientID: c.ID, ManagerID: m.ID, For: 24 * time.Hour, Limit: 2}))
			})
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: %v", when, err)
			}
		}
		a, b := people[0], people[1]
		claim("a free client", one, a, nil)
		claim("another's", one, b, store.ErrClaimed)
		claim("the second", two, a, nil)
		claim("one too many", three, a, store.ErrClaimLimit)
		claim("one's own again", one, a, nil)
		now = day.Add(23 * time.Hour)
		claim("an hour before it ends", two, b, store.ErrClaimed)
		now = day.Add(24 * time.Hour)
		claim("when it has ended", one, b, nil)
		claim("when both have ended", three, a, nil)
		rows, err := db.Read().ClaimsOf(t.Context(), one.ID)
		must(t, err)
		if len(rows) != 2 || rows[0].EndReason != models.ClaimExpired || rows[1].ManagerID != b.ID {
			t.Errorf("claims: %+v", rows)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return second(tx.ReleaseClaim(ctx, one.ID, b.ID, "")) })
		claim("when it was let go", one, a, nil)
		claim("one too many again", two, a, store.ErrClaimLimit)
	})
}
