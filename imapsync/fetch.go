package imapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"

	"kontrol/models"
)

// How letters are asked for.
const (
	defaultHeaderCap = 256 << 10
	batchLetters     = 50
	batchOctets      = 8 << 20
	sizesAtOnce      = 500
	maxTries         = 3  // failures that make a letter bad
	maxRedials       = 25 // connections that one Fetch may cost; it goes on where it stopped when called again
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

// fetchJob is one call of Fetch.
type fetchJob struct {
	c       *Conn
	textCap int
	sizes   map[uint32]*copyData // what the first look told
	letters map[uint32]Fetched
	gone    map[uint32]bool
	bad     map[uint32]string
	redials int
}

// Fetch returns header and start of text of the given copies.
func (c *Conn) Fetch(ctx context.Context, uids []uint32, textCap int) (FetchAnswer, error) {
	uids = slices.Compact(slices.Sorted(slices.Values(uids)))
	if len(uids) > 0 && uids[0] == 0 {
		uids = uids[1:]
	}
	j := &fetchJob{
		c: c, textCap: max(textCap, 0), sizes: map[uint32]*copyData{}, letters: map[uint32]Fetched{},
		gone: map[uint32]bool{}, bad: map[uint32]string{},
	}
	for rest := uids; len(rest) > 0; {
		n := min(len(rest), sizesAtOnce)
		if err := j.chunk(ctx, rest[:n]); err != nil {
			return FetchAnswer{}, err
		}
		rest = rest[n:]
	}
	if err := j.makeSureGone(ctx); err != nil {
		return FetchAnswer{}, err
	}
	return j.answer(uids), nil
}

func (j *fetchJob) answer(uids []uint32) FetchAnswer {
	var a FetchAnswer
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

// chunk learns the sizes of some copies and then asks for them in batches.
func (j *fetchJob) chunk(ctx context.Context, uids []uint32) error {
	o := &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
	ans, err := j.ask(ctx, uids, o, baseBudget)
	if err = j.revive(ctx, err); err != nil && !isRefusal(err) {
		return err
	}
	for uid, d := range ans.copies {
		j.sizes[uid] = d
	}
	var batch, lone []uint32
	weight := int64(0)
	for _, uid := range uids {
		d := j.sizes[uid]
		if d == nil || j.c.dialer.failures.count(j.key(uid)) > 0 {
			lone = append(lone, uid) // gone, or to be handled with care
			continue
		}
		w := j.weight(uid)
		if len(batch) == batchLetters || (len(batch) > 0 && weight+w > batchOctets) {
			if err := j.batch(ctx, batch); err != nil {
				return err
			}
			batch, weight = nil, 0
		}
		batch, weight = append(batch, uid), weight+w
	}
	if err := j.batch(ctx, batch); err != nil {
		return err
	}
	for _, uid := range lone {
		if err := j.single(ctx, uid); err != nil {
			return err
		}
	}
	return nil
}

// weight is how many octets of a letter are asked for at most.
func (j *fetchJob) weight(uid uint32) int64 {
	most := int64(j.c.dialer.account.HeaderCap + j.textCap)
	if d := j.sizes[uid]; d != nil && d.size > 0 {
		return min(d.size, most)
	}
	return most
}

// batch fetches several letters at once. Where the connection breaks, the first letter without an answer is suspected
// and asked for alone; if it was innocent, the rest is halved.
func (j *fetchJob) batch(ctx context.Context, uids []uint32) error {
	suspect := true
	for len(uids) > 0 {
		if len(uids) == 1 {
			return j.single(ctx, uids[0])
		}
		missing, err := j.load(ctx, uids, false)
		if err == nil || isRefusal(err) {
			for _, uid := range missing {
				if err := j.single(ctx, uid); err != nil {
					return err
				}
			}
			return nil
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
		uids = missing[n:]
	}
	return nil
}

func isRefusal(err error) bool {
	var refused *StatusError
	return errors.As(err, &refused)
}

// single fetches one letter, with more and more care, until it is there, gone, or has failed three times.
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
		missing, err := j.load(ctx, []uint32{uid}, tries == maxTries-1)
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

// present asks whether a copy is still there. A refusal is an error: it proves nothing about the letter.
func (j *fetchJob) present(ctx context.Context, uid uint32, refresh bool) (bool, error) {
	if refresh {
		if err := j.c.noop(ctx); err != nil {
			return false, err
		}
	}
	o := &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
	ans, err := j.ask(ctx, []uint32{uid}, o, baseBudget)
	if err != nil {
		return false, err
	}
	if d := ans.copies[uid]; d != nil {
		j.sizes[uid] = d
		return true, nil
	}
	if ans.damaged {
		return true, nil // something was said, if not readably
	}
	return false, nil
}

// ask runs one UID FETCH for exactly these copies.
func (j *fetchJob) ask(ctx context.Context, uids []uint32, o *imap.FetchOptions, budget int64) (*answers, error) {
	wanted := make(map[uint32]bool, len(uids))
	var set imap.UIDSet
	for _, uid := range uids {
		wanted[uid] = true
		set.AddNum(imap.UID(uid))
	}
	ans := newAnswers(j.c.dialer.account.HeaderCap, j.textCap, func(uid uint32) bool { return wanted[uid] })
	return j.c.fetchCommand(ctx, set, ans, budget, o)
}

// load asks for the letters themselves and keeps the usable ones; it returns the others. With whole set it asks for the
// letter in one piece, which is cut here.
func (j *fetchJob) load(ctx context.Context, uids []uint32, whole bool) (missing []uint32, err error) {
	a := j.c.dialer.account
	header := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}
	o := &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
	budget := int64(baseBudget)
	for _, uid := range uids {
		d := j.sizes[uid]
		if d == nil || d.size == 0 || d.size > int64(a.HeaderCap) {
			header.Partial = &imap.SectionPartial{Size: int64(a.HeaderCap)}
		}
		budget += 2 * j.weight(uid)
		if d != nil {
			budget += d.size + d.size/4 // some servers send all when asked for a part
		}
	}
	o.BodySection = []*imap.FetchItemBodySection{header}
	if j.textCap > 0 {
		o.BodySection = append(o.BodySection, &imap.FetchItemBodySection{
			Specifier: imap.PartSpecifierText, Peek: true, Partial: &imap.SectionPartial{Size: int64(j.textCap)},
		})
	}
	if whole {
		o.BodySection = []*imap.FetchItemBodySection{{Peek: true, Partial: &imap.SectionPartial{Size: int64(a.HeaderCap + j.textCap)}}}
	}
	ans, err := j.ask(ctx, uids, o, budget)
	for _, uid := range uids {
		d := ans.copies[uid]
		if d == nil || !j.take(uid, d, whole) {
			missing = append(missing, uid)
		}
	}
	return missing, err
}

// take keeps a letter if the answer is good enough.
func (j *fetchJob) take(uid uint32, d *copyData, last bool) bool {
	if first := j.sizes[uid]; first != nil {
		d.merge(&copyData{date: first.date, size: first.size})
		if !d.hasFlags {
			d.flags = first.flags
		}
	}
	if last && len(d.header) == 0 {
		d.header, d.text = splitLetter(d.whole)
		d.text = d.text[:min(len(d.text), j.textCap)]
	}
	if len(d.header) == 0 || isStub(d.header, d.text) {
		return false
	}
	if j.textCap > 0 && len(d.text) == 0 && d.size > int64(len(d.header)) && len(d.header) < j.c.dialer.account.HeaderCap && !last {
		return false // the text should not be empty: ask again before believing it
	}
	f := Fetched{UID: uid, Flags: d.flags, InternalDate: d.date, Size: d.size, Header: d.header}
	if j.textCap > 0 {
		f.Text = d.text
		if f.Text == nil {
			f.Text = []byte{}
		}
	}
	j.letters[uid] = f
	return true
}

// isStub recognises the letter that Courier makes up when the file has vanished.
func isStub(header, text []byte) bool {
	return len(header) < 400 && len(text) < 400 && bytes.Contains(text, []byte("This message is no longer available on the server."))
}

// splitLetter cuts a letter after the empty line that ends its header.
func splitLetter(b []byte) (header, text []byte) {
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(b, []byte(end)); i >= 0 {
			return b[:i+len(end)], b[i+len(end):]
		}
	}
	return b, nil
}

// revive opens the connection again after it broke, in the same folder. A refused command is no reason to.
func (j *fetchJob) revive(ctx context.Context, err error) error {
	if err == nil || isRefusal(err) {
		return err
	}
	if ctx.Err() != nil || j.c.folder == "" {
		return err
	}
	if j.redials++; j.redials > maxRedials {
		return models.Temporary(fmt.Errorf("imap UID FETCH: connection broke %d times: %w", j.redials, err))
	}
	j.c.dialer.log.Warn("imap connection broke while fetching, opening it again", "error", err)
	return j.c.redial(ctx)
}

// redial replaces the dead connection by a new one and opens the same folder.
func (c *Conn) redial(ctx context.Context) error {
	fresh, err := c.dialer.open(ctx)
	if err != nil {
		return err
	}
	idle := c.caps.Idle
	c.link = fresh
	c.caps = fresh.caps
	c.caps.Idle = c.caps.Idle && idle
	return c.reselect(ctx)
}

// reselect opens the selected folder anew and makes sure that it is the same one.
func (c *Conn) reselect(ctx context.Context) error {
	folder, validity := c.folder, c.validity
	s, err := c.Select(ctx, folder, c.readOnly)
	if err != nil {
		c.folder = ""
		return fmt.Errorf("open folder again: %w", err)
	}
	c.link.guard.changed() // whatever was told meanwhile is to be looked at
	if s.UIDValidity != validity {
		c.folder = ""
		return models.Temporary(errors.New("imap SELECT: the folder has another UIDVALIDITY than before"))
	}
	return nil
}

// makeSureGone looks again, in a freshly opened folder, for copies that were not there: a folder that is taken away
// under a session also looks empty.
func (j *fetchJob) makeSureGone(ctx context.Context) error {
	if len(j.gone) == 0 {
		return nil
	}
	if err := j.c.reselect(ctx); err != nil {
		return err
	}
	gone := j.gone
	j.gone = map[uint32]bool{}
	for uid := range gone {
		if err := j.single(ctx, uid); err != nil {
			return err
		}
	}
	return nil
}
