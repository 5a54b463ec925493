package imapsync

import (
	"context"
	"fmt"
	"slices"

	"kontrol/models"
)

// open opens a folder for looking and deals with a new UIDVALIDITY and with the first look.
func (w *worker) open(ctx context.Context, d *folder) (Selected, error) {
	sel, err := w.s.Select(ctx, d.f.Name, d.readOnly())
	if refused(err) {
		return sel, &folderGone{d, err}
	}
	if err != nil {
		return sel, fmt.Errorf("open %s: %w", d.f.Name, err)
	}
	if d.f.UIDValidity != 0 && sel.UIDValidity != d.f.UIDValidity {
		if err := w.reset(ctx, d, sel); err != nil {
			return sel, err
		}
	}
	ro := d.f.Role == models.FolderInbox && sel.ReadOnly
	if d.f.UIDValidity == sel.UIDValidity && d.f.FirstUID != 0 && d.f.ReadOnly == ro {
		return sel, nil
	}
	d.f.UIDValidity, d.f.ReadOnly = sel.UIDValidity, ro
	if d.f.FirstUID == 0 {
		d.f.FirstUID = max(sel.UIDNext, 1)
		if d.f.SyncedAt != nil {
			d.f.FirstUID = 1
		}
	}
	return sel, storing("save folder", w.cfg.Folders.SaveFolder(ctx, &d.f))
}

// reset starts a folder again under another UIDVALIDITY. When it had been looked at completely before, what turns up
// unknown now has come since, so it does not count as having been there before us.
func (w *worker) reset(ctx context.Context, d *folder, sel Selected) error {
	w.logger.Warn("folder has another UIDVALIDITY", "role", d.f.Role, "before", d.f.UIDValidity, "now", sel.UIDValidity)
	f := d.f
	f.UIDValidity, f.LastUID, f.ModSeq, f.UIDNext, f.Messages = sel.UIDValidity, 0, 0, 0, 0
	f.FirstUID = max(sel.UIDNext, 1)
	if f.SyncedAt != nil {
		f.FirstUID = 1
	}
	if err := w.cfg.Intake.Reset(ctx, f); err != nil {
		return storing("reset folder", err)
	}
	d.f, d.full = f, true
	return nil
}

// takeIn hands new copies to the intake in ascending batches and moves the cursor with each. It returns how many UIDs
// were above the cursor.
func (w *worker) takeIn(ctx context.Context, d *folder, metas []Meta) (int, error) {
	var uids []uint32
	for _, m := range metas {
		if m.UID > d.f.LastUID {
			uids = append(uids, m.UID)
		}
	}
	if len(uids) == 0 {
		return 0, nil
	}
	slices.Sort(uids)
	uids = slices.Compact(uids)
	live, err := w.cfg.Folders.Copies(ctx, d.f.ID, d.f.UIDValidity, uids[0], uids[len(uids)-1])
	if err != nil {
		return 0, storing("read known copies", err)
	}
	known := make(map[uint32]bool)
	for _, l := range live {
		known[l.UID] = true
	}
	for _, batch := range batches(uids, d.f.FirstUID) {
		if w.ctx.Err() != nil {
			return 0, w.ctx.Err()
		}
		if err := w.takeBatch(ctx, d, batch, known); err != nil {
			return 0, err
		}
	}
	return len(uids), nil
}

// batches cuts ascending UIDs into pieces that can be fetched at once and lie wholly below first or wholly at or
// above it.
func batches(uids []uint32, first uint32) [][]uint32 {
	cut, _ := slices.BinarySearch(uids, first)
	list := slices.Collect(slices.Chunk(uids[:cut], fetchBatch))
	return slices.AppendSeq(list, slices.Chunk(uids[cut:], fetchBatch))
}

// takeBatch fetches one batch and stores it together with the new cursor. Copies that the store knows already, because
// Kontrol has moved them here, only move the cursor.
func (w *worker) takeBatch(ctx context.Context, d *folder, batch []uint32, known map[uint32]bool) error {
	ask := slices.DeleteFunc(slices.Clone(batch), func(u uint32) bool { return known[u] })
	var answer FetchAnswer
	if len(ask) > 0 {
		var err error
		if answer, err = w.s.Fetch(ctx, ask, w.cfg.TextCap); err != nil {
			return fmt.Errorf("fetch from %s: %w", d.f.Name, err)
		}
		if n := len(answer.Letters) + len(answer.Gone) + len(answer.Bad); n != len(ask) {
			return fmt.Errorf("fetch from %s: asked for %d copies, heard of %d", d.f.Name, len(ask), n)
		}
	}
	a := Arrival{Folder: d.f, Letters: answer.Letters, Bad: answer.Bad, FirstLook: batch[0] < d.f.FirstUID}
	a.Folder.LastUID = batch[len(batch)-1]
	if len(a.Letters)+len(a.Bad) == 0 {
		if err := w.cfg.Folders.SaveFolder(ctx, &a.Folder); err != nil {
			return storing("save cursor", err)
		}
		d.f.LastUID = a.Folder.LastUID
		return nil
	}
	w.stored = true
	return w.arrived(ctx, d, a)
}

// arrived hands a batch to the intake. When the intake cannot take it and it is no passing trouble, the batch is
// halved until the one letter is found that cannot be taken; after some tries that letter goes into quarantine.
func (w *worker) arrived(ctx context.Context, d *folder, a Arrival) error {
	err := w.offer(ctx, a)
	if err == nil {
		d.f.LastUID = a.Folder.LastUID
		return nil
	}
	if models.IsTemporary(err) || ctx.Err() != nil || len(a.Letters) == 0 {
		return storing("take in letters", err)
	}
	if len(a.Letters) > 1 {
		left, right := halves(a)
		if err := w.arrived(ctx, d, left); err != nil {
			return err
		}
		return w.arrived(ctx, d, right)
	}
	uid := a.Letters[0].UID
	key := tried{d.f.ID, d.f.UIDValidity, uid}
	if w.poisoned[key]++; w.poisoned[key] < poisonTries {
		return storing(fmt.Sprintf("take in letter %d", uid), err)
	}
	w.logger.Error("letter cannot be taken in, put into quarantine", "role", d.f.Role, "uid", uid, "error", err)
	a.Letters = nil
	a.Bad = append(slices.Clone(a.Bad), BadLetter{UID: uid, Reason: "cannot be taken in: " + err.Error()})
	slices.SortFunc(a.Bad, func(x, y BadLetter) int { return int(int64(x.UID) - int64(y.UID)) })
	return w.arrived(ctx, d, a)
}

// tried names a copy that the intake could not take.
type tried struct {
	folder      int64
	uidValidity uint32
	uid         uint32
}

// halves cuts an arrival in two by UID.
func halves(a Arrival) (left, right Arrival) {
	left, right = a, a
	n := len(a.Letters) / 2
	last := a.Letters[n].UID - 1
	left.Letters, right.Letters = a.Letters[:n], a.Letters[n:]
	left.Folder.LastUID = last
	left.Bad, right.Bad = nil, nil
	for _, b := range a.Bad {
		if b.UID <= last {
			left.Bad = append(left.Bad, b)
		} else {
			right.Bad = append(right.Bad, b)
		}
	}
	return left, right
}

// offer calls the intake and turns a panic in it into an error, so that one letter cannot stop a mailbox.
func (w *worker) offer(ctx context.Context, a Arrival) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked(p)
			err = &panicError{p}
		}
	}()
	return w.cfg.Intake.Arrived(ctx, a)
}
