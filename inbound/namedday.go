package inbound

import (
	"strings"
	"time"
)

// day reads a day named by its place: «завтра», «в пятницу», "by Friday", «через 3 дня», «до конца недели». It reports
// false for words that name none.
func (f *finder) day(i int) (next int, ok bool) {
	w := f.at(i)
	if n, ok := nearDay(w); ok {
		f.place(f.shift(n), i, i+1)
		return i + 1, true
	}
	switch w {
	case "через", "спустя", "in", "within":
		return f.after(i)
	case "конца", "концу", "конце", "end", "eow":
		return f.endOf(i)
	case "течение", "следующей", "этой", "next", "this", "начале", "началу":
		if next, ok := f.week(i); ok {
			return next, true
		}
	case "day":
		if f.is(i+1, "after") && f.is(i+2, "tomorrow") {
			f.place(f.shift(2), i, i+3)
			return i + 3, true
		}
	}
	if d, ok := weekdayNumber(w); ok {
		return f.weekday(i, d)
	}
	return f.monthDay(i)
}

// place keeps a day unless it is not known what today is.
func (f *finder) place(day time.Time, from, to int) {
	if !f.today.IsZero() {
		f.found(day, from, to)
	}
}

// due remembers a day for promises only: it is too loose to be a date.
func (f *finder) due(day time.Time, from, to int) {
	if !f.today.IsZero() {
		f.sentence.day(day, from, to)
	}
}

func (f *finder) shift(days int) time.Time { return f.today.AddDate(0, 0, days) }

// nearDay returns how many days from today a word means.
func nearDay(w string) (int, bool) {
	switch w {
	case "сегодня", "today", "tonight":
		return 0, true
	case "завтра", "завтрашнего", "завтрашний", "tomorrow":
		return 1, true
	case "послезавтра":
		return 2, true
	case "вчера", "yesterday":
		return -1, true
	case "позавчера":
		return -2, true
	}
	return 0, false
}

// weekdayNumber returns the day of the week that a folded word names in one of the cases in which a day is set.
func weekdayNumber(w string) (time.Weekday, bool) {
	switch w {
	case "понедельник", "понедельника", "понедельнику", "пн", "monday":
		return time.Monday, true
	case "вторник", "вторника", "вторнику", "вт", "tuesday":
		return time.Tuesday, true
	case "среду", "среды", "среде", "ср", "wednesday":
		return time.Wednesday, true
	case "четверг", "четверга", "четвергу", "чт", "thursday":
		return time.Thursday, true
	case "пятница", "пятницу", "пятницы", "пятнице", "пт", "friday":
		return time.Friday, true
	case "суббота", "субботу", "субботы", "субботе", "сб", "saturday":
		return time.Saturday, true
	case "воскресенье", "воскресенья", "воскресенью", "вс", "sunday":
		return time.Sunday, true
	}
	return 0, false
}

// weekday reads a day of the week: the next one, never today; with «следующую» that of the next week, with «прошлую» or after
// a verb in the past the last one.
func (f *finder) weekday(i int, d time.Weekday) (next int, ok bool) {
	prev := f.at(i - 1)
	from := i
	ahead := (int(d) - int(f.today.Weekday()) + 7) % 7
	if ahead == 0 {
		ahead = 7
	}
	switch {
	case strings.HasPrefix(prev, "прошл"), prev == "last", prev == "минувш":
		from, ahead = i-1, ahead-7
	case strings.HasPrefix(prev, "следующ"), prev == "next":
		from, ahead = i-1, f.nextWeek()+(int(d)+6)%7
	case prev == "в", prev == "во", prev == "до", prev == "к", prev == "ко", prev == "на", prev == "с", strings.HasPrefix(prev, "эт"), strings.HasPrefix(prev, "ближайш"), prev == "on", prev == "by", prev == "this", prev == "until", prev == "till", prev == "before":
		from = i - 1
	case len(f.at(i)) <= 4, strings.HasPrefix(f.at(i), "сред"): // «пт» without a preposition; «среды» may be another word
		return i, false
	}
	if ahead > 0 && ahead <= 7 && from == i-1 && (prev == "в" || prev == "во" || prev == "on") && f.beenDone(i) {
		ahead -= 7
	}
	if f.is(i, "среде") && prev != "к" || f.is(i, "среды") && prev != "до" && prev != "с" {
		return i, false
	}
	f.place(f.shift(ahead), from, i+1)
	return i + 1, true
}

// beenDone reports whether a verb near token i says that something has been done: «в пятницу оплатили».
func (f *finder) beenDone(i int) bool {
	for k := i + 1; k < len(f.tokens) && k < i+8; k++ {
		if f.kind(k) == tokenBreak || f.is(k, ".") || f.is(k, "?") || f.is(k, "!") || f.is(k, ",") {
			break
		}
		if f.kind(k) == tokenWord && pastPaid(f.at(k)) != 0 {
			return true
		}
	}
	return f.sentence.past
}

