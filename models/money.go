package models

import (
	"strconv"
	"strings"
)

// nbsp keeps a sum in one piece when a line is broken.
const nbsp = "\u00a0"

// String writes a sum as people in Russia do: 120 000,00 ₽, with no-break spaces, and a currency other than rouble, dollar
// and euro by its code.
func (m Money) String() string {
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
