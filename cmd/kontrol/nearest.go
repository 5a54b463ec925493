package main

import "strings"

// The two layouts of a Russian keyboard, key by key: a command typed in the wrong one is understood all the same.
const (
	keysLatin    = "qwertyuiop[]asdfghjkl;'zxcvbnm,."
	keysCyrillic = "йцукенгшщзхъфывапролджэячсмитьбю"
)

// nearest returns the known word that was most likely meant, or "" when none is near. Known words are compared
// without regard to case; a word typed in the wrong keyboard layout counts as typed in the right one.
func nearest(word string, known []string) string {
	word = foldWord(word)
	best, bestAt := "", 1<<30
	for _, k := range known {
		low := foldWord(k)
		at := min(distance(word, low), distance(relayout(word, keysCyrillic, keysLatin), low),
			distance(relayout(word, keysLatin, keysCyrillic), low))
		if len([]rune(word)) >= 3 && strings.HasPrefix(low, word) {
			at = min(at, 1)
		}
		if at < bestAt && at <= max(1, len([]rune(low))/3) {
			best, bestAt = k, at
		}
	}
	return best
}

// foldWord makes words alike that people take for one: in lower case, ё as е.
func foldWord(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "ё", "е")
}

// relayout gives the word as the same keys type it in the other layout.
func relayout(word, from, to string) string {
	f, t := []rune(from), []rune(to)
	return strings.Map(func(r rune) rune {
		for i := range f {
			if f[i] == r {
				return t[i]
			}
		}
		return r
	}, word)
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
