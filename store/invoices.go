package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kontrol/models"
)

// InvoiceFilter narrows Invoices. The zero value takes all invoices.
type InvoiceFilter struct {
	IDs        []int64 // only these; nil means all
	ClientID   int64
	DealID     int64
	Number     string    // only those with just this number
	Open       bool      // only those that money is still expected for
	Overdue    time.Time // only open ones that were to be paid before this day, deferrals counted; zero means no matter
	NumberEnds string    // only those whose number ends so
	Limit      int
	Offset     int
}

// Invoices returns invoices with Client and Deal filled in, the newest first.
func (q *Queries) Invoices(ctx context.Context, f InvoiceFilter) ([]models.Invoice, error) {
	g := q.on(ctx).Preload("Client").Preload("Deal").Order("issued_on DESC, id DESC")
	if f.IDs != nil {
		g = g.Where("id IN ?", f.IDs)
	}
	if f.ClientID != 0 {
		g = g.Where("client_id = ?", f.ClientID)
	}
	if f.DealID != 0 {
		g = g.Where("deal_id = ?", f.DealID)
	}
	if f.Number != "" {
		g = g.Where("number = ?", f.Number)
	}
	if f.NumberEnds != "" {
		g = g.Where("number LIKE ? ESCAPE '!'", strings.TrimSuffix(like(f.NumberEnds), "%"))
	}
	if f.Open || !f.Overdue.IsZero() {
		g = g.Where("state IN ?", openInvoices())
	}
	if !f.Overdue.IsZero() {
		g = g.Where("COALESCE(deferred_to, due_on) < ?", instant(f.Overdue))
	}
	if f.Limit > 0 {
		g = g.Limit(f.Limit).Offset(f.Offset)
	}
	var rows []models.Invoice
	return rows, failed("read invoices", g.Find(&rows).Error)
}

func openInvoices() []models.InvoiceState {
	return []models.InvoiceState{models.InvoiceIssued, models.InvoicePartPaid}
}

// Invoice returns the invoice with the id, with Client and Deal filled in, or models.ErrNotFound.
func (q *Queries) Invoice(ctx context.Context, id int64) (models.Invoice, error) {
	return first[models.Invoice](q.on(ctx).Preload("Client").Preload("Deal"), "read invoice", id)
}

// PayableInvoices returns what payments may be matched to: the open invoices, and those paid since the given day, with
// Client filled in, by id.
func (q *Queries) PayableInvoices(ctx context.Context, paidSince time.Time) ([]models.Invoice, error) {
	var rows []models.Invoice
	err := q.on(ctx).Preload("Client").Where("state IN ? OR (state = ? AND issued_on >= ?)", openInvoices(), models.InvoicePaid, instant(paidSince)).
		Order("id").Find(&rows).Error
	return rows, failed("read invoices to be paid", err)
}

// CreateInvoice registers an invoice, sets its ID and State, and records the event invoice.issued. It returns
// models.ErrDuplicate when one with this number and date is there, and models.ErrNotFound when there is no such client.
func (tx *Tx) CreateInvoice(ctx context.Context, inv *models.Invoice) error {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{inv.ClientID}})
	if err != nil {
		return err
	}
	row := *inv
	row.ID, row.Client, row.Deal, row.Supersedes, row.PaidMinor, row.State = 0, nil, nil, nil, 0, models.InvoiceIssued
	if row.Actor == "" {
		row.Actor = actorKontrol
	}
	if _, err := first[models.Client](tx.on(ctx), "read client of invoice", row.ClientID); err != nil {
		return err
	}
	var same int64
	if err := tx.on(ctx).Model(&models.Invoice{}).Where("number = ? AND issued_on = ?", storable(row.Number), instant(row.IssuedOn)).Count(&same).Error; err != nil {
		return failed("read invoices", err)
	}
	if same > 0 {
		return fmt.Errorf("register invoice: %w", models.ErrDuplicate)
	}
	if err := tx.on(ctx).Omit("Client", "Deal", "Supersedes").Create(&row).Error; err != nil {
		return failed("register invoice", err)
	}
	*inv = row
	return tx.invoiceEvent(ctx, models.EventInvoiceIssued, row, row.Actor, row.IssuedOn)
}

// invoiceEvent records what has become of an invoice.
func (tx *Tx) invoiceEvent(ctx context.Context, kind models.EventKind, inv models.Invoice, actor string, on time.Time) error {
	_, err := tx.AddEvent(ctx, &models.Event{Kind: kind, Actor: actor, OccurredAt: on, ClientID: &inv.ClientID, DealID: inv.DealID,
		Text: models.Say("store.event."+eventText(kind), "Number", inv.Number, "Sum", inv.Amount.String())})
	return err
}

func eventText(kind models.EventKind) string {
	switch kind {
	case models.EventInvoiceCancelled:
		return "invoice_cancelled"
	case models.EventInvoiceSuperseded:
		return "invoice_superseded"
	case models.EventInvoiceDeferred:
		return "invoice_deferred"
	case models.EventInvoicePaid:
		return "invoice_paid"
	}
	return "invoice_issued"
}

// ErrInvoicePaid is returned when an invoice that money was paid for is to be cancelled or superseded.
var ErrInvoicePaid = errors.New("invoice is paid")

// EndInvoice cancels an open invoice that nothing was paid for, or marks it superseded. It returns ErrInvoicePaid when money
// is allocated to it, and reports false when it has ended already.
func (tx *Tx) EndInvoice(ctx context.Context, id int64, state models.InvoiceState, actor string) (bool, error) {
	var inv models.Invoice
	if err := locked(tx.on(ctx)).Where("id = ?", id).Take(&inv).Error; err != nil {
		return false, failed(fmt.Sprintf("read invoice %d", id), err)
	}
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{inv.ClientID}})
	if err != nil {
		return false, err
	}
	kind := models.EventInvoiceCancelled
	if state == models.InvoiceSuperseded {
		kind = models.EventInvoiceSuperseded
	}
	switch {
	case inv.PaidMinor != 0 || inv.State == models.InvoicePaid:
		return false, fmt.Errorf("end invoice %d: %w", id, ErrInvoicePaid)
	case !inv.State.Open():
		return false, nil
	}
	res := tx.on(ctx).Model(&models.Invoice{}).Where("id = ?", id).Updates(map[string]any{"state": state})
	if err := changedOne(res, "end invoice"); err != nil {
		return false, err
	}
	return true, tx.invoiceEvent(ctx, kind, inv, actor, tx.now())
}

// DeferInvoice notes that the client has asked for time until the given day; nil takes that back.
func (tx *Tx) DeferInvoice(ctx context.Context, id int64, until *time.Time, actor string) error {
	var inv models.Invoice
	if err := locked(tx.on(ctx)).Where("id = ?", id).Take(&inv).Error; err != nil {
		return failed(fmt.Sprintf("read invoice %d", id), err)
	}
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{inv.ClientID}})
	if err != nil {
		return err
	}
	res := tx.on(ctx).Model(&models.Invoice{}).Where("id = ?", id).Updates(map[string]any{"deferred_to": until})
	if err := changedOne(res, "defer invoice"); err != nil || until == nil {
		return err
	}
	return tx.invoiceEvent(ctx, models.EventInvoiceDeferred, inv, actor, tx.now())
}
