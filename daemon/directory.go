package daemon

import (
	"context"
	"slices"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

// directory shows the store to the linker.
type directory struct{ q *store.Queries }

var _ deals.Directory = directory{}

// ByAddresses finds contacts by normalised address.
func (d directory) ByAddresses(ctx context.Context, addresses []string) (map[string]deals.Match, error) {
	points, err := d.q.ClientsByAddresses(ctx, addresses)
	if err != nil {
		return nil, err
	}
	out := make(map[string]deals.Match, len(points))
	for a, p := range points {
		m := deals.Match{ContactID: p.ContactID}
		if p.Contact != nil {
			m.ClientID = p.Contact.ClientID
			if p.Contact.Client != nil {
				m.ClientName = p.Contact.Client.Name
			}
		}
		out[a] = m
	}
	return out, nil
}

// ByDomains finds clients by corporate domain.
func (d directory) ByDomains(ctx context.Context, domains []string) (map[string]deals.Match, error) {
	owners, err := d.q.ClientsByDomains(ctx, domains)
	if err != nil {
		return nil, err
	}
	out := make(map[string]deals.Match, len(owners))
	for name, o := range owners {
		m := deals.Match{ClientID: o.ClientID}
		if o.Client != nil {
			m.ClientName = o.Client.Name
		}
		out[name] = m
	}
	return out, nil
}

// OpenDeals returns a client's deals that are neither won nor lost.
func (d directory) OpenDeals(ctx context.Context, clientID int64) ([]models.Deal, error) {
	return d.q.OpenDeals(ctx, clientID)
}

// ThreadLinks returns the current links of a thread's letters.
func (d directory) ThreadLinks(ctx context.Context, threadID int64) ([]models.Link, error) {
	return d.q.ThreadLinks(ctx, threadID)
}

// Participants returns who takes part in a thread on a client's side, going by the letters of people tied to that client.
func (d directory) Participants(ctx context.Context, threadID, clientID int64) ([]string, error) {
	links, err := d.q.ThreadLinks(ctx, threadID)
	if err != nil {
		return nil, err
	}
	tied := map[int64]bool{}
	for _, l := range links {
		if l.ClientID == clientID {
			tied[l.LetterID] = true
		}
	}
	letters, err := d.q.ThreadLetters(ctx, threadID)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, l := range letters {
		if tied[l.ID] && l.Class == models.ClassPerson {
			list = append(slices.Concat(list, l.ReplyTo, l.To, l.Cc), l.FromAddress)
		}
	}
	return list, nil
}
