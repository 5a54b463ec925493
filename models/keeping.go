package models

import "time"

// Temperature says how ready a client is to buy.
type Temperature string

// The temperatures of a client; "" when nobody has said.
const (
	TemperatureCold Temperature = "cold"
	TemperatureWarm Temperature = "warm"
	TemperatureHot  Temperature = "hot"
)

// ClientTag is a word that people sort clients by, such as an interest.
type ClientTag struct {
	ID        int64     `gorm:"primaryKey"`
	ClientID  int64     `gorm:"not null;uniqueIndex:ux_client_tags_key,priority:1"`
	Client    *Client   `gorm:"constraint:OnDelete:CASCADE"`
	Tag       string    `gorm:"not null;size:100"`                                                                    // as written first
	TagKey    string    `gorm:"not null;size:100;uniqueIndex:ux_client_tags_key,priority:2;index:ix_client_tags_key"` // folded: lower case, ё=е, single blanks
	CreatedAt time.Time `gorm:"not null"`
}

// ClientField is a column of an imported table that Kontrol has no place for and that a person wanted kept.
type ClientField struct {
	ID       int64   `gorm:"primaryKey"`
	ClientID int64   `gorm:"not null;uniqueIndex:ux_client_fields_name,priority:1"`
	Client   *Client `gorm:"constraint:OnDelete:CASCADE"`
	Name     string  `gorm:"not null;size:200;uniqueIndex:ux_client_fields_name,priority:2"` // the title of the column
	Value    string  `gorm:"not null;type:text"`
}

// ClientNote is what a person wrote down about a client.
type ClientNote struct {
	ID         int64     `gorm:"primaryKey"`
	ClientID   int64     `gorm:"not null;index:ix_client_notes_client"`
	Client     *Client   `gorm:"constraint:OnDelete:CASCADE"`
	Author     string    `gorm:"not null;size:320"` // a manager's e-mail, or the name at the terminal
	Text       string    `gorm:"not null;type:text"`
	OccurredAt time.Time `gorm:"not null"` // when it was so
	CreatedAt  time.Time `gorm:"not null"` // when it was written down
}

// OwnerReason says why a client got its owner.
type OwnerReason string

// The reasons of a change of owner.
const (
	OwnerCreated  OwnerReason = "created"  // named when the client was added or imported
	OwnerAssigned OwnerReason = "assigned" // a person said so
	OwnerMerged   OwnerReason = "merged"   // came with a merged client
	OwnerBefore   OwnerReason = "before"   // known before owners had a history
)

// ClientOwner is a span of a client's time during which it was one manager's. The open one (Until nil) says the same as
// Client.OwnerID; a client has at most one.
type ClientOwner struct {
	ID        int64       `gorm:"primaryKey"`
	ClientID  int64       `gorm:"not null;index:ix_client_owners_client;uniqueIndex:ux_client_owners_open,where:until IS NULL"`
	Client    *Client     `gorm:"constraint:OnDelete:CASCADE"`
	ManagerID int64       `gorm:"not null;index:ix_client_owners_manager"`
	Manager   *Manager    `gorm:"constraint:OnDelete:RESTRICT"`
	Reason    OwnerReason `gorm:"not null;size:20"`
	Comment   string      `gorm:"not null;type:text"`
	Actor     string      `gorm:"not null;size:320"`
	Since     time.Time   `gorm:"not null"`
	Until     *time.Time  // nil while it holds
}

// ClaimEnd says how a claim ended before its time.
type ClaimEnd string

// The ends of a claim; "" while it is open. An open claim that is past ExpiresAt holds no longer.
const (
	ClaimReleased ClaimEnd = "released" // given back
	ClaimExpired  ClaimEnd = "expired"  // past its time; noted when somebody claims next
	ClaimAssigned ClaimEnd = "assigned" // the client got an owner
	ClaimMerged   ClaimEnd = "merged"   // the client was merged into one that is claimed already
	ClaimErased   ClaimEnd = "erased"   // the client was forgotten
)

// Claim is a manager's word to work on a client until a day («закрепить»). Nobody else may claim the client meanwhile. A
// claim does not change the client's owner; it shows the client to the one who holds it.
type Claim struct {
	ID        int64      `gorm:"primaryKey"`
	ClientID  int64      `gorm:"not null;index:ix_claims_client;uniqueIndex:ux_claims_open,where:ended_at IS NULL"`
	Client    *Client    `gorm:"constraint:OnDelete:CASCADE"`
	ManagerID int64      `gorm:"not null;index:ix_claims_manager"`
	Manager   *Manager   `gorm:"constraint:OnDelete:RESTRICT"`
	Actor     string     `gorm:"not null;size:320"`
	ClaimedAt time.Time  `gorm:"not null"`
	ExpiresAt time.Time  `gorm:"not null"`
	EndedAt   *time.Time // nil while it is open
	EndReason ClaimEnd   `gorm:"not null;size:20"`
}

