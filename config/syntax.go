package config

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"kontrol/models"
)

// soundText returns the text of the file without a byte order mark, or the line and the reason why it is no UTF-8 text:
// editors on Windows like to save Windows-1251 and UTF-16.
func soundText(data []byte) ([]byte, int, models.Phrase) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.IndexByte(data, 0) >= 0 {
		return nil, 1, models.Say("config.not_utf8")
	}
	if utf8.Valid(data) {
		return data, 0, models.Phrase{}
	}
	line := 1
	for rest := data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		rest = rest[n:]
	}
	return nil, line, models.Say("config.not_utf8")
}

var (
	languageLine = regexp.MustCompile(`(?m)^[ \t]*language[ \t]*=[ \t]*["']([a-z]*)["']`)
	firstSection = regexp.MustCompile(`(?m)^[ \t]*\[`)
	colonLine    = regexp.MustCompile(`^\s*[\w.-]+\s*:`)
	keyPart      = regexp.MustCompile(`^\s*([^=#"'\[]*[^\x00-\x7f][^=#"'\[]*?)\s*=`)
	typographic  = regexp.MustCompile(`=\s*\[?\s*[“”„«»‘’]`)
)

// wantedLanguage finds the language key in a file that may be broken elsewhere; "ru" when it is not there or unknown.
func wantedLanguage(data []byte) string {
	if i := firstSection.FindIndex(data); i != nil {
		data = data[:i[0]] // the key stands above it
	}
	if m := languageLine.FindSubmatch(data); m != nil && known(string(m[1]), languages()) {
		return string(m[1])
	}
	return languages()[0]
}

// syntaxError makes the phrase for a file that is not TOML: the usual slips are named in words of our own, the rest is
// told in the parser's.
func syntaxError(err error, data []byte, doc *document) (int, models.Phrase) {
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		return 1, models.Say("config.syntax", "Detail", err.Error())
	}
	line, _ := de.Position()
	text := ""
	if lines := strings.Split(string(data), "\n"); line >= 1 && line <= len(lines) {
		text = strings.TrimRight(lines[line-1], "\r")
	}
	return line, slip(de.Error(), line, text, doc)
}

func slip(message string, line int, text string, doc *document) models.Phrase {
	has := func(s string) bool { return strings.Contains(message, s) }
	switch {
	case has("already"):
		return given(line, text, doc)
	case has("escape"):
		return models.Say("config.syntax_backslash")
	case typographic.MatchString(text):
		return models.Say("config.syntax_quotes")
	case colonLine.MatchString(text):
		return models.Say("config.syntax_colon")
	case keyPart.MatchString(text):
		key := keyPart.FindStringSubmatch(text)[1]
		return models.Say("config.syntax_letters", "Key", key, "Near", nearest(key, lastKeys()))
	case has("to close table"), has("array table"):
		return models.Say("config.syntax_bracket")
	case has("unterminated"), has("cannot have new lines"):
		return models.Say("config.syntax_unclosed")
	case has("in array"), has("after array"), has("array is"):
		return models.Say("config.syntax_array")
	case has("expected '='"):
		return models.Say("config.syntax_equals")
	case has("expected newline"):
		return models.Say("config.syntax_newline")
	case has("start of value"), has("keyword"), has("leading zero"):
		return models.Say("config.syntax_value")
	}
	return models.Say("config.syntax", "Detail", strings.TrimPrefix(message, "toml: "))
}

// given says what is in the file twice.
func given(line int, text string, doc *document) models.Phrase {
	for _, t := range doc.twice {
		if t.line == line {
			return models.Say("config.given_twice", "Key", t.path, "First", t.first, "Brackets", "")
		}
	}
	name := strings.Trim(strings.TrimSpace(strings.SplitN(text, "#", 2)[0]), "[] ")
	brackets := ""
	for _, k := range Keys() {
		if strings.HasPrefix(k, name+"[]") {
			brackets = "[[" + name + "]]"
		}
	}
	return models.Say("config.given_twice", "Key", name, "First", doc.line(name), "Brackets", brackets)
}

// lastKeys returns every key without its section.
func lastKeys() []string {
	keys := Keys()
	for i, k := range keys {
		keys[i] = k[strings.LastIndexByte(k, '.')+1:]
	}
	return keys
}
