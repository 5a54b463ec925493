package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"kontrol/internal/idp"
	"kontrol/internal/imaptest"
)

// browseMain is the browser of the scripts: it opens the page, is sent on to where it ends, and sends that to the script,
// whose command page waits for it: kontrol does not wait for its browser.
func browseMain() {
	res, err := http.Get(os.Args[1])
	if err == nil {
		var to net.Conn
		if to, err = net.Dial("tcp", os.Getenv("PAGES")); err == nil {
			_, err = io.Copy(to, res.Body)
			err = errors.Join(err, to.Close())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a command of the scripts ends its process
	}
}

// bearer finds the token in either mechanism's message.
var bearer = regexp.MustCompile("auth=Bearer ([^\x01]+)\x01")

// letIn makes a mail server accept whoever has a token for the mailbox that he names.
func letIn(turn *imaptest.Turn) bool {
	raw, _ := base64.StdEncoding.DecodeString(turn.Args[2])
	var claims struct{ Sub string }
	if m := bearer.FindSubmatch(raw); m != nil {
		if parts := strings.Split(string(m[1]), "."); len(parts) == 3 {
			body, _ := base64.RawURLEncoding.DecodeString(parts[1])
			_ = json.Unmarshal(body, &claims)
		}
	}
	if claims.Sub != "" && strings.Contains(string(raw), "user="+claims.Sub+"\x01") {
		turn.Printf("%s OK welcome\r\n", turn.Tag)
		return true
	}
	turn.Printf("+ %s\r\n", base64.StdEncoding.EncodeToString([]byte(`{"status":"401"}`)))
	turn.ReadLine()
	turn.Printf("%s NO [AUTHENTICATIONFAILED] wrong account\r\n", turn.Tag)
	return true
}

// TestLoginScripts runs the scripts of logging in, each with a provider and a mail server of its own.
func TestLoginScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/login",
		Setup: func(env *testscript.Env) error {
			o := idp.Options{ClientSecret: "client-secret", User: "ivanova@firma.example", Approve: true}
			provider, err := idp.Start(o)
			if err != nil {
				return err
			}
			env.Defer(provider.Stop)
			mail, err := imaptest.StartScript(imaptest.Profile{Caps: "IMAP4rev1 SASL-IR AUTH=XOAUTH2 UIDPLUS MOVE IDLE"})
			if err != nil {
				return err
			}
			env.Defer(mail.Close)
			mail.On("AUTHENTICATE", letIn)
			env.Values["idp"] = provider
			pages, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = pages.Close() })
			env.Values["pages"] = pages
			env.Setenv("PAGES", pages.Addr().String())
			env.Setenv("KONTROL_SECRET", "client-secret")
			env.Setenv("DISPLAY", "")
			env.Setenv("WAYLAND_DISPLAY", "")
			env.Setenv("BROWSER", "")
			config := strings.NewReplacer("IMAP", mail.URL(), "AUTH", provider.AuthURL, "TOKEN", provider.TokenURL, "DEVICE", provider.DeviceURL).
				Replace(`
[servers.corp]
imap = "IMAP"
[servers.corp.oauth]
client_id = "kontrol"
client_secret_env = "KONTROL_SECRET"
auth_url = "AUTH"
token_url = "TOKEN"
device_url = "DEVICE"
[servers.mailru]
provider = "mailru"
[servers.mailru.oauth]
client_id = "x"
[[managers]]
name = "Анна Иванова"
email = "ivanova@firma.example"
server = "corp"
[[managers]]
name = "Борис Петров"
email = "petrov@mail.ru"
server = "mailru"
[[managers]]
name = "Вера Белова"
email = "belova@firma.example"
server = "corp"
password_env = "KONTROL_SECRET"
[[managers]]
name = "Глеб Орлов"
email = "orlov@firma.example"
server = "corp"
token_command = "echo token"
`)
			return os.WriteFile(env.WorkDir+"/config.toml", []byte(config), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// page: waits for the page that the browser has ended on, and keeps it in page.html.
			"page": func(ts *testscript.TestScript, _ bool, _ []string) {
				from, err := ts.Value("pages").(net.Listener).Accept()
				ts.Check(err)
				page, err := io.ReadAll(from)
				ts.Check(errors.Join(err, from.Close()))
				ts.Check(os.WriteFile(ts.MkAbs("page.html"), page, 0o600))
			},
			// person USER [deny]: who is at the browser from now on.
			"person": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value("idp").(*idp.Server).SetUser(args[0], len(args) > 1)
			},
			// withdraw USER: the person ends the permission in his account.
			"withdraw": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value("idp").(*idp.Server).Withdraw(args[0])
			},
			// fail STATUS CODE: the provider's next answer.
			"fail": func(ts *testscript.TestScript, _ bool, args []string) {
				var status int
				_, err := fmt.Sscan(args[0], &status)
				ts.Check(err)
				ts.Value("idp").(*idp.Server).Fail(1, status, args[1], "")
			},
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
