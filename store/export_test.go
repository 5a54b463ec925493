package store

import (
	"context"
	"regexp"
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
		&models.Decision{}, &models.Event{},
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
