package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a text from a letter, a server or a file harmless for a terminal: one line, no control characters, no
// characters that turn the direction of writing. It is the only place where this is decided; package output calls it
// for everything that is shown.
func clean(s string) string {
	if harmless(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch fate(r) {
		case runeKeep:
			b.WriteRune(r)
		case runeBlank:
			b.WriteByte(' ')
		case runeMark:
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

func harmless(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || fate(r) != runeKeep {
			return false
		}
	}
	return true
}

// The fates of a character on its way to the terminal.
const (
	runeKeep  = iota
	runeBlank // a line break or tab becomes a blank
	runeDrop  // invisible padding that honest letters are full of
	runeMark  // can deceive or command the terminal: replaced by U+FFFD so that the attempt is seen
)

func fate(r rune) int {
	switch {
	case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029' || r == '\u0085':
		return runeBlank
	case r == '\u00ad' || r == '\u200b' || r == '\u2060' || r == '\ufeff' || r == '\u200e' || r == '\u200f':
		return runeDrop
	case r == '\u200c' || r == '\u200d': // joiners: emoji and some scripts need them
		return runeKeep
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
		return runeMark
	}
	return runeKeep
}

// guardJSON writes the dangerous characters of a JSON text as escapes. JSON allows them inside strings only, where an
// escape means the same, so nothing is lost.
func guardJSON(b []byte) []byte {
	const hex = "0123456789abcdef"
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		if r == '\n' || r > 0xffff || fate(r) == runeKeep && r != '\u200c' && r != '\u200d' {
			if r > 0xffff && fate(r) == runeMark { // tag characters and private planes: no short escape, so marked
				r = utf8.RuneError
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
	}
	return out
}

// guardCSV keeps a spreadsheet from taking a cell for a formula.
func guardCSV(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
