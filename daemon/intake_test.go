package daemon

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// each runs f with a fresh house on each of the databases.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	t.Parallel()
	storetest.EachMigrated(t, func(t *testing.T, url string) { f(t, newHouse(t, url)) })
}

// migrated is a SQLite database with the schema and nothing in it. To copy one is much faster than to make one.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "kontrol-daemon-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "kontrol.db")
	db, err := store.Open(context.Background(), store.Config{URL: "sqlite:" + path, AutoMigrateSchema: true})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// writeMigrated puts a copy of the migrated database into a new file.
func writeMigrated(t *testing.T, path string) {
	t.Helper()
	data, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

var request = mail{id: "1@romashka.example", from: ivan, to: anna, subject: "Заявка на котлы"}

func TestNewLetterIsStoredAndStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.client("Ромашка", []string{ivan})
		m := request
		m.text = "Пришлите предложение."
		h.inbox(anna, m)
		l := h.letter(m.id)
		if l.Text != m.text || l.Direction != models.Inbound || l.Class != models.ClassPerson || !l.ArrivedAt.Equal(day) {
			t.Errorf("stored letter: %+v", l)
		}
		if got := h.clients(m.id); !slices.Equal(got, []int64{id}) {
			t.Errorf("clients %v", got)
		}
		if got := h.events(m.id); !slices.Equal(got, []string{"letter.linked", "letter.arrived"}) {
			t.Errorf("events %v", got)
		}
		if got := h.at(m.id); !slices.Equal(got, []string{"anna/inbox"}) {
			t.Errorf("lies at %v", got)
		}
		d, n := h.decision(m.id)
		if d.Action != models.ActionStay || d.Rule != "unanswered" || n != 1 {
			t.Errorf("decision %+v, %d of them", d, n)
		}
		h.wantFilings(m.id)
		if len(h.pokes) != 0 {
			t.Errorf("poked %v", h.pokes)
		}
		folder, err := h.db.Read().Folder(t.Context(), h.boxes[anna].folders[models.FolderInbox].ID)
		h.must(err)
		if folder.LastUID != 1 {
			t.Errorf("cursor at %d", folder.LastUID)
		}
	})
}

func TestStrangersTextIsNotKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		if l := h.letter(request.id); l.Text != "" || len(h.clients(request.id)) != 0 {
			t.Errorf("stranger's letter: text %q, clients %v", l.Text, h.clients(request.id))
		}
	})
}

func TestAnswerFilesTheLetter(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		h.now = day.Add(time.Hour)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id, "planned anna/inbox→processed")
		h.wantRule(request.id, "answered")
		if want := []int64{h.boxes[anna].ID}; !slices.Equal(h.pokes, want) {
			t.Errorf("poked %v, want %v", h.pokes, want)
		}
		status, err := h.db.Read().Status(t.Context())
		h.must(err)
		if status.JobsWaiting != 1 {
			t.Errorf("%d jobs", status.JobsWaiting)
		}
		if got := h.events(request.id); !slices.Equal(got, []string{"letter.arrived", "letter.answered"}) {
			t.Errorf("events %v", got)
		}
	})
}

func TestColleagueAnswersFromAnotherMailbox(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		h.sent(boris, request.reply("b@teplodom.example", boris, ivan))
		h.wantFilings(request.id, "planned anna/inbox→processed")
		if want := []int64{h.boxes[anna].ID}; !slices.Equal(h.pokes, want) {
			t.Errorf("poked %v, want %v", h.pokes, want)
		}
	})
}

func TestAnswerSeenBeforeTheLetter(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.sent(boris, request.reply("b@teplodom.example", boris, ivan))
		h.inbox(anna, request)
		h.sameThread(true, request.id, "b@teplodom.example")
		h.wantFilings(request.id, "planned anna/inbox→processed")
	})
}

func TestEarlierLettersOfTheThreadAreFiled(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		second := request.reply("2@romashka.example", ivan, anna)
		second.at = day.Add(time.Hour)
		h.inbox(anna, request, second)
		answer := second.reply("a@teplodom.example", anna, ivan)
		answer.refs = answer.refs[1:] // names the second only
		answer.at = day.Add(2 * time.Hour)
		h.sent(anna, answer)
		h.wantFilings(request.id, "planned anna/inbox→processed")
		h.wantFilings(second.id, "planned anna/inbox→processed")
		third := answer.reply("3@romashka.example", ivan, anna)
		third.at = day.Add(3 * time.Hour)
		h.inbox(anna, third)
		h.wantFilings(third.id)
	})
}

