package models

import "time"

// OAuthToken is the standing permission to log in to one mailbox without its password, as the provider gave it when a
// person agreed. The secrets in it are sealed: the database holds them, the key is kept elsewhere. A row stays when its
// mailbox leaves the config; logging out deletes it. See RFC 6749 section 1.5.
type OAuthToken struct {
	ID       int64   `gorm:"primaryKey"`
	Address  string  `gorm:"not null;size:320;uniqueIndex:ux_oauth_tokens_address"` // of the mailbox, normalised
	Provider string  `gorm:"not null;size:40"`                                      // "yandex" …; "" for one's own
	ClientID string  `gorm:"not null;size:400"`                                     // the application that it was given to; for no other is it good
	Account  string  `gorm:"not null;size:320"`                                     // the login name that the mail server accepted
	Scopes   Strings `gorm:"not null;type:text"`                                    // what it permits, as asked for
	Refresh  string  `gorm:"not null;type:text"`                                    // the refresh token, sealed; never empty
	Access   string  `gorm:"not null;type:text"`                                    // the access token, sealed; "" when there is none yet
	// IssuedAt and ExpiresAt bound the access token; ExpiresAt is nil when the provider did not say.
	IssuedAt  *time.Time
	ExpiresAt *time.Time
	// Generation counts changes of the tokens, from 1. Whoever replaces them names the generation that he started from.
	Generation int64      `gorm:"not null;default:1"`
	GrantedAt  time.Time  `gorm:"not null"` // when the person agreed last
	RefusedAt  *time.Time // when the provider said that the refresh token is no longer good; nil while it is
	// Holder is the process that is refreshing the tokens at the moment, until HeldUntil; "" for none. A second one that
	// used the same refresh token meanwhile could make the provider withdraw everything.
	Holder    string `gorm:"not null;size:80"`
	HeldUntil *time.Time
	CreatedAt time.Time `gorm:"not null"`
	UpdatedAt time.Time `gorm:"not null"`
}

// TableName is the table's name; gorm would make another one of the struct's.
func (OAuthToken) TableName() string { return "oauth_tokens" }

// String names the mailbox and nothing else: not even the sealed tokens belong in a log.
func (t OAuthToken) String() string { return "oauth token of " + t.Address }
