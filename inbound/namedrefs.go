package inbound

import "strings"

// reference reads the number of a document after the word at i: «счёт на оплату № 45/2 от 05.12», «счета 45 и 46». marked asks
// for a sign that it is a number («№», "no."). It returns the token after the word.
func (f *finder) reference(i int, list *[]string, marked bool) int {
	k, mark := f.filler(i + 1)
	for n := 0; n < 10; n++ {
		from, end, ok := f.documentNumber(k)
		if !ok || marked && !mark || !mark && !f.bareNumber(from, end, n > 0) {
			break
		}
		add(list, f.raw[f.tokens[from].start:f.tokens[end-1].end])
		i = end - 1
		k = f.pastDate(end)
		switch f.at(k) {
		case ",", "и", "and", "&", ";":
			k++
		default:
			return i + 1
		}
		var again bool
		if k, again = f.filler(k); !again && len(f.at(k)) < 2 {
			break
		}
		mark = again
	}
	return i + 1
}

// filler passes over what may stand between the name of a document and its number, and reports whether it marks a number.
func (f *finder) filler(k int) (next int, marked bool) {
	for n := 0; n < 6; n++ {
		switch w := f.at(k); w {
		case "на":
			if !f.is(k+1, "оплату") {
				return k, marked
			}
			k++
		case "№", "#", "n", "no", "nr", "номер", "номером", "number", "num":
			marked = true
		case "договор", "договору", "заказ", "заказу", "оферта", "оферту", ":", "под", "за":
		case ".", "-":
			if w == "-" && f.glued(k) && f.kind(k+1) == tokenNumber {
				marked = true
			}
		case "o", "о": // № typed as No with an odd letter
			if !marked {
				return k, marked
			}
		default:
			return k, marked
		}
		if f.kind(k) == tokenBreak {
			return k, marked
		}
		k++
	}
	return k, marked
}

// documentNumber returns the tokens of a number such as 45, А-45/2, 00УТ-000123, and whether there is one at k.
func (f *finder) documentNumber(k int) (from, end int, ok bool) {
	if k >= len(f.tokens) || f.kind(k) == tokenSign || f.kind(k) == tokenBreak {
		return k, k, false
	}
	digits := false
	for end = k; end < len(f.tokens) && end < k+12; end++ {
		if end > k && !f.glued(end) {
			break
		}
		t := f.tokens[end]
		if t.kind == tokenSign {
			c := f.text[t.start]
			if (c != '-' && c != '/' && c != '_') || !f.glued(end+1) || f.kind(end+1) == tokenSign || f.kind(end+1) == tokenBreak {
				break
			}
			continue
		}
		if t.kind == tokenWord && t.end-t.start > 12 {
			return k, k, false
		}
		digits = digits || t.kind == tokenNumber
	}
	if !digits || f.tokens[end-1].end-f.tokens[k].start > 40 || f.kind(k) == tokenNumber && len(f.at(k)) > 15 {
		return k, k, false
	}
	if f.kind(k) == tokenWord && !f.glued(k+1) {
		return k, k, false
	}
	return k, end, true
}

// bareNumber reports whether digits without a mark are the number of a document, and no date, sum, share or count.
func (f *finder) bareNumber(from, end int, more bool) bool {
	if _, ok := f.dateAt(from); ok {
		return false
	}
	if end < len(f.tokens) && f.glued(end) && (f.is(end, ".") || f.is(end, ",")) && f.glued(end+1) && f.kind(end+1) == tokenNumber {
		return false
	}
	if f.kind(from) != tokenNumber {
		return !more || end-from > 1
	}
	if end == from+2 && f.kind(from+1) == tokenWord { // 240т, 5к, 2шт
		return false
	}
	if f.kind(end) == tokenNumber && !f.tokens[end].line && len(f.at(end)) == 3 && len(f.at(from)) <= 3 && end == from+1 {
		return false // groups of thousands
	}
	if len(f.at(from)) > 12 {
		return false
	}
	return !f.unit(end)
}

