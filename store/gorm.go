package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

func openGorm(d gorm.Dialector, db *DB) (*gorm.DB, error) {
	g, err := gorm.Open(d, &gorm.Config{
		Logger:                 statements{db.log},
		NowFunc:                db.now,
		SkipDefaultTransaction: true, // every write is inside a Tx
		TranslateError:         true,
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, failed("open database", err)
	}
	if err := g.Callback().Create().Before("gorm:create").Register("kontrol:fit", fitCreated); err != nil {
		return nil, fmt.Errorf("prepare gorm: %w", err)
	}
	if err := g.Callback().Update().Before("gorm:update").Register("kontrol:fit", fitUpdated); err != nil {
		return nil, fmt.Errorf("prepare gorm: %w", err)
	}
	for _, register := range []func() error{
		func() error { return g.Callback().Create().Before("gorm:create").Register("kontrol:guard", guard) },
		func() error { return g.Callback().Update().Before("gorm:update").Register("kontrol:guard", guard) },
		func() error { return g.Callback().Delete().Before("gorm:delete").Register("kontrol:guard", guard) },
		func() error { return g.Callback().Raw().Before("gorm:raw").Register("kontrol:guard", guard) },
	} {
		if err := register(); err != nil {
			return nil, fmt.Errorf("prepare gorm: %w", err)
		}
	}
	if err := g.Callback().Query().Before("gorm:query").Register("kontrol:narrow", narrow); err != nil {
		return nil, fmt.Errorf("prepare gorm: %w", err)
	}
	if err := g.Callback().Row().Before("gorm:row").Register("kontrol:narrow", narrow); err != nil {
		return nil, fmt.Errorf("prepare gorm: %w", err)
	}
	return g, nil
}

// statements logs statements at level debug, with placeholders instead of values: values are people's mail.
type statements struct{ log *slog.Logger }

// LogMode returns the same logger: the level is slog's business.
func (s statements) LogMode(logger.LogLevel) logger.Interface { return s }

// Info logs nothing: what gorm says there may hold values.
func (s statements) Info(context.Context, string, ...any) {}

// Warn logs nothing, for the same reason.
func (s statements) Warn(context.Context, string, ...any) {}

// Error logs nothing: errors are returned.
func (s statements) Error(context.Context, string, ...any) {}

// ParamsFilter keeps the values out of what Trace is given.
func (s statements) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}

// Trace logs one statement.
func (s statements) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), err error) {
	if !s.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	text, rows := fc()
	s.log.DebugContext(ctx, "sql", "statement", text, "rows", rows, "took", time.Since(begin), "failed", err != nil)
}

// quiet drops what the job engine says below a warning.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

// Enabled reports whether the level is worth a line.
func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

// fitCreated brings every string and time of the rows to be created into a form that both databases take: PostgreSQL
// refuses NUL, invalid UTF-8 and what is longer than the column, and all of that comes in letters from outside.
func fitCreated(g *gorm.DB) {
	if g.Statement.Schema == nil || g.Error != nil {
		return
	}
	rv := g.Statement.ReflectValue
	switch rv.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range rv.Len() {
			fitRow(g, reflect.Indirect(rv.Index(i)))
		}
	case reflect.Struct:
		fitRow(g, rv)
	}
}

func fitRow(g *gorm.DB, row reflect.Value) {
	for _, f := range g.Statement.Schema.Fields {
		if f.DBName == "" {
			continue
		}
		v, zero := f.ValueOf(g.Statement.Context, row)
		if zero {
			continue
		}
		if fitted, changed := fit(f, v); changed {
			_ = g.AddError(f.Set(g.Statement.Context, row, fitted))
		}
	}
}

// fitUpdated does the same for the values of an update, which this package always gives as a map.
func fitUpdated(g *gorm.DB) {
	values, ok := g.Statement.Dest.(map[string]any)
	if !ok || g.Statement.Schema == nil {
		return
	}
	for name, v := range values {
		if f := g.Statement.Schema.LookUpField(name); f != nil && v != nil {
			if fitted, changed := fit(f, v); changed {
				values[name] = fitted
			}
		}
	}
}

// fit returns v in a form that can be stored in f and whether that differs from v.
func fit(f *schema.Field, v any) (any, bool) {
	switch v := v.(type) {
	case time.Time:
		return instant(v), true
	case *time.Time:
		if v == nil {
			return v, false
		}
		t := instant(*v)
		return &t, true
	case *string:
		if v == nil {
			return v, false
		}
		s := fitText(*v, f.Size)
		return &s, s != *v
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.String {
		return v, false
	}
	s := fitText(rv.String(), f.Size)
	return s, s != rv.String()
}

// fitText removes what cannot be stored and cuts to size characters; zero size means no limit.
func fitText(s string, size int) string {
	s = storable(s)
	if size <= 0 || len(s) <= size {
		return s
	}
	for i := range s {
		if size == 0 {
			return s[:i]
		}
		size--
	}
	return s
}

// storable replaces invalid UTF-8 and removes NUL.
func storable(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 { // nearly all
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// shortKey keeps a key that is too long for its column distinct from other long ones.
func shortKey(key string, size int) string {
	key = storable(key)
	if len(key) <= size {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256/" + hex.EncodeToString(sum[:])
}
