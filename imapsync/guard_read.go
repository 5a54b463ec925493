package imapsync

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// response takes in one response whose first line is given without its line end.
func (g *guard) response(line []byte) error {
	first, rest := cutWord(line)
	g.mu.Lock()
	greeted := g.greeted
	g.mu.Unlock()
	switch {
	case !greeted:
		return g.greeting(first, rest)
	case first == "":
		g.note("dropped an empty line")
		return nil
	case first[0] == '+':
		g.continuation(bytes.TrimSpace(line[1:]))
		return nil
	case first[0] == '[': // Exchange 2013 says "[COPYUID …]" without "* OK" after MOVE
		g.note("read a bare response code")
		return g.status("OK", line)
	case first != "*":
		return g.tagged(first, rest)
	}
	word, after := cutWord(rest)
	if strings.HasPrefix(word, "[") {
		g.note("read a response code without OK")
		return g.status("OK", rest)
	}
	if word != "" && word[0] >= '0' && word[0] <= '9' {
		return g.numbered(word, after)
	}
	return g.untagged(strings.ToUpper(word), after)
}

// cutWord splits at the first run of blanks.
func cutWord(b []byte) (string, []byte) {
	b = bytes.TrimLeft(b, " ")
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return string(b), nil
	}
	return string(b[:i]), bytes.TrimLeft(b[i:], " ")
}

func (g *guard) greeting(first string, rest []byte) error {
	word, after := cutWord(rest)
	word = strings.ToUpper(word)
	if first != "*" || (word != "OK" && word != "PREAUTH" && word != "BYE") {
		return errNotIMAP
	}
	g.mu.Lock()
	g.greeted = true
	g.mu.Unlock()
	if word == "BYE" {
		g.byeSaid(after)
		return errBye
	}
	s := readStatus(after)
	g.takeStatus(s)
	g.forward("* " + word + g.withCaps() + " ready")
	return nil
}

// forward writes a line for go-imap.
func (g *guard) forward(line string) { g.out.WriteString(line + "\r\n") }

// continuation passes a continuation request on when one is awaited. Only a SASL challenge keeps its content.
func (g *guard) continuation(text []byte) {
	g.mu.Lock()
	wanted := g.sent.conts > 0
	if wanted {
		g.sent.conts--
	}
	auth, idle := g.sent.command == "AUTHENTICATE", g.sent.command == "IDLE"
	g.sent.idling = g.sent.idling || (wanted && idle)
	g.mu.Unlock()
	switch {
	case !wanted:
		g.note("dropped a continuation request that nothing waits for")
	case idle:
		signal(g.idleOn)
	case auth && len(text) > 0 && isBase64(text):
		g.forward("+ " + string(text))
	case auth:
		g.forward("+ ")
	default:
		g.forward("+ go on")
	}
}

func isBase64(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return len(b)%4 == 0
}

// tagged passes on the result of a command of ours.
func (g *guard) tagged(tag string, rest []byte) error {
	tag, rest, now := g.taggedTogether(tag, rest)
	if !now {
		return nil
	}
	word, after := cutWord(rest)
	word = strings.ToUpper(word)
	g.mu.Lock()
	command, known := g.sent.pending[tag]
	known = known && (word == "OK" || word == "NO" || word == "BAD")
	if !known {
		g.mu.Unlock()
		g.note("dropped a line that is no response")
		g.data().damage()
		return nil
	}
	delete(g.sent.pending, tag)
	if command != "CAPABILITY" {
		g.sent.conts = 0
	}
	selfEnded := command == "IDLE" && g.sent.idleTag == tag && !g.sent.done && g.sent.idling
	if command == "IDLE" {
		g.sent.idling, g.sent.ended = false, selfEnded
	}
	g.mu.Unlock()
	s := readStatus(after)
	if selfEnded {
		g.note("server ended IDLE by itself")
	}
	g.takeStatus(s)
	g.mu.Lock()
	if command == g.sent.allowed {
		g.ans.done, g.ans.result, g.ans.together = true, s, g.sent.all.said
		g.finishLocked()
	}
	g.mu.Unlock()
	if command == "IDLE" { // which go-imap knows nothing of
		g.idleEnded(selfEnded, word, s)
		return nil
	}
	code := g.codeForward(s)
	if word == "OK" && (command == "LOGIN" || command == "AUTHENTICATE") {
		code = g.withCaps()
	}
	g.forward(tag + " " + word + code + " " + plainText(s.text))
	return nil
}

