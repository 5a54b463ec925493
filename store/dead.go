package store

import (
	"context"
	"time"

	"kontrol/models"
)

// DeadAddress is what a report of non-delivery says of an address.
type DeadAddress struct {
	Address    string    // normalised
	Reason     string    // group of reasons
	OriginalID string    // Message-ID of the letter that did not arrive
	At         time.Time // of the report
}

// BuryAddresses notes of addresses of clients that no letter reaches them. It counts only when the letter that the report is
// about is one that we have sent, for a report about another may be anybody's, and when nobody has written from the
// address since. It returns how many addresses that concerned.
func (tx *Tx) BuryAddresses(ctx context.Context, list []DeadAddress) (int, error) {
	total := int64(0)
	for _, d := range list {
		if d.OriginalID == "" || d.Address == "" {
			continue
		}
		n, err := tx.change(ctx, "note a dead address", `UPDATE contact_points SET dead_at = ?, dead_reason = ? WHERE kind = ? AND value = ? AND dead_at IS NULL
			AND EXISTS (SELECT 1 FROM letters WHERE message_id = ? AND direction = ?)
			AND NOT EXISTS (SELECT 1 FROM letters WHERE from_address = contact_points.value AND class = ? AND arrived_at > ?)`,
			instant(d.At), fitText(d.Reason, 60), string(models.PointEmail), storable(d.Address), storable(d.OriginalID), string(models.Outbound),
			string(models.ClassPerson), instant(d.At))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return int(total), nil
}

// ReviveAddresses takes those of the addresses for alive again from which a person has written after they were said to be
// dead. It returns how many there were.
func (tx *Tx) ReviveAddresses(ctx context.Context, addresses []string) (int, error) {
	if len(addresses) == 0 {
		return 0, nil
	}
	set, err := values(tx.Queries, storableAll(addresses))
	if err != nil {
		return 0, failed("revive addresses", err)
	}
	n, err := tx.change(ctx, "revive addresses", `UPDATE contact_points SET dead_at = NULL, dead_reason = '' WHERE kind = ? AND dead_at IS NOT NULL
		AND value IN (?) AND EXISTS (SELECT 1 FROM letters WHERE from_address = contact_points.value AND class = ? AND arrived_at > contact_points.dead_at)`,
		string(models.PointEmail), set, string(models.ClassPerson))
	return int(n), err
}
