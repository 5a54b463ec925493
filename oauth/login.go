package oauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"kontrol/models"
)

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Host
	}
	return ""
}

// Prompt is what a person has to do for the device flow. See RFC 8628 section 3.3.
type Prompt struct {
	URL      string // the page to open on any device
	Complete string // the same with the code in it; "" when the provider gives none
	Code     string // what to type there
	Expires  time.Time
}

// Device asks for a permission by the device flow: show is called once, then it waits until the person has agreed or
// refused on the provider's page, or the code has expired. address names the mailbox in errors, which can be told to a
// person. See RFC 8628.
func (a App) Device(ctx context.Context, address string, show func(Prompt)) (Tokens, error) {
	ctx, s, err := a.open(ctx)
	if err != nil {
		return Tokens{}, err
	}
	da, err := s.conf.DeviceAuth(ctx)
	if err != nil {
		return Tokens{}, asTold(address, a.Title(), explain(err, s.secret))
	}
	show(Prompt{URL: da.VerificationURI, Complete: da.VerificationURIComplete, Code: da.UserCode, Expires: da.Expiry})
	for {
		// Yandex wants the secret with every question, as x/oauth2 does by itself.
		got, err := s.conf.DeviceAccessToken(ctx, da)
		var answered *oauth2.RetrieveError
		switch {
		case err == nil:
			return complete(address, tokensOf(got, a.Scopes))
		case ctx.Err() != nil:
			return Tokens{}, fmt.Errorf("log in by code: %w", ctx.Err())
		case errors.Is(err, context.DeadlineExceeded) && !da.Expiry.IsZero() && !time.Now().Before(da.Expiry):
			return Tokens{}, told("code_expired", address, errors.New("device code has expired"))
		case errors.As(err, &answered):
			return Tokens{}, deviceRefused(address, a.Title(), explain(err, s.secret, da.DeviceCode))
		}
		// The network failed for once; the code is still good.
	}
}

func deviceRefused(address string, title models.Phrase, err error) error {
	var p *ProviderError
	if errors.As(err, &p) {
		switch p.Code {
		case "expired_token", "code_expired":
			return told("code_expired", address, err)
		case "access_denied", "authorization_declined":
			return told("denied", address, err)
		}
	}
	return loginFailed(address, title, err)
}

// loginFailed is asTold for a person who is logging in just now.
func loginFailed(address string, title models.Phrase, err error) error {
	var p *ProviderError
	if errors.As(err, &p) && p.gone() {
		return told("login_failed", address, err, "Provider", title, "Words", p.Error())
	}
	return asTold(address, title, err)
}

// complete refuses tokens that would last an hour only.
func complete(address string, t Tokens) (Tokens, error) {
	if t.refresh == "" {
		return Tokens{}, told("no_refresh", address, errors.New("provider gave no refresh token"))
	}
	return t, nil
}

// BrowserOptions say how a browser login meets the person.
type BrowserOptions struct {
	Address string                 // of the mailbox: proposed to the provider
	Show    func(url string)       // told once where the browser is to go; may start it
	Page    func(err error) string // the HTML shown in the end: err is nil when all went well
	Pasted  <-chan string          // addresses at which a browser on another machine has stopped; may be nil
}

// answer is what the provider sends back by way of the browser.
type answer struct {
	query url.Values
	reply chan error // what became of it, for the page
}

// Browser asks for a permission by the code flow with PKCE (S256): the person agrees in a browser, which the provider then
// sends to a port of this machine. A browser on another machine cannot reach that; the address at which it stops may come
// through Pasted instead. Errors can be told to a person. See RFC 8252 section 7.3 and RFC 7636.
func (a App) Browser(ctx context.Context, o BrowserOptions) (Tokens, error) {
	ctx, s, err := a.open(ctx)
	if err != nil {
		return Tokens{}, err
	}
	l, redirect, err := a.listen(ctx)
	if err != nil {
		return Tokens{}, told("no_port", o.Address, err, "Redirect", a.RedirectURL)
	}
	s.conf.RedirectURL = redirect
	verifier, state := oauth2.GenerateVerifier(), rand.Text()
	answers := make(chan answer)
	path := "/"
	if u, err := url.Parse(redirect); err == nil && u.Path != "" {
		path = u.Path
	}
	server := &http.Server{Handler: landing(path, state, o.Page, answers), ReadHeaderTimeout: requestTime}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with Shutdown
	}()
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(bounded) // lets the last page reach the browser
		_ = server.Close()
		<-served
	}()
	o.Show(s.conf.AuthCodeURL(state, a.options(o.Address, verifier)...))
	for {
		select {
		case <-ctx.Done():
			return Tokens{}, fmt.Errorf("log in by browser: %w", ctx.Err())
		case got := <-answers:
			t, err := a.exchange(ctx, s, o.Address, verifier, got.query)
			got.reply <- err
			return t, err
		case text, open := <-o.Pasted:
			if !open {
				o.Pasted = nil
				continue
			}
			if q, ok := pasted(text, state); ok {
				return a.exchange(ctx, s, o.Address, verifier, q)
			}
		}
	}
}

