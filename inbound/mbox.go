package inbound

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxBoxLine bounds how much of one line is looked at; the rest is passed over.
const maxBoxLine = 64 << 10

// ReadBox calls each with the header of every letter of a mailbox in the mbox format (RFC 4155), in its order, and with the
// date of its separator line, zero when that cannot be read. What does not begin with such a line is one letter. Bodies are
// passed over: memory does not grow with them. It stops at the first error of r or each. The header is valid only during
// the call.
func ReadBox(r io.Reader, each func(header []byte, at time.Time) error) error {
	b := box{lines: bufio.NewReaderSize(r, maxBoxLine), each: each}
	for {
		line, err := b.line()
		if len(line) > 0 {
			if err := b.take(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return b.flush()
		}
		if err != nil {
			return fmt.Errorf("read mailbox: %w", err)
		}
	}
}

// box is the state of ReadBox.
type box struct {
	lines  *bufio.Reader
	each   func([]byte, time.Time) error
	header []byte
	at     time.Time
	mbox   bool // the first line was a separator
	begun  bool // a letter has begun
	body   bool // its header is over
	blank  bool // the last line was empty
}

// line returns the next line, its end included, cut to maxBoxLine.
func (b *box) line() ([]byte, error) {
	line, err := b.lines.ReadSlice('\n')
	for rest := err; errors.Is(rest, bufio.ErrBufferFull); {
		if line[len(line)-1] != '\n' {
			line = append(bytes.Clone(line), '\n')
		}
		_, rest = b.lines.ReadSlice('\n')
		if err = rest; errors.Is(rest, bufio.ErrBufferFull) {
			err = nil
		}
	}
	return line, err
}

func (b *box) take(line []byte) error {
	at, separator := separatorLine(line)
	if separator && (!b.begun || b.mbox && b.blank && !at.IsZero()) {
		if err := b.flush(); err != nil {
			return err
		}
		b.mbox, b.begun, b.body, b.blank, b.at = true, true, false, false, at
		b.header = b.header[:0]
		return nil
	}
	b.begun = true
	b.blank = len(bytes.TrimRight(line, "\r\n")) == 0
	if !b.body && len(b.header) < maxHeaderBytes {
		b.header = append(b.header, line...)
	}
	b.body = b.body || b.blank
	return nil
}

func (b *box) flush() error {
	if !b.begun {
		return nil
	}
	return b.each(b.header, b.at)
}

// separatorLine recognises "From sender date" and reads the date: asctime, perhaps with a zone.
func separatorLine(line []byte) (time.Time, bool) {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return time.Time{}, false
	}
	words := bytes.Fields(line[5:])
	if len(words) < 2 {
		return time.Time{}, true
	}
	at, ok := parseDate(bytes.Join(words[1:], []byte(" ")))
	if !ok {
		return time.Time{}, true
	}
	return at, true
}
