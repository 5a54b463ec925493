package imapsync

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"kontrol/inbound"
	"kontrol/internal/dovecot"
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
	var ours, floor []time.Duration
	var peak uint64
	b.ResetTimer()
	for b.Loop() {
		floor = append(floor, raw())
		start := time.Now()
		peak = max(peak, firstSync(b, account, n))
		ours = append(ours, time.Since(start))
	}
	b.ReportMetric(float64(octets)/float64(n), "octets/letter")
	b.ReportMetric(median(floor).Seconds()*1000, "raw-ms")
	b.ReportMetric(median(ours).Seconds()*1000, "ours-ms")
	b.ReportMetric(float64(median(ours))/float64(median(floor)), "x-raw")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
}

// firstSync fetches and parses everything and returns the largest heap that it saw.
func firstSync(tb testing.TB, account Account, n int) (peak uint64) {
	tb.Helper()
	s, err := NewDialer(account, nil, nil).Dial(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Select(context.Background(), "INBOX", false); err != nil {
		tb.Fatal(err)
	}
	metas, err := s.UIDs(context.Background(), 1, 0)
	if err != nil {
		tb.Fatal(err)
	}
	own, got := inbound.NewOwn([]string{"ivan@bench.example"}, nil), 0
	var m runtime.MemStats
	for batch := range slices.Chunk(metas, 500) {
		var uids []uint32
		for _, meta := range batch {
			uids = append(uids, meta.UID)
		}
		ans, err := s.Fetch(context.Background(), uids, 64<<10)
		if err != nil {
			tb.Fatal(err)
		}
		for _, l := range ans.Letters {
			if _, err := inbound.Read(inbound.Source{Header: l.Header, Text: l.Text, Size: l.Size, InternalDate: l.InternalDate}, own); err != nil {
				tb.Fatal(err)
			}
			got++
		}
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	if got != n {
		tb.Fatalf("%d of %d letters", got, n)
	}
	return peak
}
