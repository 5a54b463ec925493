package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// proposed returns the addresses that are proposed, and those that were dismissed.
func proposed(t *testing.T, q *store.Queries) (open, dismissed string) {
	t.Helper()
	list, err := q.Proposals(t.Context(), store.ProposalFilter{Kinds: []models.ProposalKind{models.ProposeClient}})
	must(t, err)
	var keys, gone []string
	for _, p := range list {
		keys = append(keys, p.Key)
	}
	rows, err := q.DismissedSenders(t.Context(), 10)
	must(t, err)
	for _, r := range rows {
		gone = append(gone, r.Address)
	}
	return strings.Join(keys, " "), strings.Join(gone, " ")
}

// TestDismissedSenders: whom a person has dismissed is not proposed again, also by a later letter, until he is recalled, or is
// added by hand; and only those see it who see the letter.
func TestDismissedSenders(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const who = "spam@other.example"
		propose := func(letter models.Letter) {
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return tx.AddProposals(ctx, []*models.Proposal{{LetterID: letter.ID, Kind: models.ProposeClient, Key: who, Draft: models.ClientDraft{Address: who}}})
			})
		}
		propose(newLetter(t, db, "one", nil))
		state := func(when, open, dismissed string) {
			t.Helper()
			if o, d := proposed(t, db.Read()); o != open || d != dismissed {
				t.Errorf("%s: proposed %q, dismissed %q", when, o, d)
			}
		}
		dismiss := func(address string, was bool) {
			t.Helper()
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				done, err := tx.DismissSender(ctx, address, "anna")
				if done != was {
					t.Errorf("dismissing %s: %v", address, done)
				}
				return err
			})
		}
		state("at first", who, "")
		dismiss("Spam@Other.example", true)
		dismiss(who, false)
		propose(newLetter(t, db, "two", nil))
		state("dismissed", "", who)
		if o, d := proposed(t, db.Read().As(store.Viewer{ManagerID: 99, Scope: store.ScopeOwn})); o+d != "" {
			t.Errorf("somebody who does not see the letter sees %q and %q", o, d)
		}
		err := inName(t, db, store.Viewer{ManagerID: 99, Scope: store.ScopeOwn}, func(ctx context.Context, tx *store.Tx) error {
			return second(tx.RecallSender(ctx, who))
		})
		if !errors.Is(err, store.ErrNotAllowed) {
			t.Errorf("recalled by somebody who does not see the letter: %v", err)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return second(tx.RecallSender(ctx, who)) })
		state("recalled", who, "")
		dismiss(who, true)
		createClient(t, db, card("Лютик", "", who, ""))
		state("added by hand", "", "")
		if err := db.Tx(t.Context(), func(tx *store.Tx) error { return second(tx.DismissSender(tx.Context(), who, "")) }); !errors.Is(err, models.ErrDuplicate) {
			t.Errorf("a client's address is dismissed: %v", err)
		}
	})
}

// TestDeadAddresses: only a report about a letter that we have sent kills an address, and a letter from it shows that it lives.
func TestDeadAddresses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := createClient(t, db, card("Ромашка", "", "ivan@romashka.example", ""))
		dead := func() bool {
			card, err := db.Read().Client(t.Context(), c.ID)
			must(t, err)
			return !card.Contacts[0].Points[0].Alive()
		}
		sent := newLetter(t, db, "offer", func(l *models.Letter) { l.Direction = models.Outbound })
		strange := newLetter(t, db, "strange", nil)
		bury := func(about string) {
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return second(tx.BuryAddresses(ctx, []store.DeadAddress{{Address: "ivan@romashka.example", Reason: "userunknown", OriginalID: about, At: day.Add(time.Hour)}}))
			})
		}
		bury(strange.MessageID)
		bury("")
		if dead() {
			t.Error("dead by a report about a letter that is not ours")
		}
		bury(sent.MessageID)
		if !dead() {
			t.Error("alive")
		}
		revive := func() {
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return second(tx.ReviveAddresses(ctx, []string{"ivan@romashka.example"}))
			})
		}
		newLetter(t, db, "before", func(l *models.Letter) { l.FromAddress = "ivan@romashka.example" })
		if revive(); !dead() {
			t.Error("alive by a letter from before")
		}
		newLetter(t, db, "after", func(l *models.Letter) { l.FromAddress, l.ArrivedAt = "ivan@romashka.example", day.Add(2*time.Hour) })
		revive()
		if bury(sent.MessageID); dead() {
			t.Error("dead, although somebody writes from it")
		}
	})
}
