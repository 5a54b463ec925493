package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// arrivals are the times from delivery to folder of one side, in milliseconds.
type arrivals struct {
	side   side
	took   []float64
	missed int
	absent string
	runs   []run
}

// arrival delivers letters one at a time by LMTP and looks when each stands in its folder.
func arrival(ctx context.Context, w *world) ([]table, error) {
	const user = "arrival"
	rounds := max(1, min(w.rounds, w.arrivals/10))
	each := w.arrivals / rounds
	o, err := w.watched(ctx, user, each)
	if err != nil {
		return nil, err
	}
	notice := arrivals{side: side{name: "the server's own notice"}}
	list := []*arrivals{}
	for _, s := range w.takingPart(watchers()) {
		list = append(list, &arrivals{side: s.side, absent: s.absent})
	}
	for range rounds {
		took, err := w.noticeTimes(ctx, user, each)
		if err != nil {
			return nil, fmt.Errorf("measure the server's own notice: %w", err)
		}
		notice.took = append(notice.took, took...)
		for _, a := range list {
			if a.absent != "" {
				continue
			}
			if err := w.arrivalsOf(ctx, a, user, o, each); err != nil {
				if ctx.Err() != nil {
					return nil, err
				}
				a.absent = oneLine(err.Error())
				w.logf("  %s: %s", a.side.name, a.absent)
			}
		}
	}
	return []table{arrivalTable(append([]*arrivals{&notice}, list...), &notice)}, nil
}

func arrivalTable(list []*arrivals, notice *arrivals) table {
	t := table{
		job: "arrival", title: "A letter arrives: from LMTP to its folder, one at a time, milliseconds",
		goal: "p95 at most the p95 of the server's own notice and 50 ms",
		head: []string{"", "median", "p95", "max", "p95 after the notice", "letters", "missed", "peak memory, MB"},
	}
	ms := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	for _, a := range list {
		if len(a.took) == 0 {
			t.notes = append(t.notes, a.side.name+": "+a.absent)
			continue
		}
		p95 := quantile(a.took, 0.95)
		memory := ""
		if len(a.runs) > 0 {
			memory = mb(series{runs: a.runs}.median(peak))
		}
		t.rows = append(t.rows, []string{
			a.side.name, ms(quantile(a.took, 0.5)), ms(p95), ms(quantile(a.took, 1)), ms(p95 - quantile(notice.took, 0.95)),
			fmt.Sprint(len(a.took)), fmt.Sprint(a.missed), memory,
		})
	}
	return t
}

// noticeTimes measures how long the server takes to tell a client in IDLE. Nobody else is there.
func (w *world) noticeTimes(ctx context.Context, user string, n int) ([]float64, error) {
	if err := w.restore(ctx, user, "warm"); err != nil {
		return nil, err
	}
	r, err := dialRaw(ctx, w.srv.IMAPAddr, user, w.srv.Password)
	if err != nil {
		return nil, err
	}
	defer r.close()
	l := &lines{conn: r.conn}
	if _, err := l.open(); err != nil {
		return nil, err
	}
	if _, err := r.conn.Write([]byte("i IDLE\r\n")); err != nil {
		return nil, err
	}
	told := make(chan time.Time, 1000)
	go func() {
		defer close(told)
		for {
			line, err := l.next()
			if err != nil {
				return
			}
			if strings.HasSuffix(line, " EXISTS") {
				told <- time.Now()
			}
		}
	}()
	return w.deliverEach(ctx, user, n, told)
}

// deliverEach delivers letters one at a time and waits for the sign of each.
func (w *world) deliverEach(ctx context.Context, user string, n int, signs <-chan time.Time) ([]float64, error) {
	jitter := rand.New(rand.NewPCG(seed, 0))
	var took []float64
	for i := range n {
		begin := time.Now()
		if err := w.srv.Deliver(ctx, user, w.later(i).Raw); err != nil {
			return took, err
		}
		select {
		case at, ok := <-signs:
			if !ok {
				return took, fmt.Errorf("the connection ended")
			}
			took = append(took, float64(at.Sub(begin))/float64(time.Millisecond))
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
			return took, ctx.Err()
		}
		if !pause(ctx, time.Duration(100+jitter.IntN(150))*time.Millisecond) {
			return took, ctx.Err()
		}
	}
	return took, nil
}

func (w *world) arrivalsOf(ctx context.Context, a *arrivals, user string, o order, n int) error {
	v, err := w.beginWatching(ctx, a.side, user, o, n)
	if err != nil {
		return err
	}
	took, err := w.deliverEach(ctx, user, n, v.filed.at)
	r, endErr := v.end()
	if err == nil {
		err = endErr
	}
	a.took, a.missed, a.runs = append(a.took, took...), a.missed+n-len(took), append(a.runs, r)
	if len(took) > 0 {
		w.logf("  %-26s median %.0f ms, max %.0f ms", a.side.name, quantile(took, 0.5), slices.Max(took))
	}
	return err
}
