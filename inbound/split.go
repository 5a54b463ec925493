package inbound

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SplitReply divides the text of a letter into what its writer added to the conversation and the writer's signature. What
// is quoted belongs to neither: lines that begin with ">" or with initials and ">" («ИП>»), the head above them («01.11.2026,
// Иван пишет:»), a letter below the header lines of Outlook («От:», «Отправлено:», …) or below «-----Исходное
// сообщение-----», and everything forwarded. Answers between quotes stay, the quotes beside them do not.
//
// A signature is what stands below a line "-- ", what a phone appends («Отправлено с iPhone»), the block that «С уважением»
// or the writer's name begins and that has ways to reach the writer, and disclaimers. A foreign closing with a mere name
// ("Thanks, Alex") stays in the reply.
//
// Both results consist of whole lines of the text in their order, without empty lines around them. The time taken is
// proportional to the length of the text. SplitReply of a reply gives that reply.
func SplitReply(text string) (reply, signature string) {
	reply, signature, changed := splitOnce(text)
	for range 8 { // what stood apart may have come together, and looks like something else now
		if !changed {
			break
		}
		var more string
		if reply, more, changed = splitOnce(reply); more != "" {
			signature = strings.TrimRight(more+"\n"+signature, "\n")
		}
	}
	return reply, signature
}

// splitOnce does what SplitReply says, and reports whether it left anything out.
func splitOnce(text string) (reply, signature string, changed bool) {
	q := quoter{text: text, lines: splitLines(text), ends: -1}
	q.split()
	s := signer{quoter: &q}
	for i, p := range q.own {
		s.piece(p, i == len(q.own)-1)
	}
	if s.empty() { // rather a signature taken for words than words lost
		s.whole(q.own)
	}
	return q.join(s.reply), q.join(s.signature), q.cut || len(s.signature) > 0
}

// lineKind says what a single line looks like.
type lineKind byte

const (
	lineBlank lineKind = iota
	lineWords
	lineQuoted // begins with a quote mark
	lineRule   // nothing but dashes or the like
)

// line is one line of the text, without blanks around it and without its end.
type line struct {
	start, end int32 // of the trimmed line
	first      int32 // where the line itself begins
	kind       lineKind
}

// lineSpan is a run of lines, from the first to before the second.
type lineSpan struct{ from, to int }

// quoter tells the writer's own lines from what is quoted.
type quoter struct {
	text  string
	lines []line
	own   []lineSpan
	cut   bool // something was left out
	ends  int  // the first line from where the search stands on that could end a head; -1 before the search
}

func splitLines(text string) []line {
	lines := make([]line, 0, strings.Count(text, "\n")+1)
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		next := at + end + 1
		if end < 0 {
			end, next = len(text)-at, len(text)
		}
		l := line{first: int32(at), start: int32(at), end: int32(at + end)}
		l.trim(text)
		l.kind = kindOf(text[l.start:l.end])
		lines = append(lines, l)
		at = next
	}
	return lines
}

// trim moves the ends of the line past blanks.
func (l *line) trim(text string) {
	for l.start < l.end && (text[l.start] == ' ' || text[l.start] == '\t' || text[l.start] == '\r') {
		l.start++
	}
	for l.end > l.start && (text[l.end-1] == ' ' || text[l.end-1] == '\t' || text[l.end-1] == '\r') {
		l.end--
	}
	if l.start < l.end && (text[l.start] >= utf8.RuneSelf || text[l.end-1] >= utf8.RuneSelf) {
		s := text[l.start:l.end]
		t := strings.TrimLeftFunc(s, blankRune)
		l.start += int32(len(s) - len(t))
		l.end = l.start + int32(len(strings.TrimRightFunc(t, blankRune)))
	}
}

func blankRune(r rune) bool { return unicode.IsSpace(r) || invisible(r) }

func kindOf(s string) lineKind {
	switch {
	case s == "":
		return lineBlank
	case s[0] == '>' || quotedByName(s):
		return lineQuoted
	case isRule(s):
		return lineRule
	}
	return lineWords
}

// quotedByName reports whether a line begins with the initials of the one who is quoted, as The Bat! marks it: «ИП> текст».
func quotedByName(s string) bool {
	mark := strings.IndexByte(s[:min(len(s), 24)], '>')
	if mark < 1 {
		return false
	}
	if mark+1 < len(s) && s[mark+1] != ' ' && s[mark+1] != '>' && s[mark+1] != '\t' {
		return false
	}
	n := 0
	for _, r := range s[:mark] {
		if !unicode.IsLetter(r) || n == 0 && !unicode.IsUpper(r) {
			return false
		}
		n++
	}
	return n <= 12
}

// isRule reports whether a line is drawn: two signs at least, nothing but signs of which lines are drawn.
func isRule(s string) bool {
	signs := 0
	for _, r := range s {
		switch r {
		case '-', '_', '=', '*', '~', '#', '\u2013', '\u2014', '\u2500', '\u2015':
			signs++
		case ' ', '+', '.':
		default:
			return false
		}
	}
	return signs >= 2
}

// at returns a line without blanks around it.
func (q *quoter) at(i int) string { return q.text[q.lines[i].start:q.lines[i].end] }

// kind returns the kind of a line, and lineBlank beyond the last.
func (q *quoter) kind(i int) lineKind {
	if i < 0 || i >= len(q.lines) {
		return lineBlank
	}
	return q.lines[i].kind
}

// next returns the first line from i on that is not blank, or the number of lines.
func (q *quoter) next(i int) int {
	for i < len(q.lines) && q.lines[i].kind == lineBlank {
		i++
	}
	return i
}

