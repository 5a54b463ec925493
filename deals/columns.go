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
)

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
	}
}

// repeatable reports whether several columns of the kind are all read («Телефон 1», «Телефон 2»).
func (c column) repeatable() bool {
	return c == columnEmail || c == columnPhone || c == columnDomain || c == columnComment
}

// foldTitle folds a column title: words in lower case, without a number at the end.
func foldTitle(s string) string {
	words := names.Words(s)
	if n := len(words); n > 1 && strings.Trim(words[n-1], "0123456789") == "" {
		words = words[:n-1]
	}
	return strings.Join(words, " ")
}

// readHeader finds out what each column holds. It reports unknown and repeated columns, and as fatal a first line that
// has no name column.
func readHeader(titles []string, line int) (kinds []column, problems []RowError, fatal bool) {
	known := columnTitles()
	seen := map[column]bool{}
	for _, t := range titles {
		kind := columnNone
		key := foldTitle(t)
		if at := slices.IndexFunc(known, func(c columnTitle) bool { return c.title == key }); at >= 0 {
			kind = known[at].kind
		}
		switch {
		case key == "":
		case kind == columnNone:
			problems = append(problems, unknownColumn(known, t, key, line))
		case seen[kind] && !kind.repeatable():
			problems = append(problems, RowError{Line: line, Value: t, Kept: true, Text: models.Say("deals.import.repeated_column", "Column", t)})
			kind = columnNone
		}
		seen[kind] = true
		kinds = append(kinds, kind)
	}
	delete(seen, columnNone)
	switch {
	case len(seen) == 0:
		return nil, []RowError{{Line: line, Text: models.Say("deals.import.no_header", "Known", suggestions(known))}}, true
	case !seen[columnName]:
		return nil, append(problems, RowError{Line: line, Text: models.Say("deals.import.no_name_column")}), true
	}
	return kinds, problems, false
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
		if c.kind != last && c.kind != columnName {
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
