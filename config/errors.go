package config

import (
	"errors"
	"sort"
	"strconv"
	"strings"

	"kontrol/locale"
	"kontrol/models"
)

// FieldError is one thing that is wrong with the config. It unwraps to a *models.Told, so that locale renders it whole,
// place included.
type FieldError struct {
	File   string        // path as given to Load, or the name of the environment variable that the value came from
	Line   int           // counted from 1; 0 when there is no line (the file cannot be read, or a variable is wrong)
	Key    string        // e.g. managers[2].email; "" when it is not about one key
	Phrase models.Phrase // what is wrong and what to do, without the place

	text string // English
}

// Error returns the English text with its place: `config.toml:12: managers[1].emial: unknown key; did you mean "email"?`.
func (e *FieldError) Error() string {
	if e.text == "" {
		return e.place() + ": " + e.Key + ": " + e.Phrase.ID
	}
	return e.text
}

// Unwrap returns the same error as something to be told to a person.
func (e *FieldError) Unwrap() error {
	return &models.Told{Phrase: e.whole(), Err: errors.New(e.Error())}
}

func (e *FieldError) place() string {
	if e.Line == 0 {
		return e.File
	}
	return e.File + ":" + strconv.Itoa(e.Line)
}

func (e *FieldError) whole() models.Phrase {
	return models.Say("config.at", "Place", e.place(), "Key", e.Key, "What", e.Phrase)
}

// Errors is everything that is wrong with a config file. locale.Texts.Error gives one line for each.
type Errors struct {
	Language string        // what the file says it wants to be told in, as far as that can be read; else "ru"
	Fields   []*FieldError // ascending by line; never empty
}

// Error returns the English texts, one a line.
func (e *Errors) Error() string {
	lines := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e *Errors) Unwrap() []error {
	list := make([]error, 0, len(e.Fields))
	for _, f := range e.Fields {
		list = append(list, f)
	}
	return list
}

// newErrors sorts the list and gives each error its English text.
func newErrors(language string, list []*FieldError) *Errors {
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Key < b.Key
	})
	if texts, err := locale.New("en", nil); err == nil {
		for _, f := range list {
			f.text = texts.Say(f.whole())
		}
	}
	return &Errors{Language: language, Fields: list}
}
