package daemon

import (
	"context"
	"sync"

	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/store"
)

// healthTeller is the store as the mailbox engines see it, which also tells a person when a mailbox gets into trouble, when
// the trouble changes, and when it is over.
type healthTeller struct {
	*store.DB
	tell func(models.Phrase) // never nil; must not block

	mu   sync.Mutex
	said map[int64]string // mailbox → key of the trouble that was told last; "" when all is well
}

func newHealthTeller(db *store.DB, tell func(models.Phrase)) *healthTeller {
	if tell == nil {
		tell = func(models.Phrase) {}
	}
	return &healthTeller{DB: db, tell: tell, said: map[int64]string{}}
}

// mailboxHealth is the health of one mailbox, whose address it knows.
type mailboxHealth struct {
	*healthTeller
	address string
}

// SaveMailboxHealth stores how the mailbox is and tells of a change.
func (m mailboxHealth) SaveMailboxHealth(ctx context.Context, mailboxID int64, h models.MailboxHealth) error {
	err := m.DB.SaveMailboxHealth(ctx, mailboxID, h)
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.said[mailboxID]
	if h.Connected && imapsync.Note(h.Reason) {
		h.Reason = models.Phrase{}
	}
	switch {
	case !h.Reason.IsZero() && h.Reason.ID != before:
		m.said[mailboxID] = h.Reason.ID
		m.tell(h.Reason)
	case h.Reason.IsZero() && h.Connected && before != "":
		m.said[mailboxID] = ""
		m.tell(models.Say("daemon.mailbox.back", "Mailbox", m.address))
	}
	return err
}
