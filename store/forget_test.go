package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// canary is a word that stands in everything that is written about the client who is forgotten.
const canary = "kanareyka"

// textColumns returns every column of every table that holds text.
func textColumns(t *testing.T, url string) map[string][]string {
	t.Helper()
	query := `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND
		(lower(c.type) LIKE '%text%' OR lower(c.type) LIKE '%char%' OR lower(c.type) LIKE '%blob%' OR lower(c.type) LIKE '%json%' OR c.type = '')`
	if kindOf(url) == "postgres" {
		query = `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND
			data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea')`
	}
	rows, err := raw(t, url).QueryContext(t.Context(), query)
	must(t, err)
	defer func() { _ = rows.Close() }()
	out := map[string][]string{}
	for rows.Next() {
		var table, column string
		must(t, rows.Scan(&table, &column))
		out[table] = append(out[table], column)
	}
	must(t, rows.Err())
	return out
}

// holding returns the columns in which the word stands.
func holding(t *testing.T, url, word string) map[string]bool {
	t.Helper()
	pool := raw(t, url)
	found := map[string]bool{}
	for table, columns := range textColumns(t, url) {
		for _, c := range columns {
			var n int
			err := pool.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT COUNT(*) FROM "%s" WHERE lower(CAST("%s" AS text)) LIKE '%%%s%%'`, table, c, word)).Scan(&n)
			must(t, err)
			if n > 0 {
				found[table+"."+c] = true
			}
		}
	}
	must(t, pool.Close())
	return found
}

// writeAbout stores a client and says the word wherever it can be said.
func writeAbout(t *testing.T, db *store.DB) (store.ClientCard, models.Letter) {
	t.Helper()
	inn := "7728168971"
	c := store.ClientCard{Client: models.Client{Name: canary, INN: &inn, Comment: canary}, Domains: []models.ClientDomain{{Domain: canary + ".example"}},
		Tags: []models.ClientTag{{Tag: canary}}, Fields: []models.ClientField{{Name: canary, Value: canary}},
		Contacts: []store.ContactCard{{Contact: models.Contact{Name: canary, Position: canary},
			Points: []models.ContactPoint{{Kind: models.PointEmail, Value: "ivan@" + canary + ".example"}}}}}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { // before the address was a client's
		return second(tx.DismissSender(ctx, "ivan@"+canary+".example", ""))
	})
	c = createClient(t, db, c)
	twin := createClient(t, db, card(canary+" twin", "", "twin@"+canary+"2.example", ""))
	l := newLetter(t, db, "about", nil)
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		d := models.Deal{ClientID: c.ID, Title: canary, NextAction: canary, Amount: models.Money{Minor: 12300, Currency: "RUB"}}
		m := models.Manager{Name: "Мария", Email: "m@firma.example", Role: models.RoleManager, Timezone: "Europe/Moscow"}
		if err := tx.SyncManagers(ctx, []models.Manager{m}); err != nil {
			return err
		}
		m, err := tx.Manager(ctx, m.Email)
		if err != nil {
			return err
		}
		_, err = tx.Assign(ctx, store.Assignment{ClientID: c.ID, ManagerID: &m.ID, Comment: canary})
		return errors.Join(err, tx.CreateDeal(ctx, &d, ""),
			second(tx.SetDealStage(ctx, store.StageMove{Number: d.Number, To: "lost", Reason: canary})),
			tx.AddNote(ctx, &models.ClientNote{ClientID: c.ID, Author: "m@firma.example", Text: canary}),
			second(tx.MergeClients(ctx, c.ID, twin.ID, false, "")),
			tx.AddLink(ctx, &models.Link{LetterID: l.ID, ClientID: c.ID, DealID: &d.ID, Method: models.LinkAddress, Evidence: models.Say(canary)}),
			tx.AddDecision(ctx, &models.Decision{LetterID: l.ID, Action: models.ActionStay, Trace: models.Trace{{Text: models.Say(canary)}}}),
			second(tx.AddEvent(ctx, &models.Event{Kind: models.EventLetterLinked, LetterID: &l.ID, Text: models.Say(canary)})))
	})
	return c, l
}

func second[T any](_ T, err error) error { return err }

// speak makes every text of a letter say the word.
func speak(t *testing.T, url string, id int64) {
	t.Helper()
	pool := raw(t, url)
	_, err := pool.ExecContext(t.Context(), fmt.Sprintf(`UPDATE letters SET message_id = '%[1]s@x', from_address = 'ivan@%[1]s.example', from_name = '%[1]s',
		reply_to = '["%[1]s@x"]', "to" = '["%[1]s@x"]', cc = '["%[1]s@x"]', subject = '%[1]s', base_subject = '%[1]s', text = '%[1]s', class_reason = '{"id":"%[1]s"}',
		problems = '["%[1]s"]' WHERE id = %[2]d`, canary, id))
	must(t, err)
	_, err = pool.ExecContext(t.Context(), fmt.Sprintf(`UPDATE threads SET base_subject = '%s'`, canary))
	must(t, err)
	_, err = pool.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO letter_references (letter_id, position, message_id) VALUES (%d, 7, '%s@x')`, id, canary))
	must(t, err)
	must(t, pool.Close())
}

