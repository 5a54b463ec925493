package daemon

import (
	"context"
	"fmt"
	"time"

	"kontrol/models"
	"kontrol/payments"
	"kontrol/store"
)

// PaymentOptions say how money is booked. The zero value books only what names its invoice, and wins a deal when it is paid
// in full.
type PaymentOptions struct {
	SameSum bool           // book without asking when the payer's only open invoice of that sum is found, though none is named
	Prepaid int            // percent of a deal's invoices that must be paid for it to be won; 0 means all
	Zone    *time.Location // of the department; nil means UTC
	Source  string         // name of the file, for people
	Actor   string         // who imports; "" means "kontrol"
}

// PaymentRow is what became of one document of a file.
type PaymentRow struct {
	Document payments.Document
	Match    payments.Match      // what was found now; of a payment that is settled, what was found then
	State    models.PaymentState // "" for what is not kept: money that is no client's
	ID       int64               // of the payment; 0 for what is not kept
	Known    bool                // an earlier import has brought it
}

// PaymentImport is what an import has done. Rows stand in the order of the file.
type PaymentImport struct {
	Rows []PaymentRow
	Won  []models.Deal // deals that the money has won
	Lost []models.Deal // deals that are open again, because the money went back
}

// ImportPayments stores the money of a statement and allocates it to invoices, as far as no person is needed. It does so in
// one transaction: either the whole file is taken or nothing. Documents that are known from other files change nothing,
// except that what was not matched is tried again, and that money comes which had only been announced. What a person has
// decided stays.
//
// Kept are money coming in that may be a client's, documents whose direction is unknown, and what goes back to a client who
// has invoices. Wages, taxes, fees and transfers between own accounts leave no row.
func ImportPayments(ctx context.Context, tx *store.Tx, documents []payments.Document, o PaymentOptions) (*PaymentImport, error) {
	if err := tx.LockPayments(ctx); err != nil {
		return nil, err
	}
	i := paymentIntake{tx: tx, o: o, out: &PaymentImport{Rows: make([]PaymentRow, len(documents))}}
	if i.o.Zone == nil {
		i.o.Zone = time.UTC
	}
	if err := i.recall(ctx, documents); err != nil {
		return nil, err
	}
	if err := i.match(ctx, documents); err != nil {
		return nil, err
	}
	if err := i.store(ctx); err != nil {
		return nil, err
	}
	return i.out, i.deals(ctx)
}

// paymentIntake is one import under way.
type paymentIntake struct {
	tx      *store.Tx
	o       PaymentOptions
	out     *PaymentImport
	keys    []string
	known   map[string]models.Payment
	touched []models.Invoice    // whose paid sums have changed
	movedOn map[int64]time.Time // the last day money moved for a deal
	back    map[int64]bool      // deals whose money went back: only they are opened again
}

// recall looks up which documents are known.
func (i *paymentIntake) recall(ctx context.Context, documents []payments.Document) (err error) {
	i.keys = payments.Keys(documents)
	i.known, err = i.tx.PaymentsByKey(ctx, i.keys)
	return err
}

// match finds the invoices for what is new, what was not settled before, and what has been credited since.
func (i *paymentIntake) match(ctx context.Context, documents []payments.Document) error {
	matcher, err := PaymentMatcher(ctx, i.tx.Queries, documents, i.o.SameSum)
	if err != nil {
		return err
	}
	var open []int
	var ask []payments.Document
	for n, d := range documents {
		row := &i.out.Rows[n]
		row.Document = d
		if p, known := i.known[i.keys[n]]; known {
			row.Known, row.ID, row.State = true, p.ID, p.State
			row.Match = payments.Match{Tier: payments.Tier(p.Tier), Why: p.Why}
			if settled(p) {
				continue
			}
		}
		open, ask = append(open, n), append(ask, d)
	}
	for k, m := range matcher.FindAll(ask) {
		row := &i.out.Rows[open[k]]
		row.Match, row.State = m, stateOf(&row.Document, m)
	}
	return nil
}

// settled reports whether a payment needs no further look: allocated, or decided by a person.
func settled(p models.Payment) bool {
	return p.State == models.PaymentMatched || p.State == models.PaymentSetAside || p.DecidedBy != ""
}

// stateOf says what becomes of a document; "" for one that leaves no row.
func stateOf(d *payments.Document, m payments.Match) models.PaymentState {
	refund := d.Direction == payments.DirectionOut && d.Nature == payments.NatureRefund
	switch {
	case d.Direction == payments.DirectionInternal, d.Direction == payments.DirectionOut && (!refund || m.ClientID == 0):
		return ""
	case d.Nature != payments.NatureOrdinary && !refund:
		return ""
	case d.Direction == payments.DirectionUnknown:
		return models.PaymentQuestion
	case !refund && d.CreditedOn.IsZero():
		return models.PaymentExpected
	case m.Auto:
		return models.PaymentMatched
	case len(m.Allocations) > 0 || len(m.Candidates) > 0 || refund:
		return models.PaymentQuestion
	}
	return models.PaymentUnmatched
}

