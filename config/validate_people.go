package config

import (
	"net/url"
	"sort"
	"strings"
	"unicode"

	"kontrol/models"
)

// people checks managers and shared mailboxes, each and all together.
func (c *checker) people() {
	for i := range c.cfg.Managers {
		c.manager(joinIndex("managers", i), &c.cfg.Managers[i])
	}
	for i := range c.cfg.SharedMailboxes {
		c.shared(joinIndex("shared_mailboxes", i), &c.cfg.SharedMailboxes[i])
	}
	c.sameAddress()
	c.sameLogin()
	c.unlisted()
	if len(c.cfg.mailboxOwners()) == 0 && !c.isFailed("managers") && !c.isFailed("shared_mailboxes") {
		c.add("", models.Say("config.nobody"))
	}
}

func (c *checker) manager(path string, m *Manager) {
	c.oneOf(joinKey(path, "role"), string(m.Role),
		[]string{string(models.RoleManager), string(models.RoleHead), string(models.RoleAdmin)})
	if m.Name == "" {
		c.add(joinKey(path, "name"), models.Say("config.name"))
	}
	c.email(joinKey(path, "email"), m.Email)
	for i, a := range m.Aliases {
		c.email(joinIndex(joinKey(path, "aliases"), i), a)
	}
	if m.Timezone != c.cfg.Timezone {
		c.zone(joinKey(path, "timezone"), m.Timezone)
	}
	if wanted := c.wantsMailbox(path); m.HasMailbox() || wanted {
		c.mailboxServer(path, m.Server)
		c.auth(path, m.Server, &m.Secret, m.Role == models.RoleManager || wanted)
		c.folderNames(joinKey(path, "folders"), m.Folders)
	}
}

// wantsMailbox reports whether the file says something about a person's mailbox: then it must say where the password is.
func (c *checker) wantsMailbox(path string) bool {
	for _, key := range append(secretKeys(), "auth", "token_command", "server", "username", "folders") {
		if c.doc.has(joinKey(path, key)) {
			return true
		}
	}
	return false
}

func (c *checker) shared(path string, s *SharedMailbox) {
	c.email(joinKey(path, "address"), s.Address)
	for i, a := range s.Aliases {
		c.email(joinIndex(joinKey(path, "aliases"), i), a)
	}
	c.mailboxServer(path, s.Server)
	c.auth(path, s.Server, &s.Secret, true)
	c.folderNames(joinKey(path, "folders"), s.Folders)
}

// mailboxServer checks that a mailbox names a server that there is.
func (c *checker) mailboxServer(path, name string) {
	path = joinKey(path, "server")
	names := c.serverNames()
	switch {
	case c.isFailed("servers"):
	case len(names) == 0:
		c.add(path, models.Say("config.no_servers"))
	case name == "":
		c.add(path, models.Say("config.which_server", "Known", names))
	case !known(name, names):
		c.add(path, models.Say("config.unknown_server", "Value", name, "Near", nearest(name, names), "Known", names))
	}
}

// email checks the form of a normalised address.
func (c *checker) email(path, a string) {
	if a == "" {
		c.add(path, models.Say("config.email_missing"))
		return
	}
	at := strings.LastIndexByte(a, '@')
	if at < 0 {
		c.add(path, models.Say("config.email_at", "Value", a))
		return
	}
	local, domain := a[:at], a[at+1:]
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`<>()[]\,;:"@`, r)
	}
	if local == "" || domain == "" || strings.ContainsFunc(local+domain, bad) {
		c.add(path, models.Say("config.email_form", "Value", a))
		return
	}
	if letters := mixed(local) + mixedDomain(domain); letters != "" {
		c.add(path, models.Say("config.email_letters", "Value", a, "Letters", letters))
		return
	}
	if _, ok := domainName(domain); !ok {
		c.add(path, models.Say("config.email_form", "Value", a))
	}
}

// sameAddress reports addresses that belong to two people or mailboxes.
func (c *checker) sameAddress() {
	first := map[string]string{}
	look := func(path, a string) {
		if before, ok := first[a]; ok {
			c.add(path, models.Say("config.address_twice", "Value", a, "Key", before, "Line", c.doc.line(before)))
		} else if a != "" {
			first[a] = path
		}
	}
	for i, m := range c.cfg.Managers {
		look(joinIndex("managers", i)+".email", m.Email)
	}
	for i, s := range c.cfg.SharedMailboxes {
		look(joinIndex("shared_mailboxes", i)+".address", s.Address)
	}
	for i, m := range c.cfg.Managers {
		for j, a := range m.Aliases {
			look(joinIndex(joinIndex("managers", i)+".aliases", j), a)
		}
	}
	for i, s := range c.cfg.SharedMailboxes {
		for j, a := range s.Aliases {
			look(joinIndex(joinIndex("shared_mailboxes", i)+".aliases", j), a)
		}
	}
}

