package imapsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
)

// lodge is a mail server as Hosts meets it: it counts connections and refuses those beyond its limits.
type lodge struct {
	hosts   *Hosts
	perHost int // 0: any number
	perUser int
	login   time.Duration // how long one takes

	mu      sync.Mutex
	down    bool
	vague   bool // does not tell whose limit it is
	open    int
	users   map[string]int
	logins  int // under way
	most    int // of these at a time
	tries   int
	refused int
}

func newLodge(c HostsConfig) *lodge {
	return &lodge{hosts: NewHosts(c), users: map[string]int{}, login: 50 * time.Millisecond}
}

const lodgeAddr = "mail.example.ru:993"

// dial is one login: nil when it was refused.
func (s *lodge) dial(ctx context.Context, user string, second bool, tell func(hindrance)) (*permit, error) {
	p, err := s.hosts.acquire(ctx, lodgeAddr, user, second, tell)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.tries++
	s.logins++
	s.most = max(s.most, s.logins)
	s.mu.Unlock()
	sleep(ctx, s.login)
	s.mu.Lock()
	s.logins--
	words := ""
	switch {
	case s.down:
		words = "-"
	case s.perHost > 0 && s.open >= s.perHost:
		words = "Too many connections from your IP"
	case s.perUser > 0 && s.users[user] >= s.perUser:
		words = "Maximum number of connections from user exceeded"
	}
	if s.vague && words != "" && words != "-" {
		words = "Too many open connections"
	}
	if words == "" {
		s.open++
		s.users[user]++
	} else {
		s.refused++
	}
	s.mu.Unlock()
	if words == "-" {
		return nil, p.failed(errors.New("connection refused"))
	}
	p.greeted()
	if words != "" {
		return nil, p.failed(Account{}.refusal("login", statusText{text: words}))
	}
	p.loggedIn()
	return p, nil
}

func (s *lodge) leave(user string, p *permit) {
	s.mu.Lock()
	s.open--
	s.users[user]--
	s.mu.Unlock()
	p.release()
}

// live holds a connection until ctx ends, giving it up when asked to and coming back.
func (s *lodge) live(ctx context.Context, user string, second bool, on func(bool)) {
	for ctx.Err() == nil {
		p, err := s.dial(ctx, user, second, nil)
		if err != nil {
			var hosts governed
			if !errors.As(err, &hosts) {
				sleep(ctx, 5*time.Second)
			}
			continue
		}
		on(true)
		select {
		case <-ctx.Done():
		case <-p.stepAside():
		}
		on(false)
		s.leave(user, p)
	}
}

func (s *lodge) of(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[user]
}

func (s *lodge) state() (open, tries, most, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.tries, s.most, s.refused
}

// TestHostsShareOut lives many mailboxes on servers with every kind of limit: nobody starves, the limits are kept to but
// for rare probes, and nothing is left over at the end.
func TestHostsShareOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		accounts := rapid.IntRange(1, 8).Draw(rt, "accounts")
		perHost := rapid.IntRange(0, 12).Draw(rt, "per host")
		perUser := rapid.IntRange(0, 3).Draw(rt, "per user")
		bound := rapid.SampledFrom([]int{0, accounts, accounts + 1, 2 * accounts}).Draw(rt, "bound")
		perAccount := rapid.IntRange(0, 3).Draw(rt, "per account")
		vague := rapid.Bool().Draw(rt, "vague")
		gone := rapid.IntRange(0, accounts-1).Draw(rt, "cancelled")
		synctest.Test(t, func(*testing.T) {
			s := newLodge(HostsConfig{Rand: func() float64 { return 0.5 }})
			s.perHost, s.perUser, s.vague = perHost, perUser, vague
			if err := s.hosts.Bound("imaps://mail.example.ru", Bounds{Connections: bound, PerAccount: perAccount}); err != nil {
				rt.Fatal(err)
			}
			var wg sync.WaitGroup
			firsts, cancels := make([]atomic.Int64, accounts), make([]context.CancelFunc, accounts)
			ctx, cancel := context.WithCancel(context.Background())
			for i := range accounts {
				user := fmt.Sprint("u", i)
				s.hosts.register(lodgeAddr, user)
				one, stop := context.WithCancel(ctx)
				cancels[i] = stop
				for _, second := range []bool{false, true} {
					wg.Go(func() {
						s.live(one, user, second, func(up bool) {
							if up && !second {
								firsts[i].Add(1)
							}
							if open, _, _, _ := s.state(); bound > 0 && open > bound {
								rt.Errorf("%d connections, %d allowed", open, bound)
							}
							if n := s.of(user); perAccount > 0 && n > perAccount {
								rt.Errorf("%d connections of one mailbox, %d allowed", n, perAccount)
							}
						})
					})
				}
			}
			pass(time.Duration(accounts) * 5 * time.Minute)
			for i := range accounts {
				if firsts[i].Load() == 0 {
					rt.Errorf("mailbox %d never had a connection", i)
				}
			}
			for i := range gone {
				cancels[i]()
			}
			pass(time.Hour)
			_, _, _, before := s.state()
			pass(6 * time.Hour)
			open, _, most, after := s.state()
			for range 9 { // one may be on its way from one mailbox to another
				pass(20 * time.Second)
				now, _, _, _ := s.state()
				open = max(open, now)
			}
			want := 2 * (accounts - gone)
			if perUser == 1 {
				want = accounts - gone
			}
			for _, limit := range []int{perHost, bound} {
				if limit > 0 {
					want = min(want, limit)
				}
			}
			if accounts-gone > 0 && open < min(want, accounts-gone) {
				rt.Errorf("%d connections for %d mailboxes, %d could be", open, accounts-gone, want)
			}
			if after-before > 60*(accounts+1) {
				rt.Errorf("%d refusals in six hours", after-before)
			}
			if most > 10 {
				rt.Errorf("%d logins at once", most)
			}
			cancel()
			wg.Wait()
			s.nothingLeft(rt)
		})
	})
}

