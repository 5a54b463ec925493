package courier

import (
	"bufio"
	"crypto/tls"
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
	"syscall"

	"kontrol/internal/ward"
)

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
