package store_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"kontrol/locale"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// act is one thing that a person does with a client, its deal or its letter.
type act struct {
	name string
	do   func(ctx context.Context, tx *store.Tx, o others) error
}

// others are the people and the things of the tests of acting: A and B are of one team, C is of another.
type others struct{ a, b, c, client, second, letter, rule int64 }

func acts() []act {
	hour := time.Now().Add(time.Hour)
	return []act{
		{"SetTags", func(ctx context.Context, tx *store.Tx, o others) error {
			_, _, err := tx.SetTags(ctx, o.client, []string{"x"}, nil, "")
			return err
		}},
		{"SetTemperature", func(ctx context.Context, tx *store.Tx, o others) error {
			return second(tx.SetTemperature(ctx, o.client, models.TemperatureHot, ""))
		}},
		{"AddNote", func(ctx context.Context, tx *store.Tx, o others) error {
			return tx.AddNote(ctx, &models.ClientNote{ClientID: o.client, Text: "x"})
		}},
		{"Assign", func(ctx context.Context, tx *store.Tx, o others) error {
			return second(tx.Assign(ctx, store.Assignment{ClientID: o.client, ManagerID: &o.c}))
		}},
		{"ReleaseClaim", func(ctx context.Context, tx *store.Tx, o others) error {
			return second(tx.ReleaseClaim(ctx, o.client, 0, ""))
		}},
		{"ExtendClient", func(ctx context.Context, tx *store.Tx, o others) error {
			card := card("", "", "new@romashka.ru", "")
			return second(tx.ExtendClient(ctx, o.client, &card))
		}},
		{"CreateDeal", func(ctx context.Context, tx *store.Tx, o others) error {
			return tx.CreateDeal(ctx, &models.Deal{ClientID: o.client, Title: "x"}, "")
		}},
		{"SetDealStage", func(ctx context.Context, tx *store.Tx, _ others) error {
			return second(tx.SetDealStage(ctx, store.StageMove{Number: 1, To: "won"}))
		}},
		{"SetDealNext", func(ctx context.Context, tx *store.Tx, _ others) error { return tx.SetDealNext(ctx, 1, "x", &hour) }},
		{"MergeClients", func(ctx context.Context, tx *store.Tx, o others) error {
			return second(tx.MergeClients(ctx, o.client, o.second, true, ""))
		}},
		{"LinkByHand", func(ctx context.Context, tx *store.Tx, o others) error {
			return second(tx.LinkByHand(ctx, models.Link{LetterID: o.letter, ClientID: o.client}))
		}},
		{"Unlink", func(ctx context.Context, tx *store.Tx, o others) error { return tx.Unlink(ctx, o.letter, "") }},
		{"AddLinkRule", func(ctx context.Context, tx *store.Tx, o others) error {
			return tx.AddLinkRule(ctx, &models.LinkRule{Address: "x@y.example", ClientID: o.client})
		}},
		{"RemoveLinkRule", func(ctx context.Context, tx *store.Tx, o others) error {
			return second(tx.RemoveLinkRule(ctx, o.rule, ""))
		}},
		{"RemoveRulesOf", func(ctx context.Context, tx *store.Tx, o others) error { return tx.RemoveRulesOf(ctx, o.letter, "") }},
		{"SettleProposals", func(ctx context.Context, tx *store.Tx, o others) error { return tx.SettleProposals(ctx, o.letter, "") }},
	}
}

