package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kontrol/models"
)

// Store keeps the tokens. Implemented by *store.DB; every method is durable when it returns nil.
type Store interface {
	// OAuthToken returns a mailbox's tokens, or models.ErrNotFound.
	OAuthToken(ctx context.Context, address string) (models.OAuthToken, error)
	// GrantOAuthToken stores what a person has just agreed to, in the place of whatever was there.
	GrantOAuthToken(ctx context.Context, t *models.OAuthToken) error
	// HoldOAuthToken claims the right to refresh for so long and returns the tokens as they are; held is false while
	// somebody else has it.
	HoldOAuthToken(ctx context.Context, address, holder string, d time.Duration) (t models.OAuthToken, held bool, err error)
	// ReleaseOAuthToken gives the claim back.
	ReleaseOAuthToken(ctx context.Context, address, holder string) error
	// RenewOAuthToken stores refreshed tokens, unless the stored generation is not t.Generation: models.ErrNotFound.
	RenewOAuthToken(ctx context.Context, t *models.OAuthToken) error
	// RefuseOAuthToken stores that the provider accepts the refresh token of this generation no more.
	RefuseOAuthToken(ctx context.Context, address string, generation int64) error
}

// Keys opens the vault. With create a key that does not exist yet is made; without, its error is fs.ErrNotExist.
type Keys func(ctx context.Context, create bool) (*Vault, error)

// SourceConfig is what a Source needs. All fields but Logger and Now are needed.
type SourceConfig struct {
	Address string // of the mailbox, normalised
	Account string // the login name at the mail server
	App     App
	Store   Store
	Keys    Keys
	Logger  *slog.Logger     // nil discards
	Now     func() time.Time // nil means time.Now
}

const (
	// holdTime is how long a refresh may take before another process may try. It is longer than request and commit.
	holdTime = 90 * time.Second
	// holdPause is how often one looks whether another process is done with its refresh.
	holdPause = 100 * time.Millisecond
	// A token is replaced so long before it expires, or a tenth of its life when that is shorter.
	margin = 2 * time.Minute
	// A token that lives longer than longLife is refreshed after a quarter of its life: some providers let the refresh
	// token expire together with the access token.
	longLife = 7 * 24 * time.Hour
	// How long a provider that fails is left alone: doubled from first to last.
	firstPause, lastPause = time.Second, 5 * time.Minute
	// leaveGrace is how long a refresh under way may still take when its caller is told to end.
	leaveGrace = 4 * time.Second
	// commitTries is how often it is tried at once to store what a refresh brought.
	commitTries = 4
)

// Source gives the users of one mailbox (two IMAP connections, SMTP) a token that works. However many ask at the same
// time, in this process and in others on the same database, one refresh is made. A new refresh token is stored before
// the access token that came with it is used; if storing fails it is kept and stored before anything else is done.
type Source struct {
	cfg    SourceConfig
	log    *slog.Logger
	now    func() time.Time
	holder string
	turn   chan struct{} // holds one while somebody is inside

	// Owned by whoever has the turn.
	access   string
	row      models.OAuthToken  // of access
	unsaved  *models.OAuthToken // refreshed, but not stored yet
	fails    int
	retryAt  time.Time
	lastFail error
}

