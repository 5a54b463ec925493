package main

import (
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
	Line  int         `json:"line"`
	Value string      `json:"value"`
	Kept  bool        `json:"kept"`
	Text  *phraseJSON `json:"text"`
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
		j.Problems = append(j.Problems, rowProblemJSON{Line: p.Line, Value: p.Value, Kept: p.Kept, Text: c.phrase(p.Text)})
	}
	if c.flags.format == formatJSON {
		return c.out.json(j)
	}
	c.tellColumns(columns, f.dry)
	for _, p := range r.problems {
		c.complain(c.rowProblem(p))
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

func (c *cli) rowProblem(p deals.RowError) string {
	text := c.texts.Say(p.Text)
	switch {
	case p.Line == 0:
		return text
	case p.Kept:
		return c.Text("cli.client_import.warning", "Line", p.Line, "Text", text)
	}
	return c.Text("cli.client_import.skipped", "Line", p.Line, "Text", text)
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
		if total > importBatch {
			c.complain(c.Text("cli.client_import.reached", "Done", min(done, total), "Total", total))
		}
	}}
}

// step counts more work done. The bar is only for the eye: what goes wrong with it does not matter.
func (p *progress) step(n int) {
	p.done += n
	if p.bar != nil {
		_ = p.bar.Add(n)
	}
	if p.plain != nil && p.done/plainEvery > (p.done-n)/plainEvery {
		p.plain(p.done)
	}
}

// plainEvery is after how many clients a plain line is written.
const plainEvery = 5000

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
