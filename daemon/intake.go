package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kontrol/deals"
	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// Settings are what may change while the daemon runs (SIGHUP).
type Settings struct {
	Own             inbound.Own
	Private         inbound.Own   // people whose letters are nobody's business
	OwnINN          string        // of the own firm; "" when it is not known
	FirstLookWindow time.Duration // letters older than this at the first look are left alone
}

// Intake implements imapsync.Intake: it turns what the mailbox engine found into stored letters, links, decisions and
// planned moves, one transaction for each call. It is safe for concurrent use by the syncers of all mailboxes.
type Intake struct {
	db       *store.DB
	settings atomic.Pointer[Settings]
	started  time.Time // moves that failed before this are planned anew
	turns    *turns    // one transaction at a time: the others would only hold connections while they wait
	poke     func(mailboxIDs ...int64)
	now      func() time.Time
	log      *slog.Logger
}

// NewIntake makes an Intake. The function poke is called after a commit with the mailboxes that have planned moves; it
// must not block.
func NewIntake(db *store.DB, s Settings, poke func(...int64), now func() time.Time, log *slog.Logger) *Intake {
	in := &Intake{db: db, started: now(), turns: newTurns(), poke: poke, now: now, log: log.With("component", "intake")}
	in.settings.Store(&s)
	return in
}

// SetSettings swaps the settings; letters being taken in at this moment finish with the old ones.
func (in *Intake) SetSettings(s Settings) { in.settings.Store(&s) }

// reading is one fetched copy after it has been understood.
type reading struct {
	copy  imapsync.Fetched
	facts inbound.Facts
	hash  string // of the header
	err   error
}

// understood is what Read makes of letters.
type understood struct {
	with *Settings
	read []reading
}

var _ imapsync.Reader = (*Intake)(nil)

// Read understands letters that are going to arrive. See imapsync.Reader.
func (in *Intake) Read(letters []imapsync.Fetched) any {
	set := in.settings.Load()
	return understood{set, readAll(letters, set.Own)}
}

// Arrived stores a batch of newly seen copies. See imapsync.Intake.
func (in *Intake) Arrived(ctx context.Context, a imapsync.Arrival) error {
	set := in.settings.Load()
	before, ok := a.Read.(understood)
	if !ok || before.with != set { // pure, and may be slow: outside the transaction
		before.read = readAll(a.Letters, set.Own)
	}
	read := before.read
	return in.commit(ctx, set, a.Folder.MailboxID, len(read), "take letters in", func(ctx context.Context, w *work) error {
		if err := w.takeBatch(ctx, a, read); err != nil {
			return err
		}
		return w.tx.AdvanceFolder(ctx, a.Folder)
	})
}

// readAtOnce is how many letters one goroutine understands before it looks for more.
const readAtOnce = 16

// readAll understands letters on all processors. The order stays.
func readAll(letters []imapsync.Fetched, own inbound.Own) []reading {
	read := make([]reading, len(letters))
	one := func(i int) {
		c := letters[i]
		f, err := inbound.Read(inbound.Source{
			Header: c.Header, Text: c.Text, Size: c.Size, InternalDate: c.InternalDate,
			TextCut: int64(len(c.Header)+len(c.Text)) < c.Size,
		}, own)
		read[i] = reading{copy: c, facts: f, hash: imapsync.HeaderHash(c.Header), err: err}
	}
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(readAtOnce))
			for i := end - readAtOnce; i < min(end, len(letters)); i++ {
				one(i)
			}
			if end >= len(letters) {
				return
			}
		}
	}
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(letters)+readAtOnce-1)/readAtOnce) - 1 {
		all.Go(work)
	}
	work()
	all.Wait()
	return read
}

