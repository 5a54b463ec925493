package imapsync

import (
	"context"
	"time"
)

// backoff returns how long to wait before try number n+1 after n failures in a row: first, doubled with each further
// failure up to last, and then up to 20 % more or less so that many mailboxes do not come back at the same instant.
// rnd gives numbers in [0, 1). With n < 1 it returns 0.
func backoff(n int, first, last time.Duration, rnd func() float64) time.Duration {
	if n < 1 {
		return 0
	}
	d := first
	for i := 1; i < n && d < last; i++ {
		d *= 2
	}
	d = min(d, last)
	return d - d/5 + time.Duration(rnd()*float64(2*(d/5)))
}

// sleep waits for d and reports whether it has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// graceful returns a context that ends grace later than ctx, so that a command which is under way when the program is
// told to stop can be finished instead of being cut off with its result unknown. Call the function when done.
func graceful(ctx context.Context, grace time.Duration) (context.Context, func()) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !sleep(work, grace) {
			return
		}
		cancel()
	})
	return work, func() {
		stop()
		cancel()
	}
}
