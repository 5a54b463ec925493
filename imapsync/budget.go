package imapsync

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Budget bounds how many octets of letters all mailboxes together hold in memory between the server and the store. It
// is shared by their Syncers. Whoever comes first is served first, so that a huge mailbox, which comes again after each
// batch, waits behind all others; and an eighth of the budget is kept for what is small, so that a letter that has just
// arrived does not wait for other mailboxes' first looks. A nil *Budget and the zero value set no bound.
type Budget struct {
	total int64

	mu       sync.Mutex
	large    int64    // octets held by requests above the small share
	small    int64    // octets held by the others
	large1st []*claim // those who wait, in their order
	small1st []*claim
	peak     int64 // most that was ever held
}

// claim is one that waits for its octets.
type claim struct {
	octets int64
	small  bool
	ready  chan struct{} // closed when they are granted
}

// NewBudget returns a budget of so many octets; 0 or less sets no bound.
func NewBudget(octets int64) *Budget { return &Budget{total: octets} }

// smallShare is what only small requests may use, and the size up to which a request is small.
func (b *Budget) smallShare() int64 { return b.total / 8 }

// Hold is what has been acquired from a Budget. Its zero value and a nil *Hold hold nothing.
type Hold struct {
	b      *Budget
	octets int64
	small  bool
}

// Acquire waits until so many octets are free and takes them. A request for more than there could ever be is granted what
// there could be: Octets tells. The error is that of ctx, which is then the only one.
func (b *Budget) Acquire(ctx context.Context, octets int64) (*Hold, error) {
	if b == nil || b.total <= 0 {
		return &Hold{octets: max(octets, 0)}, nil
	}
	c := &claim{octets: max(octets, 1), ready: make(chan struct{})}
	c.small = c.octets <= b.smallShare()
	c.octets = min(c.octets, b.total-b.smallShare())
	b.mu.Lock()
	if c.small {
		b.small1st = append(b.small1st, c)
	} else {
		b.large1st = append(b.large1st, c)
	}
	b.grant()
	b.mu.Unlock()
	select {
	case <-c.ready:
	default:
		select {
		case <-c.ready:
		case <-ctx.Done():
			return nil, b.giveUp(ctx, c)
		}
	}
	return &Hold{b: b, octets: c.octets, small: c.small}, nil
}

// giveUp takes a claim back.
func (b *Budget) giveUp(ctx context.Context, c *claim) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	mine := func(x *claim) bool { return x == c }
	before := len(b.small1st) + len(b.large1st)
	b.small1st, b.large1st = slices.DeleteFunc(b.small1st, mine), slices.DeleteFunc(b.large1st, mine)
	if len(b.small1st)+len(b.large1st) == before { // granted in the same moment
		b.giveBack(c.octets, c.small)
	}
	b.grant() // those behind it may be smaller
	return fmt.Errorf("wait for memory: %w", ctx.Err())
}

// grant serves those who wait, in their order. It is called with the lock held.
func (b *Budget) grant() {
	for len(b.small1st) > 0 {
		c := b.small1st[0]
		share := b.smallShare()
		if len(b.large1st) == 0 {
			share = b.total // nobody else wants the rest
		}
		if b.small+c.octets > share || b.small+b.large+c.octets > b.total {
			break
		}
		b.small += c.octets
		b.small1st = b.small1st[1:]
		close(c.ready)
	}
	for len(b.large1st) > 0 {
		c := b.large1st[0]
		if b.large+c.octets > b.total-b.smallShare() || b.small+b.large+c.octets > b.total {
			break
		}
		b.large += c.octets
		b.large1st = b.large1st[1:]
		close(c.ready)
	}
	b.peak = max(b.peak, b.small+b.large)
}

func (b *Budget) giveBack(octets int64, small bool) {
	if small {
		b.small -= octets
	} else {
		b.large -= octets
	}
}

// Octets returns how many octets are held.
func (h *Hold) Octets() int64 {
	if h == nil {
		return 0
	}
	return h.octets
}

// Shrink gives back all but so many octets.
func (h *Hold) Shrink(octets int64) {
	if h == nil || octets >= h.octets {
		return
	}
	octets = max(octets, 0)
	back := h.octets - octets
	h.octets = octets
	if h.b == nil {
		return
	}
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	h.b.giveBack(back, h.small)
	h.b.grant()
}

// Release gives everything back. It may be called more than once.
func (h *Hold) Release() { h.Shrink(0) }

// Held returns how many octets are held now, and how many were at most.
func (b *Budget) Held() (now, most int64) {
	if b == nil {
		return 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.small + b.large, b.peak
}
