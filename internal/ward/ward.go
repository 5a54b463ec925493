// Package ward runs a server program for a test: as an unprivileged account, in a folder and a process group of its own,
// on loopback ports nobody uses. However the test process ends, even by kill -9, the server and its folder go with it: a
// watchdog shell waits at a pipe that only this process holds open.
//
// It knows nothing about what the program is; internal/dovecot and internal/postgres do.
package ward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is a server program that stays in the foreground.
type Program struct {
	Path   string   // the binary; absolute, or looked up in PATH
	Args   []string // without the program's name
	Folder string   // its working folder, made by Folder; removed by the watchdog when this process dies
	Log    string   // file that gets what it prints; appended to
	Env    []string // KEY=value besides this process's own environment
	// Quit is the signal that makes the program end at once together with children that left its process group, as
	// PostgreSQL's do. 0 means SIGKILL to the group.
	Quit syscall.Signal
}

// Process is a running server program. Its methods may be called from several goroutines.
type Process struct {
	cmd      *exec.Cmd
	quit     syscall.Signal
	done     chan struct{}
	watchdog *exec.Cmd
	leash    io.WriteCloser // the watchdog acts when it closes
	release  sync.Once
}

// watch is the watchdog: a line on its input sends it home, the end of its input makes it end the server (process $1,
// signal $3, five seconds), kill what is left of its process group and remove the folder $2. It is a shell because it
// must outlive this process.
const watch = `
if read -r line; then exit 0; fi
kill -"$3" "$1" 2>/dev/null
n=0
while [ $n -lt 50 ] && kill -0 "$1" 2>/dev/null; do
	case $(cat "/proc/$1/stat" 2>/dev/null) in *") Z "*) break ;; esac # dead, but nobody has waited for it
	n=$((n+1)); sleep 0.1
done
kill -KILL "-$1" 2>/dev/null
n=0
until rm -rf "$2" 2>/dev/null || [ $n -ge 20 ]; do n=$((n+1)); sleep 0.1; done
`

// Start starts the program. It returns at once; whether the program is ready is for the caller to find out (see Await).
func Start(p Program) (*Process, error) {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir = p.Folder
	cmd.Env = append(os.Environ(), p.Env...)
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.Path, err)
	}
	defer func() { _ = log.Close() }() // the child has its own copy
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr, err = unprivileged(); err != nil {
		return nil, err
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	if p.Quit == 0 {
		p.Quit = syscall.SIGKILL
	}
	proc := &Process{cmd: cmd, quit: p.Quit, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(proc.done)
	}()
	if err := proc.leashTo(p.Folder); err != nil {
		proc.Kill()
		return nil, err
	}
	return proc, nil
}

func (p *Process) leashTo(folder string) error {
	p.watchdog = exec.Command("/bin/sh", "-c", watch, "ward",
		strconv.Itoa(p.cmd.Process.Pid), folder, strconv.Itoa(int(p.quit)))
	p.watchdog.Dir = "/"
	p.watchdog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C at the terminal is not for it
	leash, err := p.watchdog.StdinPipe()
	if err != nil {
		return fmt.Errorf("pipe to the watchdog: %w", err)
	}
	if err := p.watchdog.Start(); err != nil {
		return fmt.Errorf("start the watchdog: %w", err)
	}
	p.leash = leash
	return nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the program alone, not to its children.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// SignalAll sends a signal to the program and all its children, as far as they stayed in its process group.
func (p *Process) SignalAll(sig syscall.Signal) error { return syscall.Kill(-p.cmd.Process.Pid, sig) }

// Kill ends the program and its children at once (see Program.Quit; SIGKILL after five seconds), waits until all of them
// have ended and so hold no port any more, and sends the watchdog home. The folder stays. It may be called more than once.
func (p *Process) Kill() {
	p.release.Do(func() {
		_ = p.Signal(syscall.SIGCONT) // errors of signals mean that nobody is left
		if p.quit != syscall.SIGKILL {
			_ = p.Signal(p.quit)
			patience := time.NewTimer(5 * time.Second)
			defer patience.Stop()
			select {
			case <-p.done:
			case <-patience.C:
			}
		}
		_ = p.SignalAll(syscall.SIGKILL)
		<-p.done
		p.awaitChildren()
		if p.leash != nil {
			_, _ = io.WriteString(p.leash, "released\n")
			_ = p.leash.Close()
			_ = p.watchdog.Wait()
		}
	})
}

// awaitChildren waits until the program's process group is empty: a child that is still dying holds the listening port,
// and the kernel goes on taking connections for it. It gives up after five seconds.
func (p *Process) awaitChildren() {
	patience := time.NewTimer(5 * time.Second)
	defer patience.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for groupLives(p.cmd.Process.Pid) {
		select {
		case <-patience.C:
			return
		case <-tick.C:
		}
	}
}

// groupLives tells whether a process of the group is alive. The dead that nobody has waited for do not count: in a
// container often nobody ever does. See proc(5), /proc/pid/stat.
func groupLives(group int) bool {
	if syscall.Kill(-group, 0) != nil {
		return false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true // not Linux: the signal has the word
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
		fields := strings.Fields(rest) // state, parent, group
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			return true
		}
	}
	return false
}

// Await calls try every 20 ms until it returns nil. It gives up when the program or ctx ends; its error then holds the
// last error of try.
func (p *Process) Await(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.Join(ErrEnded, err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// ErrEnded is in Await's error when the program ended before it was ready, for instance because its port was taken.
var ErrEnded = errors.New("the server ended before it was ready")
