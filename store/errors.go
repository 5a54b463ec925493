package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	msqlite "modernc.org/sqlite"

	"kontrol/models"
)

// failed wraps a driver's error with what was being done, as an error of package models. Nil stays nil.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, models.ErrNotFound), errors.Is(err, models.ErrDuplicate), models.IsTemporary(err):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, gorm.ErrRecordNotFound), errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", doing, models.ErrNotFound)
	case errors.Is(err, gorm.ErrDuplicatedKey), pgCode(err) == "23505":
		return fmt.Errorf("%s: %w", doing, models.ErrDuplicate)
	case passing(err):
		return models.Temporary(fmt.Errorf("%s: %w", doing, err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// passing reports whether the error may go away by itself.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // the caller gave up; it knows why
	}
	var lite *msqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case 5, 6, 10, 13, 14: // SQLITE_BUSY, LOCKED, IOERR, FULL, CANTOPEN
			return true
		}
		return false
	}
	if code := pgCode(err); code != "" {
		// Connection trouble, no resources (a full disk is 53100), shutting down or starting up, lost races.
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") ||
			strings.HasPrefix(code, "40") || strings.HasPrefix(code, "58") || code == "55P03"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err)
}

// pgCode returns the SQLSTATE of an error of PostgreSQL, or "".
func pgCode(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// lostRace reports whether a transaction failed on PostgreSQL only because another one ran at the same time. A foreign
// key counts: the row was there when it was looked up and another transaction has removed it (an emptied thread).
func lostRace(err error) bool {
	switch pgCode(err) {
	case "40001", "40P01", "23503":
		return true
	}
	return errors.Is(err, gorm.ErrForeignKeyViolated) || errors.Is(err, errRace)
}

// pause waits, or returns the context's error when that ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
