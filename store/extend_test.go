package store_test

import (
	"context"
	"errors"
	"testing"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func email(v string) models.ContactPoint {
	return models.ContactPoint{Kind: models.PointEmail, Value: v}
}

func TestExtendClientAddsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		inn := "7707083893"
		card := store.ClientCard{Client: models.Client{Name: "ООО «Ромашка»", Comment: "старый"},
			Contacts: []store.ContactCard{{Contact: models.Contact{Name: "Иван Петров"}, Points: []models.ContactPoint{email("ivan@romashka.ru")}}}}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &card, "test") })
		more := store.ClientCard{
			Client:  models.Client{INN: &inn, Comment: "новый"},
			Domains: []models.ClientDomain{{Domain: "Romashka.ru"}},
			Contacts: []store.ContactCard{
				{Contact: models.Contact{Name: "иван  петров"}, Points: []models.ContactPoint{email("IVAN@romashka.ru"), email("petrov@romashka.ru")}},
				{Points: []models.ContactPoint{email("info@romashka.ru")}},
			},
		}
		for _, want := range []bool{true, false} {
			again := more
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				added, err := tx.ExtendClient(ctx, card.ID, &again)
				if added != want {
					t.Errorf("added: got %v, want %v", added, want)
				}
				return err
			})
			if len(again.Contacts) != 2 || len(again.Contacts[0].Points) != 2 || len(again.Contacts[1].Points) != 1 || len(again.Domains) != 1 {
				t.Fatalf("the client now: %+v", again)
			}
			if again.INN == nil || *again.INN != inn || again.Comment != "старый" || again.Name != "ООО «Ромашка»" {
				t.Errorf("the client's own fields: %+v", again.Client)
			}
		}
	})
}

func TestExtendClientRefusesWhatIsAnothers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := store.ClientCard{Client: models.Client{Name: "А"}, Contacts: []store.ContactCard{{Points: []models.ContactPoint{email("a@a.ru")}}}}
		b := store.ClientCard{Client: models.Client{Name: "Б"}}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.CreateClient(ctx, &a, "test"), tx.CreateClient(ctx, &b, "test"))
		})
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExtendClient(ctx, b.ID, &store.ClientCard{Client: models.Client{Comment: "x"},
				Contacts: []store.ContactCard{{Points: []models.ContactPoint{email("a@a.ru")}}}})
			if p, _ := models.PhraseOf(err); !errors.Is(err, models.ErrDuplicate) || p.ID != "store.duplicate.email" {
				t.Errorf("another client's address: %v", err)
			}
			if _, err := tx.ExtendClient(ctx, 999, &store.ClientCard{}); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("no such client: %v", err)
			}
			return nil
		})
		if c, err := db.Read().Client(t.Context(), b.ID); err != nil || c.Comment != "" {
			t.Errorf("a refused card left something behind: %+v, %v", c, err)
		}
	})
}

func TestCountAgreesWithList(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, name := range []string{"a", "b", "c"} {
			newLetter(t, db, name, func(*models.Letter) {})
		}
		for _, f := range []store.LetterFilter{{}, {Limit: 1}, {Unanswered: true}, {Query: "нет такого"}, {Role: models.FolderInbox}} {
			all := f
			all.Limit = 1000
			l, err := db.Read().ListLetters(t.Context(), all)
			must(t, err)
			if n, err := db.Read().CountLetters(t.Context(), f); err != nil || n != len(l) {
				t.Errorf("%+v: counted %d (%v), listed %d", f, n, err, len(l))
			}
		}
	})
}

func TestVerifyAndKnownSchema(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if found, err := db.Verify(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("a fresh database: %q, %v", found, err)
		}
		s, err := db.Schema(t.Context())
		must(t, err)
		if s.Known != store.KnownSchema() {
			t.Errorf("known schema: %d, the database says %d", store.KnownSchema(), s.Known)
		}
	})
}
