package imapsync

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
)

// How letters are asked for.
const (
	defaultHeaderCap = 256 << 10
	batchLetters     = 500     // asked for with one command; their UIDs fit into a line of 8,000 octets
	batchOctets      = 4 << 20 // of header and text together, kept of one batch
	maxTries         = 3       // failures that make a letter bad
	maxRedials       = 25      // connections that one Fetch may cost; it goes on where it stopped when called again
)

// failures remembers across connections how often a letter has broken one, so that a Fetch which was given up goes on
// where it stopped.
type failures struct {
	mu sync.Mutex
	n  map[copyKey]int
}

type copyKey struct {
	folder   string
	validity uint32
	uid      uint32
}

func (f *failures) add(k copyKey) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == nil || len(f.n) > 10000 {
		f.n = map[copyKey]int{}
	}
	f.n[k]++
	return f.n[k]
}

func (f *failures) count(k copyKey) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n[k]
}

func (f *failures) forget(k copyKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.n, k)
}

// fetchJob is one batch of letters on its way.
type fetchJob struct {
	c       *Conn
	textCap int
	room    int64                // octets of letters that may still be kept
	cut     uint32               // the first copy that there was no room for; 0: none
	sizes   map[uint32]*copyData // what was told about letters without the letters themselves
	partial map[uint32]shortSum  // what was answered about letters that came too short
	letters map[uint32]Fetched
	gone    map[uint32]bool
	bad     map[uint32]string
	redials int
}

// Fetch returns header and start of text of the given copies.
func (c *Conn) Fetch(ctx context.Context, uids []uint32, textCap int) (FetchAnswer, error) {
	var all FetchAnswer
	for len(uids) > 0 {
		a, rest, err := c.FetchWithin(ctx, uids, textCap, batchOctets)
		if err != nil {
			return FetchAnswer{}, err
		}
		all.Letters = append(all.Letters, a.Letters...)
		all.Gone = append(all.Gone, a.Gone...)
		all.Bad = append(all.Bad, a.Bad...)
		uids = rest
	}
	return all, nil
}

// FetchWithin returns header and start of text of the first of the given copies. One command brings them all; only where
// its answer leaves something open are copies asked for again.
func (c *Conn) FetchWithin(ctx context.Context, uids []uint32, textCap int, octets int64) (a FetchAnswer, rest []uint32, err error) {
	uids = slices.Compact(slices.Sorted(slices.Values(uids)))
	if len(uids) > 0 && uids[0] == 0 {
		uids = uids[1:]
	}
	if len(uids) == 0 {
		return FetchAnswer{}, nil, nil
	}
	j := &fetchJob{
		c: c, textCap: max(textCap, 0), room: octets, sizes: map[uint32]*copyData{}, partial: map[uint32]shortSum{},
		letters: make(map[uint32]Fetched, min(len(uids), batchLetters)), gone: map[uint32]bool{}, bad: map[uint32]string{},
	}
	now := uids[:min(len(uids), batchLetters)]
	if err := j.run(ctx, now); err != nil {
		return FetchAnswer{}, nil, err
	}
	if j.cut != 0 {
		i, _ := slices.BinarySearch(now, j.cut)
		now = now[:i]
	}
	return j.answer(now), uids[len(now):], nil
}

func (j *fetchJob) answer(uids []uint32) FetchAnswer {
	a := FetchAnswer{Letters: make([]Fetched, 0, len(j.letters))}
	for _, uid := range uids {
		reason, isBad := j.bad[uid]
		switch letter, ok := j.letters[uid]; {
		case ok:
			a.Letters = append(a.Letters, letter)
		case isBad:
			a.Bad = append(a.Bad, BadLetter{UID: uid, Reason: reason})
		default:
			a.Gone = append(a.Gone, uid)
		}
		j.c.dialer.failures.forget(j.key(uid))
	}
	return a
}

func (j *fetchJob) key(uid uint32) copyKey { return copyKey{j.c.folder, j.c.validity, uid} }

// run asks for copies, for those that have broken a connection before one by one.
func (j *fetchJob) run(ctx context.Context, uids []uint32) error {
	var batch, lone []uint32
	for _, uid := range uids {
		if j.c.dialer.failures.count(j.key(uid)) > 0 {
			lone = append(lone, uid)
		} else {
			batch = append(batch, uid)
		}
	}
	if err := j.batch(ctx, batch); err != nil {
		return err
	}
	if err := j.singles(ctx, lone); err != nil {
		return err
	}
	if err := j.makeSureGone(ctx); err != nil {
		return err
	}
	if j.cut != uids[0] {
		return nil
	}
	// Not even the first had room, because the server tells about them in an order of its own.
	j.cut = math.MaxUint32
	if len(uids) > 1 {
		j.cut = uids[1]
	}
	if err := j.single(ctx, uids[0]); err != nil {
		return err
	}
	return j.makeSureGone(ctx)
}

// skip notes that there was no room for a copy: it and all above it are left for another time.
func (j *fetchJob) skip(uid uint32) {
	if j.cut == 0 || uid < j.cut {
		j.cut = uid
	}
}

// below returns those of ascending UIDs that have not been left for another time.
func (j *fetchJob) below(uids []uint32) []uint32 {
	if j.cut == 0 {
		return uids
	}
	i, _ := slices.BinarySearch(uids, j.cut)
	return uids[:i]
}

