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
	deals     map[int64][]models.Deal
	threads   map[int64]*threadCard
}

// threadCard is what the linker wants to know about a thread.
type threadCard struct {
	letters []models.Letter
	links   []models.Link
}

var _ deals.Directory = (*directory)(nil)

func newDirectory(q *store.Queries) *directory {
	return &directory{
		q: q, addresses: map[string]*deals.Match{}, domains: map[string]*deals.Match{}, deals: map[int64][]models.Deal{},
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
	_, err := d.ByDomains(ctx, domains)
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
		points, err := d.q.ClientsByAddresses(ctx, missing)
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
	})
}

// ByDomains finds clients by corporate domain.
func (d *directory) ByDomains(ctx context.Context, domains []string) (map[string]deals.Match, error) {
	return recall(d.domains, domains, func(missing []string) (map[string]deals.Match, error) {
		owners, err := d.q.ClientsByDomains(ctx, missing)
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
	})
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
	var missing, letterIDs []int64
	for _, id := range ids {
		if d.threads[id] == nil {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	letters, err := d.q.LettersOfThreads(ctx, missing)
	if err != nil {
		return err
	}
	threadOf := map[int64]int64{}
	for _, id := range missing {
		d.threads[id] = &threadCard{letters: letters[id]}
		for _, l := range letters[id] {
			letterIDs = append(letterIDs, l.ID)
			threadOf[l.ID] = id
		}
	}
	links, err := d.q.CurrentLinks(ctx, letterIDs)
	if err != nil {
		return err
	}
	for _, k := range links {
		t := d.threads[threadOf[k.LetterID]]
		t.links = append(t.links, k)
	}
	return nil
}

// began notes a thread that the transaction has made.
func (d *directory) began(threadID int64) { d.threads[threadID] = &threadCard{} }

// joined notes a letter that the transaction has put into a thread, and its links.
func (d *directory) joined(l models.Letter, links []models.Link) {
	if t := d.threads[l.ThreadID]; t != nil {
		l.Text = ""
		t.letters = append(t.letters, l)
		t.links = append(t.links, links...)
	}
}

// tied notes links of a letter that was in its thread already.
func (d *directory) tied(threadID int64, links []models.Link) {
	if t := d.threads[threadID]; t != nil {
		t.links = append(t.links, links...)
	}
}

// merged notes that one thread was emptied into another.
func (d *directory) merged(into, from int64) {
	a, b := d.threads[into], d.threads[from]
	delete(d.threads, from)
	if a == nil || b == nil {
		delete(d.threads, into) // read again when it is asked for
		return
	}
	a.letters, a.links = append(a.letters, b.letters...), append(a.links, b.links...)
}

// ThreadLinks returns the current links of a thread's letters.
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
	tied := map[int64]bool{}
	for _, l := range d.threads[threadID].links {
		if l.ClientID == clientID {
			tied[l.LetterID] = true
		}
	}
	var list []string
	for _, l := range d.threads[threadID].letters {
		if tied[l.ID] && l.Class == models.ClassPerson {
			list = append(list, l.FromAddress)
			list = append(append(append(list, l.ReplyTo...), l.To...), l.Cc...)
		}
	}
	return list, nil
}
