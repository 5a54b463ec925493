package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// The most values in one IN list. SQLite and PostgreSQL take more; plans get no better from it.
const chunkSize = 500

// inChunks calls f with parts of values, without doubles, until it returns an error.
func inChunks[T int64 | uint32 | string](values []T, f func([]T) error) error {
	values = slices.Clone(values)
	slices.Sort(values)
	for chunk := range slices.Chunk(slices.Compact(values), chunkSize) {
		if err := f(chunk); err != nil {
			return err
		}
	}
	return nil
}

// oneSet is a set of values as one parameter. PostgreSQL understands a slice, which gorm would take apart; SQLite gets
// JSON.
type oneSet struct{ value driver.Value }

// Value gives the set to the driver.
func (s oneSet) Value() (driver.Value, error) { return s.value, nil }

// findIn collects the rows for which column is one of values. More narrows and orders the query of each chunk; rows of
// different chunks are not ordered among each other. The values are one parameter: PostgreSQL plans the statement once
// for any number of them, and takes an index also for a table that grew a moment ago, of which it knows nothing yet.
func findIn[R any, T int64 | uint32 | string](g *gorm.DB, column string, values []T, more func(*gorm.DB) *gorm.DB) ([]R, error) {
	var all []R
	g = g.Session(&gorm.Session{}) // otherwise the conditions of the chunks would pile up
	err := inChunks(values, func(part []T) error {
		var rows []R
		q, err := whereIn(g, column, part)
		if err != nil {
			return err
		}
		if more != nil {
			q = more(q)
		}
		if err := q.Find(&rows).Error; err != nil {
			return err
		}
		all = append(all, rows...)
		return nil
	})
	return all, err
}

func whereIn[T int64 | uint32 | string](g *gorm.DB, column string, part []T) (*gorm.DB, error) {
	if dialect(g.Name()) == dialectPostgres {
		if numbers, ok := any(part).([]uint32); ok {
			wide := make([]int64, 0, len(numbers))
			for _, n := range numbers {
				wide = append(wide, int64(n))
			}
			return g.Where(column+" = ANY(?)", oneSet{wide}), nil
		}
		return g.Where(column+" = ANY(?)", oneSet{part}), nil
	}
	text, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("make a set of values: %w", err)
	}
	return g.Where(column+" IN (SELECT value FROM json_each(?))", string(text)), nil
}

// first returns the row with the id, or models.ErrNotFound.
func first[R any](g *gorm.DB, doing string, id int64) (R, error) {
	var row R
	err := g.Where("id = ?", id).Take(&row).Error
	return row, failed(doing, err)
}

// locked makes a query of PostgreSQL lock the rows that it finds until the transaction ends. SQLite has one writer.
func locked(g *gorm.DB) *gorm.DB { return g.Clauses(clause.Locking{Strength: "UPDATE"}) }

// ignoring makes an insert skip rows that exist. An insert that fails would spoil a PostgreSQL transaction.
func ignoring(g *gorm.DB) *gorm.DB { return g.Clauses(clause.OnConflict{DoNothing: true}) }

// lockFor keeps other transactions of PostgreSQL out of the part that the number names until this one ends.
func (tx *Tx) lockFor(ctx context.Context, number int64) error {
	if tx.db.dialect != dialectPostgres {
		return nil
	}
	return tx.on(ctx).Exec("SELECT pg_advisory_xact_lock(?)", number).Error
}

// storableAll brings values to look for to the form in which they would have been stored.
func storableAll(values []string) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		if v = storable(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// like makes a LIKE pattern (with ESCAPE '!') that finds s anywhere.
func like(s string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(storable(s)) + "%"
}

// likeItem makes a LIKE pattern that finds s as an item, or with open as the end of an item, of a stored list.
func likeItem(s string, open bool) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	text := string(b)
	if open {
		text = text[1:]
	}
	return like(text), nil
}

// group sorts rows into lists by what key gives, keeping their order.
func group[K comparable, R any](rows []R, key func(R) K) map[K][]R {
	m := make(map[K][]R)
	for _, r := range rows {
		m[key(r)] = append(m[key(r)], r)
	}
	return m
}
