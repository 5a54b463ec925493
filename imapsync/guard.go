package imapsync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// The limits of what a server may make us hold in memory.
const (
	maxLine    = 1 << 20   // octets of a line outside literals
	keptLine   = 64 << 10  // a longer line's buffer is not reused
	maxText    = 500       // octets kept of a server's words
	maxNotes   = 100       // notes kept until they are read
	maxName    = 2000      // octets of a folder name
	baseBudget = 8 << 20   // octets of an answer to a command that brings little
	listBudget = 256 << 20 // octets of an answer that lists a whole folder
	byeGrace   = time.Second
)

var (
	errBudget  = errors.New("server sent more than the command can bring")
	errNotIMAP = errors.New("the first line is not an IMAP greeting")
	errBye     = errors.New("server closed the connection")
)

// guard stands between the socket and go-imap. It reads what the server sends with a reader of its own that expects the
// worst, keeps the data (letters, folders, flags, UIDs, status texts) in answers, and passes on to go-imap only what its
// command machinery needs: the greeting, capabilities, continuation requests and tagged results, each written anew in the
// plainest form. So nothing that a server or a letter says can upset go-imap, whose parser drops the connection at any
// surprise. In the other direction it sends only the command that was announced with begin.
//
// Read is called by go-imap's one reading goroutine, Write and the other methods by the owner of the connection.
type guard struct {
	net.Conn
	in     flow
	out    bytes.Buffer // for go-imap
	line   []byte       // reused by readLine
	lexer  lexer        // reused by lex
	flags  flagSets     // used by the reading goroutine only
	log    *protocolLog
	remove func(capability string) bool // capabilities that are hidden
	stall  time.Duration                // longest silence while an answer is awaited

	mu       sync.Mutex
	budget   int64 // octets the server may still send for this command
	active   bool  // a command is under way
	greeted  bool
	byeSeen  bool
	err      error // why reading ended
	bye      string
	said     string // last untagged NO, BAD or ALERT
	notes    []string
	caps     map[string]bool // as announced last, upper case, hidden ones removed; never changed, only replaced
	known    *capSets        // the sets that other connections have; nil for none
	xlist    bool            // LIST is to be sent as XLIST
	ans      *answers
	poke     chan struct{} // there is a notice
	notice   Notice        // what the server has told of its own accord and nobody has taken yet
	notify   bool          // NOTIFY is on: STATUS lines that nobody asked for are notices
	idleOver chan struct{} // server ended IDLE by itself
	idleOn   chan struct{} // server has begun to serve IDLE
	idleDone chan error    // how an IDLE ended that the server did not end by itself

	sent      outgoing
	wasPreset bool // the greeting was read by askTLS
}

func newGuard(conn net.Conn, remove func(string) bool, stall time.Duration, log *protocolLog) *guard {
	g := &guard{
		Conn: conn, remove: remove, stall: stall, log: log, budget: baseBudget, active: true, caps: map[string]bool{},
		ans: newAnswers(0, 0, nil), poke: make(chan struct{}, 1), idleOver: make(chan struct{}, 1),
		idleOn: make(chan struct{}, 1), idleDone: make(chan error, 1),
	}
	g.sent.pending = map[string]string{}
	g.in = flow{src: socket{g}}
	return g
}

// preset makes go-imap see a greeting that has been read by somebody else before TLS was begun. See RFC 9051 section
// 6.2.1.
func (g *guard) preset() {
	g.greeted, g.wasPreset = true, true
	g.out.WriteString("* OK [CAPABILITY IMAP4REV1] ready\r\n")
}

// SetReadDeadline does nothing: go-imap's own deadlines (30 s for a line, none before its first octet) are replaced by
// those of begin.
func (g *guard) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, for the same reason: a command that takes too long has its socket closed.
func (g *guard) SetWriteDeadline(time.Time) error { return nil }

// socket is the raw connection with the octets counted and silence bounded.
type socket struct{ g *guard }

