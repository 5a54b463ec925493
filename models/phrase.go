package models

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
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
	if b, ok := appendPhrase(make([]byte, 0, 128), p); ok {
		return string(b), nil
	}
	return jsonText(p)
}

// appendPhrase writes what json.Marshal writes, as long as there is nothing in the phrase but strings that need no escape,
// whole numbers, and such phrases: several of them are stored with every letter. It reports whether that was so.
func appendPhrase(b []byte, p Phrase) ([]byte, bool) {
	b, ok := appendPlain(append(b, `{"id":`...), p.ID)
	if !ok || len(p.Args) == 0 {
		return append(b, '}'), ok
	}
	names := make([]string, 0, 8)
	for name := range p.Args {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, `,"args":{`...)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = appendPlain(b, name); !ok {
			return b, false
		}
		b = append(b, ':')
		switch v := p.Args[name].(type) {
		case string:
			b, ok = appendPlain(b, v)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case Phrase:
			b, ok = appendPhrase(b, v)
		default:
			ok = false
		}
		if !ok {
			return b, false
		}
	}
	return append(b, "}}"...), true
}

// appendPlain writes a string that JSON has no escape for, and reports whether it is one.
func appendPlain(b []byte, s string) ([]byte, bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20, c == '"', c == '\\', c == '<', c == '>', c == '&', c == 0xE2: // U+2028 and U+2029 begin with the last
			return b, false
		}
	}
	if !utf8.ValidString(s) {
		return b, false
	}
	return append(append(append(b, '"'), s...), '"'), true
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
	b := append(make([]byte, 0, 64), '[')
	for i, v := range s {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = appendPlain(b, v); !ok {
			return jsonText(s)
		}
	}
	return string(append(b, ']')), nil
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
