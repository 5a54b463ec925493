package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// manyPlanned plans to file n letters from the inbox.
func manyPlanned(t *testing.T, db *store.DB, o office, n int) []*models.Filing {
	t.Helper()
	list := make([]*models.Filing, 0, n)
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		for i := range n {
			th := models.Thread{LastAt: day}
			if err := tx.CreateThread(ctx, &th); err != nil {
				return err
			}
			l := models.Letter{ThreadID: th.ID, Fingerprint: fmt.Sprint("many-", i), Direction: models.Inbound, Class: models.ClassPerson, ArrivedAt: day}
			if _, err := tx.UpsertLetter(ctx, &l, nil); err != nil {
				return err
			}
			loc := models.Location{
				LetterID: l.ID, MailboxID: o.mailbox.ID, FolderID: o.folders[models.FolderInbox].ID, UIDValidity: 7, UID: uint32(i + 1),
				Size: int64(1000 + i), HeaderHash: fmt.Sprintf("%064d", i), Flags: []string{`\Seen`}, InternalDate: &day,
			}
			if _, err := tx.AddLocation(ctx, &loc); err != nil {
				return err
			}
			f := models.Filing{LocationID: loc.ID, TargetFolderID: o.folders[[]models.FolderRole{models.FolderProcessed, models.FolderControl}[i%2]].ID}
			if err := tx.PlanFiling(ctx, &f); err != nil {
				return err
			}
			list = append(list, &f)
		}
		return nil
	})
	return list
}

func TestManyFilingsAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		o := newOffice(t, db, "sales@firma.example")
		const n = 1203
		list := manyPlanned(t, db, o, n)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.CancelFilings(ctx, []int64{list[3].LocationID, list[700].LocationID})
			return err
		})
		for i, f := range list {
			f.State, f.SentAt, f.Attempts, f.DestUIDValidity, f.DestUIDNext = models.FilingSent, &day, 1+i%3, 70, 9
		}
		closed, err := db.SaveFilings(ctx, list)
		must(t, err)
		if !slices.Equal(closed, []int64{list[3].ID, list[700].ID}) {
			t.Fatalf("closed: %v", closed)
		}
		stored, err := db.Read().Filing(ctx, list[4].ID)
		must(t, err)
		if stored.State != models.FilingSent || stored.Attempts != 2 || !stored.SentAt.Equal(day) || stored.DestUIDNext != 9 {
			t.Errorf("saved: %+v", stored)
		}
		states := []models.FilingState{models.FilingDone, models.FilingDone, models.FilingGone, models.FilingFailed, models.FilingCancelled}
		for i, f := range list {
			f.State, f.DestUID = states[i%len(states)], uint32(10+i)
			if f.State == models.FilingFailed {
				f.LastError, f.Reason = "NO \xff", models.Say("x.y", "N", i)
			}
		}
		list[5].DestUID = list[15].DestUID // a server that says nonsense must not stop the others; both are in one folder
		closed, err = db.FinishFilings(ctx, list)
		must(t, err)
		if !slices.Equal(closed, []int64{list[3].ID, list[700].ID}) {
			t.Fatalf("closed: %v", closed)
		}
		checkFinished(t, db, list, map[int]bool{3: true, 5: true, 15: true, 700: true})
		counts, err := db.Read().OpenFilingsCount(ctx)
		must(t, err)
		if len(counts) != 0 {
			t.Errorf("still open: %v", counts)
		}
		again, err := db.FinishFilings(ctx, list)
		must(t, err)
		if len(again) != n {
			t.Errorf("%d finished again", n-len(again))
		}
	})
}

