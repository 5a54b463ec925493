package inbound

import (
	"bytes"
	"strings"
)

// entity is a letter or a part of one. Letters within a letter (message/rfc822) are leaves, but see inner.
type entity struct {
	header      header
	media       media
	disposition media
	body        []byte // as it came, transfer encoding and all, but see plain; nil for a multipart
	children    []*entity
	file        bool // it is a file, not text to be read; see isFile
	plain       bool // body is without transfer encoding, and only the start of it: ReadAll has passed over the rest
	cut         bool // the letter ended, or was cut, within it
	size        int64
	sum         string       // both set when plain and file, or by attachments
	within      []Attachment // files that stood in the text (uuencode)
	inner       *entity      // of a letter within the letter, what it holds: ReadAll alone looks
}

// parser builds the tree of parts within the limits of the package.
type parser struct {
	parts    int
	hint     string
	problems []string
}

// The problems that both ways of reading tell of.
const (
	problemDepth    = "parts nested deeper than 20 levels were left out"
	problemParts    = "more than 500 parts: the rest was left out"
	problemBoundary = "multipart without a usable boundary: read as text"
)

// parse reads the entity whose header is h and whose body is body. A body is passed over once for each level of nesting,
// and there are at most maxDepth levels.
func (p *parser) parse(h header, body []byte, parent *entity, depth int) *entity {
	e := p.entity(h, parent)
	if e.media.major() != "multipart" {
		e.body = body
		return e
	}
	boundary := e.media.params["boundary"]
	if !hasBoundary(body, boundary) {
		boundary = sniffBoundary(body)
	}
	if boundary == "" || depth >= maxDepth {
		if depth >= maxDepth {
			p.problem(problemDepth)
		} else if len(bytes.TrimSpace(body)) > 0 {
			p.problem(problemBoundary)
		}
		e.media = media{kind: "text/plain"}
		e.body = body
		return e
	}
	for _, raw := range splitParts(body, boundary, maxParts) {
		if p.parts >= maxParts {
			p.problem(problemParts)
			break
		}
		h, rest := partHeader(raw)
		p.parse(h, rest, e, depth+1)
	}
	return e
}

// entity makes the entity with the header h and hangs it into its parent, nil for the letter itself.
func (p *parser) entity(h header, parent *entity) *entity {
	p.parts++
	e := &entity{header: h}
	if v, ok := h.first("content-type"); ok {
		e.media = parseMedia(v, p.hint)
	} else if parent != nil && parent.media.kind == "multipart/digest" {
		e.media.kind = "message/rfc822" // RFC 2046 section 5.1.5
	}
	if v, ok := h.first("content-disposition"); ok {
		e.disposition = parseMedia(v, p.hint)
	}
	e.file = isFile(e, parent)
	if parent != nil {
		parent.children = append(parent.children, e)
	}
	return e
}

func (p *parser) problem(s string) {
	for _, x := range p.problems {
		if x == s {
			return
		}
	}
	p.problems = append(p.problems, s)
}

