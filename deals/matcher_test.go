package deals_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/deals"
	"kontrol/models"
)

var secret = deals.TokenKey("a key of the tests")

func linker(b *book) deals.Linker {
	return deals.Linker{Dir: b, Key: func(context.Context) (deals.TokenKey, error) { return secret, nil }}
}

// asked writes proposals as text.
func asked(list []models.Proposal) string {
	var out []string
	for _, p := range list {
		s := string(p.Kind) + " " + string(p.Method)
		if p.ClientID != nil {
			s += map[int64]string{romashka: " romashka", lutik: " lutik"}[*p.ClientID]
		}
		if p.DealID != nil {
			s += fmt.Sprintf(" #%d", *p.DealID)
		}
		out = append(out, s+" "+p.Key)
	}
	return strings.Join(out, ", ")
}

const (
	innRomashka = "7707083893"
	innLutik    = "7736050003"
	innOwn      = "7710140679"
)

// matchTown is town with everything by which a client can be found.
func matchTown() *book {
	b := town()
	r, l := deals.Match{ClientID: romashka, ClientName: "Ромашка"}, deals.Match{ClientID: lutik, ClientName: "Лютик"}
	b.inns = map[string]deals.Match{innRomashka: r, innLutik: l, innOwn: l}
	b.phones = map[string]deals.Match{"+79123456789": r}
	client := func(id int64, name string) *models.Client { return &models.Client{ID: id, Name: name} }
	one, two, three := deal(1, romashka, "Насосы"), deal(2, romashka, "Котлы"), deal(3, lutik, "Лампы")
	one.Client, two.Client, three.Client = client(romashka, "Ромашка"), client(romashka, "Ромашка"), client(lutik, "Лютик")
	b.numbered = map[int64]models.Deal{101: one, 102: two, 103: three}
	b.open = map[int64][]models.Deal{romashka: {one, two}, lutik: {three}}
	b.taught = map[string]deals.Match{}
	return b
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	mark := func(n int64) []deals.Token { return deals.FindTokens(secret.Mark(n)) }
	id2 := int64(2)
	stranger, known := inbound("x@nobody.example"), inbound("ivan@romashka.ru")
	known.To, known.ArrivedAt = models.Strings{"anna@our.ru"}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		letter       models.Letter
		change       func(*deals.Subject, *book)
		links, asked string
	}{
		"mark of a stranger":             {letter: stranger, change: func(s *deals.Subject, _ *book) { s.Tokens = mark(102) }, asked: "review token romashka #2 "},
		"forged mark of a stranger":      {letter: stranger, change: func(s *deals.Subject, _ *book) { s.Tokens = deals.FindTokens("[D102-aaaaa]") }, asked: "client address x@nobody.example"},
		"mark of a contact":              {letter: known, change: func(s *deals.Subject, _ *book) { s.Tokens = mark(102) }, links: "romashka token #2"},
		"forged mark of a contact":       {letter: known, change: func(s *deals.Subject, _ *book) { s.Tokens = deals.FindTokens("[D102-aaaaa]") }, links: "romashka address ask"},
		"two marks of a contact":         {letter: known, change: func(s *deals.Subject, _ *book) { s.Tokens = append(mark(101), mark(102)...) }, links: "romashka token ask"},
		"mark by the domain":             {letter: inbound("new@romashka.ru"), change: func(s *deals.Subject, _ *book) { s.Tokens = mark(102) }, links: "romashka token #2"},
		"mark of another client":         {letter: known, change: func(s *deals.Subject, _ *book) { s.Tokens = mark(103) }, links: "romashka address ask", asked: "review token lutik #3 "},
		"mark of no deal":                {letter: known, change: func(s *deals.Subject, _ *book) { s.Tokens = mark(999) }, links: "romashka address ask"},
		"mark against the thread's deal": {letter: known, change: func(s *deals.Subject, b *book) { s.Tokens, b.links = mark(102), []models.Link{threadLink(romashka, 1)} }, links: "romashka thread ask"},
		"no key, no mark":                {letter: known, change: func(s *deals.Subject, _ *book) { s.Tokens = []deals.Token{{Number: 102}} }, links: "romashka address ask"},

		"inn":                {letter: stranger, change: func(s *deals.Subject, _ *book) { s.INNs = []string{innLutik} }, links: "lutik inn #3"},
		"inn before phone":   {letter: stranger, change: func(s *deals.Subject, _ *book) { s.INNs, s.Phones = []string{innLutik}, []string{"+79123456789"} }, links: "lutik inn #3"},
		"inn before domain":  {letter: inbound("buh@romashka.ru"), change: func(s *deals.Subject, _ *book) { s.INNs = []string{innLutik} }, links: "lutik inn #3"},
		"address before inn": {letter: known, change: func(s *deals.Subject, _ *book) { s.INNs = []string{innLutik} }, links: "romashka address ask"},
		"two inns":           {letter: stranger, change: func(s *deals.Subject, _ *book) { s.INNs = []string{innLutik, innRomashka} }, asked: "review inn lutik , review inn romashka "},
		"our own inn":        {letter: stranger, change: func(s *deals.Subject, _ *book) { s.INNs = []string{innOwn} }, asked: "client address x@nobody.example"},
		"an inn that is none": {letter: stranger, change: func(s *deals.Subject, b *book) {
			s.INNs = []string{"7707083890"}
			b.inns["7707083890"] = b.inns[innLutik]
		}, asked: "client address x@nobody.example"},
		"phone":                   {letter: stranger, change: func(s *deals.Subject, _ *book) { s.Phones = []string{"+79123456789"} }, links: "romashka phone ask"},
		"inn in our own letter":   {letter: outbound("x@nobody.example"), change: func(s *deals.Subject, _ *book) { s.INNs = []string{innLutik} }},
		"inn in a mailing":        {letter: func() models.Letter { l := stranger; l.Class = models.ClassList; return l }(), change: func(s *deals.Subject, _ *book) { s.INNs = []string{innLutik} }},
		"stranger who copies all": {letter: stranger, change: func(s *deals.Subject, b *book) { s.Tokens, b.links = mark(102), []models.Link{threadLink(romashka, 1)} }, asked: "review thread romashka #1 "},

		"taught address": {letter: stranger, change: func(_ *deals.Subject, b *book) {
			b.taught["x@nobody.example"] = deals.Match{ClientID: romashka, ClientName: "Ромашка", DealID: &id2}
		}, links: "romashka rule #2"},
		"taught address with a tag": {letter: inbound("x+1@nobody.example"), change: func(_ *deals.Subject, b *book) {
			b.taught["x@nobody.example"] = deals.Match{ClientID: lutik, ClientName: "Лютик"}
		}, links: "lutik rule #3"},
		"taught against the card": {letter: known, change: func(_ *deals.Subject, b *book) {
			b.taught["ivan@romashka.ru"] = deals.Match{ClientID: lutik, ClientName: "Лютик"}
		}, links: "lutik rule #3"},
		"taught against the thread": {letter: known, change: func(_ *deals.Subject, b *book) {
			b.taught["ivan@romashka.ru"] = deals.Match{ClientID: lutik, ClientName: "Лютик"}
			b.links = []models.Link{threadLink(romashka, 1)}
		}, links: "lutik rule #3", asked: "review thread romashka #1 "},
		"taught, but the text names another deal": {letter: known, change: func(s *deals.Subject, b *book) {
			b.taught["ivan@romashka.ru"] = deals.Match{ClientID: romashka, ClientName: "Ромашка", DealID: &id2}
			s.Deals = []string{"101"}
		}, links: "romashka rule #1"},

		"number of a deal":           {letter: known, change: func(s *deals.Subject, _ *book) { s.Deals = []string{"102"} }, links: "romashka address #2"},
		"numbers of both":            {letter: known, change: func(s *deals.Subject, _ *book) { s.Deals = []string{"102", "101"} }, links: "romashka address ask"},
		"number of another client's": {letter: known, change: func(s *deals.Subject, _ *book) { s.Deals = []string{"103"} }, links: "romashka address ask"},
		"number of an offer": {letter: known, change: func(s *deals.Subject, b *book) {
			s.Offers, b.subjects = []string{"КП-77"}, map[int64][]string{2: {"Предложение кп-77"}, 1: {"КП-771", "1КП-77"}}
		}, links: "romashka address #2"},
		"number of an invoice in both": {letter: known, change: func(s *deals.Subject, b *book) {
			s.Invoices, b.subjects = []string{"5"}, map[int64][]string{2: {"Счёт 5"}, 1: {"Счёт № 5"}}
		}, links: "romashka address ask"},
		"our last letter": {letter: known, change: func(_ *deals.Subject, b *book) { b.last = &id2 }, links: "romashka address #2"},
		"our last letter against the title": {letter: known, change: func(s *deals.Subject, b *book) {
			b.last, s.NewWords = &id2, "Что там с насосами?"
		}, links: "romashka address ask"},
		"words of the title": {letter: known, change: func(s *deals.Subject, _ *book) {
			s.NewWords = "Сколько стоят котлов три штуки"
		}, links: "romashka address #2"},
		"words of both titles": {letter: known, change: func(s *deals.Subject, _ *book) { s.NewWords = "И насосы, и котлы" }, links: "romashka address ask"},
		"the letter it answers": {letter: known, change: func(s *deals.Subject, b *book) {
			twoDeals(b)
			s.References = []string{"a", "b"}
			b.answered = map[string]int64{"a": 1}
		}, links: "romashka thread #1"},
		"no letter that it names": {letter: known, change: func(s *deals.Subject, b *book) { twoDeals(b); s.References = []string{"x"} }, links: "romashka thread #2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := matchTown()
			s := subject(tc.letter)
			s.OwnINN = innOwn
			if tc.change != nil {
				tc.change(&s, b)
			}
			got, err := linker(b).Link(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if shown(got.Links) != tc.links || asked(got.Proposals) != tc.asked {
				t.Errorf("got %q, asked %q; want %q, asked %q", shown(got.Links), asked(got.Proposals), tc.links, tc.asked)
			}
			for _, k := range got.Links {
				if k.Score < 1 || k.Score > 100 {
					t.Errorf("score %d", k.Score)
				}
			}
		})
	}
}