// batch fetches several letters at once. Where the connection breaks, the first letter without an answer is suspected
// and asked for alone; if it was innocent, the rest is halved.
func (j *fetchJob) batch(ctx context.Context, uids []uint32) error {
	suspect := true
	for len(uids) > 0 {
		if len(uids) == 1 || j.room <= 0 {
			return j.singles(ctx, uids)
		}
		missing, err := j.load(ctx, uids, false)
		switch {
		case len(missing) == 0 && (err == nil || isRefusal(err)):
			return nil
		case err == nil:
			return j.settle(ctx, missing)
		case isRefusal(err):
			return j.refusedBatch(ctx, missing, err)
		}
		if err := j.revive(ctx, err); err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		n := 1
		if !suspect {
			n = max(len(missing)/2, 1)
		}
		if err := j.batch(ctx, missing[:n]); err != nil {
			return err
		}
		_, suspect = j.bad[missing[0]]
		uids = j.below(missing[n:])
	}
	return nil
}

func isRefusal(err error) bool {
	var refused *StatusError
	return errors.As(err, &refused)
}

// settle deals with copies that a complete answer left out or told too little about: those that are still there are
// asked for once more together, in one piece each, and then alone.
func (j *fetchJob) settle(ctx context.Context, missing []uint32) error {
	if len(missing) == 1 {
		return j.singles(ctx, missing)
	}
	there, err := j.stillThere(ctx, missing)
	if err != nil || len(there) == 0 {
		return err
	}
	if len(there) > 1 {
		again, err := j.load(ctx, there, true)
		if err != nil && !isRefusal(err) {
			if err := j.revive(ctx, err); err != nil {
				return err
			}
		}
		there = again
	}
	return j.singles(ctx, there)
}

// refusedBatch deals with a refusal, which may be about any of the copies that the answer left out: without those that
// have gone it is tried again, and then in halves.
func (j *fetchJob) refusedBatch(ctx context.Context, missing []uint32, err error) error {
	var refused *StatusError
	if errors.As(err, &refused) && isBusy(refused) {
		return j.c.dialer.account.refusal("UID FETCH", statusText{code: refused.Code, text: refused.Text})
	}
	there, err := j.stillThere(ctx, missing)
	if err != nil {
		return err
	}
	if len(there) < len(missing) || len(there) == 1 {
		return j.batch(ctx, there)
	}
	half := len(there) / 2
	if err := j.batch(ctx, there[:half]); err != nil {
		return err
	}
	return j.batch(ctx, j.below(there[half:]))
}

// stillThere notes which copies have gone, and returns the others. What it cannot find out counts as being there.
func (j *fetchJob) stillThere(ctx context.Context, uids []uint32) (there []uint32, err error) {
	ans, err := j.ask(ctx, uids, metaItems(), baseBudget, math.MaxInt64)
	if err != nil {
		if err := j.revive(ctx, err); err != nil && !isRefusal(err) {
			return nil, err
		}
		return uids, nil
	}
	for _, uid := range uids {
		d := ans.copies[uid]
		if d == nil && !ans.damaged {
			j.gone[uid] = true
			continue
		}
		if d != nil {
			j.sizes[uid] = d
		}
		there = append(there, uid)
	}
	return there, nil
}

// singles fetches letters one by one.
func (j *fetchJob) singles(ctx context.Context, uids []uint32) error {
	for _, uid := range j.below(uids) {
		if j.room <= 0 {
			j.skip(uid)
			return nil
		}
		if err := j.single(ctx, uid); err != nil {
			return err
		}
	}
	return nil
}

// single fetches one letter, with more and more care, until it is there, gone, or has failed three times. There is
// always room for it.
func (j *fetchJob) single(ctx context.Context, uid uint32) error {
	reason := "no usable answer"
	for {
		tries := j.c.dialer.failures.count(j.key(uid))
		if tries >= maxTries {
			j.bad[uid] = reason
			return nil
		}
		there, err := j.present(ctx, uid, tries > 0)
		if err != nil {
			if err := j.revive(ctx, err); err != nil {
				return err
			}
			continue
		}
		if !there {
			j.gone[uid] = true
			return nil
		}
		missing, err := j.load(ctx, []uint32{uid}, tries == 1)
		if len(missing) == 0 && err == nil {
			return nil
		}
		var refused *StatusError
		switch {
		case errors.As(err, &refused):
			if isBusy(refused) {
				return j.c.dialer.account.refusal("UID FETCH", statusText{code: refused.Code, text: refused.Text})
			}
			reason = refused.Error()
		case err != nil:
			if len(missing) == 0 {
				return j.revive(ctx, err)
			}
			reason = "the connection breaks: " + shortCause(err)
			j.c.dialer.failures.add(j.key(uid))
			if err := j.revive(ctx, err); err != nil {
				return err
			}
			continue
		default:
			reason = "the server gives an empty or partial letter"
		}
		j.c.dialer.failures.add(j.key(uid))
	}
}

func isBusy(e *StatusError) bool {
	switch e.Code {
	case "UNAVAILABLE", "LIMIT", "INUSE":
		return true
	}
	return busyWords.MatchString(e.Text)
}
