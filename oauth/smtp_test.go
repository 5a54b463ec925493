package oauth_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/wneessen/go-mail"

	"kontrol/internal/smtpsink"
	"kontrol/oauth"
)

// send sends a letter with the real client, logged in with a token.
func send(t *testing.T, sink *smtpsink.Server, login *oauth.SMTPLogin, o ...mail.Option) error {
	t.Helper()
	host, port, err := net.SplitHostPort(sink.Addr)
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	c, err := mail.NewClient(host, append([]mail.Option{
		mail.WithPort(n), mail.WithSMTPAuthCustom(login), mail.WithTLSConfig(sink.TLS()), mail.WithHELO("localhost"),
	}, o...)...)
	must(t, err)
	m := mail.NewMsg()
	must(t, m.From(anna))
	must(t, m.To("petr@client.example"))
	m.Subject("КП")
	m.SetBodyString(mail.TypeTextPlain, "Добрый день")
	return c.DialAndSendWithContext(t.Context(), m)
}

func constant(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func TestSMTPLogin(t *testing.T) {
	t.Parallel()
	for _, mechanisms := range [][]string{{"XOAUTH2"}, {"OAUTHBEARER"}, {"XOAUTH2", "OAUTHBEARER"}} {
		for name, o := range map[string]smtpsink.Options{"tls": {ImplicitTLS: true}, "starttls": {STARTTLS: true}} {
			t.Run(strings.Join(mechanisms, "+")+" "+name, func(t *testing.T) {
				t.Parallel()
				o.Tokens, o.Mechanisms = map[string]string{anna: "good-token"}, mechanisms
				sink := smtpsink.Test(t, o)
				how := mail.WithTLSPolicy(mail.TLSMandatory)
				if o.ImplicitTLS {
					how = mail.WithSSL()
				}
				must(t, send(t, sink, oauth.NewSMTPLogin(t.Context(), anna, "localhost", 465, constant("good-token")), how))
				if l := sink.Letters(); len(l) != 1 || l[0].User != anna || !l[0].TLS {
					t.Errorf("letters %+v", l)
				}
				bad := oauth.NewSMTPLogin(t.Context(), anna, "localhost", 465, constant("bad-token"))
				err := send(t, sink, bad, how)
				if err == nil || strings.Contains(err.Error(), "bad-token") || bad.Refusal() != "invalid_token mail" {
					t.Errorf("%v, refusal %q", err, bad.Refusal())
				}
				if len(sink.Letters()) != 1 {
					t.Error("sent without a login")
				}
			})
		}
	}
	sink := smtpsink.Test(t, smtpsink.Options{User: anna, Password: "x", ImplicitTLS: true})
	err := send(t, sink, oauth.NewSMTPLogin(t.Context(), anna, "localhost", 465, constant("t")), mail.WithSSL())
	if !errors.Is(err, oauth.ErrNoMechanism) {
		t.Errorf("no mechanism: %v", err)
	}
}
