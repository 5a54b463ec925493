package demo

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"kontrol/inbound"
	"kontrol/locale"
	"kontrol/models"
	"kontrol/store"
)

// eyes watch what the daemon has done, in its store.
type eyes struct {
	db    *store.DB
	texts *locale.Texts
	show  *screen
	told  map[int64]bool // decisions already shown
}

// until asks cond every few milliseconds until it holds.
func until(ctx context.Context, what string, cond func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := cond()
		if err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
}

// live returns the letter's row and the copies of it that lie in a folder of somebody who received it. It is found by its
// fingerprint: of a letter between colleagues nothing else is stored.
func (e *eyes) live(ctx context.Context, l *letter) (models.Letter, []models.Location, error) {
	facts, err := inbound.ReadAll(bytes.NewReader(l.bytes()), inbound.Own{})
	if err != nil {
		return models.Letter{}, nil, fmt.Errorf("read a letter of the demo: %w", err)
	}
	rows, err := e.db.Read().LettersByFingerprints(ctx, []string{facts.Letter.Fingerprint})
	if err != nil || len(rows) == 0 {
		return models.Letter{}, nil, err
	}
	all, err := e.db.Read().LiveLocationsOf(ctx, []int64{rows[0].ID})
	if err != nil {
		return models.Letter{}, nil, err
	}
	received := all[:0]
	for _, c := range all {
		if c.Folder != nil && c.Folder.Role != models.FolderSent {
			received = append(received, c)
		}
	}
	return rows[0], received, nil
}

func (e *eyes) waitKnown(ctx context.Context, l *letter) error {
	return until(ctx, "the letter is seen", func() (bool, error) {
		_, copies, err := e.live(ctx, l)
		return len(copies) > 0, err
	})
}

func (e *eyes) waitFiled(ctx context.Context, l *letter) error {
	return until(ctx, "the answered letter is filed", func() (bool, error) {
		_, copies, err := e.live(ctx, l)
		return len(copies) == 1 && copies[0].Folder.Role != models.FolderInbox, err
	})
}

func (e *eyes) waitStarred(ctx context.Context, l *letter) error {
	return until(ctx, "the star is seen", func() (bool, error) {
		_, copies, err := e.live(ctx, l)
		return len(copies) == 1 && copies[0].Flagged(), err
	})
}

func (e *eyes) waitMoved(ctx context.Context, l *letter) error {
	return until(ctx, "the move by hand is seen", func() (bool, error) {
		_, copies, err := e.live(ctx, l)
		return len(copies) == 1 && copies[0].HandsOff, err
	})
}

// report shows what has become of a letter: whose it is, and where it lies and why.
func (e *eyes) report(ctx context.Context, l *letter) error {
	row, copies, err := e.live(ctx, l)
	if err != nil {
		return err
	}
	links, err := e.db.Read().CurrentLinks(ctx, []int64{row.ID})
	if err != nil {
		return err
	}
	decisions, err := e.db.Read().DecisionsOf(ctx, row.ID)
	if err != nil {
		return err
	}
	if first := len(decisions) == 0 || !e.told[decisions[0].ID]; first {
		for _, k := range links {
			e.show.detail(k.Evidence)
		}
	}
	for _, c := range copies {
		if c.HandsOff {
			e.show.detail(models.Say("demo.result.hands_off", "Folder", models.Say("folder."+string(c.Folder.Role))))
			return nil
		}
	}
	if len(decisions) == 0 {
		return nil
	}
	last := decisions[len(decisions)-1]
	for _, d := range decisions {
		e.told[d.ID] = true
	}
	e.decided(l, last)
	return nil
}

// decided shows a decision in a line, and below it the reasons that a reader of the timeline does not know yet.
func (e *eyes) decided(l *letter, d models.Decision) {
	if d.Action != models.ActionFile {
		e.show.stays(models.Phrase{ID: "rules.rule." + d.Rule})
		return
	}
	e.show.filed(models.Say("demo.result.filed", "Subject", l.subject, "Folder", models.Say("folder."+string(d.Target))))
	for i, st := range d.Trace {
		last := i == len(d.Trace)-1
		if last || (st.Holds && !obvious[st.Text.ID]) {
			e.show.detail(st.Text)
		}
	}
}

// obvious are the reasons that every line of the timeline would repeat.
var obvious = map[string]bool{
	"rules.step.inbox": true, "rules.step.untouched": true, "rules.step.person": true, "rules.answer.to_sender": true,
}
