package config

import (
	"sort"
	"time"

	"kontrol/models"
)

// Mailbox is one mailbox to be watched, with everything that the rest of the config says about it put in.
type Mailbox struct {
	Address      string // normalised
	Kind         models.MailboxKind
	ManagerEmail string   // normalised; "" for a shared mailbox
	Aliases      []string // normalised
	Server       ServerConfig
	Username     string
	Secret       SecretFunc  // never nil; not used with OAuth
	OAuth        *OAuthLogin // nil when the login is by password
	Folders      FolderNames
	// WithoutUIDPlus says what to do when the server can neither MOVE nor UID EXPUNGE.
	WithoutUIDPlus WithoutUIDPlus
	Location       *time.Location // the manager's time zone, or the department's; never nil
}

// ServerConfig is a mail server with its URLs taken apart and its paths made absolute.
type ServerConfig struct {
	Name              string
	Provider          string // one of oauth.Names, or ""
	IMAP              Endpoint
	SMTP              Endpoint // zero when nothing is sent through this server
	CAFile            string   // absolute; "" for the system's certificates
	DisableExtensions []string // upper case
	MaxConnections    int      // over all mailboxes of the server; 0: no limit
}

// owner is what managers and shared mailboxes have in common.
type owner struct {
	path       string // managers[1]
	addressKey string // the key that holds the address
	address    string
	server     string
	username   string
	folders    FolderNames
}

// mailboxOwners lists everybody whose mailbox is to be watched, in the order of the file, managers first.
func (c *Config) mailboxOwners() []owner {
	var list []owner
	for i, m := range c.Managers {
		if m.HasMailbox() {
			list = append(list, owner{joinIndex("managers", i), "email", m.Email, m.Server, m.Username, m.Folders})
		}
	}
	for i, s := range c.SharedMailboxes {
		list = append(list, owner{joinIndex("shared_mailboxes", i), "address", s.Address, s.Server, s.Username, s.Folders})
	}
	return list
}

// Mailboxes returns every mailbox to be watched, managers' first, in the order of the file. It is meaningful only for a
// Config that Load has returned.
func (c *Config) Mailboxes() []Mailbox {
	var list []Mailbox
	zones := map[string]*time.Location{} // each is read once
	for _, m := range c.Managers {
		if !m.HasMailbox() {
			continue
		}
		box := c.mailbox(m.Email, m.Aliases, m.Server, m.Username, m.Secret, m.Folders)
		box.Kind, box.ManagerEmail = models.MailboxPersonal, m.Email
		if l := zones[m.Timezone]; l != nil {
			box.Location = l
		} else if l, err := time.LoadLocation(m.Timezone); err == nil && m.Timezone != "" {
			box.Location, zones[m.Timezone] = l, l
		}
		list = append(list, box)
	}
	for _, s := range c.SharedMailboxes {
		box := c.mailbox(s.Address, s.Aliases, s.Server, s.Username, s.Secret, s.Folders)
		box.Kind = models.MailboxShared
		list = append(list, box)
	}
	return list
}

func (c *Config) mailbox(address string, aliases []string, server, username string, s Secret, f FolderNames) Mailbox {
	return Mailbox{
		Address:        address,
		Aliases:        append([]string(nil), aliases...),
		Server:         c.serverConfig(server),
		Username:       username,
		Secret:         c.secretFunc(address, s),
		OAuth:          c.oauthLogin(address, server, s),
		Folders:        f.or(c.Folders.FolderNames),
		WithoutUIDPlus: c.Folders.WithoutUIDPlus,
		Location:       c.Location(),
	}
}

// MailServers returns every server of the config, used or not, by name.
func (c *Config) MailServers() []ServerConfig {
	names := make([]string, 0, len(c.Servers))
	for n := range c.Servers {
		names = append(names, n)
	}
	sort.Strings(names)
	list := make([]ServerConfig, 0, len(names))
	for _, n := range names {
		list = append(list, c.serverConfig(n))
	}
	return list
}

// serverConfig takes a server apart; Load has checked that it can be.
func (c *Config) serverConfig(name string) ServerConfig {
	s := c.Servers[name]
	imap, _ := parseEndpoint(s.IMAP, imapSchemes())
	smtp, _ := parseEndpoint(s.SMTP, smtpSchemes())
	return ServerConfig{
		Name:              name,
		Provider:          s.Provider,
		IMAP:              imap,
		SMTP:              smtp,
		CAFile:            c.abs(s.CAFile),
		DisableExtensions: append([]string(nil), s.DisableExtensions...),
		MaxConnections:    s.MaxConnections,
	}
}
