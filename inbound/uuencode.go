package inbound

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"mime"
	"strings"
)

// maxUULine is more than any line of uuencode: 45 octets make 61 characters, and some programs add a check sum.
const maxUULine = 200

// decodeUU decodes the lines of uuencode in b; "begin", "end" and whatever is no such line give nothing.
func decodeUU(b []byte) []byte {
	out := make([]byte, 0, len(b)*3/4)
	lines := lineReader{rest: b}
	for {
		line, ok := lines.next()
		if !ok {
			return out
		}
		if _, begins := uuBegin(line); begins || string(line) == "end" {
			continue
		}
		if octets, ok := uuLine(line); ok {
			out = append(out, octets...)
		}
	}
}

// uuBegin reads "begin 644 name".
func uuBegin(line []byte) (name string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("begin "))
	if !ok || len(line) > 500 {
		return "", false
	}
	mode, file, ok := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if !ok || len(mode) < 3 || len(mode) > 4 || len(bytes.Trim(mode, "01234567")) != 0 || len(bytes.TrimSpace(file)) == 0 {
		return "", false
	}
	return cleanLine(decodeWords(bytes.TrimSpace(file), ""), maxName), true
}

// uuLine decodes a line: its length, and four characters for three octets. Blanks at its end may be lost on the way.
func uuLine(line []byte) ([]byte, bool) {
	if len(line) == 0 || len(line) > maxUULine || line[0] < ' ' || line[0] > '`' {
		return nil, false
	}
	n := int(line[0]-' ') & 63
	groups := (n + 2) / 3
	if len(line)-1 > groups*4+2 {
		return nil, false
	}
	at := func(i int) (uint32, bool) {
		if i >= len(line) {
			return 0, true
		}
		c := line[i]
		return uint32(c-' ') & 63, c >= ' ' && c <= '`'
	}
	out := make([]byte, 0, groups*3)
	for g := range groups {
		var v uint32
		for i := range 4 {
			x, ok := at(1 + g*4 + i)
			if !ok {
				return nil, false
			}
			v = v<<6 | x
		}
		out = append(out, byte(v>>16), byte(v>>8), byte(v))
	}
	return out[:n], true
}

// uuSieve takes uuencoded files out of a text that comes line by line. A text without any passes through unchanged. What
// looked like the beginning of a file but is none is lost for the text only when a line of data follows it.
type uuSieve struct {
	keep   func([]byte) // takes what belongs to the text
	found  []Attachment
	begun  []byte // a line "begin", until the line after it shows whether it is one
	name   string
	inside bool
	sum    hash.Hash
	size   int64
}

// maxWithin bounds how many files are looked for in one text.
const maxWithin = 100

// line takes a line with its end.
func (s *uuSieve) line(b []byte) {
	if !s.inside && s.begun == nil && (len(b) == 0 || b[0] != 'b') {
		s.keep(b)
		return
	}
	line := bytes.TrimRight(b, "\r\n")
	if s.inside {
		if octets, ok := uuLine(line); ok && string(line) != "end" {
			s.sum.Write(octets)
			s.size += int64(len(octets))
			return
		}
		s.finish(true)
		if string(line) == "end" {
			return
		}
	}
	if s.begun != nil {
		begun := s.begun
		s.begun = nil
		if octets, ok := uuLine(line); ok && (len(octets) > 0 && len(line)-1 >= (len(octets)+2)/3*4-3 || string(line) == "`") {
			s.inside, s.sum, s.size = true, sha256.New(), int64(len(octets))
			s.sum.Write(octets)
			return
		}
		s.keep(begun)
	}
	if len(b) > 0 && b[0] == 'b' && len(s.found) < maxWithin {
		if name, ok := uuBegin(line); ok {
			s.begun, s.name = bytes.Clone(b), name
			return
		}
	}
	s.keep(b)
}

// finish ends a file; whole is false when the letter was cut within it.
func (s *uuSieve) finish(whole bool) {
	if !s.inside {
		return
	}
	s.inside = false
	a := Attachment{Name: s.name, Type: typeByName(s.name), Size: s.size}
	if i := strings.LastIndexAny(a.Name, `/\`); i >= 0 {
		a.Name = a.Name[i+1:]
	}
	if whole {
		a.SHA256 = hex.EncodeToString(s.sum.Sum(nil))
	}
	s.found = append(s.found, a)
}

// end tells that no more lines come.
func (s *uuSieve) end() {
	s.finish(false)
	if s.begun != nil {
		s.keep(s.begun)
		s.begun = nil
	}
}

// typeByName guesses the media type of a file that comes without one.
func typeByName(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		switch ext := strings.ToLower(name[i:]); ext {
		case ".txt":
			return "text/plain"
		case ".doc":
			return "application/msword"
		case ".xls":
			return "application/vnd.ms-excel"
		case ".pdf", ".gif", ".png", ".jpg", ".jpeg": // these the standard library knows on every machine
			t, _, _ := mime.ParseMediaType(mime.TypeByExtension(ext))
			return t
		}
	}
	return "application/octet-stream"
}

// withoutUU returns a text without the files in it, and the files.
func withoutUU(b []byte) ([]byte, []Attachment) {
	if !bytes.HasPrefix(b, []byte("begin ")) && !bytes.Contains(b, []byte("\nbegin ")) {
		return b, nil
	}
	out := make([]byte, 0, len(b))
	s := uuSieve{keep: func(x []byte) { out = append(out, x...) }}
	for rest := b; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		s.line(rest[:end])
		rest = rest[end:]
	}
	s.end()
	return out, s.found
}
