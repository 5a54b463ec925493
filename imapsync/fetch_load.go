package imapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"

	"github.com/emersion/go-imap/v2"

	"kontrol/models"
)

// metaItems asks for everything about a copy but the letter.
func metaItems() *imap.FetchOptions {
	return &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
}

// present asks whether a copy is still there. A refusal is an error: it proves nothing about the letter.
func (j *fetchJob) present(ctx context.Context, uid uint32, refresh bool) (bool, error) {
	if refresh {
		if err := j.c.noop(ctx); err != nil {
			return false, err
		}
	}
	ans, err := j.ask(ctx, []uint32{uid}, metaItems(), baseBudget, math.MaxInt64)
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

// ask runs one UID FETCH for exactly these copies, ascending.
func (j *fetchJob) ask(ctx context.Context, uids []uint32, o *imap.FetchOptions, budget, room int64) (*answers, error) {
	ans := newAnswers(j.c.dialer.account.HeaderCap, j.textCap, func(uid uint32) bool {
		_, ok := slices.BinarySearch(uids, uid)
		return ok
	})
	ans.room = room
	return j.c.fetchCommand(ctx, uidRanges(uids), ans, budget, o)
}

// uidRanges writes ascending UIDs in as few ranges as they need.
func uidRanges(uids []uint32) imap.UIDSet {
	var set imap.UIDSet
	for _, uid := range uids {
		if n := len(set); n > 0 && uint32(set[n-1].Stop)+1 == uid {
			set[n-1].Stop = imap.UID(uid)
		} else {
			set = append(set, imap.UIDRange{Start: imap.UID(uid), Stop: imap.UID(uid)})
		}
	}
	return set
}

// load asks for the letters themselves and keeps the usable ones; it returns the others, but for those that there was no
// room for. With whole set it asks for the letter in one piece, which is cut here.
func (j *fetchJob) load(ctx context.Context, uids []uint32, whole bool) (missing []uint32, err error) {
	o, budget := j.items(uids, whole)
	room := j.room
	if len(uids) == 1 {
		room = math.MaxInt64
	}
	ans, err := j.ask(ctx, uids, o, budget, room)
	j.room -= room - ans.room
	for _, uid := range uids {
		switch d := ans.copies[uid]; {
		case d == nil:
			missing = append(missing, uid)
		case d.skipped:
			j.skip(uid)
		case !j.take(uid, d, whole):
			missing = append(missing, uid)
		}
	}
	return j.below(missing), err
}

// items returns what is asked for and how much of it may come. The header is asked for in one piece unless it is known
// to be long: not every server has cut one before.
func (j *fetchJob) items(uids []uint32, whole bool) (*imap.FetchOptions, int64) {
	a := j.c.dialer.account
	most := int64(a.HeaderCap + j.textCap)
	header := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}
	budget := int64(baseBudget)
	for _, uid := range uids {
		d := j.sizes[uid]
		if d == nil || d.size == 0 {
			budget += 2 * most
			continue
		}
		if d.size > int64(a.HeaderCap) {
			header.Partial = &imap.SectionPartial{Size: int64(a.HeaderCap)}
		}
		budget += 2*min(d.size, most) + d.size + d.size/4 // some servers send all when asked for a part
	}
	o := metaItems()
	if whole {
		o.BodySection = []*imap.FetchItemBodySection{{Peek: true, Partial: &imap.SectionPartial{Size: most}}}
		return o, budget
	}
	o.BodySection = []*imap.FetchItemBodySection{header}
	if j.textCap > 0 {
		o.BodySection = append(o.BodySection, &imap.FetchItemBodySection{
			Specifier: imap.PartSpecifierText, Peek: true, Partial: &imap.SectionPartial{Size: int64(j.textCap)},
		})
	}
	return o, budget
}

// take keeps a letter if the answer is good enough.
func (j *fetchJob) take(uid uint32, d *copyData, whole bool) bool {
	if first := j.sizes[uid]; first != nil {
		d.merge(&copyData{date: first.date, size: first.size})
		if !d.hasFlags {
			d.flags = first.flags
		}
	}
	if whole && len(d.header) == 0 {
		d.header, d.text = splitLetter(d.whole)
		d.text = d.text[:min(len(d.text), j.textCap)]
	}
	if len(d.header) == 0 || isStub(d.header, d.text) || !j.complete(uid, d, whole) {
		return false
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

// shortSum is what came of a letter that was too short.
type shortSum struct {
	sum   uint64
	whole bool // it was asked for in one piece
}

// complete compares what has come with the size that the server told. When a tenth or more is missing the letter is
// asked for again: it may have been cut off. Sizes are estimates on some servers, so a letter is also complete when it is
// the same whether asked for in parts or in one piece.
func (j *fetchJob) complete(uid uint32, d *copyData, whole bool) bool {
	if j.textCap == 0 || len(d.header) >= j.c.dialer.account.HeaderCap {
		return true
	}
	want := min(int64(j.textCap), d.size/10*9-int64(len(d.header)))
	if empty := len(d.text) == 0 && d.size > int64(len(d.header)); !empty && int64(len(d.text)) >= want {
		return true
	}
	sum := fnv.New64a()
	_, _ = sum.Write(d.header)
	_, _ = sum.Write(d.text)
	now := shortSum{sum.Sum64(), whole}
	before, seen := j.partial[uid]
	j.partial[uid] = now
	return seen && before.sum == now.sum && before.whole != now.whole
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
	gone := slices.Sorted(maps.Keys(j.gone))
	clear(j.gone)
	there, err := j.stillThere(ctx, gone)
	if err != nil {
		return err
	}
	return j.batch(ctx, there)
}
