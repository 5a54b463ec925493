package inbound

import (
	"strings"

	"golang.org/x/net/idna"

	"kontrol/names"
)

// taxNumber reads the numbers after the label INN or KPP at i: «ИНН/КПП 7707083893/770701001», "ИНН: 7707 083 893".
func (f *finder) taxNumber(i int) int {
	words := 0
	for k := i + 1; k < len(f.tokens) && k <= i+12; k++ {
		switch f.kind(k) {
		case tokenBreak:
			return i + 1
		case tokenWord:
			if w := f.at(k); w != "инн" && w != "кпп" && w != "inn" && w != "kpp" {
				if words++; words > 3 || w == "огрн" || w == "р" || w == "тел" {
					return i + 1
				}
			}
		case tokenNumber:
			return f.taxDigits(k)
		}
	}
	return i + 1
}

// taxDigits reads an INN, a KPP, or both divided by a sign, from the number at k on.
func (f *finder) taxDigits(k int) int {
	digits := f.at(k)
	end := k + 1
	for len(digits) < 12 && f.kind(end) == tokenNumber && !f.glued(end) && !f.tokens[end].line && !names.ValidINN(digits) && !names.ValidKPP(digits) {
		digits += f.at(end)
		end++
	}
	kpp := digits
	if len(digits) == 4 && f.glued(end) && f.kind(end) == tokenWord && f.kind(end+1) == tokenNumber { // letters stand in the middle of some
		kpp = strings.ToUpper(f.at(k) + f.at(end) + f.at(end+1))
	}
	switch {
	case names.ValidINN(digits):
		add(&f.n.INN, digits)
	case names.ValidKPP(kpp):
		add(&f.n.KPP, kpp)
		return end
	default:
		return k // it may be something else
	}
	if n := end; f.kind(n) == tokenSign && f.kind(n+1) == tokenNumber && names.ValidKPP(f.at(n+1)) && strings.ContainsAny(f.at(n), "/\\,;-|") {
		add(&f.n.KPP, f.at(n+1))
		return n + 2
	}
	return end
}

// phone reads a phone number that begins at i: with a plus sign, with 8 or 7 and ten more digits, with the code of a city in
// brackets, or after a label.
func (f *finder) phone(i int) (next int, ok bool) {
	at := int(f.tokens[i].start)
	c := f.text[at]
	labelled := false
	switch {
	case f.glued(i) && (f.kind(i-1) != tokenSign || strings.ContainsAny(f.at(i-1), "-/.,№#$€@_=+")):
		return i, false
	case c == '+':
	case c == '(' && f.kind(i+1) == tokenNumber && f.is(i+2, ")"):
	case c == '8' || c == '7':
		labelled = f.phoneLabel(i)
	case digit(c) && f.phoneLabel(i):
		labelled = true
	default:
		return i, false
	}
	if f.accountLabel(i) {
		return i, false
	}
	want := 0
	switch c {
	case '+':
		want = 15
		if f.is(i+1, "7") || f.kind(i+1) == tokenNumber && len(f.at(i+1)) == 11 && f.at(i + 1)[0] == '7' {
			want = 11
		}
	case '(':
		want = 10
	case '8', '7':
		want = 11
	default:
		want = 10
		if len(f.at(i)) > 2 && f.at(i)[:2] == "00" {
			want = 15
		}
	}
	end, digits, groups := f.digits(at, want)
	if digits != want && want != 15 || want == 15 && digits < 8 || end < len(f.text) && digit(f.text[end]) {
		return i, false
	}
	if c == '7' && !labelled && groups == 1 || groups > 8 { // eleven digits and a 7 may be any number
		return i, false
	}
	p, ok := names.NormalPhone(f.raw[at:end])
	if !ok {
		return i, false
	}
	if len(f.n.Phones) < maxNamed {
		add(&f.n.Phones, p)
	}
	for next = i + 1; next < len(f.tokens) && int(f.tokens[next].start) < end; {
		next++
	}
	return next, true
}

// digits reads digits and what divides them in a phone number, at most want digits, from an octet on. It returns where they
// end, how many they are and in how many groups.
func (f *finder) digits(at, want int) (end, digits, groups int) {
	end = at
	inGroup := false
	for k := at; k < len(f.text) && k < at+48; k++ {
		c := f.text[k]
		switch {
		case digit(c):
			if digits == want && !inGroup {
				return end, digits, groups
			}
			if !inGroup {
				groups++
			}
			inGroup = true
			digits++
			end = k + 1
			if digits > want {
				return end, digits, groups
			}
		case c == ' ' || c == '(' || c == ')' || c == '-' || c == '.' || c == '+' && k == at:
			if c == ' ' && k+1 < len(f.text) && f.text[k+1] == ' ' || c == '.' && (k+1 >= len(f.text) || !digit(f.text[k+1])) || c == '(' && digits >= 7 {
				return end, digits, groups
			}
			inGroup = false
		case c == 0xc2 && k+1 < len(f.text) && f.text[k+1] == 0xa0, c == 0xe2 && k+2 < len(f.text) && f.text[k+1] == 0x80:
			if c == 0xe2 {
				k++
			}
			k++
			inGroup = false
		default:
			return end, digits, groups
		}
	}
	return end, digits, groups
}

