package deals

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/xuri/excelize/v2"

	"kontrol/models"
)

// Bounds of a table of clients. A workbook is a zip file, which may hold far more than it seems.
const (
	maxRows        = 200_000
	maxColumns     = 300
	maxUnpacked    = 512 << 20 // octets of all parts of a workbook together
	maxUnpackedXML = 16 << 20  // octets of a part above which it is unpacked to disk and not to memory
	maxParts       = 500
	maxRatio       = 200 // how many times larger than packed a part may be
	headerWithin   = 20  // rows among which the titles are looked for
)

// Table is a table of clients that has been opened: its rows, not yet understood. Nothing in it changes.
type Table struct {
	records  []record
	header   int // index of the row of titles
	problems []RowError
}

// OpenTable reads a table: an Excel workbook (XLSX; the sheet with the name, or the first one with rows when it is ""), or a
// CSV as ParseClients describes it. The titles are looked for in the first 20 rows, so that a heading above them does no
// harm. A table that is too large, or packed in a way that only a bomb is, is refused. The second value says what is wrong
// with the file; with a nil Table nothing of it can be read. Formulas are not evaluated: the values stored beside them count.
func OpenTable(r io.Reader, sheet string) (*Table, []RowError) {
	b, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, []RowError{{Text: models.Say("deals.import.unreadable", "Error", err.Error())}}
	}
	if len(b) > maxTable {
		return nil, []RowError{{Text: models.Say("deals.import.too_large", "Megabytes", maxTable>>20)}}
	}
	t := &Table{}
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		var bad *RowError
		if t.records, bad = readWorkbook(b, sheet); bad != nil {
			return nil, []RowError{*bad}
		}
	case bytes.HasPrefix(b, []byte{0xD0, 0xCF, 0x11, 0xE0}):
		return nil, []RowError{{Text: models.Say("deals.import.old_excel")}}
	default:
		text, bad := readText(b)
		if bad != nil {
			return nil, []RowError{*bad}
		}
		t.records, t.problems = splitTable(text)
	}
	t.records = slices.DeleteFunc(t.records, func(r record) bool { return strings.TrimSpace(strings.Join(r.fields, "")) == "" })
	switch {
	case len(t.records) == 0:
		return nil, append(t.problems, RowError{Text: models.Say("deals.import.empty")})
	case len(t.records) > maxRows:
		return nil, []RowError{{Text: models.Say("deals.import.too_many", "Rows", maxRows)}}
	}
	return t, t.problems
}

// readWorkbook reads the cells of one sheet as they are stored, row by row.
func readWorkbook(b []byte, sheet string) ([]record, *RowError) {
	if bad := boundWorkbook(b); bad != nil {
		return nil, bad
	}
	broken := func(err error) *RowError {
		return &RowError{Text: models.Say("deals.import.unreadable", "Error", err.Error())}
	}
	f, err := excelize.OpenReader(bytes.NewReader(b), excelize.Options{
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpackedXML, RawCellValue: true,
	})
	if err != nil {
		return nil, broken(err)
	}
	names := f.GetSheetList()
	if sheet != "" {
		at := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, sheet) })
		if at < 0 {
			return nil, &RowError{Text: models.Say("deals.import.no_sheet", "Sheet", sheet, "Known", names)}
		}
		names = names[at : at+1]
	}
	var records []record
	for _, name := range names {
		if records, err = readSheet(f, name); err != nil || len(records) > 0 {
			break
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, broken(err)
	}
	return records, nil
}

func readSheet(f *excelize.File, name string) (records []record, err error) {
	rows, err := f.Rows(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for line := 1; rows.Next() && len(records) <= maxRows; line++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		cells = cells[:min(len(cells), maxColumns)]
		filled := false
		for i := range cells {
			cells[i] = plainNumber(cells[i])
			filled = filled || cells[i] != ""
		}
		if filled {
			records = append(records, record{line: line, fields: cells})
		}
	}
	return records, rows.Error()
}

// boundWorkbook looks at the list of parts of a workbook before anything is unpacked.
func boundWorkbook(b []byte) *RowError {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return &RowError{Text: models.Say("deals.import.unreadable", "Error", err.Error())}
	}
	total := uint64(0)
	for _, part := range z.File {
		total += part.UncompressedSize64
		large := part.UncompressedSize64 > 1<<20
		if total > maxUnpacked || len(z.File) > maxParts || (large && part.UncompressedSize64/(part.CompressedSize64+1) > maxRatio) {
			return &RowError{Text: models.Say("deals.import.bomb")}
		}
	}
	return nil
}

// exponent is how a workbook may store a long number: 7.707083893E9.
var exponent = regexp.MustCompile(`^\d(\.\d{1,17})?[Ee]\+?\d{1,2}$`)

// plainNumber writes a whole number without exponent, and without the fraction that some programs add to it.
func plainNumber(s string) string {
	if exponent.MatchString(s) {
		if n, ok := new(big.Rat).SetString(s); ok && n.IsInt() {
			return n.Num().String()
		}
	}
	if whole, zeros, ok := strings.Cut(s, "."); ok && len(whole) >= 9 && strings.Trim(whole, "0123456789") == "" && strings.Trim(zeros, "0") == "" {
		return whole
	}
	return s
}

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
func (t *Table) Titles() []string { return t.records[t.header].fields }

// Rows returns how many rows there are below the titles.
func (t *Table) Rows() int { return len(t.records) - t.header - 1 }

// Record returns the cells of the row that begins on a line of the file; nil when there is none.
func (t *Table) Record(line int) []string {
	i, ok := slices.BinarySearchFunc(t.records, line, func(r record, line int) int { return r.line - line })
	if !ok {
		return nil
	}
	return t.records[i].fields
}

// findHeader looks for the row of titles: the first that names the client and something else, or else the first that names
// the client.
func (t *Table) findHeader(named map[string]string) {
	t.header = 0
	found := false
	for i := range min(len(t.records), headerWithin) {
		uses, _, fatal := readHeader(t.records[i].fields, t.records[i].line, named, false)
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

// Parsed is a table of clients that has been understood.
type Parsed struct {
	Clients  []ClientRow
	Problems []RowError
	Columns  []ColumnUse
}

// Clients understands the table; see ParseClients.
func (t *Table) Clients(o ReadOptions) Parsed {
	t.findHeader(o.Named)
	head := t.records[t.header]
	uses, problems, fatal := readHeader(head.fields, head.line, o.Named, o.Keep)
	p := Parsed{Problems: append(slices.Clone(t.problems), problems...)}
	for i, u := range uses {
		p.Columns = append(p.Columns, ColumnUse{Title: head.fields[i], Field: u.kind.field(), Named: u.named})
	}
	if fatal {
		return p
	}
	m := newMerger()
	for _, rec := range t.records[t.header+1:] {
		row, errs := readRow(rec, uses)
		p.Problems = append(p.Problems, errs...)
		if !slices.ContainsFunc(errs, func(e RowError) bool { return !e.Kept }) {
			p.Problems = append(p.Problems, m.add(row)...)
		}
	}
	slices.SortStableFunc(p.Problems, func(a, b RowError) int { return a.Line - b.Line })
	p.Clients = m.clients
	return p
}
