package imapsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"

	"kontrol/models"
)

// SyncerConfig is what a Syncer works with. MailboxID, Dialer, Intake, Folders and Mover are required.
type SyncerConfig struct {
	MailboxID int64
	Address   string // how people call the mailbox; for logs and messages
	Dialer    Dialer
	Second    Dialer // opens the connection that only watches; nil means Dialer
	Intake    Intake
	Folders   Folders
	Mover     *Mover
	Names     Names // the folders as the config names them; see ResolveFolders
	// Resolve finds the folders to be watched on the server, making those that are Kontrol's own; nil means
	// ResolveFolders with Names. It fills in Name and Delimiter; everything else is taken from the store. INBOX must be
	// among them, Sent may be missing. It is called after each login, and again when a folder has gone.
	Resolve func(ctx context.Context, s Session) (map[models.FolderRole]models.Folder, error)
	Timing  Timing
	// TextCap is how many octets of a letter's text are fetched with its header; 0 means 64 KiB, negative means none.
	TextCap int
	// Budget bounds the letters that all mailboxes together hold in memory; nil sets no bound.
	Budget *Budget
	// Quarantine may be nil: letters in quarantine are then never looked at again.
	Quarantine Quarantine
	// Single allows one connection only, for servers with a tight limit: INBOX is idled on in short slices and Sent is
	// polled every Timing.PollEvery.
	Single bool
	// InitialRefusals is Mailbox.LoginRefusals as stored, InitialRefusedAt the first of them; nil when it is not known. From
	// three on the login is tried exactly once.
	InitialRefusals  int
	InitialRefusedAt *time.Time
	Logger           *slog.Logger     // nil discards
	Now              func() time.Time // nil means time.Now
	Rand             func() float64   // numbers in [0, 1) for the jitter; nil means a random source
}

// Syncer keeps one mailbox in step with its server for as long as Run runs. It shares nothing with the Syncers of other
// mailboxes. It holds two connections: one idles on INBOX, the other does the work and idles on Sent in between. Where
// the server allows only one, that one idles on INBOX and everything else is polled.
type Syncer struct {
	cfg      SyncerConfig
	logger   *slog.Logger
	signals  *signals
	watching atomic.Bool                   // the second connection idles on INBOX
	notified atomic.Bool                   // and hears of the other folders as well
	alone    atomic.Pointer[models.Phrase] // why there is no second connection, when that is no failure
	panics   atomic.Int64                  // recovered since the start

	// Owned by the goroutine of Run.
	refusals  int        // refused logins in a row
	refusedAt *time.Time // the first of them
	dialFails int        // failed connections in a row, until a complete round
	drops     int        // connections in a row that were lost young
	poisoned  map[tried]int
	recreated map[models.FolderRole][]time.Time
	trouble   models.Phrase // what does not work although the mailbox is connected
	told      models.MailboxHealth
	toldAt    time.Time
}

