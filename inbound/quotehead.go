package inbound

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on the head of a quote: it is a line or a few, not a letter.
const (
	maxHeadLines  = 5
	maxHeadOctets = 500
	maxFieldLines = 30
)

// fields reports whether the header lines of a quoted letter begin at line i, as Outlook writes them above what it
// quotes, in any language: a sender, and a date, a receiver or a subject. It says where they end.
func (q *quoter) fields(i int) (last int, ok bool) {
	first := fieldOf(q.at(i))
	if first == fieldNone {
		return 0, false
	}
	seen, block, other := first, i, 0
	last = i
	for k := i + 1; k < len(q.lines) && k < i+maxFieldLines; k++ {
		if q.lines[k].kind == lineBlank {
			n := q.next(k)
			if n > k+1 || n >= len(q.lines) || fieldOf(q.at(n)) == fieldNone {
				break
			}
			continue
		}
		f := fieldOf(q.at(k))
		if f == fieldNone {
			if other++; other > 3 || q.lines[k].kind != lineWords || seen&fieldSubject != 0 {
				break
			}
			continue
		}
		seen, last, other = seen|f, k, 0
	}
	text := q.text[q.lines[block].start:q.lines[last].end]
	return last, seen.enough(text, q.drawnAbove(i))
}

// drawnAbove reports whether a line is drawn or a marker stands above line i.
func (q *quoter) drawnAbove(i int) bool {
	i--
	if i >= 0 && q.lines[i].kind == lineBlank {
		i--
	}
	return i >= 0 && (q.lines[i].kind == lineRule || q.lines[i].kind == lineWords && framed(q.at(i)))
}

// enough reports whether such fields make the head of a letter. A freight order has a from, a to and a date too; so an
// address, a time of day or a subject is asked for.
func (f quotedField) enough(text string, drawn bool) bool {
	kinds := 0
	for _, k := range [...]quotedField{fieldFrom, fieldDate, fieldTo, fieldSubject} {
		if f&k != 0 {
			kinds++
		}
	}
	if len(text) > 4000 {
		text = text[:4000]
	}
	letter := strings.Contains(text, "@") || hasClock(text)
	switch {
	case kinds >= 3:
		return letter || f&fieldSubject != 0 && f&fieldFrom != 0
	case kinds == 2:
		return f&fieldFrom != 0 && letter && (drawn || f&fieldDate != 0 || f&fieldSubject != 0)
	}
	return false
}

// wrote reports whether a head such as «01.11.2026 10:00, Иван пишет:» begins at line i, alone or broken over a few
// lines, and where it ends.
func (q *quoter) wrote(i int) (last int, ok bool) {
	if !q.endsNear(i) {
		return 0, false
	}
	var lead leadWord
	text, asked := "", false
	for k, n := i, 1; k < len(q.lines) && n <= maxHeadLines; k, n = k+1, n+1 {
		s := q.at(k)
		if n > 1 {
			if s == "" { // some converters put the address into a paragraph of its own
				if k = q.next(k); k > i+2*maxHeadLines || k >= len(q.lines) || q.at(k)[0] != '<' && !openBracket(text) {
					return 0, false
				}
				s = q.at(k)
			}
			if q.lines[k].kind == lineQuoted && !openBracket(text) || sentenceEnds(text) {
				return 0, false
			}
			if !asked {
				asked, lead = true, leadOf(text)
			}
			if lead == leadNone && !strings.HasPrefix(s, "<") && !openBracket(text) {
				return 0, false
			}
		}
		if len(text)+len(s) > maxHeadOctets {
			return 0, false
		}
		if text == "" {
			text = s
		} else {
			text += " " + s
		}
		if terminal(s) {
			if !asked {
				lead = leadOf(text)
			}
			if headSays(text, lead, q.kind(q.next(k+1)) == lineQuoted) {
				return k, true
			}
		}
	}
	return 0, false
}

// endsNear reports whether a line that could end a head stands at line i or shortly below it.
func (q *quoter) endsNear(i int) bool {
	for q.ends < i {
		q.ends++
		for q.ends < len(q.lines) && (q.ends < i || q.lines[q.ends].kind == lineBlank || !terminal(q.at(q.ends))) {
			q.ends++
		}
	}
	return q.ends <= i+2*maxHeadLines
}

