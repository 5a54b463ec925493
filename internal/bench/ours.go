package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/internal/bench/letters"
	"kontrol/models"
	"kontrol/store"
)

// fetchBatch is how many letters are fetched at once by the jobs that use a session directly.
const fetchBatch = 500

// eachFact fetches and reads all letters of INBOX.
func (c *child) eachFact(ctx context.Context, s imapsync.Session, readOnly bool, each func(imapsync.Fetched, inbound.Facts) error) error {
	if _, err := s.Select(ctx, "INBOX", readOnly); err != nil {
		return err
	}
	metas, err := s.UIDs(ctx, 1, 0)
	if err != nil {
		return err
	}
	type batch struct {
		letters []imapsync.Fetched
		err     error
	}
	ahead := make(chan batch, 1) // the next is fetched while one is read, as the Syncer does it
	ctx, stop := context.WithCancel(ctx)
	fetched := make(chan struct{})
	defer func() { stop(); <-fetched }()
	go func() {
		defer close(fetched)
		defer close(ahead)
		for part := range slices.Chunk(metas, fetchBatch) {
			uids := make([]uint32, 0, len(part))
			for _, m := range part {
				uids = append(uids, m.UID)
			}
			got, err := s.Fetch(ctx, uids, c.Text)
			select {
			case ahead <- batch{got.Letters, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for b := range ahead {
		if b.err != nil {
			return b.err
		}
		facts, err := readAll(b.letters)
		if err != nil {
			return err
		}
		for i, l := range b.letters {
			if err := each(l, facts[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAll reads letters on all processors, as the daemon's intake does it.
func readAll(list []imapsync.Fetched) ([]inbound.Facts, error) {
	facts, errs := make([]inbound.Facts, len(list)), make([]error, len(list))
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				l := list[i]
				facts[i], errs[i] = inbound.Read(inbound.Source{
					Header: l.Header, Text: l.Text, Size: l.Size, InternalDate: l.InternalDate, TextCut: int64(len(l.Header)+len(l.Text)) < l.Size,
				}, own())
			}
		})
	}
	all.Wait()
	return facts, errors.Join(errs...)
}

// fetchChild fetches and understands all letters, and stores nothing.
func fetchChild(ctx context.Context, c *child) error {
	return c.timed("fetch", func() error {
		s, err := imapsync.NewDialer(c.account(), logger(), time.Now).Dial(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		return c.eachFact(ctx, s, true, func(imapsync.Fetched, inbound.Facts) error {
			c.out.Count++
			return nil
		})
	})
}

// takeInChild is a first sync with everything: letters read, stored, linked to clients and decided about.
func takeInChild(ctx context.Context, c *child) error {
	e, err := c.newEngine(ctx)
	if err != nil {
		return err
	}
	err = e.sync(ctx, "take in", 10*time.Millisecond, func() (bool, error) {
		f, err := e.folder(ctx, models.FolderInbox)
		return f.LastUID >= c.LastUID && (!c.Whole || f.UIDNext > c.LastUID), err
	})
	if err == nil {
		c.out.Count, err = e.db.Read().CountLetters(ctx, store.LetterFilter{MailboxID: e.box.ID, Role: models.FolderInbox})
	}
	return errors.Join(err, e.close())
}

// deltaChild is a mailbox that was away: it connects, and works until the database has every change. As in a running daemon
// the database is open, and it is not the first letter of the program's life that is read.
func deltaChild(ctx context.Context, c *child) error {
	if _, err := readAll([]imapsync.Fetched{{Header: []byte(ordinary)}}); err != nil {
		return err
	}
	e, err := c.newEngine(ctx)
	if err != nil {
		return err
	}
	inbox, err := e.folder(ctx, models.FolderInbox)
	if err != nil {
		return errors.Join(err, e.close())
	}
	uids := append([]uint32(nil), c.Changed...)
	for uid := c.NewFrom; uid <= c.LastUID; uid++ {
		uids = append(uids, uid)
	}
	err = e.sync(ctx, "delta", time.Millisecond, func() (bool, error) { return int(e.stored.n.Load()) >= len(uids), nil })
	if err == nil {
		var rows []models.Location
		if rows, err = e.db.Read().LocationByUID(ctx, inbox.ID, inbox.UIDValidity, uids); err == nil {
			for _, l := range rows {
				if l.UID >= c.NewFrom || l.Flags.Has(`\Flagged`) {
					c.out.Count++
				}
			}
		}
	}
	return errors.Join(err, e.close())
}

// ordinary is the header of a letter like many.
const ordinary = "From: \"Ivanov\" <ivanov@example.org>\r\nTo: sales@example.com\r\nDate: Mon, 2 Nov 2026 10:00:00 +0300\r\n" +
	"Subject: =?utf-8?B?0JfQsNC/0YDQvtGB?=\r\nMessage-ID: <1@example.org>\r\n\r\n"

// matched is a letter that a rule files.
type matched struct {
	copy   imapsync.Fetched
	facts  inbound.Facts
	folder int
}

// triageChild evaluates thirty rules over the headers of all letters and files what matches, over the journal of moves.
func triageChild(ctx context.Context, c *child) error {
	e, err := c.newEngine(ctx)
	if err != nil {
		return err
	}
	var s imapsync.Session
	planned := 0
	err = c.timed("take in", func() error {
		if s, err = e.dialer.Dial(ctx); err != nil {
			return err
		}
		planned, err = e.takeMatching(ctx, s)
		return err
	})
	if s != nil {
		defer s.Close()
	}
	if err == nil {
		err = c.timed("move", func() error { return e.mover.Run(ctx, s, e.box.ID) })
	}
	if err == nil {
		var open map[int64]int
		open, err = e.db.Read().OpenFilingsCount(ctx)
		c.out.Count = planned - open[e.box.ID]
	}
	return errors.Join(err, e.close())
}

// takeMatching stores the letters that a rule files and a planned move for each, one batch while the next is fetched and
// read, as the Syncer does it. It returns how many there were.
func (e *engine) takeMatching(ctx context.Context, s imapsync.Session) (int, error) {
	folders, err := e.bind(ctx, s)
	if err != nil {
		return 0, err
	}
	targets := [2]models.Folder{folders[models.FolderProcessed], folders[models.FolderControl]}
	ready, stored := make(chan []matched, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		var err error
		for part := range ready {
			if err == nil {
				err = e.db.Tx(ctx, func(tx *store.Tx) error { return planSome(tx, folders[models.FolderInbox], targets, part) })
			}
			if err != nil {
				stop()
			}
		}
		stored <- err
	}()
	matcher, planned, todo := letters.NewMatcher(), 0, []matched(nil)
	err = e.c.eachFact(ctx, s, false, func(l imapsync.Fetched, f inbound.Facts) error {
		if folder, ok := matcher.Match(f.Letter.FromAddress, f.Letter.Subject, f.References); ok {
			planned++
			todo = append(todo, matched{l, f, folder})
		}
		if len(todo) == fetchBatch {
			ready <- todo
			todo = nil
		}
		return nil
	})
	if err == nil && len(todo) > 0 {
		ready <- todo
	}
	close(ready)
	return planned, errors.Join(err, <-stored)
}

// planSome does for some letters what the daemon's intake does for a batch, but for clients and decisions.
func planSome(tx *store.Tx, inbox models.Folder, targets [2]models.Folder, part []matched) error {
	ctx, now := tx.Context(), time.Now().UTC()
	ids, err := tx.ReserveLetters(ctx, len(part))
	if err != nil {
		return err
	}
	places, err := tx.ReserveLocations(ctx, len(part))
	if err != nil {
		return err
	}
	threads, list := make([]*models.Thread, 0, len(part)), make([]*models.Letter, 0, len(part))
	for i := range part {
		threads = append(threads, &models.Thread{BaseSubject: part[i].facts.Letter.BaseSubject, LastAt: now, CreatedAt: now})
	}
	if err := tx.AddThreads(ctx, threads); err != nil {
		return err
	}
	var references []models.Reference
	var locations []models.Location
	filings := make([]*models.Filing, 0, len(part))
	for i := range part {
		m := &part[i]
		letter := &m.facts.Letter
		letter.ID, letter.ThreadID, letter.CreatedAt = ids[i], threads[i].ID, now
		store.FitLetter(letter)
		list = append(list, letter)
		for n, id := range m.facts.References {
			references = append(references, models.Reference{LetterID: ids[i], Position: n, MessageID: id})
		}
		at := m.copy.InternalDate.UTC()
		locations = append(locations, models.Location{
			ID: places[i], LetterID: ids[i], MailboxID: inbox.MailboxID, FolderID: inbox.ID, UIDValidity: inbox.UIDValidity, UID: m.copy.UID,
			Flags: m.copy.Flags, InternalDate: &at, Size: m.copy.Size, HeaderHash: imapsync.HeaderHash(m.copy.Header), SeenAt: now,
		})
		filings = append(filings, &models.Filing{LocationID: places[i], TargetFolderID: targets[m.folder].ID})
	}
	if err := tx.AddLetters(ctx, list); err != nil {
		return err
	}
	if err := tx.AddReferences(ctx, references); err != nil {
		return err
	}
	if err := tx.AddLocations(ctx, locations); err != nil {
		return err
	}
	return tx.PlanFilings(ctx, filings)
}

// bind finds the folders on the server and stores them.
func (e *engine) bind(ctx context.Context, s imapsync.Session) (map[models.FolderRole]models.Folder, error) {
	found, _, err := imapsync.ResolveFolders(ctx, s, names())
	if err != nil {
		return nil, err
	}
	for role, f := range found {
		sel, err := s.Status(ctx, f.Name)
		if err != nil {
			return nil, err
		}
		f.MailboxID, f.Role, f.UIDValidity = e.box.ID, role, sel.UIDValidity
		if err := e.db.SaveFolder(ctx, &f); err != nil {
			return nil, err
		}
		found[role] = f
	}
	return found, nil
}
