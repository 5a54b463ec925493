// Package crowd measures the daemon with very many mailboxes on a private Dovecot: how long the start takes and what each
// mailbox costs in memory while nothing happens. It is run by hand:
//
//	go test ./internal/crowd -run TestCrowd -crowd 10,100,1000 -v -timeout 30m
package crowd

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/internal/dovecot"
)

var (
	crowdSizes = flag.String("crowd", "", "numbers of mailboxes, separated by commas; none: nothing is measured")
	crowdHeap  = flag.String("heap", "", "file to write a heap profile of the last number to")
	crowdStack = flag.String("stacks", "", "file to write what the goroutines of the last number do to")
	crowdCPU   = flag.String("cpu", "", "file to write a CPU profile of the last number's start to")
)

// many lets one Dovecot serve thousands of connections: it is not what is measured here.
const many = `
default_client_limit = 20000
service imap-login {
  service_count = 0
  process_limit = 2
  process_min_avail = 2
  client_limit = 10000
}
service imap {
  process_limit = 8192
}
service auth {
  client_limit = 20000
}
`

func TestCrowd(t *testing.T) {
	if *crowdSizes == "" {
		t.Skip("run by hand with -crowd 10,100,1000")
	}
	for _, s := range strings.Split(*crowdSizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(s, func(t *testing.T) { measure(t, n) })
	}
}

func measure(t *testing.T, n int) {
	srv := dovecot.Test(t, dovecot.Options{MaxConn: 10, Config: many})
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, settings(srv, dir, n), 0o600); err != nil {
		t.Fatal(err)
	}
	base := rss(t)
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	app, err := daemon.New(t.Context(), daemon.Options{Config: cfg, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	stopProfile := profile(t)
	begin := time.Now()
	go func() { done <- app.Run(ctx) }()
	first := until(t, func() bool { return looked(t, app) == n }).Sub(begin)
	both := until(t, func() bool { return sockets(t) >= 2*n }).Sub(begin)
	stopProfile()
	settle(t)
	asIs, clean := resident(t), rss(t)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d mailboxes: all looked at after %.1f s, both connections after %.1f s; %.0f KB each by RSS as it stands (%.0f after a collection); heap %.0f, stacks %.0f KB each, %.1f goroutines each; the whole process has %d MB",
		n, first.Seconds(), both.Seconds(), per(asIs-base, n), per(clean-base, n), per(int(m.HeapAlloc>>10), n), per(int(m.StackInuse>>10), n),
		float64(runtime.NumGoroutine())/float64(n), asIs>>10)
	dump(t, "heap", *crowdHeap, 0)
	dump(t, "goroutine", *crowdStack, 1)
	stop := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	t.Logf("stopped in %.1f s", time.Since(stop).Seconds())
}

// profile writes a CPU profile until the function returned is called.
func profile(t *testing.T) func() {
	if *crowdCPU == "" {
		return func() {}
	}
	f, err := os.Create(*crowdCPU)
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		t.Fatal(err)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// dump writes one of the runtime's profiles.
func dump(t *testing.T, name, file string, debug int) {
	t.Helper()
	if file == "" {
		return
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.Lookup(name).WriteTo(f, debug); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func per(kb, n int) float64 { return float64(kb) / float64(n) }

func settings(srv *dovecot.Server, dir string, n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "[company]\nname = \"Тепло\"\ndomains = [\"teplodom.example\"]\n[database]\nurl = %q\n[servers.s]\nimap = %q\nca_file = %q\n",
		"sqlite:"+filepath.Join(dir, "kontrol.db"), "imaps://"+srv.IMAPSAddr, srv.CAFile)
	for i := range n {
		fmt.Fprintf(&b, "[[managers]]\nname = \"m%d\"\nemail = \"m%d@teplodom.example\"\npassword = %q\n", i, i, srv.Password)
	}
	return []byte(b.String())
}

// looked counts the mailboxes that have been looked at completely.
func looked(t *testing.T, app *daemon.App) int {
	boxes, err := app.DB().Read().Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range boxes {
		if m.Connected && m.SyncedAt != nil {
			n++
		}
	}
	return n
}

// sockets counts the sockets of this process.
func sockets(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// until waits for ok and returns when it held.
func until(t *testing.T, ok func() bool) time.Time {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	return time.Now()
}

// settle waits until a full minute of idling has passed, with the polls that belong to it.
func settle(t *testing.T) {
	select {
	case <-time.After(75 * time.Second):
	case <-t.Context().Done():
	}
}

// rss is the memory of this process in KB after a collection.
func rss(t *testing.T) int {
	runtime.GC()
	debug.FreeOSMemory()
	return resident(t)
}

// resident is the memory of this process in KB.
func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
