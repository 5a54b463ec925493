package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// sample makes an argument that finds as much as possible: every number is 1, every word the one that stands everywhere.
func sample(ctx context.Context, t *testing.T, in reflect.Type) reflect.Value {
	t.Helper()
	v := reflect.New(in).Elem()
	switch {
	case in == reflect.TypeFor[context.Context]():
		return reflect.ValueOf(ctx)
	case in == reflect.TypeFor[time.Time](), in == reflect.TypeFor[store.Viewer]():
		return v
	case in == reflect.TypeFor[store.LetterFilter]():
		v.Set(reflect.ValueOf(store.LetterFilter{Limit: 100}))
	case in == reflect.TypeFor[store.DealFilter](), in == reflect.TypeFor[store.ClientFilter]():
	case in.Kind() == reflect.Int64 || in.Kind() == reflect.Int || in.Kind() == reflect.Uint32:
		v.Set(reflect.ValueOf(1).Convert(in))
	case in.Kind() == reflect.String:
		v.SetString(canary)
	case in.Kind() == reflect.Slice:
		v = reflect.MakeSlice(in, 1, 1)
		v.Index(0).Set(sample(ctx, t, in.Elem()))
		if in.Elem().Kind() == reflect.String { // addresses and domains as they are stored
			v = reflect.Append(v, reflect.ValueOf("ivan@"+canary+".example").Convert(in.Elem()), reflect.ValueOf(canary+".example").Convert(in.Elem()))
		}
	case in.Kind() == reflect.Func:
		v = reflect.MakeFunc(in, func([]reflect.Value) []reflect.Value { return []reflect.Value{reflect.Zero(in.Out(0))} })
	}
	return v
}

// TestNoQueryShowsWhatIsAnothers calls every exported query in the name of somebody who may see nothing of it, and looks for
// the other's words in what comes back. A new query is called without being named here.
func TestNoQueryShowsWhatIsAnothers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		writeAbout(t, db)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.SyncManagers(ctx, []models.Manager{{Name: "Пётр", Email: "p@firma.example", Role: models.RoleManager, Timezone: "UTC"}})
		})
		p, err := db.Read().Manager(t.Context(), "p@firma.example")
		must(t, err)
		viewer := store.Viewer{ManagerID: p.ID, Scope: store.ScopeOwn}
		shown := 0
		for _, q := range []*store.Queries{db.Read(), db.Read().As(viewer)} {
			narrow := isNarrow(q)
			v := reflect.ValueOf(q)
			for i := range v.NumMethod() {
				m := v.Type().Method(i)
				if m.Name == "As" || !holds(t, v.Method(i), m.Type) {
					continue
				}
				if narrow {
					t.Errorf("%s shows what is another's", m.Name)
				}
				shown++
			}
		}
		if shown < 10 {
			t.Errorf("only %d queries show the words to who may see them: the test proves nothing", shown)
		}
	})
}

// holds calls a query and reports whether the word is in what it returns.
func holds(t *testing.T, method reflect.Value, typ reflect.Type) bool {
	t.Helper()
	args := make([]reflect.Value, 0, typ.NumIn())
	for k := 1; k < typ.NumIn(); k++ {
		args = append(args, sample(t.Context(), t, typ.In(k)))
	}
	for _, out := range method.Call(args) {
		if _, failed := out.Interface().(error); failed {
			continue
		}
		if b, err := json.Marshal(out.Interface()); err == nil && strings.Contains(string(b), canary) {
			return true
		}
	}
	return false
}

// isNarrow reports whether the queries do not find the client.
func isNarrow(q *store.Queries) bool {
	_, err := q.Client(context.Background(), 1)
	return errors.Is(err, models.ErrNotFound)
}

// TestWhatAManagerSees: own and free clients, claimed ones, those of whom he stands in for; a team sees its own.
func TestWhatAManagerSees(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ids := map[string]int64{}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			people := []models.Manager{
				{Name: "А", Email: "a@f", Role: models.RoleManager, Timezone: "UTC", Team: "1"}, {Name: "Б", Email: "b@f", Role: models.RoleManager, Timezone: "UTC", Team: "1"},
				{Name: "В", Email: "c@f", Role: models.RoleManager, Timezone: "UTC", Team: "2"}}
			err := tx.SyncManagers(ctx, people)
			for _, m := range people {
				ids[m.Name] = m.ID
			}
			for _, name := range []string{"А", "Б", "В", "ничей", "закреплён за Б"} {
				c := card("клиент "+name, "", "", "")
				if id := ids[name]; id != 0 {
					c.OwnerID = &id
				}
				err = errors.Join(err, tx.CreateClient(ctx, &c, ""))
				ids["клиент "+name] = c.ID
			}
			return errors.Join(err, second(tx.Claim(ctx, store.ClaimRequest{ClientID: ids["клиент закреплён за Б"], ManagerID: ids["Б"], For: time.Hour})))
		})
		sees := func(who string, scope store.Scope) string {
			list, err := db.Read().As(store.Viewer{ManagerID: ids[who], Scope: scope}).FindClients(t.Context(), "клиент", 10)
			must(t, err)
			var out []string
			for _, c := range list {
				out = append(out, strings.TrimPrefix(c.Name, "клиент "))
			}
			return strings.Join(out, ", ")
		}
		for _, x := range []struct {
			who   string
			scope store.Scope
			want  string
		}{{"А", store.ScopeOwn, "А, ничей"}, {"Б", store.ScopeOwn, "Б, закреплён за Б, ничей"}, {"А", store.ScopeTeam, "А, Б, закреплён за Б, ничей"},
			{"В", store.ScopeTeam, "В, ничей"}, {"А", store.ScopeAll, "А, Б, В, закреплён за Б, ничей"}, {"", store.ScopeOwn, "ничей"}} {
			if got := sees(x.who, x.scope); got != x.want {
				t.Errorf("%s (%s): %s, want %s", x.who, x.scope, got, x.want)
			}
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			a, c := ids["А"], ids["В"]
			return tx.AddAbsence(ctx, &models.Absence{ManagerID: c, DeputyID: &a, StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now().Add(time.Hour)})
		})
		if got := sees("А", store.ScopeOwn); got != "А, В, ничей" {
			t.Errorf("as deputy: %s", got)
		}
	})
}
