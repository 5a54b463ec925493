package deals_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"kontrol/deals"
	"kontrol/locale"
	"kontrol/names"
)

// table writes clients as text: name|inn|kpp|domains|manager|comment: contact (emails; phones).
func table(rows []deals.ClientRow) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s|%s|%s|%s|%s|%s", r.Name, r.INN, r.KPP, strings.Join(r.Domains, " "), r.Manager, r.Comment)
		for _, c := range r.Contacts {
			fmt.Fprintf(&b, ": %s %s (%s; %s)", c.Name, c.Position, strings.Join(c.Emails, " "), strings.Join(c.Phones, " "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// told writes problems as a person reads them: line, whether the line was kept, text.
func told(t *testing.T, problems []deals.RowError) string {
	t.Helper()
	texts, err := locale.New("ru", nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range problems {
		mark := "!"
		if p.Kept {
			mark = "~"
		}
		s := texts.Say(p.Text)
		if strings.Contains(s, "<no value>") || strings.Contains(s, "deals.") {
			t.Errorf("broken text %q", s)
		}
		fmt.Fprintf(&b, "%d%s %s\n", p.Line, mark, s)
	}
	return b.String()
}

const sound = "Название;ИНН;КПП;E-mail;Телефон;Контактное лицо;Сайт;Ответственный;Примечание\r\n" +
	"ООО «Ромашка»;7707083893;770701001;ivan@romashka.ru, buh@romashka.ru;8 912 345-67-89;Иван Петров;https://www.romashka.ru/about;anna@our.ru;ждёт, звонить утром\r\n" +
	";;;;;;;;\r\n" +
	"ИП Ёлкин;500100732259;;elkin@mail.ru;;;;;\r\n"

const soundTable = "ООО «Ромашка»|7707083893|770701001|romashka.ru|anna@our.ru|ждёт, звонить утром: Иван Петров  (ivan@romashka.ru buh@romashka.ru; +79123456789)\n" +
	"ИП Ёлкин|500100732259||||:   (elkin@mail.ru; )\n"

// parse reads a table at once, the clients by their first line.
func parse(in io.ReadSeeker, o deals.ReadOptions) ([]deals.ClientRow, []deals.RowError) {
	t, problems := deals.OpenTable(in, "")
	if t == nil {
		return nil, problems
	}
	s := t.Survey(o)
	var rows []deals.ClientRow
	more, err := t.Clients(s, func(c deals.ClientRow, _ int) error {
		rows = append(rows, c)
		return nil
	})
	if err = errors.Join(err, t.Close()); err != nil {
		panic(err)
	}
	slices.SortFunc(rows, func(a, b deals.ClientRow) int { return a.Line - b.Line })
	return rows, append(s.Problems, more...)
}

func TestParseClientsEncodings(t *testing.T) {
	t.Parallel()
	cp1251, err := charmap.Windows1251.NewEncoder().String(sound)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(sound)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"UTF-8": sound, "UTF-8 with mark": "\ufeff" + sound, "windows-1251": cp1251, "UTF-16 with mark": utf16,
		"unix lines": strings.ReplaceAll(sound, "\r\n", "\n"), "old mac lines": strings.ReplaceAll(sound, "\r\n", "\r"),
		"tab": strings.ReplaceAll(sound, ";", "\t"), "sep line": "sep=;\r\n" + sound,
		"comma": strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(sound, "ждёт, звонить утром", `"ждёт, звонить утром"`),
			"ivan@romashka.ru, buh", `ivan@romashka.ru buh`), ";", ","),
	} {
		rows, problems := parse(strings.NewReader(text), deals.ReadOptions{})
		if got := table(rows); got != soundTable || len(problems) > 0 {
			t.Errorf("%s: got\n%s%s", name, got, told(t, problems))
		}
	}
}

func TestParseClients(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, rows, told string }{
		"English titles": {
			in:   "Company,INN,Email,Phone 1,Phone 2,Contact,Job Title,Website,Manager,Comment\nRomashka LLC,7707083893,i@romashka.ru,84951234567 доб. 5,+79123456789,Ivan,CEO,romashka.ru,Anna,x\n",
			rows: "Romashka LLC|7707083893||romashka.ru|Anna|x: Ivan CEO (i@romashka.ru; +74951234567 +79123456789)\n"},
		"nearest title": {
			in:   "Название;Тилефон;Цвет глаз;\nРомашка;1;2;\n",
			rows: "Ромашка|||||\n",
			told: "1~ Столбец «Тилефон» не знаем, он пропущен. Может быть, «телефон»?\n1~ Столбец «Цвет глаз» не знаем, он пропущен\n"},
		"repeated title": {in: "Название;Клиент\nРомашка;Лютик\n", rows: "Ромашка|||||\n", told: "1~ Столбец «Клиент» повторяется, взят первый\n"},
		"no titles": {in: "Ромашка;7707083893\n",
			told: "1! В первой строке нет названий столбцов. Нужен хотя бы столбец «название»; ещё можно: инн, кпп, почта, телефон, контакт, должность, домен, менеджер, комментарий, теги, температура\n"},
		"no name column": {in: "ИНН;Почта\n7707083893;a@b.ru\n", told: "1! Нет столбца «название»: по нему узнаём клиента\n"},
		"empty":          {in: "\n\n", told: "0! Файл пуст\n"},
		"every mistake": {
			in: "название;инн;кпп;email;телефон;домен\n" +
				";7707083893;;;;\n" +
				"А;7707083894;;;;\n" +
				"Б;;12;;;\n" +
				"В;;;ivan#b.ru;;\n" +
				"Г;;;;;mail.ru\n" +
				"Д;;;;;com.ru\n" +
				"Е;;;a@b.ru;;;;лишнее\n" +
				"Ж;;;zh@b.ru;12-34;\n" +
				"З;274062111;;;;\n",
			rows: "Ж|||||:   (zh@b.ru; )\nЗ|0274062111||||\n",
			told: "2! Нет названия клиента\n" +
				"3! Неверный ИНН «7707083894»: не сходится контрольная цифра или число цифр (10 у компании, 12 у ИП)\n" +
				"4! Неверный КПП «12»: нужно 9 знаков\n" +
				"5! Неверный адрес почты «ivan#b.ru»\n" +
				"6! mail.ru — общедоступная почта: под этим доменом пишут чужие люди. Укажите адреса контактов вместо домена\n" +
				"7! Под com.ru регистрируют домены разные компании. Укажите домен самого клиента, например romashka.com.ru\n" +
				"8! Лишние столбцы в конце строки: «лишнее». Проверьте разделители и кавычки\n" +
				"9~ Телефон «12-34» не понят, строка взята без него. Укажите его с кодом города или страны\n" +
				"10~ ИНН «274062111» дополнен нулём впереди (его могла убрать таблица): 0274062111\n"},
		"merging": {
			in: "клиент;инн;контакт;email;телефон;комментарий\n" +
				"ООО Ромашка;;Иван;ivan@romashka.ru;;\n" +
				"«Ромашка»;7707083893;Пётр;petr@romashka.ru;;ждёт\n" +
				"Ромашка ООО;7707083893;Иван;;89123456789;\n" +
				"Цветы;7707083893;;;;\n" +
				"Ромашка;7736050003;;other@romashka2.ru;;\n" +
				"Ромашка;;;new@romashka.ru;;\n",
			rows: "ООО Ромашка|7707083893||||ждёт: Иван  (ivan@romashka.ru; +79123456789): Пётр  (petr@romashka.ru; )\n" +
				"Ромашка|7736050003||||:   (other@romashka2.ru; )\n",
			told: "5~ ИНН 7707083893 уже был в строке 2 с названием «ООО Ромашка»: оставлено оно\n" +
				"7! Клиентов с названием «Ромашка» в файле несколько. Укажите ИНН\n"},
		"twins and contradictions": {
			in: "клиент;контакт;email;телефон;домен;комментарий\n" +
				"Ромашка;Иван;ivan@romashka.ru;84951234567;romashka.ru;ждёт\n" +
				"Ромашка;Иван;ivan@romashka.ru;84951234567;romashka.ru;ждёт\n" +
				"Лютик;Пётр;ivan@romashka.ru;;;\n" +
				"Лютик;Пётр;;;romashka.ru;\n" +
				"Ромашка;Пётр;ivan@romashka.ru;;;\n" +
				"Лютик;Пётр;petr@lutik.ru;84951234567;;\n" +
				"Ромашка;;;;;не ждёт\n",
			rows: "Ромашка|||romashka.ru||ждёт: Иван  (ivan@romashka.ru; +74951234567)\nЛютик|||||: Пётр  (petr@lutik.ru; )\n",
			told: "3~ Строка повторяет строку 2 и ничего не добавляет\n" +
				"4! Адрес ivan@romashka.ru уже указан в строке 2 у клиента «Ромашка»\n" +
				"5! Домен romashka.ru уже указан в строке 2 у клиента «Ромашка»\n" +
				"6! Адрес ivan@romashka.ru уже указан в строке 2 у другого контакта этого клиента: Иван\n" +
				"7~ Телефон +74951234567 уже указан в строке 2 у другого контакта, здесь он пропущен\n" +
				"8~ Комментарий: в строке 2 у этого клиента другое значение («ждёт»), оставлено оно, а не «не ждёт»\n"},
		"quotes": {
			in: "название;комментарий;email\n" +
				"ООО \"Ромашка\";\"две\nстроки\";a@romashka.ru\n" +
				"\"Лютик;забыли закрыть;b@lutik.ru\n" +
				"\"ООО \"\"Василёк\"\"\";;c@vasilek.ru\n" +
				"Мак;;d@mak.ru\n",
			rows: "ООО \"Ромашка\"|||||две строки:   (a@romashka.ru; )\nООО \"Василёк\"|||||:   (c@vasilek.ru; )\nМак|||||:   (d@mak.ru; )\n",
			told: "4! Кавычка открыта, но не закрыта: «\"Лютик;забыли закрыть;b@lutik.ru». Закройте её или уберите\n"},
		"quote never closed": {
			in: "название;email\nЛютик;\"b@lutik.ru\nМак;d@mak.ru\n", rows: "Мак|||||:   (d@mak.ru; )\n",
			told: "2! Кавычка открыта, но не закрыта: «Лютик;\"b@lutik.ru». Закройте её или уберите\n"},
		"quote closed by a later row": {
			in: "название;email\nЛютик;\"b@lutik.ru\n\"Мак\";d@mak.ru\n", rows: "Мак|||||:   (d@mak.ru; )\n",
			told: "2! Кавычка открыта, но не закрыта: «Лютик;\"b@lutik.ru». Закройте её или уберите\n"},
		"lines and commas in the last column": {
			in: "name,comment\nРомашка,\"a\nb, c\"\nЛютик,\"d,\ne\"", rows: "Ромашка|||||a b, c\nЛютик|||||d, e\n"},
		"addresses with names": {in: "название;почта\nРомашка;Иван Петров <Ivan@Romashka.ru>; mailto:b@romashka.ru\n",
			told: "2! Лишние столбцы в конце строки: «mailto:b@romashka.ru». Проверьте разделители и кавычки\n"},
		"addresses with names, quoted": {in: "название;почта\nРомашка;\"Иван Петров <Ivan@Romashka.ru>; mailto:b@romashka.ru\"\n",
			rows: "Ромашка|||||:   (ivan@romashka.ru b@romashka.ru; )\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, problems := parse(strings.NewReader(tc.in), deals.ReadOptions{})
			if got := table(rows); got != tc.rows {
				t.Errorf("rows: got\n%swant\n%s", got, tc.rows)
			}
			if got := told(t, problems); got != tc.told {
				t.Errorf("told: got\n%swant\n%s", got, tc.told)
			}
		})
	}
}

