package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kontrol/internal/postgres"
)

// TestMain makes the program and the test-only command `seed` available to the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kontrol": kontrolMain, "seed": seedMain, "exits": exitsMain, "browse": browseMain, "measured": measuredMain})
}

// exitsMain is the command `exits N COMMAND`: it succeeds when the command ends with exit code N.
func exitsMain() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a command of the scripts ends its process
	}
	if code := strconv.Itoa(cmd.ProcessState.ExitCode()); code != os.Args[1] {
		fmt.Fprintln(os.Stderr, "exit code", code, "and not", os.Args[1])
		os.Exit(1) //nolint:forbidigo // a command of the scripts ends its process
	}
}

// kontrolMain is the program with the clock and the terminal that a script asks for.
func kontrolMain() {
	env := system()
	if at, err := time.Parse(time.RFC3339, os.Getenv("TEST_NOW")); err == nil {
		env.now = func() time.Time { return at }
	}
	if w, err := strconv.Atoi(os.Getenv("TEST_WIDTH")); err == nil {
		env.width = w
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], env)) //nolint:forbidigo // a command of the scripts ends its process
}

// scripts runs the scripts of a folder with the database at url ("" for SQLite beside the config).
func scripts(t *testing.T, files []string, url string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TEST_NOW", "2026-11-23T08:00:00Z")
			env.Setenv("USER", "anna")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // each of the many processes would wait a second at its end
			env.Setenv("KONTROL_IVANOVA", "secret")
			if url != "" {
				env.Setenv("KONTROL_DATABASE_URL", url)
			}
			config, err := os.ReadFile("testdata/config.toml")
			if err != nil {
				return err
			}
			return os.WriteFile(env.WorkDir+"/config.toml", config, 0o600)
		},
		Condition: func(name string) (bool, error) {
			if name == "postgres" {
				return url != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	scripts(t, files, "")
}

// TestScriptsOnPostgres runs the scripts that look at a whole department over PostgreSQL: the words on the terminal must
// be the same.
func TestScriptsOnPostgres(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"message", "deal", "status"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scripts(t, []string{"testdata/script/" + name + ".txtar"}, postgres.Test(t))
		})
	}
}
