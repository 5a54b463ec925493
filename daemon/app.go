package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"kontrol/config"
	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// StopWithin is how long a graceful stop may take: half of it for the mailboxes to finish the command they are at, the
// rest for jobs and the database. What is not finished by then is found in the journal at the next start.
const StopWithin = 10 * time.Second

// letterMemory is how many octets of letters all mailboxes together hold between their servers and the database.
const letterMemory = 64 << 20

// Options are what App needs from outside.
type Options struct {
	Config *config.Config
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now
	Timing imapsync.Timing  // zero values mean the defaults; tests and the demo shorten some
	// Tell is called with what a person at the terminal should hear of: a mailbox in trouble, and that it is over. It is
	// called from several goroutines and must not block. Nil: nobody is told; `kontrol status` shows it all the same.
	Tell func(models.Phrase)
	// Load reads the config again for Reload. Nil: Reload reports that there is nothing to read.
	Load func() (*config.Config, error)
}

// App is the running daemon as a value. Make it with New, run it once with Run. Reload and DB may be called from
// any goroutine while it runs.
type App struct {
	opts   Options
	log    *slog.Logger
	now    func() time.Time
	db     *store.DB
	intake *Intake
	undo   []func() // what New has opened, last first
	closed sync.Once
	boxes  map[int64]*watched // by mailbox; not changed after New
	health *healthTeller
	hosts  *imapsync.Hosts // shares out the connections to the mail servers
	budget *imapsync.Budget
	logins *Logins

	mu  sync.Mutex
	cfg *config.Config // the one in force; never changed, only replaced
	// secrets are the passwords of cfg by mailbox: thousands of mailboxes log in, and each is found at once.
	secrets map[string]func(context.Context) (string, error)
}

// New opens and migrates the database, takes the daemon's lock on it, stores who works here and builds the mailboxes'
// engines. It connects to no mail server yet. On error everything opened so far is closed again. Close it if Run is never
// called.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{opts: o, log: o.Logger.With("component", "daemon"), now: o.Now, boxes: map[int64]*watched{}}
	a.setConfig(o.Config)
	a.budget = imapsync.NewBudget(letterMemory)
	if a.now == nil {
		a.now = time.Now
	}
	if err := a.build(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) build(ctx context.Context) error {
	// The schema is brought up to date only under the daemon's lock: not below the feet of a daemon that runs.
	db, err := store.Open(ctx, store.Config{URL: a.cfg.DatabaseURL(), Logger: a.opts.Logger, Now: a.now, AllowOldSchema: true})
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	a.db = db
	a.undo = append(a.undo, func() {
		if err := db.Close(); err != nil {
			a.log.Error("closing the database", "error", err)
		}
	})
	unlock, err := db.LockDaemon(ctx)
	if err != nil {
		return fmt.Errorf("lock database for the daemon: %w", err)
	}
	a.undo = append(a.undo, unlock)
	if _, err := db.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	a.intake = NewIntake(db, SettingsOf(a.cfg), a.poke, a.now, a.opts.Logger)
	rows, err := a.storeStaff(ctx)
	if err != nil {
		return err
	}
	a.health = newHealthTeller(db, a.opts.Tell)
	a.hosts = imapsync.NewHosts(imapsync.HostsConfig{Now: a.now})
	if err := a.boundHosts(a.cfg); err != nil {
		return err
	}
	a.logins = NewLogins(a.cfg, a.db, a.now, a.opts.Logger.With("component", "oauth"))
	for _, m := range a.cfg.Mailboxes() {
		row, ok := rows[models.NormalAddress(m.Address)]
		if !ok {
			return fmt.Errorf("mailbox %s: %w", m.Address, models.ErrNotFound)
		}
		a.boxes[row.ID] = a.newWatched(row, m)
	}
	return nil
}

// boundHosts puts into force how much of each mail host the config allows.
func (a *App) boundHosts(cfg *config.Config) error {
	for _, m := range cfg.Mailboxes() {
		if err := a.hosts.Bound(imapURL(m.Server.IMAP), boundsOf(cfg, m.Server)); err != nil {
			return err
		}
	}
	return nil
}

