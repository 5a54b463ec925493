package store

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"kontrol/models"
)

// MergeKey is by what an imported client is taken for one that is stored, besides its INN and its name.
type MergeKey string

// The keys by which clients are merged when a person asks for it.
const (
	MergeByAddress MergeKey = "address"
	MergeByDomain  MergeKey = "domain"
	MergeByPhone   MergeKey = "phone"
)

// ImportOutcome says what became of an imported client.
type ImportOutcome int

// The outcomes of an imported client.
const (
	ImportRefused   ImportOutcome = iota // nothing was stored; Reason says why
	ImportAdded                          // it is new
	ImportExtended                       // the stored one has more than before
	ImportUnchanged                      // everything was there already
)

// Imported is what became of one card of ImportClients.
type Imported struct {
	Outcome  ImportOutcome
	ClientID int64
	Reason   models.Phrase   // why it was refused; zero otherwise
	Warnings []models.Phrase // what of it was left out
}

// ImportClients adds many clients at once, or adds to those that are known: by INN, else by what merge names, else by the
// name among those whose INN does not say otherwise. A card that contradicts what is stored is refused with a reason, and
// so is one with an address, domain or INN of a forgotten client; a phone that another client has is left out with a warning.
// What of the cards of one call names the same client must have been put together before; doing it all again changes
// nothing. The result has one entry for each card.
func (tx *Tx) ImportClients(ctx context.Context, cards []ClientCard, merge []MergeKey, actor string) ([]Imported, error) {
	ctx = tx.free(ctx)
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return nil, failed("import clients", err)
	}
	if tx.db.dialect == dialectPostgres {
		// The tables grow from nothing while the statements are prepared: a plan that was made at first reads them whole for ever.
		if err := tx.on(ctx).Exec("SET LOCAL plan_cache_mode = force_custom_plan").Error; err != nil {
			return nil, failed("import clients", err)
		}
	}
	im := &importer{tx: tx, merge: merge, actor: actor, results: make([]Imported, len(cards)), touched: map[int64]bool{}}
	for _, c := range cards {
		im.cards = append(im.cards, normalCard(c))
	}
	if err := im.load(ctx); err != nil {
		return nil, err
	}
	for i := range im.cards {
		if err := im.one(ctx, i); err != nil {
			return nil, err
		}
	}
	return im.results, im.create(ctx)
}

// importer holds what is stored of the clients that a batch names.
type importer struct {
	tx      *Tx
	merge   []MergeKey
	actor   string
	cards   []ClientCard
	results []Imported
	fresh   []int // cards of new clients

	byINN     map[string]int64
	byName    map[string][]int64
	domains   map[string]int64
	points    map[pointKey]int64
	stored    map[int64]ClientCard
	touched   map[int64]bool
	forgotten map[string]string
	others    map[int64]models.Phrase // stored clients that the one who imports may not change, and why
}

type pointKey struct {
	kind  models.ContactPointKind
	value string
}

