package deals

import (
	"slices"
	"unicode/utf8"

	"kontrol/names"
)

// shortest is how many characters a word of a title must have to say anything.
const shortest = 4

// mostWords bounds how many words of a letter are compared with titles.
const mostWords = 2000

// titleWords returns how many points the words of a letter give to the deal at a place of the list, and the first of them.
// Only words count that tell its title from those of the other deals.
func titleWords(list []candidate, at int, said []string) (points int, word string) {
	var own []string
	for _, t := range names.Words(list[at].deal.Title) {
		if utf8.RuneCountInString(t) < shortest || slices.ContainsFunc(own, func(o string) bool { return sameWord(o, t) }) {
			continue
		}
		shared := false
		for i, other := range list {
			shared = shared || i != at && slices.ContainsFunc(names.Words(other.deal.Title), func(o string) bool { return sameWord(o, t) })
		}
		if !shared {
			own = append(own, t)
		}
	}
	hits := 0
	for _, t := range own {
		if slices.ContainsFunc(said[:min(len(said), mostWords)], func(s string) bool { return sameWord(s, t) }) {
			if hits++; word == "" {
				word = t
			}
		}
	}
	if hits == 0 {
		return 0, ""
	}
	return pointsWords * hits / len(own), word
}

// sameWord reports whether two folded words are forms of one: they begin alike, and at most three characters differ at
// the end of each, as the endings of Russian words do («насосы», «насосов», «насосами»).
func sameWord(a, b string) bool {
	if a == b {
		return true
	}
	x, y := []rune(a), []rune(b)
	common := 0
	for common < len(x) && common < len(y) && x[common] == y[common] {
		common++
	}
	return common >= shortest && len(x)-common <= 3 && len(y)-common <= 3
}
