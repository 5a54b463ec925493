package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"kontrol/models"
)

// Models are all structs that are stored.
func Models() []any {
	return []any{
		&models.Manager{}, &models.Mailbox{}, &models.Folder{}, &models.Quarantine{}, &models.Thread{}, &models.Letter{},
		&models.Reference{}, &models.Location{}, &models.Client{}, &models.ClientDomain{}, &models.Contact{},
		&models.ContactPoint{}, &models.Stage{}, &models.Deal{}, &models.StageChange{}, &models.Link{}, &models.Filing{},
		&models.Decision{}, &models.Event{}, &models.OAuthToken{},
		&models.Proposal{}, &models.LinkRule{}, &models.Secret{},
		&models.ClientTag{}, &models.ClientField{}, &models.ClientNote{}, &models.ClientOwner{}, &models.Claim{},
		&models.Absence{}, &models.ClientMerge{}, &models.ColumnMap{}, &models.ForgetAct{}, &models.ForgottenValue{},
		&models.ForgetKey{}, &models.Invoice{}, &models.Payment{}, &models.Allocation{}, &models.DismissedSender{},
	}
}

type ddlRecorder struct {
	logger.Interface
	ddl []string
}

var ddl = regexp.MustCompile(`(?i)^\s*(create|alter|drop)\b`)

func (r *ddlRecorder) LogMode(logger.LogLevel) logger.Interface { return r }

func (r *ddlRecorder) Trace(_ context.Context, _ time.Time, fc func() (string, int64), _ error) {
	if text, _ := fc(); ddl.MatchString(text) {
		r.ddl = append(r.ddl, text)
	}
}

// Drift returns the statements with which gorm would bring the schema in line with the models. It empties the table of
// stages: gorm asks the SQLite driver for the length of columns, which knows none until there is a row.
func Drift(db *DB) ([]string, error) {
	r := &ddlRecorder{Interface: logger.Discard}
	err := db.write.Exec("DELETE FROM stages").Error
	if err != nil {
		return nil, err
	}
	err = db.write.Session(&gorm.Session{Logger: r}).AutoMigrate(Models()...)
	return r.ddl, err
}

// CountRows returns the number of rows of each table of the models; -1 where it cannot be read.
func CountRows(ctx context.Context, db *DB) map[string]int64 {
	counts := make(map[string]int64)
	for _, m := range Models() {
		stmt := &gorm.Statement{DB: db.read}
		n := int64(-1)
		if stmt.Parse(m) == nil && db.read.WithContext(ctx).Model(m).Count(&n).Error != nil {
			n = -1
		}
		counts[stmt.Table] = n
	}
	return counts
}

// Content is everything that the tables of the models hold, as a transaction sees it.
func Content(ctx context.Context, tx *Tx) (string, error) {
	var b strings.Builder
	for _, m := range Models() {
		var rows []map[string]any
		if err := tx.Queries.on(ctx).Model(m).Find(&rows).Error; err != nil {
			return "", err
		}
		lines := make([]string, 0, len(rows))
		for _, r := range rows {
			line, err := json.Marshal(r)
			if err != nil {
				return "", err
			}
			lines = append(lines, string(line))
		}
		slices.Sort(lines)
		fmt.Fprintf(&b, "%T\n%s", m, strings.Join(lines, "\n"))
	}
	return b.String(), nil
}

// VerifyPragmas is what Open checks of a SQLite database.
func VerifyPragmas(ctx context.Context, pool *sql.DB) error { return verifyPragmas(ctx, pool, "0") }

// Failed classifies an error as every method does.
func Failed(err error) error { return failed("test", err) }

// LockSchema holds the lock under which migrations run.
func (db *DB) LockSchema(ctx context.Context) (func() error, error) { return db.lockSchema(ctx) }

// Prepared returns how many statements are kept.
func Prepared(db *DB) (n int) {
	db.prepared.mu.Lock()
	defer db.prepared.mu.Unlock()
	for _, stmt := range db.prepared.ready {
		if stmt != nil {
			n++
		}
	}
	return n
}

// Checkpoint empties the log of SQLite and returns whether somebody was in the way, and how many pages are left in it.
func Checkpoint(ctx context.Context, db *DB) (busy, log int, err error) {
	var done int
	err = db.writeSQL.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done)
	return busy, log, err
}

// HasColumn reports whether a table has a column.
func HasColumn(db *DB, table, column string) bool { return db.read.Migrator().HasColumn(table, column) }

// Merges reports whether a merge of clients moves the rows of a table.
func Merges(table string) bool { return slices.Contains(clientTables(), table) }
