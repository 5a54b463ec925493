package deals

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"kontrol/models"
)

// Bounds of a table of clients. A workbook is a zip file, which may hold far more than it seems.
const (
	maxText        = 256 << 20 // octets of a text
	maxWorkbook    = 64 << 20  // octets of a workbook, packed
	maxRows        = 200_000
	maxColumns     = 300
	maxUnpacked    = 512 << 20 // octets of all parts of a workbook together
	maxUnpackedXML = 1 << 20   // octets of a part above which it is unpacked to disk and not to memory
	maxParts       = 500
	maxRatio       = 200 // how many times larger than packed a part may be
	headerWithin   = 20  // rows among which the titles are looked for
)

// errTooMany ends the reading of a table with more than maxRows rows.
var errTooMany = errors.New("too many rows")

// source gives the rows of a table, as often as asked, and never more than a few of them at once.
type source interface {
	// each calls f with every filled row in order until f returns false. It returns what is wrong with single rows, or an
	// error when the file cannot be read.
	each(f func(record) bool) ([]RowError, error)
	Close() error
}

// Table is a table of clients that has been opened and is read from its file as it is needed. It must be closed. It is not
// safe for use by several goroutines.
type Table struct {
	rows   source
	head   []record // the first filled rows, among which the titles are
	header int      // index in head of the row of titles
}

// OpenTable opens a table: an Excel workbook (XLSX; the sheet with the name, or the first one with rows when it is ""), or
// text whose columns are divided by semicolon, comma, tab or bar, in UTF-8, UTF-16, windows-1251 or another encoding of Russian,
// which is found out from the titles. These are looked for in the first 20 rows, so that a heading above them does no harm;
// they are Russian or English, in any order. A text above 256 MiB, a workbook above 64 MiB, and one that is packed in a way that
// only a bomb is, are refused. The second value says what is wrong with the file; with a nil Table nothing of it can be
// read. Formulas are not evaluated: the values stored beside them count. The caller keeps the input open until Close.
func OpenTable(in io.ReadSeeker, sheet string) (*Table, []RowError) {
	rows, bad := openSource(in, sheet)
	if bad != nil {
		return nil, []RowError{*bad}
	}
	t := &Table{rows: rows}
	problems, err := rows.each(func(r record) bool {
		if !r.blank() {
			t.head = append(t.head, r)
		}
		return len(t.head) < headerWithin
	})
	switch {
	case err != nil:
		problems = []RowError{*unreadable(err)}
	case len(t.head) == 0:
		problems = append(problems, RowError{Text: models.Say("deals.import.empty")})
	default:
		return t, nil
	}
	if err := t.Close(); err != nil {
		problems = append(problems, *unreadable(err))
	}
	return nil, problems
}

func openSource(in io.ReadSeeker, sheet string) (source, *RowError) {
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, unreadable(err)
	}
	magic := make([]byte, 4)
	if _, err := readAt(in, magic); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case bytes.Equal(magic, []byte("PK\x03\x04")):
		w, bad := openWorkbook(in, size, sheet)
		if bad != nil {
			return nil, bad
		}
		return w, nil
	case bytes.Equal(magic, []byte{0xD0, 0xCF, 0x11, 0xE0}):
		return nil, &RowError{Text: models.Say("deals.import.old_excel")}
	case size > maxText:
		return nil, &RowError{Text: models.Say("deals.import.too_large", "Megabytes", maxText>>20)}
	}
	shape, err := guessShape(in)
	if err != nil {
		return nil, unreadable(err)
	}
	return &textTable{in: in, shape: shape}, nil
}

func unreadable(err error) *RowError {
	return &RowError{Text: models.Say("deals.import.unreadable", "Error", err.Error())}
}

// Close removes what a workbook was unpacked to. The input stays open.
func (t *Table) Close() error { return t.rows.Close() }

// HeaderKey names the set of titles of a table, whatever their order: hex SHA-256.
func (t *Table) HeaderKey() string {
	t.findHeader(nil)
	var folded []string
	for _, title := range t.Titles() {
		folded = append(folded, foldTitle(title))
	}
	sort.Strings(folded)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(folded), "\n")))
	return hex.EncodeToString(sum[:])
}

// Titles returns the titles of the columns.
func (t *Table) Titles() []string { return t.head[t.header].fields }

