package imapsync

import (
	"strconv"
	"strings"
	"time"
)

// answers is what the server said in reply to one command. The reading goroutine fills it in; the owner looks at it when
// the command has ended or the connection is dead and the reading goroutine gone.
type answers struct {
	headerCap, textCap int
	accept             func(uid uint32) bool // which copies are of interest; nil: none

	done   bool // the tagged result has come
	result statusText

	damaged bool // something in the answer could not be read
	copies  map[uint32]*copyData
	order   []uint32 // UIDs in the order of their first line

	plain      *plainMetas // where lines go that hold UID and flags only; nil: nowhere
	listing    bool
	asking     bool // STATUS lines are an answer, not a notice
	lists      []rawListed
	statuses   []rawStatus
	namespaces []rawNamespace
	badNames   int

	exists       uint32
	uidValidity  uint32
	uidNext      uint32
	modSeq       uint64
	hasPermanent bool
	permanent    []string
	copyArgs     string
	appendArgs   string
}

func newAnswers(headerCap, textCap int, accept func(uint32) bool) *answers {
	return &answers{headerCap: headerCap, textCap: textCap, accept: accept, copies: map[uint32]*copyData{}}
}

func (a *answers) damage() { a.damaged = true }

// copyData is what FETCH lines told about one copy, all lines taken together.
type copyData struct {
	flags               []string
	date                time.Time
	size                int64
	header, text, whole []byte // nil: not told, or NIL
	hasFlags            bool
}

// merge puts what another line told about the same copy into c. What is known already stays, except flags.
func (c *copyData) merge(o *copyData) {
	if o.hasFlags {
		c.flags, c.hasFlags = o.flags, true
	}
	if c.date.IsZero() {
		c.date = o.date
	}
	if c.size == 0 {
		c.size = o.size
	}
	if len(c.header) == 0 {
		c.header = o.header
	}
	if len(c.text) == 0 {
		c.text = o.text
	}
	if len(c.whole) == 0 {
		c.whole = o.whole
	}
}

// rawListed is one LIST or XLIST line.
type rawListed struct {
	name, delimiter string
	attrs           []string
}

// rawStatus is one STATUS line.
type rawStatus struct {
	name                           string
	messages, uidNext, uidValidity uint32
	modSeq                         uint64
}

// rawNamespace is one personal namespace.
type rawNamespace struct{ prefix, delimiter string }

// fetch takes in one FETCH response; rest starts at its parenthesis. Nothing of it is passed on.
func (g *guard) fetch(rest []byte) error {
	a := g.data()
	if a.plain != nil && a.plain.take(rest) {
		return nil
	}
	l := g.lex(rest)
	c, uid := &copyData{}, uint32(0)
	err := l.fetchItems(a, c, &uid)
	if err != nil && err != errSyntax { //nolint:errorlint // errSyntax is never wrapped
		return err
	}
	if err == errSyntax { //nolint:errorlint // as above
		a.damage()
		c.header, c.text, c.whole = nil, nil, nil // a wrong length may have cut them short
		g.note("a FETCH answer about UID %d could not be read to its end", uid)
		if uid == 0 {
			uid = findUID(l.line)
		}
		if err := l.rest(); err != nil {
			return err
		}
	}
	if uid == 0 || a.accept == nil || !a.accept(uid) {
		g.tell(Notice{Flags: true})
		return nil
	}
	known := a.copies[uid]
	if known == nil {
		known = &copyData{}
		a.copies[uid] = known
		a.order = append(a.order, uid)
	}
	known.merge(c)
	return nil
}

// findUID looks for "UID n" in what is left of a damaged line.
func findUID(line []byte) uint32 {
	s := strings.ToUpper(string(line))
	for i := 0; ; {
		j := strings.Index(s[i:], "UID ")
		if j < 0 {
			return 0
		}
		if k := i + j; k == 0 || s[k-1] == '(' || s[k-1] == ' ' {
			word, _ := cutWord([]byte(s[k+4:]))
			return number32(strings.TrimRight(word, ")"))
		}
		i += j + 4
	}
}

func number32(s string) uint32 {
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(v)
}

