package config

import (
	"strings"
	"unicode"
)

// lookalikes maps Russian letters to the Latin ones that look the same: a key typed with one of them cannot be told from
// the right one by eye.
var lookalikes = strings.NewReplacer(
	"а", "a", "в", "b", "е", "e", "ё", "e", "к", "k", "м", "m", "н", "h", "о", "o", "р", "p", "с", "c", "т", "t",
	"у", "y", "х", "x", "і", "i", "ј", "j", "ѕ", "s", "-", "_",
)

func fold(s string) string { return lookalikes.Replace(strings.ToLower(strings.TrimSpace(s))) }

// nearest returns the known word that was probably meant by word, or "". Case, hyphens and look-alike letters do not
// count; otherwise up to three slips are forgiven, fewer in a short word. A beginning of a word finds the whole.
func nearest(word string, known []string) string {
	const longest = 80 // longer words are not typing slips
	w := fold(word)
	if w == "" || len(w) > longest {
		return ""
	}
	best, bestDistance := "", slips(w)+1
	for _, k := range known {
		if d := distance(w, fold(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" || len(w) < 3 {
		return best
	}
	for _, k := range known {
		if f := fold(k); strings.HasPrefix(f, w) || len(f) >= 3 && strings.HasPrefix(w, f) {
			return k
		}
	}
	return ""
}

func slips(w string) int {
	switch n := len([]rune(w)); {
	case n <= 3:
		return 1
	case n <= 6:
		return 2
	}
	return 3
}

// distance is the number of letters to insert, drop, change or swap with a neighbour to make a into b (optimal string
// alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, row := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		next := make([]int, len(y)+1)
		next[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(y)]
}

// mixed returns the Russian letters of a word that also has Latin ones, or "" when the word keeps to one alphabet.
func mixed(word string) string {
	latin := false
	var russian []string
	for _, r := range word {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.Is(unicode.Cyrillic, r):
			russian = append(russian, string(r))
		}
	}
	if !latin {
		return ""
	}
	return strings.Join(russian, ", ")
}

// mixedDomain is mixed for a domain, whose labels may well differ in alphabet: почта.com.
func mixedDomain(domain string) string {
	for _, label := range strings.Split(domain, ".") {
		if m := mixed(label); m != "" {
			return m
		}
	}
	return ""
}
