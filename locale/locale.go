// Package locale holds every text that a person reads, in Russian (the default) and English, and puts values into it.
// Code names a text by its key (a models.Phrase) and never contains one. Texts live in texts/AREA.LANG.toml, one pair of
// files for each area of the program; a test keeps the pairs alike.
package locale

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"

	"kontrol/models"
)

//go:embed texts/*.toml
var files embed.FS

// Languages are the codes that New accepts, the default first.
var languages = []string{"ru", "en"}

// Texts renders phrases in one language. It is safe for concurrent use. The zero value is not usable; call New.
type Texts struct {
	lang string
	loc  *i18n.Localizer
	zone *time.Location
}

// New returns the texts in the language with the given code: "ru" or "en"; "" means "ru". Times are shown in zone;
// nil means UTC. An unknown code is an error that names the known ones.
func New(lang string, zone *time.Location) (*Texts, error) {
	if lang == "" {
		lang = languages[0]
	}
	if zone == nil {
		zone = time.UTC
	}
	known := false
	for _, l := range languages {
		known = known || l == lang
	}
	if !known {
		return nil, fmt.Errorf("unknown language %q: known are %s", lang, strings.Join(languages, ", "))
	}
	bundle, err := load()
	if err != nil {
		return nil, err
	}
	return &Texts{lang: lang, loc: i18n.NewLocalizer(bundle, lang, languages[0]), zone: zone}, nil
}

func load() (*i18n.Bundle, error) {
	bundle := i18n.NewBundle(language.Russian)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	names, err := fs.Glob(files, "texts/*.toml")
	if err != nil {
		return nil, fmt.Errorf("list texts: %w", err)
	}
	for _, name := range names {
		if _, err := bundle.LoadMessageFileFS(files, name); err != nil {
			return nil, fmt.Errorf("load texts %s: %w", path.Base(name), err)
		}
	}
	return bundle, nil
}

// Language returns the code of the language.
func (t *Texts) Language() string { return t.lang }

// Say renders a phrase. A phrase whose key has no text is rendered as the key with its arguments, so that nothing is
// hidden; a test makes sure that this does not happen to a key that the code uses.
func (t *Texts) Say(p models.Phrase) string {
	if p.IsZero() {
		return ""
	}
	data := make(map[string]any, len(p.Args))
	for k, v := range p.Args {
		data[k] = t.arg(v)
	}
	cfg := &i18n.LocalizeConfig{MessageID: p.ID, TemplateData: data}
	if n, ok := count(p.Args["Count"]); ok {
		cfg.PluralCount = n
		data["Count"] = n
	}
	s, err := t.loc.Localize(cfg)
	if err != nil && cfg.PluralCount != nil { // a text that mentions the number without depending on it has one form
		cfg.PluralCount = nil
		s, err = t.loc.Localize(cfg)
	}
	if err != nil {
		return fallback(p, err)
	}
	return nestQuotes(s)
}

// nestQuotes writes quotes inside of quotes as Russian typography wants them: «ООО „Ромашка“». Names bring quotes of their
// own into texts that quote them. Quotes that do not close are left as they are.
func nestQuotes(s string) string {
	if strings.Count(s, "«") < 2 {
		return s
	}
	out := []rune(s)
	var open []int // where the quotes that are still open stand
	for i, r := range out {
		switch {
		case r == '«':
			open = append(open, i)
		case r == '»' && len(open) > 0:
			if len(open) > 1 {
				out[open[len(open)-1]], out[i] = '„', '“'
			}
			open = open[:len(open)-1]
		}
	}
	return string(out)
}

// Text renders the phrase made of the key and pairs of argument name and value; see models.Say.
func (t *Texts) Text(id string, pairs ...any) string { return t.Say(models.Say(id, pairs...)) }

// Error renders an error for a person: the phrase of a models.Told with nothing added, or the error's own text.
// Joined errors (errors.Join) give one line each.
func (t *Texts) Error(err error) string {
	if err == nil {
		return ""
	}
	if p, ok := models.PhraseOf(err); ok {
		if many, ok := err.(interface{ Unwrap() []error }); !ok || len(many.Unwrap()) == 1 {
			return t.Say(p)
		}
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		lines := make([]string, 0, len(joined.Unwrap()))
		for _, e := range joined.Unwrap() {
			lines = append(lines, t.Error(e))
		}
		return strings.Join(lines, "\n")
	}
	return err.Error()
}

// arg makes an argument ready for a template: nested phrases are rendered, instants shown in the zone.
func (t *Texts) arg(v any) any {
	switch v := v.(type) {
	case models.Phrase:
		return t.Say(v)
	case map[string]any: // a nested phrase after a round trip through JSON
		id, _ := v["id"].(string)
		args, _ := v["args"].(map[string]any)
		return t.Say(models.Phrase{ID: id, Args: args})
	case time.Time:
		return t.Time(v)
	case string:
		return t.instant(v)
	case []string:
		return strings.Join(v, ", ")
	case models.Strings:
		return strings.Join(v, ", ")
	case []any:
		parts := make([]string, 0, len(v))
		for _, x := range v {
			parts = append(parts, fmt.Sprint(t.arg(x)))
		}
		return strings.Join(parts, ", ")
	case float64: // an integer after a round trip through JSON
		if v == float64(int64(v)) {
			return int64(v)
		}
		return v
	}
	return v
}

// instant shows a time that has been through JSON like any other time; every other string stays as it is.
func (t *Texts) instant(s string) string {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[10] != 'T' {
		return s
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.Time(at)
	}
	return s
}

// Time shows an instant as people here write it, in the zone of the texts: 23.11.2026 18:41.
func (t *Texts) Time(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if t.lang == "ru" {
		return at.In(t.zone).Format("02.01.2006 15:04")
	}
	return at.In(t.zone).Format("2006-01-02 15:04")
}

// In returns the same texts with instants shown in another zone.
func (t *Texts) In(zone *time.Location) *Texts {
	other := *t
	other.zone = zone
	return &other
}

// Zone returns the zone in which instants are shown.
func (t *Texts) Zone() *time.Location { return t.zone }

func count(v any) (any, bool) {
	switch v := v.(type) {
	case int, int8, int16, int32, int64:
		return v, true
	case uint32:
		return int64(v), true
	case float64:
		return int64(v), true
	case string:
		if _, err := strconv.ParseFloat(v, 64); err == nil {
			return v, true
		}
	}
	return nil, false
}

func fallback(p models.Phrase, err error) string {
	if len(p.Args) == 0 {
		return p.ID
	}
	return fmt.Sprintf("%s %v (%v)", p.ID, p.Args, err)
}
