// Package cyrus starts a private Cyrus IMAP server for tests: IMAP (with STARTTLS), IMAP over TLS and LMTP on loopback
// ports, all in a temporary folder, as an unprivileged account. Users are made with AddUser and have the same password.
// The server goes when the test does, and also when the test process is killed.
//
// Cyrus is the strict one among the servers: refusals without response codes, raw octets in headers replaced, folders of
// its own making, and capabilities that no other server has.
package cyrus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kontrol/internal/lmtp"
	"kontrol/internal/rawimap"
	"kontrol/internal/testcert"
	"kontrol/internal/unpacked"
	"kontrol/internal/ward"
)

// Options say how the server differs from an ordinary one. The zero value is an ordinary one.
type Options struct {
	Separator string // hierarchy separator; "" means "/"
	Prefix    bool   // folders lie below INBOX, as in Cyrus before 3.0
	Suppress  string // capabilities that are not shown: "MOVE UIDPLUS"; takes nothing away
	MaxConn   int    // connections of one user; 0 means any number
}

// Server is a running Cyrus. Its methods may be called from several goroutines, except KillHard, Restart and Stop.
type Server struct {
	IMAPAddr  string // host:port of plain IMAP, which offers STARTTLS
	IMAPSAddr string // host:port of IMAP over TLS
	LMTPAddr  string // host:port of LMTP
	CAFile    string // PEM file of the certificate, which is its own authority: a client's only root
	Password  string // of every user
	Dir       string // the temporary folder

	options Options
	root    unpacked.Root
	roots   *x509.CertPool
	account ward.Account
	users   sync.Mutex // saslpasswd2 rewrites its file
	mu      sync.Mutex
	proc    *ward.Process
}

// startTime bounds one start: Cyrus needs half a second, a busy machine more.
const startTime = time.Minute

// Test starts a server that lives as long as the test; see unpacked.SkipOrFail for where there is none. When the test
// fails, the end of the server's log is shown.
func Test(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		unpacked.SkipOrFail(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := s.Log()
			t.Logf("end of cyrus' log:\n%s", log[max(0, len(log)-4000):])
		}
		s.Stop()
	})
	return s
}

// Start starts a server and waits until it greets. ctx bounds the start only; call Stop in the end. Without Cyrus the
// error is unpacked.ErrMissing.
func Start(ctx context.Context, o Options) (*Server, error) {
	root, err := unpacked.Find()
	if err != nil {
		return nil, err
	}
	if o.Separator == "" {
		o.Separator = "/"
	}
	for try := 0; ; try++ {
		s, err := start(ctx, root, o)
		if err == nil {
			return s, nil
		}
		// Another server may have taken a port between Ports and the start.
		if !errors.Is(err, ward.ErrEnded) || try == 3 {
			return nil, fmt.Errorf("start a private cyrus: %w", err)
		}
	}
}

func start(ctx context.Context, root unpacked.Root, o Options) (*Server, error) {
	dir, err := ward.Folder("cyrus")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, options: o, root: root, Password: "pass", CAFile: filepath.Join(dir, "cert.pem")}
	if err = s.prepare(); err == nil {
		if err = s.addPassword(ctx, "cyrus"); err == nil {
			err = s.Restart(ctx)
		}
	}
	if err != nil {
		err = fmt.Errorf("%w; its log: %s", err, s.Log())
		s.Stop()
		return nil, err
	}
	return s, nil
}

