package daemon

import (
	"context"

	"kontrol/config"
	"kontrol/imapsync"
	"kontrol/models"
)

// watched is one mailbox and its engine.
type watched struct {
	row    models.Mailbox
	box    config.Mailbox
	syncer *imapsync.Syncer
	again  chan struct{} // signalled by Reload: a stopped mailbox is tried again
}

func (a *App) newWatched(row models.Mailbox, box config.Mailbox) *watched {
	w := &watched{row: row, box: box, again: make(chan struct{}, 1)}
	w.syncer = a.newSyncer(row, box)
	return w
}

// watch runs one mailbox until ctx ends. A mailbox that stopped for good waits for Reload.
func (a *App) watch(ctx context.Context, w *watched) {
	if !a.stagger(ctx) {
		return
	}
	for {
		err := w.syncer.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		a.log.Error("mailbox stopped", "mailbox", w.row.Address, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-w.again:
		}
	}
}

// newSyncer builds the engine of a mailbox from its config.
func (a *App) newSyncer(row models.Mailbox, box config.Mailbox) *imapsync.Syncer {
	log := a.opts.Logger.With("mailbox", row.Address)
	dialer := imapsync.NewDialer(a.account(row, box), log, a.now)
	names := imapsync.Names{Sent: box.Folders.Sent, Processed: box.Folders.Processed, Control: box.Folders.Control}
	return imapsync.NewSyncer(imapsync.SyncerConfig{
		MailboxID: row.ID, Address: row.Address, Dialer: dialer, Intake: a.intake, Folders: a.db,
		Mover: imapsync.NewMover(a.db, imapsync.MoverConfig{LeaveDeleted: box.WithoutUIDPlus == config.LeaveDeleted}, a.now, log),
		Resolve: func(ctx context.Context, s imapsync.Session) (map[models.FolderRole]models.Folder, error) {
			found, notes, err := imapsync.ResolveFolders(ctx, s, names)
			for _, n := range notes {
				log.Warn("folders", "note", n)
			}
			return found, err
		},
		Timing: a.opts.Timing, Logger: log, Now: a.now, InitialRefusals: row.LoginRefusals,
	})
}

func (a *App) account(row models.Mailbox, box config.Mailbox) imapsync.Account {
	return imapsync.Account{
		MailboxID: row.ID, Address: row.Address, URL: imapURL(box.Server.IMAP), Username: box.Username, Secret: a.secretOf(row.Address),
		CAFile: box.Server.CAFile, DisableExtensions: box.Server.DisableExtensions,
	}
}

// secretOf reads the password from the config in force at each login, so that Reload can bring a new one.
func (a *App) secretOf(address string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		a.mu.Lock()
		cfg := a.cfg
		a.mu.Unlock()
		for _, m := range cfg.Mailboxes() {
			if models.NormalAddress(m.Address) == address {
				return m.Secret(ctx)
			}
		}
		return "", models.ErrNotFound
	}
}

// imapURL writes an endpoint the way the mailbox engine takes it.
func imapURL(e config.Endpoint) string {
	scheme := map[config.Security]string{config.TLS: "imaps", config.STARTTLS: "imap", config.Insecure: "imap+insecure"}[e.Security]
	return scheme + "://" + e.Addr()
}
