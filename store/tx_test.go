package store_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

var errMade = errors.New("made up")

func TestTxIsAllOrNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id int64
		f := func(fail bool) error {
			return db.Tx(t.Context(), func(tx *store.Tx) error {
				th := models.Thread{BaseSubject: "x", LastAt: day}
				if err := tx.CreateThread(tx.Context(), &th); err != nil {
					return err
				}
				id = th.ID
				if _, err := tx.Thread(tx.Context(), id); err != nil {
					t.Errorf("not seen inside: %v", err)
				}
				if _, err := db.Read().Thread(t.Context(), id); !errors.Is(err, models.ErrNotFound) {
					t.Errorf("seen outside before the commit: %v", err)
				}
				if fail {
					return errMade
				}
				return nil
			})
		}
		if err := f(true); !errors.Is(err, errMade) {
			t.Errorf("error of the function: %v", err)
		}
		if _, err := db.Read().Thread(t.Context(), id); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("rolled back row: %v", err)
		}
		must(t, f(false))
		_, err := db.Read().Thread(t.Context(), id)
		must(t, err)
	})
}

func TestTxSurvivesPanic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = db.Tx(t.Context(), func(*store.Tx) error { panic("made up") })
		}()
		newLetter(t, db, "the writer is free again", nil)
	})
}

func TestTxInsideTxIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			ctx, cancel := context.WithCancel(tx.Context())
			defer cancel()
			return db.Tx(ctx, func(*store.Tx) error { return nil })
		})
		if !errors.Is(err, store.ErrNested) {
			t.Errorf("nested: %v", err)
		}
	})
}

func TestReaderCannotWriteAndDoesNotWait(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := newLetter(t, db, "a", nil)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.SetLetterText(ctx, l.ID, "new"); err != nil {
				return err
			}
			read, err := db.Read().Letter(t.Context(), l.ID)
			if read.Text != "" {
				t.Error("uncommitted text was read")
			}
			return err
		})
	})
}

// TestLostRacesAreRunAgain lets two transactions lock two rows in opposite order. PostgreSQL ends one of them.
func TestLostRacesAreRunAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, b := newLetter(t, db, "a", nil), newLetter(t, db, "b", nil)
		var wg sync.WaitGroup
		var first sync.WaitGroup
		if db.Kind() == "postgres" {
			first.Add(2) // both hold one row before either wants the other's
		}
		errs := make([]error, 2)
		for i, order := range [][2]int64{{a.ID, b.ID}, {b.ID, a.ID}} {
			wg.Go(func() {
				runs := 0
				errs[i] = db.Tx(t.Context(), func(tx *store.Tx) error {
					runs++
					if err := tx.SetLetterText(tx.Context(), order[0], "x"); err != nil {
						return err
					}
					if db.Kind() == "postgres" && runs == 1 {
						first.Done()
						first.Wait()
					}
					return tx.SetLetterText(tx.Context(), order[1], "y")
				})
			})
		}
		wg.Wait()
		must(t, errors.Join(errs...))
	})
}

func TestManyWritersLoseNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := store.ClientCard{Client: models.Client{Name: "Ромашка"}}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &c, "") })
		const writers, each = 6, 5
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() {
				for range each {
					d := models.Deal{ClientID: c.ID, Title: "x"}
					errs[i] = errors.Join(errs[i], db.Tx(t.Context(), func(tx *store.Tx) error {
						row := d
						return tx.CreateDeal(tx.Context(), &row, "")
					}))
				}
			})
		}
		wg.Wait()
		must(t, errors.Join(errs...))
		deals, err := db.Read().Deals(t.Context(), store.DealFilter{})
		must(t, err)
		for i, d := range deals {
			if d.Number != int64(writers*each-i) {
				t.Fatalf("deal %d has number %d", i, d.Number)
			}
		}
		if len(deals) != writers*each {
			t.Errorf("%d deals", len(deals))
		}
	})
}

// TestHostileText stores what PostgreSQL refuses and what letters from outside do contain.
func TestHostileText(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		long := strings.Repeat("ы", 5000)
		bad := "a\x00b\xff\xfe"
		l := newLetter(t, db, "hostile", func(l *models.Letter) {
			l.MessageID, l.Subject, l.BaseSubject, l.FromAddress, l.FromName = bad+long, bad+long, long, long, bad
			l.To, l.Text, l.ClassReason = models.Strings{bad, long}, bad, models.Say("x", "Bad", bad)
			l.ArrivedAt = day.In(time.FixedZone("MSK", 3*3600)).Add(123 * time.Nanosecond)
		}, bad+"@ref", long)
		stored, err := db.Read().Letter(t.Context(), l.ID)
		must(t, err)
		if stored.FromName != "ab\uFFFD" || stored.FromAddress != strings.Repeat("ы", 320) || stored.MessageID != "ab\uFFFD"+long {
			t.Errorf("stored %.20q %.20q %.20q", stored.FromName, stored.FromAddress, stored.MessageID)
		}
		if stored.ArrivedAt != day || l.ArrivedAt != day || l.FromName != stored.FromName {
			t.Errorf("what is returned differs from what is stored: %v %v", stored.ArrivedAt, l.ArrivedAt)
		}
		for _, found := range [][]string{{bad + long}, {"x", bad + long}} {
			rows, err := db.Read().LettersByMessageIDs(t.Context(), found)
			must(t, err)
			if len(rows) != 1 {
				t.Errorf("by message-id: %d letters", len(rows))
			}
		}
		rows, err := db.Read().LettersReferring(t.Context(), []string{bad + "@ref"})
		must(t, err)
		if len(rows) != 1 {
			t.Errorf("by reference: %d letters", len(rows))
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			keyA, keyB := long+"a", long+"b"
			for _, key := range []string{keyA, keyB} {
				added, err := tx.AddEvent(ctx, &models.Event{Kind: "x", DedupeKey: &key})
				if err != nil || !added {
					t.Errorf("event with a long key: %v %v", added, err)
				}
			}
			added, err := tx.AddEvent(ctx, &models.Event{Kind: "x", DedupeKey: &keyA})
			if added {
				t.Error("the same long key twice")
			}
			return errors.Join(err, tx.SetLetterText(ctx, l.ID, bad))
		})
	})
}

