package store

import (
	"context"
	"errors"

	"kontrol/models"
)

// daemonLock is the key of the advisory lock on PostgreSQL: the first eight letters of "kontrold".
const daemonLock int64 = 0x6b6f6e74726f6c64

// LockDaemon takes the lock that only one daemon can hold on a database, and returns the function that gives it back.
// When another process holds it the error is a models.Told that says so. The system gives the lock back when the process
// dies, so a daemon that was killed can be started again at once.
//
// On SQLite it is a lock on the file PATH.daemon.lock, which stays behind. On PostgreSQL it is an advisory lock of a
// connection of its own; a pooler in transaction mode between here and the server makes it worthless.
func (db *DB) LockDaemon(ctx context.Context) (func(), error) {
	unlock, err := db.tryDaemonLock(ctx)
	// Somebody who only looks (DaemonRunning) holds it for a moment, and must not keep a daemon from starting.
	for try := 1; try < daemonLockTries && isTold(err) && pause(ctx, lockRetry) == nil; try++ {
		unlock, err = db.tryDaemonLock(ctx)
	}
	return unlock, err
}

// How often LockDaemon tries.
const daemonLockTries = 3

func isTold(err error) bool {
	_, told := models.PhraseOf(err)
	return told
}

// tryDaemonLock is one try of LockDaemon.
func (db *DB) tryDaemonLock(ctx context.Context) (func(), error) {
	if db.dialect == dialectSQLite {
		unlock, err := lockFile(ctx, db.path+".daemon.lock", 1)
		if models.IsTemporary(err) {
			return nil, alreadyRunning()
		}
		if err != nil {
			return nil, err
		}
		return func() { _ = unlock() }, nil // the lock ends with the process at the latest
	}
	conn, err := db.writeSQL.Conn(ctx)
	if err != nil {
		return nil, failed("lock database for the daemon", err)
	}
	var got bool
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", daemonLock).Scan(&got)
	if err != nil || !got {
		_ = conn.Close()
		if err != nil {
			return nil, failed("lock database for the daemon", err)
		}
		return nil, alreadyRunning()
	}
	return func() {
		// The connection goes back to the pool and would keep the lock.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", daemonLock)
		_ = conn.Close()
	}, nil
}

// DaemonRunning reports whether a daemon holds the lock on this database at this moment.
func (db *DB) DaemonRunning(ctx context.Context) (bool, error) {
	unlock, err := db.tryDaemonLock(ctx)
	if isTold(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	unlock()
	return false, nil
}

func alreadyRunning() error {
	return &models.Told{Phrase: models.Say("store.daemon_running"), Err: errors.New("another daemon runs on this database")}
}
