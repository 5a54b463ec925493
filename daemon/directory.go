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
	domains   map[string]*deals.Match
	names     map[int64]string // of the clients that were met
	deals     map[int64][]models.Deal
	threads   map[int64]*threadCard
}

// threadCard is what the linker wants to know about a thread. It does not grow with the thread, but with who takes part
// in it. Of the letters that are stored only the last ties are there, and who took part is asked for when it matters.
type threadCard struct {
	stored  []int64 // the thread in the store; none when this transaction has begun it
	links   []models.Link
	members map[int64][]string // by client, of the letters of this transaction
	read    map[int64][]string // by client, of the letters in the store
}

func newThreadCard(stored ...int64) *threadCard {
	return &threadCard{stored: stored, members: map[int64][]string{}, read: map[int64][]string{}}
}

var _ deals.Directory = (*directory)(nil)

func newDirectory(q *store.Queries) *directory {
	return &directory{
		q: q, addresses: map[string]*deals.Match{}, domains: map[string]*deals.Match{}, names: map[int64]string{}, deals: map[int64][]models.Deal{},
		threads: map[int64]*threadCard{},
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

// loadDeals reads the open deals of all clients that were met.
func (d *directory) loadDeals(ctx context.Context) error {
	var missing []int64
	for id := range d.names {
		if _, ok := d.deals[id]; !ok {
			missing = append(missing, id)
		}
	}
	open, err := d.q.OpenDealsOf(ctx, missing)
	for _, id := range missing {
		d.deals[id] = open[id]
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

// ByAddresses finds contacts by normalised address.
func (d *directory) ByAddresses(ctx context.Context, addresses []string) (map[string]deals.Match, error) {
	return recall(d.addresses, addresses, func(missing []string) (map[string]deals.Match, error) {
		owners, err := d.q.AddressOwners(ctx, missing)
		return d.matches(owners), err
	})
}

// matches tells the linker to whom addresses or domains belong.
func (d *directory) matches(owners map[string]store.Owner) map[string]deals.Match {
	out := make(map[string]deals.Match, len(owners))
	for key, o := range owners {
		out[key] = deals.Match{ContactID: o.ContactID, ClientID: o.ClientID, ClientName: o.ClientName}
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

// loadThreads reads the threads that are not known yet.
func (d *directory) loadThreads(ctx context.Context, ids []int64) error {
	var missing []int64
	for _, id := range ids {
		if d.threads[id] == nil {
			missing = append(missing, id)
			d.threads[id] = newThreadCard(id)
		}
	}
	ties, err := d.q.TiesOfThreads(ctx, missing)
	if err != nil {
		return err
	}
	for id, links := range ties {
		d.threads[id].links = links
		for _, l := range links {
			d.names[l.ClientID] = l.Client.Name
		}
	}
	return nil
}

// began notes a thread that the transaction has made.
func (d *directory) began(threadID int64) { d.threads[threadID] = newThreadCard() }

// joined notes a letter that the transaction has put into a thread, and its links.
func (d *directory) joined(l models.Letter, links []models.Link) {
	t := d.threads[l.ThreadID]
	if t == nil {
		return
	}
	t.links = append(t.links, links...)
	if l.Class != models.ClassPerson {
		return
	}
	for _, k := range links {
		list := append(t.members[k.ClientID], l.FromAddress)
		t.members[k.ClientID] = unique(append(append(append(list, l.ReplyTo...), l.To...), l.Cc...))
	}
}

// unique removes doubles.
func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// merged notes that one thread was emptied into another.
func (d *directory) merged(into, from int64) {
	a, b := d.threads[into], d.threads[from]
	delete(d.threads, from)
	if a == nil || b == nil { // both are loaded with the index, or were begun here
		return
	}
	if len(b.stored) > 0 { // the store has moved their letters
		clear(a.read)
	}
	a.links = append(a.links, b.links...)
	for client, list := range b.members {
		a.members[client] = unique(append(a.members[client], list...))
	}
}

// ThreadLinks returns the current links that tell whose a thread is.
func (d *directory) ThreadLinks(ctx context.Context, threadID int64) ([]models.Link, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return nil, err
	}
	return d.threads[threadID].links, nil
}

// Participants returns who takes part in a thread on a client's side, going by the letters of people tied to that client.
func (d *directory) Participants(ctx context.Context, threadID, clientID int64) ([]string, error) {
	if err := d.loadThreads(ctx, []int64{threadID}); err != nil {
		return nil, err
	}
	t := d.threads[threadID]
	if _, ok := t.read[clientID]; !ok {
		t.read[clientID] = nil
		for _, id := range t.stored {
			list, err := d.q.ThreadMembers(ctx, id, clientID)
			if err != nil {
				return nil, err
			}
			t.read[clientID] = unique(list)
		}
	}
	return slices.Concat(t.read[clientID], t.members[clientID]), nil
}
