package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"

	"kontrol/models"
)

// App is an application as it is registered with a provider; Kontrol runs as this. ClientID and TokenURL are needed.
type App struct {
	Provider     string // name of the provider; "" for one's own
	ClientID     string
	ClientSecret func(ctx context.Context) (string, error) // nil: the application has none
	AuthURL      string                                    // "" when there is no browser flow
	TokenURL     string
	DeviceURL    string // "" when there is no device flow
	Scopes       []string
	Params       []string // see Provider.Params
	Basic        bool     // see Provider.Basic
	RedirectURL  string   // http://127.0.0.1:PORT/… as registered; "" for a port chosen at random
	Exact        bool     // see Provider.Exact
	Localhost    bool     // see Provider.Localhost
	CAFile       string   // PEM with authorities trusted besides the system's; "" for none
}

// requestTime bounds one request to a provider.
const requestTime = 20 * time.Second

// errRedirect says that a provider wanted the secrets to be sent to another address.
var errRedirect = errors.New("provider redirects a request that carries secrets")

// client returns what talks to the provider: with a deadline, and without following redirects.
func (a App) client() (*http.Client, error) {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("no ordinary http transport")
	}
	t := base.Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	t.DisableKeepAlives = true // a request a day or an hour is not worth an open connection
	if a.CAFile != "" {
		pem, err := os.ReadFile(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca file of the provider: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in ca file %s", a.CAFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport: t, Timeout: requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}, nil
}

// session is an App ready to talk.
type session struct {
	conf   *oauth2.Config
	secret string
}

// open gets the application's secret and returns the context under which x/oauth2 talks.
func (a App) open(ctx context.Context) (context.Context, *session, error) {
	client, err := a.client()
	if err != nil {
		return ctx, nil, err
	}
	secret := ""
	if a.ClientSecret != nil {
		if secret, err = a.ClientSecret(ctx); err != nil {
			return ctx, nil, err
		}
	}
	style := oauth2.AuthStyleInParams
	if a.Basic && secret != "" {
		style = oauth2.AuthStyleInHeader
	}
	conf := &oauth2.Config{
		ClientID: a.ClientID, ClientSecret: secret, Scopes: a.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: a.AuthURL, TokenURL: a.TokenURL, DeviceAuthURL: a.DeviceURL, AuthStyle: style},
	}
	return context.WithValue(ctx, oauth2.HTTPClient, client), &session{conf, secret}, nil
}

// Tokens are what a provider gives. They are secrets: they have no printed form.
type Tokens struct {
	access, refresh string
	lifetime        time.Duration // 0 when the provider did not say
	scopes          []string
}

// String gives nothing away.
func (Tokens) String() string { return "tokens" }

// GoString gives nothing away either.
func (Tokens) GoString() string { return "tokens" }

// Access returns the access token, for a first try. Do not log it.
func (t Tokens) Access() string { return t.access }

func tokensOf(t *oauth2.Token, scopes []string) Tokens {
	return Tokens{
		access: t.AccessToken, refresh: t.RefreshToken, lifetime: max(time.Duration(t.ExpiresIn)*time.Second, 0),
		scopes: scopes,
	}
}

// refresh asks for new tokens. A provider that gives no new refresh token means that the old one stays good.
func (a App) refresh(ctx context.Context, refresh string) (Tokens, error) {
	ctx, s, err := a.open(ctx)
	if err != nil {
		return Tokens{}, err
	}
	got, err := s.conf.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return Tokens{}, explain(err, refresh, s.secret)
	}
	t := tokensOf(got, a.Scopes)
	if t.refresh == "" {
		t.refresh = refresh
	}
	return t, nil
}

// phrase names the mailbox in a text for people.
func phrase(key, address string, pairs ...any) models.Phrase {
	return models.Say("oauth."+key, append(pairs, "Address", address)...)
}

func told(key, address string, err error, pairs ...any) error {
	return &models.Told{Phrase: phrase(key, address, pairs...), Err: err}
}
