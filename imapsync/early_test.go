package imapsync

import (
	"fmt"
	"testing"
	"time"

	"kontrol/models"
)

// away lets a mailbox that is known change while nobody looks: a star, a letter that goes, and a new one.
func (w *syncWorld) away(condstore bool) {
	w.m.caps.CondStore = condstore
	for i := range 10 {
		w.m.deliver(inbox, header(fmt.Sprint(i)))
	}
	w.start()
	pass(2 * time.Minute) // the numbers are stored
	w.stop()
	w.history()
	w.m.setFlags(inbox, 3, `\Flagged`)
	w.m.mu.Lock()
	w.m.expungeLocked(nil, inbox, 5)
	w.m.mu.Unlock()
	w.m.deliver(inbox, header("new"))
}

// TestFlagsAreStoredWhileLettersAreFetched holds the new letter back until the store has the changed flag.
func TestFlagsAreStoredWhileLettersAreFetched(t *testing.T) {
	for _, condstore := range []bool{true, false} {
		t.Run(fmt.Sprint("condstore ", condstore), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *syncWorld) {
				w.away(condstore)
				told := make(chan struct{}, 10)
				cursor := uint32(0)
				w.st.onChange = func(op string) {
					if op == "Changed" {
						cursor = max(cursor, w.st.role(models.FolderInbox).LastUID)
						told <- struct{}{}
					}
				}
				w.m.fault = func(_ *fakeSession, cmd string) fault {
					if cmd != "FETCH" {
						return fine
					}
					w.m.fault = nil
					select {
					case <-told:
					case <-time.After(time.Second):
						t.Error("the flag is stored after the letter has come")
					}
					if cursor != 10 {
						t.Errorf("with the flag the cursor went to %d", cursor)
					}
					return fine
				}
				w.start()
				pass(time.Second)
				if got := w.history(); got != "~inbox/3 +inbox/11 -inbox/5" {
					t.Errorf("intake was told %q", got)
				}
				w.stop()
			})
		})
	}
}

// TestFlagsThatCannotBeStoredAreFoundAgain lets the store fail while the new letter is on its way: nothing is taken in
// then, and everything once afterwards.
func TestFlagsThatCannotBeStoredAreFoundAgain(t *testing.T) {
	for _, condstore := range []bool{true, false} {
		t.Run(fmt.Sprint("condstore ", condstore), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *syncWorld) {
				w.away(condstore)
				failures := 0
				w.st.fail = func(op string, after bool) bool {
					if op == "Changed" && !after && failures < 2 {
						failures++
						return true
					}
					return false
				}
				w.start()
				w.wantArrived(models.FolderInbox, header("new"), 0)
				pass(time.Minute)
				if got := w.history(); got != "~inbox/3 +inbox/11 -inbox/5" {
					t.Errorf("intake was told %q", got)
				}
				w.wantArrived(models.FolderInbox, header("new"), 1)
				w.stop()
			})
		})
	}
}

// TestPanicWhileLettersAreFetchedIsSurvived lets the intake of flags panic while the session is used.
func TestPanicWhileLettersAreFetchedIsSurvived(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		w.away(true)
		panics := 0
		w.st.fail = func(op string, after bool) bool {
			if op == "Changed" && !after && panics == 0 {
				panics++
				panic("no")
			}
			return false
		}
		w.start()
		pass(time.Minute)
		if got := w.history(); got != "~inbox/3 +inbox/11 -inbox/5" || w.y.Panics() != 1 {
			t.Errorf("after %d panics intake was told %q", w.y.Panics(), got)
		}
		w.stop()
	})
}
