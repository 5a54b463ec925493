package store

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// maxPrepared bounds how many statements are kept. There are some fifty; a text that came from values would be a mistake
// and must not fill the memory.
const maxPrepared = 200

// prepareLimit is how long preparing waits for the connection. Nothing depends on it.
const prepareLimit = time.Second

// prepared keeps the statements of SQLite's writing connection. SQLite compiles a text again for each call otherwise,
// which takes longer than taking in one letter with it does. PostgreSQL's driver does the same by itself.
type prepared struct {
	mu     sync.Mutex
	ready  map[string]*sql.Stmt
	wanted []string // met in a transaction, which holds the only connection: prepared before the next one
}

// prepareWanted prepares what the last transactions have met. One that cannot be prepared is run as it is, and says why
// then.
func (db *DB) prepareWanted(ctx context.Context) {
	if db.dialect != dialectSQLite {
		return
	}
	p := &db.prepared
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	if len(wanted) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	for _, text := range wanted {
		stmt, err := db.writeSQL.PrepareContext(ctx, text)
		p.mu.Lock()
		if err == nil {
			p.ready[text] = stmt
		} else {
			delete(p.ready, text) // wanted again when it is met again
		}
		p.mu.Unlock()
	}
}

// stmt returns the prepared statement of a text; nil when there is none yet.
func (p *prepared) stmt(text string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	stmt, known := p.ready[text]
	if !known && len(p.ready) < maxPrepared {
		if p.ready == nil {
			p.ready = map[string]*sql.Stmt{}
		}
		p.ready[text] = nil
		p.wanted = append(p.wanted, text)
	}
	return stmt
}

// prepared returns a statement of the transaction that is prepared, or nil: then the text is to be run as it is.
func (tx *Tx) prepared(ctx context.Context, text string) *sql.Stmt {
	if tx.postgres() {
		return nil
	}
	if stmt := tx.stmts[text]; stmt != nil {
		return stmt
	}
	stmt := tx.db.prepared.stmt(text)
	if stmt == nil {
		return nil
	}
	tx.stmts[text] = tx.sql.StmtContext(ctx, stmt) // closed with the transaction
	return tx.stmts[text]
}
