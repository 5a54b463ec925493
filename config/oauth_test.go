package config

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"kontrol/models"
)

func TestOAuthOfKnownAndOwnProviders(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, `
[database]
secret_key_env = "KEY"
[servers.m365]
provider = "microsoft"
[servers.m365.oauth]
client_id = "id"
tenant = "firma.example"
client_secret_env = "S"
[servers.own]
imap = "imaps://mail.firma.example"
[servers.own.oauth]
client_id = "own"
token_url = "https://sso.firma.example/token"
auth_url = "https://sso.firma.example/auth"
scopes = ["offline_access"]
redirect_url = "http://127.0.0.1:8765/"
[[managers]]
name = "A"
email = "a@firma.example"
server = "m365"
[[managers]]
name = "B"
email = "b@firma.example"
server = "m365"
password_env = "P"
[[managers]]
name = "C"
email = "c@firma.example"
server = "own"
role = "head"
[[managers]]
name = "D"
email = "d@firma.example"
role = "head"
[[shared_mailboxes]]
address = "sales@firma.example"
server = "own"
token_command = "echo token"
`, nil, map[string]string{"KEY": "0123456789abcdef", "P": "p", "S": "s"})
	boxes := map[string]Mailbox{}
	for _, b := range cfg.Mailboxes() {
		boxes[b.Address] = b
	}
	if len(boxes) != 4 {
		t.Fatalf("mailboxes %v", boxes)
	}
	a := boxes["a@firma.example"]
	if a.Server.IMAP.Addr() != "outlook.office365.com:993" || a.Server.SMTP != (Endpoint{STARTTLS, "smtp.office365.com", 587}) {
		t.Errorf("servers %+v", a.Server)
	}
	app := a.OAuth.App
	if app.TokenURL != "https://login.microsoftonline.com/firma.example/oauth2/v2.0/token" || len(app.Scopes) != 3 || app.Provider != "microsoft" {
		t.Errorf("app %+v", app)
	}
	if s, err := app.ClientSecret(context.Background()); s != "s" || err != nil {
		t.Errorf("secret %q %v", s, err)
	}
	if boxes["b@firma.example"].OAuth != nil {
		t.Error("a password counts")
	}
	if c := boxes["c@firma.example"].OAuth; c == nil || c.App.ClientSecret != nil || c.App.DeviceURL != "" || c.App.RedirectURL == "" {
		t.Errorf("own %+v", c)
	}
	if got, err := boxes["sales@firma.example"].OAuth.Token(context.Background()); got != "token" || err != nil {
		t.Errorf("command %q %v", got, err)
	}
	if path, secret := cfg.TokenKey(); path != "" || secret == nil {
		t.Errorf("key %q", path)
	}
	if w := cfg.UnknownEnv([]string{"KONTROL_KEYS=1"}); len(w) != 1 {
		t.Errorf("env %v", w)
	}
}

func TestKeyFileLiesBesideTheDatabase(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, "[database]\nurl = \"sqlite:data/k.db?x=y\"\n"+small, nil, nil)
	if path, secret := cfg.TokenKey(); path != filepath.Join(cfg.dir, "data", "kontrol.key") || secret != nil {
		t.Errorf("sqlite %q", path)
	}
	cfg = mustLoad(t, "[database]\nurl = \"postgres://k@db/k\"\n"+small, nil, nil)
	if path, _ := cfg.TokenKey(); path != filepath.Join(cfg.dir, "kontrol.key") {
		t.Errorf("postgres %q", path)
	}
	if box := cfg.Mailboxes()[0]; box.OAuth != nil || cfg.Managers[0].Auth != "" {
		t.Errorf("auth %+v", box)
	}
}

func TestWayOfLoginNeedsARestart(t *testing.T) {
	t.Parallel()
	oauth := "\n[servers.corp.oauth]\nclient_id = \"x\"\nauth_url = \"https://a.example/a\"\ntoken_url = \"https://a.example/t\"\n"
	before := mustLoad(t, small+oauth, nil, nil)
	after := mustLoad(t, strings.Replace(small, `password = "`+canary+`"`, "", 1)+oauth, nil, nil)
	_, restart := Changes(before, after)
	if len(restart) != 1 || restart[0] != "managers[ivanova@firma.example].auth" {
		t.Errorf("restart %v", restart)
	}
	merged := before.WithReloadable(after)
	if merged.Mailboxes()[0].OAuth != nil || merged.Managers[0].Role != models.RoleManager {
		t.Error("the way of login changed without a restart")
	}
}
