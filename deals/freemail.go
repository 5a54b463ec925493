package deals

import (
	_ "embed"
	"sort"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// freeMailText is searched as it is: sorted lines, so that nothing has to be built at start and nothing can change.
//
//go:embed freemail.txt
var freeMailText string

// FreeMail reports whether anybody can get an address under the domain, so that the domain says nothing about the
// company of its user: mail.ru, yandex.*, gmail.com and some fourteen thousand more. A subdomain of such a domain counts
// too, up to the registered domain. The domain is taken in any spelling that NormalDomain accepts; what it does not
// accept is not free mail. The list cannot be complete: an unknown provider gives false.
func FreeMail(domain string) bool {
	d, ok := NormalDomain(domain)
	if !ok {
		return false
	}
	for _, name := range upToRegistered(d) {
		if listed(name) {
			return true
		}
	}
	suffix, _ := publicsuffix.PublicSuffix(d)
	registered, err := publicsuffix.EffectiveTLDPlusOne(d)
	if err != nil {
		return listed(d) // a public suffix that gives out addresses itself
	}
	return listed(strings.TrimSuffix(registered, suffix) + "*")
}

// listed reports whether the embedded list has exactly this line.
func listed(line string) bool {
	at := sort.Search(len(freeMailText), func(i int) bool { return lineAt(i) >= line })
	return at < len(freeMailText) && lineAt(at) == line
}

// lineAt returns the line that holds byte i of the embedded list. Comments start with '#', which sorts before every
// letter and digit, so they never disturb the search.
func lineAt(i int) string {
	start := strings.LastIndexByte(freeMailText[:i], '\n') + 1
	if n := strings.IndexByte(freeMailText[start:], '\n'); n >= 0 {
		return freeMailText[start : start+n]
	}
	return freeMailText[start:]
}

// upToRegistered gives the domain and its parents, the longest first, ending with the registered domain (the label below
// the public suffix). A public suffix gives nothing. See https://publicsuffix.org.
func upToRegistered(domain string) []string {
	registered, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return nil
	}
	names := []string{domain}
	for len(domain) > len(registered) {
		domain = domain[strings.IndexByte(domain, '.')+1:]
		names = append(names, domain)
	}
	return names
}
