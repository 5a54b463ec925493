package deals

import (
	"hash/maphash"
	"slices"
	"strings"

	"kontrol/models"
	"kontrol/names"
)

// merger puts the lines of a table together into clients and finds what contradicts itself. Of a client that no further
// line can concern only what the lines of others may contradict stays.
type merger struct {
	clients []held
	byINN   map[string]int   // index into clients
	byName  map[string][]int // by names.Key
	emails  map[string]place
	phones  map[string]place
	domains map[string]place

	last   *lastLines
	ending map[int][]int     // clients by the line after which they may be complete
	titles map[column]string // the first of each kind
}

// held is a client of the table.
type held struct {
	line      int
	name, inn string
	until     int        // the last line that may concern it
	row       *ClientRow // nil when it was given away
}

// place is where a value was seen first.
type place struct {
	client int
	line   int
}

func newMerger(last *lastLines, uses []use) *merger {
	m := &merger{
		byINN: map[string]int{}, byName: map[string][]int{},
		emails: map[string]place{}, phones: map[string]place{}, domains: map[string]place{},
		last: last, ending: map[int][]int{}, titles: map[column]string{},
	}
	for _, u := range uses {
		if _, ok := m.titles[u.kind]; !ok {
			m.titles[u.kind] = u.title
		}
	}
	return m
}

// complete gives away the clients that no line after this one can concern.
func (m *merger) complete(line int) []ClientRow {
	var out []ClientRow
	for _, at := range m.ending[line] {
		if c := &m.clients[at]; c.row != nil && c.until == line {
			out = append(out, *c.row)
			c.row = nil
		}
	}
	delete(m.ending, line)
	return out
}

// expect notes until which line a client may get more.
func (m *merger) expect(at int) {
	c := &m.clients[at]
	if until := max(m.last.ofName(c.name), m.last.ofINN(c.inn)); until != c.until {
		c.until = until
		m.ending[until] = append(m.ending[until], at)
	}
}

func (m *merger) wrong(row ClientRow, kind column, value string, kept bool, text models.Phrase) RowError {
	return RowError{Line: row.Line, Column: m.titles[kind], Value: value, Kept: kept, Text: text}
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
		same = slices.DeleteFunc(slices.Clone(same), func(i int) bool { return m.clients[i].inn != "" })
	}
	switch len(same) {
	case 0:
		return -1, nil
	case 1:
		return same[0], nil
	}
	bad := m.wrong(row, columnName, row.Name, false, models.Say("deals.import.ambiguous", "Name", row.Name))
	return -1, &bad
}

// taken finds an address or domain of the line that another client of the file has.
func (m *merger) taken(row ClientRow, at int) *RowError {
	for _, d := range row.Domains {
		if p, ok := m.domains[d]; ok && p.client != at {
			bad := m.wrong(row, columnDomain, d, false, models.Say("deals.import.taken_domain",
				"Value", d, "First", p.line, "Name", m.clients[p.client].name))
			return &bad
		}
	}
	for _, c := range row.Contacts {
		for _, e := range c.Emails {
			p, ok := m.emails[e]
			if !ok {
				continue
			}
			if p.client != at {
				bad := m.wrong(row, columnEmail, e, false, models.Say("deals.import.taken_email",
					"Value", e, "First", p.line, "Name", m.clients[p.client].name))
				return &bad
			}
			if owner := m.owner(at, e); owner >= 0 && differ(m.clients[at].row.Contacts[owner].Name, c.Name) {
				bad := m.wrong(row, columnEmail, e, false, models.Say("deals.import.taken_own",
					"Value", e, "First", p.line, "Contact", m.clients[at].row.Contacts[owner].Name))
				return &bad
			}
		}
	}
	return nil
}

// owner gives the contact of a client that has the address, or -1.
func (m *merger) owner(client int, email string) int {
	return slices.IndexFunc(m.clients[client].row.Contacts, func(c ContactRow) bool { return slices.Contains(c.Emails, email) })
}

// differ reports whether two contact names cannot be one person's: both are known and unlike.
func differ(a, b string) bool { return a != "" && b != "" && names.Key(a) != names.Key(b) }

