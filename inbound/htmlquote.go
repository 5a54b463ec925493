package inbound

import (
	"strings"

	"golang.org/x/net/html"
)

// attributes reads of an element what matters: whether it is hidden, quoted, preformatted, or holds the head of a quoted
// letter. It returns the class, and the margin of a paragraph.
func (w *htmlWriter) attributes(z *html.Tokenizer, e *htmlElement) (class string) {
	var style, id string
	cite := false
	for more := true; more; {
		var k, v []byte
		k, v, more = z.TagAttr()
		if len(v) > 4096 {
			v = v[:4096]
		}
		switch string(k) {
		case "class":
			class = string(v)
		case "id", "data-marker", "name":
			id += " " + string(v)
		case "style":
			style = squeeze(string(v))
		case "hidden":
			e.hidden = true
		case "type", "cite":
			cite = cite || string(k) == "cite" || strings.EqualFold(string(v), "cite")
		}
	}
	e.hidden = e.hidden || hiddenStyle(style)
	e.pre = strings.Contains(style, "white-space:pre") && !strings.Contains(style, "white-space:pre-line")
	switch {
	case e.name.String() == "blockquote":
		e.quote = cite || class != "" || !strings.Contains(style, "border:none") && !strings.Contains(style, "border-width:0") // an indented paragraph of Gmail
	case quoteContainer(class) || quoteContainer(id):
		e.quote = true
	case headerContainer(id) || headerContainer(class):
		e.header, e.sure = true, true
	case strings.Contains(style, "border-top:") && !strings.Contains(style, "border-top:none"):
		e.header = true
	}
	if e.name.String() == "p" && (strings.HasPrefix(style, "margin:0;") || style == "margin:0" || strings.HasPrefix(style, "margin:0px;") || style == "margin:0px" ||
		strings.Contains(style, "margin-top:0;margin-bottom:0") || strings.Contains(style, "margin-top:0px;margin-bottom:0px")) {
		class = "margin:0"
	}
	return class
}

// squeeze brings a style to small letters without blanks.
func squeeze(s string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if blankRune(r) {
			return -1
		}
		return r
	}, s))
}

func hiddenStyle(style string) bool {
	if style == "" {
		return false
	}
	for _, h := range [...]string{"display:none", "visibility:hidden", "mso-hide:all", "font-size:0;", "font-size:0px", "max-height:0;", "max-height:0px"} {
		if strings.Contains(style, h) {
			return true
		}
	}
	return strings.HasSuffix(style, "font-size:0") || strings.HasSuffix(style, "max-height:0")
}

// quoteContainer knows the names that programs give to an element with all that is quoted.
func quoteContainer(name string) bool {
	if name == "" {
		return false
	}
	for _, q := range [...]string{"yahoo_quoted", "__QUOTED_TEXT__", "protonmail_quote", "tutanota_quote", "zmail_extra", "mail-quote-collapse", "quoted_text", "moz-forward-container", "mailru-quote", "mail-app-auto-quote"} {
		if strings.Contains(name, q) {
			return true
		}
	}
	return false
}

// headerContainer knows the names that programs give to the header lines above what is quoted.
func headerContainer(name string) bool {
	return strings.Contains(name, "divRplyFwdMsg") || strings.Contains(name, "OutlookMessageHeader") || strings.Contains(name, "mail-editor-reference-message-header")
}

// fieldsSince reports whether an element that has ended held the header lines of a quoted letter, so that all below it is
// quoted.
func (w *htmlWriter) fieldsSince(e htmlElement) bool {
	text := w.out.String()[min(e.begin, w.out.Len()):]
	if len(text) > 8<<10 {
		return false
	}
	n := 0
	for l := range strings.Lines(text) {
		if fieldOf(strings.TrimSpace(l)) != fieldNone {
			n++
		}
	}
	return n >= 2 || e.sure && strings.TrimSpace(text) != ""
}