func (s socket) Read(p []byte) (int, error) {
	g := s.g
	g.mu.Lock()
	if g.active && !g.byeSeen {
		_ = g.Conn.SetReadDeadline(time.Now().Add(g.stall))
	}
	if g.budget <= 0 {
		g.mu.Unlock()
		return 0, errBudget
	}
	g.mu.Unlock()
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	g.budget -= int64(n)
	g.mu.Unlock()
	return n, err
}

// begin announces a command: its exact name on the wire, how much its answer may weigh, and where data goes.
func (g *guard) begin(name string, budget int64, ans *answers) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent.allowed, g.sent.one, g.sent.finished, g.sent.instead = name, false, nil, ""
	g.sent.before, g.sent.all = nil, together{}
	g.budget, g.active, g.ans, g.said = budget, true, ans, ""
	if !g.byeSeen {
		_ = g.Conn.SetReadDeadline(time.Now().Add(g.stall))
	}
}

// end closes what begin began: no further command may be sent, and data that still comes is only a hint.
func (g *guard) end() *answers {
	g.mu.Lock()
	defer g.mu.Unlock()
	ans := g.ans
	if g.sent.finished != nil {
		ans = g.sent.finished
	}
	g.sent.allowed, g.sent.finished, g.active = "", nil, false
	g.budget, g.ans = baseBudget, newAnswers(0, 0, nil)
	if !g.byeSeen {
		_ = g.Conn.SetReadDeadline(time.Time{})
	}
	return ans
}

func (g *guard) data() *answers {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ans
}

func (g *guard) note(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.notes) < maxNotes {
		g.notes = append(g.notes, fmt.Sprintf(format, args...))
	}
}

// takeNotes returns what was dropped or repaired since the last call.
func (g *guard) takeNotes() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.notes
	g.notes = nil
	return n
}

// words returns the server's last BYE, or else its last untagged NO, BAD or ALERT during this command.
func (g *guard) words() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bye != "" {
		return g.bye
	}
	return g.said
}

// cause returns why reading ended; nil while it has not.
func (g *guard) cause() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// changed notes that anything may have changed in the selected folder.
func (g *guard) changed() { g.tell(Notice{New: true, Gone: true, Flags: true}) }

// Read gives go-imap the next of the lines meant for it.
func (g *guard) Read(p []byte) (int, error) {
	for g.out.Len() == 0 {
		if err := g.step(); err != nil {
			g.mu.Lock()
			if g.err == nil {
				g.err = err
			}
			g.mu.Unlock()
			return 0, io.EOF
		}
	}
	return g.out.Read(p)
}

// step takes in one response of the server, literals included.
func (g *guard) step() error {
	line, tooLong, err := g.readLine()
	if err != nil {
		return err
	}
	if tooLong {
		g.note("dropped a line of more than %d octets", maxLine)
		g.data().damage()
		return nil
	}
	if g.log != nil {
		g.log.incoming(line)
	}
	return g.response(line)
}

// readLine reads up to the next LF. It returns the line without its line end; what is longer than maxLine is read to its
// end and thrown away.
func (g *guard) readLine() (line []byte, tooLong bool, err error) {
	if cap(g.line) > keptLine {
		g.line = nil
	}
	g.line = g.line[:0]
	for {
		part, whole, err := g.in.slice()
		if err != nil {
			return nil, false, err
		}
		if len(g.line)+len(part) > maxLine {
			tooLong = true
		} else {
			g.line = append(g.line, part...)
		}
		if whole {
			break
		}
	}
	if tooLong {
		g.line = nil
		return nil, true, nil
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(g.line, []byte("\n")), []byte("\r")), false, nil
}

// literal reads a literal of n octets and keeps the first keep of them.
func (g *guard) literal(n int64, keep int) ([]byte, error) {
	g.mu.Lock()
	left := g.budget + int64(g.in.buffered())
	g.mu.Unlock()
	if n > left {
		return nil, fmt.Errorf("literal of %d octets: %w", n, errBudget)
	}
	kept := []byte{}
	if keep > 0 && n > 0 {
		kept = make([]byte, min(n, int64(keep)))
		if err := g.in.full(kept); err != nil {
			return nil, err
		}
	}
	return kept, g.in.discard(n - int64(len(kept)))
}
