package imapsync

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"kontrol/models"
)

// look looks at one folder: takes in what is new, and returns what has become of known copies without storing it yet,
// so that the caller can first look whether a copy missing here has come to light elsewhere. change is nil when the
// folder was not compared completely.
func (w *worker) look(ctx context.Context, d *folder, full bool) (*Change, error) {
	sel, err := w.open(ctx, d)
	if err != nil {
		return nil, err
	}
	full = full || d.full || d.fullAt.IsZero() || (d.event && sel.Messages <= smallFolder)
	fresh := 0
	var metas []Meta
	if full {
		if metas, err = w.s.UIDs(ctx, 1, 0); err != nil {
			return nil, fmt.Errorf("list %s: %w", d.f.Name, err)
		}
	} else if sel.UIDNext > d.f.LastUID+1 || sel.Messages != d.expect {
		if metas, err = w.news(ctx, d); err != nil {
			return nil, err
		}
	}
	if fresh, err = w.takeIn(ctx, d, metas); err != nil {
		return nil, err
	}
	quiet := d.event && fresh == 0 // something has happened, and it was not a new letter
	// More UIDs were given away than there are new letters: what we have moved here ourselves may have left again.
	fleeting := d.seen.UIDNext != 0 && int64(sel.UIDNext)-int64(d.seen.UIDNext) > int64(fresh)
	if !full && (quiet || fleeting || int64(sel.Messages) != int64(d.expect)+int64(fresh)) {
		full = true
		if metas, err = w.s.UIDs(ctx, 1, 0); err != nil {
			return nil, fmt.Errorf("list %s: %w", d.f.Name, err)
		}
		if _, err = w.takeIn(ctx, d, metas); err != nil {
			return nil, err
		}
	}
	d.seen, d.dirty, d.event = sel, false, false
	if !full {
		d.expect += uint32(fresh)
		return nil, nil
	}
	d.expect = uint32(len(metas))
	if err := w.tendQuarantine(ctx, d, metas); err != nil {
		return nil, err
	}
	return w.compare(ctx, d, sel, metas)
}

// news lists what is above the cursor.
func (w *worker) news(ctx context.Context, d *folder) ([]Meta, error) {
	if d.f.LastUID == math.MaxUint32 {
		return nil, nil
	}
	metas, err := w.s.UIDs(ctx, d.f.LastUID+1, 0)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d.f.Name, err)
	}
	return metas, nil
}

// open opens a folder for looking and deals with a new UIDVALIDITY and with the first look.
func (w *worker) open(ctx context.Context, d *folder) (Selected, error) {
	sel, err := w.s.Select(ctx, d.f.Name, d.readOnly())
	if refused(err) {
		return sel, &folderGone{d, err}
	}
	if err != nil {
		return sel, fmt.Errorf("open %s: %w", d.f.Name, err)
	}
	if d.f.UIDValidity != 0 && sel.UIDValidity != d.f.UIDValidity {
		if err := w.reset(ctx, d, sel); err != nil {
			return sel, err
		}
	}
	ro := d.f.Role == models.FolderInbox && sel.ReadOnly
	if d.f.UIDValidity == sel.UIDValidity && d.f.FirstUID != 0 && d.f.ReadOnly == ro {
		return sel, nil
	}
	d.f.UIDValidity, d.f.ReadOnly = sel.UIDValidity, ro
	if d.f.FirstUID == 0 {
		d.f.FirstUID = max(sel.UIDNext, 1)
		if d.f.SyncedAt != nil {
			d.f.FirstUID = 1
		}
	}
	return sel, storing("save folder", w.cfg.Folders.SaveFolder(ctx, &d.f))
}

// reset starts a folder again under another UIDVALIDITY. When it had been looked at completely before, what turns up
// unknown now has come since, so it does not count as having been there before us.
func (w *worker) reset(ctx context.Context, d *folder, sel Selected) error {
	w.logger.Warn("folder has another UIDVALIDITY", "role", d.f.Role, "before", d.f.UIDValidity, "now", sel.UIDValidity)
	f := d.f
	f.UIDValidity, f.LastUID, f.ModSeq = sel.UIDValidity, 0, 0
	f.FirstUID = max(sel.UIDNext, 1)
	if f.SyncedAt != nil {
		f.FirstUID = 1
	}
	if err := w.cfg.Intake.Reset(ctx, f); err != nil {
		return storing("reset folder", err)
	}
	d.f, d.full = f, true
	return nil
}

// compare finds which known copies are gone and which have other flags. Vanished copies are believed only when the
// list agrees with the count, and many at once only after a second look.
func (w *worker) compare(ctx context.Context, d *folder, sel Selected, metas []Meta) (*Change, error) {
	live, err := w.cfg.Folders.LiveCopies(ctx, d.f.ID, d.f.UIDValidity)
	if err != nil {
		return nil, storing("read known copies", err)
	}
	confirmed := false
	for try := 0; ; try++ {
		c := difference(d.f, live, metas)
		mass := len(c.Gone) > massVanish && len(c.Gone)*2 > len(live)
		if len(c.Gone) == 0 || (uint32(len(metas)) == sel.Messages && (!mass || confirmed)) {
			d.fullAt, d.full = w.cfg.Now(), false
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
		d.seen, d.expect = sel, uint32(len(metas))
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

// difference compares what the store knows with what the server lists.
func difference(f models.Folder, live []models.Location, metas []Meta) Change {
	c := Change{Folder: f}
	there := make(map[uint32][]string, len(metas))
	for _, m := range metas {
		there[m.UID] = m.Flags
		if m.Flags == nil {
			there[m.UID] = []string{}
		}
	}
	for _, l := range live {
		flags := there[l.UID]
		switch {
		case flags == nil:
			c.Gone = append(c.Gone, l.UID)
		case !sameFlags(l.Flags, flags):
			if c.Flags == nil {
				c.Flags = make(map[uint32][]string)
			}
			c.Flags[l.UID] = flags
		}
	}
	slices.Sort(c.Gone)
	return c
}

// sameFlags compares sets of flags as IMAP does, without regard to case, order or \Recent.
func sameFlags(a, b []string) bool { return slices.Equal(flagSet(a), flagSet(b)) }

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
