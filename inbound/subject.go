package inbound

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBaseSubject bounds the base subject in characters: it stands in an index.
const maxBaseSubject = 400

// BaseSubject reduces a decoded subject to what stays the same when a letter is answered or forwarded, so that it can be
// compared: RFC 5256 section 2.1, with the prefixes that Russian and European programs write, repeated with counts or
// blanks before the colon. Words such as «Счёт:», «Заказ:», «КП:» are part of the subject. The number of a deal or
// ticket in brackets ([С-123]) stays, at the front, wherever among the prefixes it stood; other bracket tags go. The
// result is folded (case, ё as е, blanks) and cut to 400 characters; it is empty when nothing is left.
// BaseSubject(BaseSubject(s)) is BaseSubject(s).
func BaseSubject(subject string) string {
	s := foldSubject(subject)
	for range 20 { // each round can only shorten; the bound is for the odd ones
		next := cutRunes(foldSubject(stripSubject(s)), maxBaseSubject)
		if next == s {
			break
		}
		s = next
	}
	return s
}

// foldSubject makes subjects comparable.
func foldSubject(s string) string {
	if strings.IndexFunc(s, unusual) < 0 {
		return cleanLine(strings.ReplaceAll(strings.ToLower(s), "ё", "е"), 2*maxSubject)
	}
	return foldUnusual(s)
}

func unusual(c rune) bool { return !usual(c) }

// foldUnusual is foldSubject for whatever there may be.
func foldUnusual(s string) string {
	s = strings.ToLower(strings.ToUpper(nfc(s))) // the way through capitals folds ſ, ς and their like
	return cleanLine(strings.ReplaceAll(nfc(s), "ё", "е"), 2*maxSubject)
}

// stripSubject removes prefixes, tags and trailers of a folded subject.
func stripSubject(s string) string {
	var tokens []string
	for {
		before := s
		s = strings.TrimSpace(s)
		s = trimTrailer(s)
		s = trimMarker(s)
		if rest, ok := cutPrefixWord(s); ok {
			s = rest
			continue
		}
		if blob, rest, ok := cutBlob(s); ok {
			if strings.TrimSpace(rest) == "" {
				break
			}
			if dealToken(blob) {
				if !has(tokens, blob) {
					tokens = append(tokens, blob)
				}
				s = rest
				continue
			}
			s = rest
			continue
		}
		if inner, ok := cutForwardFrame(s); ok {
			s = inner
			continue
		}
		if s == before {
			break
		}
	}
	if len(tokens) == 0 {
		return s
	}
	if s = strings.TrimSpace(s); s == "" {
		return strings.Join(tokens, " ")
	}
	return strings.Join(tokens, " ") + " " + s
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// trimTrailer removes "(fwd)" from the end.
func trimTrailer(s string) string {
	for strings.HasSuffix(s, "(fwd)") {
		s = strings.TrimSpace(strings.TrimSuffix(s, "(fwd)"))
	}
	return s
}

// trimMarker removes the marks that filters put before a subject without brackets: ***SPAM***.
func trimMarker(s string) string {
	if !strings.HasPrefix(s, "*") {
		return s
	}
	inner := strings.TrimLeft(s, "*")
	end := strings.IndexByte(inner, '*')
	if end < 0 {
		return s
	}
	switch strings.TrimSpace(inner[:end]) {
	case "spam", "спам", "возможно спам", "возможно, спам", "possible spam", "external", "ext", "внешнее":
		if rest := strings.TrimSpace(strings.TrimLeft(inner[end:], "*")); rest != "" {
			return rest
		}
	}
	return s
}

// replyPrefixes are the words, folded, that programs put before the subject of an answer or a forwarded letter.
var replyPrefixes = map[string]bool{
	"re": true, "fw": true, "fwd": true, "отв": true, "ответ": true, "на": true, "пересл": true, "переслать": true, "пер": true,
	"ha": true, "aw": true, "wg": true, "sv": true, "vs": true, "tr": true, "rv": true, "res": true, "enc": true, "antw": true,
	"odp": true, "i": true, "vb": true, "пересылка": true, "пересланное": true, "відп": true, "reply": true,
}

// cutPrefixWord removes one prefix with its count and colon: "re:", "re[2]:", "re(3) :", "re*2:", "fw [tag]:".
func cutPrefixWord(s string) (string, bool) {
	end := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsLetter(c) })
	if end <= 0 || !replyPrefixes[s[:end]] {
		return s, false
	}
	rest := strings.TrimLeftFunc(s[end:], unicode.IsSpace)
	rest = strings.TrimLeftFunc(cutCount(rest), unicode.IsSpace)
	for _, colon := range []string{":", "："} {
		if after, ok := strings.CutPrefix(rest, colon); ok {
			return strings.TrimSpace(after), true
		}
	}
	return s, false
}

// cutCount removes what may stand between a prefix and its colon: a count, or a tag in square brackets.
func cutCount(s string) string {
	if s == "" {
		return s
	}
	switch s[0] {
	case '[':
		if end := strings.IndexAny(s[1:], "[]"); end >= 0 && s[1+end] == ']' {
			return s[end+2:]
		}
	case '(':
		if end := strings.IndexByte(s, ')'); end > 1 && digits(s[1:end]) {
			return s[end+1:]
		}
	case '*', '^', '#':
		if rest := strings.TrimLeft(s[1:], "0123456789"); len(rest) < len(s)-1 {
			return rest
		}
	default:
		if rest := strings.TrimLeft(s, "0123456789"); len(rest) < len(s) && len(s)-len(rest) <= 3 {
			return rest
		}
	}
	return s
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// cutBlob takes a tag in square brackets from the front. See subj-blob in RFC 5256 section 5.
func cutBlob(s string) (blob, rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return "", s, false
	}
	end := strings.IndexAny(s[1:], "[]")
	if end < 0 || s[1+end] != ']' {
		return "", s, false
	}
	return s[:end+2], strings.TrimSpace(s[end+2:]), !strings.HasPrefix(s, "[fwd:") || !strings.HasSuffix(s, "]")
}

// dealToken reports whether a tag is the number of a deal, an order or a ticket rather than the name of a list.
func dealToken(blob string) bool {
	in := strings.TrimSpace(strings.Trim(blob, "[]"))
	if !strings.ContainsAny(in, "0123456789") || utf8.RuneCountInString(in) > 24 {
		return false
	}
	letters := 0
	for _, c := range in {
		switch {
		case unicode.IsLetter(c):
			letters++
		case !unicode.IsDigit(c) && !strings.ContainsRune("-#№/._: ", c):
			return false
		}
	}
	return letters <= 10
}

// cutForwardFrame takes the subject out of "[fwd: …]". See subj-fwd in RFC 5256 section 5.
func cutForwardFrame(s string) (string, bool) {
	if strings.HasPrefix(s, "[fwd:") && strings.HasSuffix(s, "]") {
		return strings.TrimSpace(s[len("[fwd:") : len(s)-1]), true
	}
	return s, false
}
