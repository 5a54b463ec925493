package imapsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"kontrol/models"
)

// Conn is a Session on a real server. It is made by the Dialer of NewDialer.
type Conn struct {
	dialer *dialer
	link   *link
	caps   Caps

	folder    string // selected, "" for none
	readOnly  bool   // as asked for
	validity  uint32 // UIDVALIDITY of the selected folder
	all       []rawListed
	listed    bool // all is filled in
	space     *rawNamespace
	spaceDone bool // NAMESPACE has been asked for
}

var _ Session = (*Conn)(nil)

// Caps returns what the server can do.
func (c *Conn) Caps() Caps { return c.caps }

// Dead reports whether the session can no longer be used.
func (c *Conn) Dead() bool { return c.link.dead }

// Close logs out politely within a second and closes the socket.
func (c *Conn) Close() {
	if c.link.dead {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = c.link.do(ctx, command{name: "LOGOUT"}, func() error { return c.link.client.Logout().Wait() })
	if !c.link.dead {
		c.link.kill()
	}
}

// Select opens a folder.
func (c *Conn) Select(ctx context.Context, name string, readOnly bool) (Selected, error) {
	l := c.link
	cmd := command{name: "SELECT"}
	if readOnly {
		cmd.name = "EXAMINE"
	}
	c.folder = ""
	ans, err := l.do(ctx, cmd, func() error {
		_, err := l.client.Select(name, &imap.SelectOptions{ReadOnly: readOnly, CondStore: c.caps.CondStore}).Wait()
		return err
	})
	if err != nil {
		return Selected{}, err
	}
	l.guard.forget() // what was told about the folder before is of no interest now
	s := Selected{
		UIDValidity: ans.uidValidity, UIDNext: ans.uidNext, Messages: ans.exists, ModSeq: ans.modSeq,
		ReadOnly: readOnly || ans.result.code == "READ-ONLY" || (ans.hasPermanent && len(ans.permanent) == 0),
		Keywords: slices.Contains(ans.permanent, `\*`),
	}
	c.folder, c.readOnly = name, readOnly
	if err := c.complete(ctx, name, &s); err != nil {
		return Selected{}, err
	}
	c.validity = s.UIDValidity
	return s, nil
}

// complete asks for what SELECT did not tell. A server without UIDVALIDITY is given 1.
func (c *Conn) complete(ctx context.Context, name string, s *Selected) error {
	if s.UIDNext == 0 || s.UIDValidity == 0 {
		st, err := c.status(ctx, name)
		var refused *StatusError
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		if s.UIDNext == 0 {
			s.UIDNext = st.UIDNext
		}
		if s.UIDValidity == 0 {
			s.UIDValidity = max(st.UIDValidity, 1)
		}
	}
	if s.UIDNext != 0 {
		return nil
	}
	s.UIDNext = 1
	if s.Messages == 0 {
		return nil
	}
	last, err := c.metas(ctx, imap.UIDSet{imap.UIDRange{}}, 0, func(uint32) bool { return true })
	if err != nil {
		return err
	}
	for _, m := range last {
		s.UIDNext = max(s.UIDNext, m.UID+1)
	}
	return nil
}

// Status asks about a folder that is not selected.
func (c *Conn) Status(ctx context.Context, name string) (Selected, error) {
	s, err := c.status(ctx, name)
	if err == nil && s.UIDValidity == 0 {
		s.UIDValidity = 1
	}
	return s, err
}

func (c *Conn) status(ctx context.Context, name string) (Selected, error) {
	l := c.link
	ans := newAnswers(0, 0, nil)
	ans.asking = true
	ans, err := l.do(ctx, command{name: "STATUS", ans: ans}, func() error {
		_, err := l.client.Status(name, &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, HighestModSeq: c.caps.CondStore}).Wait()
		return err
	})
	if err != nil {
		return Selected{}, err
	}
	for i := len(ans.statuses) - 1; i >= 0; i-- {
		if s := ans.statuses[i]; sameName(s.name, name) || len(ans.statuses) == 1 {
			return Selected{UIDValidity: s.uidValidity, UIDNext: s.uidNext, Messages: s.messages, ModSeq: s.modSeq}, nil
		}
	}
	return Selected{}, &StatusError{Command: "STATUS", Text: "no STATUS line in the answer"}
}

// UIDs returns UID and flags of the copies between first and last.
func (c *Conn) UIDs(ctx context.Context, first, last uint32) ([]Meta, error) {
	first = max(first, 1)
	if last != 0 && last < first {
		return nil, nil
	}
	top := last
	if top == 0 {
		top = math.MaxUint32
	}
	set := imap.UIDSet{imap.UIDRange{Start: imap.UID(first), Stop: imap.UID(last)}}
	return c.metas(ctx, set, 0, func(uid uint32) bool { return uid >= first && uid <= top })
}

