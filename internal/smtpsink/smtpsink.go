// Package smtpsink is an SMTP server for tests and the demo that keeps every letter it is given and sends none on. It can
// be told to refuse recipients or letters, and to hang up at the worst moments.
package smtpsink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"kontrol/internal/testcert"
)

// Letter is a letter as it was accepted.
type Letter struct {
	From string   // the envelope's sender; "" for <>
	To   []string // the envelope's recipients, in the order they were named
	Data []byte   // exactly what came, dots unstuffed; lines end in CRLF
	User string   // who logged in; "" for nobody
	TLS  bool     // it came over TLS
}

// Stage is the moment at which a Failure strikes.
type Stage int

// The moments at which a Failure can strike.
const (
	AtRcpt    Stage = iota // the recipient is refused
	AtData                 // the letter is refused after its final dot
	BeforeDot              // the sink hangs up in the middle of the letter, which is not kept
	AfterDot               // the letter is kept, but the sink hangs up instead of saying so: the sender cannot know
)

// Failure makes the sink misbehave for the recipients that a pattern fits.
type Failure struct {
	Rcpt     *regexp.Regexp // fits the bare address; nil fits all. At other stages than AtRcpt one fitting recipient is enough
	Stage    Stage
	Code     int    // the answer's code, for AtRcpt and AtData; 0 means 550
	Enhanced [3]int // the answer's enhanced code; the zero value means X.0.0, X after Code. See RFC 3463
	Text     string // the answer's words
	Times    int    // strikes this often, then never again; 0 means always
}

// Options say how the sink behaves. The zero value is a plain server that wants no login.
type Options struct {
	User, Password string // when set, AUTH PLAIN with these is needed before MAIL; it is offered without TLS too
	// Tokens are the access tokens that are accepted, by user; when set, a login is needed before MAIL. Mechanisms are those
	// that are offered for them: "XOAUTH2", "OAUTHBEARER"; nil means both.
	Tokens     map[string]string
	Mechanisms []string

	STARTTLS    bool         // offer STARTTLS
	ImplicitTLS bool         // speak TLS from the first byte, as on port 465
	MaxSize     int64        // announced by SIZE and enforced, in bytes; 0 means no limit
	Failures    []Failure    // the first that fits strikes
	OnLetter    func(Letter) // called for every accepted letter before the sender hears of it; may be nil
}

// Server is a running sink. Its methods may be called from several goroutines.
type Server struct {
	Addr string // host:port on loopback
	CA   []byte // PEM of the certificate, which is its own authority; nil without TLS

	opts     Options
	server   *smtp.Server
	listener net.Listener
	served   chan struct{}
	roots    *x509.CertPool

	mu      sync.Mutex
	letters []Letter
	struck  []int         // for each failure, how often it has struck
	arrived chan struct{} // closed and replaced whenever letters grows
}

// Test starts a sink that lives as long as the test.
func Test(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Start starts a sink on a free loopback port. Call Stop in the end.
func Start(o Options) (*Server, error) {
	s := &Server{opts: o, struck: make([]int, len(o.Failures)), arrived: make(chan struct{}), served: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{sink: s, conn: c}, nil
	}))
	s.server.Domain = "localhost"
	s.server.AllowInsecureAuth = true
	s.server.EnableSMTPUTF8 = true
	s.server.MaxMessageBytes = o.MaxSize
	s.server.ErrorLog = log.New(io.Discard, "", 0) // connections that break off are what tests are about
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start an smtp sink: %w", err)
	}
	s.Addr = l.Addr().String()
	if l, err = s.secure(l); err != nil {
		return nil, err
	}
	s.listener = l
	go func() {
		defer close(s.served)
		_ = s.server.Serve(l) // ends when Stop closes the listener
	}()
	return s, nil
}

// secure sets up TLS where the options want it.
func (s *Server) secure(l net.Listener) (net.Listener, error) {
	if !s.opts.STARTTLS && !s.opts.ImplicitTLS {
		return l, nil
	}
	cert, err := testcert.New()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	pair, err := tls.X509KeyPair(cert.PEM, cert.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load the certificate: %w", err), l.Close())
	}
	conf := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.CA, s.roots = cert.PEM, cert.Pool()
	if s.opts.ImplicitTLS {
		return tls.NewListener(l, conf), nil
	}
	s.server.TLSConfig = conf
	return l, nil
}

