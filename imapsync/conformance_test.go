package imapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/internal/rawimap"
	"kontrol/internal/unpacked"
)

// This file runs every guarantee of the package against every server. Each pair is a cell: a mailbox of its own, a proxy
// before it that breaks, hides and writes down, the real Dialer, Syncer and Mover on one side and a client that shares no
// code with them (rawimap) as the person and the witness. What comes of the cells is the table in docs/interop.md.

// guarantee is one row of the table.
type guarantee struct {
	id, text string
	check    func(c *cell)
}

// venue is one column of the table: a kind of server.
type venue struct {
	name    string
	version func() string
	hide    []string // capabilities that the proxy hides
	polls   bool     // it does not idle: asked with NOOP now and then
	open    func(c *cell, o houseOptions) *house
}

// houseOptions say what a cell needs of its mailbox beyond the ordinary.
type houseOptions struct {
	small  bool // a mailbox that is full after some 30 KB
	mortal bool // a server of its own that can be killed
}

// house is one mailbox on a server.
type house struct {
	addr, secureAddr string // secureAddr offers STARTTLS; "" when there is no TLS
	caFile           string
	user, password   string
	deliver          func(letter []byte) error // as a mail server delivers into INBOX; nil: as a client appends
	fill             func() error              // makes the folder for control full; nil: appending does
	readOnly         func() error              // takes the right to change INBOX away; nil: cannot be done
	subscribed       func() ([]string, error)  // nil: LSUB tells
	kill             func()
	restart          func() error
}

// cell is one guarantee on one server. Its methods end the goroutine of the cell when something is not as it should be.
type cell struct {
	ctx     context.Context
	g       guarantee
	v       *venue
	name    string // of the mailbox
	proxy   *imaptest.Proxy
	undo    []func()
	na      string // why the guarantee has no meaning here
	err     error
	took    time.Duration
	house   *house
	missing error // the server is not on this machine
}

// tb makes a cell look like a test to the servers' constructors.
func (c *cell) Helper()                   {}
func (c *cell) Logf(string, ...any)       {}
func (c *cell) Cleanup(f func())          { c.undo = append(c.undo, f) }
func (c *cell) Fatalf(f string, a ...any) { c.fail(f, a...) }

func (c *cell) fail(format string, args ...any) {
	c.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}

func (c *cell) check(what string, err error) {
	if err != nil {
		c.fail("%s: %w", what, err)
	}
}

// skip ends a cell whose guarantee has no meaning on this server.
func (c *cell) skip(why string) {
	c.na = why
	runtime.Goexit()
}

// run runs the cell in a goroutine of its own.
func (c *cell) run(ctx context.Context) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 150*time.Second)
	defer cancel()
	c.ctx = ctx
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			for _, f := range slices.Backward(c.undo) {
				f()
			}
		}()
		c.g.check(c)
	}()
	<-over
	c.took = time.Since(start)
}

// settle opens the cell's mailbox and puts the proxy before it.
func (c *cell) settle(o houseOptions) {
	c.house = c.v.open(c, o)
	c.proxy = imaptest.NewProxy(c, c.house.addr, imaptest.ProxyOptions{Hide: c.v.hide})
}

// account is the mailbox as the engine is told of it.
func (c *cell) account() Account {
	if c.house == nil {
		c.settle(houseOptions{})
	}
	h := c.house
	return Account{
		MailboxID: 1, Address: h.user + "@example.ru", URL: "imap+insecure://" + c.proxy.Addr(), Username: h.user,
		Secret:   func(context.Context) (string, error) { return h.password, nil },
		Timeouts: Timeouts{Command: 8 * time.Second, Literal: 20 * time.Second, Poll: 100 * time.Millisecond},
	}
}

func (c *cell) dial(a Account) *Conn {
	s, err := NewDialer(a, nil, nil).Dial(c.ctx)
	c.check("dial", err)
	c.Cleanup(s.Close)
	return s.(*Conn)
}

