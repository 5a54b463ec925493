package imapsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"kontrol/models"
)

// maxIdle is below the 28 minutes after which go-imap would send IDLE again by itself.
const maxIdle = 25 * time.Minute

// Idle waits for a change in the selected folder.
func (c *Conn) Idle(ctx context.Context, limit time.Duration, wake <-chan struct{}) (bool, error) {
	if c.link.dead {
		return false, models.Temporary(ErrDead)
	}
	limit = min(limit, maxIdle)
	if q := quirkOf(c.link.place.host); q.idle > 0 {
		limit = min(limit, q.idle)
	}
	if c.caps.Idle {
		changed, err := c.idle(ctx, limit, wake)
		var refused *StatusError
		if !errors.As(err, &refused) {
			return changed, err
		}
		c.caps.Idle = false // offered, but refused: Mail.ru has done that
		c.link.dialer.log.Info("imap server refuses IDLE, polling instead", "words", refused.Text)
	}
	return c.poll(ctx, limit, wake)
}

// idle is one round of IDLE, DONE and NOOP.
func (c *Conn) idle(ctx context.Context, limit time.Duration, wake <-chan struct{}) (bool, error) {
	l := c.link
	var running *imapclient.IdleCommand
	if err := l.startIdle(ctx, &running); err != nil {
		return false, err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	changed, over, aside := false, false, false
	select {
	case <-l.guard.poke:
		changed = true
	case <-wake:
	case <-timer.C:
	case <-l.guard.idleOver:
		over = true
	case <-l.permit.stepAside():
		aside = true
	case <-l.client.Closed():
	case <-ctx.Done():
	}
	if over || ctx.Err() != nil {
		l.kill()
		_ = running.Close()
		if over {
			return true, models.Temporary(errors.New("imap IDLE: server ended it by itself"))
		}
		return changed, models.Temporary(fmt.Errorf("imap IDLE: %w", ctx.Err()))
	}
	if err := l.endIdle(ctx, running); err != nil {
		return changed, err
	}
	if aside {
		return changed, models.Temporary(errAside)
	}
	if err := c.noop(ctx); err != nil {
		return changed, err
	}
	return c.poked() || changed, nil
}

// errAside ends a connection that another mailbox needs more. It comes only where nothing is under way.
var errAside = errors.New("stepped aside for a mailbox without a connection")

// startIdle sends IDLE and waits for the server's leave. The command is not over when it returns.
func (l *link) startIdle(ctx context.Context, running **imapclient.IdleCommand) error {
	select {
	case <-l.guard.idleOver:
	default:
	}
	_, err := l.do(ctx, command{name: "IDLE", budget: listBudget}, func() error {
		var err error
		*running, err = l.client.Idle()
		return err
	})
	return err
}

// endIdle sends DONE and waits for the result.
func (l *link) endIdle(ctx context.Context, running *imapclient.IdleCommand) error {
	_, err := l.do(ctx, command{name: "DONE"}, func() error {
		if err := running.Close(); err != nil {
			return err
		}
		return running.Wait()
	})
	return err
}

// poked reports and forgets that the server told of a change.
func (c *Conn) poked() bool {
	select {
	case <-c.link.guard.poke:
		return true
	default:
		return false
	}
}

// poll asks with NOOP from time to time.
func (c *Conn) poll(ctx context.Context, limit time.Duration, wake <-chan struct{}) (bool, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		tick := time.NewTimer(c.link.dialer.account.Timeouts.Poll)
		over := false
		select {
		case <-tick.C:
		case <-timer.C:
			over = true
		case <-wake:
			over = true
		case <-c.link.guard.poke:
			c.link.guard.changed()
		case <-c.link.permit.stepAside():
			tick.Stop()
			return false, models.Temporary(errAside)
		case <-c.link.client.Closed():
		case <-ctx.Done():
			tick.Stop()
			c.link.kill()
			return false, models.Temporary(fmt.Errorf("imap poll: %w", ctx.Err()))
		}
		tick.Stop()
		if err := c.noop(ctx); err != nil {
			return false, err
		}
		if c.poked() {
			return true, nil
		}
		if over {
			return false, nil
		}
	}
}
