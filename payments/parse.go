package payments

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
)

// MaxStatement bounds how much of a file is read; a year of a busy company stays far below.
const MaxStatement = 256 << 20

// Own names the accounts and taxpayer numbers of our company. The zero Own knows only what a file itself says.
type Own struct {
	Accounts []string
	INNs     []string
}

// ReadStatement reads a file of the 1C exchange (kl_to_1c.txt). The accounts the file was made for count as ours, besides
// those in own.
//
// A file that is of another kind, ends before «КонецФайла», has a section that is not closed, or a document whose sum or
// date cannot be read is refused as a whole with a *models.Told that names the line; nothing of it may be used then. What
// is only odd stands in the Problems of the statement and its documents. An error of in is returned wrapped.
func ReadStatement(in io.Reader, own Own) (*Statement, error) {
	octets, err := io.ReadAll(io.LimitReader(in, MaxStatement+1))
	if err != nil {
		return nil, fmt.Errorf("read statement: %w", err)
	}
	if len(octets) > MaxStatement {
		return nil, refused("payments.error.too_large", 0, "Limit", MaxStatement>>20)
	}
	text, charset := decode(octets)
	r := statementReader{lines: lines{rest: text}, s: Statement{Charset: charset}}
	if err := r.read(); err != nil {
		return nil, err
	}
	r.s.settle(own)
	return &r.s, nil
}

// refused makes the error for a file that is not taken.
func refused(id string, line int, pairs ...any) error {
	phrase := models.Say(id, append(pairs, "Line", line)...)
	return &models.Told{Phrase: phrase, Err: fmt.Errorf("statement refused: %s at line %d", id, line)}
}

// lines gives the lines of a text one by one.
type lines struct {
	rest string
	n    int
}

func (l *lines) next() (line string, more bool) {
	for l.rest != "" {
		l.n++
		i := strings.IndexAny(l.rest, "\r\n")
		if i < 0 {
			line, l.rest = l.rest, ""
		} else {
			skip := i + 1
			if strings.HasPrefix(l.rest[i:], "\r\n") {
				skip++
			}
			line, l.rest = l.rest[:i], l.rest[skip:]
		}
		if line = strings.TrimSpace(strings.ReplaceAll(line, "\x00", "")); line != "" {
			return line, true
		}
	}
	return "", false
}

const signature = "1CClientBankExchange"

// LooksLikeStatement reports whether a file that begins so says itself that it is one of the 1C exchange.
func LooksLikeStatement(start []byte) bool {
	text, _ := decode(start)
	first, _ := (&lines{rest: text}).next()
	return strings.EqualFold(first, signature)
}

type statementReader struct {
	lines
	s       Statement
	foreign int // lines that say nothing known
	first   int // the first of them
}

// read goes through the file.
func (r *statementReader) read() error {
	if line, _ := r.next(); !strings.EqualFold(line, signature) {
		return refused("payments.error.not_statement", r.n)
	}
	ended := false
	for {
		line, more := r.next()
		if !more {
			break
		}
		key, value, pair := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case strings.EqualFold(line, signature) && ended: // files put one after the other
			ended = false
		case ended:
			r.strange()
		case key == "КонецФайла":
			ended = true
		case key == "СекцияРасчСчет":
			if err := r.account(); err != nil {
				return err
			}
		case key == "СекцияДокумент":
			if err := r.document(value); err != nil {
				return err
			}
		case pair:
			r.header(key, value)
		default:
			r.strange()
		}
	}
	if !ended {
		return refused("payments.error.truncated", r.n)
	}
	if r.foreign > 0 {
		r.s.Problems = append(r.s.Problems, models.Say("payments.problem.foreign", "Count", r.foreign, "Line", r.first))
	}
	return nil
}

func (r *statementReader) strange() {
	if r.foreign++; r.foreign == 1 {
		r.first = r.n
	}
}

// header takes a line outside the sections. Keys that say nothing about money are passed over.
func (r *statementReader) header(key, value string) {
	switch key {
	case "ВерсияФормата":
		r.s.Version = strings.ReplaceAll(value, ",", ".")
	case "Отправитель":
		r.s.Sender = value
	case "РасчСчет":
		r.s.ours(value)
	case "ДатаНачала", "ДатаКонца":
		day, err := parseDay(value)
		if err != nil {
			r.s.Problems = append(r.s.Problems, models.Say("payments.problem.date", "Key", key, "Value", value, "Line", r.n))
			return
		}
		if key == "ДатаНачала" {
			r.s.From = day
		} else {
			r.s.To = day
		}
	}
}

// ours notes an account the file was made for.
func (s *Statement) ours(account string) {
	if account = bare(account); account != "" && !slices.Contains(s.Own, account) {
		s.Own = append(s.Own, account)
	}
}

// bare takes spaces and signs out of a number.
func bare(number string) string {
	return strings.NewReplacer(" ", "", "\u00a0", "", ".", "", "-", "").Replace(number)
}