func (im *importer) load(ctx context.Context) error {
	var inns, keys, domains, points []string
	for _, c := range im.cards {
		keys = append(keys, fitText(c.NameKey, 300))
		if c.INN != nil {
			inns = append(inns, *c.INN)
		}
		for _, d := range c.Domains {
			domains = append(domains, d.Domain)
		}
		for _, k := range c.Contacts {
			for _, p := range k.Points {
				points = append(points, p.Value)
			}
		}
	}
	var err error
	if im.forgotten, err = im.tx.Forgotten(ctx, slices.Concat(inns, domains, points)); err != nil {
		return err
	}
	ids, err := im.loadClients(ctx, inns, keys)
	if err != nil {
		return err
	}
	more, err := im.loadReach(ctx, domains, points)
	if err != nil {
		return err
	}
	cards, err := im.tx.Clients(ctx, append(ids, more...))
	if err != nil {
		return err
	}
	im.stored = make(map[int64]ClientCard, len(cards))
	known := make([]int64, 0, len(cards))
	for _, c := range cards {
		im.stored[c.ID] = c
		known = append(known, c.ID)
	}
	others, err := im.tx.others(ctx, "clients", known)
	if err != nil {
		return err
	}
	im.others = make(map[int64]models.Phrase, len(others))
	for _, id := range others {
		if im.others[id], err = im.tx.whoseClient(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) loadClients(ctx context.Context, inns, keys []string) (ids []int64, err error) {
	im.byINN, im.byName = map[string]int64{}, map[string][]int64{}
	byINN, err := findIn[models.Client](im.tx.on(ctx), "inn", storableAll(inns), nil)
	if err != nil {
		return nil, failed("read clients by inn", err)
	}
	byName, err := findIn[models.Client](im.tx.on(ctx), "name_key", storableAll(keys), func(g *gorm.DB) *gorm.DB {
		return g.Where("forgotten_at IS NULL").Order("id")
	})
	for _, c := range byINN {
		im.byINN[*c.INN] = c.ID
		ids = append(ids, c.ID)
	}
	for _, c := range byName {
		im.byName[c.NameKey] = append(im.byName[c.NameKey], c.ID)
		ids = append(ids, c.ID)
	}
	return ids, failed("read clients by name", err)
}

func (im *importer) loadReach(ctx context.Context, domains, points []string) (ids []int64, err error) {
	im.domains, im.points = map[string]int64{}, map[pointKey]int64{}
	owned, err := im.tx.ClientsByDomains(ctx, domains)
	if err != nil {
		return nil, err
	}
	for d, row := range owned {
		im.domains[d] = row.ClientID
		ids = append(ids, row.ClientID)
	}
	rows, err := findIn[models.ContactPoint](im.tx.on(ctx), "value", storableAll(points), func(g *gorm.DB) *gorm.DB {
		return g.Where("kind IN ?", pointKinds()).Preload("Contact")
	})
	for _, p := range rows {
		im.points[pointKey{p.Kind, p.Value}] = p.Contact.ClientID
		ids = append(ids, p.Contact.ClientID)
	}
	return ids, failed("read contact points", err)
}

// one decides what becomes of a card.
func (im *importer) one(ctx context.Context, i int) error {
	res := &im.results[i]
	if value := im.isForgotten(im.cards[i]); value != "" {
		res.Reason = models.Say("store.forgotten", "Value", value, "Act", im.forgotten[value])
		return nil
	}
	id, several := im.find(im.cards[i])
	if several {
		res.Reason = models.Say("store.import.several", "Name", im.cards[i].Name)
		return nil
	}
	if res.Reason = im.conflict(i, id); !res.Reason.IsZero() {
		return nil
	}
	if p, ok := im.others[id]; ok {
		res.Reason = p
		return nil
	}
	if id == 0 {
		im.fresh = append(im.fresh, i)
		res.Outcome = ImportAdded
		return nil
	}
	res.ClientID, res.Outcome = id, ImportUnchanged
	if !im.touched[id] && !adds(im.stored[id], missingFrom(im.stored[id], im.cards[i])) {
		return nil
	}
	im.touched[id] = true
	card := im.cards[i]
	more, err := im.tx.ExtendClient(ctx, id, &card)
	if more {
		res.Outcome = ImportExtended
	}
	return err
}

func (im *importer) isForgotten(c ClientCard) string {
	if len(im.forgotten) == 0 {
		return ""
	}
	values := []string{}
	if c.INN != nil {
		values = append(values, *c.INN)
	}
	for _, d := range c.Domains {
		values = append(values, d.Domain)
	}
	for _, k := range c.Contacts {
		for _, p := range k.Points {
			values = append(values, p.Value)
		}
	}
	for _, v := range values {
		if im.forgotten[v] != "" {
			return v
		}
	}
	return ""
}

// find gives the stored client of a card, or 0; several when only the name speaks for one and it does not decide.
func (im *importer) find(c ClientCard) (id int64, several bool) {
	if c.INN != nil && im.byINN[*c.INN] != 0 {
		return im.byINN[*c.INN], false
	}
	fits := func(id int64) bool { return id != 0 && (c.INN == nil || im.stored[id].INN == nil) }
	for _, d := range c.Domains {
		if id := im.domains[d.Domain]; slices.Contains(im.merge, MergeByDomain) && fits(id) {
			return id, false
		}
	}
	for _, k := range c.Contacts {
		for _, p := range k.Points {
			key := MergeByAddress
			if p.Kind == models.PointPhone {
				key = MergeByPhone
			}
			if id := im.points[pointKey{p.Kind, p.Value}]; slices.Contains(im.merge, key) && fits(id) {
				return id, false
			}
		}
	}
	same := slices.DeleteFunc(slices.Clone(im.byName[c.NameKey]), func(id int64) bool { return !fits(id) })
	if len(same) == 1 {
		return same[0], false
	}
	return 0, len(same) > 1
}

// conflict finds what of a card belongs to another client. Phones are taken off: a secretary may answer for several.
func (im *importer) conflict(i int, id int64) models.Phrase {
	c := &im.cards[i]
	for _, d := range c.Domains {
		if other := im.domains[d.Domain]; other != 0 && other != id {
			return models.Say("store.duplicate.domain", "Value", d.Domain, "Client", im.stored[other].Name)
		}
	}
	for k := range c.Contacts {
		var kept []models.ContactPoint
		for _, p := range c.Contacts[k].Points {
			other := im.points[pointKey{p.Kind, p.Value}]
			switch {
			case other == 0 || other == id:
				kept = append(kept, p)
			case p.Kind == models.PointEmail:
				return models.Say("store.duplicate.email", "Value", p.Value, "Client", im.stored[other].Name)
			default:
				im.results[i].Warnings = append(im.results[i].Warnings,
					models.Say("store.import.phone", "Value", p.Value, "Client", im.stored[other].Name))
			}
		}
		c.Contacts[k].Points = kept
	}
	return models.Phrase{}
}

// create stores the new clients, all rows of a kind with few statements.
func (im *importer) create(ctx context.Context) error {
	if len(im.fresh) == 0 {
		return nil
	}
	rows := make([]models.Client, 0, len(im.fresh))
	for _, i := range im.fresh {
		rows = append(rows, im.cards[i].Client)
	}
	if err := im.insert(ctx, &rows, "Owner"); err != nil {
		return err
	}
	var domains []models.ClientDomain
	var contacts []models.Contact
	for n, i := range im.fresh {
		card := &im.cards[i]
		card.Client = rows[n]
		im.results[i].ClientID = card.ID
		for _, d := range card.Domains {
			domains = append(domains, models.ClientDomain{ClientID: card.ID, Domain: d.Domain})
		}
		for _, k := range card.Contacts {
			k.Contact.ClientID = card.ID
			contacts = append(contacts, k.Contact)
		}
	}
	if err := im.insert(ctx, &domains, "Client"); err != nil {
		return err
	}
	if err := im.insert(ctx, &contacts, "Client"); err != nil {
		return err
	}
	var points []models.ContactPoint
	next := 0
	for _, i := range im.fresh {
		for _, k := range im.cards[i].Contacts {
			for _, p := range k.Points {
				points = append(points, models.ContactPoint{ContactID: contacts[next].ID, Kind: p.Kind, Value: p.Value})
			}
			next++
		}
	}
	if err := im.insert(ctx, &points, "Contact"); err != nil {
		return err
	}
	return im.createMarks(ctx)
}

func (im *importer) createMarks(ctx context.Context) error {
	var tags []models.ClientTag
	var fields []models.ClientField
	var owners []models.ClientOwner
	var events []models.Event
	for _, i := range im.fresh {
		card := im.cards[i]
		for _, t := range card.Tags {
			t.ClientID = card.ID
			tags = append(tags, t)
		}
		for _, f := range card.Fields {
			f.ClientID = card.ID
			fields = append(fields, f)
		}
		if card.OwnerID != nil {
			owners = append(owners, models.ClientOwner{ClientID: card.ID, ManagerID: *card.OwnerID, Reason: models.OwnerCreated,
				Actor: im.actor, Since: im.tx.now()})
		}
		key := fmt.Sprintf("client/%d", card.ID)
		e := models.Event{Kind: models.EventClientCreated, Actor: im.actor, DedupeKey: &key, ClientID: &card.ID,
			Text: models.Say("store.event.client_created", "Name", card.Name)}
		im.tx.completeEvent(&e)
		events = append(events, e)
	}
	if err := im.insert(ctx, &tags, "Client"); err != nil {
		return err
	}
	if err := im.insert(ctx, &fields, "Client"); err != nil {
		return err
	}
	if err := im.insert(ctx, &owners, "Client", "Manager"); err != nil {
		return err
	}
	return im.insert(ctx, &events)
}

// insert stores the rows that a slice points to, and sets their IDs; none is no error.
func (im *importer) insert(ctx context.Context, rows any, omit ...string) error {
	return failed("import clients", im.tx.on(ctx).Omit(omit...).CreateInBatches(rows, chunkSize).Error)
}

// UnlinkedParties returns the addresses that letters of persons which are tied to no client have as sender or recipient,
// each once.
func (q *Queries) UnlinkedParties(ctx context.Context) ([]string, error) {
	known := map[string]bool{}
	var all []string
	for after := int64(0); ; {
		var rows []models.Letter
		err := q.on(ctx).Select("id", "from_address", "to", "cc").Where("id > ? AND class = ?", after, models.ClassPerson).
			Where("NOT EXISTS (SELECT 1 FROM links WHERE links.letter_id = letters.id AND links.superseded_at IS NULL)").
			Order("id").Limit(5000).Find(&rows).Error
		if err != nil {
			return nil, failed("read parties of letters", err)
		}
		for _, l := range rows {
			for _, a := range slices.Concat([]string{l.FromAddress}, l.To, l.Cc) {
				if a != "" && !known[a] {
					known[a] = true
					all = append(all, a)
				}
			}
			after = l.ID
		}
		if len(rows) == 0 {
			return all, nil
		}
	}
}
