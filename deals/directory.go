package deals

import (
	"context"
	"time"

	"kontrol/models"
)

// Match is a client that an address, a domain, an INN or a phone leads to.
type Match struct {
	ClientID   int64
	ClientName string
	ContactID  int64  // 0 when no contact led to the client
	DealID     *int64 // of a rule that a person has taught; nil without one
}

// Directory is what Linker asks about clients. All methods only read, may be repeated, and see the same moment when the
// caller gives them one transaction. An error is returned to the caller of Link unchanged in kind (temporary or not).
type Directory interface {
	// ByAddresses finds contacts by normalised address; in an address of gmail.com dots do not count, and googlemail.com is
	// the same. The result is keyed by the address asked for; an address that nobody has is missing from it.
	ByAddresses(ctx context.Context, addresses []string) (map[string]Match, error)
	// ByRules finds what people have taught about addresses by tying letters, by exact normalised address.
	ByRules(ctx context.Context, addresses []string) (map[string]Match, error)
	// ByDomains finds clients by exact registered corporate domain, in A-labels. The result is keyed by the domain.
	ByDomains(ctx context.Context, domains []string) (map[string]Match, error)
	// ByINNs finds clients by INN, ByPhones by the phone of a contact in E.164. They are asked only when a letter names one.
	ByINNs(ctx context.Context, inns []string) (map[string]Match, error)
	ByPhones(ctx context.Context, phones []string) (map[string]Match, error)

	// OpenDeals lists the deals of a client that are neither won nor lost.
	OpenDeals(ctx context.Context, clientID int64) ([]models.Deal, error)
	// ClosedDeal returns the newest deal of a client that is won or lost, nil when there is none. It is asked only about
	// clients without an open one.
	ClosedDeal(ctx context.Context, clientID int64) (*models.Deal, error)
	// DealsByNumbers finds deals by the number that people call them by, open or not, with Client filled in.
	DealsByNumbers(ctx context.Context, numbers []int64) (map[int64]models.Deal, error)
	// DealSubjects lists the subjects of letters that are tied to each of the deals, by deal.
	DealSubjects(ctx context.Context, dealIDs []int64) (map[int64][]string, error)
	// LastSent returns the deal of the last letter that was sent to the client from one of the addresses within the time,
	// nil when there is none.
	LastSent(ctx context.Context, clientID int64, from []string, since, until time.Time) (*int64, error)

	// ThreadLinks lists the links of all letters of a thread that are not superseded, with Client filled in.
	ThreadLinks(ctx context.Context, threadID int64) ([]models.Link, error)
	// ThreadHead returns BaseSubject of a thread and LastAt, the arrival of its newest letter (other than the one that is
	// being taken in).
	ThreadHead(ctx context.Context, threadID int64) (models.Thread, error)
	// SubjectInThread reports whether a letter of the thread other than the given one has the base subject.
	SubjectInThread(ctx context.Context, threadID int64, baseSubject string, except int64) (bool, error)
	// DealsOfMessages returns the deals to which letters of the thread are tied for the client, by Message-ID.
	DealsOfMessages(ctx context.Context, threadID, clientID int64, messageIDs []string) (map[string]int64, error)
	// Participants lists the normalised addresses in From, Reply-To, To and Cc of those letters of a thread that are
	// linked to the client and were written by a person (models.ClassPerson). Other letters bring nobody in: otherwise a
	// stranger's first letter with copied References would open the door to the second.
	Participants(ctx context.Context, threadID, clientID int64) ([]string, error)
}
