package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"kontrol/models"
	"kontrol/store"
)

// relinkBatch is how many letters are linked in one transaction.
const relinkBatch = 200

// Relink ties letters that are stored already to a client whose card has changed: those from and to its addresses and
// domains that no client is tied to. About their threads it decides anew, so letters may be planned to be filed; a running
// daemon hears of that through the job queue, and without one they are filed at the next start. It returns how many
// letters were tied. The text of such letters was not kept when they came and does not come back. Calling it again does
// nothing more; when it fails, what was done so far stays. It returns models.ErrNotFound when there is no such client.
func Relink(ctx context.Context, db *store.DB, set Settings, clientID int64, now func() time.Time) (n int, err error) {
	card, err := db.Read().Client(ctx, clientID)
	if err != nil {
		return 0, fmt.Errorf("link letters to client: %w", err)
	}
	addresses, domains := reach(card)
	rules, err := db.Read().LinkRules(ctx, clientID)
	if err != nil {
		return 0, fmt.Errorf("link letters to client: %w", err)
	}
	for _, r := range rules {
		addresses = append(addresses, r.Address)
	}
	in := NewIntake(db, set, func(...int64) {}, now, slog.New(slog.DiscardHandler))
	in.started = time.Time{} // moves that have failed are the daemon's to try again, at its next start
	for after := int64(0); ; {
		seen, tied, last := 0, 0, after
		err := in.commit(ctx, &set, 0, 1, "link letters to client", func(ctx context.Context, w *work) error {
			seen, tied = 0, 0 // the store may run this again
			letters, err := w.tx.LettersFrom(ctx, addresses, domains, after, relinkBatch)
			if err != nil || len(letters) == 0 {
				return err
			}
			tied, err = w.relink(ctx, letters)
			seen, last = len(letters), letters[len(letters)-1].ID
			return err
		})
		if err != nil {
			return n, err
		}
		n, after = n+tied, last
		if seen < relinkBatch {
			return n, nil
		}
	}
}

// reach returns the addresses and the domains of a client.
func reach(card store.ClientCard) (addresses, domains []string) {
	for _, c := range card.Contacts {
		for _, p := range c.Points {
			if p.Kind == models.PointEmail {
				addresses = append(addresses, p.Value)
			}
		}
	}
	for _, d := range card.Domains {
		domains = append(domains, d.Domain)
	}
	return addresses, domains
}

// relink ties letters without a client to theirs, and returns how many were tied.
func (w *work) relink(ctx context.Context, letters []models.Letter) (int, error) {
	threads := make([]int64, 0, len(letters))
	for _, l := range letters {
		threads = append(threads, l.ThreadID)
	}
	if err := w.dir.loadThreads(ctx, threads); err != nil {
		return 0, err
	}
	if err := w.dir.foresee(ctx, letters); err != nil {
		return 0, err
	}
	n := 0
	for _, l := range letters {
		found, err := w.linker.Link(ctx, w.subject(l)) // what it says was not kept
		if err != nil {
			return 0, err
		}
		if len(found.Links) == 0 {
			continue
		}
		w.dir.joined(l, w.tie(l, found.Links))
		w.letters[l.ID] = true
		n++
	}
	return n, nil
}
