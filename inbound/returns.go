package inbound

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxAutoReplyText = 4 << 10 // octets of an automatic answer that are looked at for a date
	cueDistance      = 25      // words before a date among which an absence must be spoken of
	backDistance     = 12      // words before a date among which a return must be spoken of
)

// readAutoReply reads an automatic answer.
func (r *reader) readAutoReply() *AutoReply {
	var a AutoReply
	written := r.letter.ArrivedAt
	if r.letter.Date != nil {
		written = r.written
	}
	if day, ok := returnDay(r.letter.Subject+" .\n"+cutUTF8(r.text, maxAutoReplyText), written); ok {
		a.ReturnsOn = &day
	}
	return &a
}

// returnDay finds the day on which whoever wrote the text is back, midnight UTC standing for the date: the day named with
// words of return, or else the one after the last day of the absence («до», «по», "through"). English "until" names the
// day of the return itself. Years and months that are left out are those nearest to written. ok is false when the text
// names no such day.
func returnDay(text string, written time.Time) (day time.Time, ok bool) {
	if written.IsZero() {
		return time.Time{}, false
	}
	t := dayText{words: dayWords(text), written: time.Date(written.Year(), written.Month(), written.Day(), 0, 0, 0, 0, time.UTC)}
	best := 0
	for i := 0; i < len(t.words); i++ {
		d, n, exact := t.dayAt(i)
		if n == 0 {
			continue
		}
		weight := 0
		d, weight = t.meaning(i, n, d)
		if weight > 0 && !exact {
			weight = 1 // a mere day of the week
		}
		if weight > best {
			day, best = d, weight
		}
		i += n - 1
	}
	return day, best > 0
}

// dayText is text in which days are looked for.
type dayText struct {
	words   []dayToken
	written time.Time
}

type dayToken struct {
	s    string // folded, without punctuation around it
	last bool   // a sentence ends with it
}

// dayWords divides text into words. Lines that are quoted, and what follows a line that introduces a quotation, are left
// out. Two days with a dash between them become three words.
func dayWords(text string) []dayToken {
	var out []dayToken
	for _, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, ">") {
			continue
		}
		if strings.HasPrefix(trimmed, "-----") && len(strings.Trim(trimmed, "- ")) > 0 {
			break
		}
		line = strings.NewReplacer("–", "-", "—", "-", "ё", "е", "\u00a0", " ").Replace(strings.ToLower(line))
		for _, w := range strings.Fields(line) {
			end := strings.TrimRight(w, "\"»)’'”")
			bare := strings.TrimFunc(w, func(c rune) bool { return unicode.IsPunct(c) && c != '-' || unicode.IsSymbol(c) })
			if bare == "" {
				if len(out) > 0 && (end == "." || end == "!" || end == "?") {
					out[len(out)-1].last = true
				}
				continue
			}
			if short := strings.TrimSuffix(bare, "г"); short != bare && numericDay(strings.TrimSuffix(short, ".")) {
				bare = strings.TrimSuffix(short, ".")
			}
			last := strings.HasSuffix(end, "!") || strings.HasSuffix(end, "?") || strings.HasSuffix(end, ".") && !abbreviation(bare)
			a, b, dash := strings.Cut(bare, "-")
			if dash && numericDay(a) && numericDay(b) {
				out = append(out, dayToken{a, false}, dayToken{"-", false}, dayToken{b, last})
				continue
			}
			out = append(out, dayToken{bare, last})
		}
	}
	return out
}

// abbreviation reports whether a full stop after the word does not end a sentence.
func abbreviation(w string) bool {
	return digits(w) || numericDay(w) || w == "г" || w == "числа" || len([]rune(w)) <= 2 || monthOf(w) != 0 && len([]rune(w)) <= 4
}

