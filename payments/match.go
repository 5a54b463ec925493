package payments

import (
	"slices"
	"strings"
	"time"

	"kontrol/models"
)

// Tier says how sure a match is, from A, which needs nobody, to E, which is no match.
type Tier string

// The tiers.
const (
	TierA Tier = "A" // the payer's INN is the client's, the invoice is named, the sum does not exceed what is owed
	TierB Tier = "B" // the invoice is named and the sum is exact, but another pays: a person confirms
	TierC Tier = "C" // the payer's INN is the client's and exactly one open invoice has this sum
	TierD Tier = "D" // the sum is spread over several invoices that are named, or more than is owed was paid
	TierE Tier = "E" // nothing fits: unrecognised
)

// Invoice is what the matcher must know of an invoice that may be paid.
type Invoice struct {
	ID          int64
	Number      string
	Date        time.Time // midnight UTC of its date
	Amount      models.Money
	Outstanding models.Money // what is still to be paid; 0 for one that is paid
	ClientID    int64
	INNs        []string // the client's taxpayer numbers
}

// Allocation is a part of a payment that goes to an invoice.
type Allocation struct {
	InvoiceID int64
	Number    string
	Amount    models.Money
}

// Match is what the matcher found for a payment. The allocations and Surplus add up to the payment's sum, save in tier E,
// which allocates nothing.
type Match struct {
	Tier        Tier
	Auto        bool // it may be booked without asking
	Allocations []Allocation
	Surplus     models.Money  // more than is owed: kept as the client's credit
	ClientID    int64         // whose the money is; 0 when unknown
	Why         models.Phrase // told to people
	Candidates  []int64       // invoices a person may choose from, in doubt
}

// tolerance is how much less than owed still counts as paid: one rouble, for kopecks lost in rounding.
const tolerance = 100

// Matcher finds the invoices that payments pay. It holds open invoices by number, client and sum, so that a payment costs
// the same however many there are. It is not safe for use by several goroutines while Settle is called.
type Matcher struct {
	// AutoC books a payment of tier C without asking. The zero Matcher asks.
	AutoC bool

	byID     map[int64]*Invoice
	byNumber map[string][]*Invoice
	byINN    map[string]*debtor
}

// debtor is what one taxpayer owes, by sum.
type debtor struct {
	clientID int64
	bySum    map[models.Money][]*Invoice
}

// NewMatcher makes a matcher of the invoices that are not wholly paid. The slice is copied.
func NewMatcher(open []Invoice) *Matcher {
	m := &Matcher{byID: make(map[int64]*Invoice, len(open)), byNumber: make(map[string][]*Invoice, len(open)), byINN: make(map[string]*debtor)}
	kept := slices.Clone(open)
	for i := range kept {
		inv := &kept[i]
		m.byID[inv.ID] = inv
		if key := NumberKey(inv.Number); key != "" {
			m.byNumber[key] = append(m.byNumber[key], inv)
		}
		for _, inn := range inv.INNs {
			if m.byINN[inn] == nil {
				m.byINN[inn] = &debtor{clientID: inv.ClientID, bySum: make(map[models.Money][]*Invoice)}
			}
		}
		m.owe(inv)
	}
	return m
}

// owe files an invoice under the sum that is owed on it.
func (m *Matcher) owe(inv *Invoice) {
	if inv.Outstanding.Minor <= 0 {
		return
	}
	for _, inn := range inv.INNs {
		d := m.byINN[inn]
		d.bySum[rouble(inv.Outstanding)] = append(d.bySum[rouble(inv.Outstanding)], inv)
	}
}

// rouble is the currency spelt out, so that the zero currency and "RUB" are one.
func rouble(m models.Money) models.Money {
	if m.Currency == "" {
		m.Currency = "RUB"
	}
	return m
}

// Settle books a match: what it allocates is no longer owed. Call it for each match that is taken, so that the next
// payment sees what is left.
func (m *Matcher) Settle(match Match) {
	for _, a := range match.Allocations {
		inv := m.byID[a.InvoiceID]
		if inv == nil {
			continue
		}
		for _, inn := range inv.INNs {
			d := m.byINN[inn]
			old := rouble(inv.Outstanding)
			d.bySum[old] = slices.DeleteFunc(d.bySum[old], func(o *Invoice) bool { return o == inv })
			if len(d.bySum[old]) == 0 {
				delete(d.bySum, old)
			}
		}
		inv.Outstanding.Minor -= a.Amount.Minor
		m.owe(inv)
	}
}

