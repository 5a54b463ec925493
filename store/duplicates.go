package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"kontrol/models"
)

// DuplicateReason says by what clients seem to be one.
type DuplicateReason string

// The reasons for which clients seem to be one.
const (
	SameName   DuplicateReason = "name"   // names that differ only in case, quotes and legal form
	SameDomain DuplicateReason = "domain" // a corporate mail domain that several of them have or write from
	SamePhone  DuplicateReason = "phone"  // one phone, with and without an extension
)

// Duplicates are clients that seem to be one.
type Duplicates struct {
	Reason  DuplicateReason
	Value   string          // what they share
	Clients []models.Client // two or more, by ID, with Owner filled in
}

// FindDuplicates returns groups of clients that seem to be one company: by name, by corporate domain (shared says which
// domains belong to everybody, such as mail.ru), by phone. Clients with different INNs are different companies and never
// stand in one group; one without INN may stand beside several of them. The same INN, address or domain cannot be stored
// twice, see CreateClient.
func (q *Queries) FindDuplicates(ctx context.Context, shared func(domain string) bool) ([]Duplicates, error) {
	var all []models.Client
	if err := q.on(ctx).Where("forgotten_at IS NULL").Preload("Owner").Order("id").Find(&all).Error; err != nil {
		return nil, failed("read clients", err)
	}
	f := finder{byID: map[int64]models.Client{}, groups: map[groupKey]map[int64]bool{}}
	for _, c := range all {
		f.byID[c.ID] = c
		f.add(SameName, c.NameKey, c.ID)
	}
	var domains []models.ClientDomain
	if err := q.on(ctx).Find(&domains).Error; err != nil {
		return nil, failed("read domains", err)
	}
	for _, d := range domains {
		f.add(SameDomain, d.Domain, d.ClientID)
	}
	var points []models.ContactPoint
	if err := q.on(ctx).Preload("Contact").Find(&points).Error; err != nil {
		return nil, failed("read contact points", err)
	}
	for _, p := range points {
		switch domain := models.DomainOf(p.Value); {
		case p.Contact == nil:
		case p.Kind == models.PointPhone:
			number, _, _ := strings.Cut(p.Value, ";") // the extension
			f.add(SamePhone, number, p.Contact.ClientID)
		case domain != "" && !shared(domain):
			f.add(SameDomain, domain, p.Contact.ClientID)
		}
	}
	return f.found(), nil
}

type groupKey struct {
	reason DuplicateReason
	value  string
}

type finder struct {
	byID   map[int64]models.Client
	groups map[groupKey]map[int64]bool
}

func (f *finder) add(why DuplicateReason, value string, id int64) {
	if _, known := f.byID[id]; value == "" || !known {
		return
	}
	k := groupKey{why, value}
	if f.groups[k] == nil {
		f.groups[k] = map[int64]bool{}
	}
	f.groups[k][id] = true
}

// found makes the groups of clients that may be one.
func (f *finder) found() []Duplicates {
	var out []Duplicates
	for k, ids := range f.groups {
		if len(ids) < 2 {
			continue
		}
		d := Duplicates{Reason: k.reason, Value: k.value}
		inns := map[string]bool{}
		for id := range ids {
			d.Clients = append(d.Clients, f.byID[id])
			if inn := f.byID[id].INN; inn != nil {
				inns[*inn] = true
			}
		}
		if len(inns) == len(ids) {
			continue // each is a company of its own
		}
		slices.SortFunc(d.Clients, func(a, b models.Client) int { return cmp.Compare(a.ID, b.ID) })
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Duplicates) int {
		return cmp.Or(cmp.Compare(a.Clients[0].ID, b.Clients[0].ID), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Value, b.Value))
	})
	return out
}
