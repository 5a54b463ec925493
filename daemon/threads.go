package daemon

import (
	"context"
	"errors"
	"slices"

	"kontrol/inbound"
	"kontrol/models"
)

// maxReferences bounds how many of a letter's references are looked up: the newest ones matter.
const maxReferences = 50

// subjectWindow is how far back a letter without references may join a conversation of its client by subject alone.
const subjectWindow = inbound.SubjectWindow

// threadIndex knows in which threads the Message-IDs of a batch occur. It is read once for a batch and kept up to date
// while its letters are stored.
type threadIndex struct {
	named  map[string][]int64 // threads of the letters that have the Message-ID
	naming map[string][]int64 // threads of the letters that name it
	into   map[int64]int64    // an emptied thread → where its letters are now
}

// newest returns the references of a letter that are looked up, with the letter that a report is about: it continues that
// one as an answer would.
func newest(f inbound.Facts) []string {
	refs := f.References[max(len(f.References)-maxReferences, 0):]
	if f.Bounce != nil && f.Bounce.OriginalMessageID != "" {
		return append(slices.Clone(refs), f.Bounce.OriginalMessageID)
	}
	return refs
}

// loadIndex reads in which threads the Message-IDs of the letters occur.
func (w *work) loadIndex(ctx context.Context, list []inbound.Facts) error {
	var theirs, all []string
	for _, f := range list {
		theirs = append(append(theirs, newest(f)...), f.OtherIDs...)
		if f.Letter.MessageID != "" {
			all = append(all, f.Letter.MessageID)
		}
	}
	all = append(all, theirs...)
	var err error
	if w.index.named, err = w.tx.ThreadsNamed(ctx, theirs); err != nil {
		return err
	}
	if w.index.naming, err = w.tx.ThreadsNaming(ctx, all); err != nil {
		return err
	}
	var threads []int64
	for _, m := range []map[string][]int64{w.index.named, w.index.naming} {
		for _, ids := range m {
			threads = append(threads, ids...)
		}
	}
	slices.Sort(threads)
	return w.dir.loadThreads(ctx, slices.Compact(threads))
}

// now returns where the letters of a thread are now.
func (x *threadIndex) now(id int64) int64 {
	for {
		to, ok := x.into[id]
		if !ok {
			return id
		}
		id = to
	}
}

// find returns the threads of the letters that this one names, that name this one, or that name the same letter, the
// eldest first.
func (x *threadIndex) find(own string, refs, others []string) []int64 {
	var threads []int64
	for _, id := range slices.Concat(refs, others) {
		threads = append(threads, x.named[id]...)
	}
	for _, id := range slices.Concat(refs, others, []string{own}) {
		if id != "" {
			threads = append(threads, x.naming[id]...)
		}
	}
	for i, id := range threads {
		threads[i] = x.now(id)
	}
	slices.Sort(threads)
	return slices.Compact(threads)
}

// add notes a letter that was put into a thread.
func (x *threadIndex) add(l models.Letter, refs []string) {
	if l.MessageID != "" {
		x.named[l.MessageID] = append(x.named[l.MessageID], l.ThreadID)
	}
	for _, id := range refs {
		x.naming[id] = append(x.naming[id], l.ThreadID)
	}
}

// threadFor finds the conversation a new letter belongs to, or begins one. Message-IDs named in References and
// In-Reply-To decide; only a letter that names none may join by its base subject, and only a reply among letters of the
// same client. inbound.Threads has the same rules, but that it need not wait for letters that are named and not there. When the letter shows that several threads are one, they become one.
func (w *work) threadFor(ctx context.Context, letter *models.Letter, f inbound.Facts) (int64, error) {
	threads := w.index.find(letter.MessageID, newest(f), f.OtherIDs)
	if len(threads) == 0 && len(f.References) == 0 && inbound.IsReply(letter.Subject) {
		id, err := w.threadBySubject(ctx, letter)
		if err != nil {
			return 0, err
		}
		if id != 0 {
			threads = []int64{id}
		}
	}
	if len(threads) == 0 {
		id := w.staged.begin(models.Thread{BaseSubject: letter.BaseSubject, LastAt: letter.ArrivedAt, CreatedAt: w.now})
		w.dir.began(id)
		return id, nil
	}
	for _, younger := range threads[1:] {
		if err := w.merge(ctx, threads[0], younger); err != nil {
			return 0, err
		}
	}
	w.staged.touch(threads[0], letter.ArrivedAt)
	return threads[0], nil
}

// merge empties the younger thread into the elder.
func (w *work) merge(ctx context.Context, elder, younger int64) error {
	if w.staged.isNew(younger) {
		w.staged.merge(elder, younger)
	} else if err := w.tx.MergeThreads(ctx, elder, younger); err != nil {
		return err
	}
	w.staged.inherit(elder, younger)
	w.index.into[younger] = elder
	w.dir.merged(elder, younger)
	return nil
}

// threadBySubject returns the thread of the newest letter with the same base subject among those that the letter's client
// has exchanged with us within the window before it; 0 when there is none.
func (w *work) threadBySubject(ctx context.Context, letter *models.Letter) (int64, error) {
	if letter.BaseSubject == "" || (letter.Direction != models.Inbound && letter.Direction != models.Outbound) {
		return 0, nil
	}
	found, err := w.linker.Link(ctx, w.subject(*letter))
	if err != nil || len(found.Links) != 1 {
		return 0, err
	}
	client, since := found.Links[0].ClientID, letter.ArrivedAt.Add(-subjectWindow)
	newest, err := w.tx.ThreadBySubject(ctx, letter.BaseSubject, client, since, letter.ArrivedAt) // a letter cannot answer what came later
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return 0, err
	}
	if l, ok := w.staged.bySubject(letter.BaseSubject, client, since, letter.ArrivedAt); ok && (newest.ID == 0 || !l.ArrivedAt.Before(newest.ArrivedAt)) {
		newest = l // it has the greater ID
	}
	return w.index.now(newest.ThreadID), nil
}
