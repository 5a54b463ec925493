package config

import (
	"crypto/x509"
	"os"
	"sort"
	"strings"
	"time"

	"kontrol/models"
)

func languages() []string { return []string{"ru", "en"} }

func levels() []string { return []string{"debug", "info", "warn", "error"} }

func known(s string, list []string) bool {
	for _, k := range list {
		if s == k {
			return true
		}
	}
	return false
}

// all checks a config whose keys and types are right.
func (c *checker) all() {
	c.oneOf("language", c.cfg.Language, languages())
	c.cfg.location = c.zone("timezone", c.cfg.Timezone)
	c.company()
	c.database()
	c.source("database", secretKeyKeys(), c.cfg.Database.secret(), models.Phrase{})
	for _, name := range c.serverNames() {
		c.server(joinKey("servers", name), name)
	}
	c.hosts()
	c.people()
	c.folders()
	c.oneOf("folders.without_uidplus", string(c.cfg.Folders.WithoutUIDPlus), []string{string(Refuse), string(LeaveDeleted)})
	if first := c.cfg.Triage.FirstLook; first.Std() > 20*366*24*time.Hour {
		c.add("triage.first_look", models.Say("config.too_long", "Value", first.String()))
	}
	c.oneOf("clients.visibility", string(c.cfg.Clients.Visibility), []string{string(SeeOwn), string(SeeTeam), string(SeeAll)})
	if span := c.cfg.Clients.ClaimFor; span.Std() > 20*366*24*time.Hour {
		c.add("clients.claim_for", models.Say("config.too_long", "Value", span.String()))
	}
	if _, ok := wonShare(c.cfg.Payments.WonWhen); !ok {
		c.add("payments.won_when", models.Say("config.won_when", "Value", c.cfg.Payments.WonWhen))
	}
	c.oneOf("log.level", c.cfg.Log.Level, levels())
	c.oneOf("log.format", string(c.cfg.Log.Format), []string{string(LogText), string(LogJSON), string(LogAuto)})
	c.ownFile()
}

// oneOf checks a value from a closed set.
func (c *checker) oneOf(path, value string, list []string) {
	if !known(value, list) {
		c.add(path, models.Say("config.one_of", "Value", value, "Near", nearest(value, list), "Known", list))
	}
}

// zone looks up a time zone. It returns UTC when there is none of that name.
func (c *checker) zone(path, name string) *time.Location {
	if name != "" && name != "Local" {
		if l, err := time.LoadLocation(name); err == nil {
			return l
		}
	}
	near := nearest(name, zones())
	if near == "" {
		near = nearestCity(name)
	}
	c.add(path, models.Say("config.timezone", "Value", name, "Near", near))
	return time.UTC
}

func nearestCity(name string) string {
	cities := make(map[string]string)
	var list []string
	for _, z := range zones() {
		city := z[strings.LastIndexByte(z, '/')+1:]
		cities[city] = z
		list = append(list, city)
	}
	return cities[nearest(name[strings.LastIndexByte(name, '/')+1:], list)]
}

func (c *checker) company() {
	co := &c.cfg.Company
	for i, d := range co.Domains {
		path := joinIndex("company.domains", i)
		name, ok := domainName(strings.TrimPrefix(d, "@"))
		switch {
		case !ok || !strings.Contains(name, "."):
			c.add(path, models.Say("config.domain", "Value", d, "Mixed", mixedDomain(d)))
		case freeMail(name):
			c.add(path, models.Say("config.domain_free", "Value", d))
		}
		co.Domains[i] = name
	}
	for i, a := range co.Addresses {
		c.email(joinIndex("company.addresses", i), a)
	}
	for i, a := range c.cfg.Private.Addresses {
		if domain, whole := strings.CutPrefix(a, "@"); whole {
			a = "x@" + domain
		}
		c.email(joinIndex("private.addresses", i), a)
	}
	if co.INN != "" && !validINN(co.INN) {
		c.add("company.inn", models.Say("config.inn", "Value", co.INN))
	}
	for i, a := range co.Accounts {
		if len(a) != 20 || strings.Trim(a, "0123456789") != "" {
			c.add(joinIndex("company.accounts", i), models.Say("config.account", "Value", a))
		}
	}
}

