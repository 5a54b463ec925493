package inbound

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestUsualCharactersAreLeftAsTheyAre: the short ways of cleanLine and foldSubject give what the long ones give.
func TestUsualCharactersAreLeftAsTheyAre(t *testing.T) {
	t.Parallel()
	var all []rune
	for c := rune(0); c < 0x3000; c++ {
		if usual(c) {
			all = append(all, c)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.SampledFrom(append(all, ' ', ' ', ' ', 'ё', 'й'))).Draw(t, "s")
		if got, want := foldSubject(s), foldUnusual(s); got != want {
			t.Fatalf("folded %q, want %q", got, want)
		}
		limit := rapid.IntRange(0, 30).Draw(t, "limit")
		if tidy(s, limit) && cleanLine(s+"\u200b", limit) != s { // the invisible character forces the long way
			t.Fatalf("cleaned %q, want %q", cleanLine(s+"\u200b", limit), s)
		}
		if s != "" && tidy(s, len(s)) != (strings.Join(strings.Fields(s), " ") == s) {
			t.Fatalf("%q: tidy is %v", s, tidy(s, len(s)))
		}
	})
}
