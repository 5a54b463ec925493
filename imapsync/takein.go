package imapsync

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kontrol/models"
)

// How fast letters are asked for. A batch grows while it comes quickly and shrinks when it takes long, so that slow
// servers stay far from the limit of a command's time.
const (
	firstBatch  = 50
	quickBatch  = 2 * time.Second
	slowBatch   = 10 * time.Second
	letterMost  = defaultHeaderCap // octets of a header that are kept at most, as far as the Syncer knows
	letterGuess = 16 << 10         // octets of a letter, before any is known
)

// pace learns from each batch how large the next may be. Its zero value asks for firstBatch letters.
type pace struct {
	letters int   // to be asked for at once
	each    int64 // octets of a letter, on average
}

// next returns how many of n letters to ask for, and how many octets to make room for.
func (p *pace) next(n, textCap int) (letters int, octets int64) {
	if p.letters == 0 {
		p.letters, p.each = firstBatch, letterGuess
	}
	n = min(n, p.letters, int(max(batchOctets/max(p.each, 1), 1)))
	return n, min(batchOctets, int64(n)*int64(letterMost+textCap))
}

// learn takes note of how a batch went.
func (p *pace) learn(letters int, octets int64, took time.Duration) {
	if letters == 0 {
		return
	}
	p.each = (p.each + octets/int64(letters) + 1) / 2
	switch {
	case took > slowBatch:
		p.letters = max(p.letters/2, 1)
	case took < quickBatch && letters >= p.letters/2:
		p.letters = min(2*p.letters, batchLetters)
	}
}

// catch is one batch on its way from the server to the store.
type catch struct {
	uids      []uint32 // all copies that the cursor passes with it, known ones included
	answer    FetchAnswer
	firstLook bool
	read      any // see Reader
	hold      *Hold
	err       error
}

// fetcher fetches the new copies of one folder, batch by batch in ascending order. It is used by one goroutine at a time.
type fetcher struct {
	w      *worker
	name   string
	before []uint32 // those that were there before us, and
	since  []uint32 // those that have come since: never in one batch
	known  []uint32 // copies that the store knows already, because Kontrol has moved them here; ascending
}

func (f *fetcher) done() bool { return len(f.before)+len(f.since) == 0 }

// next fetches one batch. What waits for memory can be called off with wait; ctx is for the commands.
func (f *fetcher) next(ctx, wait context.Context) (c catch) {
	defer func() {
		if p := recover(); p != nil {
			f.w.panicked(p)
			c.err = &panicError{p}
		}
	}()
	span := &f.since
	if len(f.before) > 0 {
		span, c.firstLook = &f.before, true
	}
	n, octets := f.w.pace.next(len(*span), f.w.cfg.TextCap)
	c.uids = (*span)[:n]
	ask := slices.DeleteFunc(slices.Clone(c.uids), func(u uint32) bool {
		_, known := slices.BinarySearch(f.known, u)
		return known
	})
	if len(ask) > 0 {
		if c.hold, c.err = f.w.cfg.Budget.Acquire(wait, octets); c.err != nil {
			return c
		}
		if rest := f.fetch(ctx, ask, &c); len(rest) > 0 {
			i, _ := slices.BinarySearch(c.uids, rest[0])
			c.uids = c.uids[:i]
		}
		if c.err == nil {
			c.read = f.w.read(c.answer.Letters)
		}
	}
	*span = (*span)[len(c.uids):]
	return c
}

// read lets the intake understand letters before they are its turn. A panic is left to the time when they arrive: then the
// letter that causes it is looked for.
func (w *worker) read(letters []Fetched) (read any) {
	r, ok := w.cfg.Intake.(Reader)
	if !ok || len(letters) == 0 {
		return nil
	}
	defer func() {
		if recover() != nil {
			read = nil
		}
	}()
	return r.Read(letters)
}

// fetch fills in the answer and returns what it did not come to.
func (f *fetcher) fetch(ctx context.Context, ask []uint32, c *catch) (rest []uint32) {
	start := f.w.cfg.Now()
	c.answer, rest, c.err = f.w.s.FetchWithin(ctx, ask, f.w.cfg.TextCap, c.hold.Octets())
	if c.err != nil {
		c.err = fmt.Errorf("fetch from %s: %w", f.name, c.err)
		return nil
	}
	n := len(c.answer.Letters) + len(c.answer.Gone) + len(c.answer.Bad)
	if n == 0 || n+len(rest) != len(ask) {
		c.err = fmt.Errorf("fetch from %s: asked for %d copies, heard of %d and %d left", f.name, len(ask), n, len(rest))
		return nil
	}
	octets := int64(0)
	for _, l := range c.answer.Letters {
		octets += int64(len(l.Header) + len(l.Text))
	}
	c.hold.Shrink(octets)
	f.w.pace.learn(len(c.answer.Letters), octets, f.w.cfg.Now().Sub(start))
	return rest
}

// takeIn hands new copies to the intake in ascending batches and moves the cursor with each. While one batch is being
// stored the next is being fetched. It stops early when moves have waited long enough. It returns how many UIDs the
// cursor has passed. See takeAll for aside, which may be nil.
func (w *worker) takeIn(ctx context.Context, d *folder, metas []Meta, aside aside) (int, error) {
	var uids []uint32
	for _, m := range metas {
		if m.UID > d.f.LastUID {
			uids = append(uids, m.UID)
		}
	}
	if len(uids) == 0 {
		return 0, nil
	}
	slices.Sort(uids)
	uids = slices.Compact(uids)
	live, err := w.cfg.Folders.Copies(ctx, d.f.ID, d.f.UIDValidity, uids[0], uids[len(uids)-1])
	if err != nil {
		return 0, storing("read known copies", err)
	}
	known := make([]uint32, 0, len(live))
	for _, l := range live {
		known = append(known, l.UID)
	}
	cut, _ := slices.BinarySearch(uids, d.f.FirstUID)
	f := &fetcher{w: w, name: d.f.Name, before: uids[:cut], since: uids[cut:], known: known}
	if err := w.takeBatches(ctx, d, f, aside); err != nil {
		return 0, err
	}
	taken, passed := slices.BinarySearch(uids, d.f.LastUID)
	if passed {
		taken++
	}
	return taken, nil
}

