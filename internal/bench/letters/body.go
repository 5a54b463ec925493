package letters

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

const (
	russianText = `договор поставка оплата срок проект задача встреча сегодня завтра отчёт команда сервер почта письмо ответ вопрос
 сумма рублей заказ доставка склад товар клиент менеджер документ подпись согласование приложение версия ошибка исправление
 график план совещание протокол решение просьба уточнить направляю пожалуйста добрый день коллеги спасибо уважением данные
 система работа время неделя месяц квартал бюджет счёт акт накладная адрес телефон город улица дом офис этаж билет поезд рейс`
	latinText = `contract delivery payment deadline project task meeting today tomorrow report team server mail letter reply question
 amount order shipping warehouse goods client manager document signature approval attachment version error fix test release
 schedule plan minutes decision please clarify sending regards dear colleagues thanks information data system work time week
 month quarter budget invoice act note address phone city street house office floor ticket train flight`
)

var (
	russianWords = strings.Fields(russianText)
	latinWords   = strings.Fields(latinText)
	russianNames = []string{
		"Анна Кузнецова", "Пётр Ильич Соболев", "Мария Лебедева", "Сергей Воронцов", "Отдел закупок", "Бухгалтерия",
		"Ольга Щербакова", "Игорь Ёлкин", "Служба поддержки", "Дмитрий Жуков",
	}
	latinNames = []string{
		"Alice Hartman", "Bob de Vries", "Carol Ng", "David Lindqvist", "Eve O'Connor", "Support Team", "Frank Müller",
		"Grace Kim", "Hosting Robot", "Ivan Petrov",
	}
)

func prose(r *random, russian bool, n int) string {
	list := latinWords
	if russian {
		list = russianWords
	}
	var b strings.Builder
	for b.Len() < n {
		for k := 6 + r.n(8); k > 0; k-- {
			b.WriteString(r.pick(list))
			b.WriteByte(" ,  "[r.n(4)])
		}
		if r.n(4) == 0 {
			b.WriteString("\n\n")
		} else {
			b.WriteString(".\n")
		}
	}
	return b.String()
}

