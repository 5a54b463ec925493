package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kontrol/internal/bench/letters"
)

// idle starts the whole program with more and more mailboxes, over TLS, and weighs it when all of them idle.
func idle(ctx context.Context, w *world) ([]table, error) {
	t := table{
		job: "idle", title: "Idle mailboxes, two connections each over TLS, SQLite",
		goal: "at most 200 KB a mailbox, 1,000 mailboxes started within 3 minutes",
		head: []string{"mailboxes", "all looked at, s", "connections", "memory, MB", "KB a mailbox", "KB for each further one", "peak, MB", "CPU idle, % of a core"},
	}
	firstN, firstKB := 0, 0
	for _, n := range w.idle {
		if err := w.idleBoxes(n); err != nil {
			return []table{t}, err
		}
		row, err := w.idleRun(ctx, n)
		if ctx.Err() != nil {
			return []table{t}, ctx.Err()
		}
		if err != nil {
			t.notes = append(t.notes, fmt.Sprintf("%d mailboxes: %s", n, oneLine(err.Error())))
			continue
		}
		further := ""
		if firstN > 0 {
			further = fmt.Sprintf("%.0f", float64(row.nowKB-firstKB)/float64(n-firstN))
		} else {
			firstN, firstKB = n, row.nowKB
		}
		w.logf("  %d mailboxes: started in %.1f s, %.1f MB", n, row.start, float64(row.nowKB)/1024)
		t.rows = append(t.rows, []string{
			fmt.Sprint(n), fmt.Sprintf("%.1f", row.start), fmt.Sprint(row.connections), mb(float64(row.nowKB) / 1024),
			fmt.Sprintf("%.0f", float64(row.nowKB)/float64(n)), further, mb(float64(row.peakKB) / 1024), fmt.Sprintf("%.1f", row.load*100),
		})
	}
	return []table{t}, nil
}

// idled is what a run with idling mailboxes has shown.
type idled struct {
	start         float64
	connections   int
	nowKB, peakKB int
	load          float64
}

// idleBoxes makes small mailboxes, as far as they are not there.
func (w *world) idleBoxes(n int) error {
	for i := range n {
		user := idleUser(i)
		if _, err := os.Stat(w.home(user)); err == nil {
			continue
		}
		if err := os.MkdirAll(w.home(user), 0o700); err != nil {
			return err
		}
		_, err := w.maker.Fill(w.folder(user, ""), 5, func(k int) letters.Letter { return w.maker.Letter(100+i, k, letters.NoRule) })
		if err := errors.Join(err, ownTree(w.home(user))); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) idleRun(ctx context.Context, n int) (idled, error) {
	if err := w.quiet(ctx); err != nil {
		return idled{}, err
	}
	o := w.orderFor(timedJob{user: idleUser(0)}, side{name: ours, order: func(o *order) { o.Do, o.Database, o.Boxes = "daemon", "sqlite", n }})
	w.runs++
	o.State = filepath.Join(w.state, fmt.Sprintf("run-%d", w.runs))
	defer func() { _ = os.RemoveAll(o.State) }()
	if err := ownFolder(o.State); err != nil {
		return idled{}, err
	}
	s, err := w.startChild(ctx, o)
	if err != nil {
		return idled{}, err
	}
	out, err := s.tells()
	if err != nil {
		return idled{}, errors.Join(err, s.cmd.Wait())
	}
	got := idled{start: out.Seconds}
	err = until(ctx, time.Second, 5*time.Minute, func() (bool, error) {
		got.connections = w.sessions()
		return got.connections >= 2*n, nil
	})
	if err == nil {
		got.watch(ctx, s.cmd.Process.Pid, w.settle)
	}
	_, stopErr := s.stop()
	return got, errors.Join(err, stopErr)
}

// watch leaves the program alone for a while and then reads what it weighs and has done.
func (g *idled) watch(ctx context.Context, pid int, settle time.Duration) {
	pause(ctx, settle)
	used := func() float64 { return processes()[pid].cpu }
	before := used()
	pause(ctx, settle)
	g.load = (used() - before) / settle.Seconds()
	g.nowKB, g.peakKB = memoryOf(pid)
}

func (w *world) sessions() int {
	n := 0
	for _, p := range below(w.serverPID()) {
		if p.name == "imap" {
			n++
		}
	}
	return n
}

// moreWatches raises the kernel's limit of inotify instances, of which Dovecot needs one for each session that idles, for
// all servers of the same account together: without one the server looks for new letters every 30 s only. undo sets it back.
func (s settings) moreWatches() (undo func()) {
	const path = "/proc/sys/fs/inotify/max_user_instances"
	const enough = 16384
	old, err := os.ReadFile(path)
	if n, _ := strconv.Atoi(strings.TrimSpace(string(old))); err != nil || n >= enough {
		return func() {}
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(enough)), 0o644); err != nil {
		s.logf("fs.inotify.max_user_instances is %s and may not be raised here: with many sessions the server tells of letters late",
			strings.TrimSpace(string(old)))
		return func() {}
	}
	return func() { _ = os.WriteFile(path, old, 0o644) } // at worst it stays higher
}