// prepare makes the folders, the certificate and the configuration, and chooses the ports.
func (s *Server) prepare() error {
	var err error
	if s.account, err = ward.AccountToUse(); err != nil {
		return err
	}
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
	for _, sub := range []string{
		"conf", "conf/db", "conf/socket", "conf/proc", "conf/log", "conf/user", "conf/quota", "conf/msg", "conf/ptclient", "conf/lock",
		"conf/sieve", "spool", "run",
	} {
		path := filepath.Join(s.Dir, sub)
		if err := os.Mkdir(path, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := ward.Own(path); err != nil {
			return err
		}
	}
	for name, text := range map[string][]byte{
		"cert.pem": cert.PEM, "key.pem": cert.Key, "imapd.conf": []byte(s.imapd()), "cyrus.conf": []byte(s.cyrus()), "log": nil,
	} {
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

//go:embed imapd.conf
var imapdConf string

//go:embed cyrus.conf
var cyrusConf string

func (s *Server) imapd() string {
	yes := map[bool]string{true: "yes", false: "no"}
	more := ""
	if s.options.Suppress != "" {
		more = "suppress_capabilities: " + s.options.Suppress
	}
	return strings.NewReplacer(
		"$DIR", s.Dir, "$USER", s.account.Name, "$GROUP", s.account.Group, "$SLASH", yes[s.options.Separator == "/"],
		"$ALT", yes[!s.options.Prefix], "$MAXCONN", fmt.Sprint(s.options.MaxConn), "$MORE", more,
	).Replace(imapdConf)
}

func (s *Server) cyrus() string {
	return strings.NewReplacer(
		"$DIR", s.Dir, "$BIN", s.root.Path("usr/lib/cyrus/bin"), "$IMAPS", s.IMAPSAddr, "$IMAP", s.IMAPAddr, "$LMTP", s.LMTPAddr,
	).Replace(cyrusConf)
}

func (s *Server) env() []string {
	env := append(s.root.Env(), "SYSLOG_FILE="+filepath.Join(s.Dir, "log"))
	if shim := s.root.Path("syslog-to-file.so"); exists(shim) {
		env = append(env, "LD_PRELOAD="+shim)
	}
	return env
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// Restart starts a server that was killed, on the same ports, with the same mail. It waits until the server greets.
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	proc, err := ward.Start(ward.Program{
		Path: s.root.Path("usr/lib/cyrus/bin/master"),
		Args: []string{
			"-C", filepath.Join(s.Dir, "imapd.conf"), "-M", filepath.Join(s.Dir, "cyrus.conf"),
			"-p", filepath.Join(s.Dir, "run", "master.pid"), "-D",
		},
		Folder: s.Dir, Log: filepath.Join(s.Dir, "out"), Env: s.env(),
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
		return fmt.Errorf("reach cyrus: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	b := make([]byte, len(want))
	if _, err := conn.Read(b); err != nil {
		return fmt.Errorf("read the greeting of %s: %w", addr, err)
	}
	if string(b) != want {
		return fmt.Errorf("%s greets with %q", addr, b)
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

// Stop ends the server at once and removes its folder.
func (s *Server) Stop() {
	s.KillHard()
	_ = os.RemoveAll(s.Dir) // what is left stands in the temporary folder
}

// Log returns what the server has logged so far, and what it printed.
func (s *Server) Log() string {
	var b strings.Builder
	for _, name := range []string{"log", "out"} {
		if text, err := os.ReadFile(filepath.Join(s.Dir, name)); err == nil {
			b.Write(text)
		}
	}
	return b.String()
}

// TLS returns a client's TLS configuration that trusts this server and no other.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// Delimiter returns what separates the levels of folder names.
func (s *Server) Delimiter() string { return s.options.Separator }

// Version returns the version of the unpacked package.
func (s *Server) Version() string { return s.root.Version("cyrus-imapd") }

func (s *Server) addPassword(ctx context.Context, user string) error {
	s.users.Lock()
	defer s.users.Unlock()
	script := `echo "$1" | "$2" -p -c -f "$3" -u localhost "$4"`
	args := append(s.root.Env(), "/bin/sh", "-c", script, "sh", s.Password, s.root.Path("usr/sbin/saslpasswd2"), filepath.Join(s.Dir, "sasldb2"), user)
	_, err := ward.Run(ctx, s.Dir, "/usr/bin/env", args...)
	return err
}

// AddUser makes a user with INBOX, Sent, Drafts, Trash and Spam. quota is the size of the mailbox in KiB; 0 means no
// limit. Over it Cyrus answers NO without a code.
func (s *Server) AddUser(ctx context.Context, user string, quota int) error {
	if err := s.addPassword(ctx, user); err != nil {
		return err
	}
	admin, err := rawimap.Dial(s.IMAPAddr, nil, "cyrus", s.Password)
	if err != nil {
		return err
	}
	defer admin.Close()
	box := `"user` + s.options.Separator + user + `"`
	if _, err := admin.Command("CREATE " + box); err != nil {
		return err
	}
	if quota > 0 {
		if _, err := admin.Command(fmt.Sprintf("SETQUOTA %s (STORAGE %d)", box, quota)); err != nil {
			return err
		}
	}
	c, err := rawimap.Dial(s.IMAPAddr, nil, user, s.Password)
	if err != nil {
		return err
	}
	defer c.Close()
	prefix := ""
	if s.options.Prefix {
		prefix = "INBOX" + s.options.Separator
	}
	for _, f := range [][2]string{{"Sent", "Sent"}, {"Drafts", "Drafts"}, {"Trash", "Trash"}, {"Spam", "Junk"}} {
		if _, err := c.Command(fmt.Sprintf(`CREATE "%s%s" (USE (\%s))`, prefix, f[0], f[1])); err != nil {
			return err
		}
		if _, err := c.Command(fmt.Sprintf(`SUBSCRIBE "%s%s"`, prefix, f[0])); err != nil {
			return err
		}
	}
	return nil
}

// Admin runs one IMAP command as the administrator: `SETACL "user/anna" anna lrs`.
func (s *Server) Admin(command string) error {
	admin, err := rawimap.Dial(s.IMAPAddr, nil, "cyrus", s.Password)
	if err != nil {
		return err
	}
	defer admin.Close()
	_, err = admin.Command(command)
	return err
}

// Deliver hands a letter to the server over LMTP, as its own mail server would. See RFC 2033.
func (s *Server) Deliver(ctx context.Context, user string, letter []byte) error {
	return lmtp.Deliver(ctx, s.LMTPAddr, user, letter)
}
