package imapsync

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kontrol/models"
)

// How much of a folder a look has to ask for.
type extent int

const (
	nothing   extent = iota // the server's numbers prove that nothing has changed since the last look
	fewNew                  // the UIDs of all new letters, if any, follow from the numbers, and no other has left
	aboveLast               // what is above the cursor
	delta                   // what is new or has other flags since the last mod-sequence
	all                     // the whole list
)

// look looks at one folder: takes in what is new, and returns what has become of known copies without storing it yet,
// so that the caller can first look whether a copy missing here has come to light elsewhere. change is nil when only new
// letters were looked for.
func (w *worker) look(ctx context.Context, d *folder) (*Change, error) {
	sel, err := w.open(ctx, d)
	if err != nil {
		return nil, err
	}
	how, err := w.extentOf(ctx, d, sel)
	if err != nil {
		return nil, err
	}
	d.listed = false
	var c *Change
	switch how {
	case nothing:
		w.unchanged(d, sel)
	case fewNew:
		err = w.lookAtNew(ctx, d, sel, sequence(d.f.LastUID+1, sel.UIDNext-1))
	case aboveLast:
		c, err = w.lookAbove(ctx, d, sel)
	case delta:
		c, err = w.lookSince(ctx, d, sel)
	case all:
		c, err = w.lookAtAll(ctx, d, sel)
	}
	if err != nil {
		d.dirty, d.full = true, d.full || how == all
	}
	return c, err
}

// extentOf decides how much a look has to ask for.
func (w *worker) extentOf(ctx context.Context, d *folder, sel Selected) (extent, error) {
	modSeqs := w.s.Caps().CondStore && sel.ModSeq >= d.f.ModSeq && d.f.ModSeq > 0 && d.f.SyncedAt != nil &&
		w.cfg.Now().Sub(*d.f.SyncedAt) < w.cfg.Timing.FullSure
	small := sel.Messages <= smallFolder
	switch {
	case d.full, w.s.Caps().CondStore && sel.ModSeq > 0 && sel.ModSeq < d.f.ModSeq: // it may go down, and is then adopted
		return all, nil
	case d.fullAt.IsZero() && !modSeqs:
		return all, nil
	case d.fullAt.IsZero():
		return w.firstExtent(ctx, d, sel)
	case d.timed && modSeqs && sameNumbers(sel, d.proof):
		return nothing, nil
	case d.timed:
		return all, nil
	}
	still := sameNumbers(sel, d.seen) && !d.behind
	switch {
	case !modSeqs && (d.flags || (d.left && small)):
		return all, nil
	case still:
		return nothing, nil
	case modSeqs && (d.flags || !d.event):
		return delta, nil
	}
	ok, err := w.onlyFewNew(ctx, d, sel)
	switch {
	case err != nil || ok:
		return fewNew, err
	case modSeqs:
		return delta, nil
	}
	return aboveLast, nil
}

// firstExtent is extentOf for the first look on a connection to a server whose mod-sequences we know from the last one.
func (w *worker) firstExtent(ctx context.Context, d *folder, sel Selected) (extent, error) {
	before := Selected{UIDValidity: d.f.UIDValidity, UIDNext: d.f.UIDNext, Messages: d.f.Messages, ModSeq: d.f.ModSeq}
	if again, err := w.quarantined(ctx, d); err != nil || again {
		return all, err
	}
	if sameNumbers(sel, before) && d.f.UIDNext > 0 {
		return nothing, nil
	}
	return delta, nil
}

// sameNumbers compares what a server says about a folder. With equal mod-sequences it is a proof that nothing has changed:
// a new letter raises UIDNEXT, one that leaves lowers the number of letters, and flags raise HIGHESTMODSEQ.
func sameNumbers(a, b Selected) bool {
	return a.UIDValidity == b.UIDValidity && a.UIDNext == b.UIDNext && a.Messages == b.Messages && a.ModSeq == b.ModSeq
}

// onlyFewNew reports whether new letters, which fit into one batch, are all that has changed in number: then their UIDs
// are known without asking.
func (w *worker) onlyFewNew(ctx context.Context, d *folder, sel Selected) (bool, error) {
	fresh := int64(sel.UIDNext) - int64(d.f.LastUID) - 1
	if fresh < 0 || fresh > fetchBatch || sel.UIDNext == math.MaxUint32 {
		return false, nil
	}
	return w.adds(ctx, d, sel, int(fresh))
}