// Find weighs a document against the open invoices. Only ordinary money that has come in is matched; everything else is of
// tier E with the reason. The same document against the same invoices gives the same match.
//
// Money that goes back to a client (NatureRefund going out) is matched to the paid invoice it names; its allocation is
// negative.
func (m *Matcher) Find(d *Document) Match {
	switch {
	case d.Direction == DirectionOut && d.Nature == NatureRefund && d.Amount.Minor > 0:
		return m.refund(d)
	case d.Direction != DirectionIn:
		return nothing("payments.why.direction_"+string(d.Direction), 0)
	case d.Nature != NatureOrdinary:
		return nothing("payments.why.nature_"+string(d.Nature), 0)
	case d.Amount.Minor <= 0:
		return nothing("payments.why.no_sum", 0)
	}
	payer := m.byINN[d.Payer.INN]
	clientID := int64(0)
	if payer != nil {
		clientID = payer.clientID
	}
	named, doubtful, paid := m.named(d)
	own := slices.DeleteFunc(slices.Clone(named), func(i *Invoice) bool { return !slices.Contains(i.INNs, d.Payer.INN) })
	switch {
	case len(doubtful) > 0:
		return undecided("payments.why.several_numbers", clientID, doubtful)
	case len(own) > 0 && len(own) < len(named), slices.ContainsFunc(own, func(i *Invoice) bool { return i.ClientID != own[0].ClientID }):
		return undecided("payments.why.several_clients", clientID, named)
	case len(own) == 1:
		return spread(TierA, d, own)
	case len(own) > 1:
		return spread(TierD, d, own)
	case len(named) > 0:
		return m.thirdParty(d, named)
	case len(paid) > 0:
		return undecided("payments.why.already_paid", clientID, paid)
	case payer != nil:
		return m.bySum(d, payer)
	}
	return nothing("payments.why.unknown_payer", 0)
}

func nothing(id string, clientID int64) Match {
	return Match{Tier: TierE, ClientID: clientID, Why: models.Say(id)}
}

func undecided(id string, clientID int64, choose []*Invoice) Match {
	match := Match{Tier: TierE, ClientID: clientID, Why: models.Say(id, "Numbers", numbers(choose))}
	for _, inv := range choose {
		match.Candidates = append(match.Candidates, inv.ID)
	}
	return match
}

func numbers(list []*Invoice) string {
	var out []string
	for _, inv := range list {
		out = append(out, inv.Number)
	}
	return strings.Join(out, ", ")
}

// named finds the invoices whose numbers the purpose names. Where one number fits several invoices and neither the payer,
// the number as it is written, nor the date decides, they are returned as doubtful. Invoices that are named but paid already
// are told apart.
func (m *Matcher) named(d *Document) (found, doubtful, paid []*Invoice) {
	for _, name := range d.Invoices {
		fits := m.fitting(d, name)
		switch {
		case len(fits) > 1:
			doubtful = append(doubtful, fits...)
		case len(fits) == 0 || slices.Contains(found, fits[0]):
		case fits[0].Outstanding.Minor <= 0:
			paid = append(paid, fits[0])
		default:
			found = append(found, fits[0])
		}
	}
	return found, doubtful, paid
}

// fitting narrows the invoices that have a number: of the payment's currency and a year near it, the payer's own, of the
// date that is named, of the same spelling, still owed.
func (m *Matcher) fitting(d *Document, name InvoiceName) []*Invoice {
	booked := d.BookedOn()
	fits := slices.DeleteFunc(slices.Clone(m.byNumber[NumberKey(name.Number)]), func(i *Invoice) bool {
		years := booked.Year() - i.Date.Year()
		return rouble(i.Outstanding).Currency != rouble(d.Amount).Currency || !i.Date.IsZero() && (years < -1 || years > 1)
	})
	narrow := func(keep func(*Invoice) bool) {
		if len(fits) < 2 {
			return
		}
		if kept := slices.DeleteFunc(slices.Clone(fits), func(i *Invoice) bool { return !keep(i) }); len(kept) > 0 {
			fits = kept
		}
	}
	narrow(func(i *Invoice) bool { return slices.Contains(i.INNs, d.Payer.INN) })
	if !name.Date.IsZero() {
		narrow(func(i *Invoice) bool { return i.Date.Equal(name.Date) })
	}
	narrow(func(i *Invoice) bool { return i.Outstanding.Minor > 0 })
	narrow(func(i *Invoice) bool { return strings.EqualFold(i.Number, name.Number) })
	return fits
}

