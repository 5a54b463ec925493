package rules

import (
	"time"

	"kontrol/models"
)

// DefaultFirstLookWindow is the age up to which letters that were in the inbox before Kontrol are sorted.
const DefaultFirstLookWindow = 30 * 24 * time.Hour

// Facts is everything Decide looks at. The zero value of a field means that there is no such thing; a nil function
// means that it says no to everything.
type Facts struct {
	Letter          models.Letter
	Copy            Copy                   // the copy that is being decided about
	Thread          []Sibling              // the other letters of the thread, in any order; the letter itself is passed over
	Client          *models.Client         // nil when the letter is tied to no client
	ClientAddresses []string               // all addresses of that client's contacts, normalised
	Deals           []Deal                 // open deals of that client, and the deal that the letter is tied to
	StarredInThread bool                   // a person has starred another letter of the thread
	SameParty       func(a, b string) bool // two addresses belong to one company; equal ones need not be told
	Own             func(a string) bool    // the address is one of ours
	Settings        Settings
	Now             time.Time // only the age of letters from before the first look is judged by it
}

// Copy is what matters about one copy of the letter in a folder. See models.Location.
type Copy struct {
	FolderRole models.FolderRole
	Flagged    bool
	Deleted    bool
	HandsOff   bool // a person put it here
	FirstLook  bool // it lay here before Kontrol looked for the first time
	OpenFiling bool // a move of it is under way
}

// Sibling is another letter of the thread, or one copy of it: a letter that lies in two Sent folders may come twice.
type Sibling struct {
	Letter         models.Letter
	References     []string // the Message-IDs in its References and In-Reply-To
	Sent           bool     // lies in a Sent folder of one of the department's mailboxes
	Draft          bool     // this copy is a draft
	MailboxAddress string   // whose Sent folder it is
}

// Deal is what matters about a deal.
type Deal struct {
	Number      int64
	Title       string
	StageName   string
	StageKind   models.StageKind
	Linked      bool          // the letter is tied to this very deal; when any is linked, the others do not count
	Outstanding bool          // it waits for something
	Why         models.Phrase // why it is outstanding, or why not; may be zero
}

// Settings are what the department may choose.
type Settings struct {
	// FirstLookWindow is the age above which letters that lay in the inbox at the first look are left alone. Zero means
	// DefaultFirstLookWindow; a negative value leaves all of them alone.
	FirstLookWindow time.Duration
}

func (s Settings) firstLookWindow() time.Duration {
	if s.FirstLookWindow == 0 {
		return DefaultFirstLookWindow
	}
	return max(s.FirstLookWindow, 0)
}
