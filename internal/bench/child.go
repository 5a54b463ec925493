package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// Every measured run is a process of its own, so that memory and CPU time are its own: this program starts itself again
// with envChild in the environment, which holds the order as JSON.
const envChild = "KONTROL_BENCH_CHILD"

// order is what a child has to do.
type order struct {
	Do       string // key of childJobs
	IMAP     string // host:port without TLS
	IMAPS    string // host:port with TLS
	CAFile   string
	User     string
	Password string
	State    string // folder that is the run's own
	Database string // URL
	Letters  int    // how many are in INBOX
	LastUID  uint32 // of INBOX
	Text     int    // octets of text fetched with a header; 0 for none
	Tuned    bool   // a peer with everything that can be done from outside it
	Items    string // what the raw client asks for
	Commands []string
	Sent     int      // letters in Sent
	Changed  []uint32 // of job delta: whose flags have changed
	NewFrom  uint32   // of job delta: the first new UID
	Want     int      // letters that must be seen, moved or whatever the job is about
	NoCond   bool     // without CONDSTORE
	Whole    bool     // taking in ends with the round, not with the last letter
	Boxes    int      // of job idle
	CPU, Mem string   // profiles
}

// outcome is what a child tells. Seconds is the time from the first connection to the end of the work: a program that
// runs for weeks is not measured by how long its binary takes to start.
type outcome struct {
	Seconds float64
	Phases  []phase // in their order
	Count   int
	PeakKB  int // peak of resident memory
	NowKB   int
	Error   string
}

// phase is a part of the work.
type phase struct {
	Name    string
	Seconds float64
}

// child is a running child's side of things.
type child struct {
	order
	out outcome
	in  *bufio.Reader // lines from the parent
}

// childJobs says what a child can do.
func childJobs() map[string]func(context.Context, *child) error {
	return map[string]func(context.Context, *child) error{
		"raw": rawChild, "raw-watch": rawWatchChild,
		"goimap-fetch": goimapFetch, "goimap-triage": goimapTriage, "goimap-delta": goimapDelta, "goimap-watch": goimapWatch,
		"fetch": fetchChild, "triage": triageChild, "take-in": takeInChild, "delta": deltaChild, "daemon": daemonChild,
	}
}

func isChild() bool { return os.Getenv(envChild) != "" }

// childMain does what the parent ordered and prints the outcome as one line of JSON. It returns the exit code.
func childMain() int {
	c := &child{in: bufio.NewReader(os.Stdin)}
	err := json.Unmarshal([]byte(os.Getenv(envChild)), &c.order)
	if err == nil {
		err = c.run()
	}
	if err != nil {
		c.out.Error = err.Error()
	}
	c.out.NowKB, c.out.PeakKB = memoryOf(os.Getpid())
	if err := json.NewEncoder(os.Stdout).Encode(c.out); err != nil {
		return 1
	}
	if c.out.Error != "" {
		return 1
	}
	return 0
}

func (c *child) run() error {
	do := childJobs()[c.Do]
	if do == nil {
		return fmt.Errorf("no job %q", c.Do)
	}
	if c.CPU != "" {
		f, err := os.Create(c.CPU)
		if err != nil {
			return fmt.Errorf("make a profile: %w", err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("start a profile: %w", err)
		}
		defer func() { pprof.StopCPUProfile(); _ = f.Close() }()
	}
	if c.Mem != "" {
		runtime.MemProfileRate = 16 << 10
	}
	err := do(context.Background(), c)
	if c.Mem != "" {
		err = errors.Join(err, writeHeap(c.Mem))
	}
	return err
}

func writeHeap(path string) error {
	f, err := os.Create(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("make a profile: %w", err)
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

// timed runs a part of the work and notes how long it took.
func (c *child) timed(name string, f func() error) error {
	begin := time.Now()
	err := f()
	took := time.Since(begin).Seconds()
	c.out.Phases = append(c.out.Phases, phase{name, took})
	c.out.Seconds += took
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ready tells the parent that the child watches, and waits until the parent has seen enough.
func (c *child) ready() error {
	c.out.NowKB, c.out.PeakKB = memoryOf(os.Getpid())
	if err := json.NewEncoder(os.Stdout).Encode(c.out); err != nil {
		return err
	}
	_, err := c.in.ReadString('\n')
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// until asks again and again until f says yes.
func until(ctx context.Context, every, limit time.Duration, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not done after %v: %w", limit, ctx.Err())
		case <-tick.C:
		}
	}
}
