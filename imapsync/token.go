package imapsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"

	"kontrol/models"
)

// credentials are what a login is made with.
type credentials struct {
	username, secret string
	token            bool // secret is an access token
}

// tokenRefused says that the server has not accepted an access token. It is not shown to anybody: open makes an error of
// it that is.
type tokenRefused struct {
	err   error // as for a refused password
	words string
}

func (e *tokenRefused) Error() string { return e.err.Error() }
func (e *tokenRefused) Unwrap() error { return e.err }

// openWithToken logs in with an access token. A token that the server does not accept may have been withdrawn before its
// time, so another one is asked for and tried once, over a new connection; only when that is not accepted either is it a
// refused login.
func (d *dialer) openWithToken(ctx context.Context, p place, tell func(hindrance)) (*link, error) {
	refused := ""
	for {
		token, err := d.account.Token(ctx, refused)
		if err != nil {
			err = fmt.Errorf("get access token of %s: %w", d.account.Address, err)
			if _, ok := models.PhraseOf(err); ok {
				return nil, err
			}
			return nil, d.account.told("secret", err)
		}
		l, err := d.openWith(ctx, p, credentials{username: d.account.Username, secret: token, token: true}, tell)
		var no *tokenRefused
		if !errors.As(err, &no) {
			return l, err
		}
		if refused != "" || ctx.Err() != nil {
			return nil, d.account.tokenRefused(no)
		}
		d.log.Info("access token not accepted, asking for another", "words", no.words)
		refused = token
	}
}

// tokenRefused is loginRefused for a token.
func (a Account) tokenRefused(no *tokenRefused) error {
	var s *StatusError
	proven := errors.As(no.err, &s) && provenCode(s.Code)
	return &LoginError{Address: a.Address, Proven: proven, Err: a.told("token_refused", no.err, "Words", no.words)}
}

// presentToken logs in with an access token, by OAUTHBEARER where the server has it and by XOAUTH2 otherwise. After a
// refusal the connection is never used again: servers and go-imap do not always agree where the exchange has ended.
func (l *link) presentToken(ctx context.Context, c credentials) error {
	a := l.dialer.account
	if l.place.security == noTLS && !isLoopback(l.place.host) {
		return a.told("url_insecure", errors.New("access token without tls"))
	}
	m := tokenMechanism(l.guard, l.place, c)
	if m == nil {
		return a.told("token_unknown", fmt.Errorf("%s offers neither OAUTHBEARER nor XOAUTH2", l.place.addr))
	}
	_, err := l.do(ctx, command{name: "AUTHENTICATE"}, func() error { return l.client.Authenticate(m) })
	if err == nil {
		return nil
	}
	sorted := l.loginError(err)
	var login *LoginError
	switch {
	case errors.As(sorted, &login):
		words := m.words()
		var s *StatusError
		if errors.As(err, &s) && s.Text != "" {
			words = strings.TrimSpace(strings.Join([]string{s.Text, words}, "; "))
			words = strings.TrimSuffix(words, ";")
		}
		return &tokenRefused{login.Err, words}
	case m.refusal != nil && models.IsTemporary(sorted) && !temporaryStatus(m.status()): // refused, and then something broke
		return &tokenRefused{sorted, m.words()}
	}
	return sorted
}

// temporaryStatus reports whether the status in a refusal is about the server and not about the token.
func temporaryStatus(s string) bool { return strings.HasPrefix(s, "5") || s == "429" }

// tokenMechanism picks how to log in with a token; nil when the server knows no way.
func tokenMechanism(g *guard, p place, c credentials) *saslToken {
	m := &saslToken{name: "XOAUTH2", first: "user=" + c.username + "\x01auth=Bearer " + c.secret + "\x01\x01"}
	switch {
	case g.has("AUTH=OAUTHBEARER"):
		m.name = "OAUTHBEARER"
		m.first = "n,a=" + gs2Name(c.username) + ",\x01host=" + p.host + portField(p.addr) + "\x01auth=Bearer " + c.secret + "\x01\x01"
		return m
	case g.has("AUTH=XOAUTH2"):
		return m
	}
	return nil
}

// gs2Name writes a name into a GS2 header. See RFC 5801 section 4.
func gs2Name(s string) string { return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s) }

func portField(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if _, bad := strconv.Atoi(port); err != nil || bad != nil {
		return ""
	}
	return "\x01port=" + port
}

// saslToken is OAUTHBEARER (RFC 7628) or XOAUTH2: one message of ours, and if the server refuses it, its reason, which has
// to be answered before the refusal is complete.
type saslToken struct {
	name, first string
	refusal     []byte // the reason; nil while there is none
}

var _ sasl.Client = (*saslToken)(nil)

// Start sends the token.
func (s *saslToken) Start() (string, []byte, error) { return s.name, []byte(s.first), nil }

// Next answers the reason for a refusal with the one octet that RFC 7628 section 3.2.3 asks for; an empty answer, which
// go-imap would write as "=", is a syntax error to Dovecot. A second reason would go on for ever.
func (s *saslToken) Next(challenge []byte) ([]byte, error) {
	if s.refusal != nil {
		return nil, errors.New("server asked again after it had refused the token")
	}
	s.refusal = append([]byte{}, challenge...)
	return []byte{1}, nil
}

func (s *saslToken) read() (status, scope string) {
	var r struct {
		Status any    `json:"status"`
		Scope  string `json:"scope"`
	}
	if json.Unmarshal(s.refusal, &r) != nil || r.Status == nil {
		return "", ""
	}
	return fmt.Sprint(r.Status), r.Scope
}

func (s *saslToken) status() string { status, _ := s.read(); return status }

// words are the server's reason for people: status and scope of its JSON, or what it said instead. See RFC 7628 section
// 3.2.2.
func (s *saslToken) words() string {
	status, scope := s.read()
	if status == "" {
		return cleanText(s.refusal)
	}
	return strings.TrimSpace(cleanText([]byte(status + " " + scope)))
}

// byToken ends the key of a text about a refused login: whoever logs in by token has no password to correct.
func byToken(err error) string {
	if p, ok := models.PhraseOf(err); ok && p.ID == "imap.token_refused" {
		return "_token"
	}
	return ""
}
