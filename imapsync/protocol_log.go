package imapsync

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// protocolLog writes the conversation for a person who looks for a fault. Passwords, literals and the quoted strings of
// letters are left out.
type protocolLog struct {
	mu sync.Mutex
	w  io.Writer
}

func newProtocolLog(w io.Writer) *protocolLog {
	if w == nil {
		return nil
	}
	return &protocolLog{w: w}
}

func (p *protocolLog) write(direction, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.w, "%s %s\n", direction, line)
}

// outgoing logs the start of a line of the given command.
func (p *protocolLog) outgoing(head []byte, command string) {
	line := strings.TrimRight(string(head), "\r\n")
	switch command {
	case "LOGIN", "AUTHENTICATE":
		if tag, c := commandOf(head); c == command {
			line = tag + " " + command + " ***"
		} else {
			line = "***"
		}
	}
	p.write("C:", cleanText([]byte(line)))
}

// incoming logs the first line of a response.
func (p *protocolLog) incoming(line []byte) {
	if len(line) > 0 && line[0] == '+' {
		p.write("S:", "+ ***")
		return
	}
	if len(line) > 400 {
		line = line[:400]
	}
	if bytes.Contains(bytes.ToUpper(line), []byte(" FETCH ")) {
		if i := bytes.IndexByte(line, '"'); i >= 0 {
			line = append(append([]byte(nil), line[:i]...), "…"...)
		}
	}
	p.write("S:", cleanText(line))
}