// statementCounter counts statements and keeps their texts.
type statementCounter struct {
	mu    sync.Mutex
	texts []string
}

func (c *statementCounter) Enabled(context.Context, slog.Level) bool { return true }
func (c *statementCounter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *statementCounter) WithGroup(string) slog.Handler            { return c }
func (c *statementCounter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	c.texts = append(c.texts, text)
	return nil
}

func (c *statementCounter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	texts := c.texts
	c.texts = nil
	return texts
}

// TestBatchesNeedFewStatements counts what 1200 letters cost, and looks for values in the log.
func TestBatchesNeedFewStatements(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		counter := &statementCounter{}
		db := storetest.Open(t, store.Config{URL: url, Logger: slog.New(counter)})
		o := newOffice(t, db, "sales@firma.example")
		const n = 1200
		ids, uids, flags := manyLetters(t, db, o, n)
		for _, text := range counter.take() {
			if strings.Contains(text, "Секрет") || strings.Contains(text, "client.example") {
				t.Fatalf("a value is in the log: %.200s", text)
			}
		}
		r, ctx, inbox := db.Read(), t.Context(), o.folders[models.FolderInbox].ID
		check := func(name string, limit, want int, f func() (int, error)) {
			t.Helper()
			got, err := f()
			must(t, err)
			if got != want {
				t.Errorf("%s: %d rows, want %d", name, got, want)
			}
			if texts := counter.take(); len(texts) > limit {
				t.Errorf("%s: %d statements, at most %d", name, len(texts), limit)
			}
		}
		check("letters", 3, n, func() (int, error) { rows, err := r.LettersByIDs(ctx, ids); return len(rows), err })
		check("live copies of letters", 6, n, func() (int, error) { rows, err := r.LiveLocationsOf(ctx, ids); return len(rows), err })
		check("by uid", 3, n, func() (int, error) { rows, err := r.LocationByUID(ctx, inbox, 7, uids); return len(rows), err })
		check("links", 9, 0, func() (int, error) { rows, err := r.CurrentLinks(ctx, ids); return len(rows), err })
		check("decisions", 3, 0, func() (int, error) { rows, err := r.LastDecisions(ctx, ids); return len(rows), err })
		check("references", 3, n, func() (int, error) { rows, err := r.ReferencesOf(ctx, ids); return len(rows), err })
		check("list", 5, 50, func() (int, error) { rows, err := r.ListLetters(ctx, store.LetterFilter{}); return len(rows), err })
		check("status", 10, 1, func() (int, error) { s, err := r.Status(ctx); return len(s.Mailboxes), err })
		check("set flags", 4, n, func() (int, error) {
			return n, db.Tx(ctx, func(tx *store.Tx) error { return tx.SetFlags(tx.Context(), inbox, 7, flags) })
		})
		check("mark gone", 6, n, func() (int, error) {
			var gone []models.Location
			err := db.Tx(ctx, func(tx *store.Tx) (err error) { gone, err = tx.MarkGone(tx.Context(), inbox, 7, uids, day); return err })
			return len(gone), err
		})
	})
}

func manyLetters(t *testing.T, db *store.DB, o office, n int) (ids []int64, uids []uint32, flags map[uint32][]string) {
	t.Helper()
	flags = make(map[uint32][]string)
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		ids, uids = nil, nil
		th := models.Thread{BaseSubject: "Секрет", LastAt: day}
		if err := tx.CreateThread(ctx, &th); err != nil {
			return err
		}
		for i := range n {
			l := models.Letter{Fingerprint: time.Duration(i).String(), ThreadID: th.ID, FromAddress: "x@client.example", Subject: "Секрет", ArrivedAt: day}
			if _, err := tx.UpsertLetter(ctx, &l, []string{"ref@client.example"}); err != nil {
				return err
			}
			loc := models.Location{LetterID: l.ID, MailboxID: o.mailbox.ID, FolderID: o.folders[models.FolderInbox].ID, UIDValidity: 7, UID: uint32(i + 1)}
			if _, err := tx.AddLocation(ctx, &loc); err != nil {
				return err
			}
			ids, uids = append(ids, l.ID), append(uids, loc.UID)
			flags[loc.UID] = []string{`\Seen`}
		}
		return nil
	})
	return ids, uids, flags
}
