// Package courier starts a private Courier IMAP server for tests: IMAP (with STARTTLS) and IMAP over TLS on loopback ports,
// all in a temporary folder, as an unprivileged account. Any user name exists and has the same password.
//
// Courier's own login programs want root and a system user, so a small front in this process greets, logs in and then hands
// the connection to Courier's imapd, as its imaplogin would. Everything after the login is Courier's. It has no MOVE, no
// CONDSTORE and no SPECIAL-USE, keeps folders below INBOX, and makes up letters that are no longer there.
package courier

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
	"sync"
	"syscall"
	"testing"

	"kontrol/internal/testcert"
	"kontrol/internal/unpacked"
	"kontrol/internal/ward"
)

// Options say how the server differs from an ordinary one. The zero value is an ordinary one.
type Options struct {
	Caps    string // capabilities shown instead of the usual ones; hides them, takes nothing away
	MaxConn int    // connections of one user; over it BYE; 0 means any number
	Quota   int    // octets of a mailbox; over it the server answers NO [ALERT]; 0 means no limit
}

// defaultCaps is what Debian's configuration shows.
const defaultCaps = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"

// Server is a running Courier. Its methods may be called from several goroutines, except KillHard, Restart and Stop.
type Server struct {
	IMAPAddr  string // host:port of plain IMAP, which offers STARTTLS
	IMAPSAddr string // host:port of IMAP over TLS
	CAFile    string // PEM file of the certificate, which is its own authority: a client's only root
	Password  string // of every user
	Dir       string // the temporary folder

	options Options
	root    unpacked.Root
	roots   *x509.CertPool
	config  *tls.Config
	watch   *ward.Process // gam_server, which Courier's IDLE needs

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]bool
	children  map[*exec.Cmd]bool
	count     map[string]int
	wg        sync.WaitGroup
}

// Test starts a server that lives as long as the test; see unpacked.SkipOrFail for where there is none. When the test
// fails, the end of the server's log is shown.
func Test(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		unpacked.SkipOrFail(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := s.Log()
			t.Logf("end of courier's log:\n%s", log[max(0, len(log)-4000):])
		}
		s.Stop()
	})
	return s
}

// Start starts a server; it is ready at once. Call Stop in the end. Without Courier the error is unpacked.ErrMissing.
func Start(o Options) (*Server, error) {
	root, err := unpacked.Find()
	if err != nil {
		return nil, err
	}
	if o.Caps == "" {
		o.Caps = defaultCaps
	}
	dir, err := ward.Folder("courier")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Dir: dir, options: o, root: root, Password: "pass", CAFile: filepath.Join(dir, "cert.pem"),
		conns: map[net.Conn]bool{}, children: map[*exec.Cmd]bool{}, count: map[string]int{},
	}
	if err := s.prepare(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start a private courier: %w", err)
	}
	return s, nil
}

func (s *Server) prepare() error {
	cert, err := testcert.New()
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert.PEM, cert.Key)
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	s.roots, s.config = cert.Pool(), &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if err := os.WriteFile(s.CAFile, cert.PEM, 0o600); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	s.watch, err = ward.Start(ward.Program{
		Path: s.root.Path("usr/libexec/gam_server"), Args: []string{"--notimeout", s.gamin()},
		Folder: s.Dir, Log: filepath.Join(s.Dir, "log"), Env: s.env(),
	})
	if err != nil {
		return err
	}
	return s.Restart(context.Background())
}

// gamin is the name under which this server's imapd finds its file watcher.
func (s *Server) gamin() string { return filepath.Base(s.Dir) }

func (s *Server) env() []string { return append(s.root.Env(), "GAM_CLIENT_ID="+s.gamin()) }

// Restart starts a server that was killed, on the same ports, with the same mail.
func (s *Server) Restart(ctx context.Context) error {
	var lc net.ListenConfig
	for _, at := range []struct {
		addr *string
		tls  bool
	}{{&s.IMAPAddr, false}, {&s.IMAPSAddr, true}} {
		if *at.addr == "" {
			*at.addr = "127.0.0.1:0"
		}
		l, err := lc.Listen(ctx, "tcp", *at.addr)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		*at.addr = l.Addr().String()
		s.mu.Lock()
		s.listeners = append(s.listeners, l)
		s.mu.Unlock()
		s.wg.Add(1)
		go s.accept(l, at.tls)
	}
	return nil
}

// KillHard kills the server with SIGKILL, as a power cut would; mail and ports are kept for Restart.
func (s *Server) KillHard() {
	s.mu.Lock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners = nil
	for c := range s.conns {
		_ = c.Close()
	}
	for child := range s.children {
		_ = child.Process.Kill()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Freeze stops the server's processes without closing a connection: a peer that has gone silent. Thaw lets them go on.
func (s *Server) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for child := range s.children {
		err = errors.Join(err, child.Process.Signal(sig))
	}
	return err
}

// Stop ends the server at once and removes its folder.
func (s *Server) Stop() {
	s.KillHard()
	if s.watch != nil {
		s.watch.Kill()
	}
	_ = os.RemoveAll(s.Dir) // what is left stands in the temporary folder
}

// Log returns what the server's programs have printed so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TLS returns a client's TLS configuration that trusts this server and no other.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

func (s *Server) accept(l net.Listener, secure bool) {
	defer s.wg.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			f := &front{s: s, conn: conn, secure: secure}
			if secure {
				f.conn = tls.Server(conn, s.config)
			}
			f.r = bufio.NewReader(f.conn)
			f.serve()
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		}()
	}
}

// home makes a user's Maildir with Sent, Drafts and Trash, as an administrator's adduser script does.
func (s *Server) home(user string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	home := filepath.Join(s.Dir, "home", user)
	box := filepath.Join(home, "Maildir")
	if _, err := os.Stat(box); err == nil {
		return home, nil
	}
	made := []string{filepath.Join(s.Dir, "home"), home, box}
	for _, f := range []string{"", ".Sent", ".Drafts", ".Trash"} {
		if f != "" {
			made = append(made, filepath.Join(box, f))
		}
		for _, sub := range []string{"cur", "new", "tmp"} {
			made = append(made, filepath.Join(box, f, sub))
		}
	}
	for _, dir := range made {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("make a maildir: %w", err)
		}
		if err := ward.Own(dir); err != nil {
			return "", err
		}
	}
	files := map[string]string{".Sent/maildirfolder": "", ".Drafts/maildirfolder": "", ".Trash/maildirfolder": ""}
	if s.options.Quota > 0 {
		files["maildirsize"] = fmt.Sprintf("%dS\n0 0\n", s.options.Quota)
	}
	for name, text := range files {
		path := filepath.Join(box, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("make a maildir: %w", err)
		}
		if err := ward.Own(path); err != nil {
			return "", err
		}
	}
	return home, nil
}

// Maildir returns the folder in which a user's letters lie as files; folders other than INBOX lie in it as .Name.
func (s *Server) Maildir(user string) string { return filepath.Join(s.Dir, "home", user, "Maildir") }

// Version returns the version of the unpacked package; Courier itself tells it to nobody.
func (s *Server) Version() string { return s.root.Version("courier-imap") }
