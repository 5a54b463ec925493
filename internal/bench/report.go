package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"kontrol/internal/ward"
)

// table is what a job gives: rows of text.
type table struct {
	job, title, goal string
	head             []string
	rows             [][]string
	notes            []string

	// Of a timed job: how many pieces of work a run does, and what they are called.
	series []series
	rateOf int
	unit   string
}

func seconds(r run) float64   { return r.Seconds }
func cpu(r run) float64       { return r.CPU }
func allCPU(r run) float64    { return r.CPU + r.ServerCPU }
func serverCPU(r run) float64 { return r.ServerCPU }
func peak(r run) float64      { return float64(r.PeakKB) / 1024 }

// quantile returns the value below which a part q of the values lies, interpolated; 0 for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

func (s series) values(of func(run) float64) []float64 {
	out := make([]float64, 0, len(s.runs))
	for _, r := range s.runs {
		out = append(out, of(r))
	}
	return out
}

func (s series) median(of func(run) float64) float64 { return quantile(s.values(of), 0.5) }

// why tells why a side has no figures.
func (s series) why() string {
	if s.absent != "" {
		return s.absent
	}
	return "failed: " + strings.Join(s.failed, "; ")
}

func secs(v float64) string {
	if v < 0.1 {
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func mb(v float64) string { return fmt.Sprintf("%.1f", v) }

func timedTable(name, title string, list []series) table {
	return table{job: name, title: title, series: list}
}

// lay makes the rows of a timed job.
func (t *table) lay() {
	if t.series == nil || t.head != nil {
		return
	}
	t.head = []string{"", "median, s", "min to max", "× raw", "peak memory, MB", "CPU, s", "server CPU, s", "× raw, all CPU", "runs"}
	if t.rateOf > 0 {
		t.head = append(t.head, t.unit)
	}
	phases := map[string]string{}
	for _, s := range t.series {
		if len(s.runs) == 0 {
			t.notes = append(t.notes, s.side.name+": "+s.why())
			continue
		}
		m, all := s.median(seconds), s.values(seconds)
		row := []string{
			s.side.name, secs(m), secs(quantile(all, 0)) + " to " + secs(quantile(all, 1)), t.ratio(s, seconds), mb(s.median(peak)), secs(s.median(cpu)),
			secs(s.median(serverCPU)), t.ratio(s, allCPU), fmt.Sprint(len(s.runs)),
		}
		if t.rateOf > 0 {
			row = append(row, fmt.Sprintf("%.0f", float64(t.rateOf)/m))
		}
		t.rows = append(t.rows, row)
		if len(s.failed) > 0 {
			t.notes = append(t.notes, fmt.Sprintf("%s: %d runs failed: %s", s.side.name, len(s.failed), strings.Join(s.failed, "; ")))
		}
		if text := s.phases(); text != "" {
			phases[s.side.name] = text
		}
	}
	for _, s := range t.series {
		if p := phases[s.side.name]; p != "" {
			t.notes = append(t.notes, "Where the time goes, "+s.side.name+": "+p+".")
		}
	}
}

// ratio compares with the raw client's figure for the same bytes.
func (t *table) ratio(s series, of func(run) float64) string {
	base := t.series[0]
	for _, o := range t.series {
		if s.side.against != "" && o.side.name == s.side.against {
			base = o
		}
	}
	if len(base.runs) == 0 || !strings.HasPrefix(base.side.name, "raw") {
		return ""
	}
	if strings.HasPrefix(s.side.name, "raw,") && s.side.against == "" && t.job == "first-sync" {
		return "1"
	}
	if base.median(of) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", s.median(of)/base.median(of))
}

// phases tells the medians of the parts of a side's work.
func (s series) phases() string {
	if len(s.runs[0].Phases) < 2 {
		return ""
	}
	var parts []string
	for i, p := range s.runs[0].Phases {
		parts = append(parts, fmt.Sprintf("%s %s s", p.Name, secs(s.median(func(r run) float64 { return r.Phases[i].Seconds }))))
	}
	return strings.Join(parts, ", ")
}

func (t *table) markdown() string {
	t.lay()
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", t.title)
	if t.goal != "" {
		fmt.Fprintf(&b, "Goal: %s.\n\n", t.goal)
	}
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	if len(t.rows) > 0 {
		row(t.head)
		line := slices.Repeat([]string{"---:"}, len(t.head))
		line[0] = "---"
		row(line)
		for _, r := range t.rows {
			row(r)
		}
		b.WriteByte('\n')
	}
	for _, n := range t.notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	if len(t.notes) > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

func render(ctx context.Context, tables []table) string {
	var b strings.Builder
	b.WriteString(facts(ctx) + "\n")
	for i := range tables {
		b.WriteString(tables[i].markdown())
	}
	return b.String()
}

// facts names the machine and the versions.
func facts(ctx context.Context) string {
	model, memory := "?", "?"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "model name\t: "); ok {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kb); err == nil {
			memory = fmt.Sprintf("%d GB", (kb+1<<19)>>20)
		}
	}
	list := []string{fmt.Sprintf("%d × %s, %s of memory, %s", runtime.NumCPU(), model, memory, runtime.Version())}
	for _, p := range []struct{ name, program, arg string }{
		{"Dovecot", "/usr/sbin/dovecot", "--version"}, {"imapfilter", "imapfilter", "-V"}, {"mbsync", "mbsync", "-v"},
		{"offlineimap", "offlineimap", "--version"}, {"getmail", "getmail", "--version"}, {"Node", nodeProgram, "--version"},
	} {
		if _, err := exec.LookPath(p.program); err != nil {
			list = append(list, p.name+": not installed")
			continue
		}
		out, err := ward.Run(ctx, os.TempDir(), p.program, p.arg)
		if first, _, _ := strings.Cut(strings.TrimSpace(out), "\n"); err == nil {
			list = append(list, p.name+" "+strings.TrimPrefix(first, p.name+" "))
		}
	}
	return "Machine: " + strings.Join(list, "; ") + ".\n"
}