// partHeader splits a part. A part may lack a header, and many forget the empty line: then it is all body.
func partHeader(raw []byte) (header, []byte) {
	if len(raw) > 0 && (raw[0] == '\n' || raw[0] == '\r') {
		line := lineReader{rest: raw}
		line.next()
		return nil, line.rest
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	if colon := bytes.IndexByte(line, ':'); colon <= 0 || !fieldName(bytes.TrimRight(line[:colon], " \t")) {
		return nil, raw
	}
	h, rest, _ := scanHeader(raw)
	return h, rest
}

// hasBoundary reports whether the body has at least one delimiter line.
func hasBoundary(body []byte, boundary string) bool {
	return boundary != "" && len(splitParts(body, boundary, 1)) > 0
}

// splitParts returns what lies between the delimiter lines, at most limit parts. The last part may be unclosed. Preamble
// and epilogue are left out. See RFC 2046 section 5.1.1.
func splitParts(body []byte, boundary string, limit int) [][]byte {
	var parts [][]byte
	start := -1
	for pos := 0; pos < len(body); {
		end := len(body)
		if i := bytes.IndexByte(body[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		delimiter, closing := delimits(body[pos:end], boundary)
		if delimiter {
			if start >= 0 {
				parts = append(parts, trimLineEnd(body[start:pos]))
			}
			start = end
			if closing {
				start = -1
			}
			if len(parts) >= limit {
				return parts
			}
		}
		pos = end
	}
	if start >= 0 && start <= len(body) {
		parts = append(parts, body[start:])
	}
	return parts
}

// delimits reports whether the line is a delimiter for the boundary, and whether it is the closing one.
func delimits(line []byte, boundary string) (delimiter, closing bool) {
	if len(line) < len(boundary)+2 || line[0] != '-' || line[1] != '-' || string(line[2:2+len(boundary)]) != boundary {
		return false, false
	}
	tail := bytes.TrimSpace(line[2+len(boundary):])
	switch {
	case len(tail) == 0:
		return true, false
	case bytes.Equal(tail, []byte("--")):
		return true, true
	}
	return false, false
}

// trimLineEnd removes the line end that belongs to the delimiter after it.
func trimLineEnd(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// sniffBoundary finds the boundary of a multipart that does not name its own: a line that begins with two dashes, right
// before a line that can only be a header of a part.
func sniffBoundary(body []byte) string {
	r := lineReader{rest: body}
	before := ""
	for n := 0; n < 200; n++ {
		line, ok := r.next()
		if !ok {
			break
		}
		if before != "" && len(line) > 8 && strings.EqualFold(string(line[:8]), "content-") {
			return before
		}
		before = ""
		if len(line) > 3 && len(line) < 200 && line[0] == '-' && line[1] == '-' {
			before = strings.TrimSpace(string(line[2:]))
		}
	}
	return ""
}

// walk calls f for e and everything in it, in the order of the letter.
func (e *entity) walk(f func(*entity)) {
	f(e)
	for _, c := range e.children {
		c.walk(f)
	}
}

// find returns the first entity of the kind, or nil.
func (e *entity) find(kind string) *entity {
	var found *entity
	e.walk(func(x *entity) {
		if found == nil && x.media.kind == kind {
			found = x
		}
	})
	return found
}

// decoded returns the body with the transfer encoding undone, at most limit octets of it. An unknown encoding counts as
// none. See RFC 2045 section 6.
func (e *entity) decoded(limit int) []byte {
	body := e.body
	if e.plain {
		return body[:min(len(body), limit)]
	}
	switch e.encoding() {
	case "base64":
		if len(body) > limit*3/2 {
			body = body[:limit*3/2]
		}
		body = decodeBase64(body)
	case "quoted-printable":
		if len(body) > limit*3 {
			body = body[:limit*3]
		}
		body = decodeQuotedPrintable(body)
	case "x-uuencode":
		body = decodeUU(body)
	}
	return body[:min(len(body), limit)]
}

// encoding returns the transfer encoding by the name that the package knows it by; "" for none, or one that nobody knows.
func (e *entity) encoding() string {
	switch t := e.header.token("content-transfer-encoding"); t {
	case "base64", "quoted-printable", "x-uuencode":
		return t
	case "base-64", "x-base64":
		return "base64"
	case "quotedprintable", "quoted_printable", "qp":
		return "quoted-printable"
	case "uuencode", "x-uue", "uue":
		return "x-uuencode"
	}
	return ""
}

// decodeQuotedPrintable leaves what is not encoded properly as it is. See RFC 2045 section 6.7.
func decodeQuotedPrintable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		if i+2 < len(b) && hexValue(b[i+1]) >= 0 && hexValue(b[i+2]) >= 0 {
			out = append(out, byte(hexValue(b[i+1])<<4|hexValue(b[i+2])))
			i += 2
			continue
		}
		if n := softBreak(b[i+1:]); n > 0 || len(b)-i < 80 && len(bytes.TrimRight(b[i+1:], " \t\r")) == 0 {
			i += n
			if n == 0 { // the last line end was the boundary's
				break
			}
			continue
		}
		out = append(out, '=')
	}
	return out
}

// softBreak returns the length of the blanks and the line end that follow an equals sign, 0 when something else does.
func softBreak(b []byte) int {
	for i := 0; i < len(b) && i < 80; i++ {
		switch b[i] {
		case ' ', '\t', '\r':
		case '\n':
			return i + 1
		default:
			return 0
		}
	}
	return 0
}
