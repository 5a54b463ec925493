package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"kontrol/models"
	"kontrol/names"
)

// ContactCard is a contact with how to reach it.
type ContactCard struct {
	models.Contact
	Points []models.ContactPoint
}

// ClientCard is a client with everything that belongs to it.
type ClientCard struct {
	models.Client
	Contacts []ContactCard
	Domains  []models.ClientDomain
	Tags     []models.ClientTag
	Fields   []models.ClientField // columns of imported tables that were kept as they are
	Claim    *models.Claim        // the one that holds now, with Manager filled in; nil when there is none
}

// ClientsByAddresses returns the contact points of the normalised addresses that belong to clients, by address, with
// Contact and Contact.Client filled in.
func (q *Queries) ClientsByAddresses(ctx context.Context, addresses []string) (map[string]models.ContactPoint, error) {
	rows, err := findIn[models.ContactPoint](q.on(ctx), "value", storableAll(addresses), func(g *gorm.DB) *gorm.DB {
		return g.Where("kind = ?", models.PointEmail).Preload("Contact.Client")
	})
	out := make(map[string]models.ContactPoint, len(rows))
	for _, r := range rows {
		out[r.Value] = r
	}
	return out, failed("read clients by address", err)
}

// ClientsByDomains returns the corporate domains (lower case, A-labels) that belong to clients, by domain, with Client
// filled in. Subdomains are not looked for.
func (q *Queries) ClientsByDomains(ctx context.Context, domains []string) (map[string]models.ClientDomain, error) {
	rows, err := findIn[models.ClientDomain](q.on(ctx), "domain", storableAll(domains), func(g *gorm.DB) *gorm.DB {
		return g.Preload("Client")
	})
	out := make(map[string]models.ClientDomain, len(rows))
	for _, r := range rows {
		out[r.Domain] = r
	}
	return out, failed("read clients by domain", err)
}

// pointKinds are all kinds. A query by value names them too: the index begins with them.
func pointKinds() []models.ContactPointKind {
	return []models.ContactPointKind{models.PointEmail, models.PointPhone}
}

// Client returns the client with everything that belongs to it, or models.ErrNotFound.
func (q *Queries) Client(ctx context.Context, id int64) (ClientCard, error) {
	cards, err := q.Clients(ctx, []int64{id})
	if err == nil && len(cards) == 0 {
		err = fmt.Errorf("read client: %w", models.ErrNotFound)
	}
	if err != nil {
		return ClientCard{}, err
	}
	return cards[0], nil
}

// Clients returns the clients that exist with everything that belongs to them, with Owner filled in, by name.
func (q *Queries) Clients(ctx context.Context, ids []int64) ([]ClientCard, error) {
	clients, err := findIn[models.Client](q.on(ctx), "id", ids, func(g *gorm.DB) *gorm.DB { return g.Preload("Owner") })
	if err != nil {
		return nil, failed("read clients", err)
	}
	contacts, err := findIn[models.Contact](q.on(ctx), "client_id", ids, byIDOrder)
	if err != nil {
		return nil, failed("read contacts", err)
	}
	domains, err := findIn[models.ClientDomain](q.on(ctx), "client_id", ids, byIDOrder)
	if err != nil {
		return nil, failed("read client domains", err)
	}
	contactIDs := make([]int64, 0, len(contacts))
	for _, c := range contacts {
		contactIDs = append(contactIDs, c.ID)
	}
	points, err := findIn[models.ContactPoint](q.on(ctx), "contact_id", contactIDs, byIDOrder)
	if err != nil {
		return nil, failed("read contact points", err)
	}
	tags, err := findIn[models.ClientTag](q.on(ctx), "client_id", ids, byIDOrder)
	if err != nil {
		return nil, failed("read tags", err)
	}
	fields, err := findIn[models.ClientField](q.on(ctx), "client_id", ids, byIDOrder)
	if err != nil {
		return nil, failed("read client fields", err)
	}
	claims, err := q.claimsOn(ctx, ids)
	if err != nil {
		return nil, err
	}
	parts := cardParts{points, contacts, domains, tags, fields, claims}
	slices.SortFunc(clients, func(a, b models.Client) int {
		return cmp.Or(cmp.Compare(a.NameKey, b.NameKey), cmp.Compare(a.ID, b.ID))
	})
	return parts.cards(clients), nil
}

