// Command bench measures Kontrol's mailbox engine beside other programs and beside a raw client that only drains what the
// server sends, all in the same run, taking turns, on a private Dovecot with made-up mail. It prints tables, and with -docs
// writes them into docs/performance.md. See docs/performance.md for what is measured and how to read it.
//
//	go run ./internal/bench                                  all jobs
//	go run ./internal/bench -job triage,delta -n 7           two of them, seven rounds
//	go run ./internal/bench -job triage -sides raw,kontrol   without the other programs
//	go run ./internal/bench -job first-sync-all -sides raw,kontrol-sqlite -n 1 -cpuprofile cpu.out
//
// It runs on Linux: processes are looked at through /proc, and arriving letters through inotify.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// settings are the command's flags.
type settings struct {
	jobs, sides     []string
	rounds          int
	letters         int
	small           int   // letters for programs that are too slow for all
	scale           []int // numbers of letters of job scale
	idle            []int // numbers of mailboxes of job idle
	arrivals, storm int
	mailDir, dbDir  string
	docs            string
	cpu, mem        string
	slow            bool
	settle          time.Duration // how long idling mailboxes are left alone before they are weighed
	log             io.Writer
}

func main() {
	if isChild() {
		os.Exit(childMain())
	}
	if err := parentMain(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parentMain(args []string, out io.Writer) error {
	s, err := readFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tables, err := measureAll(ctx, s)
	report := render(ctx, tables)
	if _, werr := io.WriteString(out, report); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	if s.docs != "" {
		return writeDocs(s.docs, tables, facts(ctx))
	}
	return nil
}

func readFlags(args []string) (settings, error) {
	s := settings{log: os.Stderr}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	jobs := fs.String("job", "", "jobs, comma separated; all when empty: "+strings.Join(jobNames(), " "))
	sides := fs.String("sides", "", "who takes part, comma separated beginnings of names; all when empty")
	scale, idle := fs.String("scale", "2000,20000,200000", "letters of job scale"), fs.String("idle", "10,100,500", "mailboxes of job idle")
	fs.IntVar(&s.rounds, "n", 5, "rounds; all sides take turns within a round")
	fs.IntVar(&s.letters, "letters", 20000, "letters in the mailbox")
	fs.IntVar(&s.small, "small", 2000, "letters for the programs that would take minutes for all")
	fs.IntVar(&s.arrivals, "arrivals", 50, "letters of job arrival")
	fs.IntVar(&s.storm, "storm", 5000, "letters of job storm")
	fs.DurationVar(&s.settle, "settle", 10*time.Second, "how long idling mailboxes are left alone before they are weighed, and weighed for")
	fs.BoolVar(&s.slow, "slow", false, "let the slowest programs take part where they need minutes for one run")
	fs.StringVar(&s.mailDir, "maildir", "/dev/shm", "where the server's folder is made; in memory, so that the disk is not measured")
	fs.StringVar(&s.dbDir, "dbdir", os.TempDir(), "where SQLite's files are made; on a disk, so that fsync costs what it costs")
	fs.StringVar(&s.docs, "docs", "", "write the tables into this file, between its markers")
	fs.StringVar(&s.cpu, "cpuprofile", "", "write a CPU profile of Kontrol's last run here")
	fs.StringVar(&s.mem, "memprofile", "", "write a memory profile of Kontrol's last run here")
	if err := fs.Parse(args); err != nil {
		return s, err
	}
	if fs.NArg() > 0 {
		return s, fmt.Errorf("do not know what to do with %q", fs.Arg(0))
	}
	s.jobs, s.sides = splitList(*jobs), splitList(*sides)
	var err error
	for _, p := range []*string{&s.cpu, &s.mem} {
		if *p != "" {
			if *p, err = filepath.Abs(*p); err != nil {
				return s, err
			}
		}
	}
	if s.scale, err = numbers(*scale); err != nil {
		return s, err
	}
	s.idle, err = numbers(*idle)
	return s, err
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func numbers(s string) ([]int, error) {
	var out []int
	for _, f := range splitList(s) {
		var n int
		if _, err := fmt.Sscanf(f, "%d", &n); err != nil || n <= 0 {
			return nil, fmt.Errorf("%q is not a number of anything", f)
		}
		out = append(out, n)
	}
	return out, nil
}

func (s settings) logf(format string, args ...any) { fmt.Fprintf(s.log, format+"\n", args...) }
