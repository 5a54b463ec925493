package imapsync

import (
	"context"
	"fmt"

	"kontrol/models"
)

// ours finds out for which letters one of the copies seen in the target folder, while the source is still there, was made
// by our command, and leaves only such copies. Without the server's word for it a copy may as well be a twin of the letter
// that a person has just moved there. So copies with another INTERNALDATE are left out (COPY keeps it, RFC 9051 section
// 6.4.7; two deliveries of the same letter rarely share it), and as many more as twins have left the source folder by now.
func (r *moving) ours(ctx context.Context, set []*models.Filing, seen map[int64]*sight, a answer) error {
	var doubtful []*models.Filing
	for _, f := range set {
		s := seen[f.ID]
		s.ours = s.certain
		if s.certain {
			continue
		}
		if !a.copied {
			s.copies = s.same
		}
		if len(s.copies) > 0 {
			doubtful = append(doubtful, f)
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	sel, err := r.s.Select(ctx, set[0].SourceFolder.Name, true)
	if err != nil {
		return orLost("open source folder", err)
	}
	if sel.UIDValidity != set[0].SourceUIDValidity {
		return nil
	}
	vanished, err := r.vanishedTwins(ctx, doubtful)
	if err != nil {
		return err
	}
	for _, f := range doubtful {
		s := seen[f.ID]
		s.ours = len(s.copies) > vanished[f.LetterID]
	}
	return nil
}

// vanishedTwins counts for each letter the other copies which the store knows in the selected source folder and which are
// no longer there: a person has moved or deleted them, and nobody has noticed yet.
func (r *moving) vanishedTwins(ctx context.Context, set []*models.Filing) (map[int64]int, error) {
	live, err := r.journal.LiveCopies(ctx, set[0].SourceFolderID, set[0].SourceUIDValidity)
	if err != nil {
		return nil, fmt.Errorf("read known copies: %w", err)
	}
	of := make(map[int64]*models.Filing, len(set))
	for _, f := range set {
		of[f.LetterID] = f // no two of a set are of the same letter
	}
	var twins []uint32
	letters := make(map[uint32]int64)
	for _, l := range live {
		if f := of[l.LetterID]; f != nil && l.UID != f.SourceUID {
			twins = append(twins, l.UID) // ascending, as LiveCopies are
			letters[l.UID] = l.LetterID
		}
	}
	if len(twins) == 0 {
		return nil, nil
	}
	there, err := r.details(ctx, twins)
	if err != nil {
		return nil, orLost("look at twins", err)
	}
	n := make(map[int64]int)
	for _, uid := range twins {
		if _, ok := there[uid]; !ok {
			n[letters[uid]]++
		}
	}
	return n, nil
}

// halfDone deals with letters that are in both folders. In state planned nothing was asked for by us, so the copy is a
// person's.
func (r *moving) halfDone(ctx context.Context, set []*models.Filing, seen map[int64]*sight) error {
	var done, stuck, remove []*models.Filing
	for _, f := range set {
		s := seen[f.ID]
		f.DestUID, f.DestUIDValidity = s.copies[0], s.validity
		switch {
		case f.State == models.FilingPlanned: // the source came back while we were looking; the next Run sees it afresh
			f.DestUID, f.DestUIDValidity = 0, 0
		case s.deleted && f.State != models.FilingCopied:
			// A person's program is moving it by COPY and \Deleted. Its mark is left alone.
			done = append(done, f)
		case !r.s.Caps().UIDPlus && !r.cfg.LeaveDeleted:
			stuck = append(stuck, f)
		default:
			remove = append(remove, f)
		}
	}
	if err := r.finish(ctx, done, models.FilingDone); err != nil {
		return err
	}
	if err := r.fail(ctx, stuck, errStays, func(f *models.Filing) models.Phrase { return reasonOf(f, errStays) }); err != nil {
		return err
	}
	return r.removeSource(ctx, remove)
}

// removeSource takes away the source copies of letters whose copies in the target folder have been verified.
func (r *moving) removeSource(ctx context.Context, set []*models.Filing) error {
	for _, f := range set {
		f.State, f.NextAttemptAt = models.FilingCopied, nil
	}
	set, err := r.save(ctx, set)
	if err != nil || len(set) == 0 {
		return err
	}
	sel, err := r.s.Select(ctx, set[0].SourceFolder.Name, false)
	switch {
	case refused(err):
		return r.stays(ctx, set, err)
	case err != nil:
		return lost("open source folder", err)
	case sel.UIDValidity != set[0].SourceUIDValidity:
		return r.finish(ctx, set, models.FilingDone)
	case sel.ReadOnly:
		return r.fail(ctx, set, errStays, func(f *models.Filing) models.Phrase { return reasonOf(f, errStays) })
	}
	return r.expunge(ctx, set)
}

// expunge removes exactly these source copies from the selected folder, and makes sure that they have gone: servers may
// say OK and do nothing when the folder is read-only for us. Without UIDPLUS it only marks the copies.
func (r *moving) expunge(ctx context.Context, set []*models.Filing) error {
	uids := sourceUIDs(set)
	before, err := r.details(ctx, uids)
	if err == nil {
		uids = keep(uids, before)
		for _, part := range cutUIDs(uids) {
			if err = r.expungePart(ctx, part); err != nil {
				break
			}
		}
	}
	if refused(err) && len(set) > 1 { // one of them may be what the server does not like
		if err := r.expunge(ctx, set[:len(set)/2]); err != nil {
			return err
		}
		return r.expunge(ctx, set[len(set)/2:])
	}
	if refused(err) {
		return r.stays(ctx, set, err)
	}
	var still map[uint32]Details
	if err == nil && len(uids) > 0 {
		still, err = r.details(ctx, uids)
	}
	if refused(err) {
		return r.stays(ctx, set, err)
	}
	if err != nil {
		return lost("remove source copies", err)
	}
	var done, stuck []*models.Filing
	for _, f := range set {
		if m, there := still[f.SourceUID]; there && (r.s.Caps().UIDPlus || !hasFlag(m.Flags, `\Deleted`)) {
			stuck = append(stuck, f)
		} else {
			done = append(done, f)
		}
	}
	if err := r.finish(ctx, done, models.FilingDone); err != nil {
		return err
	}
	return r.stays(ctx, stuck, errStays)
}

func (r *moving) expungePart(ctx context.Context, uids []uint32) error {
	if err := r.s.MarkDeletedSet(ctx, uids); err != nil || !r.s.Caps().UIDPlus {
		return err
	}
	return r.s.ExpungeSet(ctx, uids)
}

// keep leaves only the UIDs that are there.
func keep(uids []uint32, there map[uint32]Details) []uint32 {
	var kept []uint32
	for _, u := range uids {
		if _, ok := there[u]; ok {
			kept = append(kept, u)
		}
	}
	return kept
}

// stays leaves filings open whose source copies could not be removed. They stay due, unlike after other refusals: as long
// as they wait, a twin could take their copies for its own.
func (r *moving) stays(ctx context.Context, set []*models.Filing, cause error) error {
	var enough, wait []*models.Filing
	for _, f := range set {
		f.Attempts++
		if f.Attempts >= r.cfg.MaxAttempts {
			enough = append(enough, f)
			continue
		}
		f.LastError, f.Reason = cause.Error(), reasonOf(f, cause)
		wait = append(wait, f)
	}
	if _, err := r.save(ctx, wait); err != nil {
		return err
	}
	return r.fail(ctx, enough, cause, func(f *models.Filing) models.Phrase { return reasonOf(f, errStays) })
}
