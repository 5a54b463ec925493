package inbound

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// slowCleanText says in plain steps what cleanText does at once.
func slowCleanText(s string, limit int) string {
	if len(s) > 2*limit {
		s = s[:2*limit]
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.Map(func(c rune) rune {
		if c != '\n' && c != '\t' && unicode.IsControl(c) || c == 0xfeff {
			return -1
		}
		return c
	}, s)
	return strings.TrimRight(cutUTF8(norm.NFC.String(s), limit), " \t\n")
}

func TestCleanTextInOnePass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.OneOf(
			rapid.SampledFrom([]string{"\r\n", "\r", "\n", "\x00", "\xff", "\xff\xfe", "\xd0", "\u0085", "\ufeff", "и\u0306", "й", "e\u0301", "№", "\u2000", "\u1e9b\u0323", "«", "\ufffd"}),
			rapid.String(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		)).Draw(t, "text")
		limit := rapid.IntRange(1, 64).Draw(t, "limit")
		s := strings.Join(pieces, "")
		if got, want := cleanText(s, limit), slowCleanText(s, limit); got != want {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
	})
}

func TestAlwaysNFC(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !alwaysNFC(r) {
			continue
		}
		for _, s := range []string{string(r), "и" + string(r), "a" + string(r), string(r) + "е"} {
			if !norm.NFC.IsNormalString(s) {
				t.Errorf("%U is not always in NFC", r)
			}
		}
	}
}