// cardParts is what cards are made of, for many clients.
type cardParts struct {
	points   []models.ContactPoint
	contacts []models.Contact
	domains  []models.ClientDomain
	tags     []models.ClientTag
	fields   []models.ClientField
	claims   map[int64]models.Claim
}

func (p cardParts) cards(clients []models.Client) []ClientCard {
	pointsOf := group(p.points, func(p models.ContactPoint) int64 { return p.ContactID })
	contactsOf := group(p.contacts, func(c models.Contact) int64 { return c.ClientID })
	domainsOf := group(p.domains, func(d models.ClientDomain) int64 { return d.ClientID })
	tagsOf := group(p.tags, func(t models.ClientTag) int64 { return t.ClientID })
	fieldsOf := group(p.fields, func(f models.ClientField) int64 { return f.ClientID })
	cards := make([]ClientCard, 0, len(clients))
	for _, c := range clients {
		card := ClientCard{Client: c, Domains: domainsOf[c.ID], Tags: tagsOf[c.ID], Fields: fieldsOf[c.ID]}
		if claim, ok := p.claims[c.ID]; ok {
			card.Claim = &claim
		}
		for _, contact := range contactsOf[c.ID] {
			card.Contacts = append(card.Contacts, ContactCard{Contact: contact, Points: pointsOf[contact.ID]})
		}
		cards = append(cards, card)
	}
	return cards
}

func byIDOrder(g *gorm.DB) *gorm.DB { return g.Order("id") }

// FindClients returns the clients that the words of a person mean, by name, at most limit: the number of a deal (#123,
// №123 or 123), an INN, an e-mail address or a part of it, a corporate domain, or a part of the name in any case and with or
// without quotes and legal form. Several may fit; none is no error.
func (q *Queries) FindClients(ctx context.Context, query string, limit int) ([]models.Client, error) {
	query = strings.TrimSpace(storable(query))
	address, key := models.NormalAddress(query), names.Key(query)
	g := q.on(ctx).Model(&models.Client{})
	where := q.on(ctx).Where("inn = ?", query)
	byNumber := strings.HasPrefix(query, "#") || strings.HasPrefix(query, "№")
	if byNumber {
		key, address = "", ""
	}
	if key != "" && !strings.Contains(query, "@") {
		where = where.Or("name_key LIKE ? ESCAPE '!'", like(key))
	}
	if n, err := strconv.ParseInt(strings.TrimLeft(query, "#№ "), 10, 64); err == nil {
		where = where.Or("id IN (SELECT client_id FROM deals WHERE number = ?)", n)
	}
	if address != "" {
		where = where.Or("id IN (SELECT client_id FROM client_domains WHERE domain = ?)", strings.TrimPrefix(address, "@"))
	}
	if strings.Contains(address, "@") {
		where = where.Or(`id IN (SELECT client_id FROM contacts JOIN contact_points ON contact_points.contact_id = contacts.id
			WHERE contact_points.value LIKE ? ESCAPE '!')`, like(address))
	}
	var rows []models.Client
	err := g.Where(where).Where("forgotten_at IS NULL").Preload("Owner").Order("name_key, id").Limit(limit).Find(&rows).Error
	return rows, failed("find clients", err)
}

// ClientFilter narrows ListClients. The zero value lists all but the forgotten.
type ClientFilter struct {
	OwnerID     int64              // only those of this manager
	Query       string             // part of the name, see names.Key
	Tags        []string           // only those with all of these tags
	Temperature models.Temperature // only those; "" means any
	ClaimedBy   int64              // only those that this manager has claimed
	Claimed     bool               // only those that anybody has claimed
	Free        bool               // only those without owner and claim
	NoDeal      bool               // only those without an open deal
	Forgotten   bool               // also those whose data was destroyed
}

// ListClients returns clients by name with Owner filled in, at most limit of them after the first offset ones.
func (q *Queries) ListClients(ctx context.Context, f ClientFilter, limit, offset int) ([]models.Client, error) {
	g := f.where(q, q.on(ctx)).Preload("Owner").Order("name_key, id").Limit(limit).Offset(offset)
	var rows []models.Client
	return rows, failed("list clients", g.Find(&rows).Error)
}

