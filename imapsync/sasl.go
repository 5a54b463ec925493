package imapsync

import (
	"errors"

	"github.com/emersion/go-sasl"
)

// saslLogin is the LOGIN mechanism: the server asks for the name and then for the password, in words that nobody keeps
// to. See draft-murchison-sasl-login.
type saslLogin struct {
	username, password string
	asked              int
}

// Start begins without an initial response.
func (s *saslLogin) Start() (string, []byte, error) { return "LOGIN", nil, nil }

// Next answers the first question with the name and the second with the password.
func (s *saslLogin) Next([]byte) ([]byte, error) {
	s.asked++
	switch s.asked {
	case 1:
		return []byte(s.username), nil
	case 2:
		return []byte(s.password), nil
	}
	return nil, errors.New("server asked a third question in the LOGIN mechanism")
}

// mechanism picks how to log in; nil stands for the LOGIN command.
func mechanism(g *guard, username, password string) sasl.Client {
	switch {
	case g.has("AUTH=PLAIN"):
		return sasl.NewPlainClient("", username, password)
	case g.has("AUTH=LOGIN"):
		return &saslLogin{username: username, password: password}
	}
	return nil
}