// Rows calls f with the cells of every filled row below the titles and the line of the file at which it begins, in order,
// until f returns an error, which it returns.
func (t *Table) Rows(f func(line int, cells []string) error) error {
	from := t.head[t.header].line
	var stop error
	_, err := t.rows.each(func(r record) bool {
		if r.line > from && !r.blank() {
			stop = f(r.line, r.fields)
		}
		return stop == nil
	})
	return errors.Join(stop, err)
}

// findHeader looks for the row of titles: the first that names the client and something else, or else the first that names
// the client.
func (t *Table) findHeader(named map[string]string) {
	t.header = 0
	found := false
	for i, r := range t.head {
		uses, _, fatal := readHeader(r.fields, r.line, named, false)
		known := 0
		for _, u := range uses {
			if u.kind != columnNone {
				known++
			}
		}
		switch {
		case fatal:
		case known > 1:
			t.header = i
			return
		case !found:
			t.header, found = i, true
		}
	}
}

// ReadOptions say how the columns of a table are understood.
type ReadOptions struct {
	Named map[string]string // the field that a person has named for a title; keys as FoldTitle gives them, values as Fields does
	Keep  bool              // columns that are not known are kept with the client as they are
}

// ColumnUse is what a column was taken for.
type ColumnUse struct {
	Title string
	Field string // as Fields names it; "" when the column is left out
	Named bool   // a person said so
}

// Survey is what is known of a table before its clients are read.
type Survey struct {
	Columns  []ColumnUse
	Rows     int        // filled rows below the titles
	Problems []RowError // with the titles, or with the whole file
	Readable bool       // there are clients to be read

	uses []use
	last *lastLines
}

// Survey looks through the whole table: what its columns hold, how many rows there are, and which of them belong
// together. It keeps a few octets for each row.
func (t *Table) Survey(o ReadOptions) Survey {
	t.findHeader(o.Named)
	head := t.head[t.header]
	uses, problems, fatal := readHeader(head.fields, head.line, o.Named, o.Keep)
	s := Survey{Problems: problems, uses: uses, last: newLastLines()}
	for i, u := range uses {
		s.Columns = append(s.Columns, ColumnUse{Title: head.fields[i], Field: u.kind.field(), Named: u.named})
	}
	if fatal {
		return s
	}
	err := t.Rows(func(line int, cells []string) error {
		s.last.note(line, cells, uses)
		if s.Rows++; s.Rows > maxRows {
			return errTooMany
		}
		return nil
	})
	switch {
	case errors.Is(err, errTooMany):
		s.Problems = append(s.Problems, RowError{Text: models.Say("deals.import.too_many", "Rows", maxRows)})
	case err != nil:
		s.Problems = append(s.Problems, *unreadable(err))
	default:
		s.Readable = true
	}
	return s
}

// Clients understands the table and gives each client once, when the last line that may say something of it has been read.
// A line with a mistake is reported and left out, the others are kept; lines with one INN, or one name where the INN does
// not say otherwise, make one client. done counts the rows that have been read. It never asks what is stored already: that is the
// caller's part. What is in memory at a time is what the table says of clients that are not complete yet, and the
// names, INNs, addresses, domains and phones of the others. It returns what is wrong with single lines, by line; an error is that of
// give, or of reading the file.
func (t *Table) Clients(s Survey, give func(c ClientRow, done int) error) ([]RowError, error) {
	if !s.Readable {
		return nil, nil
	}
	m := newMerger(s.last, s.uses)
	var problems []RowError
	done := 0
	var stop error
	from := t.head[t.header].line
	broken, err := t.rows.each(func(rec record) bool {
		if rec.line <= from || rec.blank() {
			return true
		}
		row, errs := readRow(rec, s.uses)
		problems = append(problems, errs...)
		if !slices.ContainsFunc(errs, func(e RowError) bool { return !e.Kept }) {
			problems = append(problems, m.add(row)...)
		}
		done++
		for _, c := range m.complete(rec.line) {
			if stop = give(c, done); stop != nil {
				return false
			}
		}
		return true
	})
	problems = append(problems, broken...)
	slices.SortStableFunc(problems, func(a, b RowError) int { return a.Line - b.Line })
	if err != nil {
		return problems, fmt.Errorf("read clients: %w", err)
	}
	return problems, stop
}
