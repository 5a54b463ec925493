package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "embed"

	"kontrol/internal/bench/letters"
)

// The other programs and how they are told what to do. Each runs in a folder of its own (o.State), which is its HOME.

//go:embed peers/imapfilter.lua
var imapfilterScript string

//go:embed peers/imapflow.mjs
var imapflowScript string

const nodeProgram = "node"

// program makes the command of another program.
type program = func(*world, order) (*exec.Cmd, error)

// nodeHome is where scripts/bench-deps.sh installs imapflow.
func nodeHome() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "kontrol-bench")
}

func haveImapFlow() bool {
	_, err := os.Stat(filepath.Join(nodeHome(), "node_modules", "imapflow", "package.json"))
	return err == nil
}

func (o order) write(name, text string) (string, error) {
	path := filepath.Join(o.State, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return path, nil
}

func (o order) hostPort() (host, port string) {
	host, port, _ = net.SplitHostPort(o.IMAP) // our own, well formed
	return host, port
}

func environ(o order, job string) []string {
	host, port := o.hostPort()
	return append(os.Environ(), "JOB="+job, "IMAP_HOST="+host, "IMAP_PORT="+port, "IMAP_USER="+o.User, "IMAP_PASS="+o.Password, "STATE="+o.State, fmt.Sprintf("WANT=%d", o.Want))
}

// imapfilter runs our script for it. With oneQuery all rules of a folder are one SEARCH, joined by hand.
func imapfilter(job string, oneQuery bool) program {
	return func(_ *world, o order) (*exec.Cmd, error) {
		var b strings.Builder
		b.WriteString("rules = {\n")
		for _, r := range letters.Rules() {
			fmt.Fprintf(&b, "  { kind = %q, value = \"%s\", folder = \"%s\" },\n", r.Kind, r.Value, letters.Folders()[r.Folder])
		}
		b.WriteString("}\n" + imapfilterScript)
		path, err := o.write("imapfilter.lua", b.String())
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("imapfilter", "-c", path)
		cmd.Env = environ(o, job)
		if oneQuery {
			cmd.Env = append(cmd.Env, "ONEQUERY=1")
		}
		return cmd, nil
	}
}

// imapflow runs our script for the Node library. Without compression, which is its default but costs it on loopback.
func imapflow(job string) program {
	return func(_ *world, o order) (*exec.Cmd, error) {
		rules, err := json.Marshal(letters.Rules())
		if err != nil {
			return nil, err
		}
		modules := filepath.Join(o.State, "node_modules")
		if _, err := os.Stat(modules); err != nil {
			if err := os.CopyFS(modules, os.DirFS(filepath.Join(nodeHome(), "node_modules"))); err != nil {
				return nil, fmt.Errorf("bring imapflow where its account may read it: %w", err)
			}
		}
		path, err := o.write("imapflow.mjs", imapflowScript)
		if err != nil {
			return nil, err
		}
		f := letters.Folders()
		cmd := exec.Command(nodeProgram, path)
		cmd.Env = append(environ(o, job), "RULES="+string(rules), "FOLDER0="+f[0], "FOLDER1="+f[1])
		return cmd, nil
	}
}

// mbsync copies the whole mailbox both ways.
func mbsync(_ *world, o order) (*exec.Cmd, error) {
	host, port := o.hostPort()
	for _, d := range []string{"md/INBOX", "state"} {
		if err := os.MkdirAll(filepath.Join(o.State, d), 0o755); err != nil {
			return nil, err
		}
	}
	path, err := o.write("mbsyncrc", fmt.Sprintf(`FSync no

IMAPAccount b
Host %s
Port %s
User %s
Pass %s
SSLType None
AuthMechs LOGIN

IMAPStore far
Account b

MaildirStore near
Path md/
Inbox md/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns INBOX
Create Near
Expunge None
Sync Pull
SyncState state/
`, host, port, o.User, o.Password))
	return exec.Command("mbsync", "-q", "-c", path, "c"), err
}

func offlineimap(_ *world, o order) (*exec.Cmd, error) {
	host, port := o.hostPort()
	path, err := o.write("offlineimaprc", fmt.Sprintf(`[general]
accounts = b
metadata = %[5]s/meta
ui = quiet
fsync = false
[Account b]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = %[5]s/md
[Repository r]
type = IMAP
remotehost = %[1]s
remoteport = %[2]s
remoteuser = %[3]s
remotepass = %[4]s
ssl = no
starttls = no
auth_mechanisms = LOGIN
readonly = true
folderfilter = lambda name: name == 'INBOX'
`, host, port, o.User, o.Password, o.State))
	return exec.Command("offlineimap", "-c", path, "-o"), err
}

func getmail(_ *world, o order) (*exec.Cmd, error) {
	host, port := o.hostPort()
	if err := letters.MakeFolder(filepath.Join(o.State, "md", "INBOX")); err != nil {
		return nil, err
	}
	_, err := o.write("getmailrc", fmt.Sprintf(`[retriever]
type = SimpleIMAPRetriever
server = %s
port = %s
username = %s
password = %s
mailboxes = ("INBOX",)
[destination]
type = Maildir
path = %s/md/INBOX/
[options]
read_all = true
delete = false
verbose = 0
delivered_to = false
received = false
`, host, port, o.User, o.Password, o.State))
	return exec.Command("getmail", "--getmaildir", o.State, "--rcfile", "getmailrc"), err
}

func fdm(_ *world, o order) (*exec.Cmd, error) {
	host, port := o.hostPort()
	path, err := o.write("fdm.conf", fmt.Sprintf("set lock-file \"%[5]s/fdm.lock\"\nset maximum-size 128M\n"+
		"account \"a\" imap server \"%[1]s\" port %[2]s user \"%[3]s\" pass \"%[4]s\" keep\n"+
		"action \"in\" maildir \"%[5]s/md/INBOX\"\nmatch all action \"in\"\n", host, port, o.User, o.Password, o.State))
	return exec.Command("fdm", "-q", "-l", "-f", path, "fetch"), err
}

// copied looks whether a program that copies letters has copied all of them.
func copied(_ *world, o order, _ outcome) error {
	n := 0
	for _, d := range []string{"cur", "new"} {
		files, err := os.ReadDir(filepath.Join(o.State, "md", "INBOX", d))
		if err != nil {
			return err
		}
		n += len(files)
	}
	if n != o.Want {
		return fmt.Errorf("%d letters were copied, want %d", n, o.Want)
	}
	return nil
}
