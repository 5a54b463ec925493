package imapsync

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// life is a Syncer at work in a cell.
type life struct {
	c       *cell
	st      *memStore
	y       *Syncer
	changed chan struct{}
	result  chan error
}

func lifeTiming() Timing {
	return Timing{
		DoubtFor:   time.Millisecond, // many servers refuse without a code: then the alarm waits
		FirstRetry: 30 * time.Millisecond, LastRetry: 300 * time.Millisecond, LoginRetry: 10 * time.Millisecond, SecondRetry: 300 * time.Millisecond,
		PollEvery: 250 * time.Millisecond, StatusEvery: 400 * time.Millisecond, HealthEvery: time.Millisecond,
	}
}

// life makes a Syncer that does not run yet.
func (c *cell) life(a Account, change func(*SyncerConfig)) *life {
	l := &life{c: c, st: newMemStore(), changed: make(chan struct{}, 1), result: make(chan error, 1)}
	l.st.onChange = func(string) {
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
	cfg := SyncerConfig{
		MailboxID: 1, Address: a.Address, Dialer: NewDialer(a, nil, nil), Intake: l.st, Folders: l.st, Timing: lifeTiming(),
		Mover: NewMover(l.st, MoverConfig{FirstRetry: 50 * time.Millisecond}, nil, nil),
	}
	if change != nil {
		change(&cfg)
	}
	l.y = NewSyncer(cfg)
	return l
}

// live runs a Syncer until the cell ends, and waits for its first complete round.
func (c *cell) live(change func(*life, *Account)) *life {
	a := c.account()
	l := c.life(a, nil)
	if change != nil {
		change(l, &a)
		l.y.cfg.Dialer = NewDialer(a, nil, nil)
	}
	l.start()
	l.until("first look", func() bool { return l.st.health.Connected && l.st.health.SyncedAt != nil })
	return l
}

func (l *life) start() {
	ctx, cancel := context.WithCancel(l.c.ctx)
	go func() { l.result <- l.y.Run(ctx) }()
	l.c.Cleanup(func() {
		cancel()
		if err := <-l.result; err != nil && l.c.err == nil {
			l.c.err = fmt.Errorf("run ended with %w", err)
		}
	})
}

// until waits until ok holds; it is called under the store's lock after each change of the store.
func (l *life) until(what string, ok func() bool) {
	limit := time.NewTimer(40 * time.Second)
	defer limit.Stop()
	for {
		l.st.mu.Lock()
		good, health, order := ok(), l.st.health, slices.Clone(l.st.order)
		l.st.mu.Unlock()
		if good {
			return
		}
		select {
		case <-l.changed:
		case <-limit.C:
			l.c.fail("%s: did not happen; the intake was told %v, health %+v", what, order, health)
		}
	}
}

func (l *life) told(what ...string) func() bool {
	return func() bool {
		for _, x := range what {
			if !slices.Contains(l.st.order, x) {
				return false
			}
		}
		return true
	}
}

// arrived reports whether a letter was handed over in a folder, under whatever UID and below whatever header lines.
func (l *life) arrived(role models.FolderRole, n int) func() bool {
	return func() bool { return l.times(role, n) > 0 }
}

// times is how often letter n was handed over in a folder.
func (l *life) times(role models.FolderRole, n int) int {
	sum := 0
	for k, times := range l.st.arrivals {
		if strings.HasPrefix(k, string(role)+"/") && strings.Contains(k, fmt.Sprintf("Subject: letter %d\r\n", n)) {
			sum += times
		}
	}
	return sum
}

func (l *life) name(role models.FolderRole) string {
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	f := l.st.role(role)
	if f == nil {
		return ""
	}
	return f.Name
}

// settled waits until both connections idle, or stand where the server does not idle.
func (l *life) settled() {
	tick, limit := time.NewTicker(5*time.Millisecond), time.NewTimer(40*time.Second)
	defer tick.Stop()
	defer limit.Stop()
	for {
		made, _ := l.c.proxy.Connections()
		if l.c.proxy.Idling() >= 2 || (l.c.v.polls && made >= 2) {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			l.c.fail("of %d connections made %d idle", made, l.c.proxy.Idling())
		}
	}
}

func checkMove(c *cell) {
	a := c.account()
	l := c.life(a, nil)
	l.st.decide = func(f models.Folder, _ Fetched, _ bool) models.FolderRole {
		if f.Role == models.FolderInbox {
			return models.FolderControl
		}
		return ""
	}
	c.put("INBOX", letter(1), letter(2))
	l.start()
	l.until("both are decided about", func() bool {
		return len(l.st.filings) == 2 && !slices.ContainsFunc(l.st.filings, func(f *models.Filing) bool { return f.State.Open() })
	})
	l.st.mu.Lock()
	state, reason := l.st.filings[0].State, l.st.filings[0].Reason.ID
	l.st.mu.Unlock()
	in, out := c.look("INBOX"), c.look(l.name(models.FolderControl))
	can := !slices.Equal(c.v.hide, []string{"MOVE", "UIDPLUS"})
	for n := 1; n <= 2; n++ {
		left, there := copiesOf(in, letter(n), true), copiesOf(out, letter(n), true)
		switch {
		case can && (state != models.FilingDone || left != 0 || there != 1):
			c.fail("letter %d: %s (%s), %d left, %d there", n, state, reason, left, there)
		case !can && (state != models.FilingFailed || reason != "sync.cannot_remove" || left != 1 || there != 0):
			c.fail("letter %d: %s (%s), %d left, %d there", n, state, reason, left, there)
		}
	}
}

// desk is a Mover with one letter to file, and no Syncer.
type desk struct {
	c       *cell
	a       Account
	s       *Conn
	st      *memStore
	m       *Mover
	control string
}

// desk delivers letters and plans a move of letter 1 to the folder for control.
func (c *cell) desk(prepare func(control string)) *desk {
	d := &desk{c: c, a: c.account(), st: newMemStore()}
	d.m = NewMover(d.st, MoverConfig{FirstRetry: time.Nanosecond, LastRetry: time.Nanosecond, MaxAttempts: 3}, nil, nil)
	d.s = c.dial(d.a)
	found, _, err := ResolveFolders(c.ctx, d.s, Names{})
	c.check("folders", err)
	d.control = found[models.FolderControl].Name
	c.put("INBOX", letter(1), letter(2))
	for _, role := range []models.FolderRole{models.FolderControl, models.FolderInbox} {
		f := found[role]
		sel, err := d.s.Select(c.ctx, f.Name, false)
		c.check("select", err)
		f.MailboxID, f.UIDValidity = 1, sel.UIDValidity
		c.check("save folder", d.st.SaveFolder(c.ctx, &f))
	}
	metas, err := d.s.UIDs(c.ctx, 1, 0)
	c.check("list", err)
	var uids []uint32
	for _, m := range metas {
		uids = append(uids, m.UID)
	}
	ans, err := d.s.Fetch(c.ctx, uids, 100)
	c.check("fetch", err)
	f := *d.st.role(models.FolderInbox)
	f.LastUID = uids[len(uids)-1]
	c.check("take in", d.st.Arrived(c.ctx, Arrival{Folder: f, Letters: ans.Letters}))
	if prepare != nil {
		prepare(d.control)
	}
	d.st.plan(d.st.locations[0], d.st.role(models.FolderControl), time.Unix(0, 0))
	return d
}

func (d *desk) filing() *models.Filing { return d.st.filings[0] }

// run runs the Mover once, on a new connection when the last one is dead.
func (d *desk) run() error {
	if d.s.Dead() {
		d.s = d.c.dial(d.a)
	}
	return d.m.Run(d.c.ctx, d.s, 1)
}

// finish runs the Mover until the filing is closed.
func (d *desk) finish() {
	for range 10 {
		if !d.filing().State.Open() {
			return
		}
		if err := d.run(); err != nil && !models.IsTemporary(err) {
			d.c.fail("mover: %w", err)
		}
	}
}

// want checks where the copies of letter 1 are, and that letter 2 is untouched.
func (d *desk) want(state models.FilingState, left, there int) {
	in, out := d.c.look("INBOX"), d.c.look(d.control)
	f := d.filing()
	if f.State != state || copiesOf(in, letter(1), true) != left || copiesOf(out, letter(1), true) != there || copiesOf(in, letter(2), true) != 1 {
		d.c.fail("%s (%s, %s), want %s; %d left, want %d; %d there, want %d; the other letter: %d", f.State, f.Reason.ID, f.LastError, state,
			copiesOf(in, letter(1), true), left, copiesOf(out, letter(1), true), there, copiesOf(in, letter(2), true))
	}
}

// needsMove ends the cell where nothing is ever moved.
func (c *cell) needsMove() {
	if slices.Equal(c.v.hide, []string{"MOVE", "UIDPLUS"}) {
		c.skip("letters are not moved here")
	}
}

func checkMoveDeleted(c *cell) {
	c.needsMove()
	d := c.desk(nil)
	c.say(c.hand(), "SELECT INBOX", fmt.Sprintf(`UID STORE %d +FLAGS (\Deleted)`, d.st.locations[1].UID))
	d.finish()
	d.want(models.FilingDone, 0, 1)
}

func checkMoveNoFolder(c *cell) {
	c.needsMove()
	d := c.desk(func(control string) { c.say(c.hand(), "DELETE "+wire(control)) })
	d.finish()
	d.want(models.FilingDone, 0, 1)
}

func checkMoveQuota(c *cell) {
	c.needsMove()
	c.settle(houseOptions{small: true})
	d := c.desk(nil)
	if c.house.fill != nil {
		c.check("fill", c.house.fill())
	} else {
		r, err := c.hand(), error(nil)
		for _, size := range []int{700, 150, 30, 6, 1} { // to the last octet
			for range 10 {
				if err = r.Append("INBOX", "", bytes.Repeat([]byte("filling\r\n"), size)); err != nil {
					r = c.hand()
					break
				}
			}
		}
		if err == nil {
			c.fail("the mailbox is never full")
		}
	}
	for range 4 {
		if err := d.run(); err != nil && !models.IsTemporary(err) {
			c.fail("mover: %w", err)
		}
	}
	if d.filing().State == models.FilingDone { // MOVE needs no room
		d.want(models.FilingDone, 0, 1)
		return
	}
	d.want(models.FilingFailed, 1, 0)
	if id := d.filing().Reason.ID; id != "sync.over_quota" && id != "sync.refused" {
		c.fail("the reason given is %s", id)
	}
}

func isTransfer(m *imaptest.Passage) bool { return m.Command == "UID MOVE" || m.Command == "UID COPY" }

func checkMoveUnsent(c *cell) {
	c.needsMove()
	d := c.desk(nil)
	var cut atomic.Bool
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		if !m.FromServer && isTransfer(m) && cut.CompareAndSwap(false, true) {
			m.Cut()
			return false
		}
		return true
	})
	if err := d.run(); !models.IsTemporary(err) || !d.filing().State.Open() {
		c.fail("cut: %v, filing %s", err, d.filing().State)
	}
	d.finish()
	d.want(models.FilingDone, 0, 1)
}

