package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryOf returns the resident memory of a process, now and at its peak, in KiB. See proc(5), /proc/pid/status.
// The kernel's ru_maxrss would not do: it begins with what the parent had when it forked.
func memoryOf(pid int) (now, peak int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "VmRSS:":
			now, _ = strconv.Atoi(f[1])
		case "VmHWM:":
			peak, _ = strconv.Atoi(f[1])
		}
	}
	return now, peak
}

// peakOf watches the peak memory of a foreign program and the children it starts until stop is called.
func peakOf(pid int) (stop func() int) {
	end, done := make(chan struct{}), make(chan int, 1)
	self, _ := os.Readlink("/proc/self/exe")
	go func() {
		peak := 0
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, familyPeak(pid, self))
			select {
			case <-end:
				done <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() int { close(end); return <-done }
}

// familyPeak sums the peaks of a process and what it has started. A process that still is our own image, between fork and
// exec, does not count.
func familyPeak(pid int, self string) int {
	if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); exe == self {
		return 0
	}
	_, sum := memoryOf(pid)
	kids, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, k := range strings.Fields(string(kids)) {
		if n, err := strconv.Atoi(k); err == nil {
			sum += familyPeak(n, self)
		}
	}
	return sum
}

// process is a line of the process table.
type process struct {
	pid, parent int
	name        string
	cpu         float64 // seconds, with the children that have ended
}

// processes reads the process table. See proc(5), /proc/pid/stat.
func processes() map[int]process {
	out := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		s := string(text)
		open, shut := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
		f := strings.Fields(s[shut+1:])
		pid, err := strconv.Atoi(strings.TrimSpace(s[:open]))
		if err != nil || len(f) < 15 {
			continue
		}
		p := process{pid: pid, name: s[open+1 : shut]}
		p.parent, _ = strconv.Atoi(f[1])
		for _, field := range f[11:15] {
			ticks, _ := strconv.ParseFloat(field, 64)
			p.cpu += ticks / 100 // USER_HZ, 100 everywhere
		}
		out[pid] = p
	}
	return out
}

// below returns the processes that a process has started, directly or not, itself included.
func below(root int) []process {
	all := processes()
	var out []process
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if at == root {
				out = append(out, p)
				break
			}
		}
	}
	return out
}
