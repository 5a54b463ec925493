package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"kontrol/internal/bench/letters"
)

// The programs that wait for letters: started, shown some letters, and told to stop.

// watching is a program that waits for letters of one mailbox.
type watching struct {
	child   *started
	program *exec.Cmd
	peak    func() int
	said    bytes.Buffer
	filed   *filedWatch
	state   string
}

// later numbers the letters that come while somebody watches; they are far from those that lie there.
const (
	laterBox   = 9
	laterFirst = 1 << 20
)

// later is letter number i of those that come. Every one matches a rule, and Sent holds its answer already: so rules file
// it by its header, and Kontrol because it is answered.
func (w *world) later(i int) letters.Letter {
	return w.maker.Letter(laterBox, laterFirst+i, i%letters.HeadRules)
}

// warmUps is how many letters are spent on finding out that a program has begun to watch.
const warmUps = 5

// watched makes the mailbox of a watching job: few letters in INBOX, and in Sent the answers to n that will come.
func (w *world) watched(ctx context.Context, user string, n int) (order, error) {
	var sent []letters.Letter
	for i := range n + warmUps {
		sent = append(sent, w.maker.Answer(laterBox, w.later(i)))
	}
	const few = 200
	_, err := w.fill(ctx, contents{user: user, box: laterBox, letters: few, rule: letters.NoRule, sent: sent})
	uids := w.maker.UIDs(max(few, len(sent)))
	return order{Letters: few, LastUID: uids[few-1], Sent: int(uids[len(sent)-1])}, err
}

func watchers() []side {
	child := func(name, do string) side { return side{name: name, order: func(o *order) { o.Do = do }} }
	daemon := child("kontrol", "daemon")
	daemon.order = func(o *order) { o.Do, o.Database = "daemon", "sqlite" }
	raw := child("raw, moves whatever comes", "raw-watch")
	raw.order = func(o *order) { o.Do, o.Commands = "raw-watch", []string{letters.WireFolders()[0]} }
	return []side{
		raw, daemon, child("go-imap", "goimap-watch"),
		{name: "imapflow", program: nodeProgram, command: imapflow("watch")},
		{name: "imapfilter, rules joined", program: "imapfilter", command: imapfilter("watch", true)},
	}
}

// beginWatching restores the mailbox, starts a program and waits until it has filed a first letter.
func (w *world) beginWatching(ctx context.Context, s side, user string, o order, n int) (*watching, error) {
	if err := w.restore(ctx, user, "warm"); err != nil {
		return nil, err
	}
	o = w.orderFor(timedJob{user: user, base: o}, s)
	w.runs++
	o.State = filepath.Join(w.state, fmt.Sprintf("run-%d", w.runs))
	if err := ownFolder(o.State); err != nil {
		return nil, err
	}
	filed, err := w.watchFiled(user)
	if err != nil {
		return nil, err
	}
	v := &watching{filed: filed, state: o.State}
	if err := v.start(ctx, w, s, o); err != nil {
		return nil, errors.Join(err, v.abandon())
	}
	for i := range warmUps {
		if err := w.srv.Deliver(ctx, user, w.later(n+i).Raw); err != nil {
			return nil, errors.Join(err, v.abandon())
		}
		select {
		case <-filed.at:
			if !pause(ctx, 700*time.Millisecond) { // letters that came before it watched may follow
				return nil, errors.Join(ctx.Err(), v.abandon())
			}
			for len(filed.at) > 0 {
				<-filed.at
			}
			return v, nil
		case <-time.After(time.Duration(3+4*i) * time.Second): // on a busy machine everything is late
		}
	}
	return nil, errors.Join(fmt.Errorf("%s files nothing: %s", s.name, oneLine(v.said.String())), v.abandon())
}

func (v *watching) start(ctx context.Context, w *world, s side, o order) error {
	if s.order != nil {
		var err error
		if v.child, err = w.startChild(ctx, o); err != nil {
			return err
		}
		_, err = v.child.tells()
		return err
	}
	cmd, err := s.command(w, o)
	if err != nil {
		return err
	}
	if err := w.asNobody(cmd, o, &v.said); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	v.program, v.peak = cmd, peakOf(cmd.Process.Pid)
	return nil
}

// end stops the program and tells what it has used.
func (v *watching) end() (run, error) {
	v.filed.close()
	defer func() { _ = os.RemoveAll(v.state) }()
	if v.child != nil {
		return v.child.stop()
	}
	if v.program == nil {
		return run{}, nil
	}
	r := run{outcome: outcome{PeakKB: v.peak()}}
	_ = syscall.Kill(-v.program.Process.Pid, syscall.SIGKILL) // it may have ended
	_ = v.program.Wait()                                      // it says that it was killed
	r.CPU = cpuOf(v.program.ProcessState)
	return r, nil
}

func (v *watching) abandon() error {
	_, err := v.end()
	return err
}

// pause waits, and reports whether ctx lives on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
