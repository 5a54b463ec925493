package inbound

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// EachLetter calls each with every letter of a file, in its order: with the letters of a mailbox in the mbox format (RFC
// 4155; lines quoted as mboxrd has it are restored), or else with all of r as one letter. What each leaves unread is passed
// over. It stops at the first error of r or each.
func EachLetter(r io.Reader, each func(letter io.Reader) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if start, err := in.Peek(5); string(start) != "From " {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read letters: %w", err)
		}
		return each(in)
	}
	b := boxed{in: in, blank: true}
	b.next() // the first separator
	for {
		b.ended = false
		if err := each(&b); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, &b); err != nil {
			return err
		}
		if b.err != nil {
			break
		}
	}
	if errors.Is(b.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read letters: %w", b.err)
}

// boxed reads one letter of a mailbox.
type boxed struct {
	in     *bufio.Reader
	line   []byte // what is left of the current line
	err    error  // what ended the mailbox
	blank  bool   // the line before was empty
	middle bool   // the line before has not come to its end
	ended  bool   // the next letter begins
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
		return
	}
	b.blank = start && len(bytes.TrimRight(line, "\r\n")) == 0
	if start && len(line) > 0 && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		line = line[1:]
	}
	b.line = line
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
