package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"kontrol/internal/ward"
)

// side is one who takes part in a job: the raw client, Kontrol, or another program.
type side struct {
	name    string
	against string // whose time is 1 for it; "" is the first side's
	// order completes what a child of this program is to do. Nil for another program.
	order func(*order)
	// command is another program's command, and program the name by which it is looked for.
	command func(*world, order) (*exec.Cmd, error)
	program string
	// snap is the snapshot that a run begins with; "" is the job's.
	snap string
	// prepare brings the folder of the run's own (o.State) to where the run begins; done once, the mailbox being as in the
	// job's prepareSnap.
	prepare func(context.Context, *world, order) error
	shares  string // name under which prepare's result is shared with other sides; "" is the side's own
	// check looks whether the work was done.
	check func(*world, order, outcome) error
	once  bool // too slow for more than one round
	slow  bool // only with -slow
}

// run is one measured run.
type run struct {
	outcome
	CPU       float64
	ServerCPU float64
}

// series are all runs of one side.
type series struct {
	side   side
	runs   []run
	failed []string
	absent string // why it does not take part
}

// timedJob is a job that begins and ends.
type timedJob struct {
	user        string
	snap        string
	prepareSnap string
	base        order // what all sides are told
	sides       []side
	runTime     time.Duration // 0: 15 minutes
}

// measure lets all sides take turns.
func (w *world) measure(ctx context.Context, j timedJob) ([]series, error) {
	list := w.takingPart(j.sides)
	for i := range list {
		s := &list[i]
		if s.absent == "" && s.side.prepare != nil {
			if err := w.prepareSide(ctx, j, s.side); err != nil {
				s.absent = "could not be prepared: " + oneLine(err.Error())
				w.logf("  %s %s", s.side.name, s.absent)
			}
		}
	}
	for round := range w.rounds {
		for i := range list {
			s := &list[i]
			if s.absent != "" || (s.side.once && round > 0) || len(s.failed) > 1 {
				continue
			}
			r, err := w.once(ctx, j, s.side)
			if ctx.Err() != nil {
				return list, ctx.Err()
			}
			if err != nil {
				s.failed = append(s.failed, oneLine(err.Error()))
				w.logf("  %-22s FAILED: %v", s.side.name, err)
				continue
			}
			s.runs = append(s.runs, r)
			w.logf("  %-22s %8.3f s, %5.1f MB, cpu %.2f s, server %.2f s%s", s.side.name, r.Seconds, float64(r.PeakKB)/1024, r.CPU, r.ServerCPU,
				phasesText(r.Phases))
		}
	}
	return list, nil
}

func phasesText(list []phase) string {
	if len(list) < 2 {
		return ""
	}
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, ", %s %.2f", p.Name, p.Seconds)
	}
	return b.String()
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 300)]
}

// takingPart leaves out who was not asked for, and says why others are absent.
func (w *world) takingPart(sides []side) []series {
	var list []series
	for _, s := range sides {
		if !wanted(w.sides, s.name) || (s.slow && !w.slow) {
			continue
		}
		one := series{side: s}
		if s.program != "" {
			if _, err := exec.LookPath(s.program); err != nil {
				one.absent = s.program + " is not installed"
			}
		}
		if s.program == nodeProgram && one.absent == "" && !haveImapFlow() {
			one.absent = "the npm package imapflow is not installed"
		}
		list = append(list, one)
	}
	return list
}

// wanted tells whether a side was asked for: by the beginning of its name, or by none being named. A beginning after a
// minus sign leaves a side out.
func wanted(asked []string, name string) bool {
	yes := true
	for i, begin := range asked {
		out, minus := strings.CutPrefix(begin, "-")
		if i == 0 {
			yes = minus
		}
		if strings.HasPrefix(name, out) {
			yes = !minus
		}
	}
	return yes
}

func (w *world) preparedDir(j timedJob, s side) string {
	name := s.shares
	if name == "" {
		name = s.name
	}
	return filepath.Join(w.state, "prepared", strings.ReplaceAll(j.user+"-"+j.snap+"-"+name, " ", "_"))
}

func (w *world) prepareSide(ctx context.Context, j timedJob, s side) error {
	if _, err := os.Stat(w.preparedDir(j, s)); err == nil {
		return nil
	}
	if err := w.restore(ctx, j.user, j.prepareSnap); err != nil {
		return err
	}
	o := w.orderFor(j, s)
	o.State = w.preparedDir(j, s)
	if err := ownFolder(o.State); err != nil {
		return err
	}
	if err := s.prepare(ctx, w, o); err != nil {
		return errors.Join(err, os.RemoveAll(o.State))
	}
	return nil
}

func ownFolder(dir string) error {
	return errors.Join(os.MkdirAll(dir, 0o755), ward.Own(dir))
}

