package inbound

import (
	"strings"

	"golang.org/x/net/idna"

	"kontrol/models"
)

// Own says which addresses are the department's own. The zero value owns nothing. It is not changed after NewOwn, so it
// may be shared between goroutines.
type Own struct {
	Addresses map[string]bool // normalised, with A-labels
	Domains   map[string]bool // normalised, with A-labels; exactly these, not what lies below them
}

// NewOwn makes an Own of addresses (of mailboxes and their aliases) and of whole domains. Both may be in any case and
// with domains in any script; a domain may have an @ in front. Empty strings are left out.
func NewOwn(addresses, domains []string) Own {
	o := Own{Addresses: make(map[string]bool, len(addresses)), Domains: make(map[string]bool, len(domains))}
	for _, a := range addresses {
		if n := Normal(a); n != "" {
			o.Addresses[n] = true
		}
	}
	for _, d := range domains {
		if n := normalDomain(strings.TrimPrefix(strings.TrimSpace(d), "@")); n != "" {
			o.Domains[n] = true
		}
	}
	return o
}

// Has reports whether the address is ours: one of the addresses, also with a tag (ivan+tag@…), or in one of the domains.
func (o Own) Has(address string) bool {
	a := Normal(address)
	if a == "" {
		return false
	}
	domain := models.DomainOf(a)
	if o.Addresses[a] || domain != "" && o.Domains[domain] {
		return true
	}
	local := strings.TrimSuffix(a, "@"+domain)
	if i := strings.IndexByte(local, '+'); i > 0 {
		return o.Addresses[local[:i]+"@"+domain]
	}
	return false
}

// Normal brings an address to the form under which addresses are compared everywhere: as models.NormalAddress does, with
// the domain in A-labels (почта@пример.рф → почта@xn--e1afmkfd.xn--p1ai) and without the blanks and the final dot that
// some programs add. It does not check the address. See RFC 5890 and UTS 46.
func Normal(address string) string {
	a := models.NormalAddress(cleanLine(address, 4*maxAddress))
	i := strings.LastIndexByte(a, '@')
	if i < 0 {
		return a
	}
	return plainLocal(strings.TrimSpace(a[:i])) + "@" + normalDomain(a[i+1:])
}

// plainLocal removes quotes round a local part that needs none. See RFC 5321 section 4.1.2.
func plainLocal(local string) string {
	if n := len(local); n > 2 && local[0] == '"' && local[n-1] == '"' && !strings.ContainsAny(local[1:n-1], " \"\\@,;:<>()[]") {
		return local[1 : n-1]
	}
	return local
}

func normalDomain(d string) string {
	d = strings.ToLower(strings.TrimRight(strings.Join(strings.Fields(d), ""), "."))
	if ascii([]byte(d)) {
		return d
	}
	if a, err := idna.Lookup.ToASCII(d); err == nil && a != "" {
		return a
	}
	if a, err := idna.Punycode.ToASCII(d); err == nil && a != "" {
		return a
	}
	return d
}
