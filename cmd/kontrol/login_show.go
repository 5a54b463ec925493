package main

import (
	"context"
	"errors"

	"kontrol/config"
	"kontrol/models"
	"kontrol/oauth"
	"kontrol/store"
)

// login is how a mailbox is logged in to, and how that stands.
type login struct {
	oauth    *config.OAuthLogin // nil: by password
	standing oauth.Standing     // with OAuth2 only
}

// logins are those of the config, by address.
type logins map[string]login

func (l logins) anyOAuth() bool {
	for _, x := range l {
		if x.oauth != nil {
			return true
		}
	}
	return false
}

// gatherLogins looks at the stored tokens. db may be nil: then nobody has logged in.
func (c *cli) gatherLogins(ctx context.Context, db *store.DB) (logins, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	all := logins{}
	for _, box := range cfg.Mailboxes() {
		l := login{oauth: box.OAuth}
		if box.OAuth != nil && box.OAuth.Token == nil {
			row, err := models.OAuthToken{}, models.ErrNotFound
			if db != nil {
				row, err = db.OAuthToken(ctx, box.Address)
			}
			if err != nil && !errors.Is(err, models.ErrNotFound) {
				return nil, err
			}
			l.standing = oauth.StandingOf(row, err, box.OAuth.App)
		}
		all[box.Address] = l
	}
	return all, nil
}

// loginText says how a mailbox is logged in to; "" when the config does not know it any more.
func (c *cli) loginText(all logins, address string) string {
	l, ok := all[address]
	switch {
	case !ok:
		return ""
	case l.oauth == nil:
		return c.Text("cli.login.password")
	case l.oauth.Token != nil:
		return c.Text("cli.login.command")
	}
	return c.Text("cli.login.oauth", "Provider", l.oauth.App.Title(), "Standing", models.Say("oauth.standing."+string(l.standing)))
}

// loginJSON is a mailbox's login in JSON.
type loginJSON struct {
	Method   string `json:"method"`             // password, oauth2 or command
	Provider string `json:"provider,omitempty"` // as in the config
	Standing string `json:"standing,omitempty"` // missing, working, refused or foreign
}

func (c *cli) loginJSON(all logins, address string) *loginJSON {
	l, ok := all[address]
	switch {
	case !ok:
		return nil
	case l.oauth == nil:
		return &loginJSON{Method: string(config.AuthPassword)}
	case l.oauth.Token != nil:
		return &loginJSON{Method: "command"}
	}
	return &loginJSON{Method: string(config.AuthOAuth2), Provider: l.oauth.App.Provider, Standing: string(l.standing)}
}
