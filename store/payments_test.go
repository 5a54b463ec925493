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

func calendarDay(month, day int) time.Time {
	return time.Date(2026, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

// issue registers an invoice of 1 000 roubles for a new client with a deal.
func issue(t *testing.T, db *store.DB, number string) models.Invoice {
	t.Helper()
	c := createClient(t, db, card("payer of "+number, "", "", ""))
	inv := models.Invoice{Number: number, IssuedOn: calendarDay(7, 1), ClientID: c.ID, Amount: models.Money{Minor: 1_000_00, Currency: "RUB"}, Actor: "anna"}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		d := models.Deal{ClientID: c.ID, Title: "насосы"}
		if err := tx.CreateDeal(ctx, &d, "anna"); err != nil {
			return err
		}
		inv.DealID = &d.ID
		return tx.CreateInvoice(ctx, &inv)
	})
	return inv
}

// receive stores a payment.
func receive(t *testing.T, db *store.DB, key string, minor int64) models.Payment {
	t.Helper()
	on := calendarDay(8, 20)
	p := models.Payment{Key: key, Direction: "in", Nature: "ordinary", Number: "17", Date: on, BookedOn: &on, Amount: models.Money{Minor: minor, Currency: "RUB"},
		PayerName: "Иван Кузнецов", PayerINN: "500100732259", PayerAccount: "40817810000000000001", Purpose: "по счету", State: models.PaymentMatched, Tier: "A", Source: "day.txt"}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreatePayments(ctx, []*models.Payment{&p}) })
	return p
}

func allocate(t *testing.T, db *store.DB, p models.Payment, parts ...models.Allocation) (out []models.Invoice, err error) {
	t.Helper()
	err = db.Tx(t.Context(), func(tx *store.Tx) error {
		if err := tx.LockPayments(tx.Context()); err != nil {
			return err
		}
		var err error
		out, err = tx.Allocate(tx.Context(), p, parts)
		return err
	})
	return out, err
}

// payInvoice leaves a row in each table of money.
func payInvoice(t *testing.T, db *store.DB) {
	t.Helper()
	inv := issue(t, db, "УТ-1")
	_, err := allocate(t, db, receive(t, db, "k", 100), models.Allocation{InvoiceID: inv.ID, Minor: 100, Method: "A", Actor: "kontrol"})
	must(t, err)
}

func TestInvoices(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, q := t.Context(), db.Read()
		inv := issue(t, db, "УТ-000123")
		again := inv
		err := db.Tx(ctx, func(tx *store.Tx) error { return tx.CreateInvoice(tx.Context(), &again) })
		if !errors.Is(err, models.ErrDuplicate) {
			t.Errorf("the same number and date twice: %v", err)
		}
		again.IssuedOn = calendarDay(7, 2)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateInvoice(ctx, &again) })
		due := calendarDay(8, 1)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.DeferInvoice(ctx, inv.ID, &due, "anna") })
		for name, c := range map[string]struct {
			f    store.InvoiceFilter
			want int
		}{
			"all": {store.InvoiceFilter{}, 2}, "client": {store.InvoiceFilter{ClientID: inv.ClientID}, 2}, "number": {store.InvoiceFilter{Number: "УТ-000123"}, 2},
			"ends": {store.InvoiceFilter{NumberEnds: "123"}, 2}, "ends otherwise": {store.InvoiceFilter{NumberEnds: "12%"}, 0},
			"overdue": {store.InvoiceFilter{Overdue: calendarDay(8, 2)}, 1}, "not yet": {store.InvoiceFilter{Overdue: due}, 0},
		} {
			found, err := q.Invoices(ctx, c.f)
			must(t, err)
			if len(found) != c.want {
				t.Errorf("%s: %d, want %d", name, len(found), c.want)
			}
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return second(tx.EndInvoice(ctx, again.ID, models.InvoiceSuperseded, "anna"))
		})
		open, err := q.Invoices(ctx, store.InvoiceFilter{Open: true})
		must(t, err)
		if len(open) != 1 || open[0].ID != inv.ID || open[0].Client == nil || open[0].Deal == nil {
			t.Errorf("open: %+v", open)
		}
		events, err := q.EventsOfClient(ctx, inv.ClientID)
		must(t, err)
		kinds := map[models.EventKind]int{}
		for _, e := range events {
			kinds[e.Kind]++
		}
		if kinds[models.EventInvoiceIssued] != 2 || kinds[models.EventInvoiceDeferred] != 1 || kinds[models.EventInvoiceSuperseded] != 1 {
			t.Errorf("events %v", kinds)
		}
	})
}

