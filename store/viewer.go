package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kontrol/models"
)

// Scope says how much of the department's clients, deals and letters somebody may see.
type Scope string

// The scopes, the narrowest first. In each of them a manager also sees what belongs to those whom he stands in for.
const (
	ScopeOwn  Scope = "own"  // what is his, and what is nobody's
	ScopeTeam Scope = "team" // that of all in his team
	ScopeAll  Scope = "all"  // everything
)

// Viewer is in whose name the store is asked. The zero value sees nothing but what is nobody's.
type Viewer struct {
	ManagerID int64
	Scope     Scope
}

// ErrNotShown is returned to a Viewer who asks for something that only those who see everything may have.
var ErrNotShown = errors.New("not shown to this viewer")

// As returns the queries as the viewer may see them: every listing and every single row of clients, deals, letters and
// what belongs to them is narrowed to what he may see; a row that he may not see is models.ErrNotFound. What has no rule
// of its own here, and every statement that is not built by the query layer, is refused with ErrNotShown. A viewer of
// ScopeAll gets q itself.
//
// A manager sees the clients that he owns, has claimed or has a deal with, and the free ones; the deals that are his or his
// clients'; the letters tied to these, those in his own mailboxes, and those in shared mailboxes that are nobody's.
func (q *Queries) As(v Viewer) *Queries {
	if v.Scope == ScopeAll {
		return q
	}
	narrow := *q
	narrow.viewer, narrow.ready = &v, nil
	return &narrow
}

// people is the query of the managers whose things are the viewer's.
func (v Viewer) people() string {
	if v.Scope == ScopeTeam {
		return teamMates
	}
	return ownPeople
}

// viewing is the key under which the context of a statement carries its viewer.
type viewing struct{}

// seen is what the statements of a viewer need to know.
type seen struct {
	viewer Viewer
	now    time.Time
}

func (q *Queries) asViewer(ctx context.Context) context.Context {
	if q.viewer == nil {
		return ctx
	}
	return context.WithValue(ctx, viewing{}, seen{*q.viewer, q.now()})
}

// notShown refuses what is not built by gorm.
func (q *Queries) notShown() error {
	if q.viewer == nil {
		return nil
	}
	return saying(models.Say("store.not_shown"), ErrNotShown)
}

func saying(p models.Phrase, err error) error { return &models.Told{Phrase: p, Err: err} }

// The conditions of visibility, as SQL over named arguments. Each is written once; the others are made of it.
const (
	deputised = `SELECT manager_id FROM absences WHERE deputy_id = @me AND cancelled_at IS NULL AND starts_at <= @now AND ends_at > @now`
	ownPeople = `SELECT CAST(@me AS bigint) UNION ` + deputised
	teamMates = `SELECT id FROM managers WHERE id = @me OR team = (SELECT team FROM managers WHERE id = @me) UNION ` + deputised
)

