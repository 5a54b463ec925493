package inbound

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Limits on HTML: what lies beyond is read as if it were not nested any further, or not at all.
const (
	maxHTMLDepth  = 256     // open elements that are remembered
	maxHTMLQuotes = 9       // marks before a quoted line
	maxHTMLToken  = 1 << 20 // octets of one tag or one run of text
)

// htmlText turns the start of HTML into the text that a person sees: paragraphs, lists and preformatted lines as they
// stand, a line for each row of a table with tabs between its cells, links by their words. Lines of a quote begin with
// "> ", as many times as it is nested; the head above it does not. What is hidden, styles and scripts are left out. Nothing
// is fetched. At most 2*maxText octets and a little; the time taken is proportional to the length of the HTML.
func htmlText(s string) string {
	w := htmlWriter{}
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(maxHTMLToken)
	for w.out.Len() < 2*maxText {
		switch z.Next() {
		case html.ErrorToken:
			return w.out.String()
		case html.TextToken:
			w.text(z.Text())
		case html.StartTagToken:
			w.start(z, false)
		case html.SelfClosingTagToken:
			w.start(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.end(atom.Lookup(name))
		}
	}
	return w.out.String()
}

// htmlElement is an open element.
type htmlElement struct {
	name   atom.Atom
	quote  bool // what is inside is quoted
	hidden bool
	pre    bool
	header bool // the header lines of a quoted letter are inside, or may be
	sure   bool // they are
	tight  bool // a paragraph without space around it
	begin  int  // where its text begins
	number int  // of the next item of an ordered list; 0 in others
}

// htmlWriter is the state of htmlText.
type htmlWriter struct {
	out    strings.Builder
	open   []htmlElement
	beyond int       // elements open that were not remembered
	skip   atom.Atom // nothing inside this element is readable
	quotes int       // quoted elements that are open
	rest   bool      // all that follows is quoted
	hidden int
	pre    int
	lists  int
	need   int  // line ends due before the next word
	blank  bool // a blank is due before the next word
	tab    bool // a cell ended before the next word
	row    bool // the row has words in its line
	fresh  bool // the cell has no words yet
	marks  int  // quote marks of the line that is being written
	bullet string
}

// depth returns with how many marks a line is quoted.
func (w *htmlWriter) depth() int {
	n := w.quotes
	if w.rest {
		n++
	}
	return min(n, maxHTMLQuotes)
}

func (w *htmlWriter) text(b []byte) {
	if w.skip != 0 || w.hidden > 0 || len(b) == 0 {
		return
	}
	if w.pre > 0 {
		w.preformatted(string(b))
		return
	}
	words := bytes.Fields(b)
	if len(words) == 0 {
		if bytes.Contains(b, []byte("\u00a0")) && w.need > 0 {
			w.need = 2 // an empty paragraph
		}
		w.blank = true
		return
	}
	if r, _ := utf8.DecodeRune(b); blankRune(r) {
		w.blank = true
	}
	for _, word := range words {
		w.word(word)
		w.blank = true
	}
	r, _ := utf8.DecodeLastRune(b)
	w.blank = blankRune(r)
}

// word writes one word after what is due before it.
func (w *htmlWriter) word(word []byte) {
	depth := w.depth()
	switch {
	case w.out.Len() == 0:
		w.mark(depth)
	case w.need > 0 || depth != w.marks:
		w.out.WriteByte('\n')
		if w.need > 1 {
			w.out.WriteString(strings.Repeat(">", min(depth, w.marks)))
			w.out.WriteByte('\n')
		}
		w.mark(depth)
	case w.tab:
		w.out.WriteByte('\t')
	case w.blank:
		w.out.WriteByte(' ')
	}
	w.out.WriteString(w.bullet)
	w.out.Write(word)
	w.bullet, w.need, w.tab, w.blank = "", 0, false, false
	w.row, w.fresh = true, false
}

func (w *htmlWriter) mark(depth int) {
	w.marks = depth
	if depth > 0 {
		w.out.WriteString(strings.Repeat(">", depth))
		w.out.WriteByte(' ')
	}
}

// preformatted writes lines as they are.
func (w *htmlWriter) preformatted(s string) {
	for i, l := range strings.Split(s, "\n") {
		if i > 0 {
			w.need++
		}
		l = strings.TrimRight(l, " \t\r")
		if l == "" {
			continue
		}
		for ; w.need > 2 && w.out.Len() > 0; w.need-- {
			w.out.WriteByte('\n')
			w.out.WriteString(strings.Repeat(">", min(w.depth(), w.marks)))
		}
		w.blank = false
		w.word([]byte(l))
		if w.out.Len() > 2*maxText {
			return
		}
	}
	w.blank = strings.HasSuffix(s, " ")
}

// lines asks for line ends before the next word: 1 begins a line, 2 leaves an empty one before it. The first line in a cell
// stays in the line of its row.
func (w *htmlWriter) lines(n int) {
	if w.fresh {
		return
	}
	w.need = max(w.need, n)
	w.blank = false
}

func (w *htmlWriter) start(z *html.Tokenizer, closed bool) {
	name, more := z.TagName()
	a := atom.Lookup(name)
	if w.skip != 0 {
		if a != atom.Body {
			return
		}
		w.skip = 0
	}
	e := htmlElement{name: a, quote: a == atom.Blockquote}
	switch a {
	case atom.Script, atom.Style, atom.Title, atom.Noscript, atom.Template, atom.Textarea, atom.Select, atom.Svg, atom.Math, atom.Object, atom.Iframe, atom.Noframes:
		if !closed {
			w.skip = a
		}
		return
	case atom.Br:
		if !w.fresh {
			w.need = min(w.need+1, 2)
		}
		w.blank = false
		return
	case atom.Hr:
		w.lines(1)
		return
	}
	if !remembered(a) || closed && a != atom.Div {
		return
	}
	var class string
	if more {
		class = w.attributes(z, &e)
	}
	w.before(&e, class)
	if closed {
		w.after(e)
		return
	}
	w.push(e)
}

// remembered names the elements whose end matters.
func remembered(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Span, atom.Blockquote, atom.Table, atom.Tr, atom.Td, atom.Th, atom.Ul, atom.Ol, atom.Li, atom.Pre, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Body, atom.Center,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Dl, atom.Dt, atom.Dd, atom.Font, atom.Address, atom.Form, atom.Fieldset, atom.Main, atom.Nav, atom.Aside, atom.Figure, atom.Caption, atom.Thead, atom.Tbody, atom.Details, atom.Summary:
		return true
	}
	return false
}