// listen opens the port that the browser is to be sent to.
func (a App) listen(ctx context.Context) (net.Listener, string, error) {
	addr, redirect := "127.0.0.1:0", a.RedirectURL
	if redirect != "" {
		u, err := url.Parse(redirect)
		if err != nil {
			return nil, "", fmt.Errorf("read the redirect url: %w", err)
		}
		port := u.Port()
		if port == "" {
			port = "80"
		}
		host := "127.0.0.1"
		if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
			host = ip.String()
		}
		addr = net.JoinHostPort(host, port)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("listen for the browser: %w", err)
	}
	if redirect == "" {
		redirect = "http://" + l.Addr().String() + "/"
		if _, port, perr := net.SplitHostPort(l.Addr().String()); perr == nil && a.Localhost {
			redirect = "http://localhost:" + port
		}
	}
	return l, redirect, nil
}

func (a App) options(address, verifier string) []oauth2.AuthCodeOption {
	list := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("login_hint", address),
	}
	for i := 0; i+1 < len(a.Params); i += 2 {
		list = append(list, oauth2.SetAuthURLParam(a.Params[i], a.Params[i+1]))
	}
	return list
}

// landing is the page that the browser ends at. Only an answer with our state counts: everything else may have been sent by
// another page in the same browser.
func landing(path, state string, page func(error) string, answers chan<- answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != path || r.Method != http.MethodGet || !sameState(q.Get("state"), state) {
			http.NotFound(w, r)
			return
		}
		got := answer{q, make(chan error, 1)}
		var err error
		select {
		case answers <- got:
			select {
			case err = <-got.reply:
			case <-r.Context().Done():
				return
			}
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write([]byte(page(err))) // a browser that has gone misses nothing
	})
}

func sameState(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// pasted reads the address at which a browser has stopped.
func pasted(text, state string) (url.Values, bool) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, false
	}
	q := u.Query()
	return q, sameState(q.Get("state"), state)
}

// exchange gets the tokens for the provider's answer.
func (a App) exchange(ctx context.Context, s *session, address, verifier string, q url.Values) (Tokens, error) {
	if code := q.Get("error"); code != "" {
		p := &ProviderError{Code: clean(code, nil), Words: clean(q.Get("error_description"), nil)}
		if slices.Contains([]string{"access_denied", "consent_required"}, code) {
			return Tokens{}, told("denied", address, p)
		}
		return Tokens{}, told("login_failed", address, p, "Provider", a.Title(), "Words", p.Error())
	}
	got, err := s.conf.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return Tokens{}, loginFailed(address, a.Title(), explain(err, s.secret, q.Get("code"), verifier))
	}
	return complete(address, tokensOf(got, a.Scopes))
}

// Grant stores what a person has agreed to, sealed, in the place of whatever was there.
func (s *Source) Grant(ctx context.Context, t Tokens) error {
	vault, err := s.cfg.Keys(ctx, true)
	if err != nil {
		return err
	}
	row := models.OAuthToken{
		Address: s.cfg.Address, Provider: s.cfg.App.Provider, ClientID: s.cfg.App.ClientID, Account: s.cfg.Account,
		Scopes: t.scopes,
	}
	sealInto(&row, vault, t, s.now())
	if err := s.cfg.Store.GrantOAuthToken(ctx, &row); err != nil {
		return fmt.Errorf("store tokens of %s: %w", s.cfg.Address, err)
	}
	return s.Forget(ctx)
}
