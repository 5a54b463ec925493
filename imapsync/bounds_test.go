package imapsync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kontrol/internal/imaptest"
)

// TestNoMoreCommandsThanAllowed sends commands as fast as the rate lets them, now and then after a pause.
func TestNoMoreCommandsThanAllowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(6, 300).Draw(rt, "in a minute")
		start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
		now, r := start, rate{}
		var sent []time.Time
		for range rapid.IntRange(1, 400).Draw(rt, "commands") {
			if rapid.IntRange(0, 19).Draw(rt, "pause") == 0 {
				now = now.Add(time.Duration(rapid.IntRange(1, 200).Draw(rt, "seconds")) * time.Second)
			}
			n := rapid.IntRange(1, min(3, atOnce(limit))).Draw(rt, "at once")
			now = now.Add(r.spend(n, limit, now))
			for range n {
				sent = append(sent, now)
			}
		}
		for i := limit; i < len(sent); i++ {
			if within := sent[i].Sub(sent[i-limit]); within < time.Minute {
				rt.Fatalf("%d commands within %v, %d allowed in a minute", limit+1, within, limit)
			}
		}
		if min := time.Minute * time.Duration(len(sent)) / time.Duration(limit); now.Sub(start) > 2*min+time.Hour*12 {
			rt.Fatalf("%d commands took %v", len(sent), now.Sub(start))
		}
		if at, free := r.spend(1, 0, now), (rate{}); at != 0 || r != free {
			rt.Fatalf("without a limit one waits %v", at)
		}
	})
}

// TestRateIsNotWasted: who sends all the time gets three quarters of what is allowed in a minute, and more never waits for
// long.
func TestRateIsNotWasted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	var r rate
	for i := range 25 {
		if wait := r.spend(1, 100, now); wait != 0 {
			t.Fatalf("command %d of a burst waits %v", i, wait)
		}
	}
	for range 75 {
		wait := r.spend(1, 100, now)
		if wait > time.Second {
			t.Fatalf("waits %v", wait)
		}
		now = now.Add(wait)
	}
	if wait := r.spend(25, 100, now.Add(time.Minute)); wait != 0 {
		t.Errorf("after a quiet minute a burst waits %v", wait)
	}
}

// TestLowerBoundsAreHeeded puts lower bounds into force while all connections stand, and higher ones after that.
func TestLowerBoundsAreHeeded(t *testing.T) {
	t.Parallel()
	const mailboxes = 5
	for name, lower := range map[string]Bounds{
		"connections": {Connections: mailboxes + 1}, "of one mailbox": {PerAccount: 1}, "both": {Connections: mailboxes, PerAccount: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newLodge(HostsConfig{Rand: func() float64 { return 0.5 }})
				ctx, cancel := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				up := make([]bool, mailboxes)
				for i := range mailboxes {
					user := fmt.Sprint("u", i)
					s.hosts.register(lodgeAddr, user)
					wg.Go(func() { s.live(ctx, user, false, func(on bool) { up[i] = on }) })
					wg.Go(func() { s.live(ctx, user, true, func(bool) {}) })
				}
				expect := func(want int) {
					t.Helper()
					pass(time.Minute)
					if open, _, _, refused := s.state(); open != want || refused != 0 {
						t.Errorf("%d connections, want %d; %d refused", open, want, refused)
					}
					if slices.Contains(up, false) {
						t.Errorf("not everybody has a first connection: %v", up)
					}
				}
				expect(2 * mailboxes)
				must := func(b Bounds) {
					t.Helper()
					if err := s.hosts.Bound("imaps://mail.example.ru", b); err != nil {
						t.Fatal(err)
					}
				}
				must(lower)
				want := mailboxes
				if lower.PerAccount == 0 {
					want = lower.Connections
				}
				expect(want)
				must(Bounds{})
				expect(2 * mailboxes)
				cancel()
				wg.Wait()
			})
		})
	}
}

// TestBoundsOfOneHost: a pace and a back-off of its own.
func TestBoundsOfOneHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLodge(HostsConfig{Rand: func() float64 { return 0.5 }})
		bounds := Bounds{Logins: 1, PerSecond: 1, FirstRetry: time.Minute, LastRetry: 4 * time.Minute}
		if err := s.hosts.Bound("imaps://mail.example.ru", bounds); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { s.live(ctx, fmt.Sprint("u", i), false, func(bool) {}) })
		}
		pass(5*time.Second + 500*time.Millisecond)
		if _, tries, most, _ := s.state(); tries > 6 || most > 1 {
			t.Errorf("%d logins in five seconds, %d at a time", tries, most)
		}
		pass(time.Minute)
		if open, _, _, _ := s.state(); open != 10 {
			t.Errorf("%d connections", open)
		}
		s.mu.Lock()
		s.down = true
		s.mu.Unlock()
		_, before, _, _ := s.state()
		wg.Go(func() { s.live(ctx, "late", false, func(bool) {}) })
		pass(14 * time.Minute) // 1 + 2 + 4 + 4 minutes
		if _, tries, _, _ := s.state(); tries-before < 4 || tries-before > 6 {
			t.Errorf("%d tries in a quarter of an hour", tries-before)
		}
		cancel()
		wg.Wait()
	})
}

// TestCommandsArePaced asks a real connection for more than its mailbox may send.
func TestCommandsArePaced(t *testing.T) {
	t.Parallel()
	s := imaptest.NewScript(t, imaptest.Plain())
	a := account(s.URL())
	a.Hosts = NewHosts(HostsConfig{})
	if err := a.Hosts.Bound(a.URL, Bounds{Commands: 4000}); err != nil { // 1,000 at once, then one each 20 ms
		t.Fatal(err)
	}
	c := dialTest(t, a)
	start := time.Now()
	for range 1005 {
		if err := c.noop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	commands := 0
	for _, line := range s.Commands() {
		if !strings.HasPrefix(line, "LOGOUT") {
			commands++
		}
	}
	if least := time.Duration(commands-1000) * 20 * time.Millisecond; time.Since(start) < least-20*time.Millisecond {
		t.Errorf("%d commands within %v", commands, time.Since(start))
	}
}
