package inbound

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// bigramCosts tells how unlikely a letter is after another in Russian: 'a' is certain, 'm' is never. Line and column are
// blank (the edge of a word), then а to я; ё counts as е. Made by counting two million letters of Russian text.
const bigramCosts = "" +
	"mfedgdghedkdgeddcedeeehgfhjmkmfhh" +
	"cjfeffefeheededjeeedhigffghmmmmge" +
	"edjklhdgiemdcjecidgkdlffmleedgklh" +
	"ccmghidmjdmeegechffffmgkhiimdhmmh" +
	"ddihffdmmdmiefeblcijdljlimmmlmkkl" +
	"dclfifcghdmfdgecfefieliiihmhfjlkh" +
	"cigefegffgfeeecgfdedjiiggggmmmljj" +
	"fdglldbmmcmfkichklikfmmmmkmmmjlmm" +
	"dbgdjdfjjemfgdddjfimemmijmmmfkmme" +
	"cgfeffdieeeeeddhfeddlfgffgimmmmfd" +
	"bkjjkfhmjjmgchfgkhddlklghimmkmmlj" +
	"dciglleikdmidkgcgeeeemkemkmmllilm" +
	"ddgkijcfmcmfgjfcjmhhfklmgmmmgcled" +
	"ccgekkbmmdmhhefcfmhmflmljlmmellle" +
	"ecljhecihcmflldcmmfefgjhikmmdgmif" +
	"dkecedfeegeedeegeddejjhhffimmmkmh" +
	"edmlmkdmmdmgemhbgchhemlhmlmmgimkh" +
	"dchffgcfkdmghfecigffejgjhglmegmig" +
	"degfihehmdmddffddfecejgifgmhfemkd" +
	"ccjeihdmjdmfhhedhddjfjlmhmmmfclkj" +
	"dgfffddefifdedejdeddlggkegemmmiei" +
	"gbmmjmemgckkeihcleigdfkmmmmmkilmm" +
	"bdjffkemmdmlkifclegigjjmmkmmkkhmk" +
	"ddkfjicmkbmfkmlegiimfikjmmmmemmkm" +
	"ecmlmlbkmcmehkdgljgdhikmiimmmhmmm" +
	"edlhmmcmmbmdfjefkfgfemmmkmmmkhmmj" +
	"hdmmmmbmmcmmmmimmmmmfmmmmmmmmemmm" +
	"kkkkkkakkkkkkkkkkkkkkkkkkkkkkkkke" +
	"cmfdifdigmcgeejmeefdmmdmgfkmmmmmj" +
	"bmiggjemdjmemfdjkjefmgmhkfhmmmmff" +
	"gliigdlljjgdcfflgffbifijlelllllll" +
	"bkgmjfmgijkifihkkehdmkmkcmcmmmkhm" +
	"amhejfekfmjghfemjghekjgghmgmmmkfg"
const bigramWidth = 33

// guessSample is how many octets are looked at to guess a charset.
const guessSample = 4 << 10

// candidate is a charset that text without a (believable) charset may be in.
type candidate struct {
	name string
	enc  encoding.Encoding
	bias int // added to the cost: how rare the charset is in mail
}

func candidates() []candidate {
	return []candidate{
		{"windows-1251", charmap.Windows1251, 0},
		{"koi8-r", charmap.KOI8R, 1},
		{"windows-1252", charmap.Windows1252, 2},
		{"ibm866", charmap.CodePage866, 4},
		{"iso-8859-5", charmap.ISO8859_5, 4},
	}
}

// hintBonus is how much cheaper the charset gets that the letter declares elsewhere.
const hintBonus = 8

