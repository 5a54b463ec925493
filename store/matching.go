package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// What the matcher of letters asks for. What it asks for each letter comes for a whole batch; the rest is asked for few
// letters: those that name something, and those of clients with several open deals.

// Owner is the client that something belongs to.
type Owner struct {
	ContactID  int64 // zero for a domain, an INN or a rule
	ClientID   int64
	ClientName string
	RuleID     int64  // of the rule that a person has taught; zero when there is none
	DealID     *int64 // of the rule
}

// AddressOwners returns to whom the normalised addresses belong, by address: as addresses of contacts, and by what people
// have taught. In an address of Gmail dots do not count, and googlemail.com is gmail.com.
func (q *Queries) AddressOwners(ctx context.Context, addresses []string) (contacts, taught map[string]Owner, err error) {
	contacts, taught = make(map[string]Owner), make(map[string]Owner)
	addresses = storableAll(addresses)
	set, err := values(q, addresses)
	if err != nil || len(addresses) == 0 {
		return contacts, taught, failed("read clients by address", err)
	}
	err = q.each(ctx, "read clients by address", `SELECT contact_points.value, contacts.id, clients.id, clients.name, 0, NULL FROM contact_points
		JOIN contacts ON contacts.id = contact_points.contact_id JOIN clients ON clients.id = contacts.client_id
		WHERE contact_points.kind = 'email' AND contact_points.value IN (?)
		UNION ALL SELECT link_rules.address, 0, clients.id, clients.name, link_rules.id, link_rules.deal_id FROM link_rules
		JOIN clients ON clients.id = link_rules.client_id WHERE link_rules.removed_at IS NULL AND link_rules.address IN (?)`,
		func(r *sql.Rows) error {
			var key string
			var o Owner
			err := r.Scan(&key, &o.ContactID, &o.ClientID, &o.ClientName, &o.RuleID, &o.DealID)
			if o.RuleID != 0 {
				taught[key] = o
			} else {
				contacts[key] = o
			}
			return err
		}, set, set)
	if err != nil {
		return nil, nil, err
	}
	return contacts, taught, q.gmailOwners(ctx, addresses, contacts)
}

// gmailOwners completes what was found with contacts whose address is spelt with other dots.
func (q *Queries) gmailOwners(ctx context.Context, addresses []string, found map[string]Owner) error {
	asked := make(map[string][]string) // by the spelling without dots
	for _, a := range addresses {
		local, isGmail := strings.CutSuffix(a, "@gmail.com")
		if !isGmail {
			local, isGmail = strings.CutSuffix(a, "@googlemail.com")
		}
		if _, known := found[a]; !isGmail || known {
			continue
		}
		local = strings.ReplaceAll(local, ".", "")
		for _, key := range []string{local + "@gmailcom", local + "@googlemailcom"} {
			asked[key] = append(asked[key], a)
		}
	}
	keys := make([]string, 0, len(asked))
	for k := range asked {
		keys = append(keys, k)
	}
	return readSet(ctx, q, "read clients by gmail address", `SELECT replace(contact_points.value, '.', ''), contacts.id, clients.id, clients.name
		FROM contact_points JOIN contacts ON contacts.id = contact_points.contact_id JOIN clients ON clients.id = contacts.client_id
		WHERE contact_points.kind = 'email' AND replace(contact_points.value, '.', '') IN (?) ORDER BY contact_points.id DESC`, keys,
		func(r *sql.Rows) error {
			var key string
			var o Owner
			err := r.Scan(&key, &o.ContactID, &o.ClientID, &o.ClientName)
			for _, a := range asked[key] {
				found[a] = o
			}
			return err
		})
}

// DomainOwners returns to whom the corporate domains (lower case, A-labels) belong, by domain. Subdomains are not looked
// for.
func (q *Queries) DomainOwners(ctx context.Context, domains []string) (map[string]Owner, error) {
	return q.owners(ctx, "read clients by domain", `SELECT client_domains.domain, 0, clients.id, clients.name FROM client_domains
		JOIN clients ON clients.id = client_domains.client_id WHERE client_domains.domain IN (?)`, domains)
}

// INNOwners returns to whom the INNs belong, by INN.
func (q *Queries) INNOwners(ctx context.Context, inns []string) (map[string]Owner, error) {
	return q.owners(ctx, "read clients by inn", "SELECT inn, 0, id, name FROM clients WHERE inn IN (?)", inns)
}

// PhoneOwners returns to whom the phones (E.164) belong, by phone.
func (q *Queries) PhoneOwners(ctx context.Context, phones []string) (map[string]Owner, error) {
	return q.owners(ctx, "read clients by phone", `SELECT contact_points.value, contacts.id, clients.id, clients.name FROM contact_points
		JOIN contacts ON contacts.id = contact_points.contact_id JOIN clients ON clients.id = contacts.client_id
		WHERE contact_points.kind = 'phone' AND contact_points.value IN (?)`, phones)
}

func (q *Queries) owners(ctx context.Context, doing, text string, keys []string) (map[string]Owner, error) {
	out := make(map[string]Owner)
	err := readSet(ctx, q, doing, text, storableAll(keys), func(r *sql.Rows) error {
		var key string
		var o Owner
		err := r.Scan(&key, &o.ContactID, &o.ClientID, &o.ClientName)
		out[key] = o
		return err
	})
	return out, err
}

