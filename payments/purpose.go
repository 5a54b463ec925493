package payments

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kontrol/names"
)

// InvoiceName is an invoice as the words of a payment name it: a candidate, since people write numbers in many ways.
type InvoiceName struct {
	Number string    // in capitals, as written: "УТ-000123", "1595/92"
	Date   time.Time // midnight UTC; zero when none is named
}

// The shapes of naming an invoice, for folded text (small letters, single spaces, "№" between spaces).
var (
	// taxInvoice is «счёт-фактура» in its many spellings: a tax document, never one to be paid by.
	taxInvoice = regexp.MustCompile(`(?:счет(?:у|а|е|ом|ы|ов|ам|ах)?|сч)\.?\s*[-–/ ]?\s*(?:фактур[а-я]*|факт\.|ф-р[а-я]+|ф[./]?(?:\s|$|№)|ф\d)|(?:^|[^а-я])(?:упд|торг-?12|с[-/]ф)(?:[^а-я]|$)`)
	head       = regexp.MustCompile(`(?:^|[^а-яa-z])(счет(?:ам|ах|ов|у|а|ом|е|ы)?(?:-та|-у)?|сч(?:-та|-у|-там)?|с/ч|cчет[а-я]*|invoices?|inv)(?:[^а-яa-z]|$)`)
	// notInvoice are words before «счёт» that make it an account.
	notInvoice = regexp.MustCompile(`(?:р/|л/|расч[а-я]*\.?|расчетн[а-я]+|лицев[а-я]+|личн[а-я]+|текущ[а-я]+|корр?[а-я.]*|депозитн[а-я]+|специальн[а-я]+|банковск[а-я]+|карточн[а-я]+|ссудн[а-я]+|транзитн[а-я]+|накопительн[а-я]+) ?$`)
	filler     = regexp.MustCompile(`^(?:\s|[-–.:(]|на предоплату|на оплату|на аванс|договор[а-я]*|заказ[а-я]*|оферт[а-я]*|номер[а-я]*|ном\.?|no\.?|nr\.?|n\b|№|#|за|покупател[а-я]+)+`)
	number     = regexp.MustCompile(`^((?:\d{0,4}[a-zа-я]{0,6}\s?[-–/_]\s?)?[a-zа-я]{0,6}\d[\da-zа-я]*(?:[-–/_][\da-zа-я]+)*)`)
	dated      = regexp.MustCompile(`^\s*(?:\(\s*)?(?:от|o т|ot|dated?|of)?\s*(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})\s*(?:г(?:\.|ода)?)?\)?`)
	datedWords = regexp.MustCompile(`^\s*от\s+(\d{1,2})\s+(янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек)[а-я]*\.?\s*(\d{4})?\s*(?:г(?:\.|ода)?)?`)
	datedYear  = regexp.MustCompile(`^\s*(?:от|за)\s+\d{4}\s*г(?:\.|ода)?`)
	separator  = regexp.MustCompile(`^\s*(?:[,;+&]|и(?:\s|№)|and\s)\s*`)
	again      = regexp.MustCompile(`^(?:и\s+)?(?:№|#|n\b|no\.?|(?:по )?сч(?:ет[а-я]*)?\.?\s*(?:№|n\b)?)+\s*`)
	bareDate   = regexp.MustCompile(`^\d{1,2}[./]\d{1,2}(?:[./]\d{2,4})?(?:\D|$)`)
	// listEnd is what may follow a short number in a list: with anything else it counts things («2 шт», «3 этап»).
	listEnd = regexp.MustCompile(`^\s*(?:$|[,;.)+&]|и\s+(?:№\s*)?\d|от\s|за\s|на\s|г\.)`)
	notSum  = regexp.MustCompile(`^\s*(?:%|руб|р\.|шт|кг|тонн|м2|м3|коп|rub|usd|eur)`)
)

