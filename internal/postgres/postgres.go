// Package postgres starts a private PostgreSQL for tests, in a temporary folder, as an unprivileged account, on a loopback
// port, and hands out fresh databases in it. The server goes when the test process does, however that ends.
//
// Starting one takes about a second, so one server serves a whole test process; and where KONTROL_TEST_POSTGRES holds the
// URL of a running one (internal/testrun sets it), all test processes share that.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kontrol/internal/ward"
)

// EnvURL names the environment variable with the URL of a running private server, whose user may create databases.
const EnvURL = "KONTROL_TEST_POSTGRES"

// ErrMissing means that PostgreSQL's server is not installed on this machine.
var ErrMissing = errors.New("postgresql (its server, with initdb) is not installed; run scripts/test-deps.sh")

// Options say how the server differs from an ordinary one. The zero value is an ordinary one.
type Options struct {
	NoSync   bool     // fsync=off: faster; the data is lost with the machine, though not with the server process
	Settings []string // more of postgresql.conf: "max_connections=20"
}

// Server is a running PostgreSQL. Anybody on this machine may log in as its administrator. Restart, KillHard and Stop must
// not be called at the same time.
type Server struct {
	Dir string // the temporary folder with the data and the log

	bin      string
	port     int
	settings []string
	proc     *ward.Process
}

// startTime bounds initdb and one start together: a second on a quiet machine, half a minute on a very busy one.
const startTime = 3 * time.Minute

// Start makes a new data folder, starts a server on it and waits until it answers. ctx bounds the start only; call Stop in
// the end. Without PostgreSQL the error is ErrMissing.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	dir, err := ward.Folder("postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, bin: bin, settings: o.Settings}
	if o.NoSync {
		s.settings = append([]string{"fsync=off", "full_page_writes=off"}, o.Settings...)
	}
	if err := s.first(ctx); err != nil {
		err = fmt.Errorf("start a private postgresql: %w; its log: %s", err, s.Log())
		s.Stop()
		return nil, err
	}
	return s, nil
}

// first makes the data and starts the server on a free port.
func (s *Server) first(ctx context.Context) error {
	_, err := ward.Run(ctx, s.Dir, filepath.Join(s.bin, "initdb"), "--pgdata", s.data(), "--username", "kontrol",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		ports, err := ward.Ports(1)
		if err != nil {
			return err
		}
		s.port = ports[0]
		err = s.Restart(ctx)
		// Another server may have taken the port between Ports and the start.
		if !errors.Is(err, ward.ErrEnded) || try == 3 {
			return err
		}
	}
}

// Restart starts a server that was killed, on the same port, with the same data. It waits until the server answers.
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port)}
	settings := append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300",
		"log_min_messages=warning", "log_statement=none"}, s.settings...)
	for _, set := range settings {
		args = append(args, "-c", set)
	}
	proc, err := ward.Start(ward.Program{
		Path: filepath.Join(s.bin, "postgres"), Args: args, Folder: s.Dir, Log: filepath.Join(s.Dir, "log"),
		Quit: syscall.SIGQUIT, // "immediate shutdown": its children leave the process group, but follow this
	})
	if err != nil {
		return err
	}
	s.proc = proc
	if err := proc.Await(ctx, s.ping); err != nil {
		proc.Kill()
		return err
	}
	return nil
}

func (s *Server) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return conn.Close(ctx)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// URL returns the URL of a database of this server; "postgres" is always there.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("kontrol"), Host: fmt.Sprintf("127.0.0.1:%d", s.port), Path: database,
		RawQuery: "sslmode=disable"}
	return u.String()
}

// KillHard ends the server without a checkpoint and drops its connections, as a crash would; see Restart.
func (s *Server) KillHard() {
	if s.proc != nil {
		s.proc.Kill()
	}
}

// Stop ends the server at once and removes its folder.
func (s *Server) Stop() {
	s.KillHard()
	_ = os.RemoveAll(s.Dir) // what is left stands in the temporary folder
}

// Log returns what the server has logged so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		return ""
	}
	return string(text)
}

// shared is the server of this test process, started by the first test that asks. It is a package variable because the
// tests of a package share nothing else; ward's watchdog stops it after the last one.
var shared = sync.OnceValues(func() (string, error) {
	if url := os.Getenv(EnvURL); url != "" {
		return url, nil
	}
	s, err := Start(context.Background(), Options{NoSync: true})
	if err != nil {
		return "", err
	}
	return s.URL("postgres"), nil
})

// Test makes a fresh, empty database for one test and returns its URL. The database is dropped when the test ends, with
// whatever connections are still open. Where PostgreSQL is missing the test fails, or is skipped with
// KONTROL_TEST_SKIP_SERVERS=1 in the environment. The shared server runs without fsync.
func Test(t testing.TB) string {
	t.Helper()
	server, err := shared()
	if errors.Is(err, ErrMissing) && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := run(t.Context(), server, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		if err := run(ctx, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("read %s: %v", EnvURL, err)
	}
	u.Path = "/" + name
	return u.String()
}

func run(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the private postgresql: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// find returns the folder of the server's programs: the newest version in Debian's or Red Hat's places, or that in PATH.
func find() (string, error) {
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for postgresql: %w", err)
		}
		found = append(found, paths...)
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrMissing
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("look for postgresql: %w", err)
	}
	return filepath.Dir(path), nil
}

// version reads the 15 of /usr/lib/postgresql/15/bin/initdb; 0 when there is none.
func version(path string) int {
	folder := filepath.Base(filepath.Dir(filepath.Dir(path)))
	n, err := strconv.Atoi(strings.TrimPrefix(folder, "pgsql-"))
	if err != nil {
		return 0
	}
	return n
}
