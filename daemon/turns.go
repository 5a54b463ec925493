package daemon

import (
	"container/heap"
	"context"
	"sync"
)

// turns lets one transaction run at a time, as the database does anyway, and decides whose it is: mailboxes share the
// time by the letters that they store. One that stores two hundred thousand gets what the others leave, and a single
// letter waits for no more than the transaction under way, however many batches are queued before it. Whoever would be
// done first, if all were served at once and alike, is served first.
type turns struct {
	mu     sync.Mutex
	busy   bool
	clock  int64           // start of the turn that was given out last
	ends   map[int64]int64 // mailbox → end of its last turn; only those later than clock
	queue  turnQueue
	number int64
}

// turn is somebody who waits.
type turn struct {
	start, end int64 // in letters, if all were served at once
	number     int64 // for those that would end together
	granted    chan struct{}
	index      int // in the queue; -1 when it is not there any more
}

func newTurns() *turns { return &turns{ends: map[int64]int64{}} }

// take waits until it is the turn of a mailbox that wants to store so much, or ctx ends. Mailbox 0 is for work that
// concerns none. Call give when done, if the error is nil.
func (t *turns) take(ctx context.Context, mailbox int64, letters int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	start := max(t.clock, t.ends[mailbox])
	t.ends[mailbox] = start + int64(max(letters, 1))
	if !t.busy {
		t.beginLocked(start)
		t.mu.Unlock()
		return nil
	}
	t.number++
	w := &turn{start: start, end: t.ends[mailbox], number: t.number, granted: make(chan struct{})}
	heap.Push(&t.queue, w)
	t.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.index >= 0 {
		heap.Remove(&t.queue, w.index)
	} else { // granted at this very moment
		t.giveLocked()
	}
	return ctx.Err()
}

// give ends a turn and begins the next.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveLocked()
}

func (t *turns) giveLocked() {
	if t.queue.Len() == 0 {
		t.busy = false
		clear(t.ends) // nobody competes: nothing is owed
		return
	}
	w, _ := heap.Pop(&t.queue).(*turn)
	t.beginLocked(w.start)
	close(w.granted)
}

func (t *turns) beginLocked(start int64) {
	t.busy, t.clock = true, max(t.clock, start)
	if len(t.ends) > 1000 {
		for id, end := range t.ends {
			if end <= t.clock {
				delete(t.ends, id)
			}
		}
	}
}

// turnQueue is a heap: who would be done earlier, or else came earlier, is first.
type turnQueue []*turn

func (q turnQueue) Len() int { return len(q) }
func (q turnQueue) Less(i, j int) bool {
	return q[i].end < q[j].end || (q[i].end == q[j].end && q[i].number < q[j].number)
}

func (q turnQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds somebody. See heap.Interface.
func (q *turnQueue) Push(x any) {
	w, _ := x.(*turn)
	w.index = len(*q)
	*q = append(*q, w)
}

// Pop takes the last. See heap.Interface.
func (q *turnQueue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.index = -1
	return w
}
