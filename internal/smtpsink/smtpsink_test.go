package smtpsink_test

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"kontrol/internal/smtpsink"
)

const text = "Subject: test\r\n\r\nПривет.\r\n.точка\r\n"

// dial connects; with a user it logs in.
func dial(t *testing.T, s *smtpsink.Server, o smtpsink.Options, user, password string) (*smtp.Client, error) {
	t.Helper()
	var c *smtp.Client
	var err error
	switch {
	case o.ImplicitTLS:
		c, err = smtp.DialTLS(s.Addr, s.TLS())
	case o.STARTTLS:
		c, err = smtp.DialStartTLS(s.Addr, s.TLS())
	default:
		c, err = smtp.Dial(s.Addr)
	}
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	if user != "" {
		return c, c.Auth(sasl.NewPlainClient("", user, password))
	}
	return c, nil
}

func send(c *smtp.Client, to ...string) error {
	return c.SendMail("we@firma.ru", to, strings.NewReader(text))
}

func TestLetterIsKeptAsItCame(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]smtpsink.Options{
		"plain":        {},
		"starttls":     {STARTTLS: true},
		"implicit tls": {ImplicitTLS: true},
		"login":        {STARTTLS: true, User: "we", Password: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			called := make(chan smtpsink.Letter, 1)
			o.OnLetter = func(l smtpsink.Letter) { called <- l }
			s := smtpsink.Test(t, o)
			c, err := dial(t, s, o, o.User, o.Password)
			if err != nil {
				t.Fatal(err)
			}
			if err := send(c, "a@client.ru", "b@client.ru"); err != nil {
				t.Fatal(err)
			}
			letters, err := s.Wait(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			got := letters[0]
			if string(got.Data) != text || got.From != "we@firma.ru" || !slices.Equal(got.To, []string{"a@client.ru", "b@client.ru"}) {
				t.Errorf("kept %+v", got)
			}
			if got.TLS != (o.STARTTLS || o.ImplicitTLS) || got.User != o.User {
				t.Errorf("TLS is %v and user %q", got.TLS, got.User)
			}
			if l := <-called; string(l.Data) != text {
				t.Errorf("OnLetter got %+v", l)
			}
		})
	}
}

func TestLoginIsNeeded(t *testing.T) {
	t.Parallel()
	o := smtpsink.Options{User: "we", Password: "secret"}
	s := smtpsink.Test(t, o)
	c, err := dial(t, s, o, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := send(c, "a@client.ru"); err == nil {
		t.Error("a letter was taken without a login")
	}
	if _, err := dial(t, s, o, "we", "wrong"); err == nil {
		t.Error("a wrong password was accepted")
	}
	if n := len(s.Letters()); n != 0 {
		t.Errorf("there are %d letters, want none", n)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`^bad@`)
	for name, tc := range map[string]struct {
		failure smtpsink.Failure
		code    int // 0: the connection breaks
		kept    int
	}{
		"recipient": {smtpsink.Failure{Rcpt: bad, Text: "no such user"}, 550, 0},
		"greylist":  {smtpsink.Failure{Rcpt: bad, Code: 450, Enhanced: [3]int{4, 7, 1}, Text: "later"}, 450, 0},
		"letter":    {smtpsink.Failure{Rcpt: bad, Stage: smtpsink.AtData, Code: 554, Text: "spam"}, 554, 0},
		"beforedot": {smtpsink.Failure{Rcpt: bad, Stage: smtpsink.BeforeDot}, 0, 0},
		"afterdot":  {smtpsink.Failure{Rcpt: bad, Stage: smtpsink.AfterDot}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.failure.Times = 1
			o := smtpsink.Options{Failures: []smtpsink.Failure{tc.failure}}
			s := smtpsink.Test(t, o)
			try := func(to string) error {
				c, err := dial(t, s, o, "", "")
				if err != nil {
					t.Fatal(err)
				}
				return send(c, to)
			}
			if err := try("good@client.ru"); err != nil {
				t.Errorf("another recipient is refused: %v", err)
			}
			err := try("bad@client.ru")
			var answer *smtp.SMTPError
			switch {
			case err == nil:
				t.Error("nothing failed")
			case errors.As(err, &answer) && answer.Code != tc.code, !errors.As(err, &answer) && tc.code != 0:
				t.Errorf("got %v, want code %d", err, tc.code)
			}
			if n := len(s.Letters()) - 1; n != tc.kept {
				t.Errorf("kept %d letters to the bad one, want %d", n, tc.kept)
			}
			if err := try("bad@client.ru"); err != nil {
				t.Errorf("it fails a second time: %v", err)
			}
		})
	}
}

func TestWaitAndStop(t *testing.T) {
	t.Parallel()
	s := smtpsink.Test(t, smtpsink.Options{STARTTLS: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait says %v", err)
	}
	path, err := s.CAFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if pem, err := os.ReadFile(path); err != nil || !strings.Contains(string(pem), "CERTIFICATE") {
		t.Errorf("the certificate's file holds %q, %v", pem, err)
	}
	s.Stop()
	s.Stop()
	if conn, err := net.Dial("tcp", s.Addr); err == nil {
		_ = conn.Close()
		t.Error("a stopped sink still answers")
	}
}
