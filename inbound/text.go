package inbound

import (
	"bytes"
	"strings"
)

// readableText returns the start of what a person reads in the letter: plain text where there is any, else what the HTML
// says. Attachments and letters within the letter are left out. At most limit octets of valid UTF-8.
func (e *entity) readableText(hint string, limit int) string {
	t := texter{hint: hint, limit: limit, left: limit}
	return cleanText(t.text(e), limit)
}

// texter gathers text until it has enough.
type texter struct {
	hint  string
	limit int // octets that are wanted in all
	left  int // octets that are still wanted
	// unfold says that the words of letters within the letter are wanted where these stand.
	unfold bool
}

func (t *texter) text(e *entity) string {
	if t.left <= 0 {
		return ""
	}
	if t.unfold && e.inner != nil {
		return t.enclosed(e.inner)
	}
	if e.file {
		return ""
	}
	switch {
	case e.media.kind == "multipart/alternative":
		return t.alternative(e)
	case e.children != nil:
		return t.all(e)
	case e.media.kind == "text/html", e.media.kind == "" && looksHTML(e.decoded(200)):
		return t.took(htmlText(t.htmlSource(e)))
	case e.media.major() == "text" && !textWithoutReader(e.media.kind), e.media.kind == "", e.media.major() == e.media.kind:
		return t.took(t.plain(e))
	}
	return ""
}

// plain returns the words of a part that is plain text: without the files that stand in it, and with the lines that a
// program has broken joined again.
func (t *texter) plain(e *entity) string {
	b := e.decoded(2 * t.limit)
	if !e.plain {
		b, e.within = withoutUU(b)
	}
	s := decodeCharset(e.media.params["charset"], b, t.hint)
	if strings.EqualFold(e.media.params["format"], "flowed") {
		s = unflow(s, strings.EqualFold(e.media.params["delsp"], "yes"))
	}
	return s
}

// enclosed returns the words of a letter within the letter; it has a charset of its own.
func (t *texter) enclosed(root *entity) string {
	hint := t.hint
	t.hint = root.media.params["charset"]
	s := t.text(root)
	t.hint = hint
	return s
}

func (t *texter) took(s string) string {
	t.left -= len(s)
	return s
}

// all joins the texts of the parts. A report says it in its first part, the rest is for machines.
func (t *texter) all(e *entity) string {
	var out []string
	for i, c := range e.children {
		if i > 0 && e.media.kind == "multipart/report" && c.inner == nil {
			continue
		}
		s := t.text(c)
		if i == 0 && s == "" && e.media.kind == "multipart/report" && !c.file && strings.HasPrefix(c.media.kind, "message/") {
			s = t.took(t.wordsOfReport(c))
		}
		if strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

// wordsOfReport returns the words that a report says to people in a part that is declared for machines; "" when fields
// stand there, as they should.
func (t *texter) wordsOfReport(e *entity) string {
	words := t.plain(e)
	line, _, _ := strings.Cut(strings.TrimSpace(words), "\n")
	if name, _, field := strings.Cut(line, ":"); field && fieldName([]byte(name)) {
		return ""
	}
	return words
}

// alternative prefers plain text; only when there is none, or it is empty, anything else. See RFC 2046 section 5.1.4.
func (t *texter) alternative(e *entity) string {
	for _, c := range e.children {
		if c.media.kind == "text/plain" || c.media.kind == "" {
			if s := t.text(c); strings.TrimSpace(s) != "" {
				return s
			}
		}
	}
	for _, c := range e.children {
		if c.media.kind != "text/plain" {
			if s := t.text(c); strings.TrimSpace(s) != "" {
				return s
			}
		}
	}
	return ""
}

// textWithoutReader names the kinds under text/ that nobody reads.
func textWithoutReader(kind string) bool {
	switch kind {
	case "text/calendar", "text/csv", "text/x-amp-html", "text/rtf", "text/vcard", "text/x-vcard", "text/directory", "text/css",
		"text/xml", "text/javascript", "text/rfc822-headers", "text/x-moz-deleted", "text/watch-html":
		return true
	}
	return false
}

// htmlSource returns the HTML of a part in UTF-8.
func (t *texter) htmlSource(e *entity) string {
	b := e.decoded(8 * t.limit)
	charset := e.media.params["charset"]
	if charset == "" {
		charset = metaCharset(b)
	}
	return decodeCharset(charset, b, t.hint)
}

func looksHTML(b []byte) bool {
	b = bytes.ToLower(bytes.TrimSpace(b[:min(len(b), 200)]))
	return bytes.HasPrefix(b, []byte("<html")) || bytes.HasPrefix(b, []byte("<!doctype html"))
}

// metaCharset looks for the charset in the head of an HTML text.
func metaCharset(b []byte) string {
	head := bytes.ToLower(b[:min(len(b), 2048)])
	i := bytes.Index(head, []byte("charset="))
	if i < 0 {
		return ""
	}
	v := bytes.TrimLeft(head[i+len("charset="):], `"' `)
	if j := bytes.IndexAny(v, "\"'> ;/"); j >= 0 {
		v = v[:j]
	}
	return string(v)
}
