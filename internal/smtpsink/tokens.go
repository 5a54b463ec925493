package smtpsink

import (
	"errors"
	"strings"

	"github.com/emersion/go-smtp"
)

func (s *Server) tokenMechanisms() []string {
	if s.opts.Mechanisms == nil {
		return []string{"OAUTHBEARER", "XOAUTH2"}
	}
	return s.opts.Mechanisms
}

// tokenServer is the server's side of OAUTHBEARER (RFC 7628) or XOAUTH2. A refusal is given as JSON first, and only the
// client's answer to that ends the exchange.
type tokenServer struct {
	session *session
	bearer  bool
	refused bool
}

// Next is part of sasl.Server.
func (t *tokenServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if t.refused {
		if want := map[bool]string{true: "\x01", false: ""}[t.bearer]; string(response) != want {
			return nil, true, errors.New("malformed answer to a refusal")
		}
		return nil, true, smtp.ErrAuthFailed
	}
	if response == nil {
		return []byte{}, false, nil
	}
	user, token := t.read(string(response))
	if want, ok := t.session.sink.opts.Tokens[user]; ok && token == want {
		t.session.user = user
		return nil, true, nil
	}
	t.refused = true
	return []byte(`{"status":"invalid_token","schemes":"bearer","scope":"mail"}`), false, nil
}

// read takes the client's message apart.
func (t *tokenServer) read(message string) (user, token string) {
	fields := strings.Split(message, "\x01")
	if t.bearer {
		_, rest, _ := strings.Cut(fields[0], ",a=")
		user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(strings.TrimSuffix(rest, ","))
	} else {
		user = strings.TrimPrefix(fields[0], "user=")
	}
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(f, "auth=Bearer "); ok {
			token = rest
		}
	}
	return user, token
}
