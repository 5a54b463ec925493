package imapsync

import (
	"strings"
	"time"
)

// quirk is what is known about a provider beyond what its capabilities say.
type quirk struct {
	suffix  string        // of the host name
	disable []string      // capabilities that do not work
	idle    time.Duration // longest IDLE that is served reliably; 0 for no bound of its own
}

// quirks are few on purpose: what can be noticed on the connection (no IDLE, bare COPYUID, no UIDNEXT) is handled there.
func quirkOf(host string) quirk {
	for _, q := range []quirk{
		{suffix: "rambler.ru", idle: 55 * time.Second},
		{suffix: "163.com", idle: 55 * time.Second},
		{suffix: "yahoo.com", idle: 3 * time.Minute},
	} {
		host := strings.ToLower(strings.TrimSuffix(host, "."))
		if host == q.suffix || strings.HasSuffix(host, "."+q.suffix) {
			return q
		}
	}
	return quirk{}
}

// hidden returns which capabilities are not to be used with a host.
func (d *dialer) hidden(host string) func(string) bool {
	set := map[string]bool{}
	for _, c := range append(quirkOf(host).disable, d.account.DisableExtensions...) {
		set[strings.ToUpper(strings.TrimSpace(c))] = true
	}
	return func(c string) bool { return set[c] }
}
