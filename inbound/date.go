package inbound

import (
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

var numericZone = regexp.MustCompile(`:[0-9]{2} [+-][0-9]{4}( |$)`)

// parseDate reads a Date field, and nearly everything that programs write there instead of one: without seconds or zone,
// with dots in the time, ISO 8601, asctime, Russian names. ok is false when no date can be made of it or the year is not
// one of e-mail. The result is in the zone that the field names, UTC when it names none. See RFC 5322 section 3.3.
func parseDate(raw []byte) (at time.Time, ok bool) {
	if len(raw) > 200 {
		raw = raw[:200]
	}
	s := cleanLine(decodeWords(raw, ""), 200)
	if end := strings.LastIndexByte(s, ')'); end >= 0 && strings.IndexByte(s[end:], ':') > 0 { // within the time of day
		s = withoutComments(s)
	}
	if strings.Contains(s, " :") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, " :", ":"), ": ", ":")
	}
	if numericZone.MatchString(s) { // names of zones mean to the standard library what they mean on this machine
		if t, err := mail.ParseDate(s); err == nil && plausible(t) {
			return fixed(t), true
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "02.01.2006 15:04:05",
		"02.01.2006 15:04"} {
		if t, err := time.Parse(layout, s); err == nil && plausible(t) {
			return fixed(t), true
		}
	}
	d := looseDate{zoneAt: -1}
	words := strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || c == ',' || c == '(' || c == ')' })
	for i, w := range words {
		d.word(w, i)
	}
	return d.time()
}

// plausible holds from the year on in which the first two machines of the net spoke with each other.
func plausible(t time.Time) bool { return t.Year() >= 1969 && t.Year() < 2200 }

// fixed returns the same instant in a zone that depends on its offset alone, and not on what this machine knows of zones.
func fixed(t time.Time) time.Time {
	_, offset := t.Zone()
	if offset == 0 {
		return t.UTC()
	}
	return t.In(time.FixedZone("", offset))
}

// looseDate gathers the parts of a date word by word.
type looseDate struct {
	day, year, hour, minute, second int
	month                           time.Month
	hasTime                         bool
	zone                            int // seconds east of UTC
	zoneAt                          int
}

func (d *looseDate) word(w string, i int) {
	w = strings.TrimSuffix(w, ".")
	if m := monthOf(w); m != 0 && d.month == 0 {
		d.month = m
		return
	}
	if !d.hasTime && d.clock(w) {
		return
	}
	if d.hasTime && d.zoneAt < 0 && d.readZone(w) {
		d.zoneAt = i
		return
	}
	if parts := strings.Split(w, "-"); len(parts) == 3 { // 1-Nov-2026
		for _, p := range parts {
			d.word(p, i)
		}
		return
	}
	n, err := strconv.Atoi(w)
	switch {
	case err != nil || n < 0:
	case d.day == 0 && n >= 1 && n <= 31 && len(w) <= 2:
		d.day = n
	case d.year == 0 && (len(w) == 4 || len(w) == 2 || len(w) == 3):
		d.year = fullYear(n, len(w))
	}
}

// fullYear reads years of two and three digits. See RFC 5322 section 4.3.
func fullYear(n, digits int) int {
	switch {
	case digits == 2 && n < 50:
		return 2000 + n
	case digits <= 3:
		return 1900 + n
	}
	return n
}

func (d *looseDate) clock(w string) bool {
	parts := strings.Split(strings.ReplaceAll(w, ".", ":"), ":")
	if len(parts) < 2 || len(parts) > 3 || strings.HasPrefix(w, "+") || strings.HasPrefix(w, "-") {
		return false
	}
	var v [3]int
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return false
		}
		v[i] = n
	}
	if v[0] > 23 || v[1] > 59 || v[2] > 60 {
		return false
	}
	d.hour, d.minute, d.second, d.hasTime = v[0], v[1], v[2], true
	return true
}

func (d *looseDate) readZone(w string) bool {
	u := strings.ToUpper(w)
	if zone, ok := map[string]int{"UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "MSK": 3, "MSD": 4, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
		"MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}[u]; ok {
		d.zone = zone * 3600
		return true
	}
	u = strings.TrimPrefix(strings.TrimPrefix(u, "GMT"), "UTC")
	if len(u) < 2 || u[0] != '+' && u[0] != '-' {
		return false
	}
	digits := strings.ReplaceAll(u[1:], ":", "")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return false
	}
	if len(digits) <= 2 {
		n *= 100
	}
	seconds := n/100*3600 + n%100*60
	if seconds > 15*3600 {
		return true // no such zone: UTC
	}
	if u[0] == '-' {
		seconds = -seconds
	}
	d.zone = seconds
	return true
}

func (d *looseDate) time() (time.Time, bool) {
	if d.day == 0 || d.month == 0 || d.year == 0 {
		return time.Time{}, false
	}
	t := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.FixedZone("", d.zone))
	return fixed(t), plausible(t)
}

// monthOf recognises English and Russian names of months by their first three letters.
func monthOf(w string) time.Month {
	runes := []rune(strings.ToLower(w))
	if len(runes) < 3 {
		return 0
	}
	return map[string]time.Month{
		"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
		"янв": 1, "фев": 2, "мар": 3, "апр": 4, "май": 5, "мая": 5, "июн": 6, "июл": 7, "авг": 8, "сен": 9, "окт": 10, "ноя": 11, "дек": 12,
	}[string(runes[:3])]
}