// twoDeals makes a thread about two deals, the second one named last.
func twoDeals(b *book) {
	one, two := threadLink(romashka, 1), threadLink(romashka, 2)
	two.ID++
	b.links = []models.Link{one, two}
}

func TestOldConversationAboutSomethingNew(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		days        int
		subject     string
		had         bool
		named       []string
		want, asked string
	}{
		"new subject after 15 days":                    {days: 15, subject: "радиаторы", want: "romashka thread ask", asked: "deal thread romashka "},
		"new subject after 14 days":                    {days: 14, subject: "радиаторы", want: "romashka thread #1"},
		"the old subject after 60 days":                {days: 60, subject: "насосы", want: "romashka thread #1"},
		"a subject that it has had":                    {days: 60, subject: "радиаторы", had: true, want: "romashka thread #1"},
		"no subject":                                   {days: 60, want: "romashka thread #1"},
		"new subject, the number of the deal is named": {days: 60, subject: "радиаторы", named: []string{"101"}, want: "romashka thread #1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := matchTown()
			b.open[romashka] = b.open[romashka][:1]
			b.links, b.head, b.had = []models.Link{threadLink(romashka, 1)}, models.Thread{BaseSubject: "насосы", LastAt: last}, tc.had
			l := inbound("ivan@romashka.ru")
			l.BaseSubject, l.ArrivedAt = tc.subject, last.AddDate(0, 0, tc.days)
			s := subject(l)
			s.Deals = tc.named
			got, err := linker(b).Link(t.Context(), s)
			if err != nil || shown(got.Links) != tc.want || asked(got.Proposals) != tc.asked {
				t.Errorf("got %q, asked %q, %v", shown(got.Links), asked(got.Proposals), err)
			}
		})
	}
}

