package imapsync

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/internal/testcert"
	"kontrol/locale"
	"kontrol/models"
)

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"NO [AUTHENTICATIONFAILED] Invalid credentials":           "imap.login_refused",
		"NO [AUTHORIZATIONFAILED] no":                             "imap.login_refused",
		"NO [EXPIRED] password expired":                           "imap.login_refused",
		"NO LOGIN failed.":                                        "imap.login_refused",
		"NO":                                                      "imap.login_refused",
		"NO [ALERT] Please log in via your web browser":           "imap.login_refused",
		"NO [ALERT] Too many simultaneous connections. (Failure)": "imap.busy",
		"NO Too many open connections":                            "imap.busy",
		"NO [LIMIT] Maximum number of connections":                "imap.busy",
		"NO [UNAVAILABLE] Temporary authentication failure.":      "imap.busy",
		"NO [INUSE] locked":                                       "imap.busy",
		"NO Server Unavailable. 15":                               "imap.busy",
		"NO [PRIVACYREQUIRED] no plaintext":                       "imap.login_disabled",
		"BAD User is authenticated but not connected.":            "imap.busy",
		"BYE":                            "imap.busy",
		"OK [CAPABILITY IMAP4rev1] done": "",
		"NO [AUTHENTICATIONFAILED] \xd1\xf0\xee\xf7 \x00 bad words [x] {5}": "imap.login_refused",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			p := imaptest.Plain()
			p.Caps = "IMAP4rev1"
			s := imaptest.NewScript(t, p)
			s.On("LOGIN", func(turn *imaptest.Turn) bool {
				if answer == "BYE" {
					turn.Printf("* BYE Maximum number of connections from user+IP exceeded\r\n")
					turn.Close()
				} else {
					turn.Printf("%s %s\r\n", turn.Tag, answer)
				}
				return true
			})
			c, err := NewDialer(quick(account(s.URL())), nil, nil).Dial(t.Context())
			if err == nil {
				c.Close()
			}
			if want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := phraseOf(t, err); got != want {
				t.Errorf("%v: told as %s, want %s", err, got, want)
			}
			var login *LoginError
			if errors.As(err, &login) != (want == "imap.login_refused") || models.IsTemporary(err) != (want == "imap.busy") {
				t.Errorf("kind of %T %v", err, err)
			}
		})
	}
}

func TestLoginMechanisms(t *testing.T) {
	t.Parallel()
	for caps, want := range map[string]string{
		"IMAP4rev1 AUTH=PLAIN SASL-IR":             "AUTHENTICATE PLAIN AGl2YW4AcGFzcw==",
		"IMAP4rev1 AUTH=PLAIN":                     "AUTHENTICATE PLAIN",
		"IMAP4rev1 AUTH=LOGIN AUTH=CRAM-MD5":       "AUTHENTICATE LOGIN",
		"IMAP4rev1":                                `LOGIN "ivan" "pass"`,
		"IMAP4rev1 LOGINDISABLED AUTH=PLAIN":       "AUTHENTICATE PLAIN",
		"IMAP4rev1 IMAP4rev2 UTF8=ACCEPT AUTH=XYZ": `LOGIN "ivan" "pass"`,
	} {
		p := imaptest.Profile{Caps: caps, Username: "ivan", Password: "pass"}
		s := imaptest.NewScript(t, p)
		dialTest(t, quick(account(s.URL())))
		found := false
		for _, c := range s.Commands() {
			found = found || c == want
		}
		if !found {
			t.Errorf("%s: sent %q, want %q", caps, s.Commands(), want)
		}
	}
	s := imaptest.NewScript(t, imaptest.Profile{Caps: "IMAP4rev1 LOGINDISABLED STARTTLS"})
	_, err := NewDialer(quick(account(s.URL())), nil, nil).Dial(t.Context())
	if phraseOf(t, err) != "imap.login_disabled" || strings.Contains(strings.Join(s.Commands(), " "), "pass") {
		t.Errorf("LOGINDISABLED: %v, sent %q", err, s.Commands())
	}
}

