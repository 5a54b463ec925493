package models

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// Phrase is a text for people that has no language yet: the key of a message and the values to be put into it.
// Package locale renders it. Decisions and traces are stored as phrases, so that a change of language also changes
// what is said about the past. The zero Phrase says nothing.
//
// An argument may be a string, a number, a bool, an instant, a Phrase or a slice of strings. The argument "Count" picks the
// plural form. After a round trip through JSON numbers are float64, an instant is its RFC 3339 text and a nested Phrase is
// a map: locale accepts all of them.
type Phrase struct {
	ID   string         `json:"id"`
	Args map[string]any `json:"args,omitempty"`
}

// Say makes a Phrase from a key and pairs of argument name and value: Say("x.y", "Name", name, "Count", 3).
// A name without a value is ignored.
func Say(id string, pairs ...any) Phrase {
	p := Phrase{ID: id}
	for i := 0; i+1 < len(pairs); i += 2 {
		if p.Args == nil {
			p.Args = make(map[string]any, len(pairs)/2)
		}
		p.Args[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return p
}

// IsZero reports whether the phrase says nothing.
func (p Phrase) IsZero() bool { return p.ID == "" }

// Value stores the phrase as JSON text; the zero phrase as the empty string.
func (p Phrase) Value() (driver.Value, error) {
	if p.IsZero() {
		return "", nil
	}
	return jsonText(p)
}

// Scan reads what Value wrote.
func (p *Phrase) Scan(src any) error { *p = Phrase{}; return scanJSON(src, p) }

// Strings is a list of strings stored as one JSON text. Nil and empty are stored alike, as "[]".
type Strings []string

// Value stores the list as JSON text.
func (s Strings) Value() (driver.Value, error) {
	if s == nil {
		s = Strings{}
	}
	return jsonText(s)
}

// Scan reads what Value wrote; an empty text gives a nil list.
func (s *Strings) Scan(src any) error { *s = nil; return scanJSON(src, s) }

// Has reports whether the list holds v exactly.
func (s Strings) Has(v string) bool {
	for _, x := range s {
		if x == v {
			return true
		}
	}
	return false
}

func jsonText(v any) (driver.Value, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T as json: %w", v, err)
	}
	return string(b), nil
}

func scanJSON(src, dst any) error {
	var b []byte
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		b = []byte(v)
	case []byte:
		b = v
	default:
		return fmt.Errorf("decode json column: unexpected %T", src)
	}
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, dst); err != nil {
		return fmt.Errorf("decode json column: %w", err)
	}
	return nil
}
