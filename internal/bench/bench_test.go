package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontrol/internal/dovecot"
)

func TestMain(m *testing.M) {
	if isChild() {
		os.Exit(childMain()) //nolint:forbidigo // the child of a measured run ends here
	}
	os.Exit(m.Run()) //nolint:forbidigo // the test process ends here
}

// TestEveryJobOnce does each job once with few letters, without other programs: that every run proves what it has done is
// part of the run.
func TestEveryJobOnce(t *testing.T) {
	s := settings{
		jobs:  []string{"first-sync", "first-sync-all", "triage", "delta", "arrival", "storm", "idle"},
		sides: []string{"raw", "kontrol", "-kontrol, PostgreSQL"}, rounds: 1, letters: 200, idle: []int{2}, arrivals: 2, storm: 40,
		settle: 50 * time.Millisecond, mailDir: t.TempDir(), dbDir: t.TempDir(), log: t.Output(),
	}
	for _, dir := range []string{s.mailDir, filepath.Dir(s.mailDir), s.dbDir, filepath.Dir(s.dbDir)} {
		if err := os.Chmod(dir, 0o755); err != nil { // the server runs as another account
			t.Fatal(err)
		}
	}
	tables, err := measureAll(t.Context(), s)
	if errors.Is(err, dovecot.ErrMissing) && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		text := table.markdown()
		rows := 0
		for _, s := range table.series {
			if len(s.runs) == 0 {
				t.Errorf("%s, %s: %s", table.job, s.side.name, s.why())
			}
			rows += len(s.runs)
		}
		if len(table.rows) < max(1, rows) || strings.Contains(text, "files nothing") || strings.Contains(text, "failed") {
			t.Errorf("%s gives\n%s", table.job, text)
		}
	}
}

func TestSidesAreNamedByTheirBeginnings(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]bool{ // asked for: nobody by name; raw and go-imap; all but kontrol
		"raw, headers": {true, true, true}, "kontrol": {true, false, false}, "go-imap tuned": {true, true, true}, "mbsync": {true, false, true},
	} {
		got := [3]bool{wanted(nil, name), wanted([]string{"raw", "go-imap"}, name), wanted([]string{"-kontrol"}, name)}
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestAProgramThatDoesNotDoTheJobIsMarked(t *testing.T) {
	t.Parallel()
	list := []series{
		{side: side{name: "raw"}, runs: []run{{outcome: outcome{Seconds: 2}}}},
		{side: side{name: "lazy"}, failed: []string{"3 letters were copied, want 4"}},
		{side: side{name: "absent"}, absent: "absent is not installed"},
		{side: side{name: "quick"}, runs: []run{{outcome: outcome{Seconds: 3}}, {outcome: outcome{Seconds: 5}}, {outcome: outcome{Seconds: 1}}}},
	}
	table := timedTable("x", "Title", list)
	text := table.markdown()
	for _, want := range []string{
		"lazy: failed: 3 letters were copied, want 4", "absent: absent is not installed", "| quick | 3.000 | 1.000 to 5.000 | 1.50 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestTheDocumentHasAPlaceForEveryJob keeps docs/performance.md and the jobs together.
func TestTheDocumentHasAPlaceForEveryJob(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(jobNames(), "machine") {
		if _, err := between(string(text), name, "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestTablesAreWrittenBetweenTheirMarkers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doc.md")
	before := "# T\n<!-- bench machine -->\n<!-- /bench machine -->\ntext\n<!-- bench delta -->\nold\n<!-- /bench delta -->\nend\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeDocs(path, []table{{job: "delta", title: "New"}}, "Machine: m.\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# T\n<!-- bench machine -->\nMachine: m.\n<!-- /bench machine -->\ntext\n<!-- bench delta -->\n### New\n<!-- /bench delta -->\nend\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := writeDocs(path, []table{{job: "storm"}}, ""); err == nil {
		t.Error("a table without markers is lost silently")
	}
}
