package models

import (
	"strings"
	"time"
)

// ManagerRole says what a person of the department may see and is sent.
type ManagerRole string

// The roles of a person of the department.
const (
	RoleManager ManagerRole = "manager" // sells; has a mailbox of one's own
	RoleHead    ManagerRole = "head"    // head of sales; gets the reports
	RoleAdmin   ManagerRole = "admin"   // sales administrator; payments and clients
)

// Manager is a person of the sales department. Managers are declared in the config; the store keeps a row for each so
// that clients, deals and events can name them after they have left (Active is false then).
type Manager struct {
	ID        int64       `gorm:"primaryKey"`
	Name      string      `gorm:"not null;size:200"`
	Email     string      `gorm:"not null;size:320;uniqueIndex:ux_managers_email"` // normalised
	Role      ManagerRole `gorm:"not null;size:20"`
	Timezone  string      `gorm:"not null;size:60"` // IANA name
	Active    bool        `gorm:"not null"`
	CreatedAt time.Time   `gorm:"not null"`
	UpdatedAt time.Time   `gorm:"not null"`
	Team      string      `gorm:"not null;size:100"` // those of one team see each other's clients where the config says "team"
}

// NormalAddress brings an e-mail address to the form under which addresses are compared: trimmed of blanks and angle
// brackets, lower case. It neither checks the address nor decodes an IDN; empty stays empty.
func NormalAddress(a string) string {
	a = strings.TrimSpace(a)
	a = strings.TrimSuffix(strings.TrimPrefix(a, "<"), ">")
	return strings.ToLower(strings.TrimSpace(a))
}

// DomainOf returns the part after the last @ of a normalised address, or "" when there is none.
func DomainOf(a string) string {
	if i := strings.LastIndexByte(a, '@'); i >= 0 {
		return a[i+1:]
	}
	return ""
}