func TestForwards(t *testing.T) {
	t.Parallel()
	staff := models.Letter{ID: 60, ThreadID: 7, Direction: models.Internal, Class: models.ClassInternal, FromAddress: "boris@our.ru", To: models.Strings{"anna@our.ru"}}
	outside := outbound("partner@trade.example")
	for name, tc := range map[string]struct {
		letter models.Letter
		inner  deals.Sender
		want   string
	}{
		"a client's letter":            {staff, deals.Sender{Address: "lutik@mail.ru"}, "forward forward lutik #3 "},
		"by its domain, several deals": {staff, deals.Sender{Address: "new@romashka.ru"}, "forward forward romashka "},
		"a stranger's":                 {staff, deals.Sender{Name: "Мария", Address: "m@novaya.example"}, "client forward m@novaya.example"},
		"a colleague's":                {staff, deals.Sender{Address: "anna@our.ru"}, ""},
		"to somebody outside":          {outside, deals.Sender{Address: "lutik@mail.ru"}, "forward forward lutik #3 "},
		"by somebody outside":          {inbound("x@nobody.example"), deals.Sender{Address: "lutik@mail.ru"}, "client address x@nobody.example"},
		"nothing":                      {staff, deals.Sender{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := subject(tc.letter)
			s.Inner = tc.inner
			got, err := linker(matchTown()).Link(t.Context(), s)
			if err != nil || len(got.Links) != 0 || asked(got.Proposals) != tc.want {
				t.Errorf("got %q, asked %q, %v", shown(got.Links), asked(got.Proposals), err)
			}
		})
	}
}

