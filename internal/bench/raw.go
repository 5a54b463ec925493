package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// What is asked for of each letter.
const (
	itemsEnvelope = "(UID FLAGS INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (REFERENCES)])"
	itemsHeaders  = "(UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER])"
	itemsLetters  = "(UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.65536>)"
	itemsWhole    = "(UID FLAGS INTERNALDATE BODY.PEEK[])"
)

// rawConn sends commands and drains the answers without parsing them: the floor for every client.
type rawConn struct {
	conn  net.Conn
	buf   []byte
	n     int
	total int64
}

func dialRaw(ctx context.Context, addr, user, password string) (*rawConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	r := &rawConn{conn: conn, buf: make([]byte, 256<<10)}
	if err := conn.SetDeadline(time.Now().Add(15 * time.Minute)); err != nil {
		return nil, err
	}
	if _, err := conn.Read(r.buf); err != nil {
		return nil, fmt.Errorf("read the greeting: %w", err)
	}
	return r, r.run("LOGIN " + user + " " + password)
}

func (r *rawConn) close() { _ = r.conn.Close() }

// run sends commands at once and drains until the last is answered. Only the last answer is looked at.
func (r *rawConn) run(commands ...string) error {
	var b bytes.Buffer
	tag := ""
	for _, c := range commands {
		r.n++
		tag = fmt.Sprintf("z%06d", r.n)
		b.WriteString(tag + " " + c + "\r\n")
	}
	if _, err := r.conn.Write(b.Bytes()); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	answer, err := r.drain(tag)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, tag+" OK") {
		return fmt.Errorf("%.60s: %.200s", commands[len(commands)-1], answer)
	}
	return nil
}

// drain reads until the tagged answer; what follows it in the same read is dropped.
func (r *rawConn) drain(tag string) (string, error) {
	want := []byte("\r\n" + tag + " ")
	have := copy(r.buf, "\r\n")
	for {
		n, err := r.conn.Read(r.buf[have:])
		if err != nil {
			return "", fmt.Errorf("read: %w", err)
		}
		r.total += int64(n)
		end := have + n
		if i := bytes.Index(r.buf[:end], want); i >= 0 && bytes.IndexByte(r.buf[i+2:end], '\n') >= 0 {
			line, _, _ := bytes.Cut(r.buf[i+2:end], []byte("\r\n"))
			return string(line), nil
		}
		keep := min(end, len(want)+200)
		have = copy(r.buf, r.buf[end-keep:end])
	}
}

// rawChild sends the commands that it is given, all at once, and drains.
func rawChild(ctx context.Context, c *child) error {
	return c.timed("drain", func() error {
		r, err := dialRaw(ctx, c.IMAP, c.User, c.Password)
		if err != nil {
			return err
		}
		defer r.close()
		c.out.Count = c.Want
		return r.run(c.Commands...)
	})
}

// rawWatchChild moves whatever arrives without looking at it: no client that waits in IDLE can be quicker.
func rawWatchChild(ctx context.Context, c *child) error {
	r, err := dialRaw(ctx, c.IMAP, c.User, c.Password)
	if err != nil {
		return err
	}
	defer r.close()
	l := &lines{conn: r.conn}
	next, err := l.open()
	if err != nil {
		return err
	}
	if _, err := r.conn.Write([]byte("w0 IDLE\r\n")); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- l.moveAll(next, c.Commands[0]) }()
	told := make(chan error, 1)
	go func() { told <- c.ready() }()
	select {
	case err := <-failed:
		return err
	case err := <-told:
		return err
	}
}

// lines reads a connection line by line.
type lines struct {
	conn net.Conn
	rest []byte
}

func (l *lines) next() (string, error) {
	buf := make([]byte, 4096)
	for {
		if line, rest, ok := bytes.Cut(l.rest, []byte("\r\n")); ok {
			l.rest = rest
			return string(line), nil
		}
		n, err := l.conn.Read(buf)
		if err != nil {
			return "", err
		}
		l.rest = append(l.rest, buf[:n]...)
	}
}

// open selects INBOX and returns its UIDNEXT.
func (l *lines) open() (next uint64, err error) {
	if _, err := l.conn.Write([]byte("s SELECT INBOX\r\n")); err != nil {
		return 0, err
	}
	for {
		line, err := l.next()
		if err != nil {
			return 0, err
		}
		if _, rest, ok := strings.Cut(line, "[UIDNEXT "); ok {
			number, _, _ := strings.Cut(rest, "]")
			if next, err = strconv.ParseUint(number, 10, 32); err != nil {
				return 0, err
			}
		}
		if strings.HasPrefix(line, "s ") {
			if next == 0 {
				return 0, errors.New("no UIDNEXT in the answer to SELECT")
			}
			return next, nil
		}
	}
}

func (l *lines) moveAll(next uint64, folder string) error {
	idling, more := false, false
	for n := 1; ; {
		line, err := l.next()
		if err != nil {
			return err
		}
		idling = idling || strings.HasPrefix(line, "+ ")
		more = more || strings.HasSuffix(line, " EXISTS")
		if !idling || !more {
			continue
		}
		idling, more = false, false
		if _, err := fmt.Fprintf(l.conn, "DONE\r\nw%d UID MOVE %d:4294967294 \"%s\"\r\nw%d IDLE\r\n", n, next, folder, n+1); err != nil {
			return err
		}
		n += 2
	}
}