// movesDue reports whether moves that came of letters taken in have waited long enough.
func (w *worker) movesDue() bool {
	return w.stored && !w.movedAt.IsZero() && w.cfg.Now().Sub(w.movedAt) >= w.cfg.Timing.MoveEvery
}

// takeBatches stores batch after batch. The session belongs to the goroutine that fetches ahead for as long as that runs.
func (w *worker) takeBatches(ctx context.Context, d *folder, f *fetcher, aside aside) error {
	wait, callOff := context.WithCancel(w.ctx)
	defer callOff()
	c, err := w.firstBatch(ctx, wait, callOff, f, aside)
	if err != nil {
		return err
	}
	for {
		var ahead chan catch
		if c.err == nil && !f.done() && w.ctx.Err() == nil && !w.movesDue() {
			ahead = make(chan catch, 1)
			go func() { ahead <- f.next(ctx, wait) }()
		}
		err := c.err
		if err == nil {
			err = w.take(ctx, d, c)
		}
		c.hold.Release()
		if err != nil {
			callOff()
		}
		if ahead == nil {
			if err == nil && !f.done() {
				err = w.ctx.Err()
			}
			return err
		}
		c = <-ahead
		if err != nil {
			c.hold.Release()
			return err
		}
	}
}

// firstBatch fetches the first batch, and does what is to be done aside in the meantime.
func (w *worker) firstBatch(ctx, wait context.Context, callOff func(), f *fetcher, aside aside) (catch, error) {
	if aside == nil {
		return f.next(ctx, wait), nil
	}
	first := make(chan catch, 1)
	go func() { first <- f.next(ctx, wait) }()
	err := w.guarded(func() error { return aside(ctx, true) })
	if err != nil {
		callOff()
	}
	c := <-first // the session belongs to that goroutine until then
	if err != nil {
		c.hold.Release()
	}
	return c, err
}

// guarded turns a panic into an error.
func (w *worker) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked(p)
			err = &panicError{p}
		}
	}()
	return f()
}

// take stores one batch together with the new cursor. Copies that the store knows already only move the cursor.
func (w *worker) take(ctx context.Context, d *folder, c catch) error {
	a := Arrival{Folder: d.f, Letters: c.answer.Letters, Bad: c.answer.Bad, FirstLook: c.firstLook, Read: c.read}
	a.Folder.LastUID = c.uids[len(c.uids)-1]
	if len(a.Letters)+len(a.Bad) == 0 {
		if err := w.cfg.Folders.SaveFolder(ctx, &a.Folder); err != nil {
			return storing("save cursor", err)
		}
		d.f.LastUID = a.Folder.LastUID
		return nil
	}
	w.stored = true
	return w.arrived(ctx, d, a)
}

// arrived hands a batch to the intake. When the intake cannot take it and it is no passing trouble, the batch is
// halved until the one letter is found that cannot be taken; after some tries that letter goes into quarantine.
func (w *worker) arrived(ctx context.Context, d *folder, a Arrival) error {
	err := w.offer(ctx, a)
	if err == nil {
		d.f.LastUID = a.Folder.LastUID
		return nil
	}
	if models.IsTemporary(err) || ctx.Err() != nil || len(a.Letters) == 0 {
		return storing("take in letters", err)
	}
	if len(a.Letters) > 1 {
		left, right := halves(a)
		if err := w.arrived(ctx, d, left); err != nil {
			return err
		}
		return w.arrived(ctx, d, right)
	}
	uid := a.Letters[0].UID
	key := tried{d.f.ID, d.f.UIDValidity, uid}
	if w.poisoned[key]++; w.poisoned[key] < poisonTries {
		return storing(fmt.Sprintf("take in letter %d", uid), err)
	}
	w.logger.Error("letter cannot be taken in, put into quarantine", "role", d.f.Role, "uid", uid, "error", err)
	a.Letters, a.Read = nil, nil
	a.Bad = append(slices.Clone(a.Bad), BadLetter{UID: uid, Reason: "cannot be taken in: " + err.Error()})
	slices.SortFunc(a.Bad, func(x, y BadLetter) int { return int(int64(x.UID) - int64(y.UID)) })
	return w.arrived(ctx, d, a)
}

// tried names a copy that the intake could not take.
type tried struct {
	folder      int64
	uidValidity uint32
	uid         uint32
}

// halves cuts an arrival in two by UID.
func halves(a Arrival) (left, right Arrival) {
	left, right = a, a
	n := len(a.Letters) / 2
	last := a.Letters[n].UID - 1
	left.Letters, right.Letters = a.Letters[:n], a.Letters[n:]
	left.Folder.LastUID = last
	left.Bad, right.Bad = nil, nil
	left.Read, right.Read = nil, nil
	for _, b := range a.Bad {
		if b.UID <= last {
			left.Bad = append(left.Bad, b)
		} else {
			right.Bad = append(right.Bad, b)
		}
	}
	return left, right
}

// offer calls the intake and turns a panic in it into an error, so that one letter cannot stop a mailbox.
func (w *worker) offer(ctx context.Context, a Arrival) error {
	return w.guarded(func() error { return w.cfg.Intake.Arrived(ctx, a) })
}
