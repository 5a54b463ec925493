package inbound

import (
	"strconv"
	"strings"
	"time"
)

// date reads a calendar date that begins with the number at i, and keeps it.
func (f *finder) date(i int) (next int, ok bool) {
	day, next, ok := f.calendar(i)
	if !ok {
		return i, false
	}
	f.found(day, i, next)
	return next, true
}

// dateAt reports whether a calendar date begins at i, and where it ends.
func (f *finder) dateAt(i int) (next int, ok bool) {
	if f.kind(i) != tokenNumber {
		return i, false
	}
	_, next, ok = f.calendar(i)
	return next, ok
}

// found keeps a date, and remembers it for the promises of the sentence. The zero time is a date that cannot be told.
func (f *finder) found(day time.Time, from, to int) {
	if day.IsZero() {
		return
	}
	f.sentence.day(day, from, to)
	if len(f.n.Dates) >= maxNamed {
		return
	}
	for _, d := range f.n.Dates {
		if d.Day.Equal(day) {
			return
		}
	}
	f.n.Dates = append(f.n.Dates, Date{Day: day, Text: f.span(from, to)})
}

// calendar reads 05.12, 5.12.2026, 05/12/2026, 2026-12-05, «5 декабря 2026 г.», "5 Dec 2026", «15-го», «5 числа».
func (f *finder) calendar(i int) (day time.Time, next int, ok bool) {
	if f.glued(i) && (f.kind(i-1) != tokenSign || !strings.ContainsAny(f.at(i-1), "(«\"':=–—~<[") && !f.period(i) && !f.daysOf(i-2)) {
		return day, i, false
	}
	if len(f.at(i)) == 4 {
		return f.isoDate(i)
	}
	if len(f.at(i)) > 2 {
		return day, i, false
	}
	if f.daysOf(i) {
		year, _ := f.year(i + 4)
		day, ok = f.makeDay(f.num(i), monthNumber(f.at(i+3)), year)
		return day, i + 2, ok
	}
	if f.glued(i+1) && f.glued(i+2) && f.kind(i+1) == tokenSign && f.kind(i+2) == tokenNumber {
		return f.numericDate(i)
	}
	return f.wordDate(i)
}

// period reports whether the hyphen before i divides two dates: 01.12.2026-05.12.2026, 01.12-05.12.
func (f *finder) period(i int) bool {
	return f.is(i-1, "-") && f.kind(i-2) == tokenNumber && f.is(i-3, ".") && f.glued(i-2) && f.is(i+1, ".")
}

// daysOf reports whether two days of one month stand at i: «1-2 декабря», «с 3 по 15 декабря».
func (f *finder) daysOf(i int) bool {
	if f.kind(i+2) != tokenNumber || len(f.at(i)) > 2 || len(f.at(i+2)) > 2 || f.kind(i+3) != tokenWord {
		return false
	}
	switch f.at(i + 1) {
	case "-", "–", "—":
	case "по":
		if !f.is(i-1, "с") && !f.is(i-1, "со") {
			return false
		}
	default:
		return false
	}
	return f.kind(i) == tokenNumber && monthNumber(f.at(i+3)) != 0
}

func (f *finder) isoDate(i int) (day time.Time, next int, ok bool) {
	if !f.is(i+1, "-") && !f.is(i+1, ".") || f.kind(i+2) != tokenNumber || f.at(i+3) != f.at(i+1) || f.kind(i+4) != tokenNumber || !f.glued(i+2) || !f.glued(i+4) || len(f.at(i+4)) != 2 || f.glued(i+5) && f.kind(i+5) == tokenNumber {
		return day, i, false
	}
	day, ok = f.makeDay(f.num(i+4), f.num(i+2), f.num(i))
	return day, i + 5, ok
}

