package imapsync

import (
	"fmt"
	"slices"
	"time"
)

// Bounds are what an administrator allows at one host, in place of what HostsConfig says for all. A zero field leaves it at
// that. What the server is found to allow may be less.
type Bounds struct {
	Connections int // over all mailboxes of the host; 0: any number
	PerAccount  int // of one mailbox; 0: both that it can use
	// Commands is how many commands one mailbox may send in any minute, over all its connections; 0: any number. Up to a
	// quarter of them may come at once, the others then come evenly. Logins are counted and never delayed.
	Commands              int
	Logins, PerSecond     int           // as in HostsConfig
	FirstRetry, LastRetry time.Duration // as in HostsConfig
}

// Bound sets what is allowed at a host, given as Account.URL has it. It may be called at any time: connections that are
// too many by then are ended as soon as they idle, second ones first of all.
func (s *Hosts) Bound(url string, b Bounds) error {
	p, err := Account{URL: url}.place()
	if err != nil {
		return fmt.Errorf("bound connections: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hostLocked(p.addr)
	was := h.cfg.Logins
	h.bounds = b
	h.cfg = s.cfg
	h.cfg.Logins, h.cfg.PerSecond = orInt(b.Logins, s.cfg.Logins), orInt(b.PerSecond, s.cfg.PerSecond)
	h.cfg.FirstRetry = orDuration(b.FirstRetry, s.cfg.FirstRetry)
	h.cfg.LastRetry = max(orDuration(b.LastRetry, s.cfg.LastRetry), h.cfg.FirstRetry)
	if h.slots == was { // it has proved itself
		h.slots = h.cfg.Logins
	}
	h.slots = min(h.slots, h.cfg.Logins)
	h.shrinkLocked()
	h.serveLocked()
	return nil
}

// shrinkLocked asks connections to step aside that are more than the bounds allow, the youngest of the second ones first.
func (h *host) shrinkLocked() {
	over := 0
	if h.bounds.Connections > 0 {
		over = len(h.open) - h.bounds.Connections
	}
	own := make(map[*hostAccount]int)
	for _, p := range h.open {
		own[p.account]++
	}
	for _, second := range []bool{true, false} {
		for _, p := range slices.Backward(h.open) {
			if p.second != second || (over <= 0 && !h.tooManyOf(own[p.account])) {
				continue
			}
			over--
			own[p.account]--
			if !p.asked {
				p.ask()
			}
		}
	}
}

func (h *host) tooManyOf(connections int) bool {
	return h.bounds.PerAccount > 0 && connections > h.bounds.PerAccount
}

// rate is when an account may send its commands: a bucket that fills evenly. The zero value is a full one.
type rate struct {
	full time.Time // when the bucket will be full again
}

// atOnce is how many of the commands that are allowed in a minute may come at once.
func atOnce(perMinute int) int { return max(1, perMinute/4) }

// spend takes n commands, not more than atOnce, out of a bucket that lets through at most perMinute of them in any minute,
// and returns how long to wait before they are sent.
func (r *rate) spend(n, perMinute int, now time.Time) time.Duration {
	if perMinute <= 0 {
		r.full = time.Time{}
		return 0
	}
	every := time.Minute/time.Duration(max(1, perMinute-atOnce(perMinute))) + 1
	if r.full.Before(now) {
		r.full = now
	}
	r.full = r.full.Add(every * time.Duration(n))
	return max(0, r.full.Add(-every*time.Duration(atOnce(perMinute))).Sub(now))
}

// mostTogether is how many commands may leave in one packet.
func (p *permit) mostTogether() int {
	if p == nil {
		return mostTogether
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	if n := p.host.bounds.Commands; n > 0 {
		return min(mostTogether, atOnce(n))
	}
	return mostTogether
}

// spend notes that the connection is about to send n commands, and returns how long to wait before it does.
func (p *permit) spend(n int) time.Duration {
	if p == nil {
		return 0
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	return p.account.rate.spend(n, p.host.bounds.Commands, p.host.cfg.Now())
}
