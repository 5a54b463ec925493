package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// Status is how much of what there is.
type Status struct {
	Mailboxes   []MailboxStatus // also removed ones, by address
	LastEventAt *time.Time      // when the newest event was recorded; nil when there is none
	JobsWaiting int             // jobs that wait for their time or for a worker
	JobsRunning int
	JobsFailed  int // jobs that were given up
}

// MailboxStatus is how much there is of one mailbox.
type MailboxStatus struct {
	models.Mailbox
	Letters    int                       // letters of which a copy is or was in the mailbox
	Live       map[models.FolderRole]int // copies in the folders now
	Filings    map[models.FilingState]int
	Quarantine int // letters that could not be taken in
}

// Status counts. It is meant for people and monitoring, not for decisions: the figures are read one after another.
func (q *Queries) Status(ctx context.Context) (Status, error) {
	boxes, err := q.Mailboxes(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Mailboxes: make([]MailboxStatus, len(boxes))}
	byID := make(map[int64]*MailboxStatus, len(boxes))
	for i, m := range boxes {
		s.Mailboxes[i] = MailboxStatus{Mailbox: m, Live: map[models.FolderRole]int{}, Filings: map[models.FilingState]int{}}
		byID[m.ID] = &s.Mailboxes[i]
	}
	if err := q.countMailboxes(ctx, byID); err != nil {
		return Status{}, failed("count", err)
	}
	if err := q.countJobs(ctx, &s); err != nil {
		return Status{}, failed("count jobs", err)
	}
	var last models.Event
	err = q.on(ctx).Order("id DESC").Take(&last).Error
	if err == nil {
		s.LastEventAt = &last.RecordedAt
	} else if !errors.Is(err, gorm.ErrRecordNotFound) {
		return Status{}, failed("read last event", err)
	}
	return s, nil
}

func (q *Queries) countMailboxes(ctx context.Context, byID map[int64]*MailboxStatus) error {
	type row struct {
		MailboxID int64
		Label     string
		N         int
	}
	counts := []struct {
		query string
		set   func(m *MailboxStatus, r row)
	}{
		{"SELECT mailbox_id, '' AS label, COUNT(DISTINCT letter_id) AS n FROM locations GROUP BY mailbox_id",
			func(m *MailboxStatus, r row) { m.Letters = r.N }},
		{`SELECT locations.mailbox_id, folders.role AS label, COUNT(*) AS n FROM locations
			JOIN folders ON folders.id = locations.folder_id WHERE gone_at IS NULL GROUP BY locations.mailbox_id, folders.role`,
			func(m *MailboxStatus, r row) { m.Live[models.FolderRole(r.Label)] = r.N }},
		{"SELECT mailbox_id, state AS label, COUNT(*) AS n FROM filings GROUP BY mailbox_id, state",
			func(m *MailboxStatus, r row) { m.Filings[models.FilingState(r.Label)] = r.N }},
		{"SELECT mailbox_id, '' AS label, COUNT(*) AS n FROM quarantines WHERE resolved_at IS NULL GROUP BY mailbox_id",
			func(m *MailboxStatus, r row) { m.Quarantine = r.N }},
	}
	for _, c := range counts {
		var rows []row
		if err := q.on(ctx).Raw(c.query).Scan(&rows).Error; err != nil {
			return err
		}
		for _, r := range rows {
			if m := byID[r.MailboxID]; m != nil {
				c.set(m, r)
			}
		}
	}
	return nil
}

// countJobs reads the job engine's own table: its states are part of its documented schema.
func (q *Queries) countJobs(ctx context.Context, s *Status) error {
	var rows []struct {
		State string
		N     int
	}
	err := q.on(ctx).Raw("SELECT CAST(state AS text) AS state, COUNT(*) AS n FROM river_job GROUP BY state").Scan(&rows).Error
	for _, r := range rows {
		switch r.State {
		case "available", "pending", "retryable", "scheduled":
			s.JobsWaiting += r.N
		case "running":
			s.JobsRunning += r.N
		case "discarded":
			s.JobsFailed += r.N
		}
	}
	return err
}
