package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func card(name, inn, address, domain string) store.ClientCard {
	c := store.ClientCard{Client: models.Client{Name: name}}
	if inn != "" {
		c.INN = &inn
	}
	if address != "" {
		c.Contacts = []store.ContactCard{{
			Contact: models.Contact{Name: "Пётр"},
			Points:  []models.ContactPoint{{Kind: models.PointEmail, Value: address}, {Kind: models.PointPhone, Value: "+7" + strings.Repeat("1", len(address))}},
		}}
	}
	if domain != "" {
		c.Domains = []models.ClientDomain{{Domain: domain}}
	}
	return c
}

func createClient(t *testing.T, db *store.DB, c store.ClientCard) store.ClientCard {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &c, "head@firma.example") })
	return c
}

func TestClients(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := createClient(t, db, card(`ООО «Ромашка»`, "7707083893", " <Petr@Romashka.example> ", "@Romashka.example"))
		b := createClient(t, db, card(`АО "Ёлки_100%"`, "", "b@elki.example.org", ""))
		stored, err := db.Read().Client(t.Context(), a.ID)
		must(t, err)
		if stored.NameKey != "ромашка" || len(stored.Contacts) != 1 || len(stored.Contacts[0].Points) != 2 || stored.Contacts[0].Points[0].Value != "petr@romashka.example" ||
			len(stored.Domains) != 1 || stored.Domains[0].Domain != "romashka.example" {
			t.Errorf("stored: %+v", stored)
		}
		if _, err := db.Read().Client(t.Context(), 999); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("unknown client: %v", err)
		}
		for want, c := range map[string]store.ClientCard{
			"store.duplicate.inn":    card("x", "7707083893", "", ""),
			"store.duplicate.domain": card("x", "", "", "romashka.example"),
			"store.duplicate.email":  card("x", "", "PETR@romashka.example", ""),
			"store.duplicate.phone": {Client: models.Client{Name: "x"}, Contacts: []store.ContactCard{
				{Points: []models.ContactPoint{{Kind: models.PointPhone, Value: stored.Contacts[0].Points[1].Value}}}}},
		} {
			err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.CreateClient(tx.Context(), &c, "") })
			p, _ := models.PhraseOf(err)
			if !errors.Is(err, models.ErrDuplicate) || p.ID != want || p.Args["Client"] != `ООО «Ромашка»` {
				t.Errorf("%s: %v %v", want, p, err)
			}
		}
		deal := models.Deal{ClientID: a.ID, Title: "Поставка"}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateDeal(ctx, &deal, "") })
		for query, want := range map[string]int64{
			"ромаш": a.ID, "ООО РОМАШКА": a.ID, "7707083893": a.ID, "petr@": a.ID, "romashka.example": a.ID, "@romashka.example": a.ID,
			fmt.Sprintf("#%d", deal.Number): a.ID, "№ 1": a.ID, "#2": 0, "елки": b.ID, "ЁЛКИ": b.ID, "@elki.example": b.ID, "770708": 0, "нет такого": 0, "%": 0, "": 0, "_@": 0,
		} {
			rows, err := db.Read().FindClients(t.Context(), query, 10)
			must(t, err)
			if (want == 0) != (len(rows) == 0) || (want != 0 && (len(rows) != 1 || rows[0].ID != want)) {
				t.Errorf("find %q: %+v, want %d", query, rows, want)
			}
		}
		points, err := db.Read().ClientsByAddresses(t.Context(), []string{"petr@romashka.example", "x@y", "b@elki.example.org"})
		must(t, err)
		if len(points) != 2 || points["petr@romashka.example"].Contact.Client.ID != a.ID {
			t.Errorf("by address: %+v", points)
		}
		domains, err := db.Read().ClientsByDomains(t.Context(), []string{"romashka.example", "elki.example.org"})
		must(t, err)
		if len(domains) != 1 || domains["romashka.example"].Client.Name != `ООО «Ромашка»` {
			t.Errorf("by domain: %+v", domains)
		}
		page, err := db.Read().ListClients(t.Context(), store.ClientFilter{}, 1, 1)
		must(t, err)
		if len(page) != 1 || page[0].ID != a.ID { // «елки» comes first
			t.Errorf("second page: %+v", page)
		}
		events, err := db.Read().EventsOfClient(t.Context(), a.ID)
		must(t, err)
		if len(events) != 2 || events[0].Kind != models.EventClientCreated || events[0].Actor != "head@firma.example" || events[1].Kind != models.EventDealCreated {
			t.Errorf("events: %+v", events)
		}
	})
}

