// Package unpacked finds the mail servers that scripts/test-mailservers.sh has unpacked from Debian packages instead of
// installing them: Cyrus and Courier conflict with Dovecot, which is installed.
package unpacked

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Root is the folder that the packages were unpacked into.
type Root string

// EnvRoot names the environment variable that holds another folder than the usual one.
const EnvRoot = "KONTROL_TEST_MAILSERVERS"

// ErrMissing means that the servers have not been fetched.
var ErrMissing = errors.New("cyrus and courier have not been fetched; run scripts/test-mailservers.sh")

// Find looks where the script puts the servers. Without them the error is ErrMissing.
func Find() (Root, error) {
	dir := os.Getenv(EnvRoot)
	switch {
	case dir != "":
	case os.Geteuid() == 0:
		dir = "/var/cache/kontrol-tests/mailservers"
	default:
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the folder of caches: %w", err)
		}
		dir = filepath.Join(cache, "kontrol-tests", "mailservers")
	}
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		return "", ErrMissing
	}
	return Root(dir), nil
}

// Path returns the path of a file as it stands in a package: "usr/bin/imapd".
func (r Root) Path(file string) string { return filepath.Join(string(r), file) }

// Version returns the version of a package as Debian numbers it; "" when it is not among those unpacked.
func (r Root) Version(name string) string {
	list, err := os.ReadFile(r.Path("versions"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(list)) {
		if n, version, _ := strings.Cut(strings.TrimSpace(line), " "); n == name {
			return version
		}
	}
	return ""
}

// Env returns what a program of the packages needs in its environment to find its own libraries before the system's.
func (r Root) Env() []string {
	var dirs, sasl []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/courier-authlib", "usr/lib"} {
		found, _ := filepath.Glob(r.Path(pattern)) // the pattern is well-formed
		dirs = append(dirs, found...)
	}
	for _, pattern := range []string{r.Path("usr/lib/*-linux-gnu*/sasl2"), "/usr/lib/*-linux-gnu*/sasl2"} {
		found, _ := filepath.Glob(pattern)
		sasl = append(sasl, found...)
	}
	return []string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":"), "SASL_PATH=" + strings.Join(sasl, ":")}
}

// SkipOrFail ends a test for which a server could not be started: skips it when the server is missing and the environment
// has KONTROL_TEST_SKIP_SERVERS=1, and fails it otherwise.
func SkipOrFail(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}
