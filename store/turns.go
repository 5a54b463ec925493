package store

import (
	"context"
)

// intakeTurn is the key of the lock that Tx.TakeTurn takes on PostgreSQL: the eight letters of "kontroli".
const intakeTurn int64 = 0x6b6f6e74726f6c69

// TakeTurn makes this transaction wait until no other transaction that has called TakeTurn is under way, in whatever
// process, and holds the turn until it ends. Call it first. A letter in one mailbox and its answer in another that are
// taken in at the same moment would otherwise not see each other (READ COMMITTED), and nobody would notice the answer.
// On SQLite there is one writer anyway.
func (tx *Tx) TakeTurn(ctx context.Context) error {
	if tx.db.dialect != dialectPostgres {
		return nil
	}
	return failed("wait for a turn", tx.on(ctx).Exec("SELECT pg_advisory_xact_lock(?)", intakeTurn).Error)
}