// departmentOf makes three managers, of whom A has two clients, with a deal, a letter and a rule.
func departmentOf(t *testing.T, db *store.DB) (o others) {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		people := []models.Manager{
			{Name: "Анна", Email: "a@f", Role: models.RoleManager, Timezone: "UTC", Team: "1"}, {Name: "Борис", Email: "b@f", Role: models.RoleManager, Timezone: "UTC", Team: "1"},
			{Name: "Вера", Email: "c@f", Role: models.RoleManager, Timezone: "UTC", Team: "2"}}
		err := tx.SyncManagers(ctx, people)
		o.a, o.b, o.c = people[0].ID, people[1].ID, people[2].ID
		x, y := card("Ромашка", "", "ivan@romashka.ru", ""), card("Лютик", "", "", "")
		x.OwnerID, y.OwnerID = &o.a, &o.a
		err = errors.Join(err, tx.CreateClient(ctx, &x, ""), tx.CreateClient(ctx, &y, ""))
		o.client, o.second = x.ID, y.ID
		err = errors.Join(err, tx.CreateDeal(ctx, &models.Deal{ClientID: x.ID, OwnerID: &o.a, Title: "насосы"}, ""))
		th := models.Thread{LastAt: time.Now()}
		err = errors.Join(err, tx.CreateThread(ctx, &th))
		l := models.Letter{Fingerprint: strings.Repeat("a", 64), ThreadID: th.ID, Direction: models.Inbound, Class: models.ClassPerson, FromAddress: "ivan@romashka.ru", ArrivedAt: time.Now()}
		_, lerr := tx.UpsertLetter(ctx, &l, nil)
		err = errors.Join(err, lerr, tx.AddLink(ctx, &models.Link{LetterID: l.ID, ClientID: x.ID, Method: models.LinkAddress}))
		r := models.LinkRule{Address: "z@romashka.ru", ClientID: x.ID}
		err = errors.Join(err, tx.AddLinkRule(ctx, &r))
		o.letter, o.rule = l.ID, r.ID
		return err
	})
	return o
}

// errBack rolls a transaction back.
var errBack = errors.New("back")

// inName runs f in the name of a viewer and rolls back what it did.
func inName(t *testing.T, db *store.DB, v store.Viewer, f func(ctx context.Context, tx *store.Tx) error) (did error) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		tx.ActAs(v)
		did = f(tx.Context(), tx)
		return errBack
	})
	if !errors.Is(err, errBack) {
		t.Fatal(err)
	}
	return did
}

// TestWhoMayActOnAClient: the owner, who stands in for him, his team when it has that scope, and everybody when the client is
// nobody's; others are told whose it is.
func TestWhoMayActOnAClient(t *testing.T) {
	t.Parallel()
	texts, err := locale.New("ru", nil)
	must(t, err)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := departmentOf(t, db)
		own := func(id int64) store.Viewer { return store.Viewer{ManagerID: id, Scope: store.ScopeOwn} }
		team := func(id int64) store.Viewer { return store.Viewer{ManagerID: id, Scope: store.ScopeTeam} }
		try := func(when string, v store.Viewer, may bool) {
			t.Helper()
			for _, a := range acts() {
				err := inName(t, db, v, func(ctx context.Context, tx *store.Tx) error { return a.do(ctx, tx, o) })
				switch {
				case may && err != nil:
					t.Errorf("%s: %s is refused: %v", when, a.name, err)
				case !may && !errors.Is(err, store.ErrNotAllowed):
					t.Errorf("%s: %s: %v", when, a.name, err)
				case !may:
					p, _ := models.PhraseOf(err)
					if said := texts.Say(p); !strings.Contains(said, "Анна") || strings.Contains(said, "Ромашка") {
						t.Errorf("%s: %s says %q", when, a.name, said)
					}
				}
			}
		}
		try("owner", own(o.a), true)
		try("colleague", own(o.b), false)
		try("colleague of a team that sees its own", team(o.b), true)
		try("another team", team(o.c), false)
		try("nobody", store.Viewer{}, false)
		try("administrator", store.Viewer{Scope: store.ScopeAll}, true)

		for name, f := range map[string]func(ctx context.Context, tx *store.Tx) error{
			"away": func(ctx context.Context, tx *store.Tx) error {
				return tx.AddAbsence(ctx, &models.Absence{ManagerID: o.a, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)})
			},
			"back": func(ctx context.Context, tx *store.Tx) error { return second(tx.EndAbsences(ctx, o.a)) },
			"forget": func(ctx context.Context, tx *store.Tx) error {
				return second(tx.ForgetClient(ctx, store.Forgetting{ClientID: o.client}))
			},
			"claim for another": func(ctx context.Context, tx *store.Tx) error {
				return second(tx.Claim(ctx, store.ClaimRequest{ClientID: o.client, ManagerID: o.a, For: time.Hour}))
			},
		} {
			if err := inName(t, db, own(o.b), f); !errors.Is(err, store.ErrNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
		}

		// With a deal of his own he sees the client, changes the deal, and is told whose the client is.
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateDeal(ctx, &models.Deal{ClientID: o.client, OwnerID: &o.b, Title: "сервис"}, "")
		})
		err := inName(t, db, own(o.b), func(ctx context.Context, tx *store.Tx) error {
			must(t, tx.SetDealNext(ctx, 2, "x", nil))
			return tx.AddNote(ctx, &models.ClientNote{ClientID: o.client, Text: "x"})
		})
		if p, _ := models.PhraseOf(err); !strings.Contains(texts.Say(p), "Клиента «Ромашка» ведёт Анна") {
			t.Errorf("a client that is seen: %v", err)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return tx.AddAbsence(ctx, &models.Absence{ManagerID: o.a, DeputyID: &o.c, StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now().Add(time.Hour)})
		})
		try("deputy", own(o.c), true)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(second(tx.Assign(ctx, store.Assignment{ClientID: o.client})), second(tx.Assign(ctx, store.Assignment{ClientID: o.second})))
		})
		err = inName(t, db, own(o.b), func(ctx context.Context, tx *store.Tx) error {
			return tx.AddNote(ctx, &models.ClientNote{ClientID: o.client, Text: "x"})
		})
		must(t, err)
	})
}

