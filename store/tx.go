package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kontrol/models"
)

// How long a transaction waits for its turn before it gives up with a temporary error. On SQLite there is one writer;
// whoever calls DB.Tx inside of DB.Tx without passing on Tx.Context finds out after this time.
const turnLimit = 30 * time.Second

// How often a transaction that lost a race on PostgreSQL is run again.
const raceTries = 5

// Queries is everything that can be read. Get one from DB.Read, or use the methods of a Tx to see its own changes.
// It is as safe for concurrent use as what it came from: that of DB.Read is, a Tx is not.
type Queries struct {
	g     *gorm.DB
	now   func() time.Time
	ready func(ctx context.Context, text string) *sql.Stmt // nil outside of a transaction, see Tx.prepared

	viewer *Viewer // nil: everything is seen; see As
}

func (q *Queries) on(ctx context.Context) *gorm.DB { return q.g.WithContext(q.asViewer(ctx)) }

// Tx is a transaction: all of Queries and everything that can be written. It is valid only inside the function that was
// given it, and only in that function's goroutine.
type Tx struct {
	*Queries
	db  *DB
	sql *sql.Tx

	stmts map[string]*sql.Stmt // by text, see prepared
	acts  *Viewer              // nil: everything may be changed; see ActAs

	ctx context.Context //nolint:containedctx // handed out by Context, so that nesting can be noticed
}

// Context returns the context of the transaction. Calling DB.Tx with it (or with one made from it) is refused at once
// instead of waiting for a turn that cannot come.
func (tx *Tx) Context() context.Context { return tx.ctx }

type insideTx struct{}

// ErrNested is returned by DB.Tx when its context is that of a transaction of the same DB.
var ErrNested = errors.New("transaction inside a transaction")

// Tx runs f in a transaction: committed when f returns nil, rolled back when it returns an error, which Tx then returns,
// or panics. On PostgreSQL f may be run again from the start (READ COMMITTED, up to five times) when it lost a race
// against another transaction: it must not change anything outside of the transaction that running it twice would spoil.
// Nothing slow, and nothing on the network, belongs inside.
//
// Never call DB.Tx inside of f: on SQLite there is one writer, and the inner call would wait for the outer one. With
// Tx.Context that is refused at once; with another context only after half a minute.
//
// An error in f's own statements means that the transaction cannot be used any more: return it.
func (db *DB) Tx(ctx context.Context, f func(tx *Tx) error) error {
	if ctx.Value(insideTx{}) == db {
		return fmt.Errorf("begin transaction: %w", ErrNested)
	}
	var err error
	for try := range raceTries {
		if err = db.once(ctx, f); err == nil || db.dialect != dialectPostgres || !lostRace(err) {
			return err
		}
		// Both sides of a deadlock would otherwise meet again.
		if pause(ctx, time.Duration(1+rand.IntN(10<<try))*time.Millisecond) != nil {
			return err
		}
	}
	return err
}

func (db *DB) once(ctx context.Context, f func(tx *Tx) error) error {
	db.prepareWanted(ctx)
	conn, err := db.turn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// Read committed on PostgreSQL; SQLite knows only serializable and begins immediately (see the DSN).
	sqlTx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return failed("begin transaction", err)
	}
	done := false
	defer func() {
		if !done { // f has panicked
			_ = sqlTx.Rollback()
		}
	}()
	tx := db.tx(ctx, sqlTx)
	err = f(tx)
	done = true
	if err != nil {
		if rerr := sqlTx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			return errors.Join(err, failed("roll back", rerr))
		}
		return err
	}
	return failed("commit", sqlTx.Commit())
}

// turn takes a connection, for which it waits only so long.
func (db *DB) turn(ctx context.Context) (*sql.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	conn, err := db.writeSQL.Conn(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return nil, models.Temporary(errors.New("begin transaction: the database was busy for too long"))
	}
	return conn, failed("begin transaction", err)
}

func (db *DB) tx(ctx context.Context, sqlTx *sql.Tx) *Tx {
	ctx = context.WithValue(ctx, insideTx{}, db)
	g := db.write.Session(&gorm.Session{NewDB: true, Context: ctx})
	g.Statement.ConnPool = sqlTx
	tx := &Tx{Queries: &Queries{g: g, now: db.now}, db: db, sql: sqlTx, stmts: map[string]*sql.Stmt{}, ctx: ctx}
	tx.Queries.ready = tx.prepared
	return tx
}

// Enqueue puts a job into the queue as part of the transaction: it exists when the transaction is committed and never
// otherwise. With opts.UniqueOpts a job like one that waits already is not added, which is no error. Opts may be nil.
func (tx *Tx) Enqueue(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
	if _, err := tx.db.jobs.InsertTx(ctx, tx.sql, args, opts); err != nil {
		return failed("enqueue job "+args.Kind(), err)
	}
	return nil
}
