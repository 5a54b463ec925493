package cyrus_test

import (
	"strings"
	"testing"
	"time"

	"kontrol/internal/cyrus"
	"kontrol/internal/rawimap"
)

const letter = "From: Anna <anna@example.ru>\r\nSubject: test\r\nMessage-ID: <1@example.ru>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0300\r\n\r\n.dot\r\n"

func TestDeliveredLetterIsReadBack(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]cyrus.Options{"slash": {}, "prefix": {Separator: ".", Prefix: true, Suppress: "MOVE"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			s := cyrus.Test(t, o)
			t.Logf("started in %v", time.Since(start))
			if err := s.AddUser(t.Context(), "anna", 0); err != nil {
				t.Fatal(err)
			}
			if err := s.Deliver(t.Context(), "anna", []byte(letter)); err != nil {
				t.Fatal(err)
			}
			s.KillHard()
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			c, err := rawimap.Dial(s.IMAPSAddr, s.TLS(), "anna", s.Password)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			got, err := c.Look("INBOX")
			if err != nil || len(got) != 1 || !strings.HasSuffix(string(got[0].Body), letter) {
				t.Errorf("%d letters, %v", len(got), err)
			}
			sent := "Sent"
			if o.Prefix {
				sent = "INBOX.Sent"
			}
			if n, err := c.Count(sent); n != 0 || err != nil {
				t.Errorf("%s: %d %v", sent, n, err)
			}
			if _, err := rawimap.Dial(s.IMAPAddr, nil, "anna", "wrong"); err == nil {
				t.Error("a wrong password was accepted")
			}
			if v := s.Version(); !strings.HasPrefix(v, "3.") {
				t.Errorf("version %q", v)
			}
			if !strings.Contains(s.Log(), "login") {
				t.Log("the log is empty: no C compiler when the packages were fetched")
			}
		})
	}
}
