package inbound

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBaseSubject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"Счёт на оплату", "счет на оплату"},
		{"Re: Счёт на оплату", "счет на оплату"},
		{"RE[2]: Re(3): Re*2: FW: Fwd: счет", "счет"},
		{"Отв: Ответ: На: Пересл: Переслать: ПЕР: счет", "счет"},
		{"HA: AW: WG: SV: VS: TR: RV: RES: ENC: Antw: Odp: I: x", "x"},
		{"Re\u00a0: x", "x"},
		{"Re : x", "x"},
		{"re:re:re:x", "x"},
		{"Re：x", "x"},
		{"[EXT] [External] Re: [SPAM] [Возможно, спам] x", "x"},
		{"***SPAM*** Re: x", "x"},
		{"Счёт: на оплату", "счет: на оплату"},
		{"Заказ: 5", "заказ: 5"},
		{"КП: трубы", "кп: трубы"},
		{"Re: КП: трубы", "кп: трубы"},
		{"Рецепт", "рецепт"},
		{"Reply", "reply"},
		{"Ответ на вопрос", "ответ на вопрос"},
		{"RE: [С-123] КП", "[с-123] кп"},
		{"[С-123] RE: КП", "[с-123] кп"},
		{"[С-123] RE: [С-123] КП", "[с-123] кп"},
		{"[EXT] Re: [D1042-k7q2m] x", "[d1042-k7q2m] x"},
		{"b (fwd) (fwd)", "b"},
		{"[fwd: [fwd: re: x]]", "x"},
		{"Re: [FWD: c]", "c"},
		{"[xyz]", "[xyz]"},
		{"Re:", ""},
		{"", ""},
		{"  Много   блан\u00adков ", "много бланков"},
		{"STRASSE", "strasse"},
		{"Re: " + strings.Repeat("я", 900), strings.Repeat("я", 400)},
	} {
		if got := BaseSubject(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestBaseSubjectIsIdempotent(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"Re:", "re [2] :", "[", "]", "[fwd:", "(fwd)", "[С-1]", "[a]", "***spam***", "*", "\u00a0", "Отв", ":", "Ё", "и\u0306", "İ", "ẞ"}))
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), rapid.SampledFrom([]string{"", " "}).Draw(t, "sep"))
		once := BaseSubject(s)
		if twice := BaseSubject(once); twice != once {
			t.Fatalf("%q: %q, then %q", s, once, twice)
		}
		if again := BaseSubject("Re: " + s); again != once && !strings.HasPrefix(once, "[") && len([]rune(s)) < 300 {
			t.Fatalf("%q: %q, but as an answer %q", s, once, again)
		}
	})
}

// mailsOf splits an mbox file.
func mailsOf(t *testing.T, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpora, name))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	var out [][]byte
	for i, m := range bytes.Split(append([]byte("\n"), b...), []byte("\nFrom ")) {
		if i > 0 {
			out = append(out, append([]byte("From "), m...))
		}
	}
	return out
}

// TestSubjectsOfImaptest groups the letters of Dovecot's test of RFC 5256 by base subject as its servers must.
func TestSubjectsOfImaptest(t *testing.T) {
	t.Parallel()
	groups := map[string][]int{}
	for i, m := range mailsOf(t, "thread_imaptest/thread-orderedsubject.mbox") {
		f, err := Read(sourceOf(m), Own{})
		if err != nil {
			t.Fatalf("letter %d: %v", i+1, err)
		}
		groups[f.Letter.BaseSubject] = append(groups[f.Letter.BaseSubject], i+1)
	}
	for subject, want := range map[string][]int{"a": {1}, "c": {2, 7, 12, 13}, "b": {3, 5, 11}, "_": {4}, "b (a)": {6}, "[xyz]": {8}, "": {9, 10}, "ad: re: ad: re: ad: x": {14}, "babylon": {15}} {
		got := groups[subject]
		if len(got) != len(want) {
			t.Errorf("%q: got %v, want %v", subject, got, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: got %v, want %v", subject, got, want)
			}
		}
	}
}
