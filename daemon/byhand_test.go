package daemon

import (
	"context"
	"slices"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
)

// byHand carries out what a person says about a letter.
func (h *house) byHand(id string, d ByHand) Taught {
	h.t.Helper()
	d.LetterID, d.Actor = h.letter(id).ID, "anna"
	taught, err := LinkByHand(h.t.Context(), h.db, h.set, d, func() time.Time { return h.now })
	h.must(err)
	return taught
}

func (h *house) deal(client int64, title string) models.Deal {
	h.t.Helper()
	d := models.Deal{ClientID: client, Title: title}
	h.tx(func(ctx context.Context, tx *store.Tx) error { return tx.CreateDeal(ctx, &d, "test") })
	return d
}

func TestAPersonsWordIsKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		romashka := h.client("Ромашка", []string{ivan})
		h.inbox(anna, mail{id: "1@agent.example", from: "agent@trade.example", to: anna, subject: "Для Ромашки"},
			mail{id: "2@agent.example", from: "agent@trade.example", to: anna, subject: "И ещё для Ромашки"})
		d := h.deal(romashka, "Насосы")
		taught := h.byHand("1@agent.example", ByHand{ClientID: romashka, DealID: &d.ID, Teach: true})
		if taught.Rule.Address != "agent@trade.example" || taught.Others != 1 {
			t.Errorf("taught %+v", taught)
		}
		lutik := h.client("Лютик", []string{"agent@trade.example"}) // what is known later changes nothing
		if n, err := Relink(t.Context(), h.db, h.set, lutik, func() time.Time { return h.now }); err != nil || n != 0 {
			t.Errorf("%d letters tied anew, %v", n, err)
		}
		h.inbox(anna, mail{id: "3@agent.example", from: "agent@trade.example", to: anna, subject: "Третье"})
		for _, id := range []string{"1@agent.example", "2@agent.example", "3@agent.example"} {
			if got := h.clients(id); !slices.Equal(got, []int64{romashka}) {
				t.Errorf("%s is tied to %v", id, got)
			}
		}
		links, err := h.db.Read().CurrentLinks(t.Context(), []int64{h.letter("3@agent.example").ID})
		h.must(err)
		if links[0].Method != models.LinkRuled || links[0].DealID == nil || *links[0].DealID != d.ID || links[0].Score != 98 {
			t.Errorf("link by the rule: %+v", links[0])
		}
		h.byHand("1@agent.example", ByHand{}) // nobody's, and the rule goes with it
		rules, err := h.db.Read().LinkRules(t.Context(), 0)
		h.must(err)
		for _, id := range []int64{romashka, lutik} {
			if _, err := Relink(t.Context(), h.db, h.set, id, func() time.Time { return h.now }); err != nil {
				t.Error(err)
			}
		}
		if got := h.clients("1@agent.example"); len(got) != 0 || len(rules) != 0 {
			t.Errorf("untied, and tied again to %v; rules %+v", got, rules)
		}
		h.inbox(anna, mail{id: "4@agent.example", from: "agent@trade.example", to: anna, subject: "Четвёртое"})
		if got := h.clients("4@agent.example"); !slices.Equal(got, []int64{lutik}) {
			t.Errorf("without the rule the card decides, but it is tied to %v", got)
		}
	})
}

func TestOneLetterOnlyTeachesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		romashka := h.client("Ромашка", []string{ivan})
		out := mail{id: "o@teplodom.example", from: anna, to: "new@trade.example", subject: "Предложение"}
		h.sent(anna, out)
		if taught := h.byHand(out.id, ByHand{ClientID: romashka}); taught.Rule.ID != 0 {
			t.Errorf("taught %+v", taught)
		}
		// The answer of him to whom it went is in the client's thread now.
		h.inbox(anna, out.reply("a@trade.example", "new@trade.example", anna))
		if got := h.clients("a@trade.example"); !slices.Equal(got, []int64{romashka}) {
			t.Errorf("the answer is tied to %v", got)
		}
		events := h.events(out.id)
		if !slices.Contains(events, string(models.EventLetterLinked)) {
			t.Errorf("events %v", events)
		}
		if err := h.db.Tx(t.Context(), func(tx *store.Tx) error { return tx.Unlink(tx.Context(), h.letter(out.id).ID, "x") }); err != nil {
			t.Fatal(err)
		}
	})
}

func TestUnknownSendersAreProposedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, id := range []string{"1@n.example", "2@n.example"} {
			h.inbox(anna, mail{id: id, from: "maria@novaya.example", to: anna, subject: "Запрос " + id})
		}
		h.inbox(anna, mail{id: "3@n.example", from: "news@shop.example", to: anna, subject: "Скидки", extra: []string{"List-Id: <n.shop.example>", "Precedence: bulk"}})
		open, err := h.db.Read().Proposals(t.Context(), store.ProposalFilter{})
		h.must(err)
		if len(open) != 1 || open[0].Draft.Address != "maria@novaya.example" || open[0].Draft.Domain != "novaya.example" || open[0].LetterID != h.letter("1@n.example").ID {
			t.Errorf("proposals %+v", open)
		}
		p, err := h.db.Read().ProposalOf(t.Context(), h.letter("2@n.example").ID)
		h.must(err)
		if p.ID != open[0].ID {
			t.Errorf("of the second letter: %+v", p)
		}
	})
}
