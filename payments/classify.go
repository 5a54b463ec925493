package payments

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"kontrol/models"
	"kontrol/names"
)

// settle classifies the documents once it is known which accounts are ours.
func (s *Statement) settle(own Own) {
	for _, account := range own.Accounts {
		s.ours(account)
	}
	for i := range s.Documents {
		d := &s.Documents[i]
		d.Direction = s.direction(d, own)
		d.Nature = nature(d)
		if d.Nature == NatureOrdinary || d.Nature == NatureRefund {
			d.Invoices = Named(d.Purpose)
		}
		d.Amount.Currency = s.currency(d)
		d.Problems = append(d.Problems, oddities(d)...)
	}
}

// direction finds out which way the money went. Both accounts ours is a transfer. The bank that made the statement dates
// a document where it came in or left, and where only one of the two dates is given it is believed over the accounts: on
// an indirect payment those of both sides may be accounts of banks.
func (s *Statement) direction(d *Document, own Own) Direction {
	payer, payee := s.isOurs(d.Payer), s.isOurs(d.Payee)
	sameINN := names.ValidINN(d.Payer.INN) && d.Payer.INN == d.Payee.INN
	credited, debited := !d.CreditedOn.IsZero(), !d.DebitedOn.IsZero()
	switch {
	case payer && payee, sameINN && (payer || payee || slices.Contains(own.INNs, d.Payer.INN)):
		return DirectionInternal
	case credited && !debited:
		return DirectionIn
	case debited && !credited:
		return DirectionOut
	case payee:
		return DirectionIn
	case payer:
		return DirectionOut
	case slices.Contains(own.INNs, d.Payee.INN) && !slices.Contains(own.INNs, d.Payer.INN):
		return DirectionIn
	case slices.Contains(own.INNs, d.Payer.INN) && !slices.Contains(own.INNs, d.Payee.INN):
		return DirectionOut
	}
	return DirectionUnknown
}

// isOurs reports whether an account of the party is one of ours.
func (s *Statement) isOurs(p Party) bool {
	return slices.ContainsFunc(p.accounts, func(a string) bool { return slices.Contains(s.Own, a) })
}

// currencies are the codes in the sixth to eighth digit of a Russian account; 810 is the roubles of before 1998 and still
// what accounts carry.
var currencies = map[string]string{"810": "RUB", "643": "RUB", "840": "USD", "978": "EUR", "156": "CNY", "398": "KZT", "933": "BYN",
	"949": "TRY", "784": "AED", "356": "INR"}

// currency reads the currency of a document off the account of ours.
func (s *Statement) currency(d *Document) string {
	for _, p := range []Party{d.Payee, d.Payer} {
		for _, a := range p.accounts {
			if len(a) == 20 && digits(a) && slices.Contains(s.Own, a) && currencies[a[5:8]] != "" {
				return currencies[a[5:8]]
			}
		}
	}
	return "RUB"
}

// The words by which the nature of a document is known. They are looked for in the folded purpose.
var (
	acquiringWords = regexp.MustCompile(`эквайринг|(?:по|операци[а-я]+ с|использованием) (?:банковск[а-я]+ |платежн[а-я]+ )?карт[а-я]*(?:\s|\.|,|$)|мерчант|merchant|терминал[а-я]* |` +
		`(?:зачислен|перевод|возмещен|перечислен|выручк)[а-я]* .{0,60}(?:сбп|систем[а-я]+ быстрых)|реестр[а-я]* (?:операци|платеж|перевод)`)
	refundWords = regexp.MustCompile(`(?:^|[^а-я])возврат[а-я]*(?: |$)|ошибочно (?:перечисл|зачисл|оплач|уплач)|излишне (?:перечисл|уплач|оплач)`)
	bankWords   = regexp.MustCompile(`комисси[яиюей]+|за (?:ведение|обслуживание|открытие) (?:расчетн[а-я]+ )?(?:счет|рко|пакет)|расчетно-кассов|процент[а-я]* (?:на|по) (?:остат|депозит|вклад|кредит)|` +
		`(?:погашени|выдач|предоставлени|возврат)[а-я]* (?:основного долга |части |суммы )?(?:кредит|займ|депозит)|(?:кредитн[а-я]+|депозитн[а-я]+) договор`)
	taxWords = regexp.MustCompile(`единый налоговый|^енп|налог[а-я]* (?:на|за|по) |страхов[а-я]+ взнос|госпошлин|государственн[а-я]+ пошлин|` +
		`взносы? (?:на )?(?:опс|омс|травматизм)|(?:^|[^а-я])(?:енс|фсс|ндфл)(?:[^а-я]|$)`)
	payrollWords = regexp.MustCompile(`заработн[а-я]+ плат|зарплат|аванс[а-я]* (?:сотрудник|работник)|отпускн|командировочн|под ?отчет|пособи[еяй]`)
	clientWords  = regexp.MustCompile(`(?:^|[^а-я])(?:по|за|оплата|опл) [^,;]{0,24}?сч(?:ет|\.|\s|$)|(?:^|[^а-я])договор`)
)

// fold brings a text into the form the words are looked for in: small letters, one space, ё as е.
func fold(s string) string {
	s = strings.NewReplacer("ё", "е", "\u00a0", " ", "\u202f", " ", "\t", " ").Replace(strings.ToLower(s))
	return strings.Join(strings.Fields(s), " ")
}

