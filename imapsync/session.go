package imapsync

import (
	"context"
	"errors"
	"time"

	"kontrol/models"
)

// Session is one authenticated connection as the Syncer and the Mover use it. *Conn is the real one. It is owned by one
// goroutine: no two methods are ever called at the same time, and none inside a callback of another.
//
// Every method is bounded by a deadline of its own as well as by ctx; when either ends the socket is closed and the
// session is dead. After an error that is not a *StatusError the session is dead too: Dead reports it, and every later
// call fails at once. Mailbox names are UTF-8.
type Session interface {
	Caps() Caps
	// Dead reports whether the session can no longer be used.
	Dead() bool
	// List returns all folders that can be selected. Lines that could not be read are left out and logged.
	List(ctx context.Context) ([]Listed, error)
	// Create makes a folder and its missing parents, parents first, and subscribes to them. An existing folder is fine.
	Create(ctx context.Context, name string) error
	// Select opens a folder. With readOnly it uses EXAMINE. The answer's UIDNext is never 0: it is asked for with STATUS
	// where SELECT does not tell.
	Select(ctx context.Context, name string, readOnly bool) (Selected, error)
	// Status asks about a folder that is not selected. See RFC 9051 section 6.3.11.
	Status(ctx context.Context, name string) (Selected, error)
	// Statuses asks about several folders that are not selected, with one command where the server can do that (RFC 5819).
	// A folder that the server does not tell about is missing in the answer.
	Statuses(ctx context.Context, names []string) (map[string]Selected, error)
	// Changes returns UID and flags of the copies in the selected folder that are new or have other flags since the
	// mod-sequence, ascending by UID. It fails without Caps().CondStore. See RFC 7162 section 3.1.4.
	Changes(ctx context.Context, since uint64) ([]Meta, error)
	// UIDs returns UID and flags of the copies in the selected folder with first <= UID <= last, ascending; last 0 means
	// to the end. The well-known answer to "n:*" beyond the end is filtered out.
	UIDs(ctx context.Context, first, last uint32) ([]Meta, error)
	// Fetch returns header and start of text (textCap octets; 0: no text) of the given copies in the selected folder.
	// Every UID asked for is in exactly one of the three lists of the answer. It survives letters that break the
	// connection by opening it again (same login, same folder) and bisecting down to the bad ones.
	Fetch(ctx context.Context, uids []uint32, textCap int) (FetchAnswer, error)
	// FetchWithin is Fetch for the first of the given copies, by UID: as many as one command can bring and as weigh no
	// more than octets, header and text together, and always at least one. rest are those that it did not come to, all of
	// them above the ones in the answer.
	FetchWithin(ctx context.Context, uids []uint32, textCap int, octets int64) (answer FetchAnswer, rest []uint32, err error)
	// Details returns what is known of those of the given copies that are in the selected folder, ascending. The UIDs must be ascending. Like the next four it makes one command of all UIDs, so there must not be more
	// of them than fit into a line; see cutSets.
	Details(ctx context.Context, uids []uint32) ([]Details, error)
	// MoveSet is UID MOVE and nothing else; it fails without Caps().Move. After an error some of the copies may have been
	// moved. See RFC 6851.
	MoveSet(ctx context.Context, uids []uint32, dest string) (Copied, error)
	// CopySet is UID COPY, and waits for its tagged answer. See RFC 9051 section 6.4.7.
	CopySet(ctx context.Context, uids []uint32, dest string) (Copied, error)
	// MarkDeletedSet sets \Deleted on the given copies, and nothing else.
	MarkDeletedSet(ctx context.Context, uids []uint32) error
	// ExpungeSet is UID EXPUNGE for the given copies; it fails without Caps().UIDPlus. See RFC 4315.
	ExpungeSet(ctx context.Context, uids []uint32) error
	// Append stores a letter. A failed append leaves the session dead.
	Append(ctx context.Context, name string, flags []string, date time.Time, letter []byte) (CopyUID, error)
	// Idle waits in the selected folder until the server tells of a change, wake is signalled, or limit has passed. It
	// then proves with a round trip that the connection is alive. Without Caps().Idle it waits with NOOP polls.
	Idle(ctx context.Context, limit time.Duration, wake <-chan struct{}) (changed bool, err error)
	// Listen stays in the selected folder until limit has passed, wake is signalled, or hear, which is called in the same
	// goroutine for whatever the server tells, returns false. Every half a minute at the most it proves with a round trip
	// of its own that the server still answers.
	Listen(ctx context.Context, limit time.Duration, wake <-chan struct{}, hear func(Notice) bool) error
	// Notify asks the server to tell during Listen of changes in the named folders as well, besides the selected one. It
	// returns false where the server cannot or does not want to; then nothing has changed. See RFC 5465.
	Notify(ctx context.Context, names []string) (bool, error)
	// Close logs out politely within a second and closes the socket. It is safe to call on a dead session.
	Close()
}

