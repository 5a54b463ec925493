// Command testrun runs a command with one private PostgreSQL beside it, so that the test processes of all packages share
// it:
//
//	testrun go test ./...
//
// The command finds the server's URL in KONTROL_TEST_POSTGRES. The server is stopped when the command ends, fails or is
// interrupted. Where the variable is set already, the command just runs. Exit codes are the command's; 1 when it or the
// server could not be started.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"kontrol/internal/postgres"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testrun COMMAND [ARGUMENT ...]")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	env := os.Environ()
	if os.Getenv(postgres.EnvURL) == "" {
		s, err := postgres.Start(ctx, postgres.Options{NoSync: true})
		switch {
		case errors.Is(err, postgres.ErrMissing) && os.Getenv("KONTROL_TEST_SKIP_SERVERS") == "1":
			fmt.Fprintln(os.Stderr, "testrun:", err, "- its tests will be skipped")
		case err != nil:
			fmt.Fprintln(os.Stderr, "testrun:", err)
			return 1
		default:
			defer s.Stop()
			env = append(env, postgres.EnvURL+"="+s.URL("postgres"))
		}
	}
	return command(ctx, args, env)
}

// command runs the command to its end. When ctx ends, the command and its children (go test and the tests) get SIGTERM
// and ten seconds.
func command(ctx context.Context, args, env []string) int {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdout, os.Stderr, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "testrun:", err)
	return 1
}
