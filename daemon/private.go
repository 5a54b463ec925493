package daemon

import (
	"context"
	"slices"

	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// What is private or between colleagues is never stored. The copy has to be known all the same, or it would be fetched
// again at every look; so a letter without any of its words stands for it: its fingerprint, class and time.

// isPrivate reports whether a letter is nobody's business: it comes from somebody on the private list, or was sent to
// nobody else outside, or lies in the private folder.
func (w *work) isPrivate(f models.Folder, l models.Letter) bool {
	if f.Role == models.FolderPrivate || l.Class == models.ClassPrivate {
		return true
	}
	if !w.set.Own.Has(l.FromAddress) {
		return w.set.Private.Has(l.FromAddress)
	}
	outside := slices.DeleteFunc(slices.Concat(l.To, l.Cc), w.set.Own.Has)
	return len(outside) > 0 && !slices.ContainsFunc(outside, func(a string) bool { return !w.set.Private.Has(a) })
}

// hushed leaves of a letter that must not be stored what may be. It reports false for letters that are stored.
func (w *work) hushed(f models.Folder, facts inbound.Facts) (inbound.Facts, bool) {
	l := facts.Letter
	switch {
	case w.isPrivate(f, l):
		l.Class, l.ClassReason = models.ClassPrivate, models.Say("inbound.class.private")
	case l.Direction != models.Internal && l.Class != models.ClassInternal:
		return facts, false
	}
	return inbound.Facts{Letter: models.Letter{
		Fingerprint: l.Fingerprint, Direction: l.Direction, Class: l.Class, ClassReason: l.ClassReason, ArrivedAt: l.ArrivedAt, Size: l.Size,
	}}, true
}

// takeHushed stores what stands for a letter that must not be stored, in a thread of its own. Of a letter between
// colleagues that forwards what somebody outside has written, the suggestion is kept, and its header with it: it is about a
// client. Its text is not.
func (w *work) takeHushed(ctx context.Context, facts inbound.Facts, quiet inbound.Facts) (models.Letter, error) {
	letter := quiet.Letter
	var suggested []models.Proposal
	if letter.Class != models.ClassPrivate {
		found, err := w.linker.Link(ctx, w.subjectOf(facts.Letter, facts))
		if err != nil {
			return letter, err
		}
		if suggested = found.Proposals; len(suggested) > 0 && !w.set.Private.Has(inner(facts)) {
			letter = facts.Letter
		} else {
			suggested = nil
		}
	}
	letter.CreatedAt = w.now
	if letter.ArrivedAt.IsZero() {
		letter.ArrivedAt = w.now
	}
	store.FitLetter(&letter)
	letter.ThreadID = w.staged.begin(models.Thread{BaseSubject: letter.BaseSubject, LastAt: letter.ArrivedAt, CreatedAt: w.now})
	w.dir.began(letter.ThreadID)
	letter.ID = w.staged.letterID()
	w.staged.add(letter, nil, nil)
	w.suggest(letter, suggested)
	return letter, nil
}

// inner is the address from which came what the letter forwards.
func inner(facts inbound.Facts) string {
	_, address := inbound.Forwarded(facts.Letter.Subject, facts.Text)
	return address
}

// forget takes everything out of a letter that was stored already and that a person has put among the private ones.
func (w *work) forget(ctx context.Context, f models.Folder, letter *models.Letter) error {
	if f.Role != models.FolderPrivate || letter.Class == models.ClassPrivate {
		return nil
	}
	letter.Class = models.ClassPrivate
	for _, l := range w.staged.letters { // it came in the same batch, twice
		if l.ID == letter.ID {
			return nil
		}
	}
	return w.tx.ForgetLetter(ctx, letter.ID, models.Say("inbound.class.private"))
}
