package imapsync

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/idp"
	"kontrol/internal/imaptest"
	"kontrol/models"
)

// tokens gives tokens in turn and notes what was refused.
type tokens struct {
	mu      sync.Mutex
	list    []string
	refused []string
}

func (k *tokens) get(_ context.Context, refused string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if refused != "" {
		k.refused = append(k.refused, refused)
		if len(k.list) > 1 {
			k.list = k.list[1:]
		}
	}
	return k.list[0], nil
}

func TestDovecotTokens(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]idp.Options{"HS256": {}, "RS256": {RS256: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := idp.Test(t, o)
			keys, err := p.Keys()
			if err != nil {
				t.Fatal(err)
			}
			d := dovecot.Test(t, dovecot.Options{JWT: keys})
			for _, hidden := range []string{"", "AUTH=OAUTHBEARER"} {
				a := dovecotAccount(d, "ivan@firma.example")
				if hidden != "" {
					a.DisableExtensions = []string{hidden}
				}
				var log sharedLog
				a.ProtocolLog = &log
				good := p.JWT("ivan@firma.example", time.Hour)
				k := &tokens{list: []string{good}}
				a.Token = k.get
				dialTest(t, a)
				k = &tokens{list: []string{p.JWT("ivan@firma.example", -time.Hour), good}}
				a.Token = k.get
				dialTest(t, a)
				if len(k.refused) != 1 {
					t.Errorf("refused %d times", len(k.refused))
				}
				other := p.JWT("petrov@firma.example", time.Hour)
				k = &tokens{list: []string{other}}
				a.Token = k.get
				_, err := NewDialer(a, nil, nil).Dial(t.Context())
				var login *LoginError
				if !errors.As(err, &login) || phraseOf(t, err) != "imap.token_refused" || models.IsTemporary(err) || len(k.refused) != 1 {
					t.Errorf("token of another account: %T %v", err, err)
				}
				shown := log.String() + err.Error()
				for _, secret := range []string{good, other} {
					for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))[:40]} {
						if strings.Contains(shown, form) {
							t.Error("a token is shown")
						}
					}
				}
			}
		})
	}
}

// refusing plays a server that refuses tokens in its own way: challenge is its reason before the answer, "" for none.
func refusing(t *testing.T, caps, challenge, answer string) *imaptest.Script {
	s := imaptest.NewScript(t, imaptest.Profile{Caps: caps})
	s.On("AUTHENTICATE", func(turn *imaptest.Turn) bool {
		if !strings.Contains(caps, "SASL-IR") {
			turn.Printf("+ \r\n")
			turn.ReadLine()
		}
		if challenge != "" {
			turn.Printf("+ %s\r\n", base64.StdEncoding.EncodeToString([]byte(challenge)))
			if got := turn.ReadLine(); got != "AQ==" {
				t.Errorf("the reason for a refusal was answered with %q", got)
				turn.Printf("%s BAD Invalid base64\r\n", turn.Tag)
				return true
			}
		}
		turn.Printf("%s %s\r\n", turn.Tag, answer)
		return true
	})
	return s
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, caps, challenge, answer string
		want, words                   string
		refusals                      int
	}{
		{"gmail", "IMAP4rev1 SASL-IR AUTH=XOAUTH2", `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`,
			"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", "imap.token_refused", "400 https://mail.google.com/", 1},
		{"microsoft", "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2", "", "NO AUTHENTICATE failed.", "imap.token_refused", "AUTHENTICATE failed.", 1},
		{"without initial response", "IMAP4rev1 AUTH=XOAUTH2", `{"status":"401"}`, "NO [AUTHENTICATIONFAILED] no", "imap.token_refused", "401", 1},
		{"bearer", "IMAP4rev1 AUTH=OAUTHBEARER AUTH=XOAUTH2", `{"status":"invalid_token","scope":"mail"}`, "NO no", "imap.token_refused", "invalid_token mail", 1},
		{"no json", "IMAP4rev1 SASL-IR AUTH=XOAUTH2", `expired`, "NO no", "imap.token_refused", "expired", 1},
		{"throttled", "IMAP4rev1 SASL-IR AUTH=XOAUTH2", "", "NO Too many simultaneous connections", "imap.busy", "", 0},
		{"not connected", "IMAP4rev1 SASL-IR AUTH=XOAUTH2", "", "BAD User is authenticated but not connected.", "imap.busy", "", 0},
		{"no mechanism", "IMAP4rev1 SASL-IR AUTH=PLAIN", "", "OK", "imap.token_unknown", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := refusing(t, c.caps, c.challenge, c.answer)
			a := account(s.URL())
			k := &tokens{list: []string{"first-token", "second-token"}}
			a.Token = k.get
			_, err := NewDialer(a, nil, nil).Dial(t.Context())
			var login *LoginError
			if got := phraseOf(t, err); got != c.want || errors.As(err, &login) != (c.refusals > 0) || len(k.refused) != c.refusals {
				t.Fatalf("%T %v told as %s, %d tokens refused", err, err, got, len(k.refused))
			}
			p, _ := models.PhraseOf(err)
			if words, _ := p.Args["Words"].(string); !strings.Contains(words, c.words) || strings.Contains(err.Error(), "-token ") {
				t.Errorf("words %q", words)
			}
		})
	}
}

func TestTokenThatCannotBeHad(t *testing.T) {
	t.Parallel()
	s := imaptest.NewScript(t, imaptest.Profile{Caps: "IMAP4rev1 AUTH=XOAUTH2"})
	a := account(s.URL())
	a.Token = func(context.Context, string) (string, error) {
		return "", &models.Told{Phrase: models.Say("oauth.login_first"), Err: errors.New("nobody has logged in")}
	}
	_, err := NewDialer(a, nil, nil).Dial(t.Context())
	if phraseOf(t, err) != "oauth.login_first" || models.IsTemporary(err) || len(s.Commands()) != 0 {
		t.Errorf("%v, sent %q", err, s.Commands())
	}
}

// sharedLog is the protocol log of several connections.
type sharedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to the log.
func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all of it.
func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
