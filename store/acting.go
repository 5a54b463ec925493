package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kontrol/models"
)

// ErrNotAllowed is returned to somebody who acts on what is another's, with a phrase that names whose it is.
var ErrNotAllowed = errors.New("not allowed")

// ActAs makes the transaction act in the name of the viewer: from then on it changes only his own clients, those of whom he
// stands in for, of his team when that is his scope, and free ones; the deals that are his or his clients'; the letters that
// he sees, unless they are tied to what is another's. What he merely sees, because a deal of his is with another's client, he
// does not change. Everything else is refused with ErrNotAllowed, and so is every statement that writes and that no method
// has allowed: a new method is closed until it says whose things it touches. A viewer of ScopeAll acts freely. Reading is
// not narrowed, see Queries.As.
func (tx *Tx) ActAs(v Viewer) {
	tx.acts = nil
	if v.Scope != ScopeAll {
		tx.acts = &v
	}
}

// touched is what a method is about to change.
type touched struct {
	clients, deals, letters []int64
	deputising              []int64 // managers in whose name something is done
	department              bool    // what concerns everybody
}

type (
	allowed struct{} // the key under which a context carries the transaction that may write with it
	refused struct{} // the key under which the context of a statement says that it may not write
)

// on is Queries.on, with the mark by which statements that write are refused.
func (tx *Tx) on(ctx context.Context) *gorm.DB {
	if tx.closed(ctx) {
		ctx = context.WithValue(ctx, refused{}, true)
	}
	return tx.Queries.on(ctx)
}

// closed reports whether nobody has allowed yet to write with this context.
func (tx *Tx) closed(ctx context.Context) bool { return tx.acts != nil && ctx.Value(allowed{}) != tx }

// guard refuses statements that write without having been allowed. Every change by gorm passes through it.
func guard(g *gorm.DB) {
	if g.Statement.Context.Value(refused{}) != nil {
		_ = g.AddError(notAllowed(models.Say("store.not_yours.unknown")))
	}
}

// guarded is guard for statements that are not built by gorm.
func (tx *Tx) guarded(ctx context.Context) error {
	if tx.closed(ctx) {
		return notAllowed(models.Say("store.not_yours.unknown"))
	}
	return nil
}

func notAllowed(p models.Phrase) error {
	return saying(p, fmt.Errorf("change what is another's: %w", ErrNotAllowed))
}

// mayChange returns the context with which what is touched may be changed, or why it may not. What does not exist is
// nobody's: the method says so itself.
func (tx *Tx) mayChange(ctx context.Context, t touched) (context.Context, error) {
	if !tx.closed(ctx) {
		return ctx, nil
	}
	if t.department {
		return ctx, notAllowed(models.Say("store.not_yours.department"))
	}
	for _, x := range []struct {
		table string
		ids   []int64
		say   func(context.Context, int64) (models.Phrase, error)
	}{{"clients", t.clients, tx.whoseClient}, {"deals", t.deals, tx.whoseDeal}, {"letters", t.letters, tx.whoseLetter},
		{"managers", t.deputising, tx.whoseName}} {
		others, err := tx.others(ctx, x.table, x.ids)
		if err != nil {
			return ctx, err
		}
		if len(others) > 0 {
			p, err := x.say(ctx, others[0])
			if err != nil {
				return ctx, err
			}
			return ctx, notAllowed(p)
		}
	}
	return tx.free(ctx), nil
}

// free returns the context for changes that are open to everybody, or have been allowed.
func (tx *Tx) free(ctx context.Context) context.Context { return context.WithValue(ctx, allowed{}, tx) }

// others returns those of the rows that exist and that the one who acts may not change.
func (tx *Tx) others(ctx context.Context, table string, ids []int64) ([]int64, error) {
	if tx.acts == nil || len(ids) == 0 {
		return nil, nil
	}
	people := tx.acts.people()
	conditions := sights(people)
	condition := conditions["change "+table]
	if table == "managers" {
		condition = "managers.id IN (" + people + ")"
	}
	var out []int64
	err := inChunks(ids, func(part []int64) error {
		var some []int64
		err := tx.Queries.on(ctx).Table(table).Where(table+".id IN ?", part).Where(clause.NamedExpr{
			SQL: "NOT (" + condition + ")", Vars: []any{map[string]any{"me": tx.acts.ManagerID, "now": tx.now()}},
		}).Order("id").Pluck("id", &some).Error
		out = append(out, some...)
		return err
	})
	return out, failed("look whose it is", err)
}

// whoseClient says who has the client. Its name is told only to who sees it.
func (tx *Tx) whoseClient(ctx context.Context, id int64) (models.Phrase, error) {
	card, err := tx.Client(ctx, id)
	if err != nil {
		return models.Phrase{}, err
	}
	owner := ""
	switch {
	case card.Owner != nil:
		owner = card.Owner.Name
	case card.Claim != nil && card.Claim.Manager != nil:
		owner = card.Claim.Manager.Name
	}
	_, err = tx.As(*tx.acts).Client(ctx, id)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return models.Say("store.not_yours.unseen", "Owner", owner), nil
	case err != nil:
		return models.Phrase{}, err
	}
	return models.Say("store.not_yours.client", "Client", card.Name, "Owner", owner), nil
}

func (tx *Tx) whoseDeal(ctx context.Context, id int64) (models.Phrase, error) {
	var d models.Deal
	if err := tx.on(ctx).Preload("Owner").Where("id = ?", id).Take(&d).Error; err != nil {
		return models.Phrase{}, failed("read deal", err)
	}
	if d.Owner == nil {
		return tx.whoseClient(ctx, d.ClientID)
	}
	return models.Say("store.not_yours.deal", "Number", d.Number, "Owner", d.Owner.Name), nil
}

// whoseLetter names the one whose client's it is, or nobody when it only lies in another's mailbox.
func (tx *Tx) whoseLetter(ctx context.Context, id int64) (models.Phrase, error) {
	var links []models.Link
	if err := tx.on(ctx).Where("letter_id = ? AND superseded_at IS NULL", id).Order("id").Find(&links).Error; err != nil {
		return models.Phrase{}, failed("read links", err)
	}
	for _, l := range links {
		others, err := tx.others(ctx, "clients", []int64{l.ClientID})
		if err != nil {
			return models.Phrase{}, err
		}
		if len(others) > 0 {
			return tx.whoseClient(ctx, l.ClientID)
		}
	}
	return models.Say("store.not_yours.letter"), nil
}

func (tx *Tx) whoseName(ctx context.Context, id int64) (models.Phrase, error) {
	m, err := first[models.Manager](tx.on(ctx), "read manager", id)
	return models.Say("store.not_yours.manager", "Manager", m.Name), err
}
