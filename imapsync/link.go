package imapsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"kontrol/models"
)

// link is one socket with go-imap on it. A Conn has one at a time, and gets a new one when a letter breaks it.
type link struct {
	dialer   *dialer
	guard    *guard
	client   *imapclient.Client
	place    place
	caps     Caps
	dead     bool
	permit   *permit
	loggedIn bool
	hold     time.Time // the server has asked for no command before
}

func newLink(d *dialer, g *guard, p place) *link {
	return &link{dialer: d, guard: g, place: p, client: imapclient.New(g, nil)}
}

// kill closes the socket and waits for the reading goroutine to go, which it does at once.
func (l *link) kill() {
	l.dead = true
	_ = l.guard.Conn.Close()
	<-l.client.Closed()
	if l.loggedIn { // before that, what is to be learnt from the failure comes first
		l.permit.release()
	}
}

// command is one command: its exact name on the wire, its time, its weight, and where its data goes.
type command struct {
	name   string
	wire   string        // what is sent in place of the command; "" for the command itself
	before []string      // what is sent in one packet with wire, before it
	limit  time.Duration // 0 for Timeouts.Command
	budget int64         // 0 for baseBudget
	ans    *answers      // nil when no data is awaited
}

// do runs one command. The answers are returned in any case, as far as they came. The error is a *StatusError when the
// server refused; anything else leaves the link dead and is temporary.
func (l *link) do(ctx context.Context, c command, run func() error) (*answers, error) {
	if l.dead {
		return newAnswers(0, 0, nil), models.Temporary(ErrDead)
	}
	if c.limit == 0 {
		c.limit = l.dialer.account.Timeouts.Command
	}
	if c.budget == 0 {
		c.budget = baseBudget
	}
	if c.ans == nil {
		c.ans = newAnswers(0, 0, nil)
	}
	if err := l.pause(ctx, c); err != nil {
		return newAnswers(0, 0, nil), err
	}
	bounded, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	l.guard.begin(c.name, c.budget, c.ans)
	if c.wire != "" {
		l.guard.replace(c.wire)
		l.guard.alongside(c.before)
		c.name, _, _ = strings.Cut(c.wire, " ")
	}
	stop := context.AfterFunc(bounded, func() { _ = l.guard.Conn.Close() })
	var err error
	apart(func() { err = run() })
	stop()
	for _, n := range l.guard.takeNotes() {
		l.dialer.log.Debug("imap oddity", "command", c.name, "note", n)
	}
	var refused *imap.Error
	if err == nil || (errors.As(err, &refused) && bounded.Err() == nil) {
		ans := l.guard.end()
		if err == nil {
			return ans, nil
		}
		return ans, l.statusError(c.name, refused, ans)
	}
	l.kill()
	return l.guard.end(), l.lost(bounded, c.name, err)
}

// longestPause is how long a connection is kept waiting because the server has asked for a pause; when it wants more, the
// connection is given up and made again later.
const longestPause = time.Minute

// pause waits as long as the server has asked for, and for the pace that the administrator wants.
func (l *link) pause(ctx context.Context, c command) error {
	wait, paced := time.Until(l.hold), time.Duration(0)
	if c.name != doneCommand { // which ends a command
		paced = l.permit.spend(1 + len(c.before))
	}
	if !l.loggedIn {
		paced = 0 // the server may have less patience with strangers
	}
	switch {
	case wait <= 0 && paced <= 0:
		return nil
	case wait > longestPause:
		l.kill()
		err := fmt.Errorf("server asked for a pause of %s", wait.Round(time.Second))
		return l.dialer.account.toldTemporary("lost", saidError{err, statusText{}, wait}, "Words", err.Error())
	case !sleep(ctx, max(wait, paced)):
		l.kill()
		return l.dialer.account.stopped(fmt.Errorf("imap pause: %w", ctx.Err()))
	}
	return nil
}

// statusError makes ours of go-imap's, with the words as the guard kept them.
func (l *link) statusError(name string, e *imap.Error, ans *answers) error {
	s := &StatusError{Command: name, Bad: e.Type == imap.StatusResponseTypeBad, Code: string(e.Code), Text: e.Text}
	if ans.done {
		s.Code, s.Text = ans.result.code, ans.result.text
	}
	if said := l.guard.words(); s.Text == "" || (s.Code == "" && strings.Contains(said, "[ALERT]")) {
		s.Text = strings.TrimSpace(s.Text + " " + said)
	}
	said := statusText{code: s.Code, text: s.Text}
	if wait := pauseIn(s.Text); wait > 0 && l.loggedIn {
		l.hold = time.Now().Add(wait)
	}
	if l.loggedIn {
		l.permit.heard(said)
	}
	return s
}

