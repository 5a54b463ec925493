package imaptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Profile says how a Script server behaves when nothing else is told. Texts are as they go over the wire.
type Profile struct {
	Name      string
	Caps      string      // capabilities, in greeting and CAPABILITY
	Greeting  string      // the whole first line; "" for "* OK [CAPABILITY …] ready"
	Username  string      // "" lets everybody in
	Password  string      //
	Delimiter string      // "" for NIL
	Folders   []string    // UTF-8 names; INBOX is always there
	Attrs     [][2]string // folder, attributes such as `\Sent`: shown by XLIST, and by LIST when the server has SPECIAL-USE
	Keywords  bool        // `\*` in PERMANENTFLAGS
	NoUIDNext bool        // SELECT does not tell UIDNEXT
	CopyUID   string      // where COPYUID stands: "" in the proper place, "bare" on a line of its own, "none"
	Codeless  bool        // NO without a response code
	IdleBad   bool        // IDLE is answered BAD
	Estimate  bool        // RFC822.SIZE is only an estimate
	TLS       *tls.Config // for STARTTLS
	BadBodies bool        // BODYSTRUCTURE and ENVELOPE are answered as Mail.ru does
}

// Stored is a letter on a Script server.
type Stored struct {
	UID   uint32
	Flags []string
	Date  time.Time
	Raw   []byte
}

// box is a folder.
type box struct {
	validity uint32
	next     uint32
	letters  []*Stored
	readOnly bool
	full     bool // refuses letters with OVERQUOTA
}

// Turn is one command that a client sent, as a hook sees it.
type Turn struct {
	Server *Script
	Tag    string
	Line   string   // the command without its tag; literals are shown as {n}
	Args   []string // its words; quoted strings and literals without their marks
	conn   *scriptConn
}

// Hook answers a command in place of the server. It returns false to leave that to the server.
type Hook func(t *Turn) bool

// Script is a small IMAP server with real state and programmable misbehaviour. It records every command. It is safe for
// concurrent use.
type Script struct {
	profile  Profile
	listener net.Listener

	mu       sync.Mutex
	boxes    map[string]*box // by wire name
	subs     map[string]bool
	commands []string
	hooks    []hook
	conns    map[*scriptConn]bool
	made     int
	created  int // folders made so far
	cutAfter int64
	changed  chan struct{} // closed and replaced at every change
	done     chan struct{}
	wg       sync.WaitGroup
}

type hook struct {
	prefix string
	f      Hook
}

// StartScript starts a server on a free port of this machine. The caller closes it.
func StartScript(p Profile) (*Script, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start script imap server: %w", err)
	}
	s := &Script{
		profile: p, listener: l, boxes: map[string]*box{}, subs: map[string]bool{}, conns: map[*scriptConn]bool{},
		changed: make(chan struct{}), done: make(chan struct{}),
	}
	for i, f := range append([]string{"INBOX"}, p.Folders...) {
		s.boxes[EncodeName(f)] = &box{validity: uint32(1000 + i), next: 1}
	}
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// NewScript starts a server for a test and closes it at the test's end.
func NewScript(t TB, p Profile) *Script {
	t.Helper()
	s, err := StartScript(p)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Addr returns host and port.
func (s *Script) Addr() string { return s.listener.Addr().String() }

// URL returns the address as an account's URL without protection.
func (s *Script) URL() string { return "imap+insecure://" + s.Addr() }

// Close stops the server, drops all connections and waits for their goroutines.
func (s *Script) Close() {
	s.mu.Lock()
	select {
	case <-s.done:
		s.mu.Unlock()
		return
	default:
	}
	close(s.done)
	_ = s.listener.Close()
	for c := range s.conns {
		_ = c.net.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// On puts a hook before all commands whose text begins with prefix, in any case: "UID FETCH", "" for all. The hook set
// last is asked first.
func (s *Script) On(prefix string, f Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, hook{strings.ToUpper(prefix), f})
}

// Once puts a hook that answers only the first such command.
func (s *Script) Once(prefix string, f Hook) { s.OnNth(prefix, 1, f) }

// OnNth puts a hook that answers only the nth such command from now on.
func (s *Script) OnNth(prefix string, n int, f Hook) {
	var mu sync.Mutex
	s.On(prefix, func(t *Turn) bool {
		mu.Lock()
		n--
		hit := n == 0
		mu.Unlock()
		return hit && f(t)
	})
}

// Cut is a hook that breaks the connection before the command is carried out.
func Cut(t *Turn) bool { t.Close(); return true }

// CutAfter is a hook that carries the command out and breaks the connection before the client hears of it.
func CutAfter(t *Turn) bool { t.Mute(); t.Default(); t.Close(); return true }

// Hang is a hook that never answers.
func Hang(t *Turn) bool { t.Hang(); return true }

// Answer returns a hook that sends text; TAG in it stands for the command's tag.
func Answer(text string) Hook {
	return func(t *Turn) bool { t.Printf("%s", strings.ReplaceAll(text, "TAG", t.Tag)); return true }
}

// Commands returns what the clients sent so far, without tags.
func (s *Script) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Connections returns how many connections have been made so far.
func (s *Script) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

// CutConnectionsAfter breaks every connection made from now on after n octets have been sent; 0 ends that.
func (s *Script) CutConnectionsAfter(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutAfter = n
}

// Deliver puts a letter into a folder, which is made when it is missing, and returns its UID.
func (s *Script) Deliver(folder string, letter []byte, flags ...string) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[EncodeName(folder)]
	if b == nil {
		b = s.makeLocked(EncodeName(folder))
	}
	return s.putLocked(b, letter, flags, time.Now())
}

func (s *Script) makeLocked(name string) *box {
	s.created++
	b := &box{validity: uint32(2000 + s.created), next: 1}
	s.boxes[name] = b
	return b
}

func (s *Script) putLocked(b *box, raw []byte, flags []string, date time.Time) uint32 {
	l := &Stored{UID: b.next, Flags: slices.Clone(flags), Date: date, Raw: slices.Clone(raw)}
	b.next++
	b.letters = append(b.letters, l)
	s.tellLocked()
	return l.UID
}

func (s *Script) tellLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Letters returns what is in a folder, ascending by UID.
func (s *Script) Letters(folder string) []Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Stored
	if b := s.boxes[EncodeName(folder)]; b != nil {
		for _, l := range b.letters {
			c := *l
			c.Flags = slices.Clone(l.Flags)
			list = append(list, c)
		}
	}
	return list
}

