package config

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/locale"
	"kontrol/models"
)

// write puts a config and the files that it refers to into a folder and loads it.
func write(t *testing.T, text string, files map[string]string, env map[string]string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, func(n string) string { return env[n] })
}

func mustLoad(t *testing.T, text string, files, env map[string]string) *Config {
	t.Helper()
	cfg, err := write(t, text, files, env)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const small = `
[servers.corp]
imap = "imaps://mail.firma.example"

[[managers]]
name = "Анна Иванова"
email = "Ivanova@Firma.example"
password = "` + canary + `"
`

func example(t *testing.T) (string, *Config) {
	t.Helper()
	text, err := os.ReadFile("../config.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, string(text), map[string]string{"secrets/ivanova": "one\n"}, map[string]string{"KONTROL_SALES": "two"})
	return string(text), cfg
}

func TestExampleLoads(t *testing.T) {
	t.Parallel()
	_, cfg := example(t)
	if w := cfg.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	boxes := cfg.Mailboxes()
	if len(boxes) != 2 || boxes[0].Kind != models.MailboxPersonal || boxes[1].Kind != models.MailboxShared {
		t.Fatalf("mailboxes: %+v", boxes)
	}
	for i, want := range []string{"one", "two"} {
		if got, err := boxes[i].Secret(context.Background()); got != want || err != nil {
			t.Errorf("secret %d: %q %v", i, got, err)
		}
	}
	if e := boxes[0].Server.IMAP; e != (Endpoint{TLS, "mail.firma.example", 993}) || e.Addr() != "mail.firma.example:993" {
		t.Errorf("endpoint %+v", e)
	}
	if boxes[0].Folders != (FolderNames{Processed: "Обработанные письма", Control: "На контроле", Private: "Команды/Личное"}) {
		t.Errorf("folders %+v", boxes[0].Folders)
	}
}

// TestExampleShowsTheDefaults: what the example says of a key with a default is the default.
func TestExampleShowsTheDefaults(t *testing.T) {
	t.Parallel()
	_, cfg := example(t)
	got, want := flatten(cfg), flatten(Default())
	for k, v := range want {
		if strings.HasPrefix(k, "company.") {
			continue
		}
		if got[k].raw != v.raw {
			t.Errorf("%s: example %s, default %s", k, got[k].shown, v.shown)
		}
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	t.Parallel()
	text, _ := example(t)
	at := map[string]bool{}
	section := ""
	head := regexp.MustCompile(`^(?:# )?\[+([a-z_]+)`)
	pair := regexp.MustCompile(`^(?:# )?([a-z_]+) = (.*)`)
	for _, line := range strings.Split(text, "\n") {
		if m := head.FindStringSubmatch(line); m != nil {
			section = m[1] + "."
			if strings.Contains(line, ".oauth]") {
				section += "oauth."
			}
		}
		if m := pair.FindStringSubmatch(line); m != nil {
			at[section+m[1]] = true
			for _, inner := range regexp.MustCompile(`([a-z_]+) = `).FindAllStringSubmatch(m[2], -1) {
				at[section+m[1]+"."+inner[1]] = true
			}
		}
	}
	for _, k := range Keys() {
		k = strings.NewReplacer("[]", "", ".*", "").Replace(k)
		shared := strings.NewReplacer("managers.folders", "shared_mailboxes.folders", "shared_mailboxes.password", "managers.password",
			"shared_mailboxes.auth", "managers.auth", "shared_mailboxes.token", "managers.token").Replace(k)
		if !at[k] && !at[shared] {
			t.Errorf("config.toml.example does not show %s", k)
		}
	}
}

func TestNoWayOfPrintingShowsAPassword(t *testing.T) {
	t.Parallel()
	text := small + "[database]\nurl = \"postgres://kontrol:" + canary + "@db/kontrol?password=" + canary + "\"\n"
	cfg := mustLoad(t, text, nil, nil)
	var out bytes.Buffer
	holder := struct{ inner Config }{*cfg}
	for _, v := range []any{cfg, *cfg, cfg.Managers, cfg.Managers[0], cfg.Database, cfg.Mailboxes(), holder, &holder, cfg.Settings(), cfg.Managers[0].Password} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	if b, err := json.Marshal(cfg); err == nil {
		out.Write(b)
	} else {
		t.Error(err)
	}
	out.WriteString(cfg.RedactedDatabaseURL())
	for _, c := range []string{canary, fmt.Sprintf("%x", canary)} {
		if i := strings.Index(out.String(), c); i >= 0 {
			t.Errorf("shown: …%s", out.String()[max(0, i-80):i+10])
		}
	}
	if cfg.DatabaseURL() != "postgres://kontrol:"+canary+"@db/kontrol?password="+canary {
		t.Error("the database URL to open is another")
	}
	if !strings.Contains(cfg.String(), `managers[ivanova@firma.example].name = "Анна Иванова"`) {
		t.Errorf("String: %s", cfg)
	}
}

func TestWhatIsLeftOutComesFromTheRest(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, `timezone = "Asia/Omsk"`+small+`
[[managers]]
name = "Борис"
email = "boris@mail.ru"
password_env = "B"
timezone = "Asia/Chita"
folders.control = "Контроль"

[[shared_mailboxes]]
address = "sales@Фирма.example"
password_command = "echo x"
`, nil, map[string]string{"B": "b"})
	boxes := cfg.Mailboxes()
	got := fmt.Sprint(boxes[0].Username, boxes[0].Server.Name, boxes[0].Location, boxes[1].Location, boxes[1].Folders, boxes[2].ManagerEmail, boxes[2].Location)
	want := "ivanova@firma.examplecorpAsia/OmskAsia/Chita{ Обработанные письма Контроль Команды/Личное}Asia/Omsk"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if d := cfg.OwnDomains(); !reflect.DeepEqual(d, []string{"firma.example", "xn--80apmps.example"}) {
		t.Errorf("own domains %v", d)
	}
	if a := cfg.OwnAddresses(); !reflect.DeepEqual(a, []string{"boris@mail.ru", "ivanova@firma.example", "sales@фирма.example"}) {
		t.Errorf("own addresses %v", a)
	}
	if cfg.Location().String() != "Asia/Omsk" || cfg.LogLevel() != slog.LevelInfo {
		t.Errorf("%v %v", cfg.Location(), cfg.LogLevel())
	}
	if u := cfg.DatabaseURL(); u != "sqlite:"+filepath.Join(cfg.dir, "kontrol.db") || cfg.RedactedDatabaseURL() != u {
		t.Errorf("database %s", u)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Endpoint{
		"imaps://Mail.Firma.example":       {TLS, "mail.firma.example", 993},
		"imaps://mail.firma.example:9993/": {TLS, "mail.firma.example", 9993},
		"imap://10.0.0.5":                  {STARTTLS, "10.0.0.5", 143},
		"IMAPS://[2001:db8::1]:993":        {TLS, "2001:db8::1", 993},
		"imaps://[::1]":                    {TLS, "::1", 993},
		"imap+insecure://localhost:1143":   {Insecure, "localhost", 1143},
		"imap+insecure://127.0.0.1":        {Insecure, "127.0.0.1", 143},
		"imap+insecure://[::1]:1143":       {Insecure, "::1", 1143},
		"imaps://почта.фирма.рф":           {TLS, "xn--80a1acny.xn--80apmps.xn--p1ai", 993},
	} {
		got, p := parseEndpoint(raw, imapSchemes())
		if !p.IsZero() || got != want {
			t.Errorf("%s: got %+v %v", raw, got, p)
		}
	}
	for _, raw := range []string{"", "imaps://", "imaps:///", "imap+insecure://10.0.0.1", "imap+insecure://localhost.evil.example",
		"imaps://a b", "imaps://a:b", "imaps://[::1", "imaps://a:0", "imaps://a?tls=no", "imaps://u@h", "imaps://a..b", "pop3://h"} {
		if got, p := parseEndpoint(raw, imapSchemes()); p.IsZero() {
			t.Errorf("%s: got %+v", raw, got)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "2w": 336 * time.Hour, "1h30m": 90 * time.Minute, "4m": 4 * time.Minute, "90s": 90 * time.Second,
		"1d 12h": 36 * time.Hour, "0": 0, "0d": 0,
	} {
		if got, ok := ParseDuration(s); !ok || got.Std() != want {
			t.Errorf("%s: %v %v", s, got, ok)
		}
	}
	for _, s := range []string{"", " ", "30", "d", "-1d", "+1d", "1.5h", "1 month", "30д", "1e9s", "99999999999w", "999999999999w", "1M"} {
		if got, ok := ParseDuration(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(time.Duration(rapid.Int64Range(0, 1<<33).Draw(t, "s")) * time.Second)
		if back, ok := ParseDuration(d.String()); !ok || back != d {
			t.Fatalf("%d → %s → %d", d, d, back)
		}
	})
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"email", "name", "password_file", "password_env", "role", "server"}
	for word, want := range map[string]string{
		"emial": "email", "EMail": "email", "e-mail": "email", "еmаil": "email", "nmae": "name", "passwordfile": "password_file",
		"password-env": "password_env", "sever": "server", "rôle": "role", "colour": "", "x": "", "": "", "pass": "password_file",
		strings.Repeat("a", 1000): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	word := rapid.StringMatching(`[a-zа-я_]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len([]rune(a)), len([]rune(b))) {
			t.Fatalf("distance(%q, %q) = %d", a, b, d)
		}
	})
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, small+"[log]\nlevel = \"debug\"\n", nil, map[string]string{
		"KONTROL_LOG_LEVEL": "error", "KONTROL_DATABASE_URL": "sqlite::memory:", "KONTROL_TRIAGE_FIRST_LOOK": "2w",
		"KONTROL_LANGUAGE": "en", "KONTROL_FOLDERS_WITHOUT_UIDPLUS": "leave_deleted",
	})
	got := fmt.Sprint(cfg.LogLevel(), cfg.DatabaseURL(), cfg.Triage.FirstLook, cfg.Language, cfg.Folders.WithoutUIDPlus)
	if got != "ERRORsqlite::memory:2wenleave_deleted" {
		t.Errorf("got %s", got)
	}
	_, err := write(t, small, nil, map[string]string{"KONTROL_LOG_LEVEL": "loud", "KONTROL_TRIAGE_FIRST_LOOK": "x"})
	want := "KONTROL_LOG_LEVEL: log.level: \"loud\" does not fit. Possible: debug, info, warn, error\nKONTROL_TRIAGE_FIRST_LOOK: triage.first_look: \"x\" is not a span"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	ru := texts(t, "ru")
	w := cfg.UnknownEnv([]string{"KONTROL_LOGLEVEL=x", "KONTROL_LOG_LEVEL=x", "PATH=/", "KONTROL_CONFIG=y", "KONTROL_ZZZZZZ=1"}, "KONTROL_CONFIG")
	if len(w) != 2 || ru.Say(w[0]) != "переменная окружения KONTROL_LOGLEVEL ничего не значит; возможно, вы имели в виду KONTROL_LOG_LEVEL?" {
		t.Errorf("warnings %v", w)
	}
	for name, key := range EnvNames() {
		if strings.Contains(key, "managers") || strings.Contains(key, "domains") {
			t.Errorf("%s overrides %s", name, key)
		}
	}
}

func TestLanguagesAreThoseOfLocale(t *testing.T) {
	t.Parallel()
	for _, l := range languages() {
		if _, err := locale.New(l, nil); err != nil {
			t.Error(err)
		}
	}
	for _, z := range zones() {
		if _, err := time.LoadLocation(z); err != nil {
			t.Error(err)
		}
	}
}

func TestINN(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"7707083893": true, "7707083894": false, "500100732259": true, "500100732258": false, "770708389": false, "77O7083893": false, "": false,
	} {
		if validINN(s) != want {
			t.Errorf("%q: not %v", s, want)
		}
	}
}

// TestFilesFromWindows: a byte order mark and CRLF are what an editor there leaves behind.
func TestFilesFromWindows(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, "\xef\xbb\xbf"+strings.ReplaceAll(small, "\n", "\r\n"), nil, nil)
	if cfg.Managers[0].Name != "Анна Иванова" {
		t.Errorf("got %q", cfg.Managers[0].Name)
	}
	_, err := write(t, "\xef\xbb\xbf"+strings.ReplaceAll(small+"nmae = 1\nemail\n", "\n", "\r\n"), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "config.toml:10: name = value is needed here") {
		t.Errorf("got %v", err)
	}
}