func TestDeals(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := createClient(t, db, card("Ромашка", "", "", ""))
		d := models.Deal{ClientID: c.ID, Title: "Поставка", Amount: models.Money{Minor: 150, Currency: "RUB"}}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateDeal(ctx, &d, "m@firma.example") })
		if d.Number != 1 || d.StageCode != "new" {
			t.Errorf("created: %+v", d)
		}
		move := func(m store.StageMove) (changed bool) {
			t.Helper()
			inTx(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
				changed, err = tx.SetDealStage(ctx, m)
				return err
			})
			return changed
		}
		if !move(store.StageMove{Number: 1, To: "lost", Actor: "m@firma.example", Reason: "дорого", OccurredAt: day}) || move(store.StageMove{Number: 1, To: "lost"}) {
			t.Error("lost once, not twice")
		}
		got, err := db.Read().Deal(t.Context(), 1)
		must(t, err)
		if got.ClosedAt == nil || !got.ClosedAt.Equal(day) || got.LostReason != "дорого" || got.Stage.Kind != models.StageLost || got.Client.ID != c.ID || got.Amount.Minor != 150 {
			t.Errorf("lost: %+v", got)
		}
		if open, err := db.Read().OpenDeals(t.Context(), c.ID); err != nil || len(open) != 0 {
			t.Errorf("open: %+v %v", open, err)
		}
		move(store.StageMove{Number: 1, To: "offer"})
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.SetDealNext(ctx, 1, "позвонить", &day)
		})
		open, err := db.Read().OpenDeals(t.Context(), c.ID)
		must(t, err)
		if len(open) != 1 || open[0].ClosedAt != nil || open[0].LostReason != "" || !open[0].Stage.Outstanding || open[0].NextAction != "позвонить" || !open[0].NextActionAt.Equal(day) {
			t.Errorf("open again: %+v", open)
		}
		history, err := db.Read().StageChanges(t.Context(), d.ID)
		must(t, err)
		if len(history) != 3 || history[1].FromCode != "new" || history[1].ToCode != "lost" || history[2].Actor != "kontrol" {
			t.Errorf("history: %+v", history)
		}
		events, err := db.Read().EventsOfDeal(t.Context(), d.ID)
		must(t, err)
		if len(events) != 3 {
			t.Errorf("events: %+v", events)
		}
		for name, f := range map[string]func(ctx context.Context, tx *store.Tx) error{
			"stage": func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.SetDealStage(ctx, store.StageMove{Number: 1, To: "x"})
				return err
			},
			"no stage": func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.SetDealStage(ctx, store.StageMove{Number: 1})
				return err
			},
			"deal": func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.SetDealStage(ctx, store.StageMove{Number: 9, To: "won"})
				return err
			},
			"client": func(ctx context.Context, tx *store.Tx) error {
				return tx.CreateDeal(ctx, &models.Deal{ClientID: 99}, "")
			},
			"stage of create": func(ctx context.Context, tx *store.Tx) error {
				return tx.CreateDeal(ctx, &models.Deal{ClientID: c.ID, StageCode: "x"}, "")
			},
		} {
			if err := db.Tx(t.Context(), func(tx *store.Tx) error { return f(tx.Context(), tx) }); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("unknown %s: %v", name, err)
			}
		}
		for want, f := range map[int]store.DealFilter{1: {ClientID: c.ID, StageCode: "offer", Open: true, Limit: 5, IDs: []int64{d.ID}}, 0: {OwnerID: 5}} {
			rows, err := db.Read().Deals(t.Context(), f)
			must(t, err)
			if len(rows) != want {
				t.Errorf("%+v: %d deals", f, len(rows))
			}
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, b := createClient(t, db, card("А", "", "", "")), createClient(t, db, card("Б", "", "", ""))
		l := newLetter(t, db, "a", nil, "older@x")
		link := func(client int64, method models.LinkMethod) models.Link {
			k := models.Link{LetterID: l.ID, ClientID: client, Method: method, Evidence: models.Say("x.y", "Name", "z")}
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddLink(ctx, &k) })
			return k
		}
		link(a.ID, models.LinkDomain)
		second := link(a.ID, models.LinkManual)
		link(b.ID, models.LinkAddress)
		now, err := db.Read().CurrentLinks(t.Context(), []int64{l.ID})
		must(t, err)
		if len(now) != 2 || now[0].ID != second.ID || now[0].Client.Name != "А" || now[0].Actor != "kontrol" || now[0].CreatedAt.IsZero() {
			t.Errorf("current: %+v", now)
		}
		inThread, err := db.Read().ThreadLinks(t.Context(), l.ThreadID)
		must(t, err)
		bySubject, err := db.Read().ThreadBySubject(t.Context(), "запрос цены", a.ID, day, day)
		must(t, err)
		if len(inThread) != 2 || bySubject.ID != l.ID || bySubject.ThreadID != l.ThreadID || !bySubject.ArrivedAt.Equal(day) {
			t.Errorf("thread %+v, subject %+v", inThread, bySubject)
		}
		for _, from := range []time.Time{day.Add(-time.Hour), day.Add(time.Second)} {
			if l, err := db.Read().ThreadBySubject(t.Context(), "запрос цены", a.ID, from, from.Add(time.Minute)); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("outside of the time: %+v %v", l, err)
			}
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.SupersedeLinks(ctx, l.ID) })
		now, err = db.Read().CurrentLinks(t.Context(), []int64{l.ID})
		must(t, err)
		all, err := db.Read().LinksOf(t.Context(), l.ID)
		must(t, err)
		if len(now) != 0 || len(all) != 3 {
			t.Errorf("superseded: %d of %d", len(now), len(all))
		}
	})
}