// Folders returns the names of all folders, decoded, and which of them are subscribed to.
func (s *Script) Folders() (names []string, subscribed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.boxes {
		names = append(names, DecodeName(n))
	}
	for n := range s.subs {
		subscribed = append(subscribed, DecodeName(n))
	}
	slices.Sort(names)
	slices.Sort(subscribed)
	return names, subscribed
}

// Vanish takes a letter away, as another client would.
func (s *Script) Vanish(folder string, uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[EncodeName(folder)]; b != nil {
		b.letters = slices.DeleteFunc(b.letters, func(l *Stored) bool { return l.UID == uid })
		s.tellLocked()
	}
}

// SetFull makes a folder refuse letters with OVERQUOTA.
func (s *Script) SetFull(folder string, full bool) { s.change(folder, func(b *box) { b.full = full }) }

// SetReadOnly makes a folder open read-only, with empty PERMANENTFLAGS.
func (s *Script) SetReadOnly(folder string) { s.change(folder, func(b *box) { b.readOnly = true }) }

// SetValidity gives a folder another UIDVALIDITY.
func (s *Script) SetValidity(folder string, v uint32) {
	s.change(folder, func(b *box) { b.validity = v })
}

func (s *Script) change(folder string, f func(*box)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[EncodeName(folder)]; b != nil {
		f(b)
		s.tellLocked()
	}
}

// scriptConn is one connection.
type scriptConn struct {
	s        *Script
	net      net.Conn
	br       *bufio.Reader
	selected string // wire name
	readOnly bool
	known    []uint32          // UIDs that the client has been told of, by sequence number
	flags    map[uint32]string // what it has been told of their flags since it opened the folder
	muted    bool
	limited  bool
	left     int64
	loggedIn bool
}

func (s *Script) accept() {
	defer s.wg.Done()
	for {
		n, err := s.listener.Accept()
		if err != nil {
			return
		}
		c := &scriptConn{s: s, net: n, br: bufio.NewReader(n)}
		s.mu.Lock()
		select {
		case <-s.done:
			s.mu.Unlock()
			_ = n.Close()
			return
		default:
		}
		s.conns[c] = true
		s.made++
		c.left, c.limited = s.cutAfter, s.cutAfter > 0
		s.mu.Unlock()
		s.wg.Add(1)
		go c.serve()
	}
}

func (c *scriptConn) serve() {
	defer c.s.wg.Done()
	defer func() {
		_ = c.net.Close()
		c.s.mu.Lock()
		delete(c.s.conns, c)
		c.s.mu.Unlock()
	}()
	greeting := c.s.profile.Greeting
	if greeting == "" {
		greeting = "* OK [CAPABILITY " + c.s.profile.Caps + "] ready"
	}
	if greeting != "-" {
		c.printf("%s\r\n", greeting)
	}
	for {
		t, err := c.read()
		if err != nil {
			return
		}
		c.turn(t)
	}
}

func (c *scriptConn) turn(t *Turn) {
	c.s.mu.Lock()
	c.s.commands = append(c.s.commands, t.Line)
	hooks := slices.Clone(c.s.hooks)
	c.s.mu.Unlock()
	upper := strings.ToUpper(t.Line)
	for _, h := range slices.Backward(hooks) {
		if strings.HasPrefix(upper, h.prefix) && h.f(t) {
			return
		}
	}
	t.Default()
}

// printf sends text, as far as the connection may.
func (c *scriptConn) printf(format string, args ...any) {
	if c.muted {
		return
	}
	b := fmt.Appendf(nil, format, args...)
	if c.limited && int64(len(b)) >= c.left {
		_, _ = c.net.Write(b[:c.left])
		_ = c.net.Close()
		c.muted = true
		return
	}
	c.left -= int64(len(b))
	_, _ = c.net.Write(b)
}

// Printf sends text to the client.
func (t *Turn) Printf(format string, args ...any) { t.conn.printf(format, args...) }

// Close breaks the connection.
func (t *Turn) Close() { _ = t.conn.net.Close() }

// Mute keeps everything from now on from the client.
func (t *Turn) Mute() { t.conn.muted = true }

// Default lets the server carry the command out.
func (t *Turn) Default() { t.conn.carryOut(t) }

// Hang waits until the client goes away or the server is closed.
func (t *Turn) Hang() { _, _ = io.Copy(io.Discard, t.conn.br) }

// ReadLine reads one more line from the client.
func (t *Turn) ReadLine() string {
	l, _ := t.conn.br.ReadString('\n')
	return strings.TrimRight(l, "\r\n")
}
