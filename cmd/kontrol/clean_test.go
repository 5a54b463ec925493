package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCleanKeepsTextAndStopsTricks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Счёт № 5 — «ООО Ромашка»":   "Счёт № 5 — «ООО Ромашка»",
		"красный \x1b[31mтекст":      "красный �[31mтекст",
		"счёт\u202efdp.exe":          "счёт�fdp.exe",
		"две\r\nстроки\tи табуляция": "две  строки и табуляция",
		"про\u00adбе\u200bлы\ufeff":  "пробелы",
		"семья 👨\u200d👩":             "семья 👨\u200d👩",
		"плохой \xff байт":           "плохой � байт",
		"\u009b31m\u2066x\u2069":     "�31m�x�",
		"метка\U000e0041":            "метка�",
		"":                           "",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanIsSafeForEveryText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		got := clean(s)
		if !utf8.ValidString(got) || clean(got) != got {
			t.Fatalf("clean(%q) = %q is not settled", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("clean(%q) = %q lets %U through", s, got, r)
			}
		}
	})
}

func TestGuardedJSONMeansTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("\u202e\u2066\x1b\u009b\u200d\u00ad😀")))).Draw(t, "s")
		s = strings.Map(func(r rune) rune {
			if r > 0xffff && fate(r) == runeMark {
				return -1
			}
			return r
		}, s)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		guarded := guardJSON(b)
		var back string
		if err := json.Unmarshal(guarded, &back); err != nil || back != s {
			t.Fatalf("%q came back as %q (%v)", s, back, err)
		}
		if c := clean(string(guarded)); c != string(guarded) {
			t.Fatalf("%q is not safe on a terminal", guarded)
		}
	})
}

func TestGuardCSV(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"=1+1": "'=1+1", "+7": "'+7", "-1": "'-1", "@x": "'@x", "a=b": "a=b", "": ""} {
		if got := guardCSV(in); got != want {
			t.Errorf("guardCSV(%q) = %q, want %q", in, got, want)
		}
	}
}
