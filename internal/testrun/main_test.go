package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kontrol/internal/postgres"
)

// These tests set the environment, so they cannot be parallel.

func TestCommandGetsAServerThatIsGoneAfterwards(t *testing.T) {
	t.Setenv(postgres.EnvURL, "")
	file := filepath.Join(t.TempDir(), "url")
	if code := run([]string{"sh", "-c", `printf %s "$` + postgres.EnvURL + `" >"$0"; exit 7`, file}); code != 7 {
		t.Errorf("exit code is %d, want the command's 7", code)
	}
	url, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1" && len(url) == 0 {
		t.Skip(postgres.ErrMissing)
	}
	if !strings.HasPrefix(string(url), "postgres://") {
		t.Fatalf("the command got the URL %q", url)
	}
	if conn, err := pgx.Connect(t.Context(), string(url)); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server still answers")
	}
}

func TestPresetServerIsLeftAlone(t *testing.T) {
	t.Setenv(postgres.EnvURL, "postgres://elsewhere/db")
	if code := run([]string{"sh", "-c", `test "$` + postgres.EnvURL + `" = postgres://elsewhere/db`}); code != 0 {
		t.Errorf("exit code is %d, want 0", code)
	}
	if code := run([]string{"/nowhere/at/all"}); code != 1 {
		t.Errorf("exit code for a missing command is %d, want 1", code)
	}
	if code := run(nil); code != 2 {
		t.Errorf("exit code without a command is %d, want 2", code)
	}
}
