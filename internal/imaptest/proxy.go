package imaptest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// ProxyOptions say what a Proxy changes in any case. The zero value changes nothing.
type ProxyOptions struct {
	Hide []string // capabilities that are taken out of what the server announces; "AUTH=*" stands for all mechanisms
	Add  []string // capabilities that are put in
}

// Proxy stands between a client and a server, without TLS on either side, and writes down what the client sends. It can
// hide capabilities, and a hook may change, hold back or break anything, so that every server can be made to fail at the
// same instant. After STARTTLS it passes octets on unread. It is safe for concurrent use.
type Proxy struct {
	target   string
	options  ProxyOptions
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	hook  func(*Passage) bool
	admit func(open int) string
	conns map[*proxied]bool
	sent  []string
	peak  int
	made  int

	closed bool
}

// Passage is a line on its way. A hook may change Line.
type Passage struct {
	FromServer bool
	Line       string // without its end; octets of literals are passed on unseen
	Tag        string // of the client's command, or of the command that a server's line is the result of; "" otherwise
	Command    string // name of that command in upper case: "UID MOVE"
	conn       *proxied
}

// proxied is one connection.
type proxied struct {
	p              *Proxy
	client, server net.Conn
	fromClient     *bufio.Reader
	fromServer     *bufio.Reader
	write          sync.Mutex // of what goes to the client
	silent         atomic.Bool
	secured        chan bool // the result of STARTTLS
	ended          int       // of the two directions

	mu       sync.Mutex
	commands map[string]string // tag → command
	idle     string            // tag of the IDLE under way
}

// NewProxy starts a proxy before a server for the length of a test.
func NewProxy(t TB, target string, o ProxyOptions) *Proxy {
	t.Helper()
	p, err := StartProxy(target, o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// StartProxy starts a proxy before a server. The caller closes it.
func StartProxy(target string, o ProxyOptions) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	p := &Proxy{target: target, options: o, listener: l, conns: map[*proxied]bool{}}
	p.wg.Add(1)
	go p.accept()
	return p, nil
}

// Addr returns host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and all its connections, and waits for their goroutines.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Drop()
	p.wg.Wait()
}

// Drop breaks all connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.cut()
	}
}

// Silence makes all connections that there are now dead without closing them: what either side sends is swallowed.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.silent.Store(true)
	}
}

// Hook sets what is asked about every line; it returns false to hold the line back. Nil ends that. It is called from the
// goroutines of all connections.
func (p *Proxy) Hook(f func(*Passage) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = f
}

// Admit sets what is asked about every new connection, with the number of others that are open. It returns what the client
// is greeted with before it is closed, such as a BYE; "" lets it in. Nil lets everybody in.
func (p *Proxy) Admit(f func(open int) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.admit = f
}

// Say sends a line to all clients. In an IDLE that is under way, TAG stands for its tag; clients without one are left out
// when the text begins with it.
func (p *Proxy) Say(text string) {
	p.mu.Lock()
	list := make([]*proxied, 0, len(p.conns))
	for c := range p.conns {
		list = append(list, c)
	}
	p.mu.Unlock()
	for _, c := range list {
		c.mu.Lock()
		tag := c.idle
		c.mu.Unlock()
		if tag == "" && strings.HasPrefix(text, "TAG") {
			continue
		}
		c.toClient(strings.ReplaceAll(text, "TAG", tag) + "\r\n")
	}
}