func (l *lexer) fetchItems(a *answers, c *copyData, uid *uint32) error {
	if l.peek() != '(' {
		return errSyntax
	}
	l.pos++
	for {
		switch l.peek() {
		case ')':
			l.pos++
			if l.peek() != 0 {
				return errSyntax
			}
			return nil
		case 0, '"', '(', '{':
			return errSyntax
		}
		if err := l.fetchItem(strings.ToUpper(l.attName()), a, c, uid); err != nil {
			return err
		}
	}
}

// attName reads the name of a message attribute with its section in brackets and the origin after it.
func (l *lexer) attName() string {
	start, depth := l.pos, 0
	for ; l.pos < len(l.line); l.pos++ {
		switch c := l.line[l.pos]; {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case depth <= 0 && (c == ' ' || c == '(' || c == ')' || c == '"'):
			return string(l.line[start:l.pos])
		}
	}
	return string(l.line[start:l.pos])
}

func (l *lexer) fetchItem(name string, a *answers, c *copyData, uid *uint32) error {
	switch {
	case name == "UID":
		v, err := l.str(20)
		*uid = number32(string(v))
		return err
	case name == "FLAGS":
		words, err := l.words()
		c.flags, c.hasFlags = cleanFlags(words), true
		return err
	case name == "INTERNALDATE":
		v, err := l.str(60)
		c.date = internalDate(string(v))
		return err
	case name == "RFC822.SIZE":
		v, err := l.str(20)
		if n, e := strconv.ParseInt(string(v), 10, 64); e == nil && n > 0 {
			c.size = n
		}
		return err
	case strings.HasPrefix(name, "BODY["):
		return l.section(name, a, c)
	}
	return l.skip()
}

// section reads a part of a letter. Yandex and others leave the value out when they have none.
func (l *lexer) section(name string, a *answers, c *copyData) error {
	into, keep := &c.whole, a.headerCap+a.textCap
	switch spec, _, _ := strings.Cut(strings.TrimPrefix(name, "BODY["), "]"); spec {
	case "HEADER":
		into, keep = &c.header, a.headerCap
	case "TEXT":
		into, keep = &c.text, a.textCap
	case "":
	default:
		return l.skip()
	}
	switch p := l.peek(); {
	case p == ')':
		return nil
	case p == '{' && l.pos < len(l.line), p == '(', p == 0:
		return errSyntax
	case p != '{' && p != '"':
		before := l.pos
		if !strings.EqualFold(l.atom(), "NIL") {
			l.pos = before // the name of the next attribute
		}
		return nil
	}
	if a.accept == nil {
		keep = 0
	}
	v, err := l.str(keep)
	if len(v) > 0 && len(*into) == 0 {
		*into = append([]byte(nil), v...)
	}
	return err
}

// internalDate reads INTERNALDATE; what is no date, or lies before e-mail, gives the zero time.
func internalDate(s string) time.Time {
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", strings.TrimLeft(s, " "))
	if err != nil || t.Year() < 1971 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC()
}

// systemFlags are the flags whose case matters to nobody but is told in one form by us.
func systemFlag(s string) string {
	switch strings.ToLower(s) {
	case `\seen`:
		return `\Seen`
	case `\answered`:
		return `\Answered`
	case `\flagged`:
		return `\Flagged`
	case `\deleted`:
		return `\Deleted`
	case `\draft`:
		return `\Draft`
	case `\recent`:
		return ""
	case "nil":
		return ""
	}
	return s
}

// cleanFlags makes flags valid UTF-8 without control characters, and drops \Recent, empty and absurd ones.
func cleanFlags(words []string) []string {
	flags := make([]string, 0, len(words))
	for _, w := range words {
		w = systemFlag(cleanText([]byte(w)))
		if w != "" && len(w) <= 250 && len(flags) < 200 {
			flags = append(flags, w)
		}
	}
	return flags
}

// readFlags reads the list in PERMANENTFLAGS.
func readFlags(s string) []string {
	return cleanFlags(strings.Fields(strings.Trim(strings.TrimSpace(s), "()")))
}

func number64(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}
