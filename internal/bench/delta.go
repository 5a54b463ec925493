package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kontrol/internal/bench/letters"
	"kontrol/internal/rawimap"
)

// How much changes while nobody looks.
const (
	changedFlags = 50
	newLetters   = 20
)

// delta is a mailbox that is looked at again after something has changed in it.
func delta(ctx context.Context, w *world) ([]table, error) {
	o, user, err := w.mailbox(ctx, w.letters, letters.NoRule)
	if err != nil {
		return nil, err
	}
	if o, err = w.change(ctx, o, user); err != nil {
		return nil, fmt.Errorf("change the mailbox: %w", err)
	}
	modseq, err := w.modSeqBefore(ctx, user)
	if err != nil {
		return nil, err
	}
	old := o.NewFrom - 1
	fresh := fmt.Sprintf("UID FETCH %d:* %s", o.NewFrom, itemsEnvelope)
	whole := fmt.Sprintf("UID FETCH %d:* %s", o.NewFrom, itemsLetters)
	const without, bodies = "raw, without CONDSTORE", "raw, letters"
	goimap, plain := goimapSide("goimap-delta", false), goimapSide("goimap-delta", false)
	goimap.prepare = prepareGoimap(false)
	plain.name, plain.prepare = "go-imap, without CONDSTORE", prepareGoimap(true)
	plain.order = func(o *order) { o.Do, o.NoCond = "goimap-delta", true }
	flow := side{name: "imapflow", program: nodeProgram, command: imapflow("delta"), prepare: prepareProgram(imapflow("delta-prepare"))}
	list, err := w.measure(ctx, timedJob{user: user, snap: "delta", prepareSnap: "warm", base: o, sides: []side{
		asked("raw", "SELECT INBOX (CONDSTORE)", fmt.Sprintf("UID FETCH 1:%d (UID FLAGS) (CHANGEDSINCE %d)", old, modseq), fresh),
		asked(without, "SELECT INBOX", "UID FETCH 1:* (UID FLAGS)", fresh),
		asked(bodies, "SELECT INBOX (CONDSTORE)", fmt.Sprintf("UID FETCH 1:%d (UID FLAGS) (CHANGEDSINCE %d)", old, modseq), whole),
		asked(bodies+without[3:], "SELECT INBOX", "UID FETCH 1:* (UID FLAGS)", whole),
		ourDelta("kontrol", false), ourDelta("kontrol, without CONDSTORE", true),
		goimap, plain, flow,
		{name: "mbsync", program: "mbsync", command: mbsync, prepare: prepareProgram(mbsync), check: func(w *world, o order, out outcome) error {
			o.Want = o.Letters + newLetters
			return copied(w, o, out)
		}},
		{name: "imapfilter, rules joined", program: "imapfilter", command: imapfilter("delta", true)},
		{name: "offlineimap", program: "offlineimap", command: offlineimap, prepare: prepareProgram(offlineimap), slow: true},
	}})
	t := timedTable("delta", fmt.Sprintf("Delta: %d flags changed and %d letters new, among %d", len(o.Changed), newLetters, w.letters), list)
	t.goal = "at most 2.0 times raw with CONDSTORE and 4.0 times without, database included; the first \"raw\" is 1 for all"
	t.notes = append(t.notes, "Kontrol's time runs from the login to the moment when the database has every change; it opens and looks at all "+
		"four folders with two connections, the others at INBOX with one.",
		"\"raw, letters\" fetches header and text of the new letters, as Kontrol does. The first raw client asks for ENVELOPE and BODYSTRUCTURE, "+
			"which Dovecot has kept since the delivery; to read any letter it first has to read the list of all files of the folder.")
	return []table{t}, err
}

func ourDelta(name string, nocond bool) side {
	set := func(o *order) { o.Do, o.Database, o.NoCond = "delta", "sqlite", nocond }
	return side{name: name, order: set, check: saw, shares: ours, prepare: func(ctx context.Context, w *world, o order) error {
		o.Do, o.CPU, o.Mem, o.NoCond, o.Whole = "take-in", "", "", false, true
		o.LastUID = w.maker.UIDs(o.Letters)[o.Letters-1]
		_, err := w.runChild(ctx, o)
		return err
	}}
}

func prepareGoimap(nocond bool) func(context.Context, *world, order) error {
	return func(ctx context.Context, w *world, o order) error {
		o.Do, o.Text, o.NoCond = "goimap-delta", -1, nocond
		_, err := w.runChild(ctx, o)
		return err
	}
}

func prepareProgram(command program) func(context.Context, *world, order) error {
	return func(ctx context.Context, w *world, o order) error {
		_, err := w.runProgram(ctx, side{command: command}, o)
		return err
	}
}

// change makes snapshot "delta" of "warm": stars set, letters delivered.
func (w *world) change(ctx context.Context, o order, user string) (order, error) {
	uids := w.maker.UIDs(o.Letters)
	o.NewFrom, o.Want = o.LastUID+1, 0
	for i := 0; i < o.Letters && len(o.Changed) < changedFlags; i += max(1, o.Letters/changedFlags) {
		if !w.maker.Letter(1, i, letters.NoRule).Starred() {
			o.Changed = append(o.Changed, uids[i])
		}
	}
	o.Want = len(o.Changed) + newLetters
	o.LastUID += newLetters
	if w.have(user, "delta") {
		return o, nil
	}
	if err := w.restore(ctx, user, "warm"); err != nil {
		return o, err
	}
	c, err := rawimap.Dial(w.srv.IMAPAddr, nil, user, w.srv.Password)
	if err != nil {
		return o, err
	}
	_, err = c.Command("SELECT INBOX")
	if err == nil {
		_, err = c.Command("UID STORE " + ranges(o.Changed) + ` +FLAGS.SILENT (\Flagged)`)
	}
	c.Close()
	if err != nil {
		return o, err
	}
	for i := range newLetters {
		l := w.maker.Letter(1, o.Letters+i, letters.NoRule)
		if err := w.srv.Deliver(ctx, user, l.Raw); err != nil {
			return o, err
		}
	}
	return o, w.save(ctx, user, "delta")
}

// modSeqBefore asks for HIGHESTMODSEQ of the mailbox as it was before the change.
func (w *world) modSeqBefore(ctx context.Context, user string) (uint64, error) {
	if err := w.restore(ctx, user, "warm"); err != nil {
		return 0, err
	}
	c, err := rawimap.Dial(w.srv.IMAPAddr, nil, user, w.srv.Password)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	answers, err := c.Command("STATUS INBOX (HIGHESTMODSEQ)")
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		var n uint64
		if _, err := fmt.Sscanf(a.Text, "* STATUS INBOX (HIGHESTMODSEQ %d)", &n); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("the server tells no HIGHESTMODSEQ")
}

func (w *world) have(user, snap string) bool {
	_, err := os.Stat(w.snapshot(user, snap))
	return err == nil
}

// forget removes a mailbox and its snapshots.
func (w *world) forget(user string) {
	_ = os.RemoveAll(w.home(user)) // goes with the server's folder in any case
	list, _ := filepath.Glob(w.snapshot(user, "*"))
	for _, dir := range list {
		_ = os.RemoveAll(dir)
	}
}