// numericDate reads a date of two or three numbers.
func (f *finder) numericDate(i int) (day time.Time, next int, ok bool) {
	sep := f.at(i + 1)
	if sep != "." && sep != "/" && sep != "-" {
		return day, i, false
	}
	d, m := f.num(i), f.num(i+2)
	if f.at(i+3) == sep && f.glued(i+3) && f.glued(i+4) && f.kind(i+4) == tokenNumber {
		year := f.num(i + 4)
		if n := len(f.at(i + 4)); n != 4 && (n != 2 || sep == "-") || f.glued(i+5) && (f.kind(i+5) == tokenNumber || f.is(i+5, sep) && f.glued(i+6) && f.kind(i+6) == tokenNumber) {
			return day, i, false
		}
		if m > 12 && sep == "/" { // month first
			d, m = m, d
		}
		day, ok = f.makeDay(d, m, year)
		return day, f.pastYear(i + 5), ok
	}
	if sep != "." || len(f.at(i+2)) != 2 || f.decimal(i, i+3) {
		return day, i, false
	}
	day, ok = f.makeDay(d, m, 0)
	return day, i + 3, ok
}

// decimal reports whether two numbers with a dot between them are an amount, a time of day, a version or a part of
// something longer rather than a date.
func (f *finder) decimal(i, next int) bool {
	if f.glued(next) && (f.kind(next) != tokenSign || strings.ContainsAny(f.at(next), "%/x") || f.is(next, "-") && !f.period(next+1) || f.is(next, ".") && f.glued(next+1) || f.is(next, ",") && f.glued(next+1)) {
		return true
	}
	switch f.at(i - 1) {
	case "в", "во", "at", "№", "#", "$", "€", "п", "v", "версия", "ст":
		return true
	}
	return f.unit(next) || f.is(next, "га") || f.is(next, "квт") || f.is(next, "мб") || f.is(next, "гб")
}

// wordDate reads a number and a month, or a number that is said to be of the month.
func (f *finder) wordDate(i int) (day time.Time, next int, ok bool) {
	k, ordinal := i+1, false
	if f.is(k, "-") && f.glued(k) && f.kind(k+1) == tokenWord && f.glued(k+1) {
		k++
	}
	switch f.at(k) {
	case "го", "ого", "му", "е", "ое", "th", "st", "nd", "rd":
		ordinal = f.glued(k)
		k++
	}
	if f.is(k, "of") {
		k++
	}
	if f.is(k, ".") && f.kind(k+1) == tokenWord && monthNumber(f.at(k+1)) != 0 && !f.tokens[k+1].line {
		k++
	}
	if m := monthNumber(f.at(k)); m != 0 && f.kind(k) == tokenWord {
		if f.glued(k) && k == i+1 && f.at(k) == "мая" {
			return day, i, false
		}
		year, next := f.year(k + 1)
		day, ok = f.makeDay(f.num(i), m, year)
		return day, next, ok
	}
	if strings.HasPrefix(f.at(k), "числ") {
		return f.dayOfMonth(f.num(i)), k + 1, true
	}
	if ordinal {
		switch f.at(i - 1) {
		case "до", "к", "на", "с", "by", "until", "till", "before", "the":
			return f.dayOfMonth(f.num(i)), k, true
		}
	}
	return day, i, false
}

// year reads the year behind a month: "2026", «2026 г.», ", 2026".
func (f *finder) year(k int) (year, next int) {
	n := k
	if f.is(n, ".") || f.is(n, ",") {
		n++
	}
	if f.kind(n) == tokenNumber && len(f.at(n)) == 4 && (f.at(n)[:2] == "20" || f.at(n)[:2] == "19") && !f.tokens[n].line {
		return f.num(n), f.pastYear(n + 1)
	}
	return 0, k
}

// pastYear passes over the word for year.
func (f *finder) pastYear(k int) int {
	switch f.at(k) {
	case "г":
		if f.is(k+1, ".") && f.glued(k+1) {
			return k + 2
		}
		return k + 1
	case "года", "году":
		return k + 1
	}
	return k
}