// PaymentMatcher makes a matcher of the invoices that the documents may pay.
func PaymentMatcher(ctx context.Context, q *store.Queries, documents []payments.Document, sameSum bool) (*payments.Matcher, error) {
	first := time.Time{}
	for n := range documents {
		if day := documents[n].BookedOn(); first.IsZero() || day.Before(first) {
			first = day
		}
	}
	payable, err := q.PayableInvoices(ctx, first.AddDate(-2, 0, 0))
	if err != nil {
		return nil, err
	}
	list := make([]payments.Invoice, 0, len(payable))
	for _, inv := range payable {
		p := payments.Invoice{ID: inv.ID, Number: inv.Number, Date: inv.IssuedOn.UTC(), Amount: inv.Amount, Outstanding: inv.Outstanding(), ClientID: inv.ClientID}
		if inv.Client != nil && inv.Client.INN != nil {
			p.INNs = []string{*inv.Client.INN}
		}
		list = append(list, p)
	}
	m := payments.NewMatcher(list)
	m.AutoC = sameSum
	return m, nil
}

// store writes new payments, brings known ones up to date, and allocates what is matched.
func (i *paymentIntake) store(ctx context.Context) error {
	var fresh []*models.Payment
	var rows []*PaymentRow
	for n := range i.out.Rows {
		row := &i.out.Rows[n]
		if row.State == "" {
			continue
		}
		if known, was := i.known[i.keys[n]]; was {
			if !settled(known) {
				if err := i.again(ctx, row, known); err != nil {
					return err
				}
			}
			continue
		}
		fresh, rows = append(fresh, i.payment(row, i.keys[n])), append(rows, row)
	}
	if err := i.tx.CreatePayments(ctx, fresh); err != nil {
		return err
	}
	for k, p := range fresh {
		rows[k].ID = p.ID
		if err := i.allocate(ctx, rows[k], *p); err != nil {
			return err
		}
	}
	return nil
}

// payment makes the row of a document.
func (i *paymentIntake) payment(row *PaymentRow, key string) *models.Payment {
	d := &row.Document
	other, ours := d.Counterparty(), d.Payee.Account
	if d.Direction == payments.DirectionOut {
		ours = d.Payer.Account
	}
	p := &models.Payment{Key: key, Direction: string(d.Direction), Nature: string(d.Nature), Number: d.Number, Date: d.Date, Amount: d.Amount,
		Account: ours, PayerName: other.Name, PayerINN: other.INN, PayerAccount: other.Account, Purpose: d.Purpose, Source: i.o.Source}
	fillPayment(p, row)
	return p
}

// fillPayment puts what was found into the payment's row.
func fillPayment(p *models.Payment, row *PaymentRow) {
	p.State, p.Tier, p.Why = row.State, string(row.Match.Tier), row.Match.Why
	if row.Match.ClientID != 0 {
		p.ClientID = &row.Match.ClientID
	}
	if day := row.Document.BookedOn(); row.State != models.PaymentExpected {
		p.BookedOn = &day
	}
}

// again settles a payment that an earlier import left open.
func (i *paymentIntake) again(ctx context.Context, row *PaymentRow, p models.Payment) error {
	fillPayment(&p, row)
	if err := i.tx.SettlePayment(ctx, p); err != nil {
		return err
	}
	return i.allocate(ctx, row, p)
}

// allocate books what the match gives, if no person is needed.
func (i *paymentIntake) allocate(ctx context.Context, row *PaymentRow, p models.Payment) error {
	if row.State != models.PaymentMatched {
		return nil
	}
	changed, err := i.tx.Allocate(ctx, p, allocations(row.Match, string(row.Match.Tier), i.o.Actor))
	if err != nil {
		return fmt.Errorf("book payment %s of %s: %w", p.Number, p.Date.Format("02.01.2006"), err)
	}
	i.note(changed, row.Document.BookedOn(), row.Document.Direction == payments.DirectionOut)
	return nil
}

// allocations makes the rows of a match.
func allocations(m payments.Match, method, actor string) []models.Allocation {
	if actor == "" {
		actor = "kontrol"
	}
	out := make([]models.Allocation, 0, len(m.Allocations))
	for _, a := range m.Allocations {
		out = append(out, models.Allocation{InvoiceID: a.InvoiceID, Minor: a.Amount.Minor, Method: method, Actor: actor})
	}
	return out
}

// note remembers which deals are to be looked at, the last day money moved for them, and whether it went back.
func (i *paymentIntake) note(changed []models.Invoice, day time.Time, back bool) {
	if i.movedOn == nil {
		i.movedOn, i.back = map[int64]time.Time{}, map[int64]bool{}
	}
	i.touched = append(i.touched, changed...)
	for _, inv := range changed {
		if inv.DealID == nil {
			continue
		}
		i.back[*inv.DealID] = i.back[*inv.DealID] || back
		if day.After(i.movedOn[*inv.DealID]) {
			i.movedOn[*inv.DealID] = day
		}
	}
}

