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
	s = norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD"))
	var out strings.Builder
	blank, n := false, 0
	for _, c := range s {
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
	return out.String()
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
	s = norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.Map(func(c rune) rune {
		if c != '\n' && c != '\t' && unicode.IsControl(c) || c == 0xfeff {
			return -1
		}
		return c
	}, s)
	return strings.TrimRight(cutUTF8(s, limit), " \t\n")
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