// hand is a person's mail client, past the proxy.
func (c *cell) hand() *rawimap.Client {
	c.account()
	r, err := rawimap.Dial(c.house.addr, nil, c.house.user, c.house.password)
	c.check("a person logs in", err)
	c.Cleanup(r.Close)
	return r
}

// say runs commands of a person, one after another.
func (c *cell) say(r *rawimap.Client, commands ...string) []rawimap.Response {
	var last []rawimap.Response
	for _, command := range commands {
		var err error
		last, err = r.Command(command)
		c.check(command, err)
	}
	return last
}

// wire writes a folder name as it goes over the wire, quoted.
func wire(name string) string { return `"` + imaptest.EncodeName(name) + `"` }

// put appends letters as a mail client does.
func (c *cell) put(folder string, letters ...[]byte) {
	r := c.hand()
	for _, l := range letters {
		c.check("append", r.Append(imaptest.EncodeName(folder), "", l))
	}
	r.Close()
}

// look returns what is in a folder, seen from outside. A witness that gets no answer for a minute is replaced once: on a busy
// machine Dovecot has been seen to keep one waiting for so long that opened a folder just renamed under another session.
func (c *cell) look(folder string) []rawimap.Letter {
	for try := 1; ; try++ {
		r := c.hand()
		list, err := r.Look(imaptest.EncodeName(folder))
		r.Close()
		if try == 1 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		c.check("look into "+folder, err)
		return list
	}
}

// copiesOf counts the copies of a letter; withMarks counts those too that somebody has marked \Deleted.
func copiesOf(list []rawimap.Letter, l []byte, withMarks bool) int {
	n := 0
	for _, x := range list {
		if bytes.HasSuffix(x.Body, l) && (withMarks || !slices.Contains(x.Flags, `\Deleted`)) {
			n++
		}
	}
	return n
}

// outcome is how a cell is shown in the table.
func (c *cell) outcome() string {
	switch {
	case c.err != nil:
		return "falls short"
	case c.na != "":
		return "n/a"
	}
	return "ok"
}

// TestConformance is all guarantees on all servers. The last thing it says is which cells fall short, one in a line.
// KONTROL_INTEROP=write makes it write the table into docs/interop.md; otherwise it fails when all cells are as they should
// be and the table there is another one.
func TestConformance(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	f := &fleet{t: t}
	venues, rows := f.venues(), guarantees()
	cells := runCells(t, venues, rows)
	var short []string
	for _, v := range venues {
		t.Run(v.name, func(t *testing.T) {
			t.Logf("version %s", v.version())
			var passed []string
			for _, g := range rows {
				c := cells[v.name][g.id]
				if c.outcome() == "ok" && c.missing == nil {
					passed = append(passed, g.id)
					continue
				}
				t.Run(g.id, func(t *testing.T) { c.report(t) })
				if c.err != nil || (c.missing != nil && os.Getenv("KONTROL_TEST_SKIP_SERVERS") != "1") {
					short = append(short, c.oneLine())
				}
			}
			t.Logf("%d cells as they should be: %s", len(passed), strings.Join(passed, " "))
		})
	}
	write := os.Getenv("KONTROL_INTEROP") == "write"
	if f.complete() && (len(short) == 0 || write) { // what falls short has no need of a second complaint
		compareTable(t, venues, rows, cells, write)
	}
	if len(short) > 0 {
		t.Errorf("%d cells fall short:\n%s", len(short), strings.Join(short, "\n"))
	}
}

// report shows a cell that has something to say.
func (c *cell) report(t *testing.T) {
	switch {
	case c.missing != nil && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1":
		t.Skip(c.missing)
	case c.err != nil:
		t.Errorf("%v (after %v)", c.err, c.took.Round(time.Millisecond))
	case c.missing != nil:
		t.Fatal(c.missing)
	case c.na != "":
		t.Skip(c.na)
	}
}

