package inbound

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// cleanLine makes decoded text fit for one line that people read: valid UTF-8, NFC, blanks collapsed, without control
// characters and without those that change the direction of writing or take no room. At most limit characters remain.
func cleanLine(s string, limit int) string {
	if tidy(s, limit) {
		return s
	}
	var out strings.Builder
	blank, n := false, 0
	for _, c := range s { // an octet that is no UTF-8 comes as U+FFFD
		switch {
		case unicode.IsSpace(c):
			blank = n > 0
			continue
		case invisible(c):
			continue
		}
		if n >= limit || blank && n+1 >= limit {
			break
		}
		if blank {
			out.WriteByte(' ')
			blank = false
			n++
		}
		out.WriteRune(c)
		n++
	}
	// Last, because what was taken out may have stood between a letter and its mark.
	return cutRunes(nfc(out.String()), limit)
}

// tidy reports whether cleanLine would leave s as it is, as it would nearly every line: Latin and Russian letters, digits and
// the usual signs, in which there is nothing to compose, with single blanks between words.
func tidy(s string, limit int) bool {
	n, last := 0, ' '
	for _, c := range s {
		if c == ' ' && last == ' ' || !usual(c) {
			return false
		}
		n++
		last = c
	}
	return n <= limit && (last != ' ' || n == 0)
}

// usual reports whether a character is one of those of which nearly all lines are made. None of them is ever part of a
// composition in NFC as long as only such characters stand beside it, and the small form of the capital is its lower case.
func usual(c rune) bool {
	switch {
	case c >= ' ' && c <= '~', c >= 'А' && c <= 'я', c == 'Ё', c == 'ё':
		return true
	case c == '«', c == '»', c == '№', c == '–', c == '—':
		return true
	}
	return false
}

// cutRunes cuts s to at most limit characters, without a blank at the end.
func cutRunes(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:limit]))
}

// invisible reports whether a character has no place in a subject or a name: controls, marks of direction (RFC 9839 and
// Unicode TR 36), characters without width. The joiners stay: emoji and some scripts need them.
func invisible(c rune) bool {
	switch {
	case unicode.IsControl(c):
		return true
	case c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x206f, c == 0x200e, c == 0x200f, c == 0x061c:
		return true
	case c == 0x200b, c == 0x2060, c == 0xfeff, c == 0x00ad, c == 0x034f:
		return true
	}
	return c >= 0xe0000 && c <= 0xe0fff // tags
}

// cleanText makes decoded text fit for many lines: valid UTF-8, NFC, LF line ends, no control characters but tab, at
// most limit octets, cut between characters.
func cleanText(s string, limit int) string {
	if len(s) > 2*limit {
		s = s[:2*limit]
	}
	out, simple := cleanRunes(s)
	if !simple {
		out = norm.NFC.String(out)
	}
	return strings.TrimRight(cutUTF8(out, limit), " \t\n")
}

// cleanRunes does what cleanText promises but for NFC, in one pass, and reports whether the result is in NFC for sure:
// that is cheaper than asking.
func cleanRunes(s string) (clean string, simple bool) {
	out := make([]byte, 0, len(s))
	simple = true
	broken := false // the octet before was no UTF-8: many of them become one mark
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			broken = false
			switch {
			case c >= ' ' && c != 0x7f, c == '\n', c == '\t':
				out = append(out, c)
			case c == '\r' && (i == len(s) || s[i] != '\n'):
				out = append(out, '\n')
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			if !broken {
				out = append(out, "\uFFFD"...)
			}
			broken = true
			i++
			continue
		case unicode.IsControl(r), r == 0xfeff:
		default:
			simple = simple && alwaysNFC(r)
			out = append(out, s[i:i+n]...)
		}
		broken = false
		i += n
	}
	return string(out), simple
}

// alwaysNFC reports whether a text of nothing but such characters is in NFC. It says no to many that are, and yes to what
// Russian and Western letters are made of: none of them is composed with the one before, or stands for another.
func alwaysNFC(r rune) bool {
	return r < 0x300 || r >= 0x400 && r <= 0x482 || r >= 0x48a && r <= 0x52f || r >= 0x2010 && r <= 0x2027 || r == 0x2116 || r == utf8.RuneError
}

// nfc returns s in NFC.
func nfc(s string) string {
	for _, r := range s {
		if !alwaysNFC(r) || r == utf8.RuneError {
			return norm.NFC.String(s)
		}
	}
	return s
}

// cutUTF8 cuts s to at most limit octets without breaking a character.
func cutUTF8(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
