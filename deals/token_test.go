package deals_test

import (
	"fmt"
	"strings"
	"testing"

	"kontrol/deals"
)

func TestFindTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Re: [D1042-k7q2m] Насосы":                   "[{1042 k7q2m}]",
		"[d1042-K7Q2M]":                              "[{1042 k7q2m}]",
		"d1042-k7q2m.abc@our.ru":                     "[{1042 k7q2m}]",
		"<d7-aaaaa.x@our.ru> [D8-bbbbb] [D8-bbbbb]":  "[{7 aaaaa} {8 bbbbb}]",
		"текст D5-ccccc, конец":                      "[{5 ccccc}]",
		"[D0-aaaaa] [D01-aaaaa] [D-aaaaa] [D1-aaaa]": "[]",
		"[D1-aaaaa1] [D1-aaaa1] xD1-aaaaa яD1-aaaaa": "[]",
		"[D9999999999999-aaaaa] 1-aaaaa -":           "[]",
		"D1-aaaa8 D1-aaaaя":                          "[]",
		"":                                           "[]",
	} {
		if got := fmt.Sprint(deals.FindTokens(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if n := len(deals.FindTokens(strings.Repeat("D1-aaaaa ", 3) + manyTokens(100))); n != 16 {
		t.Errorf("%d tokens", n)
	}
}

func manyTokens(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "D%d-aaaaa ", i+10)
	}
	return b.String()
}

func TestMarksAreOurs(t *testing.T) {
	t.Parallel()
	key, other := deals.TokenKey("one key"), deals.TokenKey("another")
	for _, n := range []int64{1, 42, 1042, 999999} {
		for _, text := range []string{key.Mark(n), strings.ToLower(key.Mark(n)), key.MessageID(n, "u-1", "our.ru")} {
			found := deals.FindTokens(text)
			if len(found) != 1 || found[0].Number != n || !key.Valid(found[0]) || other.Valid(found[0]) || deals.TokenKey(nil).Valid(found[0]) {
				t.Errorf("%s: %+v", text, found)
			}
			found[0].Number++
			if key.Valid(found[0]) {
				t.Errorf("the mark of %d is good for the next deal", n)
			}
		}
	}
}

func FuzzFindTokens(f *testing.F) {
	f.Add("Re: [D1042-k7q2m] x")
	f.Add("d1-aaaaa.b@c D2-zzzzz")
	f.Add("[D123456789012-22222]\xff-")
	key := deals.TokenKey("fuzz")
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range deals.FindTokens(text) {
			if tok.Number < 1 || len(tok.Code) != 5 {
				t.Fatalf("%+v", tok)
			}
			key.Valid(tok)
		}
		if found := deals.FindTokens(text + " " + key.Mark(7)); len(found) < 16 && !key.Valid(found[len(found)-1]) {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(strings.Trim(key.Mark(7), "[]"))) {
				t.Fatalf("our mark was not found behind %q: %+v", text, found)
			}
		}
	})
}
