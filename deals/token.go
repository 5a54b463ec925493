package deals

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// Token is the mark of a deal that was read somewhere: "D1042-k7q2m". Anybody can write one; TokenKey.Valid tells whether
// it is ours.
type Token struct {
	Number int64  // of the deal, as people call it
	Code   string // lower case
}

// TokenKey is the secret under which marks are made. The empty key makes none and takes none for valid.
type TokenKey []byte

// The octets of the code: 25 bits of the MAC, five for each character. One guess in 33 million is right.
const codeLength = 5

// The most digits of a number that is taken for a deal's, and the most tokens that are read from one text.
const (
	maxDigits = 12
	maxTokens = 16
)

// code returns the code of a deal. See RFC 2104 and RFC 4648 section 6.
func (k TokenKey) code(number int64) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte("deal " + strconv.FormatInt(number, 10)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:codeLength])
}

// Mark returns what stands in the subject of a letter about the deal: "[D1042-k7q2m]".
func (k TokenKey) Mark(number int64) string {
	return "[D" + strconv.FormatInt(number, 10) + "-" + k.code(number) + "]"
}

// MessageID returns a Message-ID, without angle brackets, that carries the mark, so that an answer that names it shows
// its deal without a mark that people see. The caller gives what makes it unique, and the domain. See RFC 5322 section 3.6.4.
func (k TokenKey) MessageID(number int64, unique, domain string) string {
	return "d" + strconv.FormatInt(number, 10) + "-" + k.code(number) + "." + unique + "@" + domain
}

// Valid reports whether the mark was made under this key.
func (k TokenKey) Valid(t Token) bool {
	return len(k) > 0 && t.Number > 0 && hmac.Equal([]byte(k.code(t.Number)), []byte(strings.ToLower(t.Code)))
}

// FindTokens returns what looks like marks in a text, be it words of people or a Message-ID: each once, in the order of the
// text, at most sixteen. Letters may be of either case. Nothing is known about them yet, see Valid.
func FindTokens(text string) []Token {
	var found []Token
	for at := 0; len(found) < maxTokens; at++ {
		next := strings.IndexByte(text[at:], '-')
		if next < 0 {
			return found
		}
		at += next
		t, ok := tokenAt(text, at)
		if !ok {
			continue
		}
		known := false
		for _, f := range found {
			known = known || f == t
		}
		if !known {
			found = append(found, t)
		}
	}
	return found
}

// tokenAt reads the mark whose hyphen stands at the position.
func tokenAt(text string, hyphen int) (Token, bool) {
	start := hyphen
	for start > 0 && hyphen-start < maxDigits && text[start-1] >= '0' && text[start-1] <= '9' {
		start--
	}
	end := hyphen + 1 + codeLength
	if start == hyphen || start == 0 || text[start] == '0' || end > len(text) {
		return Token{}, false
	}
	if d := text[start-1]; d != 'D' && d != 'd' || start > 1 && wordByte(text[start-2]) || end < len(text) && wordByte(text[end]) {
		return Token{}, false
	}
	code := strings.ToLower(text[hyphen+1 : end])
	for i := range len(code) {
		if (code[i] < 'a' || code[i] > 'z') && (code[i] < '2' || code[i] > '7') {
			return Token{}, false
		}
	}
	number, err := strconv.ParseInt(text[start:hyphen], 10, 64)
	return Token{Number: number, Code: code}, err == nil
}

// wordByte reports a byte that belongs to a word, so that a mark does not begin or end beside it.
func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