// checkFinished compares everything that follows from finished filings, apart from those that are skipped.
func checkFinished(t *testing.T, db *store.DB, list []*models.Filing, skip map[int]bool) {
	t.Helper()
	ctx := t.Context()
	letters := make([]int64, 0, len(list))
	for _, f := range list {
		letters = append(letters, f.LetterID)
	}
	copies, err := db.Read().LiveLocationsOf(ctx, letters)
	must(t, err)
	live := make(map[int64]models.Location)
	for _, l := range copies {
		live[l.LetterID] = l
	}
	events := make(map[int64][]models.Event)
	all, err := db.Read().EventsAfter(ctx, 0, 10*len(list))
	must(t, err)
	for _, e := range all {
		if e.LetterID != nil {
			events[*e.LetterID] = append(events[*e.LetterID], e)
		}
	}
	for i, f := range list {
		l, there := live[f.LetterID]
		e := events[f.LetterID]
		if skip[i] {
			continue
		}
		ok := false
		switch f.State {
		case models.FilingDone:
			ok = there && l.FolderID == f.TargetFolderID && l.UIDValidity == 70 && l.UID == uint32(10+i) && l.Size == int64(1000+i) &&
				l.HeaderHash == f.HeaderHash && l.InternalDate.Equal(day) && l.Flags.Has(`\Seen`) && !l.HandsOff && !l.FirstLook &&
				len(e) == 1 && e[0].Kind == models.EventLetterFiled && *e[0].FilingID == f.ID && *e[0].MailboxID == f.MailboxID && e[0].Actor == "kontrol"
		case models.FilingGone:
			ok = !there && len(e) == 0
		case models.FilingFailed:
			ok = there && l.ID == f.LocationID && len(e) == 1 && e[0].Kind == models.EventFilingFailed && e[0].Text.ID == "x.y"
		default:
			ok = there && l.ID == f.LocationID && len(e) == 0
		}
		if !ok {
			t.Errorf("%d %s: live %v %+v, events %+v", i, f.State, there, l, e)
		}
	}
}

func TestFiledEventsNameTheOnlyClient(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, "sales@firma.example")
		list := manyPlanned(t, db, o, 3)
		var clients []int64
		for i := range 2 {
			c := store.ClientCard{Client: models.Client{Name: fmt.Sprint("ООО ", i)}}
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &c, "test") })
			clients = append(clients, c.ID)
		}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			for _, l := range []models.Link{{LetterID: list[0].LetterID, ClientID: clients[0]}, {LetterID: list[1].LetterID, ClientID: clients[0]}, {LetterID: list[1].LetterID, ClientID: clients[1]}} {
				l.Method = "test"
				if err := tx.AddLink(ctx, &l); err != nil {
					return err
				}
			}
			return nil
		})
		for i, f := range list {
			f.State, f.DestUIDValidity, f.DestUID = models.FilingDone, 70, uint32(i+1)
		}
		_, err := db.FinishFilings(t.Context(), list)
		must(t, err)
		for i, want := range []bool{true, false, false} {
			events, err := db.Read().EventsOf(t.Context(), list[i].LetterID)
			must(t, err)
			if len(events) != 1 || (events[0].ClientID != nil) != want || (want && *events[0].ClientID != clients[0]) {
				t.Errorf("letter %d: events %+v", i, events)
			}
		}
	})
}

func TestFilingsPageByPage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		o := newOffice(t, db, "sales@firma.example")
		other := newOffice(t, db, "two@firma.example")
		list := manyPlanned(t, db, o, 7)
		plan(t, db, other, newLocation(t, db, other, models.FolderInbox, 5, newLetter(t, db, "x", nil)), models.FolderProcessed)
		later := day.Add(time.Minute)
		list[2].NextAttemptAt = &later
		list[3].State, list[5].State = models.FilingSent, models.FilingUnknown
		_, err := db.SaveFilings(ctx, []*models.Filing{list[2], list[3], list[5]})
		must(t, err)
		ids := func(rows []models.Filing, err error) (ids []int64) {
			t.Helper()
			must(t, err)
			for _, f := range rows {
				if f.SourceFolder == nil || f.TargetFolder == nil || f.Location == nil || !f.Location.Flags.Has(`\Seen`) {
					t.Errorf("filing %+v", f)
				}
				ids = append(ids, f.ID)
			}
			return ids
		}
		one := ids(db.PlannedFilings(ctx, o.mailbox.ID, day, 0, 3))
		two := ids(db.PlannedFilings(ctx, o.mailbox.ID, day, one[len(one)-1], 3))
		started := ids(db.StartedFilings(ctx, o.mailbox.ID, day, 0, 3))
		if !slices.Equal(one, []int64{list[0].ID, list[1].ID, list[4].ID}) || !slices.Equal(two, []int64{list[6].ID}) ||
			!slices.Equal(started, []int64{list[3].ID, list[5].ID}) {
			t.Errorf("pages %v %v, started %v", one, two, started)
		}
		if due := ids(db.PlannedFilings(ctx, o.mailbox.ID, later, 0, 100)); len(due) != 5 {
			t.Errorf("due later: %v", due)
		}
	})
}
