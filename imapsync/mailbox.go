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
	inbox bool
	wake  chan struct{} // holds at most one
}

func newSignals() *signals { return &signals{wake: make(chan struct{}, 1)} }

// poke wakes the worker; it never blocks.
func (g *signals) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// inboxChanged wakes the worker and tells it to look at INBOX.
func (g *signals) inboxChanged() {
	g.mu.Lock()
	g.inbox = true
	g.mu.Unlock()
	g.poke()
}

// take returns and clears what was signalled.
func (g *signals) take() (inbox bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	inbox, g.inbox = g.inbox, false
	select {
	case <-g.wake:
	default:
	}
	return inbox
}

// folder is a watched folder as one connection knows it.
type folder struct {
	f      models.Folder
	dirty  bool      // may have changed: look
	event  bool      // the server has said that something has changed, perhaps only a flag
	full   bool      // the next look compares everything
	fullAt time.Time // last complete comparison on this connection; zero: none yet
	seen   Selected  // what the server said at the last look
	expect uint32    // messages that should be in it, going by the last complete comparison and what came since
	drift  int       // looks in a row that were asked for by differing numbers only
	lost   bool      // has vanished too often; left alone on this connection
}

// differs reports whether the server's numbers are other than at the last look.
func (d *folder) differs(now Selected) bool {
	return now.UIDValidity != d.seen.UIDValidity || now.UIDNext != d.seen.UIDNext || now.Messages != d.seen.Messages
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
		d := &folder{dirty: true, full: true}
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
