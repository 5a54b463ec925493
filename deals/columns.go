package deals

import (
	"slices"
	"strings"

	"kontrol/models"
	"kontrol/names"
)

// column is what a column of a table of clients holds.
type column int

const (
	columnNone column = iota
	columnName
	columnINN
	columnKPP
	columnEmail
	columnPhone
	columnContact
	columnPosition
	columnDomain
	columnManager
	columnComment
	columnTag
	columnTemperature
	columnSkip // left out without a word
	columnKeep // kept as it is
)

// columnFields are the words by which people name what a column holds, in the order of the columns.
func columnFields() []string {
	return []string{"", "name", "inn", "kpp", "email", "phone", "contact", "position", "domain", "manager", "comment", "tag",
		"temperature", "skip", "keep"}
}

// field is the word for a column, "" when it is left out.
func (c column) field() string { return columnFields()[c] }

// Fields returns the words by which a person says what a column of a table holds: "name", "inn" and so on, "skip" to leave
// it out, "keep" to keep it as it is.
func Fields() []string { return columnFields()[1:] }

// FieldOf understands a person's word for what a column holds: one of Fields, or a title that would be recognised.
func FieldOf(word string) (string, bool) {
	key := foldTitle(word)
	if slices.Contains(Fields(), key) {
		return key, true
	}
	for _, t := range columnTitles() {
		if t.title == key {
			return t.kind.field(), true
		}
	}
	return "", false
}

// FoldTitle folds the title of a column as it is compared: lower case, ё as е, signs as blanks, a number at the end taken off.
func FoldTitle(title string) string { return foldTitle(title) }

// use is what one column is taken for.
type use struct {
	kind  column
	title string
	named bool // by a person
}

// columnTitle is one accepted spelling of a column's title, folded as foldTitle folds.
type columnTitle struct {
	title string
	kind  column
}

// columnTitles are the accepted titles; the first of each kind is the one that is suggested.
func columnTitles() []columnTitle {
	return []columnTitle{
		{"название", columnName}, {"клиент", columnName}, {"компания", columnName}, {"организация", columnName}, {"контрагент", columnName},
		{"наименование", columnName}, {"название компании", columnName}, {"наименование компании", columnName}, {"имя клиента", columnName},
		{"название клиента", columnName}, {"наименование контрагента", columnName}, {"наименование организации", columnName},
		{"name", columnName}, {"client", columnName}, {"company", columnName}, {"company name", columnName}, {"customer", columnName}, {"organization", columnName},
		{"инн", columnINN}, {"инн клиента", columnINN}, {"inn", columnINN}, {"tax id", columnINN},
		{"кпп", columnKPP}, {"kpp", columnKPP},
		{"почта", columnEmail}, {"email", columnEmail}, {"e mail", columnEmail}, {"мейл", columnEmail}, {"мэйл", columnEmail}, {"имейл", columnEmail},
		{"эл почта", columnEmail}, {"электронная почта", columnEmail}, {"адрес почты", columnEmail}, {"адрес электронной почты", columnEmail},
		{"рабочий email", columnEmail}, {"рабочий e mail", columnEmail}, {"mail", columnEmail}, {"email address", columnEmail}, {"emails", columnEmail},
		{"телефон", columnPhone}, {"телефоны", columnPhone}, {"тел", columnPhone}, {"моб", columnPhone}, {"мобильный", columnPhone}, {"моб телефон", columnPhone},
		{"мобильный телефон", columnPhone}, {"рабочий телефон", columnPhone}, {"номер телефона", columnPhone}, {"phone", columnPhone}, {"phones", columnPhone}, {"mobile", columnPhone},
		{"контакт", columnContact}, {"фио", columnContact}, {"контактное лицо", columnContact}, {"контакты", columnContact}, {"имя", columnContact},
		{"лпр", columnContact}, {"фио контакта", columnContact}, {"contact", columnContact}, {"contact name", columnContact}, {"person", columnContact}, {"full name", columnContact},
		{"должность", columnPosition}, {"position", columnPosition}, {"job title", columnPosition}, {"title", columnPosition},
		{"домен", columnDomain}, {"домены", columnDomain}, {"сайт", columnDomain}, {"веб сайт", columnDomain}, {"домен почты", columnDomain},
		{"domain", columnDomain}, {"site", columnDomain}, {"website", columnDomain}, {"web", columnDomain}, {"www", columnDomain}, {"url", columnDomain},
		{"менеджер", columnManager}, {"ответственный", columnManager}, {"ответственный менеджер", columnManager}, {"владелец", columnManager}, {"куратор", columnManager},
		{"manager", columnManager}, {"owner", columnManager}, {"responsible", columnManager},
		{"комментарий", columnComment}, {"примечание", columnComment}, {"заметка", columnComment}, {"заметки", columnComment}, {"описание", columnComment}, {"комментарии", columnComment},
		{"comment", columnComment}, {"comments", columnComment}, {"note", columnComment}, {"notes", columnComment}, {"description", columnComment},
		{"теги", columnTag}, {"тег", columnTag}, {"метки", columnTag}, {"интересы", columnTag}, {"tags", columnTag}, {"tag", columnTag}, {"interests", columnTag},
		{"температура", columnTemperature}, {"теплота", columnTemperature}, {"готовность", columnTemperature}, {"temperature", columnTemperature},
		{"no", columnSkip}, {"no п п", columnSkip}, {"п п", columnSkip}, {"n п п", columnSkip}, {"ошибка", columnSkip}, {"причина отказа", columnSkip}, {"error", columnSkip},
	}
}

