package daemon

import (
	"context"
	"fmt"
	"time"

	"kontrol/deals"
	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/models"
)

// subjectWindow is how far back a letter without references may join a conversation of its client by subject alone.
const subjectWindow = 60 * 24 * time.Hour

// takeBatch stores the copies of one batch and puts the unreadable ones into quarantine.
func (w *work) takeBatch(ctx context.Context, a imapsync.Arrival, read []reading) error {
	uids := make([]uint32, 0, len(read))
	for _, r := range read {
		uids = append(uids, r.copy.UID)
	}
	known, err := w.tx.LocationByUID(ctx, a.Folder.ID, a.Folder.UIDValidity, uids)
	if err != nil {
		return err
	}
	have := make(map[uint32]bool, len(known))
	for _, l := range known {
		have[l.UID] = true
	}
	for _, r := range read {
		switch {
		case have[r.copy.UID]: // taken in before a crash, or moved here by us
		case r.err != nil:
			err = w.quarantine(ctx, a.Folder, imapsync.BadLetter{UID: r.copy.UID, Reason: r.err.Error()})
		default:
			err = w.take(ctx, a, r)
		}
		if err != nil {
			return err
		}
	}
	for _, b := range a.Bad {
		if err := w.quarantine(ctx, a.Folder, b); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) quarantine(ctx context.Context, f models.Folder, b imapsync.BadLetter) error {
	q := models.Quarantine{
		MailboxID: f.MailboxID, FolderID: f.ID, UIDValidity: f.UIDValidity, UID: b.UID, Reason: b.Reason,
		CreatedAt: w.now, UpdatedAt: w.now,
	}
	if err := w.tx.AddQuarantine(ctx, &q); err != nil {
		return err
	}
	w.in.log.WarnContext(ctx, "letter put into quarantine", "mailbox", f.MailboxID, "folder", f.Role, "uid", b.UID, "reason", b.Reason)
	return w.event(ctx, models.EventLetterQuarantined, fmt.Sprintf("quarantine/%d/%d/%d", f.ID, f.UIDValidity, b.UID), 0,
		f.MailboxID, models.Say("daemon.event.quarantined", "Folder", models.Say("folder."+string(f.Role))))
}

// take stores one copy: the letter if it is new, its thread and links, and where it lies.
func (w *work) take(ctx context.Context, a imapsync.Arrival, r reading) error {
	letter := r.facts.Letter
	letter.CreatedAt = w.now
	threadID, err := w.threadFor(ctx, &letter, r.facts)
	if err != nil {
		return err
	}
	letter.ThreadID = threadID
	created, err := w.tx.UpsertLetter(ctx, &letter, r.facts.References)
	if err != nil {
		return err
	}
	if created {
		if err := w.introduce(ctx, a, &letter, r.facts); err != nil {
			return err
		}
	}
	loc := models.Location{
		LetterID: letter.ID, MailboxID: a.Folder.MailboxID, FolderID: a.Folder.ID, UIDValidity: a.Folder.UIDValidity,
		UID: r.copy.UID, Flags: r.copy.Flags, Size: r.copy.Size, HeaderHash: imapsync.HeaderHash(r.copy.Header),
		FirstLook: a.FirstLook, SeenAt: w.now,
	}
	if !r.copy.InternalDate.IsZero() {
		at := r.copy.InternalDate.UTC()
		loc.InternalDate = &at
	}
	if !created {
		if err := w.recognise(ctx, a.Folder, &loc); err != nil {
			return err
		}
	}
	if _, err := w.tx.AddLocation(ctx, &loc); err != nil {
		return err
	}
	w.threads[letter.ThreadID] = true
	return nil
}

// introduce does what is done once for a letter: links, its place on the thread's clock, and the event.
func (w *work) introduce(ctx context.Context, a imapsync.Arrival, letter *models.Letter, f inbound.Facts) error {
	if err := w.tx.TouchThread(ctx, letter.ThreadID, letter.ArrivedAt); err != nil {
		return err
	}
	linked, err := w.link(ctx, letter)
	if err != nil {
		return err
	}
	if linked && f.Text != "" { // strangers' bodies are not kept
		if err := w.tx.SetLetterText(ctx, letter.ID, f.Text); err != nil {
			return err
		}
	}
	kind, key := models.EventLetterArrived, "arrived"
	switch letter.Direction {
	case models.Outbound:
		kind, key = models.EventLetterSent, "sent"
	case models.Internal:
		return nil
	}
	id, box := letter.ID, a.Folder.MailboxID
	dedupe := fmt.Sprintf("%s/%d", key, id)
	_, err = w.tx.AddEvent(ctx, &models.Event{
		Kind: kind, OccurredAt: letter.ArrivedAt, RecordedAt: w.now, Actor: actor, DedupeKey: &dedupe, LetterID: &id,
		MailboxID: &box, Text: models.Say("daemon.event."+key, "Folder", models.Say("folder."+string(a.Folder.Role))),
	})
	return err
}

// recognise looks at where else in this mailbox the letter of a new copy lies or lay. A copy that turns up in another
// watched folder, without a move of ours that explains it, was put there by a person: it is left alone from then on.
func (w *work) recognise(ctx context.Context, f models.Folder, loc *models.Location) error {
	all, err := w.tx.LocationsOf(ctx, loc.LetterID)
	if err != nil {
		return err
	}
	filings, err := w.tx.FilingsOf(ctx, loc.LetterID)
	if err != nil {
		return err
	}
	for _, fl := range filings {
		if fl.State.Open() && fl.State != models.FilingPlanned && fl.TargetFolderID == f.ID && loc.UID >= fl.DestUIDNext {
			return nil // very likely our own move whose answer was lost; the Mover will look
		}
	}
	byPerson := false
	for _, l := range all {
		if l.MailboxID != loc.MailboxID {
			continue
		}
		switch {
		case l.FolderID == f.ID && l.UIDValidity != f.UIDValidity: // the folder was given new UIDs: the same copy
			loc.HandsOff = loc.HandsOff || l.HandsOff
			loc.FirstLook = l.FirstLook
		case l.FolderID == f.ID && l.GoneAt == nil: // a twin, delivered twice
		case l.Folder != nil && l.Folder.Role == models.FolderSent: // a letter to oneself
		default:
			byPerson = true
		}
	}
	if !byPerson || f.Role == models.FolderSent {
		return nil
	}
	loc.HandsOff = true
	return w.event(ctx, models.EventLetterMoved, fmt.Sprintf("person/%d/%d/%d", f.ID, f.UIDValidity, loc.UID), loc.LetterID,
		loc.MailboxID, models.Say("daemon.event.moved_by_person", "Folder", models.Say("folder."+string(f.Role))))
}

// subject is a letter as the linker wants to see it.
func (w *work) subject(l models.Letter) deals.Subject {
	return deals.Subject{Letter: l, Own: w.set.Own.Has, OwnDomain: func(d string) bool { return w.set.Own.Domains[d] }}
}

// link ties a new letter to its client and deal and reports whether it is tied to any.
func (w *work) link(ctx context.Context, letter *models.Letter) (bool, error) {
	res, err := w.linker.Link(ctx, w.subject(*letter))
	if err != nil {
		return false, err
	}
	for i := range res.Links {
		l := res.Links[i]
		l.LetterID, l.Actor, l.CreatedAt = letter.ID, actor, w.now
		if err := w.tx.AddLink(ctx, &l); err != nil {
			return false, err
		}
		id, client := letter.ID, l.ClientID
		dedupe := fmt.Sprintf("linked/%d/%d", id, l.ID)
		if _, err := w.tx.AddEvent(ctx, &models.Event{
			Kind: models.EventLetterLinked, OccurredAt: w.now, RecordedAt: w.now, Actor: actor, DedupeKey: &dedupe,
			LetterID: &id, ClientID: &client, DealID: l.DealID, Text: l.Evidence,
		}); err != nil {
			return false, err
		}
	}
	return len(res.Links) > 0, nil
}
