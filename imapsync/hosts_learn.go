package imapsync

import (
	"errors"
	"time"
)

// limit is how many connections a server was found to allow. The zero value is no limit. From time to time one
// connection more is tried: sooner and sooner while that goes well, more and more seldom while it does not.
type limit struct {
	n      int
	every  time.Duration // between tries
	at     time.Time     // of the next try
	trying bool
}

// shortProbe is the shortest time between two tries to get more connections.
const shortProbe = time.Second

// room reports whether one connection more may be opened, and if not, when that may be tried.
func (l *limit) room(open int, now time.Time) (bool, time.Time) {
	switch {
	case l.n == 0 || open < l.n:
		return true, time.Time{}
	case l.trying:
		return false, time.Time{}
	}
	if open > l.n {
		return false, time.Time{}
	}
	return !l.at.After(now), l.at
}

// try notes that one connection more is opened while there are already open.
func (l *limit) try(open int) {
	if l.n > 0 && open >= l.n {
		l.trying = true
	}
}

// settle notes that there are only so many connections left.
func (l *limit) settle(open int) {
	if open <= l.n {
		l.trying = false
	}
}

// met notes that the server has refused one connection more than open.
func (l *limit) met(open int, c HostsConfig, now time.Time) {
	switch again := l.n > 0; {
	case again && l.trying:
		l.every = min(max(2*l.every, c.Probe), c.LastProbe)
	case !again || l.every < c.Probe:
		l.every = c.Probe
	}
	l.n, l.trying = max(open, 1), false
	l.at = now.Add(jittered(l.every, c.Rand))
}

// exceeded notes that the server has accepted as many as open.
func (l *limit) exceeded(open int, now time.Time) {
	if l.n == 0 || open <= l.n {
		return
	}
	l.n, l.trying = open, false
	l.every = max(l.every/2, shortProbe)
	l.at = now.Add(l.every)
}

func jittered(d time.Duration, rnd func() float64) time.Duration {
	return backoff(1, d, d, rnd)
}

// greeted notes that the host answers.
func (p *permit) greeted() {
	if p == nil {
		return
	}
	h := p.host
	h.mu.Lock()
	defer h.mu.Unlock()
	p.answered = true
	if h.fails == 0 || !p.probe || len(h.failing) >= failingAccounts { // in the last case it greeted all the time
		return
	}
	h.upLocked()
	h.serveLocked()
}

// upLocked notes that the host is well again. The others come back slowly: see host.slots.
func (h *host) upLocked() {
	h.fails, h.until, h.words = 0, time.Time{}, ""
	h.slots = min(2, h.cfg.Logins)
	clear(h.failing)
}

// loggedIn notes that the login was accepted.
func (p *permit) loggedIn() {
	if p == nil {
		return
	}
	h, a := p.host, p.account
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails > 0 && p.probe {
		h.upLocked()
	}
	p.loginOverLocked()
	clear(h.failing)
	a.failed, a.words, a.denied, a.own = false, "", 0, false
	h.slots = min(h.slots+1, h.cfg.Logins)
	now := h.cfg.Now()
	all, own := h.standingLocked(a)
	h.limit.exceeded(all, now)
	a.limit.exceeded(own, now)
	h.serveLocked()
}

// failingAccounts is how many accounts in a row must fail to log in, none being accepted in between, for the host to be
// taken for the cause.
const failingAccounts = 3

// governed is an error after which the Hosts know when to try again: nobody else has to wait in addition.
type governed struct{ error }

func (e governed) Unwrap() error { return e.error }

// failed learns from a connection that did not come about, and gives it back. It returns the error as it is to be
// reported.
func (p *permit) failed(err error) error {
	if p == nil {
		return err
	}
	h, a := p.host, p.account
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.serveLocked()
	defer p.releaseLocked()
	now := h.cfg.Now()
	said, _ := saidIn(err)
	t := troubleOf(said)
	var token *tokenRefused
	if errors.As(err, &token) { // another one is asked for: the account has not failed yet
		h.upIfProbedLocked(p)
		return err
	}
	var login *LoginError
	if errors.As(err, &login) {
		h.upIfProbedLocked(p)
		a.failed = true
		if a.open > 1 { // the same name and password were good for the other connection
			a.limit.met(a.open-1, h.cfg, now)
		}
		return err
	}
	if pause := RetryAfter(err); pause > 0 {
		h.pauseLocked(p, said, now.Add(pause))
		return err
	}
	if t.limit {
		h.upIfProbedLocked(p)
		a.failed = true
		h.limitMetLocked(p, t, now)
		return err
	}
	if p.answered {
		a.failed = true
		if h.failing[a] = true; len(h.failing) < failingAccounts && !p.probe {
			return err
		}
	}
	h.fails++
	h.words = said.words()
	last := h.cfg.LastRetry
	if p.answered { // it may be only some that it does not let in
		last = min(last, 2*h.cfg.FirstRetry)
	}
	h.until = now.Add(backoff(h.fails, h.cfg.FirstRetry, last, h.cfg.Rand))
	return governed{err}
}

// upIfProbedLocked: a host that refuses in its own words answers.
func (h *host) upIfProbedLocked(p *permit) {
	if h.fails > 0 && p.probe {
		h.upLocked()
	}
}

// pauseLocked heeds how long the server wants to be left alone: by this mailbox, or by all when it said so before it could
// know who it was.
func (h *host) pauseLocked(p *permit, said statusText, until time.Time) {
	if !p.answered || troubleOf(said).host {
		if until.After(h.until) {
			h.until, h.words = until, said.words()
		}
		return
	}
	p.account.failed = true
	if until.After(p.account.until) {
		p.account.until, p.account.words = until, said.words()
	}
}

// limitMetLocked learns a limit. The connection that met it still counts as open. Unless the words tell otherwise it is
// the account's while that has another connection. A server that refuses several accounts, or one again and again, means
// all of us; unless that one is still refused when there are fewer connections: then other programs hold what it may have.
func (h *host) limitMetLocked(p *permit, t trouble, now time.Time) {
	a := p.account
	all, _ := h.standingLocked(a)
	if !p.logging {
		all--
	}
	a.denied++
	h.failing[a] = true
	if h.guessed && !t.host && a.open == 1 && all < h.limit.n {
		h.limit, h.guessed, a.own = limit{}, false, true
	}
	guess := !t.account && !a.own && a.open == 1 && (len(h.failing) > 1 || a.denied > 2)
	switch {
	case (t.host || guess) && all > 0:
		h.limit.met(all, h.cfg, now)
		h.guessed = !t.host
		delete(h.failing, a)
	case a.open > 1:
		a.limit.met(a.open-1, h.cfg, now)
		delete(h.failing, a)
	}
}

// standingLocked counts the connections that stand, those that are only being made left out: all, and those of an
// account.
func (h *host) standingLocked(a *hostAccount) (all, own int) {
	for _, x := range h.open {
		if x.logging {
			continue
		}
		all++
		if x.account == a {
			own++
		}
	}
	return all, own
}

// heard learns from what the server says on a connection that stands, such as a BYE because there are too many.
func (p *permit) heard(said statusText) {
	if p == nil {
		return
	}
	t, pause := troubleOf(said), pauseIn(said.text)
	if !t.limit && pause == 0 {
		return
	}
	h := p.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.over {
		return
	}
	now := h.cfg.Now()
	switch {
	case pause > 0:
		h.pauseLocked(p, said, now.Add(pause))
	case len(h.open) > 1:
		h.limitMetLocked(p, t, now)
	}
	h.serveLocked()
}
