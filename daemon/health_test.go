package daemon

import (
	"testing"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// TestTroubleIsToldOnce tells a person of a mailbox's trouble when it begins, when it becomes another, and when it is over.
func TestTroubleIsToldOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			return tx.SyncMailboxes(t.Context(), []models.Mailbox{{Address: "a@firma.example", Kind: models.MailboxShared, State: models.MailboxActive}})
		})
		if err != nil {
			t.Fatal(err)
		}
		box, err := db.Read().Mailbox(t.Context(), "a@firma.example")
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		h := mailboxHealth{newHealthTeller(db, func(p models.Phrase) { told = append(told, p.ID) }), box.Address}
		well := models.MailboxHealth{State: models.MailboxActive, Connected: true}
		ill := func(key string) models.MailboxHealth {
			return models.MailboxHealth{State: models.MailboxActive, Reason: models.Say(key, "Mailbox", box.Address)}
		}
		alone := well // one connection only is how it works, not trouble
		alone.Reason = models.Say("sync.one_connection")
		for _, now := range []models.MailboxHealth{well, alone, ill("x.lost"), ill("x.lost"), ill("x.refused"), {State: models.MailboxActive}, well, alone, well, ill("x.lost")} {
			if err := h.SaveMailboxHealth(t.Context(), box.ID, now); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"x.lost", "x.refused", "daemon.mailbox.back", "x.lost"}
		if len(told) != len(want) {
			t.Fatalf("told %v, want %v", told, want)
		}
		for i := range want {
			if told[i] != want[i] {
				t.Fatalf("told %v, want %v", told, want)
			}
		}
	})
}
