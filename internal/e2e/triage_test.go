package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/internal/dovecot"
	"kontrol/internal/rawimap"
	"kontrol/models"
	"kontrol/store"
)

// triageDesk is a mailbox on a private server whose letters are moved to two folders and back.
type triageDesk struct {
	b       *testing.B
	srv     *dovecot.Server
	raw     *rawimap.Client
	session imapsync.Session
	letters int
}

func newTriageDesk(b *testing.B, letters int) *triageDesk {
	b.Helper()
	d := &triageDesk{b: b, srv: dovecot.Test(b, dovecot.Options{}), letters: letters}
	var err error
	if d.raw, err = rawimap.Dial(d.srv.IMAPAddr, nil, "anna", d.srv.Password); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.raw.Close() })
	d.command("SELECT " + inbox) // makes the folder
	for i := range letters {
		d.put(i)
	}
	for _, name := range []string{rawimap.Processed, rawimap.Control} {
		d.command(`CREATE "` + name + `"`)
	}
	d.session, err = imapsync.NewDialer(imapsync.Account{
		MailboxID: 1, Address: "anna@" + domain, URL: "imap+insecure://" + d.srv.IMAPAddr, Username: "anna",
		Secret: func(context.Context) (string, error) { return d.srv.Password, nil },
	}, nil, nil).Dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(d.session.Close)
	return d
}

func (d *triageDesk) letter(i int) []byte {
	return fmt.Appendf(nil, "From: client%d@example.org\r\nTo: anna@%s\r\nSubject: =?utf-8?B?0JfQsNGP0LLQutCw?= %d\r\nMessage-ID: <%d@example.org>\r\n\r\n%s\r\n",
		i%500, domain, i, i, strings.Repeat("Добрый день! Пришлите, пожалуйста, предложение.\r\n", 10+i%50))
}

// put delivers a letter by laying it into the folder as a file: twenty thousand by APPEND would take minutes.
func (d *triageDesk) put(i int) {
	d.b.Helper()
	name := filepath.Join(d.srv.Dir, "mail", "anna", "mail", "new", fmt.Sprintf("%d.M%06dP1.test", 1_700_000_000+i, i))
	if err := os.WriteFile(name, d.letter(i), 0o666); err != nil {
		d.b.Fatal(err)
	}
	at := time.Unix(1_700_000_000+int64(i)*60, 0)
	if err := errors.Join(os.Chmod(name, 0o666), os.Chtimes(name, at, at)); err != nil {
		d.b.Fatal(err)
	}
}

func (d *triageDesk) command(cmd string) []rawimap.Response {
	d.b.Helper()
	rs, err := d.raw.Command(cmd)
	if err != nil {
		d.b.Fatal(err)
	}
	return rs
}

// uids returns the UIDs in INBOX and its UIDVALIDITY.
func (d *triageDesk) uids() (uids []uint32, validity uint32) {
	d.b.Helper()
	sel, err := d.session.Select(d.b.Context(), inbox, true)
	if err != nil {
		d.b.Fatal(err)
	}
	metas, err := d.session.UIDs(d.b.Context(), 1, 0)
	if err != nil {
		d.b.Fatal(err)
	}
	for _, m := range metas {
		uids = append(uids, m.UID)
	}
	if len(uids) != d.letters {
		d.b.Fatalf("%d letters in INBOX, want %d", len(uids), d.letters)
	}
	return uids, sel.UIDValidity
}

// moveRaw moves every other letter with a few commands, half of them to each folder, as a client does that keeps no
// journal and looks at nothing.
func (d *triageDesk) moveRaw() time.Duration {
	d.b.Helper()
	uids, _ := d.uids()
	begin := time.Now()
	d.command("SELECT " + inbox)
	for k, name := range []string{rawimap.Processed, rawimap.Control} {
		var set []string
		for i := 2 * k; i < len(uids); i += 4 {
			set = append(set, strconv.FormatUint(uint64(uids[i]), 10))
		}
		for len(set) > 0 {
			n := min(len(set), 1200)
			d.command("UID MOVE " + strings.Join(set[:n], ",") + ` "` + name + `"`)
			set = set[n:]
		}
	}
	return time.Since(begin)
}

// moveBack brings everything back to INBOX.
func (d *triageDesk) moveBack() {
	d.b.Helper()
	for _, name := range []string{rawimap.Processed, rawimap.Control} {
		d.command(`SELECT "` + name + `"`)
		d.command("UID MOVE 1:* " + inbox)
	}
}

