package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kontrol/models"
)

var (
	errUnsure   = errors.New("a letter in the target folder cannot be read, so the copy cannot be told from it")
	errStays    = errors.New("the copy in the source folder cannot be removed")
	errNoEffect = errors.New("server said OK and did nothing")
)

// sight is what was seen of one letter in its source and target folders.
type sight struct {
	source  presence
	deleted bool     // the source copy has \Deleted
	copies  []uint32 // in the target folder, ascending: copies of this letter which nobody knows yet
	marked  []uint32 // such copies which somebody has marked \Deleted there
	same    []uint32 // those of copies that also have the INTERNALDATE of the source, where both are known
	certain bool     // the server itself has named the first of copies with COPYUID, and it is that letter
	unsure  bool     // a letter in the target folder cannot be read
}

type presence int

const (
	absent  presence = iota
	present          // under the UIDVALIDITY of the filing
	reborn           // the folder has another UIDVALIDITY: cannot be told
)

// answer is what the server said just before a letter is looked for. It is zero when the answer is lost.
type answer struct {
	refusal error // NO or BAD
	copied  bool  // OK to COPY
}

// reconcile finds out by looking what has become of a letter that may have been moved, and brings the journal in line:
// done, gone, back to planned, or a half-done move that is finished here.
func (r *moving) reconcile(ctx context.Context, f *models.Filing, a answer) error {
	seen, err := r.look(ctx, f)
	if refused(err) {
		return r.cannotLook(ctx, f, err)
	}
	if err != nil {
		return err
	}
	here := append(slices.Clone(seen.copies), seen.marked...)
	switch {
	case seen.source != present && len(here) > 0:
		f.DestUID = here[0]
		return r.finish(ctx, f, models.FilingDone)
	case seen.source == reborn:
		f.LastError = "UIDVALIDITY of the source folder has changed"
		return r.finish(ctx, f, models.FilingCancelled)
	case seen.source == absent:
		return r.finish(ctx, f, models.FilingGone)
	}
	ours, err := r.ours(ctx, f, &seen, a)
	switch {
	case refused(err):
		return r.cannotLook(ctx, f, err)
	case err != nil:
		return err
	case ours:
		return r.halfDone(ctx, f, seen)
	case seen.unsure:
		f.Attempts++
		return r.putOff(ctx, f, keptOpen(f.State), errUnsure)
	case seen.deleted:
		f.LastError = "the copy is marked as deleted"
		return r.finish(ctx, f, models.FilingCancelled)
	}
	return r.again(ctx, f, a.refusal)
}

// ours reports whether one of the copies seen in the target folder, while the source is still there, was made by our
// command, and leaves only such copies in seen. Without the server's word for it a copy may as well be a twin of the
// letter that a person has just moved there. So copies with another INTERNALDATE are left out (COPY keeps it, RFC 9051
// section 6.4.7; two deliveries of the same letter rarely share it), and as many more as twins have left the source
// folder by now.
func (r *moving) ours(ctx context.Context, f *models.Filing, seen *sight, a answer) (bool, error) {
	if seen.certain {
		return true, nil
	}
	if !a.copied {
		seen.copies = seen.same
	}
	if len(seen.copies) == 0 {
		return false, nil
	}
	sel, err := r.s.Select(ctx, f.SourceFolder.Name, true)
	if err != nil {
		return false, orLost("open source folder", err)
	}
	if sel.UIDValidity != f.SourceUIDValidity {
		return false, nil
	}
	n, err := r.vanishedTwins(ctx, f)
	return len(seen.copies) > n, err
}

// cannotLook deals with a server that does not let us look. The filing stays due and the Run ends: were the folders
// looked at for new letters before this is resolved, our own copy would be taken for one that a person has put there.
func (r *moving) cannotLook(ctx context.Context, f *models.Filing, cause error) error {
	if f.State == models.FilingPlanned {
		f.Attempts++
		return r.putOff(ctx, f, models.FilingPlanned, cause)
	}
	f.Attempts++
	if f.Attempts >= patience*r.cfg.MaxAttempts {
		return r.fail(ctx, f, cause, reasonOf(f, cause))
	}
	f.State, f.NextAttemptAt, f.LastError = keptOpen(f.State), nil, cause.Error()
	if err := r.save(ctx, f); err != nil {
		return err
	}
	return models.Temporary(fmt.Errorf("look for a letter that may have been moved: %w", cause))
}

// keptOpen is the state in which a filing waits that could not be looked at.
func keptOpen(s models.FilingState) models.FilingState {
	if s == models.FilingSent {
		return models.FilingUnknown
	}
	return s
}

