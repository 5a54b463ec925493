package payments_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"kontrol/models"
	"kontrol/payments"
)

// corpus opens a set of the corpora beside the checkout, or skips.
func corpus(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "corpora", name)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the corpora are not beside the checkout")
	}
	return dir
}

// TestCorpusOdin compares the documents of a bank's own suite with its labels.
func TestCorpusOdin(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "bank_1c_odin")
	f, err := os.Open(filepath.Join(dir, "labels.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := csv.NewReader(f)
	rows.Comma, rows.FieldsPerRecord, rows.LazyQuotes = '\t', -1, true
	all, err := rows.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	statements := map[string]*payments.Statement{}
	documents := 0
	for _, row := range all[1:] {
		suite := row[0]
		if row[1] == "file" {
			in, err := os.ReadFile(filepath.Join(dir, suite, "input.txt"))
			if err != nil {
				t.Fatal(err)
			}
			s, err := payments.ReadStatement(bytes.NewReader(in), payments.Own{})
			if (err == nil) != (row[2] == "ok") {
				t.Errorf("%s: %v, labelled %s", suite, err, row[2])
			}
			if err == nil && strconv.Itoa(len(s.Documents)) != row[3] {
				t.Errorf("%s: %d documents, labelled %s", suite, len(s.Documents), row[3])
			}
			statements[suite] = s
			continue
		}
		n, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		d := statements[suite].Documents[n-1]
		documents++
		amount, err := strconv.ParseFloat(row[6], 64)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{d.Number, d.Kind, d.Date.Format("2006-01-02"), strconv.FormatInt(d.Amount.Minor, 10), string(d.Direction), d.Counterparty().INN, d.Purpose}
		if d.Direction == payments.DirectionOut {
			got[5] = d.Payer.INN // the labels name the payer even of money that went out
		}
		want := []string{row[3], row[4], row[5], strconv.FormatInt(int64(amount*100+0.5), 10), row[7], row[8], row[9]}
		if g, w := strings.Join(got, "|"), strings.Join(want, "|"); g != w {
			t.Errorf("%s, document %d:\n got %s\nwant %s", suite, n, g, w)
		}
	}
	t.Logf("%d documents equal to their labels", documents)
}

// TestCorpusOneDay reads the same day in two charsets.
func TestCorpusOneDay(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "bank_1c_misc")
	var first *payments.Statement
	for _, name := range []string{"one_day.txt", "one_day_utf8.txt"} {
		in, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		s, err := payments.ReadStatement(in, payments.Own{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s, %d documents, %+v", name, s.Charset, len(s.Documents), s.Checksums())
		if first == nil {
			first = s
			continue
		}
		if len(s.Documents) != len(first.Documents) || s.Charset == first.Charset {
			t.Errorf("%d documents in %s, %d in %s", len(s.Documents), s.Charset, len(first.Documents), first.Charset)
		}
		for i := range s.Documents {
			if s.Documents[i].Purpose != first.Documents[i].Purpose || s.Documents[i].Direction != first.Documents[i].Direction {
				t.Errorf("document %d differs: %+v, %+v", i+1, s.Documents[i], first.Documents[i])
			}
		}
	}
}

const day = `1CClientBankExchange
ВерсияФормата=1.03
Кодировка=DOS
Отправитель=Банк
РасчСчет=40702810900000000001
ДатаНачала=20.08.2026
ДатаКонца=21.08.2026
СекцияРасчСчет
ДатаНачала=20.08.2026
ДатаКонца=21.08.2026
РасчСчет=40702810900000000001
НачальныйОстаток=100.00
ВсегоПоступило=120000.50
ВсегоСписано=40
КонецРасчСчет
СекцияДокумент=Платежное поручение
Номер=17
Дата=20.08.2026
Сумма=120 000,50
ДатаПоступило=21.08.2026
Плательщик=ИНН 7707083893 ООО "Ромашка"
ПлательщикСчет=40702810000000000777
ПлательщикБИК=044525225
Получатель1=ООО "Наша"
ПолучательИНН=7736050003
ПолучательСчет=40702810900000000001
НазначениеПлатежа=Оплата по счету № 742 от 09.07.2026 г. = аванс
КонецДокумента
СекцияДокумент=Банковский ордер
Номер=18
Дата=21.08.2026
Сумма=40
ДатаСписано=21.08.2026
ПлательщикСчет=40702810900000000001
Плательщик1=ООО "Наша"
Получатель1=АО "БАНК"
ПолучательСчет=70601810000000000001
НазначениеПлатежа=Комиссия за ведение счета
КонецДокумента
КонецФайла
`

func read(t *testing.T, text string, own payments.Own) *payments.Statement {
	t.Helper()
	s, err := payments.ReadStatement(strings.NewReader(text), own)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatement(t *testing.T) {
	t.Parallel()
	s := read(t, day, payments.Own{})
	d := s.Documents[0]
	if d.Payer.Name != `ООО "Ромашка"` || d.Payer.INN != "7707083893" || d.Amount.Minor != 12000050 || d.Direction != payments.DirectionIn {
		t.Errorf("got %+v", d)
	}
	if d.Purpose != "Оплата по счету № 742 от 09.07.2026 г. = аванс" || len(d.Invoices) != 1 || d.Invoices[0].Number != "742" {
		t.Errorf("purpose %q names %v", d.Purpose, d.Invoices)
	}
	if got := d.BookedOn().Format("02.01.2006"); got != "21.08.2026" {
		t.Errorf("booked on %s, not on the day the money came", got)
	}
	if fee := s.Documents[1]; fee.Nature != payments.NatureBank || fee.Direction != payments.DirectionOut {
		t.Errorf("the fee is %s, %s", fee.Nature, fee.Direction)
	}
	sums := s.Checksums()
	if len(sums) != 1 || !sums[0].OK || sums[0].StatedIn.Minor != 12000050 || sums[0].CountedOut.Minor != 4000 {
		t.Errorf("checksums %+v", sums)
	}
	s = read(t, strings.Replace(day, "ВсегоПоступило=120000.50", "ВсегоПоступило=120000.51", 1), payments.Own{})
	if s.Checksums()[0].OK {
		t.Error("a kopeck that is missing was not seen")
	}
}

func TestStatementCharsets(t *testing.T) {
	t.Parallel()
	for name, cm := range map[string]*charmap.Charmap{"windows-1251": charmap.Windows1251, "ibm866": charmap.CodePage866, "koi8-r": charmap.KOI8R} {
		octets, err := cm.NewEncoder().String(strings.ReplaceAll(day, "№", "N")) // KOI8-R has none
		if err != nil {
			t.Fatal(err)
		}
		s := read(t, octets, payments.Own{})
		if s.Charset != name || s.Documents[0].Payer.Name != `ООО "Ромашка"` {
			t.Errorf("%s is read as %s: %q", name, s.Charset, s.Documents[0].Payer.Name)
		}
	}
	cut := strings.Replace(day, "аванс", "аван\xd1", 1) // a bank cuts names at an octet
	if s := read(t, cut, payments.Own{}); s.Charset != "utf-8" {
		t.Errorf("one broken character makes UTF-8 %s", s.Charset)
	}
	if s := read(t, "\xEF\xBB\xBF"+strings.ReplaceAll(day, "\n", "\r\n"), payments.Own{}); s.Charset != "utf-8" || len(s.Documents) != 2 {
		t.Errorf("with a mark of order: %s, %d documents", s.Charset, len(s.Documents))
	}
}

// TestStatementRefused checks that nothing is taken of a file that is doubtful, and that the line is named.
func TestStatementRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, id string
	}{
		"empty":               {"", "payments.error.not_statement"},
		"other":               {"PK\x03\x04", "payments.error.not_statement"},
		"truncated":           {strings.Replace(day, "КонецФайла\n", "", 1), "payments.error.truncated"},
		"within a document":   {day[:strings.Index(day, "НазначениеПлатежа=Комиссия")], "payments.error.open_document"},
		"document not closed": {strings.Replace(day, "КонецДокумента\n", "", 1), "payments.error.open_document"},
		"account not closed":  {strings.Replace(day, "КонецРасчСчет\n", "", 1), "payments.error.open_account"},
		"no sum":              {strings.Replace(day, "Сумма=40\n", "", 1), "payments.error.sum"},
		"sum of words":        {strings.Replace(day, "Сумма=40\n", "Сумма=сорок\n", 1), "payments.error.sum"},
		"sum in doubt":        {strings.Replace(day, "Сумма=40\n", "Сумма=1.234\n", 1), "payments.error.sum"},
		"date":                {strings.Replace(day, "Дата=21.08.2026", "Дата=31.02.2026", 1), "payments.error.date"},
	} {
		s, err := payments.ReadStatement(strings.NewReader(c.text), payments.Own{})
		phrase, told := models.PhraseOf(err)
		if s != nil || !told || phrase.ID != c.id || phrase.Args["Line"] == nil {
			t.Errorf("%s: %v, %v", name, err, phrase)
		}
	}
	if _, err := payments.ReadStatement(failing{}, payments.Own{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an error of the source is %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fs.ErrPermission }

func TestDirection(t *testing.T) {
	t.Parallel()
	const in, out = "ДатаПоступило=21.08.2026\n", "ДатаСписано=21.08.2026\n"
	payer, payee := "ПлательщикСчет=40702810000000000777\n", "ПолучательСчет=40702810900000000001\n"
	for name, c := range map[string]struct {
		fields string
		own    payments.Own
		want   payments.Direction
	}{
		"accounts, both dates":  {payer + payee + in + out, payments.Own{}, payments.DirectionIn},
		"accounts, no date":     {payer + payee, payments.Own{}, payments.DirectionIn},
		"ours pays":             {"ПлательщикРасчСчет=40702810900000000001\nПолучательСчет=40702810000000000777\n", payments.Own{}, payments.DirectionOut},
		"both ours":             {payer + payee + in, payments.Own{Accounts: []string{"40702810000000000777"}}, payments.DirectionInternal},
		"one company":           {payer + payee + "ПлательщикИНН=7707083893\nПолучательИНН=7707083893\n", payments.Own{}, payments.DirectionInternal},
		"only a date":           {in, payments.Own{}, payments.DirectionIn},
		"only the other date":   {out, payments.Own{}, payments.DirectionOut},
		"taxpayer number":       {"ПолучательИНН=7707083893\nПлательщикИНН=7736050003\n", payments.Own{INNs: []string{"7707083893"}}, payments.DirectionIn},
		"taxpayer number, ours": {"ПлательщикИНН=7707083893\n", payments.Own{INNs: []string{"7707083893"}}, payments.DirectionOut},
		"nothing":               {payer, payments.Own{}, payments.DirectionUnknown},
	} {
		text := "1CClientBankExchange\nРасчСчет=40702810900000000001\nСекцияДокумент=Платежное поручение\nНомер=1\nДата=20.08.2026\nСумма=1\n" +
			c.fields + "КонецДокумента\nКонецФайла\n"
		if got := read(t, text, c.own).Documents[0].Direction; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestNature(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		payer, purpose string
		want           payments.Nature
	}{
		{`ООО "Ромашка"`, "Оплата по счету № 742 за банковское оборудование", payments.NatureOrdinary},
		{`ООО "Ромашка"`, "Возврат ошибочно перечисленных средств по п/п 12", payments.NatureRefund},
		{`ООО "Ромашка"`, "Оплата за картриджи по счету 12", payments.NatureOrdinary},
		{`ООО "Ромашка"`, "Оплата возвратной тары по сч 15", payments.NatureOrdinary},
		{`ПАО СБЕРБАНК`, "Зачисление средств по операциям эквайринга. Мерчант №123456. Дата реестра 20.08.2026. Комиссия 12.50", payments.NatureAcquiring},
		{`АО "ТБАНК"`, "Перевод средств по операциям СБП за 20.08.2026", payments.NatureAcquiring},
		{`АО "ТБАНК"`, "Выплата процентов на остаток по счету 40702810900000000001", payments.NatureBank},
		{`ООО "Ромашка"`, "Комиссия агента по договору 5", payments.NatureOrdinary},
		{`ООО "Налоговый консультант"`, "Оплата по счету 5 за налоговую консультацию", payments.NatureOrdinary},
	} {
		text := "1CClientBankExchange\nСекцияДокумент=Платежное поручение\nНомер=1\nДата=20.08.2026\nДатаПоступило=20.08.2026\nСумма=1\nПлательщик1=" + c.payer +
			"\nНазначениеПлатежа=" + c.purpose + "\nКонецДокумента\nКонецФайла\n"
		if got := read(t, text, payments.Own{}).Documents[0].Nature; got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.payer, c.purpose, got, c.want)
		}
	}
}

func TestPurposeInParts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ fields, want string }{
		"parts":         {"НазначениеПлатежа1=Оплата по счету\nНазначениеПлатежа2=№ 12 от 01.02.2026\n", "Оплата по счету № 12 от 01.02.2026"},
		"whole":         {"НазначениеПлатежа=Оплата по счету № 12\nНазначениеПлатежа1=Оплата по счету\n", "Оплата по счету № 12"},
		"first part":    {"НазначениеПлатежа=Оплата по\nНазначениеПлатежа1=Оплата по\nНазначениеПлатежа2=счету 12\n", "Оплата по счету 12"},
		"broken lines":  {"НазначениеПлатежа=Оплата по счету № 12\nза насосы, сумма = 5\nВидОплаты=01\n", "Оплата по счету № 12 за насосы, сумма = 5"},
		"nothing":       {"НазначениеПлатежа=\n", ""},
		"unknown field": {"НазначениеПлатежа=Оплата\nНовоеПоле=1\n", "Оплата"},
	} {
		text := "1CClientBankExchange\nСекцияДокумент=Платежное поручение\nНомер=1\nДата=20.08.2026\nСумма=1\n" + c.fields + "КонецДокумента\nКонецФайла\n"
		if got := read(t, text, payments.Own{}).Documents[0].Purpose; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzReadStatement(f *testing.F) {
	f.Add([]byte(day))
	f.Add([]byte("1CClientBankExchange\nКонецФайла"))
	f.Add([]byte(strings.ReplaceAll(day, "\n", "\r\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := payments.ReadStatement(bytes.NewReader(b), payments.Own{})
		if err != nil {
			if _, told := models.PhraseOf(err); !told || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("not told: %v", err)
			}
			return
		}
		for i := range s.Documents {
			d := &s.Documents[i]
			if d.Date.IsZero() || d.Direction == "" || d.Nature == "" {
				t.Fatalf("half a document: %+v", d)
			}
		}
		s.Checksums()
	})
}
