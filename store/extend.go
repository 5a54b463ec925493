package store

import (
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"

	"kontrol/models"
)

// ExtendClient adds to a client what the card has and the client has not: contacts, their addresses and phones, domains;
// and INN, KPP, owner and comment where the client has none. Nothing that is stored is changed or removed. A contact of
// the card is the stored one with the same address, phone or name; tags and kept columns are added too. It reports whether anything was added, and makes *c
// the whole stored client. When an INN, a domain, an address or a phone belongs to another client, nothing is stored and
// it returns models.ErrDuplicate with a phrase; models.ErrNotFound when there is no such client.
func (tx *Tx) ExtendClient(ctx context.Context, id int64, c *ClientCard) (bool, error) {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{id}})
	if err != nil {
		return false, err
	}
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return false, failed("extend client", err)
	}
	stored, err := tx.Client(ctx, id)
	if err != nil {
		return false, err
	}
	missing := missingFrom(stored, normalCard(*c))
	if err := tx.takenByOther(ctx, missing); err != nil {
		return false, err
	}
	added, err := tx.addMissing(ctx, stored, missing)
	if err != nil {
		return false, err
	}
	*c, err = tx.Client(ctx, id)
	return added, err
}

// missingFrom leaves of the card what the stored client does not have. A contact that is stored keeps its ID.
func missingFrom(stored, card ClientCard) ClientCard {
	if stored.INN != nil {
		card.INN = nil
	}
	card.Domains = slices.DeleteFunc(card.Domains, func(d models.ClientDomain) bool {
		return slices.ContainsFunc(stored.Domains, func(s models.ClientDomain) bool { return s.Domain == d.Domain })
	})
	var contacts []ContactCard
	for _, c := range card.Contacts {
		at := slices.IndexFunc(stored.Contacts, func(s ContactCard) bool { return sameContact(s, c) })
		if at >= 0 {
			c.Contact.ID = stored.Contacts[at].ID
		}
		c.Points = slices.DeleteFunc(c.Points, func(p models.ContactPoint) bool {
			return slices.ContainsFunc(stored.Contacts, func(s ContactCard) bool { return s.has(p) })
		})
		if at < 0 || len(c.Points) > 0 {
			contacts = append(contacts, c)
		}
	}
	card.Contacts = contacts
	card.Tags = slices.DeleteFunc(card.Tags, func(t models.ClientTag) bool {
		return slices.ContainsFunc(stored.Tags, func(s models.ClientTag) bool { return s.TagKey == t.TagKey })
	})
	card.Fields = slices.DeleteFunc(card.Fields, func(f models.ClientField) bool {
		return slices.ContainsFunc(stored.Fields, func(s models.ClientField) bool { return s.Name == f.Name })
	})
	return card
}

// adds reports whether there is anything in the missing part of a card that the stored client would get.
func adds(stored, missing ClientCard) bool {
	return len(missing.Domains)+len(missing.Contacts)+len(missing.Tags)+len(missing.Fields)+len(missingValues(stored, missing)) > 0
}

func missingValues(stored, missing ClientCard) map[string]any {
	values := map[string]any{}
	if missing.INN != nil {
		values["inn"] = *missing.INN
	}
	if stored.KPP == "" && missing.KPP != "" {
		values["kpp"] = missing.KPP
	}
	if stored.OwnerID == nil && missing.OwnerID != nil {
		values["owner_id"] = *missing.OwnerID
	}
	if stored.Comment == "" && missing.Comment != "" {
		values["comment"] = missing.Comment
	}
	if stored.Temperature == "" && missing.Temperature != "" {
		values["temperature"] = missing.Temperature
	}
	return values
}

func (c ContactCard) has(p models.ContactPoint) bool {
	return slices.ContainsFunc(c.Points, func(q models.ContactPoint) bool { return q.Kind == p.Kind && q.Value == p.Value })
}

// sameContact reports whether two cards are one person: by an address or phone, or by the name. Cards without a name are
// the addresses and phones of nobody in particular, and all belong together.
func sameContact(a, b ContactCard) bool {
	return slices.ContainsFunc(b.Points, a.has) || foldName(a.Name) == foldName(b.Name)
}

func foldName(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.Join(strings.Fields(s), " ")), "ё", "е")
}

func (tx *Tx) addMissing(ctx context.Context, stored, missing ClientCard) (bool, error) {
	values := missingValues(stored, missing)
	if len(values) > 0 {
		if err := tx.updateClient(ctx, stored.ID, values); err != nil {
			return false, err
		}
	}
	for _, d := range missing.Domains {
		d.ClientID = stored.ID
		if err := tx.on(ctx).Omit("Client").Create(&d).Error; err != nil {
			return false, failed("add client domain", err)
		}
	}
	for i := range missing.Contacts {
		if err := tx.addContact(ctx, stored.ID, &missing.Contacts[i]); err != nil {
			return false, err
		}
	}
	missing.ID = stored.ID
	if values["owner_id"] == nil {
		missing.OwnerID = nil
	}
	return adds(stored, missing) || len(values) > 0, tx.createMarks(ctx, &missing, "")
}

// addContact stores a new contact, or further points of a stored one.
func (tx *Tx) addContact(ctx context.Context, clientID int64, c *ContactCard) error {
	if c.Contact.ID == 0 {
		return tx.createContact(ctx, clientID, c)
	}
	for i := range c.Points {
		c.Points[i].ContactID = c.Contact.ID
	}
	return failed("add contact points", tx.on(ctx).Omit("Contact").Create(&c.Points).Error)
}

// CountLetters returns how many letters the filter takes; its Limit does not count.
func (q *Queries) CountLetters(ctx context.Context, f LetterFilter) (int, error) {
	var n int64
	err := f.where(q.on(ctx)).Model(&models.Letter{}).Session(&gorm.Session{}).Count(&n).Error
	return int(n), failed("count letters", err)
}
