package models

import "time"

// Client is a company (or a person) that the department sells to.
type Client struct {
	ID        int64     `gorm:"primaryKey"`
	Name      string    `gorm:"not null;size:300"`
	NameKey   string    `gorm:"not null;size:300;index:ix_clients_name_key"` // folded for search: lower case, ё=е, no quotes, no legal form
	INN       *string   `gorm:"size:12;uniqueIndex:ux_clients_inn"`
	KPP       string    `gorm:"not null;size:9"`
	OwnerID   *int64    `gorm:"index:ix_clients_owner"`
	Owner     *Manager  `gorm:"constraint:OnDelete:RESTRICT"`
	Comment   string    `gorm:"not null;type:text"`
	CreatedAt time.Time `gorm:"not null"`
	UpdatedAt time.Time `gorm:"not null"`

	Temperature Temperature `gorm:"not null;size:10"`
	ForgottenAt *time.Time  // when the personal data was destroyed; the row and its deals stay under a pseudonym
}

// ClientDomain is a corporate mail domain of a client. A free-mail domain is never one.
type ClientDomain struct {
	ID       int64   `gorm:"primaryKey"`
	ClientID int64   `gorm:"not null;index:ix_client_domains_client"`
	Client   *Client `gorm:"constraint:OnDelete:CASCADE"`
	Domain   string  `gorm:"not null;size:255;uniqueIndex:ux_client_domains_domain"` // lower case, A-labels
}

// Contact is a person at a client.
type Contact struct {
	ID        int64     `gorm:"primaryKey"`
	ClientID  int64     `gorm:"not null;index:ix_contacts_client"`
	Client    *Client   `gorm:"constraint:OnDelete:CASCADE"`
	Name      string    `gorm:"not null;size:300"`
	Position  string    `gorm:"not null;size:200"`
	CreatedAt time.Time `gorm:"not null"`
	UpdatedAt time.Time `gorm:"not null"`
}

// ContactPointKind says how a contact is reached.
type ContactPointKind string

// The kinds of contact point.
const (
	PointEmail ContactPointKind = "email"
	PointPhone ContactPointKind = "phone"
)

// ContactPoint is one address or phone of a contact. A value belongs to one contact only.
type ContactPoint struct {
	ID        int64            `gorm:"primaryKey"`
	ContactID int64            `gorm:"not null;index:ix_contact_points_contact"`
	Contact   *Contact         `gorm:"constraint:OnDelete:CASCADE"`
	Kind      ContactPointKind `gorm:"not null;size:20;uniqueIndex:ux_contact_points_value,priority:1"`
	Value     string           `gorm:"not null;size:320;uniqueIndex:ux_contact_points_value,priority:2;index:ix_contact_points_dead,where:dead_at IS NOT NULL"` // normalised address, E.164 phone

	// When a server said that no letter reaches the address; nil while letters do, as far as is known. It is not written to.
	DeadAt     *time.Time
	DeadReason string `gorm:"not null;size:60"` // group of reasons, such as userunknown; "" while it is alive
}

// Alive reports whether letters reach the point, as far as is known.
func (p ContactPoint) Alive() bool { return p.DeadAt == nil }

// StageKind says whether a deal in this stage is still being worked on.
type StageKind string

// The kinds of stage.
const (
	StageOpen StageKind = "open"
	StageWon  StageKind = "won"
	StageLost StageKind = "lost"
)

// Stage is a step of the pipeline. The default stages are rows written by the first migration.
type Stage struct {
	Code        string    `gorm:"primaryKey;size:40"`
	Name        string    `gorm:"not null;size:100"` // as people read it
	Position    int       `gorm:"not null"`
	Kind        StageKind `gorm:"not null;size:10"`
	Outstanding bool      `gorm:"not null;default:false"` // a deal here waits for something (an answer to an offer, a payment)
}

// Money is a sum in the smallest unit of its currency (kopecks for RUB). The zero value is no money in no currency.
type Money struct {
	Minor    int64  `gorm:"not null;default:0" json:"minor"`
	Currency string `gorm:"not null;size:3" json:"currency"` // ISO 4217; "" means RUB
}

