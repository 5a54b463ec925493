package imapsync

import (
	"bytes"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"kontrol/internal/imaptest"
)

func TestApart(t *testing.T) {
	t.Parallel()
	n := 0
	apart(func() { n++ })
	if n != 1 {
		t.Errorf("run %d times", n)
	}
	func() {
		defer func() {
			p, ok := recover().(*panicApart)
			if !ok || p.value != "broken" || !bytes.Contains(p.stack, []byte("TestApart")) {
				t.Errorf("the panic that comes through is %+v", p)
			}
		}()
		apart(func() { panic("broken") }) //nolint:forbidigo // what is tested
	}()
	over := make(chan bool, 1)
	go func() {
		defer func() { over <- recover() == nil }()
		apart(runtime.Goexit)
	}()
	if !<-over {
		t.Error("the end of the goroutine became a panic")
	}
}

func TestCapSetsAreShared(t *testing.T) {
	t.Parallel()
	hosts := NewHosts(HostsConfig{})
	sets := []map[string]bool{}
	for _, line := range []string{"IMAP4rev1 IDLE MOVE", "MOVE IMAP4REV1 idle", "IMAP4rev1 MOVE"} {
		g := newGuard(fakeConn{r: strings.NewReader("")}, nil, time.Second, nil)
		g.known = hosts.capSets()
		g.setCaps(line)
		sets = append(sets, g.caps)
	}
	same := func(a, b map[string]bool) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	if !same(sets[0], sets[1]) || same(sets[0], sets[2]) || sets[2]["IDLE"] {
		t.Errorf("sets %v", sets)
	}
	for i := range 2 * maxCapSets {
		hosts.capSets().share(map[string]bool{"X" + strings.Repeat("I", i): true})
	}
	if n := len(hosts.caps.sets); n != maxCapSets {
		t.Errorf("%d sets are kept", n)
	}
}

// TestFlowIsSmallAgain reads what fills large buffers, then little.
func TestFlowIsSmallAgain(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	f := flow{src: in}
	line := func(text string) int {
		go func() { _, _ = io.WriteString(out, text+"\n") }()
		for {
			if _, whole, err := f.slice(); err != nil || whole {
				return len(f.buf)
			}
		}
	}
	if n := line("* 1 EXISTS"); n != idleFlow {
		t.Errorf("%d octets for little", n)
	}
	if n := line(strings.Repeat("x", idleFlow+talkFlow/2)); n != talkFlow {
		t.Errorf("%d octets for a long line", n)
	}
	if n := line(strings.Repeat("x", 3*busyFlow)); n != busyFlow {
		t.Errorf("%d octets for much", n)
	}
	line("a")
	line("b")
	if n := line("c"); n != idleFlow {
		t.Errorf("%d octets after little has come", n)
	}
}

// TestIdleIsSpokenWithoutGoIMAP sees that nothing of IDLE reaches go-imap, whose part in it would cost a goroutine and a
// timer for each connection that waits.
func TestIdleIsSpokenWithoutGoIMAP(t *testing.T) {
	t.Parallel()
	_, c := memory(t, imaptest.MemoryOptions{})
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	for range 2 {
		must[bool](t)(c.Idle(t.Context(), time.Millisecond, nil))
	}
	g := c.link.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sent.idles != 2 || g.sent.idleTag != "I2" || len(g.sent.pending) > 0 {
		t.Errorf("%d idles, the last %q, under way %v", g.sent.idles, g.sent.idleTag, g.sent.pending)
	}
}
