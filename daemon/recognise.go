package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kontrol/models"
)

// loadHistory reads where the known letters of a batch lie and lay, and what moves of them there were.
func (w *work) loadHistory(ctx context.Context) error {
	ids := make([]int64, 0, len(w.known))
	for _, l := range w.known {
		ids = append(ids, l.ID)
	}
	copies, err := w.tx.LocationsOfLetters(ctx, ids)
	if err != nil {
		return err
	}
	for _, l := range copies {
		w.copies[l.LetterID] = append(w.copies[l.LetterID], l)
	}
	w.filings, err = w.tx.FilingsOfLetters(ctx, ids)
	return err
}

// recognise looks at where else in this mailbox the letter of a new copy lies or lay. A copy that turns up in another
// watched folder, without a move of ours that explains it, was put there by a person: it is left alone from then on.
func (w *work) recognise(ctx context.Context, f models.Folder, loc *models.Location) error {
	if f.Role == models.FolderSent || w.ownMove(f, loc) {
		return nil
	}
	resets, err := w.resetsOf(ctx, f.ID)
	if err != nil {
		return err
	}
	earlier := w.earlier(f, loc)
	byPerson, renumbered := false, false
	for _, l := range earlier {
		switch {
		case l.FolderID != f.ID:
			byPerson = true
		case l.UIDValidity != f.UIDValidity:
			loc.HandsOff = loc.HandsOff || l.HandsOff
			if l.GoneAt != nil && slices.ContainsFunc(resets, l.GoneAt.Equal) { // the folder was given new UIDs: the same copy
				loc.FirstLook, renumbered = l.FirstLook, true
			}
			byPerson = true
		case l.GoneAt != nil: // has left the folder, and is back
			byPerson = true
		}
	}
	if !byPerson || renumbered || deliveredAgain(earlier, *loc) {
		return nil
	}
	loc.HandsOff = true
	w.event(models.EventLetterMoved, fmt.Sprintf("person/%d/%d/%d", f.ID, f.UIDValidity, loc.UID), loc.LetterID,
		loc.MailboxID, models.Say("daemon.event.moved_by_person", "Folder", folderName(f)))
	return nil
}

// ownMove reports whether the copy is very likely what a move of ours has made whose answer was lost. The Mover will look.
func (w *work) ownMove(f models.Folder, loc *models.Location) bool {
	return slices.ContainsFunc(w.filings[loc.LetterID], func(fl models.Filing) bool {
		return fl.State.Open() && fl.State != models.FilingPlanned && fl.TargetFolderID == f.ID &&
			(fl.DestUIDValidity != f.UIDValidity || loc.UID >= fl.DestUIDNext)
	})
}

// earlier returns the other copies of the letter that are or were in the same mailbox. Those in Sent do not count: a
// letter to oneself is not moved from there.
func (w *work) earlier(f models.Folder, loc *models.Location) []models.Location {
	var list []models.Location
	for _, l := range w.copies[loc.LetterID] {
		same := l.FolderID == f.ID && l.UIDValidity == f.UIDValidity && l.UID == loc.UID
		if l.MailboxID == loc.MailboxID && !same && (l.Folder == nil || l.Folder.Role != models.FolderSent) {
			list = append(list, l)
		}
	}
	return list
}

// deliveredAgain reports whether a copy was delivered and not moved: it differs from every other copy in the mailbox both
// in its header, to which each delivery adds its own lines, and in its INTERNALDATE. A move keeps at least one of them:
// MOVE and COPY keep both (RFC 9051 section 6.4.7), a client that uploads the letter keeps the header, and a server that
// makes up headers keeps the date.
func deliveredAgain(earlier []models.Location, loc models.Location) bool {
	return !slices.ContainsFunc(earlier, func(l models.Location) bool {
		return l.HeaderHash == loc.HeaderHash || l.InternalDate == nil || loc.InternalDate == nil ||
			l.InternalDate.Truncate(time.Second).Equal(loc.InternalDate.Truncate(time.Second))
	})
}

// resetsOf returns when a folder got another UIDVALIDITY.
func (w *work) resetsOf(ctx context.Context, folderID int64) ([]time.Time, error) {
	if at, ok := w.resets[folderID]; ok {
		return at, nil
	}
	at, err := w.tx.FolderResets(ctx, folderID)
	if err == nil {
		w.resets[folderID] = at
	}
	return at, err
}
