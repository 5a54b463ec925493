package imapsync

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"kontrol/inbound"
	"kontrol/internal/dovecot"
	"kontrol/models"
)

// benchLetters is how many letters the mailboxes of benchmarks hold: 20,000, or KONTROL_BENCH_LETTERS.
func benchLetters() int {
	if n, err := strconv.Atoi(os.Getenv("KONTROL_BENCH_LETTERS")); err == nil && n > 0 {
		return n
	}
	return 20000
}

// drain is a client that sends commands at once and throws the answers away: the floor that any client has to live with.
// It returns how long that took, with the login left out, and how many octets came.
func drain(tb testing.TB, d *dovecot.Server, user string, commands ...string) (time.Duration, int64) {
	tb.Helper()
	conn, err := net.Dial("tcp", d.IMAPAddr)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	until := func(tag string) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				tb.Fatal(err)
			}
			if len(line) > len(tag) && line[:len(tag)] == tag {
				return
			}
		}
	}
	until("* OK")
	fmt.Fprintf(conn, "a LOGIN %s %s\r\n", user, d.Password)
	until("a OK")
	start := time.Now()
	var all bytes.Buffer
	for i, c := range commands {
		fmt.Fprintf(&all, "zz%06d %s\r\n", i, c)
	}
	fmt.Fprintf(&all, "zend NOOP\r\n")
	if _, err := conn.Write(all.Bytes()); err != nil {
		tb.Fatal(err)
	}
	buf, total, end := make([]byte, 256<<10), int64(0), []byte("\r\nzend OK")
	kept := 0
	for {
		n, err := conn.Read(buf[kept:])
		if err != nil {
			tb.Fatal(err)
		}
		total += int64(n)
		seen := buf[:kept+n]
		if bytes.Contains(seen[max(0, len(seen)-200):], end) {
			return time.Since(start), total
		}
		kept = copy(buf, seen[max(0, len(seen)-len(end)):])
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkFirstSyncFetch lists a mailbox, fetches every letter and parses it, as a first look does without the
// database, against a raw client that drains the same items from the same server between the runs.
func BenchmarkFirstSyncFetch(b *testing.B) {
	d := dovecot.Test(b, dovecot.Options{})
	n := benchLetters()
	octets := fillMaildir(b, d, "ivan", n)
	account := dovecotAccount(d, "ivan")
	account.URL, account.CAFile = "imap+insecure://"+d.IMAPAddr, ""
	raw := func() time.Duration {
		t, _ := drain(b, d, "ivan", "SELECT INBOX", "UID FETCH 1:* (UID FLAGS)",
			"UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.65536>)")
		return t
	}
	raw()
	var floor, fetched, parsed []time.Duration
	var floorCPU, fetchedCPU, parsedCPU time.Duration
	var peak uint64
	for b.Loop() {
		floor = append(floor, timed(&floorCPU, func() { raw() }))
		fetched = append(fetched, timed(&fetchedCPU, func() { firstSync(b, account, n, false) }))
		parsed = append(parsed, timed(&parsedCPU, func() { peak = max(peak, firstSync(b, account, n, true)) }))
	}
	b.ReportMetric(float64(octets)/float64(n), "octets/letter")
	b.ReportMetric(median(floor).Seconds()*1000, "raw-ms")
	b.ReportMetric(float64(median(fetched))/float64(median(floor)), "fetched-x")
	b.ReportMetric(float64(median(parsed))/float64(median(floor)), "parsed-x")
	runs := time.Duration(n * b.N)
	b.ReportMetric(float64(floorCPU/runs), "raw-cpu-ns/letter")
	b.ReportMetric(float64(fetchedCPU/runs), "fetched-cpu-ns/letter")
	b.ReportMetric(float64(parsedCPU/runs), "parsed-cpu-ns/letter")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
}

// timed runs f, adds the processor time of this process to cpu and returns the time that passed. The processor time
// tells the truth on a busy machine, too.
func timed(cpu *time.Duration, f func()) time.Duration {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before, start := used(), time.Now()
	f()
	took := time.Since(start)
	*cpu += used() - before
	return took
}

// repeated is a server that says the same again and again, and never waits.
type repeated struct {
	fakeConn
	text []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n += k
		r.at = (r.at + k) % len(r.text)
	}
	return n, nil
}