// Dialer opens sessions to one mailbox's server.
type Dialer interface {
	// Dial connects, secures the connection and logs in. Its errors are *LoginError when the server refused the login,
	// and otherwise temporary (models.IsTemporary) or permanent. All of them can be told to a person (models.Told).
	Dial(ctx context.Context) (Session, error)
}

// Caps are the server's abilities that matter here, after the quirks of the server have been taken away.
type Caps struct {
	Move, UIDPlus, Idle, CondStore, SpecialUse, ListStatus bool
	// LongLines tells that the server takes commands of up to 64 KB. Dovecot does, and a MOVE costs it as much as a thousand
	// letters in it. What it refuses all the same is tried in smaller sets.
	LongLines bool
}

// Listed is a folder as LIST shows it.
type Listed struct {
	Name      string   // full path, UTF-8
	Delimiter string   // "" in a flat namespace
	Attrs     []string // \Sent, \HasChildren …, as sent
}

// Selected is what SELECT, EXAMINE or STATUS tell about a folder.
type Selected struct {
	UIDValidity uint32
	UIDNext     uint32
	Messages    uint32
	ModSeq      uint64 // 0 without CONDSTORE
	ReadOnly    bool   // opened read-only, or the server keeps no flags
	Keywords    bool   // new keywords can be made (\* in PERMANENTFLAGS)
}

// Details is what is known of one copy without its header.
type Details struct {
	Meta
	Size         int64     // RFC822.SIZE; 0 when it was not told
	InternalDate time.Time // zero when it cannot be read
}

// Meta is one copy's UID and flags. The flags are shared with other copies and not to be changed.
type Meta = models.Copy

// Notice is what a server has told of its own accord since the last one: hints, not truths.
type Notice struct {
	New, Gone, Flags bool     // in the selected folder: letters have come, have left, or have other flags
	Folders          []string // other folders, by name, in which something has changed
	All              bool     // the server has lost count: anything may have changed in any folder
}

// FetchAnswer sorts the copies asked for by what became of them.
type FetchAnswer struct {
	Letters []Fetched   // ascending UID
	Gone    []uint32    // expunged meanwhile
	Bad     []BadLetter // cannot be read
}

// CopyUID tells where a copy went. Both are 0 when the server did not say. See RFC 4315 section 3.
type CopyUID struct {
	UIDValidity uint32
	UID         uint32
}

// Copied tells where copies went: To is source UID → UID in the target folder. To holds only what the server has clearly
// said; it is empty when the server did not say or contradicted itself.
type Copied struct {
	UIDValidity uint32
	To          map[uint32]uint32
}

// StatusError is a tagged NO or BAD: the server refused one command and the connection lives on.
type StatusError struct {
	Command string // e.g. "UID COPY"
	Bad     bool   // BAD instead of NO
	Code    string // response code such as TRYCREATE or OVERQUOTA, upper case; "" when absent
	Text    string // the server's words, made valid UTF-8, at most 500 bytes
}

// Error says which command was refused and in which words.
func (e *StatusError) Error() string {
	word := "NO"
	if e.Bad {
		word = "BAD"
	}
	if e.Code != "" {
		word += " [" + e.Code + "]"
	}
	return "imap " + e.Command + ": " + word + " " + e.Text
}

// LoginError is a refusal of name or password. Three in a row stop a mailbox.
type LoginError struct {
	Address string // the mailbox
	// Proven tells that the server has named the cause with a response code. Many servers refuse without one, also when
	// something else is the matter. See RFC 5530.
	Proven bool
	Err    error
}

// Error names the mailbox and the server's words.
func (e *LoginError) Error() string {
	return "imap login of " + e.Address + " refused: " + e.Err.Error()
}

// Unwrap returns the server's answer.
func (e *LoginError) Unwrap() error { return e.Err }

// ErrDead is returned by every method of a session that is no longer usable.
var ErrDead = errors.New("imap connection is closed")
