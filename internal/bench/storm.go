package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"kontrol/internal/bench/letters"
	"kontrol/internal/ward"
)

// storms are the storms of one side.
type storms struct {
	side                     side
	took, delivery, lag, mem []float64 // seconds, seconds, seconds, MB
	cpu                      []float64
	failed                   []string
}

// storm puts thousands of letters at once into a watched mailbox and looks when the last stands in its folder.
func storm(ctx context.Context, w *world) ([]table, error) {
	const user = "storm"
	o, err := w.watched(ctx, user, w.storm)
	if err != nil {
		return nil, err
	}
	if err := w.readyStorm(); err != nil {
		return nil, err
	}
	at, err := w.storms(ctx, user, o, w.linkAll)
	once := stormTable("storm", fmt.Sprintf("Storm: %d letters at once in INBOX, until all are filed", w.storm), at)
	once.goal = "at most 3.0 times raw, database included"
	if err != nil {
		return []table{once}, err
	}
	by, err := w.storms(ctx, user, o, w.deliverAll)
	lmtp := stormTable("storm", fmt.Sprintf("Storm: %d letters delivered by LMTP over %d connections", w.storm, lmtpConnections), by)
	lmtp.goal = "at most 1.15 times the time that the delivery takes, no letter more than 3 s behind"
	return []table{once, lmtp}, err
}

func stormTable(name, title string, list []*storms) table {
	t := table{job: name, title: title, head: []string{
		"", "median, s", "min to max", "× raw", "× delivery", "slowest letter behind, s", "peak memory, MB", "CPU, s", "runs",
	}}
	for _, s := range list {
		for _, f := range s.failed {
			t.notes = append(t.notes, s.side.name+": "+f)
		}
		if len(s.took) == 0 {
			continue
		}
		med := func(v []float64) float64 { return quantile(v, 0.5) }
		times := func(base float64) string {
			if base == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", med(s.took)/base)
		}
		t.rows = append(t.rows, []string{
			s.side.name, secs(med(s.took)), secs(quantile(s.took, 0)) + " to " + secs(quantile(s.took, 1)), times(med(list[0].took)),
			times(med(s.delivery)), secs(med(s.lag)), mb(med(s.mem)), secs(med(s.cpu)), fmt.Sprint(len(s.took)),
		})
	}
	t.notes = append(t.notes, "How far the slowest letter is behind: the greatest time between the k-th delivery and the k-th filing.")
	return t
}

// storms lets all sides take turns.
func (w *world) storms(ctx context.Context, user string, o order, bring func(context.Context, string) ([]time.Time, error)) ([]*storms, error) {
	var list []*storms
	for _, s := range w.takingPart(watchers()) {
		one := &storms{side: s.side}
		if s.absent != "" {
			one.failed = append(one.failed, s.absent, s.absent)
		}
		list = append(list, one)
	}
	for range min(w.rounds, 3) {
		for _, s := range list {
			if len(s.failed) > 1 {
				continue
			}
			err := w.stormOf(ctx, s, user, o, bring)
			if ctx.Err() != nil {
				return list, ctx.Err()
			}
			if err != nil {
				s.failed = append(s.failed, oneLine(err.Error()))
				w.logf("  %s: %v", s.side.name, err)
			}
		}
	}
	for _, s := range list {
		s.failed = slices.Compact(s.failed)
	}
	return list, nil
}

func (w *world) stormOf(ctx context.Context, s *storms, user string, o order, bring func(context.Context, string) ([]time.Time, error)) error {
	v, err := w.beginWatching(ctx, s.side, user, o, w.storm)
	if err != nil {
		return err
	}
	begin := time.Now()
	brought := make(chan []time.Time, 1)
	failed := make(chan error, 1)
	go func() {
		at, err := bring(ctx, user)
		failed <- err
		brought <- at
	}()
	filed := make([]time.Time, 0, w.storm)
	for len(filed) < w.storm && err == nil {
		select {
		case at := <-v.filed.at:
			filed = append(filed, at)
		case <-time.After(60 * time.Second):
			err = fmt.Errorf("only %d of %d letters were filed", len(filed), w.storm)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	err = errors.Join(err, <-failed)
	came := <-brought
	r, endErr := v.end()
	if err = errors.Join(err, endErr); err != nil {
		return err
	}
	slices.SortFunc(came, time.Time.Compare)
	slices.SortFunc(filed, time.Time.Compare)
	lag := time.Duration(0)
	for i := range filed {
		lag = max(lag, filed[i].Sub(came[i]))
	}
	took := filed[len(filed)-1].Sub(begin).Seconds()
	s.took, s.delivery = append(s.took, took), append(s.delivery, came[len(came)-1].Sub(begin).Seconds())
	s.lag, s.mem, s.cpu = append(s.lag, lag.Seconds()), append(s.mem, peak(r)), append(s.cpu, r.CPU)
	w.logf("  %-26s %.2f s, delivered in %.2f s, slowest %.2f s behind", s.side.name, took, came[len(came)-1].Sub(begin).Seconds(), lag.Seconds())
	return nil
}

func (w *world) stormDir() string { return filepath.Join(w.srv.Dir, "storm", "new") }

// readyStorm writes the letters that linkAll links.
func (w *world) readyStorm() error {
	dir := w.stormDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for i := range w.storm {
		if _, err := letters.WriteFile(dir, i, w.later(i)); err != nil {
			return err
		}
	}
	return ownTree(dir)
}

// linkAll puts all letters into INBOX at once, as hard links.
func (w *world) linkAll(_ context.Context, user string) ([]time.Time, error) {
	files, err := os.ReadDir(w.stormDir())
	if err != nil {
		return nil, err
	}
	to := filepath.Join(w.folder(user, ""), "new")
	at := make([]time.Time, 0, len(files))
	for _, f := range files {
		if err := os.Link(filepath.Join(w.stormDir(), f.Name()), filepath.Join(to, f.Name())); err != nil {
			return nil, err
		}
		at = append(at, time.Now())
	}
	return at, ward.Own(to)
}

const lmtpConnections = 4

// deliverAll delivers all letters by LMTP.
func (w *world) deliverAll(ctx context.Context, user string) ([]time.Time, error) {
	at := make([][]time.Time, lmtpConnections)
	errs := make([]error, lmtpConnections)
	var wg sync.WaitGroup
	for c := range lmtpConnections {
		wg.Go(func() { at[c], errs[c] = w.deliverPart(ctx, user, c) })
	}
	wg.Wait()
	return slices.Concat(at...), errors.Join(errs...)
}

func (w *world) deliverPart(ctx context.Context, user string, first int) ([]time.Time, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", w.srv.LMTPAddr)
	if err != nil {
		return nil, fmt.Errorf("reach lmtp: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := smtp.NewClientLMTP(conn)
	defer func() { _ = c.Close() }()
	var at []time.Time
	for i := first; i < w.storm; i += lmtpConnections {
		raw := bytes.ReplaceAll(w.later(i).Raw, []byte("\n"), []byte("\r\n"))
		if err := deliverOne(c, user, raw); err != nil {
			return at, fmt.Errorf("deliver: %w", err)
		}
		at = append(at, time.Now())
	}
	return at, nil
}

func deliverOne(c *smtp.Client, user string, raw []byte) error {
	if err := c.Mail("sender@example.org", nil); err != nil {
		return err
	}
	if err := c.Rcpt(user, nil); err != nil {
		return err
	}
	data, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(raw); err != nil {
		return errors.Join(err, data.Close())
	}
	return data.Close()
}
