package deals_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kontrol/deals"
	"kontrol/locale"
	"kontrol/models"
)

// book is a directory of clients in memory.
type book struct {
	addresses map[string]deals.Match
	domains   map[string]deals.Match
	open      map[int64][]models.Deal
	links     []models.Link
	members   map[int64][]string
	taught    map[string]deals.Match
	inns      map[string]deals.Match
	phones    map[string]deals.Match
	closed    *models.Deal
	numbered  map[int64]models.Deal
	subjects  map[int64][]string
	last      *int64
	head      models.Thread
	had       bool
	answered  map[string]int64
	asked     []string // addresses and domains that were looked up
	err       error
}

func (b *book) ByRules(_ context.Context, list []string) (map[string]deals.Match, error) {
	return pick(b.taught, list), b.err
}

func (b *book) ByINNs(_ context.Context, list []string) (map[string]deals.Match, error) {
	return pick(b.inns, list), b.err
}

func (b *book) ByPhones(_ context.Context, list []string) (map[string]deals.Match, error) {
	return pick(b.phones, list), b.err
}

func (b *book) ClosedDeal(context.Context, int64) (*models.Deal, error) { return b.closed, b.err }

func (b *book) DealsByNumbers(_ context.Context, list []int64) (map[int64]models.Deal, error) {
	out := map[int64]models.Deal{}
	for _, n := range list {
		if d, ok := b.numbered[n]; ok {
			out[n] = d
		}
	}
	return out, b.err
}

func (b *book) DealSubjects(context.Context, []int64) (map[int64][]string, error) {
	return b.subjects, b.err
}

func (b *book) LastSent(context.Context, int64, []string, time.Time, time.Time) (*int64, error) {
	return b.last, b.err
}

func (b *book) ThreadHead(context.Context, int64) (models.Thread, error) { return b.head, b.err }

func (b *book) SubjectInThread(context.Context, int64, string, int64) (bool, error) {
	return b.had, b.err
}

func (b *book) DealsOfMessages(context.Context, int64, int64, []string) (map[string]int64, error) {
	return b.answered, b.err
}

func (b *book) ByAddresses(_ context.Context, list []string) (map[string]deals.Match, error) {
	b.asked = append(b.asked, list...)
	return pick(b.addresses, list), b.err
}

func (b *book) ByDomains(_ context.Context, list []string) (map[string]deals.Match, error) {
	b.asked = append(b.asked, list...)
	return pick(b.domains, list), b.err
}

func (b *book) OpenDeals(_ context.Context, id int64) ([]models.Deal, error) {
	return b.open[id], b.err
}

func (b *book) ThreadLinks(context.Context, int64) ([]models.Link, error) { return b.links, b.err }

func (b *book) Participants(_ context.Context, _, id int64) ([]string, error) {
	return b.members[id], b.err
}

func pick(all map[string]deals.Match, keys []string) map[string]deals.Match {
	out := map[string]deals.Match{}
	for _, k := range keys {
		if m, ok := all[k]; ok {
			out[k] = m
		}
	}
	return out
}

const (
	romashka = 1
	lutik    = 2
)

// town knows two companies: Ромашка with a domain and two contacts, Лютик with a contact at a free mail.
func town() *book {
	r, l := deals.Match{ClientID: romashka, ClientName: "Ромашка"}, deals.Match{ClientID: lutik, ClientName: "Лютик"}
	contact := func(m deals.Match, id int64) deals.Match { m.ContactID = id; return m }
	return &book{
		addresses: map[string]deals.Match{
			"ivan@romashka.ru": contact(r, 11), "ivan.petrov@gmail.com": contact(r, 11), "lutik@mail.ru": contact(l, 21),
			"agent@romashka.ru": contact(l, 22),
		},
		domains: map[string]deals.Match{"romashka.ru": r, "xn--80aa3agjl3d.xn--p1ai": r, "mail.ru": l, "our.ru": l, "com.ru": l},
		open:    map[int64][]models.Deal{},
		members: map[int64][]string{},
	}
}

func deal(id, client int64, title string) models.Deal {
	return models.Deal{ID: id, Number: id + 100, ClientID: client, Title: title, StageCode: "new"}
}

func threadLink(client int64, dealID int64) models.Link {
	k := models.Link{ID: 5, LetterID: 50, ClientID: client, Method: models.LinkAddress, Client: &models.Client{ID: client, Name: "Ромашка"}}
	if client == lutik {
		k.Client.Name = "Лютик"
	}
	if dealID != 0 {
		k.DealID = &dealID
	}
	return k
}

