package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"kontrol/models"
)

// secretOf loads a config with one manager whose password comes from where the line says.
func secretOf(t *testing.T, line string, files, env map[string]string) (*Config, SecretFunc) {
	t.Helper()
	cfg := mustLoad(t, strings.Replace(small, `password = "`+canary+`"`, line, 1), files, env)
	return cfg, cfg.Mailboxes()[0].Secret
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "anna"), []byte("from systemd"), 0o400); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"P": "from env", "CREDENTIALS_DIRECTORY": credentials}
	files := map[string]string{"s": "from file\n", "dos": "\xef\xbb\xbfпароль \r\n", "sub/get": "#!/bin/sh\necho \"$1\"; echo more\n"}
	for line, want := range map[string]string{
		`password_file = "s"`:                                      "from file",
		`password_file = "dos"`:                                    "пароль ",
		`password_file = "$CREDENTIALS_DIRECTORY/anna"`:            "from systemd",
		`password_env = "P"`:                                       "from env",
		`password = "plain"`:                                       "plain",
		`password_command = "cat s"`:                               "from file",
		`password_command = ["cat", "s"]`:                          "from file",
		`password_command = ["sh", "sub/get", "a b; echo $HOME"]`:  "a b; echo $HOME",
		`password_command = 'printf "one\r\ntwo\n"; echo x >&2'`:   "one",
		`password_command = "echo first; yes | head -n 200000; :"`: "first",
	} {
		_, secret := secretOf(t, line, files, env)
		if got, err := secret(context.Background()); got != want || err != nil {
			t.Errorf("%s: got %q, %v", line, got, err)
		}
	}
}

func TestSecretFileIsReadEachTime(t *testing.T) {
	t.Parallel()
	cfg, secret := secretOf(t, `password_file = "s"`, map[string]string{"s": "old"}, nil)
	for _, want := range []string{"old", "new"} {
		if got, err := secret(context.Background()); got != want || err != nil {
			t.Errorf("got %q %v", got, err)
		}
		if err := os.WriteFile(cfg.abs("s"), []byte("new\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(cfg.abs("s")); err != nil {
		t.Fatal(err)
	}
	_, err := secret(context.Background())
	if !models.IsTemporary(err) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	want := "пароль ящика ivanova@firma.example: файла s нет; относительный путь считается от папки файла настроек"
	if got := texts(t, "ru").Error(err); got != want {
		t.Errorf("told as %q", got)
	}
}

func TestCommandsThatFail(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`password_command = "echo ` + canary + `; echo bad ` + canary + ` here >&2; exit 3"`: "exit status 3: bad *** here",
		`password_command = "echo locked >&2"`:                                               "it printed nothing: locked",
		`password_command = "yes complaint | head -c 100000 >&2; exit 1"`:                    "…",
		`password_command = ["sh", "-c", "kill -9 $$"]`:                                      "signal: killed",
	} {
		_, secret := secretOf(t, line, nil, nil)
		got, err := secret(context.Background())
		if got != "" || err == nil || !strings.Contains(err.Error(), want) || !models.IsTemporary(err) {
			t.Errorf("%s: got %q, %v", line, got, err)
			continue
		}
		for _, said := range []string{err.Error(), texts(t, "ru").Error(err), texts(t, "en").Error(err)} {
			if strings.Contains(said, canary) || len(said) > 1000 {
				t.Errorf("%s: says %s", line, said)
			}
		}
	}
}

func TestCommandHasADeadline(t *testing.T) {
	t.Parallel()
	_, err := runSecret(context.Background(), Command{"sleep", "60"}, t.TempDir(), 50*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := runSecret(ctx, Command{"sleep", "60"}, t.TempDir(), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEnvSecretThatGoesAway(t *testing.T) {
	t.Parallel()
	env := map[string]string{"P": "x"}
	_, secret := secretOf(t, `password_env = "P"`, nil, env)
	delete(env, "P")
	if _, err := secret(context.Background()); err == nil || models.IsTemporary(err) {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("rights of files are kept elsewhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	text := strings.Replace(small, "mail.firma.example\"", "mail.firma.example\"\nmax_connections = 2", 1) + `server = "corp"
[servers.spare]
imap = "imaps://spare.firma.example"

[[shared_mailboxes]]
address = "sales@frima.example"
server = "corp"
password_file = "s"

[company]
domains = ["firma.example"]
`
	for name, content := range map[string]string{"config.toml": text, "s": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ru := texts(t, "ru")
	var got []string
	for _, p := range cfg.Warnings() {
		got = append(got, strings.ReplaceAll(ru.Say(p), path, "config.toml"))
	}
	want := []string{
		"сервер «spare» не указан ни у одного ящика",
		"config.toml:17: файл с паролем s открыт другим пользователям; выполните chmod 600 s",
		"домена frima.example (адрес sales@frima.example) нет в company.domains; возможно, опечатка в «firma.example»?",
		"config.toml:9: managers[1].password: пароль лежит прямо в настройках; надёжнее перенести его в отдельный файл и указать password_file",
		"config.toml: в настройках есть пароль, а файл открыт другим пользователям; выполните chmod 600 config.toml",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(strings.Join(got, ""), canary) {
		t.Error("a password is shown")
	}
}

func TestSecretFileThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("x"), 0o000); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(strings.Replace(small, `password = "`+canary+`"`, `password_file = "s"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), "may not be read") {
		t.Errorf("got %v", err)
	}
}
