package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	FirstLookWindow time.Duration // letters older than this at the first look are left alone
}

// Intake implements imapsync.Intake: it turns what the mailbox engine found into stored letters, links, decisions and
// planned moves, one transaction for each call. It is safe for concurrent use by the syncers of all mailboxes.
type Intake struct {
	db       *store.DB
	settings atomic.Pointer[Settings]
	started  time.Time // moves that failed before this are planned anew
	poke     func(mailboxIDs ...int64)
	now      func() time.Time
	log      *slog.Logger
}

// NewIntake makes an Intake. The function poke is called after a commit with the mailboxes that have planned moves; it
// must not block.
func NewIntake(db *store.DB, s Settings, poke func(...int64), now func() time.Time, log *slog.Logger) *Intake {
	in := &Intake{db: db, started: now(), poke: poke, now: now, log: log.With("component", "intake")}
	in.settings.Store(&s)
	return in
}

// SetSettings swaps the settings; letters being taken in at this moment finish with the old ones.
func (in *Intake) SetSettings(s Settings) { in.settings.Store(&s) }

// reading is one fetched copy after it has been understood.
type reading struct {
	copy  imapsync.Fetched
	facts inbound.Facts
	err   error
}

// Arrived stores a batch of newly seen copies. See imapsync.Intake.
func (in *Intake) Arrived(ctx context.Context, a imapsync.Arrival) error {
	set := in.settings.Load()
	read := make([]reading, 0, len(a.Letters))
	for _, c := range a.Letters { // understanding is pure and may be slow: outside the transaction
		f, err := inbound.Read(inbound.Source{
			Header: c.Header, Text: c.Text, Size: c.Size, InternalDate: c.InternalDate,
			TextCut: int64(len(c.Header)+len(c.Text)) < c.Size,
		}, set.Own)
		read = append(read, reading{copy: c, facts: f, err: err})
	}
	return in.commit(ctx, set, "take letters in", func(ctx context.Context, w *work) error {
		if err := w.takeBatch(ctx, a, read); err != nil {
			return err
		}
		return w.tx.AdvanceFolder(ctx, a.Folder)
	})
}

// Changed stores which known copies left a folder and which have other flags. See imapsync.Intake.
func (in *Intake) Changed(ctx context.Context, c imapsync.Change) error {
	return in.commit(ctx, in.settings.Load(), "store changes", func(ctx context.Context, w *work) error {
		gone, err := w.tx.MarkGone(ctx, c.Folder.ID, c.Folder.UIDValidity, c.Gone, w.now)
		if err != nil {
			return err
		}
		for _, l := range gone {
			if err := w.event(ctx, models.EventLetterGone, fmt.Sprintf("gone/%d", l.ID), l.LetterID, l.MailboxID,
				models.Say("daemon.event.gone", "Folder", models.Say("folder."+string(c.Folder.Role)))); err != nil {
				return err
			}
		}
		if err := w.reflag(ctx, c); err != nil {
			return err
		}
		return w.tx.AdvanceFolder(ctx, c.Folder)
	})
}

// Reset stores that a folder got another UIDVALIDITY. See imapsync.Intake.
func (in *Intake) Reset(ctx context.Context, f models.Folder) error {
	return in.commit(ctx, in.settings.Load(), "store a new uidvalidity", func(ctx context.Context, w *work) error {
		stored, err := w.tx.Folder(ctx, f.ID)
		if err != nil {
			return err
		}
		if _, err := w.tx.MarkFolderReset(ctx, f.ID, stored.UIDValidity, w.now); err != nil {
			return err
		}
		f.LastUID = 0
		if err := w.tx.AdvanceFolder(ctx, f); err != nil {
			return err
		}
		return w.event(ctx, models.EventMailboxReset, fmt.Sprintf("reset/%d/%d", f.ID, f.UIDValidity), 0, f.MailboxID,
			models.Say("daemon.event.reset", "Folder", models.Say("folder."+string(f.Role))))
	})
}

// reflag stores changed flags; a new star may change a decision.
func (w *work) reflag(ctx context.Context, c imapsync.Change) error {
	if len(c.Flags) == 0 {
		return nil
	}
	if err := w.tx.SetFlags(ctx, c.Folder.ID, c.Folder.UIDValidity, c.Flags); err != nil {
		return err
	}
	changed, err := w.tx.LocationByUID(ctx, c.Folder.ID, c.Folder.UIDValidity, slices.Collect(maps.Keys(c.Flags)))
	if err != nil {
		return err
	}
	for _, l := range changed {
		w.touchLetter(l.LetterID)
	}
	return nil
}

// commit runs one piece of work in a transaction, decides anew about every thread it touched, and pokes the mailboxes
// that have something to do.
func (in *Intake) commit(ctx context.Context, set *Settings, what string, f func(context.Context, *work) error) error {
	var w *work
	err := in.db.Tx(ctx, func(tx *store.Tx) error {
		ctx := tx.Context()
		w = newWork(in, tx, set) // fresh each time: the store may run the function again
		if err := f(ctx, w); err != nil {
			return err
		}
		return w.decideTouched(ctx)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(w.pokes) > 0 {
		in.poke(w.pokeList()...)
	}
	return nil
}

// work is the state of one transaction.
type work struct {
	in      *Intake
	tx      *store.Tx
	set     *Settings
	now     time.Time
	linker  deals.Linker
	letters map[int64]bool // letters whose threads are to be decided anew
	threads map[int64]bool
	pokes   map[int64]bool // mailboxes with newly planned moves
}

func newWork(in *Intake, tx *store.Tx, set *Settings) *work {
	return &work{
		in: in, tx: tx, set: set, now: in.now().UTC(), linker: deals.Linker{Dir: directory{tx.Queries}},
		letters: map[int64]bool{}, threads: map[int64]bool{}, pokes: map[int64]bool{},
	}
}

func (w *work) touchLetter(id int64) { w.letters[id] = true }

func (w *work) pokeList() []int64 {
	list := make([]int64, 0, len(w.pokes))
	for id := range w.pokes {
		list = append(list, id)
	}
	return list
}

// event records something that happened by itself. A letterID of 0 means that no letter is concerned.
func (w *work) event(ctx context.Context, kind models.EventKind, key string, letterID, mailboxID int64, text models.Phrase) error {
	e := models.Event{
		Kind: kind, OccurredAt: w.now, RecordedAt: w.now, Actor: actor, DedupeKey: &key, MailboxID: &mailboxID, Text: text,
	}
	if letterID != 0 {
		e.LetterID = &letterID
	}
	_, err := w.tx.AddEvent(ctx, &e)
	return err
}

// actor is how Kontrol names itself in events and links.
const actor = "kontrol"