// halfDone deals with a letter that is in both folders. In state planned nothing was asked for by us, so the copy is a
// person's.
func (r *moving) halfDone(ctx context.Context, f *models.Filing, seen sight) error {
	f.DestUID = seen.copies[0]
	switch {
	case f.State == models.FilingPlanned:
		return nil // the source came back while we were looking; the next Run sees it afresh
	case seen.deleted && f.State != models.FilingCopied:
		// A person's program is moving it by COPY and \Deleted. Its mark is left alone.
		return r.finish(ctx, f, models.FilingDone)
	case !r.s.Caps().UIDPlus && !r.cfg.LeaveDeleted:
		return r.fail(ctx, f, errStays, reasonOf(f, errStays))
	}
	return r.removeSource(ctx, f)
}

// again puts a letter that has demonstrably not been moved back to planned: at once when only an answer was lost,
// later when the server refused or nothing came of it.
func (r *moving) again(ctx context.Context, f *models.Filing, cause error) error {
	answered := f.State == models.FilingSent && cause == nil // the server has said OK in this very Run, or we were killed
	f.DestUIDValidity, f.DestUIDNext, f.DestUID = 0, 0, 0
	switch {
	case f.State == models.FilingPlanned:
		return nil
	case cause != nil:
		return r.putOff(ctx, f, models.FilingPlanned, cause)
	case f.Attempts > 1 || f.Attempts >= r.cfg.MaxAttempts:
		return r.putOff(ctx, f, models.FilingPlanned, errNoEffect)
	case answered:
		f.LastError = errNoEffect.Error()
	}
	f.State, f.NextAttemptAt = models.FilingPlanned, nil
	return r.save(ctx, f)
}

// removeSource takes away the source copy of a letter whose copy in the target folder has been verified.
func (r *moving) removeSource(ctx context.Context, f *models.Filing) error {
	f.State, f.NextAttemptAt = models.FilingCopied, nil
	if err := r.save(ctx, f); err != nil {
		return err
	}
	sel, err := r.s.Select(ctx, f.SourceFolder.Name, false)
	if err == nil && sel.UIDValidity != f.SourceUIDValidity {
		return r.finish(ctx, f, models.FilingDone)
	}
	if err == nil && sel.ReadOnly {
		return r.fail(ctx, f, errStays, reasonOf(f, errStays))
	}
	there := false
	if err == nil {
		there, _, err = r.copyAt(ctx, f.SourceUID)
	}
	if err == nil && there {
		err = r.expunge(ctx, f)
	}
	if err == nil {
		return r.finish(ctx, f, models.FilingDone)
	}
	if !refused(err) && !errors.Is(err, errStays) {
		return lost("remove source copy", err)
	}
	// It stays due, unlike other refusals: as long as it waits, a twin could take its copy for its own.
	f.Attempts++
	if f.Attempts >= r.cfg.MaxAttempts {
		return r.fail(ctx, f, err, reasonOf(f, errStays))
	}
	f.LastError, f.Reason = err.Error(), reasonOf(f, err)
	return r.save(ctx, f)
}

// expunge removes the one source copy, and makes sure that it has gone: servers may say OK and do nothing when the
// folder is read-only for us. Without UIDPLUS it only marks the copy.
func (r *moving) expunge(ctx context.Context, f *models.Filing) error {
	if err := r.s.MarkDeleted(ctx, f.SourceUID); err != nil {
		return err
	}
	if r.s.Caps().UIDPlus {
		if err := r.s.Expunge(ctx, f.SourceUID); err != nil {
			return err
		}
	}
	still, flags, err := r.copyAt(ctx, f.SourceUID)
	if err == nil && still && (r.s.Caps().UIDPlus || !hasFlag(flags, `\Deleted`)) {
		return errStays
	}
	return err
}

// look looks at the source first and at the target second: a letter that a person moves in between is then seen in
// both, never in neither; and nothing is removed without looking at the source again.
func (r *moving) look(ctx context.Context, f *models.Filing) (sight, error) {
	r.open = ""
	var seen sight
	like := likeness{hashes: []string{f.HeaderHash}, size: f.Size}
	if err := r.lookSource(ctx, f, &seen, &like); err != nil {
		return seen, err
	}
	return seen, r.lookTarget(ctx, f, &seen, like)
}

