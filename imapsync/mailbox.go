package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kontrol/models"
)

// signals is what other goroutines want of the worker. Any number of signals of a kind count as one.
type signals struct {
	mu    sync.Mutex
	heard Notice        // of INBOX and, by name, of other folders
	wake  chan struct{} // holds at most one

	others []string // the folders that nobody idles on; see Syncer.others
}

func newSignals() *signals { return &signals{wake: make(chan struct{}, 1)} }

// poke wakes the worker; it never blocks.
func (g *signals) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// hear passes on to the worker what the server has told the connection that watches INBOX, and wakes it.
func (g *signals) hear(n Notice) {
	g.mu.Lock()
	g.heard.add(n)
	g.mu.Unlock()
	g.poke()
}

// take returns and clears what was signalled.
func (g *signals) take() (n Notice) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, g.heard = g.heard, Notice{}
	select {
	case <-g.wake:
	default:
	}
	return n
}

// folder is a watched folder as one connection knows it.
type folder struct {
	f       models.Folder
	dirty   bool      // may have changed: look
	event   bool      // the server has said that something has changed
	left    bool      // letters may have left
	flags   bool      // flags may have changed
	heard   bool      // the server has said that its numbers have changed: ask for them
	behind  bool      // flags may have changed since they were asked for, by the mod-sequence
	full    bool      // the next look compares everything
	timed   bool      // the next look compares everything unless the numbers prove that nothing has changed
	fullAt  time.Time // last complete comparison on this connection; zero: none yet
	listed  bool      // the look that is to be settled has listed the whole folder
	seen    Selected  // what the server said at the last look
	proof   Selected  // what it said at the last complete list that was settled
	drift   int       // looks in a row that were asked for by differing numbers only
	lost    bool      // has vanished too often; left alone on this connection
	unsaved bool      // f holds numbers that are not stored yet

	counted bool // expect is known
	expect  int  // letters that should be in it below the cursor, going by the last look
	extra   int  // letters in it that the store does not count as being there, at the last complete list
}

// differs reports whether the server's numbers are other than at the last look.
func (d *folder) differs(now Selected) bool {
	if now.ModSeq == 0 || d.seen.ModSeq == 0 {
		now.ModSeq = d.seen.ModSeq
	}
	return !sameNumbers(now, d.seen)
}

// hear takes note of what the server has told about the folder while it was selected.
func (d *folder) hear(n Notice) {
	if n.New || n.Gone || n.Flags || n.All {
		d.dirty, d.event, d.left, d.flags = true, true, d.left || n.Gone || n.All, d.flags || n.Flags || n.All
	}
}

// readOnly says how a folder is opened for looking: INBOX with SELECT, everything else with EXAMINE.
func (d *folder) readOnly() bool { return d.f.Role != models.FolderInbox }

// lookOrder puts the folders that letters are moved to before the ones they are moved from, so that a moved letter is
// seen at its new place before it is missed at the old one.
func lookOrder(r models.FolderRole) int {
	switch r {
	case models.FolderInbox:
		return 4
	case models.FolderSent:
		return 3
	case models.FolderProcessed:
		return 2
	case models.FolderControl:
		return 1
	}
	return 0
}

// folderGone is the error of a look at a folder that can no longer be opened.
type folderGone struct {
	d   *folder
	err error
}

func (e *folderGone) Error() string {
	return "folder " + e.d.f.Name + " cannot be opened: " + e.err.Error()
}
func (e *folderGone) Unwrap() error { return e.err }

// storeError is a failure of the store or the intake, not of the connection.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

func storing(what string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{fmt.Errorf("%s: %w", what, err)}
}

func isStoreError(err error) bool {
	var e *storeError
	return errors.As(err, &e)
}

// bindFolders asks for the folders by role, joins them with what is stored about them, and stores the result. Folders
// already known on this connection keep what is known about them.
func (w *worker) bindFolders(ctx context.Context) error {
	found, err := w.cfg.Resolve(ctx, w.s)
	if err != nil {
		return fmt.Errorf("resolve folders: %w", err)
	}
	if _, ok := found[models.FolderInbox]; !ok {
		return errors.New("resolve folders: no INBOX")
	}
	stored, err := w.cfg.Folders.Folders(ctx, w.cfg.MailboxID)
	if err != nil {
		return storing("read folders", err)
	}
	before := w.folders
	w.folders = nil
	for role, f := range found {
		d := &folder{dirty: true}
		if i := slices.IndexFunc(stored, func(x models.Folder) bool { return x.Role == role }); i >= 0 {
			d.f = stored[i]
		}
		if i := slices.IndexFunc(before, func(x *folder) bool { return x.f.Role == role }); i >= 0 {
			d.lost = before[i].lost
		}
		known := d.f.ID != 0 && d.f.Name == f.Name && d.f.Delimiter == f.Delimiter
		d.f.MailboxID, d.f.Role, d.f.Name, d.f.Delimiter = w.cfg.MailboxID, role, f.Name, f.Delimiter
		if !known {
			if err := w.cfg.Folders.SaveFolder(ctx, &d.f); err != nil {
				return storing("save folder", err)
			}
		}
		w.folders = append(w.folders, d)
	}
	var others []string
	for _, d := range w.folders {
		if d.f.Role != models.FolderInbox && d.f.Role != models.FolderSent && !d.lost {
			others = append(others, d.f.Name)
		}
	}
	slices.Sort(others)
	w.signals.mu.Lock()
	w.signals.others = others
	w.signals.mu.Unlock()
	slices.SortFunc(w.folders, func(a, b *folder) int {
		if n := lookOrder(a.f.Role) - lookOrder(b.f.Role); n != 0 {
			return n
		}
		return int(a.f.ID - b.f.ID)
	})
	return nil
}

// byRole returns a watched folder, or nil when there is none or it is lost.
func (w *worker) byRole(role models.FolderRole) *folder {
	for _, d := range w.folders {
		if d.f.Role == role && !d.lost {
			return d
		}
	}
	return nil
}