// boundsOf joins what the config says of a server and of its host: of two numbers of connections the lower one counts.
func boundsOf(cfg *config.Config, s config.ServerConfig) imapsync.Bounds {
	h := cfg.HostLimits(s.IMAP.Host)
	b := imapsync.Bounds{
		Connections: h.Connections, PerAccount: h.PerMailbox, Commands: h.CommandsPerMinute,
		Logins: h.Logins, PerSecond: h.LoginsPerSecond, FirstRetry: h.FirstRetry.Std(), LastRetry: h.LastRetry.Std(),
	}
	if s.MaxConnections > 0 && (b.Connections == 0 || s.MaxConnections < b.Connections) {
		b.Connections = s.MaxConnections
	}
	return b
}

// SettingsOf takes from the config what intake and Relink need.
func SettingsOf(c *config.Config) Settings {
	window := c.Triage.FirstLook.Std()
	if window == 0 {
		window = -1 // to the rules zero means the default, in the config it means none
	}
	var people, domains []string
	for _, a := range c.Private.Addresses {
		if strings.HasPrefix(a, "@") {
			domains = append(domains, a)
		} else {
			people = append(people, a)
		}
	}
	return Settings{
		Own: inbound.NewOwn(c.OwnAddresses(), c.OwnDomains()), Private: inbound.NewOwn(people, domains), OwnINN: c.Company.INN,
		FirstLookWindow: window,
	}
}

// storeStaff writes managers and mailboxes of the config into the store and returns the mailboxes by address.
func (a *App) storeStaff(ctx context.Context) (map[string]models.Mailbox, error) {
	if err := a.db.Tx(ctx, func(tx *store.Tx) error { return syncStaff(tx.Context(), tx, a.cfg) }); err != nil {
		return nil, fmt.Errorf("store managers and mailboxes: %w", err)
	}
	all, err := a.db.Read().Mailboxes(ctx)
	if err != nil {
		return nil, fmt.Errorf("read mailboxes: %w", err)
	}
	rows := make(map[string]models.Mailbox, len(all))
	for _, m := range all {
		rows[m.Address] = m
	}
	return rows, nil
}

// setConfig puts a config into force. App.mu is held, except in New.
func (a *App) setConfig(c *config.Config) {
	a.cfg = c
	boxes := c.Mailboxes()
	a.secrets = make(map[string]func(context.Context) (string, error), len(boxes))
	for _, m := range boxes {
		a.secrets[models.NormalAddress(m.Address)] = m.Secret
	}
}

// DB returns the store that the daemon runs on.
func (a *App) DB() *store.DB { return a.db }

// poke wakes the engines of the given mailboxes, if they run here.
func (a *App) poke(ids ...int64) {
	for _, id := range ids {
		if w, ok := a.boxes[id]; ok {
			w.syncer.Load().Poke()
		}
	}
}

// Run watches all mailboxes until ctx ends, then stops gracefully within StopWithin. It returns nil after a graceful
// stop. A mailbox that cannot be watched does not end Run: it is shown by `kontrol status`.
func (a *App) Run(ctx context.Context) error {
	defer a.Close()
	if err := a.intake.Resume(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	jobs, err := a.db.StartJobs(context.WithoutCancel(ctx), store.JobsConfig{Workers: a.workers(), Logger: a.opts.Logger})
	if err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	a.log.Info("started", "mailboxes", len(a.boxes))
	var wg sync.WaitGroup
	for _, w := range a.boxes {
		wg.Go(func() { a.watch(ctx, w) })
	}
	wg.Go(func() { a.watchLogins(ctx) })
	<-ctx.Done()
	a.log.Info("stopping", "within", StopWithin.String())
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopWithin)
	defer cancel()
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-stopCtx.Done():
		err = errors.New("mailboxes did not stop in time; open moves are resolved at the next start")
	}
	if jerr := jobs.Stop(stopCtx); jerr != nil {
		err = errors.Join(err, fmt.Errorf("stop the job queue: %w", jerr))
	}
	return err
}

// Close releases what New has opened. It is called by Run; calling it again does nothing.
func (a *App) Close() {
	a.closed.Do(func() {
		for i := len(a.undo) - 1; i >= 0; i-- {
			a.undo[i]()
		}
	})
}
