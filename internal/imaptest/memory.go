// Package imaptest holds IMAP servers for tests and for the demo: Memory, a complete server that keeps its letters in
// memory, and Script, a server that behaves as badly as it is told to. Neither needs anything installed, and neither is
// meant to face a network.
package imaptest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// TB is what the test constructors need of *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// MemoryOptions says how a Memory server behaves. The zero value is a server on a free port of this machine without users.
type MemoryOptions struct {
	Listen  string            // address; "" for a free port on the loopback
	Users   map[string]string // name → password
	Without []string          // capabilities that are not shown, such as MOVE or IDLE
	TLS     *tls.Config       // non-nil: TLS from the first octet
	// Special gives folders of every user their special use, and makes them: "Sent" → `\Sent`. Nil stands for Sent,
	// Drafts, Trash and Junk.
	Special map[string]string
	// Epoch is added to every UIDVALIDITY, so that a restarted server does not show other letters under known UIDs. 0
	// stands for the time of the start in seconds.
	Epoch uint32
}

// Memory is an IMAP server whose letters live in memory. It is safe for concurrent use.
type Memory struct {
	options  MemoryOptions
	server   *imapserver.Server
	listener net.Listener

	mu    sync.Mutex
	users map[string]*memoryUser
	conns map[*memoryConn]bool
	cut   atomic.Int64 // octets after which connections made from now on are cut; 0 for never
	made  atomic.Int64 // connections made so far
}

// memoryUser is one user with the names of the folders, which the backend does not give away.
type memoryUser struct {
	*imapmemserver.User
	password string
	mu       sync.Mutex
	names    map[string]bool
	subs     map[string]bool
}

// StartMemory starts a server. The caller closes it.
func StartMemory(o MemoryOptions) (*Memory, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Special == nil {
		o.Special = map[string]string{"Sent": `\Sent`, "Drafts": `\Drafts`, "Trash": `\Trash`, "Junk": `\Junk`}
	}
	if o.Epoch == 0 {
		o.Epoch = uint32(time.Now().Unix())
	}
	m := &Memory{options: o, users: map[string]*memoryUser{}, conns: map[*memoryConn]bool{}}
	for name, password := range o.Users {
		if err := m.AddUser(name, password); err != nil {
			return nil, err
		}
	}
	caps := imap.CapSet{}
	for _, c := range []imap.Cap{
		imap.CapIMAP4rev1, imap.CapNamespace, imap.CapUIDPlus, imap.CapMove, imap.CapSpecialUse, imap.CapListExtended,
		imap.CapListStatus, imap.CapChildren, imap.CapESearch,
	} {
		caps[c] = struct{}{}
	}
	m.server = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &memorySession{server: m}, nil, nil
		},
		Caps: caps, InsecureAuth: true, Logger: log.New(io.Discard, "", 0),
	})
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("start memory imap server: %w", err)
	}
	m.listener = &memoryListener{Listener: listener, m: m}
	go func() { _ = m.server.Serve(m.listener) }() // ends with Close
	return m, nil
}

// NewMemory starts a server for a test and closes it at the test's end.
func NewMemory(t TB, o MemoryOptions) *Memory {
	t.Helper()
	m, err := StartMemory(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// Addr returns host and port.
func (m *Memory) Addr() string { return m.listener.Addr().String() }

// URL returns the address as an account's URL.
func (m *Memory) URL() string {
	if m.options.TLS != nil {
		return "imaps://" + m.Addr()
	}
	return "imap+insecure://" + m.Addr()
}

// Close stops the server and drops all connections.
func (m *Memory) Close() error { return m.server.Close() }

// Connections returns how many connections have been made so far.
func (m *Memory) Connections() int { return int(m.made.Load()) }

// Drop cuts all connections, as a restart would.
func (m *Memory) Drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		_ = c.Conn.Close()
	}
}

// CutAfter cuts every connection made from now on after the server has sent n octets; 0 ends that.
func (m *Memory) CutAfter(n int64) { m.cut.Store(n) }

// AddUser adds a user with an INBOX and the special folders.
func (m *Memory) AddUser(name, password string) error {
	u := &memoryUser{User: imapmemserver.NewUser(name, password), password: password, names: map[string]bool{}, subs: map[string]bool{}}
	for _, f := range append([]string{"INBOX"}, slices.Sorted(maps.Keys(m.options.Special))...) {
		if err := u.Create(f, nil); err != nil {
			return fmt.Errorf("make folder %s: %w", f, err)
		}
		u.names[f], u.subs[f] = true, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[name] = u
	return nil
}

func (m *Memory) user(name string) *memoryUser {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users[name]
}

// Deliver puts a letter into a user's folder as a mail server does, without flags, and returns its UID.
func (m *Memory) Deliver(user, folder string, letter []byte) (uint32, error) {
	return m.Put(user, folder, nil, time.Time{}, letter)
}

// Put puts a letter with flags and date into a user's folder; a zero date stands for now. It returns the UID.
func (m *Memory) Put(user, folder string, flags []string, date time.Time, letter []byte) (uint32, error) {
	u := m.user(user)
	if u == nil {
		return 0, fmt.Errorf("no user %s", user)
	}
	o := &imap.AppendOptions{Time: date}
	for _, f := range flags {
		o.Flags = append(o.Flags, imap.Flag(f))
	}
	d, err := u.Append(folder, literal{bytes.NewReader(letter), int64(len(letter))}, o)
	if err != nil {
		return 0, fmt.Errorf("put letter into %s: %w", folder, err)
	}
	return uint32(d.UID), nil
}

type literal struct {
	*bytes.Reader
	size int64
}

func (l literal) Size() int64 { return l.size }

// memoryListener wraps what it accepts.
type memoryListener struct {
	net.Listener
	m *Memory
}

func (l *memoryListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.m.options.TLS != nil {
		c = tls.Server(c, l.m.options.TLS)
	}
	l.m.made.Add(1)
	w := &memoryConn{Conn: c, m: l.m, left: l.m.cut.Load()}
	w.limited = w.left > 0
	l.m.mu.Lock()
	l.m.conns[w] = true
	l.m.mu.Unlock()
	return w, nil
}

// memoryConn hides capabilities and cuts connections.
type memoryConn struct {
	net.Conn
	m       *Memory
	limited bool
	left    int64
}

func (c *memoryConn) Write(b []byte) (int, error) {
	out := b
	if len(c.m.options.Without) > 0 && bytes.Contains(b, []byte("CAPABILITY")) {
		out = hideCaps(b, c.m.options.Without)
	}
	if c.limited {
		if int64(len(out)) >= c.left {
			_, _ = c.Conn.Write(out[:c.left])
			_ = c.Conn.Close()
			return 0, net.ErrClosed
		}
		c.left -= int64(len(out))
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *memoryConn) Close() error {
	c.m.mu.Lock()
	delete(c.m.conns, c)
	c.m.mu.Unlock()
	return c.Conn.Close()
}

// hideCaps takes capabilities out of the lines that list them.
func hideCaps(b []byte, hidden []string) []byte {
	lines := strings.SplitAfter(string(b), "\r\n")
	for i, l := range lines {
		if strings.Contains(l, "CAPABILITY ") {
			for _, h := range hidden {
				l = strings.ReplaceAll(l, " "+h+" ", " ")
				l = strings.ReplaceAll(l, " "+h+"\r\n", "\r\n")
				l = strings.ReplaceAll(l, " "+h+"]", "]")
			}
			lines[i] = l
		}
	}
	return []byte(strings.Join(lines, ""))
}