// phoneLabel reports whether a word that announces a phone stands before token i.
func (f *finder) phoneLabel(i int) bool {
	for k := i - 1; k >= 0 && k >= i-4; k-- {
		if f.kind(k) == tokenBreak {
			return false
		}
		switch w := f.at(k); {
		case f.kind(k) == tokenSign, f.kind(k) == tokenNumber && false:
		case strings.HasPrefix(w, "тел"), strings.HasPrefix(w, "моб"), strings.HasPrefix(w, "сот"), w == "т", w == "м", w == "ф", strings.HasPrefix(w, "факс"), strings.HasPrefix(w, "phone"), w == "tel", strings.HasPrefix(w, "mob"), w == "cell", w == "fax", w == "whatsapp", w == "viber", w == "telegram", strings.HasPrefix(w, "номер") && f.phoneLabel(k),
			strings.HasPrefix(w, "звон"), strings.HasPrefix(w, "позвон"), strings.HasPrefix(w, "набер"), strings.HasPrefix(w, "перезвон"):
			return true
		case f.kind(k) == tokenNumber:
			return false
		}
	}
	return false
}

// accountLabel reports whether what stands before token i says that the number is none of a phone.
func (f *finder) accountLabel(i int) bool {
	for k := i - 1; k >= 0 && k >= i-3; k-- {
		switch f.at(k) {
		case "№", "#", "инн", "огрн", "огрнип", "бик", "окпо", "кпп", "счет", "счета", "с", "id", "номер", "артикул", "арт", "снилс", "карта", "карту", "заказ", "заявка", "трек", "inn":
			if f.at(k) == "с" && !f.is(k-1, "/") || f.at(k) == "номер" && f.phoneLabel(k) {
				continue
			}
			return true
		case ".", ":", "/", "-", "":
		default:
			return false
		}
	}
	return false
}

// site reads the host name whose last dot stands at i: "www.romashka.example.ru/katalog". Hosts of mail addresses and names of files are
// none.
func (f *finder) site(i int) (next int, ok bool) {
	if !f.glued(i) || !f.glued(i+1) || f.kind(i+1) != tokenWord || !topDomain(f.at(i+1)) {
		return i, false
	}
	if f.glued(i+2) && (f.is(i+2, "@") || f.kind(i+2) == tokenNumber || f.is(i+2, "_") || (f.is(i+2, ".") || f.is(i+2, "-")) && f.glued(i+3) && f.kind(i+3) != tokenSign) {
		return i, false
	}
	from := i
	for k := i - 1; k >= 0 && k > i-40; k-- {
		if f.kind(k) == tokenSign && !f.is(k, ".") && !f.is(k, "-") || f.kind(k) == tokenBreak {
			break
		}
		from = k
		if !f.glued(k) {
			break
		}
	}
	if from == i {
		return i, false
	}
	if f.glued(from) && (f.is(from-1, "@") || f.is(from-1, "/") && !f.is(from-2, "/") || f.is(from-1, "_") || f.is(from-1, "=") || f.is(from-1, "&") || f.is(from-1, "%") || f.is(from-1, "\\")) {
		return i, false
	}
	host := strings.TrimPrefix(strings.Trim(f.text[f.tokens[from].start:f.tokens[i+1].end], "-."), "www.")
	if len(host) > 253 || !strings.Contains(host, ".") {
		return i, false
	}
	if a, err := idna.Lookup.ToASCII(host); err == nil && strings.Contains(a, ".") {
		add(&f.n.Sites, a)
		return i + 2, true
	}
	return i, false
}

// topDomain knows the ends of host names that stand in letters without "www." or "https://". Any end that is also that of
// file names is left out.
func topDomain(s string) bool {
	switch s {
	case "ru", "рф", "su", "com", "org", "net", "by", "kz", "ua", "uz", "am", "ge", "az", "kg", "md", "tj", "lt", "lv", "ee", "de", "fr", "it", "es", "pl", "cz", "fi", "se", "uk", "eu", "us", "cn", "tr", "ae", "jp", "kr", "nl", "be", "at", "ch", "bg", "rs", "il",
		"io", "ai", "co", "info", "biz", "pro", "shop", "store", "online", "site", "tech", "tel", "moscow", "москва", "tatar", "spb", "онлайн", "сайт", "орг", "бел", "рус", "дети", "group", "company", "agency", "market", "club", "space", "dev", "app", "example", "travel", "center", "expert":
		return true
	}
	return false
}