// encode brings text into a charset; what the charset does not have stays UTF-8, as in the wild.
func encode(s, charset string) []byte {
	table := map[string]*charmap.Charmap{"koi8-r": charmap.KOI8R, "windows-1251": charmap.Windows1251}[charset]
	if table != nil {
		if b, err := table.NewEncoder().String(s); err == nil {
			return []byte(b)
		}
	}
	return []byte(s)
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

// word writes a header text as encoded words. See RFC 2047.
func word(r *random, s, charset string) string {
	if isASCII(s) {
		return s
	}
	length, quoted := 18, r.n(3) == 0
	if quoted {
		length = 9
	}
	var out []string
	for runes := []rune(s); len(runes) > 0; {
		k := min(length, len(runes))
		b := encode(string(runes[:k]), charset)
		runes = runes[k:]
		if quoted {
			out = append(out, "=?"+charset+"?Q?"+quotedWord(b)+"?=")
		} else {
			out = append(out, "=?"+charset+"?B?"+base64.StdEncoding.EncodeToString(b)+"?=")
		}
	}
	return strings.Join(out, "\n ")
}

func quotedWord(b []byte) string {
	var e strings.Builder
	for _, c := range b {
		switch {
		case c == ' ':
			e.WriteByte('_')
		case c > 0x20 && c < 0x7f && c != '=' && c != '?' && c != '_':
			e.WriteByte(c)
		default:
			fmt.Fprintf(&e, "=%02X", c)
		}
	}
	return e.String()
}

func base64Lines(b []byte) []byte {
	var o bytes.Buffer
	for len(b) > 0 {
		k := min(57, len(b))
		o.WriteString(base64.StdEncoding.EncodeToString(b[:k]) + "\n")
		b = b[k:]
	}
	return o.Bytes()
}

// body writes the header fields that say what the body is, and the body.
func (d *draft) body() {
	size := max(200, min(int(1650*math.Exp(0.8*d.normal())), 60000))
	text := prose(d.random, d.russian, size)
	kind := d.n100()
	switch {
	case d.broken == wrongType:
		d.printf("Content-Type: ; garbage==\nContent-Transfer-Encoding: x-unknown\n\n%s", text)
	case d.broken == nested:
		d.out.Write(d.nest(text))
	case d.broken == unfinished:
		d.out.Write(d.alternative(text))
	case kind < 55:
		d.out.Write(d.part(text, "plain"))
	case kind < 87:
		d.out.Write(d.alternative(text))
	case kind < 97:
		d.out.Write(d.multi("mixed", d.part(text, "plain"), d.attachment(6000+d.random.n(26000))))
	default:
		d.out.Write(d.multi("mixed", d.alternative(text), d.attachment(150000+d.random.n(100000))))
	}
}

func (d *draft) part(text, subtype string) []byte {
	var o bytes.Buffer
	switch {
	case isASCII(text):
		fmt.Fprintf(&o, "Content-Type: text/%s; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n%s", subtype, text)
	case d.random.n(3) == 0:
		fmt.Fprintf(&o, "Content-Type: text/%s; charset=%s\nContent-Transfer-Encoding: quoted-printable\n\n", subtype, d.charset)
		var q bytes.Buffer
		w := quotedprintable.NewWriter(&q)
		_, _ = w.Write(encode(text, d.charset)) // a buffer refuses nothing
		_ = w.Close()
		o.Write(bytes.ReplaceAll(q.Bytes(), []byte("\r\n"), []byte("\n")))
	default:
		fmt.Fprintf(&o, "Content-Type: text/%s; charset=%s\nContent-Transfer-Encoding: base64\n\n", subtype, d.charset)
		o.Write(base64Lines(encode(text, d.charset)))
	}
	o.WriteByte('\n')
	return o.Bytes()
}

func (d *draft) multi(subtype string, parts ...[]byte) []byte {
	boundary := fmt.Sprintf("=_b%x", d.next()>>24)
	var o bytes.Buffer
	fmt.Fprintf(&o, "Content-Type: multipart/%s; boundary=\"%s\"\n\n", subtype, boundary)
	for _, p := range parts {
		fmt.Fprintf(&o, "--%s\n%s", boundary, p)
	}
	if d.broken != unfinished {
		fmt.Fprintf(&o, "--%s--\n", boundary)
	}
	return o.Bytes()
}

func (d *draft) alternative(text string) []byte {
	return d.multi("alternative", d.part(text, "plain"), d.part(page(text), "html"))
}

func page(text string) string {
	var o strings.Builder
	o.WriteString("<html><head><style>p{margin:0 0 8px 0;font:14px/1.4 Arial,sans-serif;color:#222}</style></head><body><table width=\"600\">\n")
	for p := range strings.SplitSeq(text, "\n") {
		if p != "" {
			o.WriteString("<tr><td style=\"padding:4px\"><p>" + p + "</p></td></tr>\n")
		}
	}
	o.WriteString("</table><img src=\"https://t.example/o.gif\" width=\"1\" height=\"1\"></body></html>\n")
	return o.String()
}

func (d *draft) attachment(size int) []byte {
	name := "report.pdf"
	if d.russian {
		name = word(d.random, "отчёт.pdf", "utf-8")
	}
	var o bytes.Buffer
	fmt.Fprintf(&o, "Content-Type: application/pdf; name=\"%s\"\nContent-Transfer-Encoding: base64\n"+
		"Content-Disposition: attachment; filename=\"%s\"\n\n", name, name)
	lines := size / 57
	from := d.random.n(attachmentLines-lines) * 77
	o.Write(d.m.attachments[from : from+lines*77])
	o.WriteByte('\n')
	return o.Bytes()
}

// nest hides the text below six multiparts and a forwarded letter.
func (d *draft) nest(text string) []byte {
	var inner bytes.Buffer
	fmt.Fprintf(&inner, "Content-Type: message/rfc822\n\nFrom: inner@%s\nSubject: %s\nMIME-Version: 1.0\n",
		d.host(), word(d.random, "Вложенное письмо", "utf-8"))
	inner.Write(d.alternative(text))
	p := inner.Bytes()
	for range 6 {
		p = d.multi("mixed", p)
	}
	return p
}