// CountClients returns how many clients the filter takes.
func (q *Queries) CountClients(ctx context.Context, f ClientFilter) (int, error) {
	var n int64
	err := f.where(q, q.on(ctx)).Model(&models.Client{}).Count(&n).Error
	return int(n), failed("count clients", err)
}

func (f ClientFilter) where(q *Queries, g *gorm.DB) *gorm.DB {
	const claimed = `id IN (SELECT client_id FROM claims WHERE ended_at IS NULL AND expires_at > ?`
	if !f.Forgotten {
		g = g.Where("forgotten_at IS NULL")
	}
	if f.OwnerID != 0 {
		g = g.Where("owner_id = ?", f.OwnerID)
	}
	if key := names.Key(f.Query); key != "" {
		g = g.Where("name_key LIKE ? ESCAPE '!'", like(key))
	}
	for _, t := range f.Tags {
		g = g.Where("id IN (SELECT client_id FROM client_tags WHERE tag_key = ?)", TagKey(t))
	}
	if f.Temperature != "" {
		g = g.Where("temperature = ?", f.Temperature)
	}
	if f.ClaimedBy != 0 {
		g = g.Where(claimed+" AND manager_id = ?)", q.now(), f.ClaimedBy)
	}
	if f.Claimed {
		g = g.Where(claimed+")", q.now())
	}
	if f.Free {
		g = g.Where("owner_id IS NULL").Where("NOT "+claimed+")", q.now())
	}
	if f.NoDeal {
		g = g.Where("id NOT IN (SELECT client_id FROM deals JOIN stages ON stages.code = deals.stage_code WHERE stages.kind = ?)", models.StageOpen)
	}
	return g
}

// CreateClient stores a client with its contacts, their points and its domains, sets all IDs, and records the event
// client.created on behalf of actor. NameKey is made from Name; addresses and domains are normalised. When the INN, a
// domain, an address or a phone belongs to a client already, nothing is stored and it returns models.ErrDuplicate with a
// phrase that says which one and whose.
func (tx *Tx) CreateClient(ctx context.Context, c *ClientCard, actor string) error {
	ctx = tx.free(ctx)
	card := normalCard(*c)
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return failed("create client", err)
	}
	if err := tx.takenByOther(ctx, card); err != nil {
		return err
	}
	if err := tx.on(ctx).Omit("Owner").Create(&card.Client).Error; err != nil {
		return failed("create client", err)
	}
	for i := range card.Domains {
		card.Domains[i].ClientID = card.ID
	}
	if len(card.Domains) > 0 {
		if err := tx.on(ctx).Omit("Client").Create(&card.Domains).Error; err != nil {
			return failed("create client domains", err)
		}
	}
	for i := range card.Contacts {
		if err := tx.createContact(ctx, card.ID, &card.Contacts[i]); err != nil {
			return err
		}
	}
	if err := tx.createMarks(ctx, &card, actor); err != nil {
		return err
	}
	key := fmt.Sprintf("client/%d", card.ID)
	_, err := tx.AddEvent(ctx, &models.Event{
		Kind: models.EventClientCreated, Actor: actor, DedupeKey: &key, ClientID: &card.ID,
		Text: models.Say("store.event.client_created", "Name", card.Name),
	})
	if err == nil {
		*c = card
	}
	return err
}

// createMarks stores the tags, the kept columns and the first owner of a new client.
func (tx *Tx) createMarks(ctx context.Context, card *ClientCard, actor string) error {
	for i := range card.Tags {
		card.Tags[i].ClientID = card.ID
	}
	if len(card.Tags) > 0 {
		if err := tx.on(ctx).Omit("Client").Create(&card.Tags).Error; err != nil {
			return failed("tag client", err)
		}
	}
	for i := range card.Fields {
		card.Fields[i].ClientID = card.ID
	}
	if len(card.Fields) > 0 {
		if err := tx.on(ctx).Omit("Client").Create(&card.Fields).Error; err != nil {
			return failed("store client fields", err)
		}
	}
	if card.OwnerID == nil {
		return nil
	}
	return tx.beginOwner(ctx, card.ID, *card.OwnerID, models.OwnerCreated, "", actor)
}

