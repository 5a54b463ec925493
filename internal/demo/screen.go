package demo

import (
	"fmt"
	"io"
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
	last   time.Duration // how long the last filing took
}

func (s *screen) paint(c text.Colors, v string) string {
	if !s.colour {
		return v
	}
	return c.Sprint(v)
}

func (s *screen) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, format+"\n", args...) // a terminal that is gone cannot be told
}

// say writes a phrase on a line of its own.
func (s *screen) say(p models.Phrase) { s.line("%s", s.texts.Say(p)) }

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
	s.line("%s  %s %s", s.paint(text.Colors{text.Bold}, at), s.paint(colour, signs[do]), s.paint(colour, s.texts.Say(p)))
}

func (s *screen) took(d time.Duration) { s.last = d }

func (s *screen) detail(p models.Phrase) {
	s.line("         %s", s.paint(text.Colors{text.FgHiBlack}, s.texts.Say(p)))
}

func (s *screen) filed(p models.Phrase) {
	took := ""
	if s.last > 0 {
		took = " " + s.texts.Text("demo.result.took", "Milliseconds", s.last.Milliseconds())
		s.last = 0
	}
	s.line("       ✓ %s%s", s.paint(text.Colors{text.Bold}, s.texts.Say(p)), s.paint(text.Colors{text.FgHiBlack}, took))
}

func (s *screen) stays(p models.Phrase) { s.line("       · %s", s.texts.Say(p)) }

// verdict is one letter in the summary.
type verdict struct {
	manager, from, subject string
	is, want               models.FolderRole // is "" when the letter is nowhere
}

func (v verdict) right() bool { return v.is == v.want }

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
		t.AppendRow(table.Row{v.manager, v.from, text.Trim(v.subject, 44), where, check})
	}
	s.line("%s", t.Render())
	return wrong
}
