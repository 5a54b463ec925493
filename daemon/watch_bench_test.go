package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/internal/dovecot"
	"kontrol/internal/rawimap"
	"kontrol/internal/ward"
	"kontrol/models"
	"kontrol/store"
)

// scale is one mailbox on a private Dovecot with an engine and a database of its own, without the rest of the daemon.
type scale struct {
	b      *testing.B
	srv    *dovecot.Server
	db     *store.DB
	box    models.Mailbox
	syncer *imapsync.Syncer
	hand   *rawimap.Client
	uid    int // letters made so far

	mu      sync.Mutex
	taken   int // letters handed to the intake
	flagged int // changes of flags handed to the intake
	told    chan struct{}
}

// tap counts what is handed to the intake and has been stored.
type tap struct {
	*Intake
	s *scale
}

func (t tap) Arrived(ctx context.Context, a imapsync.Arrival) error {
	err := t.Intake.Arrived(ctx, a)
	if err == nil {
		t.s.count(len(a.Letters), 0)
	}
	return err
}

func (t tap) Changed(ctx context.Context, c imapsync.Change) error {
	err := t.Intake.Changed(ctx, c)
	if err == nil {
		t.s.count(0, len(c.Flags)+len(c.Gone))
	}
	return err
}

func (s *scale) count(taken, flagged int) {
	s.mu.Lock()
	s.taken, s.flagged = s.taken+taken, s.flagged+flagged
	s.mu.Unlock()
	select {
	case s.told <- struct{}{}:
	default:
	}
}

// until waits until so much has been stored since the counters were last zero, and makes them zero again.
func (s *scale) until(taken, flagged int) {
	s.b.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		s.mu.Lock()
		enough := s.taken >= taken && s.flagged >= flagged
		if enough {
			s.taken, s.flagged = 0, 0
		}
		s.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-s.told:
		case <-limit.C:
			s.b.Fatalf("waited in vain for %d letters and %d flags, there are %d and %d", taken, flagged, s.taken, s.flagged)
		}
	}
}

const benchUser = "anna"

func newScale(b *testing.B, letters int) *scale {
	b.Helper()
	s := &scale{b: b, srv: dovecot.Test(b, dovecot.Options{}), told: make(chan struct{}, 1)}
	var err error
	if s.hand, err = rawimap.Dial(s.srv.IMAPAddr, nil, benchUser, s.srv.Password); err != nil {
		b.Fatal(err)
	}
	if _, err := s.hand.Command("SELECT INBOX"); err != nil {
		b.Fatal(err)
	}
	cur := filepath.Join(s.srv.Dir, "mail", benchUser, "mail", "cur")
	for range letters {
		path := filepath.Join(cur, fmt.Sprintf("%d.M%dP1.bench:2,S", 1_700_000_000+s.uid, s.uid))
		if err := os.WriteFile(path, s.letter(), 0o600); err != nil {
			b.Fatal(err)
		}
		if err := ward.Own(path); err != nil {
			b.Fatal(err)
		}
	}
	data, err := migrated()
	path := filepath.Join(b.TempDir(), "kontrol.db")
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err == nil {
		s.db, err = store.Open(b.Context(), store.Config{URL: "sqlite:" + path})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.db.Close() })
	boxes := []models.Mailbox{{Address: anna, Kind: models.MailboxPersonal}}
	if err := s.db.Tx(b.Context(), func(tx *store.Tx) error { return tx.SyncMailboxes(tx.Context(), boxes) }); err != nil {
		b.Fatal(err)
	}
	s.box = boxes[0]
	return s
}

// letter makes the next letter of about 4 KB.
func (s *scale) letter() []byte {
	s.uid++
	text := strings.Repeat("Добрый день! Просим прислать счёт на котлы и насосы. ", 30) + strconv.Itoa(s.uid)
	return raw(mail{
		id: fmt.Sprintf("%d@client.example", s.uid), from: fmt.Sprintf("p%d@client%d.example", s.uid%7, s.uid%500), to: anna,
		subject: fmt.Sprintf("Заявка %d", s.uid), text: text,
	})
}

