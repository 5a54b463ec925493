package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"kontrol/internal/postgres"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	for u, want := range map[string]string{
		"":                                    "store.url.unknown",
		"mysql://root:Geheim1@h/x":            "store.url.unknown",
		"sqlite:":                             "store.url.path",
		"sqlite::memory:":                     "store.url.path",
		"sqlite:/no/such/folder/kontrol.db":   "store.file",
		"postgres://u:Geheim1@h:notaport/x":   "store.url.bad",
		"postgres://u:Geheim1@127.0.0.1:1/x":  "store.connect",
		"postgresql://u:Geheim1@127.0.0.1:1/": "store.connect",
	} {
		_, err := store.Open(t.Context(), store.Config{URL: u})
		p, ok := models.PhraseOf(err)
		if !ok || p.ID != want {
			t.Errorf("%q: phrase %v of %v, want %s", u, p, err, want)
		}
		if text := fmt.Sprint(err, p); strings.Contains(text, "Geheim1") {
			t.Errorf("%q: the password is told: %s", u, text)
		}
	}
}

func TestConnectionFailureIsTemporary(t *testing.T) {
	t.Parallel()
	_, err := store.Open(t.Context(), store.Config{URL: "postgres://u@127.0.0.1:1/x"})
	if !models.IsTemporary(err) {
		t.Errorf("not temporary: %v", err)
	}
}

func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kontrol.db", "письма отдела.db", "a?b#c%20d.db", "it's.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), name)
			db := storetest.Open(t, store.Config{URL: "sqlite:" + path})
			newLetter(t, db, "a", nil)
			info, err := os.Stat(path)
			must(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			must(t, db.Backup(t.Context(), path+".copy"))
			copied := storetest.Open(t, store.Config{URL: "sqlite://" + path + ".copy"})
			if n := store.CountRows(t.Context(), copied)["letters"]; n != 1 {
				t.Errorf("letters in the copy: %d", n)
			}
			if err := db.Backup(t.Context(), path+".copy"); err == nil {
				t.Error("an existing file was written over")
			}
		})
	}
}

func TestUnsafeSQLiteIsRefused(t *testing.T) {
	t.Parallel()
	const good = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	for change, want := range map[string]string{
		"":                                       "",
		"journal_mode(WAL) journal_mode(DELETE)": "journal_mode",
		"synchronous(FULL) synchronous(NORMAL)":  "synchronous",
		"foreign_keys(1) foreign_keys(0)":        "foreign_keys",
		"busy_timeout(10000) busy_timeout(5)":    "busy_timeout",
	} {
		options := good
		if old, new, ok := strings.Cut(change, " "); ok {
			options = strings.Replace(good, old, new, 1)
		}
		pool, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?"+options)
		must(t, err)
		err = store.VerifyPragmas(t.Context(), pool)
		p, _ := models.PhraseOf(err)
		if got := p.Args["Name"]; (want != "" || err != nil) && got != want {
			t.Errorf("%s: %v", options, err)
		}
		must(t, pool.Close())
	}
}

func TestForgetfulPostgresIsRefused(t *testing.T) {
	t.Parallel()
	u := postgres.Test(t)
	parsed, err := url.Parse(u)
	must(t, err)
	statement := "ALTER DATABASE " + strings.TrimPrefix(parsed.Path, "/") + " SET synchronous_commit = off"
	if _, err := raw(t, u).ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), store.Config{URL: u, AutoMigrateSchema: true})
	if p, _ := models.PhraseOf(err); p.ID != "store.synchronous_commit" {
		t.Errorf("opened: %v", err)
	}
}

func TestBackupOfPostgresSaysWhatToDo(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, store.Config{URL: postgres.Test(t)})
	if p, _ := models.PhraseOf(db.Backup(t.Context(), "x")); p.ID != "store.backup.postgres" {
		t.Errorf("phrase %v", p)
	}
}

// TestKilledProcessLosesNothing kills a process that writes and looks for every commit that it has reported.
func TestKilledProcessLosesNothing(t *testing.T) {
	if path := os.Getenv("KONTROL_TEST_KILLED"); path != "" {
		writeUntilKilled(t, path)
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kontrol.db")
	for round := range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcessLosesNothing$")
		child.Env = append(os.Environ(), "KONTROL_TEST_KILLED="+path)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		told := make(map[int64]bool)
		lines := bufio.NewScanner(out)
		for len(told) < 40 && lines.Scan() {
			if id, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				told[id] = true
			}
		}
		must(t, child.Process.Kill())
		for lines.Scan() { // what was told before the kill took effect counts as well
			if id, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				told[id] = true
			}
		}
		_ = child.Wait()
		if len(told) < 40 {
			t.Fatalf("round %d: the child told of %d commits only", round, len(told))
		}
		checkKept(t, path, told)
	}
}

func writeUntilKilled(t *testing.T, path string) {
	db, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + path, AutoMigrateSchema: true})
	must(t, err)
	for {
		th := models.Thread{BaseSubject: "x", LastAt: day}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateThread(ctx, &th) })
		fmt.Println(th.ID)
	}
}

func checkKept(t *testing.T, path string, told map[int64]bool) {
	t.Helper()
	db := storetest.Open(t, store.Config{URL: "sqlite:" + path})
	for id := range told {
		if _, err := db.Read().Thread(t.Context(), id); err != nil {
			t.Errorf("commit %d is lost: %v", id, err)
		}
	}
	var ok string
	must(t, raw(t, "sqlite:"+path).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&ok))
	if ok != "ok" {
		t.Errorf("integrity: %s", ok)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		err       error
		temporary bool
		is        error
	}{
		{nil, false, nil},
		{sql.ErrNoRows, false, models.ErrNotFound},
		{pg("23505"), false, models.ErrDuplicate},
		{pg("53100"), true, nil},
		{pg("53300"), true, nil},
		{pg("57P01"), true, nil},
		{pg("08006"), true, nil},
		{pg("40001"), true, nil},
		{pg("42601"), false, nil},
		{io.ErrUnexpectedEOF, true, nil},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, true, nil},
		{context.Canceled, false, context.Canceled},
		{models.Temporary(errors.New("x")), true, nil},
		{errors.New("x"), false, nil},
	} {
		got := store.Failed(c.err)
		if models.IsTemporary(got) != c.temporary || (c.is != nil && !errors.Is(got, c.is)) || (c.err == nil) != (got == nil) {
			t.Errorf("%v: %v, temporary %v", c.err, got, models.IsTemporary(got))
		}
	}
}
