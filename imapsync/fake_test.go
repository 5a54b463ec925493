package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// model is a mail server in memory that does what real ones do, and fails when told to.
type model struct {
	mu       sync.Mutex
	boxes    map[string]*box
	caps     Caps
	notify   bool // NOTIFY is offered
	validity uint32
	sessions map[*fakeSession]bool
	dials    int
	limit    int                  // connections allowed; 0: any number
	refuse   func(dial int) error // what a login is answered; nil: accepted
	down     bool
	most     int // letters that FetchWithin brings at once; 0: all

	// fault is asked before each command what goes wrong with it; nil: nothing. It may change the model (as a person
	// does at that moment) through the methods that end in Locked.
	fault func(s *fakeSession, cmd string) fault
	// after is called when a command has been carried out, with the lock held.
	after func(cmd string)
	log   []string

	stuck map[string]map[uint32]bool // letters in a folder that the server refuses to move or copy, and with them the set

	delivered int64 // so that each delivery has an INTERNALDATE of its own
}

type box struct {
	validity, next uint32
	modSeq         uint64
	mail           []*mail
	readOnly       bool
}

type mail struct {
	uid    uint32
	header string
	flags  []string
	size   int64
	date   time.Time
	modSeq uint64
}

func (c *mail) has(flag string) bool { return hasFlag(c.flags, flag) }

type fault int

const (
	fine       fault = iota
	dieBefore        // the connection dies, nothing is done
	dieAfter         // done, the answer is lost
	refuseIt         // NO, nothing is done
	refuseFull       // NO [OVERQUOTA], nothing is done
	noCopyUID        // done, without COPYUID
	halfDied         // MOVE: copied, then the connection dies
	halfNo           // MOVE: copied, then NO
	halfMarked       // MOVE: copied and the source marked, then the connection dies
	noEffect         // OK, nothing is done

	// Of a set.
	partNo      // half of it done, then NO
	partFull    // half of it done, then NO [OVERQUOTA]
	partDied    // half of it done, then the connection dies
	mixedNo     // MOVE: all copied, half of the sources removed, then NO
	someCopyUID // done, COPYUID names only half of it
	lies        // done in another order than COPYUID says
)

func newModel() *model {
	m := &model{
		boxes: map[string]*box{}, sessions: map[*fakeSession]bool{}, validity: 1000,
		caps: Caps{Move: true, UIDPlus: true, Idle: true},
	}
	return m
}

func (m *model) createLocked(name string) *box {
	if b := m.boxes[name]; b != nil {
		return b
	}
	m.validity++
	b := &box{validity: m.validity, next: 1}
	m.boxes[name] = b
	return b
}

func (m *model) create(names ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range names {
		m.createLocked(n)
	}
}

func (m *model) remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.boxes, name)
}

// deliver puts a new letter into a folder and returns its UID.
func (m *model) deliver(name, header string, flags ...string) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deliverLocked(nil, name, header, flags...)
}

func (m *model) deliverLocked(by *fakeSession, name, header string, flags ...string) uint32 {
	b := m.boxes[name]
	m.delivered++
	c := &mail{uid: b.next, header: header, flags: slices.Clone(flags), size: int64(len(header)) + 100, date: time.Unix(1e9+m.delivered, 0)}
	b.next++
	b.mail = append(b.mail, c)
	m.notifyLocked(by, name, Notice{New: true}, c)
	return c.uid
}

func (m *model) findLocked(name string, uid uint32) *mail {
	b := m.boxes[name]
	if b == nil {
		return nil
	}
	for _, c := range b.mail {
		if c.uid == uid {
			return c
		}
	}
	return nil
}

func (m *model) expungeLocked(by *fakeSession, name string, uid uint32) {
	b := m.boxes[name]
	b.mail = slices.DeleteFunc(b.mail, func(c *mail) bool { return c.uid == uid })
	m.notifyLocked(by, name, Notice{Gone: true}, nil)
}

