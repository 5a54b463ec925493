package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kontrol/internal/bench/letters"
	"kontrol/internal/dovecot"
	"kontrol/internal/ward"
)

// world is the private server with its made-up mail.
type world struct {
	settings
	srv   *dovecot.Server
	maker *letters.Maker
	pg    *databases
	state string // folder of what runs leave behind
	runs  int
}

// seed makes the letters the same in every run and on every machine.
const seed = 42

// limits let thousands of connections in. Without imap_id_retain and the like: an ordinary server otherwise.
const limits = `
default_client_limit = 20000
default_process_limit = 5000
service imap {
  process_limit = 4500
}
service imap-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 10000
}
service anvil {
  client_limit = 20000
}
service auth {
  client_limit = 20000
}
service lmtp {
  process_limit = 8
}
`

func newWorld(ctx context.Context, s settings) (*world, error) {
	dir := s.mailDir
	if _, err := os.Stat(dir); err != nil {
		dir = os.TempDir()
		s.logf("no %s: the mail stands in %s", s.mailDir, dir)
	}
	state, err := os.MkdirTemp(s.dbDir, "kontrol-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for runs: %w", err)
	}
	w := &world{settings: s, maker: letters.NewMaker(seed), state: state}
	if err := os.Chmod(state, 0o755); err != nil {
		return nil, err
	}
	old, had := os.LookupEnv("TMPDIR")
	if err := os.Setenv("TMPDIR", dir); err != nil { // where ward makes the server's folder
		return nil, err
	}
	w.srv, err = dovecot.Start(ctx, dovecot.Options{MaxConn: 5000, Config: limits})
	if had {
		err = errors.Join(err, os.Setenv("TMPDIR", old))
	} else {
		err = errors.Join(err, os.Unsetenv("TMPDIR"))
	}
	if err == nil {
		err = ownFolder(filepath.Join(w.srv.Dir, "mail"))
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() {
	if w.srv != nil {
		w.srv.Stop()
	}
	if w.pg != nil {
		w.pg.stop()
	}
	_ = os.RemoveAll(w.state) // a temporary folder
}

func (w *world) home(user string) string { return filepath.Join(w.srv.Dir, "mail", user) }

// folder is a folder's place on disk; "" is INBOX.
func (w *world) folder(user, wire string) string {
	if wire == "" {
		return filepath.Join(w.home(user), "mail")
	}
	return filepath.Join(w.home(user), "mail", "."+wire)
}

func (w *world) snapshot(user, name string) string {
	return filepath.Join(w.srv.Dir, "snapshots", user+"."+name)
}

// contents say how a user's mailbox begins.
type contents struct {
	user    string
	box     int // number, for letters.Maker
	letters int
	rule    int // letters.Mixed or letters.NoRule
	sent    []letters.Letter
}

// fill writes a mailbox, lets the server make its indexes, and keeps it as snapshot "warm".
func (w *world) fill(ctx context.Context, m contents) (letters.Filled, error) {
	if err := errors.Join(os.RemoveAll(w.home(m.user)), os.MkdirAll(w.home(m.user), 0o700)); err != nil {
		return letters.Filled{}, err
	}
	filled, err := w.maker.Fill(w.folder(m.user, ""), m.letters, func(i int) letters.Letter { return w.maker.Letter(m.box, i, m.rule) })
	if err != nil {
		return filled, err
	}
	folders := letters.WireFolders()
	for _, f := range folders {
		if err := w.makeFolder(m.user, f); err != nil {
			return filled, err
		}
	}
	if len(m.sent) > 0 {
		_, err := w.maker.Fill(w.folder(m.user, "Sent"), len(m.sent), func(i int) letters.Letter { return m.sent[i] })
		if err := errors.Join(err, w.makeFolder(m.user, "Sent")); err != nil {
			return filled, err
		}
	}
	subscribed := strings.Join(append(folders[:], "Sent"), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(w.folder(m.user, ""), "subscriptions"), []byte(subscribed), 0o600); err != nil {
		return filled, err
	}
	if err := ownTree(w.home(m.user)); err != nil {
		return filled, err
	}
	for range 2 { // the second time fills the caches with what the first has shown to be wanted
		if err := w.warm(ctx, m.user); err != nil {
			return filled, err
		}
	}
	return filled, w.save(ctx, m.user, "warm")
}

func (w *world) makeFolder(user, wire string) error {
	dir := w.folder(user, wire)
	if err := letters.MakeFolder(dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "maildirfolder"), nil, 0o600)
}