func (r *moving) lookSource(ctx context.Context, f *models.Filing, seen *sight, like *likeness) error {
	sel, err := r.s.Select(ctx, f.SourceFolder.Name, true)
	switch {
	case refused(err):
		return r.unlessMissing(ctx, f.SourceFolder.Name, err)
	case err != nil:
		return lost("open source folder", err)
	case sel.UIDValidity != f.SourceUIDValidity:
		seen.source = reborn
		return nil
	}
	there, flags, err := r.copyAt(ctx, f.SourceUID)
	if err != nil || !there {
		return orLost("look at source copy", err)
	}
	seen.source, seen.deleted = present, hasFlag(flags, `\Deleted`)
	answer, err := r.s.Fetch(ctx, []uint32{f.SourceUID}, 0)
	if err != nil {
		return orLost("read source copy", err)
	}
	for _, l := range answer.Letters {
		// Some servers make up headers anew on each request; what the copy looks like today counts as well.
		like.hashes, like.size, like.date = append(like.hashes, HeaderHash(l.Header)), l.Size, l.InternalDate
	}
	return nil
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

// vanishedTwins counts the other copies of the same letter which the store knows in the source folder and which are
// no longer there: a person has moved or deleted them, and nobody has noticed yet.
func (r *moving) vanishedTwins(ctx context.Context, f *models.Filing) (int, error) {
	live, err := r.journal.LiveCopies(ctx, f.SourceFolderID, f.SourceUIDValidity)
	if err != nil {
		return 0, fmt.Errorf("read known copies: %w", err)
	}
	n := 0
	for _, l := range live {
		if l.LetterID != f.LetterID || l.UID == f.SourceUID {
			continue
		}
		there, _, err := r.copyAt(ctx, l.UID)
		if err != nil {
			return 0, orLost("look at twin", err)
		}
		if !there {
			n++
		}
	}
	return n, nil
}

// lookTarget finds the copies of the letter in the target folder that we may have made.
func (r *moving) lookTarget(ctx context.Context, f *models.Filing, seen *sight, like likeness) error {
	sel, err := r.s.Select(ctx, f.TargetFolder.Name, true)
	if refused(err) {
		return r.unlessMissing(ctx, f.TargetFolder.Name, err)
	}
	if err != nil {
		return lost("open target folder", err)
	}
	uids, flags, err := r.candidates(ctx, f, sel)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(uids, fetchBatch) {
		answer, err := r.s.Fetch(ctx, batch, 0)
		if err != nil {
			return orLost("read copies in target folder", err)
		}
		seen.unsure = seen.unsure || len(answer.Bad) > 0
		for _, l := range answer.Letters {
			if !like.is(l) {
				continue
			}
			if hasFlag(flags[l.UID], `\Deleted`) || hasFlag(l.Flags, `\Deleted`) {
				seen.marked = append(seen.marked, l.UID)
				continue
			}
			if f.DestUID != 0 && l.UID == f.DestUID && sel.UIDValidity == f.DestUIDValidity {
				seen.certain, seen.copies = true, slices.Insert(seen.copies, 0, l.UID)
				continue
			}
			seen.copies = append(seen.copies, l.UID)
			if like.date.IsZero() || l.InternalDate.IsZero() || like.date.Equal(l.InternalDate) {
				seen.same = append(seen.same, l.UID)
			}
		}
	}
	if len(seen.copies)+len(seen.marked) > 0 {
		f.DestUIDValidity = sel.UIDValidity
	}
	return nil
}

// candidates lists the UIDs in the selected target folder that may be our copy: made after the command went out and
// not known to the store. When the folder has got another UIDVALIDITY since, the newest ones are looked at.
func (r *moving) candidates(ctx context.Context, f *models.Filing, sel Selected) ([]uint32, map[uint32][]string, error) {
	first, newest := f.DestUIDNext, false
	switch {
	case f.State == models.FilingPlanned && sel.UIDValidity == f.TargetFolder.UIDValidity:
		first = f.TargetFolder.LastUID + 1
	case f.State == models.FilingPlanned || sel.UIDValidity != f.DestUIDValidity || first == 0:
		first, newest = 1, true
	}
	metas, err := r.s.UIDs(ctx, first, 0)
	if err != nil {
		return nil, nil, orLost("list target folder", err)
	}
	live, err := r.journal.LiveCopies(ctx, f.TargetFolderID, sel.UIDValidity)
	if err != nil {
		return nil, nil, fmt.Errorf("read known copies: %w", err)
	}
	known := make(map[uint32]bool, len(live))
	uids, flags := make([]uint32, 0, len(metas)), make(map[uint32][]string, len(metas))
	for _, l := range live {
		known[l.UID] = true
	}
	if f.State == models.FilingCopied && sel.UIDValidity == f.DestUIDValidity {
		known[f.DestUID] = false // ours beyond doubt, even when it has been taken in meanwhile
	}
	for _, m := range metas {
		if !known[m.UID] {
			uids, flags[m.UID] = append(uids, m.UID), m.Flags
		}
	}
	if n := len(uids) - r.cfg.FindLimit; n > 0 && newest {
		uids = uids[n:]
	} else if n > 0 {
		uids = uids[:r.cfg.FindLimit]
	}
	return uids, flags, nil
}

// likeness is by what a copy of a letter is known.
type likeness struct {
	hashes []string
	size   int64     // 0: not known
	date   time.Time // INTERNALDATE of the source; zero: not known
}

func (k likeness) is(l Fetched) bool {
	return (k.size == 0 || l.Size == k.size) && slices.Contains(k.hashes, HeaderHash(l.Header))
}

// orLost leaves a refusal as it is and marks everything else as a lost session. Nil stays nil.
func orLost(what string, err error) error {
	if err == nil || refused(err) {
		return err
	}
	return lost(what, err)
}
