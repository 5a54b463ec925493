package imapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kontrol/models"
)

// dialFunc is a Dialer made of a function.
type dialFunc func(ctx context.Context) (Session, error)

func (f dialFunc) Dial(ctx context.Context) (Session, error) { return f(ctx) }

// TestStarWhileTheSecondConnectionComesUp sets a star of which no connection is told: after the worker's look, before the
// connection that watches INBOX has opened it. Without mod-sequences no number shows it.
func TestStarWhileTheSecondConnectionComesUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.m.caps.CondStore = false
		uid := w.m.deliver(inbox, header("a"))
		for i := range smallFolder { // a small one would be compared for other reasons as well
			w.m.deliver(inbox, header(fmt.Sprint(i)))
		}
		w.cfg.Second = dialFunc(func(ctx context.Context) (Session, error) {
			w.m.mu.Lock()
			w.m.findLocked(inbox, uid).flags = []string{`\Flagged`}
			w.m.mu.Unlock()
			return w.m.Dial(ctx)
		})
		w.start()
		defer w.stop()
		pass(2 * time.Second)
		if got := w.history(); !strings.Contains(got, "~inbox/1") {
			t.Errorf("two seconds after the star the intake was told %q", got)
		}
	})
}

// TestStarWhileInboxIsOpenedAfresh sets a star of which no connection is told: between the end of a slice and the SELECT
// that follows it.
func TestStarWhileInboxIsOpenedAfresh(t *testing.T) {
	for _, idle := range []bool{true, false} {
		t.Run(fmt.Sprintf("IDLE %v", idle), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *syncWorld) {
				w.m.caps.CondStore, w.m.caps.Idle = false, idle
				w.cfg.Timing.FullSoon = time.Hour
				uid := w.m.deliver(inbox, header("a"))
				for i := range smallFolder { // a small one would be compared for other reasons as well
					w.m.deliver(inbox, header(fmt.Sprint(i)))
				}
				var second Session
				w.cfg.Second = dialFunc(func(ctx context.Context) (s Session, err error) {
					s, err = w.m.Dial(ctx)
					w.m.mu.Lock()
					second = s
					w.m.mu.Unlock()
					return s, err
				})
				opened := 0
				w.m.fault = func(s *fakeSession, cmd string) fault {
					if s == second && (cmd == "SELECT" || cmd == "EXAMINE") {
						if opened++; opened == 2 {
							w.m.findLocked(inbox, uid).flags = []string{`\Flagged`}
						}
					}
					return fine
				}
				w.start()
				defer w.stop()
				pass(5 * time.Minute)
				got := w.history()
				w.m.mu.Lock()
				defer w.m.mu.Unlock()
				if opened != 2 || !strings.Contains(got, "~inbox/1") {
					t.Errorf("opened %d times in five minutes, the intake was told %q", opened, got)
				}
			})
		})
	}
}

// mute is a server that logs anybody in and lets IDLE begin, and then falls silent or says one thing more.
type mute struct {
	conn  net.Conn
	after func(tag string) string // what it says to the first IDLE beyond the continuation; nil: nothing, ever, to anything

	mu    sync.Mutex
	idles []time.Time
}

func (s *mute) serve() {
	_, _ = s.conn.Write([]byte("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"))
	buf, text := make([]byte, 4096), ""
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		for text += string(buf[:n]); strings.Contains(text, "\r\n"); {
			var line string
			line, text, _ = strings.Cut(text, "\r\n")
			s.answer(line)
		}
	}
}

func (s *mute) answer(line string) {
	tag, command, _ := strings.Cut(line, " ")
	s.mu.Lock()
	deaf := len(s.idles) > 0 && s.after == nil
	if command == "IDLE" {
		s.idles = append(s.idles, time.Now())
	}
	first := len(s.idles) == 1
	s.mu.Unlock()
	switch {
	case deaf:
		return
	case command == "IDLE" && first && s.after != nil:
		_, _ = s.conn.Write([]byte("+ idling\r\n" + s.after(tag)))
	case command == "IDLE":
		_, _ = s.conn.Write([]byte("+ idling\r\n"))
	case command == "": // DONE
		_, _ = s.conn.Write([]byte("I2 OK done\r\n"))
	default:
		_, _ = s.conn.Write([]byte(tag + " OK done\r\n"))
	}
}

// listening is a logged-in connection to a mute server, with the real constants; use it in a bubble.
func listening(t *testing.T, s *mute) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	s.conn = theirs
	go s.serve()
	d := NewDialer(account("imap+insecure://127.0.0.1:1"), nil, nil).(*dialer)
	l := newLink(d, newGuard(ours, nil, d.account.Timeouts.Command, nil), place{host: "127.0.0.1"})
	t.Cleanup(func() { _ = theirs.Close() })
	if err := l.login(t.Context(), credentials{username: "ivan", secret: "pass"}); err != nil {
		t.Fatal(err)
	}
	return &Conn{dialer: d, link: l, caps: l.caps}
}

// TestSilenceIsFoundInTime has a server that answers nothing any more, in a bubble where time is free.
func TestSilenceIsFoundInTime(t *testing.T) {
	t.Parallel()
	for range 20 { // the length of an IDLE is jittered
		synctest.Test(t, func(t *testing.T) {
			c := listening(t, &mute{})
			start := time.Now()
			err := c.Listen(t.Context(), time.Hour, nil, func(Notice) bool { return true })
			if took := time.Since(start); !models.IsTemporary(err) || !errors.Is(err, context.DeadlineExceeded) || took > 35*time.Second || took < 25*time.Second {
				t.Errorf("silence found after %v: %v", took, err)
			}
		})
	}
}

// TestEndOfIdleIsFoundInTime has a server that ends IDLE by itself, or says goodbye and keeps the line open.
func TestEndOfIdleIsFoundInTime(t *testing.T) {
	t.Parallel()
	t.Run("OK", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &mute{after: func(tag string) string { return tag + " OK idle is over\r\n" }}
			c := listening(t, s)
			if err := c.Listen(t.Context(), 10*time.Second, nil, func(Notice) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if len(s.idles) != 2 || s.idles[1].Sub(s.idles[0]) > time.Second {
				t.Errorf("idles at %v", s.idles)
			}
			c.link.kill()
		})
	})
	t.Run("BYE", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := listening(t, &mute{after: func(string) string { return "* BYE Autologout\r\n" }})
			start := time.Now()
			err := c.Listen(t.Context(), time.Hour, nil, func(Notice) bool { return true })
			if took := time.Since(start); !models.IsTemporary(err) || !strings.Contains(err.Error(), "Autologout") || took > time.Second {
				t.Errorf("goodbye found after %v: %v", took, err)
			}
		})
	})
}