// moveOurs does the same over the journal, and returns how long reading and writing the journal took of that time.
func (d *triageDesk) moveOurs() (took, journal time.Duration) {
	d.b.Helper()
	ctx := d.b.Context()
	db, err := store.Open(ctx, store.Config{URL: "sqlite:" + filepath.Join(d.b.TempDir(), "kontrol.db"), AutoMigrateSchema: true})
	if err != nil {
		d.b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	uids, validity := d.uids()
	if err := db.Tx(ctx, func(tx *store.Tx) error { return d.plan(tx, uids, validity) }); err != nil {
		d.b.Fatal(err)
	}
	timed := &timedJournal{Journal: db}
	commands := make(map[string]time.Duration)
	begin := time.Now()
	if err := imapsync.NewMover(timed, imapsync.MoverConfig{}, nil, nil).Run(ctx, timedSession{d.session, commands}, 1); err != nil {
		d.b.Fatal(err)
	}
	took = time.Since(begin)
	d.b.Logf("%d letters, %v: journal %v, commands %v", d.letters, took.Round(time.Millisecond), timed.took.Round(time.Millisecond), commands)
	open, err := db.Read().OpenFilingsCount(ctx)
	if err != nil || len(open) != 0 {
		d.b.Fatalf("open filings: %v %v", open, err)
	}
	if n, err := d.raw.Count(rawimap.Control); err != nil || n != d.letters/4 {
		d.b.Fatalf("%d letters filed: %v", n, err)
	}
	return took, timed.took
}

// timedSession measures the time that each command of the server takes.
type timedSession struct {
	imapsync.Session
	took map[string]time.Duration
}

func (s timedSession) since(name string, begin time.Time) { s.took[name] += time.Since(begin) }

// Select opens a folder.
func (s timedSession) Select(ctx context.Context, name string, readOnly bool) (imapsync.Selected, error) {
	defer s.since("select", time.Now())
	return s.Session.Select(ctx, name, readOnly)
}

// Status asks about a folder.
func (s timedSession) Status(ctx context.Context, name string) (imapsync.Selected, error) {
	defer s.since("status", time.Now())
	return s.Session.Status(ctx, name)
}

// Details looks at copies.
func (s timedSession) Details(ctx context.Context, uids []uint32) ([]imapsync.Details, error) {
	defer s.since("details", time.Now())
	return s.Session.Details(ctx, uids)
}

// Fetch reads headers.
func (s timedSession) Fetch(ctx context.Context, uids []uint32, textCap int) (imapsync.FetchAnswer, error) {
	defer s.since("fetch", time.Now())
	return s.Session.Fetch(ctx, uids, textCap)
}

// MoveSet moves letters.
func (s timedSession) MoveSet(ctx context.Context, uids []uint32, dest string) (imapsync.Copied, error) {
	defer s.since("move", time.Now())
	return s.Session.MoveSet(ctx, uids, dest)
}

// plan stores the letters and a planned move of every other one.
func (d *triageDesk) plan(tx *store.Tx, uids []uint32, validity uint32) error {
	ctx := tx.Context()
	boxes := []models.Mailbox{{Address: "anna@" + domain, Kind: models.MailboxShared}}
	if err := tx.SyncMailboxes(ctx, boxes); err != nil {
		return err
	}
	box := boxes[0]
	folders := []models.Folder{
		{MailboxID: box.ID, Role: models.FolderInbox, Name: inbox, UIDValidity: validity, LastUID: uids[len(uids)-1]},
		{MailboxID: box.ID, Role: models.FolderProcessed, Name: "Обработанные письма"},
		{MailboxID: box.ID, Role: models.FolderControl, Name: "На контроле"},
	}
	for i := range folders {
		if err := tx.SaveFolder(ctx, &folders[i]); err != nil {
			return err
		}
	}
	thread := models.Thread{LastAt: time.Now()}
	if err := tx.CreateThread(ctx, &thread); err != nil {
		return err
	}
	for i, uid := range uids {
		if i%2 == 1 {
			continue
		}
		body := d.letter(i)
		header, _, _ := strings.Cut(string(body), "\r\n\r\n")
		l := models.Letter{
			ThreadID: thread.ID, Fingerprint: strconv.Itoa(i), Direction: models.Inbound, Class: models.ClassPerson, ArrivedAt: time.Now(),
		}
		if _, err := tx.UpsertLetter(ctx, &l, nil); err != nil {
			return err
		}
		loc := models.Location{
			LetterID: l.ID, MailboxID: box.ID, FolderID: folders[0].ID, UIDValidity: validity, UID: uid, Size: int64(len(body)),
			HeaderHash: imapsync.HeaderHash([]byte(header)),
		}
		if _, err := tx.AddLocation(ctx, &loc); err != nil {
			return err
		}
		if err := tx.PlanFiling(ctx, &models.Filing{LocationID: loc.ID, TargetFolderID: folders[1+i/2%2].ID}); err != nil {
			return err
		}
	}
	return nil
}

// timedJournal measures the time that the journal takes.
type timedJournal struct {
	imapsync.Journal
	took time.Duration
}

func (j *timedJournal) since(begin time.Time) { j.took += time.Since(begin) }

// PlannedFilings reads a page of the journal.
func (j *timedJournal) PlannedFilings(ctx context.Context, box int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	defer j.since(time.Now())
	return j.Journal.PlannedFilings(ctx, box, now, after, limit)
}

// SaveFilings writes what is about to be done.
func (j *timedJournal) SaveFilings(ctx context.Context, list []*models.Filing) ([]int64, error) {
	defer j.since(time.Now())
	return j.Journal.SaveFilings(ctx, list)
}

// FinishFilings writes what has been done.
func (j *timedJournal) FinishFilings(ctx context.Context, list []*models.Filing) ([]int64, error) {
	defer j.since(time.Now())
	return j.Journal.FinishFilings(ctx, list)
}

// BenchmarkTriageMoves moves half of a mailbox to two Cyrillic folders over the journal (SQLite, synchronous=FULL), beside
// a client that only sends a few UID MOVEs, in turns. "ratio" is the one against the other, "journal" the share of the
// journal in our time.
func BenchmarkTriageMoves(b *testing.B) {
	for _, letters := range []int{2000, 20000} {
		b.Run(strconv.Itoa(letters), func(b *testing.B) {
			d := newTriageDesk(b, letters)
			var raw, ours, journal time.Duration
			n := 0
			for b.Loop() {
				raw += d.moveRaw()
				d.moveBack()
				took, j := d.moveOurs()
				ours, journal = ours+took, journal+j
				d.moveBack()
				n++
			}
			moves := float64(n * letters / 2)
			b.ReportMetric(float64(ours)/float64(raw), "ratio")
			b.ReportMetric(float64(journal)/float64(ours), "journal")
			b.ReportMetric(float64(ours.Microseconds())/moves, "µs/move")
			b.ReportMetric(float64(raw.Microseconds())/moves, "raw-µs/move")
		})
	}
}