// sameLogin reports logins that are used twice: two watchers of one mailbox would get in each other's way.
func (c *checker) sameLogin() {
	first := map[[2]string]string{}
	for _, o := range c.cfg.mailboxOwners() {
		key := [2]string{o.server, strings.ToLower(o.username)}
		path := joinKey(o.path, "username")
		before, ok := first[key]
		switch {
		case !ok:
			first[key] = path
		case o.username != "" && !c.isFailed(joinKey(o.path, o.addressKey)):
			c.add(path, models.Say("config.login_twice", "Value", o.username, "Key", before, "Line", c.doc.line(before)))
		}
	}
}

// unlisted warns of mailboxes whose domain is not among company.domains: it is either missing there or misspelt here.
func (c *checker) unlisted() {
	if len(c.cfg.Company.Domains) == 0 {
		return
	}
	for _, o := range c.cfg.mailboxOwners() {
		d := corporate(o.address)
		if d == "" || known(d, c.cfg.Company.Domains) {
			continue
		}
		c.warn(models.Say("config.domain_unlisted", "Address", o.address, "Domain", d,
			"Near", nearest(d, c.cfg.Company.Domains)))
	}
}

// folders checks the names that hold for all mailboxes, and those of each mailbox with the others filled in.
func (c *checker) folders() {
	f := c.cfg.Folders.FolderNames
	if f.Processed == "" {
		c.add("folders.processed", models.Say("config.folder_empty"))
	}
	if f.Control == "" {
		c.add("folders.control", models.Say("config.folder_empty"))
	}
	c.folderNames("folders", f)
	for _, o := range c.cfg.mailboxOwners() {
		c.distinct(joinKey(o.path, "folders"), o.folders.or(f))
	}
	c.distinct("folders", f)
}

func (c *checker) folderNames(path string, f FolderNames) {
	for key, name := range map[string]string{"sent": f.Sent, "processed": f.Processed, "control": f.Control, "private": f.Private} {
		control := func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }
		switch {
		case strings.EqualFold(name, "INBOX"):
			c.add(joinKey(path, key), models.Say("config.folder_inbox"))
		case name != strings.TrimSpace(name), strings.ContainsFunc(name, control), strings.ContainsAny(name, "*%"),
			len(name) > 500:
			c.add(joinKey(path, key), models.Say("config.folder_name", "Value", name))
		}
	}
}

// distinct reports two roles in one folder: letters would be filed to and fro.
func (c *checker) distinct(path string, f FolderNames) {
	names := map[string]string{"sent": f.Sent, "processed": f.Processed, "control": f.Control, "private": f.Private}
	keys := []string{"sent", "processed", "control"}
	for i, a := range keys {
		for _, b := range keys[i+1:] {
			if names[a] == "" || !strings.EqualFold(names[a], names[b]) {
				continue
			}
			at := joinKey(path, b)
			if !c.doc.has(at) && c.doc.has(joinKey(path, a)) {
				at = joinKey(path, a)
			}
			if c.doc.has(at) || path == "folders" {
				c.add(at, models.Say("config.folder_twice", "Value", names[a], "Keys", []string{a, b}))
			}
		}
	}
}

// or fills in the names that are empty.
func (f FolderNames) or(all FolderNames) FolderNames {
	fill(&f.Sent, all.Sent)
	fill(&f.Processed, all.Processed)
	fill(&f.Control, all.Control)
	fill(&f.Private, all.Private)
	return f
}

// corporate returns the domain of an address in A-labels, or "" when it is a free-mail domain or no domain at all.
func corporate(address string) string {
	d, ok := domainName(models.DomainOf(address))
	if !ok || freeMail(d) || !strings.Contains(d, ".") {
		return ""
	}
	return d
}

// OwnDomains returns the firm's mail domains, sorted, in A-labels: company.domains or, when that is empty, the domains
// of the people's and shared mailboxes' addresses without free-mail ones. It may be empty.
func (c *Config) OwnDomains() []string {
	set := map[string]bool{}
	for _, d := range c.Company.Domains {
		set[d] = true
	}
	if len(set) == 0 {
		for _, a := range c.OwnAddresses() {
			set[corporate(a)] = true
		}
	}
	delete(set, "")
	return sorted(set)
}

// OwnAddresses returns every address of the department, normalised and sorted: of managers, shared mailboxes, their
// aliases, and company.addresses.
func (c *Config) OwnAddresses() []string {
	set := map[string]bool{}
	put := func(list ...string) {
		for _, a := range list {
			set[a] = true
		}
	}
	put(c.Company.Addresses...)
	for _, m := range c.Managers {
		put(m.Email)
		put(m.Aliases...)
	}
	for _, s := range c.SharedMailboxes {
		put(s.Address)
		put(s.Aliases...)
	}
	delete(set, "")
	return sorted(set)
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	sort.Strings(list)
	return list
}

// postgresURL checks what follows "postgres:". The parser's error is not shown: it repeats the URL.
func postgresURL(rest string) bool {
	u, err := url.Parse("postgres:" + rest)
	if err != nil || !strings.HasPrefix(rest, "//") {
		return false
	}
	return (u.Host != "" || u.Query().Has("host")) && strings.Trim(u.Path, "/") != ""
}
