package models_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
)

// What is written by hand is what encoding/json writes: texts that are stored are compared.
func TestStoredTextIsJSON(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[а-яa-z «»<>&"\\—]*`), rapid.SampledFrom([]string{"<", ">", "&", `"`, `\`, "\n", "\u2028", "\xff"}), rapid.Just("\x7f"))
	var phrase func(depth int) *rapid.Generator[models.Phrase]
	phrase = func(depth int) *rapid.Generator[models.Phrase] {
		return rapid.Custom(func(t *rapid.T) models.Phrase {
			p := models.Phrase{ID: text.Draw(t, "id")}
			for range rapid.IntRange(0, 4).Draw(t, "args") {
				var v any
				switch k := rapid.IntRange(0, 6).Draw(t, "kind"); {
				case k == 0:
					v = rapid.Int().Draw(t, "number")
				case k == 1 && depth > 0:
					v = phrase(depth-1).Draw(t, "phrase")
				case k == 2:
					v = []string{text.Draw(t, "item")}
				case k == 3:
					v = rapid.Bool().Draw(t, "bool")
				case k == 4:
					v = time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "at"), 0).UTC()
				default:
					v = text.Draw(t, "text")
				}
				p = withArg(p, text.Draw(t, "name"), v)
			}
			return p
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		p := phrase(2).Draw(t, "phrase")
		got, err := p.Value()
		want, werr := json.Marshal(p)
		if p.IsZero() {
			want, werr = nil, nil
		}
		if err != nil || werr != nil || got != string(want) {
			t.Fatalf("Value() = %q, %v; json.Marshal says %q, %v", got, err, want, werr)
		}
		list := rapid.SliceOf(text).Draw(t, "list")
		got, err = models.Strings(list).Value()
		if want, _ = json.Marshal(append([]string{}, list...)); err != nil || got != string(want) {
			t.Fatalf("Value() = %q, %v; json.Marshal says %q", got, err, want)
		}
	})
}

func withArg(p models.Phrase, name string, v any) models.Phrase {
	q := models.Say(p.ID, name, v)
	for k, old := range p.Args {
		if _, ok := q.Args[k]; !ok {
			q.Args[k] = old
		}
	}
	return q
}
