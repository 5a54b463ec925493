package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kontrol/models"
)

// While the server carries out one move, the journal is written for the moves before and after it: what is proved to be
// done, and that the next set is about to be sent. The order that crashes depend on stays: a set is announced before its
// command leaves, and finished after its answer; and nothing waits to be written when letters are looked for.

const (
	aheadFrom  = 100 // letters from which that is worth the while
	behindMost = 4   // sets that are proved and wait to be written

	finishAtOnce = 500 // letters that are finished with one transaction
)

// announcement is a set that is being written into the journal as sent, of which nothing has been said to the server yet.
type announcement struct {
	set  []*models.Filing
	done chan error
	// closed are those that the journal no longer has as open, once done has been received.
	closed []int64
}

// background runs a write into the journal; the outcome is in the channel when it has ended.
func background(write func() error) chan error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = &panicError{p}
			}
			done <- err
		}()
		err = write()
	}()
	return done
}

// finishMoved finishes letters that have been proved to be moved, many of them while the next move is under way.
func (r *moving) finishMoved(ctx context.Context, list []*models.Filing) error {
	if len(list) < aheadFrom {
		return r.finish(ctx, list, models.FilingDone)
	}
	if len(r.finishing) == behindMost {
		if err := r.caughtUp(); err != nil {
			return err
		}
	}
	r.final(list, models.FilingDone)
	var before chan error
	if n := len(r.finishing); n > 0 {
		before = r.finishing[n-1]
	}
	r.finishing = append(r.finishing, background(func() error {
		if before != nil {
			if err := <-before; err != nil {
				return err
			}
		}
		return r.bookParts(ctx, list)
	}))
	return nil
}

// bookParts finishes letters some at a time: an announcement, for which the next move waits, gets its turn in between.
func (r *moving) bookParts(ctx context.Context, list []*models.Filing) error {
	for part := range slices.Chunk(list, finishAtOnce) {
		closed, err := r.book(ctx, part)
		if err != nil {
			return err
		}
		if len(closed) > 0 {
			r.logger.Info("moved filings were closed by another decision", "filing", closed[0], "count", len(closed))
		}
	}
	return nil
}

// caughtUp waits until all that is proved is in the journal.
func (r *moving) caughtUp() error {
	n := len(r.finishing)
	if n == 0 {
		return nil
	}
	err := <-r.finishing[n-1] // which has waited for those before it
	r.finishing = nil
	return err
}

// failedBehind returns why what is proved could not be written, if that is known by now: nothing is moved after that.
func (r *moving) failedBehind() error {
	if len(r.finishing) == 0 {
		return nil
	}
	select {
	case err := <-r.finishing[len(r.finishing)-1]:
		r.finishing = nil
		return err
	default:
		return nil
	}
}

// announceNext begins to write into the journal that the next set is going to be sent, while the set before it is.
func (r *moving) announceNext(ctx context.Context) error {
	set := r.next.set
	r.next.set = nil
	if len(set) < aheadFrom || r.ahead != nil || !r.s.Caps().Move || r.open != set[0].SourceFolder.Name ||
		set[0].SourceUIDValidity != r.next.validity || r.blocked[set[0].TargetFolderID] || set[0].SourceFolderID == set[0].TargetFolderID {
		return nil
	}
	target, err := r.target(ctx, set[0].TargetFolderID, set[0].TargetFolder.Name)
	switch {
	case refused(err):
		return nil // its own turn finds out what is the matter
	case err != nil:
		return lost("look at target folder", err)
	}
	r.announce(set, target, firstTry)
	a := &announcement{set: set}
	a.done = background(func() (err error) {
		a.closed, err = r.journal.SaveFilings(ctx, a.set)
		return err
	})
	r.ahead = a
	return nil
}

// announce notes what the journal has to know of letters before the command leaves.
func (r *moving) announce(set []*models.Filing, target Selected, t try) {
	now := r.now()
	for _, f := range set {
		f.State, f.SentAt, f.NextAttemptAt = models.FilingSent, &now, nil
		f.DestUIDValidity, f.DestUIDNext, f.DestUID = target.UIDValidity, target.UIDNext, 0
		if t != halfTry {
			f.Attempts++
		}
	}
}

