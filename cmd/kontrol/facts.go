package main

import "github.com/jedib0t/go-pretty/v6/text"

// facts writes pairs of a name and a value, the values one under the other. Pairs without a value are left out, except
// in CSV.
func (c *cli) facts(rows [][2]string) error {
	if c.flags.format == formatCSV {
		l := listing{columns: []column{{title: c.Text("cli.column.field")}, {title: c.Text("cli.column.value")}}}
		for _, r := range rows {
			l.rows = append(l.rows, []string{r[0], r[1]})
		}
		return c.out.csv(l)
	}
	width := 0
	for _, r := range rows {
		if r[1] != "" {
			width = max(width, text.StringWidthWithoutEscSequences(r[0]))
		}
	}
	for _, r := range rows {
		if r[1] != "" {
			c.out.line(c.out.paint(paintFaint, pad(r[0]+":", width+1)), " ", r[1])
		}
	}
	return c.out.err
}