// TestForgottenWordsAreNowhere writes a word into everything that belongs to a client, and looks for it in every text of
// every table, and in the files themselves on SQLite, after the client is forgotten.
func TestForgottenWordsAreNowhere(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		db := storetest.Open(t, store.Config{URL: url})
		c, l := writeAbout(t, db)
		speak(t, url, l.ID)
		before := holding(t, url, canary)
		for _, column := range []string{"clients.name", "clients.name_key", "clients.comment", "contacts.name", "contact_points.value", "client_domains.domain",
			"client_tags.tag", "client_tags.tag_key", "client_fields.name", "client_fields.value", "client_notes.text", "client_owners.comment", "client_merges.moved",
			"client_merges.from_name", "deals.title", "deals.next_action", "deals.lost_reason", "stage_changes.reason", "letters.text", "letters.subject",
			"letters.from_address", "letters.message_id", "letters.reply_to", "letters.to", "letters.cc", "letters.problems", "letters.class_reason",
			"letter_references.message_id", "threads.base_subject", "links.evidence", "decisions.trace", "events.text"} {
			if !before[column] {
				t.Errorf("the word does not stand in %s, so nothing is proven about it", column)
			}
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ForgetClient(ctx, store.Forgetting{ClientID: c.ID, Pseudonym: "Клиент № 1", Number: "1-1", Categories: []string{"имена"}, Actor: "head"})
			return err
		})
		for column := range holding(t, url, canary) {
			t.Errorf("the word is still in %s", column)
		}
		must(t, db.Scrub(t.Context()))
		if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
			files, err := filepath.Glob(path + "*")
			must(t, err)
			for _, name := range files {
				b, err := os.ReadFile(name)
				must(t, err)
				if bytes.Contains(bytes.ToLower(b), []byte(canary)) {
					t.Errorf("the word is still in the file %s", filepath.Base(name))
				}
			}
		}
		deals, err := db.Read().Deals(t.Context(), store.DealFilter{ClientID: c.ID})
		must(t, err)
		if len(deals) != 1 || deals[0].Amount.Minor != 12300 || deals[0].StageCode != "lost" || deals[0].Client.Name != "Клиент № 1" {
			t.Errorf("what money there was: %+v", deals)
		}
		known, err := db.Read().LettersByFingerprints(t.Context(), []string{l.Fingerprint})
		must(t, err)
		since, err := db.Read().ForgottenSince(t.Context(), []string{"ivan@" + canary + ".example", canary + ".example", "x@y"})
		must(t, err)
		if len(known) != 1 || len(since) != 2 || time.Since(since[canary+".example"]) > time.Hour {
			t.Errorf("letters known again: %d, list: %v", len(known), since)
		}
		acts, err := db.Read().ForgetActs(t.Context())
		must(t, err)
		if len(acts) != 1 || acts[0].ScrubbedAt == nil || acts[0].Letters != 1 || acts[0].Deals != 1 {
			t.Errorf("acts: %+v", acts)
		}
	})
}

// TestMergeAndBack merges two clients, and takes it back: every row is with whom it was.
func TestMergeAndBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := createClient(t, db, card("Ромашка", "7707083893", "a@romashka.example", ""))
		b := createClient(t, db, card("Ромашка Плюс", "", "office@plus.example.org", "plus.example.org"))
		other := createClient(t, db, card("Третья", "7728168971", "", ""))
		l := newLetter(t, db, "1", nil)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			d := models.Deal{ClientID: b.ID, Title: "Насосы"}
			_, _, err := tx.SetTags(ctx, b.ID, []string{"x", "y"}, nil, "")
			return errors.Join(err, second2(tx.SetTags(ctx, a.ID, []string{"X"}, nil, "")), tx.CreateDeal(ctx, &d, ""),
				tx.AddLink(ctx, &models.Link{LetterID: l.ID, ClientID: a.ID, Method: models.LinkAddress}),
				tx.AddLink(ctx, &models.Link{LetterID: l.ID, ClientID: b.ID, Method: models.LinkAddress}))
		})
		err := db.Tx(t.Context(), func(tx *store.Tx) error { return second(tx.MergeClients(tx.Context(), a.ID, other.ID, false, "")) })
		if !errors.Is(err, store.ErrOtherINN) {
			t.Errorf("different companies: %v", err)
		}
		before, err := db.Read().Client(t.Context(), b.ID)
		must(t, err)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return second(tx.MergeClients(ctx, a.ID, b.ID, false, "head"))
		})
		both, err := db.Read().Client(t.Context(), a.ID)
		must(t, err)
		links, err := db.Read().CurrentLinks(t.Context(), []int64{l.ID})
		must(t, err)
		deals, err := db.Read().Deals(t.Context(), store.DealFilter{ClientID: a.ID})
		must(t, err)
		if len(both.Contacts) != 2 || len(both.Domains) != 1 || len(both.Tags) != 2 || len(links) != 1 || len(deals) != 1 {
			t.Errorf("merged: %+v, %d links, %d deals", both, len(links), len(deals))
		}
		if _, err := db.Read().Client(t.Context(), b.ID); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("the second client: %v", err)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return second(tx.UnmergeClient(ctx, b.ID, "head")) })
		after, err := db.Read().Client(t.Context(), b.ID)
		must(t, err)
		links, err = db.Read().CurrentLinks(t.Context(), []int64{l.ID})
		must(t, err)
		if after.Name != before.Name || len(after.Contacts) != 1 || len(after.Domains) != 1 || len(after.Tags) != 2 || len(links) != 2 {
			t.Errorf("taken back: %+v, %d links", after, len(links))
		}
	})
}

func second2[A, B any](_ A, _ B, err error) error { return err }

// TestEveryTableOfAClientIsMerged looks for tables with a client that a merge would forget.
func TestEveryTableOfAClientIsMerged(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "kontrol.db")})
	for table := range store.CountRows(t.Context(), db) {
		if store.HasColumn(db, table, "client_id") && table != "forget_acts" && table != "oauth_tokens" && !store.Merges(table) {
			t.Errorf("%s has clients, and a merge does not move them", table)
		}
	}
}