// split finds the writer's own pieces.
func (q *quoter) split() {
	from := 0
	for i := 0; i < len(q.lines); {
		if q.lines[i].kind == lineQuoted {
			q.add(from, i)
			i = q.quotedRun(i)
			q.cut, from = true, i
			continue
		}
		last, ok := 0, false
		if q.lines[i].kind != lineBlank {
			last, ok = q.head(i)
		}
		if !ok {
			i++
			continue
		}
		q.add(from, q.above(from, i))
		if i = last + 1; q.kind(q.next(i)) != lineQuoted {
			i = len(q.lines) // it is not marked where the quote ends
		}
		q.cut, from = true, i
	}
	q.add(from, len(q.lines))
}

// add keeps a piece unless it is empty.
func (q *quoter) add(from, to int) {
	for from < to && q.lines[from].kind == lineBlank {
		from++
	}
	for to > from && q.lines[to-1].kind == lineBlank {
		to--
	}
	if from < to {
		q.own = append(q.own, lineSpan{from, to})
	}
}

// above returns where a quote begins whose head stands at i: lines drawn above a head, and what announces it, belong to it.
func (q *quoter) above(from, i int) int {
	for i > from {
		k := i - 1
		for k > from && q.lines[k].kind == lineBlank {
			k--
		}
		if q.lines[k].kind != lineRule && !announces(q.at(k)) || q.lines[k].kind == lineRule && len(q.at(k)) < 3 {
			break
		}
		i = k
	}
	return i
}

// quotedRun returns the line after a run of quoted lines. A line that a program broke in two belongs to it: small letters
// between two quoted lines, the first of them long.
func (q *quoter) quotedRun(i int) int {
	for i++; i < len(q.lines); i++ {
		if q.lines[i].kind == lineQuoted {
			continue
		}
		if q.lines[i].kind == lineWords && q.kind(i+1) == lineQuoted && q.kind(i-1) == lineQuoted && utf8.RuneCountInString(q.at(i-1)) >= 55 {
			if r, _ := utf8.DecodeRuneInString(q.at(i)); unicode.IsLower(r) {
				continue
			}
		}
		break
	}
	return i
}

// head reports whether the head of a quote begins at line i, and where it ends.
func (q *quoter) head(i int) (last int, ok bool) {
	if q.lines[i].kind == lineWords {
		if last, ok = q.fields(i); ok {
			return last, true
		}
		if q.marker(i) {
			return i, true
		}
	}
	return q.wrote(i)
}

// marker reports whether line i divides a letter from the one below it: «-----Исходное сообщение-----».
func (q *quoter) marker(i int) bool {
	s := q.at(i)
	if len(s) > 200 {
		return false
	}
	last := s[len(s)-1]
	if last != ':' && last != ')' && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' || s[0] == 0xd0 || s[0] == 0xd1) {
		return false
	}
	if !framed(s) {
		if last != ':' && last != ')' || !announces(s) {
			return false
		}
		n := q.next(i + 1)
		return q.kind(n) == lineQuoted || n < len(q.lines) && fieldOf(q.at(n)) != fieldNone
	}
	inner := foldWords(strings.Trim(s, "-_=*~# \u2013\u2014\u2500<>"))
	if inner == "" {
		return false
	}
	if originalWords(inner) || replyAbove(inner) {
		return true
	}
	n := q.next(i + 1)
	if n >= len(q.lines) || fieldOf(q.at(n)) == fieldNone {
		return false
	}
	_, ok := q.fields(n)
	return ok
}

// framed reports whether a line begins or ends as if it were drawn.
func framed(s string) bool {
	s = strings.Trim(s, "* ")
	for _, sign := range [...]string{"---", "___", "===", "~~~", "###", "—", "––", "- - "} {
		if strings.HasPrefix(s, sign) || strings.HasSuffix(s, sign) && strings.HasPrefix(s, sign[:1]) {
			return true
		}
	}
	return strings.HasPrefix(s, "##")
}

// join puts lines of the text together; where something was left out between them, one empty line stands for it if there
// was one.
func (q *quoter) join(pieces []lineSpan) string {
	pieces = slices.DeleteFunc(pieces, func(p lineSpan) bool { return p.from >= p.to })
	if len(pieces) == 0 {
		return ""
	}
	if len(pieces) == 1 {
		return q.cutOut(pieces[0])
	}
	var out strings.Builder
	for i, p := range pieces {
		if i > 0 {
			out.WriteByte('\n')
			if before := pieces[i-1].to; q.kind(before) == lineBlank && before < len(q.lines) || q.kind(p.from-1) == lineBlank {
				out.WriteByte('\n')
			}
		}
		out.WriteString(q.cutOut(p))
	}
	return out.String()
}

func (q *quoter) cutOut(p lineSpan) string {
	return q.text[q.lines[p.from].first:q.lines[p.to-1].end]
}

// foldWords brings text to the form in which words are compared: small letters, ё as е, no blanks but single spaces between
// words. Look-alikes of the apostrophe become one.
func foldWords(s string) string {
	out := make([]byte, 0, len(s)+4)
	blank := false
	for _, r := range s {
		switch {
		case r > ' ' && r < 0x7f && r != '`':
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
		case r >= 'а' && r <= 'я':
		case r >= 'А' && r <= 'Я':
			r += 'а' - 'А'
		case r == 'ё' || r == 'Ё':
			r = 'е'
		case blankRune(r):
			blank = len(out) > 0
			continue
		case r == '\u2019' || r == '`' || r == '\u00b4':
			r = '\''
		default:
			r = unicode.ToLower(r)
		}
		if blank {
			out = append(out, ' ')
			blank = false
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
