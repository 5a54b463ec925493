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
	s       *selecting
	ctx     context.Context // ends when Run is to end; commands run under a context that ends a little later
	folders []*folder       // in the order in which they are looked at
	pollAt  time.Time       // when the folders that nobody idles on are asked next
	movedAt time.Time       // when the journal was carried out last
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
	var err error
	if apart(func() { err = w.bindFolders(work) }); err != nil {
		return err
	}
	stopWatching := func() {}
	defer func() { stopWatching() }()
	watched := false
	for w.ctx.Err() == nil {
		var complete bool
		var pause time.Duration
		if apart(func() { complete, pause, err = w.turn(work) }); err != nil {
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
	defer func() { // what was found and not stored has to be found again
		for d := range changes {
			d.dirty, d.full = true, true
		}
	}()
	if err := w.lookAll(ctx, changes); err != nil {
		return err
	}
	for _, d := range w.folders {
		if c := changes[d]; c != nil {
			if err := w.settle(ctx, d, c); err != nil {
				return err
			}
			delete(changes, d)
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
			c, err := w.look(ctx, d)
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

// settle stores what has become of known copies and, when the comparison is complete, the numbers that the server told
// before it. Numbers that come of a delta without changes are stored later: they only save work after a restart.
func (w *worker) settle(ctx context.Context, d *folder, c *Change) error {
	f, listed := d.f, d.listed
	d.listed = false
	if !d.full { // else vanished copies were not believed
		f.UIDNext, f.Messages, f.ModSeq = d.seen.UIDNext, d.seen.Messages, d.seen.ModSeq
		if listed {
			now := w.cfg.Now()
			f.SyncedAt = &now
		}
	}
	c.Folder = f
	if len(c.Gone) > 0 || len(c.Flags) > 0 {
		w.stored = true
		if err := w.cfg.Intake.Changed(ctx, *c); err != nil {
			return storing("store changes", err)
		}
		d.f, d.unsaved = f, false
	} else if listed {
		if err := w.cfg.Folders.SaveFolder(ctx, &f); err != nil {
			return storing("save folder", err)
		}
		d.f, d.unsaved = f, false
	} else {
		d.unsaved = d.unsaved || d.f != f
		d.f = f
	}
	if listed && !d.full {
		d.proof = d.seen
	}
	return nil
}

// saveNumbers stores the numbers that settle has left for later.
func (w *worker) saveNumbers(ctx context.Context) error {
	for _, d := range w.folders {
		if !d.unsaved || d.lost {
			continue
		}
		if err := w.cfg.Folders.SaveFolder(ctx, &d.f); err != nil {
			return storing("save folder", err)
		}
		d.unsaved = false
	}
	return nil
}

// move carries out what the journal holds.
func (w *worker) move(ctx context.Context) error {
	defer func() { w.movedAt = w.cfg.Now() }()
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
		if d.overdue(now, w.fullEvery(d)) {
			d.dirty, d.timed = true, true
		}
	}
}

func (w *worker) fullEvery(d *folder) time.Duration {
	if (d.f.Role == models.FolderInbox || d.f.Role == models.FolderSent) && d.seen.ModSeq == 0 {
		return w.cfg.Timing.FullSoon
	}
	return w.cfg.Timing.FullLate
}

// wait idles until something happens. With pause it waits that long at most and leaves the rest for the next round.
func (w *worker) wait(ctx context.Context, pause time.Duration) error {
	var d *folder
	var limit time.Duration
	var err error
	if apart(func() { d, limit, err = w.prepare(ctx, pause) }); err != nil || d == nil {
		return err
	}
	err = w.s.Listen(ctx, limit, w.signals.wake, func(n Notice) bool {
		d.hear(n)
		w.hear(n)
		return false
	})
	if err != nil {
		return fmt.Errorf("idle on %s: %w", d.f.Name, err)
	}
	w.heed(w.signals.take())
	if pause == 0 && !w.cfg.Now().Before(w.pollAt) {
		apart(func() { err = w.poll(ctx) })
	}
	return err
}

// prepare opens the folder to idle on and returns it, and for how long. It returns nil when there is something to do first.
func (w *worker) prepare(ctx context.Context, pause time.Duration) (*folder, time.Duration, error) {
	w.heed(w.signals.take())
	if w.ctx.Err() != nil || (pause == 0 && w.anyDirty()) {
		return nil, 0, nil
	}
	if asked, err := w.ask(ctx, pause, func(d *folder) bool { return d.heard }); err != nil || asked {
		return nil, 0, err
	}
	d, limit := w.bench()
	if d == nil {
		return nil, 0, errors.New("no folder to idle on")
	}
	if pause > 0 {
		limit = pause
	}
	if ready, err := w.sit(ctx, d, pause); err != nil || !ready {
		return nil, 0, err
	}
	return d, limit, nil
}

// sit opens the folder to idle on, unless it is open. It reports false when the folder is to be looked at first.
func (w *worker) sit(ctx context.Context, d *folder, pause time.Duration) (bool, error) {
	if w.s.name != d.f.Name { // else the server tells what has happened since it was opened
		_, err := w.s.Select(ctx, d.f.Name, true)
		if refused(err) {
			d.dirty = true // the look finds out what is the matter
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("open %s to idle: %w", d.f.Name, err)
		}
	}
	if pause == 0 && d.differs(w.s.sel) && d.drift < driftLooks {
		d.drift++
		d.dirty = true
		return false, nil
	}
	d.drift = 0
	return true, nil
}

// heed takes note of what the other connection has heard: of INBOX, and of folders that nobody idles on.
func (w *worker) heed(n Notice) {
	if d := w.byRole(models.FolderInbox); d != nil {
		d.hear(n)
	}
	w.hear(n)
}

// hear takes note of the folders that the server has named.
func (w *worker) hear(n Notice) {
	for _, d := range w.folders {
		d.heard = d.heard || n.All || slices.ContainsFunc(n.Folders, func(name string) bool { return sameName(name, d.f.Name) })
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

// poll asks about all folders except the selected one whether their numbers have changed.
func (w *worker) poll(ctx context.Context) error {
	w.pollAt = time.Time{}
	if err := w.saveNumbers(ctx); err != nil {
		w.logger.Warn("numbers of folders not stored", "error", err)
	}
	for _, d := range w.folders {
		d.dirty = d.dirty || d.behind
	}
	_, err := w.ask(ctx, 0, func(d *folder) bool { return d.f.Name != w.s.name })
	w.s.name = "" // it is opened afresh: it may have been deleted and made anew under us
	return err
}

// ask asks for the numbers of some folders with one command and marks those that have changed. It reports whether one has.
func (w *worker) ask(ctx context.Context, pause time.Duration, which func(*folder) bool) (bool, error) {
	var names []string
	for _, d := range w.folders {
		if !d.lost && which(d) {
			names = append(names, d.f.Name)
		}
	}
	if len(names) == 0 || pause > 0 {
		return false, nil
	}
	now, err := w.s.Statuses(ctx, names)
	if err != nil {
		return false, fmt.Errorf("status of folders: %w", err)
	}
	changed := false
	for _, d := range w.folders {
		if !slices.Contains(names, d.f.Name) {
			continue
		}
		d.heard = false
		if sel, ok := now[d.f.Name]; !ok || d.differs(sel) {
			d.dirty, changed = true, true
		}
	}
	return changed, nil
}

// selecting is a session that remembers which folder is open.
type selecting struct {
	Session
	name string   // "" when none is, or it is not known which
	sel  Selected // what the server said when it was opened
}

// Select opens a folder.
func (s *selecting) Select(ctx context.Context, name string, readOnly bool) (Selected, error) {
	s.name = ""
	sel, err := s.Session.Select(ctx, name, readOnly)
	if err == nil {
		s.name, s.sel = name, sel
	}
	return sel, err
}
