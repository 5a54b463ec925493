package imapsync

import (
	"context"
	"testing"

	"kontrol/models"
)

// TestStarSetAfterTheDecision stars a letter that is about to be moved: whoever decides hears of it first. Kontrol once
// filed such a letter as processed where flags are only polled.
func TestStarSetAfterTheDecision(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]bool{"another target": true, "the same target": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeskWorld(t)
			w.m.setFlags(inbox, w.uid, `\Seen`, `\Flagged`)
			in := w.st.role(models.FolderInbox)
			asked := 0
			tell := func(ctx context.Context, c Change) error {
				if asked++; c.Folder.ID != in.ID || len(c.Flags[w.uid]) != 2 {
					t.Errorf("told of %+v", c)
				}
				if err := w.st.Changed(ctx, c); err != nil {
					return err
				}
				if change {
					w.f.State = models.FilingCancelled
					w.f = w.st.plan(w.st.location(in.ID, in.UIDValidity, w.uid), w.st.role(models.FolderProcessed), w.now)
				}
				return nil
			}
			s, err := w.m.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := NewMover(w.st, w.cfg, nil, nil).RunTelling(t.Context(), s, 1, tell); err != nil {
				t.Fatal(err)
			}
			if asked != 1 || w.f.State != models.FilingDone {
				t.Errorf("told %d times, filing is %s", asked, w.f.State)
			}
			w.m.mu.Lock()
			defer w.m.mu.Unlock()
			want := ctrl
			if change {
				want = other
			}
			if w.m.countLocked(header("a"), want) != 1 || w.m.countLocked(header("a"), inbox) != 0 {
				t.Errorf("the letter is not in %s", want)
			}
		})
	}
}