// Absence is a span in which a manager does not work, and who stands in.
type Absence struct {
	ID          int64      `gorm:"primaryKey"`
	ManagerID   int64      `gorm:"not null;index:ix_absences_manager"`
	Manager     *Manager   `gorm:"constraint:OnDelete:RESTRICT"`
	DeputyID    *int64     `gorm:"index:ix_absences_deputy"` // nil: nobody stands in
	Deputy      *Manager   `gorm:"constraint:OnDelete:RESTRICT"`
	StartsAt    time.Time  `gorm:"not null"`
	EndsAt      time.Time  `gorm:"not null"` // the first instant after it
	Comment     string     `gorm:"not null;type:text"`
	Actor       string     `gorm:"not null;size:320"`
	CancelledAt *time.Time // nil while it counts
	CreatedAt   time.Time  `gorm:"not null"`
}

// ClientMerge is a client that was merged into another one, with what is needed to take it back.
type ClientMerge struct {
	ID       int64      `gorm:"primaryKey"`
	IntoID   int64      `gorm:"not null;index:ix_client_merges_into"`
	Into     *Client    `gorm:"foreignKey:IntoID;constraint:OnDelete:CASCADE"`
	FromID   int64      `gorm:"not null;index:ix_client_merges_from"` // the number that the merged client had
	FromName string     `gorm:"not null;size:300"`
	Actor    string     `gorm:"not null;size:320"`
	Moved    string     `gorm:"not null;type:text"` // JSON: rows that moved, and both clients as they were
	MergedAt time.Time  `gorm:"not null"`
	UndoneAt *time.Time // nil while it counts
}

// ColumnMap is which column of a table of clients holds what, as a person said; it is found again by the titles.
type ColumnMap struct {
	ID        int64     `gorm:"primaryKey"`
	HeaderKey string    `gorm:"not null;size:64;uniqueIndex:ux_column_maps_header"` // hex SHA-256 of the folded titles, sorted
	Titles    Strings   `gorm:"not null;type:text"`                                 // the columns that a person has named
	Fields    Strings   `gorm:"not null;type:text"`                                 // what each of them holds, as deals.Fields names it
	Actor     string    `gorm:"not null;size:320"`
	CreatedAt time.Time `gorm:"not null"`
	UpdatedAt time.Time `gorm:"not null"`
}

// ForgetAct is the record that a client's personal data was destroyed. It names nobody: whom it was about stands only in
// the act that was printed (order 179 of Roskomnadzor of 28.10.2022).
type ForgetAct struct {
	ID         int64      `gorm:"primaryKey"`
	Number     string     `gorm:"not null;size:60;uniqueIndex:ux_forget_acts_number"`
	ClientID   int64      `gorm:"not null;index:ix_forget_acts_client"`
	Pseudonym  string     `gorm:"not null;size:300"` // what the client is called from then on
	Categories Strings    `gorm:"not null;type:text"`
	Letters    int        `gorm:"not null;default:0"` // letters of which only the place on the server is still known
	Contacts   int        `gorm:"not null;default:0"`
	Notes      int        `gorm:"not null;default:0"`
	Deals      int        `gorm:"not null;default:0"` // kept, under the pseudonym
	FileHash   string     `gorm:"not null;size:64"`   // hex SHA-256 of the act as written to disk; "" when none was
	Actor      string     `gorm:"not null;size:320"`
	MadeAt     time.Time  `gorm:"not null"`
	ScrubbedAt *time.Time // when the free space of the database was cleaned too; nil: not yet
}

// ForgottenValue is one address, domain, INN or phone of a forgotten client, as a keyed hash: enough to know it again, not
// enough to read it.
type ForgottenValue struct {
	ID        int64      `gorm:"primaryKey"`
	Hash      string     `gorm:"not null;size:64;uniqueIndex:ux_forgotten_values_hash"` // hex HMAC-SHA256
	ActID     int64      `gorm:"not null;index:ix_forgotten_values_act"`
	Act       *ForgetAct `gorm:"constraint:OnDelete:CASCADE"`
	CreatedAt time.Time  `gorm:"not null"`
}

// ForgetKey is the key of the hashes of ForgottenValue, made at random with the first of them. There is one row at most.
type ForgetKey struct {
	ID        int64     `gorm:"primaryKey"`
	Key       string    `gorm:"not null;size:64"` // 32 bytes, hex
	CreatedAt time.Time `gorm:"not null"`
}
