package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
)

// Config is what config.toml says, with the defaults filled in. Load makes it; it is not changed afterwards and may be
// read by several goroutines. Printing it in any way (fmt, slog, JSON) shows no secret.
type Config struct {
	Language string   `toml:"language"` // of the texts for people: "ru" or "en"
	Timezone string   `toml:"timezone"` // IANA name; where the department works
	Company  Company  `toml:"company"`
	Database Database `toml:"database"`
	// Servers are the mail servers by the name that managers and shared mailboxes call them.
	Servers         map[string]Server `toml:"servers"`
	Hosts           []Host            `toml:"hosts"`
	Managers        []Manager         `toml:"managers"`
	SharedMailboxes []SharedMailbox   `toml:"shared_mailboxes"`
	Folders         Folders           `toml:"folders"`
	Triage          Triage            `toml:"triage"`
	Private         Private           `toml:"private"`
	Clients         Clients           `toml:"clients"`
	Payments        Payments          `toml:"payments"`
	Log             Log               `toml:"log"`

	file     string // as given to Load
	dir      string // absolute; relative paths of the config start here
	env      func(string) string
	location *time.Location
	warnings []models.Phrase
}

// Company is the department's own firm.
type Company struct {
	Name      string   `toml:"name"`
	Domains   []string `toml:"domains"`   // own mail domains; empty: those of the mailboxes, see Config.OwnDomains
	Addresses []string `toml:"addresses"` // own addresses that have no mailbox here
	INN       string   `toml:"inn"`       // 10 or 12 digits with right check digits, or ""
	Accounts  []string `toml:"accounts"`  // own bank accounts, 20 digits each
}

// Database says where the data is kept.
type Database struct {
	URL Hidden `toml:"url"` // may hold a password; see Config.DatabaseURL for the form to open
	SecretKey
}

// Server is one mail server as the config has it. The URLs are checked by Load; ServerConfig has them taken apart.
type Server struct {
	Provider          string   `toml:"provider"` // one of oauth.Names, whose servers are then known; "" for none of them
	IMAP              string   `toml:"imap"`
	SMTP              string   `toml:"smtp"`               // "" when nothing is sent through this server
	CAFile            string   `toml:"ca_file"`            // PEM; "" for the system's certificates
	DisableExtensions []string `toml:"disable_extensions"` // upper case after Load
	MaxConnections    int      `toml:"max_connections"`    // over all mailboxes of the server; 0: no limit
	OAuth             OAuth    `toml:"oauth"`              // zero when mailboxes are logged in to with passwords only
}

// Manager is a person of the department, usually with a mailbox.
type Manager struct {
	Name     string             `toml:"name"`
	Email    string             `toml:"email"`   // normalised by Load
	Aliases  []string           `toml:"aliases"` // normalised by Load
	Role     models.ManagerRole `toml:"role"`
	Server   string             `toml:"server"`   // filled in when the config has one server only
	Username string             `toml:"username"` // default: Email
	Secret
	Timezone  string      `toml:"timezone"` // default: Config.Timezone
	Team      string      `toml:"team"`     // "" is a team too: that of all who name none
	Signature string      `toml:"signature"`
	Folders   FolderNames `toml:"folders"`
}

// HasMailbox reports whether the person's mailbox is watched. Heads and administrators may do without one.
func (m Manager) HasMailbox() bool { return m.Role == models.RoleManager || m.given() }

// SharedMailbox is a mailbox that several managers work with, such as sales@.
type SharedMailbox struct {
	Address  string   `toml:"address"`  // normalised by Load
	Aliases  []string `toml:"aliases"`  // normalised by Load
	Server   string   `toml:"server"`   // filled in when the config has one server only
	Username string   `toml:"username"` // default: Address
	Secret
	Folders FolderNames `toml:"folders"`
}

// FolderNames are full folder names in UTF-8. An empty name means: as in [folders].
type FolderNames struct {
	Sent      string `toml:"sent"` // "" in the end: found by its mark \Sent or its usual names
	Processed string `toml:"processed"`
	Control   string `toml:"control"`
	Private   string `toml:"private"` // it is not made where it is missing
}

// WithoutUIDPlus says what to do on a server that can neither MOVE nor UID EXPUNGE.
type WithoutUIDPlus string

// The ways to file on a server without MOVE and UIDPLUS. See RFC 4315 section 2.1 for why it matters.
const (
	Refuse       WithoutUIDPlus = "refuse"        // leave the letters where they are, and say so
	LeaveDeleted WithoutUIDPlus = "leave_deleted" // copy, and leave the original marked as deleted
)

// Folders are the names of the folders that letters are filed into, for all mailboxes.
type Folders struct {
	FolderNames
	WithoutUIDPlus WithoutUIDPlus `toml:"without_uidplus"`
}

// Triage says how letters are sorted.
type Triage struct {
	FirstLook Duration `toml:"first_look"` // answered letters that were there before Kontrol are filed up to this age; 0: none of them
}

// Private says which letters are nobody's business: nothing of them is stored.
type Private struct {
	Addresses []string `toml:"addresses"` // of people, or "@domain"; normalised by Load
}

