package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"kontrol/models"
)

// Taking letters in reads and writes by the hundred. What is here does that with one statement for a whole set: the text
// of a statement never depends on how many values there are, so that it is prepared once.

func (q *Queries) postgres() bool { return q.g.Name() == string(dialectPostgres) }

// bound replaces each ? by what the database calls it.
func (q *Queries) bound(text string) string {
	if !q.postgres() {
		return text
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, ok := strings.Cut(text, "?")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		text = after
	}
}

// each calls scan for each row that the query gives. In the text, "IN (?)" stands for a set made by values.
func (q *Queries) each(ctx context.Context, doing, text string, scan func(*sql.Rows) error, args ...any) error {
	if err := q.notShown(); err != nil {
		return err
	}
	begin := time.Now()
	text = q.bound(q.sets(text))
	n, err := q.scanAll(ctx, text, scan, args)
	q.g.Logger.Trace(ctx, begin, func() (string, int64) { return text, n }, err)
	return failed(doing, err)
}

func (q *Queries) scanAll(ctx context.Context, text string, scan func(*sql.Rows) error, args []any) (n int64, err error) {
	rows, err := q.query(ctx, text, args)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for ; rows.Next(); n++ {
		if err := scan(rows); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

func (q *Queries) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if q.ready != nil {
		if stmt := q.ready(ctx, text); stmt != nil {
			return stmt.QueryContext(ctx, args...)
		}
	}
	return q.g.Statement.ConnPool.QueryContext(ctx, text, args...)
}

func (tx *Tx) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := tx.guarded(ctx); err != nil {
		return nil, err
	}
	if stmt := tx.prepared(ctx, text); stmt != nil {
		return stmt.ExecContext(ctx, args...)
	}
	return tx.sql.ExecContext(ctx, text, args...)
}

// change runs one statement of the kind that each understands, and returns how many rows it changed.
func (tx *Tx) change(ctx context.Context, doing, text string, args ...any) (int64, error) {
	begin := time.Now()
	text = tx.bound(tx.sets(text))
	var n int64
	res, err := tx.exec(ctx, text, args)
	if err == nil {
		n, err = res.RowsAffected()
	}
	tx.g.Logger.Trace(ctx, begin, func() (string, int64) { return text, n }, err)
	return n, failed(doing, err)
}

func (q *Queries) sets(text string) string {
	if q.postgres() {
		return strings.ReplaceAll(text, "IN (?)", "= ANY(?)")
	}
	return strings.ReplaceAll(text, "IN (?)", "IN (SELECT value FROM json_each(?))")
}

// values makes a set for "IN (?)".
func values[T int64 | uint32 | string](q *Queries, list []T) (any, error) {
	list = slices.Clone(list)
	slices.Sort(list)
	list = slices.Compact(list)
	if !q.postgres() {
		text, err := json.Marshal(list)
		return string(text), err
	}
	if numbers, ok := any(list).([]uint32); ok {
		wide := make([]int64, 0, len(numbers))
		for _, n := range numbers {
			wide = append(wide, int64(n))
		}
		return wide, nil
	}
	return list, nil
}

// errRace is returned when rows were stored by another transaction since this one looked. The transaction is run again.
var errRace = errors.New("stored by another transaction meanwhile")

// column is a column of an insert and the type that PostgreSQL calls it by.
type column struct{ name, kind string }

// The kinds of columns.
const (
	kindNumber = "bigint"
	kindText   = "text"
	kindTime   = "timestamptz"
	kindBool   = "boolean"
)

