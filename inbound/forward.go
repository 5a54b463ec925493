package inbound

import (
	"strings"
	"unicode"
)

// maxForwardHead is how much of a text is searched for the head of a forwarded letter, in octets and in lines of the head.
const (
	maxForwardHead  = 32 << 10
	maxForwardLines = 12
)

// Forwarded returns the sender of the letter that a text forwards, as the head of the forwarded letter names him: the "From:"
// («От:», «От кого:») of a block of at least two such lines, as Outlook, Apple Mail, Thunderbird, Gmail, Yandex, Mail.ru, The
// Bat! and phones write it. Both are "" when the subject does not begin like that of a forwarded letter and the text does
// not announce one, or when no address can be read. A quoted answer has such a head in Outlook as well: the caller has to
// know who has sent the letter, and nothing here proves that the inner sender wrote anything.
func Forwarded(subject, text string) (name, address string) {
	if len(text) > maxForwardHead {
		text = cutUTF8(text, maxForwardHead)
	}
	rest, announced := afterForwardLine(text)
	if !announced {
		if !forwardSubject(subject) {
			return "", ""
		}
		rest = text
	}
	return forwardHead(rest)
}

// forwardSubject reports whether the subject has a prefix of forwarding, perhaps behind others and behind bracket tags.
func forwardSubject(subject string) bool {
	s := foldSubject(subject)
	for range maxForwardLines {
		s = strings.TrimSpace(s)
		if _, rest, ok := cutBlob(s); ok {
			s = rest
			continue
		}
		rest, ok := cutPrefixWord(s)
		if !ok {
			return false
		}
		word := s[:strings.IndexFunc(s, func(c rune) bool { return !unicode.IsLetter(c) })]
		switch word {
		case "fw", "fwd", "пересл", "переслать", "пер", "пересылка", "пересланное", "wg", "enc", "rv", "tr", "vb", "i":
			return true
		}
		s = rest
	}
	return false
}

// forwardLines announce a forwarded letter, folded, without the dashes around them.
func forwardLines() []string {
	return []string{
		"forwarded message", "original message", "begin forwarded message", "forwarded by", "forwarded mail", "forwarded",
		"пересылаемое сообщение", "пересланное сообщение", "пересылаемое письмо", "пересланное письмо", "начало переадресованного сообщения",
		"начало пересланного сообщения", "начало пересылаемого сообщения", "исходное сообщение", "конец пересылаемого", "переадресованное сообщение",
		"weitergeleitete nachricht", "это пересылаемое сообщение", "далее пересылаемое сообщение",
	}
}

// afterForwardLine returns what follows the line that announces a forwarded letter. An "original message" announces an
// answer as well, so it does not count without a subject of forwarding.
func afterForwardLine(text string) (string, bool) {
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text) - at
		}
		line := text[at : at+end]
		at = min(at+end+1, len(text))
		if len(line) < 200 && announcesForward(line) {
			return text[at:], true
		}
	}
	return "", false
}

func announcesForward(line string) bool {
	s := strings.ToLower(strings.TrimLeft(line, "> \t-_=*—–:"))
	for _, f := range forwardLines() {
		if strings.HasPrefix(s, f) && f != "original message" && f != "исходное сообщение" {
			rest := strings.TrimSpace(s[len(f):])
			return rest == "" || strings.ContainsAny(rest[:1], "-_=*:.,;") || strings.HasPrefix(rest, "—") || strings.HasPrefix(rest, "–") ||
				strings.HasPrefix(rest, "от ") || strings.HasPrefix(rest, "from ") || strings.HasPrefix(rest, "by ")
		}
	}
	return false
}

// headField is a name of a field as mail programs translate it; the first value tells what it is.
func headField(line string) (kind, value string, ok bool) {
	line = strings.TrimLeft(line, "> \t")
	line = strings.TrimLeft(line, "*|")
	colon := strings.IndexByte(line, ':')
	if colon < 1 || colon > 40 {
		return "", "", false
	}
	value = strings.TrimLeft(line[colon+1:], "*")
	switch strings.ToLower(strings.Trim(line[:colon], " \t*")) {
	case "from", "от", "от кого", "von", "de", "отправитель", "автор":
		return "from", value, true
	case "to", "кому", "an", "à", "a", "для", "получатель":
		return "to", value, true
	case "date", "sent", "дата", "отправлено", "gesendet", "datum", "date and time", "send time", "дата отправки":
		return "date", value, true
	case "subject", "тема", "betreff", "objet", "тема письма":
		return "subject", value, true
	case "cc", "копия", "kopie", "reply-to", "ответить", "адрес для ответа", "message-id", "importance", "важность":
		return "other", value, true
	}
	return "", "", false
}

// forwardHead reads the sender out of the first block of at least two different fields one of which is From.
func forwardHead(text string) (name, address string) {
	var b headBlock
	for line := range strings.Lines(text) {
		line = strings.Trim(line, "> \t\r\n")
		kind, value, ok := headField(line)
		if b.ends(line, kind, ok) {
			if m, found := b.sender(); found {
				return m.name, m.address
			}
			b = headBlock{}
		}
		b.add(line, kind, value, ok)
	}
	m, _ := b.sender()
	return m.name, m.address
}

// headBlock is the head of a forwarded letter as far as it was read.
type headBlock struct {
	kinds map[string]bool
	from  string
	lines int
	open  bool // the value of From may go on in the next line
}

// ends reports whether a line does not belong to the block any more.
func (b *headBlock) ends(line, kind string, field bool) bool {
	switch {
	case len(b.kinds) == 0:
		return false
	case field:
		return b.kinds[kind] && kind != "other" || b.lines > maxForwardLines
	}
	return !b.open || b.lines > maxForwardLines
}

func (b *headBlock) add(line, kind, value string, field bool) {
	if !field && len(b.kinds) == 0 {
		return
	}
	b.lines++
	if !field {
		b.from += " " + line
		b.open = !strings.Contains(b.from, "@")
		return
	}
	if b.kinds == nil {
		b.kinds = map[string]bool{}
	}
	b.kinds[kind], b.open = true, false
	if kind == "from" {
		b.from = value
		b.open = !strings.Contains(value, "@")
	}
}

// sender reads the address out of a block that has more than one field.
func (b *headBlock) sender() (mailbox, bool) {
	if b.from == "" || len(b.kinds) < 2 {
		return mailbox{}, false
	}
	for _, m := range parseAddresses([]byte(strings.TrimSpace(mailtoless(b.from))), "utf-8") {
		if at := strings.LastIndexByte(m.address, '@'); at > 0 && at < len(m.address)-1 {
			return m, true
		}
	}
	return mailbox{}, false
}

// mailtoless takes out what mail programs put beside an address when they make text of a link: "a@b.ru <mailto:a@b.ru>" and
// "Anna [mailto:a@b.ru]".
func mailtoless(s string) string {
	s = strings.NewReplacer("[mailto:", "<", "]", ">", "*", "").Replace(s)
	if i := strings.Index(s, "<mailto:"); i >= 0 {
		end := strings.IndexByte(s[i:], '>')
		inner := s[i+len("<mailto:"):]
		if end >= 0 {
			inner = s[i+len("<mailto:") : i+end]
		}
		if before := strings.TrimSpace(s[:i]); strings.Contains(before, "@") {
			return strings.Trim(before, "\"' ")
		}
		return s[:i] + "<" + inner + ">"
	}
	return s
}