func TestLettersFrom(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		with := func(name, from string, to, cc []string, class models.Class) models.Letter {
			return newLetter(t, db, name, func(l *models.Letter) { l.FromAddress, l.To, l.Cc, l.Class = from, to, cc, class })
		}
		a := with("a", "petr@c.example", []string{"s@f.example"}, nil, models.ClassPerson)
		b := with("b", "s@f.example", []string{"x@y.example", "petr@c.example"}, nil, models.ClassPerson)
		c := with("c", "s@f.example", nil, []string{"anna@c.example"}, models.ClassPerson)
		with("d", "petr@c.example", nil, nil, models.ClassAutoReply)
		with("e", "xpetr@c.example.org", []string{"petr@c.example.org", "petrx@d.example"}, nil, models.ClassPerson)
		linked := with("f", "petr@c.example", nil, nil, models.ClassPerson)
		client := createClient(t, db, card("А", "", "", ""))
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.AddLink(ctx, &models.Link{LetterID: linked.ID, ClientID: client.ID, Method: models.LinkManual})
		})
		many := make([]string, 350)
		for i := range many {
			many[i] = fmt.Sprintf("nobody%d@z.example", i)
		}
		for i, q := range []struct {
			addresses, domains []string
			after              int64
			limit              int
			want               []int64
		}{
			{[]string{"petr@c.example"}, nil, 0, 10, []int64{a.ID, b.ID}},
			{nil, []string{"c.example"}, 0, 10, []int64{a.ID, b.ID, c.ID}},
			{[]string{"petr@c.example"}, []string{"c.example"}, a.ID, 1, []int64{b.ID}},
			{append(many, "anna@c.example"), nil, 0, 10, []int64{c.ID}},
			{[]string{"%@c.example"}, []string{"_.example"}, 0, 10, nil},
			{nil, nil, 0, 10, nil},
		} {
			rows, err := db.Read().LettersFrom(t.Context(), q.addresses, q.domains, q.after, q.limit)
			must(t, err)
			var got []int64
			for _, l := range rows {
				got = append(got, l.ID)
			}
			if fmt.Sprint(got) != fmt.Sprint(q.want) {
				t.Errorf("%d: letters %v, want %v", i, got, q.want)
			}
		}
	})
}