// numericDay recognises 5.12, 05.12.2026, 5/12.
func numericDay(w string) bool {
	parts := strings.FieldsFunc(w, func(c rune) bool { return c == '.' || c == '/' })
	if len(parts) < 2 || len(parts) > 3 || !strings.ContainsAny(w, "./") {
		return false
	}
	for i, p := range parts {
		if !digits(p) || i < 2 && len(p) > 2 || i == 2 && len(p) != 2 && len(p) != 4 {
			return false
		}
	}
	return true
}

// The words by which a day is given its meaning, folded, by their beginnings.
var (
	absenceWords = []string{"отпуск", "отсутств", "командировк", "больнич", "вне офис", "декрет", "недоступ", "отъезд", "каникул", "выходн", "нерабоч", "не работа", "out", "away", "vacation", "holiday", "leave", "absen", "unavailable", "travel", "urlaub", "abwesend", "nicht im", "closed", "не буду", "не будет", "не на месте", "нет на", "нет в", "закрыт"}
	returnWords  = []string{"верну", "возвращ", "возвращен", "выйду", "выхожу", "выхода", "выход на", "первый рабоч", "на связи", "first day", "first working", "reopen", "откро", "буду", "будет", "приступ", "отвечу", "отвечать", "ответит", "свяжу", "смогу", "доступ", "работаю", "back", "return", "available", "reachable", "resume", "respond", "reply", "answer", "office", "again", "wieder", "zurück"}
)

func anyPrefix(w string, list []string) bool {
	for _, p := range list {
		if strings.HasPrefix(w, p) {
			return true
		}
	}
	return false
}

// meaning says which day of return the day at words i…i+n-1 makes, and how surely: 3 named as such, 2 by the end of the
// absence, 0 not at all.
func (t dayText) meaning(i, n int, d time.Time) (time.Time, int) {
	at := i - 1
	for at >= 0 && (weekdayOf(t.words[at].s) >= 0 || slices.Contains([]string{"the", "следующий", "следующую", "next", "this", "числа", "den", "dem"}, t.words[at].s)) {
		at--
	}
	before := ""
	if at >= 0 {
		before = t.words[at].s
	}
	if before == "-" && !t.rangeBefore(at) { // «первый рабочий день - 14 декабря»
		at--
		before = t.word(at)
	}
	inclusive := i+n < len(t.words) && (strings.HasPrefix(t.words[i+n].s, "включ") || strings.HasPrefix(t.words[i+n].s, "inclus"))
	switch before {
	case "до", "по", "through", "thru", "bis", "zum", "to", "-", "and":
		if t.absent(at) && (before != "to" && before != "-" && before != "and" || t.rangeBefore(at)) {
			return d.AddDate(0, 0, 1), 2
		}
		return d, 0
	case "until", "till", "til", "'til":
		if t.returns(at, i) {
			return d, 3
		}
		if !t.absent(at) {
			return d, 0
		}
		if inclusive || t.rangeBefore(at) {
			return d.AddDate(0, 0, 1), 2
		}
		return d, 2
	case "после", "after":
		if t.absent(at) || t.returns(at, i) {
			return d.AddDate(0, 0, 1), 2
		}
		return d, 0
	}
	switch {
	case t.returns(at, i):
		return d, 3
	case t.awayOn(at, i, n):
		return d.AddDate(0, 0, 1), 1
	}
	return d, 0
}

// awayOn reports whether the day at words i…i+n-1 is itself one of absence, and stands for no more than itself: the word
// before it speaks of absence, or it begins a sentence that does.
func (t dayText) awayOn(at, i, n int) bool {
	if next := t.word(i + n); next == "-" || next == "по" || next == "to" || next == "through" {
		return false
	}
	if at >= 0 && !t.words[at].last {
		return t.absence(at) || at > 0 && t.absence(at-1) && (t.words[at].s == "on" || t.words[at].s == "сегодня")
	}
	for k := i + n; k < len(t.words) && k < i+n+4; k++ {
		if t.absence(k) {
			return true
		}
		if t.words[k].last {
			break
		}
	}
	return false
}

