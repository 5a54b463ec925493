package imapsync

import (
	"slices"
	"time"
)

// permit is the right to one connection. Its methods do nothing when it is nil, which it is without Hosts.
type permit struct {
	host     *host
	account  *hostAccount
	second   bool
	since    time.Time
	logging  bool // holds a slot for its login
	weak     bool
	probe    bool // of a host that did not answer
	asked    bool // to step aside
	answered bool
	over     bool
	aside    chan struct{} // closed when the connection is to be ended as soon as it idles
}

func (p *permit) ask() {
	p.asked = true
	close(p.aside)
}

// stepAside is closed when the connection is wanted for another mailbox; nil without Hosts.
func (p *permit) stepAside() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.aside
}

// release gives the connection back. It may be called more than once.
func (p *permit) release() {
	if p == nil {
		return
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.releaseLocked()
	p.host.serveLocked()
}

func (p *permit) releaseLocked() {
	if p.over {
		return
	}
	p.over = true
	h, a := p.host, p.account
	p.loginOverLocked()
	h.open = slices.DeleteFunc(h.open, func(x *permit) bool { return x == p })
	a.open--
	if !p.second {
		if a.firsts--; a.firsts == 0 {
			h.without++
		}
	}
	a.limit.settle(a.open)
	h.limit.settle(len(h.open))
}

// loginOverLocked gives the slot back.
func (p *permit) loginOverLocked() {
	if !p.logging {
		return
	}
	p.logging = false
	p.host.logging--
	if p.weak {
		p.host.weak--
	}
	if p.probe {
		p.host.probing = false
	}
}