func (m *model) copyLocked(by *fakeSession, from string, uid uint32, to string) uint32 {
	c := m.findLocked(from, uid)
	uid = m.deliverLocked(by, to, c.header, c.flags...)
	m.findLocked(to, uid).date = c.date
	return uid
}

// person moves a letter by hand.
func (m *model) person(from string, uid uint32, to string) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.copyLocked(nil, from, uid, to)
	m.expungeLocked(nil, from, uid)
	return n
}

func (m *model) setFlags(name string, uid uint32, flags ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.findLocked(name, uid)
	c.flags = flags
	m.notifyLocked(nil, name, Notice{Flags: true}, c)
}

// reset gives a folder another UIDVALIDITY and its letters other UIDs.
func (m *model) reset(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resetLocked(name)
}

func (m *model) resetLocked(name string) {
	b := m.boxes[name]
	m.validity++
	b.validity, b.next = m.validity, b.next+7
	for _, c := range b.mail {
		c.uid = b.next
		b.next++
	}
}

// notifyLocked tells the other sessions that something has happened in a folder; changed is the letter that is new or has
// other flags.
func (m *model) notifyLocked(by *fakeSession, name string, n Notice, changed *mail) {
	if b := m.boxes[name]; b != nil {
		b.modSeq++
		if changed != nil {
			changed.modSeq = b.modSeq
		}
	}
	for s := range m.sessions {
		if s != by && (s.selected == name || slices.Contains(s.notify, name)) {
			told := n
			if s.selected != name {
				told = Notice{Folders: []string{name}}
			}
			s.pending.add(told)
			select {
			case s.event <- struct{}{}:
			default:
			}
		}
	}
}

// kill ends all connections; while down no new ones are accepted.
func (m *model) kill(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	for s := range m.sessions {
		s.dieLocked()
	}
}

func (m *model) up() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = false
}

// count returns the number of copies with the given header that nobody has marked as deleted, in all folders.
func (m *model) countLocked(header string, names ...string) int {
	n := 0
	for name, b := range m.boxes {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		for _, c := range b.mail {
			if c.header == header && !c.has(`\Deleted`) {
				n++
			}
		}
	}
	return n
}

func (m *model) Dial(ctx context.Context) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dials++
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.down {
		return nil, temporaryErr("connection refused")
	}
	if m.refuse != nil {
		if err := m.refuse(m.dials); err != nil {
			return nil, err
		}
	}
	if m.limit > 0 && len(m.sessions) >= m.limit {
		return nil, temporaryErr("NO [LIMIT] too many connections")
	}
	s := &fakeSession{m: m, event: make(chan struct{}, 1), killed: make(chan struct{})}
	m.sessions[s] = true
	return s, nil
}

func (m *model) sessionCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}

func (m *model) dialCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dials
}

func temporaryErr(text string) error { return lost("dial", errors.New(text)) }

// fakeSession is a connection to the model.
type fakeSession struct {
	m        *model
	selected string
	readOnly bool
	dead     bool
	pending  Notice
	notify   []string
	event    chan struct{}
	killed   chan struct{}
}

func (s *fakeSession) dieLocked() {
	if !s.dead {
		s.dead = true
		close(s.killed)
		delete(s.m.sessions, s)
	}
}

// command runs do under the lock with whatever goes wrong.
func (s *fakeSession) command(ctx context.Context, name string, do func(f fault) error) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.dead {
		return ErrDead
	}
	if ctx.Err() != nil {
		s.dieLocked()
		return ctx.Err()
	}
	f := fine
	if s.m.fault != nil {
		f = s.m.fault(s, name)
	}
	if s.dead {
		return ErrDead
	}
	s.m.log = append(s.m.log, name)
	switch f {
	case dieBefore:
		s.dieLocked()
		return errors.New("connection reset")
	case refuseIt:
		return &StatusError{Command: name, Text: "not now"}
	case refuseFull:
		return &StatusError{Command: name, Code: "OVERQUOTA", Text: "no room"}
	}
	err := do(f)
	if s.m.after != nil {
		s.m.after(name)
	}
	if f == dieAfter || f == halfDied || f == halfMarked || f == partDied {
		s.dieLocked()
		return errors.New("connection reset after " + name)
	}
	return err
}

