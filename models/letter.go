package models

import "time"

// Direction says which way a letter went, seen from the department.
type Direction string

// The directions of a letter.
const (
	Inbound  Direction = "in"       // from outside to us
	Outbound Direction = "out"      // from one of our addresses to somebody outside
	Internal Direction = "internal" // everybody in it is ours
)

// Class says what kind of letter it is. Only ClassPerson needs an answer, and only ClassPerson can be one. Letters that an
// older version has classified keep what it knew: reports of delay are ClassBounce there, reports of success and complaints
// ClassReceipt, newsletters ClassList, challenges ClassAutoReply, notes to oneself ClassInternal.
type Class string

// The classes of letters.
const (
	ClassPerson     Class = "person"
	ClassBounce     Class = "bounce"     // a report that a letter was not delivered, and will not be
	ClassDelayed    Class = "delayed"    // a report that delivery is still being tried
	ClassDelivered  Class = "delivered"  // a report that a letter was delivered, or handed on
	ClassAutoReply  Class = "auto_reply" // out of office, "your request is registered"
	ClassChallenge  Class = "challenge"  // a filter wants a confirmation that a person wrote before it lets the letter through
	ClassReceipt    Class = "receipt"    // a notice that a letter was read, or deleted unread
	ClassFeedback   Class = "feedback"   // a report that the receiver complains about a letter; see RFC 5965
	ClassList       Class = "list"       // a list on which people write
	ClassNewsletter Class = "newsletter" // what one sender writes to many
	ClassInternal   Class = "internal"   // between colleagues
	ClassOwn        Class = "own"        // of one of us to himself
	ClassPrivate    Class = "private"    // a person has said that it is none of the department's business: nothing of it is kept
)

// Classes returns every class, in the order in which they are listed to people.
func Classes() []Class {
	return []Class{ClassPerson, ClassBounce, ClassDelayed, ClassDelivered, ClassAutoReply, ClassChallenge, ClassReceipt, ClassFeedback,
		ClassList, ClassNewsletter, ClassInternal, ClassOwn, ClassPrivate}
}

// AboutOurs reports whether such a letter is what a mail system says about a letter of ours: what became of it, not an
// answer to it.
func (c Class) AboutOurs() bool {
	switch c {
	case ClassBounce, ClassDelayed, ClassDelivered, ClassChallenge, ClassReceipt, ClassFeedback:
		return true
	}
	return false
}

// Letter is one letter, whatever number of copies of it lie in whatever folders. Its identity is ours (Fingerprint), so
// it survives moves, aliases and a change of UIDVALIDITY. Two letters that share a Message-ID but differ in date, sender
// or subject are two letters.
type Letter struct {
	ID          int64      `gorm:"primaryKey"`
	Fingerprint string     `gorm:"not null;size:64;uniqueIndex:ux_letters_fingerprint"` // hex SHA-256, made by package inbound
	MessageID   string     `gorm:"not null;type:text;index:ix_letters_message_id"`      // without angle brackets; "" when missing
	ThreadID    int64      `gorm:"not null;index:ix_letters_thread"`
	Thread      *Thread    `gorm:"constraint:OnDelete:RESTRICT"`
	Direction   Direction  `gorm:"not null;size:20"`
	Class       Class      `gorm:"not null;size:20"`
	FromAddress string     `gorm:"not null;size:320;index:ix_letters_from"` // normalised; "" for the empty sender
	FromName    string     `gorm:"not null;type:text"`
	ReplyTo     Strings    `gorm:"not null;type:text"` // normalised addresses
	To          Strings    `gorm:"not null;type:text"` // normalised addresses
	Cc          Strings    `gorm:"not null;type:text"` // normalised addresses
	Subject     string     `gorm:"not null;type:text"`
	BaseSubject string     `gorm:"not null;type:text;index:ix_letters_base_subject"` // RFC 5256 and the Russian prefixes, folded
	Date        *time.Time // the sender's clock; nil when missing or unreadable
	ArrivedAt   time.Time  `gorm:"not null;index:ix_letters_arrived"` // INTERNALDATE of the first copy seen: the clock that counts
	Size        int64      `gorm:"not null;default:0"`
	Text        string     `gorm:"not null;type:text"` // start of the plain text; kept only for letters tied to a client
	ClassReason Phrase     `gorm:"not null;type:text"` // why it has this class
	Problems    Strings    `gorm:"not null;type:text"` // what could not be read, in English; empty for a sound letter
	CreatedAt   time.Time  `gorm:"not null"`
}

// Reference is a Message-ID that a letter names in References or In-Reply-To. Position counts from the oldest; the
// letter answered directly has the highest. Letters that are named but not known yet are found through these rows
// when they come.
type Reference struct {
	ID        int64   `gorm:"primaryKey"`
	LetterID  int64   `gorm:"not null;uniqueIndex:ux_references_letter,priority:1"`
	Letter    *Letter `gorm:"constraint:OnDelete:CASCADE"`
	Position  int     `gorm:"not null;uniqueIndex:ux_references_letter,priority:2"`
	MessageID string  `gorm:"not null;type:text;index:ix_references_message_id"`
}

// Thread is a conversation. Every letter belongs to exactly one; when a letter shows that two threads are one, the
// younger is emptied into the elder.
type Thread struct {
	ID          int64     `gorm:"primaryKey"`
	BaseSubject string    `gorm:"not null;type:text"`
	LastAt      time.Time `gorm:"not null"` // ArrivedAt of its newest letter
	CreatedAt   time.Time `gorm:"not null"`
}

// Location is a copy of a letter in a folder: what the server calls (mailbox, UIDVALIDITY, UID). A copy that has left
// the folder keeps its row with GoneAt set.
type Location struct {
	ID           int64      `gorm:"primaryKey"`
	LetterID     int64      `gorm:"not null;index:ix_locations_letter"`
	Letter       *Letter    `gorm:"constraint:OnDelete:RESTRICT"`
	MailboxID    int64      `gorm:"not null"`
	FolderID     int64      `gorm:"not null;uniqueIndex:ux_locations_uid,priority:1"`
	Folder       *Folder    `gorm:"constraint:OnDelete:RESTRICT"`
	UIDValidity  uint32     `gorm:"not null;uniqueIndex:ux_locations_uid,priority:2"`
	UID          uint32     `gorm:"not null;uniqueIndex:ux_locations_uid,priority:3"`
	Flags        Strings    `gorm:"not null;type:text"` // as the server spells them
	InternalDate *time.Time // nil when the server gave none that can be read
	Size         int64      `gorm:"not null;default:0"`
	HeaderHash   string     `gorm:"not null;size:64"`       // hex SHA-256 of the header block as fetched; finds the copy after a move
	HandsOff     bool       `gorm:"not null;default:false"` // a person put it here: it is never moved by Kontrol again
	FirstLook    bool       `gorm:"not null;default:false"` // it lay there when the folder was looked at for the first time
	SeenAt       time.Time  `gorm:"not null"`
	GoneAt       *time.Time
}

// Flagged reports whether a person has starred this copy. See RFC 9051 section 2.3.2.
func (l Location) Flagged() bool { return l.hasFlag(`\Flagged`) }

// Deleted reports whether a mail client has marked this copy for expunging.
func (l Location) Deleted() bool { return l.hasFlag(`\Deleted`) }

// Draft reports whether this copy is a draft.
func (l Location) Draft() bool { return l.hasFlag(`\Draft`) }

// TableName avoids the reserved word.
func (Reference) TableName() string { return "letter_references" }
