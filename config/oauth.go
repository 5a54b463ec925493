package config

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"

	"kontrol/models"
	"kontrol/oauth"
)

// Auth says how a mailbox is logged in to.
type Auth string

// The ways to log in. The empty Auth of a file means: a password where one is given, OAuth2 where the server has
// [servers.NAME.oauth].
const (
	AuthPassword Auth = "password"
	AuthOAuth2   Auth = "oauth2"
)

// OAuth is an application as it is registered with a provider. What a known provider leaves empty is filled in.
type OAuth struct {
	ClientID string `toml:"client_id"`
	ClientSecret
	Tenant      string   `toml:"tenant"`       // Microsoft: the firm's; "" for any
	AuthURL     string   `toml:"auth_url"`     // "" without a browser flow
	TokenURL    string   `toml:"token_url"`    //
	DeviceURL   string   `toml:"device_url"`   // "" without a device flow
	RedirectURL string   `toml:"redirect_url"` // where the browser is sent, as registered; "" for a port chosen at random
	Scopes      []string `toml:"scopes"`
	CAFile      string   `toml:"ca_file"` // PEM; "" for the system's certificates
}

// ClientSecret is where an application's secret comes from: one of the four, or none.
type ClientSecret struct {
	File    string  `toml:"client_secret_file"`
	Env     string  `toml:"client_secret_env"`
	Command Command `toml:"client_secret_command"`
	Text    Hidden  `toml:"client_secret"` // allowed, and warned about
}

func (s ClientSecret) secret() Secret {
	return Secret{PasswordFile: s.File, PasswordEnv: s.Env, PasswordCommand: s.Command, Password: s.Text}
}

// SecretKey is where the key comes from with which the database's tokens are sealed: one of the three, or none.
type SecretKey struct {
	File    string  `toml:"secret_key_file"`
	Env     string  `toml:"secret_key_env"`
	Command Command `toml:"secret_key_command"`
}

func (s SecretKey) secret() Secret {
	return Secret{PasswordFile: s.File, PasswordEnv: s.Env, PasswordCommand: s.Command}
}

func clientSecretKeys() []string {
	return []string{"client_secret_file", "client_secret_env", "client_secret_command", "client_secret"}
}

func secretKeyKeys() []string {
	return []string{"secret_key_file", "secret_key_env", "secret_key_command", ""}
}

// hasOAuth reports whether the file has the section [servers.NAME.oauth].
func (c *checker) hasOAuth(server string) bool {
	return c.doc.has(joinKey(joinKey("servers", server), "oauth"))
}

// presets fills in what is known of the providers that the servers name.
func (c *checker) presets() {
	for _, name := range c.serverNames() {
		s := c.cfg.Servers[name]
		p, ok := oauth.Lookup(s.Provider)
		if !ok {
			continue
		}
		fill(&s.IMAP, p.IMAP)
		fill(&s.SMTP, p.SMTP)
		if c.hasOAuth(name) {
			p = p.ForTenant(s.OAuth.Tenant)
			fill(&s.OAuth.AuthURL, p.AuthURL)
			fill(&s.OAuth.TokenURL, p.TokenURL)
			fill(&s.OAuth.DeviceURL, p.DeviceURL)
			if s.OAuth.Scopes == nil {
				s.OAuth.Scopes = p.Scopes
			}
		}
		c.cfg.Servers[name] = s
	}
}

// oauth checks the section [servers.NAME.oauth], if there is one.
func (c *checker) oauth(server, name string) {
	s := c.cfg.Servers[name]
	if s.Provider != "" {
		c.oneOf(joinKey(server, "provider"), s.Provider, oauth.Names())
	}
	if !c.hasOAuth(name) {
		return
	}
	path, o := joinKey(server, "oauth"), s.OAuth
	if o.ClientID == "" {
		c.add(joinKey(path, "client_id"), models.Say("config.oauth_client"))
	}
	c.source(path, clientSecretKeys(), o.secret(), models.Phrase{})
	switch {
	case c.isFailed(joinKey(server, "provider")):
	case o.TokenURL == "":
		c.add(joinKey(path, "token_url"), models.Say("config.oauth_provider", "Known", oauth.Names()))
	case o.AuthURL == "" && o.DeviceURL == "":
		c.add(joinKey(path, "auth_url"), models.Say("config.oauth_flow"))
	}
	for key, raw := range map[string]string{"auth_url": o.AuthURL, "token_url": o.TokenURL, "device_url": o.DeviceURL} {
		if raw != "" && !webURL(raw) {
			c.add(joinKey(path, key), models.Say("config.oauth_url"))
		}
	}
	p, known := oauth.Lookup(s.Provider)
	if o.Tenant != "" && (!known || !p.HasTenants() || strings.Trim(o.Tenant, tenantLetters) != "") {
		c.add(joinKey(path, "tenant"), models.Say("config.oauth_tenant"))
	}
	if o.RedirectURL != "" && !loopbackURL(o.RedirectURL) {
		c.add(joinKey(path, "redirect_url"), models.Say("config.oauth_redirect"))
	}
	if o.CAFile != "" {
		c.certificates(joinKey(path, "ca_file"), o.CAFile)
	}
}

const tenantLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

// webURL reports whether a provider can be asked there: over https, or on this very machine.
func webURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname()))
}

// loopbackURL reports whether a browser that is sent there comes back to this machine. See RFC 8252 section 7.3.
func loopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "http" && loopback(u.Hostname()) && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// auth checks how a mailbox is logged in to, and fills it in where the file leaves it open. owner tells that the mailbox is
// watched in any case.
func (c *checker) auth(path, server string, s *Secret, owner bool) {
	given := s.Auth
	if given != "" {
		c.oneOf(joinKey(path, "auth"), string(given), []string{string(AuthPassword), string(AuthOAuth2)})
	}
	password := c.firstGiven(path, secretKeys())
	token := c.doc.has(joinKey(path, "token_command"))
	switch {
	case c.isFailed(joinKey(path, "auth")):
	case token && password != "":
		c.add(joinKey(path, "token_command"), models.Say("config.secret_two", "Keys", []string{password, "token_command"}))
	case token && given == AuthPassword, given == AuthOAuth2 && password != "":
		c.add(joinKey(path, "auth"), models.Say("config.auth_both"))
	case given == AuthOAuth2 && !token && !c.hasOAuth(server) && !c.isFailed(joinKey(path, "server")):
		c.add(joinKey(path, "auth"), models.Say("config.auth_server", "Server", server))
	case given == "" && (token || (owner && password == "" && c.hasOAuth(server))):
		s.Auth = AuthOAuth2
	}
	switch {
	case c.isFailed(joinKey(path, "auth")):
	case token:
		if len(s.TokenCommand) > 0 && !c.offline && !c.cfg.runnable(s.TokenCommand[0]) {
			c.add(joinKey(path, "token_command"), models.Say("config.secret_program", "Name", s.TokenCommand[0]))
		}
	case s.Auth != AuthOAuth2:
		missing := models.Say("config.secret_missing")
		if srv, ok := c.cfg.Servers[server]; ok && srv.Provider != "" {
			missing = models.Say("config.secret_or_oauth", "Server", server)
		}
		c.source(path, secretKeys(), *s, missing)
	}
}

// firstGiven returns the first of the keys that the file gives.
func (c *checker) firstGiven(path string, keys []string) string {
	for _, k := range keys {
		if k != "" && c.doc.has(joinKey(path, k)) {
			return k
		}
	}
	return ""
}

// OAuthLogin is how a mailbox is logged in to with OAuth2: with tokens that App was permitted to get, or with those that
// Token gives.
type OAuthLogin struct {
	App   oauth.App
	Token SecretFunc // a command's; nil when App is used
}

// oauthLogin returns how the mailbox is logged in to with OAuth2; nil when it has a password.
func (c *Config) oauthLogin(address, server string, s Secret) *OAuthLogin {
	if s.Auth != AuthOAuth2 {
		return nil
	}
	if len(s.TokenCommand) > 0 {
		return &OAuthLogin{Token: c.secretFunc(address, Secret{PasswordCommand: s.TokenCommand})}
	}
	srv := c.Servers[server]
	p, _ := oauth.Lookup(srv.Provider)
	o := srv.OAuth
	app := oauth.App{
		Provider: srv.Provider, ClientID: o.ClientID, AuthURL: o.AuthURL, TokenURL: o.TokenURL, DeviceURL: o.DeviceURL,
		Scopes: append([]string(nil), o.Scopes...), Params: p.Params, Basic: p.Basic, RedirectURL: o.RedirectURL,
		Exact: p.Exact, Localhost: p.Localhost, CAFile: c.abs(o.CAFile),
	}
	if o.secret().given() {
		get := c.secretFunc(address, o.secret())
		app.ClientSecret = func(ctx context.Context) (string, error) { return get(ctx) }
	}
	return &OAuthLogin{App: app}
}

// keyName is the file that the key for tokens lies in when the config names no other.
const keyName = "kontrol.key"

// TokenKey returns where the key comes from with which tokens are sealed in the database: from secret when that is not
// nil, else from the file at path, which is made when it is first needed. The file lies beside a SQLite database, or beside
// the config.
func (c *Config) TokenKey() (path string, secret SecretFunc) {
	if s := c.Database.secret(); s.given() {
		return "", c.secretFunc("", s)
	}
	if db, ok := sqlitePath(c.DatabaseURL()); ok && db != ":memory:" {
		db, _, _ = strings.Cut(db, "?")
		return filepath.Join(filepath.Dir(db), keyName), nil
	}
	return filepath.Join(c.dir, keyName), nil
}