func TestStaff(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		sync := func(people []models.Manager, boxes []models.Mailbox) {
			t.Helper()
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return errors.Join(tx.SyncManagers(ctx, people), tx.SyncMailboxes(ctx, boxes))
			})
		}
		people := []models.Manager{{Name: "Мария", Email: "Maria@firma.example", Role: models.RoleManager, Timezone: "Europe/Moscow"}, {Name: "Анна", Email: "anna@firma.example", Role: models.RoleHead}}
		boxes := []models.Mailbox{{Address: "Maria@firma.example", Kind: models.MailboxPersonal}, {Address: "sales@firma.example", Kind: models.MailboxShared}}
		sync(people, boxes)
		id := boxes[0].ID
		must(t, db.SaveMailboxHealth(t.Context(), id, models.MailboxHealth{State: models.MailboxStopped, Reason: models.Say("x.y"), LoginRefusals: 3, SyncedAt: &day}))
		sync([]models.Manager{{Name: "Мария П.", Email: "maria@firma.example", Role: models.RoleAdmin}},
			[]models.Mailbox{{Address: "maria@firma.example", Kind: models.MailboxPersonal, ManagerID: &people[0].ID, Aliases: models.Strings{"m@firma.example"}}})
		staff, err := db.Read().Managers(t.Context())
		must(t, err)
		if len(staff) != 2 || staff[0].Active || !staff[1].Active || staff[1].Name != "Мария П." || staff[1].Role != models.RoleAdmin || staff[1].ID != people[0].ID {
			t.Errorf("staff: %+v", staff)
		}
		if m, err := db.Read().Manager(t.Context(), " <ANNA@firma.example>"); err != nil || m.ID != people[1].ID {
			t.Errorf("manager: %+v %v", m, err)
		}
		m, err := db.Read().Mailbox(t.Context(), "maria@FIRMA.example")
		must(t, err)
		if m.ID != id || m.State != models.MailboxStopped || m.LoginRefusals != 3 || !m.SyncedAt.Equal(day) || m.Manager.Name != "Мария П." || !m.Aliases.Has("m@firma.example") {
			t.Errorf("mailbox: %+v", m)
		}
		gone, err := db.Read().Mailbox(t.Context(), "sales@firma.example")
		must(t, err)
		if gone.State != models.MailboxRemoved {
			t.Errorf("undeclared mailbox: %+v", gone)
		}
		must(t, db.SaveMailboxHealth(t.Context(), gone.ID, models.MailboxHealth{State: models.MailboxActive}))
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.SetMailboxState(ctx, id, models.MailboxPaused, models.Phrase{})
		})
		must(t, db.SaveMailboxHealth(t.Context(), id, models.MailboxHealth{State: models.MailboxActive, Connected: true}))
		for address, want := range map[string]models.MailboxState{"maria@firma.example": models.MailboxPaused, "sales@firma.example": models.MailboxRemoved} {
			m, err := db.Read().Mailbox(t.Context(), address)
			must(t, err)
			if m.State != want {
				t.Errorf("%s is %s after news of its health, want %s", address, m.State, want)
			}
		}
		back := []models.Mailbox{{Address: "sales@firma.example", Kind: models.MailboxShared}}
		sync(nil, back)
		if back[0].ID != gone.ID || back[0].State != models.MailboxActive {
			t.Errorf("declared again: %+v", back)
		}
		if err := db.SaveMailboxHealth(t.Context(), 999, models.MailboxHealth{}); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("unknown mailbox: %v", err)
		}
	})
}

func TestDecisionsAndEvents(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		l := newLetter(t, db, "a", nil)
		loc := newLocation(t, db, o, models.FolderInbox, 1, l)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			for _, action := range []models.Action{models.ActionStay, models.ActionFile} {
				d := models.Decision{LetterID: l.ID, LocationID: loc.ID, MailboxID: o.mailbox.ID, Action: action, Rule: "r",
					Trace: models.Trace{{Text: models.Say("x.y", "Count", 2), Holds: true}}}
				if err := tx.AddDecision(ctx, &d); err != nil {
					return err
				}
			}
			key := "k"
			for i := range 2 {
				added, err := tx.AddEvent(ctx, &models.Event{Kind: models.EventLetterArrived, DedupeKey: &key, LetterID: &l.ID, OccurredAt: day})
				if err != nil || added != (i == 0) {
					t.Errorf("event %d: %v %v", i, added, err)
				}
			}
			_, err := tx.AddEvent(ctx, &models.Event{Kind: models.EventLetterGone, LetterID: &l.ID, OccurredAt: day.Add(-time.Hour)})
			return err
		})
		last, err := db.Read().LastDecisions(t.Context(), []int64{loc.ID, 999})
		must(t, err)
		if len(last) != 1 || last[loc.ID].Action != models.ActionFile || !strings.Contains(last[loc.ID].Trace, `"holds":true`) || last[loc.ID].ID == 0 {
			t.Errorf("last: %+v", last)
		}
		all, err := db.Read().DecisionsOf(t.Context(), l.ID)
		must(t, err)
		events, err := db.Read().EventsOf(t.Context(), l.ID)
		must(t, err)
		if len(all) != 2 || len(events) != 2 || events[0].Kind != models.EventLetterGone || events[1].Actor != "kontrol" {
			t.Errorf("decisions %+v, events %+v", all, events)
		}
	})
}

