package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
)

// ago matches a span back from now: 7д, 24ч, 2w.
var ago = regexp.MustCompile(`^(\d{1,4})\s*(ч|h|д|d|н|w)$`)

// parseDay reads a date as people write it (30.11.2026, 30.11.26, 30.11, 2026-11-30, with a time after it if they like;
// сегодня, завтра, вчера) in the zone of the department. A date without a year is the nearest one: in the future when
// ahead is set, in the past otherwise. A date without a time is the start of the day.
func parseDay(s string, now time.Time, ahead bool) (time.Time, error) {
	word := strings.ToLower(strings.TrimSpace(s))
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	switch word {
	case "сегодня", "today":
		return today, nil
	case "завтра", "tomorrow":
		return today.AddDate(0, 0, 1), nil
	case "послезавтра":
		return today.AddDate(0, 0, 2), nil
	case "вчера", "yesterday":
		return today.AddDate(0, 0, -1), nil
	}
	for _, day := range []string{"2.1.2006", "2.1.06", time.DateOnly} {
		for _, clock := range []string{"", " 15:04", "T15:04"} {
			if t, err := time.ParseInLocation(day+clock, strings.ToUpper(word), now.Location()); err == nil {
				return t, nil
			}
		}
	}
	for _, clock := range []string{"", " 15:04"} {
		if t, err := time.ParseInLocation("2006.2.1"+clock, strconv.Itoa(y)+"."+word, now.Location()); err == nil {
			switch {
			case ahead && t.Before(today):
				t = t.AddDate(1, 0, 0)
			case !ahead && t.After(now):
				t = t.AddDate(-1, 0, 0)
			}
			return t, nil
		}
	}
	return time.Time{}, misused(models.Say("cli.error.date", "Value", s))
}

// parseSince reads the start of a period: a date as parseDay reads it, or a span back from now such as 7д or 24ч.
func parseSince(s string, now time.Time) (time.Time, error) {
	m := ago.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return parseDay(s, now, false)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return time.Time{}, misused(models.Say("cli.error.date", "Value", s))
	}
	switch m[2] {
	case "ч", "h":
		return now.Add(-time.Duration(n) * time.Hour), nil
	case "н", "w":
		n *= 7
	}
	return now.AddDate(0, 0, -n), nil
}

// when shows an instant that may be missing.
func (c *cli) when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return c.texts.Time(*t)
}

// day shows an instant that may be missing; one at the start of a day as the day alone.
func (c *cli) day(t *time.Time) string {
	if t == nil {
		return ""
	}
	s := c.texts.Time(*t)
	return strings.TrimSuffix(s, " 00:00")
}

// localNow is the time of the clock in the zone of the department.
func (c *cli) localNow() time.Time { return c.env.now().In(c.texts.Zone()) }

// stamp writes an instant for JSON: UTC, RFC 3339, whole seconds; nil when it is missing.
func stamp(t *time.Time) *string {
	if t == nil || t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}
