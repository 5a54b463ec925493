package daemon

import (
	"context"
	"slices"

	"kontrol/inbound"
	"kontrol/models"
)

// maxReferences bounds how many of a letter's references are looked up: the newest ones matter.
const maxReferences = 50

// threadFor finds the conversation a letter belongs to, or begins one. Message-IDs named in References and In-Reply-To
// decide; only a letter that names none may join by its base subject, and only a reply among letters of the same client.
// When the letter shows that several threads are one, they become one.
func (w *work) threadFor(ctx context.Context, letter *models.Letter, f inbound.Facts) (int64, error) {
	refs := f.References
	if len(refs) > maxReferences {
		refs = refs[len(refs)-maxReferences:]
	}
	threads, err := w.threadsNamed(ctx, letter, refs, f.OtherIDs)
	if err != nil {
		return 0, err
	}
	if len(threads) == 0 && len(refs) == 0 && inbound.IsReply(letter.Subject) {
		threads, err = w.threadsBySubject(ctx, letter)
		if err != nil {
			return 0, err
		}
	}
	if len(threads) == 0 {
		t := models.Thread{BaseSubject: letter.BaseSubject, LastAt: letter.ArrivedAt, CreatedAt: w.now}
		if err := w.tx.CreateThread(ctx, &t); err != nil {
			return 0, err
		}
		return t.ID, nil
	}
	slices.Sort(threads)
	threads = slices.Compact(threads)
	for _, younger := range threads[1:] {
		if err := w.tx.MergeThreads(ctx, threads[0], younger); err != nil {
			return 0, err
		}
		delete(w.threads, younger)
	}
	return threads[0], nil
}

// threadsNamed returns the threads of the letters that this one names, that name this one, or that name the same letter.
func (w *work) threadsNamed(ctx context.Context, letter *models.Letter, refs, others []string) ([]int64, error) {
	ids := slices.Clone(refs)
	if letter.MessageID != "" {
		ids = append(ids, letter.MessageID)
	}
	ids = append(ids, others...)
	if len(ids) == 0 {
		return nil, nil
	}
	named, err := w.tx.LettersByMessageIDs(ctx, slices.Concat(refs, others))
	if err != nil {
		return nil, err
	}
	naming, err := w.tx.LettersReferring(ctx, ids)
	if err != nil {
		return nil, err
	}
	threads := make([]int64, 0, len(named)+len(naming))
	for _, l := range slices.Concat(named, naming) {
		threads = append(threads, l.ThreadID)
	}
	return threads, nil
}

// threadsBySubject returns the newest thread with the same base subject among the recent letters of the letter's client.
func (w *work) threadsBySubject(ctx context.Context, letter *models.Letter) ([]int64, error) {
	if letter.BaseSubject == "" || (letter.Direction != models.Inbound && letter.Direction != models.Outbound) {
		return nil, nil
	}
	found, err := w.linker.Link(ctx, w.subject(*letter))
	if err != nil || len(found.Links) != 1 {
		return nil, err
	}
	since := letter.ArrivedAt.Add(-subjectWindow)
	same, err := w.tx.LettersBySubject(ctx, letter.BaseSubject, found.Links[0].ClientID, since)
	if err != nil || len(same) == 0 {
		return nil, err
	}
	newest := slices.MaxFunc(same, func(a, b models.Letter) int { return a.ArrivedAt.Compare(b.ArrivedAt) })
	return []int64{newest.ThreadID}, nil
}
