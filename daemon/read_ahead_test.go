package daemon

import (
	"context"
	"testing"

	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store/storetest"
)

// Letters are understood before it is their turn. When the settings change meanwhile, the new ones count.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	storetest.EachMigrated(t, func(t *testing.T, url string) {
		h := newHouse(t, url)
		before := h.set
		before.Own = inbound.NewOwn(nil, []string{"client.example"})
		for id, set := range map[string]Settings{"same@client.example": h.set, "changed@client.example": before} {
			a := h.batch(anna, models.FolderInbox, mail{id: id, from: "p@client.example", to: anna, subject: id, at: day})
			h.in.SetSettings(set)
			a.Read = h.in.Read(a.Letters)
			if set.Own.Domains["client.example"] {
				h.in.SetSettings(h.set)
			}
			h.must(h.in.Arrived(context.Background(), a))
			if got := h.letter(id).Direction; got != models.Inbound {
				t.Errorf("%s: direction %q, want %q", id, got, models.Inbound)
			}
		}
	})
}