func (s *scale) account(hide ...string) imapsync.Account {
	return imapsync.Account{
		MailboxID: s.box.ID, Address: anna, URL: "imap+insecure://" + s.srv.IMAPAddr, Username: benchUser, DisableExtensions: hide,
		Secret: func(context.Context) (string, error) { return s.srv.Password, nil },
	}
}

// ready hands out a session that was opened before, so that the login is not measured.
type ready struct {
	imapsync.Dialer
	once sync.Once
	s    imapsync.Session
}

func (r *ready) Dial(ctx context.Context) (s imapsync.Session, err error) {
	r.once.Do(func() { s = r.s })
	if s != nil {
		return s, nil
	}
	return r.Dialer.Dial(ctx)
}

// engine makes a Syncer whose first session is open already.
func (s *scale) engine(single bool, hide ...string) {
	s.b.Helper()
	log := slog.New(slog.DiscardHandler)
	in := NewIntake(s.db, Settings{
		Own: inbound.NewOwn([]string{anna}, []string{"teplodom.example"}), FirstLookWindow: 24 * time.Hour,
	}, func(...int64) { s.syncer.Poke() }, time.Now, log)
	d := imapsync.NewDialer(s.account(hide...), nil, nil)
	open, err := d.Dial(s.b.Context())
	if err != nil {
		s.b.Fatal(err)
	}
	s.syncer = imapsync.NewSyncer(imapsync.SyncerConfig{
		MailboxID: s.box.ID, Address: anna, Dialer: &ready{Dialer: d, s: open}, Intake: tap{in, s}, Folders: s.db, Quarantine: s.db,
		Mover: imapsync.NewMover(s.db, imapsync.MoverConfig{}, nil, nil), Single: single,
	})
}

// run starts the engine; the function returned stops it.
func (s *scale) run() func() {
	ctx, cancel := context.WithCancel(s.b.Context())
	done := make(chan error, 1)
	go func() { done <- s.syncer.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			s.b.Error(err)
		}
	}
}

// wait waits until the mailbox has been looked at completely since the given moment.
func (s *scale) wait(since time.Time) {
	s.b.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for {
		m, err := s.db.Read().Mailbox(s.b.Context(), anna)
		if err != nil {
			s.b.Fatal(err)
		}
		if m.SyncedAt != nil && m.SyncedAt.After(since) {
			return
		}
		if time.Now().After(deadline) {
			s.b.Fatal("the mailbox is not looked at")
		}
		select { // a poll, but not within what is measured
		case <-s.told:
		case <-time.After(time.Millisecond):
		}
	}
}

// first lets the engine take the mailbox in.
func (s *scale) first() {
	s.b.Helper()
	s.engine(true)
	at := time.Now()
	stop := s.run()
	s.until(s.uid, 0)
	s.wait(at)
	stop()
	s.mu.Lock()
	s.taken, s.flagged = 0, 0
	s.mu.Unlock()
}

// change sets or takes away flags of 50 letters and delivers 20 new ones.
func (s *scale) change(round int) {
	s.b.Helper()
	sign := "+"
	if round%2 == 1 {
		sign = "-"
	}
	var uids []string
	for i := range 50 {
		uids = append(uids, strconv.Itoa(1+i*7))
	}
	if _, err := s.hand.Command("SELECT INBOX"); err != nil { // see also what was not there when it was opened
		s.b.Fatal(err)
	}
	if _, err := s.hand.Command("UID STORE " + strings.Join(uids, ",") + " " + sign + "FLAGS.SILENT ($Label1)"); err != nil {
		s.b.Fatal(err)
	}
	for range 20 {
		if err := s.hand.Append("INBOX", "", s.letter()); err != nil {
			s.b.Fatal(err)
		}
	}
}

// drain is the fastest client there can be: it sends commands and throws the answers away. It returns when the last
// command has been answered.
type drain struct {
	b    *testing.B
	conn net.Conn
	r    *bufio.Reader
	n    int
	last map[string]string // response codes of the last command
}

