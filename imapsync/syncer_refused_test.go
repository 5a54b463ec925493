package imapsync

import (
	"errors"
	"testing"
	"time"

	"kontrol/models"
)

// TestRefusalWithoutACodeIsDoubted: many servers refuse a login without a code when something else is the matter, so three
// of these stop a mailbox only when they span half an hour, counted over restarts.
func TestRefusalWithoutACodeIsDoubted(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.refuse = func(int) error { return &LoginError{Address: "ivanov@example.org", Err: errors.New("NO")} }
		begin := time.Now()
		w.start()
		err := <-w.result
		if phrase, _ := models.PhraseOf(err); phrase.ID != "sync.stopped" {
			t.Errorf("error: %v", err)
		}
		if took, n := time.Since(begin), w.m.dialCount(); took < 30*time.Minute || took > time.Hour || n < 3 || n > 4 {
			t.Errorf("stopped after %v and %d logins", took, n)
		}
		first := w.health().RefusedAt
		if first == nil || !first.Equal(begin) {
			t.Fatalf("refused first at %v, want %v", first, begin)
		}
		w.cfg.InitialRefusals, w.cfg.InitialRefusedAt = 2, first
		before := w.m.dialCount()
		w.start()
		if err := <-w.result; err == nil || w.m.dialCount() != before+1 {
			t.Errorf("after a restart: %v, %d logins", err, w.m.dialCount()-before)
		}
	})
}

// TestMendedAfterDoubt: a server that was only out of order is found again, and the refusals are forgotten.
func TestMendedAfterDoubt(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.refuse = func(int) error { return &LoginError{Address: "ivanov@example.org", Err: errors.New("NO")} }
		w.start()
		pass(25 * time.Minute)
		w.m.mu.Lock()
		w.m.refuse = nil
		w.m.mu.Unlock()
		pass(20 * time.Minute)
		if h := w.health(); !h.Connected || h.LoginRefusals != 0 || h.RefusedAt != nil {
			t.Errorf("health: %+v", h)
		}
		w.stop()
	})
}
