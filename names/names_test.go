package names_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kontrol/names"
)

func TestKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`ООО "Ромашка"`: "ромашка", `Ромашка, ООО`: "ромашка", `«Ёлка  и Ко» ЗАО`: "елка и ко", `АО НПО „Луч“`: "луч",
		"ИП Иванов Иван Иванович": "иванов иван иванович", "Romashka LLC": "romashka", "О.О.О. Ромашка": "ромашка",
		"Общество с ограниченной ответственностью «Ромашка»": "ромашка",
		"ПУБЛИЧНОЕ АКЦИОНЕРНОЕ ОБЩЕСТВО «СБЕРБАНК»":          "сбербанк",
		"Ромашка-Сервис": "ромашка сервис", "Ромашка\u00a0Сервис": "ромашка сервис", "ооо": "ооо", "": "", "  ": "",
		"Ип-Телеком Плюс": "телеком плюс", "Зооопт": "зооопт", "Рога & Копыта": "рога & копыта", "Е\u0308лка": "елка",
	} {
		if got := names.Key(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	words := []string{"ООО", "о", "о.", "Ромашка", "ЁЛКА", `"`, " ", "-", "и", "п", "АО", "акционерное", "общество", "llc", "l", "c", "İ", "ǅ", "ﬁ", "е\u0308"}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom(words)).Draw(t, "words"), rapid.SampledFrom([]string{"", " "}).Draw(t, "joint"))
		s += rapid.String().Draw(t, "rest")
		if k := names.Key(s); names.Key(k) != k {
			t.Fatalf("%q: key %q has key %q", s, k, names.Key(k))
		}
	})
}
