package inbound

import (
	"strings"
	"unicode/utf8"

	"kontrol/models"
)

// found is an address in a line, with where it stands.
type found struct {
	address    string
	start, end int
}

// addressesIn finds what looks like addresses in a line of text.
func addressesIn(line string) []found {
	var out []found
	for at := 0; at < len(line); {
		i := strings.IndexByte(line[at:], '@')
		if i < 0 {
			break
		}
		i += at
		start, end := i, i+1
		for start > at && localByte(line[start-1]) {
			start--
		}
		for end < len(line) && domainByte(line[end]) && (line[end] < utf8.RuneSelf || end == i+1 || line[end-1] == '.' || line[end-1] >= utf8.RuneSelf) {
			end++ // words of other scripts may follow without a blank: a label is of one script
		}
		for start < i && strings.IndexByte(".'*/=", line[start]) >= 0 {
			start++
		}
		domain := strings.TrimRight(line[i+1:end], ".-")
		if eq := strings.LastIndexByte(line[start:i], '='); eq >= 0 && strings.EqualFold(line[start:start+eq], "smtp") { // as X.400 gateways have it: dda:SMTP=a@b
			start += eq + 1
		}
		if slash := strings.LastIndexByte(line[start:i], '/'); slash >= 0 { // a path of files
			start += slash + 1
		}
		if start < i && strings.Contains(domain, ".") && i-start <= 64 && len(domain) <= 255 && len(out) < maxAddresses {
			out = append(out, found{line[start:i] + "@" + domain, start, i + 1 + len(domain)})
		}
		at = end
	}
	return out
}

func localByte(c byte) bool {
	return domainByte(c) || c == '+' || c == '_' || c == '=' || c == '&' || c == '\'' || c == '/' || c == '!' || c == '#' || c == '$' ||
		c == '%' || c == '*' || c == '?' || c == '^' || c == '{' || c == '}' || c == '|' || c == '~'
}

func domainByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c >= utf8.RuneSelf
}

// How surely a line says that delivery to the address in it failed.
const (
	notRecipient = iota
	mentioned    // the line is about a failure, and has the address
	listed       // the line consists of the address, or begins with it and says what happened
	addressed    // the line is one of the SMTP dialogue: RCPT TO, or a refusal that names it
)

// passage is what a report says of one recipient.
type passage struct {
	address string
	weight  int
	lines   []string
}

func (p passage) text() string { return strings.Join(p.lines, "\n") }

// passages divides the words of a report by recipients. Addresses for which skip holds are none.
func passages(text string, skip func(string) bool) []passage {
	var out []passage
	at := map[string]int{}
	current, asked, last := -1, false, ""
	for _, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" {
			continue
		}
		list := addressesIn(trimmed)
		weight := notRecipient
		if len(list) > 0 {
			weight = weigh(trimmed, list, asked)
		}
		asked = asksFor(trimmed, asked)
		before := last
		last = trimmed
		if weight == notRecipient {
			if current >= 0 {
				out[current].lines = append(out[current].lines, trimmed)
			}
			continue
		}
		for _, f := range list {
			a := Normal(f.address)
			if skip != nil && skip(a) || excluded(before, trimmed, f) {
				continue
			}
			i, ok := at[a]
			if !ok {
				i = len(out)
				at[a] = i
				out = append(out, passage{address: a})
			}
			out[i].weight = max(out[i].weight, weight)
			current = i
		}
		if current >= 0 {
			out[current].lines = append(out[current].lines, trimmed)
		}
	}
	return out
}

// weigh says how surely the addresses in the line are those of failed recipients. asked: the line before announced them.
func weigh(line string, list []found, asked bool) int {
	lower := strings.ToLower(line)
	before := strings.Trim(lower[:list[0].start], " \t<>[(\"'*-|•·:;")
	after := strings.TrimLeft(line[list[len(list)-1].end:], " \t>])\"'")
	switch {
	case strings.Contains(lower, "rcpt to"):
		return addressed
	case refusal(line) && len(list) >= 1 && list[0].start < 40:
		return addressed
	case before == "" || before == "smtp" || recipientLabel(before) || asked && len(before) <= 4 || len(before) <= 80 && asksFor(before, false):
		if after == "" || strings.IndexByte(":.,;-[(=", after[0]) >= 0 || asked || onDate(after) || failurePhrase(after) {
			return listed
		}
	case strings.HasSuffix(before, "smtp=") || strings.Contains(before, "dda:"):
		return listed
	}
	if failurePhrase(line) || asked {
		return mentioned
	}
	return notRecipient
}

