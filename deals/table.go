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
func readText(r io.Reader) (string, *RowError) {
	b, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return "", &RowError{Text: models.Say("deals.import.unreadable", "Error", err.Error())}
	}
	if len(b) > maxTable {
		return "", &RowError{Text: models.Say("deals.import.too_large", "Megabytes", maxTable>>20)}
	}
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
		got, broken, lines := readRecords(text, comma, line)
		records = append(records, got...)
		if broken < 0 {
			break
		}
		value, _, _ := strings.Cut(lines[broken:], "\n")
		at := line + strings.Count(lines[:broken], "\n")
		problems = append(problems, RowError{Line: at, Value: value, Text: models.Say("deals.import.quote", "Value", firstRunes(value, 60))})
		text, line = strings.TrimPrefix(lines[broken+len(value):], "\n"), at+1
	}
	return records, problems
}

// readRecords reads records up to one that looks swallowed, and gives its byte offset, or -1 when there is none.
func readRecords(text string, comma rune, line int) (records []record, broken int, whole string) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
	for {
		from := int(r.InputOffset())
		fields, err := r.Read()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return records, -1, text
			}
			return records, skipEmpty(text, from), text
		}
		if swallowed(fields, comma) {
			return records, skipEmpty(text, from), text
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

// swallowed reports whether a field looks like the rest of its line and the next: several lines with separators in them.
func swallowed(fields []string, comma rune) bool {
	for _, f := range fields {
		first, rest, ok := strings.Cut(f, "\n")
		if ok && strings.ContainsRune(first, comma) && strings.ContainsRune(rest, comma) {
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
