package deals

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"kontrol/models"
)

// workbook is a sheet of an Excel workbook. What of it is large when unpacked lies in files of the system's temporary
// directory until Close; the rows are read from there one by one.
type workbook struct {
	file  *excelize.File
	sheet string
}

// openWorkbook opens one sheet of a workbook: that with the name, or the first one with rows when it is "".
func openWorkbook(in io.ReadSeeker, size int64, sheet string) (*workbook, *RowError) {
	if size > maxWorkbook {
		return nil, &RowError{Text: models.Say("deals.import.too_large", "Megabytes", maxWorkbook>>20)}
	}
	b := make([]byte, size)
	if n, err := readAt(in, b); err != nil || n < len(b) {
		return nil, unreadable(errors.Join(err, io.ErrUnexpectedEOF))
	}
	if bad := boundWorkbook(b); bad != nil {
		return nil, bad
	}
	f, err := excelize.OpenReader(bytes.NewReader(b), excelize.Options{
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpackedXML, RawCellValue: true,
	})
	if err != nil {
		return nil, unreadable(err)
	}
	w := &workbook{file: f}
	bad := w.choose(sheet)
	if bad != nil {
		if err := w.Close(); err != nil {
			return nil, unreadable(err)
		}
		return nil, bad
	}
	return w, nil
}

// choose finds the sheet.
func (w *workbook) choose(sheet string) *RowError {
	names := w.file.GetSheetList()
	if sheet != "" {
		at := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, sheet) })
		if at < 0 {
			return &RowError{Text: models.Say("deals.import.no_sheet", "Sheet", sheet, "Known", names)}
		}
		w.sheet = names[at]
		return nil
	}
	for _, name := range names {
		w.sheet = name
		filled := false
		if _, err := w.each(func(record) bool { filled = true; return false }); err != nil {
			return unreadable(err)
		}
		if filled {
			return nil
		}
	}
	return &RowError{Text: models.Say("deals.import.empty")}
}

// Close removes the temporary files.
func (w *workbook) Close() error {
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close workbook: %w", err)
	}
	return nil
}

// each gives the filled rows of the sheet in order, the cells as they are stored, until f returns false.
func (w *workbook) each(f func(record) bool) (_ []RowError, err error) {
	rows, err := w.file.Rows(w.sheet)
	if err != nil {
		return nil, fmt.Errorf("read sheet: %w", err)
	}
	defer func() {
		if e := rows.Close(); e != nil {
			err = errors.Join(err, fmt.Errorf("close sheet: %w", e))
		}
	}()
	for line := 1; rows.Next(); line++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, fmt.Errorf("read row %d: %w", line, err)
		}
		cells = cells[:min(len(cells), maxColumns)]
		for i := range cells {
			cells[i] = plainNumber(cells[i])
		}
		if rec := (record{line: line, fields: cells}); !rec.blank() && !f(rec) {
			return nil, nil
		}
	}
	if err := rows.Error(); err != nil {
		return nil, fmt.Errorf("read sheet: %w", err)
	}
	return nil, nil
}

// boundWorkbook looks at the list of parts of a workbook before anything is unpacked.
func boundWorkbook(b []byte) *RowError {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return unreadable(err)
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
