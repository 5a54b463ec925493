package main

import (
	"math"
	"strconv"
	"strings"

	"kontrol/models"
)

// nbsp keeps a sum in one piece when a line is broken.
const nbsp = "\u00a0"

// showMoney writes a sum as people here do: 120 000,00 ₽, with no-break spaces.
func showMoney(m models.Money) string {
	minus, minor := "", uint64(m.Minor)
	if m.Minor < 0 {
		minus, minor = "−", uint64(-(m.Minor+1))+1
	}
	digits := strconv.FormatUint(minor/100, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(nbsp)
		}
		b.WriteRune(d)
	}
	kopecks := strconv.FormatUint(minor%100, 10)
	if len(kopecks) == 1 {
		kopecks = "0" + kopecks
	}
	sign := m.Currency
	switch m.Currency {
	case "", "RUB":
		sign = "₽"
	case "USD":
		sign = "$"
	case "EUR":
		sign = "€"
	}
	return minus + b.String() + "," + kopecks + nbsp + sign
}

// exponents are the short words for powers of ten that people add to a sum, longest first.
var exponents = []struct {
	word  string
	power int
}{{"тысяч", 3}, {"тыс", 3}, {"млрд", 9}, {"млн", 6}, {"mln", 6}, {"т", 3}, {"k", 3}, {"к", 3}, {"м", 6}, {"m", 6}}

// parseMoney reads a sum in roubles as people write it: 120000, "120 000,50", "120 000.50 ₽", 120т, "1,5 млн руб.".
// A sum that is not clear (three digits after a comma, several commas, a minus) is refused rather than guessed.
func parseMoney(s string) (models.Money, error) {
	bad := func() (models.Money, error) {
		return models.Money{}, misused(models.Say("cli.error.amount", "Value", s))
	}
	t := strings.NewReplacer(" ", "", nbsp, "", "\u202f", "", "\u2009", "", "_", "", "'", "").Replace(strings.ToLower(s))
	for _, unit := range []string{"рублей", "руб.", "руб", "rub", "₽", "р.", "р"} {
		if rest, ok := strings.CutSuffix(t, unit); ok {
			t = rest
			break
		}
	}
	t = strings.TrimSuffix(t, ".")
	power := 0
	for _, e := range exponents {
		if rest, ok := strings.CutSuffix(t, e.word); ok {
			t, power = strings.TrimSuffix(rest, "."), e.power
			break
		}
	}
	whole, fraction, split := strings.Cut(strings.Replace(t, ",", ".", 1), ".")
	if whole == "" || (split && fraction == "") || !isDigits(whole+fraction) || len(fraction) > 2+power ||
		power == 0 && len(fraction) > 2 {
		return bad()
	}
	fraction += strings.Repeat("0", 2+power-len(fraction))
	minor, err := strconv.ParseUint(whole+fraction, 10, 64)
	if err != nil || minor > math.MaxInt64 {
		return bad()
	}
	return models.Money{Minor: int64(minor), Currency: "RUB"}, nil
}

func isDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
