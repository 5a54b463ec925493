package imapsync

import (
	"context"
	"slices"
	"time"

	"kontrol/models"
)

// answeredSet is a set of letters that the server says it has moved.
type answeredSet struct {
	set    []*models.Filing
	before map[uint32]Details // how the copies looked in the source folder
	got    Copied
}

// moved notes where MOVE has put letters and returns those of which the server has not said it. One letter is finished at
// once: there is nothing to mix up. Of several it is proved first, at the end of the page.
func (r *moving) moved(ctx context.Context, a answeredSet, t try) (rest []*models.Filing, err error) {
	var named []*models.Filing
	for _, f := range a.set {
		if f.DestUID = a.got.To[f.SourceUID]; f.DestUID != 0 {
			named = append(named, f)
		} else {
			rest = append(rest, f)
		}
	}
	if len(named) == 0 {
		return rest, nil
	}
	if len(a.set) == 1 {
		a.set[0].DestUIDValidity = a.got.UIDValidity
		return nil, r.finish(ctx, a.set, models.FilingDone)
	}
	for _, f := range named {
		r.waiting[f.ID] = true
	}
	r.pending = append(r.pending, answeredSet{named, a.before, a.got})
	if t == halfTry || len(rest) > 0 {
		err = r.prove(ctx)
	}
	return rest, err
}

// prove finishes the moved letters whose copies are where the server says, and looks for the others.
func (r *moving) prove(ctx context.Context) error {
	pending := r.pending
	r.pending = nil
	clear(r.waiting)
	for len(pending) > 0 {
		first := pending[0]
		var set []*models.Filing
		before := make(map[int64]Details)
		pending = slices.DeleteFunc(pending, func(a answeredSet) bool {
			if a.set[0].TargetFolderID != first.set[0].TargetFolderID || a.got.UIDValidity != first.got.UIDValidity {
				return false
			}
			set = append(set, a.set...)
			for _, f := range a.set {
				before[f.ID] = a.before[f.SourceUID]
			}
			return true
		})
		err := r.proveSet(ctx, set, before, first.got.UIDValidity)
		r.block(set)
		if err != nil {
			return err
		}
	}
	return nil
}

// proveSet does it for letters in the same target folder.
func (r *moving) proveSet(ctx context.Context, set []*models.Filing, before map[int64]Details, validity uint32) error {
	proved, err := r.proved(ctx, set, before, validity)
	if err != nil {
		for _, f := range set {
			f.State, f.LastError, f.DestUID = models.FilingUnknown, err.Error(), 0
		}
		r.saveAnyway(ctx, set)
		return err
	}
	var done, rest []*models.Filing
	for _, f := range set {
		if proved[f.ID] {
			f.DestUIDValidity = validity
			done = append(done, f)
		} else {
			f.DestUID = 0
			rest = append(rest, f)
		}
	}
	if err := r.finishMoved(ctx, done); err != nil || len(rest) == 0 {
		return err
	}
	return r.carryOut(ctx, rest, r.started)
}

// stamp is what stays with a letter on its way to another folder and is cheap to ask for.
type stamp struct {
	size int64
	date time.Time
}

func stampOf(m Details) stamp { return stamp{m.Size, m.InternalDate} }

// proved checks what COPYUID has said about several letters: a server that copies in an order of its own may name the
// right UIDs beside the wrong letters. A letter whose copy has a size and a date that no other letter of the set has is
// there beyond doubt; of the others the headers are compared. A copy that is like none of the letters (some servers make
// up headers and sizes anew on each request), or that has been taken away meanwhile, is believed unless the server has
// been caught lying.
func (r *moving) proved(ctx context.Context, set []*models.Filing, before map[int64]Details, validity uint32) (map[int64]bool, error) {
	r.open = ""
	sel, err := r.s.Select(ctx, set[0].TargetFolder.Name, true)
	if refused(err) {
		return nil, nil
	}
	if err != nil {
		return nil, lost("open target folder", err)
	}
	if sel.UIDValidity != validity {
		return nil, nil
	}
	after, err := r.details(ctx, destUIDs(set))
	if refused(err) {
		return nil, nil
	}
	if err != nil {
		return nil, lost("look at moved letters", err)
	}
	stamps := make(map[stamp]int, len(set))
	for _, f := range set {
		stamps[stampOf(before[f.ID])]++
	}
	proved := make(map[int64]bool, len(set))
	var doubtful []*models.Filing
	for _, f := range set {
		s := stampOf(before[f.ID])
		if m, there := after[f.DestUID]; there && stamps[s] == 1 && s.size != 0 && !s.date.IsZero() && stampOf(m) == s {
			proved[f.ID] = true
		} else {
			doubtful = append(doubtful, f)
		}
	}
	return proved, r.compare(ctx, set, doubtful, proved)
}

// compare proves letters by the headers of their copies in the selected target folder.
func (r *moving) compare(ctx context.Context, set, doubtful []*models.Filing, proved map[int64]bool) error {
	if len(doubtful) == 0 {
		return nil
	}
	hashes, err := r.headers(ctx, destUIDs(doubtful))
	if refused(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ours := make(map[string]bool, len(set))
	for _, f := range set {
		ours[f.HeaderHash] = true
	}
	var believed []*models.Filing
	lie := false
	for _, f := range doubtful {
		switch c, there := hashes[f.DestUID]; {
		case there && c.hash == f.HeaderHash:
			proved[f.ID] = true
		case there && ours[c.hash]:
			lie = true
		default:
			believed = append(believed, f)
		}
	}
	if lie {
		r.logger.Warn("server has named the wrong copies", "filing", set[0].ID, "count", len(set))
		return nil
	}
	for _, f := range believed {
		proved[f.ID] = true
	}
	return nil
}

// destUIDs are the UIDs of copies in the target folder, ascending.
func destUIDs(set []*models.Filing) []uint32 {
	uids := make([]uint32, 0, len(set))
	for _, f := range set {
		uids = append(uids, f.DestUID)
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}
