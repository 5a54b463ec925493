package imapsync

import (
	"context"
	"errors"
	"fmt"

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
	ours    bool     // one of copies was made by our command

	validity uint32 // of the target folder
	like     likeness
}

type presence int

const (
	absent  presence = iota
	present          // under the UIDVALIDITY of the filing
	changed          // the folder has another UIDVALIDITY: cannot be told
)

// answer is what the server said just before letters are looked for. It is zero when the answer is lost.
type answer struct {
	refusal error // NO or BAD
	copied  bool  // OK to COPY
	hold    bool  // a refused letter is tried again in this Run: it is not put off
}

// started finds out what has become of letters whose move was begun in another Run.
func (r *moving) started(ctx context.Context, set []*models.Filing) error {
	r.open = ""
	return r.reconcile(ctx, set, answer{})
}

// reconcile finds out by looking what has become of letters that may have been moved, and brings the journal in line:
// done, gone, back to planned, or a half-done move that is finished here. All of them have the same folders.
func (r *moving) reconcile(ctx context.Context, set []*models.Filing, a answer) error {
	if err := r.prove(ctx); err != nil { // what is still to be looked at is better in the books before
		return err
	}
	if err := r.caughtUp(); err != nil {
		return err
	}
	seen, err := r.look(ctx, set)
	if refused(err) && len(set) > 1 && r.patient(set[0]) { // the set itself may be what the server does not like
		if err := r.reconcile(ctx, set[:len(set)/2], a); err != nil {
			return err
		}
		return r.reconcile(ctx, set[len(set)/2:], a)
	}
	if refused(err) {
		return r.cannotLook(ctx, set, err)
	}
	if err != nil {
		return err
	}
	var done, reborn, gone, here []*models.Filing
	taken := make(map[uint32]bool, len(set))
	for _, f := range set {
		s := seen[f.ID]
		switch copies := s.untaken(taken); {
		case s.source != present && len(copies) > 0:
			f.DestUID = copies[0]
			taken[f.DestUID] = true
			f.DestUIDValidity = s.validity
			done = append(done, f)
		case s.source == changed:
			reborn = append(reborn, f)
		case s.source == absent:
			gone = append(gone, f)
		default:
			here = append(here, f)
		}
	}
	if err := r.finish(ctx, done, models.FilingDone); err != nil {
		return err
	}
	if err := r.cancel(ctx, reborn, "UIDVALIDITY of the source folder has changed"); err != nil {
		return err
	}
	if err := r.finish(ctx, gone, models.FilingGone); err != nil || len(here) == 0 {
		return err
	}
	return r.stillHere(ctx, here, seen, a)
}

// untaken returns the copies in the target folder, those that are marked as deleted last, without those that have just
// been found to be another letter's.
func (s *sight) untaken(taken map[uint32]bool) []uint32 {
	var free []uint32
	for _, list := range [][]uint32{s.copies, s.marked} {
		for _, uid := range list {
			if !taken[uid] {
				free = append(free, uid)
			}
		}
	}
	return free
}

// stillHere goes on with letters whose source copy has been seen.
func (r *moving) stillHere(ctx context.Context, set []*models.Filing, seen map[int64]*sight, a answer) error {
	err := r.ours(ctx, set, seen, a)
	switch {
	case refused(err):
		return r.cannotLook(ctx, set, err)
	case err != nil:
		return err
	}
	var half, unsure, deleted, rest []*models.Filing
	for _, f := range set {
		switch s := seen[f.ID]; {
		case s.ours:
			half = append(half, f)
		case s.unsure:
			f.Attempts++
			f.State = keptOpen(f.State)
			unsure = append(unsure, f)
		case s.deleted:
			deleted = append(deleted, f)
		default:
			rest = append(rest, f)
		}
	}
	if err := r.putOff(ctx, unsure, errUnsure); err != nil {
		return err
	}
	if err := r.cancel(ctx, deleted, "the copy is marked as deleted"); err != nil {
		return err
	}
	if err := r.again(ctx, rest, a); err != nil {
		return err
	}
	return r.halfDone(ctx, half, seen)
}

// cannotLook deals with a server that does not let us look. The filings stay due and the Run ends: were the folders
// looked at for new letters before this is resolved, our own copies would be taken for ones that a person has put there.
func (r *moving) cannotLook(ctx context.Context, set []*models.Filing, cause error) error {
	var planned, wait, enough []*models.Filing
	for _, f := range set {
		f.Attempts++
		switch {
		case f.State == models.FilingPlanned:
			planned = append(planned, f)
		case f.Attempts >= patience*r.cfg.MaxAttempts:
			enough = append(enough, f)
		default:
			f.State, f.NextAttemptAt, f.LastError = keptOpen(f.State), nil, cause.Error()
			wait = append(wait, f)
		}
	}
	if err := r.putOff(ctx, planned, cause); err != nil {
		return err
	}
	if err := r.fail(ctx, enough, cause, func(f *models.Filing) models.Phrase { return reasonOf(f, cause) }); err != nil {
		return err
	}
	wait, err := r.save(ctx, wait)
	if err != nil || len(wait) == 0 {
		return err
	}
	return models.Temporary(fmt.Errorf("look for letters that may have been moved: %w", cause))
}

// keptOpen is the state in which a filing waits that could not be looked at.
func keptOpen(s models.FilingState) models.FilingState {
	if s == models.FilingSent {
		return models.FilingUnknown
	}
	return s
}

// again puts letters that have demonstrably not been moved back to planned: at once when only an answer was lost, later
// when the server refused or nothing came of it.
func (r *moving) again(ctx context.Context, set []*models.Filing, a answer) error {
	var later, now []*models.Filing
	cause := a.refusal
	if cause == nil {
		cause = errNoEffect
	}
	for _, f := range set {
		answered := f.State == models.FilingSent && a.refusal == nil // the server has said OK in this very Run, or we were killed
		started := f.State != models.FilingPlanned
		f.State = models.FilingPlanned
		f.DestUIDValidity, f.DestUIDNext, f.DestUID = 0, 0, 0
		switch {
		case !started:
		case !a.hold && (a.refusal != nil || f.Attempts > 1 || f.Attempts >= r.cfg.MaxAttempts):
			later = append(later, f)
		default:
			f.NextAttemptAt = nil
			if answered || a.refusal != nil {
				f.LastError = cause.Error()
			}
			now = append(now, f)
		}
	}
	if err := r.putOff(ctx, later, cause); err != nil {
		return err
	}
	_, err := r.save(ctx, now)
	return err
}
