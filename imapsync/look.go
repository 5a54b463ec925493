package imapsync

import (
	"context"
	"fmt"

	"kontrol/models"
)

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
	f.UIDValidity, f.LastUID, f.ModSeq, f.UIDNext, f.Messages = sel.UIDValidity, 0, 0, 0, 0
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
