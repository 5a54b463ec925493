package oauth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"kontrol/models"
)

// purpose is what a token is sealed for.
func purpose(address, kind string) string { return kind + " of " + address }

// sealInto puts tokens into a row.
func sealInto(row *models.OAuthToken, vault *Vault, t Tokens, now time.Time) {
	issued := now.UTC()
	row.Refresh = vault.Seal(t.refresh, purpose(row.Address, "refresh"))
	row.Access = vault.Seal(t.access, purpose(row.Address, "access"))
	row.IssuedAt, row.ExpiresAt = &issued, nil
	if t.lifetime > 0 {
		expires := issued.Add(t.lifetime)
		row.ExpiresAt = &expires
	}
}

// vault opens the vault for reading.
func (s *Source) vault(ctx context.Context) (*Vault, error) {
	v, err := s.cfg.Keys(ctx, false)
	if err == nil {
		return v, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// Without a key there may simply have been no login yet.
	if _, rerr := s.cfg.Store.OAuthToken(ctx, s.cfg.Address); errors.Is(rerr, models.ErrNotFound) {
		return nil, told("login_first", s.cfg.Address, fmt.Errorf("oauth token of %s: %w", s.cfg.Address, rerr))
	}
	return nil, told("key_lost", s.cfg.Address, err)
}

// usable says why stored tokens cannot be used; nil when they can. err is what reading them gave.
func (s *Source) usable(row models.OAuthToken, err error) error {
	switch {
	case errors.Is(err, models.ErrNotFound):
		return told("login_first", s.cfg.Address, fmt.Errorf("oauth token of %s: %w", s.cfg.Address, err))
	case err != nil:
		return told("not_stored", s.cfg.Address, fmt.Errorf("oauth token of %s: %w", s.cfg.Address, err))
	case row.ClientID != s.cfg.App.ClientID:
		return told("other_app", s.cfg.Address, fmt.Errorf("oauth token of %s was given to another application", s.cfg.Address))
	case row.RefusedAt != nil:
		return told("login_again", s.cfg.Address, fmt.Errorf("oauth token of %s was refused at %s", s.cfg.Address, row.RefusedAt.Format(time.RFC3339)))
	}
	return nil
}

// remember takes over stored tokens.
func (s *Source) remember(vault *Vault, row models.OAuthToken) error {
	access, err := vault.Open(row.Access, purpose(row.Address, "access"))
	if err != nil {
		return told("key_wrong", s.cfg.Address, fmt.Errorf("oauth token of %s: %w", s.cfg.Address, err))
	}
	s.access, s.row = access, row
	return nil
}

// refused stores that the provider has refused for good, if so, and returns err.
func (s *Source) refused(ctx context.Context, row models.OAuthToken, err error) error {
	var p *ProviderError
	if !errors.As(err, &p) || !p.gone() {
		return err
	}
	s.access, s.row = "", models.OAuthToken{}
	s.log.Warn("provider refuses the refresh token", "mailbox", s.cfg.Address, "generation", row.Generation, "error", err)
	if serr := s.cfg.Store.RefuseOAuthToken(ctx, row.Address, row.Generation); serr != nil {
		return errors.Join(err, serr)
	}
	return err
}

// save stores what a refresh has brought, if anything waits for that. Tokens that somebody else has replaced meanwhile
// are dropped.
func (s *Source) save(ctx context.Context) error {
	if s.unsaved == nil {
		return nil
	}
	var err error
	for try := range commitTries {
		if try > 0 && pause(ctx, holdPause<<try) != nil {
			break
		}
		err = s.cfg.Store.RenewOAuthToken(ctx, s.unsaved)
		if err == nil {
			s.row, s.unsaved = *s.unsaved, nil
			return nil
		}
		if errors.Is(err, models.ErrNotFound) {
			s.log.Warn("tokens were replaced by somebody else during a refresh", "mailbox", s.cfg.Address)
			s.access, s.row, s.unsaved = "", models.OAuthToken{}, nil
			return nil
		}
		if !models.IsTemporary(err) {
			break
		}
	}
	return told("not_stored", s.cfg.Address, models.Temporary(fmt.Errorf("store refreshed token of %s: %w", s.cfg.Address, err)))
}

// pause waits for d, or returns why not.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return models.Temporary(fmt.Errorf("wait for another refresh: %w", ctx.Err()))
	}
}

// unhurried returns a context that ends grace later than ctx. Call the function when done.
func unhurried(ctx context.Context, grace time.Duration) (context.Context, func()) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = pause(work, grace)
		cancel()
	})
	return work, func() { stop(); cancel() }
}

// Title names the provider for people: "Google", "Microsoft", "Яндекс" are texts of locale; this is their key, or the
// name of the application's token server when it is nobody known.
func (a App) Title() models.Phrase {
	if a.Provider != "" {
		return models.Say("oauth.provider." + a.Provider)
	}
	return models.Say("oauth.provider.own", "Host", hostOf(a.TokenURL))
}
