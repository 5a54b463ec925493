package courier_test

import (
	"strings"
	"testing"

	"kontrol/internal/courier"
	"kontrol/internal/rawimap"
)

const letter = "From: Anna <anna@example.ru>\r\nSubject: test\r\nMessage-ID: <1@example.ru>\r\n\r\n.dot\r\n"

func TestLetterIsReadBack(t *testing.T) {
	t.Parallel()
	s := courier.Test(t, courier.Options{MaxConn: 1})
	c, err := rawimap.Dial(s.IMAPAddr, nil, "anna", s.Password)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Append("INBOX", `\Flagged`, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	if _, err := rawimap.Dial(s.IMAPAddr, nil, "anna", s.Password); err == nil {
		t.Error("a second connection was let in, want one only")
	}
	s.KillHard()
	c.Close()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err = rawimap.Dial(s.IMAPSAddr, s.TLS(), "anna", s.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := c.Look("INBOX")
	if err != nil || len(got) != 1 || string(got[0].Body) != letter || strings.Join(got[0].Flags, " ") != `\Flagged` {
		t.Errorf("%+v, %v", got, err)
	}
	if n, err := c.Count("INBOX.Sent"); n != 0 || err != nil {
		t.Errorf("INBOX.Sent: %d %v", n, err)
	}
	if _, err := rawimap.Dial(s.IMAPAddr, nil, "anna", "wrong"); err == nil {
		t.Error("a wrong password was accepted")
	}
}

func TestOverQuotaIsRefused(t *testing.T) {
	t.Parallel()
	s := courier.Test(t, courier.Options{Quota: 1000})
	c, err := rawimap.Dial(s.IMAPAddr, nil, "anna", s.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Append("INBOX", "", []byte(letter+strings.Repeat("x", 2000))); err == nil {
		t.Error("a letter over the quota was taken")
	}
}