func TestNewClientFromALetter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, sender, signature string
		want                    models.ClientDraft
	}{
		"signature": {"maria@novaya.ru", "Мария Новая", "С уважением,\nМария Новая\nдиректор ООО «Новая энергия», тел. 8 912 345-67-89",
			models.ClientDraft{Name: "ООО «Новая энергия»", NameFrom: "signature", Contact: "Мария Новая", Domain: "novaya.ru"}},
		"English":         {"m@acme.com", "", "Mary Smith\nAcme Trading LLC", models.ClientDraft{Name: "Acme Trading LLC", NameFrom: "signature", Domain: "acme.com"}},
		"with a comma":    {"m@acme.com", "", "Acme Trading, Inc.", models.ClientDraft{Name: "Acme Trading, Inc.", NameFrom: "signature", Domain: "acme.com"}},
		"an entrepreneur": {"p@mail.ru", "Пётр", "ИП Петров П.П.", models.ClientDraft{Name: "ИП Петров П.П", NameFrom: "signature", Contact: "Пётр"}},
		"domain":          {"m@mail.novaya.ru", "Мария", "С уважением, Мария", models.ClientDraft{Name: "novaya.ru", NameFrom: "domain", Contact: "Мария", Domain: "novaya.ru"}},
		"name":            {"m@mail.ru", " Мария\x1b\u202e  Новая", "", models.ClientDraft{Name: "Мария Новая", NameFrom: "sender", Contact: "Мария Новая"}},
		"address":         {"m@mail.ru", "", "", models.ClientDraft{Name: "m@mail.ru", NameFrom: "address"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := inbound(tc.from)
			l.FromName = tc.sender
			s := subject(l)
			s.Signature = tc.signature
			got, err := linker(matchTown()).Link(t.Context(), s)
			tc.want.Address = tc.from
			if err != nil || len(got.Proposals) != 1 || !reflect.DeepEqual(got.Proposals[0].Draft, tc.want) {
				t.Errorf("got %+v, %v; want %+v", got.Proposals, err, tc.want)
			}
		})
	}
}