type brokenReader struct{ size int64 }

func (brokenReader) Read([]byte) (int, error)         { return 0, os.ErrPermission }
func (b brokenReader) Seek(int64, int) (int64, error) { return b.size, nil }

// largeText is a text that only says how large it is.
type largeText struct{ *strings.Reader }

func (l largeText) Seek(at int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return 300 << 20, nil
	}
	return l.Reader.Seek(at, whence)
}

func TestParseClientsUnreadable(t *testing.T) {
	t.Parallel()
	rows, problems := parse(brokenReader{}, deals.ReadOptions{})
	if len(rows) > 0 || len(problems) != 1 || problems[0].Kept || problems[0].Text.ID != "deals.import.unreadable" {
		t.Errorf("got %v, %v", rows, problems)
	}
	rows, problems = parse(largeText{strings.NewReader("название\n")}, deals.ReadOptions{})
	if len(rows) > 0 || len(problems) != 1 || problems[0].Text.ID != "deals.import.too_large" {
		t.Errorf("got %d rows, %d problems", len(rows), len(problems))
	}
}

// FuzzParseClients checks what must hold for any file: it ends, keeps its promises about rows, and gives every value once.
func FuzzParseClients(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("\xff\xfe\x1d\x04"))
	f.Add([]byte("sep=,\nname,email\n\"a,b\n\"\"\"c\",d@e.ru\n"))
	f.Add([]byte("\xcd\xe0\xe7\xe2\xe0\xed\xe8\xe5;\xcf\xee\xf7\xf2\xe0\n\"x;\n\"y;\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, problems := parse(bytes.NewReader(b), deals.ReadOptions{})
		seen := map[string]bool{}
		once := func(kind, v string) {
			if seen[kind+v] {
				t.Errorf("%s %q twice", kind, v)
			}
			seen[kind+v] = true
		}
		for _, r := range rows {
			if r.Name == "" || r.Line < 2 || r.INN != "" && !deals.ValidINN(r.INN) {
				t.Errorf("row %+v", r)
			}
			if r.INN != "" {
				once("inn", r.INN)
			}
			for _, d := range r.Domains {
				once("domain", d)
				if deals.FreeMail(d) {
					t.Errorf("free mail %q", d)
				}
			}
			for _, c := range r.Contacts {
				for _, e := range slices.Concat(c.Emails, c.Phones) {
					once("point", e)
				}
			}
		}
		for _, p := range problems {
			if p.Text.IsZero() || p.Line < 0 {
				t.Errorf("problem %+v", p)
			}
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{`ООО "Ромашка"`, "Ромашка.РФ", "8 (912) 345-67-89 доб. 1", "a+b@c.ru", "xn--", "о.о.о.", "https://x.ru:80/?q"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if k := names.Key(s); names.Key(k) != k {
			t.Errorf("name key of %q is not stable", s)
		}
		if d, ok := deals.NormalDomain(s); ok {
			if again, ok := deals.NormalDomain(d); !ok || again != d {
				t.Errorf("domain %q becomes %q", d, again)
			}
		}
		if e, ok := deals.NormalEmail(s); ok {
			if again, ok := deals.NormalEmail(e); !ok || again != e {
				t.Errorf("address %q becomes %q", e, again)
			}
		}
		if p, ok := deals.NormalPhone(s); ok {
			if again, ok := deals.NormalPhone(p); !ok || again != p {
				t.Errorf("phone %q becomes %q", p, again)
			}
		}
		deals.FreeMail(s)
	})
}
