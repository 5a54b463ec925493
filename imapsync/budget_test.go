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

// TestBudgetKeepsSmallOnesInTheirShare: many letters that have just arrived do not keep a first look waiting for ever.
func TestBudgetKeepsSmallOnesInTheirShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(80)
		small, _ := b.Acquire(t.Context(), 10)
		large := make(chan *Hold, 1)
		go func() {
			h, _ := b.Acquire(t.Context(), 70)
			large <- h
		}()
		synctest.Wait()
		h := <-large
		if h.Octets() != 70 {
			t.Fatalf("granted %d", h.Octets())
		}
		go func() {
			h, _ := b.Acquire(t.Context(), 60)
			large <- h
		}()
		synctest.Wait()
		h.Shrink(20) // 30 held, 60 wait: only the small share is for small ones now
		more := make(chan *Hold, 1)
		go func() {
			h, _ := b.Acquire(t.Context(), 10)
			more <- h
		}()
		synctest.Wait()
		if len(more) != 0 || len(large) != 0 {
			t.Errorf("small ones took what a large one waits for")
		}
		h.Release()
		synctest.Wait()
		if len(large) != 1 || len(more) != 0 {
			t.Errorf("%d large and %d small served", len(large), len(more))
		}
		small.Release()
		(<-more).Release()
		(<-large).Release()
		if now, _ := b.Held(); now != 0 {
			t.Errorf("held %d", now)
		}
	})
}

// TestBudgetGivesUpInTheSameMoment: what was granted to one who no longer waits is given back.
func TestBudgetGivesUpInTheSameMoment(t *testing.T) {
	t.Parallel()
	b := NewBudget(80)
	b.mu.Lock()
	c := &claim{octets: 60, ready: make(chan struct{})}
	b.large1st = append(b.large1st, c)
	b.grant()
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.giveUp(ctx, c); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if now, _ := b.Held(); now != 0 {
		t.Errorf("held %d", now)
	}
}
