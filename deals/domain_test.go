package deals_test

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/net/idna"
	"pgregory.net/rapid"

	"kontrol/deals"
)

// Most domains are seen to be normal at a glance. What a glance says must be what the whole procedure would say.
func TestNormalDomainAtAGlance(t *testing.T) {
	t.Parallel()
	profile := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.VerifyDNSLength(true))
	slow := func(d string) (string, bool) {
		d = strings.TrimSuffix(d, ".")
		out, err := profile.ToASCII(d)
		if err != nil || net.ParseIP(d) != nil || !strings.Contains(out, ".") || strings.HasSuffix(out, ".") {
			return "", false
		}
		again, err := profile.ToASCII(out)
		return out, err == nil && again == out && net.ParseIP(out) == nil
	}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.StringMatching(`([a-z0-9-]{0,6}\.){0,3}(xn--)?[a-z0-9-]{0,66}\.?`).Draw(t, "domain")
		got, ok := deals.NormalDomain(d)
		if want, wanted := slow(d); ok != wanted || ok && got != want {
			t.Fatalf("%q: %q %v, want %q %v", d, got, ok, want, wanted)
		}
	})
}
