package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
)

func TestParseMoney(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"120000": 12000000, "120 000": 12000000, "120 000,50": 12000050, "120 000.5 ₽": 12000050, "120т": 12000000,
		"120 т.р.": 12000000, "120 тыс. руб.": 12000000, "1,5 млн": 150000000, "1.25 млн рублей": 125000000, "0": 0,
		"5р": 500, "12к": 1200000, "1\u00a0234\u00a0567,89\u00a0₽": 123456789, "2М": 200000000, "1,2345т": 123450,
		"92233720368547758,07": math.MaxInt64,
	} {
		if got, err := parseMoney(in); err != nil || got.Minor != want || got.Currency != "RUB" {
			t.Errorf("parseMoney(%q) = %v, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "сто", "-5", "120,000", "1.200.000", "1,2,3", "12,", ",5", "12$", "1e5", "т", "руб",
		"92233720368547758,08", "99999999999 млрд", "1,123456т"} {
		if got, err := parseMoney(in); err == nil {
			t.Errorf("parseMoney(%q) = %v, want an error", in, got)
		}
	}
}

func TestMoneyComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := models.Money{Minor: rapid.Int64Range(0, math.MaxInt64).Draw(t, "minor"), Currency: "RUB"}
		if got, err := parseMoney(showMoney(want)); err != nil || got != want {
			t.Fatalf("%v shown as %q came back as %v, %v", want, showMoney(want), got, err)
		}
	})
}

func TestShowMoney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m    models.Money
		want string
	}{
		{models.Money{Minor: 12000000}, "120 000,00 ₽"}, {models.Money{Minor: 5, Currency: "RUB"}, "0,05 ₽"},
		{models.Money{Minor: -123456, Currency: "USD"}, "−1 234,56 $"}, {models.Money{Minor: 100, Currency: "KZT"}, "1,00 KZT"},
		{models.Money{Minor: math.MinInt64}, "−92 233 720 368 547 758,08 ₽"},
	} {
		if got := showMoney(c.m); got != strings.ReplaceAll(c.want, " ", nbsp) {
			t.Errorf("showMoney(%v) = %q, want %q", c.m, got, c.want)
		}
	}
}

func TestParseDay(t *testing.T) {
	t.Parallel()
	msk := time.FixedZone("MSK", 3*3600)
	now := time.Date(2026, 11, 23, 18, 41, 0, 0, msk)
	day := func(y int, m time.Month, d, hour, minute int) time.Time {
		return time.Date(y, m, d, hour, minute, 0, 0, msk)
	}
	for _, c := range []struct {
		in    string
		ahead bool
		want  time.Time
	}{
		{"30.11.2026", true, day(2026, 11, 30, 0, 0)}, {"1.2.27", true, day(2027, 2, 1, 0, 0)},
		{"30.11.2026 15:30", true, day(2026, 11, 30, 15, 30)}, {"2026-11-30", true, day(2026, 11, 30, 0, 0)},
		{"2026-11-30T09:00", true, day(2026, 11, 30, 9, 0)}, {"Завтра", true, day(2026, 11, 24, 0, 0)},
		{"05.01", true, day(2027, 1, 5, 0, 0)}, {"05.12", false, day(2025, 12, 5, 0, 0)},
		{"23.11", true, day(2026, 11, 23, 0, 0)}, {"23.11", false, day(2026, 11, 23, 0, 0)},
		{"30.11 10:00", true, day(2026, 11, 30, 10, 0)}, {"вчера", false, day(2026, 11, 22, 0, 0)},
	} {
		if got, err := parseDay(c.in, now, c.ahead); err != nil || !got.Equal(c.want) {
			t.Errorf("parseDay(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "31.02.2026", "32.01", "когда-нибудь", "11/30/2026", "30.11.2026 25:00"} {
		if got, err := parseDay(in, now, true); err == nil {
			t.Errorf("parseDay(%q) = %v, want an error", in, got)
		}
	}
	for in, want := range map[string]time.Time{"24ч": now.Add(-24 * time.Hour), "7д": now.AddDate(0, 0, -7), "2н": now.AddDate(0, 0, -14),
		"20.11": day(2026, 11, 20, 0, 0)} {
		if got, err := parseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("parseSince(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"status", "message", "mailbox", "client", "deal", "version"}
	for in, want := range map[string]string{
		"statu": "status", "staus": "status", "mesage": "message", "ыефегы": "status", "сдшуте": "client", "Deal": "deal",
		"vers": "version", "xyz": "", "q": "", "mail": "mailbox",
	} {
		if got := nearest(in, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
	if got := nearest("Gthtujdjhs", []string{"Переговоры", "Отказ"}); got != "Переговоры" {
		t.Errorf("a stage typed in the Latin layout: %q", got)
	}
}