// absent reports whether an absence is spoken of before word i, or soon after it in the same sentence.
func (t dayText) absent(i int) bool {
	for k := i; k >= 0 && i-k < cueDistance; k-- {
		if t.absence(k) {
			return true
		}
	}
	for k := i + 1; k < len(t.words) && k-i < backDistance; k++ {
		if t.absence(k) {
			return true
		}
		if t.words[k].last {
			break
		}
	}
	return false
}

// absence reports whether word k begins words for an absence, of which some are two.
func (t dayText) absence(k int) bool {
	w := t.words[k].s
	if k+1 < len(t.words) {
		w += " " + t.words[k+1].s
	}
	return anyPrefix(w, absenceWords)
}

// returns reports whether a return is spoken of shortly before word i in the same sentence, and no absence after that.
func (t dayText) returns(at, i int) bool {
	for k := at; k >= 0 && i-k <= backDistance; k-- {
		if t.words[k].last {
			return false
		}
		w := t.words[k].s
		if k > 0 && t.words[k-1].s == "не" {
			return false
		}
		if k > 0 && t.absence(k) && slices.Contains([]string{"из", "с", "from"}, t.words[k-1].s) {
			continue // «после возвращения из отпуска»
		}
		if anyPrefix(w+" "+t.word(k+1), returnWords) && (w != "office" || k < 3 || !t.absence(max(0, k-3)) && !t.absence(k-2)) {
			return true
		}
		if t.absence(k) {
			return false
		}
	}
	return false
}

// rangeBefore reports whether the few words before word i hold the first day of a range.
func (t dayText) rangeBefore(i int) bool {
	for k := i - 1; k >= 0 && i-k <= 5; k-- {
		if _, n, exact := t.dayAt(k); n > 0 && exact {
			return true
		}
	}
	return false
}

// dayAt reads a day that begins with word i, and says of how many words it consists; 0 when there is none. exact is false
// for a mere day of the week.
func (t dayText) dayAt(i int) (day time.Time, n int, exact bool) {
	w := t.words[i].s
	if at, err := time.Parse(time.DateOnly, w); err == nil && plausible(at) {
		return at, 1, true
	}
	if numericDay(w) {
		d, ok := t.numeric(w)
		return d, one(ok), ok
	}
	if ahead := slices.Index([]string{"", "завтра", "послезавтра"}, w); ahead > 0 {
		return t.written.AddDate(0, 0, ahead), 1, false
	}
	if w == "tomorrow" {
		return t.written.AddDate(0, 0, 1), 1, false
	}
	number := strings.TrimRight(w, "-гоеhtsrnd")
	if m := t.month(i); m != 0 { // December 5, 2026
		if d, ok := dayNumber(t.word(i + 1)); ok {
			year, used := t.year(i + 2)
			at, ok := t.date(year, m, d)
			return at, (2 + used) * one(ok), ok
		}
		return day, 0, false
	}
	if d, ok := dayNumber(number); ok {
		next := i + 1
		if t.word(next) == "of" {
			next++
		}
		if m := t.month(next); m != 0 { // 5 декабря 2026
			year, used := t.year(next + 1)
			at, ok := t.date(year, m, d)
			return at, (next - i + 1 + used) * one(ok), ok
		}
		return day, 0, false
	}
	if wd := weekdayOf(w); wd >= 0 && !t.words[i].last && t.dayFollows(i+1) {
		return day, 0, false // the day itself follows
	} else if wd >= 0 {
		ahead := (wd - int(t.written.Weekday()) + 7) % 7
		if ahead == 0 {
			ahead = 7
		}
		return t.written.AddDate(0, 0, ahead), 1, false
	}
	return day, 0, false
}

