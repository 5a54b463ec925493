package inbound

import (
	"crypto/sha256"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// replySample is a letter with the reply that others expect of it.
type replySample struct {
	set, file   string
	reply, want string
	loose       bool // white space is not compared
	contains    bool // want is only where the reply begins
}

// commonFragment is the reply that most letters of reply_crisp share; the letter with the least around it has it.
func commonFragment(t *testing.T) string {
	t.Helper()
	raw := readReplyFile(t, "reply_crisp/email_22.txt")
	return strings.TrimSpace(raw[:strings.Index(raw, "\n\n")])
}

func readReplyFile(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpora, file))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	return cleanText(string(raw), maxText)
}

// replySamples gathers every letter of the corpora that has an expected reply.
func replySamples(t *testing.T) []replySample {
	t.Helper()
	var out []replySample
	add := func(set, file, text, want string) *replySample {
		reply, _ := SplitReply(text)
		out = append(out, replySample{set: set, file: file, reply: reply, want: want})
		return &out[len(out)-1]
	}
	dir, err := os.ReadDir(filepath.Join(corpora, "reply_trimmer/emails"))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	for _, e := range dir {
		add("reply_trimmer", e.Name(), readReplyFile(t, "reply_trimmer/emails/"+e.Name()), readReplyFile(t, "reply_trimmer/trimmed/"+e.Name()))
	}
	common := commonFragment(t)
	for file, row := range crispLabels(t) {
		text := readReplyFile(t, "reply_crisp/"+file)
		if row.common {
			add("reply_crisp", file, text, common)
			continue
		}
		for _, want := range row.texts {
			add("reply_crisp", file, text, want)
		}
		for _, want := range row.patterns {
			s := add("reply_crisp", file, text, want)
			s.contains = true
		}
		if row.whole {
			add("reply_crisp", file, text, strings.TrimSpace(text))
		}
	}
	for file, want := range labelled(t, "reply_talon/labels.tsv", "", 1) {
		want, loose := strings.CutSuffix(want, "   (compare ignoring white space)")
		raw := readReplyFile(t, "reply_talon/"+file)
		text := raw
		if strings.HasSuffix(file, ".html") {
			text = htmlText(raw)
		} else if f, err := Read(sourceOf([]byte(raw)), Own{}); err == nil {
			text = f.Text
		}
		s := add("reply_talon", file, text, strings.ReplaceAll(want, `\n`, "\n"))
		s.loose = loose
	}
	return out
}

type crispRow struct {
	common, whole   bool
	texts, patterns []string
}

var (
	crispText    = regexp.MustCompile(`(?s)test\.equal\("(.*?)", (?:reply\.|email\.)?(?:fragments\[0\]|getVisibleText\(\)|reply)`)
	crispPattern = regexp.MustCompile(`test\.equal\(true, /\^?([^/]*)/\.test\(fragments\[0\]`)
)

// crispLabels reads what is asserted of the first fragment or of the whole reply.
func crispLabels(t *testing.T) map[string]crispRow {
	t.Helper()
	f, err := os.Open(filepath.Join(corpora, "reply_crisp/labels.tsv"))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]crispRow{}
	for _, cells := range rows[1:] {
		row := out[cells[0]]
		row.common = row.common || cells[2] == "yes"
		for _, m := range crispText.FindAllStringSubmatch(cells[3], -1) {
			if m[1] != "Hi," { // only where the first fragment is not the whole reply
				row.texts = append(row.texts, strings.TrimSpace(strings.ReplaceAll(m[1], `\n`, "\n")))
			}
		}
		for _, m := range crispPattern.FindAllStringSubmatch(cells[3], -1) {
			row.patterns = append(row.patterns, m[1])
		}
		row.whole = row.whole || strings.Contains(cells[3], "test.equal(1, fragments.length)")
		out[cells[0]] = row
	}
	return out
}

func (s replySample) exact() bool {
	got, want := s.reply, s.want
	if s.loose {
		got, want = strings.Join(strings.Fields(got), ""), strings.Join(strings.Fields(want), "")
	}
	if s.contains {
		return strings.Contains(got, want)
	}
	return strings.TrimSpace(got) == strings.TrimSpace(want)
}

// heldOut divides the samples into those looked at while the code was written and the others, by chance.
func (s replySample) heldOut() bool {
	sum := sha256.Sum256([]byte(s.file))
	return sum[0]%2 == 1
}

// TestCorpusReplies measures replies against those that others expect. The floors are what was reached; they must not sink.
func TestCorpusReplies(t *testing.T) {
	t.Parallel()
	type count struct{ all, right, held, heldRight int }
	counts := map[string]*count{}
	for _, s := range replySamples(t) {
		c := counts[s.set]
		if c == nil {
			c = &count{}
			counts[s.set] = c
		}
		c.all++
		if s.heldOut() {
			c.held++
		}
		if s.exact() {
			c.right++
			if s.heldOut() {
				c.heldRight++
			}
			continue
		}
		t.Logf("%s/%s (held out: %v):\n--- got\n%s\n--- want\n%s", s.set, s.file, s.heldOut(), cutUTF8(s.reply, 1500), cutUTF8(s.want, 1500))
	}
	for _, set := range []string{"reply_crisp", "reply_talon", "reply_trimmer"} {
		c := counts[set]
		t.Logf("%-14s exact %d of %d; of those held out %d of %d", set, c.right, c.all, c.heldRight, c.held)
		if floor := map[string]int{"reply_crisp": 33, "reply_talon": 9, "reply_trimmer": 31}[set]; c.right < floor {
			t.Errorf("%s: %d exact, the floor is %d", set, c.right, floor)
		}
	}
}
