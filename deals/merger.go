package deals

import (
	"slices"

	"kontrol/models"
	"kontrol/names"
)

// merger puts the lines of a table together into clients and finds what contradicts itself.
type merger struct {
	clients []ClientRow
	byINN   map[string]int   // index into clients
	byName  map[string][]int // by names.Key
	emails  map[string]place
	phones  map[string]place
	domains map[string]place
}

// place is where a value was seen first.
type place struct {
	client int
	line   int
}

func newMerger() *merger {
	return &merger{
		byINN: map[string]int{}, byName: map[string][]int{},
		emails: map[string]place{}, phones: map[string]place{}, domains: map[string]place{},
	}
}

// add takes one sound line in, or says why it contradicts an earlier one and leaves everything as it was.
func (m *merger) add(row ClientRow) []RowError {
	at, bad := m.find(row)
	if bad == nil {
		bad = m.taken(row, at)
	}
	if bad != nil {
		return []RowError{*bad}
	}
	if at < 0 {
		return m.create(row)
	}
	return m.merge(at, row)
}

// find gives the client that a line belongs to, or -1 for a new one.
func (m *merger) find(row ClientRow) (int, *RowError) {
	if at, ok := m.byINN[row.INN]; ok && row.INN != "" {
		return at, nil
	}
	same := m.byName[names.Key(row.Name)]
	if row.INN != "" { // a namesake with another INN is another company
		same = slices.DeleteFunc(slices.Clone(same), func(i int) bool { return m.clients[i].INN != "" })
	}
	switch len(same) {
	case 0:
		return -1, nil
	case 1:
		return same[0], nil
	}
	return -1, &RowError{Line: row.Line, Value: row.Name, Text: models.Say("deals.import.ambiguous", "Name", row.Name)}
}

// taken finds an address or domain of the line that another client of the file has.
func (m *merger) taken(row ClientRow, at int) *RowError {
	for _, d := range row.Domains {
		if p, ok := m.domains[d]; ok && p.client != at {
			return &RowError{Line: row.Line, Value: d, Text: models.Say("deals.import.taken_domain",
				"Value", d, "First", p.line, "Name", m.clients[p.client].Name)}
		}
	}
	for _, c := range row.Contacts {
		for _, e := range c.Emails {
			p, ok := m.emails[e]
			if !ok {
				continue
			}
			if p.client != at {
				return &RowError{Line: row.Line, Value: e, Text: models.Say("deals.import.taken_email",
					"Value", e, "First", p.line, "Name", m.clients[p.client].Name)}
			}
			if owner := m.owner(at, e); owner >= 0 && differ(m.clients[at].Contacts[owner].Name, c.Name) {
				return &RowError{Line: row.Line, Value: e, Text: models.Say("deals.import.taken_own",
					"Value", e, "First", p.line, "Contact", m.clients[at].Contacts[owner].Name)}
			}
		}
	}
	return nil
}

// owner gives the contact of a client that has the address, or -1.
func (m *merger) owner(client int, email string) int {
	return slices.IndexFunc(m.clients[client].Contacts, func(c ContactRow) bool { return slices.Contains(c.Emails, email) })
}

// differ reports whether two contact names cannot be one person's: both are known and unlike.
func differ(a, b string) bool { return a != "" && b != "" && names.Key(a) != names.Key(b) }

func (m *merger) create(row ClientRow) []RowError {
	at := len(m.clients)
	key := names.Key(row.Name)
	contacts := row.Contacts
	row.Contacts = nil
	m.clients = append(m.clients, row)
	m.byName[key] = append(m.byName[key], at)
	if row.INN != "" {
		m.byINN[row.INN] = at
	}
	for _, d := range row.Domains {
		m.domains[d] = place{at, row.Line}
	}
	var warnings []RowError
	for _, c := range contacts {
		_, more := m.addContact(at, c)
		warnings = append(warnings, more...)
	}
	return warnings
}

