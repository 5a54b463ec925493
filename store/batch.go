package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// lockThreads is the advisory lock of PostgreSQL under which letters are put into threads.
const lockThreads = 0x6b6f6e74726f6c04

// LockThreads keeps every other transaction that calls it waiting until this one ends, in whatever process. A letter and
// its answer that are taken in at the same time would otherwise not see one another, and never come together. SQLite has
// one writer anyway.
//
// It also tells PostgreSQL how the rest of the transaction is to be planned: everything that is asked from here on is a few
// hundred rows by an index. While a database fills for the first time nothing is known about its tables, and PostgreSQL
// would read them whole, and compile expressions for longer than they run.
func (tx *Tx) LockThreads(ctx context.Context) error {
	if !tx.postgres() {
		return nil
	}
	return tx.each(ctx, "lock threads", `SELECT pg_advisory_xact_lock(?), set_config('jit', 'off', true),
		set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`,
		func(*sql.Rows) error { return nil }, int64(lockThreads))
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