// Idling returns how many connections are in an IDLE that the server has accepted.
func (p *Proxy) Idling() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for c := range p.conns {
		c.mu.Lock()
		if c.idle != "" {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// Sent returns what the clients have sent so far, line by line, without tags. What went over TLS is not in it.
func (p *Proxy) Sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// Connections returns how many connections have been made so far, and how many there were at once at most. Those that were
// not admitted count for the first only.
func (p *Proxy) Connections() (made, peak int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made, p.peak
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.made++
		admit, open := p.admit, len(p.conns)
		p.mu.Unlock()
		if admit != nil {
			if refusal := admit(open); refusal != "" {
				_, _ = io.WriteString(client, refusal+"\r\n")
				_ = client.Close()
				continue
			}
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &proxied{
			p: p, client: client, server: server, fromClient: bufio.NewReader(client), fromServer: bufio.NewReader(server),
			secured: make(chan bool, 1), commands: map[string]string{},
		}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			c.cut()
			return
		}
		p.conns[c] = true
		p.peak = max(p.peak, len(p.conns))
		p.mu.Unlock()
		p.wg.Add(2)
		go c.serve(c.up)
		go c.serve(c.down)
	}
}

func (c *proxied) cut() {
	_ = c.client.Close()
	_ = c.server.Close()
}

func (c *proxied) serve(f func() error) {
	defer c.p.wg.Done()
	_ = f() // the end of a connection, however it came
	if !c.silent.Load() {
		c.cut()
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.ended++; c.ended == 2 {
		delete(c.p.conns, c)
		c.cut()
	}
}

func (c *proxied) toClient(text string) {
	if c.silent.Load() {
		return
	}
	c.write.Lock()
	defer c.write.Unlock()
	_, _ = io.WriteString(c.client, text) // a client that has gone is noticed by up
}

func (c *proxied) ask(m *Passage) bool {
	c.p.mu.Lock()
	hook := c.p.hook
	c.p.mu.Unlock()
	return hook == nil || hook(m)
}

// up passes on what the client says.
func (c *proxied) up() error {
	for inLine := false; ; {
		line, err := c.fromClient.ReadString('\n')
		if err != nil {
			return err
		}
		m := &Passage{Line: strings.TrimRight(line, "\r\n"), conn: c}
		if !inLine {
			c.note(m)
		}
		if c.silent.Load() {
			continue
		}
		pass := c.ask(m)
		n, _, literal := literalAt(m.Line)
		if pass {
			if _, err := io.WriteString(c.server, m.Line+"\r\n"); err != nil {
				return err
			}
		}
		if inLine = literal; literal && pass {
			if _, err := io.CopyN(c.server, c.fromClient, int64(n)); err != nil {
				return err
			}
		}
		if pass && m.Command == "STARTTLS" && <-c.secured {
			_, err := io.Copy(c.server, c.fromClient)
			return err
		}
	}
}

// note remembers a command.
func (c *proxied) note(m *Passage) {
	tag, rest, _ := strings.Cut(m.Line, " ")
	name, more, _ := strings.Cut(rest, " ")
	if name = strings.ToUpper(name); name == "UID" {
		sub, _, _ := strings.Cut(more, " ")
		name += " " + strings.ToUpper(sub)
	}
	text := rest
	c.mu.Lock()
	switch {
	case rest == "": // DONE, or an answer within AUTHENTICATE
		text = tag
		if strings.EqualFold(tag, "DONE") {
			m.Command, c.idle = "DONE", ""
		}
	default:
		m.Tag, m.Command = tag, name
		c.commands[tag] = name
	}
	c.mu.Unlock()
	c.p.mu.Lock()
	c.p.sent = append(c.p.sent, text)
	c.p.mu.Unlock()
}

// down passes on what the server says.
func (c *proxied) down() error {
	defer close(c.secured)
	for inLine := false; ; {
		line, err := c.fromServer.ReadString('\n')
		if err != nil {
			return err
		}
		m := &Passage{FromServer: true, Line: strings.TrimRight(line, "\r\n"), conn: c}
		if !inLine {
			c.recognise(m)
		}
		pass := c.ask(m)
		n, _, literal := literalAt(m.Line)
		if pass {
			c.toClient(m.Line + "\r\n")
		}
		if inLine = literal; literal {
			if err := c.literal(int64(n), pass); err != nil {
				return err
			}
		}
		if m.Command == "STARTTLS" {
			ok := strings.HasPrefix(m.Line, m.Tag+" OK")
			c.secured <- ok
			if ok {
				_, err := io.Copy(c.client, c.fromServer)
				return err
			}
		}
	}
}

func (c *proxied) literal(n int64, pass bool) error {
	if !pass || c.silent.Load() {
		_, err := io.CopyN(io.Discard, c.fromServer, n)
		return err
	}
	c.write.Lock()
	defer c.write.Unlock()
	_, err := io.CopyN(c.client, c.fromServer, n)
	return err
}

// recognise finds out which command a line is the result of, and changes capabilities.
func (c *proxied) recognise(m *Passage) {
	first, _, _ := strings.Cut(m.Line, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case first == "+":
		for tag, name := range c.commands {
			if name == "IDLE" {
				c.idle = tag
			}
		}
	case first != "*" && c.commands[first] != "":
		m.Tag, m.Command = first, c.commands[first]
		delete(c.commands, first)
		if c.idle == first {
			c.idle = ""
		}
	}
	if i := strings.Index(m.Line, "CAPABILITY "); i >= 0 && (strings.HasPrefix(m.Line, "* ") || m.Tag != "") {
		i += len("CAPABILITY ")
		end := strings.IndexByte(m.Line[i:], ']')
		if end < 0 {
			end = len(m.Line) - i
		}
		m.Line = m.Line[:i] + c.p.options.change(m.Line[i:i+end]) + m.Line[i+end:]
	}
}

func (o ProxyOptions) change(caps string) string {
	list := slices.DeleteFunc(strings.Fields(caps), func(w string) bool {
		return slices.ContainsFunc(o.Hide, func(h string) bool {
			prefix, all := strings.CutSuffix(h, "*")
			return strings.EqualFold(w, h) || all && strings.HasPrefix(strings.ToUpper(w), strings.ToUpper(prefix))
		})
	})
	return strings.Join(append(list, o.Add...), " ")
}

// Reply sends text to the client, before the line itself.
func (m *Passage) Reply(text string) { m.conn.toClient(text) }

// Cut breaks the connection.
func (m *Passage) Cut() { m.conn.cut() }

// Silence makes this connection dead without closing it.
func (m *Passage) Silence() { m.conn.silent.Store(true) }