// sights makes the conditions for one circle of people: a query of managers' ids.
func sights(people string) map[string]string {
	claimed := `SELECT client_id FROM claims WHERE ended_at IS NULL AND expires_at > @now`
	mine := `SELECT id FROM clients WHERE owner_id IN (` + people + `) UNION ` + claimed + ` AND manager_id IN (` + people + `)`
	free := `SELECT id FROM clients WHERE owner_id IS NULL AND id NOT IN (` + claimed + `)`
	ofDeals := `SELECT client_id FROM deals WHERE owner_id IN (` + people + `)`
	near := mine + ` UNION ` + free // of these everything is seen
	clients := near + ` UNION ` + ofDeals
	deals := `SELECT id FROM deals WHERE owner_id IN (` + people + `) OR client_id IN (` + mine +
		`) OR (owner_id IS NULL AND client_id IN (` + free + `))`
	tied := `SELECT letter_id FROM links WHERE superseded_at IS NULL`
	letters := tied + ` AND (client_id IN (` + near + `) OR deal_id IN (` + deals + `))
		UNION SELECT letter_id FROM locations JOIN mailboxes ON mailboxes.id = locations.mailbox_id WHERE manager_id IN (` + people + `)
		UNION SELECT letter_id FROM locations JOIN mailboxes ON mailboxes.id = locations.mailbox_id
			WHERE manager_id IS NULL AND letter_id NOT IN (` + tied + `)`
	in := func(column, set string) string { return column + ` IN (` + set + `)` }
	or := func(column, set string) string { return `(` + column + ` IS NULL OR ` + in(column, set) + `)` }
	all := map[string]string{
		"clients": in("clients.id", clients), "deals": in("deals.id", deals), "letters": in("letters.id", letters),
		"links":          in("links.client_id", clients) + ` AND ` + or("links.deal_id", deals) + ` AND ` + in("links.letter_id", letters),
		"stage_changes":  in("stage_changes.deal_id", deals),
		"contact_points": in("contact_points.contact_id", `SELECT id FROM contacts WHERE client_id IN (`+clients+`)`),
		"client_merges":  in("client_merges.into_id", clients),
		"threads":        in("threads.id", `SELECT thread_id FROM letters WHERE id IN (`+letters+`)`),
		"quarantines":    in("quarantines.mailbox_id", `SELECT id FROM mailboxes WHERE manager_id IS NULL OR manager_id IN (`+people+`)`),
		// What may be changed is less than what is seen. The names of these are not tables: no query is narrowed by them.
		"change clients": in("clients.id", near), "change deals": in("deals.id", deals),
		"change letters": in("letters.id", letters) + ` AND letters.id NOT IN (` + tied + ` AND client_id NOT IN (` + near + `)
			AND (deal_id IS NULL OR deal_id NOT IN (` + deals + `)))`,
		"dismissed_senders": in("dismissed_senders.address", `SELECT proposals.key FROM proposals WHERE kind = 'client' AND letter_id IN (`+letters+`)`),
		"payments":          in("payments.client_id", clients),
		"allocations":       in("allocations.invoice_id", `SELECT id FROM invoices WHERE client_id IN (`+clients+`)`),
		"events": or("events.client_id", clients) + ` AND ` + or("events.deal_id", deals) + ` AND ` + or("events.letter_id", letters) +
			` AND ` + or("events.mailbox_id", `SELECT id FROM mailboxes WHERE manager_id IS NULL OR manager_id IN (`+people+`)`),
	}
	for _, table := range []string{"contacts", "client_domains", "client_tags", "client_fields", "client_notes", "client_owners", "claims", "link_rules", "invoices"} {
		all[table] = in(table+".client_id", clients)
	}
	for _, table := range []string{"locations", "letter_references", "decisions", "filings", "proposals"} {
		all[table] = in(table+".letter_id", letters)
	}
	for _, table := range []string{"managers", "mailboxes", "folders", "stages", "absences", "column_maps"} {
		all[table] = "1 = 1" // the department itself is no secret to those who work there
	}
	return all
}

// narrow adds to a query of gorm what its viewer may see. It is the one place where visibility is enforced: every query,
// also those that fill in associations, passes through it.
func narrow(g *gorm.DB) {
	s, ok := g.Statement.Context.Value(viewing{}).(seen)
	if !ok || g.Error != nil {
		return
	}
	condition, known := sights(s.viewer.people())[g.Statement.Table]
	if !known || g.Statement.SQL.Len() > 0 || len(g.Statement.Joins) > 0 {
		_ = g.AddError(saying(models.Say("store.not_shown"), fmt.Errorf("query of %q: %w", g.Statement.Table, ErrNotShown)))
		return
	}
	if c, ok := g.Statement.Clauses["WHERE"]; ok {
		if where, ok := c.Expression.(clause.Where); ok && len(where.Exprs) > 0 { // its alternatives must not escape
			where.Exprs = []clause.Expression{clause.And(where.Exprs...)}
			c.Expression = where
			g.Statement.Clauses["WHERE"] = c
		}
	}
	g.Statement.AddClause(clause.Where{Exprs: []clause.Expression{clause.NamedExpr{
		SQL: "(" + condition + ")", Vars: []any{map[string]any{"me": s.viewer.ManagerID, "now": s.now}},
	}}})
}
