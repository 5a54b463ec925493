package imapsync

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// list takes in a LIST or XLIST line. See RFC 9051 section 7.3.1.
func (g *guard) list(rest []byte) error {
	l := g.lex(rest)
	item, err := l.listItem()
	seen := cleanText(rest)
	if restErr := l.rest(); restErr != nil {
		return restErr
	}
	a := g.data()
	if !a.listing {
		return nil
	}
	if err != nil {
		if !errors.Is(err, errSyntax) && !errors.Is(err, errName) {
			return err
		}
		a.badNames++
		g.note("dropped a folder whose LIST line cannot be read: %.200q", seen)
		return nil
	}
	a.lists = append(a.lists, item)
	return nil
}

func (l *lexer) listItem() (rawListed, error) {
	var item rawListed
	attrs, err := l.words()
	if err != nil {
		return item, err
	}
	item.attrs = cleanFlags(attrs)
	delim, err := l.str(8)
	if err != nil {
		return item, err
	}
	if utf8.RuneCount(delim) == 1 && utf8.Valid(delim) {
		item.delimiter = string(delim)
	}
	item.name, err = l.mailbox()
	return item, err
}

// mailbox reads a folder name: an atom (which may hold brackets), a quoted string or a literal.
func (l *lexer) mailbox() (string, error) {
	var raw []byte
	var err error
	if p := l.peek(); p != '"' && p != '{' && p != '(' && p != ')' && p != 0 {
		raw = []byte(l.atom()) // NIL is a name here
	} else if raw, err = l.str(maxName + 1); err != nil {
		return "", err
	}
	return decodeName(string(raw))
}

// mailboxStatus takes in a STATUS line. See RFC 9051 section 7.3.4.
func (g *guard) mailboxStatus(rest []byte) error {
	l := g.lex(rest)
	s, err := l.statusItem()
	if err != nil && !errors.Is(err, errSyntax) && !errors.Is(err, errName) {
		return err
	}
	if err != nil {
		g.note("dropped a STATUS line that cannot be read: %.200q", rest)
	}
	if restErr := l.rest(); restErr != nil {
		return restErr
	}
	a := g.data()
	g.mu.Lock()
	notice := err == nil && g.notify && !a.asking
	g.mu.Unlock()
	if notice {
		g.tell(Notice{Folders: []string{s.name}})
	} else if err == nil && len(a.statuses) < 10000 {
		a.statuses = append(a.statuses, s)
	}
	return nil
}

func (l *lexer) statusItem() (rawStatus, error) {
	var s rawStatus
	var err error
	if s.name, err = l.mailbox(); err != nil {
		return s, err
	}
	words, err := l.words()
	if err != nil {
		return s, err
	}
	for i := 0; i+1 < len(words); i += 2 {
		switch v := words[i+1]; strings.ToUpper(words[i]) {
		case "MESSAGES":
			s.messages = number32(v)
		case "UIDNEXT":
			s.uidNext = fold32(v)
		case "UIDVALIDITY":
			s.uidValidity = fold32(v)
		case "HIGHESTMODSEQ":
			s.modSeq = number64(v)
		}
	}
	return s, nil
}

// namespace takes in the personal namespaces. See RFC 2342.
func (g *guard) namespace(rest []byte) error {
	l := g.lex(rest)
	a := g.data()
	if l.peek() == '(' {
		l.pos++
		for l.peek() == '(' && len(a.namespaces) < 100 {
			l.pos++
			prefix, err := l.str(maxName)
			if err != nil {
				break
			}
			delim, err := l.str(8)
			if err != nil {
				break
			}
			for l.peek() != ')' && l.skip() == nil { // extensions
			}
			if l.peek() != ')' {
				break
			}
			l.pos++
			if name, err := decodeName(string(prefix)); err == nil {
				a.namespaces = append(a.namespaces, rawNamespace{name, string(delim)})
			}
		}
	}
	return l.rest()
}

// errName marks a folder name that is not modified UTF-7 and not UTF-8 either.
var errName = errors.New("malformed folder name")

// decodeName decodes a folder name from modified UTF-7. See RFC 3501 section 5.1.3. Raw UTF-8 is accepted, as many
// servers send it. INBOX comes back in capitals.
func decodeName(s string) (string, error) {
	if strings.EqualFold(s, "INBOX") {
		return "INBOX", nil
	}
	if len(s) > maxName || !utf8.ValidString(s) {
		return "", errName
	}
	var b strings.Builder
	afterRun := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c == 0x7f {
			return "", errName
		}
		if c != '&' {
			b.WriteByte(c)
			afterRun = false
			continue
		}
		end := strings.IndexByte(s[i:], '-')
		if end < 0 {
			return "", errName
		}
		run := s[i+1 : i+end]
		i += end
		if run == "" {
			b.WriteByte('&')
			afterRun = false
			continue
		}
		text, ok := decodeRun(run)
		if !ok || afterRun {
			return "", errName
		}
		b.WriteString(text)
		afterRun = true
	}
	return b.String(), nil
}

const nameAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

// decodeRun decodes the UTF-16 between & and -. Printable ASCII must not be written so.
func decodeRun(run string) (string, bool) {
	raw, err := base64.NewEncoding(nameAlphabet).WithPadding(base64.NoPadding).DecodeString(run)
	if err != nil || len(raw)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		u := uint16(raw[i])<<8 | uint16(raw[i+1])
		if u < 0x7f {
			return "", false
		}
		units = append(units, u)
	}
	for _, r := range utf16.Decode(units) {
		if r == utf8.RuneError {
			return "", false
		}
	}
	return string(utf16.Decode(units)), true
}