// before asks for what is due where an element begins.
func (w *htmlWriter) before(e *htmlElement, class string) {
	switch e.name {
	case atom.P:
		if strings.HasPrefix(class, "Mso") || strings.Contains(class, "margin:0") { // Outlook: every line is a paragraph without space
			w.lines(1)
			e.tight, e.begin = true, w.out.Len()
			return
		}
		w.lines(2)
	case atom.Blockquote:
		w.fresh = false
		w.lines(1)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table:
		w.lines(2)
	case atom.Tr:
		w.fresh = false
		w.lines(1)
		if w.row {
			w.need = 1
		}
		w.row, w.tab = false, false
	case atom.Td, atom.Th:
		if w.row {
			w.need, w.tab = 0, true
		}
		w.fresh = true
	case atom.Ul, atom.Ol:
		w.lines(1)
		if e.name == atom.Ol {
			e.number = 1
		}
	case atom.Li:
		w.lines(1)
		w.bullet = w.nextBullet()
	case atom.Span, atom.Font, atom.Tbody, atom.Thead, atom.Body:
	case atom.Pre:
		w.lines(1)
		e.pre = true
	default:
		w.lines(1)
	}
	e.begin = w.out.Len()
}

// nextBullet returns what stands before an item of the innermost list.
func (w *htmlWriter) nextBullet() string {
	indent := strings.Repeat("  ", min(max(w.lists-1, 0), 8))
	for i := len(w.open) - 1; i >= 0 && i > len(w.open)-64; i-- {
		switch e := &w.open[i]; e.name {
		case atom.Ul:
			return indent + "- "
		case atom.Ol:
			e.number++
			return indent + strconv.Itoa(e.number-1) + ". "
		}
	}
	return indent + "- "
}

func (w *htmlWriter) push(e htmlElement) {
	if len(w.open) >= maxHTMLDepth {
		w.beyond++
		return
	}
	w.open = append(w.open, e)
	w.count(e, 1)
}

// count adds what an element does to all that is inside it, or takes it away.
func (w *htmlWriter) count(e htmlElement, n int) {
	if e.quote {
		w.quotes += n
	}
	if e.hidden {
		w.hidden += n
	}
	if e.pre {
		w.pre += n
	}
	if e.name == atom.Ul || e.name == atom.Ol {
		w.lists += n
	}
}

func (w *htmlWriter) end(a atom.Atom) {
	if w.skip != 0 {
		if a == w.skip {
			w.skip = 0
		}
		return
	}
	if a == atom.P && (len(w.open) == 0 || w.open[len(w.open)-1].name != atom.P) {
		w.lines(2)
	}
	if !remembered(a) {
		return
	}
	if w.beyond > 0 {
		w.beyond--
		return
	}
	for i := len(w.open) - 1; i >= 0 && i > len(w.open)-64; i-- {
		if w.open[i].name != a {
			if a != atom.Td && a != atom.Tr && a != atom.Table && w.open[i].name == atom.Td || a != atom.Blockquote && w.open[i].name == atom.Blockquote {
				return // a stray end does not close a cell or a quote
			}
			continue
		}
		for k := len(w.open) - 1; k >= i; k-- {
			e := w.open[k]
			w.open = w.open[:k]
			w.count(e, -1)
			w.after(e)
		}
		return
	}
}

// after asks for what is due where an element has ended.
func (w *htmlWriter) after(e htmlElement) {
	switch e.name {
	case atom.P:
		if e.tight && e.begin != w.out.Len() {
			w.lines(1)
			break
		}
		w.lines(2) // an empty one in Outlook is an empty line
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table:
		w.lines(2)
	case atom.Td, atom.Th:
		w.fresh = false
	case atom.Span, atom.Font, atom.Tbody, atom.Thead, atom.Body:
	case atom.Blockquote:
		w.lines(2)
	case atom.Li:
		w.bullet = ""
		w.lines(1)
	default:
		w.lines(1)
	}
	if e.header && !w.rest && w.fieldsSince(e) {
		w.rest = true
		w.lines(2)
	}
}
