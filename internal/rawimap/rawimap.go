// Package rawimap is a second pair of eyes for tests and benchmarks: a small IMAP client that shares no code with the
// engine it checks, go-imap included. It speaks just enough of RFC 3501 to deliver like a mail client and to look at
// folders from outside. It is not safe for concurrent use, and not for production: it trusts the server.
package rawimap

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Client is one logged-in connection.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
	n    int
}

// timeout bounds every command.
const timeout = 60 * time.Second

// Dial connects and logs in. A nil config means cleartext, for servers on loopback.
func Dial(addr string, config *tls.Config, user, password string) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	c := &Client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := c.line(); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if _, err := c.Command("LOGIN " + quote(user) + " " + quote(password)); err != nil {
		return nil, err
	}
	return c, nil
}

// Close closes the connection without ceremony.
func (c *Client) Close() { _ = c.conn.Close() }

// Response is one untagged line; literals stand in Lits in order, and as {n} in Text.
type Response struct {
	Text string
	Lits [][]byte
}

// Command sends one command and returns the untagged answers; anything but OK is an error with the server's words.
func (c *Client) Command(cmd string) ([]Response, error) { return c.command(cmd, nil) }

func (c *Client) command(cmd string, literal []byte) ([]Response, error) {
	c.n++
	tag := "r" + strconv.Itoa(c.n)
	_ = c.conn.SetDeadline(time.Now().Add(timeout))
	if _, err := fmt.Fprintf(c.conn, "%s %s\r\n", tag, cmd); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	var out []Response
	for {
		r, err := c.response()
		if err != nil {
			return nil, fmt.Errorf("answer to %.40q: %w", cmd, err)
		}
		switch {
		case strings.HasPrefix(r.Text, "+"):
			if _, err := c.conn.Write(append(literal, '\r', '\n')); err != nil {
				return nil, fmt.Errorf("send literal: %w", err)
			}
		case strings.HasPrefix(r.Text, tag+" "):
			if rest := r.Text[len(tag)+1:]; !strings.HasPrefix(rest, "OK") {
				return out, fmt.Errorf("%.40q: %s", cmd, rest)
			}
			return out, nil
		default:
			out = append(out, r)
		}
	}
}

func (c *Client) line() (string, error) {
	s, err := c.r.ReadString('\n')
	return strings.TrimRight(s, "\r\n"), err
}

var literalEnd = regexp.MustCompile(`\{(\d+)\}$`)

func (c *Client) response() (Response, error) {
	var r Response
	for {
		s, err := c.line()
		if err != nil {
			return r, err
		}
		r.Text += s
		m := literalEnd.FindStringSubmatch(s)
		if m == nil {
			return r, nil
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return r, err
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return r, err
		}
		r.Lits = append(r.Lits, b)
	}
}

// Letter is one copy as seen from outside.
type Letter struct {
	UID   uint32
	Flags []string // sorted, without \Recent
	Body  []byte
}

// Sum is the hex SHA-256 of the letter's bytes.
func (l Letter) Sum() string {
	s := sha256.Sum256(l.Body)
	return hex.EncodeToString(s[:])
}

// MessageID returns the Message-ID header without angle brackets.
func (l Letter) MessageID() string {
	m := messageID.FindSubmatch(l.Body)
	if m == nil {
		return ""
	}
	return string(m[1])
}

var (
	messageID = regexp.MustCompile(`(?im)^Message-ID:\s*<([^>\r\n]+)>`)
	uidItem   = regexp.MustCompile(`\bUID (\d+)`)
	flagsItem = regexp.MustCompile(`\bFLAGS \(([^)]*)\)`)
)

// Look returns all letters of a folder (its wire name) without changing anything: EXAMINE and BODY.PEEK.
func (c *Client) Look(folder string) ([]Letter, error) {
	if _, err := c.Command("EXAMINE " + quote(folder)); err != nil {
		return nil, err
	}
	rs, err := c.Command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")
	if err != nil {
		return nil, err
	}
	var out []Letter
	for _, r := range rs {
		m := uidItem.FindStringSubmatch(r.Text)
		if m == nil || len(r.Lits) == 0 {
			continue
		}
		uid, err := strconv.ParseUint(m[1], 10, 32)
		if err != nil {
			return nil, err
		}
		l := Letter{UID: uint32(uid), Body: r.Lits[0]}
		if f := flagsItem.FindStringSubmatch(r.Text); f != nil {
			l.Flags = slices.DeleteFunc(strings.Fields(f[1]), func(s string) bool { return s == `\Recent` })
			slices.Sort(l.Flags)
		}
		out = append(out, l)
	}
	return out, nil
}

// Append stores a letter in a folder as a mail client does with what it has sent.
func (c *Client) Append(folder, flags string, letter []byte) error {
	_, err := c.command(fmt.Sprintf("APPEND %s (%s) {%d}", quote(folder), flags, len(letter)), letter)
	return err
}

// Find returns the UIDs of the letters in a folder whose Message-ID is the given one. It opens the folder read-write.
func (c *Client) Find(folder, messageID string) ([]uint32, error) {
	if _, err := c.Command("SELECT " + quote(folder)); err != nil {
		return nil, err
	}
	rs, err := c.Command(`UID SEARCH HEADER Message-ID ` + quote("<"+messageID+">"))
	if err != nil {
		return nil, err
	}
	var uids []uint32
	for _, r := range rs {
		if !strings.HasPrefix(r.Text, "* SEARCH") {
			continue
		}
		for _, w := range strings.Fields(r.Text)[2:] {
			n, err := strconv.ParseUint(w, 10, 32)
			if err != nil {
				return nil, err
			}
			uids = append(uids, uint32(n))
		}
	}
	return uids, nil
}

// Count returns the number of letters in a folder, opening it afresh: a server may answer STATUS for the folder that is
// open from an old view. A folder that does not exist has none.
func (c *Client) Count(folder string) (int, error) {
	rs, err := c.Command("EXAMINE " + quote(folder))
	if err != nil {
		if strings.Contains(err.Error(), "NO ") {
			return 0, nil
		}
		return 0, err
	}
	for _, r := range rs {
		if n, ok := strings.CutSuffix(r.Text, " EXISTS"); ok {
			return strconv.Atoi(strings.TrimPrefix(n, "* "))
		}
	}
	return 0, fmt.Errorf("no EXISTS in the answer for %s", folder)
}

func quote(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// The wire names of the two folders. See RFC 3501 section 5.1.3.
const (
	Processed = "&BB4EMQRABDAEMQQ+BEIEMAQ9BD0ESwQ1- &BD8EOARBBEwEPAQw-" // «Обработанные письма»
	Control   = "&BB0EMA- &BDoEPgQ9BEIEQAQ+BDsENQ-"                     // «На контроле»
)