// adds reports whether the server's number of letters is the number of those that are known below the cursor and the
// fresh ones above it: then none has left unnoticed. What Kontrol has moved away itself, the store knows.
func (w *worker) adds(ctx context.Context, d *folder, sel Selected, fresh int) (bool, error) {
	if d.counted && int(sel.Messages) == d.expect+fresh {
		return true, nil
	}
	live, err := w.cfg.Folders.CountCopies(ctx, d.f.ID, d.f.UIDValidity)
	if err != nil {
		return false, storing("count known copies", err)
	}
	above, err := w.knownAbove(ctx, d)
	if err != nil {
		return false, err
	}
	return int(sel.Messages) == live-len(above)+d.extra+fresh, nil
}

// knownAbove returns the copies above the cursor that the store knows: Kontrol has moved them here.
func (w *worker) knownAbove(ctx context.Context, d *folder) ([]Meta, error) {
	if d.f.LastUID == math.MaxUint32 {
		return nil, nil
	}
	known, err := w.cfg.Folders.Copies(ctx, d.f.ID, d.f.UIDValidity, d.f.LastUID+1, 0)
	return known, storing("read known copies", err)
}

// sequence lists the UIDs from first to last.
func sequence(first, last uint32) []Meta {
	if last < first {
		return nil
	}
	list := make([]Meta, 0, int(last-first)+1)
	for uid := first; uid <= last; uid++ {
		list = append(list, Meta{UID: uid})
	}
	return list
}

// unchanged notes that nothing has changed since the last look.
func (w *worker) unchanged(d *folder, sel Selected) {
	if !d.counted {
		d.expect, d.counted = int(sel.Messages), true
	}
	if d.fullAt.IsZero() || d.timed {
		d.fullAt, d.timed = w.cfg.Now(), false
	}
	d.looked(sel)
}

// lookAtNew takes in the given new letters; everything else is as before.
func (w *worker) lookAtNew(ctx context.Context, d *folder, sel Selected, metas []Meta) error {
	moved, err := w.takeAll(ctx, d, metas, nil)
	if err != nil || moved {
		return err
	}
	d.looked(sel)
	d.expect, d.counted = int(sel.Messages), true
	d.behind = sel.ModSeq > 0
	return nil
}

// lookAbove takes in what is above the cursor. When the numbers say that something has left, it looks at everything.
func (w *worker) lookAbove(ctx context.Context, d *folder, sel Selected) (*Change, error) {
	metas, err := w.listAbove(ctx, d)
	if err != nil {
		return nil, err
	}
	sure, late, err := w.nothingLeft(ctx, d, sel, metas)
	if err != nil {
		return nil, err
	}
	if !sure {
		return w.lookAtAll(ctx, d, sel)
	}
	moved, err := w.takeAll(ctx, d, metas, nil)
	if err != nil || moved {
		return nil, err
	}
	d.looked(sel)
	d.expect, d.counted = int(sel.Messages)+late, true
	return nil, nil
}

// listAbove lists what is above the cursor.
func (w *worker) listAbove(ctx context.Context, d *folder) ([]Meta, error) {
	if d.f.LastUID == math.MaxUint32 {
		return nil, nil
	}
	metas, err := w.s.UIDs(ctx, d.f.LastUID+1, 0)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d.f.Name, err)
	}
	return metas, nil
}

// nothingLeft reports whether the numbers prove that no known copy has left the folder. metas holds all that is above the
// cursor; late is how many of them have come after sel was told.
func (w *worker) nothingLeft(ctx context.Context, d *folder, sel Selected, metas []Meta) (sure bool, late int, err error) {
	known, err := w.knownAbove(ctx, d)
	if err != nil {
		return false, 0, err
	}
	cut := above(metas, d.f.LastUID)
	for _, k := range known { // what we have moved here may have left again before we looked
		if _, there := slices.BinarySearchFunc(metas[cut:], k.UID, compareUID); !there {
			return false, 0, nil
		}
	}
	late = len(metas) - above(metas, sel.UIDNext-1)
	sure, err = w.adds(ctx, d, sel, len(metas)-cut-late)
	return sure, late, err
}

func compareUID(m Meta, uid uint32) int { return int(int64(m.UID) - int64(uid)) }