func (w *world) orderFor(j timedJob, s side) order {
	o := j.base
	o.IMAP, o.IMAPS, o.CAFile, o.Password = w.srv.IMAPAddr, w.srv.IMAPSAddr, w.srv.CAFile, w.srv.Password
	o.User = j.user
	if s.order != nil {
		s.order(&o)
	}
	if strings.HasPrefix(s.name, ours) {
		o.CPU, o.Mem = w.cpu, w.mem
	}
	return o
}

// ours is how the names of Kontrol's sides begin.
const ours = "kontrol"

// once does one run of one side.
func (w *world) once(ctx context.Context, j timedJob, s side) (run, error) {
	snap := j.snap
	if s.snap != "" {
		snap = s.snap
	}
	if err := w.restore(ctx, j.user, snap); err != nil {
		return run{}, err
	}
	if err := w.quiet(ctx); err != nil {
		return run{}, err
	}
	o := w.orderFor(j, s)
	w.runs++
	o.State = filepath.Join(w.state, fmt.Sprintf("run-%d", w.runs))
	defer func() { _ = os.RemoveAll(o.State) }()
	if s.prepare != nil {
		if err := clone(w.preparedDir(j, s), o.State); err != nil {
			return run{}, err
		}
	}
	if err := ownFolder(o.State); err != nil {
		return run{}, err
	}
	limit := j.runTime
	if limit == 0 {
		limit = 15 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	before := w.serverCPU()
	var r run
	var err error
	if s.order != nil {
		r, err = w.runChild(ctx, o)
	} else {
		r, err = w.runProgram(ctx, s, o)
	}
	if err != nil {
		return r, err
	}
	if err := w.quiet(ctx); err != nil {
		return r, err
	}
	r.ServerCPU = w.serverCPU() - before
	if s.check != nil {
		err = s.check(w, o, r.outcome)
	}
	return r, err
}

// started is a child that runs.
type started struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors *bytes.Buffer
}

func (w *world) startChild(ctx context.Context, o order) (*started, error) {
	if o.Database == "sqlite" {
		o.Database = "sqlite:" + filepath.Join(o.State, "kontrol.db")
	}
	if o.Database == "postgres" {
		var err error
		if o.Database, err = w.freshDatabase(ctx); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	s := &started{cmd: exec.CommandContext(ctx, self), errors: &bytes.Buffer{}}
	s.cmd.Env = append(os.Environ(), envChild+"="+string(text))
	s.cmd.Stderr = s.errors
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	return s, s.cmd.Start()
}

// tells reads the next outcome that the child tells.
func (s *started) tells() (outcome, error) {
	var out outcome
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &out)
	}
	if err != nil {
		return out, fmt.Errorf("the child told nothing (%w): %s", err, oneLine(s.errors.String()))
	}
	if out.Error != "" {
		return out, fmt.Errorf("%s; %s", out.Error, oneLine(s.errors.String()))
	}
	return out, nil
}

// stop lets a watching child go home.
func (s *started) stop() (run, error) {
	_, _ = io.WriteString(s.in, "enough\n") // a child that has ended says so below
	out, err := s.tells()
	_ = s.in.Close()
	err = errors.Join(err, s.cmd.Wait())
	return run{outcome: out, CPU: cpuOf(s.cmd.ProcessState)}, err
}

func cpuOf(p *os.ProcessState) float64 {
	if p == nil {
		return 0
	}
	return p.UserTime().Seconds() + p.SystemTime().Seconds()
}

func (w *world) runChild(ctx context.Context, o order) (run, error) {
	s, err := w.startChild(ctx, o)
	if err != nil {
		return run{}, err
	}
	defer func() { _ = s.in.Close() }()
	out, err := s.tells()
	err = errors.Join(err, s.cmd.Wait())
	return run{outcome: out, CPU: cpuOf(s.cmd.ProcessState)}, err
}

// runProgram runs another program, as the unprivileged account that the server runs as.
func (w *world) runProgram(ctx context.Context, s side, o order) (run, error) {
	cmd, err := s.command(w, o)
	if err != nil {
		return run{}, err
	}
	var said bytes.Buffer
	if err := w.asNobody(cmd, o, &said); err != nil {
		return run{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return run{}, err
	}
	peak := peakOf(cmd.Process.Pid)
	err = cmd.Wait()
	r := run{outcome: outcome{Seconds: time.Since(begin).Seconds(), PeakKB: peak()}, CPU: cpuOf(cmd.ProcessState)}
	stop()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, oneLine(said.String()))
	}
	return r, err
}

func (w *world) asNobody(cmd *exec.Cmd, o order, said *bytes.Buffer) error {
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.State, said, said
	cmd.Env = append(cmd.Environ(), "HOME="+o.State, "XDG_CONFIG_HOME="+o.State, "TMPDIR="+o.State)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return nil
	}
	a, err := ward.AccountToUse()
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	return ownTree(o.State)
}
