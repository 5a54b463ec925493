package imapsync

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// dictation is a server that says the next piece of a text each time the client has sent a line, or waits for more than has
// been said. TAG in it stands for the client's last tag. When nothing is left it closes the connection.
type dictation struct {
	mu     sync.Mutex
	pieces [][]byte
	ready  []byte
	tag    string
	closed bool
	said   bytes.Buffer
}

// piece separates what is said at a time.
const piece = "\x1e"

func dictate(text []byte) *dictation { return &dictation{pieces: bytes.Split(text, []byte(piece))} }

func (d *dictation) nextLocked() bool {
	if len(d.pieces) == 0 {
		return false
	}
	b := bytes.ReplaceAll(d.pieces[0], []byte("TAG"), []byte(d.tag))
	d.pieces = d.pieces[1:]
	d.ready = append(d.ready, b...)
	d.said.Write(b)
	return true
}

func (d *dictation) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.ready) == 0 {
		if d.closed || !d.nextLocked() {
			return 0, io.EOF
		}
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

func (d *dictation) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, net.ErrClosed
	}
	if tag, _ := commandOf(p); tag != "" {
		d.tag = tag
	} else if tag, ok := bytes.CutSuffix(p, []byte(" IDLE\r\n")); ok { // which the guard speaks itself
		d.tag = string(tag)
	}
	return len(p), nil
}

func (d *dictation) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}

func (d *dictation) LocalAddr() net.Addr              { return nil }
func (d *dictation) RemoteAddr() net.Addr             { return nil }
func (d *dictation) SetDeadline(time.Time) error      { return nil }
func (d *dictation) SetReadDeadline(time.Time) error  { return nil }
func (d *dictation) SetWriteDeadline(time.Time) error { return nil }

// daySeeds are working days as a server tells them, good and bad.
func daySeeds() []string {
	day := []string{
		"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE IDLE NAMESPACE] ready\r\n",
		"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE IDLE NAMESPACE\r\nTAG OK\r\n", "TAG OK in\r\n", "* CAPABILITY IMAP4rev1 UIDPLUS MOVE IDLE NAMESPACE\r\nTAG OK\r\n",
		"* LIST () \"/\" INBOX\r\n* LIST (\\Sent) \"/\" \"&BB4-\"\r\nTAG OK\r\n",
		"* 3 EXISTS\r\n* OK [UIDVALIDITY 5] v\r\n* OK [UIDNEXT 4] n\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] p\r\nTAG OK [READ-WRITE] x\r\n",
		"* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* 3 FETCH (UID 3 FLAGS ())\r\nTAG OK\r\n",
		"* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" RFC822.SIZE 20)\r\n* 2 FETCH (UID 2 RFC822.SIZE 20 FLAGS ())\r\n* 3 FETCH (UID 3 FLAGS () RFC822.SIZE 20)\r\nTAG OK\r\n",
		"* 1 FETCH (UID 1 BODY[HEADER] {8}\r\nA: b\r\n\r\n BODY[TEXT]<0> {3}\r\nx\r\n)\r\n* 2 FETCH (BODY[HEADER] \"A: b\" BODY[TEXT]<0> \"t\" UID 2)\r\n* 3 FETCH (UID 3 BODY[HEADER] {8}\r\nA: c\r\n\r\n BODY[TEXT]<0> {3}\r\ny\r\n)\r\nTAG OK\r\n",
		"* OK [COPYUID 6 1 9] moved\r\n* 1 EXPUNGE\r\nTAG OK\r\n", "* STATUS INBOX (MESSAGES 2 UIDNEXT 4 UIDVALIDITY 5)\r\nTAG OK\r\n",
		"+ idling\r\n* 3 EXISTS\r\n", "TAG OK idle\r\n", "TAG OK noop\r\n", "* BYE\r\nTAG OK\r\n",
	}
	seeds := []string{strings.Join(day, piece)}
	for i, s := range guardSeeds() {
		at := 4 + i%(len(day)-4)
		bad := slices.Clone(day)
		bad[at] = strings.ReplaceAll(s, "T1 ", "TAG ") + bad[at]
		seeds = append(seeds, strings.Join(bad, piece))
	}
	return seeds
}