// Changes returns UID and flags of the copies that are new or have other flags since the mod-sequence.
func (c *Conn) Changes(ctx context.Context, since uint64) ([]Meta, error) {
	if !c.caps.CondStore || since == 0 {
		return nil, errors.New("imap UID FETCH: CHANGEDSINCE is not possible here")
	}
	return c.metas(ctx, imap.UIDSet{imap.UIDRange{Start: 1}}, since, func(uint32) bool { return true })
}

// metas asks for UID and flags, once more when the answer was refused or damaged. An answer that may be incomplete is
// never returned: a copy missing in it would be taken for gone.
func (c *Conn) metas(ctx context.Context, set imap.UIDSet, since uint64, accept func(uint32) bool) ([]Meta, error) {
	o := &imap.FetchOptions{UID: true, Flags: true, ChangedSince: since}
	ans, err := c.listing(ctx, set, o, func() *answers {
		return &answers{accept: accept, short: true, plain: &plainMetas{accept: accept, alike: make(map[string][]string)}}
	})
	if err != nil {
		return nil, err
	}
	return orderMetas(ans.metas), nil
}

// listing runs a UID FETCH without letters, once more when the answer was refused or damaged.
func (c *Conn) listing(ctx context.Context, set imap.UIDSet, o *imap.FetchOptions, into func() *answers) (ans *answers, err error) {
	for range 2 {
		ans, err = c.fetchCommand(ctx, set, into(), listBudget, o)
		var refused *StatusError
		switch {
		case errors.As(err, &refused) && refused.Code == "EXPUNGEISSUED":
		case errors.As(err, &refused):
			continue
		case err != nil:
			return nil, err
		}
		if ans.damaged {
			err = models.Temporary(errors.New("imap UID FETCH: part of the answer could not be read"))
			continue
		}
		return ans, nil
	}
	return nil, err
}

// orderMetas sorts what was told by UID. What was told last about a copy's flags holds.
func orderMetas(list []Meta) []Meta {
	byUID := func(a, b Meta) int { return cmp.Compare(a.UID, b.UID) }
	if !slices.IsSortedFunc(list, byUID) {
		slices.SortStableFunc(list, byUID)
	}
	n := 0
	for _, m := range list {
		if n > 0 && list[n-1].UID == m.UID {
			if m.Flags != nil {
				list[n-1].Flags = m.Flags
			}
			continue
		}
		list[n] = m
		n++
	}
	return slices.Clip(list[:n])
}

// fetchCommand runs one UID FETCH.
func (c *Conn) fetchCommand(ctx context.Context, set imap.UIDSet, ans *answers, budget int64, o *imap.FetchOptions) (*answers, error) {
	l := c.link
	cmd := command{name: "UID FETCH", limit: l.dialer.account.Timeouts.Literal, budget: budget, ans: ans}
	return l.do(ctx, cmd, func() error { return l.client.Fetch(set, o).Close() })
}

// Append stores a letter.
func (c *Conn) Append(ctx context.Context, name string, flags []string, date time.Time, letter []byte) (CopyUID, error) {
	o := &imap.AppendOptions{Time: date}
	for _, f := range flags {
		if !isAtom(strings.TrimPrefix(f, `\`)) {
			return CopyUID{}, fmt.Errorf("imap APPEND: flag %q cannot be sent", f)
		}
		o.Flags = append(o.Flags, imap.Flag(f))
	}
	l := c.link
	ans, err := l.do(ctx, command{name: "APPEND", limit: l.dialer.account.Timeouts.Literal}, func() error {
		cmd := l.client.Append(name, int64(len(letter)), o)
		_, writeErr := cmd.Write(letter)
		closeErr := cmd.Close()
		_, err := cmd.Wait()
		return errors.Join(err, writeErr, closeErr)
	})
	if err != nil {
		if !l.dead {
			l.kill() // go-imap's encoder is no longer usable
		}
		return CopyUID{}, err
	}
	to := CopyUID{}
	if w := strings.Fields(ans.appendArgs); len(w) == 2 {
		to = CopyUID{UIDValidity: fold32(w[0]), UID: number32(w[1])}
	}
	if to.UID == 0 {
		to = CopyUID{}
	}
	return to, nil
}

// noop lets the server tell what has changed, and proves that it still answers.
func (c *Conn) noop(ctx context.Context) error {
	_, err := c.link.raw(ctx, command{name: "NOOP"})
	return err
}

// raw runs a command that go-imap does not know: it writes NOOP, and the guard sends what c.wire says in its place. The
// name is always that of NOOP.
func (l *link) raw(ctx context.Context, c command) (*answers, error) {
	c.name = "NOOP"
	return l.do(ctx, c, func() error { return l.client.Noop().Wait() })
}
