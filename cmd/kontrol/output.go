package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// The formats of listings.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatCSV   = "csv"
)

// output writes to standard output; everything shown passes through it and is cleaned there. The first error of
// writing is kept and ends the output.
type output struct {
	w      io.Writer
	width  int  // of the terminal; 0: not a terminal, lines may have any length
	colour bool // paint may use ANSI sequences
	err    error
}

// painted is text that has been cleaned and may carry colour.
type painted string

// The ANSI colours that are used, by meaning.
const (
	paintBold  = "1"
	paintFaint = "2"
	paintGood  = "32"
	paintWarn  = "33"
	paintBad   = "31"
)

// paint cleans a text and colours it when the output can show colour.
func (o *output) paint(code, s string) painted {
	s = clean(s)
	if !o.colour || s == "" {
		return painted(s)
	}
	return painted("\x1b[" + code + "m" + s + "\x1b[0m")
}

// line writes its parts one after the other and ends the line. Parts that are not painted are cleaned.
func (o *output) line(parts ...any) {
	var b strings.Builder
	for _, p := range parts {
		if s, ok := p.(painted); ok {
			b.WriteString(string(s))
			continue
		}
		b.WriteString(clean(fmt.Sprint(p)))
	}
	o.raw(strings.TrimRight(b.String(), " ") + "\n")
}

// block writes a text of several lines, each indented, long lines broken at blanks when the output is a terminal.
func (o *output) block(indent, s string) {
	for _, line := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		line = clean(line)
		if room := o.width - len(indent); o.width > 0 && room > 20 {
			for _, part := range strings.Split(text.WrapSoft(line, room), "\n") {
				o.raw(strings.TrimRight(indent+part, " ") + "\n")
			}
			continue
		}
		o.raw(strings.TrimRight(indent+line, " ") + "\n")
	}
}

// heading writes a bold line after an empty one.
func (o *output) heading(s string) {
	o.raw("\n")
	o.line(o.paint(paintBold, s))
}

func (o *output) raw(s string) {
	if o.err == nil {
		if _, err := io.WriteString(o.w, s); err != nil {
			o.err = fmt.Errorf("write output: %w", err)
		}
	}
}

// json writes v with stable formatting.
func (o *output) json(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	o.raw(string(guardJSON(b)) + "\n")
	return o.err
}

// column is a column of a listing.
type column struct {
	title string
	right bool // numbers stand at the right edge
	flex  bool // may be cut short on a narrow terminal
}

// listing is rows of cells with a heading, and the same rows as values for JSON.
type listing struct {
	columns []column
	rows    [][]string
	values  any    // a slice; written with --format json
	empty   string // said instead of a table without rows
}

// list writes a listing in the given format.
func (o *output) list(format string, l listing) error {
	switch format {
	case formatJSON:
		return o.json(l.values)
	case formatCSV:
		return o.csv(l)
	}
	if len(l.rows) == 0 {
		o.line(l.empty)
		return o.err
	}
	o.table(l)
	return o.err
}

func (o *output) csv(l listing) error {
	w := csv.NewWriter(o.w)
	record := make([]string, 0, len(l.columns))
	for _, c := range l.columns {
		record = append(record, c.title)
	}
	if err := w.Write(record); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	for _, row := range l.rows {
		record = record[:0]
		for _, cell := range row {
			record = append(record, guardCSV(clean(cell)))
		}
		if err := w.Write(record); err != nil {
			return fmt.Errorf("write csv: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}

// gap is the space between two columns.
const gap = 2

func (o *output) table(l listing) {
	t := table.NewWriter()
	t.SetStyle(o.style())
	header := make(table.Row, 0, len(l.columns))
	for _, c := range l.columns {
		header = append(header, c.title)
	}
	t.AppendHeader(header)
	for _, row := range l.rows {
		cells := make(table.Row, 0, len(row))
		for _, cell := range row {
			cells = append(cells, clean(cell))
		}
		t.AppendRow(cells)
	}
	t.SetColumnConfigs(o.columnConfigs(l))
	for _, line := range strings.Split(t.Render(), "\n") {
		o.raw(strings.TrimRight(line, " ") + "\n")
	}
}

func (o *output) style() table.Style {
	s := table.StyleLight
	s.Options = table.Options{SeparateHeader: true, SeparateColumns: true}
	s.Box.PaddingLeft, s.Box.PaddingRight = "", ""
	s.Box.MiddleVertical, s.Box.MiddleSeparator, s.Box.MiddleHorizontal = "  ", "  ", "─"
	s.Format.Header = text.FormatDefault
	if o.colour {
		s.Color.Header = text.Colors{text.Bold}
	}
	return s
}

// columnConfigs aligns numbers and, on a terminal, cuts the flexible columns so that a row is one line.
func (o *output) columnConfigs(l listing) []table.ColumnConfig {
	widths := make([]int, len(l.columns))
	total, flex := gap*(len(l.columns)-1), 0
	for i, c := range l.columns {
		widths[i] = text.StringWidthWithoutEscSequences(c.title)
		for _, row := range l.rows {
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(clean(row[i])))
		}
		total += widths[i]
		if c.flex {
			flex++
		}
	}
	if o.width > 0 && flex > 0 {
		shrink(l.columns, widths, total-o.width)
	}
	configs := make([]table.ColumnConfig, 0, len(l.columns))
	for i, c := range l.columns {
		cc := table.ColumnConfig{Number: i + 1, WidthMax: widths[i], WidthMaxEnforcer: func(s string, n int) string {
			return text.Snip(s, n, "…")
		}}
		if c.right {
			cc.Align, cc.AlignHeader = text.AlignRight, text.AlignRight
		}
		configs = append(configs, cc)
	}
	return configs
}

// shrink takes excess columns of the terminal from the widest flexible columns, leaving each at least 10.
func shrink(columns []column, widths []int, excess int) {
	const least = 10
	for ; excess > 0; excess-- {
		widest := -1
		for i, c := range columns {
			if c.flex && widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}