func checkMoveLost(c *cell) {
	c.needsMove()
	d := c.desk(nil)
	var cut atomic.Bool
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		if m.FromServer && isTransfer(m) && cut.CompareAndSwap(false, true) {
			m.Cut()
			return false
		}
		return !(m.FromServer && strings.Contains(m.Line, "COPYUID") && !cut.Load())
	})
	if err := d.run(); !models.IsTemporary(err) || !d.filing().State.Open() {
		c.fail("cut: %v, filing %s", err, d.filing().State)
	}
	d.finish()
	d.want(models.FilingDone, 0, 1)
}

func checkReadOnly(c *cell) {
	c.account()
	if c.house.readOnly == nil {
		c.skip("rights cannot be taken away")
	}
	c.needsMove()
	d := c.desk(nil)
	c.check("take rights away", c.house.readOnly())
	d.s = c.dial(d.a)
	sel, err := d.s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	if !sel.ReadOnly {
		c.fail("selected %+v", sel)
	}
	d.finish()
	d.want(models.FilingFailed, 1, 0)
	if id := d.filing().Reason.ID; id != "sync.read_only" {
		c.fail("the reason given is %s", id)
	}
}

func checkArrivalInbox(c *cell) {
	l := c.live(nil)
	l.settled()
	if c.house.deliver != nil {
		c.check("deliver", c.house.deliver(letter(1)))
	} else {
		c.put("INBOX", letter(1))
	}
	start := time.Now()
	l.until("the letter is seen", l.arrived(models.FolderInbox, 1))
	if took := time.Since(start); took > 20*time.Second {
		c.fail("seen after %v", took)
	}
}

