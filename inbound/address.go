package inbound

import (
	"strings"
	"unicode/utf8"
)

// mailbox is one address of an address field with the name beside it.
type mailbox struct {
	name    string // decoded and cleaned
	address string // normalised; without @ when the field had a bare word in angle brackets; never empty
}

// parseAddresses reads an address field. It never fails: what cannot be an address is left out. Groups give their
// members, routes are dropped, an address may lack its brackets. See RFC 5322 sections 3.4 and 4.4.
func parseAddresses(raw []byte, hint string) []mailbox {
	p := addressParser{s: decodeRaw(raw, hint), hint: hint}
	p.scan = wordScanner{raw: []byte(p.s), lastBlank: strings.LastIndexAny(p.s, " \t")}
	for p.i < len(p.s) && len(p.out) < maxAddresses {
		p.step()
	}
	p.finish()
	return p.out
}

// addressParser reads the field from left to right and gathers one item at a time. noQuote and noComment remember that
// the rest holds no end of a quoted string or comment, so that broken fields do not cost more than sound ones.
type addressParser struct {
	s         string
	i         int
	hint      string
	scan      wordScanner
	out       []mailbox
	words     strings.Builder // what stands outside of brackets and comments
	comment   string          // the last comment
	angle     string          // what stood in angle brackets
	hasAngle  bool
	quoted    bool // some of words stood in quotes
	at        bool // words holds an @
	noQuote   bool
	noComment bool
}

func (p *addressParser) step() {
	switch c := p.s[p.i]; c {
	case '"':
		p.quotedString()
	case '(':
		p.readComment()
	case '<':
		p.readAngle()
	case ',', ';':
		p.finish()
		p.i++
	case ':':
		p.colon()
	case '>': // opened nowhere
		p.i++
	case '\\':
		if p.i+1 < len(p.s) {
			p.i++
		}
		p.literal()
	case '=':
		p.encodedWord()
	default:
		p.literal()
	}
}

// encodedWord takes an encoded word whole: it may hold commas and other characters that mean something here.
func (p *addressParser) encodedWord() {
	if strings.HasPrefix(p.s[p.i:], "=?") {
		if _, end, ok := p.scan.word(p.i); ok && strings.HasSuffix(p.s[p.i:end], "?=") && !strings.ContainsAny(p.s[p.i:end], "<>\"") {
			p.words.WriteString(p.s[p.i:end])
			p.i = end
			return
		}
	}
	p.literal()
}

// literal takes the character at i as part of a word.
func (p *addressParser) literal() {
	_, n := utf8.DecodeRuneInString(p.s[p.i:])
	p.words.WriteString(p.s[p.i : p.i+n])
	p.at = p.at || p.s[p.i] == '@'
	p.i += n
}

// quotedString reads a quoted string. A quote that is never closed, or whose partner would swallow another address,
// is an ordinary character and left out.
func (p *addressParser) quotedString() {
	if !p.noQuote {
		value, rest, ok := quoted(p.s[p.i:])
		if ok && !swallows(value) {
			p.words.WriteString(value)
			p.quoted, p.at = true, p.at || strings.Contains(value, "@")
			p.i = len(p.s) - len(rest)
			return
		}
		p.noQuote = !ok
	}
	p.i++
}

// swallows reports whether what stands between two quotes is really the rest of one address and the start of the next.
func swallows(value string) bool {
	open := strings.IndexByte(value, '<')
	if open < 0 {
		return false
	}
	end := strings.IndexByte(value[open:], '>')
	if end < 0 {
		return false
	}
	after := strings.TrimSpace(value[open+end+1:])
	return strings.Contains(value[open:open+end], "@") && strings.HasPrefix(after, ",")
}

// readComment reads a comment, which may hold others. See RFC 5322 section 3.2.2.
func (p *addressParser) readComment() {
	if p.noComment {
		p.i++
		return
	}
	depth := 0
	for j := p.i; j < len(p.s); j++ {
		switch p.s[j] {
		case '\\':
			j++
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			p.comment = p.s[p.i+1 : min(j, len(p.s))]
			p.i = min(j+1, len(p.s))
			return
		}
	}
	p.noComment = true
	p.i++
}

// readAngle reads what stands in angle brackets. Without a closing bracket it goes on to the next comma or blank.
func (p *addressParser) readAngle() {
	rest := p.s[p.i+1:]
	end := strings.IndexAny(rest, ">,;<")
	switch {
	case end >= 0 && rest[end] == '<': // "<<a@b>>": the inner one counts
		p.i += end + 1
		return
	case end >= 0 && (rest[end] == ',' || rest[end] == ';') && routeGoesOn(rest[:end]):
		if close := strings.IndexAny(rest, "><"); close >= 0 && rest[close] == '>' {
			end = close
		}
	}
	next := end
	if end < 0 {
		end, next = len(rest), len(rest)
	} else if rest[end] == '>' {
		next = end + 1
	}
	if !p.hasAngle || strings.Contains(rest[:end], "@") {
		p.angle = rest[:end]
	}
	p.hasAngle = true
	p.i += 1 + next
}

