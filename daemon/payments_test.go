package daemon_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"kontrol/daemon"
	"kontrol/models"
	"kontrol/payments"
	"kontrol/store"
	"kontrol/store/storetest"
)

func inTx(t *testing.T, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	must(t, db.Tx(t.Context(), func(tx *store.Tx) error { return f(tx.Context(), tx) }))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// statementOf makes a file of the bank: each line is number|direction|payer's INN|sum|purpose.
func statementOf(t *testing.T, lines ...string) []payments.Document {
	t.Helper()
	var b strings.Builder
	b.WriteString("1CClientBankExchange\nРасчСчет=40702810900000000001\n")
	for _, line := range lines {
		f := strings.Split(line, "|")
		b.WriteString("СекцияДокумент=Платежное поручение\nНомер=" + f[0] + "\nДата=20.08.2026\nСумма=" + f[3] + "\nНазначениеПлатежа=" + f[4] + "\n")
		ours, theirs := "Получатель", "Плательщик"
		switch f[1] {
		case "in":
			b.WriteString("ДатаПоступило=21.08.2026\n")
		case "out":
			ours, theirs = theirs, ours
			b.WriteString("ДатаСписано=22.08.2026\n")
		}
		b.WriteString(ours + "Счет=40702810900000000001\n" + theirs + "Счет=40702810000000000777\n" + theirs + "ИНН=" + f[2] + "\n" + theirs + "1=ООО\nКонецДокумента\n")
	}
	b.WriteString("КонецФайла\n")
	s, err := payments.ReadStatement(strings.NewReader(b.String()), payments.Own{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Documents
}

// debtor makes a client with a deal and invoices of 1 000 roubles.
func debtor(t *testing.T, db *store.DB, inn string, numbers ...string) models.Deal {
	t.Helper()
	var d models.Deal
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		card := store.ClientCard{Client: models.Client{Name: "Ромашка " + inn, INN: &inn}}
		if err := tx.CreateClient(ctx, &card, ""); err != nil {
			return err
		}
		d = models.Deal{ClientID: card.ID, Title: "насосы"}
		if err := tx.CreateDeal(ctx, &d, "anna"); err != nil {
			return err
		}
		for _, n := range numbers {
			inv := models.Invoice{Number: n, IssuedOn: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), ClientID: card.ID, DealID: &d.ID,
				Amount: models.Money{Minor: 1_000_00, Currency: "RUB"}}
			if err := tx.CreateInvoice(ctx, &inv); err != nil {
				return err
			}
		}
		return nil
	})
	return d
}

func importing(t *testing.T, db *store.DB, documents []payments.Document, o daemon.PaymentOptions) *daemon.PaymentImport {
	t.Helper()
	var done *daemon.PaymentImport
	inTx(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		done, err = daemon.ImportPayments(ctx, tx, documents, o)
		return err
	})
	return done
}

func stageOf(t *testing.T, db *store.DB, d models.Deal) models.StageKind {
	t.Helper()
	got, err := db.Read().DealByID(t.Context(), d.ID)
	must(t, err)
	return got.Stage.Kind
}

// TestTheDealFollowsTheMoney pays a deal in two parts, gives one back, and takes everything in again.
func TestTheDealFollowsTheMoney(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := debtor(t, db, "7707083893", "УТ-1", "УТ-2")
		first := statementOf(t, "1|in|7707083893|1000|по счету УТ-1", "2|out|7736050003|50|зарплата")
		rows := importing(t, db, first, daemon.PaymentOptions{}).Rows
		if rows[0].State != models.PaymentMatched || rows[1].State != "" || rows[1].ID != 0 || stageOf(t, db, d) != models.StageOpen {
			t.Fatalf("a part: %+v", rows)
		}
		both := append(statementOf(t, "3|in|7707083893|1000|по счету 2"), first...)
		done := importing(t, db, both, daemon.PaymentOptions{})
		if len(done.Won) != 1 || done.Won[0].ID != d.ID || !done.Rows[1].Known || stageOf(t, db, d) != models.StageWon {
			t.Fatalf("all of it: %+v", done)
		}
		changes, err := db.Read().StageChanges(t.Context(), d.ID)
		must(t, err)
		if last := changes[len(changes)-1]; !last.OccurredAt.Equal(time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("won on %s, not on the day the money came", last.OccurredAt)
		}
		count := func() int {
			t.Helper()
			all, err := db.Read().EventsOfClient(t.Context(), d.ClientID)
			must(t, err)
			return len(all)
		}
		before := count()
		for range 2 {
			if again := importing(t, db, both, daemon.PaymentOptions{}); len(again.Won) != 0 || count() != before {
				t.Fatalf("the same file again: %+v", again)
			}
		}
		back := importing(t, db, statementOf(t, "9|out|7707083893|1000|Возврат по счету УТ-2"), daemon.PaymentOptions{})
		if len(back.Lost) != 1 || stageOf(t, db, d) != models.StageOpen {
			t.Fatalf("money back: %+v", back)
		}
	})
}

func TestPrepaidWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := debtor(t, db, "7707083893", "УТ-1", "УТ-2")
		importing(t, db, statementOf(t, "1|in|7707083893|999.99|по счету УТ-1"), daemon.PaymentOptions{Prepaid: 50})
		if stageOf(t, db, d) != models.StageOpen {
			t.Fatal("won a kopeck short of the half")
		}
		importing(t, db, statementOf(t, "2|in|7707083893|0.01|по счету УТ-2"), daemon.PaymentOptions{Prepaid: 50})
		if stageOf(t, db, d) != models.StageWon {
			t.Fatal("half is paid, and the deal is not won")
		}
	})
}

// TestAPersonDecides: what a person says of a payment stays, however often the file is taken in again.
func TestAPersonDecides(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := debtor(t, db, "7707083893", "УТ-1")
		file := statementOf(t, "1|in|7736050003|1000|за Ромашку по счету УТ-1", "2|in|7707083893|300|по счету УТ-1")
		rows := importing(t, db, file, daemon.PaymentOptions{}).Rows
		if rows[0].State != models.PaymentQuestion || rows[1].State != models.PaymentMatched {
			t.Fatalf("%+v", rows)
		}
		invoices, err := db.Read().Invoices(t.Context(), store.InvoiceFilter{DealID: d.ID})
		must(t, err)
		decide := func(id int64, parts ...models.Allocation) error {
			return db.Tx(t.Context(), func(tx *store.Tx) error {
				_, err := daemon.DecidePayment(tx.Context(), tx, daemon.PaymentDecision{PaymentID: id, Parts: parts, Actor: "anna"}, daemon.PaymentOptions{})
				return err
			})
		}
		must(t, decide(rows[1].ID)) // pays no invoice
		must(t, decide(rows[0].ID, models.Allocation{InvoiceID: invoices[0].ID, Minor: 1_000_00}))
		if stageOf(t, db, d) != models.StageWon {
			t.Error("the deal is not won")
		}
		importing(t, db, file, daemon.PaymentOptions{SameSum: true})
		for i, want := range []models.PaymentState{models.PaymentMatched, models.PaymentSetAside} {
			p, err := db.Read().Payment(t.Context(), rows[i].ID)
			must(t, err)
			if p.State != want || p.DecidedBy != "anna" {
				t.Errorf("payment %d: %+v", i+1, p)
			}
		}
		if decide(rows[1].ID, models.Allocation{InvoiceID: invoices[0].ID, Minor: 1}) == nil {
			t.Error("more than is owed was booked")
		}
	})
}

// TestMoneyThatIsExpected comes with a later file, and an invoice registered after the money is found by taking the file
// in again.
func TestMoneyThatIsExpected(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := debtor(t, db, "7707083893", "УТ-1")
		early := statementOf(t, "1|announced|7707083893|1000|по счету УТ-1")
		if row := importing(t, db, early, daemon.PaymentOptions{}).Rows[0]; row.State != models.PaymentExpected || stageOf(t, db, d) != models.StageOpen {
			t.Fatalf("announced: %+v", row)
		}
		row := importing(t, db, statementOf(t, "1|in|7707083893|1000|по счету УТ-1"), daemon.PaymentOptions{}).Rows[0]
		if row.State != models.PaymentMatched || !row.Known || stageOf(t, db, d) != models.StageWon {
			t.Fatalf("credited: %+v", row)
		}
		unknown := statementOf(t, "5|in|7736050003|1000|по счету УТ-7")
		if row := importing(t, db, unknown, daemon.PaymentOptions{}).Rows[0]; row.State != models.PaymentUnmatched {
			t.Fatalf("no invoice yet: %+v", row)
		}
		late := debtor(t, db, "7736050003", "УТ-7")
		if row := importing(t, db, unknown, daemon.PaymentOptions{}).Rows[0]; row.State != models.PaymentMatched || stageOf(t, db, late) != models.StageWon {
			t.Fatalf("registered later: %+v", row)
		}
	})
}
