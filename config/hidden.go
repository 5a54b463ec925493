package config

import (
	"fmt"
	"log/slog"

	"kontrol/models"
)

const masked = "***"

// Hidden is a text that must not be shown. Every way of printing it gives asterisks, also when it lies deep inside
// another value: what it holds is behind a pointer. The zero value holds the empty text.
type Hidden struct{ text *string }

// Hide makes a Hidden.
func Hide(s string) Hidden { return Hidden{&s} }

// Reveal returns the text. Do not log what it returns.
func (h Hidden) Reveal() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// String returns asterisks, or nothing when there is nothing to hide.
func (h Hidden) String() string {
	if h.Reveal() == "" {
		return ""
	}
	return masked
}

// Format masks the text for every verb.
func (h Hidden) Format(f fmt.State, _ rune) { fmt.Fprint(f, h.String()) }

// MarshalText masks the text in JSON and TOML.
func (h Hidden) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// LogValue masks the text in the log.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(h.String()) }

func (h *Hidden) fromTOML(v any) models.Phrase {
	s, ok := v.(string)
	if !ok {
		return models.Say("config.want_string")
	}
	*h = Hide(s)
	return models.Phrase{}
}

func (h Hidden) shown() string { return h.String() }
func (h Hidden) raw() string   { return h.Reveal() }
