package imapsync

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"kontrol/models"
)

// look looks at the sources first and at the targets second: a letter that a person moves in between is then seen in
// both, never in neither; and nothing is removed without looking at the source again. All filings have the same folders.
func (r *moving) look(ctx context.Context, set []*models.Filing) (map[int64]*sight, error) {
	r.open = ""
	seen := make(map[int64]*sight, len(set))
	for _, f := range set {
		seen[f.ID] = &sight{like: likeness{hashes: []string{f.HeaderHash}, size: f.Size}}
	}
	if err := r.lookSource(ctx, set, seen); err != nil {
		return nil, err
	}
	return seen, r.lookTarget(ctx, set, seen)
}

func (r *moving) lookSource(ctx context.Context, set []*models.Filing, seen map[int64]*sight) error {
	name := set[0].SourceFolder.Name
	sel, err := r.s.Select(ctx, name, true)
	switch {
	case refused(err):
		return r.unlessMissing(ctx, name, err)
	case err != nil:
		return lost("open source folder", err)
	case sel.UIDValidity != set[0].SourceUIDValidity:
		for _, f := range set {
			seen[f.ID].source = changed
		}
		return nil
	}
	metas, err := r.details(ctx, sourceUIDs(set))
	if err != nil {
		return orLost("look at source copies", err)
	}
	var there []uint32
	for _, f := range set {
		if m, ok := metas[f.SourceUID]; ok {
			s := seen[f.ID]
			s.source, s.deleted = present, hasFlag(m.Flags, `\Deleted`)
			there = append(there, f.SourceUID)
		}
	}
	headers, err := r.headers(ctx, there)
	if err != nil {
		return orLost("read source copies", err)
	}
	for _, f := range set {
		if c, ok := headers[f.SourceUID]; ok {
			// Some servers make up headers anew on each request; what the copy looks like today counts as well.
			like := &seen[f.ID].like
			like.hashes, like.size, like.date = append(like.hashes, c.hash), c.size, c.date
		}
	}
	return nil
}

// seenCopy is one copy of which the header has been read.
type seenCopy struct {
	uid     uint32
	hash    string // of the header; "" when the copy cannot be read
	size    int64
	date    time.Time
	deleted bool
}

// headers reads the headers of copies in the selected folder. Those that are gone or cannot be read are not in the answer.
func (r *moving) headers(ctx context.Context, uids []uint32) (map[uint32]seenCopy, error) {
	byUID := make(map[uint32]seenCopy, len(uids))
	list, err := r.readCopies(ctx, uids)
	for _, c := range list {
		if c.hash != "" {
			byUID[c.uid] = c
		}
	}
	return byUID, err
}

func (r *moving) readCopies(ctx context.Context, uids []uint32) ([]seenCopy, error) {
	list := make([]seenCopy, 0, len(uids))
	for part := range slices.Chunk(uids, fetchBatch) {
		answer, err := r.s.Fetch(ctx, part, 0)
		if err != nil {
			return nil, orLost("read copies", err)
		}
		for _, l := range answer.Letters {
			list = append(list, seenCopy{l.UID, HeaderHash(l.Header), l.Size, l.InternalDate, hasFlag(l.Flags, `\Deleted`)})
		}
		for _, b := range answer.Bad {
			list = append(list, seenCopy{uid: b.UID})
		}
	}
	slices.SortFunc(list, func(a, b seenCopy) int { return int(int64(a.uid) - int64(b.uid)) })
	return list, nil
}

// lookTarget finds the copies of the letters in the target folder that we may have made.
func (r *moving) lookTarget(ctx context.Context, set []*models.Filing, seen map[int64]*sight) error {
	name := set[0].TargetFolder.Name
	sel, err := r.s.Select(ctx, name, true)
	if refused(err) {
		return r.unlessMissing(ctx, name, err)
	}
	if err != nil {
		return lost("open target folder", err)
	}
	// Those of which it is known above which UID the copy must be, and the others, for which the newest are looked at.
	bounded, newest := make(map[uint32][]*models.Filing), []*models.Filing(nil)
	from := uint32(math.MaxUint32)
	for _, f := range set {
		seen[f.ID].validity = sel.UIDValidity
		if first := firstUID(f, sel); first != 0 {
			bounded[first] = append(bounded[first], f)
			from = min(from, first)
		} else {
			newest = append(newest, f)
		}
	}
	if len(bounded) > 0 {
		if err := r.lookAmong(ctx, bounded, from, len(set)-len(newest), sel, seen); err != nil {
			return err
		}
	}
	if len(newest) == 0 {
		return nil
	}
	return r.lookAmong(ctx, map[uint32][]*models.Filing{0: newest}, 0, len(newest), sel, seen)
}

// firstUID is the UID at or above which a copy made by us must be; 0 when it is not known, because the target folder has
// got another UIDVALIDITY since.
func firstUID(f *models.Filing, sel Selected) uint32 {
	switch {
	case f.State == models.FilingPlanned && sel.UIDValidity == f.TargetFolder.UIDValidity:
		return f.TargetFolder.LastUID + 1
	case f.State == models.FilingPlanned || sel.UIDValidity != f.DestUIDValidity:
		return 0
	}
	return f.DestUIDNext
}

