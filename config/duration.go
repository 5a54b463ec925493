package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
)

// Duration is a span of time as people write it in the config: "30d", "2w", "1h30m", "90s". A day is 24 hours and a
// week seven days; there are no months. The zero value is no time at all.
type Duration time.Duration

// units are the units of a Duration, longest first.
var units = []struct {
	name string
	span time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
}

// ParseDuration reads a span of time: one or more whole numbers, each with a unit of w, d, h, m or s, without a sign.
// "0" needs no unit. The second result is false for anything else, and for a span too long to hold (292 years).
func ParseDuration(s string) (Duration, bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), " ", "")
	if s == "0" {
		return 0, true
	}
	var total time.Duration
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 12 || digits == len(rest) {
			return 0, false
		}
		var n int64
		for _, r := range rest[:digits] {
			n = n*10 + int64(r-'0')
		}
		span := unit(rest[digits : digits+1])
		if span == 0 || n > int64(math.MaxInt64-total)/int64(span) {
			return 0, false
		}
		total += time.Duration(n) * span
		rest = rest[digits+1:]
	}
	return Duration(total), s != ""
}

func unit(name string) time.Duration {
	for _, u := range units {
		if u.name == name {
			return u.span
		}
	}
	return 0
}

// String writes the duration in the same form, in as few units as are needed; parts of a second are dropped.
func (d Duration) String() string {
	left := time.Duration(d)
	var b strings.Builder
	for _, u := range units {
		if u.name == "w" && left%u.span != 0 {
			continue // "30d", not "4w2d"
		}
		if n := left / u.span; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			left -= n * u.span
		}
	}
	if b.Len() == 0 {
		return "0"
	}
	return b.String()
}

// Std returns the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d *Duration) fromTOML(v any) models.Phrase {
	s, ok := v.(string)
	if !ok {
		return models.Say("config.want_duration", "Value", "")
	}
	x, ok := ParseDuration(s)
	if !ok {
		return models.Say("config.want_duration", "Value", s)
	}
	*d = x
	return models.Phrase{}
}

func (d Duration) shown() string { return d.String() }
func (d Duration) raw() string   { return d.String() }