var months = []string{"янв", "фев", "мар", "апр", "ма", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"}

// Named reads the numbers of invoices out of the purpose of a payment («Назначение платежа»), in their order, each once:
// what follows «счёт» in its spellings, and lists of such. Numbers of contracts, orders, tax invoices and accounts are left
// out. What is returned are candidates: only those that exist as invoices say anything.
func Named(purpose string) []InvoiceName {
	text := strings.NewReplacer("№", " № ", "#", " № ").Replace(fold(purpose))
	text = strings.Join(strings.Fields(text), " ")
	text = taxInvoice.ReplaceAllString(text, " @ ")
	var out []InvoiceName
	for text != "" {
		at := head.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		before, rest := text[:at[2]], text[at[3]:]
		text = rest
		if notInvoice.MatchString(before) {
			continue
		}
		found, left := list(rest[len(filler.FindString(rest)):])
		for _, n := range found {
			if !slices.ContainsFunc(out, func(o InvoiceName) bool { return o.Number == n.Number }) {
				out = append(out, n)
			}
		}
		text = left
	}
	return out
}

// list reads one or several numbers with their dates, and gives what is left of the text.
func list(rest string) ([]InvoiceName, string) {
	var out []InvoiceName
	for {
		marked := len(out) == 0
		if mark := again.FindString(rest); mark != "" && !marked {
			rest, marked = rest[len(mark):], true
		}
		n := number.FindString(rest)
		after := rest[len(n):]
		switch {
		case n == "", bareDate.MatchString(rest), notSum.MatchString(after), tooLong(n):
			return out, rest
		case !marked && !digits(n) && !strings.ContainsAny(n, "-/–"):
			return out, rest
		case !marked && len(n) < 3 && !listEnd.MatchString(after):
			return out, rest // «3777, 2 шт»
		}
		name := InvoiceName{Number: tidy(n)}
		name.Date, rest = date(after)
		out = append(out, name)
		sep := separator.FindString(rest)
		next := rest[len(sep):]
		if sep == "" || strings.HasPrefix(next, "в т") || strings.HasPrefix(next, "ндс") {
			return out, rest
		}
		rest = next
	}
}

// tooLong reports whether n is rather an account, a taxpayer number or a bar code.
func tooLong(n string) bool {
	count := 0
	for _, r := range n {
		if r >= '0' && r <= '9' {
			count++
		}
	}
	return count > 14
}

func tidy(n string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "–", "-").Replace(n))
}

// date reads the date that follows a number.
func date(s string) (time.Time, string) {
	day := func(y, m, d int) time.Time {
		if y < 100 {
			y += 2000
		}
		t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
		if t.Day() != d || int(t.Month()) != m || y < 2000 || y > 2099 {
			return time.Time{}
		}
		return t
	}
	if m := dated.FindStringSubmatch(s); m != nil {
		return day(number10(m[3]), number10(m[2]), number10(m[1])), s[len(m[0]):]
	}
	if m := datedWords.FindStringSubmatch(s); m != nil {
		month := slices.IndexFunc(months, func(p string) bool { return strings.HasPrefix(m[2], p) }) + 1
		if m[2] == "мар" {
			month = 3
		}
		if m[3] == "" {
			return time.Time{}, s[len(m[0]):]
		}
		return day(number10(m[3]), month, number10(m[1])), s[len(m[0]):]
	}
	return time.Time{}, s[len(datedYear.FindString(s)):]
}

func number10(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// NumberKey is the form in which two numbers of invoices are the same to people, who leave out what 1C puts before them:
// letters and leading noughts. "УТ-000123", "0000-000123" and "123" give "123", "1595/92" stays. A number without a digit
// gives "".
func NumberKey(s string) string {
	var parts []string
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune("-/–_ .", r) }) {
		kept := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, part)
		if kept = strings.TrimLeft(kept, "0"); kept != "" {
			parts = append(parts, kept)
		}
	}
	return strings.Join(parts, "/")
}

var innWord = regexp.MustCompile(`(?:^|\D)(\d{12}|\d{10})(?:\D|$)`)

// NamedINNs reads the taxpayer numbers out of the purpose of a payment: whom somebody pays for («за ООО «Ромашка», ИНН
// 7701234567»). Only those with right check digits are returned.
func NamedINNs(purpose string) []string {
	var out []string
	for _, m := range innWord.FindAllStringSubmatch(strings.ReplaceAll(purpose, " ", "  "), -1) {
		if names.ValidINN(m[1]) && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}
