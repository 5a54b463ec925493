package imapsync

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// outgoing follows what go-imap writes: which commands are under way and whether the server owes a continuation.
type outgoing struct {
	allowed string            // the one command that may be sent now
	one     bool              // it has been sent
	pending map[string]string // tag → command
	conts   int               // continuation requests that may come
	head    []byte            // start of the line being written
	tail    []byte            // its last octets, for the literal marker
	literal int64             // octets of a literal still to be written
	inside  bool              // the line continues a command
	command string            // of the line being written
	instead string            // what goes on the wire in place of the announced command; "" for the command itself
	before  []string          // what goes on the wire before it; only together with instead
	all     together
	idles   int    // IDLEs sent so far
	idleTag string // of the last
	idling  bool   // the server has begun to serve IDLE
	ended   bool   // the server has ended IDLE by itself: DONE must not be sent
	done    bool   // DONE has been written

	finished *answers // of the command whose tagged result has come
}

// forbiddenError says that go-imap wanted to send a command that nobody had asked for. go-imap's Move without the MOVE
// capability would do so, and destroy letters.
type forbiddenError struct{ command, allowed string }

func (e *forbiddenError) Error() string {
	return fmt.Sprintf("refused to send %q while %q was asked for", e.command, e.allowed)
}

// Write sends what go-imap wrote, if it belongs to the announced command.
func (g *guard) Write(b []byte) (int, error) {
	g.mu.Lock()
	wire, err := g.follow(b)
	if err != nil {
		if g.err == nil {
			g.err = err
		}
		g.mu.Unlock()
		_ = g.Conn.Close()
		return 0, err
	}
	g.mu.Unlock()
	if len(wire) == 0 {
		return len(b), nil
	}
	if n, err := g.Conn.Write(wire); err != nil {
		return min(n, len(b)), err
	}
	return len(b), nil
}

// follow checks and notes what b means, and returns what goes on the wire in its place.
func (g *guard) follow(b []byte) ([]byte, error) {
	o := &g.sent
	wire := b
	for rest := b; len(rest) > 0; {
		if o.literal > 0 {
			n := min(o.literal, int64(len(rest)))
			o.literal -= n
			rest = rest[n:]
			continue
		}
		if len(o.head) == 0 && !o.inside {
			renamed, err := g.startLine(rest, b)
			if err != nil {
				return nil, err
			}
			if renamed != nil {
				wire = renamed
			}
		}
		i := bytes.IndexByte(rest, '\n')
		part := rest
		if i >= 0 {
			part = rest[:i+1]
		}
		rest = rest[len(part):]
		o.keep(part)
		if i >= 0 {
			g.endLine()
		}
	}
	return wire, nil
}

// startLine looks at the start of a line that may begin a command. It returns the rewritten bytes when something else is
// to be sent: XLIST for LIST, or a command that go-imap does not know in place of NOOP.
func (g *guard) startLine(rest, whole []byte) ([]byte, error) {
	o := &g.sent
	tag, command := commandOf(rest)
	if tag == "" { // an answer within AUTHENTICATE
		o.command = ""
		if len(o.pending) > 0 {
			o.command = "AUTHENTICATE"
		}
		return nil, nil
	}
	switch {
	case command == "LOGOUT":
	case command == o.allowed && !o.one:
		o.one = true
	default:
		return nil, &forbiddenError{command, o.allowed}
	}
	o.command = command
	o.pending[tag] = command
	if o.instead != "" && command == o.allowed && len(rest) == len(whole) {
		return g.withBeforeLocked([]byte(tag + " " + o.instead + "\r\n")), nil
	}
	switch command {
	case "AUTHENTICATE":
		o.conts++
	case "LIST":
		if g.xlist && len(rest) == len(whole) {
			return bytes.Replace(whole, []byte(" LIST "), []byte(" XLIST "), 1), nil
		}
	}
	return nil, nil
}

// commandOf returns tag and name of the command that starts a line; "" when it is no command.
func commandOf(b []byte) (tag, name string) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if len(b) > 64 {
		b = b[:64]
	}
	w := strings.Fields(string(b))
	if len(w) < 2 || len(w[0]) < 2 || w[0][0] != 'T' {
		return "", ""
	}
	if _, err := strconv.ParseUint(w[0][1:], 10, 64); err != nil {
		return "", ""
	}
	if w[1] == "UID" && len(w) > 2 {
		return w[0], "UID " + w[2]
	}
	return w[0], w[1]
}

func (o *outgoing) keep(part []byte) {
	if room := 256 - len(o.head); room > 0 {
		o.head = append(o.head, part[:min(room, len(part))]...)
	}
	o.tail = append(o.tail, part...)
	if len(o.tail) > 32 {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-32:]...)
	}
}

func (g *guard) endLine() {
	o := &g.sent
	if g.log != nil {
		g.log.outgoing(o.head, o.command)
	}
	n, nonSync, ok := trailingLiteral(bytes.TrimSuffix(bytes.TrimSuffix(o.tail, []byte("\n")), []byte("\r")))
	o.inside = ok
	if ok {
		o.literal = n
		if !nonSync {
			o.conts++
		}
	} else if o.command == "AUTHENTICATE" && !bytes.Contains(o.head, []byte(" AUTHENTICATE ")) {
		o.conts++ // an answer: the server may ask again
	}
	o.head, o.tail = o.head[:0], o.tail[:0]
}

// trailingLiteral reads the literal marker at the end of a line: {12}, {12+} or ~{12}.
func trailingLiteral(line []byte) (n int64, nonSync, ok bool) {
	if len(line) < 3 || line[len(line)-1] != '}' {
		return 0, false, false
	}
	i := bytes.LastIndexByte(line, '{')
	if i < 0 {
		return 0, false, false
	}
	digits := string(line[i+1 : len(line)-1])
	if nonSync = strings.HasSuffix(digits, "+"); nonSync {
		digits = digits[:len(digits)-1]
	}
	if digits == "" || digits[0] < '0' || digits[0] > '9' {
		return 0, false, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, nonSync, err == nil
}