// NewSyncer returns a Syncer; nothing happens before Run.
func NewSyncer(cfg SyncerConfig) *Syncer {
	cfg.Timing = cfg.Timing.filled()
	switch {
	case cfg.TextCap == 0:
		cfg.TextCap = 64 << 10
	case cfg.TextCap < 0:
		cfg.TextCap = 0
	}
	if cfg.Second == nil {
		cfg.Second = cfg.Dialer
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	logger := cfg.Logger.With("mailbox", cfg.Address)
	if cfg.Resolve == nil {
		cfg.Resolve = func(ctx context.Context, s Session) (map[models.FolderRole]models.Folder, error) {
			found, notes, err := ResolveFolders(ctx, s, cfg.Names)
			for _, n := range notes {
				logger.Info("folders", "note", n)
			}
			return found, err
		}
	}
	return &Syncer{
		cfg:       cfg,
		logger:    logger,
		signals:   newSignals(),
		refusals:  cfg.InitialRefusals,
		refusedAt: cfg.InitialRefusedAt,
		poisoned:  make(map[tried]int),
		recreated: make(map[models.FolderRole][]time.Time),
	}
}

// Poke says that there is work: planned filings, most likely. It never blocks and may be called from any goroutine at
// any time; when the mailbox is not connected the work is found at the next connection.
func (y *Syncer) Poke() { y.signals.poke() }

// Panics returns how many panics have been recovered from since the start.
func (y *Syncer) Panics() int64 { return y.panics.Load() }

// Run keeps the mailbox in step until ctx ends and then returns nil, after the command under way has finished or
// Timing.Grace has passed. The only error it returns is permanent and for people (models.Told): the server has refused
// the login three times in a row, and trying on would lock the account. Everything else is tried again, more and more
// slowly. Run must not be called twice.
func (y *Syncer) Run(ctx context.Context) error {
	defer func() {
		if y.told.State != models.MailboxStopped {
			y.health(ctx, models.MailboxHealth{State: models.MailboxActive, Reason: y.told.Reason})
		}
	}()
	for ctx.Err() == nil {
		start := y.cfg.Now()
		connected, err := y.connection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		delay, stop := y.judge(ctx, err, connected, y.cfg.Now().Sub(start))
		if stop != nil {
			return stop
		}
		y.logger.Warn("mailbox connection ended", "error", err, "retry_in", delay.Round(time.Millisecond).String())
		if !sleep(ctx, delay) {
			return nil
		}
	}
	return nil
}

// connection logs in and works until something breaks. connected tells whether the login was accepted.
func (y *Syncer) connection(ctx context.Context) (connected bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			y.panicked(p)
			err = &panicError{p}
		}
	}()
	var s Session
	apart(func() {
		s, err = y.dial(ctx, y.cfg.Dialer, func(p models.Phrase) {
			y.health(ctx, models.MailboxHealth{State: models.MailboxActive, Reason: p})
		})
	})
	if err != nil {
		return false, err
	}
	connected = true // also when what follows panics
	defer s.Close()
	y.refusals, y.refusedAt = 0, nil
	w := &worker{Syncer: y, s: &selecting{Session: s}, ctx: ctx}
	return true, w.run()
}

// dial opens a connection and calls tell when it has to wait for its turn and knows why.
func (y *Syncer) dial(ctx context.Context, d Dialer, tell func(models.Phrase)) (Session, error) {
	if t, ok := d.(interface {
		dialTelling(context.Context, func(models.Phrase)) (Session, error)
	}); ok {
		return t.dialTelling(ctx, tell)
	}
	return d.Dial(ctx)
}

// panicError is a panic that was recovered from.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// panicked counts and logs a recovered panic.
func (y *Syncer) panicked(p any) {
	y.panics.Add(1)
	stack := debug.Stack()
	for {
		inner, ok := p.(*panicApart)
		if !ok {
			break
		}
		p, stack = inner.value, inner.stack
	}
	y.logger.Error("recovered from a panic", "panic", fmt.Sprint(p), "stack", string(stack))
}

// judge decides after a lost or refused connection how long to wait, or that it is enough. Two things are counted: how
// often connecting failed (forgotten after one complete round, so that a restarted server is found again within
// seconds), and how often a login was followed by an early end (forgotten only after a connection that lived, so that
// a server which accepts and drops is not stormed with logins). Where the Hosts know when to come back nothing is added.
func (y *Syncer) judge(ctx context.Context, err error, connected bool, lived time.Duration) (time.Duration, error) {
	t := y.cfg.Timing
	var login *LoginError
	if !connected && errors.As(err, &login) && !models.IsTemporary(err) {
		return y.loginRefused(ctx, err, login.Proven)
	}
	y.health(ctx, models.MailboxHealth{State: models.MailboxActive, Reason: y.reason(err)})
	var hosts governed
	switch {
	case errors.As(err, &hosts), errors.Is(err, errAside):
		return 0, nil
	case !connected:
		y.dialFails++
	case lived >= t.Healthy:
		y.drops = 0
	default:
		y.drops++
	}
	delay := max(backoff(y.dialFails, t.DialRetry, t.LastRetry, y.cfg.Rand), backoff(max(y.drops, 1), t.FirstRetry, t.LastRetry, y.cfg.Rand))
	if !connected && !models.IsTemporary(err) {
		delay = max(delay, backoff(1, t.LastRetry, t.LastRetry, y.cfg.Rand))
	}
	return max(delay, RetryAfter(err)), nil
}

