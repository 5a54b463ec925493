package config

import (
	"slices"
	"strings"
	"time"

	"kontrol/models"
)

// Host is how much of a mail host is used, whatever server of the config it stands in. A zero number leaves it at what
// Kontrol thinks polite; what the host is found to allow may be less.
type Host struct {
	Name string `toml:"name"` // as in the servers' URLs, without a port; in A-labels after Load
	// Connections is how many there may be over all its mailboxes; 0: any number.
	Connections int `toml:"connections"`
	// PerMailbox is how many there may be for one mailbox: 1, or 2 (the meaning of 0).
	PerMailbox int `toml:"per_mailbox"`
	// CommandsPerMinute is how many commands one mailbox may send; 0: any number.
	CommandsPerMinute int      `toml:"commands_per_minute"`
	Logins            int      `toml:"logins"`            // under way at a time; 0: 10
	LoginsPerSecond   int      `toml:"logins_per_second"` // 0: 20
	FirstRetry        Duration `toml:"first_retry"`       // the wait before a host that does not answer is tried again, then doubled; 0: 5 s
	LastRetry         Duration `toml:"last_retry"`        // the longest such wait; 0: 2 min
}

// HostLimits returns what [[hosts]] says of a host, given as Endpoint.Host has it; the zero Host when it says nothing.
func (c *Config) HostLimits(name string) Host {
	for _, h := range c.Hosts {
		if h.Name == name {
			return h
		}
	}
	return Host{}
}

// hostName brings a host to the form that Endpoint.Host has. What is no host stays as it is.
func hostName(s string) string {
	e, p := parseEndpoint("imaps://"+s, imapSchemes())
	if !p.IsZero() {
		return strings.ToLower(strings.TrimSpace(s))
	}
	return e.Host
}

// fewestCommands is less than which a mailbox cannot do its work.
const fewestCommands = 20

// hosts checks [[hosts]].
func (c *checker) hosts() {
	known := c.mailHosts()
	seen := make(map[string]int)
	for i := range c.cfg.Hosts {
		h, path := &c.cfg.Hosts[i], joinIndex("hosts", i)
		h.Name = hostName(h.Name)
		first, twice := seen[h.Name]
		switch at := joinKey(path, "name"); {
		case c.isFailed(at):
		case !slices.Contains(known, h.Name):
			c.add(at, models.Say("config.host_unknown", "Value", h.Name, "Near", nearest(h.Name, known), "Known", known))
		case twice:
			c.add(at, models.Say("config.host_twice", "Value", h.Name, "Line", c.doc.line(joinKey(joinIndex("hosts", first), "name"))))
		default:
			seen[h.Name] = i
		}
		c.hostNumbers(path, *h)
	}
}

func (c *checker) hostNumbers(path string, h Host) {
	within := func(key string, n, least, most int) {
		if n != 0 && (n < least || n > most) {
			c.add(joinKey(path, key), models.Say("config.range_or_zero", "Min", least, "Max", most))
		}
	}
	within("connections", h.Connections, 1, 10000)
	within("per_mailbox", h.PerMailbox, 1, 2)
	within("commands_per_minute", h.CommandsPerMinute, fewestCommands, 100000)
	within("logins", h.Logins, 1, 1000)
	within("logins_per_second", h.LoginsPerSecond, 1, 1000)
	if used := c.mailboxesOf(h.Name); h.Connections > 0 && h.Connections < used {
		c.add(joinKey(path, "connections"), models.Say("config.server_connections", "Max", h.Connections, "Mailboxes", used))
	}
	for key, d := range map[string]Duration{"first_retry": h.FirstRetry, "last_retry": h.LastRetry} {
		if d.Std() > 24*time.Hour {
			c.add(joinKey(path, key), models.Say("config.retry_long", "Value", d.String()))
		}
	}
	if h.LastRetry > 0 && h.FirstRetry > h.LastRetry {
		c.add(joinKey(path, "last_retry"), models.Say("config.retry_order", "First", h.FirstRetry.String(), "Last", h.LastRetry.String()))
	}
}

// mailHosts lists the hosts that mailboxes are kept at, sorted.
func (c *checker) mailHosts() []string {
	var list []string
	for _, name := range c.serverNames() {
		if e, p := parseEndpoint(c.cfg.Servers[name].IMAP, imapSchemes()); p.IsZero() {
			list = append(list, e.Host)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// mailboxesOf counts the mailboxes at a host.
func (c *checker) mailboxesOf(host string) (n int) {
	for _, o := range c.cfg.mailboxOwners() {
		if e, p := parseEndpoint(c.cfg.Servers[o.server].IMAP, imapSchemes()); p.IsZero() && e.Host == host {
			n++
		}
	}
	return n
}