// announcedSet returns those letters of a set that are still to be moved, and whether the journal has them as sent. When
// much has changed since it was written, they are planned again first.
func (r *moving) announcedSet(ctx context.Context, set []*models.Filing) ([]*models.Filing, bool, error) {
	if r.ahead == nil || r.ahead.set[0] != set[0] || len(r.ahead.set) != len(set) {
		return set, false, nil
	}
	set, err := r.awaitAnnounced()
	if err != nil || len(set) == 0 {
		return nil, true, err
	}
	target, known := r.targets[set[0].TargetFolderID]
	if known && target.UIDValidity == set[0].DestUIDValidity && r.open == set[0].SourceFolder.Name {
		return set, true, nil
	}
	set, err = r.takeBack(ctx, set)
	return set, false, err
}

// awaitAnnounced returns the announced letters that the journal still has as open.
func (r *moving) awaitAnnounced() ([]*models.Filing, error) {
	a := r.ahead
	r.ahead = nil
	if err := <-a.done; err != nil {
		return nil, fmt.Errorf("save filings: %w", err)
	}
	return r.without(a.set, a.closed), nil
}

// takeBack writes into the journal that nothing was said to the server about announced letters. It returns those that are
// still to be moved.
func (r *moving) takeBack(ctx context.Context, list []*models.Filing) ([]*models.Filing, error) {
	for _, f := range list {
		f.State, f.SentAt = models.FilingPlanned, nil
		f.DestUIDValidity, f.DestUIDNext, f.DestUID = 0, 0, 0
		f.Attempts--
	}
	return r.save(ctx, list)
}

// takeBackAhead takes back what was announced and is not going to be sent. Where that fails the letters are looked for in
// the next Run, as after a crash.
func (r *moving) takeBackAhead(ctx context.Context) error {
	if r.ahead == nil {
		return nil
	}
	set, err := r.awaitAnnounced()
	if err != nil || len(set) == 0 {
		return err
	}
	r.takeBackAnyway(ctx, set)
	return nil
}

// takeBackAnyway is takeBack even when the context has ended.
func (r *moving) takeBackAnyway(ctx context.Context, set []*models.Filing) []*models.Filing {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Grace)
	defer cancel()
	rest, err := r.takeBack(ctx, set)
	if err != nil {
		r.logger.Warn("announced moves not taken back", "filing", set[0].ID, "count", len(set), "error", err)
	}
	return rest
}

// atRest ends what is being written.
func (r *moving) atRest(ctx context.Context) error {
	return errors.Join(r.takeBackAhead(ctx), r.caughtUp())
}

// upcoming is the set that comes after the one being carried out.
type upcoming struct {
	set      []*models.Filing
	validity uint32 // of the source folder of the set being carried out
}

// foresee notes what comes after a set.
func (r *moving) foresee(set []*models.Filing, sets [][]*models.Filing) {
	r.next = upcoming{validity: set[0].SourceUIDValidity}
	if len(sets) > 0 && len(set) >= aheadFrom {
		r.next.set = sets[0]
	}
}

// pageAhead is a page of the journal that is read while the one before it is carried out.
type pageAhead struct {
	list []models.Filing
	done chan error
}

// readAhead begins to read the page after this one, if there is one.
func (r *moving) readAhead(ctx context.Context, list []models.Filing, read func(context.Context, int64) ([]models.Filing, error)) *pageAhead {
	if len(list) < page {
		return nil
	}
	p, after := &pageAhead{}, list[len(list)-1].ID
	p.done = background(func() (err error) {
		p.list, err = read(ctx, after)
		return err
	})
	return p
}

// wait returns the page; none when there is no more.
func (p *pageAhead) wait() ([]models.Filing, error) {
	if p == nil {
		return nil, nil
	}
	err := <-p.done
	return slices.Clip(p.list), err
}