// TLS returns a client's TLS configuration that trusts this sink and no other.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// CAFile writes the certificate into a folder and returns the file's path.
func (s *Server) CAFile(folder string) (string, error) {
	path := filepath.Join(folder, "smtp-ca.pem")
	if err := os.WriteFile(path, s.CA, 0o600); err != nil {
		return "", fmt.Errorf("write the sink's certificate: %w", err)
	}
	return path, nil
}

// Letters returns the letters accepted so far, in order.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

// Wait waits until n letters have been accepted since the start and returns all there are. Its error is ctx's.
func (s *Server) Wait(ctx context.Context, n int) ([]Letter, error) {
	for {
		s.mu.Lock()
		letters, arrived := slices.Clone(s.letters), s.arrived
		s.mu.Unlock()
		if len(letters) >= n {
			return letters, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return letters, fmt.Errorf("wait for %d letters, have %d: %w", n, len(letters), ctx.Err())
		}
	}
}

// Stop closes the port and all connections. It may be called more than once.
func (s *Server) Stop() {
	// The library closes only the listeners that its Serve has reached already. Errors say that it was closed before.
	_ = s.listener.Close()
	_ = s.server.Close()
	<-s.served
}

func (s *Server) keep(l Letter) {
	if s.opts.OnLetter != nil {
		s.opts.OnLetter(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, l)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// strike returns the failure that strikes these recipients at one of the stages, and counts it; nil for none.
func (s *Server) strike(rcpts []string, stages ...Stage) *Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.opts.Failures {
		f := &s.opts.Failures[i]
		fits := func(rcpt string) bool { return f.Rcpt == nil || f.Rcpt.MatchString(rcpt) }
		if (f.Times > 0 && s.struck[i] >= f.Times) || !slices.Contains(stages, f.Stage) || !slices.ContainsFunc(rcpts, fits) {
			continue
		}
		s.struck[i]++
		return f
	}
	return nil
}

// answer is the failure as the SMTP library sends it.
func (f *Failure) answer() error {
	e := &smtp.SMTPError{Code: f.Code, EnhancedCode: smtp.EnhancedCode(f.Enhanced), Message: f.Text}
	if e.Code == 0 {
		e.Code = 550
	}
	if f.Enhanced == [3]int{} {
		e.EnhancedCode = smtp.EnhancedCode{e.Code / 100, 0, 0}
	}
	return e
}

// session is one connection's state.
type session struct {
	sink   *Server
	conn   *smtp.Conn
	letter Letter
	user   string
}

// AuthMechanisms is part of smtp.AuthSession.
func (c *session) AuthMechanisms() []string {
	var list []string
	if c.sink.opts.User != "" {
		list = append(list, sasl.Plain)
	}
	if c.sink.opts.Tokens != nil {
		list = append(list, c.sink.tokenMechanisms()...)
	}
	return list
}

// Auth is part of smtp.AuthSession.
func (c *session) Auth(mechanism string) (sasl.Server, error) {
	if c.sink.opts.Tokens != nil && slices.Contains(c.sink.tokenMechanisms(), mechanism) {
		return &tokenServer{session: c, bearer: mechanism == sasl.OAuthBearer}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != c.sink.opts.User || password != c.sink.opts.Password {
			return smtp.ErrAuthFailed
		}
		c.user = user
		return nil
	}), nil
}

// Mail is part of smtp.Session.
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if (c.sink.opts.User != "" || c.sink.opts.Tokens != nil) && c.user == "" {
		return smtp.ErrAuthRequired
	}
	c.letter = Letter{From: from, User: c.user}
	_, c.letter.TLS = c.conn.TLSConnectionState()
	return nil
}

// Rcpt is part of smtp.Session.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if f := c.sink.strike([]string{to}, AtRcpt); f != nil {
		return f.answer()
	}
	c.letter.To = append(c.letter.To, to)
	return nil
}

// Data is part of smtp.Session.
func (c *session) Data(r io.Reader) error {
	f := c.sink.strike(c.letter.To, AtData, BeforeDot, AfterDot)
	if f != nil && f.Stage == BeforeDot {
		return c.hangUp()
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if f != nil && f.Stage == AtData {
		return f.answer()
	}
	c.letter.Data = data
	c.sink.keep(c.letter)
	if f != nil {
		return c.hangUp()
	}
	return nil
}

func (c *session) hangUp() error {
	_ = c.conn.Conn().Close()
	return errors.New("hung up as told")
}

// Reset is part of smtp.Session.
func (c *session) Reset() { c.letter = Letter{} }

// Logout is part of smtp.Session.
func (c *session) Logout() error { return nil }