// above returns the index of the first of ascending copies whose UID is above last.
func above(metas []Meta, last uint32) int {
	i, _ := slices.BinarySearchFunc(metas, int64(last)+1, func(m Meta, uid int64) int { return int(int64(m.UID) - uid) })
	return i
}

// lookSince takes in what is new and finds other flags by the mod-sequence of the last complete look. When the numbers say
// that something has left, it looks at everything.
func (w *worker) lookSince(ctx context.Context, d *folder, sel Selected) (*Change, error) {
	metas, err := w.s.Changes(ctx, d.f.ModSeq)
	if refused(err) {
		w.logger.Info("server refuses CHANGEDSINCE", "role", d.f.Role, "error", err)
		return w.lookAtAll(ctx, d, sel)
	}
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", d.f.Name, err)
	}
	cut := above(metas, d.f.LastUID)
	if int64(above(metas, sel.UIDNext-1)-cut) != int64(sel.UIDNext)-int64(d.f.LastUID)-1 {
		// Letters have come and gone, or the server's mod-sequences are not to be trusted. No letter may hang on them.
		fresh, err := w.listAbove(ctx, d)
		if err != nil {
			return nil, err
		}
		metas = append(metas[:cut:cut], fresh...)
	}
	var sure bool
	var late int
	c := &Change{Folder: d.f}
	moved, err := w.takeAll(ctx, d, metas, func(ctx context.Context, taking bool) (err error) {
		if sure, late, err = w.nothingLeft(ctx, d, sel, metas); err != nil {
			return err
		}
		if c, err = w.reflagged(ctx, d, metas[:cut]); err != nil || !taking {
			return err
		}
		return w.storeFlags(ctx, d, c)
	})
	switch {
	case err != nil || moved:
		return nil, err
	case !sure:
		return w.lookAtAll(ctx, d, sel)
	}
	d.looked(sel)
	d.expect, d.counted = int(sel.Messages)+late, true
	if d.fullAt.IsZero() {
		d.fullAt, d.timed = w.cfg.Now(), false
	}
	return c, nil
}

// lookAtAll lists the whole folder, takes in what is new and compares the rest.
func (w *worker) lookAtAll(ctx context.Context, d *folder, sel Selected) (*Change, error) {
	metas, err := w.s.UIDs(ctx, 1, 0)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d.f.Name, err)
	}
	early := earlyCopies{last: d.f.LastUID}
	moved, err := w.takeAll(ctx, d, metas, func(ctx context.Context, taking bool) error {
		if !taking {
			return nil
		}
		return w.compareEarly(ctx, d, metas, &early)
	})
	if err != nil {
		return nil, err
	}
	if moved { // the list is no longer what the folder holds
		d.full = true
		return nil, nil
	}
	d.looked(sel)
	handed, err := w.tendQuarantine(ctx, d, metas)
	if err != nil {
		return nil, err
	}
	early.read = early.read && !handed
	return w.compare(ctx, d, sel, metas, early)
}

// takeAll takes in those of the listed copies that are above the cursor. When that takes long, it carries out moves in
// between, so that no letter waits for all the others. Then moved is true, the folder stays dirty, and what was listed is
// no longer what it holds. What aside does to the store is done while the first letters are on their way, or else at once;
// it must leave the session alone.
func (w *worker) takeAll(ctx context.Context, d *folder, metas []Meta, aside aside) (moved bool, err error) {
	metas = metas[above(metas, d.f.LastUID):]
	if len(metas) == 0 && aside != nil {
		return false, aside(ctx, false)
	}
	for len(metas) > 0 {
		n, err := w.takeIn(ctx, d, metas, aside)
		aside = nil
		if err != nil {
			return moved, err
		}
		if metas = metas[n:]; len(metas) == 0 {
			break
		}
		if err := w.move(ctx); err != nil {
			return moved, err
		}
		moved = true
		sel, err := w.s.Select(ctx, d.f.Name, d.readOnly())
		switch {
		case refused(err):
			return moved, &folderGone{d, err}
		case err != nil:
			return moved, fmt.Errorf("open %s again: %w", d.f.Name, err)
		case sel.UIDValidity != d.f.UIDValidity:
			return moved, errors.New("UIDVALIDITY changed while looking")
		}
	}
	return moved, nil
}