// guessText decodes octets in an unknown charset: UTF-8 when it is that, or nearly, else whatever reads most like Russian
// (or, with few accented letters among Latin ones, like Western text). hint is a charset named elsewhere, or "".
func guessText(b []byte, hint string) string {
	if utf8.Valid(b) {
		return string(b)
	}
	if nearlyUTF8(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	sample := b
	if len(sample) > guessSample {
		sample = interesting(b)
	}
	best, bestCost := candidate{}, 0
	for _, c := range candidates() {
		cost := c.bias + readingCost(decodeAll(c.enc, sample))
		if c.name == hint {
			cost -= hintBonus
		}
		if best.enc == nil || cost < bestCost {
			best, bestCost = c, cost
		}
	}
	return decodeAll(best.enc, b)
}

// interesting cuts the sample out of b where the first octet above 127 stands.
func interesting(b []byte) []byte {
	from := 0
	for i, c := range b {
		if c >= utf8.RuneSelf {
			from = max(0, i-64)
			break
		}
	}
	return b[from:min(len(b), from+guessSample)]
}

// nearlyUTF8 reports whether b is UTF-8 with a few octets damaged: one in many, or those at the very end, as when a line
// was cut within a character.
func nearlyUTF8(b []byte) bool {
	good, bad, firstBad := 0, 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			if bad++; bad == 1 {
				firstBad = i
			}
		} else {
			good++
		}
		i += n
	}
	return bad*8 <= good || good >= 2 && firstBad >= len(b)-3
}

// readingCost tells how little a text looks like Russian or Western writing; it can only be compared with the cost of
// another reading of the same octets.
func readingCost(s string) int {
	r := reading{}
	for _, c := range s {
		r.next(c)
	}
	r.next(' ')
	return r.cost
}

// reading is the state of readingCost.
type reading struct {
	cost   int
	prev   rune
	letter int // index of the previous Russian letter, 0 at the edge of a word
	length int // letters of the word so far
}

func (r *reading) next(c rune) {
	defer func() { r.prev = c }()
	if i := russianIndex(c); i > 0 {
		r.cost += bigramCost(r.letter, i) + r.caseCost(c)
		if latin(r.prev) {
			r.cost += 7
		}
		r.letter = i
		r.length++
		return
	}
	if r.letter > 0 {
		r.cost += bigramCost(r.letter, 0)
		if c < utf8.RuneSelf && latin(c) {
			r.cost += 7
		}
		r.letter, r.length = 0, 0
	}
	r.cost += r.otherCost(c)
}

// caseCost is for a capital after a small letter, and for a small letter after two capitals.
func (r *reading) caseCost(c rune) int {
	if r.letter == 0 {
		return 0
	}
	up, before := unicode.IsUpper(c), unicode.IsUpper(r.prev)
	switch {
	case up && !before:
		return 7
	case !up && before && r.length > 1:
		return 4
	case up && before:
		return 1
	}
	return 0
}

func (r *reading) otherCost(c rune) int {
	switch {
	case c < utf8.RuneSelf:
		return 0
	case strings.ContainsRune(typographic, c):
		if strings.ContainsRune(typographic, r.prev) {
			return 10
		}
		return 4
	case strings.ContainsRune("іїєґўІЇЄҐЎ", c):
		return 7
	case c == utf8.RuneError || unicode.IsControl(c):
		return 25
	case unicode.Is(unicode.Latin, c):
		if r.prev >= utf8.RuneSelf && unicode.IsLetter(r.prev) {
			return 12
		}
		if latin(r.prev) && unicode.IsUpper(c) && unicode.IsLower(r.prev) {
			return 12
		}
		return 6
	}
	return 13
}

// typographic are the signs beyond ASCII that people and their programs use between words.
const typographic = "«»№—–…“”„\u00a0°§•’‘"

func latin(c rune) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// russianIndex returns 1 for а to 32 for я in any case, and 0 for everything else.
func russianIndex(c rune) int {
	switch {
	case c >= 'а' && c <= 'я':
		return int(c-'а') + 1
	case c >= 'А' && c <= 'Я':
		return int(c-'А') + 1
	case c == 'ё' || c == 'Ё':
		return int('е'-'а') + 1
	}
	return 0
}

func bigramCost(from, to int) int { return int(bigramCosts[from*bigramWidth+to] - 'a') }