// anySubject draws a letter with anything in it that leads somewhere, and a town.
func anySubject(t *rapid.T) (deals.Subject, *book) {
	b := matchTown()
	addresses := []string{"ivan@romashka.ru", "buh@romashka.ru", "lutik@mail.ru", "x@nobody.example", "y@mail.ru", "boss@our.ru", "our-sales@mail.ru",
		"agent@romashka.ru", "ivanpetrov+1@gmail.com", "", "robot@mail.romashka.ru", "x@sub.our.ru"}
	l := models.Letter{
		ID: 60, ThreadID: 7, Direction: rapid.SampledFrom([]models.Direction{models.Inbound, models.Inbound, models.Outbound, models.Internal}).Draw(t, "direction"),
		Class:       rapid.SampledFrom([]models.Class{models.ClassPerson, models.ClassPerson, models.ClassList, models.ClassBounce, models.ClassAutoReply}).Draw(t, "class"),
		FromAddress: rapid.SampledFrom(addresses).Draw(t, "from"), To: rapid.SliceOfN(rapid.SampledFrom(addresses), 0, 3).Draw(t, "to"),
		ReplyTo: rapid.SliceOfN(rapid.SampledFrom(addresses), 0, 1).Draw(t, "reply to"), BaseSubject: rapid.SampledFrom([]string{"", "насосы", "котлы"}).Draw(t, "subject"),
		ArrivedAt: time.Date(2026, 11, rapid.IntRange(1, 28).Draw(t, "day"), 0, 0, 0, 0, time.UTC),
	}
	s := subject(l)
	s.OwnINN = innOwn
	for _, n := range rapid.SliceOfN(rapid.SampledFrom([]int64{101, 102, 103, 999}), 0, 3).Draw(t, "marks") {
		s.Tokens = append(s.Tokens, deals.FindTokens(secret.Mark(n))...)
	}
	s.INNs = rapid.SliceOfN(rapid.SampledFrom([]string{innRomashka, innLutik, innOwn, "1"}), 0, 2).Draw(t, "inns")
	s.Phones = rapid.SliceOfN(rapid.SampledFrom([]string{"+79123456789", "+79990000000"}), 0, 2).Draw(t, "phones")
	s.Deals = rapid.SliceOfN(rapid.SampledFrom([]string{"101", "102", "103"}), 0, 2).Draw(t, "deals")
	s.NewWords = rapid.SampledFrom([]string{"", "насосы", "котлы и насосы"}).Draw(t, "words")
	s.Inner.Address = rapid.SampledFrom([]string{"", "", "lutik@mail.ru", "boss@our.ru", "z@z.example"}).Draw(t, "inner")
	for _, client := range rapid.SliceOfN(rapid.SampledFrom([]int64{romashka, lutik}), 0, 3).Draw(t, "thread") {
		k := threadLink(client, rapid.SampledFrom([]int64{0, 1, 2, 3}).Draw(t, "deal"))
		b.links = append(b.links, k)
	}
	b.head = models.Thread{BaseSubject: "насосы", LastAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	if rapid.Bool().Draw(t, "taught") {
		b.taught["y@mail.ru"] = deals.Match{ClientID: lutik, ClientName: "Лютик"}
	}
	return s, b
}

// A letter from somebody whom no card, rule, INN or phone knows and who takes no part in a thread is tied to nothing,
// whatever references and marks it has copied.
func TestAStrangerOpensNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, b := anySubject(t)
		s.Letter.Direction, s.Letter.FromAddress, s.Letter.ReplyTo = models.Inbound, "stranger@elsewhere.example", nil
		s.INNs, s.Phones = nil, nil
		got, err := linker(b).Link(context.Background(), s)
		if err != nil || len(got.Links) > 0 {
			t.Fatalf("links %q, %v", shown(got.Links), err)
		}
	})
}

// Nothing but the input counts: two runs say the same, and the order in which the directory gives things does not matter.
func TestTheSameTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, b := anySubject(t)
		one, err := linker(b).Link(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		for id, list := range b.open {
			list = slices.Clone(list)
			slices.Reverse(list)
			b.open[id] = list
		}
		two, err := linker(b).Link(context.Background(), s)
		if err != nil || !reflect.DeepEqual(one, two) {
			t.Fatalf("first %+v\nthen %+v, %v", one, two, err)
		}
	})
}

// Our own people are nobody's contacts: a letter among us is never tied, and our domains are never looked up.
func TestOwnDomainsNeverLink(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, b := anySubject(t)
		ours := []string{"anna@our.ru", "boss@our.ru", "our-sales@mail.ru", "x@sub.our.ru"}
		b.addresses["boss@our.ru"] = deals.Match{ClientID: lutik, ClientName: "Лютик", ContactID: 9}
		s.Letter.FromAddress = rapid.SampledFrom(ours).Draw(t, "own sender")
		s.Letter.ReplyTo, s.Letter.To = nil, rapid.SliceOfN(rapid.SampledFrom(ours), 0, 3).Draw(t, "own recipients")
		s.Inner.Address = ""
		got, err := linker(b).Link(context.Background(), s)
		if err != nil || len(got.Links) > 0 && s.Letter.Class != models.ClassBounce {
			t.Fatalf("links %q, %v", shown(got.Links), err)
		}
		if i := slices.IndexFunc(b.asked, func(d string) bool { return strings.HasSuffix(d, "our.ru") && !strings.Contains(d, "@") }); i >= 0 {
			t.Fatalf("%s was looked up", b.asked[i])
		}
	})
}

// What a person has said of a letter holds whatever else speaks against it.
func TestAPersonAlwaysWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, b := anySubject(t)
		if s.Letter.Direction == models.Internal {
			s.Letter.Direction = models.Inbound
		}
		mine := threadLink(lutik, 3)
		mine.LetterID, mine.Method = s.Letter.ID, models.LinkManual
		b.links = append(b.links, mine)
		got, err := linker(b).Link(context.Background(), s)
		if err != nil || len(got.Links) > 0 || len(got.Proposals) > 0 {
			t.Fatalf("links %q, asked %q, %v", shown(got.Links), asked(got.Proposals), err)
		}
	})
}
