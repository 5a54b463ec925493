package inbound

import (
	"strings"
)

// sum reads an amount of money that begins with the number at i: «240 000,00 руб.», «240 т.р.», «1,2 млн», "$1,000".
func (f *finder) sum(i int) (next int, ok bool) {
	from := i
	currency := ""
	if c := currencySign(f.at(i - 1)); c != "" && (f.glued(i) || f.kind(i-1) == tokenWord) {
		currency, from = c, i-1
	}
	if f.glued(i) && currency == "" && (f.kind(i-1) != tokenSign || !strings.ContainsAny(f.at(i-1), "(«\"':=–—~<[-/") || f.glued(i-1) && strings.ContainsAny(f.at(i-1), "-/")) {
		return i, false
	}
	a := f.amount(i)
	if a.next == i {
		return i, false
	}
	unit, k := f.multiplier(a.next, a)
	minor, fits := a.minor(unit)
	after, end := f.currency(k)
	if after != "" {
		currency = after
	}
	named := currency != "" || unit > 1 || f.sumLabel(i) && a.large() && !f.unit(k)
	if !named || !fits || minor == 0 {
		return i, false
	}
	if currency == "" {
		currency = "RUB"
	}
	if currency == "RUB" && f.kind(end) == tokenNumber && len(f.at(end)) == 2 && strings.HasPrefix(f.at(end+1), "коп") {
		minor += int64(f.num(end))
		end += 2
	}
	f.addSum(Sum{Minor: minor, Currency: currency, Text: f.span(from, end)})
	f.sentence.sum = true
	return end, true
}

func (f *finder) addSum(s Sum) {
	if len(f.n.Sums) >= maxNamed {
		return
	}
	for _, x := range f.n.Sums {
		if x.Minor == s.Minor && x.Currency == s.Currency {
			return
		}
	}
	f.n.Sums = append(f.n.Sums, s)
}

// amount is a number as it is written.
type amount struct {
	whole    int64
	fraction string // digits behind the decimal sign
	digits   int
	grouped  bool
	next     int // the token after it
}

// amount reads digits, groups of thousands and a fraction. Three digits behind a comma are thousands: nobody writes
// thousandths of money.
func (f *finder) amount(i int) amount {
	a := amount{next: i}
	first := f.at(i)
	if len(first) > 13 {
		return a
	}
	for k := range len(first) {
		a.whole = a.whole*10 + int64(first[k]-'0')
	}
	a.digits, a.next = len(first), i+1
	for k := i + 1; k < len(f.tokens) && a.digits <= 12 && (len(first) <= 3 || a.grouped); {
		at := k
		if f.kind(k) == tokenSign && f.glued(k) && f.glued(k+1) && strings.ContainsAny(f.at(k), ",.'’") {
			at = k + 1
		} else if f.kind(k) != tokenNumber || f.glued(k) || f.tokens[k].line || f.tokens[k].start-f.tokens[k-1].end > 3 {
			break
		}
		if f.kind(at) != tokenNumber || len(f.at(at)) != 3 || at > k && f.is(k, ",") && a.grouped && f.kind(k-1) == tokenNumber && !f.glued(k-1) {
			break
		}
		a.whole = a.whole*1000 + int64(f.num(at))
		a.digits += 3
		a.grouped = true
		k = at + 1
		a.next = k
	}
	k := a.next
	if k+1 < len(f.tokens) && f.glued(k) && f.glued(k+1) && f.kind(k+1) == tokenNumber && (f.is(k, ",") || f.is(k, ".") || f.is(k, "-") && len(f.at(k+1)) == 2) && len(f.at(k+1)) <= 6 {
		a.fraction = f.at(k + 1)
		a.next = k + 2
	}
	return a
}

// large reports whether an amount without a currency may be one of money.
func (a amount) large() bool { return a.whole >= 1000 || len(a.fraction) == 2 }

// minor returns the amount in hundredths, and whether it is one.
func (a amount) minor(unit int64) (int64, bool) {
	if a.digits > 12 || a.whole > 1e15/unit {
		return 0, false
	}
	v := a.whole * 100 * unit
	scale := 100 * unit
	for k := range len(a.fraction) {
		scale /= 10
		v += int64(a.fraction[k]-'0') * scale
	}
	return v, unit > 1 || len(a.fraction) <= 2
}