// merge adds what a further line of a client brings. What was there first stays.
func (m *merger) merge(at int, row ClientRow) []RowError {
	c := &m.clients[at]
	var warnings []RowError
	if names.Key(c.Name) != names.Key(row.Name) {
		warnings = append(warnings, RowError{Line: row.Line, Value: row.Name, Kept: true,
			Text: models.Say("deals.import.other_name", "INN", row.INN, "First", c.Line, "Name", c.Name)})
	}
	fresh := false
	if c.INN == "" && row.INN != "" {
		c.INN, fresh, m.byINN[row.INN] = row.INN, true, at
	}
	for _, f := range []struct {
		title     models.Phrase
		have, add *string
	}{
		{models.Say("deals.column.kpp"), &c.KPP, &row.KPP},
		{models.Say("deals.column.manager"), &c.Manager, &row.Manager},
		{models.Say("deals.column.comment"), &c.Comment, &row.Comment},
	} {
		switch {
		case *f.add == "" || *f.add == *f.have:
		case *f.have == "":
			*f.have, fresh = *f.add, true
		default:
			warnings = append(warnings, RowError{Line: row.Line, Value: *f.add, Kept: true,
				Text: models.Say("deals.import.conflict", "Column", f.title, "First", c.Line, "Old", *f.have, "Value", *f.add)})
		}
	}
	c.Lines = append(c.Lines, row.Line)
	fresh = c.addMarks(row) || fresh
	for _, d := range row.Domains {
		if _, ok := m.domains[d]; !ok {
			m.domains[d], fresh = place{at, row.Line}, true
			c.Domains = append(c.Domains, d)
		}
	}
	for _, contact := range row.Contacts {
		added, more := m.addContact(at, contact)
		fresh = fresh || added
		warnings = append(warnings, more...)
	}
	if !fresh && len(warnings) == 0 {
		warnings = append(warnings, RowError{Line: row.Line, Kept: true, Value: row.Name, Text: models.Say("deals.import.twin_row", "First", c.Line)})
	}
	return warnings
}

// addMarks adds tags, kept columns and the temperature of a further line; what was there first stays.
func (c *ClientRow) addMarks(row ClientRow) (fresh bool) {
	for _, t := range row.Tags {
		if !slices.Contains(c.Tags, t) {
			c.Tags, fresh = append(c.Tags, t), true
		}
	}
	for _, f := range row.Fields {
		if !slices.ContainsFunc(c.Fields, func(x models.ClientField) bool { return x.Name == f.Name }) {
			c.Fields, fresh = append(c.Fields, f), true
		}
	}
	if c.Temperature == "" && row.Temperature != "" {
		c.Temperature, fresh = row.Temperature, true
	}
	return fresh
}

// addContact adds a contact, or what is new of one that is there: the same person by name or by an address.
func (m *merger) addContact(at int, c ContactRow) (fresh bool, warnings []RowError) {
	have := &m.clients[at].Contacts
	to := slices.IndexFunc(*have, func(x ContactRow) bool {
		if slices.ContainsFunc(c.Emails, func(e string) bool { return slices.Contains(x.Emails, e) }) {
			return true
		}
		return c.Name != "" && names.Key(x.Name) == names.Key(c.Name)
	})
	if to < 0 {
		*have = append(*have, ContactRow{Line: c.Line, Name: c.Name, Position: c.Position})
		to, fresh = len(*have)-1, c.Name != ""
	}
	x := &(*have)[to]
	if x.Name == "" && c.Name != "" {
		x.Name, fresh = c.Name, true
	}
	if x.Position == "" && c.Position != "" {
		x.Position, fresh = c.Position, true
	}
	for _, e := range c.Emails {
		if _, ok := m.emails[e]; !ok {
			m.emails[e], fresh = place{at, c.Line}, true
			x.Emails = append(x.Emails, e)
		}
	}
	for _, p := range c.Phones {
		first, ok := m.phones[p]
		switch {
		case !ok:
			m.phones[p], fresh = place{at, c.Line}, true
			x.Phones = append(x.Phones, p)
		case !slices.Contains(x.Phones, p):
			warnings = append(warnings, RowError{Line: c.Line, Value: p, Kept: true, Text: models.Say("deals.import.taken_phone", "Value", p, "First", first.line)})
		}
	}
	if x.Name == "" && len(x.Emails) == 0 && len(x.Phones) == 0 {
		*have = slices.Delete(*have, to, to+1)
	}
	return fresh, warnings
}
