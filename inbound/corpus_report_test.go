package inbound

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"kontrol/models"
)

// expectedReport is what the labels of a corpus say of one letter.
type expectedReport struct {
	set, file  string
	class      models.Class
	delayed    bool // labelled a bounce, with the action "delayed"
	recipients []string
	reasons    map[string]string // recipient → group, where the labels name one
	permanent  map[string]bool   // recipient → by the first digit of the status, where the labels have one
	hard       map[string]bool   // recipient → a "hard bounce" in the narrow sense of Sisimai: the address itself is dead
}

var labelClass = map[string]models.Class{"bounce": models.ClassBounce, "dsn-delayed": models.ClassDelayed, "feedback": models.ClassFeedback}

// expectedReports reads the labels of all sets of reports, in the order of the files.
func expectedReports(t *testing.T) []*expectedReport {
	t.Helper()
	byFile := map[string]*expectedReport{}
	at := func(set, file string) *expectedReport {
		name := filepath.Join(set, file)
		e := byFile[name]
		if e == nil {
			e = &expectedReport{set: set, file: name, reasons: map[string]string{}, permanent: map[string]bool{}, hard: map[string]bool{}}
			byFile[name] = e
		}
		return e
	}
	for _, c := range table(t, "bounce_sisimai/labels.tsv") {
		if labelClass[c[1]] == "" {
			continue
		}
		e, to := at("bounce_sisimai", c[0]), Normal(c[3])
		e.class = labelClass[c[1]]
		e.recipients = append(e.recipients, to)
		e.reasons[to] = c[4]
		e.delayed = e.delayed || c[8] == "delayed"
		if c[5] != "" && e.class == models.ClassBounce {
			e.permanent[to], e.hard[to] = c[5][0] == '5' && (c[8] == "failed" || c[4] != "expired"), c[7] == "true"
		}
	}
	for _, c := range table(t, "bounce_flufl/labels.tsv") {
		e := at("bounce_flufl", c[0])
		e.class = map[string]models.Class{"permanent": models.ClassBounce, "temporary": models.ClassDelayed}[c[2]]
		for _, to := range strings.Split(c[3], ",") {
			e.recipients = append(e.recipients, Normal(to))
			e.permanent[Normal(to)] = c[2] == "permanent"
		}
	}
	for _, c := range table(t, "bounce_misc/labels.tsv") {
		e := at("bounce_misc", c[0])
		e.class = labelClass[c[1]]
		if len(c) > 2 && c[2] != "" {
			for _, to := range strings.Split(c[2], ",") {
				e.recipients = append(e.recipients, Normal(to))
			}
		}
	}
	list := make([]*expectedReport, 0, len(byFile))
	for _, e := range byFile {
		slices.Sort(e.recipients)
		e.recipients = slices.Compact(e.recipients)
		list = append(list, e)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].file < list[j].file })
	return list
}

// table reads a tab-separated table without its heading.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpora, name))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	var rows [][]string
	for i, line := range strings.Split(string(b), "\n") {
		if i > 0 && strings.TrimSpace(line) != "" {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

// share is a part of a whole.
type share struct{ part, whole int }

func (s *share) count(ok bool) {
	s.whole++
	if ok {
		s.part++
	}
}

func (s share) String() string {
	if s.whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d %.1f %%", s.part, s.whole, 100*float64(s.part)/float64(s.whole))
}

func (s share) rate() float64 { return float64(s.part) / float64(max(1, s.whole)) }

// reportScore is a line of the table of TestCorpusReports.
type reportScore struct{ kind, recipients, permanent, hard, reason share }

// TestCorpusReports compares what is read of reports with the labels of the corpora. The floors are what was reached; they
// must not sink. Labels that cannot be reached: letters called a bounce that say themselves that the server keeps trying, and
// the reverse; recipients that the labels make up for complaints that name none.
func TestCorpusReports(t *testing.T) {
	t.Parallel()
	scores := map[string]*reportScore{}
	for _, e := range expectedReports(t) {
		f, err := readCorpus(t, e.file)
		if err != nil {
			t.Errorf("%s: %v", e.file, err)
			continue
		}
		for _, set := range []string{e.set, "all"} {
			if scores[set] == nil {
				scores[set] = &reportScore{}
			}
			scores[set].add(t, e, f, set == "all")
		}
	}
	t.Logf("%-15s %-18s %-18s %-18s %-18s %s", "set", "kind", "recipients", "permanent", "dead address", "reason")
	for _, set := range []string{"bounce_sisimai", "bounce_flufl", "bounce_misc", "all"} {
		if s := scores[set]; s != nil {
			t.Logf("%-15s %-18s %-18s %-18s %-18s %s", set, s.kind, s.recipients, s.permanent, s.hard, s.reason)
		}
	}
	all := scores["all"]
	for name, c := range map[string]struct {
		share
		floor float64
	}{"kind": {all.kind, 0.968}, "recipients": {all.recipients, 0.97}, "permanent": {all.permanent, 0.96}, "dead address": {all.hard, 0.84}, "reason": {all.reason, 0.65}} {
		if c.rate() < c.floor {
			t.Errorf("%s: %s is below the floor of %.3f", name, c.share, c.floor)
		}
	}
}

func (s *reportScore) add(t *testing.T, e *expectedReport, f Facts, tell bool) {
	say := func(format string, args ...any) {
		if tell {
			t.Logf(e.file+": "+format, args...)
		}
	}
	right := f.Letter.Class == e.class || e.delayed && f.Letter.Class == models.ClassDelayed
	s.kind.count(right)
	if !right {
		say("class %s, want %s; from %q subject %q", f.Letter.Class, e.class, f.Letter.FromAddress, f.Letter.Subject)
	}
	b := f.Bounce
	if b == nil {
		b = &Bounce{}
	}
	var got []string
	for _, rec := range b.Recipients {
		got = append(got, rec.Address)
		if want, ok := e.permanent[rec.Address]; ok {
			s.permanent.count(rec.Permanent == want)
			if rec.Permanent != want {
				say("%s permanent %t, status %s reply %s", rec.Address, rec.Permanent, rec.Status, rec.Reply)
			}
		}
		if want, ok := e.hard[rec.Address]; ok {
			s.hard.count(rec.DeadAddress() == want)
		}
		if want, ok := e.reasons[rec.Address]; ok {
			s.reason.count(rec.Reason == want)
			if rec.Reason != want {
				say("reason %s, want %s (status %s, reply %s)", rec.Reason, want, rec.Status, rec.Reply)
			}
		}
	}
	slices.Sort(got)
	if len(e.recipients) > 0 {
		s.recipients.count(slices.Equal(got, e.recipients))
		if !slices.Equal(got, e.recipients) {
			say("recipients %q, want %q", got, e.recipients)
		}
	}
}
