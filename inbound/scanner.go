package inbound

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// What is kept of the parts of a letter that is read as it passes.
const (
	maxUndecided = 1 << 20   // of a multipart whose boundary has not come yet
	maxKeptAll   = 8 << 20   // of all parts together
	maxKeptText  = 4 << 20   // of a part with words to be read
	maxKeptOther = 256 << 10 // of a part with a header or a report
	maxKeptFile  = 1 << 10   // of a file
)

// scanner builds the tree of parts from a body that comes line by line, as parser.parse does from one that is there as a
// whole: for the same small letter both give the same tree. It holds no more than the limits above allow.
type scanner struct {
	parser  *parser
	root    *entity
	open    []*frame // the multiparts that the next line may belong to, outermost first
	at      place
	head    []byte // the header of the part that has begun, so far
	begun   bool   // head has a line
	leaf    *leaf
	full    bool // too many parts: nothing more is looked at
	depth   int  // of the part that holds the letter; 0 for the outermost
	letters int  // how many letters lie around the one that it reads
	shared  *shared
}

// place is where in a part the scanner is.
type place int

const (
	nowhere  place = iota // behind the last part of a multipart
	preamble              // before its first part
	inHeader
	inBody
)

// frame is a multipart that has begun.
type frame struct {
	e        *entity
	boundary string
	seen     bool   // a delimiter has come
	before   []byte // what came before it
}

// line takes a line, with its end, or a piece of one that is very long; start says that the line begins with it.
func (s *scanner) line(b []byte, start bool) {
	if s.full || len(b) == 0 || start && s.delimiter(b) {
		return
	}
	switch s.at {
	case preamble:
		s.preamble(b)
	case inHeader:
		s.headerLine(b, start)
	case inBody:
		s.leaf.write(b)
	}
}

// delimiter looks whether the line ends a part. An outer multipart counts before an inner one.
func (s *scanner) delimiter(b []byte) bool {
	if len(b) < 3 || b[0] != '-' || b[1] != '-' {
		return false
	}
	for i, f := range s.open {
		if f.boundary == "" {
			continue
		}
		delimiter, closing := delimits(b, f.boundary)
		if !delimiter || closing && !f.seen {
			continue
		}
		s.closeTo(i+1, true)
		f.seen, f.before = true, nil
		if s.at = nowhere; !closing {
			s.at, s.head, s.begun = inHeader, s.head[:0], false
		}
		return true
	}
	return false
}

// preamble keeps what comes before the first delimiter: there may never be one.
func (s *scanner) preamble(b []byte) {
	f := s.open[len(s.open)-1]
	f.before = append(f.before, b...)
	if len(f.before) > maxUndecided {
		s.decide()
	}
}

// decide reads the innermost multipart without the boundary that it declares: with the one that its parts show, else as
// text.
func (s *scanner) decide() {
	f := s.open[len(s.open)-1]
	before := f.before
	f.before, f.seen = nil, true
	if f.boundary = sniffBoundary(before); f.boundary == "" {
		if len(bytes.TrimSpace(before)) > 0 {
			s.parser.problem(problemBoundary)
		}
		s.open = s.open[:len(s.open)-1]
		f.e.media = media{kind: "text/plain"}
		s.begin(f.e)
		s.at = inBody
	}
	for len(before) > 0 {
		end := bytes.IndexByte(before, '\n') + 1
		if end == 0 {
			end = len(before)
		}
		s.line(before[:end], true)
		before = before[end:]
	}
}

// closeTo ends everything but the n outermost multiparts; atDelimiter says that the line end before belongs to the
// delimiter.
func (s *scanner) closeTo(n int, atDelimiter bool) {
	for {
		switch {
		case s.leaf != nil:
			s.leaf.finish(atDelimiter)
			s.leaf = nil
		case s.at == inHeader:
			if atDelimiter {
				s.head = trimLineEnd(s.head)
			}
			s.header()
		case len(s.open) > n && !s.open[len(s.open)-1].seen:
			s.at = nowhere
			s.decide()
		case len(s.open) > n:
			s.at = nowhere
			s.open = s.open[:len(s.open)-1]
		default:
			return
		}
		if s.leaf == nil && s.at == inBody {
			s.at = nowhere
		}
	}
}

// headerLine takes a line of a part's header. Like partHeader, it doubts that there is one.
func (s *scanner) headerLine(b []byte, start bool) {
	if !s.begun {
		s.begun = true
		if b[0] == '\n' || b[0] == '\r' {
			s.entity(nil)
			return
		}
		if colon := bytes.IndexByte(b, ':'); colon <= 0 || !fieldName(bytes.TrimRight(b[:colon], " \t")) {
			s.entity(nil)
			if s.leaf != nil || s.at == preamble {
				s.line(b, false)
			}
			return
		}
	}
	if len(s.head) <= maxHeaderBytes {
		s.head = append(s.head, b...)
	}
	if start && emptyLine(b) {
		s.header()
	}
}