func checkArrivalSent(c *cell) {
	l := c.live(nil)
	l.settled()
	c.put(l.name(models.FolderSent), letter(1))
	l.until("the letter is seen", l.arrived(models.FolderSent, 1))
}

func checkFlags(c *cell) {
	c.put("INBOX", letter(1), letter(2))
	l := c.live(nil)
	l.until("letters", l.told("+inbox/1", "+inbox/2"))
	c.say(c.hand(), "SELECT INBOX", `UID STORE 2 +FLAGS (\Flagged)`)
	c.put("INBOX", letter(3)) // what tells of letters tells of flags
	l.until("the star is seen", l.told("~inbox/2"))
}

func checkExpunge(c *cell) {
	c.put("INBOX", letter(1), letter(2), letter(3))
	l := c.live(nil)
	l.until("letters", l.told("+inbox/1", "+inbox/2", "+inbox/3"))
	c.say(c.hand(), "SELECT INBOX", `UID STORE 2 +FLAGS (\Deleted)`, "EXPUNGE")
	l.until("the loss is seen", l.told("-inbox/2"))
}

func checkHandMove(c *cell) {
	c.put("INBOX", letter(1), letter(2))
	l := c.live(nil)
	l.until("letters", l.told("+inbox/1", "+inbox/2"))
	c.say(c.hand(), "SELECT INBOX", "UID COPY 1 "+wire(l.name(models.FolderControl)), `UID STORE 1 +FLAGS (\Deleted)`, "EXPUNGE")
	l.until("the move is seen", l.told("-inbox/1", "+control/1"))
}