// lost explains a dead connection: the server's last words if there are any, else why reading ended.
func (l *link) lost(bounded context.Context, name string, err error) error {
	cause := l.guard.cause()
	var forbidden *forbiddenError
	switch {
	case errors.As(cause, &forbidden):
		err = cause
	case errors.Is(bounded.Err(), context.DeadlineExceeded) || isTimeout(cause):
		err = fmt.Errorf("no complete answer in time: %w", context.DeadlineExceeded)
	case bounded.Err() != nil:
		return l.dialer.account.stopped(fmt.Errorf("imap %s: %w", name, bounded.Err()))
	case cause != nil && !errors.Is(cause, io.EOF):
		err = cause
	case err == nil || errors.Is(err, io.ErrUnexpectedEOF):
		err = errBye
	}
	words := l.guard.words()
	err = fmt.Errorf("imap %s: connection lost: %w", name, err)
	if words != "" {
		err = fmt.Errorf("%w (server said: %s)", err, words)
		said := readStatus([]byte(words))
		if l.loggedIn {
			l.permit.heard(said)
		}
		return l.dialer.account.toldTemporary("busy", withWords(err, said), "Words", words)
	}
	return l.dialer.account.toldTemporary("lost", err, "Words", shortCause(err))
}

// login waits for the greeting, logs in and learns the capabilities.
func (l *link) login(ctx context.Context, c credentials) error {
	a := l.dialer.account
	if !l.guard.wasPreset {
		if err := l.greet(ctx); err != nil {
			return err
		}
	} else if err := l.client.WaitGreeting(); err != nil {
		return a.stopped(fmt.Errorf("imap greeting: %w", err))
	}
	l.permit.greeted()
	if err := l.capability(ctx); err != nil {
		return err
	}
	if l.client.State() == imap.ConnStateNotAuthenticated {
		if err := l.present(ctx, c); err != nil {
			return err
		}
		if err := l.capability(ctx); err != nil {
			return err
		}
	}
	l.learnCaps()
	l.loggedIn = true
	l.permit.loggedIn()
	return nil
}

// present shows the server who we are.
func (l *link) present(ctx context.Context, c credentials) error {
	a := l.dialer.account
	if c.token {
		return l.presentToken(ctx, c)
	}
	name, run := "LOGIN", func() error { return l.client.Login(c.username, c.secret).Wait() }
	if m := mechanism(l.guard, c.username, c.secret); m != nil {
		name, run = "AUTHENTICATE", func() error { return l.client.Authenticate(m) }
	} else if l.guard.has("LOGINDISABLED") {
		return a.told("login_disabled", fmt.Errorf("%s has LOGIN disabled and offers no mechanism that we know", l.place.addr))
	}
	if _, err := l.do(ctx, command{name: name}, run); err != nil {
		return l.loginError(err)
	}
	return nil
}

func (l *link) greet(ctx context.Context) error {
	a := l.dialer.account
	bounded, cancel := context.WithTimeout(ctx, a.Timeouts.Greeting)
	defer cancel()
	stop := context.AfterFunc(bounded, func() { _ = l.guard.Conn.Close() })
	defer stop()
	if err := l.client.WaitGreeting(); err == nil {
		return nil
	}
	<-l.client.Closed()
	switch cause := l.guard.cause(); {
	case errors.Is(cause, errBye):
		l.guard.mu.Lock()
		words := l.guard.bye
		l.guard.mu.Unlock()
		return a.refusal("greeting", readStatus([]byte(words)))
	case errors.Is(cause, errNotIMAP):
		return a.told("not_imap", fmt.Errorf("greeting of %s: %w", l.place.addr, cause))
	case ctx.Err() != nil:
		return a.stopped(fmt.Errorf("imap greeting: %w", ctx.Err()))
	case bounded.Err() != nil || isTimeout(cause):
		return a.toldTemporary("silent", fmt.Errorf("greeting of %s: %w", l.place.addr, context.DeadlineExceeded))
	default:
		return a.toldTemporary("unreachable", fmt.Errorf("greeting of %s: %w", l.place.addr, errBye), "Words", "EOF")
	}
}

func (l *link) capability(ctx context.Context) error {
	_, err := l.do(ctx, command{name: "CAPABILITY"}, func() error {
		_, err := l.client.Capability().Wait()
		return err
	})
	var refused *StatusError
	if errors.As(err, &refused) {
		return nil // what the greeting told must do
	}
	return err
}

// loginError sorts what went wrong while logging in. Whatever it is, the connection is not used again.
func (l *link) loginError(err error) error {
	a := l.dialer.account
	var refused *StatusError
	if errors.As(err, &refused) {
		s := statusText{code: refused.Code, text: refused.Text}
		if refused.Bad {
			return a.toldTemporary("busy", withWords(err, s), "Words", s.words())
		}
		return a.refusal("login", s)
	}
	return err
}

// learnCaps takes the capabilities that matter from the list that is valid after login.
func (l *link) learnCaps() {
	g := l.guard
	rev2 := g.has("IMAP4REV2")
	l.caps = Caps{
		Move: g.has("MOVE") || rev2, UIDPlus: g.has("UIDPLUS") || rev2, Idle: g.has("IDLE") || rev2,
		CondStore:  g.has("CONDSTORE") || g.has("QRESYNC"),
		SpecialUse: g.has("SPECIAL-USE") || rev2, ListStatus: g.has("LIST-STATUS") || rev2,
		LongLines: g.has("I18NLEVEL=1") && g.has("SEARCHRES") && g.has("CONTEXT=SEARCH"), // together they are Dovecot's, from 2.0 on
	}
	g.mu.Lock()
	g.xlist = g.caps["XLIST"] && !l.caps.SpecialUse
	g.mu.Unlock()
}
