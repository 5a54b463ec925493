package deals

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"kontrol/models"
)

const (
	// maxBroken is how many unclosed quotation marks are reported before reading stops: each may cost a look at a whole record.
	maxBroken = 100
	// maxRecord is the longest row of a text, in octets; a longer one is a quotation mark that was never closed, or no table.
	maxRecord = 1 << 20
)

// record is one line of a table and where it begins.
type record struct {
	line   int
	fields []string
}

// blank reports whether no cell says anything.
func (r record) blank() bool {
	for _, f := range r.fields {
		if strings.TrimSpace(f) != "" {
			return false
		}
	}
	return true
}

// textTable is a table in a text file. Each reading starts from its beginning; of the text only a window is in memory.
type textTable struct {
	in    io.ReadSeeker
	shape textShape
}

// each gives the rows of the text in order, until f returns false. A quotation mark that is never closed swallows the
// lines after it: such a record is reported and reading goes on at the next line, so that the rows after it are kept.
func (t *textTable) each(f func(record) bool) ([]RowError, error) {
	if _, err := t.in.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	s := &splitter{tape: &tape{in: t.shape.decode(t.in)}, comma: t.shape.comma, line: 1, give: f}
	if t.shape.sepLine {
		if err := s.skipLine(); err != nil {
			return nil, err
		}
	}
	for len(s.problems) < maxBroken {
		again, err := s.run()
		if err != nil || !again {
			return s.problems, err
		}
	}
	return s.problems, nil
}

func (t *textTable) Close() error { return nil }

// splitter cuts a text into records.
type splitter struct {
	tape     *tape
	comma    rune
	line     int // of the next octet
	columns  int // of the first record; 0 before it
	give     func(record) bool
	problems []RowError
}

// run reads records up to one that looks swallowed, and reports whether there is more to read after it.
func (s *splitter) run() (again bool, err error) {
	r := csv.NewReader(s.tape)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = s.comma, true, -1
	from := 0 // where the record begins, counted from where the reader began
	first := s.line
	for {
		fields, err := r.Read()
		if s.tape.err != nil {
			return false, s.tape.err
		}
		if errors.Is(err, io.EOF) && !s.tape.cut {
			return false, nil
		}
		to := int(r.InputOffset())
		if err != nil || s.tape.cut || s.swallowed(fields, s.tape.held[:to-from], s.tape.ends(to-from)) {
			return true, s.broken()
		}
		if s.columns == 0 {
			s.columns = len(fields)
		}
		at, _ := r.FieldPos(0)
		if !s.give(record{line: first + at - 1, fields: fields}) {
			return false, nil
		}
		s.line += bytes.Count(s.tape.held[:to-from], []byte{'\n'})
		s.tape.drop(to - from)
		from = to
	}
}

// broken reports the line at which a record begins and passes over it.
func (s *splitter) broken() error {
	for len(s.tape.held) > 0 && s.tape.held[0] == '\n' { // the reader passes over empty lines silently
		s.tape.drop(1)
		s.line++
	}
	if len(s.tape.held) == 0 {
		s.tape.rewind()
		return nil
	}
	value, _, _ := strings.Cut(string(s.tape.held[:min(len(s.tape.held), 4096)]), "\n")
	s.problems = append(s.problems, RowError{Line: s.line, Value: firstRunes(value, 300), Text: models.Say("deals.import.quote", "Value", firstRunes(value, 60))})
	return s.skipLine()
}

func (s *splitter) skipLine() error {
	for {
		if i := bytes.IndexByte(s.tape.held, '\n'); i >= 0 {
			s.tape.drop(i + 1)
			break
		}
		s.tape.drop(len(s.tape.held))
		if s.tape.ends(0) {
			break
		}
	}
	s.line++
	s.tape.rewind()
	return s.tape.err
}

// swallowed reports whether a field has taken in the rest of its line and lines after it, because its quotation mark was
// not closed. Text on several lines is allowed, so more must speak for it: the mark is never closed at all, or its first
// line alone completes the row and another row seems to follow, or the row has become too long.
func (s *splitter) swallowed(fields []string, raw []byte, last bool) bool {
	for i, f := range fields {
		first, rest, several := strings.Cut(f, "\n")
		switch {
		case !several:
		case last && i == len(fields)-1 && !bytes.HasSuffix(bytes.TrimRight(raw, "\n \t"), []byte{'"'}):
			return true
		case s.columns == 0:
		case len(fields) > s.columns:
			return true
		case i < s.columns-1 && strings.Count(first, string(s.comma)) == s.columns-1-i &&
			(strings.ContainsRune(rest, s.comma) || strings.HasPrefix(rest, `"`)):
			return true
		}
	}
	return false
}

// tape gives a text to a reader and holds what has not been dropped yet, so that it can be given again.
type tape struct {
	in    io.Reader
	held  []byte
	given int // octets of held that were given
	eof   bool
	cut   bool  // more than maxRecord was asked for at once: an end was made up
	err   error // of the file
}

// Read gives the next octets.
func (t *tape) Read(p []byte) (int, error) {
	if t.given == len(t.held) {
		if len(t.held) >= maxRecord {
			t.cut = true
			return 0, io.EOF
		}
		if t.fill(); t.err != nil {
			return 0, t.err
		}
	}
	n := copy(p, t.held[t.given:])
	t.given += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (t *tape) fill() {
	const chunk = 32 << 10
	if t.eof || t.err != nil {
		return
	}
	if cap(t.held)-len(t.held) < chunk {
		t.held = append(make([]byte, 0, 2*len(t.held)+2*chunk), t.held...)
	}
	n, err := io.ReadFull(t.in, t.held[len(t.held):len(t.held)+chunk])
	t.held = t.held[:len(t.held)+n]
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		t.eof = true
	case err != nil:
		t.err = fmt.Errorf("read table: %w", err)
	}
}

// ends reports whether the text ends at an offset of what is held.
func (t *tape) ends(at int) bool {
	if at == len(t.held) {
		t.fill()
	}
	return at == len(t.held) && t.eof
}

// drop forgets the first octets of what is held.
func (t *tape) drop(n int) { t.held, t.given = t.held[n:], max(0, t.given-n) }

// rewind gives everything that is held again.
func (t *tape) rewind() { t.given, t.cut = 0, false }

// lineEnds makes "\n" of "\r\n" and of a lone "\r".
type lineEnds struct{ in *bufio.Reader }

// Read gives the next octets.
func (l lineEnds) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	out := 0
	for i := range n {
		switch c := p[i]; {
		case c != '\r':
			p[out] = c
			out++
		case i+1 < n && p[i+1] == '\n':
		default:
			if next, _ := l.in.Peek(1); i+1 < n || len(next) == 0 || next[0] != '\n' {
				p[out] = '\n'
				out++
			}
		}
	}
	return out, err
}
