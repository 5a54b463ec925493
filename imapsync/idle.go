package imapsync

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"kontrol/models"
)

// A server that ends IDLE by itself within shortIdle for shortIdles times in a row is polled instead.
const (
	shortIdle  = time.Second
	shortIdles = 3
)

// Idle waits for a change in the selected folder.
func (c *Conn) Idle(ctx context.Context, limit time.Duration, wake <-chan struct{}) (changed bool, err error) {
	err = c.Listen(ctx, limit, wake, func(Notice) bool {
		changed = true
		return false
	})
	return changed, err
}

// Listen hears what the server tells until hear has had enough, wake is signalled or limit has passed.
func (c *Conn) Listen(ctx context.Context, limit time.Duration, wake <-chan struct{}, hear func(Notice) bool) error {
	if c.link.dead {
		return models.Temporary(ErrDead)
	}
	end := time.NewTimer(limit)
	defer end.Stop()
	e := &ear{c: c, end: end.C, wake: wake, hear: hear}
	for short := 0; !e.over; {
		if !c.caps.Idle {
			if err := e.poll(ctx); err != nil {
				return err
			}
			continue
		}
		start := time.Now()
		err := e.idle(ctx)
		var refused *StatusError
		switch {
		case errors.As(err, &refused): // offered, but refused: Mail.ru has done that
			c.caps.Idle = false
			c.link.dialer.log.Info("imap server refuses IDLE, polling instead", "words", refused.Text)
			continue
		case err != nil:
			return err
		case !e.ended || time.Since(start) >= shortIdle:
			short = 0
		default:
			short++
		}
		if short >= shortIdles {
			c.caps.Idle = false
			c.link.dialer.log.Info("imap server ends IDLE at once, polling instead")
		}
	}
	return nil
}

// ear is one call of Listen.
type ear struct {
	c     *Conn
	end   <-chan time.Time
	wake  <-chan struct{}
	hear  func(Notice) bool
	over  bool // Listen has come to its end
	ended bool // the server has ended the last IDLE by itself
}

// pass hands on what there is to hear.
func (e *ear) pass() {
	if n, ok := e.c.link.guard.take(); ok && !e.hear(n) {
		e.over = true
	}
}

// slice is how long an IDLE may last. It is jittered, so that a thousand connections do not all speak up at once.
func (c *Conn) slice() time.Duration {
	limit := c.link.dialer.account.Timeouts.Slice
	if q := quirkOf(c.link.place.host); q.idle > 0 {
		limit = min(limit, q.idle)
	}
	return time.Duration(float64(limit) * (0.8 + 0.2*rand.Float64()))
}

// idle is one IDLE with its DONE. Unless the end of it was our own wish, a NOOP follows: some servers tell only then what
// has changed. Both have to be answered soon: that is the proof that the connection is alive in both directions, which
// neither TCP nor what the server sends by itself can give.
func (e *ear) idle(ctx context.Context) error {
	l := e.c.link
	e.ended = false
	if err := l.startIdle(ctx); err != nil {
		return err
	}
	proof := time.NewTimer(e.c.slice())
	defer proof.Stop()
	aside := false
	for ask := false; !e.over && !ask && !aside; {
		select {
		case <-l.guard.poke:
			e.pass()
		case <-e.wake:
			e.over = true
		case <-e.end:
			e.over, ask = true, true
		case <-proof.C:
			ask = true
		case <-l.guard.idleOver:
			e.ended, ask = true, true
		case <-l.permit.stepAside():
			aside = true
		case <-l.client.Closed():
			ask = true
		case <-ctx.Done():
			l.kill()
			return models.Temporary(fmt.Errorf("imap IDLE: %w", ctx.Err()))
		}
		if !ask {
			continue
		}
		if err := l.endIdle(ctx); err != nil {
			return err
		}
		err := e.c.prove(ctx)
		e.pass()
		return err
	}
	err := l.endIdle(ctx)
	e.pass()
	if err == nil && aside {
		return models.Temporary(errAside)
	}
	return err
}

// errAside ends a connection that another mailbox needs more. It comes only where nothing is under way.
var errAside = errors.New("stepped aside for a mailbox without a connection")

// startIdle sends IDLE and waits for the server's leave. The command is not over when it returns.
func (l *link) startIdle(ctx context.Context) error {
	_, err := l.do(ctx, command{name: "IDLE", limit: l.dialer.account.Timeouts.Proof, budget: listBudget},
		func() error { return l.guard.idle(l.client.Closed()) })
	return err
}

// doneCommand is the name of what ends IDLE.
const doneCommand = "DONE"

// endIdle sends DONE, unless the server has ended IDLE already, and waits for the result.
func (l *link) endIdle(ctx context.Context) error {
	_, err := l.do(ctx, command{name: doneCommand, limit: l.dialer.account.Timeouts.Proof},
		func() error { return l.guard.done(l.client.Closed()) })
	return err
}

// prove makes sure with a NOOP that the server answers.
func (c *Conn) prove(ctx context.Context) error {
	_, err := c.link.raw(ctx, command{name: "NOOP", limit: c.link.dialer.account.Timeouts.Proof})
	return err
}

// poll waits and then asks with NOOP, which also proves that the connection is alive.
func (e *ear) poll(ctx context.Context) error {
	l := e.c.link
	tick := time.NewTimer(l.dialer.account.Timeouts.Poll)
	defer tick.Stop()
	select {
	case <-tick.C:
	case <-e.end:
		e.over = true
	case <-e.wake:
		e.over = true
		return nil
	case <-l.guard.poke:
	case <-l.permit.stepAside():
		return models.Temporary(errAside)
	case <-l.client.Closed():
	case <-ctx.Done():
		l.kill()
		return models.Temporary(fmt.Errorf("imap poll: %w", ctx.Err()))
	}
	err := e.c.prove(ctx)
	e.pass()
	return err
}
