package imapsync

import (
	"errors"
	"strconv"

	"github.com/emersion/go-imap/v2"
)

// IDLE is spoken by the guard itself. go-imap would keep a goroutine and a timer for each, which is most of what a
// connection costs while nothing happens, and would go on idling when the server has ended it.

// signal is one without a content; any number of them count as one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// idle sends IDLE, which begin has announced, and waits for the server's leave. The error is an *imap.Error when the
// server refused. gone is closed when nobody reads any more. See RFC 2177.
func (g *guard) idle(gone <-chan struct{}) error {
	for _, c := range []chan struct{}{g.idleOn, g.idleOver} {
		select {
		case <-c:
		default:
		}
	}
	select {
	case <-g.idleDone:
	default:
	}
	g.mu.Lock()
	o := &g.sent
	o.idles++
	tag := "I" + strconv.Itoa(o.idles)
	o.idleTag, o.done, o.idling, o.ended, o.command = tag, false, false, false, "IDLE"
	o.pending[tag] = "IDLE"
	o.conts++
	g.mu.Unlock()
	if err := g.say(tag+" IDLE", "IDLE"); err != nil {
		return err
	}
	select {
	case <-g.idleOn:
		return nil
	case err := <-g.idleDone:
		if err == nil {
			err = errors.New("server ended IDLE without having begun it")
		}
		return err
	case <-gone:
		return errBye
	}
}

// done sends DONE, unless the server has ended IDLE already, and waits for the result.
func (g *guard) done(gone <-chan struct{}) error {
	g.mu.Lock()
	ended := g.sent.ended
	g.sent.done = true
	g.mu.Unlock()
	if ended { // DONE would be taken for a command
		return nil
	}
	if err := g.say("DONE", "DONE"); err != nil {
		return err
	}
	select {
	case err := <-g.idleDone:
		return err
	case <-gone:
		return errBye
	}
}

// idleEnded passes on the result of IDLE.
func (g *guard) idleEnded(bySelf bool, word string, s statusText) {
	if bySelf {
		signal(g.idleOver)
		return
	}
	var err error
	if word != "OK" {
		err = &imap.Error{Type: imap.StatusResponseType(word), Code: imap.ResponseCode(s.code), Text: s.text}
	}
	select {
	case g.idleDone <- err:
	default:
	}
}

// say writes one line of ours to the server, past go-imap.
func (g *guard) say(line, command string) error {
	if g.log != nil {
		g.log.outgoing([]byte(line), command)
	}
	_, err := g.Conn.Write([]byte(line + "\r\n"))
	return err
}