// open lists the methods that change something for everybody, whoever calls them. ImportClients looks at every client, and an
// address that nobody has proposed may be dismissed by anybody.
func open() []string {
	return []string{"SyncManagers", "SyncMailboxes", "SaveColumnMap", "Secret", "CreateClient", "ImportClients", "DismissSender"}
}

// TestNoMethodChangesWhatIsAnothers calls every method of a transaction in the name of somebody who may change nothing of it.
// A new method is called without being named here.
func TestNoMethodChangesWhatIsAnothers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		writeAbout(t, db)
		var p models.Manager
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			people := []models.Manager{{Name: "Пётр", Email: "p@firma.example", Role: models.RoleManager, Timezone: "UTC"}}
			err := tx.SyncManagers(ctx, people)
			p = people[0]
			return err
		})
		reading := reflect.TypeFor[*store.Queries]()
		called, barred := 0, 0
		typ := reflect.TypeFor[*store.Tx]()
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			_, reads := reading.MethodByName(m.Name)
			if reads || strings.Contains(" ActAs Context Enqueue "+strings.Join(open(), " ")+" ", " "+m.Name+" ") {
				continue
			}
			called++
			err := inName(t, db, store.Viewer{ManagerID: p.ID, Scope: store.ScopeOwn}, func(ctx context.Context, tx *store.Tx) error {
				before, err := store.Content(ctx, tx)
				must(t, err)
				args := []reflect.Value{reflect.ValueOf(tx), reflect.ValueOf(ctx)}
				for k := 2; k < m.Type.NumIn(); k++ {
					args = append(args, filled(m.Type.In(k), 0))
				}
				for _, out := range m.Func.Call(args) {
					if err, ok := out.Interface().(error); ok {
						return err
					}
				}
				after, err := store.Content(ctx, tx)
				if before != after {
					t.Errorf("%s goes through", m.Name)
				}
				return err
			})
			if errors.Is(err, store.ErrNotAllowed) {
				barred++
			}
		}
		if called < 40 || barred < called/2 {
			t.Errorf("%d methods called, %d barred: the test proves little", called, barred)
		}
	})
}

// filled makes an argument in which every number is 1 and every word is there.
func filled(typ reflect.Type, depth int) reflect.Value {
	v := reflect.New(typ).Elem()
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return reflect.ValueOf(time.Now())
	case typ.Kind() == reflect.Int64 || typ.Kind() == reflect.Int || typ.Kind() == reflect.Uint32:
		v.Set(reflect.ValueOf(1).Convert(typ))
	case typ.Kind() == reflect.Bool:
		v.SetBool(true)
	case typ.Kind() == reflect.String:
		v.SetString("won")
	case typ.Kind() == reflect.Slice:
		v = reflect.MakeSlice(typ, 1, 1)
		v.Index(0).Set(filled(typ.Elem(), depth))
	case typ.Kind() == reflect.Map:
		v = reflect.MakeMap(typ)
		v.SetMapIndex(filled(typ.Key(), depth), filled(typ.Elem(), depth))
	case typ.Kind() == reflect.Pointer && (typ.Elem().Kind() != reflect.Struct || depth == 0):
		v.Set(reflect.New(typ.Elem()))
		v.Elem().Set(filled(typ.Elem(), depth))
	case typ.Kind() == reflect.Struct && depth < 2:
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && !strings.HasSuffix(f.Name, "At") {
				v.Field(i).Set(filled(f.Type, depth+1))
			}
		}
	}
	return v
}