// deals moves the deals whose invoices have been paid to the won stage, and back those whose money was returned.
func (i *paymentIntake) deals(ctx context.Context) error {
	seen := map[int64]bool{}
	for _, inv := range i.touched {
		if inv.DealID == nil || seen[*inv.DealID] {
			continue
		}
		seen[*inv.DealID] = true
		if err := i.deal(ctx, *inv.DealID); err != nil {
			return err
		}
	}
	return nil
}

// deal lets one deal follow its money.
func (i *paymentIntake) deal(ctx context.Context, id int64) error {
	d, err := i.tx.DealByID(ctx, id)
	if err != nil {
		return err
	}
	enough, err := i.enough(ctx, id)
	if err != nil {
		return err
	}
	y, m, day := i.movedOn[id].Date()
	move := store.StageMove{Number: d.Number, Actor: i.o.Actor, OccurredAt: time.Date(y, m, day, 0, 0, 0, 0, i.o.Zone)}
	switch {
	case enough && d.Stage.Kind == models.StageOpen:
		if move.To, err = i.wonStage(ctx); err != nil {
			return err
		}
	case !enough && d.Stage.Kind == models.StageWon && i.back[id]: // won by hand on a part of the money stays won
		if move.To, err = i.stageBefore(ctx, id, d.StageCode); err != nil || move.To == "" {
			return err
		}
	default:
		return nil
	}
	if _, err := i.tx.SetDealStage(ctx, move); err != nil {
		return err
	}
	if d, err = i.tx.DealByID(ctx, id); err != nil {
		return err
	}
	if enough {
		i.out.Won = append(i.out.Won, d)
	} else {
		i.out.Lost = append(i.out.Lost, d)
	}
	return nil
}

// enough reports whether the invoices of a deal have been paid as far as it takes to win it.
func (i *paymentIntake) enough(ctx context.Context, dealID int64) (bool, error) {
	invoices, err := i.tx.Invoices(ctx, store.InvoiceFilter{DealID: dealID})
	if err != nil {
		return false, err
	}
	owed, paid, any, all := int64(0), int64(0), false, true
	for _, inv := range invoices {
		if inv.State == models.InvoiceCancelled || inv.State == models.InvoiceSuperseded {
			continue
		}
		any, all = true, all && inv.State == models.InvoicePaid
		owed += inv.Amount.Minor
		paid += inv.PaidMinor
	}
	if i.o.Prepaid > 0 && i.o.Prepaid < 100 {
		return any && paid*100 >= owed*int64(i.o.Prepaid), nil
	}
	return any && all, nil
}

// wonStage returns the code of the first stage of kind won.
func (i *paymentIntake) wonStage(ctx context.Context) (string, error) {
	stages, err := i.tx.Stages(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range stages {
		if s.Kind == models.StageWon {
			return s.Code, nil
		}
	}
	return "", fmt.Errorf("win deal: no stage of kind won: %w", models.ErrNotFound)
}

// stageBefore returns the stage from which the deal came into the given one; "" when its history does not tell.
func (i *paymentIntake) stageBefore(ctx context.Context, dealID int64, code string) (string, error) {
	changes, err := i.tx.StageChanges(ctx, dealID)
	if err != nil {
		return "", err
	}
	for n := len(changes) - 1; n >= 0; n-- {
		if changes[n].ToCode == code {
			return changes[n].FromCode, nil
		}
	}
	return "", nil
}

// PaymentDecision is what a person says about a payment: which invoices it pays and how much of each. None means that it
// pays no invoice.
type PaymentDecision struct {
	PaymentID int64
	Parts     []models.Allocation // InvoiceID and Minor
	Actor     string
}

// DecidePayment carries out what a person has decided: what was allocated before is taken back, and no import changes it
// any more. It returns the deals that were won or opened again by it. The error is store.ErrOverAllocated when the parts
// exceed the payment or what is owed.
func DecidePayment(ctx context.Context, tx *store.Tx, d PaymentDecision, o PaymentOptions) (*PaymentImport, error) {
	if err := tx.LockPayments(ctx); err != nil {
		return nil, err
	}
	p, err := tx.Payment(ctx, d.PaymentID)
	if err != nil {
		return nil, err
	}
	o.Actor = d.Actor
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	i := paymentIntake{tx: tx, o: o, out: &PaymentImport{}}
	day := p.Date
	if p.BookedOn != nil {
		day = *p.BookedOn
	}
	back, err := tx.EndAllocations(ctx, p, d.Actor)
	if err != nil {
		return nil, err
	}
	i.note(back, day, true)
	p.State, p.DecidedBy, p.BookedOn = models.PaymentSetAside, d.Actor, &day
	p.Why = models.Say("payments.why.by_hand", "Actor", d.Actor)
	for n := range d.Parts {
		d.Parts[n].Method, d.Parts[n].Actor = "manual", d.Actor
		p.State = models.PaymentMatched
	}
	changed, err := tx.Allocate(ctx, p, d.Parts)
	if err != nil {
		return nil, err
	}
	i.note(changed, day, false)
	if len(changed) > 0 {
		p.ClientID = &changed[0].ClientID
	}
	if err := tx.SettlePayment(ctx, p); err != nil {
		return nil, err
	}
	return i.out, i.deals(ctx)
}
