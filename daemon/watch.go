package daemon

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"kontrol/config"
	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/store"
)

// watched is one mailbox and its engine.
type watched struct {
	row    models.Mailbox
	box    config.Mailbox
	syncer atomic.Pointer[imapsync.Syncer] // replaced when a stopped mailbox is tried again
	again  chan struct{}                   // signalled by Reload
	fresh  chan struct{}                   // signalled when somebody has logged in anew

	mu  sync.Mutex
	end context.CancelFunc // ends the engine that runs; nil when none does
}

func (a *App) newWatched(row models.Mailbox, box config.Mailbox) *watched {
	w := &watched{row: row, box: box, again: make(chan struct{}, 1), fresh: make(chan struct{}, 1)}
	w.syncer.Store(a.newSyncer(row, box))
	return w
}

// watch runs one mailbox until ctx ends. A mailbox that stopped for good waits for Reload, and is then tried once: its
// refused logins still count.
func (a *App) watch(ctx context.Context, w *watched) {
	for {
		select { // a Reload before this login has been heeded by it
		case <-w.again:
		default:
		}
		life, ended := w.running(ctx)
		err := w.syncer.Load().Run(life)
		again := ended()
		if ctx.Err() != nil {
			return
		}
		if again {
			w.syncer.Store(a.newSyncer(w.unrefused(), w.box))
			continue
		}
		a.log.Error("mailbox stopped", "mailbox", w.row.Address, "error", err)
		if err := a.recordStop(ctx, w.row, err); err != nil {
			a.log.Error("the stop of a mailbox was not recorded", "mailbox", w.row.Address, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.fresh:
			w.syncer.Store(a.newSyncer(w.unrefused(), w.box))
			continue
		case <-w.again:
		}
		row := w.row
		if fresh, err := a.db.Read().Mailbox(ctx, w.row.Address); err == nil {
			row.LoginRefusals, row.RefusedAt = fresh.LoginRefusals, fresh.RefusedAt
		}
		w.syncer.Store(a.newSyncer(row, w.box))
	}
}

// unrefused is the mailbox's row as after a login by a person.
func (w *watched) unrefused() models.Mailbox {
	row := w.row
	row.LoginRefusals = 0
	return row
}

// recordStop puts into the history that a mailbox is not watched any more, and why.
func (a *App) recordStop(ctx context.Context, row models.Mailbox, cause error) error {
	phrase, _ := models.PhraseOf(cause)
	return a.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.AddEvent(tx.Context(), &models.Event{Kind: models.EventMailboxStopped, Actor: actor, MailboxID: &row.ID, Text: phrase})
		return err
	})
}

// newSyncer builds the engine of a mailbox from its config.
func (a *App) newSyncer(row models.Mailbox, box config.Mailbox) *imapsync.Syncer {
	log := a.opts.Logger // the engine names the mailbox in each line
	account := accountOf(box, a.secretOf(row.Address))
	account.MailboxID, account.Hosts, account.Token = row.ID, a.hosts, a.logins.Token(box)
	second := account
	second.Second = true
	names := namesOf(box)
	return imapsync.NewSyncer(imapsync.SyncerConfig{
		MailboxID: row.ID, Address: row.Address, Intake: a.intake,
		Dialer: imapsync.NewDialer(account, log, a.now), Second: imapsync.NewDialer(second, log, a.now),
		Folders: mailboxHealth{a.health, row.Address}, Quarantine: a.db,
		Mover:  imapsync.NewMover(a.db, imapsync.MoverConfig{LeaveDeleted: box.WithoutUIDPlus == config.LeaveDeleted}, a.now, log.With("mailbox", row.Address)),
		Budget: a.budget,
		Resolve: func(ctx context.Context, s imapsync.Session) (map[models.FolderRole]models.Folder, error) {
			found, notes, err := imapsync.ResolveFolders(ctx, s, names)
			for _, n := range notes {
				log.Info("folders", "mailbox", row.Address, "note", n)
			}
			return found, err
		},
		Timing: a.opts.Timing, Logger: log, Now: a.now, InitialRefusals: row.LoginRefusals, InitialRefusedAt: row.RefusedAt,
	})
}

// secretOf reads the password from the config in force at each login, so that Reload can bring a new one.
func (a *App) secretOf(address string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		a.mu.Lock()
		secret := a.secrets[address]
		a.mu.Unlock()
		if secret != nil {
			return secret(ctx)
		}
		return "", fmt.Errorf("password of mailbox %s: %w", address, models.ErrNotFound)
	}
}

// imapURL writes an endpoint the way the mailbox engine takes it.
func imapURL(e config.Endpoint) string {
	scheme := map[config.Security]string{config.TLS: "imaps", config.STARTTLS: "imap", config.Insecure: "imap+insecure"}[e.Security]
	return scheme + "://" + e.Addr()
}
