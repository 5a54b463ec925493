package inbound

import (
	"unicode"
	"unicode/utf8"
)

// tokenKind says what a token is made of.
type tokenKind byte

const (
	tokenWord   tokenKind = iota // letters
	tokenNumber                  // digits
	tokenSign                    // one other character
	tokenBreak                   // an empty line, or the end of what is quoted
)

// token is a word, a number or a sign of a text.
type token struct {
	start, end int32
	kind       tokenKind
	glued      bool // nothing stands between it and the token before
	line       bool // it is the first in its line
}

// tokenize divides a text into tokens, leaving out lines that begin with ">". The folded text has the octets of the text in
// their places, with small Latin and Russian letters and е for ё.
func tokenize(text string) (folded string, tokens []token) {
	z := tokenizer{text: text, folded: []byte(text), tokens: make([]token, 0, len(text)/6+8)}
	for z.at < len(text) {
		z.line()
	}
	return string(z.folded), z.tokens
}

type tokenizer struct {
	text   string
	folded []byte
	tokens []token
	at     int
	last   int // where the last token ended
}

// line reads one line.
func (z *tokenizer) line() {
	for z.at < len(z.text) && (z.text[z.at] == ' ' || z.text[z.at] == '\t') {
		z.at++
	}
	if z.at < len(z.text) && (z.text[z.at] == '\n' || z.text[z.at] == '>') {
		z.breaks()
		for z.at < len(z.text) && z.text[z.at] != '\n' {
			z.at++
		}
		z.at++
		return
	}
	first := true
	for z.at < len(z.text) {
		start := z.at
		kind, blank := z.next()
		if blank {
			if z.text[start] == '\n' {
				return
			}
			continue
		}
		z.tokens = append(z.tokens, token{start: int32(start), end: int32(z.at), kind: kind, glued: start == z.last && len(z.tokens) > 0, line: first})
		z.last, first = z.at, false
	}
}

func (z *tokenizer) breaks() {
	if n := len(z.tokens); n > 0 && z.tokens[n-1].kind != tokenBreak {
		z.tokens = append(z.tokens, token{start: int32(z.at), end: int32(z.at), kind: tokenBreak})
	}
}

// next passes over one token, folding it, or over one blank.
func (z *tokenizer) next() (kind tokenKind, blank bool) {
	c := z.text[z.at]
	switch {
	case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		z.at++
		return 0, true
	case digit(c):
		for z.at < len(z.text) && digit(z.text[z.at]) {
			z.at++
		}
		return tokenNumber, false
	case z.letter():
		for z.at < len(z.text) && z.letter() {
			z.at += z.fold()
		}
		return tokenWord, false
	case c < utf8.RuneSelf:
		z.at++
		return tokenSign, false
	}
	r, n := utf8.DecodeRuneInString(z.text[z.at:])
	z.at += n
	return tokenSign, blankRune(r)
}

// letter reports whether a letter stands at the current place.
func (z *tokenizer) letter() bool {
	c := z.text[z.at]
	switch {
	case c < utf8.RuneSelf:
		return c|0x20 >= 'a' && c|0x20 <= 'z'
	case c == 0xd0 || c == 0xd1:
		return z.at+1 < len(z.text)
	}
	r, _ := utf8.DecodeRuneInString(z.text[z.at:])
	return unicode.IsLetter(r) || unicode.IsMark(r)
}

// fold makes the letter at the current place small, and returns its width.
func (z *tokenizer) fold() int {
	c := z.text[z.at]
	switch {
	case c < utf8.RuneSelf:
		z.folded[z.at] = c | 0x20
		return 1
	case c != 0xd0 && c != 0xd1:
		_, n := utf8.DecodeRuneInString(z.text[z.at:])
		return n
	}
	d := z.text[z.at+1]
	switch {
	case c == 0xd0 && d >= 0x90 && d <= 0x9f: // А–П
		z.folded[z.at+1] = d + 0x20
	case c == 0xd0 && d >= 0xa0 && d <= 0xaf: // Р–Я
		z.folded[z.at], z.folded[z.at+1] = 0xd1, d-0x20
	case c == 0xd0 && d == 0x81, c == 0xd1 && d == 0x91: // Ё, ё
		z.folded[z.at], z.folded[z.at+1] = 0xd0, 0xb5
	}
	return 2
}
