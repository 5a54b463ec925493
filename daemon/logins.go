package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"kontrol/config"
	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/oauth"
)

// Logins gives every user of the mailboxes what to log in with: one source of tokens for each mailbox, whoever asks. It may
// be used from several goroutines.
type Logins struct {
	cfg   *config.Config
	store oauth.Store
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	sources map[string]*oauth.Source
}

// NewLogins returns the logins of a config's mailboxes, with tokens kept in store. Nothing is read yet. A nil store is
// one that nobody has logged in with.
func NewLogins(cfg *config.Config, store oauth.Store, now func() time.Time, log *slog.Logger) *Logins {
	if store == nil {
		store = nobody{}
	}
	return &Logins{cfg: cfg, store: store, now: now, log: log, sources: map[string]*oauth.Source{}}
}

// Source returns the mailbox's source of tokens; nil when it needs none, or when a command gives them.
func (l *Logins) Source(box config.Mailbox) *oauth.Source {
	if box.OAuth == nil || box.OAuth.Token != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[box.Address]
	if s == nil {
		s = oauth.NewSource(oauth.SourceConfig{
			Address: box.Address, Account: box.Username, App: box.OAuth.App, Store: l.store, Keys: l.keys, Logger: l.log, Now: l.now,
		})
		l.sources[box.Address] = s
	}
	return s
}

// Token returns what gives the mailbox's access tokens; nil when the login is by password.
func (l *Logins) Token(box config.Mailbox) func(ctx context.Context, refused string) (string, error) {
	switch source := l.Source(box); {
	case source != nil:
		return source.Token
	case box.OAuth != nil && box.OAuth.Token != nil:
		return func(ctx context.Context, _ string) (string, error) { return box.OAuth.Token(ctx) }
	}
	return nil
}

// nobody is a store without tokens.
type nobody struct{ oauth.Store }

// OAuthToken finds nothing.
func (nobody) OAuthToken(_ context.Context, address string) (models.OAuthToken, error) {
	return models.OAuthToken{}, fmt.Errorf("oauth token of %s: no database: %w", address, models.ErrNotFound)
}

// keys opens the vault that the config names.
func (l *Logins) keys(ctx context.Context, create bool) (*oauth.Vault, error) {
	path, secret := l.cfg.TokenKey()
	var key string
	var err error
	if secret != nil {
		if key, err = secret(ctx); err != nil {
			return nil, err
		}
	} else if key, err = oauth.KeyFile(path, create); err != nil {
		if errors.Is(err, fs.ErrNotExist) && !create {
			return nil, err
		}
		return nil, &models.Told{Phrase: models.Say("oauth.key_unreadable", "File", path, "Detail", cause(err)), Err: err}
	}
	vault, err := oauth.NewVault(key)
	if err != nil {
		return nil, &models.Told{Phrase: models.Say("oauth.key_short"), Err: err}
	}
	return vault, nil
}

// cause is the system's own words for an error with a file.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// TryToken logs in to the mailbox's server with an access token, to see whose account it is for, and logs out again.
func TryToken(ctx context.Context, box config.Mailbox, token string, now func() time.Time, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	account := accountOf(box, box.Secret)
	account.Token = func(_ context.Context, _ string) (string, error) { return token, nil }
	s, err := imapsync.NewDialer(account, log, now).Dial(ctx)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// loginEvery is how often the daemon looks whether somebody has logged in to a mailbox anew.
const loginEvery = 2 * time.Second

// watchLogins starts a mailbox again when somebody has logged in to it from the command line, so that this takes effect
// within seconds. It ends with ctx.
func (a *App) watchLogins(ctx context.Context) {
	boxes := map[string]*watched{}
	for _, w := range a.boxes {
		if a.logins.Source(w.box) != nil {
			boxes[w.row.Address] = w
		}
	}
	if len(boxes) == 0 {
		return
	}
	granted, _ := a.grants(ctx)
	ticker := time.NewTicker(loginEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := a.grants(ctx)
		if err != nil {
			a.log.Debug("logins not looked at", "error", err)
			continue
		}
		if granted == nil { // the database was in trouble at the start
			granted = now
		}
		for address, w := range boxes {
			if now[address].Equal(granted[address]) {
				continue
			}
			if err := a.logins.Source(w.box).Forget(ctx); err != nil {
				return
			}
			granted[address] = now[address]
			a.log.Info("login has changed", "mailbox", address)
			w.startAgain()
		}
	}
}

// grants returns when each mailbox was logged in to last.
func (a *App) grants(ctx context.Context) (map[string]time.Time, error) {
	rows, err := a.db.Read().OAuthTokens(ctx)
	if err != nil {
		return nil, err
	}
	at := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		at[r.Address] = r.GrantedAt
	}
	return at, nil
}

// startAgain ends the engine of a mailbox and has a new one made, with no refused logins to its name.
func (w *watched) startAgain() {
	select {
	case w.fresh <- struct{}{}:
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end != nil {
		w.end()
	}
}

// running returns the context of one life of a mailbox's engine, which also ends when it is to start again, and a function
// that reports, once the engine has ended, whether it is to.
func (w *watched) running(ctx context.Context) (context.Context, func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	w.mu.Lock()
	w.end = cancel
	w.mu.Unlock()
	if len(w.fresh) > 0 { // signalled before there was an engine to end
		cancel()
	}
	return ctx, func() bool {
		cancel()
		w.mu.Lock()
		w.end = nil
		w.mu.Unlock()
		select {
		case <-w.fresh:
			return true
		default:
			return false
		}
	}
}