// nature says what a document is about. Words that a client may use as well («комиссия», «по карте») count only where a
// bank or the treasury stands on the other side or the client names nothing of ours.
func nature(d *Document) Nature {
	text, other := fold(d.Purpose), d.Counterparty()
	bank := bankName(other.Name)
	switch {
	case refundWords.MatchString(text) && !strings.Contains(text, "возвратн"):
		if bank && bankWords.MatchString(text) {
			return NatureBank
		}
		return NatureRefund
	case acquiringWords.MatchString(text) && (bank || !clientWords.MatchString(text)):
		return NatureAcquiring
	case d.Direction != DirectionIn && taxWords.MatchString(text), treasury(other):
		return NatureTax
	case d.Direction != DirectionIn && payrollWords.MatchString(text):
		return NaturePayroll
	case bankWords.MatchString(text) && (bank || d.Direction != DirectionIn && !clientWords.MatchString(text)):
		return NatureBank
	}
	return NatureOrdinary
}

var bankWord = regexp.MustCompile(`(?:^|[^а-яa-z])(?:банк|bank)|банк(?:$|[^а-я])|кредитная организация|(?:^|[^а-я])нко(?:$|[^а-я])`)

func bankName(name string) bool { return bankWord.MatchString(fold(name)) }

// treasury knows the accounts of the budget by their balance account, 03100 and 40101 and its like.
func treasury(p Party) bool {
	for _, a := range p.accounts {
		if strings.HasPrefix(a, "03100") || strings.HasPrefix(a, "40101") || strings.HasPrefix(a, "40102") {
			return true
		}
	}
	return false
}

// oddities are what a person should look at in a document that is otherwise taken.
func oddities(d *Document) []models.Phrase {
	var out []models.Phrase
	for _, side := range []struct {
		key string
		p   Party
	}{{"payer", d.Payer}, {"payee", d.Payee}} {
		if inn := side.p.INN; strings.Trim(inn, "0") != "" && len(inn) != 5 && !names.ValidINN(inn) { // five digits are a foreign company's
			out = append(out, models.Say("payments.wrong_inn."+side.key, "Value", inn))
		}
		if a := side.p.Account; a != "" && (len(a) != 20 || strings.Trim(a, "0123456789") != "" && !digits(a[:5]+a[6:])) {
			out = append(out, models.Say("payments.wrong_account."+side.key, "Value", a))
		}
		if b := side.p.BIC; b != "" && (len(b) != 9 || !digits(b)) {
			out = append(out, models.Say("payments.wrong_bic."+side.key, "Value", b))
		}
	}
	switch {
	case d.Amount.Minor <= 0:
		out = append(out, models.Say("payments.problem.not_positive"))
	case d.Direction == DirectionUnknown:
		out = append(out, models.Say("payments.problem.direction"))
	case d.Direction == DirectionIn && d.CreditedOn.IsZero():
		out = append(out, models.Say("payments.problem.not_credited"))
	}
	return out
}

// Checksums compares the sums that the bank states with the documents, one line for every account that the file has sums
// of, in the order of the file.
func (s *Statement) Checksums() []Checksum {
	var out []Checksum
	for _, account := range s.Own {
		if c, stated := s.checksum(account); stated {
			out = append(out, c)
		}
	}
	return out
}

// checksum adds up the sections of an account, leaving out those that lie within another.
func (s *Statement) checksum(account string) (Checksum, bool) {
	c := Checksum{Account: account, OK: true}
	var periods []AccountPeriod
	for _, a := range s.Accounts {
		if a.Account != account || a.Credited == nil && a.Debited == nil {
			continue
		}
		if a.To.IsZero() {
			a.To = a.From
		}
		within := func(b AccountPeriod) bool { return !a.From.Before(b.From) && !a.To.After(b.To) }
		if slices.ContainsFunc(periods, within) {
			continue
		}
		periods = append(slices.DeleteFunc(periods, func(b AccountPeriod) bool {
			return !b.From.Before(a.From) && !b.To.After(a.To)
		}), a)
	}
	add := func(to **models.Money, m models.Money) {
		if *to == nil {
			*to = &models.Money{Currency: m.Currency}
		}
		(*to).Minor += m.Minor
	}
	for _, a := range periods {
		in, out := s.counted(account, a.From, a.To)
		if a.Credited != nil {
			add(&c.StatedIn, *a.Credited)
			add(&c.CountedIn, in)
			c.OK = c.OK && a.Credited.Minor == in.Minor
		}
		if a.Debited != nil {
			add(&c.StatedOut, *a.Debited)
			add(&c.CountedOut, out)
			c.OK = c.OK && a.Debited.Minor == out.Minor
		}
		if c.From.IsZero() || a.From.Before(c.From) {
			c.From = a.From
		}
		if a.To.After(c.To) {
			c.To = a.To
		}
	}
	return c, len(periods) > 0
}

// counted adds up what the documents move on an account from one day to another, both included.
func (s *Statement) counted(account string, from, to time.Time) (in, out models.Money) {
	in.Currency, out.Currency = "RUB", "RUB"
	on := func(day time.Time) bool { return !day.Before(from) && !day.After(to) }
	first := func(days ...time.Time) time.Time {
		for _, day := range days {
			if !day.IsZero() {
				return day
			}
		}
		return time.Time{}
	}
	only := !slices.ContainsFunc(s.Accounts, func(a AccountPeriod) bool { return a.Account != account })
	for i := range s.Documents {
		d := &s.Documents[i]
		payee, payer := slices.Contains(d.Payee.accounts, account), slices.Contains(d.Payer.accounts, account)
		came, left := d.Direction == DirectionIn, d.Direction == DirectionOut
		if (came && (only || payee) || d.Direction == DirectionInternal && payee) && on(first(d.CreditedOn, d.DebitedOn, d.Date)) {
			in.Minor += d.Amount.Minor
		}
		if (left && (only || payer) || d.Direction == DirectionInternal && payer) && on(first(d.DebitedOn, d.CreditedOn, d.Date)) {
			out.Minor += d.Amount.Minor
		}
	}
	return in, out
}