// reason tells a person why the mailbox is not connected.
func (y *Syncer) reason(err error) models.Phrase {
	var p *panicError
	switch phrase, ok := models.PhraseOf(err); {
	case errors.As(err, &p):
		return models.Say("sync.internal", "Address", y.cfg.Address)
	case isStoreError(err):
		return models.Say("sync.store", "Address", y.cfg.Address)
	case errors.Is(err, errAside):
		return models.Say("sync.aside", "Address", y.cfg.Address)
	case ok:
		return phrase
	}
	if said, ok := saidIn(err); ok && (busyWords.MatchString(said.text) || troubleOf(said).limit) {
		return models.Say("sync.busy", "Address", y.cfg.Address, "Words", said.words())
	}
	return models.Say("sync.disconnected", "Address", y.cfg.Address)
}

// loginRefused counts a refused login and stops the mailbox at the third in a row. A server that does not say by a code
// that name or password is wrong may mean something else: then the refusals must span half an hour as well.
func (y *Syncer) loginRefused(ctx context.Context, err error, proven bool) (time.Duration, error) {
	now, t := y.cfg.Now(), y.cfg.Timing
	if y.refusedAt == nil || y.refusals == 0 {
		y.refusedAt = &now
	}
	y.refusals++
	left := y.refusedAt.Add(t.DoubtFor).Sub(now)
	if y.refusals < loginRefusals || (!proven && left > 0) {
		y.health(ctx, models.MailboxHealth{
			State:  models.MailboxActive,
			Reason: models.Say("sync.login_refused"+byToken(err), "Address", y.cfg.Address, "Count", y.refusals),
		})
		wait := t.LoginRetry
		switch {
		case !proven && y.refusals >= loginRefusals:
			wait = left
		case !proven:
			wait = max(t.LoginRetry, t.DoubtFor/loginRefusals*time.Duration(y.refusals))
		case y.refusals > 1:
			wait *= 5
		}
		return wait + time.Duration(y.cfg.Rand()*float64(wait)/5), nil // never sooner: it would not count
	}
	reason := models.Say("sync.stopped"+byToken(err), "Address", y.cfg.Address, "Count", y.refusals)
	y.health(ctx, models.MailboxHealth{State: models.MailboxStopped, Reason: reason})
	return 0, &models.Told{Phrase: reason, Err: fmt.Errorf("mailbox %s stopped after %d refused logins: %w", y.cfg.Address, y.refusals, err)}
}

// health stores how the mailbox is, even when ctx has ended. A store that fails now will be told again later.
func (y *Syncer) health(ctx context.Context, h models.MailboxHealth) {
	h.LoginRefusals, h.RefusedAt = y.refusals, y.refusedAt
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), y.cfg.Timing.Grace)
	defer cancel()
	y.told, y.toldAt = h, y.cfg.Now()
	if err := y.cfg.Folders.SaveMailboxHealth(ctx, y.cfg.MailboxID, h); err != nil {
		y.logger.Warn("health not stored", "error", err)
		y.toldAt = time.Time{}
	}
}

// well stores that a round was complete: at once when that is news, otherwise now and then.
func (y *Syncer) well(ctx context.Context) {
	now, reason := y.cfg.Now(), y.trouble
	if alone := y.alone.Load(); reason.IsZero() && alone != nil {
		reason = *alone
	}
	news := !y.told.Connected || y.told.Reason.ID != reason.ID || y.told.LoginRefusals != y.refusals
	if !news && now.Sub(y.toldAt) < y.cfg.Timing.HealthEvery {
		return
	}
	y.health(ctx, models.MailboxHealth{State: models.MailboxActive, Connected: true, Reason: reason, SyncedAt: &now})
}