// warm fetches everything once, so that no run pays for the server's caches.
func (w *world) warm(ctx context.Context, user string) error {
	r, err := dialRaw(ctx, w.srv.IMAPAddr, user, w.srv.Password)
	if err != nil {
		return err
	}
	defer r.close()
	folders := letters.WireFolders()
	for _, f := range []string{"INBOX", "Sent", folders[0], folders[1]} {
		for _, cmd := range []string{
			`SELECT "` + f + `" (CONDSTORE)`, "UID FETCH 1:* " + itemsEnvelope, "UID FETCH 1:* (FLAGS RFC822.SIZE MODSEQ)",
		} {
			if err := r.run(cmd); err != nil {
				return err
			}
		}
	}
	return nil
}

// save keeps a mailbox as it is now.
func (w *world) save(ctx context.Context, user, name string) error {
	if err := w.quiet(ctx); err != nil {
		return err
	}
	return clone(w.home(user), w.snapshot(user, name))
}

// restore brings a mailbox back to a snapshot, and has the server notice before anything is measured.
func (w *world) restore(ctx context.Context, user, name string) error {
	if err := w.quiet(ctx); err != nil {
		return err
	}
	if err := clone(w.snapshot(user, name), w.home(user)); err != nil {
		return err
	}
	r, err := dialRaw(ctx, w.srv.IMAPAddr, user, w.srv.Password)
	if err != nil {
		return err
	}
	defer r.close()
	return r.run("EXAMINE INBOX")
}

// quiet waits until no session is left on the server.
func (w *world) quiet(ctx context.Context) error {
	err := until(ctx, 10*time.Millisecond, time.Minute, func() (bool, error) {
		for _, p := range below(w.serverPID()) {
			if p.name == "imap" {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the last session to end: %w", err)
	}
	return nil
}

func (w *world) serverPID() int {
	text, err := os.ReadFile(filepath.Join(w.srv.Dir, "run", "master.pid"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// serverCPU is the CPU time that the server has used, in seconds.
func (w *world) serverCPU() float64 {
	sum := 0.0
	for _, p := range below(w.serverPID()) {
		sum += p.cpu
	}
	return sum
}

// count returns how many letters lie in a folder, looking at the disk.
func (w *world) count(user, wire string) int {
	n := 0
	for _, d := range []string{"cur", "new"} {
		files, err := os.ReadDir(filepath.Join(w.folder(user, wire), d))
		if err != nil {
			continue
		}
		for _, f := range files {
			_, flags, _ := strings.Cut(f.Name(), ":2,")
			if !strings.HasPrefix(f.Name(), ".") && !strings.Contains(flags, "T") {
				n++
			}
		}
	}
	return n
}

func ownTree(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return ward.Own(path)
	})
}

// clone makes dst a copy of src. Letters are hard links, everything else is copied; times are kept, so that the server's
// indexes stay valid.
func clone(src, dst string) error {
	if err := os.RemoveAll(dst); err != nil {
		return err
	}
	var dirs []string
	err := filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		switch parent := filepath.Base(filepath.Dir(path)); {
		case e.IsDir():
			dirs = append(dirs, path)
			return errors.Join(os.MkdirAll(to, 0o700), ward.Own(to))
		case !e.Type().IsRegular():
			return nil
		case parent == "cur" || parent == "new":
			return os.Link(path, to)
		}
		return copyFile(path, to)
	})
	if err != nil {
		return fmt.Errorf("copy a mailbox: %w", err)
	}
	for i := len(dirs) - 1; i >= 0; i-- { // children first: making them changes the time of the parent
		rel, _ := filepath.Rel(src, dirs[i])
		if err := copyTimes(dirs[i], filepath.Join(dst, rel)); err != nil {
			return err
		}
	}
	return nil
}

func copyTimes(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), copyTimes(from, to), ward.Own(to))
}
