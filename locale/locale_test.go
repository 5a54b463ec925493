package locale

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"kontrol/models"
)

func mustTexts(t *testing.T, lang string) *Texts {
	t.Helper()
	x, err := New(lang, time.FixedZone("MSK", 3*3600))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPluralForms(t *testing.T) {
	t.Parallel()
	ru, en := mustTexts(t, ""), mustTexts(t, "en")
	for n, want := range map[int]string{0: "0 писем", 1: "1 письмо", 2: "2 письма", 5: "5 писем", 11: "11 писем", 21: "21 письмо", 22: "22 письма", 112: "112 писем"} {
		if got := ru.Text("count.letters", "Count", n); got != want {
			t.Errorf("ru %d: got %q, want %q", n, got, want)
		}
	}
	if got := en.Text("count.letters", "Count", 1); got != "1 letter" {
		t.Errorf("en 1: %q", got)
	}
}

func TestPhraseSurvivesJSON(t *testing.T) {
	t.Parallel()
	ru := mustTexts(t, "ru")
	p := models.Say("count.letters", "Count", 5, "Nested", models.Say("folder.control"))
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var q models.Phrase
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	if got, want := ru.Say(q), ru.Say(p); got != want {
		t.Errorf("after json: got %q, want %q", got, want)
	}
	if got := ru.arg(q.Args["Nested"]); got != "На контроле" {
		t.Errorf("nested phrase: got %q", got)
	}
}

// TestTimeSurvivesJSON guards the explanation of a stored decision: it must show dates as the fresh one did.
func TestTimeSurvivesJSON(t *testing.T) {
	t.Parallel()
	ru := mustTexts(t, "ru")
	at := time.Date(2026, 11, 23, 15, 41, 7, 5, time.UTC)
	b, err := json.Marshal(models.Say("x", "At", at, "Text", "2026-11-23", "Words", "2026-11-23 и Тогда же-то"))
	if err != nil {
		t.Fatal(err)
	}
	var q models.Phrase
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	if got := ru.arg(q.Args["At"]); got != "23.11.2026 18:41" {
		t.Errorf("time after json: got %q", got)
	}
	for _, k := range []string{"Text", "Words"} {
		if got := ru.arg(q.Args[k]); got != q.Args[k] {
			t.Errorf("plain text after json: got %q", got)
		}
	}
}

func TestUnknownLanguageAndKey(t *testing.T) {
	t.Parallel()
	if _, err := New("de", nil); err == nil || !strings.Contains(err.Error(), "ru, en") {
		t.Errorf("unknown language: %v", err)
	}
	if got := mustTexts(t, "ru").Text("no.such.key"); got != "no.such.key" {
		t.Errorf("unknown key: %q", got)
	}
}

func TestErrorForPeople(t *testing.T) {
	t.Parallel()
	ru := mustTexts(t, "ru")
	a := &models.Told{Phrase: models.Say("folder.sent"), Err: errors.New("a")}
	if got := ru.Error(errors.Join(a, errors.New("plain"))); got != "Отправленные\nplain" {
		t.Errorf("joined: %q", got)
	}
	if got := ru.Error(a); got != "Отправленные" {
		t.Errorf("told: %q", got)
	}
}

var placeholder = regexp.MustCompile(`\{\{-?\s*([^}]*?)\s*-?\}\}`)

// flatten gives key → sorted set of placeholders over all plural forms.
func flatten(prefix string, v any, out map[string]string) {
	m, ok := v.(map[string]any)
	if !ok {
		out[prefix] = placeholders(v)
		return
	}
	if _, plural := m["other"]; plural {
		out[prefix] = placeholders(m["other"])
		return
	}
	for k, x := range m {
		key := k
		if prefix != "" {
			key = prefix + "." + k
		}
		flatten(key, x, out)
	}
}

func placeholders(v any) string {
	s, _ := v.(string)
	set := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(s, -1) {
		for _, w := range regexp.MustCompile(`\.[A-Z]\w*`).FindAllString(m[1], -1) {
			set[w] = true
		}
	}
	list := make([]string, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	sort.Strings(list)
	return strings.Join(list, " ")
}

func allKeys(t *testing.T, lang string) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := fs.Glob(files, "texts/*."+lang+".toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := files.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := toml.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		before := len(out)
		one := map[string]string{}
		flatten("", m, one)
		for k, v := range one {
			out[k] = v
		}
		if len(out) != before+len(one) {
			t.Errorf("%s repeats a key of another file", n)
		}
	}
	return out
}

func TestLanguagesHaveTheSameTexts(t *testing.T) {
	t.Parallel()
	ru, en := allKeys(t, "ru"), allKeys(t, "en")
	for k, v := range ru {
		if w, ok := en[k]; !ok {
			t.Errorf("%s: no English text", k)
		} else if v != w {
			t.Errorf("%s: places differ: ru %q, en %q", k, v, w)
		}
	}
	for k := range en {
		if _, ok := ru[k]; !ok {
			t.Errorf("%s: no Russian text", k)
		}
	}
}

var usedKey = regexp.MustCompile(`(?:\bSay|\.Text)\(\s*"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"`)

// TestEveryKeyInTheCodeHasAText reads the source: a key that is spelt wrong would show as a bare key to a person.
func TestEveryKeyInTheCodeHasAText(t *testing.T) {
	t.Parallel()
	known := allKeys(t, "ru")
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range usedKey.FindAllStringSubmatch(string(b), -1) {
			if _, ok := known[m[1]]; !ok && m[1] != "x.y" {
				t.Errorf("%s: no text for %q", p, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestQuotesInsideQuotes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"клиент «ООО «Ромашка»», сделка «Насосы»": "клиент «ООО „Ромашка“», сделка «Насосы»",
		"«а» и «б»": "«а» и «б»", "«а «б «в» г» д»": "«а „б „в“ г“ д»", "» «": "» «", "«а «б": "«а «б", "«а «б»": "«а „б“", "": "",
	} {
		if got := nestQuotes(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestEveryTextTakesEveryNumber renders every text with numbers that want each of the plural forms.
func TestEveryTextTakesEveryNumber(t *testing.T) {
	t.Parallel()
	for _, lang := range languages {
		x := mustTexts(t, lang)
		for key, places := range allKeys(t, lang) {
			if !strings.Contains(places, ".Count") {
				continue
			}
			for _, n := range []int{0, 1, 2, 5, 21} {
				if got := x.Text(key, "Count", n); strings.HasPrefix(got, key) {
					t.Errorf("%s: %s with %d: %s", lang, key, n, got)
				}
			}
		}
	}
}