func TestCapabilitiesAreHidden(t *testing.T) {
	t.Parallel()
	s := imaptest.NewScript(t, imaptest.Profile{Caps: "IMAP4rev1 IMAP4rev2 UTF8=ACCEPT MOVE UIDPLUS IDLE AUTH=PLAIN"})
	a := quick(account(s.URL()))
	a.DisableExtensions = []string{"move", "IDLE"}
	c := dialTest(t, a)
	if c.Caps().Move || c.Caps().Idle || !c.Caps().UIDPlus {
		t.Errorf("caps %+v", c.Caps())
	}
	if err := c.Create(t.Context(), "Счета"); err != nil {
		t.Fatal(err)
	}
	if got := s.Commands()[len(s.Commands())-2]; got != `CREATE "`+imaptest.EncodeName("Счета")+`"` {
		t.Errorf("name sent as %q", got)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"imaps://mail.example.ru": "mail.example.ru:993", "imap://mail.example.ru": "mail.example.ru:143", "imaps://h:1993/": "h:1993",
		"imap+insecure://localhost:1143": "localhost:1143", "imap+insecure://[::1]": "[::1]:143", "imap+insecure://127.1.2.3": "127.1.2.3:143",
		"imap+insecure://mail.example.ru": "", "imap+insecure://10.0.0.1": "", "imap+insecure://localhost.example.ru": "",
		"mail.example.ru": "", "": "", "http://x": "", "imaps://": "", "imaps://u:p@h": "", "imaps://h/path": "", "imaps://h?x=1": "", "imaps://h:x": "",
	} {
		p, err := account(url).place()
		if p.addr != want || (err == nil) != (want != "") {
			t.Errorf("%q: %+v %v", url, p, err)
		}
		if err != nil {
			phraseOf(t, err)
		}
	}
}

// peer answers each connection with what f does.
func peer(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func say(texts ...string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 4096)
		for i, s := range texts {
			if i > 0 {
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
			_, _ = io.WriteString(c, s)
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestDialFailures(t *testing.T) {
	t.Parallel()
	closed := peer(t, func(net.Conn) {})
	for _, tc := range []struct {
		name, url, want string
		temporary       bool
	}{
		{"says nothing", "imap+insecure://" + peer(t, say("")), "imap.silent", true},
		{"wants TLS at once", "imap://" + peer(t, say("")), "imap.tls_expected", true},
		{"TLS never comes", "imaps://" + peer(t, say("")), "imap.silent", true},
		{"no TLS", "imaps://" + peer(t, say("* OK ready\r\n")), "imap.tls_none", false},
		{"closes", "imap+insecure://" + closed, "imap.unreachable", true},
		{"closes before STARTTLS", "imap://" + closed, "imap.unreachable", true},
		{"smtp", "imap+insecure://" + peer(t, say("220 smtp ready\r\n")), "imap.not_imap", false},
		{"smtp, starttls", "imap://" + peer(t, say("220 smtp ready\r\n")), "imap.not_imap", false},
		{"tls alert", "imap://" + peer(t, func(c net.Conn) { _, _ = c.Write([]byte("\x15\x03\x01\x00\x02\x02\x0a")) }), "imap.not_imap", false},
		{"endless line", "imap://" + peer(t, func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("x", 1<<20)) }), "imap.not_imap", false},
		{"greets with BYE", "imap+insecure://" + peer(t, say("* BYE [UNAVAILABLE] Too many connections\r\n")), "imap.busy", true},
		{"greets with BYE, starttls", "imap://" + peer(t, say("* BYE Too many connections\r\n")), "imap.busy", true},
		{"PREAUTH before TLS", "imap://" + peer(t, say("* PREAUTH welcome\r\n")), "imap.busy", true},
		{"no STARTTLS", "imap://" + peer(t, say("* OK hi\r\n", "* CAPABILITY IMAP4rev1\r\nK1 OK\r\n")), "imap.starttls_missing", false},
		{"STARTTLS refused", "imap://" + peer(t, say("* OK hi\r\n", "* CAPABILITY STARTTLS\r\nK1 OK\r\n", "K2 NO later\r\n")), "imap.busy", true},
		{"data before TLS", "imap://" + peer(t, say("* OK hi\r\n", "* CAPABILITY STARTTLS\r\nK1 OK\r\n", "K2 OK go\r\n* OK injected\r\n")), "imap.starttls_injected", false},
		{"no such host", "imaps://no-such-host.invalid", "imap.no_host", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := quick(account(tc.url))
			a.Timeouts.Dial = 400 * time.Millisecond
			if tc.name == "no such host" {
				a.Timeouts.Dial = 10 * time.Second
			}
			s, err := NewDialer(a, nil, nil).Dial(t.Context())
			if err == nil {
				s.Close()
				t.Fatal("connected")
			}
			got := phraseOf(t, err)
			if tc.name == "no such host" && got != tc.want {
				t.Skip("no resolver here that knows what does not exist: " + got)
			}
			if got != tc.want || models.IsTemporary(err) != tc.temporary {
				t.Errorf("%v: told as %s, temporary %v", err, got, models.IsTemporary(err))
			}
		})
	}
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, err = NewDialer(account("imaps://"+addr), nil, nil).Dial(t.Context())
	if phraseOf(t, err) != "imap.refused" || !models.IsTemporary(err) {
		t.Errorf("refused: %v", err)
	}
}

