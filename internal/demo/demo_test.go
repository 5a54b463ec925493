package demo

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"kontrol/internal/rawimap"
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

// TestMisplacedLetterIsToldAndFails expects of one letter what the procedure does not do.
func TestMisplacedLetterIsToldAndFails(t *testing.T) {
	t.Parallel()
	d, err := loadDay()
	if err != nil {
		t.Fatal(err)
	}
	d.Steps = d.Steps[:4]
	d.Steps[0].Expect, d.Steps[2].Expect = "control", "inbox"
	texts, err := locale.New("ru", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = playDay(t.Context(), d, Options{Out: &out, Log: slog.New(slog.DiscardHandler), Texts: texts, Length: time.Millisecond, Exit: true})
	if !errors.Is(err, ErrWrong) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "1 письмо не на своём месте") || !strings.Contains(out.String(), "должно быть: На контроле") {
		t.Errorf("not told:\n%s", out.String())
	}
}

// TestStaysUpForAMailClient answers a letter after the summary, as a visitor with a mail client would.
func TestStaysUpForAMailClient(t *testing.T) {
	t.Parallel()
	d, err := loadDay()
	if err != nil {
		t.Fatal(err)
	}
	d.Steps = d.Steps[:1] // a letter to Anna, unanswered
	d.Steps[0].Expect = "inbox"
	texts, err := locale.New("ru", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- playDay(ctx, d, Options{Out: &out, Log: slog.New(slog.DiscardHandler), Texts: texts, Length: time.Millisecond, Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("ended: %v", err)
	}
	said := out.String()
	addr := regexp.MustCompile(`IMAP (\S+), порт (\d+)`).FindStringSubmatch(said)
	if addr == nil || !strings.Contains(said, "логин anna@teplodom.example, пароль demo") {
		t.Fatalf("no way in:\n%s", said)
	}
	c, err := rawimap.Dial(addr[1]+":"+addr[2], nil, "anna@teplodom.example", "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	letters, err := c.Look("INBOX")
	if err != nil || len(letters) != 1 {
		t.Fatalf("inbox: %d letters, %v", len(letters), err)
	}
	answer := "From: anna@teplodom.example\r\nTo: ivanov@romashka.example\r\nSubject: Re: x\r\nMessage-ID: <visitor@teplodom.example>\r\n" +
		"In-Reply-To: <" + letters[0].MessageID() + ">\r\n\r\nГотово.\r\n"
	sent := "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-" // «Отправленные»
	if err := c.Append(sent, `\Seen`, []byte(answer)); err != nil {
		t.Fatal(err)
	}
	if err := until(ctx, "the visitor's answer files the letter", func() (bool, error) {
		n, err := c.Count(rawimap.Processed)
		return n == 1, err
	}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("after ctrl-c: %v", err)
	}
}
