package daemon

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestOneLetterWaitsForOneTurn: however much the others store, a single letter waits for the transaction under way only.
func TestOneLetterWaitsForOneTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newTurns()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		stored := make([]int, 10)
		for i := range stored { // mailboxes at their first look
			wg.Go(func() {
				for q.take(ctx, int64(i+1), 50) == nil {
					<-time.After(100 * time.Millisecond)
					stored[i]++
					q.give()
				}
			})
		}
		<-time.After(10 * time.Second)
		for range 20 {
			begin := time.Now()
			if err := q.take(ctx, 99, 1); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(begin); waited > 100*time.Millisecond {
				t.Errorf("waited %v for turns of 100 ms", waited)
			}
			<-time.After(5 * time.Millisecond)
			q.give()
			<-time.After(730 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		for i, n := range stored {
			if n < 20 || n > 40 {
				t.Errorf("mailbox %d stored %d batches, %v in all", i, n, stored)
			}
		}
	})
}

// TestTurnsAreNeitherSharedNorLost: one at a time, and cancelling loses none.
func TestTurnsAreNeitherSharedNorLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		type visit struct{ mailbox, letters, after, patience, takes int }
		visits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) visit {
			n := rapid.IntRange(0, 20)
			return visit{n.Draw(t, "mailbox"), n.Draw(t, "letters"), n.Draw(t, "after"), 1 + n.Draw(t, "patience"), n.Draw(t, "takes")}
		}), 1, 40).Draw(rt, "visits")
		synctest.Test(t, func(*testing.T) {
			q := newTurns()
			var wg sync.WaitGroup
			inside := 0
			for _, v := range visits {
				wg.Go(func() {
					<-time.After(time.Duration(v.after) * time.Second)
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(v.patience)*time.Second)
					defer cancel()
					if q.take(ctx, int64(v.mailbox), v.letters) != nil {
						return
					}
					if inside++; inside > 1 {
						rt.Error("two at a time")
					}
					<-time.After(time.Duration(v.takes) * time.Second)
					inside--
					q.give()
				})
			}
			wg.Wait()
			if q.busy || q.queue.Len() != 0 {
				rt.Error("a turn was lost")
			}
		})
	})
}
