package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"

	"github.com/schollz/progressbar/v3"

	"kontrol/deals"
)

// importJSON is what `kontrol client import --format json` gives.
type importJSON struct {
	Added     int              `json:"added"`
	Extended  int              `json:"extended"`
	Unchanged int              `json:"unchanged"`
	Skipped   int              `json:"skipped_rows"`
	Problems  []rowProblemJSON `json:"problems"`
	DryRun    bool             `json:"dry_run"`
	Columns   []columnJSON     `json:"columns"`
	Rejected  string           `json:"rejected_file"`
}

type columnJSON struct {
	Title string `json:"title"`
	Field string `json:"field"`
	Named bool   `json:"named"`
}

type rowProblemJSON struct {
	Line   int         `json:"line"`
	Column string      `json:"column"`
	Value  string      `json:"value"`
	Kept   bool        `json:"kept"`
	Text   *phraseJSON `json:"text"`
}

func (c *cli) toldImport(r imported, columns []deals.ColumnUse, file string, f importing) error {
	sort.SliceStable(r.problems, func(i, k int) bool { return r.problems[i].Line < r.problems[k].Line })
	j := importJSON{Added: r.added, Extended: r.extended, Unchanged: r.unchanged, DryRun: f.dry, Problems: []rowProblemJSON{},
		Columns: []columnJSON{}, Rejected: file}
	for _, u := range columns {
		j.Columns = append(j.Columns, columnJSON(u))
	}
	for _, p := range r.problems {
		if !p.Kept {
			j.Skipped++
		}
		j.Problems = append(j.Problems, rowProblemJSON{Line: p.Line, Column: p.Column, Value: p.Value, Kept: p.Kept, Text: c.phrase(p.Text)})
	}
	if c.flags.format == formatJSON {
		return c.out.json(j)
	}
	c.tellColumns(columns, f.dry)
	for _, p := range r.problems[:min(len(r.problems), problemsTold)] {
		c.complain(c.rowProblem(f, p))
	}
	if more := len(r.problems) - problemsTold; more > 0 {
		c.complain(c.Text("cli.client_import.more", "More", more))
	}
	key := "cli.client_import.done"
	if f.dry {
		key = "cli.client_import.would"
	}
	c.out.line(c.Text(key, "Added", r.added, "Extended", r.extended, "Unchanged", r.unchanged, "Skipped", j.Skipped))
	if file != "" {
		c.out.line(c.Text("cli.client_import.rejected", "Path", file))
	}
	return c.out.err
}

// tellColumns says what the columns were taken for, where that is not plain: on a try, or when a person has named some.
func (c *cli) tellColumns(columns []deals.ColumnUse, dry bool) {
	if !dry && !slices.ContainsFunc(columns, func(u deals.ColumnUse) bool { return u.Named || u.Field == "keep" }) {
		return
	}
	for _, u := range columns {
		if u.Title == "" {
			continue
		}
		key := "cli.client_import.column"
		if u.Named {
			key = "cli.client_import.column_named"
		}
		field := u.Field
		if field == "" {
			field = "skip"
		}
		c.out.line(c.Text(key, "Title", u.Title, "Field", field))
	}
}

// problemsTold is how many problems are written out one by one.
const problemsTold = 50

// rowProblem says what is wrong with a row, and where: as file, line and column, which terminals and editors open.
func (c *cli) rowProblem(f importing, p deals.RowError) string {
	text := c.texts.Say(p.Text)
	switch {
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", filepath.Base(f.path), text)
	case p.Kept:
		return c.Text("cli.client_import.warning", "File", filepath.Base(f.path), "Line", p.Line, "Column", p.Column, "Text", text)
	}
	return c.Text("cli.client_import.skipped", "File", filepath.Base(f.path), "Line", p.Line, "Column", p.Column, "Text", text)
}

// progress shows how far long work has come: a bar on a terminal, plain lines elsewhere.
type progress struct {
	bar   *progressbar.ProgressBar
	plain func(done int)
	done  int
}

func (c *cli) progress(total int) *progress {
	if c.env.terminal {
		return &progress{bar: progressbar.NewOptions(total, progressbar.OptionSetWriter(c.env.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription(c.Text("cli.client_import.progress")), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowCount())}
	}
	return &progress{plain: func(done int) {
		c.complain(c.Text("cli.client_import.reached", "Done", done, "Total", total))
	}}
}

// reach notes how much of the work is done. The bar is only for the eye: what goes wrong with it does not matter.
func (p *progress) reach(done int) {
	if p.bar != nil {
		_ = p.bar.Set(done)
	}
	if p.plain != nil && done/plainEvery > p.done/plainEvery {
		p.plain(done)
	}
	p.done = done
}

// plainEvery is after how many rows a plain line is written.
const plainEvery = 5000

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