func TestWhatIsNoAnswer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		forward := mail{id: "f@teplodom.example", from: anna, to: boris, subject: "Fwd: Заявка на котлы", refs: []string{request.id}}
		draft := request.reply("d@teplodom.example", anna, ivan)
		draft.flags = []string{`\Draft`}
		auto := request.reply("o@teplodom.example", anna, ivan)
		auto.extra = []string{"Auto-Submitted: auto-replied"}
		h.sent(anna, forward, draft, auto)
		fake := request.reply("x@teplodom.example", anna, ivan)
		h.inbox(boris, fake) // claims to be ours, and lies in no Sent folder
		h.wantFilings(request.id)
		h.wantRule(request.id, "unanswered")
	})
}

func TestWhatIsNeverFiled(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, c := range []struct {
			rule string
			m    mail
		}{
			{"auto_reply", mail{id: "1@x.example", from: ivan, to: anna, subject: "Я в отпуске", extra: []string{"Auto-Submitted: auto-replied"}}},
			{"bounce", mail{id: "2@x.example", from: "mailer-daemon@mx.example", to: anna, subject: "Undelivered Mail Returned to Sender", extra: []string{"Return-Path: <>", "Auto-Submitted: auto-replied"}}},
			{"list", mail{id: "3@x.example", from: "news@shop.example", to: anna, subject: "Скидки", extra: []string{"List-Unsubscribe: <mailto:u@shop.example>", "List-Id: <news.shop.example>"}}},
		} {
			h.inbox(anna, c.m)
			answer := c.m.reply("re."+c.m.id, anna, c.m.from)
			h.sent(anna, answer)
			h.wantFilings(c.m.id)
			d, n := h.decision(c.m.id)
			if d.Rule != c.rule && (c.rule != "bounce" || d.Rule != "auto_reply") {
				t.Errorf("%s: decided by %s", c.rule, d.Rule)
			}
			if n != 1 {
				t.Errorf("%s: %d decisions that say the same", c.rule, n)
			}
		}
	})
}

func TestOneLetterInTwoMailboxes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := request
		m.to = anna + ", " + boris
		h.inbox(anna, m)
		m.delivery = "Received: by mx for boris\r\n"
		h.inbox(boris, m)
		if got := h.at(m.id); !slices.Equal(got, []string{"anna/inbox", "boris/inbox"}) {
			t.Fatalf("lies at %v", got)
		}
		if _, err := h.db.Read().Thread(t.Context(), h.letter(m.id).ThreadID+1); err == nil {
			t.Error("the second copy has begun a thread of its own")
		}
		h.sent(boris, m.reply("b@teplodom.example", boris, ivan))
		h.wantFilings(m.id, "planned anna/inbox→processed", "planned boris/inbox→processed")
		if len(h.pokes) != 2 {
			t.Errorf("poked %v", h.pokes)
		}
		if got := h.events(m.id); !slices.Equal(got, []string{"letter.arrived", "letter.answered"}) {
			t.Errorf("events %v", got)
		}
	})
}

func TestTwinsInOneInbox(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request, request)
		twin := request
		twin.delivery = "Received: by mx; the long way round\r\n"
		h.now = day.Add(time.Minute)
		twin.at = day
		f := h.batch(anna, models.FolderInbox, twin)
		f.Letters[0].InternalDate = h.now
		h.must(h.in.Arrived(t.Context(), f))
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		p := "planned anna/inbox→processed"
		h.wantFilings(request.id, p, p, p)
		h.finish(request.id, models.FilingDone)
		late := h.batch(anna, models.FolderInbox, twin) // delivered after the others were filed
		late.Letters[0].InternalDate = day.Add(2 * time.Minute)
		late.Letters[0].Header = append([]byte("Received: once more\r\n"), late.Letters[0].Header...)
		h.must(h.in.Arrived(t.Context(), late))
		d := "done anna/inbox→processed"
		h.wantFilings(request.id, d, d, d, p)
	})
}

func TestReplayChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.client("Ромашка", []string{ivan})
		first := h.batch(anna, models.FolderInbox, request, mail{id: "9@x.example", from: "x@x.example", to: anna, subject: "Вопрос"})
		second := h.batch(anna, models.FolderSent, request.reply("a@teplodom.example", anna, ivan))
		for range 2 {
			h.must(h.in.Arrived(t.Context(), first))
		}
		h.must(h.in.Arrived(t.Context(), second))
		before := h.dump()
		for _, a := range []imapsync.Arrival{first, second, first} {
			h.must(h.in.Arrived(t.Context(), a))
		}
		if after := h.dump(); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

func TestPersonTakesALetterBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.finish(request.id, models.FilingDone)
		if got := h.at(request.id); !slices.Equal(got, []string{"anna/processed"}) {
			t.Fatalf("lies at %v", got)
		}
		back := request
		back.at = day
		h.drag(anna, back, models.FolderProcessed, models.FolderInbox)
		h.wantRule(request.id, "hands_off")
		second := request.reply("2@romashka.example", ivan, anna)
		second.at = day.Add(time.Hour)
		h.inbox(anna, second)
		answer := second.reply("b@teplodom.example", anna, ivan)
		answer.at = day.Add(2 * time.Hour)
		h.sent(anna, answer)
		h.wantFilings(request.id, "done anna/inbox→processed")
		h.wantFilings(second.id, "planned anna/inbox→processed")
		if !slices.Contains(h.events(request.id), "letter.moved_by_person") {
			t.Errorf("events %v", h.events(request.id))
		}
		// The folder is renumbered, and a person's word still holds.
		h.reset(anna, models.FolderInbox, 8)
		h.inbox(anna, back)
		h.wantRule(request.id, "hands_off")
		h.wantFilings(request.id, "done anna/inbox→processed")
	})
}

func TestPersonsMoveToControl(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		h.drag(anna, request, models.FolderInbox, models.FolderControl)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id)
		if got := h.events(request.id); !slices.Equal(got, []string{"letter.arrived", "letter.moved_by_person", "letter.gone"}) {
			t.Errorf("events %v", got)
		}
		if c := h.copies(request.id); !c[1].HandsOff {
			t.Error("not marked as a person's")
		}
	})
}

func TestOwnMoveIsNotAPersons(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, state := range []models.FilingState{models.FilingSent, models.FilingUnknown, models.FilingCopied} {
			m := mail{id: string(state) + "@romashka.example", from: ivan, to: anna, subject: "Заявка " + string(state)}
			h.inbox(anna, m)
			h.sent(anna, m.reply("a."+m.id, anna, ivan))
			rows, err := h.db.Read().FilingsOf(t.Context(), h.letter(m.id).ID)
			h.must(err)
			f := rows[0]
			target := h.boxes[anna].folders[models.FolderProcessed]
			f.State, f.DestUIDValidity, f.DestUIDNext = state, target.UIDValidity, target.LastUID+1
			h.must(h.db.SaveFiling(t.Context(), &f))
			h.arrive(anna, models.FolderProcessed, m)
			if slices.Contains(h.events(m.id), "letter.moved_by_person") || h.copies(m.id)[1].HandsOff {
				t.Errorf("%s: taken for a person's move", state)
			}
		}
	})
}

func TestFailedFilingWaitsForARestart(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.finish(request.id, models.FilingFailed)
		h.sent(anna, request.reply("b@teplodom.example", anna, ivan))
		h.flag(anna, models.FolderInbox, request.id, `\Flagged`)
		h.flag(anna, models.FolderInbox, request.id)
		h.must(h.in.Resume(t.Context()))
		h.wantFilings(request.id, "failed anna/inbox→processed")
		h.now = h.now.Add(time.Second)
		h.restart()
		h.must(h.in.Resume(t.Context()))
		h.wantFilings(request.id, "failed anna/inbox→processed", "planned anna/inbox→processed")
		before := h.dump()
		h.must(h.in.Resume(t.Context()))
		if h.dump() != before {
			t.Error("a second Resume has changed something")
		}
	})
}