// account reads «СекцияРасчСчет» up to its end.
func (r *statementReader) account() error {
	a := AccountPeriod{Line: r.n}
	for {
		line, more := r.next()
		key, value, pair := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !more || strings.HasPrefix(key, "Секция") || key == "КонецФайла":
			return refused("payments.error.open_account", a.Line, "End", r.n)
		case key == "КонецРасчСчет":
			r.s.ours(a.Account)
			r.s.Accounts = append(r.s.Accounts, a)
			return nil
		case !pair:
			r.strange()
			continue
		}
		if err := a.set(key, value); err != nil {
			r.s.Problems = append(r.s.Problems, models.Say("payments.problem.account", "Key", key, "Value", value, "Line", r.n))
		}
	}
}

// set takes one line of the section.
func (a *AccountPeriod) set(key, value string) (err error) {
	sum := func(to **models.Money) {
		if value == "" {
			return
		}
		var m models.Money
		if m, err = parseSum(value); err == nil {
			*to = &m
		}
	}
	switch key {
	case "РасчСчет":
		a.Account = bare(value)
	case "ДатаНачала":
		a.From, err = parseDay(value)
	case "ДатаКонца":
		if value != "" {
			a.To, err = parseDay(value)
		}
	case "НачальныйОстаток":
		sum(&a.Opening)
	case "КонечныйОстаток":
		sum(&a.Closing)
	case "ВсегоПоступило":
		sum(&a.Credited)
	case "ВсегоСписано":
		sum(&a.Debited)
	}
	return err
}

// document reads «СекцияДокумент» up to its end.
func (r *statementReader) document(kind string) error {
	fields := documentFields{line: r.n, kind: kind, values: make(map[string]string, 40)}
	last := ""
	for {
		line, more := r.next()
		key, value, pair := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		purpose := strings.HasPrefix(last, "НазначениеПлатежа")
		switch {
		case !more || strings.HasPrefix(key, "Секция") || key == "КонецФайла":
			return refused("payments.error.open_document", fields.line, "End", r.n)
		case key == "КонецДокумента":
			d, err := fields.document()
			if err != nil {
				return err
			}
			r.s.Documents = append(r.s.Documents, d)
			return nil
		case !pair && purpose: // words that the bank broke into lines
			fields.values[last] += " " + line
		case pair && purpose && !plainKey(key):
			fields.values[last] += " " + line
		case !pair:
			r.strange()
		default:
			last = key
			if fields.values[key] == "" {
				fields.values[key] = value
			}
		}
	}
}

// plainKey reports whether key can be the name of a field: one word of letters and digits.
func plainKey(key string) bool {
	return key != "" && !strings.ContainsAny(key, " \t.,;:()№\"«»")
}

// documentFields are the lines of a document before they are understood.
type documentFields struct {
	line   int
	kind   string
	values map[string]string
}

func (f documentFields) document() (Document, error) {
	d := Document{Line: f.line, Kind: f.kind, Number: f.values["Номер"]}
	var err error
	if d.Amount, err = parseSum(f.values["Сумма"]); err != nil {
		return d, refused("payments.error.sum", f.line, "Number", d.Number, "Value", f.values["Сумма"])
	}
	for key, to := range map[string]*time.Time{"Дата": &d.Date, "ДатаПоступило": &d.CreditedOn, "ДатаСписано": &d.DebitedOn} {
		value := f.values[key]
		if strings.Trim(value, " .0-/") == "" {
			continue
		}
		if *to, err = parseDay(value); err != nil {
			return d, refused("payments.error.date", f.line, "Number", d.Number, "Key", key, "Value", value)
		}
	}
	if d.Date.IsZero() {
		d.Date = d.BookedOn()
	}
	if d.Date.IsZero() {
		return d, refused("payments.error.no_date", f.line, "Number", d.Number)
	}
	d.Payer, d.Payee = f.party("Плательщик"), f.party("Получатель")
	d.Purpose = f.purpose()
	return d, nil
}

// party reads the fields of one side.
func (f documentFields) party(side string) Party {
	get := func(key string) string { return f.values[side+key] }
	p := Party{INN: bare(get("ИНН")), KPP: get("КПП"), BIC: bare(get("БИК")), Bank: get("Банк1")}
	for _, account := range []string{bare(get("Счет")), bare(get("РасчСчет"))} {
		if account != "" && !slices.Contains(p.accounts, account) {
			p.accounts = append(p.accounts, account)
			p.Account = p.accounts[0]
		}
	}
	for _, written := range []string{get("1"), get("")} {
		name, inn := partyName(written)
		if p.Name == "" {
			p.Name = name
		}
		if strings.Trim(p.INN, "0") == "" {
			p.INN = inn
		}
	}
	if p.KPP == "0" {
		p.KPP = ""
	}
	return p
}

// purpose joins the words of the payment: the field without a number holds them whole; where it is missing, or holds only
// the first part, the numbered ones are put together.
func (f documentFields) purpose() string {
	var parts []string
	for i := 1; i <= 6; i++ {
		if part := f.values["НазначениеПлатежа"+strconv.Itoa(i)]; part != "" {
			parts = append(parts, part)
		}
	}
	whole, joined := f.values["НазначениеПлатежа"], strings.Join(parts, " ")
	if len(joined) > len(whole) && strings.HasPrefix(joined, whole) {
		whole = joined
	}
	return strings.Join(strings.Fields(whole), " ")
}