// Deal is one sale that is being worked on, won or lost.
type Deal struct {
	ID           int64      `gorm:"primaryKey"`
	Number       int64      `gorm:"not null;uniqueIndex:ux_deals_number"` // what people call it: #123
	ClientID     int64      `gorm:"not null;index:ix_deals_client"`
	Client       *Client    `gorm:"constraint:OnDelete:RESTRICT"`
	OwnerID      *int64     `gorm:"index:ix_deals_owner"`
	Owner        *Manager   `gorm:"constraint:OnDelete:RESTRICT"`
	Title        string     `gorm:"not null;size:300"`
	StageCode    string     `gorm:"not null;size:40;index:ix_deals_stage"`
	Stage        *Stage     `gorm:"foreignKey:StageCode;references:Code;constraint:OnDelete:RESTRICT"`
	Amount       Money      `gorm:"embedded;embeddedPrefix:amount_"`
	NextAction   string     `gorm:"not null;type:text"` // what has been promised or is to be done; "" when nothing
	NextActionAt *time.Time // when; a deal with this set has something outstanding
	LostReason   string     `gorm:"not null;size:200"`
	ClosedAt     *time.Time
	CreatedAt    time.Time `gorm:"not null"`
	UpdatedAt    time.Time `gorm:"not null"`
}

// StageChange is a line of a deal's history.
type StageChange struct {
	ID         int64     `gorm:"primaryKey"`
	DealID     int64     `gorm:"not null;index:ix_stage_changes_deal"`
	Deal       *Deal     `gorm:"constraint:OnDelete:CASCADE"`
	FromCode   string    `gorm:"not null;size:40"` // "" for a new deal
	ToCode     string    `gorm:"not null;size:40"`
	Actor      string    `gorm:"not null;size:320"` // a manager's e-mail, or "kontrol"
	Reason     string    `gorm:"not null;type:text"`
	OccurredAt time.Time `gorm:"not null"`
	RecordedAt time.Time `gorm:"not null"`
}

// LinkMethod says how a letter was tied to a client.
type LinkMethod string

// The methods, strongest first.
const (
	LinkManual  LinkMethod = "manual"  // a person said so
	LinkRuled   LinkMethod = "rule"    // a person said so of the sender's (or recipient's) address, see LinkRule
	LinkThread  LinkMethod = "thread"  // the letter it answers is tied so, and the sender belongs there
	LinkToken   LinkMethod = "token"   // it holds our mark of a deal, and the sender belongs there
	LinkAddress LinkMethod = "address" // the sender's (or recipient's) address is a contact's
	LinkINN     LinkMethod = "inn"     // the new words or the signature name the client's INN
	LinkPhone   LinkMethod = "phone"   // they name a phone of a contact
	LinkDomain  LinkMethod = "domain"  // the corporate domain is the client's
	LinkForward LinkMethod = "forward" // a colleague has forwarded a letter of the client: only ever proposed
)

// Link ties a letter to a client and, when that is beyond doubt, to a deal. Links are never overwritten: a better one
// supersedes the old one. A letter has at most one link with SupersededAt nil per client.
type Link struct {
	ID           int64      `gorm:"primaryKey"`
	LetterID     int64      `gorm:"not null;index:ix_links_letter;uniqueIndex:ux_links_current,priority:1,where:superseded_at IS NULL"`
	Letter       *Letter    `gorm:"constraint:OnDelete:CASCADE"`
	ClientID     int64      `gorm:"not null;index:ix_links_client;uniqueIndex:ux_links_current,priority:2,where:superseded_at IS NULL"`
	Client       *Client    `gorm:"constraint:OnDelete:CASCADE"`
	DealID       *int64     `gorm:"index:ix_links_deal,where:deal_id IS NOT NULL"` // nil: client level
	Deal         *Deal      `gorm:"constraint:OnDelete:RESTRICT"`
	Method       LinkMethod `gorm:"not null;size:20"`
	Score        int        `gorm:"not null;default:0"` // 0 to 100: how sure the client is; 0 for links made before there were scores
	Evidence     Phrase     `gorm:"not null;type:text"`
	Ask          bool       `gorm:"not null;default:false"` // several open deals fit: a person has to choose
	Actor        string     `gorm:"not null;size:320"`      // "kontrol" or who decided
	CreatedAt    time.Time  `gorm:"not null"`
	SupersededAt *time.Time
	// EndedBy is the person who has ended the link. Such a letter is not tied again by itself. Nil when it holds, or when
	// Kontrol has found a better one.
	EndedBy *string `gorm:"size:320"`
}
