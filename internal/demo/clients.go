package demo

import (
	"context"
	"fmt"

	"kontrol/models"
	"kontrol/store"
)

// storeClients writes the day's clients, contacts and deals into the daemon's store, as `kontrol client add` and
// `kontrol deal add` would.
func storeClients(ctx context.Context, db *store.DB, d *day) error {
	err := db.Tx(ctx, func(tx *store.Tx) error {
		for _, c := range d.Clients {
			owner, err := tx.Manager(tx.Context(), d.address(c.Owner))
			if err != nil {
				return err
			}
			card := store.ClientCard{
				Client: models.Client{Name: c.Name, OwnerID: &owner.ID},
				Contacts: []store.ContactCard{{
					Contact: models.Contact{Name: c.Contact},
					Points:  []models.ContactPoint{{Kind: models.PointEmail, Value: c.Email}},
				}},
			}
			if c.INN != "" {
				card.INN = &c.INN
			}
			if err := tx.CreateClient(tx.Context(), &card, "demo"); err != nil {
				return err
			}
			if c.Deal == "" {
				continue
			}
			deal := models.Deal{ClientID: card.ID, OwnerID: &owner.ID, Title: c.Deal, StageCode: c.Stage}
			if err := tx.CreateDeal(tx.Context(), &deal, "demo"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the demo's clients: %w", err)
	}
	return nil
}
