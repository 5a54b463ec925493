package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"kontrol/deals"
	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// ByHand is what a person decides about a letter.
type ByHand struct {
	LetterID int64
	ClientID int64  // 0: the letter is no client's
	DealID   *int64 // of the client; nil: the client only
	Teach    bool   // so it shall be for the other end's address from now on
	Actor    string // who decides
}

// Taught is what came of a decision by hand.
type Taught struct {
	Rule   models.LinkRule // zero when nothing was taught
	Others int             // further letters that are tied because of it
}

// LinkByHand carries out a person's decision about a letter: it wins over everything that Kontrol finds out by itself, for
// ever. Tying teaches one rule about the address at the other end, when asked to; untying takes back what tying this
// letter has taught. About the letter's conversation it is decided anew, as by Relink. It returns models.ErrNotFound when
// there is no such letter.
func LinkByHand(ctx context.Context, db *store.DB, set Settings, d ByHand, now func() time.Time) (Taught, error) {
	var out Taught
	in := NewIntake(db, set, func(...int64) {}, now, slog.New(slog.DiscardHandler))
	in.started = time.Time{} // as in Relink
	err := in.commit(ctx, &set, 0, 1, "tie a letter by hand", func(ctx context.Context, w *work) (err error) {
		out = Taught{} // the store may run this again
		letter, err := w.tx.Letter(ctx, d.LetterID)
		if err != nil {
			return err
		}
		w.letters[letter.ID] = true
		if d.ClientID == 0 {
			return w.untie(ctx, letter, d.Actor)
		}
		out.Rule, err = w.tieByHand(ctx, letter, d)
		return err
	})
	if err != nil || out.Rule.ID == 0 {
		return out, err
	}
	out.Others, err = Relink(ctx, db, set, d.ClientID, now)
	return out, err
}

func (w *work) untie(ctx context.Context, letter models.Letter, actor string) error {
	if err := w.tx.Unlink(ctx, letter.ID, actor); err != nil {
		return err
	}
	if err := w.tx.RemoveRulesOf(ctx, letter.ID, actor); err != nil {
		return err
	}
	key := fmt.Sprintf("untied/%d/%d", letter.ID, w.now.UnixMicro())
	w.event(models.EventLetterUnlinked, key, letter.ID, 0, models.Say("daemon.event.untied")).Actor = actor
	return nil
}

func (w *work) tieByHand(ctx context.Context, letter models.Letter, d ByHand) (models.LinkRule, error) {
	link, err := w.tx.LinkByHand(ctx, models.Link{
		LetterID: letter.ID, ClientID: d.ClientID, DealID: d.DealID, Actor: d.Actor, CreatedAt: w.now, Evidence: models.Say("deals.link.by_person"),
	})
	if err != nil {
		return models.LinkRule{}, err
	}
	e := w.event(models.EventLetterLinked, fmt.Sprintf("linked/%d/%d", letter.ID, link.ID), letter.ID, 0, link.Evidence)
	e.Actor, e.ClientID, e.DealID = d.Actor, &d.ClientID, d.DealID
	address := OtherEnd(letter, w.set.Own)
	if !d.Teach || address == "" {
		return models.LinkRule{}, nil
	}
	r := models.LinkRule{Address: address, ClientID: d.ClientID, DealID: d.DealID, LetterID: &letter.ID, Actor: d.Actor, CreatedAt: w.now}
	return r, w.tx.AddLinkRule(ctx, &r)
}

// OtherEnd returns the address outside with which a letter was exchanged: the sender, or who wants the answers when the
// sender is ours; the first recipient of a letter of ours. It is "" when there is none.
func OtherEnd(l models.Letter, own inbound.Own) string {
	list := slices.Concat([]string{l.FromAddress}, l.ReplyTo)
	if l.Direction == models.Outbound {
		list = slices.Concat(l.To, l.Cc)
	}
	for _, a := range list {
		if a != "" && !own.Has(a) {
			if e, ok := deals.NormalEmail(a); ok {
				return e
			}
			return a
		}
	}
	return ""
}

// DraftOf is what a stored letter tells about an unknown sender, when nothing was noted about him as it came. It reports
// false when nobody outside has written it.
func DraftOf(l models.Letter, set Settings) (models.ClientDraft, bool) {
	return deals.Draft(deals.Subject{
		Letter: l, Own: set.Own.Has, OwnDomain: func(d string) bool { return set.Own.Domains[d] }, OwnINN: set.OwnINN,
	})
}
