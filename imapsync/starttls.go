package imapsync

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
)

// plaintext is the conversation in clear text before STARTTLS.
type plaintext struct {
	conn     net.Conn
	br       *bufio.Reader
	log      *protocolLog
	startTLS bool // the server offers STARTTLS
}

func newPlaintext(conn net.Conn, log *protocolLog) *plaintext {
	return &plaintext{conn: conn, br: bufio.NewReaderSize(conn, 16<<10), log: log}
}

var errClear = errors.New("unexpected line before STARTTLS")

// command sends a command and returns its tagged result.
func (c *plaintext) command(tag, name string) (string, statusText, error) {
	if c.log != nil {
		c.log.write("C:", tag+" "+name)
	}
	if _, err := io.WriteString(c.conn, tag+" "+name+"\r\n"); err != nil {
		return "", statusText{}, err
	}
	for range 100 {
		word, s, err := c.line(tag)
		if err != nil || word != "" {
			return word, s, err
		}
	}
	return "", statusText{}, errClear
}

// line reads one line. It returns an empty word for a line that has another tag than the one waited for.
func (c *plaintext) line(tag string) (string, statusText, error) {
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && len(line) > 0 || errors.Is(err, bufio.ErrBufferFull) {
			err = errNotIMAP
		}
		return "", statusText{}, err
	}
	line = bytes.TrimRight(line, "\r\n")
	if c.log != nil {
		c.log.incoming(line)
	}
	first, rest := cutWord(line)
	word, after := cutWord(rest)
	word = strings.ToUpper(word)
	s := readStatus(after)
	if word == "CAPABILITY" {
		s.args = string(after)
	}
	if word == "CAPABILITY" || s.code == "CAPABILITY" {
		for _, w := range strings.Fields(strings.ToUpper(s.args)) {
			c.startTLS = c.startTLS || w == "STARTTLS"
		}
	}
	switch {
	case first == tag && (word == "OK" || word == "NO" || word == "BAD" || word == "BYE" || word == "PREAUTH"):
		return word, s, nil
	case first == "*" && word == "BYE":
		return word, s, nil
	case first != "*" || tag == "*":
		return "", s, errNotIMAP
	}
	return "", s, nil
}
