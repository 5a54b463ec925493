package store_test

import (
	"testing"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestQuarantineOfAFolder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			return tx.SyncMailboxes(t.Context(), []models.Mailbox{{Address: "a@firma.example", Kind: models.MailboxShared, State: models.MailboxActive}})
		})
		must(t, err)
		box, err := db.Read().Mailbox(t.Context(), "a@firma.example")
		must(t, err)
		f := models.Folder{MailboxID: box.ID, Role: models.FolderInbox, Name: "INBOX", UIDValidity: 7}
		must(t, db.SaveFolder(t.Context(), &f))
		must(t, db.Tx(t.Context(), func(tx *store.Tx) error {
			for _, uid := range []uint32{9, 3, 9} {
				q := models.Quarantine{MailboxID: box.ID, FolderID: f.ID, UIDValidity: 7, UID: uid, Reason: "unreadable"}
				if err := tx.AddQuarantine(t.Context(), &q); err != nil {
					return err
				}
			}
			return nil
		}))
		rows, err := db.QuarantinedIn(t.Context(), f.ID, 7)
		must(t, err)
		if len(rows) != 2 || rows[0].UID != 3 || rows[1].UID != 9 || rows[0].Attempts != 1 || rows[1].Attempts != 2 {
			t.Fatalf("in quarantine: %+v", rows)
		}
		must(t, db.ReleaseQuarantined(t.Context(), f.ID, 7, []uint32{9, 4}))
		if rows, err = db.QuarantinedIn(t.Context(), f.ID, 7); err != nil || len(rows) != 1 || rows[0].UID != 3 {
			t.Errorf("after release: %+v, %v", rows, err)
		}
		if rows, err = db.QuarantinedIn(t.Context(), f.ID, 8); err != nil || len(rows) != 0 {
			t.Errorf("under another uidvalidity: %+v, %v", rows, err)
		}
	})
}
