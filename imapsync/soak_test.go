package imapsync

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/models"
)

// The bounds of the liveness that is promised, by the real clock and with the times that a running program has.
const (
	silenceFound = 35 * time.Second
	idleAgain    = time.Second
)

// TestSoakSilence freezes a server under connections that are at different points of their IDLE, or poll, and measures how
// long each takes to find out. See CONTRIBUTING.md for how to run it.
func TestSoakSilence(t *testing.T) {
	if os.Getenv("KONTROL_SOAK") == "" {
		t.Skip("a long test: make soak")
	}
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	const connections, apart = 8, 3 * time.Second // a slice of IDLE takes 24 s
	found := make(chan time.Duration, 2*connections)
	var frozen time.Time
	var freezing sync.RWMutex
	freezing.Lock()
	for i := range 2 * connections {
		a := dovecotAccount(d, fmt.Sprint("ivan", i))
		if i%2 == 1 {
			a.DisableExtensions = []string{"IDLE"}
		}
		c := dialTest(t, a)
		must[Selected](t)(c.Select(t.Context(), "INBOX", true))
		go func() {
			err := c.Listen(t.Context(), time.Hour, nil, func(Notice) bool { return false })
			end := time.Now()
			freezing.RLock() // it is known then when the silence began
			defer freezing.RUnlock()
			if !models.IsTemporary(err) || !c.Dead() {
				t.Errorf("silence ends with %v", err)
			}
			found <- end.Sub(frozen)
		}()
		if i%2 == 1 {
			<-time.After(apart)
		}
	}
	frozen = time.Now()
	err := d.Freeze()
	freezing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Thaw() })
	var took []time.Duration
	for range 2 * connections {
		took = append(took, <-found)
	}
	slices.Sort(took)
	t.Logf("a server gone silent is found after %.1f to %.1f s, median %.1f (%d connections, half of them without IDLE)",
		took[0].Seconds(), took[len(took)-1].Seconds(), took[len(took)/2].Seconds(), len(took))
	if took[len(took)-1] > silenceFound {
		t.Errorf("found after %v, want %v", took, silenceFound)
	}
}

// TestSoakIdleEnded has a server that ends each IDLE by itself after a few seconds, as some do after half an hour, and
// measures how long nobody listens then.
func TestSoakIdleEnded(t *testing.T) {
	if os.Getenv("KONTROL_SOAK") == "" {
		t.Skip("a long test: make soak")
	}
	t.Parallel()
	const times = 10
	s := imaptest.NewScript(t, imaptest.Plain())
	deaf := make(chan time.Duration, times+1)
	var ended time.Time
	s.On("IDLE", func(turn *imaptest.Turn) bool {
		if !ended.IsZero() {
			deaf <- time.Since(ended)
		}
		turn.Printf("+ idling\r\n")
		<-time.After(2 * time.Second)
		ended = time.Now()
		turn.Printf("%s OK idle is over\r\n", turn.Tag)
		return true
	})
	c := dialTest(t, account(s.URL()))
	must[Selected](t)(c.Select(t.Context(), "INBOX", true))
	listening := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			err = c.Listen(t.Context(), time.Hour, nil, func(Notice) bool { return false })
		}
		listening <- err
	}()
	var took []time.Duration
	for range times {
		select {
		case d := <-deaf:
			took = append(took, d)
		case err := <-listening:
			t.Fatalf("does not listen any more: %v", err)
		}
	}
	slices.Sort(took)
	t.Logf("after the server has ended IDLE nobody listens for %v to %v", took[0].Round(time.Millisecond), took[times-1].Round(time.Millisecond))
	if took[times-1] > idleAgain {
		t.Errorf("nobody listens for %v, want %v", took, idleAgain)
	}
}
