package models

import "time"

// InvoiceState says how far an invoice for payment («счёт на оплату») has got. Stored: never rename one.
type InvoiceState string

// The states of an invoice.
const (
	InvoiceIssued     InvoiceState = "issued"
	InvoicePartPaid   InvoiceState = "part_paid"
	InvoicePaid       InvoiceState = "paid"
	InvoiceCancelled  InvoiceState = "cancelled"
	InvoiceSuperseded InvoiceState = "superseded" // another invoice stands in its place
)

// Open reports whether money may still be expected for an invoice in this state.
func (s InvoiceState) Open() bool { return s == InvoiceIssued || s == InvoicePartPaid }

// Invoice is an invoice for payment («счёт»), mostly issued in 1C and registered here. Days are midnight UTC standing for
// the calendar date.
type Invoice struct {
	ID           int64        `gorm:"primaryKey"`
	Number       string       `gorm:"not null;size:60;uniqueIndex:ux_invoices_number,priority:1"` // as it is written: "УТ-000123"
	IssuedOn     time.Time    `gorm:"not null;uniqueIndex:ux_invoices_number,priority:2"`
	ClientID     int64        `gorm:"not null;index:ix_invoices_client"`
	Client       *Client      `gorm:"constraint:OnDelete:RESTRICT"`
	DealID       *int64       `gorm:"index:ix_invoices_deal"`
	Deal         *Deal        `gorm:"constraint:OnDelete:RESTRICT"`
	Amount       Money        `gorm:"embedded;embeddedPrefix:amount_"`
	PaidMinor    int64        `gorm:"not null;default:0"` // the sum of its allocations that hold, in the currency of Amount
	State        InvoiceState `gorm:"not null;size:20;index:ix_invoices_state"`
	DueOn        *time.Time   // to be paid by; nil when nothing was said
	DeferredTo   *time.Time   // the client has asked for time until then
	SupersedesID *int64       // the invoice in whose place this one stands
	Supersedes   *Invoice     `gorm:"constraint:OnDelete:RESTRICT"`
	Comment      string       `gorm:"not null;type:text"`
	Actor        string       `gorm:"not null;size:320"` // who registered it
	CreatedAt    time.Time    `gorm:"not null"`
	UpdatedAt    time.Time    `gorm:"not null"`
}

// Outstanding returns what is still to be paid; nothing for an invoice that is paid, cancelled or superseded.
func (i Invoice) Outstanding() Money {
	if !i.State.Open() {
		return Money{Currency: i.Amount.Currency}
	}
	return Money{Minor: i.Amount.Minor - i.PaidMinor, Currency: i.Amount.Currency}
}

// PaymentState says what has become of money that came in. Stored: never rename one.
type PaymentState string

// The states of a payment.
const (
	PaymentExpected  PaymentState = "expected"  // the bank has not credited it yet
	PaymentMatched   PaymentState = "matched"   // allocated to invoices
	PaymentQuestion  PaymentState = "question"  // a person has to say what it pays
	PaymentUnmatched PaymentState = "unmatched" // nothing fits it
	PaymentSetAside  PaymentState = "set_aside" // a person has said that it pays no invoice
)

// Payment is money that came to an account of ours, or went back to a client, as a bank or 1C says. Days are midnight UTC
// standing for the calendar date.
type Payment struct {
	ID           int64        `gorm:"primaryKey"`
	Key          string       `gorm:"not null;size:64;uniqueIndex:ux_payments_key"` // what the document is known by in every file
	Direction    string       `gorm:"not null;size:10"`                             // "in"; "out" for what went back to a client
	Nature       string       `gorm:"not null;size:20"`
	Number       string       `gorm:"not null;size:60"` // of the payment order
	Date         time.Time    `gorm:"not null"`         // of the payment order
	BookedOn     *time.Time   `gorm:"index:ix_payments_booked"`
	Amount       Money        `gorm:"embedded;embeddedPrefix:amount_"`
	Account      string       `gorm:"not null;size:40"` // ours
	PayerName    string       `gorm:"not null;size:400"`
	PayerINN     string       `gorm:"not null;size:20;index:ix_payments_payer"`
	PayerAccount string       `gorm:"not null;size:40"`
	Purpose      string       `gorm:"not null;type:text"`
	ClientID     *int64       `gorm:"index:ix_payments_client"`
	Client       *Client      `gorm:"constraint:OnDelete:RESTRICT"`
	State        PaymentState `gorm:"not null;size:20;index:ix_payments_state"`
	Tier         string       `gorm:"not null;size:1"` // how sure the match is, A to E
	Why          Phrase       `gorm:"not null;type:text"`
	DecidedBy    string       `gorm:"not null;size:320"` // the person who has decided; "" while nobody has
	Source       string       `gorm:"not null;size:300"` // the file it was first read from
	CreatedAt    time.Time    `gorm:"not null"`
	UpdatedAt    time.Time    `gorm:"not null"`
}

// Allocation is the part of a payment that goes to an invoice. What is ended no longer counts and is kept.
type Allocation struct {
	ID        int64     `gorm:"primaryKey"`
	PaymentID int64     `gorm:"not null;index:ix_allocations_payment;uniqueIndex:ux_allocations_current,priority:1,where:ended_at IS NULL"`
	Payment   *Payment  `gorm:"constraint:OnDelete:RESTRICT"`
	InvoiceID int64     `gorm:"not null;index:ix_allocations_invoice;uniqueIndex:ux_allocations_current,priority:2,where:ended_at IS NULL"`
	Invoice   *Invoice  `gorm:"constraint:OnDelete:RESTRICT"`
	Minor     int64     `gorm:"not null"`         // in the payment's currency; negative for money that went back
	Method    string    `gorm:"not null;size:10"` // the tier, or "manual"
	Actor     string    `gorm:"not null;size:320"`
	CreatedAt time.Time `gorm:"not null"`
	EndedAt   *time.Time
	EndedBy   string `gorm:"not null;size:320"`
}
