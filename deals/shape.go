package deals

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// textShape is how the text of a table is written.
type textShape struct {
	code    encoding.Encoding // what its octets mean
	comma   rune              // what divides its columns
	sepLine bool              // its first line only names the divider: a line that Excel writes and reads
}

func (s textShape) decode(r io.Reader) io.Reader {
	return lineEnds{bufio.NewReaderSize(transform.NewReader(r, s.code.NewDecoder()), 16<<10)}
}

// separators are what may divide columns; the first is taken when nothing speaks for another.
const separators = ";,\t|"

// guessShape finds out how a text is written. A byte order mark decides; else what is UTF-8 throughout is UTF-8, what has
// zero octets is UTF-16, and among the rest, and among the dividers, those win with which a row of titles is best
// understood: windows-1251, which is what spreadsheets here write, when several are.
func guessShape(in io.ReadSeeker) (textShape, error) {
	const much = 64 << 10
	sample := make([]byte, much)
	n, err := readAt(in, sample)
	if err != nil {
		return textShape{}, err
	}
	whole := n < much
	sample = sample[:n]
	codes, err := candidates(in, sample)
	if err != nil {
		return textShape{}, err
	}
	var best textShape
	most := -1
	for _, code := range codes {
		text, err := io.ReadAll(textShape{code: code}.decode(bytes.NewReader(sample)))
		if err != nil {
			continue
		}
		lines := strings.SplitN(string(text), "\n", headerWithin+2)
		if !whole && len(lines) > 1 {
			lines = lines[:len(lines)-1] // it may be cut
		}
		s, score := guessComma(lines[:min(len(lines), headerWithin+1)])
		if s.code = code; score > most {
			best, most = s, score
		}
	}
	if best.code == nil {
		best = textShape{code: charmap.Windows1251, comma: ';'}
	}
	return best, nil
}

func readAt(in io.ReadSeeker, p []byte) (int, error) {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read table: %w", err)
	}
	n, err := io.ReadFull(in, p)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("read table: %w", err)
	}
	return n, nil
}

// candidates lists the encodings that a text may have, the likeliest first.
func candidates(in io.ReadSeeker, sample []byte) ([]encoding.Encoding, error) {
	switch {
	case bytes.HasPrefix(sample, []byte("\xef\xbb\xbf")):
		return []encoding.Encoding{unicode.UTF8BOM}, nil
	case bytes.HasPrefix(sample, []byte{0xFE, 0xFF}), bytes.HasPrefix(sample, []byte{0xFF, 0xFE}):
		return []encoding.Encoding{unicode.UTF16(unicode.BigEndian, unicode.UseBOM)}, nil
	}
	if odd, even := zeros(sample); odd+even > 0 {
		if odd > even {
			return []encoding.Encoding{unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}, nil
		}
		return []encoding.Encoding{unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}, nil
	}
	valid, err := validUTF8(in)
	if err != nil {
		return nil, err
	}
	if valid {
		return []encoding.Encoding{unicode.UTF8}, nil
	}
	return []encoding.Encoding{charmap.Windows1251, unicode.UTF8, charmap.CodePage866, charmap.KOI8R, charmap.MacintoshCyrillic, charmap.ISO8859_5}, nil
}

// zeros counts the zero octets at odd and at even places.
func zeros(b []byte) (odd, even int) {
	for i, c := range b {
		switch {
		case c != 0:
		case i%2 == 1:
			odd++
		default:
			even++
		}
	}
	return odd, even
}

// validUTF8 reads a whole text and reports whether it is UTF-8.
func validUTF8(in io.ReadSeeker) (bool, error) {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return false, fmt.Errorf("read table: %w", err)
	}
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		b, err := r.Peek(r.Size())
		end := len(b)
		if err == nil { // a character at the end may be cut
			for end > len(b)-utf8.UTFMax && !utf8.RuneStart(b[end-1]) {
				end--
			}
			end--
		} else if err != io.EOF {
			return false, fmt.Errorf("read table: %w", err)
		}
		if !utf8.Valid(b[:end]) {
			return false, nil
		}
		if err != nil {
			return true, nil
		}
		if _, err := r.Discard(end); err != nil {
			return false, fmt.Errorf("read table: %w", err)
		}
	}
}

// guessComma finds what divides the columns of the first lines of a table: named by a line "sep=;", else that with which a
// row of titles is best understood, else the commonest in the first line. The score says how well it is understood.
func guessComma(lines []string) (s textShape, score int) {
	first := lines[0]
	if len(first) == 5 && strings.EqualFold(first[:4], "sep=") && strings.Contains(separators, first[4:]) {
		s = textShape{comma: rune(first[4]), sepLine: true}
		for _, l := range lines[1:] {
			score = max(score, titlesIn(l, s.comma))
		}
		return s, score
	}
	s.comma = ';'
	count := strings.Count(first, ";")
	for _, c := range separators {
		known := 0
		for _, l := range lines {
			known = max(known, titlesIn(l, c))
		}
		if n := strings.Count(first, string(c)); known > score || known == score && n > count {
			s.comma, score, count = c, known, n
		}
	}
	return s, score
}

// titlesIn counts the titles of columns in a line that are known.
func titlesIn(line string, comma rune) int {
	const long = 20_000
	if len(line) > long {
		return 0
	}
	n := 0
	for _, cell := range strings.Split(line, string(comma)) {
		key := foldTitle(strings.Trim(cell, `" `))
		for _, t := range columnTitles() {
			if t.title == key {
				n++
				break
			}
		}
	}
	return n
}
