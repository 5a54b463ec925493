package imapsync

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answers is what the server said in reply to one command. The reading goroutine fills it in; the owner looks at it when
// the command has ended or the connection is dead and the reading goroutine gone.
type answers struct {
	headerCap, textCap int
	accept             func(uid uint32) bool // which copies are of interest; nil: none
	room               int64                 // octets of letters that may still be kept

	done   bool // the tagged result has come
	result statusText

	together []result // of the commands that travelled before it

	damaged bool // something in the answer could not be read
	copies  map[uint32]*copyData
	slab    []copyData // where the next of copies come from
	short   bool       // letters are not asked for: what is told is put into metas, and copies stays empty
	metas   []Meta     // in the order of the lines; one that told no flags has nil

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
	copyCodes    []string // of every COPYUID: servers that move in steps say several
	appendArgs   string
}

func newAnswers(headerCap, textCap int, accept func(uint32) bool) *answers {
	return &answers{headerCap: headerCap, textCap: textCap, accept: accept, room: math.MaxInt64}
}

func (a *answers) damage() { a.damaged = true }

// copyData is what FETCH lines told about one copy, all lines taken together.
type copyData struct {
	flags               []string // shared with other copies: not to be changed
	date                time.Time
	size                int64
	header, text, whole []byte // nil: not told, or NIL
	hasFlags            bool
	skipped             bool // there was no room to keep it
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
	c.skipped = c.skipped || o.skipped
}

// add takes in what one line told about a copy.
func (a *answers) add(uid uint32, c *copyData) {
	if a.short {
		m := Meta{UID: uid}
		if c.hasFlags {
			m.Flags = c.flags
		}
		a.metas = append(a.metas, m)
		return
	}
	if known := a.copies[uid]; known != nil {
		known.merge(c)
		return
	}
	if a.copies == nil {
		a.copies = map[uint32]*copyData{}
	}
	if len(a.slab) == 0 {
		a.slab = make([]copyData, min(max(len(a.copies), 1), 64))
	}
	a.slab[0] = *c
	a.copies[uid], a.slab = &a.slab[0], a.slab[1:]
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
	if a.plain != nil {
		if m, ok := a.plain.take(rest); ok {
			a.metas = append(a.metas, m)
			return nil
		}
	}
	l := g.lex(rest)
	var c copyData
	uid := uint32(0)
	err := l.fetchItems(a, &c, &uid)
	if err != nil && err != errSyntax { //nolint:errorlint // errSyntax is never wrapped
		return err
	}
	if err == errSyntax { //nolint:errorlint // as above
		a.damage()
		a.room += int64(len(c.header) + len(c.text) + len(c.whole))
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
	a.add(uid, &c)
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
		if err := l.fetchItem(l.attName(), a, c, uid); err != nil {
			return err
		}
	}
}

// attName reads the name of a message attribute with its section in brackets and the origin after it. It is valid until
// a literal is read.
func (l *lexer) attName() []byte {
	start, depth := l.pos, 0
	for ; l.pos < len(l.line); l.pos++ {
		switch c := l.line[l.pos]; {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case depth <= 0 && (c == ' ' || c == '(' || c == ')' || c == '"'):
			return l.line[start:l.pos]
		}
	}
	return l.line[start:l.pos]
}

func (l *lexer) fetchItem(name []byte, a *answers, c *copyData, uid *uint32) (err error) {
	switch {
	case is(name, "UID"):
		n, err := l.number()
		*uid = 0
		if n <= math.MaxUint32 {
			*uid = uint32(n)
		}
		return err
	case is(name, "FLAGS"):
		c.flags, err = l.g.flags.read(l)
		c.hasFlags = true
		return err
	case is(name, "INTERNALDATE"):
		v, err := l.str(60)
		c.date = internalDate(string(v))
		return err
	case is(name, "RFC822.SIZE"):
		n, err := l.number()
		if n > 0 {
			c.size = n
		}
		return err
	case len(name) > len("BODY[") && is(name[:len("BODY[")], "BODY["):
		return l.section(name[len("BODY["):], a, c)
	}
	return l.skip()
}

// is compares a keyword without regard to case.
func is(word []byte, upper string) bool {
	return len(word) == len(upper) && bytes.EqualFold(word, []byte(upper))
}

// section reads a part of a letter. Yandex and others leave the value out when they have none.
func (l *lexer) section(name []byte, a *answers, c *copyData) error {
	into, keep := &c.whole, a.headerCap+a.textCap
	switch spec, _, _ := bytes.Cut(name, []byte("]")); {
	case is(spec, "HEADER"):
		into, keep = &c.header, a.headerCap
	case is(spec, "TEXT"):
		into, keep = &c.text, a.textCap
	case len(spec) == 0:
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
	if a.accept == nil || len(*into) > 0 {
		keep = 0
	}
	if l.lit > 0 && min(l.lit, int64(keep)) > a.room {
		keep, c.skipped = 0, true
	}
	v, err := l.str(keep)
	if len(v) > 0 {
		*into = v
		a.room -= int64(len(v))
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

// flagSets remembers the sets of flags that a server uses, of which there are few, so that a hundred thousand copies do
// not hold each their own. The sets are shared: nobody may change one.
type flagSets map[string][]string

const maxFlagSets = 1000

// read reads a list of flags.
func (s *flagSets) read(l *lexer) ([]string, error) {
	l.blanks()
	rest := l.line[l.pos:]
	end := bytes.IndexByte(rest, ')')
	if end < 0 || end > 250 || rest[0] != '(' || bytes.ContainsAny(rest[1:end], "(\"{") {
		words, err := l.words()
		return cleanFlags(words), err
	}
	set, ok := (*s)[string(rest[:end])]
	if ok {
		l.pos += end + 1
		return set, nil
	}
	name := string(rest[:end])
	words, err := l.words()
	set = slices.Clip(cleanFlags(words))
	if err == nil {
		if *s == nil || len(*s) >= maxFlagSets {
			*s = flagSets{}
		}
		(*s)[name] = set
	}
	return set, err
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
