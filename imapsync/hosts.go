package imapsync

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"kontrol/models"
)

// HostsConfig bounds what Hosts asks of mail servers. Zero fields get the value named with them.
type HostsConfig struct {
	Logins     int           // 10: logins under way at one host; a host that has not proved itself gets two
	PerSecond  int           // 20: logins begun at one host in a second, beyond the first Logins
	Handshakes int           // 32: TLS handshakes under way over all hosts
	FirstRetry time.Duration // 5 s: the wait before a host that does not answer is tried again, doubled each time
	LastRetry  time.Duration // 2 min: the longest such wait
	Probe      time.Duration // 1 min: how long a limit that was met is believed, doubled each time that it still holds
	LastProbe  time.Duration // 1 h: the longest such time
	Turn       time.Duration // 2 min: how long a mailbox keeps its only connection while another one has none
	Now        func() time.Time
	Rand       func() float64 // numbers in [0, 1) for the jitter
}

func (c HostsConfig) filled() HostsConfig {
	orInt := func(n, otherwise int) int {
		if n > 0 {
			return n
		}
		return otherwise
	}
	c.Logins, c.PerSecond, c.Handshakes = orInt(c.Logins, 10), orInt(c.PerSecond, 20), orInt(c.Handshakes, 32)
	c.FirstRetry = orDuration(c.FirstRetry, 5*time.Second)
	c.LastRetry = orDuration(c.LastRetry, 2*time.Minute)
	c.Probe = orDuration(c.Probe, time.Minute)
	c.LastProbe = orDuration(c.LastProbe, time.Hour)
	c.Turn = orDuration(c.Turn, 2*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return c
}

// Hosts shares out connections to mail servers among all mailboxes of a process, and keeps the process from being a
// burden to them. It is one value for all Dialers; see Account.Hosts. It learns from what servers say how many
// connections a mailbox, or all mailboxes together, may have, and how long they want to be left alone. The first
// connection of a mailbox goes before the second one of any: a second one is asked to step aside when a first one has no
// room. Where even the first ones have no room the mailboxes take turns. A host that does not answer is tried by one
// mailbox at a time. It is safe for concurrent use.
type Hosts struct {
	cfg    HostsConfig
	shakes chan struct{}

	mu    sync.Mutex
	hosts map[string]*host

	caps capSets

	rootsMu sync.Mutex
	pools   map[string]rootPool // by Account.CAFile
}

// rootPool is what a file with certificate authorities holds. A pool weighs as much as the rest of a connection, so all
// connections share it.
type rootPool struct {
	changed time.Time
	size    int64
	pool    *x509.CertPool
}

// roots is Account.roots, read again only when the file has changed.
func (s *Hosts) roots(a Account) (*x509.CertPool, error) {
	if s == nil || a.CAFile == "" {
		return a.roots()
	}
	info, err := os.Stat(a.CAFile)
	if err != nil {
		return a.roots() // which explains the failure
	}
	s.rootsMu.Lock()
	defer s.rootsMu.Unlock()
	if p := s.pools[a.CAFile]; p.pool != nil && p.changed.Equal(info.ModTime()) && p.size == info.Size() {
		return p.pool, nil
	}
	pool, err := a.roots()
	if err == nil {
		s.pools[a.CAFile] = rootPool{info.ModTime(), info.Size(), pool}
	}
	return pool, err
}

// capSets returns the sets of capabilities that all connections share; nil without Hosts.
func (s *Hosts) capSets() *capSets {
	if s == nil {
		return nil
	}
	return &s.caps
}

// NewHosts returns a Hosts that knows nothing of any host yet.
func NewHosts(c HostsConfig) *Hosts {
	c = c.filled()
	return &Hosts{cfg: c, shakes: make(chan struct{}, c.Handshakes), hosts: map[string]*host{}, pools: map[string]rootPool{}}
}

// host is one server address.
type host struct {
	*Hosts
	cfg       HostsConfig // the Hosts' own, with bounds put in
	bounds    Bounds
	limit     limit
	guessed   bool      // the limit was not named as the host's by the server
	open      []*permit // oldest first
	accounts  map[string]*hostAccount
	without   int        // accounts that have no first connection
	queue     []*waiting // in order of arrival
	logging   int        // logins under way
	weak      int        // of these, by accounts whose last login failed
	slots     int        // logins that may be under way; grows from 2 to HostsConfig.Logins with each that is accepted
	nextLogin time.Time  // for the pace; see paced
	until     time.Time  // the server, or that it does not answer, tells not to come before
	fails     int        // tries in a row that the host has not answered
	probing   bool       // one login finds out whether the host answers again
	failing   map[*hostAccount]bool
	words     string
	timer     *time.Timer
}

// hostAccount is one login name at one host.
type hostAccount struct {
	limit  limit
	open   int
	firsts int // of these, first connections
	until  time.Time
	failed bool // the last login failed, for whatever reason
	denied int  // logins in a row that met a limit
	own    bool // it was not the host's
	words  string
	rate   rate
}

// waiting is somebody who wants a permit.
type waiting struct {
	account *hostAccount
	second  bool
	permit  *permit
	granted chan struct{} // closed with permit set
	why     hindrance
	news    chan struct{} // why has changed
}

// obstacle is the kind of what keeps somebody waiting.
type obstacle int

const (
	free      obstacle = iota
	inLine             // for a moment: too many logins at once
	pausing            // the server has asked for a pause
	hostDown           // the host does not answer
	noTurn             // a first connection finds no room
	noSecond           // a second one finds no room because of the server's limit
	configCap          // a second one finds no room because of the config's
)

// hindrance is what keeps somebody waiting, and until when at least; the zero time where that is not known.
type hindrance struct {
	kind  obstacle
	until time.Time
	count int
	words string
}

// shaking waits until one more TLS handshake may be under way; shaken is to be called after it.
func (s *Hosts) shaking(ctx context.Context) error {
	if s == nil {
		return nil
	}
	select {
	case s.shakes <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Hosts) shaken() {
	if s != nil {
		<-s.shakes
	}
}

func (s *Hosts) hostLocked(addr string) *host {
	addr = strings.ToLower(addr)
	h := s.hosts[addr]
	if h == nil {
		h = &host{Hosts: s, cfg: s.cfg, accounts: map[string]*hostAccount{}, failing: map[*hostAccount]bool{}, slots: min(2, s.cfg.Logins)}
		s.hosts[addr] = h
	}
	return h
}

// register makes an account known, so that room is kept for its first connection.
func (s *Hosts) register(addr, user string) (*host, *hostAccount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hostLocked(addr)
	a := h.accounts[user]
	if a == nil {
		a = &hostAccount{}
		h.accounts[user] = a
		h.without++
	}
	return h, a
}

// acquire waits until a login may begin, or ctx ends. It calls tell, if not nil, when the wait is for more than a moment.
func (s *Hosts) acquire(ctx context.Context, addr, user string, second bool, tell func(hindrance)) (*permit, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("wait for a connection: %w", err)
	}
	h, a := s.register(addr, user)
	w := &waiting{account: a, second: second, granted: make(chan struct{}), news: make(chan struct{}, 1)}
	s.mu.Lock()
	h.queue = append(h.queue, w)
	h.serveLocked()
	s.mu.Unlock()
	told := free
	for {
		select {
		case <-w.granted:
			return w.permit, nil
		default:
		}
		select {
		case <-w.granted:
			return w.permit, nil
		case <-w.news:
			s.mu.Lock()
			why := w.why
			s.mu.Unlock()
			if tell != nil && why.kind > inLine && why.kind != told {
				told = why.kind
				tell(why)
			}
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			h.queue = slices.DeleteFunc(h.queue, func(x *waiting) bool { return x == w })
			if w.permit != nil { // granted at this very moment
				w.permit.releaseLocked()
			}
			h.serveLocked()
			return nil, fmt.Errorf("wait for a connection: %w", ctx.Err())
		}
	}
}

// serveLocked gives out what can be given out, first connections first, asks others to step aside where that helps, and
// sets the timer for what only time can change.
func (h *host) serveLocked() {
	now := h.cfg.Now()
	var next time.Time
	for _, second := range []bool{false, true} {
		cramped := 0 // first connections that wait for room at the host
		for _, w := range h.queue {
			if h.logging >= h.slots || h.paced().After(now) { // nobody can be served before that changes
				break
			}
			if w.second == second {
				next = sooner(next, h.serveOneLocked(w, &cramped, now), now)
			}
		}
		h.queue = slices.DeleteFunc(h.queue, func(w *waiting) bool { return w.permit != nil })
	}
	if at := h.paced(); at.After(now) && len(h.queue) > 0 && h.logging < h.slots {
		next = sooner(next, at, now)
	}
	h.wakeLocked(next, now)
}

// serveOneLocked gives a permit or finds out why it cannot; then it returns when to try again, if that is known.
func (h *host) serveOneLocked(w *waiting, cramped *int, now time.Time) time.Time {
	why := h.hindersLocked(w, now)
	if why.kind == free {
		h.grantLocked(w, now)
		return time.Time{}
	}
	if why.kind == noTurn {
		*cramped++
		why.until = h.makeRoomLocked(w, *cramped, now)
	}
	if w.why.kind != why.kind {
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
	w.why = why
	return why.until
}

// sooner returns the earlier of two instants after now; an instant that is not after now counts as none.
func sooner(a, b, now time.Time) time.Time {
	switch {
	case !b.After(now):
		return a
	case !a.After(now) || b.Before(a):
		return b
	}
	return a
}

// wakeLocked arranges that the queue is served again at the given time.
func (h *host) wakeLocked(at, now time.Time) {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	if !at.After(now) {
		return
	}
	h.timer = time.AfterFunc(max(at.Sub(now), time.Millisecond), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.serveLocked()
	})
}

// hindersLocked tells why somebody cannot be given a connection now.
func (h *host) hindersLocked(w *waiting, now time.Time) hindrance {
	a := w.account
	switch {
	case a.until.After(now):
		return hindrance{kind: pausing, until: a.until, words: a.words}
	case h.until.After(now) && h.fails == 0:
		return hindrance{kind: pausing, until: h.until, words: h.words}
	case h.until.After(now) || (h.fails > 0 && h.probing):
		return hindrance{kind: hostDown, until: h.until, words: h.words}
	}
	if why := h.crampedLocked(w, now); why.kind != free {
		return why
	}
	if a.failed && h.weak >= max(1, h.slots/2) {
		return hindrance{kind: inLine}
	}
	return hindrance{}
}

// crampedLocked tells what limit leaves no room.
func (h *host) crampedLocked(w *waiting, now time.Time) hindrance {
	kind := noTurn
	if w.second {
		kind = noSecond
	}
	own := w.account.open + 1
	if w.second {
		own = max(own, 2) // the first one comes before it
	}
	if h.tooManyOf(own) {
		if w.second {
			kind = configCap
		}
		return hindrance{kind: kind, count: h.bounds.PerAccount}
	}
	if ok, at := w.account.limit.room(w.account.open, now); !ok {
		return hindrance{kind: kind, until: at, count: w.account.limit.n}
	}
	kept := 0
	if w.second { // room is kept for the mailboxes that have no connection at all
		kept = h.without
	}
	if open := len(h.open) + kept; h.bounds.Connections > 0 && open >= h.bounds.Connections {
		if w.second {
			kind = configCap
		}
		return hindrance{kind: kind, count: h.bounds.Connections}
	}
	if kept > 0 && h.limit.n > 0 && len(h.open)+kept >= h.limit.n {
		return hindrance{kind: kind, count: h.limit.n}
	}
	if ok, at := h.limit.room(len(h.open), now); !ok {
		return hindrance{kind: kind, until: at, count: h.limit.n}
	}
	return hindrance{}
}

// pace is the time between logins when they come without end.
func (h *host) pace() time.Duration { return time.Second / time.Duration(h.cfg.PerSecond) }

// paced returns when the next login may begin.
func (h *host) paced() time.Time {
	return h.nextLogin.Add(-h.pace() * time.Duration(h.cfg.Logins-1))
}

// grantLocked gives a permit.
func (h *host) grantLocked(w *waiting, now time.Time) {
	a := w.account
	p := &permit{
		host: h, account: a, second: w.second, since: now, logging: true, weak: a.failed, probe: h.fails > 0, aside: make(chan struct{}),
	}
	a.limit.try(a.open)
	h.limit.try(len(h.open))
	h.open = append(h.open, p)
	a.open++
	if !p.second {
		if a.firsts == 0 {
			h.without--
		}
		a.firsts++
	}
	h.logging++
	if p.weak {
		h.weak++
	}
	h.probing = h.probing || p.probe
	if h.nextLogin.Before(now) {
		h.nextLogin = now
	}
	h.nextLogin = h.nextLogin.Add(h.pace())
	w.permit = p
	close(w.granted)
}

// makeRoomLocked asks a connection to step aside for the n-th first connection that finds no room: the youngest second
// one, or else the only one of the mailbox that has had its own for longest. It returns when it will be worth asking again.
func (h *host) makeRoomLocked(w *waiting, n int, now time.Time) time.Time {
	asked := 0
	var second, oldest *permit
	// Whether its own second one is in the way.
	own := w.account.limit.n > 0 && w.account.open >= w.account.limit.n || h.tooManyOf(w.account.open+1)
	for _, p := range h.open {
		switch {
		case p.asked && (!own || p.account == w.account):
			asked++
		case p.asked, own && p.account != w.account:
		case p.second:
			second = p
		case oldest == nil && p.account != w.account:
			oldest = p
		}
	}
	if own {
		_, retry := w.account.limit.room(w.account.open, now)
		if asked == 0 && second != nil {
			second.ask()
		}
		return retry
	}
	_, retry := h.limit.room(len(h.open), now)
	switch {
	case asked >= n:
	case second != nil:
		second.ask()
	case oldest != nil && now.Sub(oldest.since) >= h.cfg.Turn:
		oldest.ask()
	case oldest != nil:
		if at := oldest.since.Add(h.cfg.Turn); retry.IsZero() || at.Before(retry) {
			retry = at
		}
	}
	return retry
}

// Note reports whether the reason of a mailbox's health only explains how it works, and is no trouble: that it has one
// connection because there are no more.
func Note(reason models.Phrase) bool {
	return reason.ID == "sync.one_connection" || reason.ID == "sync.one_connection_config"
}

// phrase tells a person why a mailbox waits.
func (w hindrance) phrase(a Account) models.Phrase {
	say := func(key string, pairs ...any) models.Phrase {
		return models.Say("sync."+key, append(pairs, "Address", a.Address, "Server", a.server())...)
	}
	switch w.kind {
	case pausing:
		return say("waits_pause", "At", w.until.UTC(), "Words", w.words)
	case hostDown:
		return say("waits_host", "At", w.until.UTC())
	case noTurn:
		return say("waits_turn", "Count", w.count)
	case noSecond:
		return say("one_connection")
	case configCap:
		return say("one_connection_config", "Count", w.count)
	}
	return models.Phrase{}
}
