// Package names holds the normal form under which names of companies are looked up and compared, and that of their tax
// and phone numbers. The store, the linker, the reader of letters and the command line have to agree on it.
package names

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// legalForms are the words that say what kind of company it is, folded as Key folds; several words are joined by a
// blank. The longer stand before the shorter that they contain.
var legalForms = [...]string{
	"общество с ограниченной ответственностью", "общество с дополнительной ответственностью",
	"публичное акционерное общество", "непубличное акционерное общество", "открытое акционерное общество",
	"закрытое акционерное общество", "акционерное общество", "индивидуальный предприниматель",
	"научно производственное объединение", "научно производственное предприятие", "производственный кооператив",
	"товарищество с ограниченной ответственностью", "частное предприятие",
	"limited liability company", "joint stock company",
	"о о о", "о а о", "з а о", "а о", "п а о", "и п", "l l c",
	"ооо", "оао", "зао", "ао", "пао", "нао", "одо", "тоо", "ип", "чп", "пк", "нпо", "нпп", "нпф", "ано", "нко", "фгуп", "гуп", "муп",
	"фгбу", "фгау", "гбу", "мбу", "чуп", "уп", "пбоюл",
	"ooo", "oao", "zao", "pao", // typed with Latin letters
	"llc", "llp", "ltd", "limited", "inc", "gmbh", "corp", "plc", "jsc", "pjsc", "ojsc", "cjsc",
}

// Key folds the name of a company for search and comparison: lower case, ё as е, punctuation and quotes as blanks,
// legal forms (ООО, АО, ИП, LLC and the like) removed wherever they stand as words, blanks collapsed. A name that
// consists of legal forms only keeps them. Key of a key is that key.
func Key(name string) string {
	words := Words(name)
	for {
		rest := dropForm(words)
		if len(rest) == len(words) || len(rest) == 0 {
			return strings.Join(words, " ")
		}
		words = rest
	}
}

// Words splits a text into lower-case words of letters, digits and the signs that tell names apart.
func Words(s string) []string {
	s = strings.ToLower(norm.NFKC.String(s))
	s = norm.NFKC.String(strings.ReplaceAll(s, "ё", "е"))
	return strings.FieldsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '&' && r != '+'
	})
}

// dropForm removes the first legal form found in the words, or returns them as they are.
func dropForm(words []string) []string {
	for _, form := range legalForms {
		for i := range words {
			if n := begins(words[i:], form); n > 0 {
				return slices.Concat(words[:i], words[i+n:])
			}
		}
	}
	return words
}

// begins returns how many words at the start make up a phrase of words with one blank between them, or 0. It is asked for
// every word of every name, so it makes nothing.
func begins(words []string, phrase string) int {
	for n, w := range words {
		rest, ok := strings.CutPrefix(phrase, w)
		if ok && rest == "" {
			return n + 1
		}
		if phrase, ok = strings.CutPrefix(rest, " "); !ok {
			return 0
		}
	}
	return 0
}