func TestListLettersAndStatus(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, far := newOffice(t, db, "sales@firma.example"), newOffice(t, db, "far@firma.example")
		client := createClient(t, db, card("Ромашка", "", "", ""))
		asked := newLetter(t, db, "asked", func(l *models.Letter) { l.FromName, l.Text = "Пётр ЁЛКИН", "тайна" })
		ours := newLetter(t, db, "ours", func(l *models.Letter) {
			l.Direction, l.ThreadID, l.ArrivedAt = models.Outbound, asked.ThreadID, day.Add(time.Hour)
		})
		open := newLetter(t, db, "open", func(l *models.Letter) {
			l.ArrivedAt = day.Add(-time.Hour)
			l.Subject, l.BaseSubject = "Re: Счёт 100%", "счет 100%"
		})
		auto := newLetter(t, db, "auto", func(l *models.Letter) { l.Class, l.ArrivedAt = models.ClassAutoReply, day.Add(2*time.Hour) })
		newLocation(t, db, o, models.FolderInbox, 1, asked)
		newLocation(t, db, o, models.FolderSent, 1, ours)
		newLocation(t, db, far, models.FolderControl, 1, open)
		newLocation(t, db, o, models.FolderInbox, 2, open)
		gone := newLocation(t, db, far, models.FolderInbox, 3, auto)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.MarkGone(ctx, gone.FolderID, 7, []uint32{3}, day)
			return errors.Join(err, tx.AddLink(ctx, &models.Link{LetterID: open.ID, ClientID: client.ID, Method: models.LinkManual}),
				tx.AddQuarantine(ctx, &models.Quarantine{MailboxID: o.mailbox.ID, FolderID: o.folders[models.FolderInbox].ID, UIDValidity: 7, UID: 9}))
		})
		for i, c := range []struct {
			f    store.LetterFilter
			want []int64
		}{
			{store.LetterFilter{}, []int64{auto.ID, ours.ID, asked.ID, open.ID}},
			{store.LetterFilter{Limit: 2}, []int64{auto.ID, ours.ID}},
			{store.LetterFilter{Limit: 2, BeforeID: ours.ID}, []int64{asked.ID, open.ID}},
			{store.LetterFilter{MailboxID: far.mailbox.ID}, []int64{open.ID}},
			{store.LetterFilter{Role: models.FolderInbox}, []int64{asked.ID, open.ID}},
			{store.LetterFilter{MailboxID: far.mailbox.ID, Role: models.FolderInbox}, nil},
			{store.LetterFilter{ClientID: client.ID}, []int64{open.ID}},
			{store.LetterFilter{DealID: 5}, nil},
			{store.LetterFilter{Unlinked: true, Class: models.ClassPerson}, []int64{ours.ID, asked.ID}},
			{store.LetterFilter{ThreadID: asked.ThreadID, Direction: models.Inbound}, []int64{asked.ID}},
			{store.LetterFilter{Unanswered: true}, []int64{open.ID}},
			{store.LetterFilter{Since: day, Until: day.Add(time.Hour)}, []int64{asked.ID}},
			{store.LetterFilter{Query: "СЧЁТ 100%"}, []int64{open.ID}},
			{store.LetterFilter{Query: "100_"}, nil},
			{store.LetterFilter{Query: "пётр"}, []int64{asked.ID}},
			{store.LetterFilter{Query: "<open@example.org>"}, []int64{open.ID}},
			{store.LetterFilter{Query: "OPEN@client"}, []int64{open.ID}},
		} {
			rows, err := db.Read().ListLetters(t.Context(), c.f)
			must(t, err)
			var got []int64
			for _, l := range rows {
				got = append(got, l.ID)
				if l.Text != "" {
					t.Error("text of a letter in a list")
				}
				if l.ID == open.ID && (len(l.Locations) != 2 || l.Locations[0].Folder == nil || len(l.Links) != 1 || l.Links[0].Client.Name != "Ромашка") {
					t.Errorf("%d: %+v", i, l)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%d %+v: %v, want %v", i, c.f, got, c.want)
			}
		}
		f := plan(t, db, o, live(t, db, asked.ID)[0], models.FolderProcessed)
		f.State = models.FilingUnknown
		must(t, db.SaveFiling(t.Context(), &f))
		s, err := db.Read().Status(t.Context())
		must(t, err)
		if len(s.Mailboxes) != 2 || s.LastEventAt == nil {
			t.Fatalf("status %+v", s)
		}
		farBox, box := s.Mailboxes[0], s.Mailboxes[1]
		if box.Letters != 3 || box.Live[models.FolderInbox] != 2 || box.Live[models.FolderSent] != 1 || box.Quarantine != 1 ||
			box.Filings[models.FilingUnknown] != 1 || farBox.Letters != 2 || farBox.Live[models.FolderInbox] != 0 || farBox.Live[models.FolderControl] != 1 {
			t.Errorf("status %+v", s)
		}
	})
}
