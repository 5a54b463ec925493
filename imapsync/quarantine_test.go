package imapsync

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"kontrol/models"
)

// ward is a quarantine kept by hand.
type ward struct {
	rows     []models.Quarantine
	released []uint32
}

func (q *ward) QuarantinedIn(_ context.Context, folderID int64, _ uint32) (list []models.Quarantine, err error) {
	for _, r := range q.rows {
		if r.FolderID == folderID {
			list = append(list, r)
		}
	}
	return list, nil
}

func (q *ward) ReleaseQuarantined(_ context.Context, _ int64, _ uint32, uids []uint32) error {
	q.released = append(q.released, uids...)
	q.rows = nil
	return nil
}

// TestQuarantineIsLookedAtAgain reads a letter again at the next connection, leaves one alone that was tried three times,
// and releases one that a person has moved away.
func TestQuarantineIsLookedAtAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *syncWorld) {
		q := &ward{}
		w.cfg.Quarantine = q
		uid := w.m.deliver(inbox, "")
		w.start()
		defer w.stop()
		if len(w.st.bad) != 1 || w.st.bad[0].UID != uid {
			t.Fatalf("quarantine: %v", w.st.bad)
		}
		reconnect := func() {
			w.m.kill(false)
			<-time.After(time.Minute) // virtual
			synctest.Wait()
		}
		row := models.Quarantine{FolderID: w.st.role(models.FolderInbox).ID, UID: uid, Attempts: 1}
		q.rows = []models.Quarantine{row}
		reconnect()
		if len(w.st.bad) != 2 {
			t.Fatalf("tried again %d times, want once", len(w.st.bad)-1)
		}
		row.Attempts = quarantineTries
		q.rows = []models.Quarantine{row}
		reconnect()
		if len(w.st.bad) != 2 {
			t.Fatal("tried once more than allowed")
		}
		row.Attempts = 2
		q.rows = []models.Quarantine{row}
		w.m.mu.Lock()
		w.m.findLocked(inbox, uid).header = header("mended")
		w.m.mu.Unlock()
		reconnect()
		w.wantArrived(models.FolderInbox, header("mended"), 1)
		q.rows = []models.Quarantine{{FolderID: row.FolderID, UID: uid + 100, Attempts: 1}}
		reconnect()
		if len(q.released) != 1 || q.released[0] != uid+100 {
			t.Errorf("released %v", q.released)
		}
	})
}
