package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kontrol/models"
)

// worker is the life of the working connection. Its methods run in one goroutine.
type worker struct {
	*Syncer
	s       Session
	ctx     context.Context // ends when Run is to end; commands run under a context that ends a little later
	folders []*folder       // in the order in which they are looked at
	pollAt  time.Time       // when the folders that nobody idles on are asked next
	stored  bool            // this round has told the intake something, so that there may be moves to carry out
	fails   int             // rounds in a row that the store has failed
	pace    pace            // how letters are asked for
}

// run works until the connection breaks or ctx ends.
func (w *worker) run() error {
	work, stop := graceful(w.ctx, w.cfg.Timing.Grace)
	defer stop()
	defer context.AfterFunc(w.ctx, w.signals.poke)()
	w.trouble = models.Phrase{}
	if err := w.bindFolders(work); err != nil {
		return err
	}
	stopWatching := func() {}
	defer func() { stopWatching() }()
	watched := false
	for w.ctx.Err() == nil {
		complete, pause, err := w.turn(work)
		if err != nil {
			return err
		}
		if complete && !watched {
			watched, stopWatching = true, w.startWatching(w.ctx)
		}
		if w.ctx.Err() != nil {
			return nil
		}
		if err := w.wait(work, pause); err != nil {
			return err
		}
	}
	return nil
}

// turn does one round. It tells whether the round was complete, and how long to hold off the next because the store
// is in trouble.
func (w *worker) turn(ctx context.Context) (complete bool, pause time.Duration, err error) {
	err = w.round(ctx)
	var gone *folderGone
	switch {
	case err == nil:
		w.fails, w.dialFails = 0, 0
		w.well(ctx)
		return true, 0, nil
	case w.ctx.Err() != nil || w.s.Dead():
		return false, 0, err
	case errors.As(err, &gone):
		return false, 0, w.refind(ctx, gone)
	case isStoreError(err):
		w.fails++
		w.logger.Error("round not stored", "error", err, "in_a_row", w.fails)
		w.health(ctx, models.MailboxHealth{
			State: models.MailboxActive, Connected: true, Reason: models.Say("sync.store", "Address", w.cfg.Address),
		})
		return false, backoff(w.fails, w.cfg.Timing.FirstRetry, w.cfg.Timing.StatusEvery, w.cfg.Rand), nil
	}
	return false, 0, err
}

// refind looks for the folders again after one has gone, which makes Kontrol's own anew. A folder that goes again and
// again is left alone: a person does not want it, or the server cannot open it.
func (w *worker) refind(ctx context.Context, gone *folderGone) error {
	role := gone.d.f.Role
	if role == models.FolderInbox {
		return models.Temporary(gone)
	}
	now := w.cfg.Now()
	times := slices.DeleteFunc(w.recreated[role], func(t time.Time) bool { return now.Sub(t) > 24*time.Hour })
	w.recreated[role] = append(times, now)
	if len(w.recreated[role]) > recreations {
		w.logger.Error("folder keeps disappearing, left alone", "role", role, "error", gone)
		gone.d.lost = true
		w.trouble = models.Say("sync.folder_lost", "Folder", gone.d.f.Name, "Address", w.cfg.Address)
		return nil
	}
	w.logger.Warn("folder has gone, looking for it again", "role", role, "error", gone)
	err := w.bindFolders(ctx)
	if isStoreError(err) && !w.s.Dead() {
		return nil // the next round meets the same folder again
	}
	return err
}

// round carries out moves, looks at every folder that may have changed, stores what has become of known copies, and
// carries out the moves that come of it.
func (w *worker) round(ctx context.Context) error {
	w.due()
	w.stored = false
	if err := w.move(ctx); err != nil {
		return err
	}
	changes := make(map[*folder]*Change)
	if err := w.lookAll(ctx, changes); err != nil {
		return err
	}
	for _, d := range w.folders {
		if c := changes[d]; c != nil {
			if err := w.settle(ctx, d, c); err != nil {
				return err
			}
		}
	}
	if !w.stored {
		return nil
	}
	return w.move(ctx)
}

// lookAll looks at the folders that may have changed. When copies have vanished from one, the folders that were not
// looked at after that are looked at too, before anything is reported as gone: a letter that a person has moved is
// then always seen at its new place first.
func (w *worker) lookAll(ctx context.Context, changes map[*folder]*Change) error {
	fresh, vanished := make(map[*folder]bool), false
	for pass := 1; pass <= 2; pass++ {
		for _, d := range w.folders {
			if d.lost || (pass == 1 && !d.dirty) || (pass == 2 && (!vanished || fresh[d])) {
				continue
			}
			if err := w.ctx.Err(); err != nil {
				return err
			}
			c, err := w.look(ctx, d, false)
			if err != nil {
				return err
			}
			if c != nil {
				changes[d] = c
			}
			if c != nil && len(c.Gone) > 0 && pass == 1 {
				vanished = true
				fresh = make(map[*folder]bool) // what was looked at before may have got the letter since
			}
			fresh[d] = true
		}
	}
	return nil
}

