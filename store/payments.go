package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kontrol/models"
)

// PaymentFilter narrows Payments. The zero value takes all payments.
type PaymentFilter struct {
	ClientID int64
	States   []models.PaymentState // nil means all
	From, To time.Time             // booked on these days, both included; zero means no bound
	Limit    int
	Offset   int
}

// Payments returns payments with Client filled in, the newest first.
func (q *Queries) Payments(ctx context.Context, f PaymentFilter) ([]models.Payment, error) {
	g := q.on(ctx).Preload("Client").Order("COALESCE(booked_on, date) DESC, id DESC")
	if f.ClientID != 0 {
		g = g.Where("client_id = ?", f.ClientID)
	}
	if f.States != nil {
		g = g.Where("state IN ?", f.States)
	}
	if !f.From.IsZero() {
		g = g.Where("booked_on >= ?", instant(f.From))
	}
	if !f.To.IsZero() {
		g = g.Where("booked_on <= ?", instant(f.To))
	}
	if f.Limit > 0 {
		g = g.Limit(f.Limit).Offset(f.Offset)
	}
	var rows []models.Payment
	return rows, failed("read payments", g.Find(&rows).Error)
}

// Payment returns the payment with the id, with Client filled in, or models.ErrNotFound.
func (q *Queries) Payment(ctx context.Context, id int64) (models.Payment, error) {
	return first[models.Payment](q.on(ctx).Preload("Client"), "read payment", id)
}

// AllocationsOf returns what of the payments pays which invoices, with Invoice filled in, by id; what was ended is left out.
func (q *Queries) AllocationsOf(ctx context.Context, paymentIDs []int64) ([]models.Allocation, error) {
	var all []models.Allocation
	err := inChunks(paymentIDs, func(ids []int64) error {
		var rows []models.Allocation
		err := q.on(ctx).Preload("Invoice").Where("payment_id IN ? AND ended_at IS NULL", ids).Order("id").Find(&rows).Error
		all = append(all, rows...)
		return err
	})
	return all, failed("read allocations", err)
}

// AllocationsTo returns what pays an invoice, with Payment filled in, by id; what was ended is left out.
func (q *Queries) AllocationsTo(ctx context.Context, invoiceID int64) ([]models.Allocation, error) {
	var rows []models.Allocation
	err := q.on(ctx).Preload("Payment").Where("invoice_id = ? AND ended_at IS NULL", invoiceID).Order("id").Find(&rows).Error
	return rows, failed("read allocations", err)
}

// LockPayments keeps other transactions from storing and allocating payments until this one ends, so that what was read
// of invoices still holds when money is allocated to them.
func (tx *Tx) LockPayments(ctx context.Context) error {
	return failed("lock payments", tx.lockFor(ctx, lockPayments))
}

// PaymentsByKey returns the payments that are known, by their keys.
func (q *Queries) PaymentsByKey(ctx context.Context, keys []string) (map[string]models.Payment, error) {
	known := make(map[string]models.Payment, len(keys))
	err := inChunks(keys, func(some []string) error {
		var rows []models.Payment
		err := q.on(ctx).Where("key IN ?", some).Find(&rows).Error
		for _, p := range rows {
			known[p.Key] = p
		}
		return err
	})
	return known, failed("read payments", err)
}

// CreatePayments stores payments that are not known yet and sets their IDs. It returns models.ErrDuplicate when one is.
func (tx *Tx) CreatePayments(ctx context.Context, list []*models.Payment) error {
	if len(list) == 0 {
		return nil
	}
	return failed("store payments", tx.on(ctx).Omit("Client").CreateInBatches(list, 200).Error)
}

// SettlePayment stores what was found out about a payment that is known: its state, tier, client, reason, and who decided.
func (tx *Tx) SettlePayment(ctx context.Context, p models.Payment) error {
	res := tx.on(ctx).Model(&models.Payment{}).Where("id = ?", p.ID).Updates(map[string]any{"booked_on": p.BookedOn, "state": p.State, "tier": p.Tier,
		"client_id": p.ClientID, "why": p.Why, "decided_by": p.DecidedBy})
	return changedOne(res, "settle payment")
}

// ErrOverAllocated is returned when more of a payment is to be allocated than it has, or more to an invoice than is owed.
var ErrOverAllocated = errors.New("more allocated than there is")

// paidTolerance is what may be missing of an invoice that counts as paid: one rouble, for kopecks lost in rounding.
const paidTolerance = 100