// Changed stores which known copies left a folder and which have other flags. See imapsync.Intake.
func (in *Intake) Changed(ctx context.Context, c imapsync.Change) error {
	return in.commit(ctx, in.settings.Load(), c.Folder.MailboxID, len(c.Gone)+len(c.Flags), "store changes", func(ctx context.Context, w *work) error {
		gone, err := w.tx.MarkGone(ctx, c.Folder.ID, c.Folder.UIDValidity, c.Gone, w.now)
		if err != nil {
			return err
		}
		for _, l := range gone {
			w.event(models.EventLetterGone, fmt.Sprintf("gone/%d", l.ID), l.LetterID, l.MailboxID,
				models.Say("daemon.event.gone", "Folder", folderName(c.Folder)))
		}
		if err := w.reflag(ctx, c); err != nil {
			return err
		}
		return w.tx.AdvanceFolder(ctx, c.Folder)
	})
}

// reflag stores changed flags. Those that the rules look at may change a decision; that a letter was read does not.
func (w *work) reflag(ctx context.Context, c imapsync.Change) error {
	if len(c.Flags) == 0 {
		return nil
	}
	before, err := w.tx.LocationByUID(ctx, c.Folder.ID, c.Folder.UIDValidity, slices.Collect(maps.Keys(c.Flags)))
	if err != nil {
		return err
	}
	for _, l := range before {
		after := models.Location{Flags: c.Flags[l.UID]}
		if l.Flagged() != after.Flagged() || l.Deleted() != after.Deleted() || l.Draft() != after.Draft() {
			w.letters[l.LetterID] = true
		}
	}
	return w.tx.SetFlags(ctx, c.Folder.ID, c.Folder.UIDValidity, c.Flags)
}

// Reset stores that a folder got another UIDVALIDITY. Moves that were only planned are given up with the UIDs that they
// name; they are planned anew as the copies are found again. See imapsync.Intake.
func (in *Intake) Reset(ctx context.Context, f models.Folder) error {
	return in.commit(ctx, in.settings.Load(), f.MailboxID, 1, "store a new uidvalidity", func(ctx context.Context, w *work) error {
		stored, err := w.tx.Folder(ctx, f.ID)
		if err != nil || stored.UIDValidity == f.UIDValidity {
			return err
		}
		lost, err := w.tx.MarkFolderReset(ctx, f.ID, stored.UIDValidity, w.now)
		if err != nil {
			return err
		}
		ids := make([]int64, 0, len(lost))
		for _, l := range lost {
			ids = append(ids, l.ID)
		}
		if _, err := w.tx.CancelFilings(ctx, ids); err != nil {
			return err
		}
		if err := w.forgetQuarantine(ctx, stored); err != nil {
			return err
		}
		f.LastUID = 0
		// The instant is part of the key: a folder may get back a value that it had before.
		w.event(models.EventMailboxReset, fmt.Sprintf("reset/%d/%d/%d", f.ID, f.UIDValidity, w.now.UnixMicro()), 0, f.MailboxID,
			models.Say("daemon.event.reset", "Folder", folderName(f)))
		return w.tx.AdvanceFolder(ctx, f)
	})
}

// forgetQuarantine ends the quarantine of a folder's old UIDs: the letters are tried again under their new ones.
func (w *work) forgetQuarantine(ctx context.Context, f models.Folder) error {
	list, err := w.tx.Quarantined(ctx, f.MailboxID)
	if err != nil {
		return err
	}
	var uids []uint32
	for _, q := range list {
		if q.FolderID == f.ID && q.UIDValidity == f.UIDValidity {
			uids = append(uids, q.UID)
		}
	}
	return w.tx.ResolveQuarantine(ctx, f.ID, f.UIDValidity, uids, w.now)
}

// resumeBatch is how many threads are decided anew in one transaction.
const resumeBatch = 50

