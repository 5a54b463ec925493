package imapsync

import (
	"bytes"
	"errors"
	"sort"
	"strconv"
	"strings"
)

// errSyntax marks a response that cannot be understood. The rest of it is skipped and the connection lives on.
var errSyntax = errors.New("malformed response")

const maxDepth = 100 // nesting of lists in a response

// lexer reads one response that may hold literals, line by line as it needs them.
type lexer struct {
	g    *guard
	line []byte // without its line end and without a literal marker at its end
	pos  int
	lit  int64 // size of the literal that ends the line; -1 without one
}

// lex returns the one lexer of the guard, at the start of a response.
func (g *guard) lex(line []byte) *lexer {
	l := &g.lexer
	l.g = g
	l.load(line)
	return l
}

// load makes line the current one. A literal marker at its very end always means a literal: a quoted string cannot end
// there, even when its quotes are wrong.
func (l *lexer) load(line []byte) {
	l.line, l.pos, l.lit = line, 0, -1
	if n, _, ok := trailingLiteral(line); ok {
		l.lit = n
		l.line = line[:bytes.LastIndexByte(line, '{')]
		l.line = bytes.TrimSuffix(l.line, []byte("~"))
	}
}

// next reads the literal at the end of the line, keeps up to keep octets of it, and goes to the line that follows.
func (l *lexer) literal(keep int) ([]byte, error) {
	b, err := l.g.literal(l.lit, keep)
	if err != nil {
		return nil, err
	}
	line, tooLong, err := l.g.readLine()
	if err != nil {
		return nil, err
	}
	if tooLong {
		line = nil
	}
	l.load(line)
	return b, nil
}

// rest skips what is left of the response, literals included.
func (l *lexer) rest() error {
	for l.lit >= 0 {
		if _, err := l.literal(0); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) skipUnit(line []byte) error { return g.lex(line).rest() }

func (l *lexer) blanks() {
	for l.pos < len(l.line) && (l.line[l.pos] == ' ' || l.line[l.pos] == '\t') {
		l.pos++
	}
}

// peek returns the next octet after blanks; '{' stands for a literal and 0 for the end of the response.
func (l *lexer) peek() byte {
	l.blanks()
	if l.pos < len(l.line) {
		return l.line[l.pos]
	}
	if l.lit >= 0 {
		return '{'
	}
	return 0
}

// atom reads up to a blank, a parenthesis or a quote.
func (l *lexer) atom() string {
	l.blanks()
	start := l.pos
	for l.pos < len(l.line) && strings.IndexByte(` ()"`, l.line[l.pos]) < 0 {
		l.pos++
	}
	return string(l.line[start:l.pos])
}

// quoted reads a quoted string. One that is not closed on its line is a syntax error.
func (l *lexer) quoted() ([]byte, error) {
	l.pos++
	b := []byte{}
	for {
		rest := l.line[l.pos:]
		i := bytes.IndexAny(rest, `"\\`)
		if i < 0 {
			l.pos = len(l.line)
			return nil, errSyntax
		}
		b = append(b, rest[:i]...)
		l.pos += i + 1
		if rest[i] == '"' {
			return b, nil
		}
		if l.pos == len(l.line) {
			return nil, errSyntax
		}
		b = append(b, l.line[l.pos])
		l.pos++
	}
}

// digits passes over a number that stands by itself and returns its digits. Anything else stays where it is.
func (l *lexer) digits() []byte {
	l.blanks()
	i := l.pos
	for i < len(l.line) && l.line[i] >= '0' && l.line[i] <= '9' {
		i++
	}
	if i == l.pos || i-l.pos > 18 || (i < len(l.line) && l.line[i] != ' ' && l.line[i] != ')') {
		return nil
	}
	d := l.line[l.pos:i]
	l.pos = i
	return d
}

// number reads a number of at most 63 bits; NIL and what is no number give 0.
func (l *lexer) number() (int64, error) {
	if d := l.digits(); d != nil {
		n := int64(0)
		for _, c := range d {
			n = 10*n + int64(c-'0')
		}
		return n, nil
	}
	v, err := l.str(20)
	n, e := strconv.ParseInt(string(v), 10, 64)
	if e != nil || n < 0 {
		n = 0
	}
	return n, err
}

// str reads NIL, an atom, a quoted string or a literal; keep bounds what is kept of a literal. NIL gives nil.
func (l *lexer) str(keep int) ([]byte, error) {
	switch l.peek() {
	case '{':
		if l.pos < len(l.line) {
			return nil, errSyntax
		}
		return l.literal(keep)
	case '"':
		b, err := l.quoted()
		return b[:min(len(b), keep):min(len(b), keep)], err
	case '(', ')', 0:
		return nil, errSyntax
	}
	a := l.atom()
	if strings.EqualFold(a, "NIL") {
		return nil, nil
	}
	return []byte(a[:min(len(a), keep)]), nil
}

// skip passes over one value of any kind.
func (l *lexer) skip() error {
	depth := 0
	for {
		switch c := l.peek(); c {
		case 0:
			return errSyntax
		case '(':
			l.pos++
			if depth++; depth > maxDepth {
				return errSyntax
			}
			continue
		case ')':
			if depth == 0 {
				return errSyntax
			}
			l.pos++
			depth--
		default:
			before, lit := l.pos, l.lit
			if _, err := l.str(0); err != nil {
				return err
			}
			if l.pos == before && lit < 0 {
				return errSyntax
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// words reads a list of atoms in parentheses, or NIL: flags or mailbox attributes. Whatever stands between blanks is one
// of them, brackets and letters of any alphabet included.
func (l *lexer) words() ([]string, error) {
	if l.peek() != '(' {
		a := l.atom()
		if strings.EqualFold(a, "NIL") {
			return nil, nil
		}
		return nil, errSyntax
	}
	l.pos++
	var list []string
	for {
		switch l.peek() {
		case ')':
			l.pos++
			return list, nil
		case 0, '{':
			if l.pos < len(l.line) { // an atom that begins with a brace
				break
			}
			return list, errSyntax
		case '"':
			b, err := l.quoted()
			if err != nil {
				return list, err
			}
			list = append(list, string(b))
			continue
		}
		start := l.pos
		for l.pos < len(l.line) && l.line[l.pos] != ' ' && l.line[l.pos] != ')' {
			l.pos++
		}
		list = append(list, string(l.line[start:l.pos]))
	}
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