// nextWeek returns in how many days the next Monday is.
func (f *finder) nextWeek() int { return 7 - (int(f.today.Weekday())+6)%7 }

// after reads «через 3 дня», «через неделю», "in two weeks", «через 5 рабочих дней», «через час».
func (f *finder) after(i int) (next int, ok bool) {
	k, n := i+1, 1
	switch {
	case f.kind(k) == tokenNumber && len(f.at(k)) <= 3:
		n = f.num(k)
		k++
		if f.is(k, "-") && f.kind(k+1) == tokenNumber { // «через 2-3 дня»: by the later one
			n = f.num(k + 1)
			k += 2
		}
	case smallNumber(f.at(k)) > 0:
		n = smallNumber(f.at(k))
		k++
	}
	working := strings.HasPrefix(f.at(k), "рабоч") || f.is(k, "working") || f.is(k, "business")
	if working {
		k++
	}
	w := f.at(k)
	switch {
	case n > 400:
		return i, false
	case strings.HasPrefix(w, "дн"), strings.HasPrefix(w, "ден"), w == "day", w == "days", strings.HasPrefix(w, "сут"):
		if w == "днем" {
			return i, false
		}
		day := f.shift(n)
		if working {
			day = f.workdays(n)
		}
		f.place(day, i, k+1)
	case strings.HasPrefix(w, "недел"), w == "week", w == "weeks":
		f.place(f.shift(7*n), i, k+1)
	case strings.HasPrefix(w, "месяц"), w == "month", w == "months":
		f.place(f.today.AddDate(0, n, 0), i, k+1)
	case strings.HasPrefix(w, "час"), w == "полчаса", strings.HasPrefix(w, "минут"), w == "hour", w == "hours", w == "minutes":
		f.due(f.today, i, k+1)
	default:
		return i, false
	}
	return k + 1, true
}

// workdays returns the day that is n days from Monday to Friday after today. Holidays are not known here.
func (f *finder) workdays(n int) time.Time {
	day := f.today
	for n > 0 {
		day = day.AddDate(0, 0, 1)
		if wd := day.Weekday(); wd != time.Saturday && wd != time.Sunday {
			n--
		}
	}
	return day
}

func smallNumber(w string) int {
	switch w {
	case "один", "одну", "один-два", "a", "an", "one":
		return 1
	case "два", "две", "пару", "two", "couple":
		return 2
	case "три", "three":
		return 3
	case "четыре", "four":
		return 4
	case "пять", "five":
		return 5
	case "шесть", "six":
		return 6
	case "семь", "seven":
		return 7
	case "десять", "ten":
		return 10
	}
	return 0
}

// endOf reads «до конца недели», «в конце месяца», "by the end of the week", «до конца дня».
func (f *finder) endOf(i int) (next int, ok bool) {
	k := i + 1
	for f.is(k, "of") || f.is(k, "the") || f.is(k, "this") || strings.HasPrefix(f.at(k), "эт") || strings.HasPrefix(f.at(k), "текущ") || f.is(k, "рабочего") {
		k++
	}
	w := f.at(k)
	friday := f.shift((int(time.Friday) - int(f.today.Weekday()) + 7) % 7)
	switch {
	case f.is(i, "eow"):
		f.place(friday, i, i+1)
		return i + 1, true
	case w == "недели", w == "week":
		f.place(friday, i, k+1)
	case strings.HasPrefix(w, "следующ") && f.is(k+1, "недели"):
		f.place(f.shift(f.nextWeek()+4), i, k+2)
		k++
	case w == "месяца", w == "month":
		f.place(time.Date(f.today.Year(), f.today.Month()+1, 0, 0, 0, 0, 0, time.UTC), i, k+1)
	case w == "дня", w == "day":
		f.due(f.today, i, k+1)
	case w == "года", w == "year":
		f.place(time.Date(f.today.Year(), time.December, 31, 0, 0, 0, 0, time.UTC), i, k+1)
	default:
		return i, false
	}
	return k + 1, true
}

// week reads periods: «на следующей неделе», «на этой неделе», "next week", «в начале недели», «в течение дня».
func (f *finder) week(i int) (next int, ok bool) {
	w, then := f.at(i), f.at(i+1)
	switch {
	case (w == "следующей" || w == "next") && (then == "неделе" || then == "недели" || then == "week"):
		f.due(f.shift(f.nextWeek()+4), i, i+2)
	case (w == "этой" || w == "this") && (then == "неделе" || then == "week"):
		f.due(f.shift((int(time.Friday)-int(f.today.Weekday())+7)%7), i, i+2)
	case w == "течение" && then == "дня", w == "течение" && then == "часа":
		f.due(f.today, i, i+2)
	case w == "течение" && then == "недели":
		f.due(f.shift(7), i, i+2)
	case w == "течение":
		return f.after(i)
	case strings.HasPrefix(w, "начал") && (then == "недели" || then == "следующей" && f.is(i+2, "недели")):
		f.due(f.shift(f.nextWeek()), i, i+2)
	default:
		return i, false
	}
	return i + 2, true
}