// Allocate gives parts of a payment to invoices, brings the invoices' paid sums and states up to date, and records the
// events payment.matched and invoice.paid. It returns the invoices as they are then. Call LockPayments before reading what
// the decision rests on.
func (tx *Tx) Allocate(ctx context.Context, p models.Payment, parts []models.Allocation) ([]models.Invoice, error) {
	total := int64(0)
	for _, part := range parts {
		total += part.Minor
	}
	if held, err := tx.allocated(ctx, "payment_id = ?", p.ID); err != nil || p.Direction == "in" && held+total > p.Amount.Minor || p.Direction == "out" && held+total < -p.Amount.Minor {
		return nil, errors.Join(err, fmt.Errorf("allocate payment %d: %w", p.ID, ErrOverAllocated))
	}
	on := tx.now()
	if p.BookedOn != nil {
		on = *p.BookedOn
	}
	var out []models.Invoice
	for _, part := range parts {
		row := models.Allocation{PaymentID: p.ID, InvoiceID: part.InvoiceID, Minor: part.Minor, Method: part.Method, Actor: part.Actor}
		if err := tx.on(ctx).Omit("Payment", "Invoice").Create(&row).Error; err != nil {
			return nil, failed("allocate payment", err)
		}
		inv, err := tx.recount(ctx, part.InvoiceID, part.Actor, on)
		if err != nil {
			return nil, err
		}
		out = append(out, inv)
		if err := tx.paymentEvent(ctx, models.EventPaymentMatched, p, inv, part.Minor, part.Actor, on); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (tx *Tx) allocated(ctx context.Context, where string, id int64) (sum int64, err error) {
	err = tx.on(ctx).Model(&models.Allocation{}).Where("ended_at IS NULL").Where(where, id).Select("COALESCE(SUM(minor), 0)").Scan(&sum).Error
	return sum, failed("add up allocations", err)
}

// recount brings an invoice's paid sum and state in line with its allocations.
func (tx *Tx) recount(ctx context.Context, id int64, actor string, on time.Time) (models.Invoice, error) {
	var inv models.Invoice
	if err := locked(tx.on(ctx)).Where("id = ?", id).Take(&inv).Error; err != nil {
		return inv, failed(fmt.Sprintf("read invoice %d", id), err)
	}
	sum, err := tx.allocated(ctx, "invoice_id = ?", id)
	if err != nil {
		return inv, err
	}
	if sum < 0 || sum > inv.Amount.Minor {
		return inv, fmt.Errorf("invoice %s: %w", inv.Number, ErrOverAllocated)
	}
	before := inv.State
	inv.PaidMinor = sum
	switch {
	case sum >= inv.Amount.Minor-paidTolerance && sum > 0:
		inv.State = models.InvoicePaid
	case before != models.InvoicePaid && !before.Open(): // cancelled: stays so, with its money
	case sum > 0:
		inv.State = models.InvoicePartPaid
	default:
		inv.State = models.InvoiceIssued
	}
	res := tx.on(ctx).Model(&models.Invoice{}).Where("id = ?", id).Updates(map[string]any{"paid_minor": sum, "state": inv.State})
	if err := changedOne(res, "change invoice"); err != nil {
		return inv, err
	}
	if inv.State == models.InvoicePaid && before != models.InvoicePaid {
		return inv, tx.invoiceEvent(ctx, models.EventInvoicePaid, inv, actor, on)
	}
	return inv, nil
}

func (tx *Tx) paymentEvent(ctx context.Context, kind models.EventKind, p models.Payment, inv models.Invoice, minor int64, actor string, on time.Time) error {
	text := "store.event.payment_matched"
	switch {
	case kind == models.EventPaymentUnmatched:
		text = "store.event.payment_unmatched"
	case minor < 0:
		text, minor = "store.event.payment_returned", -minor
	}
	_, err := tx.AddEvent(ctx, &models.Event{Kind: kind, Actor: actor, OccurredAt: on, ClientID: &inv.ClientID, DealID: inv.DealID,
		Text: models.Say(text, "Payment", p.Number, "Number", inv.Number, "Sum", models.Money{Minor: minor, Currency: p.Amount.Currency}.String())})
	return err
}

// EndAllocations takes back what of a payment was given to invoices, and returns these as they are then. The rows stay.
func (tx *Tx) EndAllocations(ctx context.Context, p models.Payment, actor string) ([]models.Invoice, error) {
	var rows []models.Allocation
	if err := locked(tx.on(ctx)).Where("payment_id = ? AND ended_at IS NULL", p.ID).Order("id").Find(&rows).Error; err != nil {
		return nil, failed("read allocations", err)
	}
	var out []models.Invoice
	for _, a := range rows {
		res := tx.on(ctx).Model(&models.Allocation{}).Where("id = ?", a.ID).Updates(map[string]any{"ended_at": tx.now(), "ended_by": actor})
		if err := changedOne(res, "end allocation"); err != nil {
			return nil, err
		}
		inv, err := tx.recount(ctx, a.InvoiceID, actor, tx.now())
		if err != nil {
			return nil, err
		}
		out = append(out, inv)
		if err := tx.paymentEvent(ctx, models.EventPaymentUnmatched, p, inv, a.Minor, actor, tx.now()); err != nil {
			return nil, err
		}
	}
	return out, nil
}