// multiplier reads «т», «тыс.», «млн» and the like behind an amount.
func (f *finder) multiplier(k int, a amount) (unit int64, next int) {
	w := f.at(k)
	glued := f.glued(k)
	dot := func(n int) int {
		if f.is(n, ".") && f.glued(n) {
			return n + 1
		}
		return n
	}
	switch {
	case w == "тыс", strings.HasPrefix(w, "тысяч"):
		return 1000, dot(k + 1)
	case w == "тр", w == "тыр":
		return 1000, k // the currency is in it
	case w == "т":
		n := dot(k + 1)
		if f.is(n, "р") || strings.HasPrefix(f.at(n), "руб") || glued && f.thousands(n, a) {
			return 1000, n
		}
	case w == "к", w == "k":
		if glued && !a.grouped && f.thousands(k+1, a) {
			return 1000, k + 1
		}
	case w == "млн", w == "лям", w == "ляма", strings.HasPrefix(w, "миллион"), w == "mln", w == "million":
		if n := dot(k + 1); f.moneyFollows(n) {
			return 1_000_000, n
		}
	case w == "млрд", strings.HasPrefix(w, "миллиард"), w == "bln", w == "billion":
		if n := dot(k + 1); f.moneyFollows(n) {
			return 1_000_000_000, n
		}
	}
	return 1, k
}

// thousands reports whether «т» or «к» glued to a number means thousands of money rather than tonnes or a model: no thing
// that could be weighed follows.
func (f *finder) thousands(next int, a amount) bool {
	return a.fraction == "" && a.whole >= 1 && f.moneyFollows(next) && (f.kind(next) != tokenSign || !f.glued(next) || !f.is(next, "-") && !f.is(next, "/"))
}

// moneyFollows reports whether what stands at k goes with an amount of money: a currency, the end, or a word of another
// kind than the name of a thing.
func (f *finder) moneyFollows(k int) bool {
	if f.kind(k) != tokenWord || f.tokens[k].line {
		return f.kind(k) != tokenNumber || !f.glued(k)
	}
	if c, _ := f.currency(k); c != "" {
		return true
	}
	switch f.at(k) {
	case "и", "или", "за", "по", "на", "с", "без", "в", "до", "от", "если", "при", "мы", "я", "вы", "это", "но", "а", "не", "оплатим", "оплачу", "оплатили", "сегодня", "завтра", "из", "к", "можно", "готовы", "так", "то", "как", "ндс", "максимум", "минимум", "сразу", "предоплата", "аванс", "and", "or", "for", "with", "to", "is", "в/т", "вместе", "включая", "плюс", "минус", "итого", "всего", "нас", "наш", "для", "у", "будет", "было", "уже", "тогда", "который", "которые":
		return true
	}
	return false
}

// currencySign returns the currency that stands before an amount.
func currencySign(s string) string {
	switch s {
	case "$", "usd":
		return "USD"
	case "€", "eur":
		return "EUR"
	case "£", "gbp":
		return "GBP"
	case "₽", "rub", "rur":
		return "RUB"
	case "¥", "cny":
		return "CNY"
	}
	return ""
}

// currency reads the currency at k.
func (f *finder) currency(k int) (code string, next int) {
	w := f.at(k)
	dot := func(n int) int {
		if f.is(n, ".") && f.glued(n) && (n+1 >= len(f.tokens) || !f.glued(n+1)) {
			return n + 1
		}
		return n
	}
	switch {
	case w == "р", w == "руб", w == "рублей", w == "рубля", w == "рубль", w == "рублях", w == "рублям", w == "тр", w == "тыр":
		if w == "р" && (f.is(k+1, "/") || f.glued(k+1) && f.is(k+1, "-")) {
			return "", k
		}
		return "RUB", dot(k + 1)
	case w == "доллар", w == "долларов", w == "доллара", w == "долл", w == "dollars":
		return "USD", dot(k + 1)
	case w == "евро", w == "euro", w == "euros":
		return "EUR", k + 1
	case w == "юаней", w == "юань", w == "юаня", w == "yuan":
		return "CNY", k + 1
	case w == "тенге":
		return "KZT", k + 1
	}
	if c := currencySign(w); c != "" {
		if f.kind(k) == tokenSign && k+1 < len(f.tokens) && f.glued(k+1) && f.kind(k+1) == tokenNumber {
			return "", k // it belongs to the next amount
		}
		return c, k + 1
	}
	return "", k
}

// sumLabel reports whether a word before token i says that an amount of money follows.
func (f *finder) sumLabel(i int) bool {
	for k := i - 1; k >= 0 && k >= i-3; k-- {
		if f.kind(k) == tokenBreak || f.kind(k) == tokenNumber {
			return false
		}
		w := f.at(k)
		for _, p := range [...]string{"сумм", "стоимост", "цен", "итого", "всего", "бюджет", "оплатил", "предоплат", "аванс", "amount", "total", "price", "к оплате", "задолженност", "долг"} {
			if strings.HasPrefix(w, p) {
				return true
			}
		}
	}
	return false
}
