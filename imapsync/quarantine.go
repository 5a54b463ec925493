package imapsync

import (
	"context"
	"fmt"
	"slices"

	"kontrol/models"
)

// Quarantine is what the Syncer needs of the store to look after letters that could not be taken in. Implemented by
// *store.DB.
type Quarantine interface {
	// QuarantinedIn returns the unresolved rows of a folder under a UIDVALIDITY, ascending by UID.
	QuarantinedIn(ctx context.Context, folderID int64, uidValidity uint32) ([]models.Quarantine, error)
	// ReleaseQuarantined stores that copies in quarantine are no longer there.
	ReleaseQuarantined(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) error
}

// quarantineTries is how often a letter is read again before it is left to people.
const quarantineTries = 3

// quarantined reports whether the folder has letters in quarantine that are to be read again on this connection.
func (w *worker) quarantined(ctx context.Context, d *folder) (bool, error) {
	if w.cfg.Quarantine == nil {
		return false, nil
	}
	rows, err := w.cfg.Quarantine.QuarantinedIn(ctx, d.f.ID, d.f.UIDValidity)
	return slices.ContainsFunc(rows, func(q models.Quarantine) bool { return q.Attempts < quarantineTries }),
		storing("read quarantine", err)
}

// tendQuarantine releases letters that have left the folder, and once for each connection reads those again that have not
// been tried too often: what was wrong may have been the server's bad hour. A letter that can be read now is handed to the
// intake like any other; one that cannot gets one more attempt on its row. metas is a complete list of the folder. It reports
// whether letters were handed to the intake.
func (w *worker) tendQuarantine(ctx context.Context, d *folder, metas []Meta) (handed bool, err error) {
	if w.cfg.Quarantine == nil {
		return false, nil
	}
	rows, err := w.cfg.Quarantine.QuarantinedIn(ctx, d.f.ID, d.f.UIDValidity)
	if err != nil || len(rows) == 0 {
		return false, storing("read quarantine", err)
	}
	there := make(map[uint32]bool, len(metas))
	for _, m := range metas {
		there[m.UID] = true
	}
	var gone, again []uint32
	for _, q := range rows {
		switch {
		case !there[q.UID]:
			gone = append(gone, q.UID)
		case q.Attempts < quarantineTries && d.fullAt.IsZero():
			again = append(again, q.UID)
		}
	}
	if len(gone) > 0 {
		if err := w.cfg.Quarantine.ReleaseQuarantined(ctx, d.f.ID, d.f.UIDValidity, gone); err != nil {
			return false, storing("release from quarantine", err)
		}
	}
	for _, batch := range batches(again, d.f.FirstUID) {
		if err := w.readAgain(ctx, d, batch); err != nil {
			return true, err
		}
	}
	return len(again) > 0, nil
}

// batches cuts ascending UIDs into pieces that can be fetched at once and lie wholly below first or wholly at or
// above it.
func batches(uids []uint32, first uint32) [][]uint32 {
	cut, _ := slices.BinarySearch(uids, first)
	list := slices.Collect(slices.Chunk(uids[:cut], fetchBatch))
	return slices.AppendSeq(list, slices.Chunk(uids[cut:], fetchBatch))
}

// readAgain fetches letters from quarantine and offers them to the intake; the cursor stays where it is.
func (w *worker) readAgain(ctx context.Context, d *folder, uids []uint32) error {
	answer, err := w.s.Fetch(ctx, uids, w.cfg.TextCap)
	if err != nil {
		return fmt.Errorf("fetch from %s: %w", d.f.Name, err)
	}
	if len(answer.Letters)+len(answer.Bad) == 0 {
		return nil
	}
	a := Arrival{Folder: d.f, Letters: answer.Letters, Bad: slices.Clone(answer.Bad), FirstLook: uids[0] < d.f.FirstUID}
	err = w.offer(ctx, a)
	if err == nil || models.IsTemporary(err) || ctx.Err() != nil {
		return storing("take in letters from quarantine", err)
	}
	w.logger.Warn("letters from quarantine cannot be taken in", "role", d.f.Role, "letters", len(a.Letters), "error", err)
	return nil
}
