package deals

import (
	"context"

	"kontrol/models"
)

// Match is a client that an address or a domain leads to.
type Match struct {
	ClientID   int64
	ClientName string
	ContactID  int64 // 0 when a domain led to the client
}

// Directory is what Linker asks about clients. All methods only read, may be repeated, and see the same moment when the
// caller gives them one transaction. An error is returned to the caller of Link unchanged in kind (temporary or not).
type Directory interface {
	// ByAddresses finds contacts by exact normalised address. The result is keyed by the address asked for; an address
	// that nobody has is missing from it.
	ByAddresses(ctx context.Context, addresses []string) (map[string]Match, error)
	// ByDomains finds clients by exact registered corporate domain, in A-labels. The result is keyed by the domain.
	ByDomains(ctx context.Context, domains []string) (map[string]Match, error)
	// OpenDeals lists the deals of a client that are neither won nor lost.
	OpenDeals(ctx context.Context, clientID int64) ([]models.Deal, error)
	// ThreadLinks lists the links of all letters of a thread that are not superseded, with Client filled in.
	ThreadLinks(ctx context.Context, threadID int64) ([]models.Link, error)
	// Participants lists the normalised addresses in From, Reply-To, To and Cc of those letters of a thread that are
	// linked to the client and were written by a person (models.ClassPerson). Other letters bring nobody in: otherwise a
	// stranger's first letter with copied References would open the door to the second.
	Participants(ctx context.Context, threadID, clientID int64) ([]string, error)
}
