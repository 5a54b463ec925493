package models

import "time"

// MailboxKind tells a manager's own mailbox from one that several managers share.
type MailboxKind string

// The kinds of mailbox.
const (
	MailboxPersonal MailboxKind = "personal"
	MailboxShared   MailboxKind = "shared"
)

// MailboxState says whether a mailbox is watched.
type MailboxState string

// The states of a mailbox.
const (
	MailboxActive  MailboxState = "active"  // watched, or being connected to
	MailboxPaused  MailboxState = "paused"  // a person asked to leave it alone
	MailboxStopped MailboxState = "stopped" // login was refused too often; a person must act
	MailboxRemoved MailboxState = "removed" // no longer in the config; history stays
)

// Mailbox is one IMAP login that Kontrol watches.
type Mailbox struct {
	ID            int64        `gorm:"primaryKey"`
	Address       string       `gorm:"not null;size:320;uniqueIndex:ux_mailboxes_address"` // normalised
	Kind          MailboxKind  `gorm:"not null;size:20"`
	ManagerID     *int64       `gorm:"index:ix_mailboxes_manager"` // nil for a shared mailbox
	Manager       *Manager     `gorm:"constraint:OnDelete:RESTRICT"`
	Aliases       Strings      `gorm:"not null;type:text"` // further addresses that are delivered here, normalised
	State         MailboxState `gorm:"not null;size:20"`
	StateReason   Phrase       `gorm:"not null;type:text"` // why it is stopped or not connected; zero when all is well
	LoginRefusals int          `gorm:"not null;default:0"` // refused logins in a row; 3 stop the mailbox
	RefusedAt     *time.Time   // the first of them; nil when none was refused, or it is not known
	Connected     bool         `gorm:"not null;default:false"`
	SyncedAt      *time.Time   // end of the last complete look at all watched folders
	CreatedAt     time.Time    `gorm:"not null"`
	UpdatedAt     time.Time    `gorm:"not null"`
}

// FolderRole says what a folder is for. Folders are always looked up by role, never by name.
type FolderRole string

// The roles of folders that Kontrol cares about.
const (
	FolderInbox     FolderRole = "inbox"
	FolderSent      FolderRole = "sent"
	FolderProcessed FolderRole = "processed" // «Обработанные письма»
	FolderControl   FolderRole = "control"   // «На контроле»
	FolderPrivate   FolderRole = "private"   // «Команды/Личное»: what a person puts there is forgotten; a mailbox may have none
)

// Folder is one IMAP mailbox of a Mailbox (the product calls it a folder, as people do), with the cursor of what has
// been taken in from it. See RFC 9051 section 2.3.1.1 for UIDVALIDITY.
type Folder struct {
	ID          int64      `gorm:"primaryKey"`
	MailboxID   int64      `gorm:"not null;uniqueIndex:ux_folders_mailbox_role,priority:1"`
	Mailbox     *Mailbox   `gorm:"constraint:OnDelete:RESTRICT"`
	Role        FolderRole `gorm:"not null;size:20;uniqueIndex:ux_folders_mailbox_role,priority:2"`
	Name        string     `gorm:"not null;size:500"` // full path as the server has it, decoded to UTF-8
	Delimiter   string     `gorm:"not null;size:4"`   // hierarchy delimiter; "" when the server has a flat namespace
	UIDValidity uint32     `gorm:"not null;default:0"`
	LastUID     uint32     `gorm:"not null;default:0"` // every UID up to here is stored, gone or in quarantine
	FirstUID    uint32     `gorm:"not null;default:0"` // UIDNEXT at the first look: letters below it were there before us
	ModSeq      uint64     `gorm:"not null;default:0"` // HIGHESTMODSEQ of the last complete look; a hint, may go down
	UIDNext     uint32     `gorm:"not null;default:0"` // UIDNEXT just before the last complete look; 0 until there was one
	Messages    uint32     `gorm:"not null;default:0"` // how many letters there were just before the last complete look
	ReadOnly    bool       `gorm:"not null;default:false"`
	SyncedAt    *time.Time // end of the last complete comparison with the server
	CreatedAt   time.Time  `gorm:"not null"`
	UpdatedAt   time.Time  `gorm:"not null"`
}

// Copy is the little of a Location that a comparison with the server needs: there may be hundreds of thousands.
type Copy struct {
	UID   uint32
	Flags []string // never changed in place: copies with equal flags may share them
}

// Quarantine is a letter on the server that could not be taken in. It stays where it is, untouched, and is shown by
// `kontrol status` until it can be read or has left its folder (ResolvedAt). It is tried again at the next connections, three
// times in all.
type Quarantine struct {
	ID          int64  `gorm:"primaryKey"`
	MailboxID   int64  `gorm:"not null;index:ix_quarantines_mailbox"`
	FolderID    int64  `gorm:"not null;uniqueIndex:ux_quarantines_uid,priority:1"`
	UIDValidity uint32 `gorm:"not null;uniqueIndex:ux_quarantines_uid,priority:2"`
	UID         uint32 `gorm:"not null;uniqueIndex:ux_quarantines_uid,priority:3"`
	Reason      string `gorm:"not null;type:text"` // English, for the administrator; no letter content
	Attempts    int    `gorm:"not null;default:1"`
	ResolvedAt  *time.Time
	CreatedAt   time.Time `gorm:"not null"`
	UpdatedAt   time.Time `gorm:"not null"`
}

// MailboxHealth is the part of a Mailbox that changes while it is watched.
type MailboxHealth struct {
	State         MailboxState
	Reason        Phrase // zero when all is well
	LoginRefusals int
	RefusedAt     *time.Time // the first of them; nil with none
	Connected     bool
	SyncedAt      *time.Time // nil: leave what is stored
}