// DealsByNumbers returns the deals with the numbers that people call them by, with Client filled in, by number.
func (q *Queries) DealsByNumbers(ctx context.Context, numbers []int64) (map[int64]models.Deal, error) {
	rows, err := findIn[models.Deal](q.on(ctx), "number", numbers, func(g *gorm.DB) *gorm.DB { return g.Preload("Client") })
	out := make(map[int64]models.Deal, len(rows))
	for _, d := range rows {
		out[d.Number] = d
	}
	return out, failed("read deals by number", err)
}

// LastClosedDeals returns ID, ClientID, Number and Title of the newest deal of each client that is won or lost, by client.
// Clients without one are missing.
func (q *Queries) LastClosedDeals(ctx context.Context, clientIDs []int64) (map[int64]models.Deal, error) {
	out := make(map[int64]models.Deal)
	err := readSet(ctx, q, "read closed deals", `SELECT id, client_id, number, title FROM deals WHERE client_id IN (?) AND closed_at IS NOT NULL
		ORDER BY number`, clientIDs, func(r *sql.Rows) error {
		var d models.Deal
		err := r.Scan(&d.ID, &d.ClientID, &d.Number, &d.Title)
		out[d.ClientID] = d
		return err
	})
	return out, err
}

// The letters of a deal whose subjects DealSubjects returns at most.
const mostSubjects = 200

// DealSubjects returns the subjects of the newest letters that are tied to each of the deals, by deal.
func (q *Queries) DealSubjects(ctx context.Context, dealIDs []int64) (map[int64][]string, error) {
	out := make(map[int64][]string)
	for _, id := range dealIDs {
		err := q.each(ctx, "read subjects of deal", `SELECT DISTINCT newest.subject FROM (SELECT letters.subject AS subject FROM links
			JOIN letters ON letters.id = links.letter_id WHERE links.deal_id = ? AND links.superseded_at IS NULL
			ORDER BY links.id DESC LIMIT ?) AS newest ORDER BY newest.subject`, func(r *sql.Rows) error {
			var subject string
			err := r.Scan(&subject)
			out[id] = append(out[id], subject)
			return err
		}, id, mostSubjects)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// LastSentDeal returns the deal of the newest letter that a person has sent from one of the addresses to the client within
// the time, and is tied to a deal; nil when there is none.
func (q *Queries) LastSentDeal(ctx context.Context, clientID int64, from []string, since, until time.Time) (*int64, error) {
	var deal *int64
	err := readSet(ctx, q, "read last letter to client", `SELECT links.deal_id FROM letters JOIN links ON links.letter_id = letters.id
		AND links.superseded_at IS NULL WHERE letters.from_address IN (?) AND links.client_id = ? AND letters.direction = ? AND letters.class = ?
		AND letters.arrived_at >= ? AND letters.arrived_at <= ? AND links.deal_id IS NOT NULL
		ORDER BY letters.arrived_at DESC, letters.id DESC LIMIT 1`, storableAll(from),
		func(r *sql.Rows) error { return r.Scan(&deal) },
		clientID, string(models.Outbound), string(models.ClassPerson), instant(since), instant(until))
	return deal, err
}

// ThreadHeads returns ID, BaseSubject and LastAt of the threads, by id.
func (q *Queries) ThreadHeads(ctx context.Context, ids []int64) (map[int64]models.Thread, error) {
	out := make(map[int64]models.Thread)
	err := readSet(ctx, q, "read threads", "SELECT id, base_subject, last_at FROM threads WHERE id IN (?)", ids, func(r *sql.Rows) error {
		var t models.Thread
		err := r.Scan(&t.ID, &t.BaseSubject, &t.LastAt)
		out[t.ID] = t
		return err
	})
	return out, err
}

// SubjectInThread reports whether a letter of the thread other than the given one has the base subject.
func (q *Queries) SubjectInThread(ctx context.Context, threadID int64, baseSubject string, except int64) (bool, error) {
	found := false
	err := q.each(ctx, "read subjects of thread", "SELECT 1 FROM letters WHERE thread_id = ? AND base_subject = ? AND id <> ? LIMIT 1",
		func(*sql.Rows) error { found = true; return nil }, threadID, storable(baseSubject), except)
	return found, err
}

// DealsOfMessages returns the deals to which the client's letters with the Message-IDs are tied within the thread, by
// Message-ID.
func (q *Queries) DealsOfMessages(ctx context.Context, threadID, clientID int64, messageIDs []string) (map[string]int64, error) {
	out := make(map[string]int64)
	err := readSet(ctx, q, "read deals of letters", `SELECT letters.message_id, links.deal_id FROM letters JOIN links ON links.letter_id = letters.id
		AND links.superseded_at IS NULL WHERE letters.message_id IN (?) AND letters.thread_id = ? AND links.client_id = ?
		AND links.deal_id IS NOT NULL ORDER BY links.id`, storableAll(messageIDs), func(r *sql.Rows) error {
		var id string
		var deal int64
		err := r.Scan(&id, &deal)
		out[id] = deal
		return err
	}, threadID, clientID)
	return out, err
}

// PersonsLink reports whether a person has tied the letter, or has ended a link of it: then it is his decision.
func (q *Queries) PersonsLink(ctx context.Context, letterID int64) (bool, error) {
	found := false
	err := q.each(ctx, "read links of letter", "SELECT 1 FROM links WHERE letter_id = ? AND (ended_by IS NOT NULL OR method = ? AND superseded_at IS NULL) LIMIT 1",
		func(*sql.Rows) error { found = true; return nil }, letterID, string(models.LinkManual))
	return found, err
}