// repeatable reports whether several columns of the kind are all read («Телефон 1», «Телефон 2»).
func (c column) repeatable() bool {
	return c == columnEmail || c == columnPhone || c == columnDomain || c == columnComment || c == columnTag || c == columnSkip || c == columnKeep
}

// foldTitle folds a column title: words in lower case, without a number at the end.
func foldTitle(s string) string {
	words := names.Words(s)
	if n := len(words); n > 1 && strings.Trim(words[n-1], "0123456789") == "" {
		words = words[:n-1]
	}
	return strings.Join(words, " ")
}

// readHeader finds out what each column holds; named are the fields that a person has named, by folded title. It reports
// unknown and repeated columns, and as fatal a line that has no name column. With keep unknown columns are kept.
func readHeader(titles []string, line int, named map[string]string, keep bool) (uses []use, problems []RowError, fatal bool) {
	known := columnTitles()
	seen := map[column]bool{}
	for _, t := range titles {
		u := use{title: strings.Join(strings.Fields(t), " ")}
		key := foldTitle(t)
		if field, ok := named[key]; ok {
			u.kind, u.named = column(max(0, slices.Index(columnFields(), field))), true
		} else if at := slices.IndexFunc(known, func(c columnTitle) bool { return c.title == key }); at >= 0 {
			u.kind = known[at].kind
		}
		switch {
		case key == "":
		case u.kind == columnNone && keep:
			u.kind = columnKeep
		case u.kind == columnNone:
			problems = append(problems, unknownColumn(known, t, key, line))
		case seen[u.kind] && !u.kind.repeatable():
			problems = append(problems, RowError{Line: line, Value: t, Kept: true, Text: models.Say("deals.import.repeated_column", "Column", t)})
			u.kind = columnNone
		}
		seen[u.kind] = true
		uses = append(uses, u)
	}
	for _, k := range []column{columnNone, columnSkip, columnKeep} {
		delete(seen, k)
	}
	switch {
	case len(seen) == 0:
		return uses, []RowError{{Line: line, Text: models.Say("deals.import.no_header", "Known", suggestions(known))}}, true
	case !seen[columnName]:
		return uses, append(problems, RowError{Line: line, Text: models.Say("deals.import.no_name_column")}), true
	}
	return uses, problems, false
}

func unknownColumn(known []columnTitle, title, key string, line int) RowError {
	text := models.Say("deals.import.unknown_column", "Column", title)
	if near := nearest(known, key); near != "" {
		text = models.Say("deals.import.nearest_column", "Column", title, "Nearest", near)
	}
	return RowError{Line: line, Value: title, Kept: true, Text: text}
}

// suggestions lists the first title of each kind.
func suggestions(known []columnTitle) []string {
	var out []string
	last := columnNone
	for _, c := range known {
		if c.kind != last && c.kind != columnName && c.kind != columnSkip {
			out = append(out, c.title)
		}
		last = c.kind
	}
	return out
}

// nearest gives the known title with the fewest edits, or "" when none is near: at most a third of the letters.
func nearest(known []columnTitle, key string) string {
	best, at := 1+len([]rune(key))/3, ""
	for _, c := range known {
		if d := edits([]rune(key), []rune(c.title), best); d < best {
			best, at = d, c.title
		}
	}
	return at
}

// edits is the Levenshtein distance of two words, or limit when it is at least that.
func edits(a, b []rune, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}
