package imapsync

import (
	"context"

	"kontrol/models"
)

// New letters take the server a while to bring, above all the first of a connection: it has to find its files. Meanwhile
// the store is brought up to what is known of the others.

// aside is what is done to the store while the first new letters are on their way; taking is false when there are none.
type aside func(ctx context.Context, taking bool) error

// earlyCopies are the copies up to the UID last that the store knew before new letters were taken in. The zero value knows
// nothing.
type earlyCopies struct {
	last uint32
	live []models.Copy
	read bool
}

// compareEarly compares the known copies with the list of the whole folder and stores which flags have changed.
func (w *worker) compareEarly(ctx context.Context, d *folder, metas []Meta, e *earlyCopies) (err error) {
	if e.last > 0 {
		if e.live, err = w.cfg.Folders.Copies(ctx, d.f.ID, d.f.UIDValidity, 1, e.last); err != nil {
			return storing("read known copies", err)
		}
	}
	c := difference(d.f, e.live, metas)
	flags := c.Flags
	if err := w.storeFlags(ctx, d, &c); err != nil {
		return err
	}
	for i := range e.live {
		if now, changed := flags[e.live[i].UID]; changed {
			e.live[i].Flags = now
		}
	}
	e.read = true
	return nil
}

// knownCopies returns all copies that the store knows to be in the folder. Those that were read early are not read again.
func (w *worker) knownCopies(ctx context.Context, d *folder, e earlyCopies) ([]models.Copy, error) {
	first := uint32(1)
	if e.read {
		first = e.last + 1
	}
	if first == 0 { // nothing can lie above the highest UID
		return e.live, nil
	}
	rest, err := w.cfg.Folders.Copies(ctx, d.f.ID, d.f.UIDValidity, first, 0)
	if err != nil || !e.read {
		return rest, storing("read known copies", err)
	}
	return append(e.live, rest...), nil
}

// storeFlags stores changed flags while new letters are on their way, and takes them out of the change. The cursor stays
// where it is: the look is not at its end.
func (w *worker) storeFlags(ctx context.Context, d *folder, c *Change) error {
	if len(c.Flags) == 0 {
		return nil
	}
	w.stored = true
	if err := w.cfg.Intake.Changed(ctx, Change{Folder: d.f, Flags: c.Flags}); err != nil {
		return storing("store changes", err)
	}
	c.Flags = nil
	return nil
}

// reflagged returns those of the copies that the store knows with other flags.
func (w *worker) reflagged(ctx context.Context, d *folder, metas []Meta) (*Change, error) {
	c := &Change{Folder: d.f}
	if len(metas) == 0 {
		return c, nil
	}
	uids := make([]uint32, 0, len(metas))
	for _, m := range metas {
		uids = append(uids, m.UID)
	}
	known, err := w.cfg.Folders.CopiesOf(ctx, d.f.ID, d.f.UIDValidity, uids)
	if err != nil {
		return nil, storing("read known copies", err)
	}
	*c = difference(d.f, known, metas)
	return c, nil
}