// validINN checks the check digits of a taxpayer number of a firm (10 digits) or a person (12).
func validINN(s string) bool {
	digit := func(weights ...int) byte {
		sum := 0
		for i, w := range weights {
			sum += w * int(s[i]-'0')
		}
		return byte('0' + sum%11%10)
	}
	if strings.Trim(s, "0123456789") != "" {
		return false
	}
	switch len(s) {
	case 10:
		return s[9] == digit(2, 4, 10, 3, 5, 9, 4, 6, 8)
	case 12:
		return s[10] == digit(7, 2, 4, 10, 3, 5, 9, 4, 6, 8) && s[11] == digit(3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
	}
	return false
}

// database checks the form of the URL. It never repeats it: there may be a password in it.
func (c *checker) database() {
	const path = "database.url"
	raw := c.cfg.Database.URL.Reveal()
	schemes := []string{"sqlite", "postgres", "postgresql"}
	word, rest, ok := strings.Cut(raw, ":")
	switch {
	case !ok || !known(word, schemes):
		if strings.ContainsAny(word, "/@= ") || len(word) > 20 {
			word = ""
		}
		c.add(path, models.Say("config.database_scheme", "Near", nearest(word, schemes)))
	case word == "sqlite":
		if p, _ := sqlitePath(raw); p == "" || strings.HasPrefix(p, "?") {
			c.add(path, models.Say("config.database_path"))
		}
	case !postgresURL(rest):
		c.add(path, models.Say("config.database_postgres"))
	}
}

func (c *checker) serverNames() []string {
	names := make([]string, 0, len(c.cfg.Servers))
	for n := range c.cfg.Servers {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (c *checker) server(path, name string) {
	s := c.cfg.Servers[name]
	c.oauth(path, name)
	if s.IMAP == "" && c.isFailed(joinKey(path, "provider")) {
		return
	}
	if s.IMAP == "" {
		c.add(joinKey(path, "imap"), models.Say("config.server_imap"))
	} else if _, p := parseEndpoint(s.IMAP, imapSchemes()); !p.IsZero() {
		c.add(joinKey(path, "imap"), p)
	}
	if s.SMTP != "" {
		if _, p := parseEndpoint(s.SMTP, smtpSchemes()); !p.IsZero() {
			c.add(joinKey(path, "smtp"), p)
		}
	}
	if s.CAFile != "" {
		c.certificates(joinKey(path, "ca_file"), s.CAFile)
	}
	for i, e := range s.DisableExtensions {
		s.DisableExtensions[i] = strings.ToUpper(strings.TrimSpace(e))
		c.oneOf(joinIndex(joinKey(path, "disable_extensions"), i), s.DisableExtensions[i], extensions())
	}
	if s.MaxConnections < 0 || s.MaxConnections > 10000 {
		c.add(joinKey(path, "max_connections"), models.Say("config.range", "Min", 0, "Max", 10000))
	}
	used := 0
	for _, m := range c.cfg.Managers {
		if m.HasMailbox() && m.Server == name {
			used++
		}
	}
	for _, m := range c.cfg.SharedMailboxes {
		if m.Server == name {
			used++
		}
	}
	if used == 0 {
		c.warn(models.Say("config.server_unused", "Name", name))
	}
	if s.MaxConnections > 0 && s.MaxConnections < used {
		c.add(joinKey(path, "max_connections"), models.Say("config.server_connections", "Max", s.MaxConnections, "Mailboxes", used))
	}
}

// extensions are the abilities of IMAP servers that Kontrol uses and that can therefore be switched off.
func extensions() []string {
	return []string{"MOVE", "UIDPLUS", "IDLE", "CONDSTORE", "QRESYNC", "SPECIAL-USE", "LIST-STATUS", "LIST-EXTENDED",
		"NAMESPACE", "ESEARCH", "ENABLE", "ID", "LITERAL+", "LITERAL-", "SASL-IR", "UNSELECT", "BINARY", "COMPRESS=DEFLATE",
		"PIPELINING"} // which no server announces: several commands at once
}

// certificates checks that a file holds at least one certificate.
func (c *checker) certificates(path, file string) {
	if c.offline {
		return
	}
	data, err := os.ReadFile(c.cfg.abs(file))
	if err != nil {
		c.add(path, unreadable(file, err))
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		c.add(path, models.Say("config.ca_file", "File", file))
	}
}

// ownFile warns when other users of the machine can read a config that has a secret in it.
func (c *checker) ownFile() {
	var paths []string
	for i := range c.cfg.Managers {
		paths = append(paths, joinIndex("managers", i)+".password")
	}
	for i := range c.cfg.SharedMailboxes {
		paths = append(paths, joinIndex("shared_mailboxes", i)+".password")
	}
	for _, name := range c.serverNames() {
		paths = append(paths, joinKey("servers", name)+".oauth.client_secret")
	}
	for _, p := range paths {
		if c.doc.has(p) {
			c.warn(models.Say("config.password_plain", "Place", c.place(p), "Key", p))
		}
	}
	plain := c.cfg.RedactedDatabaseURL() != c.cfg.DatabaseURL() && c.origin["database.url"] == ""
	for _, p := range paths {
		plain = plain || c.doc.has(p)
	}
	if info, err := os.Stat(c.cfg.file); err == nil && plain && open(info) {
		c.warn(models.Say("config.file_open", "File", c.cfg.file))
	}
}

func (c *checker) place(path string) string {
	return (&FieldError{File: c.cfg.file, Line: c.doc.line(path)}).place()
}