// oneLine is a cell that falls short, for the list at the end.
func (c *cell) oneLine() string {
	return fmt.Sprintf("%s/%s after %v: %s", c.v.name, c.g.id, c.took.Round(time.Millisecond),
		strings.Join(strings.Fields(fmt.Sprint(errors.Join(c.err, c.missing))), " "))
}

// workers is how many cells run at a time: they wait most of the time.
const workers = 16

func runCells(t *testing.T, venues []*venue, rows []guarantee) map[string]map[string]*cell {
	cells := make(map[string]map[string]*cell)
	var all []*cell
	for _, g := range rows {
		for _, v := range venues {
			c := &cell{g: g, v: v, name: fmt.Sprintf("u%d", len(all))}
			if cells[v.name] == nil {
				cells[v.name] = make(map[string]*cell)
			}
			cells[v.name][g.id] = c
			wanted := func(part string) bool { return strings.Contains(v.name+"/"+g.id, part) }
			if slices.ContainsFunc(strings.Split(os.Getenv("KONTROL_CELL"), ","), wanted) {
				all = append(all, c)
			}
		}
	}
	queue := make(chan *cell, len(all))
	for _, c := range all {
		queue <- c
	}
	close(queue)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := range queue {
				c.run(t.Context())
			}
		})
	}
	wg.Wait()
	checkWires(cells)
	if testing.Verbose() {
		slices.SortFunc(all, func(a, b *cell) int { return int(b.took - a.took) })
		for _, c := range all[:min(15, len(all))] {
			t.Logf("%v %s/%s", c.took.Round(time.Millisecond), c.v.name, c.g.id)
		}
	}
	return cells
}

// forbidden is what must never be sent: words that only a command line can hold, see interop.md section 5.9.
func forbidden(line string) string {
	words := strings.Fields(strings.ToUpper(line))
	if len(words) == 0 {
		return ""
	}
	text := strings.ReplaceAll(strings.Join(words, " "), "BODY.PEEK[", "")
	switch words[0] {
	case "ENABLE", "CLOSE", "EXPUNGE", "DELETE", "RENAME", "SEARCH", "STORE", "FETCH", "COPY", "MOVE":
		return words[0]
	case "STATUS":
		if strings.Contains(text, "RECENT") {
			return "STATUS RECENT"
		}
	case "UID":
		for _, bad := range []string{"ENVELOPE", "BODYSTRUCTURE", "RFC822)", "RFC822 ", "BODY[", `\SEEN`, "UID SEARCH"} {
			if strings.Contains(text, bad) {
				return bad
			}
		}
	}
	for _, bad := range []string{"UTF8=ACCEPT", "QRESYNC"} {
		if strings.Contains(text, bad) {
			return bad
		}
	}
	return ""
}

// checkWires looks through everything that was sent to a server in all its cells.
func checkWires(cells map[string]map[string]*cell) {
	for _, row := range cells {
		verdict := row["wire"]
		sent := 0
		for _, c := range row {
			if c.missing != nil {
				verdict.missing = c.missing
			}
			if c.proxy == nil {
				continue
			}
			for _, line := range c.proxy.Sent() {
				sent++
				bad := forbidden(line)
				for _, h := range c.v.hide {
					if w := strings.Fields(strings.ToUpper(line)); len(w) > 1 && (w[0] == h || w[0] == "UID" && w[1] == h) {
						bad = h + " although it is not announced"
					}
				}
				if bad != "" && verdict.err == nil {
					verdict.err = fmt.Errorf("in %s the engine sent %q: %s", c.g.id, line, bad)
				}
			}
		}
		if sent == 0 && verdict.missing == nil && verdict.err == nil {
			verdict.na = "nothing was sent"
		}
	}
}

// absent notes that a server is not on this machine and ends the cell.
func (c *cell) absent(err error) {
	if errors.Is(err, unpacked.ErrMissing) {
		c.missing = err
		runtime.Goexit()
	}
	c.check("start", err)
}
