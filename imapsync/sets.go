package imapsync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// The limits of one command about many letters. Servers refuse or cut lines that are too long (Exchange at 8 KB), and a
// server that copies octet by octet must be able to answer in time.
const (
	setLetters = 1000     // letters
	setOctets  = 6000     // length of the UID set as it is written
	setWeight  = 64 << 20 // octets of the letters themselves

	longSetOctets = 40_000 // length of the UID set with Caps.LongLines
)

// uidSet is the shortest set of ascending UIDs.
func uidSet(uids []uint32) imap.UIDSet {
	var set imap.UIDSet
	for i, u := range uids {
		if n := len(set); i > 0 && u == uids[i-1]+1 {
			set[n-1].Stop = imap.UID(u)
		} else {
			set = append(set, imap.UIDRange{Start: imap.UID(u), Stop: imap.UID(u)})
		}
	}
	return set
}

// setRuler measures a UID set while UIDs are added to it in ascending order.
type setRuler struct {
	last   uint32
	ranged bool // the last UID ends a range
	octets int
}

// add returns the length of the set with one more UID.
func (r *setRuler) add(uid uint32) int {
	follows := r.last != 0 && uid == r.last+1
	if !follows || !r.ranged {
		r.octets += len(strconv.FormatUint(uint64(uid), 10)) + 1
	}
	r.last, r.ranged = uid, follows
	return r.octets
}

// errBadSet says that a list of UIDs cannot be sent.
var errBadSet = errors.New("uids must be ascending and not zero")

func checkSet(uids []uint32) error {
	if len(uids) == 0 || uids[0] == 0 {
		return errBadSet
	}
	for i := 1; i < len(uids); i++ {
		if uids[i] <= uids[i-1] {
			return errBadSet
		}
	}
	return nil
}

// Details returns what is known of those of the given copies that are in the selected folder.
func (c *Conn) Details(ctx context.Context, uids []uint32) ([]Details, error) {
	if len(uids) == 0 {
		return nil, nil
	}
	if err := checkSet(uids); err != nil {
		return nil, err
	}
	wanted := func(uid uint32) bool { _, ok := slices.BinarySearch(uids, uid); return ok }
	o := &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
	ans, err := c.listing(ctx, uidSet(uids), o, func() *answers { return newAnswers(0, 0, wanted) })
	if err != nil {
		return nil, err
	}
	list := make([]Details, 0, len(ans.copies))
	for uid, d := range ans.copies {
		list = append(list, Details{Meta: Meta{UID: uid, Flags: d.flags}, Size: d.size, InternalDate: d.date})
	}
	slices.SortFunc(list, func(a, b Details) int { return cmp.Compare(a.UID, b.UID) })
	return list, nil
}

// Copy copies one letter to another folder.
func (c *Conn) Copy(ctx context.Context, uid uint32, dest string) (CopyUID, error) {
	got, err := c.CopySet(ctx, []uint32{uid}, dest)
	return got.of(uid), err
}

// of tells where one copy went.
func (c Copied) of(uid uint32) CopyUID {
	if c.To[uid] == 0 {
		return CopyUID{}
	}
	return CopyUID{UIDValidity: c.UIDValidity, UID: c.To[uid]}
}

// CopySet copies letters to another folder.
func (c *Conn) CopySet(ctx context.Context, uids []uint32, dest string) (Copied, error) {
	if err := checkSet(uids); err != nil {
		return Copied{}, err
	}
	l := c.link
	ans, err := l.do(ctx, command{name: "UID COPY", limit: l.dialer.account.Timeouts.Literal}, func() error {
		_, err := l.client.Copy(uidSet(uids), dest).Wait()
		return err
	})
	return copiedSet(ans.copyCodes, uids), err
}

// MarkDeleted sets \Deleted on one copy.
func (c *Conn) MarkDeleted(ctx context.Context, uid uint32) error {
	return c.MarkDeletedSet(ctx, []uint32{uid})
}

// MarkDeletedSet sets \Deleted on the given copies.
func (c *Conn) MarkDeletedSet(ctx context.Context, uids []uint32) error {
	if err := checkSet(uids); err != nil {
		return err
	}
	l := c.link
	_, err := l.do(ctx, command{name: "UID STORE", limit: l.dialer.account.Timeouts.Literal}, func() error {
		flags := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
		return l.client.Store(uidSet(uids), flags, nil).Close()
	})
	return err
}

// copiedSet reads what the COPYUID codes of one answer say about the UIDs asked for. Anything but clear answers that agree
// with one another gives nothing. See RFC 4315 section 3.
func copiedSet(codes []string, asked []uint32) Copied {
	got := Copied{To: make(map[uint32]uint32, len(asked))}
	from := make(map[uint32]uint32, len(asked))
	for _, code := range codes {
		w := strings.Fields(code)
		if len(w) < 3 {
			continue // "[COPYUID 1  ]": nothing was copied
		}
		validity := fold32(w[0])
		source, dest := expandSet(w[1], len(asked)), expandSet(w[2], len(asked))
		if len(w) > 3 || validity == 0 || len(source) == 0 || len(source) != len(dest) || (got.UIDValidity != 0 && validity != got.UIDValidity) {
			return Copied{}
		}
		got.UIDValidity = validity
		for i, u := range source {
			if _, wanted := slices.BinarySearch(asked, u); !wanted {
				return Copied{}
			}
			old, twice := got.To[u]
			by, taken := from[dest[i]]
			if (twice && old != dest[i]) || (taken && by != u) {
				return Copied{}
			}
			got.To[u], from[dest[i]] = dest[i], u
		}
	}
	return got
}

// expandSet reads a set such as 4,7:9 in its order; nil when it is malformed or names more than limit UIDs. A range may be
// written backwards and means the same. See RFC 9051 section 9, sequence-set.
func expandSet(s string, limit int) []uint32 {
	var list []uint32
	for _, part := range strings.Split(s, ",") {
		a, b, ranged := strings.Cut(part, ":")
		first := number32(a)
		last := first
		if ranged {
			last = number32(b)
		}
		if last < first {
			first, last = last, first
		}
		if first == 0 || int64(last)-int64(first) >= int64(limit-len(list)) {
			return nil
		}
		for u := first; ; u++ {
			list = append(list, u)
			if u == last {
				break
			}
		}
	}
	return list
}
