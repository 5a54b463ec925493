package inbound

import (
	"bytes"
	"strings"
)

// field is one header field: the name in lower case, the value unfolded but otherwise as it came.
type field struct {
	name  string
	value []byte
}

// header is the fields of a header block in their order.
type header []field

// first returns the value of the first field with the name, and whether there is one.
func (h header) first(name string) ([]byte, bool) {
	for _, f := range h {
		if f.name == name {
			return f.value, true
		}
	}
	return nil, false
}

// all returns the values of all fields with the name.
func (h header) all(name string) [][]byte {
	var out [][]byte
	for _, f := range h {
		if f.name == name {
			out = append(out, f.value)
		}
	}
	return out
}

// has reports whether there is a field with the name.
func (h header) has(name string) bool {
	_, ok := h.first(name)
	return ok
}

// token returns the first field with the name as a lower-case word: without comments and parameters, trimmed.
func (h header) token(name string) string {
	v, _ := h.first(name)
	s := string(v)
	if i := strings.IndexAny(s, ";("); i >= 0 {
		s = s[:i]
	}
	return strings.ToLower(strings.Trim(strings.TrimSpace(s), `"'`))
}

// scanHeader splits a header block into fields. It reads up to the first empty line and returns what follows it. Lines
// that are no field and continue none are dropped; problems says how many and why.
func scanHeader(raw []byte) (h header, rest []byte, problems []string) {
	lines := lineReader{rest: raw}
	if len(raw) > maxHeaderBytes {
		if i := bytes.Index(raw[:maxHeaderBytes], []byte("\n\r\n")); i < 0 && !bytes.Contains(raw[:maxHeaderBytes], []byte("\n\n")) {
			problems = append(problems, "header longer than 256 KB: the end was left out")
			lines.rest = raw[:maxHeaderBytes]
		}
	}
	lines.rest = bytes.TrimPrefix(lines.rest, []byte("\xef\xbb\xbf"))
	lines.bareCR = usesBareCR(lines.rest)
	s := headerScan{}
	for n := 0; ; n++ {
		line, ok := lines.next()
		if !ok || (len(line) == 0 && n > 0 && s.started) {
			break
		}
		if n >= maxHeaderLines {
			problems = append(problems, "header of more than 1000 lines: the end was left out")
			break
		}
		s.line(line)
	}
	return s.h, lines.rest, append(problems, s.problems()...)
}

// headerScan is the state of scanHeader.
type headerScan struct {
	h       header
	open    bool // the last line was a field or continued one
	started bool // a line that is not empty has been seen
	dropped int
	odd     int
}

func (s *headerScan) line(line []byte) {
	if len(line) == 0 {
		return
	}
	s.started = true
	if line[0] == ' ' || line[0] == '\t' || bytes.HasPrefix(line, []byte("=?")) { // the second: folded without a blank
		if s.open {
			last := &s.h[len(s.h)-1]
			last.value = append(last.value, line...)
		} else if len(bytes.TrimSpace(line)) > 0 {
			s.dropped++
		}
		return
	}
	s.open = false
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		s.dropped++
		return
	}
	name := bytes.TrimRight(line[:colon], " \t")
	if !fieldName(name) {
		if !bytes.HasPrefix(line, []byte("From ")) && !bytes.HasPrefix(line, []byte(">From ")) {
			s.odd++
		}
		return
	}
	value := append([]byte(nil), line[colon+1:]...) // a copy: continuation lines are appended to it
	s.h = append(s.h, field{strings.ToLower(string(name)), value})
	s.open = true
}

func (s *headerScan) problems() []string {
	var out []string
	if s.dropped > 0 {
		out = append(out, "header lines that are no field were dropped")
	}
	if s.odd > 0 {
		out = append(out, "header fields with an impossible name were dropped")
	}
	return out
}

// fieldName reports whether b can name a field. See RFC 5322 section 2.2.
func fieldName(b []byte) bool {
	if len(b) == 0 || len(b) > 200 {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// usesBareCR reports whether the block has CR as its only line end.
func usesBareCR(raw []byte) bool {
	return bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') >= 0
}

// lineReader gives the lines of a block, whatever ends them. A CR within a line becomes a blank when the block has line
// feeds too: it must not start a field that the sender's own server did not see.
type lineReader struct {
	rest   []byte
	bareCR bool
}

// next returns the next line without its end, and false when there is none. NUL octets are left out.
func (r *lineReader) next() ([]byte, bool) {
	if len(r.rest) == 0 {
		return nil, false
	}
	end := byte('\n')
	if r.bareCR {
		end = '\r'
	}
	line := r.rest
	if i := bytes.IndexByte(r.rest, end); i >= 0 {
		line, r.rest = r.rest[:i], r.rest[i+1:]
	} else {
		r.rest = nil
	}
	line = bytes.TrimRight(line, "\r")
	if bytes.IndexByte(line, 0) >= 0 {
		line = bytes.ReplaceAll(line, []byte{0}, nil)
	}
	if bytes.IndexByte(line, '\r') >= 0 {
		line = bytes.ReplaceAll(line, []byte{'\r'}, []byte{' '})
	}
	return line, true
}
