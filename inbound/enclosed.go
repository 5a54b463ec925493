package inbound

import "bytes"

// Unfolded is what a letter holds together with the letters that are enclosed in it, as RFC 5322 letters in a part of the
// type message/rfc822, at most five deep.
type Unfolded struct {
	// Text is the readable text of all of them, where each stands in the letter; that of Facts when none is enclosed.
	Text string
	// Attachments are the files of all of them: each enclosed letter, and after it the files that it holds.
	Attachments []Attachment
}

const problemEnclosed = "letters within the letter were not read to their end"

// isLetter reports whether a part is a letter within the letter. See RFC 2046 section 5.2.1 and RFC 6532 section 3.7.
func isLetter(kind string) bool { return kind == "message/rfc822" || kind == "message/global" }

// maxEnclosed is how deep letters within letters are read; each level costs another pass over its octets.
const maxEnclosed = 5

// maxEnclosedLine is how much of a line of an enclosed letter is looked at in one piece.
const maxEnclosedLine = 64 << 10

// enclosed reads a letter within the letter as it passes, and measures it as enclosedOctets has it.
type enclosed struct {
	leaf   *leaf
	s      *scanner // nil when it lies too deep to be read
	line   []byte   // of a line that has not come to its end
	middle bool     // the beginning of this line has been passed on
	begun  bool
}

// encloses prepares to read the letter within the letter that l takes in.
func (l *leaf) encloses() *enclosed {
	outer := l.s
	n := &enclosed{leaf: l}
	depth := outer.depth + len(outer.open) + 1
	if depth >= maxDepth || outer.letters >= maxEnclosed {
		outer.shared.cut = true
		return n
	}
	n.s = &scanner{parser: &parser{}, depth: depth, at: inHeader, shared: outer.shared, letters: outer.letters + 1}
	return n
}

// octets takes what the transfer encoding of the enclosing part held.
func (n *enclosed) octets(b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			n.line = append(n.line, b...)
			if len(n.line) > maxEnclosedLine {
				keep := len(bytes.TrimSuffix(n.line, []byte("\r"))) // the rest may be half of a line end
				rest := bytes.Clone(n.line[keep:])
				n.pass(n.line[:keep], false)
				n.line = append(n.line[:0], rest...)
			}
			return
		}
		n.line = append(n.line, b[:end]...)
		if n.leaf.transfer.kind == "" && bytes.HasSuffix(n.line, []byte("\r\n")) {
			n.line = n.line[:len(n.line)-1]
			n.line[len(n.line)-1] = '\n'
		}
		n.pass(n.line, true)
		n.line = n.line[:0]
		b = b[end:]
	}
}

// pass gives a line, or a piece of a very long one, to all who want it.
func (n *enclosed) pass(b []byte, whole bool) {
	start := !n.middle
	n.middle = !whole
	if !n.begun {
		if whole && boxLine(b) {
			return
		}
		n.begun = true
	}
	l := n.leaf
	l.e.size += int64(len(b))
	l.sum.Write(b)
	l.hold(b)
	if n.s != nil {
		n.s.line(b, start)
	}
}

// finish ends the enclosed letter.
func (n *enclosed) finish() {
	if len(n.line) > 0 {
		n.pass(n.line, false)
	}
	if n.s == nil {
		return
	}
	n.s.closeTo(0, false)
	n.leaf.e.inner = n.s.root
	if n.s.full {
		n.s.shared.cut = true
	}
}

// shared is what a letter and all letters within it use together.
type shared struct {
	kept  int  // octets that all leaves hold
	parts int  // parts of letters within the letter
	cut   bool // of a letter within the letter something was left out
}

// unfolded gathers the texts and files of the letter and all within it.
func (r *reader) unfolded(f Facts) Unfolded {
	u := Unfolded{Text: f.Text, Attachments: f.Attachments}
	has := false
	r.root.walk(func(e *entity) { has = has || e.inner != nil })
	if !has {
		return u
	}
	t := texter{hint: r.hint, limit: maxWholeText, left: maxWholeText, unfold: true}
	u.Text = cleanText(t.text(r.root), maxWholeText)
	u.Attachments = nil
	r.root.walkAll(func(e *entity) { u.Attachments = append(u.Attachments, e.files()...) })
	return u
}

// walkAll calls f for e and everything in it, in letters within the letter too, in the order of the letter.
func (e *entity) walkAll(f func(*entity)) {
	f(e)
	if e.inner != nil {
		e.inner.walkAll(f)
	}
	for _, c := range e.children {
		c.walkAll(f)
	}
}

// enclosedOctets returns a letter within the letter as it is measured: without a line by which mailboxes separate letters,
// and, unless it was encoded, with LF line ends, so that the digest does not depend on how the letter around it is stored.
func enclosedOctets(b []byte, encoding string) []byte {
	if encoding == "" {
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	}
	for {
		line := b[:bytes.IndexByte(b, '\n')+1]
		if !boxLine(line) {
			return b
		}
		b = b[len(line):]
	}
}

// boxLine recognises the line that a mailbox has before a letter, perhaps quoted; see RFC 4155.
func boxLine(b []byte) bool {
	return bytes.HasPrefix(b, []byte("From ")) || bytes.HasPrefix(b, []byte(">From "))
}