// routeGoesOn reports whether a comma in brackets belongs to a source route: "<@a,@b:c@d>".
func routeGoesOn(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "@") }

// colon ends the name of a group, unless it is part of an address such as mailto:.
func (p *addressParser) colon() {
	if p.at {
		p.literal()
		return
	}
	if !p.hasAngle {
		p.words.Reset()
		p.quoted, p.comment = false, ""
	}
	p.i++
}

// finish turns the item gathered so far into a mailbox and begins the next.
func (p *addressParser) finish() {
	words, angle, comment := strings.TrimSpace(p.words.String()), p.angle, p.comment
	hasAngle, quoted := p.hasAngle, p.quoted
	p.words.Reset()
	p.angle, p.comment, p.hasAngle, p.quoted, p.at = "", "", false, false, false
	name := words
	if !hasAngle {
		angle, name = bareAddress(words, quoted)
		if name == "" {
			name = comment
		}
	} else if name == "" {
		name = comment
	}
	address := addrSpec(angle, p.hint)
	if address == "" && strings.Contains(name, "@") { // <>, but the name is an address
		address, name = bareAddress(name, true)
		address = addrSpec(address, p.hint)
	}
	if address == "" || utf8.RuneCountInString(address) > maxAddress {
		return
	}
	p.out = append(p.out, mailbox{cleanName(name, p.hint), address})
}

// bareAddress finds the address in an item without brackets: the first word with an @ inside, joined with what stands round a
// lone @. The other words are the name. A single word without @ counts as a local address unless it was a name in quotes.
func bareAddress(words string, quoted bool) (address, name string) {
	words = strings.ReplaceAll(strings.ReplaceAll(words, " @", "@"), "@ ", "@")
	list := strings.Fields(words)
	for i, w := range list {
		if at := strings.LastIndexByte(w, '@'); at > 0 && at < len(w)-1 {
			return w, strings.TrimSpace(strings.Join(list[:i], " ") + " " + strings.Join(list[i+1:], " "))
		}
	}
	if len(list) == 1 && !quoted && !strings.Contains(list[0], "@") && !strings.HasPrefix(list[0], "=?") {
		return list[0], ""
	}
	return "", words
}

// addrSpec cleans and normalises what should be an address; "" when there is nothing.
func addrSpec(s, hint string) string {
	if len(s) > 4*maxAddress {
		return ""
	}
	if strings.Contains(s, "=?") {
		s = decodeWords([]byte(s), hint)
	}
	s = cleanLine(s, 4*maxAddress)
	if strings.IndexByte(s, '(') >= 0 {
		s = withoutComments(s)
	}
	if len(s) >= 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if strings.HasPrefix(s, "@") { // a source route
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			s = s[i+1:]
		}
	}
	s = strings.TrimRight(strings.TrimLeft(s, " \t'`,.<>[]()|"), " \t'`,.<>()|")
	s = strings.ReplaceAll(strings.ReplaceAll(s, " @", "@"), "@ ", "@")
	a := Normal(s)
	if i := strings.LastIndexByte(a, '@'); i == 0 || i >= 0 && i == len(a)-1 || a != Normal(a) { // the last: nothing but junk
		return ""
	}
	return a
}

// withoutComments leaves out what stands in brackets within an address. One that is not closed stays. See RFC 5322
// section 3.2.2.
func withoutComments(s string) string {
	if strings.IndexByte(s, '"') >= 0 {
		return s
	}
	var out strings.Builder
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			if depth++; depth == 1 {
				out.WriteString(s[start:i])
				start = i
			}
		case ')':
			if depth == 0 {
				continue
			}
			if depth--; depth == 0 {
				start = i + 1
			}
		}
	}
	out.WriteString(s[start:])
	return strings.TrimSpace(out.String())
}

// cleanName decodes and cleans a display name, without the quotes that some programs leave round it.
func cleanName(s, hint string) string {
	s = cleanLine(decodeWords([]byte(s), hint), maxName)
	for len(s) >= 2 && (s[0] == '\'' && s[len(s)-1] == '\'' || s[0] == '"' && s[len(s)-1] == '"') {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	return s
}

// addresses gathers the normalised addresses of all fields with the name, each once, in their order. Words that are no
// address are left out.
func addresses(h header, name, hint string) []string {
	var out []string
	seen := map[string]bool{}
	for _, v := range h.all(name) {
		for _, m := range parseAddresses(v, hint) {
			if strings.Contains(m.address, "@") && !seen[m.address] && len(out) < maxAddresses {
				seen[m.address] = true
				out = append(out, m.address)
			}
		}
	}
	return out
}
