package models

import (
	"database/sql/driver"
	"time"
)

// ProposalKind says what a person is asked to confirm.
type ProposalKind string

// The kinds of proposal.
const (
	ProposeReview  ProposalKind = "review"  // the letter seems to concern a client's deal, but its sender does not belong there
	ProposeForward ProposalKind = "forward" // a colleague has forwarded what a client wrote
	ProposeClient  ProposalKind = "client"  // somebody unknown has written: a new client?
	ProposeDeal    ProposalKind = "deal"    // an old conversation about something new: a new deal?
)

// Proposal is something that Kontrol has seen in a letter and does not decide by itself. A proposal ties nothing: the
// letter counts as the client's only after a person has said so. Rows are never overwritten and never made twice.
type Proposal struct {
	ID        int64        `gorm:"primaryKey"`
	LetterID  int64        `gorm:"not null;index:ix_proposals_letter"`
	Letter    *Letter      `gorm:"constraint:OnDelete:CASCADE"`
	Kind      ProposalKind `gorm:"not null;size:20;uniqueIndex:ux_proposals_key,priority:1"`
	Key       string       `gorm:"not null;size:400;uniqueIndex:ux_proposals_key,priority:2"` // what is proposed once: the address of a new client, else letter and client
	ClientID  *int64       `gorm:"index:ix_proposals_client"`                                 // nil: a client that is not known yet
	Client    *Client      `gorm:"constraint:OnDelete:CASCADE"`
	DealID    *int64       `gorm:"index:ix_proposals_deal"`
	Deal      *Deal        `gorm:"constraint:OnDelete:CASCADE"`
	Method    LinkMethod   `gorm:"not null;size:20"` // what led to it
	Score     int          `gorm:"not null;default:0"`
	Evidence  Phrase       `gorm:"not null;type:text"`
	Draft     ClientDraft  `gorm:"not null;type:text"` // of a new client; zero for the other kinds
	CreatedAt time.Time    `gorm:"not null"`
	SettledAt *time.Time   // when a person has decided about the letter; nil while it is open
	SettledBy *string      `gorm:"size:320"`
}

// DismissedSender is an address of which a person has said that it is no client: it is not proposed again.
type DismissedSender struct {
	ID        int64     `gorm:"primaryKey"`
	Address   string    `gorm:"not null;size:320;uniqueIndex:ux_dismissed_senders_address"` // normalised
	Actor     string    `gorm:"not null;size:320"`
	CreatedAt time.Time `gorm:"not null"`
}

// ClientDraft is what a letter tells about an unknown sender. Empty fields were not found.
type ClientDraft struct {
	Name     string   `json:"name,omitempty"` // of the company, else of the person
	NameFrom string   `json:"name_from,omitempty"`
	Contact  string   `json:"contact,omitempty"`
	Address  string   `json:"address,omitempty"` // normalised
	Domain   string   `json:"domain,omitempty"`  // corporate, in A-labels
	INN      string   `json:"inn,omitempty"`
	KPP      string   `json:"kpp,omitempty"`
	Phones   []string `json:"phones,omitempty"` // E.164
}

// The places in which the name of an unknown sender is found, see ClientDraft.NameFrom.
const (
	NameFromSignature = "signature" // a company that the signature names
	NameFromDomain    = "domain"
	NameFromSender    = "sender" // the name in From
	NameFromAddress   = "address"
)

// IsZero reports whether the draft says nothing.
func (d ClientDraft) IsZero() bool { return d.Address == "" && d.Name == "" }

// Value stores the draft as JSON text; the zero draft as the empty string.
func (d ClientDraft) Value() (driver.Value, error) {
	if d.IsZero() {
		return "", nil
	}
	return jsonText(d)
}

// Scan reads what Value wrote.
func (d *ClientDraft) Scan(src any) error { *d = ClientDraft{}; return scanJSON(src, d) }

// LinkRule is what a person has taught by tying a letter by hand: letters from and to the address concern the client, and
// the deal while it is open. An address has at most one rule with RemovedAt nil.
type LinkRule struct {
	ID        int64     `gorm:"primaryKey"`
	Address   string    `gorm:"not null;size:320;uniqueIndex:ux_link_rules_address,where:removed_at IS NULL"` // normalised
	ClientID  int64     `gorm:"not null;index:ix_link_rules_client"`
	Client    *Client   `gorm:"constraint:OnDelete:CASCADE"`
	DealID    *int64    `gorm:"index:ix_link_rules_deal"` // nil: the client only
	Deal      *Deal     `gorm:"constraint:OnDelete:CASCADE"`
	LetterID  *int64    `gorm:"index:ix_link_rules_letter"` // the letter that taught it
	Letter    *Letter   `gorm:"constraint:OnDelete:SET NULL"`
	Actor     string    `gorm:"not null;size:320"`
	CreatedAt time.Time `gorm:"not null"`
	RemovedAt *time.Time
	RemovedBy *string `gorm:"size:320"`
}

// Secret is a value that only the program knows, such as the key of the marks in our letters.
type Secret struct {
	Name      string    `gorm:"primaryKey;size:60"`
	Value     string    `gorm:"not null;type:text"` // hex
	CreatedAt time.Time `gorm:"not null"`
}

// String names the secret and does not tell it.
func (s Secret) String() string { return "secret " + s.Name }
