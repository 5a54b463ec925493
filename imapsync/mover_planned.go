package imapsync

import (
	"context"
	"errors"
	"math"
	"slices"

	"kontrol/models"
)

// giveUp is how many refused moves in a row show that the target folder takes nothing at all: one more than it takes to
// find one bad letter in a full set by halves.
const giveUp = 12

// planned moves letters of which nothing has been said to the server.
func (r *moving) planned(ctx context.Context, set []*models.Filing) error {
	return r.move(ctx, set, firstTry)
}

// try tells what has been tried in this Run.
type try int

const (
	firstTry  try = iota // a missing target folder is made
	secondTry            // it has been made
	halfTry              // part of a set that was refused as a whole: the attempt has been counted
)

// move moves a set of letters with the same source folder, target folder and UIDVALIDITY.
func (r *moving) move(ctx context.Context, set []*models.Filing, t try) error {
	if f := set[0]; f.SourceFolderID == f.TargetFolderID || f.SourceFolder.Name == f.TargetFolder.Name {
		return r.finish(ctx, set, models.FilingCancelled)
	}
	if caps := r.s.Caps(); !caps.Move && !caps.UIDPlus && !r.cfg.LeaveDeleted {
		return r.fail(ctx, set, errors.New("server has neither MOVE nor UIDPLUS"),
			func(*models.Filing) models.Phrase { return models.Say("sync.cannot_remove") })
	}
	set, sent, err := r.announcedSet(ctx, set)
	if err != nil || len(set) == 0 {
		return err
	}
	ready, before, sent, err := r.sourceReady(ctx, set, t, sent)
	if err != nil || len(ready) == 0 {
		return err
	}
	if !sent {
		if ready, err = r.announceNow(ctx, ready, t); err != nil || len(ready) == 0 {
			return err // nothing has been sent, and nothing will be
		}
	}
	return r.send(ctx, ready, before, t)
}

// lookForMissing looks for the letters that were not in their source folders any more when they were to be moved. That is
// done for many at a time: the whole end of the target folder has to be looked at.
func (r *moving) lookForMissing(ctx context.Context) error {
	missing := r.missing
	r.missing, r.open = nil, ""
	return r.carryOut(ctx, missing, func(ctx context.Context, set []*models.Filing) error { return r.reconcile(ctx, set, answer{}) })
}

// announceNow writes into the journal that letters are going to be sent.
func (r *moving) announceNow(ctx context.Context, set []*models.Filing, t try) ([]*models.Filing, error) {
	target, err := r.target(ctx, set[0].TargetFolderID, set[0].TargetFolder.Name)
	if refused(err) {
		return nil, r.refuse(ctx, set, err, t)
	}
	if err != nil {
		return nil, lost("look at target folder", err)
	}
	r.announce(set, target, t)
	return r.save(ctx, set)
}

// send carries out the move of letters that have just been seen in the source folder and that the journal has as sent.
func (r *moving) send(ctx context.Context, set []*models.Filing, before map[uint32]Details, t try) error {
	if err := r.announceNext(ctx); err != nil {
		return err
	}
	var err error
	var got Copied
	if r.s.Caps().Move {
		got, err = r.s.MoveSet(ctx, sourceUIDs(set), set[0].TargetFolder.Name)
	} else {
		got, err = r.s.CopySet(ctx, sourceUIDs(set), set[0].TargetFolder.Name)
	}
	return r.answered(ctx, set, before, got, err, t)
}