// finishLocked puts the answers aside, so that what comes after the tagged result cannot touch them.
func (g *guard) finishLocked() {
	if g.sent.finished == nil {
		g.sent.finished = g.ans
		g.ans = newAnswers(0, 0, nil)
	}
}

// numbered takes in "* n EXISTS" and its like.
func (g *guard) numbered(num string, rest []byte) error {
	word, after := cutWord(rest)
	if i := strings.IndexByte(word, '('); i > 0 { // FETCH(
		after = rest[i:]
		word = word[:i]
	}
	n, err := strconv.ParseUint(num, 10, 32)
	word = strings.ToUpper(word)
	switch {
	case word == "FETCH":
		return g.fetch(after)
	case err != nil:
		g.note("dropped a number that is out of range")
	case word == "EXISTS":
		g.data().exists = uint32(n)
		g.tell(Notice{New: true})
	case word == "EXPUNGE":
		g.tell(Notice{Gone: true})
	case word == "RECENT":
	default:
		g.note("dropped an unknown response %.40q", word)
		return g.skipUnit(rest)
	}
	return nil
}

func (g *guard) untagged(word string, rest []byte) error {
	switch word {
	case "OK", "NO", "BAD", "PREAUTH":
		return g.status(word, rest)
	case "BYE":
		g.byeSaid(rest)
		return nil
	case "CAPABILITY":
		g.setCaps(string(rest))
		if c := g.capsLine(); c != "" {
			g.forward("* CAPABILITY " + c)
		}
		return nil
	case "LIST", "XLIST":
		return g.list(rest)
	case "STATUS":
		return g.mailboxStatus(rest)
	case "NAMESPACE":
		return g.namespace(rest)
	case "VANISHED":
		g.tell(Notice{Gone: true})
		return nil
	case "FLAGS": // Courier says no more than this when a letter gets a new keyword
		g.tell(Notice{Flags: true})
		return g.skipUnit(rest)
	case "SEARCH", "ESEARCH", "SORT", "THREAD", "ENABLED", "ID", "LSUB", "QUOTA", "QUOTAROOT":
		return g.skipUnit(rest) // nothing that we ask for
	}
	g.note("dropped an unknown response %.40q", word)
	return g.skipUnit(rest)
}

// status takes in an untagged OK, NO, BAD or PREAUTH. None of them is passed on.
func (g *guard) status(word string, rest []byte) error {
	s := readStatus(rest)
	g.takeStatus(s)
	if word == "NO" || word == "BAD" || s.code == "ALERT" {
		g.mu.Lock()
		g.said = s.words()
		g.mu.Unlock()
		g.note("server says %s: %s", word, s.words())
	}
	if s.code == "CAPABILITY" {
		if c := g.capsLine(); c != "" {
			g.forward("* CAPABILITY " + c)
		}
	}
	return nil
}

// byeSaid keeps the server's last words and gives it a moment to say how the command went.
func (g *guard) byeSaid(rest []byte) {
	s := readStatus(rest)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bye = s.words()
	if !g.byeSeen {
		g.byeSeen = true
		_ = g.Conn.SetReadDeadline(time.Now().Add(byeGrace))
	}
}

// statusText is what follows OK, NO, BAD or BYE. See RFC 9051 section 7.1.
type statusText struct {
	code string // upper case, "" without one
	args string // as sent
	text string // valid UTF-8, at most maxText octets
}

// words is code and text as a person or a log may see it.
func (s statusText) words() string {
	if s.code == "" {
		return s.text
	}
	return strings.TrimSpace("[" + s.code + "] " + s.text)
}

// readStatus reads "[CODE args] text". A bracket that is not closed is taken as text, so that it swallows nothing.
func readStatus(b []byte) statusText {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '[' {
		return statusText{text: cleanText(b)}
	}
	end := codeEnd(b)
	if end < 0 {
		return statusText{text: cleanText(b)}
	}
	code, args := cutWord(b[1:end])
	code = strings.ToUpper(code)
	for _, c := range []byte(code) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()[]{}%*"\`, c) >= 0 {
			return statusText{text: cleanText(b)}
		}
	}
	if len(code) > 60 {
		code = code[:60]
	}
	return statusText{code: code, args: string(args), text: cleanText(b[end+1:])}
}

