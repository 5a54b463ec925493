package imapsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kontrol/models"
)

// startWatching opens the second connection in a goroutine of its own, which idles on INBOX and signals the worker. The
// function returned ends it and waits until it has ended.
func (y *Syncer) startWatching(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		y.watch(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// watch keeps the second connection up. Whatever the server has against it, the first connection goes on alone and the
// second is tried again later: many servers say in different words, or by refusing the login, that there are too many.
func (y *Syncer) watch(ctx context.Context) {
	if y.cfg.Single {
		return
	}
	t := y.cfg.Timing
	refusals, fails, drops := 0, 0, 0
	for ctx.Err() == nil {
		start := y.cfg.Now()
		connected, err := y.watchOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		var delay time.Duration
		var login *LoginError
		switch {
		case errors.Is(err, errAside):
			continue // the Hosts know when there is room again
		case !connected:
			if errors.As(err, &login) && !models.IsTemporary(err) {
				refusals++
			}
			if refusals >= loginRefusals {
				y.logger.Warn("second connection is not tried again before the next login", "error", err)
				return
			}
			fails++
			delay = backoff(fails, t.SecondRetry, 15*t.SecondRetry, y.cfg.Rand)
		case y.cfg.Now().Sub(start) >= t.Healthy:
			refusals, fails, drops = 0, 0, 0
			delay = backoff(1, t.FirstRetry, t.LastRetry, y.cfg.Rand)
		default:
			refusals, fails = 0, 0
			drops++
			delay = backoff(drops, t.FirstRetry, t.LastRetry, y.cfg.Rand)
		}
		delay = max(delay, RetryAfter(err))
		y.logger.Info("working with one connection", "error", err, "retry_in", delay.Round(time.Millisecond).String())
		if !sleep(ctx, delay) {
			return
		}
	}
}

// watchOnce is the life of one watching connection.
func (y *Syncer) watchOnce(ctx context.Context) (connected bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			y.panicked(p)
			err = &panicError{p}
		}
	}()
	work, stop := graceful(ctx, y.cfg.Timing.Grace)
	defer stop()
	var s Session
	apart(func() { s, err = y.dial(ctx, y.cfg.Second, func(p models.Phrase) { y.alone.Store(&p) }) })
	y.alone.Store(nil)
	if err != nil {
		return false, err
	}
	connected = true // also when what follows panics
	defer s.Close()
	if err := openInbox(work, s); err != nil {
		return true, err
	}
	y.watching.Store(true)
	defer func() {
		y.watching.Store(false)
		y.signals.poke()
	}()
	on, err := s.Notify(work, y.others())
	if err != nil {
		return true, fmt.Errorf("ask for notices: %w", err)
	}
	y.notified.Store(on)
	defer y.notified.Store(false)
	return true, y.listen(ctx, work, s)
}

// listen hears what the server tells of INBOX, which has just been opened, and opens it afresh after each slice: it may have
// been made anew under us. Of what changes between the worker's look or the end of a slice and that SELECT no server tells,
// and where there are no mod-sequences no number shows other flags. So they count as changed.
func (y *Syncer) listen(ctx, work context.Context, s Session) error {
	y.signals.hear(Notice{New: true, Gone: true, Flags: true})
	opened := y.cfg.Now()
	for ctx.Err() == nil {
		limit := y.cfg.Timing.IdleSlice
		if !s.Caps().Idle {
			limit = min(limit, y.cfg.Timing.PollEvery)
		}
		err := s.Listen(work, limit, ctx.Done(), func(n Notice) bool {
			y.signals.hear(n)
			return ctx.Err() == nil
		})
		if err != nil {
			return fmt.Errorf("watch INBOX: %w", err)
		}
		if ctx.Err() != nil {
			break
		}
		again := y.cfg.Now().Sub(opened) >= y.cfg.Timing.IdleSlice
		if again {
			if err := openInbox(work, s); err != nil {
				return err
			}
			opened = y.cfg.Now()
		}
		y.signals.hear(Notice{New: true, Gone: true, Flags: again}) // at the end of each slice it is better to look than to trust
	}
	return nil
}

func openInbox(ctx context.Context, s Session) error {
	if _, err := s.Select(ctx, "INBOX", true); err != nil {
		return fmt.Errorf("open INBOX to watch: %w", err)
	}
	return nil
}

// others returns the names of the folders of which the second connection wants to hear although it watches INBOX: all that
// nobody idles on.
func (y *Syncer) others() []string {
	y.signals.mu.Lock()
	defer y.signals.mu.Unlock()
	return y.signals.others
}
