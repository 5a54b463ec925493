package inbound

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"kontrol/models"
)

// maxLetter is how much of a letter ReadAll looks at: an attachment of 50 MB, encoded, and what comes with it.
const maxLetter = 100 << 20

// maxWholeText bounds Facts.Text as ReadAll gives it, in octets.
const maxWholeText = 2 << 20

const problemText = "text longer than 2 MB: the end was left out"

// ErrNotLetter is returned by ReadAll for octets that begin with no header and are no text either.
var ErrNotLetter = errors.New("not a letter: no header, and not a text")

// ReadAll understands a whole letter as it comes from src, as a file on disk holds it. It gives what Read gives, the new words
// of mailings and automatic answers too, the text up to 2 MB, and every attachment with its size and SHA256. At most 100 MB are read; of a longer letter the rest counts as
// cut off. The letter passes through: less than 64 MB of memory are used, whatever comes.
//
// It fails with ErrNothing or ErrNotLetter, or when src does. It never panics, and takes time proportional to the letter's
// size.
func ReadAll(src io.Reader, own Own) (Facts, error) { return readUpTo(src, own, maxLetter) }

// readUpTo is ReadAll with another limit.
func readUpTo(src io.Reader, own Own, limit int64) (Facts, error) {
	w := whole{in: bufio.NewReaderSize(io.LimitReader(src, limit+1), 64<<10)}
	head, err := w.header()
	if err != nil {
		return Facts{}, err
	}
	r := startReading(head, own)
	r.times(time.Time{})
	if len(r.h) == 0 && (bytes.IndexByte(head, 0) >= 0 || len(head) > 0 && !mostlyText(head)) {
		return Facts{}, ErrNotLetter
	}
	s := scanner{parser: &parser{hint: r.hint}, shared: &shared{}}
	s.entity(r.h)
	if len(r.h) == 0 { // what was taken for a header, but is none
		r.problem(problemNoHeader)
		w.feed(&s, head)
	}
	if err := w.body(&s); err != nil {
		return Facts{}, err
	}
	r.root, r.letter.Size = s.root, w.size
	r.text = r.root.readableText(r.hint, maxWholeText)
	r.root.walk(func(e *entity) {
		if e.cut && !e.file && e.media.major() != "message" {
			s.parser.problem(problemText)
		}
	})
	if len(r.text) > maxWholeText-4 {
		s.parser.problem(problemText)
	}
	if w.size > limit {
		s.parser.problem("letter longer than 100 MB: the rest was left out")
		r.lastCut()
	}
	if r.content = r.text; r.content == "" {
		r.content = string(w.lead)
	}
	r.letter.Problems = append(r.letter.Problems, s.parser.problems...)
	if s.shared.cut {
		r.problem(problemEnclosed)
	}
	f, err := r.facts()
	f.Unfolded = r.unfolded(f)
	if err == nil && f.Letter.Class != models.ClassPerson && !f.Letter.Class.AboutOurs() {
		f.words() // whoever looks at a file wants to see them in a mailing as well
	}
	return f, err
}

// whole reads a letter line by line.
type whole struct {
	in     *bufio.Reader
	size   int64
	lead   []byte // the start of the body as it came
	bareCR bool   // lines end with CR alone
	middle bool   // the last line has not come to its end
}

// header returns the header block with the empty line that ends it. Of a very long one only the beginning is kept.
func (w *whole) header() ([]byte, error) {
	peek, err := w.in.Peek(4 << 10)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("read letter: %w", err)
	}
	w.bareCR = usesBareCR(peek)
	var head []byte
	started := false
	for {
		line, start, err := w.line()
		if len(head) <= maxHeaderBytes {
			head = append(head, line...)
		}
		empty := start && emptyLine(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")))
		if len(line) == 0 && err == nil {
			continue
		}
		if empty && started || errors.Is(err, io.EOF) {
			return head, nil
		}
		if err != nil {
			return nil, err
		}
		started = started || !empty
	}
}

// line returns the next line with its end, or a piece of a very long one; start says that it begins a line.
func (w *whole) line() (b []byte, start bool, err error) {
	start = !w.middle
	if w.bareCR {
		b, err = w.in.ReadSlice('\r')
		if n := len(b); n > 0 && b[n-1] == '\r' {
			b[n-1] = '\n'
		}
	} else {
		b, err = w.in.ReadSlice('\n')
	}
	w.size += int64(len(b))
	w.middle = len(b) > 0 && b[len(b)-1] != '\n'
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	} else if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read letter: %w", err)
	}
	return b, start, err
}

// body gives the rest to s.
func (w *whole) body(s *scanner) error {
	for {
		b, start, err := w.line()
		if len(w.lead) < maxText {
			w.lead = append(w.lead, b[:min(len(b), maxText-len(w.lead))]...)
		}
		s.line(b, start)
		if errors.Is(err, io.EOF) {
			s.closeTo(0, false)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// feed gives what has been read already to s.
func (w *whole) feed(s *scanner, b []byte) {
	w.lead = append(w.lead, b[:min(len(b), maxText)]...)
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			end = len(b)
		}
		s.line(b[:end], true)
		b = b[end:]
	}
}

// mostlyText reports whether octets can be the words of a person: hardly any control characters.
func mostlyText(b []byte) bool {
	b = b[:min(len(b), 4<<10)]
	odd := 0
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' && c != 0x1b && c != '\f' {
			odd++
		}
	}
	return odd*20 <= len(b)
}

// lastCut marks the part in which a letter was cut.
func (r *reader) lastCut() {
	var last *entity
	r.root.walk(func(e *entity) { last = e })
	last.cut = true
}

// Quarantine says in words for people why a letter cannot be understood; the zero Phrase when err is no such reason.
func Quarantine(err error) models.Phrase {
	switch {
	case errors.Is(err, ErrNotLetter):
		return models.Say("inbound.quarantine.not_letter")
	case errors.Is(err, ErrNothing):
		return models.Say("inbound.quarantine.nothing")
	}
	return models.Phrase{}
}
