package imapsync

import (
	"context"
	"slices"
	"time"

	"kontrol/models"
)

// moved finishes the letters of which the server has said, and nothing contradicts, where MOVE has put them, and returns
// the others.
func (r *moving) moved(ctx context.Context, set []*models.Filing, before map[uint32]Meta, got Copied) ([]*models.Filing, error) {
	var named, rest []*models.Filing
	for _, f := range set {
		if f.DestUID = got.To[f.SourceUID]; f.DestUID != 0 {
			named = append(named, f)
		} else {
			rest = append(rest, f)
		}
	}
	if len(set) > 1 && len(named) > 0 { // of one letter there is nothing to mix up
		proved, err := r.proved(ctx, named, before, got.UIDValidity)
		if err != nil {
			r.unknown(ctx, set, err)
			return nil, err
		}
		all := named
		named = nil
		for _, f := range all {
			if proved[f.ID] {
				named = append(named, f)
			} else {
				f.DestUID = 0
				rest = append(rest, f)
			}
		}
	}
	for _, f := range named {
		f.DestUIDValidity = got.UIDValidity
	}
	return rest, r.finish(ctx, named, models.FilingDone)
}

// unknown notes a lost connection after the command had been answered.
func (r *moving) unknown(ctx context.Context, set []*models.Filing, cause error) {
	for _, f := range set {
		f.State, f.LastError, f.DestUID = models.FilingUnknown, cause.Error(), 0
	}
	r.saveAnyway(ctx, set)
}

// stamp is what stays with a letter on its way to another folder and is cheap to ask for.
type stamp struct {
	size int64
	date time.Time
}

func stampOf(m Meta) stamp { return stamp{m.Size, m.InternalDate} }

// proved checks what COPYUID has said about several letters: a server that copies in an order of its own may name the
// right UIDs beside the wrong letters. A letter whose copy has a size and a date that no other letter of the set has is
// there beyond doubt; of the others the headers are compared. A copy that is like none of the letters (some servers make
// up headers and sizes anew on each request), or that has been taken away meanwhile, is believed unless the server has
// been caught lying.
func (r *moving) proved(ctx context.Context, set []*models.Filing, before map[uint32]Meta, validity uint32) (map[int64]bool, error) {
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
	after, err := r.metas(ctx, destUIDs(set))
	if refused(err) {
		return nil, nil
	}
	if err != nil {
		return nil, lost("look at moved letters", err)
	}
	stamps := make(map[stamp]int, len(set))
	for _, f := range set {
		stamps[stampOf(before[f.SourceUID])]++
	}
	proved := make(map[int64]bool, len(set))
	var doubtful []*models.Filing
	for _, f := range set {
		s := stampOf(before[f.SourceUID])
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