// codeEnd finds the bracket that closes a response code; brackets in a list of flags belong to flags.
func codeEnd(b []byte) int {
	depth := 0
	for i, c := range b {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ']' && depth <= 0:
			return i
		}
	}
	return bytes.IndexByte(b, ']')
}

// cleanText makes a server's words fit for logs, letters and go-imap: valid UTF-8, no control characters, not long.
func cleanText(b []byte) string {
	if len(b) > 4*maxText {
		b = b[:4*maxText]
	}
	s := strings.ToValidUTF8(string(b), "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	for len(s) > maxText {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// plainText is a text that go-imap cannot take for a response code, and never empty.
func plainText(s string) string {
	if s == "" {
		return "."
	}
	if s[0] == '[' {
		return "(" + s[1:]
	}
	return s
}

// codeForward is the response code as go-imap may see it.
func (g *guard) codeForward(s statusText) string {
	switch s.code {
	case "":
		return ""
	case "CAPABILITY":
		if c := g.capsLine(); c != "" {
			return " [CAPABILITY " + c + "]"
		}
		return ""
	case "COPYUID", "APPENDUID", "PERMANENTFLAGS", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ", "NOMODSEQ", "CLOSED":
		return "" // taken in by us; go-imap would look at their arguments
	}
	return " [" + s.code + "]"
}

// withCaps is a response code with the capabilities as far as they are known. Where a server tells none after its greeting or
// a login, go-imap would ask for them in a goroutine of its own, at whatever moment, and we ask for them anyway.
func (g *guard) withCaps() string {
	c := g.capsLine()
	if c == "" {
		c = "IMAP4REV1"
	}
	return " [CAPABILITY " + c + "]"
}

// takeStatus keeps what a response code tells.
func (g *guard) takeStatus(s statusText) {
	a := g.data()
	switch s.code {
	case "CAPABILITY":
		g.setCaps(s.args)
	case "UIDVALIDITY":
		a.uidValidity = fold32(s.args)
	case "UIDNEXT":
		a.uidNext = fold32(s.args)
	case "HIGHESTMODSEQ":
		a.modSeq, _ = strconv.ParseUint(strings.TrimSpace(s.args), 10, 64)
	case "PERMANENTFLAGS":
		a.hasPermanent, a.permanent = true, readFlags(s.args)
	case "COPYUID":
		a.copyCodes = append(a.copyCodes, s.args)
	case "APPENDUID":
		a.appendArgs = s.args
	case "NOTIFICATIONOVERFLOW": // the server has ended NOTIFY; see RFC 5465 section 5.8
		g.tell(Notice{All: true})
	}
}

// fold32 reads a number that should have 32 bits. A longer one is folded, always in the same way; what is no number
// gives 0.
func fold32(s string) uint32 {
	w, _ := cutWord([]byte(s))
	v, err := strconv.ParseUint(w, 10, 64)
	if err != nil {
		return 0
	}
	if v > 0xffffffff {
		f := uint32(v) ^ uint32(v>>32)
		if f == 0 {
			f = 1
		}
		return f
	}
	return uint32(v)
}

// setCaps keeps the capabilities, without those that are hidden.
func (g *guard) setCaps(list string) {
	caps := map[string]bool{}
	for _, c := range strings.Fields(strings.ToUpper(list)) {
		if len(caps) < 500 && len(c) < 100 && isAtom(c) {
			caps[c] = true
		}
	}
	delete(caps, "UTF8=ACCEPT")
	delete(caps, "UTF8=ONLY")
	if caps["IMAP4REV1"] {
		delete(caps, "IMAP4REV2")
	}
	for c := range caps {
		if g.remove != nil && g.remove(c) {
			delete(caps, c)
		}
	}
	caps = g.known.share(caps)
	g.mu.Lock()
	g.caps = caps
	g.mu.Unlock()
}

func isAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()[]{}%*"\`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// capsLine is what go-imap is told of the capabilities: those that it looks at itself. It is "" when there are none.
func (g *guard) capsLine() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.caps) == 0 {
		return ""
	}
	line := "IMAP4REV1" // never empty: go-imap would ask
	for _, c := range []string{"LITERAL+", "LITERAL-", "MOVE", "SASL-IR", "UIDPLUS"} {
		if g.caps[c] {
			line += " " + c
		}
	}
	return line
}

// has reports a capability by its upper-case name.
func (g *guard) has(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.caps[name]
}
