package inbound

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"kontrol/models"
)

const corpora = "../../shared/corpora"

// sourceOf splits a whole letter as a server does for BODY[HEADER] and BODY[TEXT].
func sourceOf(raw []byte) Source {
	_, rest, _ := scanHeader(raw)
	return Source{Header: raw[:len(raw)-len(rest)], Text: rest, Size: int64(len(raw))}
}

// labelled reads a tab-separated table and returns file → column, relative to dir.
func labelled(t *testing.T, table, dir string, column int) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpora, table))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	out := map[string]string{}
	for i, line := range strings.Split(string(b), "\n") {
		cells := strings.Split(line, "\t")
		if i > 0 && len(cells) > column {
			out[filepath.Join(dir, cells[0])] = cells[column]
		}
	}
	return out
}

func readCorpus(t *testing.T, file string) (Facts, error) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpora, file))
	if err != nil {
		t.Fatal(err)
	}
	return Read(sourceOf(raw), Own{})
}

// wantedClass maps the labels of the corpora to classes; several are right where the label says less than the class.
var wantedClass = map[string][]models.Class{
	"bounce": {models.ClassBounce, models.ClassDelayed}, "dsn-delayed": {models.ClassDelayed}, "feedback": {models.ClassFeedback},
	"autoreply": {models.ClassAutoReply}, "human": {models.ClassPerson}, "list": {models.ClassList}, "newsletter": {models.ClassNewsletter},
	"not-bounce": {models.ClassPerson, models.ClassReceipt, models.ClassDelivered, models.ClassList, models.ClassNewsletter, models.ClassAutoReply},
}

// TestClassesOfLabelledLetters measures the classes against letters that others have labelled. The floors are what was
// reached; they must not sink.
func TestClassesOfLabelledLetters(t *testing.T) {
	t.Parallel()
	labels := labelled(t, "triage_kind.tsv", "", 1)
	total, right := map[string]int{}, map[string]int{}
	var wrong []string
	for file, kind := range labels {
		f, err := readCorpus(t, file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		total[kind]++
		ok := false
		for _, c := range wantedClass[kind] {
			ok = ok || f.Letter.Class == c
		}
		if ok {
			right[kind]++
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%s: %s, got %s (%s) from %q subject %q", file, kind, f.Letter.Class, f.Letter.ClassReason.ID, f.Letter.FromAddress, f.Letter.Subject))
		if kind == "human" && f.Letter.Class == models.ClassBounce {
			t.Errorf("%s: a person is called a bounce", file)
		}
	}
	sort.Strings(wrong)
	for kind, n := range total {
		t.Logf("%-12s %3d of %3d", kind, right[kind], n)
	}
	t.Log(strings.Join(wrong, "\n"))
	// Two of the delayed are so called by the name of their file, but say themselves that the server gave up.
	for kind, floor := range map[string]float64{"bounce": 0.97, "dsn-delayed": 0.89, "autoreply": 1, "human": 1, "list": 1, "feedback": 1} {
		if rate := float64(right[kind]) / float64(max(1, total[kind])); rate < floor {
			t.Errorf("%s: %.3f is below the floor of %.2f", kind, rate, floor)
		}
	}
}

// daemonWrote recognises by other means than the package that a mail server wrote a letter.
func daemonWrote(raw []byte) bool {
	from := raw[bytes.Index(raw, []byte("\nFrom: "))+1:]
	line, _, _ := bytes.Cut(bytes.ToLower(from), []byte("\n"))
	return bytes.Contains(line, []byte("daemon")) || bytes.Contains(line, []byte("postmaster")) || bytes.Contains(raw, []byte("delivery-status"))
}

// TestNoOrdinaryLetterIsABounce reads every other letter there is: of thousands of lists, people and test suites.
func TestNoOrdinaryLetterIsABounce(t *testing.T) {
	t.Parallel()
	counts := map[models.Class]int{}
	for _, dir := range []string{"charset_mozilla", "helpdesk_redmine", "mime_enmime", "mime_labelled", "mime_mikel", "mime_mime4j", "mime_stalwart", "thread_notmuch", "reply_talon", "reply_trimmer/emails", "reply_crisp"} {
		err := filepath.WalkDir(filepath.Join(corpora, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, ".tsv") || strings.HasSuffix(p, "SOURCES") || strings.HasSuffix(p, ".xml") || strings.HasSuffix(p, ".json") {
				return err
			}
			raw, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			f, err := Read(sourceOf(raw), Own{})
			if err != nil {
				if len(bytes.TrimSpace(raw)) > 0 {
					t.Logf("%s: %v", p, err)
				}
				return nil
			}
			counts[f.Letter.Class]++
			if f.Letter.Class.AboutOurs() && f.Letter.Class != models.ClassReceipt && !daemonWrote(raw) {
				t.Errorf("%s: bounce (%s)", p, f.Letter.ClassReason.ID)
			}
			return nil
		})
		if os.IsNotExist(err) {
			t.Skip("no corpora beside the checkout")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Log(counts)
}
