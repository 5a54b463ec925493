package demo

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kontrol/locale"
)

// TestDayEndsWell plays the day as fast as it goes, through the real daemon.
func TestDayEndsWell(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	texts, err := locale.New("ru", time.FixedZone("MSK", 3*3600))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Run(ctx, Options{Out: &out, Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})), Texts: texts, Length: time.Millisecond, Exit: true})
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("escape sequences without a terminal")
	}
}
