package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/internal/idp"
	"kontrol/models"
	"kontrol/oauth"
)

func TestDeviceFlowEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    idp.Options
		do   func(s *idp.Server, code string)
		want string
	}{
		"agreed":  {do: func(s *idp.Server, code string) { s.Approve(code, anna, false) }},
		"slower":  {do: func(s *idp.Server, code string) { s.SlowDown(1); s.Approve(code, anna, false) }},
		"refused": {do: func(s *idp.Server, code string) { s.Approve(code, anna, true) }, want: "oauth.denied"},
		"late":    {o: idp.Options{CodeLifetime: 1500 * time.Millisecond}, do: func(*idp.Server, string) {}, want: "oauth.code_expired"},
		"network": {do: func(s *idp.Server, code string) {
			s.Fail(1, 400, "authorization_pending", "")
			s.Approve(code, anna, false)
		}},
		"short": {o: idp.Options{NoRefresh: true}, do: func(s *idp.Server, code string) { s.Approve(code, anna, false) }, want: "oauth.no_refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, c.o)
			tokens, err := w.app.Device(t.Context(), anna, func(p oauth.Prompt) {
				if p.URL == "" || p.Code == "" || !strings.HasPrefix(p.URL, w.idp.URL) {
					t.Errorf("prompt %+v", p)
				}
				c.do(w.idp, p.Code)
			})
			if c.want != "" {
				if err == nil || phraseOf(t, err) != c.want {
					t.Fatalf("told %v", err)
				}
				return
			}
			must(t, err)
			must(t, w.source().Grant(t.Context(), tokens))
		})
	}
}

// follow plays the browser: it opens the page and goes where it is sent.
func follow(t *testing.T, raw string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return string(b)
}

func page(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

func TestBrowserFlow(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"http://127.0.0.1:", "http://localhost:"} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			browserFlow(t, want)
		})
	}
}

func browserFlow(t *testing.T, want string) {
	w := newWorld(t, nil, idp.Options{})
	w.app.Localhost = strings.Contains(want, "localhost")
	var wg sync.WaitGroup
	defer wg.Wait()
	tokens, err := w.app.Browser(t.Context(), oauth.BrowserOptions{Address: anna, Page: page, Show: func(raw string) {
		u, err := url.Parse(raw)
		must(t, err)
		q := u.Query()
		if q.Get("code_challenge_method") != "S256" || len(q.Get("state")) < 20 || q.Get("login_hint") != anna ||
			!strings.HasPrefix(q.Get("redirect_uri"), want) {
			t.Errorf("asked with %v", q)
		}
		wg.Go(func() {
			// Another page of the same browser guesses.
			forged := follow(t, q.Get("redirect_uri")+"?state=guess&code=c-1")
			if forged == "done" || forged == "failed" {
				t.Error("an answer with another state counted")
			}
			if got := follow(t, raw); got != "done" {
				t.Errorf("page %q", got)
			}
		})
	}})
	must(t, err)
	must(t, w.source().Grant(t.Context(), tokens))
}

func TestBrowserElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{})
	lines := make(chan string, 3)
	_, err := w.app.Browser(t.Context(), oauth.BrowserOptions{Address: anna, Page: page, Pasted: lines, Show: func(raw string) {
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
		must(t, err)
		res, err := c.Do(req)
		must(t, err)
		_ = res.Body.Close()
		lines <- "что?"
		lines <- " " + res.Header.Get("Location") + "\r"
	}})
	must(t, err)
	if w.idp.Counts().Codes != 1 {
		t.Errorf("%+v", w.idp.Counts())
	}
}

func TestProviderBehindACertificateOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, idp.Options{TLS: true, Basic: true, ClientSecret: "s"})
	w.app.Basic, w.app.ClientSecret = true, func(context.Context) (string, error) { return "s", nil }
	_, err := w.app.Device(t.Context(), anna, func(oauth.Prompt) {})
	if phraseOf(t, err) != "oauth.provider_down" || !models.IsTemporary(err) {
		t.Errorf("unknown certificate: %v", err)
	}
	w.app.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(w.app.CAFile, w.idp.CA, 0o600))
	w.granted(t)
}

func TestProvidersAreWhole(t *testing.T) {
	t.Parallel()
	for _, name := range oauth.Names() {
		p, ok := oauth.Lookup(name)
		q := p.ForTenant("")
		if !ok || p.IMAP == "" || p.SMTP == "" || len(p.Scopes) == 0 || q.HasTenants() || len(p.Params)%2 != 0 {
			t.Errorf("%s: %+v", name, q)
		}
		for _, raw := range []string{q.AuthURL, q.TokenURL} {
			if u, err := url.Parse(raw); err != nil || u.Scheme != "https" {
				t.Errorf("%s: %s", name, raw)
			}
		}
	}
}

func TestVault(t *testing.T) {
	t.Parallel()
	if _, err := oauth.NewVault("short"); !errors.Is(err, oauth.ErrShortKey) {
		t.Error(err)
	}
	a, err := oauth.NewVault(strings.Repeat("a", 16))
	must(t, err)
	b, err := oauth.NewVault(strings.Repeat("b", 16))
	must(t, err)
	rapid.Check(t, func(t *rapid.T) {
		text, purpose := rapid.String().Draw(t, "text"), rapid.String().Draw(t, "purpose")
		s := a.Seal(text, purpose)
		if got, err := a.Open(s, purpose); err != nil || got != text {
			t.Fatalf("%q %v", got, err)
		}
		if text == "" {
			return
		}
		_, otherKey := b.Open(s, purpose)
		_, otherPurpose := a.Open(s, purpose+"x")
		i := rapid.IntRange(0, len(s)-1).Draw(t, "changed")
		flipped := s[:i] + string(rune(s[i]^1)) + s[i+1:]
		_, changed := a.Open(flipped, purpose)
		if !errors.Is(otherKey, oauth.ErrKey) || !errors.Is(otherPurpose, oauth.ErrKey) || (changed == nil && i < len(s)-1) || s == a.Seal(text, purpose) {
			t.Fatalf("%v %v %v", otherKey, otherPurpose, changed)
		}
	})
}

func TestKeyFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kontrol.key")
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = oauth.KeyFile(path, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range got {
		if k != got[0] || len(k) < 32 {
			t.Errorf("keys differ: %q", got)
		}
	}
	info, err := os.Stat(path)
	must(t, err)
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || info.Mode().Perm() != 0o600 || len(left) != 1 {
		t.Errorf("%v %v %v", info.Mode(), left, err)
	}
}