func (m *merger) create(row ClientRow) []RowError {
	at := len(m.clients)
	key := names.Key(row.Name)
	contacts := row.Contacts
	row.Contacts = nil
	m.clients = append(m.clients, held{line: row.Line, name: strings.Clone(row.Name), inn: strings.Clone(row.INN), row: &row})
	m.expect(at)
	m.byName[key] = append(m.byName[key], at)
	if row.INN != "" {
		m.byINN[strings.Clone(row.INN)] = at
	}
	for _, d := range row.Domains {
		m.domains[strings.Clone(d)] = place{at, row.Line}
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
	c := m.clients[at].row
	var warnings []RowError
	if names.Key(c.Name) != names.Key(row.Name) {
		warnings = append(warnings, m.wrong(row, columnName, row.Name, true,
			models.Say("deals.import.other_name", "INN", row.INN, "First", c.Line, "Name", c.Name)))
	}
	fresh := false
	if c.INN == "" && row.INN != "" {
		inn := strings.Clone(row.INN) // not the whole line with it, for as long as the table is read
		c.INN, m.clients[at].inn, fresh, m.byINN[inn] = inn, inn, true, at
		m.expect(at)
	}
	for _, f := range []struct {
		kind      column
		title     models.Phrase
		have, add *string
	}{
		{columnKPP, models.Say("deals.column.kpp"), &c.KPP, &row.KPP},
		{columnManager, models.Say("deals.column.manager"), &c.Manager, &row.Manager},
		{columnComment, models.Say("deals.column.comment"), &c.Comment, &row.Comment},
	} {
		switch {
		case *f.add == "" || *f.add == *f.have:
		case *f.have == "":
			*f.have, fresh = *f.add, true
		default:
			warnings = append(warnings, m.wrong(row, f.kind, *f.add, true,
				models.Say("deals.import.conflict", "Column", f.title, "First", c.Line, "Old", *f.have, "Value", *f.add)))
		}
	}
	c.Lines = append(c.Lines, row.Line)
	fresh = c.addMarks(row) || fresh
	for _, d := range row.Domains {
		if _, ok := m.domains[d]; !ok {
			m.domains[strings.Clone(d)], fresh = place{at, row.Line}, true
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
	have := &m.clients[at].row.Contacts
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
			m.emails[strings.Clone(e)], fresh = place{at, c.Line}, true
			x.Emails = append(x.Emails, e)
		}
	}
	for _, p := range c.Phones {
		first, ok := m.phones[p]
		switch {
		case !ok:
			m.phones[strings.Clone(p)], fresh = place{at, c.Line}, true
			x.Phones = append(x.Phones, p)
		case !slices.Contains(x.Phones, p):
			warnings = append(warnings, RowError{Line: c.Line, Column: m.titles[columnPhone], Value: p, Kept: true,
				Text: models.Say("deals.import.taken_phone", "Value", p, "First", first.line)})
		}
	}
	if x.Name == "" && len(x.Emails) == 0 && len(x.Phones) == 0 {
		*have = slices.Delete(*have, to, to+1)
	}
	return fresh, warnings
}

// lastLines knows of every name and every INN of a table the last line with it. Two that share a hash only wait for each
// other.
type lastLines struct {
	seed  maphash.Seed
	names map[uint64]int32
	inns  map[uint64]int32
}

func newLastLines() *lastLines {
	return &lastLines{seed: maphash.MakeSeed(), names: map[uint64]int32{}, inns: map[uint64]int32{}}
}

func (l *lastLines) note(line int, cells []string, uses []use) {
	for i, cell := range cells[:min(len(cells), len(uses))] {
		switch uses[i].kind { //nolint:exhaustive // only by these is a client known
		case columnName:
			l.names[maphash.String(l.seed, names.Key(cellText(cell)))] = int32(line)
		case columnINN:
			if inn, _, ok := cellINN(cellText(cell)); ok {
				l.inns[maphash.String(l.seed, inn)] = int32(line)
			}
		}
	}
}

func (l *lastLines) ofName(name string) int {
	return int(l.names[maphash.String(l.seed, names.Key(name))])
}
func (l *lastLines) ofINN(inn string) int { return int(l.inns[maphash.String(l.seed, inn)]) }
