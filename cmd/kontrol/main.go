// Command kontrol keeps a sales department's mail under control: a daemon and the commands that look at its work.
//
// The package holds flags, output and exit codes, and no logic of the trade: that is asked of store, deals and daemon.
// Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 done with warnings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run executes the command line of the process and returns its exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], system())
}
