package deals

import (
	"slices"
	"strings"

	"kontrol/models"
	"kontrol/names"
)

// ClientRow is one client of an imported table; several lines of the table may have gone into it.
type ClientRow struct {
	Line     int // the first line it was read from, counted from 1
	Name     string
	INN      string // "" when unknown; else valid
	KPP      string
	Domains  []string // corporate domains, normalised
	Manager  string   // as written: a name or an address
	Comment  string
	Contacts []ContactRow

	Lines       []int // all lines that went into it
	Tags        []string
	Temperature models.Temperature
	Fields      []models.ClientField // columns that a person wanted kept: Name and Value
}

// ContactRow is one person of a client. Name is "" for an address or phone without a person.
type ContactRow struct {
	Line     int
	Name     string
	Position string
	Emails   []string // as NormalEmail gives them
	Phones   []string // as NormalPhone gives them
}

// RowError says what is wrong with a line, or with the file when Line is 0.
type RowError struct {
	Line   int
	Column string        // the title of the column at fault; "" when it is none, or several
	Value  string        // the words at fault; "" when something is missing
	Text   models.Phrase // for people; names the words, not the line
	Kept   bool          // only a warning: the line was taken in
}

// rowReader collects one line.
type rowReader struct {
	row     ClientRow
	contact ContactRow
	column  string // the title of the one that is being read
	errs    []RowError
}

func (r *rowReader) wrong(value string, kept bool, text models.Phrase) {
	r.errs = append(r.errs, RowError{Line: r.row.Line, Column: r.column, Value: value, Kept: kept, Text: text})
}

func readRow(rec record, uses []use) (ClientRow, []RowError) {
	r := &rowReader{row: ClientRow{Line: rec.line, Lines: []int{rec.line}}, contact: ContactRow{Line: rec.line}}
	for i, field := range rec.fields {
		value := cellText(field)
		if value == "" {
			continue
		}
		if i >= len(uses) {
			r.wrong(value, false, models.Say("deals.import.extra", "Value", value))
			continue
		}
		r.column = uses[i].title
		r.cell(uses[i], value)
		r.column = ""
	}
	if r.row.Name == "" {
		r.wrong("", false, models.Say("deals.import.no_name"))
	}
	if c := r.contact; c.Name != "" || len(c.Emails) > 0 || len(c.Phones) > 0 {
		r.row.Contacts = []ContactRow{c}
	}
	return r.row, r.errs
}

// cellText is what a cell says, on one line.
func cellText(field string) string { return strings.Join(strings.Fields(field), " ") }

func (r *rowReader) cell(u use, value string) {
	switch u.kind {
	case columnName:
		r.row.Name = value
	case columnINN:
		r.inn(value)
	case columnKPP:
		r.kpp(value)
	case columnEmail:
		r.emails(value)
	case columnPhone:
		r.phones(value)
	case columnContact:
		r.contact.Name = value
	case columnPosition:
		r.contact.Position = value
	case columnDomain:
		r.domains(value)
	case columnManager:
		r.row.Manager = value
	case columnComment:
		r.row.Comment = strings.TrimSpace(r.row.Comment + "\n" + value)
	case columnTag:
		for _, tag := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(",;|", c) }) {
			if tag = strings.TrimSpace(tag); tag != "" {
				r.row.Tags = append(r.row.Tags, tag)
			}
		}
	case columnTemperature:
		t, ok := TemperatureOf(value)
		if !ok {
			r.wrong(value, true, models.Say("deals.import.temperature", "Value", value))
		}
		r.row.Temperature = t
	case columnKeep:
		r.row.Fields = append(r.row.Fields, models.ClientField{Name: u.title, Value: value})
	case columnNone, columnSkip:
	}
}

// TemperatureOf understands a word for how ready a client is to buy, in Russian or English, in any gender.
func TemperatureOf(word string) (models.Temperature, bool) {
	word = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(word)), "ё", "е")
	for t, stem := range map[models.Temperature]string{
		models.TemperatureCold: "холодн", models.TemperatureWarm: "тепл", models.TemperatureHot: "горяч",
	} {
		if word == string(t) || strings.HasPrefix(word, stem) {
			return t, true
		}
	}
	return "", false
}

func (r *rowReader) inn(value string) {
	inn, mended, ok := cellINN(value)
	switch {
	case !ok:
		r.wrong(value, false, models.Say("deals.import.inn", "Value", value))
	case mended:
		r.wrong(value, true, models.Say("deals.import.inn_zero", "Value", value, "Fixed", inn))
	}
	r.row.INN = inn
}

// cellINN reads an INN. A zero that a spreadsheet has taken off its front is put back: then it is mended.
func cellINN(value string) (inn string, mended, ok bool) {
	inn = strings.Trim(strings.ReplaceAll(value, " ", ""), "'`’")
	switch zero := "0" + inn; {
	case ValidINN(inn):
		return inn, false, true
	case ValidINN(zero):
		return zero, true, true
	}
	return "", false, false
}

func (r *rowReader) kpp(value string) {
	kpp := strings.ToUpper(strings.Trim(strings.ReplaceAll(value, " ", ""), "'`’"))
	zero := "0" + kpp
	switch {
	case ValidKPP(kpp):
		r.row.KPP = kpp
	case ValidKPP(zero):
		r.row.KPP = zero
		r.wrong(value, true, models.Say("deals.import.kpp_zero", "Value", value, "Fixed", zero))
	default:
		r.wrong(value, false, models.Say("deals.import.kpp", "Value", value))
	}
}

// emails reads addresses divided by commas, semicolons or blanks. Names beside addresses in angle brackets are passed over.
func (r *rowReader) emails(value string) {
	named := strings.Contains(value, "<")
	for _, word := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(",; |", c) }) {
		if named && !strings.Contains(word, "@") {
			continue
		}
		e, ok := NormalEmail(strings.TrimPrefix(strings.ToLower(word), "mailto:"))
		if !ok {
			r.wrong(word, false, models.Say("deals.import.email", "Value", word))
		} else if !slices.Contains(r.contact.Emails, e) {
			r.contact.Emails = append(r.contact.Emails, e)
		}
	}
}

func (r *rowReader) phones(value string) {
	for _, word := range splitPhones(value) {
		p, ok := NormalPhone(word)
		if !ok {
			r.wrong(word, true, models.Say("deals.import.phone", "Value", word))
		} else if !slices.Contains(r.contact.Phones, p) {
			r.contact.Phones = append(r.contact.Phones, p)
		}
	}
}

// splitPhones divides phones at commas, semicolons and bars, and keeps an extension with its phone.
func splitPhones(value string) []string {
	var out []string
	for _, word := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(",;|", c) }) {
		word = strings.TrimSpace(word)
		if len(out) > 0 && names.PhoneExtension(word) {
			out[len(out)-1] += " " + word
		} else if word != "" {
			out = append(out, word)
		}
	}
	return out
}

func (r *rowReader) domains(value string) {
	for _, word := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(",; |", c) }) {
		d, err := CorporateDomain(hostOf(word), nil)
		if err != nil {
			p, _ := models.PhraseOf(err)
			r.wrong(word, false, p)
		} else if !slices.Contains(r.row.Domains, d) {
			r.row.Domains = append(r.row.Domains, d)
		}
	}
}

// hostOf takes the host out of a web address or a mail address.
func hostOf(s string) string {
	s = strings.ToLower(s)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	s, _, _ = strings.Cut(s, ":")
	return strings.TrimPrefix(s, "www.")
}
