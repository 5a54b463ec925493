package inbound

import (
	"bytes"
	"strings"
)

// decodeWords decodes an unstructured header value: its encoded words, and the octets between them. Neighbouring words
// of one charset are joined before they are decoded, because many programs split them within a character. hint is a
// charset for octets that are in no word. The result is valid UTF-8 but not yet cleaned. See RFC 2047.
func decodeWords(raw []byte, hint string) string {
	s := decodeWordsOnce(raw, hint)
	if strings.Contains(s, "?=") && strings.Contains(s, "=?") { // encoded twice
		s = decodeWordsOnce([]byte(s), hint)
	}
	return s
}

func decodeWordsOnce(raw []byte, hint string) string {
	if !bytes.Contains(raw, []byte("=?")) {
		return decodeRaw(raw, hint)
	}
	sc := wordScanner{raw: raw, lastBlank: bytes.LastIndexAny(raw, " \t")}
	var runs []run
	start := 0
	for pos := 0; ; {
		i := bytes.Index(raw[pos:], []byte("=?"))
		if i < 0 {
			break
		}
		i += pos
		w, end, ok := sc.word(i)
		if !ok {
			pos = i + 2
			continue
		}
		runs = addRun(runs, run{data: raw[start:i]})
		runs = addRun(runs, w)
		start, pos = end, end
	}
	runs = addRun(runs, run{data: raw[start:]})
	var out strings.Builder
	for _, r := range runs {
		if r.word {
			out.WriteString(decodeCharset(r.charset, r.data, hint))
		} else {
			out.WriteString(decodeRaw(r.data, hint))
		}
	}
	return out.String()
}

// run is a stretch of a header value: plain octets, or the octets of one or more encoded words of one charset.
type run struct {
	word    bool
	charset string
	data    []byte
}

// addRun appends a run; a word is joined to the word before it when only blanks lie between and the charset is the same.
func addRun(runs []run, r run) []run {
	if !r.word {
		if len(r.data) == 0 {
			return runs
		}
		return append(runs, r)
	}
	n := len(runs)
	if n >= 2 && !runs[n-1].word && runs[n-2].word && len(bytes.TrimSpace(runs[n-1].data)) == 0 {
		runs = runs[:n-1] // blanks between words mean nothing
		n--
	}
	if n >= 1 && runs[n-1].word && runs[n-1].charset == r.charset {
		runs[n-1].data = append(runs[n-1].data, r.data...)
		return runs
	}
	return append(runs, r)
}

// wordScanner finds encoded words. It remembers what it has looked for in vain, so that a value full of beginnings
// without an end costs one pass.
type wordScanner struct {
	raw       []byte
	lastBlank int
	noEnd     bool // there is no "?=" any more
}

// word reads the encoded word that begins at i with "=?" and returns what it holds and where it ends.
func (s *wordScanner) word(i int) (run, int, bool) {
	p := i + 2
	q := bytes.IndexByte(s.raw[p:min(len(s.raw), p+60)], '?')
	if q <= 0 || bytes.ContainsAny(s.raw[p:p+q], " \t\"") {
		return run{}, 0, false
	}
	charset := string(s.raw[p : p+q])
	if j := strings.IndexByte(charset, '*'); j >= 0 { // RFC 2231 section 5: a language follows
		charset = charset[:j]
	}
	p += q + 1
	if p+1 >= len(s.raw) || s.raw[p+1] != '?' {
		return run{}, 0, false
	}
	kind := s.raw[p] | 0x20
	if kind != 'b' && kind != 'q' {
		return run{}, 0, false
	}
	p += 2
	text, end, ok := s.textEnd(p, kind)
	if !ok {
		return run{}, 0, false
	}
	w := run{word: true, charset: charsetName(charset)}
	if kind == 'b' {
		w.data = decodeBase64(text)
	} else {
		w.data = decodeQ(text)
	}
	return w, end, true
}

// textEnd finds the end of the text that begins at p. A last word that was cut off ends with the value.
func (s *wordScanner) textEnd(p int, kind byte) (text []byte, end int, ok bool) {
	from := p
	for !s.noEnd {
		i := bytes.Index(s.raw[from:], []byte("?="))
		if i < 0 {
			s.noEnd = true
			break
		}
		i += from
		// A question mark that was not encoded, followed by an encoded octet: "?=D0".
		if kind == 'q' && i+3 < len(s.raw) && hexValue(s.raw[i+2]) >= 0 && hexValue(s.raw[i+3]) >= 0 && endsLater(s.raw[i+2:]) {
			from = i + 2
			continue
		}
		return s.raw[p:i], i + 2, true
	}
	if s.lastBlank >= p || p >= len(s.raw) {
		return nil, 0, false
	}
	return s.raw[p:], len(s.raw), true
}

// endsLater reports whether an end of a word comes before the next blank or beginning of a word.
func endsLater(b []byte) bool {
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == ' ' || b[i] == '\t' || b[i] == '=' && b[i+1] == '?':
			return false
		case b[i] == '?' && b[i+1] == '=':
			return true
		}
	}
	return false
}

// decodeQ decodes the Q encoding; what is not encoded properly is left as it is. See RFC 2047 section 4.2.
func decodeQ(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '_':
			out = append(out, ' ')
		case b[i] == '=' && i+2 < len(b) && hexValue(b[i+1]) >= 0 && hexValue(b[i+2]) >= 0:
			out = append(out, byte(hexValue(b[i+1])<<4|hexValue(b[i+2])))
			i += 2
		default:
			out = append(out, b[i])
		}
	}
	return out
}

// decodeBase64 decodes whatever of b is base64: other characters are skipped, padding may stand anywhere, the end may
// be missing. See RFC 4648.
func decodeBase64(b []byte) []byte {
	out := make([]byte, 0, len(b)*3/4+3)
	var acc uint32
	bits := 0
	for _, c := range b {
		if c == '=' {
			acc, bits = 0, 0
			continue
		}
		v := base64Value(c)
		if v < 0 {
			continue
		}
		acc = acc<<6 | uint32(v)
		bits += 6
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	return out
}

func base64Value(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
