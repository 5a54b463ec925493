package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kontrol/locale"
	"kontrol/models"
)

var update = flag.Bool("update", false, "write the golden files")

// canary is the password that no output may show.
const canary = "Zx81canary"

func testEnv(name string) string {
	if name == "P" {
		return canary
	}
	return ""
}

func texts(t *testing.T, lang string) *locale.Texts {
	t.Helper()
	x, err := locale.New(lang, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s:\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

// TestBadFiles has one file for each mistake and the exact words that people and the log get.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(names) < 30 {
		t.Fatalf("%d cases, %v", len(names), err)
	}
	ru, en := texts(t, "ru"), texts(t, "en")
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			_, err := Load(filepath.ToSlash(name), testEnv)
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatalf("got %v", err)
			}
			base := strings.TrimSuffix(name, ".toml")
			golden(t, base+".ru.txt", ru.Error(err)+"\n")
			golden(t, base+".en.txt", en.Error(err)+"\n")
			if err.Error() != en.Error(err) {
				t.Errorf("the log says\n%v\nbut English is\n%s", err, en.Error(err))
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(ru.Error(err), canary) {
				t.Error("the password is shown")
			}
			if want := "ru"; all.Language != want && !strings.HasSuffix(base, "_en") {
				t.Errorf("language %q", all.Language)
			}
			for _, f := range all.Fields {
				if f.Line < 1 {
					t.Errorf("no line: %v", f)
				}
				var told *models.Told
				if !errors.As(f, &told) || told.Phrase.IsZero() {
					t.Errorf("cannot be told: %v", f)
				}
			}
		})
	}
}

func TestErrorsSpeakTheLanguageOfTheFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{"", "ru"},
		{"language = 'en'\n[x", "en"},
		{"# c\n  language=\"en\" # c\n===", "en"},
		{"language = \"de\"\n", "ru"},
		{"[log]\nlanguage = \"en\"\n", "ru"},
	} {
		_, err := parse("c.toml", []byte(c.file), nil, false)
		var all *Errors
		if !errors.As(err, &all) || all.Language != c.want {
			t.Errorf("%q: got %v, want %s", c.file, err, c.want)
		}
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "config.toml"), nil)
	if err == nil || !strings.Contains(err.Error(), "config.toml.example") {
		t.Errorf("got %v", err)
	}
	_, err = Load(t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a folder: got %v", err)
	}
}

// FuzzLoad: whatever the file holds, there is a config or there are errors that name a place, and never a panic.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range append(names, "../config.toml.example") {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := parse("testdata/config.toml", data, testEnv, false)
		if err == nil {
			cfg.Mailboxes()
			cfg.OwnDomains()
			if a, b := Changes(cfg, cfg); len(a)+len(b) > 0 {
				t.Errorf("differs from itself: %v %v", a, b)
			}
			if len(cfg.Mailboxes()) == 0 {
				t.Error("nobody to watch")
			}
			return
		}
		var all *Errors
		if !errors.As(err, &all) || len(all.Fields) == 0 {
			t.Fatalf("got %T %v", err, err)
		}
		for _, e := range all.Fields {
			if e.Line < 1 || e.Phrase.IsZero() {
				t.Errorf("no line or no words: %v", e)
			}
		}
	})
}

// TestOfflineAsksForNothingOutside is what `kontrol status` needs in a shell without the daemon's environment.
func TestOfflineAsksForNothingOutside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.toml")
	text := "[servers.a]\nimap = \"imaps://mail.firma.example\"\nca_file = \"no-such.pem\"\n"
	for i, key := range []string{`password_env = "NOT_SET"`, `password_file = "no-such-file"`, `password_command = ["no-such-program"]`} {
		text += fmt.Sprintf("[[managers]]\nname = \"M\"\nemail = \"m%d@firma.example\"\nserver = \"a\"\n%s\n", i, key)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }
	if _, err := LoadOffline(path, none); err != nil {
		t.Errorf("offline: %v", err)
	}
	var wrong *Errors
	if _, err := Load(path, none); !errors.As(err, &wrong) || len(wrong.Fields) != 4 {
		t.Errorf("for the daemon: %v", err)
	}
	if err := os.WriteFile(path, []byte(text+"[[managers]]\nname = \"X\"\nemail = \"x@firma.example\"\nserver = \"a\"\nrole = \"boss\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOffline(path, none); err == nil {
		t.Error("offline: a wrong value is not noticed")
	}
}