// sourceReady looks which copies can be moved now. Of those that cannot be the journal has been told why, except of the
// missing ones, which will be looked for. It reports whether the journal still has the others as sent.
func (r *moving) sourceReady(ctx context.Context, set []*models.Filing, t try, sent bool) (
	ready []*models.Filing, before map[uint32]Details, still bool, err error,
) {
	if ok, err := r.openSource(ctx, set, t); err != nil || !ok {
		return nil, nil, sent, err
	}
	before, err = r.details(ctx, sourceUIDs(set))
	if err != nil {
		return nil, nil, sent, r.sourceUnseen(ctx, set, t, sent, err)
	}
	ready, missing, deleted, starred := r.sortOut(set, before)
	if sent && len(ready)+len(deleted) < len(set) {
		// Nothing is announced while people's wishes are told, which may change what is to be moved; and what is missing is
		// looked for by what was known before.
		if _, err := r.takeBack(ctx, set); err != nil {
			return nil, nil, false, err
		}
		closed := func(f *models.Filing) bool { return !f.State.Open() }
		ready, missing, deleted = slices.DeleteFunc(ready, closed), slices.DeleteFunc(missing, closed), slices.DeleteFunc(deleted, closed)
		sent = false
	}
	r.missing = append(r.missing, missing...)
	if err := r.cancel(ctx, deleted, "the copy is marked as deleted"); err != nil {
		return nil, nil, sent, err
	}
	if len(starred) > 0 {
		r.told = true
		if err := r.tell(ctx, Change{Folder: *set[0].SourceFolder, Flags: starred}); err != nil {
			return nil, nil, sent, err
		}
	}
	return ready, before, sent, nil
}

// sourceUnseen deals with a server that did not let us look at the copies in the source folder.
func (r *moving) sourceUnseen(ctx context.Context, set []*models.Filing, t try, sent bool, err error) error {
	if sent {
		set = r.takeBackAnyway(ctx, set)
	}
	switch {
	case !refused(err):
		return lost("look at source copies", err)
	case len(set) == 0: // others were faster
		return nil
	case len(set) > 1 && r.patient(set[0]): // the set itself may be what the server does not like
		return r.halves(ctx, set, t)
	}
	r.open = ""
	return r.refuse(ctx, set, err, t)
}

// sortOut sorts letters by what has become of their copies in the source folder. starred are those whose star is not as
// the store knows it, when somebody is to be told.
func (r *moving) sortOut(set []*models.Filing, before map[uint32]Details) (ready, missing, deleted []*models.Filing, starred map[uint32][]string) {
	starred = make(map[uint32][]string)
	for _, f := range set {
		switch m, there := before[f.SourceUID]; {
		case !there:
			missing = append(missing, f)
		case hasFlag(m.Flags, `\Deleted`):
			deleted = append(deleted, f)
		case r.tell != nil && f.Location != nil && f.Location.Flagged() != hasFlag(m.Flags, `\Flagged`):
			starred[f.SourceUID] = m.Flags
		default:
			ready = append(ready, f)
		}
	}
	return ready, missing, deleted, starred
}

// openSource selects the source folder, unless it is selected. When it is of no use the journal has been told why.
func (r *moving) openSource(ctx context.Context, set []*models.Filing, t try) (bool, error) {
	name := set[0].SourceFolder.Name
	if r.open == name {
		return true, nil
	}
	r.open = ""
	sel, err := r.s.Select(ctx, name, false)
	switch {
	case refused(err):
		return false, r.refuse(ctx, set, err, t)
	case err != nil:
		return false, lost("open source folder", err)
	case sel.UIDValidity != set[0].SourceUIDValidity:
		return false, r.cancel(ctx, set, "UIDVALIDITY of the source folder has changed")
	case sel.ReadOnly:
		return false, r.fail(ctx, set, errors.New("source folder is read-only"),
			func(*models.Filing) models.Phrase { return models.Say("sync.read_only", "Folder", name) })
	}
	r.open = name
	return true, nil
}

// details looks at copies in the selected folder, by UID.
func (r *moving) details(ctx context.Context, uids []uint32) (map[uint32]Details, error) {
	byUID := make(map[uint32]Details, len(uids))
	for _, part := range cutUIDs(uids) {
		list, err := r.s.Details(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			byUID[m.UID] = m
		}
	}
	return byUID, nil
}

// target tells the UIDVALIDITY of the target folder and a UID below which no copy made from now on will be. It makes a
// missing folder. The server is asked only the first time: later the copies that it has named tell the same.
func (r *moving) target(ctx context.Context, id int64, name string) (Selected, error) {
	if st, known := r.targets[id]; known {
		return st, nil
	}
	st, err := r.s.Status(ctx, name)
	if refused(err) {
		if err := r.s.Create(ctx, name); err != nil {
			return Selected{}, err
		}
		st, err = r.s.Status(ctx, name)
	}
	if err == nil {
		r.targets[id] = st
	}
	return st, err
}

