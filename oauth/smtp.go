package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/wneessen/go-mail/smtp"

	"kontrol/models"
)

// SMTPLogin logs in to an SMTP server with a token; give it to go-mail's WithSMTPAuthCustom. It uses OAUTHBEARER where the
// server has it (RFC 7628) and XOAUTH2 otherwise. One value serves one connection.
type SMTPLogin struct {
	ctx      context.Context //nolint:containedctx // go-mail's interface has no place for it
	username string
	host     string
	port     int
	token    func(ctx context.Context) (string, error)
	bearer   bool
	refusal  string
}

// NewSMTPLogin returns the login of a user to the server at host and port. token is asked once, when the server has
// offered its mechanisms; ctx bounds that.
func NewSMTPLogin(ctx context.Context, username, host string, port int, token func(ctx context.Context) (string, error)) *SMTPLogin {
	return &SMTPLogin{ctx: ctx, username: username, host: host, port: port, token: token}
}

// ErrNoMechanism means that the server offers neither OAUTHBEARER nor XOAUTH2.
var ErrNoMechanism = errors.New("smtp server offers no oauth2 login")

// errClear means that a token would have gone over the network in clear text.
var errClear = errors.New("no oauth2 login without tls")

// Start is part of go-mail's smtp.Auth.
func (a *SMTPLogin) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if ip := net.ParseIP(server.Name); !server.TLS && server.Name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", nil, errClear
	}
	a.bearer = slices.Contains(server.Auth, "OAUTHBEARER")
	if !a.bearer && !slices.Contains(server.Auth, "XOAUTH2") {
		return "", nil, ErrNoMechanism
	}
	token, err := a.token(a.ctx)
	if err != nil {
		return "", nil, err
	}
	if a.bearer {
		return "OAUTHBEARER", []byte("n,a=" + saslName(a.username) + ",\x01host=" + a.host + "\x01port=" + strconv.Itoa(a.port) +
			"\x01auth=Bearer " + token + "\x01\x01"), nil
	}
	return "XOAUTH2", []byte("user=" + a.username + "\x01auth=Bearer " + token + "\x01\x01"), nil
}

// Next is part of go-mail's smtp.Auth. A challenge is the server's reason for a refusal, which comes after our answer.
func (a *SMTPLogin) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	a.refusal = refusalWords(challenge)
	if a.bearer {
		return []byte{1}, nil
	}
	return []byte{}, nil
}

// Refusal returns why the server has not accepted the token, in its own words; "" when it has not said.
func (a *SMTPLogin) Refusal() string { return a.refusal }

// refusalWords reads the JSON of a refusal. See RFC 7628 section 3.2.2.
func refusalWords(challenge []byte) string {
	var r struct{ Status, Scope string }
	if json.Unmarshal(challenge, &r) != nil || r.Status == "" {
		return clean(string(challenge), nil)
	}
	return clean(fmt.Sprintf("%s %s", r.Status, r.Scope), nil)
}

// saslName writes a name into a GS2 header. See RFC 5801 section 4.
func saslName(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch s[i] {
		case ',':
			out = append(out, "=2C"...)
		case '=':
			out = append(out, "=3D"...)
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

// Standing is how a mailbox's permission stands.
type Standing string

// The standings.
const (
	Missing Standing = "missing" // nobody has logged in yet
	Working Standing = "working" // as far as is known
	Refused Standing = "refused" // the provider has withdrawn it: log in again
	Foreign Standing = "foreign" // it was given to another application: log in again
)

// StandingOf tells how a stored permission stands for an application. err is what reading it gave: models.ErrNotFound for
// none.
func StandingOf(row models.OAuthToken, err error, app App) Standing {
	switch {
	case err != nil:
		return Missing
	case row.ClientID != app.ClientID:
		return Foreign
	case row.RefusedAt != nil:
		return Refused
	}
	return Working
}