func one(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

func (t dayText) dayFollows(i int) bool {
	if i >= len(t.words) || weekdayOf(t.words[i].s) >= 0 {
		return false
	}
	_, n, _ := t.dayAt(i)
	return n > 0
}

func (t dayText) word(i int) string {
	if i < 0 || i >= len(t.words) {
		return ""
	}
	return t.words[i].s
}

// month returns the month that word i names, 0 for none: "may" and «май» only in full.
func (t dayText) month(i int) time.Month {
	w := t.word(i)
	if n := len([]rune(w)); n < 3 || n > 9 {
		return 0
	}
	m := monthOf(w)
	if m == 0 {
		return 0
	}
	full := []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december", "sept",
		"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря",
		"январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь", "сент", "нояб", "февр"}
	if len([]rune(w)) == 3 || slices.Contains(full, w) {
		return m
	}
	return 0
}

// year reads a year at word i, and how many words it takes: «2026 г.» takes two. 0 when there is none.
func (t dayText) year(i int) (year, used int) {
	w := t.word(i)
	if n, err := strconv.Atoi(strings.TrimSuffix(w, "г")); err == nil && n >= 2000 && n < 2100 {
		if s := t.word(i + 1); s == "г" || s == "года" {
			return n, 2
		}
		return n, 1
	}
	return 0, 0
}

func dayNumber(w string) (int, bool) {
	w = strings.TrimRight(w, "-гоеhtsrnd")
	n, err := strconv.Atoi(w)
	return n, err == nil && n >= 1 && n <= 31 && len(w) <= 2
}

// date makes a day of its parts. Without a year it is the first one that is not more than two months before the letter.
func (t dayText) date(year int, m time.Month, day int) (time.Time, bool) {
	guess := year == 0
	if guess {
		year = t.written.Year()
	}
	at := time.Date(year, m, day, 0, 0, 0, 0, time.UTC)
	if guess && at.Before(t.written.AddDate(0, -2, 0)) {
		at = time.Date(year+1, m, day, 0, 0, 0, 0, time.UTC)
	}
	if guess && at.After(t.written.AddDate(0, 10, 0)) {
		at = time.Date(at.Year()-1, m, day, 0, 0, 0, 0, time.UTC)
	}
	return at, at.Day() == day
}

// numeric reads 5.12, 05.12.26 and 5/12/2026. With slashes the month may come first, as Americans write it: then the
// reading counts that is soonest after the letter.
func (t dayText) numeric(w string) (time.Time, bool) {
	parts := strings.FieldsFunc(w, func(c rune) bool { return c == '.' || c == '/' })
	a, _ := strconv.Atoi(parts[0])
	b, _ := strconv.Atoi(parts[1])
	year := 0
	if len(parts) == 3 {
		year, _ = strconv.Atoi(parts[2])
		year = fullYear(year, len(parts[2]))
	}
	var first, second time.Time
	ok, swapped := false, false
	if b >= 1 && b <= 12 && a >= 1 {
		first, ok = t.date(year, time.Month(b), a)
	}
	if strings.Contains(w, "/") && a >= 1 && a <= 12 && b >= 1 {
		second, swapped = t.date(year, time.Month(a), b)
	}
	if swapped && (!ok || !second.Before(t.written) && (second.Before(first) || first.Before(t.written))) {
		return second, true
	}
	return first, ok
}

// weekdayOf recognises names of the days of the week, -1 for anything else. Sunday is 0.
func weekdayOf(w string) int {
	for d, names := range [][]string{{"sunday", "воскресенье", "воскресенья", "вс"}, {"monday", "понедельник", "понедельника", "пн", "montag"}, {"tuesday", "вторник", "вторника", "вт"}, {"wednesday", "среда", "среды", "среду", "ср"},
		{"thursday", "четверг", "четверга", "чт"}, {"friday", "пятница", "пятницы", "пятницу", "пт"}, {"saturday", "суббота", "субботы", "субботу", "сб"}} {
		if slices.Contains(names, w) {
			return d
		}
	}
	return -1
}