// BenchmarkGuard reads FETCH answers, one per operation: of a listing, and of a letter of 6 KB.
func BenchmarkGuard(b *testing.B) {
	header, text := bytes.Repeat([]byte("X-Header: some words of it\r\n"), 60), bytes.Repeat([]byte("some words of a letter's text\r\n"), 140)
	for name, line := range map[string]string{
		"listing": "* 1 FETCH (UID 4711 FLAGS (\\Seen $Forwarded))\r\n",
		"letter": fmt.Sprintf("* 1 FETCH (UID 4711 FLAGS (\\Seen) INTERNALDATE \"02-Nov-2026 10:00:00 +0300\" RFC822.SIZE %d BODY[HEADER] {%d}\r\n%s BODY[TEXT]<0> {%d}\r\n%s)\r\n",
			len(header)+len(text), len(header), header, len(text), text),
	} {
		b.Run(name, func(b *testing.B) {
			g := newGuard(&repeated{text: []byte(line)}, nil, time.Minute, nil)
			g.greeted = true
			all := func(uint32) bool { return true }
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%500 == 0 {
					ans := &answers{accept: all, short: name == "listing", room: math.MaxInt64, headerCap: 1 << 20, textCap: 1 << 20}
					g.begin("UID FETCH", 1<<40, ans)
				}
				if err := g.step(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// readingIntake parses letters as the daemon's intake does, and stores nothing.
type readingIntake struct {
	tb   testing.TB
	own  inbound.Own
	got  int
	peak uint64
}

func (in *readingIntake) Arrived(_ context.Context, a Arrival) error {
	var wg sync.WaitGroup
	for part := range slices.Chunk(a.Letters, max(1, (len(a.Letters)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))) {
		wg.Go(func() {
			for _, l := range part {
				if _, err := inbound.Read(inbound.Source{Header: l.Header, Text: l.Text, Size: l.Size, InternalDate: l.InternalDate}, in.own); err != nil {
					in.tb.Error(err)
				}
			}
		})
	}
	wg.Wait()
	in.got += len(a.Letters)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	in.peak = max(in.peak, m.HeapInuse)
	return nil
}

func (in *readingIntake) Changed(context.Context, Change) error      { return nil }
func (in *readingIntake) Reset(context.Context, models.Folder) error { return nil }

// firstSync lists the folder, fetches and parses everything and returns the largest heap that it saw. read says whether
// letters are parsed at all.
func firstSync(tb testing.TB, account Account, n int, read bool) (peak uint64) {
	tb.Helper()
	in := &readingIntake{tb: tb, own: inbound.NewOwn([]string{"ivan@bench.example"}, nil)}
	var intake Intake = in
	if !read {
		intake = &countingIntake{readingIntake: in}
	}
	s, err := NewDialer(account, nil, nil).Dial(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	st := newMemStore()
	y := NewSyncer(SyncerConfig{MailboxID: 1, Intake: intake, Folders: st, Budget: NewBudget(64 << 20)})
	w := &worker{Syncer: y, s: &selecting{Session: s}, ctx: context.Background()}
	d := &folder{f: models.Folder{MailboxID: 1, Role: models.FolderInbox, Name: "INBOX"}}
	if _, err := w.open(w.ctx, d); err != nil {
		tb.Fatal(err)
	}
	metas, err := s.UIDs(w.ctx, 1, 0)
	if err == nil {
		_, err = w.takeIn(w.ctx, d, metas, nil)
	}
	if err != nil || in.got != n {
		tb.Fatalf("%d of %d letters: %v", in.got, n, err)
	}
	return in.peak
}

// countingIntake leaves the letters unread.
type countingIntake struct{ *readingIntake }

func (in *countingIntake) Arrived(_ context.Context, a Arrival) error {
	in.got += len(a.Letters)
	return nil
}