func nonexistent(cmd, code string) error {
	return &StatusError{Command: cmd, Code: code, Text: "no such folder"}
}

func (s *fakeSession) Caps() Caps { return s.m.caps }

func (s *fakeSession) Dead() bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.dead
}

func (s *fakeSession) Close() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.dieLocked()
}

func (s *fakeSession) List(ctx context.Context) (list []Listed, err error) {
	err = s.command(ctx, "LIST", func(fault) error {
		for name := range s.m.boxes {
			list = append(list, Listed{Name: name, Delimiter: "/"})
		}
		sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
		return nil
	})
	return list, err
}

func (s *fakeSession) Create(ctx context.Context, name string) error {
	return s.command(ctx, "CREATE", func(fault) error {
		s.m.createLocked(name)
		return nil
	})
}

func (s *fakeSession) told(b *box, readOnly bool) Selected {
	sel := b.said(readOnly)
	if s.m.caps.CondStore {
		sel.ModSeq = b.modSeq + 1
	}
	return sel
}

func (b *box) said(readOnly bool) Selected {
	return Selected{UIDValidity: b.validity, UIDNext: b.next, Messages: uint32(len(b.mail)), ReadOnly: readOnly || b.readOnly}
}

func (s *fakeSession) Select(ctx context.Context, name string, readOnly bool) (sel Selected, err error) {
	err = s.command(ctx, "SELECT", func(fault) error {
		s.selected, s.pending = "", Notice{Folders: s.pending.Folders}
		b := s.m.boxes[name]
		if b == nil {
			return nonexistent("SELECT", "NONEXISTENT")
		}
		s.selected, s.readOnly = name, readOnly
		sel = s.told(b, readOnly)
		return nil
	})
	return sel, err
}

func (s *fakeSession) Status(ctx context.Context, name string) (sel Selected, err error) {
	err = s.command(ctx, "STATUS", func(fault) error {
		b := s.m.boxes[name]
		if b == nil {
			return nonexistent("STATUS", "NONEXISTENT")
		}
		sel = s.told(b, false)
		return nil
	})
	return sel, err
}

func (s *fakeSession) Statuses(ctx context.Context, names []string) (map[string]Selected, error) {
	found := map[string]Selected{}
	err := s.command(ctx, "STATUSES", func(fault) error {
		for _, name := range names {
			if b := s.m.boxes[name]; b != nil {
				found[name] = s.told(b, false)
			}
		}
		return nil
	})
	if refused(err) {
		return found, nil
	}
	return found, err
}

func (s *fakeSession) Notify(ctx context.Context, names []string) (can bool, err error) {
	err = s.command(ctx, "NOTIFY", func(fault) error {
		if can = s.m.notify; can {
			s.notify = slices.Clone(names)
		}
		return nil
	})
	if refused(err) {
		return false, nil
	}
	return can, err
}

func (s *fakeSession) Changes(ctx context.Context, since uint64) (list []Meta, err error) {
	if !s.m.caps.CondStore {
		return nil, errors.New("no CONDSTORE")
	}
	err = s.command(ctx, "CHANGES", func(fault) error {
		b := s.m.boxes[s.selected]
		if b == nil {
			return nil
		}
		for _, c := range b.mail {
			if c.modSeq+1 > since {
				list = append(list, Meta{UID: c.uid, Flags: slices.Clone(c.flags)})
			}
		}
		return nil
	})
	return list, err
}

