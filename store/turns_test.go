package store_test

import (
	"testing"

	"kontrol/store"
	"kontrol/store/storetest"
)

// TestTurnsDoNotOverlap lets two transactions meet: the second may read only after the first has committed.
func TestTurnsDoNotOverlap(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inside, release := make(chan struct{}), make(chan struct{})
		first, second := make(chan error, 1), make(chan error, 1)
		seen := false
		go func() {
			first <- db.Tx(t.Context(), func(tx *store.Tx) error {
				if err := tx.TakeTurn(t.Context()); err != nil {
					return err
				}
				close(inside)
				<-release
				c := store.ClientCard{}
				c.Name = "ООО «Первый»"
				return tx.CreateClient(t.Context(), &c, "test")
			})
		}()
		<-inside
		go func() {
			second <- db.Tx(t.Context(), func(tx *store.Tx) error {
				if err := tx.TakeTurn(t.Context()); err != nil {
					return err
				}
				found, err := tx.FindClients(t.Context(), "Первый", 10)
				seen = len(found) == 1
				return err
			})
		}()
		close(release)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		if !seen {
			t.Error("the second transaction did not see what the first had written")
		}
	})
}
