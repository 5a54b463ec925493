package payments

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
	"kontrol/names"
)

// parseSum reads a sum of a file: "158654.52", "1000", "1 000,50", "107500-00", "1,234,567.80". Two digits at most follow
// the decimal sign, more only when they are noughts: a sum is never rounded.
func parseSum(s string) (models.Money, error) {
	bad := func() (models.Money, error) { return models.Money{}, fmt.Errorf("%q is no sum", s) }
	t := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "'", "", "\t", "").Replace(strings.TrimSpace(s))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "."), "руб")
	minus := strings.HasPrefix(t, "-")
	t = strings.TrimPrefix(strings.TrimPrefix(t, "-"), "+")
	whole, part := t, ""
	if i := strings.LastIndexAny(t, ".,-="); i >= 0 {
		whole, part = t[:i], t[i+1:]
		if t[i] == '.' || t[i] == ',' {
			other := map[byte]string{'.': ",", ',': "."}[t[i]]
			if strings.Contains(whole, t[i:i+1]) { // 1,234,567: it parts thousands
				if strings.Contains(whole, other) || len(part) != 3 {
					return bad()
				}
				whole, part = t, ""
				other = t[i : i+1]
			}
			if !groups(whole, other) {
				return bad()
			}
			whole = strings.ReplaceAll(whole, other, "")
		}
	}
	if len(part) == 3 && len(whole) <= 3 {
		return bad() // 1.234: a thousand and more, or one and something?
	}
	if extra := strings.TrimRight(part, "0"); len(extra) > 2 || !digits(part) || whole == "" || !digits(whole) || len(whole) > 15 {
		return bad()
	}
	part = (part + "00")[:2]
	minor, err := strconv.ParseInt(whole+part, 10, 64)
	if err != nil {
		return bad()
	}
	if minus {
		minor = -minor
	}
	return models.Money{Minor: minor, Currency: "RUB"}, nil
}

// groups reports whether sep, where it stands in whole, parts groups of three digits.
func groups(whole, sep string) bool {
	parts := strings.Split(whole, sep)
	for i, p := range parts {
		if len(parts) > 1 && (i > 0 && len(p) != 3 || i == 0 && (p == "" || len(p) > 3)) {
			return false
		}
	}
	return true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// parseDay reads a date of a file. Besides the format's own ДД.ММ.ГГГГ a few others are met.
func parseDay(s string) (time.Time, error) {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	s, _, _ = strings.Cut(s, "T")
	for _, layout := range []string{"02.01.2006", "2.1.2006", "2006-01-02", "02.01.06", "02/01/2006", "02-01-2006", "20060102"} {
		if day, err := time.Parse(layout, s); err == nil && day.Year() >= 1990 && day.Year() < 2100 {
			return day, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", s)
}

// partyName takes the taxpayer number that banks write before a name («ИНН 7701234567 ООО "Ромашка"», «7701234567, ООО …»)
// off the name. inn is "" when there is none with right check digits.
func partyName(s string) (name, inn string) {
	s = strings.Join(strings.Fields(s), " ")
	rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(s, "ИНН"), ":"))
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	if !names.ValidINN(rest[:end]) {
		return s, ""
	}
	inn = rest[:end]
	rest = strings.TrimLeft(rest[end:], " ,;/\\-")
	if kpp, after, found := strings.Cut(strings.TrimPrefix(rest, "КПП "), " "); found && kpp != "" && names.ValidKPP(kpp) {
		rest = strings.TrimLeft(after, " ,;/\\-")
	}
	if rest == "" {
		return s, inn
	}
	return rest, inn
}
