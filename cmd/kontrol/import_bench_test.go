package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"kontrol/internal/postgres"
)

// measuredMain is the program that says at its end on stderr how much memory it has had at its peak, in KiB.
func measuredMain() {
	code := execute(context.Background(), os.Args[1:], system())
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		code = 1
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Fprintln(os.Stderr, "peak", strings.Fields(kb)[0])
		}
	}
	os.Exit(code) //nolint:forbidigo // a command of the benchmark ends its process
}

// importRow is a client of the made-up base, as a department exports it.
func importRow(i int) []string {
	nine := fmt.Sprintf("%09d", 770_000_000+i)
	sum := 0
	for k, weight := range []int{2, 4, 10, 3, 5, 9, 4, 6, 8} {
		sum += int(nine[k]-'0') * weight
	}
	return []string{fmt.Sprintf("ООО «Компания %d»", i), nine + strconv.Itoa(sum%11%10), fmt.Sprintf("info@firm%d.example", i),
		fmt.Sprintf("+7495%07d", i), fmt.Sprintf("Иванов Пётр %d", i), fmt.Sprintf("firm%d.example", i), "опт, юг",
		fmt.Sprintf("Звонить после обеда, склад %d", i)}
}

// writeBase writes a base of clients as CSV or as a workbook, by the name's ending.
func writeBase(path string, rows int) error {
	titles := []string{"Название", "ИНН", "Почта", "Телефон", "Контакт", "Сайт", "Теги", "Комментарий"}
	if filepath.Ext(path) == ".csv" {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma = ';'
		err := w.Write(titles)
		for i := 0; i < rows && err == nil; i++ {
			err = w.Write(importRow(i))
		}
		if w.Flush(); err != nil {
			return err
		}
		return os.WriteFile(path, b.Bytes(), 0o600)
	}
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		return err
	}
	for i := -1; i < rows; i++ {
		row := titles
		if i >= 0 {
			row = importRow(i)
		}
		cells := make([]any, len(row))
		for k, cell := range row {
			cells[k] = cell
		}
		if err := w.SetRow(fmt.Sprintf("A%d", i+2), cells); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.SaveAs(path)
}

// BenchmarkImport measures `kontrol client import` as a process of its own: rows a second of the first import and of the same
// file again, and the peak of its memory in MB.
func BenchmarkImport(b *testing.B) {
	for _, base := range []string{"sqlite", "postgres"} {
		for _, file := range []string{"5000.csv", "50000.csv", "5000.xlsx", "50000.xlsx"} {
			b.Run(base+"/"+file, func(b *testing.B) {
				dir := b.TempDir()
				config, err := os.ReadFile("testdata/config.toml")
				if err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "config.toml"), config, 0o600); err != nil {
					b.Fatal(err)
				}
				rows, err := strconv.Atoi(strings.TrimSuffix(file, filepath.Ext(file)))
				if err != nil {
					b.Fatal(err)
				}
				if err := writeBase(filepath.Join(dir, file), rows); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					url := "sqlite:" + filepath.Join(b.TempDir(), "kontrol.db")
					if base == "postgres" {
						url = postgres.Test(b)
					}
					first, firstPeak := runImport(b, dir, file, url)
					again, againPeak := runImport(b, dir, file, url)
					b.ReportMetric(float64(rows)/first.Seconds(), "rows/s")
					b.ReportMetric(float64(rows)/again.Seconds(), "again-rows/s")
					b.ReportMetric(float64(max(firstPeak, againPeak))/1024, "peak-MB")
				}
			})
		}
	}
}

func runImport(b *testing.B, dir, file, url string) (took time.Duration, peak int) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self, "client", "import", file)
	cmd.Args[0] = "measured"
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KONTROL_DATABASE_URL="+url, "KONTROL_IVANOVA=secret")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %s", err, stderr.String())
	}
	took = time.Since(began)
	_, text, _ := strings.Cut(stderr.String(), "peak ")
	peak, err = strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		b.Fatalf("no peak in %q", stderr.String())
	}
	return took, peak
}
