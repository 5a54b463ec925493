package payments

import (
	"time"

	"kontrol/models"
)

// Statement is what one file of the 1C exchange says. The zero Statement is an empty file's.
type Statement struct {
	Version  string // as the file writes it: "1.03"
	Charset  string // what the octets turned out to be: "windows-1251", "ibm866", "utf-8", "utf-16le", "koi8-r"
	Sender   string // the program that wrote the file
	From, To time.Time
	Accounts []AccountPeriod
	// Documents in the order of the file.
	Documents []Document
	// Own are the accounts the statement was made for, each once, in the order of the file.
	Own []string
	// Problems are oddities of the file as a whole; those of a document stand in the document.
	Problems []models.Phrase
}

// AccountPeriod is one «СекцияРасчСчет»: what the bank says happened on one of our accounts over some days. Sums that the
// file leaves out are nil.
type AccountPeriod struct {
	Line             int // where the section begins
	Account          string
	From, To         time.Time
	Opening, Closing *models.Money
	Credited         *models.Money // «ВсегоПоступило»
	Debited          *models.Money // «ВсегоСписано»
}

// Direction says which way money went, seen from our company.
type Direction string

// The directions.
const (
	DirectionIn       Direction = "in"
	DirectionOut      Direction = "out"
	DirectionInternal Direction = "internal" // between two accounts of ours
	DirectionUnknown  Direction = "unknown"  // the file does not tell: a person decides
)

// Nature says what a document is about, as far as its words show it.
type Nature string

// The natures. Only ordinary money is matched to invoices by itself.
const (
	NatureOrdinary  Nature = "ordinary"
	NatureAcquiring Nature = "acquiring" // takings by cards or СБП in one sum, paid by a bank
	NatureRefund    Nature = "refund"    // money that goes back to whom it came from
	NatureBank      Nature = "bank"      // fees, interest and loans of a bank
	NatureTax       Nature = "tax"       // to or from the treasury
	NaturePayroll   Nature = "payroll"   // salaries and what is paid to employees
)

// Party is the payer or the payee of a document. Fields that the file leaves out are "".
type Party struct {
	Name    string `json:"name"`
	INN     string `json:"inn"`
	KPP     string `json:"kpp,omitempty"`
	Account string `json:"account"`
	BIC     string `json:"bic,omitempty"`
	Bank    string `json:"bank,omitempty"`

	accounts []string // all accounts named, the settlement account of an indirect payment among them
}

// Document is one «СекцияДокумент»: an order to move money. Dates are midnight UTC standing for the calendar date; the
// zero time is a date the file leaves out.
type Document struct {
	Line       int    // where the section begins
	Kind       string // «Платежное поручение», «Банковский ордер»…, as the file writes it
	Number     string
	Date       time.Time // of the document
	CreditedOn time.Time // «ДатаПоступило»: the day the money came
	DebitedOn  time.Time // «ДатаСписано»
	Amount     models.Money
	Payer      Party
	Payee      Party
	Purpose    string
	Direction  Direction
	Nature     Nature
	Invoices   []InvoiceName   // named in Purpose; candidates, not facts
	Problems   []models.Phrase // what is odd about this document
}

// BookedOn returns the day the money moved on our account: the day it came for money coming in, the day it left for
// money going out, and the document's own date where the file gives neither.
func (d *Document) BookedOn() time.Time {
	day := d.CreditedOn
	if d.Direction == DirectionOut || day.IsZero() {
		day = d.DebitedOn
	}
	switch {
	case !day.IsZero():
		return day
	case !d.CreditedOn.IsZero():
		return d.CreditedOn
	}
	return d.Date
}

// Counterparty returns the other side: the payer of money that came in, the payee of what went out.
func (d *Document) Counterparty() Party {
	if d.Direction == DirectionOut {
		return d.Payee
	}
	return d.Payer
}

// Checksum compares what the bank says of an account over some days with the documents of the file.
type Checksum struct {
	Account  string
	From, To time.Time
	// Stated is what the bank says came in, Counted the sum of the documents; the same for what went out.
	StatedIn, CountedIn   *models.Money
	StatedOut, CountedOut *models.Money
	OK                    bool // everything stated is equal to what was counted
}