// header ends the header of a part.
func (s *scanner) header() {
	h, rest, _ := scanHeader(s.head)
	if !s.begun {
		h = nil
	}
	rest = bytes.Clone(rest)
	s.head = s.head[:0]
	s.entity(h)
	if len(rest) > 0 && !s.full && s.at != nowhere {
		s.line(rest, false)
	}
}

// emptyLine reports whether the header ends with the line.
func emptyLine(b []byte) bool {
	r := lineReader{rest: b}
	line, _ := r.next()
	return len(line) == 0
}

// entity begins a part whose header is complete.
func (s *scanner) entity(h header) {
	s.at = nowhere
	if s.letters > 0 {
		s.shared.parts++
	}
	if s.parser.parts >= maxParts || s.shared.parts > maxParts {
		s.parser.problem(problemParts)
		s.full = true
		return
	}
	var parent *entity
	if len(s.open) > 0 {
		parent = s.open[len(s.open)-1].e
	}
	e := s.parser.entity(h, parent)
	if parent == nil {
		s.root = e
		if s.letters > 0 {
			s.parser.hint = e.media.params["charset"]
		}
	}
	if e.media.major() == "multipart" {
		if s.depth+len(s.open) < maxDepth {
			s.at = preamble
			s.open = append(s.open, &frame{e: e, boundary: e.media.params["boundary"]})
			return
		}
		s.parser.problem(problemDepth)
		e.media = media{kind: "text/plain"}
	}
	s.at = inBody
	s.begin(e)
}

func (s *scanner) begin(e *entity) {
	l := &leaf{s: s, e: e, transfer: transfer{kind: e.encoding()}}
	e.plain = true
	major := e.media.major()
	switch {
	case e.file:
		l.sum, l.keep = sha256.New(), maxKeptFile
		if major == "message" || major == "text" {
			l.keep = maxKeptOther
		}
		if isLetter(e.media.kind) {
			l.letter = l.encloses()
		}
	case major == "message" || forMachines(e.media.kind):
		l.keep = maxKeptOther
	default:
		l.keep = maxKeptText
		if e.media.kind != "text/html" {
			l.sieve = &uuSieve{keep: l.hold}
		}
	}
	s.leaf = l
}

// leaf takes in the body of a part.
type leaf struct {
	s        *scanner
	e        *entity
	transfer transfer
	end      []byte    // the last line end: it may belong to a delimiter
	sum      hash.Hash // nil unless it is a file
	keep     int       // octets to be kept at most
	sieve    *uuSieve  // nil unless it is plain text
	partial  []byte    // a line for the sieve that is not complete
	letter   *enclosed // nil unless it is a letter within the letter
	midLine  bool      // the beginning of this line was too long to be looked at
}

func (l *leaf) write(b []byte) {
	if string(l.end) == "\r" && b[0] == '\n' {
		l.end = append(l.end, '\n')
		b = b[1:]
		if len(b) == 0 {
			return
		}
	}
	if len(l.end) > 0 {
		l.octets(l.transfer.write(l.end, false))
	}
	n := len(bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")))
	if n > 0 {
		l.octets(l.transfer.write(b[:n], false))
	}
	l.end = append(l.end[:0], b[n:]...)
}

func (l *leaf) finish(atDelimiter bool) {
	if atDelimiter {
		l.end = nil
	}
	l.octets(l.transfer.write(l.end, true))
	if l.sieve != nil {
		if len(l.partial) > 0 {
			l.sieve.line(l.partial)
		}
		l.sieve.end()
		l.e.within = l.sieve.found
	}
	if l.letter != nil {
		l.letter.finish()
	}
	if l.sum != nil {
		l.e.sum = hex.EncodeToString(l.sum.Sum(nil))
	}
}

// octets takes what the transfer encoding held.
func (l *leaf) octets(b []byte) {
	if len(b) == 0 {
		return
	}
	if l.letter != nil {
		l.letter.octets(b)
		return
	}
	l.e.size += int64(len(b))
	if l.sum != nil {
		l.sum.Write(b)
	}
	if l.sieve == nil {
		l.hold(b)
		return
	}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		whole := end > 0
		if !whole {
			end = len(b)
		}
		switch {
		case l.midLine, !whole && len(l.partial)+end > 1000:
			if len(l.partial) > 0 {
				l.sieve.line(l.partial)
				l.partial = l.partial[:0]
			}
			l.hold(b[:end])
			l.midLine = !whole
		case !whole:
			l.partial = append(l.partial, b[:end]...)
		case len(l.partial) > 0:
			l.partial = append(l.partial, b[:end]...)
			l.sieve.line(l.partial)
			l.partial = l.partial[:0]
		default:
			l.sieve.line(b[:end])
		}
		b = b[end:]
	}
}

// hold keeps octets within the limits.
func (l *leaf) hold(b []byte) {
	room := min(l.keep-len(l.e.body), maxKeptAll-l.s.shared.kept)
	if len(b) > room {
		if l.sum == nil {
			l.e.cut = true
		}
		b = b[:max(0, room)]
	}
	l.e.body = append(l.e.body, b...)
	l.s.shared.kept += len(b)
}