func (s *fakeSession) UIDs(ctx context.Context, first, last uint32) (list []Meta, err error) {
	err = s.command(ctx, "UIDS", func(fault) error {
		b := s.m.boxes[s.selected]
		if b == nil {
			return nil // as servers do when a folder was removed under us
		}
		for _, c := range b.mail {
			if c.uid >= first && (last == 0 || c.uid <= last) {
				list = append(list, Meta{UID: c.uid, Flags: slices.Clone(c.flags)})
			}
		}
		return nil
	})
	return list, err
}

func (s *fakeSession) Fetch(ctx context.Context, uids []uint32, textCap int) (a FetchAnswer, err error) {
	err = s.command(ctx, "FETCH", func(fault) error {
		for _, u := range uids {
			c := s.m.findLocked(s.selected, u)
			switch {
			case c == nil:
				a.Gone = append(a.Gone, u)
			case c.header == "":
				a.Bad = append(a.Bad, BadLetter{UID: u, Reason: "unreadable"})
			default:
				f := Fetched{UID: u, Flags: slices.Clone(c.flags), InternalDate: c.date, Size: c.size, Header: []byte(c.header)}
				if textCap > 0 {
					f.Text = []byte("text")
				}
				a.Letters = append(a.Letters, f)
			}
		}
		return nil
	})
	return a, err
}

func (s *fakeSession) FetchWithin(ctx context.Context, uids []uint32, textCap int, octets int64) (FetchAnswer, []uint32, error) {
	n := len(uids)
	if most := s.m.most; most > 0 {
		n = min(n, most)
	}
	a, err := s.Fetch(ctx, uids[:n], textCap)
	return a, uids[n:], err
}

func (s *fakeSession) Details(ctx context.Context, uids []uint32) (list []Details, err error) {
	err = s.command(ctx, "UIDS", func(fault) error {
		for _, u := range uids {
			if c := s.m.findLocked(s.selected, u); c != nil {
				list = append(list, Details{Meta: Meta{UID: u, Flags: slices.Clone(c.flags)}, Size: c.size, InternalDate: c.date})
			}
		}
		return nil
	})
	return list, err
}

// transfer is COPY or MOVE of a set. What goes wrong in the middle leaves the second half of it where it is.
func (s *fakeSession) transfer(ctx context.Context, cmd string, uids []uint32, dest string, move bool) (got Copied, err error) {
	err = s.command(ctx, cmd, func(f fault) error {
		b := s.m.boxes[dest]
		if b == nil {
			return nonexistent(cmd, "TRYCREATE")
		}
		var there []uint32
		for _, u := range uids {
			if s.m.findLocked(s.selected, u) != nil {
				there = append(there, u)
			}
		}
		if len(there) == 0 || f == noEffect {
			return nil
		}
		if slices.ContainsFunc(there, func(u uint32) bool { return s.m.stuck[s.selected][u] }) {
			return &StatusError{Command: cmd, Text: "one of them is stuck"}
		}
		part := there
		if f == partNo || f == partFull || f == partDied {
			part = there[:len(there)/2]
		}
		to := s.copySetLocked(part, dest, f)
		gone := part
		switch f {
		case halfNo, halfDied, halfMarked:
			gone = nil
		case mixedNo:
			gone = part[:len(part)/2]
		}
		for _, u := range part {
			if c := s.m.findLocked(s.selected, u); move && f == halfMarked {
				c.flags = append(c.flags, `\Deleted`)
			}
		}
		for _, u := range gone {
			if move {
				s.m.expungeLocked(s, s.selected, u)
			}
		}
		got = s.said(f, b, there, to)
		switch {
		case f == partFull:
			return &StatusError{Command: cmd, Code: "OVERQUOTA", Text: "no room for the rest"}
		case f == partNo || (move && (f == halfNo || f == mixedNo)):
			return &StatusError{Command: cmd, Text: "stopped half-way"}
		}
		return nil
	})
	return got, err
}