// learnNext keeps for the next set what the answer to this one tells about the target folder.
func (r *moving) learnNext(set []*models.Filing, got Copied) {
	id, next := set[0].TargetFolderID, set[0].DestUIDNext
	delete(r.targets, id)
	if len(got.To) != len(set) || got.UIDValidity != set[0].DestUIDValidity {
		return
	}
	for _, uid := range got.To {
		if uid == math.MaxUint32 {
			return
		}
		next = max(next, uid+1)
	}
	r.targets[id] = Selected{UIDValidity: got.UIDValidity, UIDNext: next}
}

// answered goes on after the answer to MOVE or COPY, or its absence. A NO is not taken as proof that nothing was done:
// servers that carry out MOVE in steps say NO half-way. So everything except a MOVE with COPYUID is looked at.
func (r *moving) answered(ctx context.Context, set []*models.Filing, before map[uint32]Details, got Copied, err error, t try) error {
	r.learnNext(set, got)
	if err != nil && !refused(err) {
		for _, f := range set {
			f.State, f.LastError = models.FilingUnknown, err.Error()
		}
		r.saveAnyway(ctx, set)
		return lost("move letters", err)
	}
	if missingFolder(err) && t == firstTry {
		return r.createAndRetry(ctx, set, err)
	}
	rest := set
	if err == nil && r.s.Caps().Move {
		delete(r.refusals, set[0].TargetFolderID)
		var verr error
		if rest, verr = r.moved(ctx, answeredSet{set, before, got}, t); verr != nil || len(rest) == 0 {
			return verr
		}
	} else if err == nil {
		for _, f := range set {
			if got.UIDValidity == f.DestUIDValidity {
				f.DestUID = got.To[f.SourceUID]
			}
		}
	}
	r.open = ""
	split := err != nil && len(set) > 1
	patient := err == nil || r.patient(set[0])
	rerr := r.reconcile(ctx, rest, answer{refusal: err, copied: err == nil && !r.s.Caps().Move, hold: split})
	if rerr != nil || !split {
		return rerr
	}
	back := slices.DeleteFunc(slices.Clone(set), func(f *models.Filing) bool {
		return f.State != models.FilingPlanned || f.NextAttemptAt != nil
	})
	if len(back) == 0 {
		return nil
	}
	if hopeless(err) || !patient {
		return r.putOff(ctx, back, err)
	}
	return r.halves(ctx, back, halfTry)
}

// patient counts a refusal and reports whether it is worth the while to go on with smaller sets.
func (r *moving) patient(f *models.Filing) bool {
	r.refusals[f.TargetFolderID]++
	return r.refusals[f.TargetFolderID] <= giveUp
}

// hopeless reports whether a refusal concerns the folder and not one of the letters.
func hopeless(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Code {
	case "OVERQUOTA", "NOPERM", "LIMIT", "UNAVAILABLE", "INUSE", "TRYCREATE", "NONEXISTENT":
		return true
	}
	return false
}

// halves moves a set in two parts, so that one bad letter does not hold up the others.
func (r *moving) halves(ctx context.Context, set []*models.Filing, t try) error {
	if len(set) == 1 {
		return r.move(ctx, set, t)
	}
	for _, half := range [][]*models.Filing{set[:len(set)/2], set[len(set)/2:]} {
		if err := r.ended(); err != nil {
			return err
		}
		carryOut := func(ctx context.Context, set []*models.Filing) error { return r.move(ctx, set, t) }
		if err := r.batch(ctx, half, carryOut); err != nil {
			return err
		}
	}
	return nil
}

// createAndRetry makes the target folder that the server says is missing, and starts again.
func (r *moving) createAndRetry(ctx context.Context, set []*models.Filing, cause error) error {
	for _, f := range set {
		f.State, f.LastError = models.FilingPlanned, cause.Error()
		f.DestUIDValidity, f.DestUIDNext, f.DestUID = 0, 0, 0
	}
	set, err := r.save(ctx, set)
	if err != nil || len(set) == 0 {
		return err
	}
	if err := r.s.Create(ctx, set[0].TargetFolder.Name); refused(err) {
		return r.putOff(ctx, set, err)
	} else if err != nil {
		return lost("make target folder", err)
	}
	return r.move(ctx, set, secondTry)
}
