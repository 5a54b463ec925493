package daemon

import (
	"context"
	"fmt"
	"slices"

	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// takeBatch stores the copies of one batch and puts the unreadable ones into quarantine.
func (w *work) takeBatch(ctx context.Context, a imapsync.Arrival, read []reading) error {
	fresh, back, err := w.unknownCopies(ctx, a.Folder, read)
	if err != nil {
		return err
	}
	if err := w.strip(ctx, fresh); err != nil {
		return err
	}
	if err := w.prepare(ctx, fresh, back); err != nil {
		return err
	}
	var taken []uint32
	for _, r := range fresh {
		if r.err != nil {
			err = w.quarantine(ctx, a.Folder, imapsync.BadLetter{UID: r.copy.UID, Reason: r.err.Error()})
		} else {
			taken = append(taken, r.copy.UID)
			err = w.take(ctx, a, r, back[r.copy.UID])
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
	return w.tx.ResolveQuarantine(ctx, a.Folder.ID, a.Folder.UIDValidity, taken, w.now)
}

// unknownCopies leaves out the copies that were taken in before a crash or moved here by us. One that was taken for gone
// and is there again (it is named in back) is taken in again.
func (w *work) unknownCopies(ctx context.Context, f models.Folder, read []reading) (fresh []reading, back map[uint32]bool, err error) {
	uids := make([]uint32, 0, len(read))
	for _, r := range read {
		uids = append(uids, r.copy.UID)
	}
	back, err = w.tx.KnownUIDs(ctx, f.ID, f.UIDValidity, uids)
	if err != nil {
		return nil, nil, err
	}
	have := make(map[uint32]bool, len(read))
	for uid, gone := range back {
		have[uid] = !gone
	}
	fresh = make([]reading, 0, len(read))
	for _, r := range read {
		if !have[r.copy.UID] {
			fresh = append(fresh, r)
			have[r.copy.UID] = true
		}
	}
	return fresh, back, nil
}

// prepare reads at once what taking in the letters of a batch will ask for, and reserves the IDs that it will give.
func (w *work) prepare(ctx context.Context, list []reading, back map[uint32]bool) error {
	prints := make([]string, 0, len(list))
	copies := 0
	for _, r := range list {
		if r.err == nil {
			prints = append(prints, r.facts.Letter.Fingerprint)
			if !back[r.copy.UID] {
				copies++
			}
		}
	}
	var err error
	if w.known, err = w.tx.KnownLetters(ctx, prints); err != nil {
		return err
	}
	if err := w.loadHistory(ctx); err != nil {
		return err
	}
	facts, letters := make([]inbound.Facts, 0, len(list)), make([]models.Letter, 0, len(list))
	unknown := map[string]bool{}
	for _, r := range list {
		if _, ok := w.known[r.facts.Letter.Fingerprint]; !ok && r.err == nil {
			unknown[r.facts.Letter.Fingerprint] = true
			facts, letters = append(facts, r.facts), append(letters, r.facts.Letter)
		}
	}
	if err := w.reserve(ctx, len(unknown), copies); err != nil {
		return err
	}
	if err := w.loadIndex(ctx, facts); err != nil {
		return err
	}
	return w.dir.foresee(ctx, letters)
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
	w.event(models.EventLetterQuarantined, fmt.Sprintf("quarantine/%d/%d/%d", f.ID, f.UIDValidity, b.UID), 0, f.MailboxID,
		models.Say("daemon.event.quarantined", "Folder", folderName(f)))
	return nil
}

// folderName is how people call a folder.
func folderName(f models.Folder) models.Phrase { return models.Say("folder." + string(f.Role)) }

// take stores one copy: the letter if it is new, its thread and links, and where it lies.
func (w *work) take(ctx context.Context, a imapsync.Arrival, r reading, back bool) error {
	letter, known := w.known[r.facts.Letter.Fingerprint]
	if known {
		if err := w.forget(ctx, a.Folder, &letter); err != nil {
			return err
		}
		w.known[letter.Fingerprint] = letter
	} else {
		var err error
		if letter, err = w.takeLetter(ctx, a.Folder, r.facts); err != nil {
			return err
		}
		w.known[letter.Fingerprint] = letter
	}
	loc := models.Location{
		LetterID: letter.ID, MailboxID: a.Folder.MailboxID, FolderID: a.Folder.ID, UIDValidity: a.Folder.UIDValidity,
		UID: r.copy.UID, Flags: r.copy.Flags, Size: r.copy.Size, HeaderHash: r.hash,
		FirstLook: a.FirstLook, SeenAt: w.now,
	}
	if !r.copy.InternalDate.IsZero() {
		at := r.copy.InternalDate.UTC()
		loc.InternalDate = &at
	}
	if known {
		if err := w.recognise(ctx, a.Folder, &loc); err != nil {
			return err
		}
	}
	if back { // it keeps the letter that it was first bound to
		if _, err := w.tx.AddLocation(ctx, &loc); err != nil {
			return err
		}
	} else {
		loc.ID = w.staged.copyID()
		w.staged.copies = append(w.staged.copies, loc)
	}
	folder := a.Folder
	loc.Folder = &folder
	w.copies[letter.ID] = append(w.copies[letter.ID], loc)
	w.letters[loc.LetterID] = true
	return nil
}

// takeLetter stores a letter that is not known: its thread, its links and the event.
func (w *work) takeLetter(ctx context.Context, f models.Folder, facts inbound.Facts) (models.Letter, error) {
	if quiet, hushed := w.hushed(f, facts); hushed {
		return w.takeHushed(ctx, facts, quiet)
	}
	letter := facts.Letter
	letter.CreatedAt = w.now
	if letter.ArrivedAt.IsZero() { // no clock in it can be read
		letter.ArrivedAt = w.now
	}
	store.FitLetter(&letter)
	var err error
	if letter.ThreadID, err = w.threadFor(ctx, &letter, facts); err != nil {
		return letter, err
	}
	found, err := w.linker.Link(ctx, w.subjectOf(letter, facts))
	if err != nil {
		return letter, err
	}
	if len(found.Links) > 0 { // strangers' bodies are not kept
		letter.Text = facts.Text
	}
	letter.ID = w.staged.letterID()
	// Under an id that a relay has replaced the letter may be answered as well: it names its own earlier self.
	refs := slices.Concat(facts.OtherIDs, facts.References)
	w.staged.add(letter, refs, found.Links)
	links := w.tie(letter, found.Links)
	w.index.add(letter, slices.Concat(facts.OtherIDs, newest(facts)))
	letter.Text = ""
	w.dir.joined(letter, links)
	w.suggest(letter, found.Proposals)
	w.introduce(f, letter)
	w.reach(letter, facts)
	return letter, nil
}

// introduce records that a letter has come or was sent.
func (w *work) introduce(f models.Folder, letter models.Letter) {
	kind, key := models.EventLetterArrived, "arrived"
	switch letter.Direction {
	case models.Outbound:
		kind, key = models.EventLetterSent, "sent"
	case models.Internal:
		return
	case models.Inbound:
	}
	w.event(kind, fmt.Sprintf("%s/%d", key, letter.ID), letter.ID, f.MailboxID,
		models.Say("daemon.event."+key, "Folder", folderName(f))).OccurredAt = letter.ArrivedAt
}

// tie stages the links that were found for a letter and returns them. They have their IDs when they are stored; until then
// they have some that come after all others, in their order.
func (w *work) tie(letter models.Letter, found []models.Link) []models.Link {
	links := make([]models.Link, 0, len(found))
	for _, l := range found {
		l.LetterID, l.Actor, l.CreatedAt = letter.ID, actor, w.now
		l.ID = w.staged.provisional()
		l.Client = w.dir.client(l.ClientID)
		stored := l
		stored.Client = nil
		w.staged.links = append(w.staged.links, &stored)
		e := w.event(models.EventLetterLinked, "", letter.ID, 0, l.Evidence)
		e.ClientID, e.DealID = &stored.ClientID, stored.DealID
		w.staged.linked = append(w.staged.linked, e)
		links = append(links, l)
	}
	return links
}