func newDrain(b *testing.B, addr, password string) *drain {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	d := &drain{b: b, conn: conn, r: bufio.NewReaderSize(conn, 256<<10)}
	if _, err := d.r.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	d.do("LOGIN " + benchUser + " " + password)
	return d
}

func (d *drain) do(commands ...string) {
	d.b.Helper()
	d.last = map[string]string{}
	var out strings.Builder
	for _, c := range commands {
		d.n++
		fmt.Fprintf(&out, "d%d %s\r\n", d.n, c)
	}
	if _, err := io.WriteString(d.conn, out.String()); err != nil {
		d.b.Fatal(err)
	}
	tag := []byte(fmt.Sprintf("d%d ", d.n))
	for {
		line, err := d.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			d.b.Fatal(err)
		}
		if len(line) > 5 && string(line[:5]) == "* OK " {
			if code, arg, ok := strings.Cut(strings.TrimPrefix(string(line[5:]), "["), " "); ok {
				arg, _, _ = strings.Cut(arg, "]")
				d.last[code] = arg
			}
		}
		if len(line) > len(tag) && string(line[:len(tag)]) == string(tag) {
			return
		}
	}
}

func median(list []time.Duration) time.Duration { return percentile(list, 50) }

func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// benchLetters is how many letters the mailbox of a benchmark holds unless KONTROL_BENCH_LETTERS says otherwise.
func benchLetters() int {
	n, err := strconv.Atoi(os.Getenv("KONTROL_BENCH_LETTERS"))
	if err != nil {
		return 20_000
	}
	return n
}

// BenchmarkDelta measures how long the engine needs on an open connection to notice and store 50 changed flags and 20 new
// letters, and compares with draining the best commands for it.
func BenchmarkDelta(b *testing.B) {
	for name, hide := range map[string][]string{"condstore": nil, "plain": {"CONDSTORE", "QRESYNC"}} {
		b.Run(name, func(b *testing.B) {
			s := newScale(b, benchLetters())
			s.first()
			d := newDrain(b, s.srv.IMAPAddr, s.srv.Password)
			var ours, theirs []time.Duration
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				d.do("EXAMINE INBOX (CONDSTORE)")
				before, next := d.last["HIGHESTMODSEQ"], d.last["UIDNEXT"]
				d.do("EXAMINE Sent")
				s.change(i)
				s.engine(true, hide...)
				drain := func() {
					at := time.Now()
					d.do("EXAMINE INBOX (CONDSTORE)", "UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE "+before+")",
						"UID FETCH "+next+":* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.65536>)")
					theirs = append(theirs, time.Since(at))
				}
				if i%2 == 0 {
					drain()
				}
				b.StartTimer()
				at := time.Now()
				stop := s.run()
				s.until(20, 50)
				ours = append(ours, time.Since(at))
				b.StopTimer()
				if i%2 == 1 {
					drain()
				}
				s.wait(at)
				stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(median(ours))/1e6, "ms/delta")
			b.ReportMetric(float64(median(theirs))/1e6, "ms/raw")
			b.ReportMetric(float64(median(ours))/float64(median(theirs)), "x/raw")
		})
	}
}

// BenchmarkReconcileUnchanged measures a start on an open connection when nothing has changed, until the mailbox is known
// to be in step.
func BenchmarkReconcileUnchanged(b *testing.B) {
	for name, hide := range map[string][]string{"condstore": nil, "plain": {"CONDSTORE", "QRESYNC"}} {
		for _, letters := range []int{2_000, benchLetters()} {
			b.Run(fmt.Sprintf("%s/%d", name, letters), func(b *testing.B) {
				s := newScale(b, letters)
				s.first()
				var ours []time.Duration
				for b.Loop() {
					b.StopTimer()
					s.engine(true, hide...)
					b.StartTimer()
					at := time.Now()
					stop := s.run()
					s.wait(at)
					ours = append(ours, time.Since(at))
					b.StopTimer()
					stop()
					b.StartTimer()
				}
				b.ReportMetric(float64(median(ours))/1e6, "ms/reconcile")
			})
		}
	}
}
