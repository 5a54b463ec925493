package daemon

import (
	"context"
	"slices"
	"time"

	"kontrol/inbound"
	"kontrol/models"
)

// strip takes the words out of letters from and to clients whose personal data was destroyed, if they are from before that:
// the copies still lie on the server and come again with a new UIDVALIDITY, a restored mailbox, another folder. What stays
// is what is needed to know the copy. A letter that was written later begins something new and is taken in like any other.
func (w *work) strip(ctx context.Context, list []reading) error {
	var values []string
	for _, r := range list {
		if r.err == nil {
			values = append(values, w.outsiders(r.facts.Letter)...)
		}
	}
	slices.Sort(values)
	since, err := w.tx.ForgottenSince(ctx, slices.Compact(values))
	if err != nil || len(since) == 0 {
		return err
	}
	for i, r := range list {
		if r.err == nil && w.isForgotten(r.facts.Letter, since) {
			list[i].facts = wordless(r.facts)
		}
	}
	return nil
}

// outsiders returns the addresses of a letter that are not ours, and their domains.
func (w *work) outsiders(l models.Letter) []string {
	var out []string
	for _, a := range slices.Concat([]string{l.FromAddress}, l.ReplyTo, l.To, l.Cc) {
		if a != "" && !w.set.Own.Has(a) {
			out = append(out, a, models.DomainOf(a))
		}
	}
	return out
}

func (w *work) isForgotten(l models.Letter, since map[string]time.Time) bool {
	written := l.ArrivedAt
	if l.Date != nil && (written.IsZero() || l.Date.Before(written)) {
		written = *l.Date // a copy that was put back is as new as its upload, but its letter is not
	}
	return slices.ContainsFunc(w.outsiders(l), func(v string) bool {
		at, ok := since[v]
		return ok && !written.After(at)
	})
}

// wordless leaves of a letter what says nothing about anybody.
func wordless(f inbound.Facts) inbound.Facts {
	l := f.Letter
	return inbound.Facts{Letter: models.Letter{
		Fingerprint: l.Fingerprint, Direction: l.Direction, Class: l.Class, ArrivedAt: l.ArrivedAt, Size: l.Size,
	}}
}
