package e2e

import (
	"os"
	"syscall"
	"testing"
)

const sigterm = syscall.SIGTERM

// buildDir holds the program under test for the life of the test process.
var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kontrol-e2e-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code) //nolint:forbidigo // the test process ends here
}
