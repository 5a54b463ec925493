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
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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

// front is one connection until somebody has logged in.
type front struct {
	s      *Server
	conn   net.Conn
	r      *bufio.Reader
	secure bool
}

func (f *front) say(format string, args ...any) { _, _ = fmt.Fprintf(f.conn, format+"\r\n", args...) }

func (f *front) caps() string {
	if f.secure {
		return f.s.options.Caps + " AUTH=PLAIN"
	}
	return f.s.options.Caps + " STARTTLS AUTH=PLAIN"
}

var (
	literalEnd = regexp.MustCompile(`\{(\d{1,4})(\+?)\}$`)
	argument   = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|(\S+)`)
	userName   = regexp.MustCompile(`^[A-Za-z0-9._@-]+$`)
)

// command reads one command; literals become quoted strings.
func (f *front) command() (string, error) {
	line, err := f.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	m := literalEnd.FindStringSubmatch(line)
	if m == nil {
		return line, nil
	}
	if m[2] == "" {
		f.say("+ go on")
	}
	n, _ := strconv.Atoi(m[1]) // four digits at most
	b := make([]byte, n)
	if _, err := io.ReadFull(f.r, b); err != nil {
		return "", err
	}
	rest, err := f.command()
	return strings.TrimSuffix(line, m[0]) + strconv.Quote(string(b)) + rest, err
}

func (f *front) serve() {
	f.say("* OK [CAPABILITY %s] Courier-IMAP ready (private).", f.caps())
	for {
		line, err := f.command()
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(line, " ")
		name, args, _ := strings.Cut(rest, " ")
		switch strings.ToUpper(name) {
		case "CAPABILITY":
			f.say("* CAPABILITY %s", f.caps())
			f.say("%s OK done", tag)
		case "NOOP":
			f.say("%s OK done", tag)
		case "LOGOUT":
			f.say("* BYE bye")
			f.say("%s OK done", tag)
			return
		case "STARTTLS":
			f.say("%s OK begin", tag)
			f.conn, f.secure = tls.Server(f.conn, f.s.config), true
			f.r = bufio.NewReader(f.conn)
		case "LOGIN", "AUTHENTICATE":
			if user, ok := f.login(strings.ToUpper(name), args); ok {
				f.enter(tag, user)
				return
			}
			f.say("%s NO Login failed.", tag)
		default:
			f.say("%s BAD Invalid command", tag)
		}
	}
}

func (f *front) login(command, args string) (user string, ok bool) {
	w := argument.FindAllStringSubmatch(args, -1)
	if len(w) == 0 {
		return "", false
	}
	word := func(i int) string {
		if i >= len(w) {
			return ""
		}
		return w[i][1] + w[i][2]
	}
	password := word(1)
	user = word(0)
	if command == "AUTHENTICATE" {
		answer := word(1)
		if answer == "" {
			f.say("+ ")
			line, err := f.r.ReadString('\n')
			if err != nil {
				return "", false
			}
			answer = strings.TrimRight(line, "\r\n")
		}
		raw, _ := base64.StdEncoding.DecodeString(answer)
		parts := strings.Split(string(raw), "\x00")
		if !strings.EqualFold(word(0), "PLAIN") || len(parts) != 3 {
			return "", false
		}
		user, password = parts[1], parts[2]
	}
	return user, password == f.s.Password && userName.MatchString(user)
}

// enter hands the connection to Courier's imapd.
func (f *front) enter(tag, user string) {
	s := f.s
	s.mu.Lock()
	full := s.options.MaxConn > 0 && s.count[user] >= s.options.MaxConn
	if !full {
		s.count[user]++
	}
	s.mu.Unlock()
	if full {
		f.say("* BYE Maximum connection limit reached for this user")
		return
	}
	defer func() {
		s.mu.Lock()
		s.count[user]--
		s.mu.Unlock()
	}()
	home, err := s.home(user)
	if err != nil {
		f.say("%s NO [ALERT] %v", tag, err)
		return
	}
	if err := f.run(tag, user, home); err != nil {
		f.say("* BYE %v", err)
	}
}

// run runs imapd on the connection until either end closes it.
func (f *front) run(tag, user, home string) error {
	s := f.s
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	theirs, mine := os.NewFile(uintptr(ends[0]), "imapd"), os.NewFile(uintptr(ends[1]), "front")
	pipe, err := net.FileConn(mine)
	_ = mine.Close()
	if err != nil {
		_ = theirs.Close()
		return fmt.Errorf("socketpair: %w", err)
	}
	defer func() { _ = pipe.Close() }()
	cmd, err := s.imapd(tag, user, home, theirs)
	_ = theirs.Close()
	if err != nil {
		return err
	}
	if n := f.r.Buffered(); n > 0 {
		b, _ := f.r.Peek(n) // all of it is there
		_, _ = pipe.Write(b)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(pipe, f.conn)
		_ = pipe.Close()
	}()
	_, _ = io.Copy(f.conn, pipe)
	_ = f.conn.Close()
	<-over
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // how it ended is of no interest
	s.mu.Lock()
	delete(s.children, cmd)
	s.mu.Unlock()
	return nil
}

func (s *Server) imapd(tag, user, home string, socket *os.File) (*exec.Cmd, error) {
	cmd := exec.Command(s.root.Path("usr/bin/imapd"), "Maildir")
	cmd.Dir, cmd.Stdin, cmd.Stdout = home, socket, socket
	var err error
	if cmd.SysProcAttr, err = ward.Unprivileged(); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own copy
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), s.env()...)
	cmd.Env = append(cmd.Env,
		"AUTHENTICATED="+user, "AUTHADDR="+user, "IMAPLOGINTAG="+tag, "HOME="+home, "MAILDIRPATH=Maildir", "PROTOCOL=IMAP",
		"TCPREMOTEIP=127.0.0.1", "TCPREMOTEPORT=4444", "IMAP_STARTTLS=NO", "IMAP_CAPABILITY="+s.options.Caps, "IMAP_KEYWORDS=1",
		"IMAP_ACL=1", "IMAP_IDLE_TIMEOUT=60", "IMAP_DISABLETHREADSORT=0", "IMAP_CHECK_ALL_FOLDERS=0", "IMAP_OBSOLETE_CLIENT=0",
		"IMAP_USELOCKS=1", "IMAP_ENHANCEDIDLE=1", "IMAP_TRASHFOLDERNAME=Trash", "IMAP_MOVE_EXPUNGE_TO_TRASH=0",
		"IMAP_MAILBOX_SANITY_CHECK=0",
	)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		return nil, errors.New("killed")
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start imapd: %w", err)
	}
	s.children[cmd] = true
	return cmd, nil
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