// lookAmong compares the letters with the copies in the selected target folder that the store does not know. The filings
// are sorted by the UID at or above which their copies must be; from is the lowest of these, 0 means to look at the
// newest copies only.
func (r *moving) lookAmong(
	ctx context.Context, filings map[uint32][]*models.Filing, from uint32, count int, sel Selected, seen map[int64]*sight,
) error {
	own := make(map[uint32]bool)
	var targetID int64
	for _, list := range filings {
		for _, f := range list {
			targetID = f.TargetFolderID
			if f.State == models.FilingCopied && sel.UIDValidity == f.DestUIDValidity {
				own[f.DestUID] = true // ours beyond doubt, even when it has been taken in meanwhile
			}
		}
	}
	uids, marked, known, err := r.candidates(ctx, targetID, from, sel, own)
	if err != nil {
		return err
	}
	if n := len(uids) - r.cfg.FindLimit - count + 1; n > 0 && from == 0 {
		uids = uids[n:]
	} else if n > 0 {
		uids = uids[:len(uids)-n]
	}
	list, err := r.readCopies(ctx, uids)
	if err != nil {
		return err
	}
	highestBad, byHash := uint32(0), make(map[string][]seenCopy, len(list))
	for _, c := range list {
		c.deleted = c.deleted || marked[c.uid]
		byHash[c.hash] = append(byHash[c.hash], c)
		if c.hash == "" {
			highestBad = c.uid
		}
	}
	for first, list := range filings {
		for _, f := range list {
			s := seen[f.ID]
			s.unsure = s.unsure || (highestBad != 0 && highestBad >= first)
			s.compare(f, first, byHash, known, sel)
		}
	}
	return nil
}

// candidates lists the copies in the selected target folder that may be ours: from a UID on and not known to the store,
// except those that are own. It also tells which of them have \Deleted, and what is known.
func (r *moving) candidates(ctx context.Context, folderID int64, from uint32, sel Selected, own map[uint32]bool) (
	uids []uint32, marked, known map[uint32]bool, err error,
) {
	metas, err := r.s.UIDs(ctx, max(from, 1), 0)
	if err != nil {
		return nil, nil, nil, orLost("list target folder", err)
	}
	if len(metas) == 0 {
		return nil, nil, nil, nil
	}
	live, err := r.journal.LiveCopies(ctx, folderID, sel.UIDValidity)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read known copies: %w", err)
	}
	known, marked = make(map[uint32]bool), make(map[uint32]bool)
	for _, l := range live {
		if l.UID >= from {
			known[l.UID] = true
		}
	}
	for _, m := range metas {
		if known[m.UID] && !own[m.UID] {
			continue
		}
		uids = append(uids, m.UID)
		if hasFlag(m.Flags, `\Deleted`) {
			marked[m.UID] = true
		}
	}
	return uids, marked, known, nil
}

// compare sorts the copies that are like the letter.
func (s *sight) compare(f *models.Filing, first uint32, byHash map[string][]seenCopy, known map[uint32]bool, sel Selected) {
	mine := uint32(0)
	if sel.UIDValidity == f.DestUIDValidity {
		mine = f.DestUID
	}
	for _, c := range s.like.among(byHash) {
		switch {
		case c.uid < first || (known[c.uid] && (c.uid != mine || f.State != models.FilingCopied)):
		case c.deleted:
			s.marked = append(s.marked, c.uid)
		case c.uid == mine:
			s.certain, s.copies = true, slices.Insert(s.copies, 0, c.uid)
		default:
			s.copies = append(s.copies, c.uid)
			if s.like.date.IsZero() || c.date.IsZero() || s.like.date.Equal(c.date) {
				s.same = append(s.same, c.uid)
			}
		}
	}
}

// unlessMissing returns nil when a folder that could not be opened is demonstrably not there, and the refusal otherwise.
// Many servers refuse without a code, so LIST is asked.
func (r *moving) unlessMissing(ctx context.Context, name string, refusal error) error {
	if missingFolder(refusal) {
		return nil
	}
	list, err := r.s.List(ctx)
	if err != nil {
		return orLost("list folders", err)
	}
	if len(list) == 0 || slices.ContainsFunc(list, func(l Listed) bool { return l.Name == name }) {
		return refusal
	}
	return nil
}

// likeness is by what a copy of a letter is known.
type likeness struct {
	hashes []string
	size   int64     // 0: not known
	date   time.Time // INTERNALDATE of the source; zero: not known
}

// among returns the copies that are like the letter, ascending by UID.
func (k likeness) among(byHash map[string][]seenCopy) []seenCopy {
	var list []seenCopy
	for i, h := range k.hashes {
		if h == "" || slices.Contains(k.hashes[:i], h) {
			continue
		}
		for _, c := range byHash[h] {
			if k.size == 0 || c.size == k.size {
				list = append(list, c)
			}
		}
	}
	slices.SortFunc(list, func(a, b seenCopy) int { return int(int64(a.uid) - int64(b.uid)) })
	return list
}

// orLost leaves a refusal as it is and marks everything else as a lost session. Nil stays nil.
func orLost(what string, err error) error {
	if err == nil || refused(err) {
		return err
	}
	return lost(what, err)
}