// spread gives the sum to the invoices in the order they are named: each what is owed on it, the last the rest. What is
// left over is surplus. A sum that falls short by no more than the tolerance still pays them.
func spread(tier Tier, d *Document, named []*Invoice) Match {
	match := Match{Tier: tier, Auto: true, ClientID: named[0].ClientID, Surplus: models.Money{Currency: d.Amount.Currency}}
	left, owed := d.Amount.Minor, int64(0)
	for _, inv := range named {
		owed += inv.Outstanding.Minor
		part := min(left, inv.Outstanding.Minor)
		if part > 0 {
			match.Allocations = append(match.Allocations, Allocation{InvoiceID: inv.ID, Number: inv.Number, Amount: models.Money{Minor: part, Currency: d.Amount.Currency}})
		}
		left -= part
	}
	match.Surplus.Minor = left
	switch {
	case left > tolerance:
		match.Tier = TierD
		match.Why = models.Say("payments.why.surplus", "Numbers", numbers(named))
	case owed-d.Amount.Minor > tolerance:
		match.Why = models.Say("payments.why.part", "Numbers", numbers(named))
	default:
		match.Why = models.Say("payments.why.paid", "Numbers", numbers(named))
	}
	return match
}

// thirdParty is money from one who is not the client, for an invoice that is named. An exact sum is put to a person; any
// other is left open.
func (m *Matcher) thirdParty(d *Document, named []*Invoice) Match {
	owed := int64(0)
	for _, inv := range named {
		owed += inv.Outstanding.Minor
		if inv.ClientID != named[0].ClientID {
			return undecided("payments.why.several_clients", 0, named)
		}
	}
	if diff := owed - d.Amount.Minor; diff < -tolerance || diff > tolerance {
		return undecided("payments.why.other_payer_other_sum", 0, named)
	}
	match := spread(TierB, d, named)
	match.Auto = false
	match.Why = models.Say("payments.why.other_payer", "Numbers", numbers(named))
	if mentioned := NamedINNs(d.Purpose); slices.ContainsFunc(mentioned, func(inn string) bool { return slices.Contains(named[0].INNs, inn) }) {
		match.Why = models.Say("payments.why.paid_for", "Numbers", numbers(named))
	}
	return match
}

// refund takes the sum off the one invoice of the payee that is named and has been paid at least as much.
func (m *Matcher) refund(d *Document) Match {
	payee := m.byINN[d.Payee.INN]
	if payee == nil {
		return nothing("payments.why.refund_unknown", 0)
	}
	var fits []*Invoice
	for _, name := range d.Invoices {
		for _, inv := range m.byNumber[NumberKey(name.Number)] {
			if slices.Contains(inv.INNs, d.Payee.INN) && inv.Amount.Minor-inv.Outstanding.Minor >= d.Amount.Minor && !slices.Contains(fits, inv) {
				fits = append(fits, inv)
			}
		}
	}
	if len(fits) != 1 {
		return undecided("payments.why.refund", payee.clientID, fits)
	}
	back := models.Money{Minor: -d.Amount.Minor, Currency: d.Amount.Currency}
	return Match{Tier: TierA, Auto: true, ClientID: payee.clientID, Surplus: models.Money{Currency: d.Amount.Currency},
		Allocations: []Allocation{{InvoiceID: fits[0].ID, Number: fits[0].Number, Amount: back}}, Why: models.Say("payments.why.refunded", "Numbers", fits[0].Number)}
}

// bySum looks for the one open invoice of the payer that has just this sum.
func (m *Matcher) bySum(d *Document, payer *debtor) Match {
	fits := payer.bySum[rouble(d.Amount)]
	switch len(fits) {
	case 0:
		return nothing("payments.why.no_invoice", payer.clientID)
	case 1:
		match := spread(TierC, d, fits)
		match.Auto = m.AutoC && len(d.Invoices) == 0 // a number that is named and unknown makes the sum a coincidence
		match.Why = models.Say("payments.why.same_sum", "Numbers", numbers(fits))
		return match
	}
	return undecided("payments.why.several_same_sum", payer.clientID, fits)
}

// FindAll matches the documents of one import and settles what may be booked without asking. The surest go first, so that
// money without a number never takes an invoice that another document names; the order of the documents does not matter.
// The matches stand in the order of the documents.
func (m *Matcher) FindAll(documents []Document) []Match {
	keys := Keys(documents)
	order := make([]int, len(documents))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := documents[a].BookedOn().Compare(documents[b].BookedOn()); c != 0 {
			return c
		}
		return strings.Compare(keys[a], keys[b])
	})
	matches := make([]Match, len(documents))
	var rest []int
	for _, i := range order {
		match := m.Find(&documents[i])
		if !match.Auto || match.Tier == TierC {
			rest = append(rest, i)
			continue
		}
		m.Settle(match)
		matches[i] = match
	}
	for _, i := range rest {
		matches[i] = m.Find(&documents[i])
		if matches[i].Auto {
			m.Settle(matches[i])
		}
	}
	return matches
}