// compare finds which known copies are gone and which have other flags. Vanished copies are believed only when the
// list agrees with the count, and many at once only after a second look.
func (w *worker) compare(ctx context.Context, d *folder, sel Selected, metas []Meta, early earlyCopies) (*Change, error) {
	live, err := w.knownCopies(ctx, d, early)
	if err != nil {
		return nil, err
	}
	confirmed := false
	for try := 0; ; try++ {
		c := difference(d.f, live, metas)
		mass := len(c.Gone) > massVanish && len(c.Gone)*2 > len(live)
		if len(c.Gone) == 0 || (uint32(len(metas)) == sel.Messages && (!mass || confirmed)) {
			d.fullAt, d.full, d.timed, d.listed = w.cfg.Now(), false, false, true
			d.expect, d.counted, d.extra = len(metas), true, len(metas)-(len(live)-len(c.Gone))
			return &c, nil
		}
		if try == believeTries {
			w.logger.Warn("vanished copies not believed", "role", d.f.Role, "copies", len(c.Gone), "count", sel.Messages, "listed", len(metas))
			d.full, c.Gone = true, nil
			return &c, nil
		}
		if sel, metas, confirmed, err = w.lookAgain(ctx, d); err != nil {
			return nil, err
		}
		d.looked(sel)
	}
}

// lookAgain opens the folder afresh, with another folder and a STATUS in between, and lists it. agreed tells whether
// STATUS, SELECT and the list give the same number.
func (w *worker) lookAgain(ctx context.Context, d *folder) (sel Selected, metas []Meta, agreed bool, err error) {
	var status Selected
	for _, other := range w.folders {
		if other == d || other.lost {
			continue
		}
		if _, err := w.s.Select(ctx, other.f.Name, true); err != nil {
			if refused(err) {
				continue
			}
			return sel, nil, false, fmt.Errorf("open %s: %w", other.f.Name, err)
		}
		if status, err = w.s.Status(ctx, d.f.Name); err != nil {
			if refused(err) {
				return sel, nil, false, &folderGone{d, err}
			}
			return sel, nil, false, fmt.Errorf("status of %s: %w", d.f.Name, err)
		}
		break
	}
	if sel, err = w.s.Select(ctx, d.f.Name, d.readOnly()); err != nil {
		if refused(err) {
			return sel, nil, false, &folderGone{d, err}
		}
		return sel, nil, false, fmt.Errorf("open %s: %w", d.f.Name, err)
	}
	if sel.UIDValidity != d.f.UIDValidity {
		return sel, nil, false, errors.New("UIDVALIDITY changed while looking")
	}
	if metas, err = w.s.UIDs(ctx, 1, 0); err != nil {
		return sel, nil, false, fmt.Errorf("list %s: %w", d.f.Name, err)
	}
	agreed = sel.Messages == uint32(len(metas)) && (status.UIDValidity == 0 || status.Messages == sel.Messages)
	return sel, metas, agreed, nil
}

// difference compares what the store knows with what the server lists, both ascending by UID.
func difference(f models.Folder, live, metas []Meta) Change {
	c := Change{Folder: f}
	i := 0
	for _, l := range live {
		for i < len(metas) && metas[i].UID < l.UID {
			i++
		}
		switch {
		case i == len(metas) || metas[i].UID != l.UID:
			c.Gone = append(c.Gone, l.UID)
		case !sameFlags(l.Flags, metas[i].Flags):
			if c.Flags == nil {
				c.Flags = make(map[uint32][]string)
			}
			c.Flags[l.UID] = metas[i].Flags
		}
	}
	return c
}

// sameFlags compares sets of flags as IMAP does, without regard to case, order or \Recent.
func sameFlags(a, b []string) bool { return slices.Equal(a, b) || slices.Equal(flagSet(a), flagSet(b)) }

func flagSet(flags []string) []string {
	set := make([]string, 0, len(flags))
	for _, f := range flags {
		if f = strings.ToLower(f); f != `\recent` {
			set = append(set, f)
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// looked notes the server's numbers at a look that has come to its end.
func (d *folder) looked(sel Selected) {
	d.seen, d.dirty, d.event, d.left, d.flags, d.behind = sel, false, false, false, false, false
}

// overdue reports whether the next complete comparison has come.
func (d *folder) overdue(now time.Time, every time.Duration) bool {
	return !d.fullAt.IsZero() && now.Sub(d.fullAt) >= every
}
