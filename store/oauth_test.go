package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestTokensAreNeverOverwrittenByOlderOnes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, address := t.Context(), "anna@firma.example"
		if _, err := db.OAuthToken(ctx, address); !errors.Is(err, models.ErrNotFound) {
			t.Fatal(err)
		}
		row := models.OAuthToken{Address: " <Anna@Firma.example>", ClientID: "id", Refresh: "r1", Scopes: models.Strings{"mail"}}
		must(t, db.GrantOAuthToken(ctx, &row))
		if row.Generation != 1 || row.Address != address {
			t.Errorf("granted %+v", row)
		}
		// Eight refresh at once from the first generation: one wins.
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				next := row
				next.Refresh = "r2"
				errs[i] = db.RenewOAuthToken(ctx, &next)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, models.ErrNotFound) {
				t.Error(err)
			}
		}
		got, err := db.OAuthToken(ctx, address)
		must(t, err)
		if won != 1 || got.Generation != 2 || got.Refresh != "r2" {
			t.Errorf("%d won, stored generation %d", won, got.Generation)
		}
		must(t, db.RefuseOAuthToken(ctx, address, 1)) // of an older generation
		if got, err = db.OAuthToken(ctx, address); err != nil || got.RefusedAt != nil {
			t.Errorf("an old refusal counts: %v", err)
		}
		must(t, db.RefuseOAuthToken(ctx, address, 2))
		if got, err = db.OAuthToken(ctx, address); err != nil || got.RefusedAt == nil {
			t.Errorf("a refusal does not count: %v", err)
		}
		before := got.GrantedAt
		again := models.OAuthToken{Address: address, ClientID: "id", Refresh: "r3"}
		must(t, db.GrantOAuthToken(ctx, &again))
		if again.Generation != 3 || again.RefusedAt != nil || !again.GrantedAt.After(before) || again.ID != got.ID {
			t.Errorf("granted again %+v", again)
		}
		all, err := db.Read().OAuthTokens(ctx)
		must(t, err)
		if len(all) != 1 {
			t.Errorf("%d rows", len(all))
		}
		must(t, db.DeleteOAuthToken(ctx, address))
		if err := db.DeleteOAuthToken(ctx, address); !errors.Is(err, models.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestOneHoldsTheTokens(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		db := storetest.Open(t, store.Config{URL: url, AutoMigrateSchema: true, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return at }})
		ctx, address := t.Context(), "anna@firma.example"
		if _, _, err := db.HoldOAuthToken(ctx, address, "a", time.Minute); !errors.Is(err, models.ErrNotFound) {
			t.Error(err)
		}
		must(t, db.GrantOAuthToken(ctx, &models.OAuthToken{Address: address, Refresh: "r1"}))
		hold := func(who string, want bool) {
			t.Helper()
			if _, held, err := db.HoldOAuthToken(ctx, address, who, time.Minute); err != nil || held != want {
				t.Errorf("%s holds: %v %v", who, held, err)
			}
		}
		hold("a", true)
		hold("b", false)
		hold("a", true)
		must(t, db.ReleaseOAuthToken(ctx, address, "b"))
		hold("b", false)
		must(t, db.ReleaseOAuthToken(ctx, address, "a"))
		hold("b", true)
		mu.Lock()
		at = at.Add(time.Minute)
		mu.Unlock()
		hold("a", true) // the other one is dead
		row, err := db.OAuthToken(ctx, address)
		must(t, err)
		must(t, db.RenewOAuthToken(ctx, &row))
		hold("b", true)
	})
}