// settle stores what has become of known copies, and that the folder has been compared completely.
func (w *worker) settle(ctx context.Context, d *folder, c *Change) error {
	c.Folder = d.f
	if len(c.Gone) > 0 || len(c.Flags) > 0 {
		w.stored = true
		if err := w.cfg.Intake.Changed(ctx, *c); err != nil {
			d.dirty, d.full = true, true
			return storing("store changes", err)
		}
	}
	if d.full { // vanished copies were not believed: the comparison is not complete
		return nil
	}
	now := w.cfg.Now()
	d.f.SyncedAt = &now
	if d.seen.ModSeq > 0 {
		d.f.ModSeq = d.seen.ModSeq
	}
	return storing("save folder", w.cfg.Folders.SaveFolder(ctx, &d.f))
}

// move carries out what the journal holds.
func (w *worker) move(ctx context.Context) error {
	err := w.cfg.Mover.RunTelling(ctx, w.s, w.cfg.MailboxID, w.cfg.Intake.Changed)
	if err == nil || w.s.Dead() || w.ctx.Err() != nil {
		return err
	}
	return &storeError{err}
}

// due marks the folders whose next complete comparison has come.
func (w *worker) due() {
	now := w.cfg.Now()
	for _, d := range w.folders {
		if !d.fullAt.IsZero() && now.Sub(d.fullAt) >= w.fullEvery(d) {
			d.dirty, d.full = true, true
		}
	}
}

func (w *worker) fullEvery(d *folder) time.Duration {
	if d.f.Role == models.FolderInbox || d.f.Role == models.FolderSent {
		return w.cfg.Timing.FullSoon
	}
	return w.cfg.Timing.FullLate
}

// wait idles until something happens. With pause it waits that long at most and leaves the rest for the next round.
func (w *worker) wait(ctx context.Context, pause time.Duration) error {
	w.heed(w.signals.take())
	if w.ctx.Err() != nil || (pause == 0 && w.anyDirty()) {
		return nil
	}
	d, limit := w.bench()
	if d == nil {
		return errors.New("no folder to idle on")
	}
	sel, err := w.s.Select(ctx, d.f.Name, true)
	if refused(err) {
		d.dirty = true // the look finds out what is the matter
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s to idle: %w", d.f.Name, err)
	}
	if pause > 0 {
		limit = pause
	} else if d.differs(sel) && d.drift < driftLooks {
		d.drift++
		d.dirty = true
		return nil
	}
	d.drift = 0
	changed, err := w.s.Idle(ctx, limit, w.signals.wake)
	if err != nil {
		return fmt.Errorf("idle on %s: %w", d.f.Name, err)
	}
	if changed {
		d.dirty, d.event = true, true
	}
	w.heed(w.signals.take())
	if pause == 0 && !w.cfg.Now().Before(w.pollAt) {
		return w.poll(ctx, d)
	}
	return nil
}

// heed takes note that INBOX may have changed.
func (w *worker) heed(inbox bool) {
	if d := w.byRole(models.FolderInbox); inbox && d != nil {
		d.dirty, d.event = true, true
	}
}

func (w *worker) anyDirty() bool {
	return slices.ContainsFunc(w.folders, func(d *folder) bool { return d.dirty && !d.lost })
}

// bench returns the folder to idle on and for how long: Sent while the other connection watches INBOX, INBOX otherwise.
func (w *worker) bench() (*folder, time.Duration) {
	t := w.cfg.Timing
	limit, every := t.IdleSlice, t.StatusEvery
	d := w.byRole(models.FolderSent)
	if d == nil || !w.watching.Load() {
		d, every = w.byRole(models.FolderInbox), min(t.PollEvery, t.StatusEvery)
	}
	if !w.s.Caps().Idle {
		every = min(t.PollEvery, t.StatusEvery)
	}
	now := w.cfg.Now()
	if w.pollAt.IsZero() || w.pollAt.Sub(now) > every {
		w.pollAt = now.Add(every)
	}
	limit = min(limit, w.pollAt.Sub(now))
	for _, x := range w.folders {
		if !x.lost && !x.fullAt.IsZero() {
			limit = min(limit, x.fullAt.Add(w.fullEvery(x)).Sub(now))
		}
	}
	return d, max(limit, time.Millisecond)
}

// poll asks about every folder except the selected one whether its numbers have changed.
func (w *worker) poll(ctx context.Context, selected *folder) error {
	w.pollAt = time.Time{}
	for _, d := range w.folders {
		if d == selected || d.lost {
			continue
		}
		now, err := w.s.Status(ctx, d.f.Name)
		if refused(err) {
			d.dirty = true
			continue
		}
		if err != nil {
			return fmt.Errorf("status of %s: %w", d.f.Name, err)
		}
		if d.differs(now) {
			d.dirty = true
		}
	}
	return nil
}