// Resume decides anew about letters that should have been filed and were not: because the server refused, or there was
// no folder for them. Call it once at the start of the program.
func (in *Intake) Resume(ctx context.Context) error {
	threads, err := in.db.Read().ThreadsToFile(ctx)
	if err != nil {
		return fmt.Errorf("find letters that were not filed: %w", err)
	}
	for part := range slices.Chunk(threads, resumeBatch) {
		err := in.commit(ctx, in.settings.Load(), 0, len(part), "decide anew", func(_ context.Context, w *work) error {
			for _, id := range part {
				w.threads[id] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// commit runs one piece of work in a transaction, decides anew about every thread it touched, and pokes the mailboxes
// that have something to do. The mailbox and how much there is to store count for whose turn it is; see turns.
func (in *Intake) commit(ctx context.Context, set *Settings, mailbox int64, letters int, what string, f func(context.Context, *work) error) error {
	if err := in.turns.take(ctx, mailbox, letters); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer in.turns.give()
	var w *work
	err := in.db.Tx(ctx, func(tx *store.Tx) error {
		ctx := tx.Context()
		if err := tx.LockThreads(ctx); err != nil {
			return err
		}
		w = newWork(in, tx, set) // fresh each time: the store may run the function again
		if err := f(ctx, w); err != nil {
			return err
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		if err := w.noteReach(ctx); err != nil {
			return err
		}
		if err := w.decideTouched(ctx); err != nil {
			return err
		}
		return tx.AddEvents(ctx, w.events)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(w.pokes) > 0 {
		in.poke(slices.Sorted(maps.Keys(w.pokes))...)
	}
	return nil
}

// work is the state of one transaction.
type work struct {
	in     *Intake
	tx     *store.Tx
	set    *Settings
	now    time.Time
	dir    *directory
	linker deals.Linker
	key    deals.TokenKey // of the marks; nil until it is asked for
	index  threadIndex
	staged staged

	// Whether two addresses belong to one company. In a long conversation the same pairs are asked about again and again.
	sameParty func(a, b string) bool

	// Of the letters in the batch that are known, those stored by this transaction included.
	known   map[string]models.Letter // by fingerprint
	copies  map[int64][]models.Location
	filings map[int64][]models.Filing
	resets  map[int64][]time.Time // by folder

	dead  []store.DeadAddress // that reports of non-delivery name
	wrote []string            // addresses from which people have written

	letters   map[int64]bool // letters whose threads are to be decided anew
	threads   map[int64]bool
	events    []*models.Event
	decisions []*models.Decision // that leave a letter where it is
	filed     []*models.Decision // that want a letter filed
	plans     []plan
	pokes     map[int64]bool // mailboxes with newly planned moves
}

func newWork(in *Intake, tx *store.Tx, set *Settings) *work {
	dir := newDirectory(tx.Queries)
	w := &work{
		in: in, tx: tx, set: set, now: in.now().UTC().Truncate(time.Microsecond), // as exact as the store is
		sameParty: remembered(deals.SameParty(func(d string) bool { return set.Own.Domains[d] })),
		dir:       dir,
		index:     threadIndex{named: map[string][]int64{}, naming: map[string][]int64{}, into: map[int64]int64{}},
		known:     map[string]models.Letter{}, copies: map[int64][]models.Location{}, filings: map[int64][]models.Filing{},
		staged: newStaged(), resets: map[int64][]time.Time{}, letters: map[int64]bool{}, threads: map[int64]bool{}, pokes: map[int64]bool{},
	}
	w.linker = deals.Linker{Dir: dir, Key: w.tokenKey}
	return w
}

// remembered answers a question about two addresses that was asked before without asking again.
func remembered(ask func(a, b string) bool) func(a, b string) bool {
	known := map[[2]string]bool{}
	return func(a, b string) bool {
		answer, ok := known[[2]string{a, b}]
		if !ok {
			answer = ask(a, b)
			known[[2]string{a, b}] = answer
		}
		return answer
	}
}

// event records something that happened by itself, when the transaction is committed. The key tells whether it is
// recorded already. A letterID or mailboxID of 0 means that none is concerned. The caller may complete what is returned.
func (w *work) event(kind models.EventKind, key string, letterID, mailboxID int64, text models.Phrase) *models.Event {
	e := &models.Event{Kind: kind, OccurredAt: w.now, Actor: actor, DedupeKey: &key, Text: text}
	if letterID != 0 {
		e.LetterID = &letterID
	}
	if mailboxID != 0 {
		e.MailboxID = &mailboxID
	}
	w.events = append(w.events, e)
	return e
}

// actor is how Kontrol names itself in events and links.
const actor = "kontrol"