func (tx *Tx) createContact(ctx context.Context, clientID int64, c *ContactCard) error {
	c.Contact.ClientID = clientID
	if err := tx.on(ctx).Omit("Client").Create(&c.Contact).Error; err != nil {
		return failed("create contact", err)
	}
	for i := range c.Points {
		c.Points[i].ContactID = c.Contact.ID
	}
	if len(c.Points) == 0 {
		return nil
	}
	return failed("create contact points", tx.on(ctx).Omit("Contact").Create(&c.Points).Error)
}

// Numbers for lockFor, one for each thing that only one transaction at a time may make.
const (
	lockClients     = 0x6b6f6e74726f6c01
	lockDealNumbers = 0x6b6f6e74726f6c02
	lockPayments    = 0x6b6f6e74726f6c05
)

// normalCard returns a copy with everything normalised and no IDs.
func normalCard(c ClientCard) ClientCard {
	c.ID, c.Owner = 0, nil
	c.NameKey = names.Key(c.Name)
	if c.INN != nil && *c.INN == "" {
		c.INN = nil
	}
	c.Claim, c.ForgottenAt = nil, nil
	var tags []string
	for _, t := range c.Tags {
		tags = append(tags, t.Tag)
	}
	c.Tags = newTags(0, tags)
	c.Fields = slices.Clone(c.Fields)
	for i, f := range c.Fields {
		c.Fields[i] = models.ClientField{Name: f.Name, Value: f.Value}
	}
	c.Domains = slices.Clone(c.Domains)
	for i, d := range c.Domains {
		c.Domains[i] = models.ClientDomain{Domain: strings.TrimPrefix(models.NormalAddress(d.Domain), "@")}
	}
	c.Contacts = slices.Clone(c.Contacts)
	for i, contact := range c.Contacts {
		contact.Contact.ID, contact.Contact.Client = 0, nil
		points := slices.Clone(contact.Points)
		for k, p := range points {
			p.ID, p.Contact = 0, nil
			if p.Kind == models.PointEmail {
				p.Value = models.NormalAddress(p.Value)
			}
			points[k] = p
		}
		contact.Points = points
		c.Contacts[i] = contact
	}
	return c
}

// takenByOther looks for values of the card that belong to clients already.
func (tx *Tx) takenByOther(ctx context.Context, card ClientCard) error {
	if card.INN != nil {
		var other models.Client
		err := tx.on(ctx).Where("inn = ?", *card.INN).Take(&other).Error
		if err == nil {
			return taken(models.Say("store.duplicate.inn", "Value", *card.INN, "Client", other.Name), "inn")
		}
		if !errors.Is(err, gorm.ErrRecordNotFound) {
			return failed("look for inn", err)
		}
	}
	names := make([]string, 0, len(card.Domains))
	for _, d := range card.Domains {
		names = append(names, d.Domain)
	}
	domains, err := tx.ClientsByDomains(ctx, names)
	if err != nil {
		return err
	}
	for _, d := range domains {
		return taken(models.Say("store.duplicate.domain", "Value", d.Domain, "Client", d.Client.Name), "domain")
	}
	return tx.pointsTaken(ctx, card)
}

func (tx *Tx) pointsTaken(ctx context.Context, card ClientCard) error {
	var values []string
	wanted := make(map[models.ContactPointKind]map[string]bool)
	for _, c := range card.Contacts {
		for _, p := range c.Points {
			if wanted[p.Kind] == nil {
				wanted[p.Kind] = make(map[string]bool)
			}
			wanted[p.Kind][p.Value] = true
			values = append(values, p.Value)
		}
	}
	found, err := findIn[models.ContactPoint](tx.on(ctx), "value", storableAll(values), func(g *gorm.DB) *gorm.DB {
		return g.Where("kind IN ?", pointKinds()).Preload("Contact.Client")
	})
	if err != nil {
		return failed("look for contact points", err)
	}
	for _, p := range found {
		if !wanted[p.Kind][p.Value] {
			continue
		}
		if p.Kind == models.PointPhone {
			return taken(models.Say("store.duplicate.phone", "Value", p.Value, "Client", p.Contact.Client.Name), "phone")
		}
		return taken(models.Say("store.duplicate.email", "Value", p.Value, "Client", p.Contact.Client.Name), "address")
	}
	return nil
}

func taken(p models.Phrase, what string) error {
	return &models.Told{Phrase: p, Err: fmt.Errorf("create client: %s: %w", what, models.ErrDuplicate)}
}