func checkConnections(c *cell) {
	c.put("INBOX", letter(1))
	l := c.live(nil)
	l.settled()
	c.put("INBOX", letter(2))
	l.until("the letter is seen", l.told("+inbox/2"))
	if _, peak := c.proxy.Connections(); peak > 2 {
		c.fail("%d connections at once", peak)
	}
}

func checkOneConnection(c *cell) {
	c.account()
	c.proxy.Admit(func(open int) string {
		if open > 0 {
			return "* BYE Maximum number of connections from user+IP exceeded"
		}
		return ""
	})
	l := c.live(nil)
	c.put("INBOX", letter(1))
	l.until("the letter is seen", l.told("+inbox/1"))
	c.put(l.name(models.FolderSent), letter(2))
	l.until("the sent letter is seen", l.told("+sent/1"))
	if made, _ := c.proxy.Connections(); made > 25 {
		c.fail("%d connections", made)
	}
}

func checkIdleEnded(c *cell) {
	if c.v.polls {
		c.skip("it does not idle")
	}
	l := c.live(nil)
	l.settled()
	start := time.Now()
	c.proxy.Say("TAG OK idle is over")
	l.until("the loss is seen", func() bool {
		made, _ := c.proxy.Connections()
		return made > 2
	})
	c.put("INBOX", letter(1))
	l.until("the letter is seen", l.told("+inbox/1"))
	if took := time.Since(start); took > 20*time.Second {
		c.fail("deaf for %v", took)
	}
}

func checkSilent(c *cell) {
	l := c.live(func(l *life, a *Account) {
		a.Timeouts.Command = 2 * time.Second
		l.y.cfg.Timing.IdleSlice = 500 * time.Millisecond
	})
	l.settled()
	c.proxy.Silence()
	c.put("INBOX", letter(1))
	l.until("the letter is seen", l.told("+inbox/1"))
}

func checkBye(c *cell) {
	l := c.live(nil)
	l.settled()
	c.proxy.Say("* BYE Autologout; idle for too long")
	// A connection may end a moment after the server's last words: they may come before the result of a command.
	l.until("the server's words are told", func() bool {
		return slices.ContainsFunc(l.st.healths, func(h models.MailboxHealth) bool { return strings.Contains(fmt.Sprint(h.Reason.Args), "Autologout") })
	})
	c.put("INBOX", letter(1))
	l.until("the letter is seen", l.told("+inbox/1"))
}

func checkOutage(c *cell) {
	c.put("INBOX", letter(1), letter(2))
	l := c.live(nil)
	l.until("letters", l.told("+inbox/1", "+inbox/2"))
	var down atomic.Bool
	down.Store(true)
	c.proxy.Admit(func(int) string {
		if down.Load() {
			return "* BYE not now"
		}
		return ""
	})
	c.proxy.Drop()
	l.until("the loss is seen", func() bool { return !l.st.health.Connected })
	r := c.hand()
	c.say(r, "SELECT INBOX", `UID STORE 1 +FLAGS (\Deleted)`, "EXPUNGE", `UID STORE 2 +FLAGS (\Flagged)`)
	c.check("append", r.Append("INBOX", "", letter(3)))
	c.check("append", r.Append(imaptest.EncodeName(l.name(models.FolderSent)), "", letter(4)))
	down.Store(false)
	l.until("everything is seen", l.told("-inbox/1", "~inbox/2", "+inbox/3", "+sent/1"))
}

