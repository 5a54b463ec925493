// Package dovecot starts a private Dovecot for tests: IMAP (with STARTTLS), IMAP over TLS and LMTP on loopback ports, all
// in a temporary folder, as an unprivileged account. Any user name exists and has the same password. The server goes when
// the test does, and also when the test process is killed.
//
// It speaks to Dovecot 2.3 and 2.4, whose configuration languages differ.
package dovecot

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kontrol/internal/lmtp"
	"kontrol/internal/testcert"
	"kontrol/internal/ward"
)

// Options say how the server differs from an ordinary one. The zero value is an ordinary one.
type Options struct {
	Caps      string // capabilities shown instead of Dovecot's own: "IMAP4rev1 IDLE"; hides them, takes nothing away
	Separator string // hierarchy separator; "" means "/"
	Prefix    string // prefix of all folders but INBOX: "INBOX." with Separator "."; "" means none
	Quota     string // size of a mailbox: "500K", "10M"; over it the server answers NO [OVERQUOTA]; "" means no limit
	MaxConn   int    // connections of one user from one address; over it NO [LIMIT] or BYE; 0 means 100
	Bare      bool   // no Sent, Drafts, Trash and Spam: a new mailbox has INBOX only
	Storage   string // "maildir" (the meaning of "") or "sdbox"
	// JWT are the keys of access tokens that are accepted by XOAUTH2 and OAUTHBEARER beside passwords, by algorithm: for
	// HS256 the secret in base64, for RS256 the public key as PEM. The token's "sub" is the user. See idp.Server.Keys.
	JWT    map[string][]byte
	Config string // more lines for the end of dovecot.conf, in the installed version's own language
}

// Server is a running Dovecot. Its methods may be called from several goroutines, except KillHard, Restart and Stop.
type Server struct {
	IMAPAddr  string // host:port of plain IMAP, which offers STARTTLS
	IMAPSAddr string // host:port of IMAP over TLS
	LMTPAddr  string // host:port of LMTP
	CAFile    string // PEM file of the certificate, which is its own authority: a client's only root
	Password  string // of every user
	Dir       string // the temporary folder: dovecot.conf, log, mail/USER/…

	roots  *x509.CertPool
	binary string
	mu     sync.Mutex
	proc   *ward.Process
}

// ErrMissing means that Dovecot is not installed on this machine.
var ErrMissing = errors.New("dovecot with its IMAP and LMTP servers is not installed; run scripts/test-deps.sh")

// startTime bounds one start: Dovecot needs 0.2 s, a busy machine more.
const startTime = 2 * time.Minute

// Test starts a server that lives as long as the test. Where Dovecot is missing the test fails, or is skipped with
// KONTROL_TEST_SKIP_SERVERS=1 in the environment. When the test fails, the end of the server's log is shown.
func Test(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if errors.Is(err, ErrMissing) && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := s.Log()
			t.Logf("end of dovecot's log:\n%s", log[max(0, len(log)-4000):])
		}
		s.Stop()
	})
	return s
}

// Start starts a server and waits until it greets on all three ports. ctx bounds the start only; call Stop in the end.
// Without Dovecot the error is ErrMissing.
func Start(ctx context.Context, o Options) (*Server, error) {
	binary, err := find()
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		s, err := start(ctx, binary, o)
		if err == nil {
			return s, nil
		}
		// Another server may have taken a port between Ports and the start.
		if !errors.Is(err, ward.ErrEnded) || try == 3 {
			return nil, fmt.Errorf("start a private dovecot: %w", err)
		}
	}
}

func start(ctx context.Context, binary string, o Options) (*Server, error) {
	dir, err := ward.Folder("dovecot")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, binary: binary, Password: "pass", CAFile: filepath.Join(dir, "cert.pem")}
	if err = s.prepare(ctx, o); err == nil {
		err = s.Restart(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%w; its log: %s", err, s.Log())
		s.Stop()
		return nil, err
	}
	return s, nil
}

