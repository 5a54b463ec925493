package daemon

import (
	"context"

	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// reach notes what a letter from outside tells about addresses: a report that one does not exist, or a person who writes from
// one.
func (w *work) reach(letter models.Letter, facts inbound.Facts) {
	if letter.Direction != models.Inbound {
		return
	}
	if letter.Class == models.ClassPerson && letter.FromAddress != "" {
		w.wrote = append(w.wrote, letter.FromAddress)
	}
	if letter.Class != models.ClassBounce || facts.Bounce == nil {
		return
	}
	for _, r := range facts.Bounce.Recipients {
		if r.DeadAddress() && !w.set.Own.Has(r.Address) {
			w.dead = append(w.dead, store.DeadAddress{Address: r.Address, Reason: r.Reason, OriginalID: facts.Bounce.OriginalMessageID, At: letter.ArrivedAt})
		}
	}
}

// noteReach stores what was noted, when the letters are stored.
func (w *work) noteReach(ctx context.Context) error {
	if _, err := w.tx.BuryAddresses(ctx, w.dead); err != nil {
		return err
	}
	_, err := w.tx.ReviveAddresses(ctx, w.wrote)
	return err
}
