package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/internal/idp"
	"kontrol/models"
	"kontrol/oauth"
	"kontrol/store"
	"kontrol/store/storetest"
)

const anna = "ivanova@firma.example"

// clock is a clock that is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) forward(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

// world is a provider, a store, and what is needed to make sources.
type world struct {
	idp   *idp.Server
	db    oauth.Store
	keys  oauth.Keys
	clock *clock
	log   *bytes.Buffer
	app   oauth.App
}

func fixedKeys(t testing.TB) oauth.Keys {
	v, err := oauth.NewVault(strings.Repeat("k", 32))
	must(t, err)
	return func(context.Context, bool) (*oauth.Vault, error) { return v, nil }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T, db oauth.Store, o idp.Options) *world {
	s := idp.Test(t, o)
	w := &world{
		idp: s, db: db, keys: fixedKeys(t), clock: &clock{at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}, log: &bytes.Buffer{},
		app: oauth.App{ClientID: "kontrol", AuthURL: s.AuthURL, TokenURL: s.TokenURL, DeviceURL: s.DeviceURL, Scopes: []string{"mail"}},
	}
	if db == nil { // one that goes by the same clock
		w.db = storetest.Open(t, store.Config{
			URL: "sqlite:" + filepath.Join(t.TempDir(), "k.db"), AutoMigrateSchema: true, Now: w.clock.now,
		})
	}
	return w
}

func (w *world) source() *oauth.Source {
	return oauth.NewSource(oauth.SourceConfig{
		Address: anna, Account: anna, App: w.app, Store: w.db, Keys: w.keys, Now: w.clock.now,
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

// granted logs in by device.
func (w *world) granted(t *testing.T) *oauth.Source {
	t.Helper()
	s := w.source()
	tokens, err := w.app.Device(t.Context(), anna, func(p oauth.Prompt) { w.idp.Approve(p.Code, anna, false) })
	must(t, err)
	must(t, s.Grant(t.Context(), tokens))
	return s
}

func token(t *testing.T, s *oauth.Source, refused string) string {
	t.Helper()
	got, err := s.Token(t.Context(), refused)
	must(t, err)
	return got
}

func phraseOf(t *testing.T, err error) string {
	t.Helper()
	p, _ := models.PhraseOf(err)
	return p.ID
}

func TestOneRefreshForAllUsers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, idp.Options{Lifetime: time.Hour})
		first := w.granted(t)
		a := token(t, first, "")
		w.clock.forward(50 * time.Minute)
		if token(t, first, "") != a || w.idp.Counts().Refreshes != 0 {
			t.Fatal("refreshed a token that was good")
		}
		w.clock.forward(9 * time.Minute)                                      // less than the margin is left
		sources := []*oauth.Source{first, w.source(), w.source(), w.source()} // as many processes
		var wg sync.WaitGroup
		got := make([]string, 24)
		errs := make([]error, len(got))
		for i := range got {
			wg.Go(func() { got[i], errs[i] = sources[i%len(sources)].Token(t.Context(), "") })
		}
		wg.Wait()
		must(t, errors.Join(errs...))
		for _, x := range got {
			if x != got[0] || x == a {
				t.Errorf("tokens differ, or are the old one")
			}
		}
		if c := w.idp.Counts(); c.Refreshes != 1 || c.Reuses != 0 {
			t.Errorf("provider saw %+v", c)
		}
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{NoExpiry: true})
	s := w.granted(t)
	a := token(t, s, "")
	b := token(t, s, a)
	if b == a || token(t, s, a) != b || token(t, w.source(), a) != b {
		t.Error("each user that was refused made a refresh of its own")
	}
	if c := w.idp.Counts(); c.Refreshes != 1 || c.Reuses != 0 {
		t.Errorf("provider saw %+v", c)
	}
}

// faulty is a store that fails at will, as a full disk or a killed process does.
type faulty struct {
	oauth.Store
	renew func() error
}

func (f *faulty) RenewOAuthToken(ctx context.Context, t *models.OAuthToken) error {
	if err := f.renew(); err != nil {
		return err
	}
	return f.Store.RenewOAuthToken(ctx, t)
}

func TestNothingIsUsedBeforeItIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{Lifetime: time.Hour})
	broken, db := true, w.db
	w.db = &faulty{db, func() error {
		if broken {
			return models.Temporary(errors.New("disk full"))
		}
		return nil
	}}
	s := w.granted(t)
	w.clock.forward(59 * time.Minute)
	if got, err := s.Token(t.Context(), ""); err == nil || got != "" || phraseOf(t, err) != "oauth.not_stored" || !models.IsTemporary(err) {
		t.Fatalf("got a token that is not stored: %v", err)
	}
	row, err := db.OAuthToken(t.Context(), anna)
	must(t, err)
	if row.Generation != 1 {
		t.Fatal("stored after all")
	}
	broken = false
	w.clock.forward(10 * time.Minute)
	if got := token(t, s, ""); got != w.idp.Last() {
		t.Error("the token that waited was not used")
	}
	if c := w.idp.Counts(); c.Refreshes != 1 || c.Reuses != 0 {
		t.Errorf("asked again in the place of storing what was there: %+v", c)
	}
}

// TestKillPoints ends a process at each moment of a refresh and lets another go on.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"held", "asked", "granted", "stored"} {
		for _, grace := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprint(point, grace), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil, idp.Options{Lifetime: time.Hour, Grace: grace})
				db := w.db
				w.granted(t)
				w.clock.forward(59 * time.Minute)
				killed, kill := context.WithCancel(t.Context())
				dead := &dying{Store: db, kill: kill, at: point}
				w.db = dead
				victim := w.source()
				if point == "asked" || point == "granted" {
					w.idp.OnRefresh(func(stage string) {
						if stage == point {
							dead.die()
						}
					})
				}
				_, _ = victim.Token(killed, "")
				w.idp.OnRefresh(nil)
				w.db = db
				w.clock.forward(3 * time.Minute) // past the dead one's claim
				got, err := w.source().Token(t.Context(), "")
				lost := grace == 0 && (point == "asked" || point == "granted")
				if lost { // the provider has rotated, and nobody knows to what: a person must log in, and is told so
					if phraseOf(t, err) != "oauth.login_again" || models.IsTemporary(err) {
						t.Fatalf("told %v", err)
					}
					return
				}
				if err != nil || got == "" || w.idp.Counts().Reuses != 0 {
					t.Errorf("%v, %+v", err, w.idp.Counts())
				}
			})
		}
	}
}

// dying is the store as a process sees it that is killed: from then on nothing of it reaches the database.
type dying struct {
	oauth.Store
	kill func()
	at   string
	mu   sync.Mutex
	dead bool
}

var errDead = errors.New("killed")

func (d *dying) die() {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	d.kill()
}

func (d *dying) gone() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.dead }

func (d *dying) HoldOAuthToken(ctx context.Context, address, holder string, l time.Duration) (models.OAuthToken, bool, error) {
	if d.gone() {
		return models.OAuthToken{}, false, errDead
	}
	row, held, err := d.Store.HoldOAuthToken(ctx, address, holder, l)
	if d.at == "held" {
		d.die()
		return models.OAuthToken{}, false, errDead
	}
	return row, held, err
}

func (d *dying) RenewOAuthToken(ctx context.Context, t *models.OAuthToken) error {
	if d.gone() {
		return errDead
	}
	err := d.Store.RenewOAuthToken(ctx, t)
	if d.at == "stored" {
		d.die()
	}
	return err
}

func (d *dying) ReleaseOAuthToken(ctx context.Context, address, holder string) error {
	if d.gone() {
		return errDead
	}
	return d.Store.ReleaseOAuthToken(ctx, address, holder)
}

func (d *dying) RefuseOAuthToken(ctx context.Context, address string, g int64) error {
	if d.gone() {
		return errDead
	}
	return d.Store.RefuseOAuthToken(ctx, address, g)
}

func TestLoginDuringARefreshWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{Lifetime: time.Hour})
	s := w.granted(t)
	w.clock.forward(59 * time.Minute)
	other, err := w.app.Device(t.Context(), anna, func(p oauth.Prompt) { w.idp.Approve(p.Code, anna, false) })
	must(t, err)
	w.idp.OnRefresh(func(stage string) {
		if stage == "granted" {
			must(t, w.source().Grant(t.Context(), other))
		}
	})
	if got := token(t, s, ""); got != other.Access() {
		t.Error("the refresh has won over the login")
	}
	w.idp.OnRefresh(nil)
	w.clock.forward(59 * time.Minute)
	token(t, s, "")
	if c := w.idp.Counts(); c.Reuses != 0 {
		t.Errorf("%+v", c)
	}
}

func TestWithdrawnPermissionIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{Lifetime: time.Hour})
	if _, err := w.source().Token(t.Context(), ""); phraseOf(t, err) != "oauth.login_first" || models.IsTemporary(err) {
		t.Errorf("without a login: %v", err)
	}
	s := w.granted(t)
	w.idp.Withdraw(anna)
	w.clock.forward(2 * time.Hour)
	for range 3 {
		_, err := s.Token(t.Context(), "")
		if phraseOf(t, err) != "oauth.login_again" || models.IsTemporary(err) {
			t.Fatalf("told %v", err)
		}
	}
	if c := w.idp.Counts(); c.Refused != 1 {
		t.Errorf("asked a provider that had refused: %+v", c)
	}
	if w.granted(t); token(t, s, "") == "" {
		t.Error("a new login is not seen")
	}
}

func TestTroubleWithTheProvider(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		code      string
		want      string
		temporary bool
	}{
		{503, "", "oauth.provider_busy", true},
		{429, "slow_down", "oauth.provider_busy", true},
		{500, "server_error", "oauth.provider_busy", true},
		{401, "invalid_client", "oauth.app_refused", false},
		{400, "invalid_scope", "oauth.app_refused", false},
		{400, "", "oauth.provider_busy", true},
		{400, "token not found", "oauth.login_again", false}, // Mail.ru's own codes
		{403, "access blocked", "oauth.provider_busy", true},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, idp.Options{Lifetime: time.Hour})
			s := w.granted(t)
			w.clock.forward(2 * time.Hour)
			w.idp.Fail(1, c.status, c.code, "60")
			_, err := s.Token(t.Context(), "")
			if phraseOf(t, err) != c.want || models.IsTemporary(err) != c.temporary {
				t.Fatalf("%v told as %s", err, phraseOf(t, err))
			}
			if !c.temporary {
				return
			}
			w.clock.forward(30 * time.Second)
			if _, err := s.Token(t.Context(), ""); err == nil || w.idp.Counts().Requests != 2 {
				t.Errorf("not left alone as asked: %v %+v", err, w.idp.Counts())
			}
			w.clock.forward(31 * time.Second)
			token(t, s, "")
		})
	}
}

// TestLongLivedTokens: Yandex's refresh token ends together with the access token, so waiting for the end is too late.
func TestLongLivedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{Lifetime: 365 * 24 * time.Hour})
	s := w.granted(t)
	a := token(t, s, "")
	w.clock.forward(80 * 24 * time.Hour)
	if token(t, s, "") != a {
		t.Error("refreshed too early")
	}
	w.clock.forward(20 * 24 * time.Hour)
	w.idp.Fail(1, 503, "", "")
	if token(t, s, "") != a {
		t.Error("a good token is used while the provider is in trouble")
	}
	w.clock.forward(time.Minute)
	if token(t, s, "") == a || w.idp.Counts().Refreshes != 1 {
		t.Error("not refreshed")
	}
}

func TestKeyOfTheVault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{})
	path := filepath.Join(t.TempDir(), "kontrol.key")
	w.keys = func(_ context.Context, create bool) (*oauth.Vault, error) {
		key, err := oauth.KeyFile(path, create)
		if err != nil {
			return nil, err
		}
		return oauth.NewVault(key)
	}
	if _, err := w.source().Token(t.Context(), ""); phraseOf(t, err) != "oauth.login_first" {
		t.Errorf("no key, no login: %v", err)
	}
	w.granted(t)
	token(t, w.source(), "")
	path = filepath.Join(t.TempDir(), "other.key")
	if _, err := w.source().Token(t.Context(), ""); phraseOf(t, err) != "oauth.key_lost" {
		t.Errorf("lost key: %v", err)
	}
	_, err := oauth.KeyFile(path, true)
	must(t, err)
	if _, err := w.source().Token(t.Context(), ""); phraseOf(t, err) != "oauth.key_wrong" {
		t.Errorf("another key: %v", err)
	}
	w.granted(t)
	token(t, w.source(), "")
}

func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{Lifetime: time.Hour, ClientSecret: "very-secret-secret"})
	w.app.ClientSecret = func(context.Context) (string, error) { return "very-secret-secret", nil }
	s := w.granted(t)
	seen := []string{token(t, s, "")}
	w.clock.forward(59 * time.Minute)
	seen = append(seen, token(t, s, ""), "very-secret-secret")
	w.clock.forward(59 * time.Minute)
	w.idp.Withdraw(anna)
	_, err := s.Token(t.Context(), "")
	row, rerr := w.db.OAuthToken(t.Context(), anna)
	must(t, rerr)
	shown := w.log.String() + err.Error() + fmt.Sprintf("%v %+v", row, row) + row.Refresh + row.Access
	for _, x := range seen {
		if strings.Contains(shown, x) {
			t.Errorf("a secret is shown: %s", shown)
		}
	}
	if !strings.Contains(w.log.String(), "token refreshed") {
		t.Error("a refresh is not logged")
	}
}