// monthDay reads a month and the number after it: "Dec 5", "December 5th, 2026".
func (f *finder) monthDay(i int) (next int, ok bool) {
	m := monthNumber(f.at(i))
	k := i + 1
	if f.is(k, ".") && f.glued(k) {
		k++
	}
	if m == 0 || f.kind(k) != tokenNumber || f.glued(k) || len(f.at(k)) > 2 || f.tokens[k].line || f.text[f.tokens[i].start] >= 0x80 {
		return i, false
	}
	n := k + 1
	switch f.at(n) {
	case "th", "st", "nd", "rd":
		n++
	}
	year, next := f.year(n)
	if f.glued(n) && f.kind(n) != tokenSign || f.is(n, ":") || year == 0 && f.is(n, ".") && f.glued(n+1) {
		return i, false
	}
	day, ok := f.makeDay(f.num(k), m, year)
	if ok {
		f.found(day, i, next)
	}
	return next, ok
}

// num returns the value of a number of at most nine digits.
func (f *finder) num(i int) int {
	n, err := strconv.Atoi(f.at(i))
	if err != nil || len(f.at(i)) > 9 {
		return 0
	}
	return n
}

// makeDay returns a date. Without a year it is the one nearest to today, from 60 days before to ten months after.
func (f *finder) makeDay(d, m, year int) (time.Time, bool) {
	if m < 1 || m > 12 || d < 1 || d > 31 {
		return time.Time{}, false
	}
	if year > 0 && year < 100 {
		year += 2000
	}
	if year != 0 {
		day := time.Date(year, time.Month(m), d, 0, 0, 0, 0, time.UTC)
		return day, day.Day() == d && year >= 1990 && year < 2100
	}
	if f.today.IsZero() {
		return time.Time{}, d <= 29 || time.Date(2024, time.Month(m), d, 0, 0, 0, 0, time.UTC).Day() == d
	}
	day := time.Date(f.today.Year(), time.Month(m), d, 0, 0, 0, 0, time.UTC)
	const days = 24 * time.Hour
	switch {
	case f.today.Sub(day) > 60*days:
		day = time.Date(f.today.Year()+1, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	case day.Sub(f.today) > 305*days:
		day = time.Date(f.today.Year()-1, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	}
	return day, day.Day() == d
}

// dayOfMonth returns the next day with such a number, today's among them.
func (f *finder) dayOfMonth(d int) time.Time {
	if f.today.IsZero() || d < 1 || d > 31 {
		return time.Time{}
	}
	for month := range 3 {
		day := time.Date(f.today.Year(), f.today.Month()+time.Month(month), d, 0, 0, 0, 0, time.UTC)
		if day.Day() == d && !day.Before(f.today) {
			return day
		}
	}
	return time.Time{}
}

// monthNumber returns the month that a folded word names, in Russian or English, in any case of it; 0 for others.
func monthNumber(w string) int {
	switch w {
	case "января", "январь", "январе", "янв", "january", "jan":
		return 1
	case "февраля", "февраль", "феврале", "фев", "февр", "february", "feb":
		return 2
	case "марта", "март", "марте", "мар", "march", "mar":
		return 3
	case "апреля", "апрель", "апреле", "апр", "april", "apr":
		return 4
	case "мая", "май", "мае", "may":
		return 5
	case "июня", "июнь", "июне", "июн", "june", "jun":
		return 6
	case "июля", "июль", "июле", "июл", "july", "jul":
		return 7
	case "августа", "август", "августе", "авг", "august", "aug":
		return 8
	case "сентября", "сентябрь", "сентябре", "сен", "сент", "september", "sep", "sept":
		return 9
	case "октября", "октябрь", "октябре", "окт", "october", "oct":
		return 10
	case "ноября", "ноябрь", "ноябре", "ноя", "нояб", "november", "nov":
		return 11
	case "декабря", "декабрь", "декабре", "дек", "december", "dec":
		return 12
	}
	return 0
}
