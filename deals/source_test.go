package deals_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"kontrol/deals"
	"kontrol/models"
)

func workbook(t *testing.T, rows [][]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		at, err := excelize.CoordinatesToCellName(1, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.SetRow(at, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWorkbook reads a table as programs export it: a heading above the titles, numbers that are numbers.
func TestWorkbook(t *testing.T) {
	t.Parallel()
	b := workbook(t, [][]any{
		{"База клиентов на 01.11.2026"}, {},
		{"№", "Контрагент", "ИНН", "Телефон", "Теги", "Температура", "Отрасль"},
		{1, "ООО Ромашка", 7707083893, 84951234567, "насосы, сервис", "Горячий", "Химия"},
		{2, "Лютик", "", "", "", "тёплая", ""},
		{3, "Незабудка", 123, "", "", "кипяток", ""},
	})
	clients, problems := parse(bytes.NewReader(b), deals.ReadOptions{Keep: true})
	if len(clients) != 2 || len(problems) != 2 || problems[1].Line != 6 || problems[1].Column != "Температура" {
		t.Fatalf("clients: %+v\nproblems: %+v", clients, problems)
	}
	a := clients[0]
	if a.INN != "7707083893" || a.Contacts[0].Phones[0] != "+74951234567" || strings.Join(a.Tags, "|") != "насосы|сервис" ||
		a.Temperature != models.TemperatureHot || len(a.Fields) != 1 || a.Fields[0].Name != "Отрасль" || a.Fields[0].Value != "Химия" || a.Line != 4 {
		t.Errorf("first client: %+v", a)
	}
	if clients[1].Temperature != models.TemperatureWarm {
		t.Errorf("second client: %+v", clients[1])
	}
}

// TestColumnsNamedByAPerson takes what a person says over what the titles seem to say.
func TestColumnsNamedByAPerson(t *testing.T) {
	t.Parallel()
	open := func(text string) *deals.Table {
		tab, problems := deals.OpenTable(strings.NewReader(text), "")
		if tab == nil {
			t.Fatalf("problems: %+v", problems)
		}
		return tab
	}
	const text = "Кто;Куда писать;Имя\nРомашка;a@romashka.ru;вздор\n"
	tab := open(text)
	clients, problems := parse(strings.NewReader(text), deals.ReadOptions{Named: map[string]string{deals.FoldTitle("Кто"): "name", deals.FoldTitle("КУДА писать"): "email", "имя": "skip"}})
	if len(clients) != 1 || clients[0].Name != "Ромашка" || clients[0].Contacts[0].Name != "" || clients[0].Contacts[0].Emails[0] != "a@romashka.ru" || len(problems) > 0 {
		t.Errorf("clients: %+v problems: %+v", clients, problems)
	}
	if tab.HeaderKey() != open("имя;КТО;куда писать\n").HeaderKey() || tab.HeaderKey() == open("имя;кто\n").HeaderKey() {
		t.Error("a set of titles is known by its words and not by their order")
	}
	for word, want := range map[string]string{"ИНН": "inn", "почта": "email", "email": "email", "skip": "skip", "": "", "чепуха": ""} {
		if got, ok := deals.FieldOf(word); got != want || ok != (want != "") {
			t.Errorf("field %q: %q %v", word, got, ok)
		}
	}
}

// TestWorkbooksThatAreBombs are refused at once and by their list of parts.
func TestWorkbooksThatAreBombs(t *testing.T) {
	t.Parallel()
	packed := func(parts int, size int64) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
		for i := range parts {
			w, err := z.Create("xl/worksheets/sheet" + strings.Repeat("x", i%7) + ".xml")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(w, zeros{}, size); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, content := range map[string][]byte{"one large part": packed(1, 32<<20), "many parts": packed(600, 10)} {
		if tab, problems := deals.OpenTable(bytes.NewReader(content), ""); tab != nil || problems[0].Text.ID != "deals.import.bomb" {
			t.Errorf("%s: %+v", name, problems)
		}
	}
	for name, content := range map[string]string{"old": "\xD0\xCF\x11\xE0 old", "cut": "PK\x03\x04 cut"} {
		if tab, problems := deals.OpenTable(strings.NewReader(content), ""); tab != nil || len(problems) != 1 {
			t.Errorf("%s: %+v", name, problems)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
