package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// lockThreads is the advisory lock of PostgreSQL under which letters are put into threads.
const lockThreads = 0x6b6f6e74726f6c02

// LockThreads keeps every other transaction that calls it waiting until this one ends, in whatever process. A letter and
// its answer that are taken in at the same time would otherwise not see one another, and never come together. SQLite has
// one writer anyway.
func (tx *Tx) LockThreads(ctx context.Context) error {
	return failed("lock threads", tx.lockFor(ctx, lockThreads))
}

// LettersByFingerprint returns the letters with any of the fingerprints, by fingerprint, without their Text.
func (q *Queries) LettersByFingerprint(ctx context.Context, fingerprints []string) (map[string]models.Letter, error) {
	rows, err := findIn[models.Letter](q.on(ctx).Omit("text"), "fingerprint", storableAll(fingerprints), nil)
	out := make(map[string]models.Letter, len(rows))
	for _, l := range rows {
		out[l.Fingerprint] = l
	}
	return out, failed("read letters by fingerprint", err)
}

// threadOf is a Message-ID and a thread in which it occurs.
type threadOf struct {
	MessageID string
	ThreadID  int64
}

func byMessageID(rows []threadOf) map[string][]int64 {
	out := make(map[string][]int64, len(rows))
	for _, r := range rows {
		out[r.MessageID] = append(out[r.MessageID], r.ThreadID)
	}
	return out
}

// ThreadsNamed returns the threads of the letters that have one of the Message-IDs, by Message-ID, each thread once.
func (q *Queries) ThreadsNamed(ctx context.Context, messageIDs []string) (map[string][]int64, error) {
	rows, err := findIn[threadOf](q.on(ctx).Model(&models.Letter{}).Distinct("message_id", "thread_id"), "message_id",
		storableAll(messageIDs), nil)
	return byMessageID(rows), failed("read threads by message-id", err)
}

// ThreadsNaming returns the threads of the letters that name one of the Message-IDs in References or In-Reply-To, by
// Message-ID, each thread once.
func (q *Queries) ThreadsNaming(ctx context.Context, messageIDs []string) (map[string][]int64, error) {
	rows, err := findIn[threadOf](q.on(ctx).Model(&models.Reference{}).
		Joins("JOIN letters ON letters.id = letter_references.letter_id").
		Distinct("letter_references.message_id", "letters.thread_id"), "letter_references.message_id",
		storableAll(messageIDs), nil)
	return byMessageID(rows), failed("read threads by reference", err)
}

// ThreadsOf returns the threads of the letters, each once.
func (q *Queries) ThreadsOf(ctx context.Context, letterIDs []int64) ([]int64, error) {
	rows, err := findIn[threadOf](q.on(ctx).Model(&models.Letter{}).Distinct("thread_id"), "id", letterIDs, nil)
	ids := make([]int64, 0, len(rows))
	seen := make(map[int64]bool, len(rows))
	for _, r := range rows {
		if !seen[r.ThreadID] {
			seen[r.ThreadID] = true
			ids = append(ids, r.ThreadID)
		}
	}
	return ids, failed("read threads of letters", err)
}

// LettersOfThreads returns the letters of the threads by thread, oldest first, without their Text.
func (q *Queries) LettersOfThreads(ctx context.Context, threadIDs []int64) (map[int64][]models.Letter, error) {
	rows, err := findIn[models.Letter](q.on(ctx).Omit("text"), "thread_id", threadIDs, func(g *gorm.DB) *gorm.DB {
		return g.Order("arrived_at, id")
	})
	return group(rows, func(l models.Letter) int64 { return l.ThreadID }), failed("read letters of threads", err)
}

// FilingsOfLetters returns all filings of the letters by letter, by ascending id.
func (q *Queries) FilingsOfLetters(ctx context.Context, letterIDs []int64) (map[int64][]models.Filing, error) {
	rows, err := findIn[models.Filing](q.on(ctx), "letter_id", letterIDs, byIDOrder)
	return group(rows, func(f models.Filing) int64 { return f.LetterID }), failed("read filings of letters", err)
}

// OpenDealsOf returns the deals of the clients that are neither won nor lost, by client, with Stage filled in.
func (q *Queries) OpenDealsOf(ctx context.Context, clientIDs []int64) (map[int64][]models.Deal, error) {
	rows, err := findIn[models.Deal](q.on(ctx), "client_id", clientIDs, func(g *gorm.DB) *gorm.DB {
		return g.Where("stage_code IN (SELECT code FROM stages WHERE kind = ?)", models.StageOpen).Preload("Stage").Order("number")
	})
	return group(rows, func(d models.Deal) int64 { return d.ClientID }), failed("read open deals", err)
}

// FolderResets returns when the folder got another UIDVALIDITY, oldest first.
func (q *Queries) FolderResets(ctx context.Context, folderID int64) ([]time.Time, error) {
	var rows []models.Event
	err := q.on(ctx).Where("kind = ? AND dedupe_key LIKE ?", models.EventMailboxReset, fmt.Sprintf("reset/%d/%%", folderID)).
		Order("id").Find(&rows).Error
	at := make([]time.Time, 0, len(rows))
	for _, e := range rows {
		at = append(at, e.OccurredAt)
	}
	return at, failed("read resets of folder", err)
}

// ThreadsToFile returns the threads with a copy in an inbox that the last decision wants filed although no filing of it is
// open: the filing has failed or was cancelled, or there was no folder to file it in. Ascending by id.
func (q *Queries) ThreadsToFile(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := q.on(ctx).Raw(`SELECT DISTINCT letters.thread_id FROM locations
		JOIN folders ON folders.id = locations.folder_id AND folders.role = ?
		JOIN letters ON letters.id = locations.letter_id
		JOIN decisions ON decisions.location_id = locations.id AND decisions.action = ?
		WHERE locations.gone_at IS NULL
			AND NOT EXISTS (SELECT 1 FROM decisions later WHERE later.location_id = locations.id AND later.id > decisions.id)
			AND NOT EXISTS (SELECT 1 FROM filings WHERE filings.location_id = locations.id AND filings.finished_at IS NULL)
		ORDER BY letters.thread_id`, models.FolderInbox, models.ActionFile).Scan(&ids).Error
	return ids, failed("read threads to file", err)
}

// AddDecisions stores decisions and sets their IDs, like AddDecision with each of them.
func (tx *Tx) AddDecisions(ctx context.Context, list []*models.Decision) error {
	for _, d := range list {
		d.ID = 0
		if d.DecidedAt.IsZero() {
			d.DecidedAt = tx.now()
		}
	}
	if len(list) == 0 {
		return nil
	}
	return failed("store decisions", tx.on(ctx).Omit("Letter").CreateInBatches(list, chunkSize/5).Error)
}

// AddEvents records events like AddEvent with each of them, but does not tell which were known already.
func (tx *Tx) AddEvents(ctx context.Context, list []*models.Event) error {
	for _, e := range list {
		tx.completeEvent(e)
	}
	if len(list) == 0 {
		return nil
	}
	return failed("record events", ignoring(tx.on(ctx)).CreateInBatches(list, chunkSize/5).Error)
}
