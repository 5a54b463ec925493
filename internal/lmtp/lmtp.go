// Package lmtp hands letters to the mail servers of tests, as their own mail transport would.
package lmtp

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/emersion/go-smtp"
)

// Deliver hands a letter for one user to the server that listens for LMTP at addr (host:port). It returns when the server
// has taken the letter over; line ends are made CRLF. The end of ctx ends the conversation, and the letter is then
// delivered or not. See RFC 2033.
func Deliver(ctx context.Context, addr, user string, letter []byte) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("reach lmtp: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := smtp.NewClientLMTP(conn)
	defer func() { _ = c.Close() }()
	if err := send(c, user, letter); err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	return nil
}

func send(c *smtp.Client, user string, letter []byte) error {
	if err := c.Mail("sender@example.org", nil); err != nil {
		return err
	}
	if err := c.Rcpt(user, nil); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = w.Write(letter)
	return errors.Join(err, w.Close())
}
