package daemon

import (
	"context"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
)

// forgetting destroys what is known of a client, as the program does.
func (h *house) forgetting(id int64) models.ForgetAct {
	h.t.Helper()
	var act models.ForgetAct
	h.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		act, err = tx.ForgetClient(ctx, store.Forgetting{ClientID: id, Pseudonym: "Клиент без имени", Number: "1-20261123", Actor: anna})
		return err
	})
	h.must(h.db.Scrub(h.t.Context()))
	return act
}

// TestForgottenWordsDoNotComeBack: what a forgotten client has written is in no row and, on SQLite, in no octet of the files;
// it does not come back with its letters, and what of it is money stays, under the pseudonym.
func TestForgottenWordsDoNotComeBack(t *testing.T) {
	words := []string{"Тайнозавр", "ключ от сейфа", "tainozavr", "котлы для дворца", "romashka.example"}
	each(t, func(t *testing.T, h *house) {
		id := h.client("Тайнозавр", []string{ivan}, "romashka.example")
		other := h.client("Лютик", []string{"olga@lutik.example"})
		h.tx(func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateDeal(ctx, &models.Deal{ClientID: id, Title: "Котлы для дворца", Amount: models.Money{Minor: 12_300_00, Currency: "RUB"}}, "")
		})
		known := mail{id: "tainozavr@romashka.example", from: ivan, to: anna, subject: "Тайнозавр", text: "Ключ от сейфа"}
		seen := mail{id: "2@lutik.example", from: "olga@lutik.example", to: anna, subject: "Смета"}
		h.inbox(anna, known, seen)
		if len(h.searched(words...)) == 0 {
			t.Fatal("nothing was stored in the first place")
		}
		if act := h.forgetting(id); act.Letters != 1 || act.Deals != 1 || act.ScrubbedAt != nil {
			t.Errorf("the act: %+v", act)
		}
		none := func(when string) {
			t.Helper()
			if hits := h.searched(words...); len(hits) > 0 {
				t.Errorf("%s: found %q", when, hits)
			}
		}
		none("forgotten")

		// The copies still lie on the server: they come again, and others that were never seen, also as an answer of ours.
		h.reset(anna, models.FolderInbox, 8)
		h.inbox(anna, known, seen)
		old := mail{id: "tainozavr2@romashka.example", from: "buh@romashka.example", to: boris, subject: "Тайнозавр", text: "Ключ от сейфа", at: day.AddDate(-1, 0, 0)}
		h.inbox(boris, old)
		answer := old.reply("3@teplodom.example", boris, "buh@romashka.example")
		answer.at = day.AddDate(-1, 0, 1)
		h.sent(boris, answer)
		h.must(h.db.Scrub(t.Context()))
		none("come again")
		if got := h.clients(seen.id); len(got) != 1 || got[0] != other {
			t.Errorf("another client's letter is tied to %v", got)
		}

		deals, err := h.db.Read().Deals(t.Context(), store.DealFilter{ClientID: id})
		h.must(err)
		if len(deals) != 1 || deals[0].Amount.Minor != 12_300_00 || deals[0].Title != "Клиент без имени" {
			t.Errorf("what is left of the deal: %+v", deals)
		}
		acts, err := h.db.Read().ForgetActs(t.Context())
		h.must(err)
		if len(acts) != 1 || acts[0].ScrubbedAt == nil {
			t.Errorf("acts: %+v", acts)
		}

		// Whoever writes again begins something new.
		h.now = h.now.Add(48 * time.Hour)
		fresh := mail{id: "4@romashka.example", from: ivan, to: anna, subject: "Снова мы"}
		h.inbox(anna, fresh)
		if l := h.letter(fresh.id); l.Subject != fresh.subject || l.FromAddress != ivan || len(h.clients(fresh.id)) != 0 {
			t.Errorf("a new letter: %+v", l)
		}
	})
}

// TestReportOfADeadAddress: a report about a letter of ours makes the contact's address dead, until somebody writes from it.
func TestReportOfADeadAddress(t *testing.T) {
	report := func(id, about string) mail {
		return mail{id: id, from: "mailer-daemon@teplodom.example", to: anna, subject: "Undelivered Mail Returned to Sender",
			extra: []string{"Auto-Submitted: auto-replied", `Content-Type: multipart/report; report-type=delivery-status; boundary="b"`, "Return-Path: <>"},
			text: "--b\r\nContent-Type: text/plain\r\n\r\nIvan is unknown here.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
				"Reporting-MTA: dns; mx.romashka.example\r\n\r\nFinal-Recipient: rfc822; " + ivan + "\r\nAction: failed\r\nStatus: 5.1.1\r\n" +
				"Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <" + about +
				">\r\nFrom: <" + anna + ">\r\nTo: <" + ivan + ">\r\n\r\n--b--\r\n"}
	}
	each(t, func(t *testing.T, h *house) {
		id := h.client("Ромашка", []string{ivan})
		dead := func() bool {
			card, err := h.db.Read().Client(t.Context(), id)
			h.must(err)
			return !card.Contacts[0].Points[0].Alive()
		}
		offer := mail{id: "kp@teplodom.example", from: anna, to: ivan, subject: "КП"}
		h.sent(anna, offer)
		h.inbox(anna, report("r1@mx.romashka.example", "nobody@knows.example"))
		if dead() {
			t.Error("dead by a report about a letter that nobody has sent")
		}
		h.now = h.now.Add(time.Hour)
		h.inbox(anna, report("r2@mx.romashka.example", offer.id))
		if !dead() {
			t.Error("alive after the report")
		}
		h.now = h.now.Add(time.Hour)
		h.inbox(anna, mail{id: "5@romashka.example", from: ivan, to: anna, subject: "Мы есть"})
		if dead() {
			t.Error("dead, although he writes")
		}
	})
}
