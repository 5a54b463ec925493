package inbound

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxBoxLine is how much of a line of a mailbox is looked at in one piece.
const maxBoxLine = 64 << 10

// EachLetter calls each with every letter of a file, in its order: with the letters of a mailbox in the mbox format (RFC
// 4155; lines quoted as mboxrd has it are restored), or else with all of r as one letter. What each leaves unread is passed
// over. It stops at the first error of r or each.
func EachLetter(r io.Reader, each func(letter io.Reader) error) error {
	return eachBoxed(r, func(b *boxed) error {
		if b.single {
			return each(b.in)
		}
		return each(b)
	})
}

// ReadBox calls each with the header of every letter of a mailbox in the mbox format, as EachLetter finds them, and with the
// date of its separator line, zero when that cannot be read; of an empty file with nothing. Bodies are passed over: memory
// does not grow with them. The header ends with its empty line, has at most 256 KB, and is valid only during the call.
func ReadBox(r io.Reader, each func(header []byte, at time.Time) error) error {
	var head []byte
	return eachBoxed(r, func(b *boxed) error {
		at := b.at
		head = b.header(head[:0])
		if b.single && len(head) == 0 {
			return nil
		}
		return each(head, at)
	})
}

// eachBoxed calls each with every letter of r.
func eachBoxed(r io.Reader, each func(*boxed) error) error {
	b := boxed{in: bufio.NewReaderSize(r, maxBoxLine)}
	if start, err := b.in.Peek(5); string(start) != "From " {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read letters: %w", err)
		}
		b.single = true
		if err := each(&b); err != nil {
			return err
		}
		return b.failure()
	}
	b.blank = true
	b.next() // the first separator, whatever stands in it
	b.line = nil
	for {
		b.ended = false
		if err := each(&b); err != nil {
			return err
		}
		for !b.ended && b.err == nil {
			b.next()
		}
		if b.err != nil {
			return b.failure()
		}
	}
}

// boxed reads one letter of a mailbox.
type boxed struct {
	in     *bufio.Reader
	single bool      // it is no mailbox, but one letter
	at     time.Time // of the last separator; zero when it has no date
	line   []byte    // what is left of the current line
	err    error     // what ended the mailbox
	blank  bool      // the line before was empty
	middle bool      // the line before has not come to its end
	ended  bool      // the next letter begins
}

func (b *boxed) failure() error {
	if b.err == nil || errors.Is(b.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read letters: %w", b.err)
}

// Read implements io.Reader.
func (b *boxed) Read(p []byte) (int, error) {
	for len(b.line) == 0 {
		if b.ended {
			return 0, io.EOF
		}
		if b.err != nil {
			if errors.Is(b.err, io.EOF) {
				return 0, io.EOF
			}
			return 0, b.err
		}
		b.next()
	}
	n := copy(p, b.line)
	b.line = b.line[n:]
	return n, nil
}

// header appends the header of the letter to head, with the empty line that ends it. Of very long lines it takes the
// beginning.
func (b *boxed) header(head []byte) []byte {
	for !b.ended && b.err == nil {
		start := !b.middle
		b.next()
		if start && len(head) < maxHeaderBytes {
			head = append(head, b.line...)
			if b.middle {
				head = append(head, '\n')
			}
		}
		if start && len(b.line) > 0 && len(bytes.TrimRight(b.line, "\r\n")) == 0 {
			break
		}
	}
	b.line = nil
	return head
}

// next takes the next line, or the next piece of a very long one.
func (b *boxed) next() {
	line, err := b.in.ReadSlice('\n')
	start := !b.middle
	b.middle = len(line) > 0 && line[len(line)-1] != '\n'
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		b.err = err
	}
	if start && b.blank && separates(line) {
		b.ended, b.line, b.blank = true, nil, false
		b.at = separatorDate(line)
		return
	}
	b.blank = !b.single && start && len(bytes.TrimRight(line, "\r\n")) == 0
	if start && !b.single && len(line) > 0 && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		line = line[1:]
	}
	b.line = line
}

// separatorDate reads the date of a line before a letter: asctime, perhaps with a zone.
func separatorDate(line []byte) time.Time {
	_, date, _ := bytes.Cut(bytes.TrimLeft(line[len("From "):], " "), []byte(" "))
	at, _ := parseDate(date)
	return at.UTC()
}

// separates recognises the line before a letter, "From sender date". A line of a letter may begin with the same word, but
// hardly ends with the time of day and the year.
func separates(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return false
	}
	words := bytes.Fields(line)
	if len(words) < 6 {
		return false
	}
	hasTime, hasYear := false, false
	for _, w := range words[2:] {
		hasTime = hasTime || len(w) >= 5 && (w[1] == ':' || w[2] == ':')
		hasYear = hasYear || len(w) == 4 && len(bytes.Trim(w, "0123456789")) == 0
	}
	return hasTime && hasYear
}

// LooksLikeLetter reports whether a file that begins so is a letter or a mailbox in the mbox format: its first line is a
// header field, or separates letters.
func LooksLikeLetter(start []byte) bool {
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), "\r\n")
	if bytes.HasPrefix(start, []byte("From ")) {
		return true
	}
	colon := bytes.IndexByte(start, ':')
	if colon <= 0 || colon > 80 {
		return false
	}
	for _, c := range bytes.TrimRight(start[:colon], " \t") {
		if !latin(rune(c)) && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
