package daemon

import (
	"testing"
	"time"

	"kontrol/models"
)

// An answer of today files a letter however old it is, and a letter does not grow too old by lying in the inbox.
func TestOldLetterAnsweredToday(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		old := mail{id: "o@romashka.example", from: ivan, to: anna, subject: "Старое", at: day.AddDate(0, 0, -90)}
		young := mail{id: "y@romashka.example", from: ivan, to: anna, subject: "Недавнее", at: day.AddDate(0, 0, -29)}
		a := h.batch(anna, models.FolderInbox, old, young)
		a.FirstLook = true
		h.must(h.in.Arrived(t.Context(), a))
		h.wantFilings(old.id)
		h.wantFilings(young.id)
		h.now = h.now.Add(5 * 24 * time.Hour)
		today := old.reply("ao@teplodom.example", anna, ivan)
		today.at = h.now
		h.sent(anna, today)
		h.wantFilings(old.id, "planned anna/inbox→processed")
		later := young.reply("ay@teplodom.example", anna, ivan)
		later.at = h.now
		h.sent(anna, later)
		h.wantFilings(young.id, "planned anna/inbox→processed")
	})
}
