package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kontrol/daemon"
	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/internal/bench/letters"
	"kontrol/models"
	"kontrol/store"
)

// This file joins the parts of Kontrol that the jobs measure. What changes in the engine's interfaces is followed here.

// account is the mailbox as the engine reaches it. Without TLS, as the other sides.
func (c *child) account() imapsync.Account {
	a := imapsync.Account{
		Address: c.address(), URL: "imap+insecure://" + c.IMAP, Username: c.User,
		Secret: func(context.Context) (string, error) { return c.Password, nil },
	}
	if c.NoCond {
		a.DisableExtensions = []string{"CONDSTORE", "QRESYNC"} // the second implies the first
	}
	return a
}

func (c *child) address() string { return c.User + "@" + letters.Company }

func own() inbound.Own { return inbound.NewOwn(nil, []string{letters.Company}) }

// logger writes warnings where the parent shows them when the run fails.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Writer(os.Stderr), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// engine is one mailbox's engine over a database.
type engine struct {
	stored *counted
	c      *child
	db     *store.DB
	box    models.Mailbox
	dialer imapsync.Dialer
	mover  *imapsync.Mover
	syncer *imapsync.Syncer
}

// newEngine opens the database and builds the engine as the daemon does. Close it.
func (c *child) newEngine(ctx context.Context) (*engine, error) {
	db, err := store.Open(ctx, store.Config{URL: c.Database, Logger: logger(), AllowOldSchema: true})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	e := &engine{c: c, db: db}
	if err := e.build(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return e, nil
}

func (e *engine) close() error { return e.db.Close() }

func (e *engine) build(ctx context.Context) error {
	if _, err := e.db.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	list := []models.Mailbox{{Address: e.c.address(), Kind: models.MailboxShared}}
	err := e.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.SyncMailboxes(tx.Context(), list); err != nil {
			return err
		}
		return seedClients(tx)
	})
	if err != nil {
		return fmt.Errorf("store mailbox and clients: %w", err)
	}
	if e.box, err = e.db.Read().Mailbox(ctx, e.c.address()); err != nil {
		return err
	}
	settings := daemon.Settings{Own: own(), FirstLookWindow: 30 * 24 * time.Hour}
	e.stored = &counted{Intake: daemon.NewIntake(e.db, settings, func(...int64) { e.syncer.Poke() }, time.Now, logger())}
	account := e.c.account()
	account.MailboxID = e.box.ID
	e.dialer = imapsync.NewDialer(account, logger(), time.Now)
	e.mover = imapsync.NewMover(e.db, imapsync.MoverConfig{}, time.Now, logger())
	e.syncer = imapsync.NewSyncer(imapsync.SyncerConfig{
		MailboxID: e.box.ID, Address: e.box.Address, Dialer: e.dialer, Intake: e.stored, Folders: e.db, Quarantine: e.db, Mover: e.mover,
		Names: names(), Logger: logger(), Now: time.Now,
	})
	return nil
}

func names() imapsync.Names {
	f := letters.Folders()
	return imapsync.Names{Processed: f[0], Control: f[1]}
}

// seedClients makes the companies that write clients, so that letters are linked. It does nothing the second time.
func seedClients(tx *store.Tx) error {
	known, err := tx.ListClients(tx.Context(), store.ClientFilter{}, 1, 0)
	if err != nil || len(known) > 0 {
		return err
	}
	for i := range letters.Domains {
		c := store.ClientCard{
			Client:  models.Client{Name: fmt.Sprintf("ООО «Заказчик %02d»", i)},
			Domains: []models.ClientDomain{{Domain: letters.Domain(i)}},
		}
		if err := tx.CreateClient(tx.Context(), &c, "bench"); err != nil {
			return err
		}
	}
	return nil
}

// folder returns the stored folder with a role; the zero Folder while it is not known.
func (e *engine) folder(ctx context.Context, role models.FolderRole) (models.Folder, error) {
	f, err := e.db.Read().FolderByRole(ctx, e.box.ID, role)
	if errors.Is(err, models.ErrNotFound) {
		return models.Folder{}, nil
	}
	return f, err
}

// counted counts what the database has: letters, and copies whose flags have changed.
type counted struct {
	*daemon.Intake
	n atomic.Int64
}

// Arrived counts the letters once they are stored.
func (k *counted) Arrived(ctx context.Context, a imapsync.Arrival) error {
	err := k.Intake.Arrived(ctx, a)
	if err == nil {
		k.n.Add(int64(len(a.Letters)))
	}
	return err
}

// Changed counts the copies whose flags are stored.
func (k *counted) Changed(ctx context.Context, c imapsync.Change) error {
	err := k.Intake.Changed(ctx, c)
	if err == nil {
		k.n.Add(int64(len(c.Flags)))
	}
	return err
}

// sync runs the engine until done says so, and times that. The polite end of the connection is not the work's.
func (e *engine) sync(ctx context.Context, name string, every time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	err := e.c.timed(name, func() error {
		go func() { ended <- e.syncer.Run(ctx) }()
		return until(ctx, every, 30*time.Minute, done)
	})
	cancel()
	return errors.Join(err, <-ended)
}