// nothingLeft checks that every permit has been given back.
func (s *lodge) nothingLeft(t interface{ Errorf(string, ...any) }) {
	s.hosts.mu.Lock()
	defer s.hosts.mu.Unlock()
	for name, h := range s.hosts.hosts {
		if len(h.open) != 0 || h.logging != 0 || h.weak != 0 || len(h.queue) != 0 || h.probing {
			t.Errorf("left at %s: %d open, %d logins, %d weak, %d waiting, probing %v", name, len(h.open), h.logging, h.weak, len(h.queue), h.probing)
		}
		for user, a := range h.accounts {
			if a.open != 0 || a.firsts != 0 {
				t.Errorf("left of %s: %d open, %d first", user, a.open, a.firsts)
			}
		}
		if h.timer != nil {
			h.timer.Stop()
		}
	}
}

func TestThousandMailboxesStartInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLodge(HostsConfig{})
		s.login = 200 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var up atomic.Int64
		for i := range 1000 {
			for _, second := range []bool{false, true} {
				wg.Go(func() { s.live(ctx, fmt.Sprint("u", i), second, func(on bool) { up.Add(1) }) })
			}
		}
		pass(60 * time.Second)
		firsts := 0
		s.hosts.mu.Lock()
		for _, a := range s.hosts.hosts[lodgeAddr].accounts {
			firsts += a.firsts
		}
		s.hosts.mu.Unlock()
		if firsts != 1000 {
			t.Errorf("%d of 1000 mailboxes are connected after a minute", firsts)
		}
		pass(60 * time.Second)
		open, tries, most, _ := s.state()
		if open != 2000 || tries != 2000 || most > 10 {
			t.Errorf("%d connections by %d logins, %d at once", open, tries, most)
		}
		cancel()
		wg.Wait()
		s.nothingLeft(t)
	})
}

func TestStopDuringTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLodge(HostsConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() { s.live(ctx, fmt.Sprint("u", i), false, func(bool) {}) })
		}
		pass(5 * time.Second)
		begin := time.Now()
		cancel()
		wg.Wait()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		s.nothingLeft(t)
	})
}

func TestSilentHostIsTriedByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLodge(HostsConfig{Rand: func() float64 { return 0.5 }})
		s.down = true
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() { s.live(ctx, fmt.Sprint("u", i), false, func(bool) {}) })
		}
		pass(time.Hour)
		if _, tries, most, _ := s.state(); tries > 45 || tries < 25 || most > 2 {
			t.Errorf("%d tries in an hour, %d at once", tries, most)
		}
		s.mu.Lock()
		s.down, s.most = false, 0
		s.mu.Unlock()
		pass(150 * time.Second)
		if open, _, most, _ := s.state(); open != 300 || most > 10 {
			t.Errorf("%d of 300 are back, %d logins at once", open, most)
		}
		cancel()
		wg.Wait()
		s.nothingLeft(t)
	})
}

// TestLoginsThatHangLeaveRoom: a mailbox whose logins never end must not keep the others out.
func TestLoginsThatHangLeaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLodge(HostsConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() { s.live(ctx, fmt.Sprint("good", i), false, func(bool) {}) })
			if i%20 != 10 { // ten that hang, as many as there are slots
				continue
			}
			wg.Go(func() {
				for ctx.Err() == nil {
					p, err := s.hosts.acquire(ctx, lodgeAddr, fmt.Sprint("bad", i), false, nil)
					if err != nil {
						return
					}
					p.greeted()
					sleep(ctx, 30*time.Second)
					_ = p.failed(models.Temporary(errors.New("no answer")))
				}
			})
		}
		pass(3 * time.Minute)
		if open, _, _, _ := s.state(); open != 200 {
			t.Errorf("%d of 200 mailboxes are connected", open)
		}
		cancel()
		wg.Wait()
		s.nothingLeft(t)
	})
}

// TestSecondConnectionStepsAside: the first connection of a mailbox goes before the second one of any other.
func TestSecondConnectionStepsAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLodge(HostsConfig{})
		s.perHost = 4
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var drops atomic.Int64
		live := func(user string, second bool) {
			wg.Go(func() {
				s.live(ctx, user, second, func(up bool) {
					if !up && !second && ctx.Err() == nil {
						drops.Add(1)
					}
				})
			})
		}
		for i := range 4 { // one after the other, so that the early ones have two
			live(fmt.Sprint("u", i), false)
			live(fmt.Sprint("u", i), true)
			pass(10 * time.Second)
		}
		pass(2 * time.Minute)
		s.mu.Lock()
		for i := range 4 {
			if n := s.users[fmt.Sprint("u", i)]; n != 1 {
				t.Errorf("mailbox %d has %d connections", i, n)
			}
		}
		s.mu.Unlock()
		if drops.Load() != 0 {
			t.Errorf("%d first connections were given up", drops.Load())
		}
		s.mu.Lock()
		s.perHost = 0
		s.mu.Unlock()
		pass(3 * time.Hour)
		if open, _, _, _ := s.state(); open != 8 {
			t.Errorf("%d connections when there is room for all", open)
		}
		cancel()
		wg.Wait()
		s.nothingLeft(t)
	})
}