func TestSecretFails(t *testing.T) {
	t.Parallel()
	a := account("imaps://127.0.0.1:1")
	a.Secret = func(context.Context) (string, error) { return "", models.Temporary(errors.New("no pipe")) }
	_, err := NewDialer(a, nil, nil).Dial(t.Context())
	if phraseOf(t, err) != "imap.secret" || !models.IsTemporary(err) {
		t.Errorf("secret: %v", err)
	}
}

// TestPasswordStaysOutOfTheLog looks at the conversation with every way to log in.
func TestPasswordStaysOutOfTheLog(t *testing.T) {
	t.Parallel()
	for _, caps := range []string{"IMAP4rev1 AUTH=PLAIN SASL-IR", "IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=LOGIN", "IMAP4rev1"} {
		for _, secret := range []string{"pass-word", "пароль-секрет", "with\"quote\\"} {
			var log strings.Builder
			s := imaptest.NewScript(t, imaptest.Profile{Caps: caps})
			a := quick(account(s.URL()))
			a.ProtocolLog = &log
			a.Secret = func(context.Context) (string, error) { return secret, nil }
			c := dialTest(t, a)
			s.Deliver("INBOX", []byte("Subject: private matter\r\n\r\nbody\r\n"))
			must[Selected](t)(c.Select(t.Context(), "INBOX", false))
			must[FetchAnswer](t)(c.Fetch(t.Context(), []uint32{1}, 100))
			c.Close()
			for _, leak := range []string{secret, secret[:4], "cGFzcy13b3Jk", "AGl2YW4A", "private matter"} {
				if strings.Contains(log.String(), leak) {
					t.Errorf("%s: %q is in the log:\n%s", caps, leak, log.String())
				}
			}
			if !strings.Contains(log.String(), "SELECT INBOX") {
				t.Errorf("log lacks commands:\n%s", log.String())
			}
		}
	}
}

func TestStartTLSOnScript(t *testing.T) {
	t.Parallel()
	cert := must[testcert.Cert](t)(testcert.New())
	s := imaptest.NewScript(t, imaptest.Profile{Caps: "IMAP4rev1 STARTTLS AUTH=PLAIN", TLS: serverTLS(t, cert)})
	a := quick(account("imap://" + s.Addr()))
	if _, err := NewDialer(a, nil, nil).Dial(t.Context()); phraseOf(t, err) != "imap.tls_unknown_ca" {
		t.Errorf("unknown authority: %v", err)
	}
	a.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(a.CAFile, cert.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.Commands()
	dialTest(t, a)
	for _, c := range before {
		if strings.Contains(c, "AUTHENTICATE") || strings.Contains(c, "LOGIN") {
			t.Errorf("sent %q before TLS", c)
		}
	}
}

func serverTLS(t *testing.T, c testcert.Cert) *tls.Config {
	t.Helper()
	pair := must[tls.Certificate](t)(tls.X509KeyPair(c.PEM, c.Key))
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// TestPhrasesExist reads which texts the package uses; told hides them from locale's own test.
func TestPhrasesExist(t *testing.T) {
	t.Parallel()
	texts, err := locale.New("ru", nil)
	if err != nil {
		t.Fatal(err)
	}
	use := regexp.MustCompile(`(?:told|toldTemporary)\("([a-z_]+)"`)
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		b, err := os.ReadFile(n.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range use.FindAllStringSubmatch(string(b), -1) {
			found++
			said := texts.Say(account("imaps://mail.example.ru").phrase(m[1], "Words", "w", "Host", "h", "Name", "n"))
			if strings.HasPrefix(said, "imap.") || strings.Contains(said, "<no value>") {
				t.Errorf("%s: %s", m[1], said)
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d texts found", found)
	}
}
