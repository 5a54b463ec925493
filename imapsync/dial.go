package imapsync

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"kontrol/models"
)

// Account says how one mailbox is reached. The zero value is not usable: Address, URL, Username and Secret are needed.
type Account struct {
	MailboxID int64  // for logs
	Address   string // the mailbox, as people know it
	// URL is imaps://host[:993] for TLS from the first octet, imap://host[:143] for STARTTLS, which is then required, or
	// imap+insecure://host[:143] for no protection at all, which is refused unless the host is this machine.
	URL      string
	Username string
	// Secret returns the password. It is called at every login and may run a program.
	Secret func(ctx context.Context) (string, error)
	// Token makes the login one by OAuth2 (OAUTHBEARER or XOAUTH2) and is asked for the access token at every login; Secret
	// is not used then. refused is the token that the server has just not accepted, "" for none; another one is then tried
	// once. Its errors are told as they are.
	Token             func(ctx context.Context, refused string) (string, error)
	CAFile            string    // PEM file with certificate authorities that are trusted besides the system's; "" for none
	ServerName        string    // name expected in the certificate; "" for the host of URL
	DisableExtensions []string  // capabilities that are not used although the server has them
	ProtocolLog       io.Writer // gets the conversation without passwords and letters; nil for none
	HeaderCap         int       // octets kept of a letter's header; 0 for 256 KiB
	Timeouts          Timeouts
	// Hosts shares out the connections to the server among the mailboxes of the process; nil for no bounds at all.
	Hosts *Hosts
	// Second marks the connection that a mailbox can do without: the one that only watches.
	Second bool
}

// Timeouts bound what a server may take. A zero field stands for its default.
type Timeouts struct {
	Dial     time.Duration // connecting and TLS; 15 s
	Greeting time.Duration // the server's first line; 15 s
	Command  time.Duration // a command, and silence within any answer; 30 s
	Literal  time.Duration // a command that brings or sends letters; 5 min
	Poll     time.Duration // pause between NOOPs where there is no IDLE; 20 s
	Slice    time.Duration // the longest IDLE before the server has to prove that it still answers; 24 s
	Proof    time.Duration // how long that proof may take; 10 s
}

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Dial, 15*time.Second)
	set(&t.Greeting, 15*time.Second)
	set(&t.Command, 30*time.Second)
	set(&t.Literal, 5*time.Minute)
	set(&t.Poll, 20*time.Second)
	set(&t.Slice, 24*time.Second)
	set(&t.Proof, min(10*time.Second, t.Command))
	return t
}

// security is how the connection is protected.
type security int

const (
	implicitTLS security = iota
	startTLS
	noTLS
)

// place is an Account's URL, read.
type place struct {
	host, addr string
	security   security
}

// Check reports what is wrong with the account's URL and CA file, without connecting. The error can be told to a person.
func (a Account) Check() error {
	if _, err := a.place(); err != nil {
		return err
	}
	_, err := a.roots()
	return err
}

func (a Account) place() (place, error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.User != nil || u.RawQuery != "" {
		return place{}, a.told("url_bad", fmt.Errorf("malformed imap url %q", a.URL))
	}
	p := place{host: u.Hostname()}
	port := u.Port()
	switch u.Scheme {
	case "imaps":
		p.security = implicitTLS
	case "imap":
		p.security = startTLS
	case "imap+insecure":
		p.security = noTLS
		if !isLoopback(p.host) {
			return place{}, a.told("url_insecure", fmt.Errorf("cleartext imap to %s", p.host))
		}
	default:
		return place{}, a.told("url_bad", fmt.Errorf("unknown scheme in imap url %q", a.URL))
	}
	if port == "" {
		port = "143"
		if p.security == implicitTLS {
			port = "993"
		}
	}
	p.addr = net.JoinHostPort(p.host, port)
	return p, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// roots returns the trusted certificate authorities; nil for the system's.
func (a Account) roots() (*x509.CertPool, error) {
	if a.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, a.told("ca_file", fmt.Errorf("read ca file: %w", err))
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, a.told("ca_file", fmt.Errorf("no certificate in ca file %s", a.CAFile))
	}
	return pool, nil
}

// NewDialer returns the Dialer of an account. Nothing is connected yet. A nil logger logs nothing; now is the clock that
// certificates are judged by, nil for the real one.
func NewDialer(a Account, logger *slog.Logger, now func() time.Time) Dialer {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	a.Timeouts = a.Timeouts.withDefaults()
	if a.HeaderCap <= 0 {
		a.HeaderCap = defaultHeaderCap
	}
	if p, err := a.place(); err == nil && a.Hosts != nil {
		a.Hosts.register(p.addr, a.Username)
	}
	return &dialer{account: a, log: logger.With("mailbox", a.Address), now: now}
}

type dialer struct {
	account Account
	log     *slog.Logger
	now     func() time.Time

	failures failures
	oneByOne atomic.Bool // the server was found not to take several commands at once
}

// Dial connects, secures the connection and logs in. With Account.Hosts it first waits until it is its turn.
func (d *dialer) Dial(ctx context.Context) (Session, error) { return d.dialTelling(ctx, nil) }

