package deals

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"kontrol/models"
)

// maxTable is the largest table of clients that is read, in bytes.
const maxTable = 16 << 20

// maxBroken is how many unclosed quotation marks are reported before reading stops: each may cost a look at all the rest.
const maxBroken = 100

// record is one line of a table and where it begins.
type record struct {
	line   int
	fields []string
}

// readText reads a whole table as UTF-8: a byte order mark decides (UTF-8, UTF-16), else what is not valid UTF-8 is taken
// as windows-1251, which is what spreadsheets here write.
func readText(b []byte) (string, *RowError) {
	decoder := charmap.Windows1251.NewDecoder()
	switch {
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}), bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		decoder = unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()
	case utf8.Valid(b):
		return strings.TrimPrefix(string(b), "\ufeff"), nil
	}
	out, err := decoder.Bytes(b)
	if err != nil {
		return "", &RowError{Text: models.Say("deals.import.unreadable", "Error", err.Error())}
	}
	return strings.TrimPrefix(string(out), "\ufeff"), nil
}

// splitTable cuts the text into records. A quotation mark that is never closed swallows the lines after it: such a record
// is reported and reading goes on at the next line, so that the rows after it are kept.
func splitTable(text string) ([]record, []RowError) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	line := 1
	comma := separator(text)
	if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(strings.ToLower(first), "sep=") {
		text, line = rest, 2 // a line that Excel writes and reads
	}
	var records []record
	var problems []RowError
	for text != "" && len(problems) < maxBroken {
		columns := 0
		if len(records) > 0 {
			columns = len(records[0].fields)
		}
		got, broken := readRecords(text, comma, line, columns)
		records = append(records, got...)
		if broken < 0 {
			break
		}
		value, _, _ := strings.Cut(text[broken:], "\n")
		at := line + strings.Count(text[:broken], "\n")
		problems = append(problems, RowError{Line: at, Value: value, Text: models.Say("deals.import.quote", "Value", firstRunes(value, 60))})
		text, line = strings.TrimPrefix(text[broken+len(value):], "\n"), at+1
	}
	return records, problems
}

// readRecords reads records up to one that looks swallowed, and gives its byte offset, or -1 when there is none. The
// text begins at the given line; columns is the number of columns, 0 before the first record.
func readRecords(text string, comma rune, line, columns int) (records []record, broken int) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
	for {
		from := int(r.InputOffset())
		fields, err := r.Read()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return records, -1
			}
			return records, skipEmpty(text, from)
		}
		to := int(r.InputOffset())
		if swallowed(fields, text[from:to], comma, columns, to == len(text)) {
			return records, skipEmpty(text, from)
		}
		if columns == 0 {
			columns = len(fields)
		}
		at, _ := r.FieldPos(0)
		records = append(records, record{line: line + at - 1, fields: fields})
	}
}

// skipEmpty moves an offset over empty lines, which the reader passes over silently.
func skipEmpty(text string, from int) int {
	for from < len(text) && text[from] == '\n' {
		from++
	}
	return from
}

// swallowed reports whether a field has taken in the rest of its line and lines after it, because its quotation mark was
// not closed. Text on several lines is allowed, so more must speak for it: the mark is never closed at all, or its first
// line alone completes the row and another row seems to follow, or the row has become too long.
func swallowed(fields []string, raw string, comma rune, columns int, last bool) bool {
	for i, f := range fields {
		first, rest, several := strings.Cut(f, "\n")
		switch {
		case !several:
		case last && i == len(fields)-1 && !strings.HasSuffix(strings.TrimRight(raw, "\n \t"), `"`):
			return true
		case columns == 0:
		case len(fields) > columns:
			return true
		case i < columns-1 && strings.Count(first, string(comma)) == columns-1-i &&
			(strings.ContainsRune(rest, comma) || strings.HasPrefix(rest, `"`)):
			return true
		}
	}
	return false
}

// separator finds the character that divides the columns: named by a line "sep=;", else the commonest in the first line.
func separator(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	if len(first) == 5 && strings.EqualFold(first[:4], "sep=") && strings.ContainsAny(first[4:], ";,\t") {
		return rune(first[4])
	}
	best, most := ';', 0
	for _, c := range ";,\t" {
		if n := strings.Count(first, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}