// onDate recognises how Exchange goes on after an address: "on Thu, 29 Apr 2007 16:51:51 -0500".
func onDate(after string) bool {
	return strings.HasPrefix(after, "on ") && strings.ContainsAny(after, "0123456789")
}

// recipientLabel recognises what stands before the address of a recipient.
func recipientLabel(before string) bool {
	before = strings.TrimSpace(strings.TrimRight(before, ":=;, "))
	for _, l := range []string{"recipient", "recipients", "recipient address", "rcpt", "final-recipient: rfc822", "final-recipient", "original-recipient: rfc822", "failed recipient",
		"failed addresses", "failed address", "for", "user", "mailbox", "address", "e-mail address", "email address", "email", "addressee", "intended recipient", "delivery to", "recipient: [smtp",
		"адресат", "получатель", "адрес получателя", "адрес", "empfänger", "destinataire", "destinatario", "an", "à"} {
		if before == l {
			return true
		}
	}
	return false
}

// asksFor reports whether the line announces recipients: the next one names them.
func asksFor(line string, was bool) bool {
	s := foldText(line)
	if _, ok := containsAny(s, failureWords); ok {
		return true
	}
	return was && (len(addressesIn(line)) > 0 || strings.Trim(line, "-=*_ \t") == "")
}

// failureWords are what stands before the addresses of failed recipients, folded.
var failureWords = []string{
	"following address", "following recipient", "following e-mail address", "following email address", "following user", "following destination",
	"these address", "these recipient", "recipient(s)", "recipients:", "address(es)", "addresses:", "recipients could not", "recipients was",
	"could not be delivered to", "not delivered to", "unable to deliver message to", "deliver your message to", "failed addresses", "did not reach", "undeliverable to",
	"has not yet been delivered", "has not been delivered to", "delivery errors", "fatal errors", "delivery problems", "is on delivery to", "failed recipient",
	"следующим адрес", "следующих адрес", "следующему адрес", "следующему получател", "следующим получател", "следующие адрес", "по адресу", "на адрес", "адресат", "получател",
	"folgende empfänger", "folgenden empfänger", "folgende adresse", "folgenden adresse", "destinataires suivants", "destinataire suivant", "les adresses suivantes", "pu etre delivre", "siguientes destinatarios",
}

// excluded reports whether the words before the address say that it is somebody else's: of the sender, or of who helps.
// last is the line before.
func excluded(last, line string, f found) bool {
	before := foldText(line[max(0, f.start-60):f.start])
	before = strings.TrimRight(before, " <\"'([:=;,")
	if before == "" && !strings.HasSuffix(last, ":") {
		before = foldText(last[max(0, len(last)-60):])
	}
	if strings.HasSuffix(before, "generated from") || strings.HasSuffix(before, "generated by") {
		return false
	}
	for _, w := range []string{"mail from", "from", "sender", "contact", "return-path", "reply-to", "envelope-from", "postmaster", "help", "support", "message-id", "on behalf of",
		"expanded from", "<<<", "helo", "ehlo", "by", "via", "orig", "e-mail to", "email to", "mailto", "please send", "write to", "forward this", "cc", "отправитель", "отправителя", "от", "обратитесь", "von", "de"} {
		if before == w || strings.HasSuffix(before, " "+w) || strings.HasSuffix(before, "\t"+w) {
			return true
		}
	}
	local, _, _ := strings.Cut(strings.ToLower(f.address), "@")
	switch local {
	case "mailer-daemon", "postmaster", "abuse", "mailerdaemon":
		return true
	}
	after := line[f.end:]
	return strings.HasPrefix(before, "http") || strings.HasPrefix(after, "/") || strings.Contains(line[:f.start], "://") && !strings.ContainsAny(line[strings.LastIndex(line[:f.start], "://"):f.start], " <")
}