// FuzzConn lets a server say anything through a whole working day of a Conn: login, LIST, SELECT, FETCH, MOVE, IDLE. What
// goes wrong is an error that can be handled; nothing panics, nothing hangs, and every UID has one fate.
func FuzzConn(f *testing.F) {
	for _, s := range daySeeds() {
		f.Add([]byte(s))
	}
	a := account("imap+insecure://127.0.0.1:1")
	a.HeaderCap = 2000
	a.Timeouts = Timeouts{Command: 2 * time.Second, Literal: 2 * time.Second, Greeting: 2 * time.Second, Poll: time.Millisecond}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := NewDialer(a, nil, nil).(*dialer)
		p, err := d.account.place()
		if err != nil {
			t.Fatal(err)
		}
		server := dictate(text)
		l := newLink(d, newGuard(server, d.hidden(p.host), time.Second, nil), p)
		start := time.Now()
		day(t, d, l, server)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("the day took %v", took)
		}
	})
}

// day is a working day on a connection; it ends at the first error that ends the connection.
func day(t *testing.T, d *dialer, l *link, server *dictation) {
	ctx := t.Context()
	if err := l.login(ctx, credentials{username: "ivan", secret: "pass"}); err != nil {
		l.kill()
		if _, ok := models.PhraseOf(err); !ok {
			t.Errorf("login: cannot be told: %v", err)
		}
		return
	}
	c := &Conn{dialer: d, link: l, caps: l.caps}
	defer c.Close()
	handled := func(what string, err error) {
		var refused *StatusError
		if err != nil && !errors.As(err, &refused) && !models.IsTemporary(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	list, err := c.List(ctx)
	handled("list", err)
	for _, f := range list {
		if f.Name == "" || strings.ToValidUTF8(f.Name, "") != f.Name {
			t.Errorf("folder %q", f.Name)
		}
	}
	sel, err := c.Select(ctx, "INBOX", false)
	handled("select", err)
	if err == nil && (sel.UIDValidity == 0 || sel.UIDNext == 0) {
		t.Errorf("selected %+v", sel)
	}
	metas, err := c.UIDs(ctx, 1, 0)
	handled("list letters", err)
	for i, m := range metas {
		if m.UID == 0 || i > 0 && m.UID <= metas[i-1].UID {
			t.Errorf("not ascending: %+v", metas)
		}
	}
	uids := []uint32{1, 2, 3, math.MaxUint32}
	ans, err := c.Fetch(ctx, uids, 1000)
	handled("fetch", err)
	if err == nil {
		fates(t, uids, ans)
		whole(t, server.said.Bytes(), ans, 2000, 1000)
	}
	if c.Caps().Move {
		_, err = c.Move(ctx, 1, "INBOX")
		handled("move", err)
	}
	_, err = c.Status(ctx, "INBOX")
	handled("status", err)
	_, err = c.Idle(ctx, time.Millisecond, nil)
	handled("idle", err)
}

// fates checks that every UID asked for is in exactly one list.
func fates(t *testing.T, uids []uint32, a FetchAnswer) {
	t.Helper()
	n := map[uint32]int{}
	for _, l := range a.Letters {
		n[l.UID]++
	}
	for _, uid := range a.Gone {
		n[uid]++
	}
	for _, b := range a.Bad {
		n[b.UID]++
	}
	for _, uid := range uids {
		if n[uid] != 1 {
			t.Errorf("letter %d is in %d lists", uid, n[uid])
		}
	}
	if len(n) != len(uids) {
		t.Errorf("asked for %v, told of %v", uids, n)
	}
}

var (
	announced = regexp.MustCompile(`\{(\d{1,9})\}\r?\n`)
	inQuotes  = regexp.MustCompile(`"((?:[^"\\\r\n]|\\.)*)"`)
	escaped   = regexp.MustCompile(`\\(.)`)
)

// strings that a strict reader finds in what the server has said: complete literals and complete quoted strings.
func strictly(said []byte) [][]byte {
	var list [][]byte
	for _, m := range announced.FindAllSubmatchIndex(said, -1) {
		n, err := strconv.Atoi(string(said[m[2]:m[3]]))
		if err == nil && m[1]+n <= len(said) {
			list = append(list, said[m[1]:m[1]+n])
		}
	}
	for i := range said { // a quoted string may start at any quotation mark
		if said[i] == '"' {
			if m := inQuotes.FindSubmatch(said[i:]); m != nil && bytes.HasPrefix(said[i:], m[0]) {
				list = append(list, escaped.ReplaceAll(m[1], []byte("$1")))
			}
		}
	}
	return list
}

// whole checks that no part of a letter that was taken in is shorter than the server has announced it.
func whole(t *testing.T, said []byte, a FetchAnswer, headerCap, textCap int) {
	t.Helper()
	if len(a.Letters) == 0 {
		return
	}
	parts := strictly(said)
	is := func(got []byte, most int) bool {
		return slices.ContainsFunc(parts, func(p []byte) bool { return bytes.Equal(got, p[:min(len(p), most)]) })
	}
	for _, l := range a.Letters {
		if len(l.Header) == 0 || len(l.Header) > headerCap+textCap || len(l.Text) > textCap {
			t.Errorf("letter %d: %d and %d octets", l.UID, len(l.Header), len(l.Text))
		}
		cut := slices.ContainsFunc(parts, func(p []byte) bool { // asked for in one piece and cut here
			header, text := splitLetter(p[:min(len(p), headerCap+textCap)])
			return bytes.Equal(header, l.Header) && bytes.Equal(text[:min(len(text), textCap)], l.Text)
		})
		if !cut && (!is(l.Header, headerCap) || len(l.Text) > 0 && !is(l.Text, textCap)) {
			t.Errorf("letter %d is no string of the server's: %q %q", l.UID, l.Header, l.Text)
		}
	}
}

// finished reports whether a reader may come to the tagged result at the end of an answer.
func finished(said []byte, tag string) bool {
	said = bytes.TrimRight(said, "\r\n")
	last := said[bytes.LastIndexByte(said, '\n')+1:]
	for _, m := range announced.FindAllSubmatchIndex(said, -1) {
		if n, err := strconv.Atoi(string(said[m[2]:m[3]])); err != nil || m[1]+n > len(said)-len(last) {
			return false
		}
	}
	return bytes.HasPrefix(last, []byte(tag+" "))
}

// FuzzFetch lets a server that is good otherwise say anything when it is asked for letters, or for their sizes too. Then
// the connection may be opened again; the answer comes in time, and no letter is taken in by half.
func FuzzFetch(f *testing.F) {
	s, err := imaptest.StartScript(imaptest.Plain())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	for i := range 3 {
		s.Deliver("INBOX", letter(i+1))
	}
	good := ""
	for i, l := range s.Letters("INBOX") {
		items := "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.100>)"
		good += "* " + strconv.Itoa(i+1) + " FETCH (UID " + strconv.Itoa(i+1) + string(imaptest.FetchItems(imaptest.Plain(), items, l)) + ")\r\n"
	}
	f.Add([]byte(good+"TAG OK\r\n"), false)
	for _, sh := range shapes() {
		rest := string(imaptest.FetchItems(imaptest.Plain(), "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.100>)", s.Letters("INBOX")[1]))
		if line := sh.line("BODY", rest); len(line) < 5000 {
			f.Add([]byte(line+"TAG OK\r\n"), len(line)%2 == 0)
		}
	}
	var answer atomic.Pointer[[]byte]
	var everything atomic.Bool
	var mu sync.Mutex
	var said bytes.Buffer
	s.On("UID FETCH", func(turn *imaptest.Turn) bool {
		text := answer.Load()
		if text == nil || !everything.Load() && !strings.Contains(turn.Line, "BODY") {
			return false
		}
		b := bytes.ReplaceAll(*text, []byte("TAG"), []byte(turn.Tag))
		mu.Lock()
		said.Write(b)
		mu.Unlock()
		turn.Printf("%s", b)
		if !finished(b, turn.Tag) {
			turn.Close() // it would be waited for in vain, and that takes long
		}
		return true
	})
	a := account(s.URL())
	a.HeaderCap = 2000
	a.Timeouts = Timeouts{Command: 40 * time.Millisecond, Literal: 200 * time.Millisecond, Poll: time.Millisecond}
	d := NewDialer(a, slog.New(slog.DiscardHandler), nil)
	uids := []uint32{1, 2, 3}
	f.Fuzz(func(t *testing.T, text []byte, all bool) {
		answer.Store(nil)
		mu.Lock()
		said.Reset()
		mu.Unlock()
		conn, err := d.Dial(t.Context())
		if err != nil {
			t.Skip(err) // a busy machine
		}
		defer conn.Close()
		if _, err := conn.Select(t.Context(), "INBOX", false); err != nil {
			t.Skip(err)
		}
		everything.Store(all)
		answer.Store(&text)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		ans, err := conn.Fetch(ctx, uids, 100)
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("took %v", took)
		}
		answer.Store(nil)
		if err != nil {
			var refused *StatusError
			if !errors.As(err, &refused) && !models.IsTemporary(err) {
				t.Errorf("error %v", err)
			}
			return
		}
		fates(t, uids, ans)
		mu.Lock()
		defer mu.Unlock()
		whole(t, said.Bytes(), ans, 2000, 100)
	})
}