// insert stores rows, each with a value for each column, and returns how many of them: those that are there already are
// passed over. An insert that fails would spoil a PostgreSQL transaction.
func (tx *Tx) insert(ctx context.Context, doing, table string, columns []column, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if err := tx.guarded(ctx); err != nil {
		return 0, err
	}
	begin := time.Now()
	names := make([]string, 0, len(columns))
	for _, c := range columns {
		names = append(names, `"`+c.name+`"`)
	}
	head := "INSERT INTO " + table + " (" + strings.Join(names, ",") + ") "
	write := tx.insertEach
	if tx.postgres() {
		write = tx.insertArrays
	}
	n, err := write(ctx, head, columns, rows)
	tx.g.Logger.Trace(ctx, begin, func() (string, int64) { return head, n }, err)
	return n, failed(doing, err)
}

// insertEach is for SQLite, where a statement costs no round trip: the same one for each row.
func (tx *Tx) insertEach(ctx context.Context, head string, columns []column, rows [][]any) (int64, error) {
	text := head + "VALUES (?" + strings.Repeat(",?", len(columns)-1) + ") ON CONFLICT DO NOTHING"
	stmt := tx.prepared(ctx, text)
	if stmt == nil {
		var err error
		if stmt, err = tx.sql.PrepareContext(ctx, text); err != nil {
			return 0, err
		}
		defer func() { _ = stmt.Close() }()
	}
	var total int64
	patient := context.WithoutCancel(ctx) // watching a context costs more than a row
	for i, row := range rows {
		if i%64 == 0 && ctx.Err() != nil {
			return total, ctx.Err()
		}
		res, err := stmt.ExecContext(patient, row...)
		if err != nil {
			return total, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// insertArrays is for PostgreSQL: one statement with an array for each column.
func (tx *Tx) insertArrays(ctx context.Context, head string, columns []column, rows [][]any) (int64, error) {
	casts, args := make([]string, 0, len(columns)), make([]any, 0, len(columns))
	for i, c := range columns {
		casts = append(casts, "$"+strconv.Itoa(i+1)+"::"+c.kind+"[]")
		switch c.kind {
		case kindNumber:
			args = append(args, pick[int64](rows, i))
		case kindText:
			args = append(args, pick[string](rows, i))
		case kindTime:
			args = append(args, pick[time.Time](rows, i))
		case kindBool:
			args = append(args, pick[bool](rows, i))
		}
	}
	text := head + "SELECT * FROM unnest(" + strings.Join(casts, ",") + ") ON CONFLICT DO NOTHING"
	res, err := tx.sql.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// pick takes one column out of rows. A value may be a T, a *T or nil.
func pick[T any](rows [][]any, i int) []*T {
	out := make([]*T, 0, len(rows))
	for _, r := range rows {
		switch v := r[i].(type) {
		case T:
			out = append(out, &v)
		case *T:
			out = append(out, v)
		default:
			out = append(out, nil)
		}
	}
	return out
}

// insertAll is insert for rows none of which may be there already.
func (tx *Tx) insertAll(ctx context.Context, doing, table string, columns []column, rows [][]any) error {
	n, err := tx.insert(ctx, doing, table, columns, rows)
	if err == nil && n != int64(len(rows)) {
		return failed(doing, models.Temporary(errRace))
	}
	return err
}

// reserve returns the ids that the next n rows of a table are to have, ascending.
func (tx *Tx) reserve(ctx context.Context, table string, n int) ([]int64, error) {
	ids := make([]int64, 0, n)
	if n == 0 {
		return ids, nil
	}
	if tx.postgres() {
		err := tx.each(ctx, "reserve ids", `SELECT nextval(sequence.name) FROM generate_series(1, ?),
			(SELECT CAST(pg_get_serial_sequence(?, 'id') AS regclass) AS name OFFSET 0) AS sequence`, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, n, table)
		return ids, err
	}
	var last int64 // there is one writer, and storing a row with its id moves the sequence on
	err := tx.each(ctx, "reserve ids", "SELECT seq FROM sqlite_sequence WHERE name = ?", func(r *sql.Rows) error { return r.Scan(&last) }, table)
	for i := range n {
		ids = append(ids, last+1+int64(i))
	}
	return ids, err
}