// dialTelling is Dial and calls tell, in the same goroutine, when it has to wait for more than a moment.
func (d *dialer) dialTelling(ctx context.Context, tell func(models.Phrase)) (Session, error) {
	l, err := d.openTelling(ctx, func(why hindrance) {
		d.log.Debug("waiting for a connection", "obstacle", int(why.kind), "until", why.until)
		if tell != nil {
			tell(why.phrase(d.account))
		}
	})
	if err != nil {
		return nil, err
	}
	return &Conn{dialer: d, link: l, caps: l.caps}, nil
}

// open makes one logged-in connection.
func (d *dialer) open(ctx context.Context) (*link, error) { return d.openTelling(ctx, nil) }

func (d *dialer) openTelling(ctx context.Context, tell func(hindrance)) (*link, error) {
	p, err := d.account.place()
	if err != nil {
		return nil, err
	}
	if d.account.Token != nil {
		return d.openWithToken(ctx, p, tell)
	}
	secret := ""
	if d.account.Secret != nil {
		if secret, err = d.account.Secret(ctx); err != nil {
			return nil, d.account.told("secret", fmt.Errorf("get password of %s: %w", d.account.Address, err))
		}
	}
	return d.openWith(ctx, p, credentials{username: d.account.Username, secret: secret}, tell)
}

// openWith makes one connection that is logged in with the given credentials, when it is its turn.
func (d *dialer) openWith(ctx context.Context, p place, c credentials, tell func(hindrance)) (*link, error) {
	roots, err := d.account.Hosts.roots(d.account)
	if err != nil {
		return nil, err
	}
	var pass *permit
	if d.account.Hosts != nil {
		if pass, err = d.account.Hosts.acquire(ctx, p.addr, d.account.Username, d.account.Second, tell); err != nil {
			return nil, d.account.stopped(err)
		}
	}
	l, err := d.logIn(ctx, p, roots, pass, c)
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		pass.release()
		return nil, err
	}
	return nil, pass.failed(err)
}

// logIn makes a logged-in connection that is held under a permit. On error the permit is still to be given back.
func (d *dialer) logIn(ctx context.Context, p place, roots *x509.CertPool, pass *permit, c credentials) (*link, error) {
	plog := newProtocolLog(d.account.ProtocolLog)
	conn, preset, err := d.connect(ctx, p, roots)
	if err != nil {
		return nil, err
	}
	g := newGuard(conn, d.hidden(p.host), d.account.Timeouts.Command, plog)
	g.known = d.account.Hosts.capSets()
	if preset {
		g.preset()
	}
	l := newLink(d, g, p)
	l.permit = pass
	if err := l.login(ctx, c); err != nil {
		l.kill()
		return nil, err
	}
	return l, nil
}

// connect returns a protected connection. With STARTTLS the greeting has been read already.
func (d *dialer) connect(ctx context.Context, p place, roots *x509.CertPool) (conn net.Conn, greeted bool, err error) {
	dialCtx, cancel := context.WithTimeout(ctx, d.account.Timeouts.Dial)
	defer cancel()
	raw, err := (&net.Dialer{KeepAlive: time.Minute}).DialContext(dialCtx, "tcp", p.addr)
	if err != nil {
		return nil, false, d.account.dialError(p, err)
	}
	if p.security == noTLS {
		return raw, false, nil
	}
	if p.security == startTLS {
		if err := d.askTLS(ctx, raw, p); err != nil {
			_ = raw.Close()
			return nil, false, err
		}
	}
	name := d.account.ServerName
	if name == "" {
		name = p.host
	}
	secured := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12, Time: d.now})
	if err := d.account.Hosts.shaking(ctx); err != nil {
		_ = raw.Close()
		return nil, false, d.account.tlsError(p, name, err)
	}
	defer d.account.Hosts.shaken()
	shakeCtx, cancelShake := context.WithTimeout(ctx, d.account.Timeouts.Dial)
	defer cancelShake()
	if err := secured.HandshakeContext(shakeCtx); err != nil {
		_ = raw.Close()
		return nil, false, d.account.tlsError(p, name, err)
	}
	return secured, p.security == startTLS, nil
}

var errInjected = errors.New("server sent data between STARTTLS and TLS: possible injection")

// askTLS speaks the start of the conversation up to the point where TLS begins. Nothing but the result of STARTTLS is
// believed, and nothing that was sent in clear text after it. See RFC 9051 section 6.2.1.
func (d *dialer) askTLS(ctx context.Context, raw net.Conn, p place) error {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	_ = raw.SetDeadline(time.Now().Add(d.account.Timeouts.Greeting))
	c := newPlaintext(raw, newProtocolLog(d.account.ProtocolLog))
	word, s, err := c.line("*")
	if err != nil {
		return d.account.clearError(p, err)
	}
	if word != "OK" {
		return d.account.refusal("greeting", s)
	}
	_ = raw.SetDeadline(time.Now().Add(d.account.Timeouts.Command))
	if word, _, err = c.command("K1", "CAPABILITY"); err != nil {
		return d.account.clearError(p, err)
	}
	if word != "OK" || !c.startTLS {
		return d.account.told("starttls_missing", fmt.Errorf("%s offers no STARTTLS", p.addr))
	}
	if word, s, err = c.command("K2", "STARTTLS"); err != nil {
		return d.account.clearError(p, err)
	}
	if word != "OK" {
		return d.account.refusal("STARTTLS", s)
	}
	if c.br.Buffered() > 0 {
		return d.account.told("starttls_injected", errInjected)
	}
	_ = raw.SetDeadline(time.Time{})
	return nil
}