// TestMoneyOfInvoices checks invariant I14: an invoice's paid sum is that of its allocations, and no payment gives more than it has.
func TestMoneyOfInvoices(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		inv, other := issue(t, db, "1"), issue(t, db, "2")
		p, late := receive(t, db, "p", 600_00), receive(t, db, "late", 2_000_00)
		part := func(inv models.Invoice, minor int64) models.Allocation {
			return models.Allocation{InvoiceID: inv.ID, Minor: minor, Method: "A", Actor: "kontrol"}
		}
		state := func(id int64) models.Invoice {
			t.Helper()
			got, err := db.Read().Invoice(ctx, id)
			must(t, err)
			return got
		}
		if _, err := allocate(t, db, p, part(inv, 600_01)); !errors.Is(err, store.ErrOverAllocated) {
			t.Errorf("more than the payment: %v", err)
		}
		if _, err := allocate(t, db, late, part(inv, 1_000_01)); !errors.Is(err, store.ErrOverAllocated) {
			t.Errorf("more than is owed: %v", err)
		}
		if got := state(inv.ID); got.PaidMinor != 0 || got.State != models.InvoiceIssued {
			t.Errorf("what was refused has left %+v", got)
		}
		_, err := allocate(t, db, p, part(inv, 500_00), part(other, 100_00))
		must(t, err)
		if got := state(inv.ID); got.PaidMinor != 500_00 || got.State != models.InvoicePartPaid || got.Outstanding().Minor != 500_00 {
			t.Errorf("paid in part: %+v", got)
		}
		if _, err := allocate(t, db, p, part(inv, 1)); !errors.Is(err, store.ErrOverAllocated) {
			t.Errorf("a kopeck more than the payment: %v", err)
		}
		changed, err := allocate(t, db, late, part(inv, 499_50))
		must(t, err)
		if len(changed) != 1 || changed[0].State != models.InvoicePaid {
			t.Errorf("half a rouble short: %+v", changed)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			return second(tx.EndInvoice(tx.Context(), inv.ID, models.InvoiceCancelled, "anna"))
		})
		if !errors.Is(err, store.ErrInvoicePaid) {
			t.Errorf("a paid invoice is cancelled: %v", err)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return second(tx.EndAllocations(ctx, p, "anna")) })
		if got := state(inv.ID); got.PaidMinor != 499_50 || got.State != models.InvoicePartPaid {
			t.Errorf("after taking back: %+v", got)
		}
		if got := state(other.ID); got.PaidMinor != 0 || got.State != models.InvoiceIssued {
			t.Errorf("after taking back: %+v", got)
		}
		held, err := db.Read().AllocationsTo(ctx, inv.ID)
		must(t, err)
		if len(held) != 1 || held[0].PaymentID != late.ID || held[0].Payment == nil {
			t.Errorf("held: %+v", held)
		}
	})
}

func TestPayments(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, q := t.Context(), db.Read()
		p := receive(t, db, "a", 100)
		receive(t, db, "b", 200)
		err := db.Tx(ctx, func(tx *store.Tx) error {
			twice := p
			twice.ID = 0
			return tx.CreatePayments(tx.Context(), []*models.Payment{&twice})
		})
		if !errors.Is(err, models.ErrDuplicate) {
			t.Errorf("the same payment twice: %v", err)
		}
		known, err := q.PaymentsByKey(ctx, []string{"a", "x"})
		must(t, err)
		if len(known) != 1 || known["a"].ID != p.ID {
			t.Errorf("known: %+v", known)
		}
		p.State, p.DecidedBy = models.PaymentSetAside, "anna"
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.SettlePayment(ctx, p) })
		for name, c := range map[string]struct {
			f    store.PaymentFilter
			want int
		}{
			"all": {store.PaymentFilter{}, 2}, "set aside": {store.PaymentFilter{States: []models.PaymentState{models.PaymentSetAside}}, 1},
			"day": {store.PaymentFilter{From: calendarDay(8, 20), To: calendarDay(8, 20)}, 2}, "later": {store.PaymentFilter{From: calendarDay(8, 21)}, 0},
		} {
			found, err := q.Payments(ctx, c.f)
			must(t, err)
			if len(found) != c.want {
				t.Errorf("%s: %d, want %d", name, len(found), c.want)
			}
		}
	})
}
