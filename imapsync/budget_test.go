package imapsync

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestBudgetServesInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(80)
		var order []string
		var mu sync.Mutex
		var wg sync.WaitGroup
		ask := func(name string, octets int64) {
			wg.Go(func() {
				h, err := b.Acquire(t.Context(), octets)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				<-time.After(time.Second)
				h.Release()
			})
			synctest.Wait()
		}
		ask("huge", 70)
		ask("first", 30)
		ask("huge again", 70)
		ask("second", 30)
		ask("letter", 5) // goes through the small share at once
		wg.Wait()
		want := []string{"huge", "letter", "first", "huge again", "second"}
		for i := range want {
			if len(order) != len(want) || order[i] != want[i] {
				t.Fatalf("served %q, want %q", order, want)
			}
		}
		if now, most := b.Held(); now != 0 || most != 75 {
			t.Errorf("held %d, most %d", now, most)
		}
	})
}

func TestBudgetGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(80)
		h, _ := b.Acquire(t.Context(), 1000) // more than there is: all that large ones may have
		if h.Octets() != 70 {
			t.Errorf("granted %d", h.Octets())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := make(chan struct{})
		go func() {
			<-time.After(time.Millisecond)
			_, _ = b.Acquire(t.Context(), 20)
			close(got)
		}()
		if _, err := b.Acquire(ctx, 60); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		h.Shrink(50) // who gave up no longer stands in the way
		<-got
		h.Release()
		h.Release()
		if now, _ := b.Held(); now != 20 {
			t.Errorf("held %d", now)
		}
	})
}

func TestBudgetWithoutBound(t *testing.T) {
	t.Parallel()
	var none *Budget
	for _, b := range []*Budget{none, {}, NewBudget(0), NewBudget(-1)} {
		h, err := b.Acquire(t.Context(), 1<<40)
		if err != nil || h.Octets() != 1<<40 {
			t.Errorf("%v %v", h, err)
		}
		h.Shrink(1)
		h.Release()
		if now, most := b.Held(); now != 0 || most != 0 {
			t.Errorf("held %d, most %d", now, most)
		}
	}
	var nothing *Hold
	nothing.Release()
}

// TestBudgetNeverExceeded: whatever mailboxes do, the sum stays below the bound and everybody is served in the end.
func TestBudgetNeverExceeded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		total := rapid.Int64Range(1, 100).Draw(r, "total")
		b := NewBudget(total)
		var wg sync.WaitGroup
		for range rapid.IntRange(1, 8).Draw(r, "mailboxes") {
			sizes := rapid.SliceOfN(rapid.Int64Range(0, 150), 1, 10).Draw(r, "sizes")
			patient := rapid.Bool().Draw(r, "patient")
			wg.Go(func() {
				for _, n := range sizes {
					ctx, cancel := context.WithCancel(context.Background())
					if !patient {
						cancel()
					}
					h, err := b.Acquire(ctx, n)
					if err == nil {
						h.Shrink(n / 2)
						h.Release()
					} else if patient {
						r.Errorf("%v", err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if now, most := b.Held(); now != 0 || most > total {
			r.Fatalf("held %d, most %d of %d", now, most, total)
		}
	})
}
