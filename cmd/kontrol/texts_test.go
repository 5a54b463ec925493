package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kontrol/locale"
	"kontrol/models"
)

func testCLI(t *testing.T, lang string) *cli {
	t.Helper()
	texts, err := locale.New(lang, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return &cli{texts: texts, out: &output{w: &bytes.Buffer{}}, log: slog.New(slog.DiscardHandler), env: environment{now: time.Now}}
}

// TestEveryCommandSpeaksItsLanguage looks at the texts that are found by keys put together in the code.
func TestEveryCommandSpeaksItsLanguage(t *testing.T) {
	t.Parallel()
	cyrillic := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) })
	}
	for _, lang := range []string{"ru", "en"} {
		c := testCLI(t, lang)
		check := func(where, s string) {
			if s == "" || strings.HasPrefix(s, "cli.") {
				t.Errorf("%s %s: no text: %q", lang, where, s)
			} else if cyrillic(s) != (lang == "ru") {
				t.Errorf("%s %s: wrong language: %q", lang, where, s)
			}
		}
		var walk func(cmd *cobra.Command)
		walk = func(cmd *cobra.Command) {
			check(cmd.CommandPath(), cmd.Short)
			for _, s := range []string{cmd.Long, strings.TrimPrefix(cmd.Use, cmd.Name())} {
				if s != "" {
					check(cmd.CommandPath(), s)
				}
			}
			cmd.Flags().VisitAll(func(f *pflag.Flag) { check(cmd.CommandPath()+" --"+f.Name, f.Usage) })
			for _, sub := range cmd.Commands() {
				walk(sub)
			}
		}
		walk(c.rootCommand())
		for _, g := range c.rootCommand().Groups() {
			check("group "+g.ID, g.Title)
		}
	}
}

func TestEveryStoredWordHasAName(t *testing.T) {
	t.Parallel()
	c := testCLI(t, "ru")
	var keys []string
	for _, k := range classes() {
		keys = append(keys, "cli.class."+k)
	}
	for _, r := range folderRoles() {
		keys = append(keys, "folder."+r)
	}
	for _, s := range []models.FilingState{models.FilingPlanned, models.FilingSent, models.FilingCopied, models.FilingUnknown,
		models.FilingDone, models.FilingGone, models.FilingFailed, models.FilingCancelled} {
		keys = append(keys, "cli.filing."+string(s))
	}
	for _, m := range []models.LinkMethod{models.LinkManual, models.LinkRuled, models.LinkThread, models.LinkToken, models.LinkAddress,
		models.LinkINN, models.LinkPhone, models.LinkDomain, models.LinkForward} {
		keys = append(keys, "cli.method."+string(m))
	}
	for _, s := range []models.MailboxState{models.MailboxPaused, models.MailboxStopped, models.MailboxRemoved} {
		keys = append(keys, "cli.mailbox_state."+string(s))
	}
	for _, k := range []models.MailboxKind{models.MailboxPersonal, models.MailboxShared} {
		keys = append(keys, "cli.mailbox_kind."+string(k))
	}
	for _, k := range []string{"int", "bool", "string", "stringArray"} {
		keys = append(keys, "cli.error.want."+k)
	}
	for _, k := range keys {
		if c.optional(k) == "" {
			t.Errorf("no text for %s", k)
		}
	}
}

// TestPlainOutputHasNoColour: colour is for terminals, and never with NO_COLOR, TERM=dumb or --no-color.
func TestPlainOutputHasNoColour(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		width  int
		vars   map[string]string
		args   []string
		colour bool
	}{
		{"terminal", 100, nil, nil, true},
		{"pipe", 0, nil, nil, false},
		{"NO_COLOR", 100, map[string]string{"NO_COLOR": "1"}, nil, false},
		{"dumb", 100, map[string]string{"TERM": "dumb"}, nil, false},
		{"flag", 100, nil, []string{"--no-color"}, false},
	} {
		var out, errs bytes.Buffer
		env := environment{stdout: &out, stderr: &errs, width: c.width, now: time.Now, getenv: func(k string) string {
			if k == "KONTROL_CONFIG" {
				return t.TempDir() + "/none.toml"
			}
			return c.vars[k]
		}}
		if code := execute(t.Context(), append([]string{"help"}, c.args...), env); code != exitDone || errs.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", c.name, code, errs.String())
		}
		if got := strings.Contains(out.String(), "\x1b["); got != c.colour {
			t.Errorf("%s: colour %v", c.name, got)
		}
	}
}
