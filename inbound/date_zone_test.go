package inbound

import (
	"testing"
	"time"
)

// TestWrittenKeepsTheOffset holds that days named by their place are counted where the letter was written: what is still
// the 23rd in UTC may be the 24th for who writes "tomorrow".
func TestWrittenKeepsTheOffset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ date, written, promised string }{
		{"Tue, 24 Nov 2026 01:30:00 +0300", "2026-11-24T01:30:00+03:00", "2026-11-25"},
		{"Mon, 23 Nov 2026 22:30:00 +0000", "2026-11-23T22:30:00Z", "2026-11-24"},
		{"Mon, 23 Nov 2026 23:30:00 -0800", "2026-11-23T23:30:00-08:00", "2026-11-24"},
		{"24 Nov 2026 01:30 MSK", "2026-11-24T01:30:00+03:00", "2026-11-25"},
	} {
		f := mustReadAll(t, "From: a@example.com\r\nDate: "+c.date+"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nОплатим завтра.\r\n")
		if got := f.Written.Format(time.RFC3339); got != c.written {
			t.Errorf("%s: written %s, want %s", c.date, got, c.written)
		}
		if f.Letter.Date == nil || f.Letter.Date.Location() != time.UTC || !f.Letter.Date.Equal(f.Written) {
			t.Errorf("%s: date %v", c.date, f.Letter.Date)
		}
		if len(f.Named.Promises) != 1 || f.Named.Promises[0].By.Format(time.DateOnly) != c.promised {
			t.Errorf("%s: promises %v, want %s", c.date, f.Named.Promises, c.promised)
		}
	}
}

// TestCommentsInAddresses reads the addresses of RFC 5322 appendix A.5, and brackets that are no comments.
func TestCommentsInAddresses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]mailbox{
		`Pete(A nice \) chap) <pete(his account)@silly.test(his host)>`: {"Pete", "pete@silly.test"},
		`c@(Chris's host.)public.example`:                               {"", "c@public.example"},
		`joe@example.org (Joe)`:                                         {"Joe", "joe@example.org"},
		`Иван <ivan@example.com(работа)>`:                               {"Иван", "ivan@example.com"},
	} {
		got := parseAddresses([]byte(raw), "")
		if len(got) != 1 || got[0].address != want.address {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}
