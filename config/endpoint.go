package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"kontrol/models"
)

// Security is how a connection to a mail server is protected.
type Security string

// The protections of a connection. There is no "STARTTLS if the server has it": see RFC 8314 section 3.
const (
	TLS      Security = "tls"      // from the first octet
	STARTTLS Security = "starttls" // required before anything is said
	Insecure Security = "insecure" // none; only to this very machine
)

// Endpoint is where a mail server listens. The zero value is no server.
type Endpoint struct {
	Security Security
	Host     string // a name in A-labels, lower case, or an IP address without brackets
	Port     int
}

// Addr returns host and port as net.Dial wants them.
func (e Endpoint) Addr() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// IsZero reports whether there is no server.
func (e Endpoint) IsZero() bool { return e.Host == "" }

// scheme is what may stand before :// in the URL of a server.
type scheme struct {
	name     string
	security Security
	port     int   // when the URL names none
	foreign  []int // ports that are known to speak the other way
}

func imapSchemes() []scheme {
	return []scheme{
		{"imaps", TLS, 993, []int{143}},
		{"imap", STARTTLS, 143, []int{993}},
		{"imap+insecure", Insecure, 143, []int{993}},
	}
}

func smtpSchemes() []scheme {
	return []scheme{
		{"smtps", TLS, 465, []int{25, 587}},
		{"smtp", STARTTLS, 587, []int{465}},
		{"smtp+insecure", Insecure, 25, []int{465}},
	}
}

// parseEndpoint takes the URL of a server apart. It never repeats the URL in a phrase: there may be a password in it.
func parseEndpoint(raw string, schemes []scheme) (Endpoint, models.Phrase) {
	none := func(id string, pairs ...any) (Endpoint, models.Phrase) { return Endpoint{}, models.Say(id, pairs...) }
	names := make([]string, 0, len(schemes))
	for _, s := range schemes {
		names = append(names, s.name+"://")
	}
	word, rest, ok := strings.Cut(strings.TrimSpace(raw), "://")
	if !ok {
		return none("config.url_no_scheme", "First", names[0])
	}
	var found *scheme
	for i := range schemes {
		if schemes[i].name == strings.ToLower(word) {
			found = &schemes[i]
		}
	}
	if found == nil {
		if strings.ContainsAny(word, ":@") || len(word) > 20 {
			word = ""
		}
		return none("config.url_scheme", "Scheme", word, "Near", nearest(word+"://", names), "Known", names)
	}
	if strings.Contains(rest, "@") {
		return none("config.url_login")
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return none("config.url_path")
	}
	host, port, p := hostPort(rest, found.port)
	if !p.IsZero() {
		return Endpoint{}, p
	}
	if found.security == Insecure && !loopback(host) {
		return none("config.url_insecure", "Host", host, "First", names[0], "Second", names[1])
	}
	for _, f := range found.foreign {
		if port == f {
			return none("config.url_port_scheme", "Port", port, "Scheme", found.name+"://", "Near", speaks(schemes, port))
		}
	}
	return Endpoint{found.security, host, port}, models.Phrase{}
}

// speaks returns the scheme that a well-known port belongs to.
func speaks(schemes []scheme, port int) string {
	if port == schemes[0].port {
		return schemes[0].name + "://"
	}
	return schemes[1].name + "://"
}

func hostPort(s string, port int) (string, int, models.Phrase) {
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return "", 0, models.Say("config.url_port", "Port", p)
		}
		host, port = h, n
	}
	if host == "" {
		return "", 0, models.Say("config.url_no_host")
	}
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return ip.String(), port, models.Phrase{}
	}
	name, ok := domainName(host)
	if !ok {
		return "", 0, models.Say("config.url_host", "Host", host, "Mixed", mixedDomain(host))
	}
	return name, port, models.Phrase{}
}

// domainName brings a domain to lower case and A-labels, and reports whether it can be one.
func domainName(s string) (string, bool) {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if err != nil || name == "" || len(name) > 253 {
		return "", false
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	return name, mixedDomain(s) == ""
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