// Visibility says whose clients, deals and letters a manager sees.
type Visibility string

// The values of Visibility. Administrators see everything, heads at least their team.
const (
	SeeOwn  Visibility = "own"  // one's own, and those that are nobody's
	SeeTeam Visibility = "team" // those of everybody with the same Manager.Team
	SeeAll  Visibility = "all"
)

// Clients says how clients are kept.
type Clients struct {
	Visibility Visibility `toml:"visibility"`
	ClaimLimit int        `toml:"claim_limit"` // how many clients a manager may have claimed at a time; 0: no limit
	ClaimFor   Duration   `toml:"claim_for"`   // how long a claim holds
}

// Payments says how money that comes in is booked.
type Payments struct {
	SameSum bool   `toml:"same_sum"` // book without asking what fits the payer's only open invoice of that sum, though none is named
	WonWhen string `toml:"won_when"` // "paid" or "prepaid N%": how much of a deal's invoices must be paid for it to be won
}

// WonPercent returns the share of WonWhen, 1 to 100.
func (p Payments) WonPercent() int {
	share, ok := wonShare(p.WonWhen)
	if !ok {
		return 100
	}
	return share
}

// wonShare reads WonWhen; "" is "paid".
func wonShare(s string) (int, bool) {
	s = strings.ToLower(strings.Join(strings.Fields(s), " "))
	if s == "" || s == "paid" {
		return 100, true
	}
	number, ok := strings.CutPrefix(s, "prepaid ")
	share, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(number, "%")))
	return share, ok && err == nil && share >= 1 && share <= 100
}

// LogFormat is how log lines look.
type LogFormat string

// The formats of the log.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
	LogAuto LogFormat = "auto" // text on a terminal, JSON elsewhere
)

// Log says what is logged and how.
type Log struct {
	Level  string    `toml:"level"` // debug, info, warn or error; see Config.LogLevel
	Format LogFormat `toml:"format"`
}

// File returns the path of the file as it was given to Load.
func (c *Config) File() string { return c.file }

// Location returns the department's time zone. It is never nil; UTC for a Config that Load has not made.
func (c *Config) Location() *time.Location {
	if c.location == nil {
		return time.UTC
	}
	return c.location
}

// LogLevel returns log.level for slog; info when it is not one of the known words.
func (c *Config) LogLevel() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return slog.LevelInfo
	}
	return l
}

// Warnings returns what is allowed but unwise, in no particular order: a password in the file itself, a secret that
// other users of the machine can read, a server that no mailbox uses. The list belongs to the caller.
func (c *Config) Warnings() []models.Phrase { return append([]models.Phrase(nil), c.warnings...) }

// DatabaseURL returns the database to open: "sqlite:" and an absolute path (or ":memory:"), or a postgres:// URL as it
// is in the config, password included. Never log it; RedactedDatabaseURL is for showing.
func (c *Config) DatabaseURL() string {
	raw := c.Database.URL.Reveal()
	path, ok := sqlitePath(raw)
	if !ok || path == ":memory:" {
		return raw
	}
	path, query, has := strings.Cut(path, "?")
	if has {
		query = "?" + query
	}
	return "sqlite:" + c.abs(path) + query
}

// RedactedDatabaseURL returns DatabaseURL with user, password and parameters taken out.
func (c *Config) RedactedDatabaseURL() string {
	u, _, _ := strings.Cut(c.DatabaseURL(), "?")
	scheme, rest, ok := strings.Cut(u, "://")
	if at := strings.LastIndexByte(rest, '@'); ok && at >= 0 {
		return scheme + "://" + masked + rest[at:]
	}
	return u
}

// sqlitePath returns the path of a sqlite: or sqlite:// URL, and whether the URL is one.
func sqlitePath(u string) (string, bool) {
	path, ok := strings.CutPrefix(u, "sqlite:")
	return strings.TrimPrefix(path, "//"), ok
}

// abs makes a path of the config absolute: relative ones start at the config file's folder, and a leading
// $CREDENTIALS_DIRECTORY is the folder where systemd puts credentials.
func (c *Config) abs(path string) string {
	const creds = "$CREDENTIALS_DIRECTORY/"
	if rest, ok := strings.CutPrefix(path, creds); ok && c.env != nil && c.env("CREDENTIALS_DIRECTORY") != "" {
		return filepath.Join(c.env("CREDENTIALS_DIRECTORY"), rest)
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// String lists every key with its value, one a line, secrets masked: for people who ask what is in force.
func (c Config) String() string {
	lines := make([]string, 0, 64)
	for _, s := range c.Settings() {
		lines = append(lines, s.Key+" = "+s.Value)
	}
	return strings.Join(lines, "\n")
}

// Format prints what String gives whatever the verb, so that %+v and %#v show no secret either.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue is the short form for the log: counts, no addresses, no secrets.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("file", c.file),
		slog.String("language", c.Language),
		slog.String("timezone", c.Timezone),
		slog.String("database", c.RedactedDatabaseURL()),
		slog.Int("servers", len(c.Servers)),
		slog.Int("managers", len(c.Managers)),
		slog.Int("shared_mailboxes", len(c.SharedMailboxes)),
	)
}
