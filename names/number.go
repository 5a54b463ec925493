package names

import (
	"regexp"
	"strings"
)

// ValidINN reports whether s is a Russian taxpayer number: 10 digits for a company or 12 for a person, with the right
// check digits and nothing else in the text. That the number has been given to somebody is not checked.
func ValidINN(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	switch len(s) {
	case 10:
		return s != "0000000000" && innDigit(s[:9]) == s[9]
	case 12:
		return s != "000000000000" && innDigit(s[:10]) == s[10] && innDigit(s[:11]) == s[11]
	}
	return false
}

// innDigit computes the check digit that follows the given 9, 10 or 11 digits.
func innDigit(digits string) byte {
	weights := [...]int{3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8}
	weights10 := weights[len(weights)-len(digits):]
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * weights10[i]
	}
	return byte('0' + sum%11%10)
}

// ValidKPP reports whether s has the form of a KPP: nine digits, of which the fifth and sixth may be Latin capitals.
func ValidKPP(s string) bool {
	if len(s) != 9 {
		return false
	}
	for i := range len(s) {
		digit := s[i] >= '0' && s[i] <= '9'
		if !digit && ((i != 4 && i != 5) || s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return true
}

var (
	extension = regexp.MustCompile(`(?i)[,;]?\s*(?:доб(?:авочный)?|вн(?:утр)?(?:енний)?|ext|extension|x|#)[.:\s]*\d{1,6}\s*$`)
	phoneHead = regexp.MustCompile(`(?i)^\s*(?:тел(?:ефон)?|моб(?:ильный)?|сот(?:овый)?|phone|tel|mob|т|м)[.:\s]+`)
)

// PhoneExtension reports whether s is nothing but an extension, such as «доб. 12».
func PhoneExtension(s string) bool { return s != "" && extension.FindString(s) == s }

// NormalPhone brings a phone number to E.164 form: "8 (912) 345-67-89" gives "+79123456789". A number without a country
// is taken as Russian when it has ten digits, or eleven that start with 8 or 7; 8 10 and 00 lead abroad. An extension
// («доб. 12») is dropped, because E.164 has none. It reports false for what is not one whole number, such as a local
// number without its city code. See ITU-T E.164.
func NormalPhone(s string) (string, bool) {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' && r != '\u2212' && (r < '\u2000' || r > '\u203f') || r == '#' }) {
		s = extension.ReplaceAllString(phoneHead.ReplaceAllString(s, ""), "")
	}
	s = strings.TrimSpace(s)
	digits := make([]byte, 0, 24)
	for _, r := range strings.TrimPrefix(s, "+") {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case !strings.ContainsRune(" ()-.\u00a0\u2010\u2011\u2012\u2013\u2014\u2212\u202f/", r):
			return "", false
		}
	}
	return e164(string(digits), strings.HasPrefix(s, "+"))
}

// e164 adds the country to the digits of a number, unless a plus sign has said that it is there.
func e164(d string, plus bool) (string, bool) {
	switch {
	case plus:
	case len(d) == 10 && d[0] >= '3':
		d = "7" + d
	case len(d) == 11 && d[0] == '8':
		d = "7" + d[1:]
	case len(d) == 11 && d[0] == '7':
	case strings.HasPrefix(d, "810") && len(d) > 12:
		d = d[3:]
	case strings.HasPrefix(d, "00") && len(d) > 10:
		d = d[2:]
	default:
		return "", false
	}
	if len(d) < 8 || len(d) > 15 || d[0] == '0' || d[0] == '7' && (len(d) != 11 || d[1] < '3') {
		return "", false
	}
	return "+" + d, true
}
