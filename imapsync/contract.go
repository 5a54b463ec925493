package imapsync

import (
	"context"
	"time"

	"kontrol/models"
)

// Intake is told what a mailbox's folders hold. It is implemented by package daemon. Calls for one mailbox never overlap.
// Each call is one transaction: when it returns nil everything is stored, the cursor included; when it returns an error
// nothing is, and the Syncer tries again from the stored cursor.
type Intake interface {
	// Arrived stores copies not seen before, in ascending order of UID, and the folder's new cursor.
	Arrived(ctx context.Context, a Arrival) error
	// Changed stores which known copies have left the folder and which have other flags.
	Changed(ctx context.Context, c Change) error
	// Reset stores that a folder got another UIDVALIDITY: its known copies no longer have valid UIDs. The letters
	// themselves stay known and are bound again as they are taken in under the new value. f is the folder as it is to be
	// stored: the new UIDValidity, and LastUID 0.
	Reset(ctx context.Context, f models.Folder) error
}

// Reader may be implemented by an Intake. Read is then told of letters as soon as they have been fetched, which is while the
// batch before them is being stored, so that they can be understood meanwhile; what it returns comes back with them as
// Arrival.Read. It does not store anything, and letters that it was told of may never arrive.
type Reader interface {
	Read(letters []Fetched) any
}

// Arrival is a batch of newly seen copies in one folder.
type Arrival struct {
	Folder    models.Folder // as it is to be stored: LastUID and UIDValidity are the new cursor
	Letters   []Fetched     // ascending UID
	Bad       []BadLetter   // to be put into quarantine
	FirstLook bool          // all UIDs are below Folder.FirstUID: the letters were there before us
	Read      any           // what Reader.Read has made of exactly these Letters; nil: it was not asked
}

// Fetched is one copy as it came from the server, not parsed.
type Fetched struct {
	UID          uint32
	Flags        []string  // shared with other copies: not to be changed
	InternalDate time.Time // zero when the server gave none that can be read
	Size         int64     // RFC822.SIZE
	Header       []byte    // BODY[HEADER], at most Config.HeaderCap octets
	Text         []byte    // start of BODY[TEXT], at most Config.TextCap octets; nil when it was not asked for
}

// BadLetter is a copy that cannot be taken in: the server's answer about it is unusable, three times over.
type BadLetter struct {
	UID    uint32
	Reason string // English; holds no letter content
}

// Change tells what has become of known copies of one folder.
type Change struct {
	Folder models.Folder
	Gone   []uint32            // UIDs that are no longer there, ascending
	Flags  map[uint32][]string // UID → flags, where they differ from what is stored
}

// Folders is what the Syncer needs of the store. Implemented by *store.DB.
type Folders interface {
	// Folders returns the folders of a mailbox, in no particular order.
	Folders(ctx context.Context, mailboxID int64) ([]models.Folder, error)
	// SaveFolder inserts or updates the folder of (MailboxID, Role) and sets its ID. It never moves LastUID backwards
	// unless UIDValidity differs.
	SaveFolder(ctx context.Context, f *models.Folder) error
	// Copies returns the copies that are in the folder as far as the store knows, with first <= UID <= last, ascending by
	// UID; last 0 means to the end.
	Copies(ctx context.Context, folderID int64, uidValidity, first, last uint32) ([]models.Copy, error)
	// CopiesOf is Copies for some UIDs.
	CopiesOf(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) ([]models.Copy, error)
	// CountCopies returns how many copies Copies would return for the whole folder.
	CountCopies(ctx context.Context, folderID int64, uidValidity uint32) (int, error)
	// SaveMailboxHealth stores how the mailbox is.
	SaveMailboxHealth(ctx context.Context, mailboxID int64, h models.MailboxHealth) error
}

// Journal is what the Mover needs of the store. Implemented by *store.DB. Every method is durable when it returns nil, and
// has done nothing when it returns an error.
type Journal interface {
	// StartedFilings returns open filings of a mailbox of which something may have been said to the server (states sent,
	// copied and unknown), that are due at now and have an id above after: at most limit of them, by ascending id, with
	// SourceFolder, TargetFolder and Location filled in.
	StartedFilings(ctx context.Context, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error)
	// PlannedFilings is the same for filings of which nothing has been said to the server yet.
	PlannedFilings(ctx context.Context, mailboxID int64, now time.Time, after int64, limit int) ([]models.Filing, error)
	// SaveFilings stores State, Dest*, Attempts, LastError, Reason, NextAttemptAt and SentAt of open filings, all of them
	// in one transaction. It returns the ids of those that are no longer open: of these nothing is stored.
	SaveFilings(ctx context.Context, list []*models.Filing) (closed []int64, err error)
	// FinishFilings stores the final states of filings and their consequences in one transaction: for FilingDone the
	// source copy is gone and the destination copy (DestUIDValidity, DestUID) is known, with the event; for FilingGone the
	// source copy is gone; for FilingFailed the event. It returns the ids of those that are no longer open: of these
	// nothing is stored.
	FinishFilings(ctx context.Context, list []*models.Filing) (closed []int64, err error)
	// LiveCopies returns ID, LetterID, UID, Flags and HandsOff of all copies that are in the folder as far as the store
	// knows, ascending by UID.
	LiveCopies(ctx context.Context, folderID int64, uidValidity uint32) ([]models.Location, error)
}
