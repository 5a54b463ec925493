// Package idp is an identity provider for tests: OAuth2 with the code flow and PKCE, the device flow, refresh tokens that
// are rotated with detection of reuse, and access tokens that are JWTs which a mail server can check by itself. People do
// not type passwords here: the test says who is at the browser.
package idp

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"kontrol/internal/testcert"
)

// Options say how the provider behaves. The zero value is an ordinary strict one.
type Options struct {
	ClientID, ClientSecret string        // "" means "kontrol" and no secret
	Lifetime               time.Duration // of access tokens; 0 means an hour; NoExpiry hides it from the client
	NoExpiry               bool
	Keep                   bool          // refresh tokens are not rotated
	Silent                 bool          // a refresh gives no new refresh token, and the old one stays good
	Grace                  time.Duration // how long a rotated refresh token still works
	NoRefresh              bool          // no refresh tokens at all
	Interval               int           // seconds between questions in the device flow; 0 means 1
	CodeLifetime           time.Duration // of device codes; 0 means ten minutes
	Basic                  bool          // the secret is wanted in the Authorization header only
	TLS                    bool          // speak https
	RS256                  bool          // sign with RSA; otherwise HS256
	User                   string        // who is at the browser; see SetUser
	Approve                bool          // User types the code of the device flow at once
}

// Counts are what has happened so far.
type Counts struct {
	Codes, Devices int // permissions given by browser and by device
	Refreshes      int // refreshes granted
	Reuses         int // refreshes with a token that was rotated before: the whole family is withdrawn
	Refused        int // requests for a token that were refused
	Requests       int // at the token address, of any kind
}

// Server is a running provider. Its methods may be called from several goroutines.
type Server struct {
	URL                          string
	AuthURL, TokenURL, DeviceURL string
	CA                           []byte // PEM; nil without TLS

	opts   Options
	secret []byte
	key    *rsa.PrivateKey
	http   *httptest.Server

	mu       sync.Mutex
	user     string
	deny     bool
	counts   Counts
	codes    map[string]permission
	devices  map[string]*device
	families map[string]*family // by refresh token, old and new
	failures []failure
	hook     func(stage string)
	last     string
}

// permission is what a person has agreed to by browser.
type permission struct{ user, challenge, redirect, scope string }

// device is a device code that waits.
type device struct {
	userCode, user string
	denied         bool
	expires        time.Time
	slow           int
}

// family is all tokens that come from one agreement.
type family struct {
	user      string
	current   string
	rotated   map[string]time.Time
	withdrawn bool
}

type failure struct {
	status     int
	code       string
	retryAfter string
}

// Test starts a provider that lives as long as the test.
func Test(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Start starts a provider on a free loopback port. Call Stop in the end.
func Start(o Options) (*Server, error) {
	if o.ClientID == "" {
		o.ClientID = "kontrol"
	}
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	if o.Interval == 0 {
		o.Interval = 1
	}
	if o.CodeLifetime == 0 {
		o.CodeLifetime = 10 * time.Minute
	}
	s := &Server{
		opts: o, secret: []byte(rand.Text() + rand.Text()), user: o.User, codes: map[string]permission{},
		devices: map[string]*device{}, families: map[string]*family{},
	}
	if o.RS256 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		s.key = key
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /device", s.device)
	s.http = httptest.NewUnstartedServer(mux)
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	if err := s.listen(); err != nil {
		return nil, err
	}
	s.URL = s.http.URL
	s.AuthURL, s.TokenURL, s.DeviceURL = s.URL+"/authorize", s.URL+"/token", s.URL+"/device"
	return s, nil
}

func (s *Server) listen() error {
	if !s.opts.TLS {
		s.http.Start()
		return nil
	}
	cert, err := testcert.New()
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert.PEM, cert.Key)
	if err != nil {
		return fmt.Errorf("load the certificate: %w", err)
	}
	s.CA = cert.PEM
	s.http.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.http.StartTLS()
	return nil
}

// Stop closes the port and all connections.
func (s *Server) Stop() { s.http.CloseClientConnections(); s.http.Close() }

// Counts returns what has happened so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// SetUser says who is at the browser from now on. With deny he refuses.
func (s *Server) SetUser(user string, deny bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.deny = user, deny
}

// Approve lets a person type the code of the device flow and agree, or refuse. It reports whether there is such a code.
func (s *Server) Approve(userCode, user string, deny bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.userCode == userCode {
			d.user, d.denied = user, deny
			return true
		}
	}
	return false
}

// SlowDown makes the provider tell the holder of every device code to ask less often, so many times.
func (s *Server) SlowDown(times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		d.slow = times
	}
}

// Fail makes the next times requests for a token fail with an HTTP status and an error code; see RFC 6749 section 5.2.
func (s *Server) Fail(times, status int, code, retryAfter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		s.failures = append(s.failures, failure{status, code, retryAfter})
	}
}

// OnRefresh has f called during each refresh that is granted: with "asked" before anything is changed and with "granted"
// when the tokens are made but not sent yet. Nil ends that.
func (s *Server) OnRefresh(f func(stage string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Withdraw ends all permissions of a user, as he may in his account. Access tokens live on.
func (s *Server) Withdraw(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.families {
		if f.user == user {
			f.withdrawn = true
		}
	}
}

// Grant gives a refresh token for a user without any flow.
func (s *Server) Grant(user string) (refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newFamily(user)
}

func (s *Server) newFamily(user string) string {
	f := &family{user: user, current: "r-" + rand.Text(), rotated: map[string]time.Time{}}
	s.families[f.current] = f
	return f.current
}

// JWT signs a token for a user that lives from now for d.
func (s *Server) JWT(user string, d time.Duration) string {
	now := time.Now()
	alg := "HS256"
	if s.key != nil {
		alg = "RS256"
	}
	head := encode(map[string]any{"alg": alg, "typ": "JWT"})
	body := encode(map[string]any{
		"iss": "kontrol-idp", "sub": user, "email": user, "iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(),
		"exp": now.Add(d).Unix(), "jti": rand.Text(), "scope": "mail",
	})
	text := head + "." + body
	return text + "." + base64.RawURLEncoding.EncodeToString(s.sign([]byte(text)))
}

func (s *Server) sign(text []byte) []byte {
	if s.key == nil {
		m := hmac.New(sha256.New, s.secret)
		_, _ = m.Write(text)
		return m.Sum(nil)
	}
	sum := sha256.Sum256(text)
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return nil // the token is then refused by everybody
	}
	return sig
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Keys returns what a mail server needs to check the tokens, by algorithm, in the form in which Dovecot reads it.
func (s *Server) Keys() (map[string][]byte, error) {
	if s.key == nil {
		return map[string][]byte{"HS256": []byte(base64.StdEncoding.EncodeToString(s.secret))}, nil
	}
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("write the public key: %w", err)
	}
	return map[string][]byte{"RS256": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, nil
}
