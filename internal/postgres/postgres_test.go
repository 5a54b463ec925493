package postgres_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"kontrol/internal/postgres"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the test's context has ended by then
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestEveryTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for range 2 { // the second CREATE would fail in a shared one
		conn := connect(t, postgres.Test(t))
		exec(t, conn, "CREATE TABLE letters (id bigint PRIMARY KEY)")
		var lower string
		if err := conn.QueryRow(t.Context(), "SELECT lower('ЖУК')").Scan(&lower); err != nil || lower != "жук" {
			t.Errorf("lower('ЖУК') is %q, %v; want жук", lower, err)
		}
	}
}

func TestCommittedRowsSurviveAKill(t *testing.T) {
	t.Parallel()
	s, err := postgres.Start(t.Context(), postgres.Options{})
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	conn := connect(t, s.URL("postgres"))
	exec(t, conn, "CREATE TABLE letters (id bigint PRIMARY KEY)")
	exec(t, conn, "INSERT INTO letters VALUES (7)")
	s.KillHard()
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a connection survived the kill")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	var id, fsync string
	row := connect(t, s.URL("postgres")).QueryRow(t.Context(), "SELECT id::text, current_setting('fsync') FROM letters")
	if err := row.Scan(&id, &fsync); err != nil || id != "7" || fsync != "on" {
		t.Errorf("after the restart: id %q, fsync %q, %v; want 7 and on", id, fsync, err)
	}
	s.Stop()
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}