// prepare writes the certificate and the configuration, and chooses the ports.
func (s *Server) prepare(ctx context.Context, o Options) error {
	cert, err := testcert.New()
	if err != nil {
		return err
	}
	s.roots = cert.Pool()
	ports, err := ward.Ports(3)
	if err != nil {
		return err
	}
	addr := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	s.IMAPAddr, s.IMAPSAddr, s.LMTPAddr = addr(ports[0]), addr(ports[1]), addr(ports[2])
	conf, err := config(ctx, s, o, ports)
	if err != nil {
		return err
	}
	if err := s.writeKeys(o); err != nil {
		return err
	}
	for name, text := range map[string][]byte{"cert.pem": cert.PEM, "key.pem": cert.Key, "dovecot.conf": conf, "log": nil} {
		path := filepath.Join(s.Dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := ward.Own(path); err != nil {
			return err
		}
	}
	return nil
}

// writeKeys puts the keys of access tokens where Dovecot looks for those of tokens that name none.
func (s *Server) writeKeys(o Options) error {
	if len(o.JWT) == 0 {
		return nil
	}
	files := map[string][]byte{"oauth2.conf": []byte("introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=" +
		s.Dir + "/jwt/\nusername_attribute = sub\n")}
	for alg, key := range o.JWT {
		files["jwt/default/"+alg+"/default"] = key
	}
	for name, text := range files {
		path := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make a folder for keys: %w", err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// Restart starts a server that was killed, on the same ports, with the same mail. It waits until the server greets.
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	proc, err := ward.Start(ward.Program{
		Path: s.binary, Args: []string{"-F", "-c", filepath.Join(s.Dir, "dovecot.conf")},
		Folder: s.Dir, Log: filepath.Join(s.Dir, "out"),
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = proc
	s.mu.Unlock()
	return proc.Await(ctx, func(ctx context.Context) error {
		return errors.Join(greets(ctx, s.IMAPAddr, "* OK"), greets(ctx, s.LMTPAddr, "220 "))
	})
}

func greets(ctx context.Context, addr, want string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the greeting of %s: %w", addr, err)
	}
	if !strings.HasPrefix(line, want) {
		return fmt.Errorf("%s greets with %q", addr, line)
	}
	return nil
}

func (s *Server) process() *ward.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// KillHard kills the server and its children with SIGKILL, as a power cut would; mail and ports are kept for Restart.
func (s *Server) KillHard() {
	if p := s.process(); p != nil {
		p.Kill()
	}
}

// Freeze stops the server's processes without closing a connection: a peer that has gone silent. Thaw lets them go on.
func (s *Server) Freeze() error { return s.process().SignalAll(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() error { return s.process().SignalAll(syscall.SIGCONT) }

// Stop ends the server at once and removes its folder. Dovecot's own polite stop takes six seconds; nobody needs it here.
func (s *Server) Stop() {
	s.KillHard()
	_ = os.RemoveAll(s.Dir) // what is left stands in the temporary folder
}

// Log returns what the server has logged so far, and what it printed.
func (s *Server) Log() string {
	var b strings.Builder
	for _, name := range []string{"log", "out"} {
		text, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err == nil {
			b.Write(text)
		}
	}
	return b.String()
}

// TLS returns a client's TLS configuration that trusts this server and no other.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// Deliver hands a letter to the server over LMTP, as its own mail server would; it then lies in the user's INBOX with
// Return-Path, Delivered-To and Received lines above it. Line ends are made CRLF. See RFC 2033.
func (s *Server) Deliver(ctx context.Context, user string, letter []byte) error {
	return lmtp.Deliver(ctx, s.LMTPAddr, user, letter)
}

// Version returns the version of the installed Dovecot: "2.3.19.1".
func (s *Server) Version(ctx context.Context) (string, error) {
	out, err := ward.Run(ctx, s.Dir, s.binary, "--version")
	version, _, _ := strings.Cut(strings.TrimSpace(out), " ")
	return version, err
}

// Doveadm runs the administrator's tool against this server and returns what it printed: "kick", "USER"; "mailbox",
// "list", "-u", "USER"; "force-resync" … See man doveadm.
func (s *Server) Doveadm(ctx context.Context, args ...string) (string, error) {
	return ward.Run(ctx, s.Dir, filepath.Join(filepath.Dir(filepath.Dir(s.binary)), "bin", "doveadm"),
		append([]string{"-c", filepath.Join(s.Dir, "dovecot.conf")}, args...)...)
}

// find returns the path of the server's binary. Debian keeps it outside an ordinary user's PATH.
func find() (string, error) {
	binary, err := exec.LookPath("dovecot")
	for _, path := range []string{"/usr/sbin/dovecot", "/usr/local/sbin/dovecot"} {
		if err != nil {
			binary, err = exec.LookPath(path)
		}
	}
	if err != nil {
		return "", ErrMissing
	}
	for _, part := range []string{"imap", "lmtp"} {
		found, _ := filepath.Glob("/usr/lib*/dovecot/" + part)
		more, _ := filepath.Glob("/usr/*/lib*/dovecot/" + part)
		if len(found)+len(more) == 0 {
			return "", ErrMissing
		}
	}
	return binary, nil
}
