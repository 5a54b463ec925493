package daemon

import (
	"context"
	"fmt"
	"slices"

	"kontrol/deals"
	"kontrol/inbound"
	"kontrol/models"
)

// subject is a stored letter as the linker wants to see it: of what it says only the subject is known.
func (w *work) subject(l models.Letter) deals.Subject {
	return deals.Subject{
		Letter: l, Own: w.set.Own.Has, OwnDomain: func(d string) bool { return w.set.Own.Domains[d] }, OwnINN: w.set.OwnINN,
		Tokens: deals.FindTokens(l.Subject),
	}
}

// subjectOf is a letter that is being taken in, as the linker wants to see it.
func (w *work) subjectOf(l models.Letter, f inbound.Facts) deals.Subject {
	s := w.subject(l)
	s.References, s.NewWords, s.Signature = newest(f), f.ReplyText, f.Signature
	s.INNs, s.KPPs, s.Phones = f.Named.INN, f.Named.KPP, f.Named.Phones
	s.Deals, s.Offers, s.Invoices = f.Named.Deals, f.Named.Offers, f.Named.Invoices
	s.Tokens = tokensOf(l, f)
	if w.set.Own.Has(l.FromAddress) {
		s.Inner.Name, s.Inner.Address = inbound.Forwarded(l.Subject, f.Text)
	}
	return s
}

// tokensOf returns what looks like our marks: in the subject and the text, quotes included, and in the newest Message-ID
// of ours that the letter names. An older one may be that of another deal.
func tokensOf(l models.Letter, f inbound.Facts) []deals.Token {
	all := append(deals.FindTokens(l.Subject), deals.FindTokens(f.Text)...)
	if t := deals.FindTokens(l.MessageID); len(t) > 0 {
		return append(all, t...)
	}
	for _, id := range slices.Backward(newest(f)) {
		if t := deals.FindTokens(id); len(t) > 0 {
			return append(all, t...)
		}
	}
	return all
}

// tokenSecret names the key of the marks in the store.
const tokenSecret = "deal-tokens"

// tokenKey returns the key of the marks. It is read when the first letter seems to hold one.
func (w *work) tokenKey(ctx context.Context) (deals.TokenKey, error) {
	if w.key == nil {
		key, err := w.tx.Secret(ctx, tokenSecret)
		if err != nil {
			return nil, err
		}
		w.key = key
	}
	return w.key, nil
}

// suggest stages what a person is to be asked about a letter, unless a letter before it has asked the same.
func (w *work) suggest(letter models.Letter, list []models.Proposal) {
	for _, p := range list {
		p.LetterID, p.CreatedAt = letter.ID, w.now
		if p.Key == "" {
			p.Key = fmt.Sprintf("%d/%d", letter.ID, *p.ClientID)
		}
		if key := (proposalKey{p.Kind, p.Key}); !w.staged.asked[key] {
			w.staged.asked[key] = true
			w.staged.proposed = append(w.staged.proposed, &p)
		}
	}
}

// proposalKey is what the store tells proposals apart by.
type proposalKey struct {
	kind models.ProposalKind
	key  string
}
