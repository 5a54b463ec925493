package imapsync

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	tableFile  = "../docs/interop.md"
	tableBegin = "<!-- table: begin -->\n"
	tableEnd   = "<!-- table: end -->\n"
)

// compareTable writes the table, or compares it with the one in the documents.
func compareTable(t *testing.T, venues []*venue, rows []guarantee, cells map[string]map[string]*cell, write bool) {
	t.Helper()
	b, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), tableBegin)
	old, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatalf("%s has no marks for the table", tableFile)
	}
	table := tableText(venues, rows, cells)
	if table == old {
		return
	}
	if !write {
		t.Errorf("the table in %s is another one; make interop writes it anew:\n%s", tableFile, differing(old, table))
		return
	}
	if err := os.WriteFile(tableFile, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil { //nolint:gosec // a document
		t.Fatal(err)
	}
}

// differing shows the lines that only one of two texts has: "-" before those of the old one, "+" before those of the new.
func differing(old, now string) string {
	before, after := strings.Split(old, "\n"), strings.Split(now, "\n")
	var b strings.Builder
	for _, side := range []struct {
		mark         string
		lines, other []string
	}{{"-", before, after}, {"+", after, before}} {
		for _, l := range side.lines {
			if !slices.Contains(side.other, l) {
				b.WriteString(side.mark + " " + l + "\n")
			}
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// tableText is the table as Markdown: guarantees down, servers across, then the reasons.
func tableText(venues []*venue, rows []guarantee, cells map[string]map[string]*cell) string {
	var b strings.Builder
	b.WriteString("\n| guarantee |")
	for i := range venues {
		fmt.Fprintf(&b, " %d |", i+1)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(venues)) + "\n")
	reasons := map[string][]string{}
	var order []string
	for _, g := range rows {
		fmt.Fprintf(&b, "| `%s`: %s |", g.id, g.text)
		for i, v := range venues {
			c := cells[v.name][g.id]
			mark := map[string]string{"ok": "✓", "n/a": "–", "falls short": "**no**"}[c.outcome()]
			fmt.Fprintf(&b, " %s |", mark)
			why := ""
			if c.na != "" {
				why = "`" + g.id + "`: " + c.na
			}
			if why != "" {
				if reasons[why] == nil {
					order = append(order, why)
				}
				reasons[why] = append(reasons[why], fmt.Sprint(i+1))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\nServers: ")
	for i, v := range venues {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%d %s", i+1, v.name)
	}
	b.WriteString(".\n\nNot applicable (–):\n\n")
	for _, why := range order {
		fmt.Fprintf(&b, "- %s (%s)\n", why, strings.Join(reasons[why], ", "))
	}
	return b.String() + "\n"
}

func TestDiffering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, now, want string }{
		{"| a | ✓ |\n| b | ✓ |\n", "| a | ✓ |\n| b | – |\n", "- | b | ✓ |\n+ | b | – |"},
		{"a\nb\n", "a\n", "- b"},
		{"a\n", "a\nb\n", "+ b"},
		{"a\nb\n", "b\na\n", "the same lines in another order"},
	} {
		if got := differing(c.old, c.now); got != c.want {
			t.Errorf("differing(%q, %q) = %q, want %q", c.old, c.now, got, c.want)
		}
	}
}
