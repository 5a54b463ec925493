package models

import "time"

// FilingState is how far a move has come. See docs/architecture.md, "The journal of moves".
type FilingState string

// The states of a filing. Planned, Sent, Copied and Unknown are open: something is still to be done.
const (
	FilingPlanned   FilingState = "planned"   // decided; nothing has been said to the server
	FilingSent      FilingState = "sent"      // committed just before MOVE or COPY goes out
	FilingCopied    FilingState = "copied"    // fallback: the copy is verified, the source is still to be removed
	FilingUnknown   FilingState = "unknown"   // the answer was lost; look before doing anything
	FilingDone      FilingState = "done"      // the letter is in the target folder, and nowhere else because of us
	FilingGone      FilingState = "gone"      // a person moved or deleted the letter first: nothing to do
	FilingFailed    FilingState = "failed"    // the server refuses; the letter is where it was
	FilingCancelled FilingState = "cancelled" // no longer wanted before anything was done
)

// Open reports whether the Mover still has something to do for a filing in this state.
func (s FilingState) Open() bool {
	switch s {
	case FilingPlanned, FilingSent, FilingCopied, FilingUnknown:
		return true
	}
	return false
}

// Filing is a line of the journal of moves: one intended move of one copy of a letter from one folder to another of the
// same mailbox. It is written before the server is asked and finished after it has answered; a lost answer is resolved
// by looking, never by asking again. At most one filing of a location is open at any time.
type Filing struct {
	ID                int64       `gorm:"primaryKey;index:ix_filings_due,priority:2,where:finished_at IS NULL"`
	MailboxID         int64       `gorm:"not null;index:ix_filings_due,priority:1"`
	LetterID          int64       `gorm:"not null;index:ix_filings_letter"`
	Letter            *Letter     `gorm:"constraint:OnDelete:RESTRICT"`
	LocationID        int64       `gorm:"not null;uniqueIndex:ux_filings_location,priority:1;uniqueIndex:ux_filings_open,where:finished_at IS NULL"` // the copy to be moved
	Location          *Location   `gorm:"constraint:OnDelete:RESTRICT"`
	Generation        int         `gorm:"not null;default:1;uniqueIndex:ux_filings_location,priority:2"` // counts filings of one location
	SourceFolderID    int64       `gorm:"not null"`
	SourceFolder      *Folder     `gorm:"constraint:OnDelete:RESTRICT"`
	SourceUIDValidity uint32      `gorm:"not null"`
	SourceUID         uint32      `gorm:"not null"`
	HeaderHash        string      `gorm:"not null;size:64"`
	Size              int64       `gorm:"not null;default:0"`
	TargetFolderID    int64       `gorm:"not null"`
	TargetFolder      *Folder     `gorm:"constraint:OnDelete:RESTRICT"`
	State             FilingState `gorm:"not null;size:20"`
	DestUIDValidity   uint32      `gorm:"not null;default:0"` // of the target folder; 0 until known
	DestUIDNext       uint32      `gorm:"not null;default:0"` // UIDNEXT of the target just before the command: a copy made by us is at or above it
	DestUID           uint32      `gorm:"not null;default:0"` // 0 until known
	DecisionID        *int64      // the decision that asked for it
	Attempts          int         `gorm:"not null;default:0"`
	LastError         string      `gorm:"not null;type:text"` // English, for the administrator
	Reason            Phrase      `gorm:"not null;type:text"` // why it failed or is waiting, for people
	NextAttemptAt     *time.Time  // nil: at once
	PlannedAt         time.Time   `gorm:"not null"`
	SentAt            *time.Time
	FinishedAt        *time.Time // nil exactly while State is open
}

// Action says what a decision asks for.
type Action string

// The actions of a decision.
const (
	ActionStay Action = "stay" // leave the letter where it is
	ActionFile Action = "file" // move it to the folder with role Target
)

// Step is one condition that was looked at on the way to a decision, with its outcome.
type Step struct {
	Text  Phrase `json:"text"`
	Holds bool   `json:"holds"`
}