// copySetLocked copies letters, in their order or backwards.
func (s *fakeSession) copySetLocked(uids []uint32, dest string, f fault) map[uint32]uint32 {
	to := make(map[uint32]uint32, len(uids))
	order := slices.Clone(uids)
	if f == lies {
		slices.Reverse(order)
	}
	for _, u := range order {
		to[u] = s.m.copyLocked(s, s.selected, u, dest)
	}
	return to
}

// said is what the server says in COPYUID: nothing, everything, half of it, or the right UIDs beside the wrong letters.
func (s *fakeSession) said(f fault, b *box, uids []uint32, to map[uint32]uint32) Copied {
	if f == noCopyUID || !s.m.caps.UIDPlus || len(to) == 0 {
		return Copied{}
	}
	got := Copied{UIDValidity: b.validity, To: to}
	switch {
	case f == someCopyUID:
		for _, u := range uids[:len(uids)/2] {
			delete(got.To, u)
		}
	case f == lies && len(uids) == len(to):
		n := len(uids)
		told := make(map[uint32]uint32, n)
		for i, u := range uids {
			told[u] = to[uids[n-1-i]]
		}
		got.To = told
	}
	return got
}

func (s *fakeSession) MoveSet(ctx context.Context, uids []uint32, dest string) (Copied, error) {
	if !s.m.caps.Move {
		return Copied{}, errors.New("no MOVE")
	}
	return s.transfer(ctx, "MOVE", uids, dest, true)
}

func (s *fakeSession) CopySet(ctx context.Context, uids []uint32, dest string) (Copied, error) {
	return s.transfer(ctx, "COPY", uids, dest, false)
}

func (s *fakeSession) MarkDeletedSet(ctx context.Context, uids []uint32) error {
	return s.command(ctx, "STORE", func(f fault) error {
		for _, u := range uids {
			if c := s.m.findLocked(s.selected, u); c != nil && !s.readOnly && f != noEffect && !c.has(`\Deleted`) {
				c.flags = append(c.flags, `\Deleted`)
				s.m.notifyLocked(s, s.selected, Notice{Flags: true}, c)
			}
		}
		return nil
	})
}

func (s *fakeSession) ExpungeSet(ctx context.Context, uids []uint32) error {
	if !s.m.caps.UIDPlus {
		return errors.New("no UIDPLUS")
	}
	return s.command(ctx, "EXPUNGE", func(f fault) error {
		if f == partNo {
			uids = uids[:len(uids)/2]
		}
		for _, u := range uids {
			if c := s.m.findLocked(s.selected, u); c != nil && !s.readOnly && f != noEffect && c.has(`\Deleted`) {
				s.m.expungeLocked(s, s.selected, u)
			}
		}
		if f == partNo {
			return &StatusError{Command: "UID EXPUNGE", Text: "stopped half-way"}
		}
		return nil
	})
}

func (s *fakeSession) Append(context.Context, string, []string, time.Time, []byte) (CopyUID, error) {
	return CopyUID{}, errors.New("not used here")
}

func (s *fakeSession) Idle(ctx context.Context, limit time.Duration, wake <-chan struct{}) (changed bool, err error) {
	err = s.Listen(ctx, limit, wake, func(Notice) bool {
		changed = true
		return false
	})
	return changed, err
}

func (s *fakeSession) Listen(ctx context.Context, limit time.Duration, wake <-chan struct{}, hear func(Notice) bool) error {
	if err := s.command(ctx, "IDLE", func(fault) error { return nil }); err != nil {
		return err
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	for over := false; ; {
		s.m.mu.Lock()
		n := s.pending
		s.pending = Notice{}
		s.m.mu.Unlock()
		if over = (n.any() && !hear(n)) || over; over {
			return nil
		}
		select {
		case <-s.killed:
			return ErrDead
		case <-ctx.Done():
			s.Close()
			return ctx.Err()
		case <-wake:
			over = true
		case <-t.C:
			over = true
		case <-s.event:
		}
	}
}

// header makes the header block of a letter.
func header(id string) string {
	return fmt.Sprintf("From: client@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\n\r\n", id, id)
}
