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
func showMoney(m models.Money) string { return m.String() }

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
