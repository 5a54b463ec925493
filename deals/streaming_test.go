package deals_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"kontrol/deals"
)

// TestTablesAsProgramsWriteThem: the encoding and what divides the columns are found out from the titles, also below a heading
// that has other signs in it.
func TestTablesAsProgramsWriteThem(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]encoding.Encoding{
		"windows-1251": charmap.Windows1251, "ibm866": charmap.CodePage866, "koi8-r": charmap.KOI8R, "iso-8859-5": charmap.ISO8859_5,
		"macintosh": charmap.MacintoshCyrillic, "utf-8": unicode.UTF8,
		"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16be": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	} {
		for _, comma := range []string{";", ",", "\t", "|"} {
			text := "Выгрузка; база, клиенты\nНазвание;ИНН;Почта;Менеджер\nРомашка;7707083893;i@romashka.ru;Анна\n"
			head, rows, _ := strings.Cut(text, "\n")
			encoded, err := code.NewEncoder().String(head + "\r\n" + strings.ReplaceAll(rows, ";", comma))
			if err != nil {
				t.Fatal(err)
			}
			clients, problems := parse(strings.NewReader(encoded), deals.ReadOptions{})
			if got := table(clients); got != "Ромашка|7707083893|||Анна|:   (i@romashka.ru; )\n" || len(problems) > 0 {
				t.Errorf("%s with %q: got\n%s%s", name, comma, got, told(t, problems))
			}
		}
	}
}

// TestClientsAreGivenOnEarly: a client whose last line was read is given on, and what comes of a table is the same as when all
// clients are held to the end.
func TestClientsAreGivenOnEarly(t *testing.T) {
	t.Parallel()
	inns := []string{"", "", "7707083893", "7736050003", "7728168971"}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("название;инн;контакт;email;телефон;домен;комментарий\n")
		for range rapid.IntRange(0, 25).Draw(t, "rows") {
			fmt.Fprintf(&b, "Клиент %d;%s;%s;%s;%s;%s;%s\n", rapid.IntRange(0, 6).Draw(t, "name"), rapid.SampledFrom(inns).Draw(t, "inn"),
				rapid.SampledFrom([]string{"", "Иван", "Пётр"}).Draw(t, "contact"), rapid.SampledFrom([]string{"", "a@x.ru", "b@x.ru", "c@y.ru", "bad"}).Draw(t, "email"),
				rapid.SampledFrom([]string{"", "84951234567", "84951234568"}).Draw(t, "phone"), rapid.SampledFrom([]string{"", "x.ru", "y.ru"}).Draw(t, "domain"),
				rapid.SampledFrom([]string{"", "ждёт", "не ждёт"}).Draw(t, "comment"))
		}
		early, some := parse(strings.NewReader(b.String()), deals.ReadOptions{})
		// A last line of every name and INN that is refused (it has a cell too many) makes all wait for it.
		text := b.String()
		for i, inn := range inns[1:] {
			text += fmt.Sprintf("Клиент %d;%s;;;;;;лишнее\n", i, inn)
		}
		for i := range 7 {
			text += fmt.Sprintf("Клиент %d;;;;;;;лишнее\n", i)
		}
		late, more := parse(strings.NewReader(text), deals.ReadOptions{})
		more = more[:max(0, len(more)-len(inns)+1-7)]
		if len(some) == 0 {
			some = more[:0]
		}
		if !reflect.DeepEqual(early, late) || !reflect.DeepEqual(some, more) {
			t.Fatalf("early\n%s%v\nlate\n%s%v", table(early), some, table(late), more)
		}
	})
}