// Decision is what the rules said about one copy of a letter, and the whole reasoning. A new row is written only when
// the outcome or the reasoning differs from the last one for the same location.
type Decision struct {
	ID         int64      `gorm:"primaryKey"`
	LetterID   int64      `gorm:"not null;index:ix_decisions_letter"`
	Letter     *Letter    `gorm:"constraint:OnDelete:CASCADE"`
	LocationID int64      `gorm:"not null;index:ix_decisions_location"`
	MailboxID  int64      `gorm:"not null"`
	Action     Action     `gorm:"not null;size:20"`
	Target     FolderRole `gorm:"not null;size:20"`  // "" unless Action is ActionFile
	Rule       string     `gorm:"not null;size:100"` // key of the rule that decided
	AnswerID   *int64     // the letter that answers this one, if one was found
	Trace      Trace      `gorm:"not null;type:text"`
	DecidedAt  time.Time  `gorm:"not null"`
}

// EventKind names what happened. Kinds are part of the stored data: never rename one.
type EventKind string

// The kinds of event.
const (
	EventLetterArrived     EventKind = "letter.arrived"
	EventLetterSent        EventKind = "letter.sent"
	EventLetterAnswered    EventKind = "letter.answered"
	EventLetterFiled       EventKind = "letter.filed"
	EventLetterMoved       EventKind = "letter.moved_by_person"
	EventLetterGone        EventKind = "letter.gone"
	EventLetterLinked      EventKind = "letter.linked"
	EventLetterUnlinked    EventKind = "letter.unlinked"
	EventRuleRemoved       EventKind = "rule.removed"
	EventFilingFailed      EventKind = "filing.failed"
	EventMailboxStopped    EventKind = "mailbox.stopped"
	EventMailboxReset      EventKind = "mailbox.uidvalidity_reset"
	EventClientCreated     EventKind = "client.created"
	EventDealCreated       EventKind = "deal.created"
	EventDealStage         EventKind = "deal.stage"
	EventLetterQuarantined EventKind = "letter.quarantined"
	EventClientAssigned    EventKind = "client.assigned"
	EventClientClaimed     EventKind = "client.claimed"
	EventClientReleased    EventKind = "client.released"
	EventClientTagged      EventKind = "client.tagged"
	EventClientTemperature EventKind = "client.temperature"
	EventClientMerged      EventKind = "client.merged"
	EventClientUnmerged    EventKind = "client.unmerged"
	EventClientForgotten   EventKind = "client.forgotten"
	EventInvoiceIssued     EventKind = "invoice.issued"
	EventInvoiceCancelled  EventKind = "invoice.cancelled"
	EventInvoiceSuperseded EventKind = "invoice.superseded"
	EventInvoiceDeferred   EventKind = "invoice.deferred"
	EventInvoicePaid       EventKind = "invoice.paid"
	EventPaymentMatched    EventKind = "payment.matched"
	EventPaymentUnmatched  EventKind = "payment.unmatched" // an allocation was taken back
)

// Event is something business-visible that happened. Events are only ever added. Reports are pure functions over them.
type Event struct {
	ID         int64     `gorm:"primaryKey"`
	Kind       EventKind `gorm:"not null;size:60;index:ix_events_kind,priority:1"`
	OccurredAt time.Time `gorm:"not null;index:ix_events_kind,priority:2"` // business time
	RecordedAt time.Time `gorm:"not null"`                                 // when we learned of it
	Actor      string    `gorm:"not null;size:320"`                        // a person's e-mail, or "kontrol"
	DedupeKey  *string   `gorm:"size:200;uniqueIndex:ux_events_dedupe"`    // the same fact is recorded once
	LetterID   *int64    `gorm:"index:ix_events_letter"`
	MailboxID  *int64
	ClientID   *int64 `gorm:"index:ix_events_client"`
	DealID     *int64 `gorm:"index:ix_events_deal,where:deal_id IS NOT NULL"`
	FilingID   *int64
	Text       Phrase `gorm:"not null;type:text"` // what a person reads in a timeline
}