func checkKilled(c *cell) {
	c.settle(houseOptions{mortal: true})
	l := c.life(c.account(), nil)
	l.st.decide = func(f models.Folder, _ Fetched, _ bool) models.FolderRole {
		if can := !slices.Equal(c.v.hide, []string{"MOVE", "UIDPLUS"}); can && f.Role == models.FolderInbox {
			return models.FolderControl
		}
		return ""
	}
	for n := range 6 {
		c.put("INBOX", letter(n))
	}
	l.start()
	l.until("a letter is filed", func() bool {
		return slices.ContainsFunc(l.st.filings, func(f *models.Filing) bool { return f.State == models.FilingDone })
	})
	c.house.kill()
	l.until("the loss is seen", func() bool { return !l.st.health.Connected })
	c.check("restart", c.house.restart())
	c.put("INBOX", letter(6))
	l.until("everything is filed", func() bool {
		open := slices.ContainsFunc(l.st.filings, func(f *models.Filing) bool { return f.State != models.FilingDone })
		return len(l.st.filings) == 7 && !open
	})
	in, out := c.look("INBOX"), c.look(l.name(models.FolderControl))
	for n := range 7 {
		if copiesOf(in, letter(n), true) != 0 || copiesOf(out, letter(n), true) != 1 || l.timesLocked(models.FolderInbox, n) != 1 {
			c.fail("letter %d: %d left, %d there", n, copiesOf(in, letter(n), true), copiesOf(out, letter(n), true))
		}
	}
}

func (l *life) timesLocked(role models.FolderRole, n int) int {
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	return l.times(role, n)
}

func checkFolderDeleted(c *cell) {
	l := c.live(nil)
	control := l.name(models.FolderControl)
	c.say(c.hand(), "DELETE "+wire(control))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; !slices.Contains(c.names("LIST"), control); n++ {
		if n > 500 {
			c.fail("the folder is not made again")
		}
		<-tick.C
	}
	c.put("INBOX", letter(1))
	l.until("the letter is seen", l.told("+inbox/1"))
	c.put(control, letter(2))
	l.until("the letter in the new folder is seen", l.arrived(models.FolderControl, 2))
}

func checkFolderRenamed(c *cell) {
	l := c.live(nil)
	control := l.name(models.FolderControl)
	c.put(control, letter(1))
	l.until("the letter is seen", l.arrived(models.FolderControl, 1))
	other := strings.Replace(control, defaultControl, "Архив", 1)
	c.say(c.hand(), "RENAME "+wire(control)+" "+wire(other))
	c.put("INBOX", letter(2))
	l.until("a letter is seen", l.arrived(models.FolderInbox, 2))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; !slices.Contains(c.names("LIST"), control); n++ {
		if n > 500 {
			c.fail("the folder is not made again")
		}
		<-tick.C
	}
	c.put(control, letter(3))
	l.until("the letter in the new folder is seen", l.arrived(models.FolderControl, 3))
	if n := copiesOf(c.look(other), letter(1), false); n != 1 {
		c.fail("%d copies of the letter in the renamed folder", n)
	}
}

func checkFolderRecreated(c *cell) {
	l := c.live(nil)
	control := l.name(models.FolderControl)
	c.put(control, letter(1))
	l.until("the letter is seen", l.arrived(models.FolderControl, 1))
	r := c.hand()
	c.say(r, "DELETE "+wire(control))
	_, _ = r.Command("CREATE " + wire(control)) // the Syncer may have been faster
	c.put(control, letter(2))
	l.until("the new letter is seen", l.arrived(models.FolderControl, 2))
}

// checkUIDValidity gives every folder another UIDVALIDITY, as far as the engine can see.
func checkUIDValidity(c *cell) {
	c.put("INBOX", letter(1), letter(2))
	l := c.live(nil)
	l.until("letters", l.told("+inbox/1", "+inbox/2"))
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		for _, mark := range []string{"UIDVALIDITY ", "COPYUID ", "APPENDUID "} {
			if i := strings.Index(m.Line, mark); m.FromServer && i >= 0 {
				i += len(mark)
				m.Line = m.Line[:i] + "1" + m.Line[i:] // one digit more
				if j := strings.IndexAny(m.Line[i:], " ])"); j > 9 {
					m.Line = m.Line[:i] + m.Line[i+1+j-9:]
				}
			}
		}
		return true
	})
	l.st.mu.Lock()
	known := len(l.st.letters)
	stale := l.st.plan(l.st.locations[0], l.st.role(models.FolderControl), time.Unix(0, 0)) // decided just before
	l.st.mu.Unlock()
	c.proxy.Drop()
	l.until("letters are bound again", func() bool {
		return l.st.resets > 0 && l.times(models.FolderInbox, 1) == 2 && l.times(models.FolderInbox, 2) == 2
	})
	l.until("the old move is dropped", func() bool { return !stale.State.Open() })
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	want := models.FilingCancelled
	if slices.Equal(c.v.hide, []string{"MOVE", "UIDPLUS"}) {
		want = models.FilingFailed
	}
	if len(l.st.letters) != known || l.st.filings[0].State != want {
		c.fail("%d letters known, before %d; the old move is %s", len(l.st.letters), known, l.st.filings[0].State)
	}
}
