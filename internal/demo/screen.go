package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"kontrol/locale"
	"kontrol/models"
)

// screen writes the timeline. Without colour it writes the same words as plain lines.
type screen struct {
	w      io.Writer
	texts  *locale.Texts
	colour bool
	width  int           // columns of the terminal; 0 when there is none: nothing is wrapped or cut
	last   time.Duration // how long the last filing took
}

func (s *screen) paint(c text.Colors, v string) string {
	if !s.colour || len(c) == 0 {
		return v
	}
	return c.Sprint(v)
}

func (s *screen) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, format+"\n", args...) // a terminal that is gone cannot be told
}

// say writes a phrase on a line of its own.
func (s *screen) say(p models.Phrase) { s.block("", "", nil, s.texts.Say(p)) }

// block writes a text behind a prefix, wrapped to the terminal with the further lines under the first one.
func (s *screen) block(prefix, painted string, colour text.Colors, words string) {
	indent := text.StringWidthWithoutEscSequences(prefix)
	if s.width > indent+20 {
		words = text.WrapSoft(words, s.width-indent-1)
	}
	for i, l := range strings.Split(words, "\n") {
		if i == 0 {
			s.line("%s%s", painted, s.paint(colour, strings.TrimRight(l, " ")))
		} else {
			s.line("%s%s", strings.Repeat(" ", indent), s.paint(colour, strings.TrimRight(l, " ")))
		}
	}
}

// title writes a heading.
func (s *screen) title(p models.Phrase) {
	s.line("%s", s.paint(text.Colors{text.Bold}, s.texts.Say(p)))
}

// signs are the marks of what happens in a step.
var signs = map[string]string{
	"letter": "→", "follow": "→", "auto": "→", "list": "→", "bounce": "→", "internal": "→", "answer": "←", "star": "★", "move": "⇄",
}

func (s *screen) step(at, do string, p models.Phrase) {
	colour := text.Colors{text.FgCyan}
	switch do {
	case "answer":
		colour = text.Colors{text.FgGreen}
	case "star", "move":
		colour = text.Colors{text.FgYellow}
	case "auto", "list", "bounce", "internal":
		colour = text.Colors{text.FgHiBlack}
	}
	prefix := at + "  " + signs[do] + " "
	s.block(prefix, s.paint(text.Colors{text.Bold}, at)+"  "+s.paint(colour, signs[do])+" ", colour, s.texts.Say(p))
}

func (s *screen) took(d time.Duration) { s.last = d }

// margin is how far reasons are set in.
const margin = "         "

func (s *screen) detail(p models.Phrase) {
	s.block(margin, margin, text.Colors{text.FgHiBlack}, s.texts.Say(p))
}

func (s *screen) filed(p models.Phrase) {
	took := ""
	if s.last > 0 {
		took = " " + s.texts.Text("demo.result.took", "Milliseconds", s.last.Milliseconds())
		s.last = 0
	}
	s.block("       ✓ ", "       ✓ ", text.Colors{text.Bold}, s.texts.Say(p)+took)
}

func (s *screen) stays(p models.Phrase) { s.line("       · %s", s.texts.Say(p)) }

// verdict is one letter in the summary.
type verdict struct {
	manager, from, subject string
	is, want               models.FolderRole // is "" when the letter is nowhere
}

func (v verdict) right() bool { return v.is == v.want }

// wideTable is how many columns the summary takes when nothing is cut.
const wideTable = 124

// fitted is a row of the summary, cut to a narrow terminal.
func (s *screen) fitted(v verdict, where, check string) table.Row {
	if s.width == 0 || s.width >= wideTable {
		return table.Row{v.manager, v.from, text.Snip(v.subject, 44, "…"), where, check}
	}
	manager, _, _ := strings.Cut(v.manager, " ")
	return table.Row{manager, text.Snip(v.from, 14, "…"), text.Snip(v.subject, max(12, s.width-68), "…"), where, check}
}

// summary writes the table of the day and returns how many letters are not where they should be.
func (s *screen) summary(list []verdict) int {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault
	if !s.colour {
		style = table.StyleLight
		style.Format.Header = text.FormatDefault
	}
	t.SetStyle(style)
	head := table.Row{}
	for _, k := range []string{"manager", "from", "subject", "folder", "check"} {
		head = append(head, s.texts.Text("demo.table."+k))
	}
	t.AppendHeader(head)
	wrong := 0
	for _, v := range list {
		where := s.texts.Text("demo.table.nowhere")
		if v.is != "" {
			where = s.texts.Text("folder." + string(v.is))
		}
		check := s.paint(text.Colors{text.FgGreen}, "✓")
		if !v.right() {
			wrong++
			check = s.paint(text.Colors{text.FgRed}, "✗ "+s.texts.Text("demo.table.expected", "Folder", models.Say("folder."+string(v.want))))
		}
		t.AppendRow(s.fitted(v, where, check))
	}
	s.line("%s", t.Render())
	return wrong
}