func inbound(from string, replyTo ...string) models.Letter {
	return models.Letter{ID: 60, ThreadID: 7, Direction: models.Inbound, Class: models.ClassPerson, FromAddress: from,
		ReplyTo: replyTo, To: models.Strings{"anna@our.ru"}}
}

func outbound(to ...string) models.Letter {
	return models.Letter{ID: 60, ThreadID: 7, Direction: models.Outbound, Class: models.ClassPerson, FromAddress: "anna@our.ru", To: to}
}

func subject(l models.Letter) deals.Subject {
	return deals.Subject{
		Letter:    l,
		Own:       func(a string) bool { return a == "our-sales@mail.ru" },
		OwnDomain: func(d string) bool { return d == "our.ru" },
	}
}

// shown writes links as text: client, method, deal, whether to ask.
func shown(links []models.Link) string {
	var out []string
	for _, k := range links {
		s := map[int64]string{romashka: "romashka", lutik: "lutik"}[k.ClientID] + " " + string(k.Method)
		if k.DealID != nil {
			s += " #" + string(rune('0'+*k.DealID))
		}
		if k.Ask {
			s += " ask"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestLinkToClient(t *testing.T) {
	t.Parallel()
	class := func(l models.Letter, c models.Class) models.Letter { l.Class = c; return l }
	in := func(b *book) { b.links = []models.Link{threadLink(romashka, 0)} }
	for name, tc := range map[string]struct {
		letter models.Letter
		town   func(*book)
		want   string
		says   string // a key that must stand in the trace
	}{
		"known address":        {letter: inbound("ivan@romashka.ru"), want: "romashka address"},
		"second address":       {letter: inbound("Ivan.Petrov@gmail.com"), want: "romashka address"},
		"address with a tag":   {letter: inbound("ivan.petrov+work@gmail.com"), want: "romashka address"},
		"corporate domain":     {letter: inbound("buh@romashka.ru"), want: "romashka domain"},
		"subdomain":            {letter: inbound("robot@mail.romashka.ru"), want: "romashka domain"},
		"national domain":      {letter: inbound("иван@ромашка.рф"), want: "romashka domain"},
		"address beats domain": {letter: inbound("agent@romashka.ru"), want: "lutik address"},
		"free mail, though somebody registered it":     {letter: inbound("stranger@mail.ru"), says: "deals.link.free_mail"},
		"public suffix, though somebody registered it": {letter: inbound("info@firma.com.ru"), says: "deals.link.unknown"},
		"own domain":                     {letter: inbound("boss@our.ru"), says: "deals.link.nobody"},
		"own address on free mail":       {letter: inbound("our-sales@mail.ru"), says: "deals.link.nobody"},
		"unknown":                        {letter: inbound("x@nobody.example"), says: "deals.link.unknown"},
		"no sender":                      {letter: inbound(""), says: "deals.link.nobody"},
		"unknown sender, known Reply-To": {letter: inbound("form@site.example", "ivan@romashka.ru"), want: "romashka address"},
		"own form, known Reply-To":       {letter: inbound("noreply@our.ru", "ivan@romashka.ru"), want: "romashka address"},
		"the sender decides":             {letter: inbound("buh@romashka.ru", "lutik@mail.ru"), want: "romashka domain", says: "deals.link.sender_decides"},
		"sent to a client":               {letter: outbound("ivan@romashka.ru", "boss@our.ru"), want: "romashka address"},
		"sent to two people of one":      {letter: outbound("buh@romashka.ru", "ivan@romashka.ru"), want: "romashka address"},
		"sent to two clients":            {letter: outbound("ivan@romashka.ru", "lutik@mail.ru"), want: "romashka address, lutik address", says: "deals.deal.many_clients"},
		"sent to colleagues":             {letter: outbound("boss@our.ru"), says: "deals.link.nobody"},
		"internal by direction":          {letter: models.Letter{Direction: models.Internal, Class: models.ClassPerson, FromAddress: "ivan@romashka.ru"}, says: "deals.link.internal"},
		"internal by class":              {letter: class(inbound("ivan@romashka.ru"), models.ClassInternal), says: "deals.link.internal"},

		"mailing from a domain":                {letter: class(inbound("news@romashka.ru"), models.ClassList), says: "deals.link.no_guess"},
		"mailing from an address":              {letter: class(inbound("ivan@romashka.ru"), models.ClassList), want: "romashka address"},
		"bounce from a domain":                 {letter: class(inbound("mailer-daemon@romashka.ru"), models.ClassBounce), says: "deals.link.nobody"},
		"auto-reply from a domain":             {letter: class(inbound("buh@romashka.ru"), models.ClassAutoReply), says: "deals.link.no_guess"},
		"auto-reply in a thread":               {letter: class(inbound("buh@romashka.ru"), models.ClassAutoReply), town: in, want: "romashka thread"},
		"bounce of our own server in a thread": {letter: class(inbound("mailer-daemon@our.ru"), models.ClassBounce), town: in, want: "romashka thread"},
		"bounce without sender in a thread":    {letter: class(inbound(""), models.ClassBounce), town: in, want: "romashka thread"},
		"bounce of the provider in a thread":   {letter: class(inbound("mailer-daemon@yandex.ru"), models.ClassBounce), town: in, want: "romashka thread"},
		"bounce in a thread of two clients": {letter: class(inbound(""), models.ClassBounce), town: func(b *book) {
			b.links = []models.Link{threadLink(romashka, 0), threadLink(lutik, 0)}
		}, says: "deals.link.nobody"},

		"thread, its contact": {letter: inbound("ivan.petrov@gmail.com"), town: in, want: "romashka thread", says: "deals.link.thread_contact"},
		"thread, its domain":  {letter: inbound("buh@romashka.ru"), town: in, want: "romashka thread", says: "deals.link.thread_domain"},
		"thread, its member": {letter: inbound("agent@dostavka.ru"), town: func(b *book) {
			in(b)
			b.members[romashka] = []string{"Agent@dostavka.ru"}
		}, want: "romashka thread", says: "deals.link.thread_member"},
		"thread, a stranger with copied References":       {letter: inbound("x@nobody.example"), town: in, says: "deals.link.third_party"},
		"thread, a stranger on the client's free mail":    {letter: inbound("ivan.petrow@gmail.com"), town: in, says: "deals.link.third_party"},
		"thread, another client's contact":                {letter: inbound("lutik@mail.ru"), town: in, want: "lutik address", says: "deals.link.third_party"},
		"thread, another client's contact on this domain": {letter: inbound("agent@romashka.ru"), town: in, want: "lutik address"},
		"thread, forward to a third party":                {letter: outbound("x@nobody.example"), town: in, says: "deals.link.third_party"},
		"thread, answer with a stranger in copy":          {letter: outbound("ivan@romashka.ru", "x@nobody.example"), town: in, want: "romashka thread"},
		"thread of two, the sender's one": {letter: inbound("lutik@mail.ru"), town: func(b *book) {
			b.links = []models.Link{threadLink(romashka, 0), threadLink(lutik, 0)}
		}, want: "lutik thread"},
		"thread, superseded link": {letter: inbound("agent@dostavka.ru"), town: func(b *book) {
			in(b)
			b.links[0].SupersededAt = &time.Time{}
			b.members[romashka] = []string{"agent@dostavka.ru"}
		}, says: "deals.link.unknown"},
		"the letter's own older link is no thread": {letter: inbound("agent@dostavka.ru"), town: func(b *book) {
			in(b)
			b.links[0].LetterID = 60
			b.members[romashka] = []string{"agent@dostavka.ru"}
		}, says: "deals.link.unknown"},
		"linked by hand": {letter: inbound("ivan@romashka.ru"), town: func(b *book) {
			in(b)
			b.links[0].LetterID, b.links[0].Method = 60, models.LinkManual
		}, says: "deals.link.manual"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := town()
			if tc.town != nil {
				tc.town(b)
			}
			got, err := deals.Linker{Dir: b}.Link(t.Context(), subject(tc.letter))
			if err != nil {
				t.Fatal(err)
			}
			if shown(got.Links) != tc.want {
				t.Errorf("links: got %q, want %q", shown(got.Links), tc.want)
			}
			if tc.says != "" && !slices.ContainsFunc(got.Trace, func(s models.Step) bool { return s.Text.ID == tc.says }) {
				t.Errorf("no %s in %+v", tc.says, got.Trace)
			}
			for _, d := range []string{"mail.ru", "gmail.com", "our.ru", "com.ru", "ru"} {
				if slices.Contains(b.asked, d) {
					t.Errorf("domain %s was looked up", d)
				}
			}
		})
	}
}

func TestLinkToDeal(t *testing.T) {
	t.Parallel()
	one, two := deal(1, romashka, "Насосы"), deal(2, romashka, "Трубы")
	closed := deal(3, romashka, "Старая")
	closed.ClosedAt = &time.Time{}
	link := func(id int64, d int64, m models.LinkMethod, day int) models.Link {
		k := threadLink(romashka, d)
		k.ID, k.Method, k.CreatedAt = id, m, time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)
		return k
	}
	for name, tc := range map[string]struct {
		open  []models.Deal
		links []models.Link
		class models.Class
		want  string
	}{
		"no deal":                         {want: "romashka address"},
		"one open":                        {open: []models.Deal{one}, want: "romashka address #1"},
		"one open beside a closed":        {open: []models.Deal{closed, one}, want: "romashka address #1"},
		"several":                         {open: []models.Deal{one, two}, want: "romashka address ask"},
		"several, the thread knows":       {open: []models.Deal{one, two}, links: []models.Link{link(1, 2, models.LinkAddress, 1)}, want: "romashka thread #2"},
		"the thread's deal is closed":     {open: []models.Deal{one}, links: []models.Link{link(1, 3, models.LinkAddress, 1)}, want: "romashka thread #1"},
		"closed, and several":             {open: []models.Deal{one, two}, links: []models.Link{link(1, 3, models.LinkAddress, 1)}, want: "romashka thread ask"},
		"the thread's newest link":        {open: []models.Deal{one, two}, links: []models.Link{link(1, 2, models.LinkAddress, 9), link(2, 1, models.LinkAddress, 8)}, want: "romashka thread #2"},
		"a person's link beats a newer":   {open: []models.Deal{one, two}, links: []models.Link{link(1, 1, models.LinkManual, 1), link(2, 2, models.LinkAddress, 8)}, want: "romashka thread #1"},
		"auto-reply, one open":            {open: []models.Deal{one}, class: models.ClassAutoReply, want: "romashka address"},
		"auto-reply, several":             {open: []models.Deal{one, two}, class: models.ClassAutoReply, want: "romashka address"},
		"auto-reply in the deal's thread": {open: []models.Deal{one, two}, links: []models.Link{link(1, 2, models.LinkAddress, 1)}, class: models.ClassAutoReply, want: "romashka thread #2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := town()
			b.open[romashka], b.links = tc.open, tc.links
			l := inbound("ivan@romashka.ru")
			if tc.class != "" {
				l.Class = tc.class
			}
			got, err := deals.Linker{Dir: b}.Link(t.Context(), subject(l))
			if err != nil {
				t.Fatal(err)
			}
			if shown(got.Links) != tc.want {
				t.Errorf("got %q, want %q", shown(got.Links), tc.want)
			}
		})
	}
}

