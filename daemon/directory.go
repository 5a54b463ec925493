package daemon

import (
	"context"
	"slices"
	"strings"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

// directory shows the store to the linker. It lives as long as one transaction and remembers what it has read, so that a
// batch of letters costs a few queries and not a few for each letter.
type directory struct {
	q         *store.Queries
	addresses map[string]*deals.Match // nil: nobody has it
	taught    map[string]*deals.Match
	domains   map[string]*deals.Match
	inns      map[string]*deals.Match
	phones    map[string]*deals.Match
	names     map[int64]string // of the clients that were met
	deals     map[int64][]models.Deal
	closed    map[int64]*models.Deal // the last one of clients without an open one
	threads   map[int64]*threadCard
}

// threadCard is what the linker wants to know about a thread. It does not grow with the thread, but with who takes part
// in it. Of the letters that are stored only the last ties are there, and who took part is asked for when it matters.
type threadCard struct {
	stored  []int64 // the thread in the store; none when this transaction has begun it
	links   []models.Link
	head    models.Thread      // of the letters in the store; zero when there are none, or none of them is tied
	members map[int64][]string // by client, of the letters of this transaction
	added   []models.Letter    // of this transaction, with what little matters here
	read    map[int64][]string // by client, of the letters in the store
}

func newThreadCard(stored ...int64) *threadCard {
	return &threadCard{stored: stored, members: map[int64][]string{}, read: map[int64][]string{}}
}

var _ deals.Directory = (*directory)(nil)

func newDirectory(q *store.Queries) *directory {
	return &directory{
		q: q, addresses: map[string]*deals.Match{}, taught: map[string]*deals.Match{}, domains: map[string]*deals.Match{},
		inns: map[string]*deals.Match{}, phones: map[string]*deals.Match{}, names: map[int64]string{}, deals: map[int64][]models.Deal{},
		closed: map[int64]*models.Deal{}, threads: map[int64]*threadCard{},
	}
}

// foresee reads at once what the linker will ask about the letters. What it misses is read when it is asked for.
func (d *directory) foresee(ctx context.Context, letters []models.Letter) error {
	var addresses, domains []string
	for _, l := range letters {
		for _, a := range slices.Concat([]string{l.FromAddress}, l.ReplyTo, l.To, l.Cc) {
			addresses = append(addresses, models.NormalAddress(a))
			if n, ok := deals.NormalEmail(a); ok {
				a = n
				addresses = append(addresses, n)
			}
			for name := models.DomainOf(a); strings.Contains(name, "."); _, name, _ = strings.Cut(name, ".") {
				domains = append(domains, name)
			}
		}
	}
	if _, err := d.ByAddresses(ctx, addresses); err != nil {
		return err
	}
	if _, err := d.ByDomains(ctx, domains); err != nil {
		return err
	}
	return d.loadDeals(ctx)
}

// loadDeals reads the open deals of all clients that were met, and of those who have none the last closed one.
func (d *directory) loadDeals(ctx context.Context) error {
	var missing, without []int64
	for id := range d.names {
		if _, ok := d.deals[id]; !ok {
			missing = append(missing, id)
		}
	}
	open, err := d.q.OpenDealsOf(ctx, missing)
	if err != nil {
		return err
	}
	for _, id := range missing {
		d.deals[id] = open[id]
		if len(open[id]) == 0 {
			without = append(without, id)
		}
	}
	return d.loadClosed(ctx, without)
}

func (d *directory) loadClosed(ctx context.Context, clients []int64) error {
	found, err := d.q.LastClosedDeals(ctx, clients)
	for _, id := range clients {
		d.closed[id] = nil
		if last, ok := found[id]; ok {
			d.closed[id] = &last
		}
	}
	return err
}

// recall answers from what is remembered and asks for the rest.
func recall(known map[string]*deals.Match, asked []string, read func([]string) (map[string]deals.Match, error)) (map[string]deals.Match, error) {
	var missing []string
	for _, a := range asked {
		if _, ok := known[a]; !ok {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		found, err := read(missing)
		if err != nil {
			return nil, err
		}
		for _, a := range missing {
			known[a] = nil
			if m, ok := found[a]; ok {
				known[a] = &m
			}
		}
	}
	out := make(map[string]deals.Match)
	for _, a := range asked {
		if m := known[a]; m != nil {
			out[a] = *m
		}
	}
	return out, nil
}

// ByAddresses finds contacts by normalised address, and remembers what was taught about the addresses.
func (d *directory) ByAddresses(ctx context.Context, addresses []string) (map[string]deals.Match, error) {
	return recall(d.addresses, addresses, func(missing []string) (map[string]deals.Match, error) {
		owners, taught, err := d.q.AddressOwners(ctx, missing)
		for _, a := range missing {
			d.taught[a] = nil
		}
		for a, m := range d.matches(taught) {
			d.taught[a] = &m
		}
		return d.matches(owners), err
	})
}

// ByRules finds what people have taught about addresses.
func (d *directory) ByRules(ctx context.Context, addresses []string) (map[string]deals.Match, error) {
	if _, err := d.ByAddresses(ctx, addresses); err != nil {
		return nil, err
	}
	return recall(d.taught, addresses, func([]string) (map[string]deals.Match, error) { return nil, nil })
}

// ByINNs finds clients by INN.
func (d *directory) ByINNs(ctx context.Context, inns []string) (map[string]deals.Match, error) {
	return recall(d.inns, inns, func(missing []string) (map[string]deals.Match, error) {
		owners, err := d.q.INNOwners(ctx, missing)
		return d.matches(owners), err
	})
}

// ByPhones finds clients by the phones of their contacts.
func (d *directory) ByPhones(ctx context.Context, phones []string) (map[string]deals.Match, error) {
	return recall(d.phones, phones, func(missing []string) (map[string]deals.Match, error) {
		owners, err := d.q.PhoneOwners(ctx, missing)
		return d.matches(owners), err
	})
}

// matches tells the linker to whom addresses or domains belong.
func (d *directory) matches(owners map[string]store.Owner) map[string]deals.Match {
	out := make(map[string]deals.Match, len(owners))
	for key, o := range owners {
		out[key] = deals.Match{ContactID: o.ContactID, ClientID: o.ClientID, ClientName: o.ClientName, DealID: o.DealID}
		d.names[o.ClientID] = o.ClientName
	}
	return out
}

// ByDomains finds clients by corporate domain.
func (d *directory) ByDomains(ctx context.Context, domains []string) (map[string]deals.Match, error) {
	return recall(d.domains, domains, func(missing []string) (map[string]deals.Match, error) {
		owners, err := d.q.DomainOwners(ctx, missing)
		return d.matches(owners), err
	})
}

// client returns a client by what is known of it: ID and Name. Nil when it was never met.
func (d *directory) client(id int64) *models.Client {
	name, ok := d.names[id]
	if !ok {
		return nil
	}
	return &models.Client{ID: id, Name: name}
}

// OpenDeals returns a client's deals that are neither won nor lost.
func (d *directory) OpenDeals(ctx context.Context, clientID int64) ([]models.Deal, error) {
	if list, ok := d.deals[clientID]; ok {
		return list, nil
	}
	list, err := d.q.OpenDeals(ctx, clientID)
	if err == nil {
		d.deals[clientID] = list
	}
	return list, err
}
