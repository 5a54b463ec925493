package payments

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// charsets are tried in this order: where two find equally many known words, the first is meant.
var charsets = []struct {
	name string
	enc  encoding.Encoding // nil is UTF-8
}{
	{"utf-8", nil},
	{"windows-1251", charmap.Windows1251},
	{"ibm866", charmap.CodePage866},
	{"koi8-r", charmap.KOI8R},
}

// decode turns the octets of a file into text and says which charset they were in. What the file declares is not asked:
// it is often wrong. The charset in which most of the format's own words are found wins, so that a name cut in the middle of
// a UTF-8 character, as banks do, does not change the answer. A file without any of the words is read as UTF-8 where it is
// valid, else as windows-1251.
func decode(b []byte) (text, charset string) {
	switch {
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}), bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(b)
		if err == nil {
			return string(out), "utf-16"
		}
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		return strings.ToValidUTF8(string(b[3:]), "\uFFFD"), "utf-8"
	}
	best, most := -1, 0
	for i, c := range charsets {
		if n := knownWords(b, c.enc); n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		best = 1
		if utf8.Valid(b) {
			best = 0
		}
	}
	c := charsets[best]
	if c.enc == nil {
		return strings.ToValidUTF8(string(b), "\uFFFD"), c.name
	}
	out, err := c.enc.NewDecoder().Bytes(b)
	if err != nil { // these charsets have a character for every octet
		return strings.ToValidUTF8(string(b), "\uFFFD"), "utf-8"
	}
	return string(out), c.name
}

// knownWords counts words of the format in b, taken as text in enc.
func knownWords(b []byte, enc encoding.Encoding) int {
	n := 0
	for _, w := range []string{"СекцияДокумент", "КонецДокумента", "СекцияРасчСчет", "КонецФайла", "ВерсияФормата"} {
		word := []byte(w)
		if enc != nil {
			encoded, err := enc.NewEncoder().Bytes(word)
			if err != nil {
				continue
			}
			word = encoded
		}
		n += bytes.Count(b, word)
	}
	return n
}
