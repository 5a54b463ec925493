package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// matchCard is a client with what the matcher looks for.
func matchCard(t *testing.T, db *store.DB) store.ClientCard {
	t.Helper()
	inn := "7707083893"
	card := store.ClientCard{Client: models.Client{Name: "Ромашка", INN: &inn}, Domains: []models.ClientDomain{{Domain: "romashka.example"}},
		Contacts: []store.ContactCard{{Contact: models.Contact{Name: "Иван"}, Points: []models.ContactPoint{
			{Kind: models.PointEmail, Value: "ivan@romashka.example"}, {Kind: models.PointEmail, Value: "ivan.petrov@gmail.com"},
			{Kind: models.PointEmail, Value: "p.etr@mail.example"}, {Kind: models.PointPhone, Value: "+79123456789"},
		}}}}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &card, "") })
	return card
}

func TestOwnersOfWhatLettersName(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		card := matchCard(t, db)
		ctx, q := t.Context(), db.Read()
		asked := []string{"ivan@romashka.example", "ivanpetrov@gmail.com", "i.van.petrov@googlemail.com", "petr@mail.example", "x@gmail.com"}
		found, taught, err := q.AddressOwners(ctx, asked)
		must(t, err)
		if len(found) != 3 || len(taught) != 0 || found["petr@mail.example"].ClientID != 0 {
			t.Errorf("by address: %v %v", found, taught)
		}
		for _, a := range asked[:3] {
			if found[a].ClientID != card.ID || found[a].ContactID == 0 || found[a].ClientName != "Ромашка" {
				t.Errorf("%s: %+v", a, found[a])
			}
		}
		inns, err := q.INNOwners(ctx, []string{"7707083893", "7736050003"})
		must(t, err)
		phones, err := q.PhoneOwners(ctx, []string{"+79123456789", "+79990000000"})
		must(t, err)
		if len(inns) != 1 || inns["7707083893"].ClientID != card.ID || len(phones) != 1 || phones["+79123456789"].ContactID == 0 {
			t.Errorf("by inn %v, by phone %v", inns, phones)
		}
	})
}

func TestRulesThatPeopleTeach(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		card, ctx := matchCard(t, db), t.Context()
		l := newLetter(t, db, "taught", nil)
		rule := models.LinkRule{Address: "New@Firma.example ", ClientID: card.ID, LetterID: &l.ID, Actor: "anna"}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddLinkRule(ctx, &rule) })
		again := rule
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.AddLinkRule(ctx, &again) })
		_, taught, err := db.Read().AddressOwners(ctx, []string{"new@firma.example"})
		must(t, err)
		if o := taught["new@firma.example"]; o.RuleID != again.ID || o.ClientID != card.ID || again.ID == rule.ID {
			t.Errorf("taught: %+v", taught)
		}
		list, err := db.Read().LinkRules(ctx, card.ID)
		must(t, err)
		if len(list) != 1 || list[0].Client.Name != "Ромашка" {
			t.Errorf("rules: %+v", list)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.RemoveLinkRule(ctx, again.ID, "boris")
			return err
		})
		err = db.Tx(ctx, func(tx *store.Tx) error { _, err := tx.RemoveLinkRule(tx.Context(), again.ID, "boris"); return err })
		if !errors.Is(err, models.ErrNotFound) {
			t.Errorf("taken back twice: %v", err)
		}
		if list, err = db.Read().LinkRules(ctx, 0); err != nil || len(list) != 0 {
			t.Errorf("rules: %+v %v", list, err)
		}
	})
}

func TestAPersonsLinkAndUnlink(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		card, ctx := matchCard(t, db), t.Context()
		l := newLetter(t, db, "by hand", nil)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.AddLinks(ctx, []*models.Link{{LetterID: l.ID, ClientID: card.ID, Method: models.LinkDomain, Score: 60}}); err != nil {
				return err
			}
			id := card.ID
			if err := tx.AddProposals(ctx, []*models.Proposal{{LetterID: l.ID, Kind: models.ProposeReview, Key: "k", ClientID: &id}}); err != nil {
				return err
			}
			_, err := tx.LinkByHand(ctx, models.Link{LetterID: l.ID, ClientID: card.ID, Actor: "anna"})
			return err
		})
		links, err := db.Read().LinksOf(ctx, l.ID)
		must(t, err)
		if len(links) != 2 || links[0].Score != 60 || links[0].SupersededAt == nil || *links[0].EndedBy != "anna" ||
			links[1].Method != models.LinkManual || links[1].SupersededAt != nil || links[1].Score != 100 {
			t.Errorf("links: %+v", links)
		}
		open, err := db.Read().Proposals(ctx, store.ProposalFilter{})
		must(t, err)
		all, err := db.Read().ProposalsOf(ctx, l.ID)
		must(t, err)
		if len(open) != 0 || len(all) != 1 || *all[0].SettledBy != "anna" {
			t.Errorf("proposals: %+v %+v", open, all)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.Unlink(ctx, l.ID, "boris") })
		now, err := db.Read().CurrentLinks(ctx, []int64{l.ID})
		must(t, err)
		decided, err := db.Read().PersonsLink(ctx, l.ID)
		must(t, err)
		if len(now) != 0 || !decided {
			t.Errorf("after the end: %+v, decided %v", now, decided)
		}
		free, err := db.Read().LettersFrom(ctx, []string{l.FromAddress}, nil, 0, 10)
		must(t, err)
		if len(free) != 0 {
			t.Errorf("a letter that a person has untied is to be tied again")
		}
	})
}

func TestAProposalIsMadeOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l, ctx := newLetter(t, db, "stranger", nil), t.Context()
		draft := models.ClientDraft{Name: "ООО «Лютик»", Address: "new@lutik.example", Phones: []string{"+79123456789"}}
		for range 2 {
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return tx.AddProposals(ctx, []*models.Proposal{{LetterID: l.ID, Kind: models.ProposeClient, Key: "new@lutik.example", Draft: draft}})
			})
		}
		open, err := db.Read().Proposals(ctx, store.ProposalFilter{Kinds: []models.ProposalKind{models.ProposeClient}})
		must(t, err)
		if len(open) != 1 || open[0].Draft.Name != draft.Name || len(open[0].Draft.Phones) != 1 || open[0].Letter.ID != l.ID {
			t.Fatalf("proposals: %+v", open)
		}
		card := store.ClientCard{Client: models.Client{Name: "Лютик"}, Contacts: []store.ContactCard{{Points: []models.ContactPoint{{Kind: models.PointEmail, Value: "new@lutik.example"}}}}}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &card, "") })
		if open, err = db.Read().Proposals(ctx, store.ProposalFilter{}); err != nil || len(open) != 0 {
			t.Errorf("a known client is proposed: %+v %v", open, err)
		}
	})
}

func TestDealsForTheMatcher(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		card, ctx := matchCard(t, db), t.Context()
		pumps, pipes := models.Deal{ClientID: card.ID, Title: "Насосы"}, models.Deal{ClientID: card.ID, Title: "Трубы", StageCode: "won"}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.CreateDeal(ctx, &pumps, ""), tx.CreateDeal(ctx, &pipes, ""))
		})
		l := newLetter(t, db, "our offer", func(l *models.Letter) {
			l.Direction, l.FromAddress, l.Subject, l.MessageID = models.Outbound, "anna@firma.example", "КП № 77", "77@firma.example"
		})
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.AddLinks(ctx, []*models.Link{{LetterID: l.ID, ClientID: card.ID, DealID: &pumps.ID, Method: models.LinkAddress}})
		})
		q := db.Read()
		closed, err := q.LastClosedDeals(ctx, []int64{card.ID, 99})
		must(t, err)
		byNumber, err := q.DealsByNumbers(ctx, []int64{pumps.Number, 99})
		must(t, err)
		subjects, err := q.DealSubjects(ctx, []int64{pumps.ID})
		must(t, err)
		if len(closed) != 1 || closed[card.ID].ID != pipes.ID || byNumber[pumps.Number].Client.Name != "Ромашка" || subjects[pumps.ID][0] != "КП № 77" {
			t.Errorf("closed %v, by number %v, subjects %v", closed, byNumber, subjects)
		}
		last, err := q.LastSentDeal(ctx, card.ID, []string{"anna@firma.example"}, l.ArrivedAt.Add(-time.Hour), l.ArrivedAt)
		must(t, err)
		none, err := q.LastSentDeal(ctx, card.ID, []string{"boris@firma.example"}, l.ArrivedAt.Add(-time.Hour), l.ArrivedAt)
		must(t, err)
		if last == nil || *last != pumps.ID || none != nil {
			t.Errorf("last sent %v, of another %v", last, none)
		}
		answered, err := q.DealsOfMessages(ctx, l.ThreadID, card.ID, []string{"77@firma.example", "x"})
		must(t, err)
		heads, err := q.ThreadHeads(ctx, []int64{l.ThreadID})
		must(t, err)
		had, err := q.SubjectInThread(ctx, l.ThreadID, l.BaseSubject, 0)
		must(t, err)
		itself, err := q.SubjectInThread(ctx, l.ThreadID, l.BaseSubject, l.ID)
		must(t, err)
		if answered["77@firma.example"] != pumps.ID || heads[l.ThreadID].LastAt.IsZero() || !had || itself {
			t.Errorf("answered %v, heads %v, had %v, itself %v", answered, heads, had, itself)
		}
	})
}

func TestASecretStaysWhatItIs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var first, again, other []byte
		inTx(t, db, func(ctx context.Context, tx *store.Tx) (err error) { first, err = tx.Secret(ctx, "a"); return err })
		inTx(t, db, func(ctx context.Context, tx *store.Tx) (err error) { again, err = tx.Secret(ctx, "a"); return err })
		inTx(t, db, func(ctx context.Context, tx *store.Tx) (err error) { other, err = tx.Secret(ctx, "b"); return err })
		if len(first) != 32 || string(first) != string(again) || string(first) == string(other) {
			t.Errorf("secrets %d %v %v", len(first), string(first) == string(again), string(first) == string(other))
		}
	})
}
