package deals

import (
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/idna"

	"kontrol/models"
)

// NormalDomain brings a mail domain to the form under which domains are compared and stored: A-labels, lower case, no
// trailing dot ("Ромашка.РФ." gives "xn--80aa3agjl3d.xn--p1ai"). It reports false for what cannot be a mail domain of a company:
// nothing, a single label, an address literal, labels that DNS forbids. See RFC 5890 section 2.3.2.1. Underscores are let
// through, because mail with them is seen. It does not ask DNS.
func NormalDomain(s string) (string, bool) {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	if s == "" || net.ParseIP(s) != nil {
		return "", false
	}
	if plainDomain(s) {
		return s, true
	}
	profile := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.VerifyDNSLength(true))
	d, err := profile.ToASCII(s)
	if err != nil {
		return "", false
	}
	d = strings.ToLower(d)
	if again, err := profile.ToASCII(d); err != nil || again != d {
		return "", false // A-labels that stand for nothing
	}
	if !strings.Contains(d, ".") || strings.HasSuffix(d, ".") || strings.ContainsFunc(d, notInDomain) || net.ParseIP(d) != nil {
		return "", false
	}
	return d, true
}

// plainDomain reports whether s is in the form of NormalDomain for sure: small Latin letters and digits, hyphens only
// within a label and not where A-labels have theirs, a last label of letters only.
func plainDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	start, digits := 0, false
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			c := s[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i < start+4) {
				return false
			}
			digits = digits || c < 'a'
			continue
		}
		if i == start || i-start > 63 || s[i-1] == '-' {
			return false
		}
		if i == len(s) {
			return !digits
		}
		start, digits = i+1, false
	}
	return false
}

func notInDomain(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// NormalEmail brings an address to the form under which contacts are stored and compared: models.NormalAddress with the
// domain as NormalDomain gives it. It reports false for what is not one plain address.
func NormalEmail(s string) (string, bool) {
	a := models.NormalAddress(s)
	at := strings.LastIndexByte(a, '@')
	if at < 1 || strings.ContainsAny(a[:at], " \t\r\n<>(),;:@\"") {
		return "", false
	}
	d, ok := NormalDomain(a[at+1:])
	if !ok {
		return "", false
	}
	return a[:at] + "@" + d, true
}

// CorporateDomain checks a domain that is to be registered as a client's own and returns it normalised. A public suffix
// (com.ru, msk.ru), a free-mail domain and one of our own domains are refused with a models.Told, because every stranger
// under them would be taken for the client. A nil own means that we have no domain.
func CorporateDomain(s string, own func(domain string) bool) (string, error) {
	d, ok := NormalDomain(s)
	if !ok {
		return "", domainError(models.Say("deals.domain.bad", "Domain", strings.TrimSpace(s)), s)
	}
	if FreeMail(d) {
		return "", domainError(models.Say("deals.domain.free", "Domain", shown(d)), s)
	}
	if len(upToRegistered(d)) == 0 {
		return "", domainError(models.Say("deals.domain.suffix", "Domain", shown(d)), s)
	}
	if own != nil && ownDomain(own, d) {
		return "", domainError(models.Say("deals.domain.own", "Domain", shown(d)), s)
	}
	return d, nil
}

func domainError(p models.Phrase, s string) error {
	return &models.Told{Phrase: p, Err: fmt.Errorf("%q is not a corporate domain of a client (%s)", s, p.ID)}
}

// SameParty returns a predicate for rules: whether two addresses belong to one party, which is so when they are equal
// (apart from a +tag) or stand under one registered domain that is neither free mail nor ours. A nil own means that we
// have no domain.
func SameParty(own func(domain string) bool) func(a, b string) bool {
	return func(a, b string) bool {
		x, ok1 := NormalEmail(a)
		y, ok2 := NormalEmail(b)
		if !ok1 || !ok2 {
			return false
		}
		if x == y || personKey(x) == personKey(y) {
			return true
		}
		p, q := corporateNames(models.DomainOf(x), own, FreeMail), corporateNames(models.DomainOf(y), own, FreeMail)
		return len(p) > 0 && len(q) > 0 && p[len(p)-1] == q[len(q)-1]
	}
}

// corporateNames gives the names under which a corporate domain may be registered, the longest first, or nothing when
// the domain cannot tell a client: free mail, ours, a public suffix, no domain at all.
func corporateNames(domain string, own, free func(string) bool) []string {
	d, ok := NormalDomain(domain)
	if !ok || free(d) || own != nil && ownDomain(own, d) {
		return nil
	}
	return upToRegistered(d)
}

// shown gives a domain as people write it: «ромашка.рф», not "xn--…".
func shown(domain string) string {
	if u, err := idna.Lookup.ToUnicode(domain); err == nil {
		return u
	}
	return domain
}

// shownAddress gives an address as people write it; what has no domain stays as it is.
func shownAddress(a string) string {
	at := strings.LastIndexByte(a, '@')
	return a[:at+1] + shown(a[at+1:])
}

// ownDomain reports whether the domain or a parent of it is ours.
func ownDomain(own func(string) bool, domain string) bool {
	if own(domain) {
		return true
	}
	for _, name := range upToRegistered(domain) {
		if own(name) {
			return true
		}
	}
	return false
}

// personKey brings an address to the form under which all spellings of one mailbox are equal: without its tag, and at Gmail,
// where dots do not count and googlemail.com is gmail.com, without them. Nowhere else are dots without meaning.
func personKey(a string) string {
	a = withoutTag(a)
	local, ok := strings.CutSuffix(a, "@gmail.com")
	if !ok {
		local, ok = strings.CutSuffix(a, "@googlemail.com")
	}
	if !ok {
		return a
	}
	return strings.ReplaceAll(local, ".", "") + "@gmail.com"
}

// withoutTag removes the sub-address: ivan+work@romashka.ru gives ivan@romashka.ru. See RFC 5233 section 1.
func withoutTag(a string) string {
	at := strings.LastIndexByte(a, '@')
	plus := strings.IndexByte(a, '+')
	if plus < 1 || plus > at {
		return a
	}
	return a[:plus] + a[at:]
}
