package daemon

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestRelink(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var fromDomain []mail
		for i := range 210 {
			fromDomain = append(fromDomain, mail{id: fmt.Sprintf("d%d@lutik.example", i), from: fmt.Sprintf("p%d@lutik.example", i), to: anna, subject: "Вопрос"})
		}
		for part := range slices.Chunk(fromDomain, 50) {
			h.inbox(anna, part...)
		}
		out := mail{id: "out@teplodom.example", from: anna, to: ivan, subject: "Предложение"}
		h.inbox(anna, request)
		h.sent(anna, out, request.reply("a@teplodom.example", anna, "snab@romashka.example"))
		h.wantFilings(request.id, "planned anna/inbox→processed") // the same company, going by the domain
		h.inbox(anna, mail{id: "x@x.example", from: "x@x.example", to: anna, subject: "Чужое"})
		free := mail{id: "1@mail.ru", from: "romashka@mail.ru", to: anna, subject: "С личной почты"}
		h.inbox(anna, free)
		h.sent(anna, free.reply("f@teplodom.example", anna, ivan))
		h.wantFilings(free.id)
		romashka := h.client("Ромашка", []string{ivan, "romashka@mail.ru"})
		lutik := h.client("Лютик", nil, "lutik.example")
		relink := func(id int64) int {
			t.Helper()
			n, err := Relink(t.Context(), h.db, h.set, id, func() time.Time { return h.now })
			h.must(err)
			return n
		}
		if n := relink(romashka); n != 4 {
			t.Errorf("%d letters of Ромашка", n)
		}
		if n := relink(lutik); n != 210 {
			t.Errorf("%d letters of Лютик", n)
		}
		for _, id := range []string{request.id, out.id, free.id} {
			if got := h.clients(id); !slices.Equal(got, []int64{romashka}) {
				t.Errorf("%s is tied to %v", id, got)
			}
		}
		h.wantFilings(free.id, "planned anna/inbox→processed") // the answer went to the client's other address
		if got := h.clients("x@x.example"); len(got) != 0 {
			t.Errorf("a stranger is tied to %v", got)
		}
		events := func() int {
			list, err := h.db.Read().EventsAfter(t.Context(), 0, 10000)
			h.must(err)
			return len(list)
		}
		before := events()
		if n := relink(romashka) + relink(lutik); n != 0 || events() != before {
			t.Errorf("again: %d letters, %d events", n, events()-before)
		}
		if _, err := Relink(t.Context(), h.db, h.set, 99, time.Now); err == nil {
			t.Error("no client 99")
		}
	})
}