// transcript takes the recipients out of the words.
func (rep *report) transcript(r *reader) {
	if rep.class == models.ClassFeedback {
		return
	}
	us := map[string]bool{r.from.address: true}
	for _, a := range r.letter.To {
		us[a] = true
	}
	list := passages(rep.text, func(a string) bool { return us[a] })
	if len(list) == 0 {
		if rep.likely(r); len(rep.out.Recipients) > 0 {
			return
		}
		list = passages(rep.text, nil)
	}
	best := 0
	for _, p := range list {
		best = max(best, p.weight)
	}
	for _, p := range list {
		if p.weight < min(best, listed) {
			continue
		}
		words := p.text()
		if !tells(words) {
			words = rep.text
		}
		rec := BounceRecipient{Address: p.address}
		rec.judge(rep.class, words)
		rep.add(rec)
	}
}

// words gathers what the report says, without the letter that it returns.
func (rep *report) words(r *reader) {
	text := r.text
	if strings.TrimSpace(text) == "" {
		text = cleanText(decodeCharset("", r.root.anyText(maxText), r.hint), maxText)
	}
	rep.text, rep.pasted = cutReturned(text)
}

// anyText returns the text of a letter in which nothing is marked as readable, the letters within it left out.
func (e *entity) anyText(limit int) []byte {
	var out []byte
	e.walk(func(x *entity) {
		if len(x.children) == 0 && len(out) < limit && (x.media.kind == "" || x.media.major() == "text" && x.media.kind != "text/rfc822-headers") {
			out = append(append(out, x.decoded(limit)...), '\n')
		}
	})
	return out[:min(len(out), limit)]
}

// cutReturned divides the words of a report from the letter that is pasted behind them.
func cutReturned(text string) (said, pasted string) {
	addresses := false
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text) - at
		}
		line := text[at : at+end]
		switch {
		case addresses && startsReturned(line):
			return text[:at], text[at:]
		case separatesOriginal(line):
			return text[:at], text[min(at+end+1, len(text)):]
		}
		addresses = addresses || strings.IndexByte(line, '@') >= 0
		at += end + 1
	}
	return text, ""
}

// startsReturned recognises a field with which only the header of a letter begins.
func startsReturned(line string) bool {
	for _, name := range []string{"received: ", "return-path: ", "dkim-signature: ", "x-envelope-from: ", "mime-version: ", "message-id: ", "arc-seal: ", "x-received: "} {
		if len(line) > len(name) && strings.EqualFold(line[:len(name)], name) {
			return true
		}
	}
	return false
}

// separators are what the line says that stands before a returned letter, folded.
var separators = []string{
	"copy of the message", "copy of your message", "copy of the original", "copy of the body", "original message", "original mail", "message header", "message headers", "message text follows", "message follows",
	"headers follow", "header follows", "unsent message", "returned message", "undelivered message", "your message reads", "original letter", "message body", "rejected message", "letter follows",
	"копия письма", "копия сообщения", "копия вашего", "исходное сообщение", "исходное письмо", "заголовки письма", "заголовки сообщения", "заголовки исходного", "текст письма", "оригинал письма", "оригинал сообщения", "ursprüngliche nachricht", "message original",
}

// separatesOriginal reports whether the line announces that the returned letter follows.
func separatesOriginal(line string) bool {
	if len(line) > 300 {
		return false
	}
	bare := strings.Trim(line, " \t-=*_|#>~")
	s := foldText(bare)
	words, ok := containsAny(s, separators)
	if !ok || len(s) > 120 {
		return false
	}
	if strings.Contains(s, "did not") || strings.Contains(s, "id of the original message") || strings.Contains(s, "following") {
		return false
	}
	decorated := len(strings.TrimSpace(line)) > len(bare)+1
	follows := strings.HasSuffix(s, ":") || strings.Contains(s, "follow") || strings.Contains(s, "below") || strings.Contains(s, "include") || strings.Contains(s, "reads") || strings.Contains(s, "ниже")
	return decorated || follows && (strings.HasPrefix(s, words) || len(s) < 80) && !strings.Contains(s, "was received")
}