// NewSource returns a Source. Nothing is read before the first Token.
func NewSource(cfg SourceConfig) *Source {
	s := &Source{cfg: cfg, log: cfg.Logger, now: cfg.Now, holder: rand.Text(), turn: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Token returns an access token that is still good for a while. refused is the token that the mail server has just not
// accepted, "" for none: it is then replaced, by one refresh however many users it was refused to. The error can be told
// to a person; it is permanent when somebody has to log in again or to change the config. Do not log the token.
func (s *Source) Token(ctx context.Context, refused string) (string, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", models.Temporary(fmt.Errorf("wait for the token of %s: %w", s.cfg.Address, ctx.Err()))
	}
	if s.unsaved == nil && s.good(refused) && !s.early() {
		return s.access, nil
	}
	if now := s.now(); now.Before(s.retryAt) {
		if s.unsaved == nil && s.good(refused) {
			return s.access, nil
		}
		return "", s.lastFail
	}
	err := s.renew(ctx, refused)
	if err == nil {
		s.fails, s.retryAt, s.lastFail = 0, time.Time{}, nil
		return s.access, nil
	}
	if ctx.Err() == nil && models.IsTemporary(err) {
		s.postpone(err)
	}
	// A refresh long before the end is only a precaution.
	if s.unsaved == nil && models.IsTemporary(err) && s.good(refused) {
		s.log.Warn("token not refreshed yet", "mailbox", s.cfg.Address, "error", err)
		return s.access, nil
	}
	return "", err
}

// Forget drops what is remembered in memory, so that the next Token reads the database: after a login or logout.
func (s *Source) Forget(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.access, s.row, s.fails, s.retryAt, s.lastFail = "", models.OAuthToken{}, 0, time.Time{}, nil
	return nil
}

// postpone leaves a provider alone that has failed.
func (s *Source) postpone(err error) {
	s.fails++
	pause := firstPause
	for i := 1; i < s.fails && pause < lastPause; i++ {
		pause *= 2
	}
	var p *ProviderError
	if errors.As(err, &p) {
		pause = max(pause, p.retryAfter)
	}
	s.retryAt, s.lastFail = s.now().Add(min(pause, lastPause)), err
}

// good reports whether the remembered access token can be used.
func (s *Source) good(refused string) bool {
	if s.access == "" || s.access == refused {
		return false
	}
	return s.row.ExpiresAt == nil || s.now().Before(s.row.ExpiresAt.Add(-marginOf(s.row)))
}

// early reports whether a long-lived token should be refreshed although it is good.
func (s *Source) early() bool {
	life := lifeOf(s.row)
	return life > longLife && s.now().After(s.row.IssuedAt.Add(life/4))
}

func lifeOf(row models.OAuthToken) time.Duration {
	if row.ExpiresAt == nil || row.IssuedAt == nil {
		return 0
	}
	return row.ExpiresAt.Sub(*row.IssuedAt)
}

func marginOf(row models.OAuthToken) time.Duration {
	if life := lifeOf(row); life > 0 {
		return min(margin, life/10)
	}
	return margin
}

// renew makes the remembered token a good one.
func (s *Source) renew(ctx context.Context, refused string) error {
	if err := s.save(ctx); err != nil {
		return err
	}
	vault, err := s.vault(ctx)
	if err != nil {
		return err
	}
	row, err := s.cfg.Store.OAuthToken(ctx, s.cfg.Address)
	for {
		if err = s.usable(row, err); err != nil {
			return err
		}
		if err := s.remember(vault, row); err != nil {
			return err
		}
		if s.good(refused) && !s.early() {
			return nil
		}
		var held bool
		row, held, err = s.cfg.Store.HoldOAuthToken(ctx, s.cfg.Address, s.holder, holdTime)
		if err == nil && held {
			return s.refreshHeld(ctx, vault, row, refused)
		}
		if err == nil {
			err = pause(ctx, holdPause)
		}
		if err == nil {
			row, err = s.cfg.Store.OAuthToken(ctx, s.cfg.Address)
		}
	}
}

// refreshHeld refreshes, or finds that another process has done it just before the claim came through.
func (s *Source) refreshHeld(ctx context.Context, vault *Vault, row models.OAuthToken, refused string) (err error) {
	defer func() {
		if err == nil && s.unsaved == nil && s.row.Generation > row.Generation {
			return // storing has ended the claim
		}
		if s.unsaved != nil {
			return // nobody else may use the old refresh token yet
		}
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
		defer cancel()
		if rerr := s.cfg.Store.ReleaseOAuthToken(free, s.cfg.Address, s.holder); rerr != nil {
			s.log.Warn("claim on tokens not given back", "mailbox", s.cfg.Address, "error", rerr)
		}
	}()
	if err := s.usable(row, nil); err != nil {
		return err
	}
	if err := s.remember(vault, row); err != nil {
		return err
	}
	if s.good(refused) && !s.early() {
		return nil
	}
	old, err := vault.Open(row.Refresh, purpose(row.Address, "refresh"))
	if err != nil {
		return told("key_wrong", s.cfg.Address, err)
	}
	// What the provider has answered must not be lost because somebody is in a hurry to leave.
	work, stop := unhurried(ctx, leaveGrace)
	defer stop()
	got, err := s.cfg.App.refresh(work, old)
	if err != nil {
		return s.refused(work, row, asTold(s.cfg.Address, s.cfg.App.Title(), err))
	}
	next := row
	sealInto(&next, vault, got, s.now())
	s.unsaved = &next
	if err := s.save(work); err != nil {
		return err
	}
	if s.row.Generation != row.Generation+1 { // somebody has logged in meanwhile: his tokens count
		fresh, err := s.cfg.Store.OAuthToken(ctx, s.cfg.Address)
		if err = s.usable(fresh, err); err != nil {
			return err
		}
		return s.remember(vault, fresh)
	}
	s.access = got.access
	s.log.Info("token refreshed", "mailbox", s.cfg.Address, "generation", s.row.Generation, "rotated", got.refresh != old)
	return nil
}