// sentenceEnds reports whether the line that a head would go on from ends a sentence. Months are abbreviated with a dot.
func sentenceEnds(s string) bool {
	switch s[len(s)-1] {
	case '!', '?', ';', ':':
		return true
	case '.':
		word := s[strings.LastIndexByte(s, ' ')+1:]
		return utf8.RuneCountInString(word) > 6 && !hasDigit(word)
	}
	return false
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// openBracket reports whether the text ends inside an address.
func openBracket(s string) bool {
	return strings.Count(s, "<") > strings.Count(s, ">")
}

// terminal reports whether a head could end with this line: a colon, dashes, or the verb.
func terminal(s string) bool {
	if strings.HasSuffix(s, ":") || strings.HasSuffix(s, "：") {
		return true
	}
	t := strings.TrimRight(s, "- *_>")
	if t == "" || len(t) < len(s)-8 {
		return false
	}
	r, _ := utf8.DecodeLastRuneInString(t)
	if !unicode.IsLetter(r) && r != ')' {
		return false
	}
	word := t[strings.LastIndexAny(t, " \t>")+1:]
	return len(word) <= 40 && isVerb(foldWords(word))
}

// headSays decides whether the words are the head of a quote, by what they have: the verb, a date, a time of day, an
// address, and whether quoted lines follow.
func headSays(text string, lead leadWord, quoted bool) bool {
	f := featuresOf(text)
	colon := strings.HasSuffix(text, ":") || strings.HasSuffix(text, "：")
	switch {
	case f.verb && f.date && (f.clock || f.bracketed || lead != leadNone):
		return true
	case f.verb && f.bracketed && (colon || quoted):
		return true
	case f.date && f.bracketed && colon:
		return true
	case f.date && f.clock && colon && lead == leadDate && f.from && f.words <= 14: // Mail.ru: «…, 10:00 +03:00 от Иван:»
		return true
	case f.date && f.clock && f.address && colon && lead != leadNone:
		return true
	case !quoted:
		return false
	}
	return f.verb && (colon || f.date || f.address) && f.words <= 30 || colon && (f.address && f.words <= 25 || f.date && f.words <= 20)
}

// headFeatures are what a line has of the head of a quote.
type headFeatures struct {
	verb, date, clock, address, bracketed, from bool
	words                                       int
}

func featuresOf(text string) headFeatures {
	folded := foldWords(text)
	f := headFeatures{clock: hasClock(folded), date: hasDate(folded)}
	if at := strings.IndexByte(folded, '@'); at > 0 && at+1 < len(folded) {
		f.address = folded[at-1] > ' ' && folded[at+1] > ' '
	}
	f.bracketed = f.address && (strings.ContainsAny(folded, "<[(") || strings.Contains(folded, "&lt;"))
	for _, w := range strings.FieldsFunc(folded, func(r rune) bool { return strings.ContainsRune(" ,:;<>\"«»", r) }) {
		f.words++
		f.verb = f.verb || isVerb(strings.Trim(w, "-*_()."))
		f.from = f.from || w == "от" || w == "from"
	}
	f.verb = f.verb || verbWithoutBlanks(folded)
	return f
}

// hasClock reports whether the text has a time of day: 9:05, 09.05, 21:05:59.
func hasClock(s string) bool {
	for i := 1; i+2 < len(s); i++ {
		if (s[i] != ':' && s[i] != '.') || !digit(s[i-1]) || !digit(s[i+1]) || !digit(s[i+2]) {
			continue
		}
		if s[i] == '.' && (i+3 < len(s) && (s[i+3] == '.' || digit(s[i+3])) || s[i+1] > '5' || i >= 3 && s[i-3] == '.') {
			continue // a date, or a number
		}
		if s[i+1] <= '5' && (i < 2 || !digit(s[i-2]) || s[i-2] <= '2') {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// hasDate reports whether the folded text has a calendar date: 01.11.2026, 2026-11-01, 1 ноября, Nov 1, 2026年11月1日, 5. Dez.
func hasDate(s string) bool {
	if strings.ContainsAny(s, "年月일월") && hasDigit(s) {
		return true
	}
	for i := 1; i+1 < len(s); i++ {
		if (s[i] == '.' || s[i] == '/' || s[i] == '-') && digit(s[i-1]) && digit(s[i+1]) {
			if j := i + 2; j < len(s) && (s[j] == s[i] || digit(s[j]) && j+1 < len(s) && s[j+1] == s[i]) {
				return true
			}
		}
	}
	number, month := -9, -9
	n := 0
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || r == ',' || r == '.' || r == '\'' || r == '/' || r == '-' }) {
		n++
		if w[0] >= '1' && w[0] <= '9' && dayWord(w) {
			number = n
		} else if monthWord(w) {
			month = n
		} else {
			continue
		}
		if d := number - month; d >= -2 && d <= 2 {
			return true
		}
	}
	return false
}

// dayWord reports whether a word is the number of a day: 1, 31, 2nd, 5-го.
func dayWord(w string) bool {
	n := 0
	for n < len(w) && digit(w[n]) {
		n++
	}
	if n > 2 || n == 2 && (w[0] > '3' || w[0] == '3' && w[1] > '1') {
		return false
	}
	switch w[n:] {
	case "", "st", "nd", "rd", "th", "º", "er", "го", "ого":
		return true
	}
	return false
}

// leadWord says what a head begins with.
type leadWord byte

const (
	leadNone leadWord = iota
	leadDate          // a date, or the day of the week
	leadOn            // the word that stands before a date, or the like: On, Am, Le, Den, «Вы»
	leadName          // a name with its address in brackets
)

// leadOf returns what the text begins with.
func leadOf(text string) leadWord {
	text = strings.TrimLeft(text, "-*_—– \t\"«(")
	word := text
	if i := strings.IndexAny(text, " ,.:\t"); i >= 0 {
		word = text[:i]
	}
	if word == "" || len(word) > 40 {
		return leadNone
	}
	if digit(word[0]) {
		return leadDate
	}
	word = foldWords(word)
	switch {
	case weekday(word), monthWord(word):
		return leadDate
	case leadsDate(word):
		return leadOn
	}
	if at := strings.IndexByte(text, '@'); at > 0 && strings.ContainsAny(text[:at], "<[(") && strings.IndexAny(text, ".!?:;") > at {
		return leadName
	}
	return leadNone
}