func TestEvidenceReadsWell(t *testing.T) {
	t.Parallel()
	texts, err := locale.New("ru", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := town()
	b.open[romashka] = []models.Deal{deal(2, romashka, "Трубы"), deal(1, romashka, "")}
	got, err := deals.Linker{Dir: b}.Link(t.Context(), subject(inbound("buh@ромашка.рф")))
	if err != nil {
		t.Fatal(err)
	}
	want := "Отправитель buh@ромашка.рф: домен ромашка.рф принадлежит клиенту «Ромашка». " +
		"Подходят 2 открытые сделки: #101, #102 «Трубы». Выберите нужную"
	k := got.Links[0]
	if s := texts.Say(k.Evidence); s != want {
		t.Errorf("evidence:\n got %s\nwant %s", s, want)
	}
	v, err := k.Evidence.Value()
	if err != nil {
		t.Fatal(err)
	}
	var stored models.Phrase
	if err := stored.Scan(v); err != nil {
		t.Fatal(err)
	}
	if s := texts.Say(stored); s != want {
		t.Errorf("stored evidence: %s", s)
	}
	if k.Actor != "kontrol" || k.ID != 0 || k.LetterID != 0 || !k.CreatedAt.IsZero() {
		t.Errorf("link: %+v", k)
	}
}

func TestLinkTellsErrors(t *testing.T) {
	t.Parallel()
	b := town()
	b.err = models.Temporary(errors.New("database is locked"))
	if _, err := (deals.Linker{Dir: b}).Link(t.Context(), subject(inbound("ivan@romashka.ru"))); !models.IsTemporary(err) {
		t.Errorf("got %v", err)
	}
}