// unit reports whether what is counted, or a share, stands at k.
func (f *finder) unit(k int) bool {
	switch w := f.at(k); w {
	case "%", "₽", "$", "€", "р", "т", "тр", "тыс", "млн", "млрд", "шт", "штук", "штуки", "кг", "м", "мм", "см", "л", "дн", "день", "дня", "дней", "час", "часа", "часов", "раз", "раза", "ч", "мин", "позиции", "позиций", "rub", "usd", "eur", "units", "days", "pcs", "евро", "x", "х", "процентов", "процента":
		return true
	default:
		return strings.HasPrefix(w, "руб") || strings.HasPrefix(w, "тысяч") || strings.HasPrefix(w, "миллион") || strings.HasPrefix(w, "долл") || strings.HasPrefix(w, "комплект") || strings.HasPrefix(w, "рабоч") || strings.HasPrefix(w, "месяц") || strings.HasPrefix(w, "недел")
	}
}

// pastDate passes over the date of a document: «от 05.12.2026 г.».
func (f *finder) pastDate(k int) int {
	if !f.is(k, "от") && !f.is(k, "dated") && !f.is(k, "of") {
		return k
	}
	if next, ok := f.dateAt(k + 1); ok {
		if f.is(next, "г") || f.is(next, "года") {
			next++
			if f.is(next, ".") {
				next++
			}
		}
		return next
	}
	return k
}

// invoice reads the numbers of invoices. A tax document (счёт-фактура) and an account are none, and «за счёт» is no
// document at all.
func (f *finder) invoice(i int) int {
	w := f.at(i)
	if strings.HasPrefix(w, "сч") {
		k := i + 1
		if f.is(k, "-") || f.is(k, "/") {
			k++
		}
		if strings.HasPrefix(f.at(k), "фактур") || f.is(k, "ф") {
			return k + 1
		}
		for _, p := range [...]string{"расчет", "лицев", "корр", "текущ", "банковск", "ссудн", "депозит", "валютн"} {
			if strings.HasPrefix(f.at(i-1), p) {
				return i + 1
			}
		}
		if prev := f.at(i - 1); w == "счет" && (prev == "за" || prev == "в" || prev == "на") {
			return f.reference(i, &f.n.Invoices, true)
		}
	}
	return f.reference(i, &f.n.Invoices, false)
}

// offer reads the numbers of offers. English words of many meanings need a mark, or a long number.
func (f *finder) offer(i int) int {
	switch w := f.at(i); {
	case w == "кп":
		return f.reference(i, &f.n.Offers, false)
	case strings.HasPrefix(w, "предложени"):
		return f.reference(i, &f.n.Offers, !strings.HasPrefix(f.at(i-1), "коммерч"))
	default:
		k, _ := f.filler(i + 1)
		return f.reference(i, &f.n.Offers, len(f.at(k)) < 3)
	}
}

// bracket reads the number of a deal from a tag in brackets: [С-123], [D1042-k7q2m].
func (f *finder) bracket(i int) int {
	if !f.glued(i+1) || f.kind(i+1) != tokenWord {
		return i + 1
	}
	number := i + 2
	switch f.at(i + 1) {
	case "с", "c":
		if !f.is(i+2, "-") {
			return i + 1
		}
		if number = i + 3; !f.is(i+4, "]") {
			return i + 1
		}
	case "d":
		end := i + 3
		for end < i+14 && f.glued(end) && !f.is(end, "]") {
			end++
		}
		if !f.is(i+3, "-") || !f.is(end, "]") || end < i+5 {
			return i + 1
		}
	default:
		return i + 1
	}
	if f.kind(number) != tokenNumber || len(f.at(number)) > 12 || !f.glued(number) {
		return i + 1
	}
	add(&f.n.Deals, f.at(number))
	return number + 1
}

// deal reads the number of a deal: «сделка № 123».
func (f *finder) deal(i int) int {
	k, marked := f.filler(i + 1)
	if f.kind(k) != tokenNumber || len(f.at(k)) > 12 || !marked && (f.unit(k+1) || !f.bareNumber(k, k+1, false)) || f.glued(k+1) && f.kind(k+1) == tokenWord {
		return i + 1
	}
	add(&f.n.Deals, f.at(k))
	return k + 1
}
