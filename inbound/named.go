package inbound

import (
	"slices"
	"strings"
	"time"
)

// Limits on what is taken from one letter.
const (
	maxNamed    = 50  // of each list
	maxSentence = 150 // tokens that are looked at together
)

// words fills in what the writer has added to the conversation, and what is named there.
func (f *Facts) words() {
	f.ReplyText, f.Signature = SplitReply(f.Text)
	written := f.Letter.ArrivedAt
	if f.Letter.Date != nil {
		written = f.Written
	}
	f.Named = FindNamed(f.ReplyText, f.Signature, written)
}

// FindNamed finds what the new words of a letter and its signature name, as SplitReply gives them. Lines that begin with
// ">" are passed over. Days named by their place ("завтра", «в пятницу», 05.12) are counted from written, in its zone: the
// next such day, for a date without a year the one from 60 days before to ten months after; without written they are left out. Whether money
// has been sent, whether no more letters are wanted, and promises are read in the new words only, in Russian and English,
// and not in questions or conditions.
//
// It reads words, not minds: what matters is to be shown to a person with the words. An INN counts with its label and right
// check digits only, a phone number without a country is Russian. Every list has at most 50 entries. The time taken is
// proportional to the length of the text.
func FindNamed(text, signature string, written time.Time) Named {
	var n Named
	if !written.IsZero() {
		y, m, d := written.Date()
		written = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	if text != "" {
		f := finder{n: &n, raw: text, today: written}
		f.run()
		n.Unsubscribe = n.Unsubscribe || stopWord(text)
	}
	if signature != "" {
		f := finder{n: &n, raw: signature, today: written, signature: true}
		f.run()
	}
	return n
}

// finder reads a text from its first token to its last.
type finder struct {
	n         *Named
	raw       string
	text      string // raw in small letters, ё as е, octet by octet in the same places
	today     time.Time
	signature bool
	tokens    []token
	sentence  sentence
}

func (f *finder) run() {
	f.text, f.tokens = tokenize(f.raw)
	for i := 0; i < len(f.tokens); {
		next := i + 1
		switch t := f.tokens[i]; t.kind {
		case tokenNumber:
			next = f.number(i)
		case tokenWord:
			next = f.word(i)
		case tokenSign:
			next = f.sign(i)
		case tokenBreak:
			f.endSentence(i, false)
			f.sentence.from = i + 1
		}
		i = max(next, i+1)
	}
	f.endSentence(len(f.tokens), false)
}

// number reads what begins with digits.
func (f *finder) number(i int) int {
	if next, ok := f.phone(i); ok {
		return next
	}
	if next, ok := f.date(i); ok {
		return next
	}
	if next, ok := f.sum(i); ok {
		return next
	}
	return f.past(i)
}

// past returns the token after a number and what is glued to it, so that the end of a long number is not read as another.
func (f *finder) past(i int) int {
	for i++; i < len(f.tokens) && f.tokens[i].glued; i++ {
		if k := f.tokens[i].kind; k != tokenNumber && !f.is(i, ".") && !f.is(i, "-") && !f.is(i, "/") && !f.is(i, ",") || k == tokenSign && (i+1 >= len(f.tokens) || !f.tokens[i+1].glued) {
			break
		}
	}
	return i
}

// sign reads what begins with a sign.
func (f *finder) sign(i int) int {
	switch f.text[f.tokens[i].start] {
	case '+', '(':
		if next, ok := f.phone(i); ok {
			return next
		}
	case '[':
		return f.bracket(i)
	case '.':
		if next, ok := f.site(i); ok {
			return next
		}
		if f.sentenceEnds(i) {
			f.endSentence(i+1, false)
		}
	case '!', ';':
		f.endSentence(i+1, false)
	case '?':
		f.endSentence(i+1, true)
	}
	return i + 1
}

// sentenceEnds reports whether the dot at i ends a sentence: a capital or nothing follows, and no abbreviation or initial is
// before it.
func (f *finder) sentenceEnds(i int) bool {
	if i+1 >= len(f.tokens) || f.tokens[i+1].kind == tokenBreak {
		return true
	}
	if f.tokens[i+1].glued || i > 0 && f.tokens[i-1].kind == tokenWord && f.tokens[i-1].end-f.tokens[i-1].start <= 4 {
		return false
	}
	at := f.tokens[i+1].start
	return f.raw[at] != f.text[at] || f.raw[at] == 0xd0 && f.raw[at+1] != f.text[at+1]
}

// at returns the folded text of a token, "" outside.
func (f *finder) at(i int) string {
	if i < 0 || i >= len(f.tokens) {
		return ""
	}
	return f.text[f.tokens[i].start:f.tokens[i].end]
}

func (f *finder) is(i int, s string) bool { return f.at(i) == s }

// kind returns the kind of a token; tokenBreak outside.
func (f *finder) kind(i int) tokenKind {
	if i < 0 || i >= len(f.tokens) {
		return tokenBreak
	}
	return f.tokens[i].kind
}

func (f *finder) glued(i int) bool { return i >= 0 && i < len(f.tokens) && f.tokens[i].glued }

// span returns the words from one token to before another, as written.
func (f *finder) span(from, to int) string {
	s := f.raw[f.tokens[from].start:f.tokens[to-1].end]
	if strings.ContainsAny(s, "\n\t") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return cutUTF8(s, 300)
}

// add puts s into a list once.
func add(list *[]string, s string) {
	if len(*list) < maxNamed && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// stopWord reports whether the text is nothing but the word by which services are told to stop.
func stopWord(text string) bool {
	if len(text) > 60 {
		return false
	}
	switch strings.Trim(foldWords(text), ".!\"'« »") {
	case "stop", "стоп", "unsubscribe", "отписка", "отписаться", "отписать", "отпишите", "стоп рассылка", "stop mailing", "remove", "remove me":
		return true
	}
	return false
}
