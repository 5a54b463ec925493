package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestFolderIsRenumbered(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := mail{id: "2@romashka.example", from: ivan, to: anna, subject: "Рекламация"}
		filed := mail{id: "3@romashka.example", from: ivan, to: anna, subject: "Счёт"}
		h.inbox(anna, request, other, filed)
		h.sent(anna, filed.reply("c@teplodom.example", anna, ivan))
		h.finish(filed.id, models.FilingDone)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		before := map[string][]string{}
		for _, m := range []mail{request, other, filed} {
			before[m.id] = h.events(m.id)
		}
		h.reset(anna, models.FolderInbox, 8)
		h.reset(anna, models.FolderProcessed, 8)
		h.wantFilings(request.id, "cancelled anna/inbox→processed")
		if got := h.at(request.id); len(got) != 0 {
			t.Errorf("lies at %v before it was found again", got)
		}
		h.sent(anna, other.reply("b@teplodom.example", anna, ivan)) // nothing is moved before it is bound again
		h.wantFilings(other.id)
		h.arrive(anna, models.FolderProcessed, filed)
		h.inbox(anna, request, other)
		h.wantFilings(request.id, "cancelled anna/inbox→processed", "planned anna/inbox→processed")
		h.wantFilings(other.id, "planned anna/inbox→processed")
		h.wantFilings(filed.id, "done anna/inbox→processed")
		if got := h.at(filed.id); !slices.Equal(got, []string{"anna/processed"}) {
			t.Errorf("the filed letter lies at %v", got)
		}
		before[other.id] = append(before[other.id], "letter.answered")
		for id, want := range before {
			if got := h.events(id); !slices.Equal(got, want) {
				t.Errorf("events of %s: %v, want %v", id, got, want)
			}
		}
		for _, l := range h.copies(filed.id) {
			if l.HandsOff {
				t.Errorf("a renumbered folder was taken for a person's move: %+v", l)
			}
		}
	})
}

func TestFolderGetsItsOldNumbersBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(anna, request)
		for _, validity := range []uint32{8, 7, 8, 7} {
			h.reset(anna, models.FolderInbox, validity)
			h.inbox(anna, request)
			if got := h.at(request.id); !slices.Equal(got, []string{"anna/inbox"}) {
				t.Fatalf("under %d it lies at %v", validity, got)
			}
		}
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id, "planned anna/inbox→processed")
		again := *h.boxes[anna].folders[models.FolderInbox]
		before := h.dump()
		h.must(h.in.Reset(t.Context(), again)) // told twice
		if h.dump() != before {
			t.Error("the same reset again has changed something")
		}
	})
}

func TestFirstLook(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		look := func(role models.FolderRole, list ...mail) {
			a := h.batch(anna, role, list...)
			a.FirstLook = true
			h.must(h.in.Arrived(t.Context(), a))
		}
		young := mail{id: "y@romashka.example", from: ivan, to: anna, subject: "Новое", at: day.AddDate(0, 0, -29)}
		old := mail{id: "o@romashka.example", from: ivan, to: anna, subject: "Старое", at: day.AddDate(0, 0, -31)}
		ay, ao := young.reply("ay@teplodom.example", anna, ivan), old.reply("ao@teplodom.example", anna, ivan)
		ay.at, ao.at = young.at.Add(time.Hour), old.at.Add(time.Hour)
		look(models.FolderSent, ao, ay)
		look(models.FolderInbox, old, young)
		h.wantFilings(young.id, "planned anna/inbox→processed")
		h.wantFilings(old.id)
		h.wantRule(old.id, "old")
		late := mail{id: "l@romashka.example", from: ivan, to: anna, subject: "Поздно", at: day.AddDate(0, 0, -40)}
		answer := late.reply("al@teplodom.example", anna, ivan)
		h.inbox(anna, late) // came after the first look, whatever its date
		h.sent(anna, answer)
		h.wantFilings(late.id, "planned anna/inbox→processed")
		h.reset(anna, models.FolderInbox, 8)
		h.inbox(anna, old) // is still old when the folder is renumbered
		h.wantRule(old.id, "old")
	})
}

func TestStar(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		starred := request
		starred.flags = []string{`\Flagged`}
		h.inbox(anna, starred)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id, "planned anna/inbox→control")
		later := mail{id: "2@romashka.example", from: ivan, to: anna, subject: "Другое"}
		h.inbox(anna, later)
		h.sent(anna, later.reply("b@teplodom.example", anna, ivan))
		h.flag(anna, models.FolderInbox, later.id, `\Seen`)
		h.wantFilings(later.id, "planned anna/inbox→processed")
		h.flag(anna, models.FolderInbox, later.id, `\Seen`, `\Flagged`) // the move has not begun
		h.wantFilings(later.id, "cancelled anna/inbox→processed", "planned anna/inbox→control")
	})
}

func TestOutstandingDeal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		client := h.client("Ромашка", []string{ivan})
		h.tx(func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateDeal(ctx, &models.Deal{ClientID: client, Title: "Котлы", NextAction: "позвонить", NextActionAt: &h.now}, "test")
		})
		h.inbox(anna, request)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id, "planned anna/inbox→control")
		_, n := h.decision(request.id)
		h.flag(anna, models.FolderInbox, request.id, `\Deleted`)
		h.flag(anna, models.FolderInbox, request.id)
		if _, again := h.decision(request.id); again != n+2 {
			t.Errorf("%d decisions, then %d", n, again)
		}
		h.sent(anna, mail{id: "z@teplodom.example", from: anna, to: "k@other.example", subject: "Иное", refs: []string{request.id}})
		_, m := h.decision(request.id)
		h.sent(anna, mail{id: "w@teplodom.example", from: anna, to: boris, subject: "Иное", refs: []string{request.id}})
		if _, again := h.decision(request.id); again != m {
			t.Errorf("the same decision with phrases in phrases was stored again: %d, then %d", m, again)
		}
	})
}

func TestDeletedCopyIsLeft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := request
		m.flags = []string{`\Deleted`}
		h.inbox(anna, m)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id)
		h.wantRule(request.id, "deleted")
		second := mail{id: "2@romashka.example", from: ivan, to: anna, subject: "Другое"}
		h.inbox(anna, second)
		h.sent(anna, second.reply("b@teplodom.example", anna, ivan))
		h.flag(anna, models.FolderInbox, second.id, `\Deleted`)
		h.wantFilings(second.id, "cancelled anna/inbox→processed")
	})
}

func TestQuarantine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.batch(anna, models.FolderInbox, request, mail{}, request)
		a.Letters[1].Header, a.Letters[1].Text = []byte("\r\n"), nil
		a.Letters, a.Bad = a.Letters[:2], []imapsync.BadLetter{{UID: 3, Reason: "no octets"}}
		h.must(h.in.Arrived(t.Context(), a))
		bad := func() (uids []uint32) {
			list, err := h.db.Read().Quarantined(t.Context(), h.boxes[anna].ID)
			h.must(err)
			for _, q := range list {
				uids = append(uids, q.UID)
			}
			return uids
		}
		if got := bad(); !slices.Equal(got, []uint32{2, 3}) {
			t.Fatalf("quarantine %v", got)
		}
		if n := strings.Count(h.dump(), "event letter.quarantined"); n != 2 {
			t.Errorf("%d events", n)
		}
		a.Letters[1] = h.fetched(2, mail{id: "2@romashka.example", from: ivan, to: anna, subject: "Снова"})
		h.must(h.in.Arrived(t.Context(), a)) // tried again, and now it can be read
		if got := bad(); !slices.Equal(got, []uint32{3}) {
			t.Errorf("quarantine %v", got)
		}
		h.reset(anna, models.FolderInbox, 8)
		if got := bad(); len(got) != 0 {
			t.Errorf("quarantine of old numbers: %v", got)
		}
	})
}

func TestThreadsAreJoined(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		second := request.reply("2@romashka.example", ivan, anna)
		third := second.reply("3@romashka.example", ivan, anna)
		third.refs = []string{second.id}
		h.inbox(anna, third)
		h.inbox(anna, request)
		h.sameThread(false, request.id, third.id)
		h.inbox(anna, second)
		h.sameThread(true, request.id, third.id)
		h.sameThread(true, request.id, second.id)
		if n := strings.Count(h.dump(), "\nthread "); n != 1 {
			t.Errorf("%d threads", n)
		}
		// In one batch, in the worst order.
		var chain []mail
		last := mail{id: "c0@romashka.example", from: ivan, to: anna, subject: "Цепь"}
		for i := range 8 {
			chain = append(chain, last)
			last = last.reply(fmt.Sprintf("c%d@romashka.example", i+1), ivan, anna)
			last.refs = last.refs[len(last.refs)-1:]
		}
		order := []int{0, 2, 4, 6, 1, 5, 7, 3}
		var batch []mail
		for _, i := range order {
			batch = append(batch, chain[i])
		}
		h.inbox(anna, batch...)
		for _, m := range chain {
			h.sameThread(true, chain[0].id, m.id)
		}
		answer := chain[7].reply("ac@teplodom.example", anna, ivan)
		answer.at = day.Add(time.Hour)
		h.sent(anna, answer)
		for _, m := range chain {
			h.wantFilings(m.id, "planned anna/inbox→processed")
		}
	})
}

func TestJoiningBySubject(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.client("Ромашка", []string{ivan, "olga@romashka.example"})
		h.client("Лютик", []string{"petr@lutik.example"})
		order := mail{id: "1@romashka.example", from: ivan, to: anna, subject: "Заказ"}
		h.inbox(anna, order)
		says := func(id, from, subject string, after time.Duration) mail {
			return mail{id: id, from: from, to: anna, subject: subject, at: day.Add(after)}
		}
		h.inbox(anna, says("2@romashka.example", "olga@romashka.example", "Re: Заказ", 24*time.Hour))
		h.sameThread(true, order.id, "2@romashka.example")
		for _, m := range []mail{
			says("3@romashka.example", ivan, "Заказ", 24*time.Hour),
			says("4@lutik.example", "petr@lutik.example", "Re: Заказ", 24*time.Hour),
			says("5@stranger.example", "x@stranger.example", "Re: Заказ", 24*time.Hour),
			says("6@romashka.example", ivan, "Re: Заказ", -time.Hour), // cannot answer what came later
			says("7@romashka.example", ivan, "Re: Заказ", 150*24*time.Hour),
			says("8@romashka.example", ivan, "Re:", time.Hour),
		} {
			h.inbox(anna, m)
			h.sameThread(false, order.id, m.id)
		}
		named := says("9@romashka.example", ivan, "Re: Заказ", time.Hour)
		named.refs = []string{"nobody@knows.example"}
		h.inbox(anna, named)
		h.sameThread(false, order.id, named.id)
	})
}

func TestStrangerWithCopiedReferences(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		client := h.client("Ромашка", []string{ivan})
		h.inbox(anna, request)
		stranger := request.reply("1@evil.example", "x@evil.example", anna)
		stranger.at = day.Add(time.Minute)
		h.inbox(anna, stranger)
		if got := h.clients(stranger.id); len(got) != 0 {
			t.Errorf("the stranger is tied to %v", got)
		}
		again := stranger.reply("2@evil.example", "x@evil.example", anna)
		h.inbox(anna, again)
		if got := h.clients(again.id); len(got) != 0 {
			t.Errorf("the stranger's second letter is tied to %v", got)
		}
		answer := stranger.reply("a@teplodom.example", anna, "x@evil.example")
		answer.at = day.Add(time.Hour)
		h.sent(anna, answer)
		h.wantFilings(request.id)
		h.wantFilings(stranger.id, "planned anna/inbox→processed")
		if got := h.clients(request.id); !slices.Equal(got, []int64{client}) {
			t.Errorf("the client's letter is tied to %v", got)
		}
	})
}

func TestNoFolderToFileIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		vera := []models.Mailbox{{Address: anna}, {Address: boris}, {Address: "vera@teplodom.example", Kind: models.MailboxPersonal}}
		h.tx(func(ctx context.Context, tx *store.Tx) error { return tx.SyncMailboxes(ctx, vera) })
		f := models.Folder{MailboxID: vera[2].ID, Role: models.FolderInbox, Name: "INBOX", UIDValidity: 1, FirstUID: 1}
		h.must(h.db.SaveFolder(t.Context(), &f))
		h.boxes["vera@teplodom.example"] = &box{Mailbox: vera[2], folders: map[models.FolderRole]*models.Folder{models.FolderInbox: &f}}
		h.inbox("vera@teplodom.example", request)
		h.inbox(anna, request)
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id, "planned anna/inbox→processed")
		p := models.Folder{MailboxID: vera[2].ID, Role: models.FolderProcessed, Name: "P", UIDValidity: 1, FirstUID: 1}
		h.must(h.db.SaveFolder(t.Context(), &p))
		h.must(h.in.Resume(t.Context()))
		h.wantFilings(request.id, "planned anna/inbox→processed", "planned vera/inbox→processed")
	})
}

func TestRemovedMailboxIsLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inbox(boris, request)
		h.tx(func(ctx context.Context, tx *store.Tx) error {
			return tx.SyncMailboxes(ctx, []models.Mailbox{{Address: anna}})
		})
		h.sent(anna, request.reply("a@teplodom.example", anna, ivan))
		h.wantFilings(request.id)
	})
}

// expiring is a context that ends when it has been asked for its end a number of times.
type expiring struct {
	context.Context
	end func()

	mu   sync.Mutex
	left int
}

func (c *expiring) ask() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.end()
	}
}

func (c *expiring) Done() <-chan struct{} {
	c.ask()
	return c.Context.Done()
}

func (c *expiring) Err() error {
	c.ask()
	return c.Context.Err()
}

func TestHalfDoneBatchLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.client("Ромашка", []string{ivan})
		h.inbox(anna, request)
		batch := h.batch(anna, models.FolderSent, request.reply("a@teplodom.example", anna, ivan),
			mail{id: "n@teplodom.example", from: anna, to: "new@x.example", subject: "Предложение"})
		before := h.dump()
		failures := 0
		for n := 1; ; n += 1 + n/5 {
			inner, end := context.WithCancel(t.Context())
			ctx := &expiring{Context: inner, end: end, left: n}
			err := h.in.Arrived(ctx, batch)
			end()
			if err == nil {
				break
			}
			if failures++; failures > 400 {
				t.Fatal(err)
			}
			if got := h.dump(); got != before {
				t.Fatalf("failed at question %d with %v, and left\n%s\nwhere there was\n%s", n, err, got, before)
			}
		}
		if failures < 10 {
			t.Errorf("failed in %d places only", failures)
		}
		h.wantFilings(request.id, "planned anna/inbox→processed")
	})
}

func TestLetterAndAnswerAtTheSameTime(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		second := storetest.Open(t, store.Config{URL: h.url}) // as another process would have it
		other := NewIntake(second, h.set, func(...int64) {}, time.Now, h.in.log)
		for i := range 6 {
			m := mail{id: fmt.Sprintf("r%d@romashka.example", i), from: ivan, to: anna, subject: fmt.Sprintf("Заявка %d", i)}
			letter := h.batch(anna, models.FolderInbox, m)
			answer := h.batch(boris, models.FolderSent, m.reply(fmt.Sprintf("s%d@teplodom.example", i), boris, ivan))
			copied := h.batch(boris, models.FolderInbox, m)
			var wg sync.WaitGroup
			errs := make([]error, 3)
			wg.Go(func() { errs[0] = h.in.Arrived(t.Context(), letter) })
			wg.Go(func() { errs[1] = other.Arrived(t.Context(), answer) })
			wg.Go(func() { errs[2] = other.Arrived(t.Context(), copied) })
			wg.Wait()
			for _, err := range errs {
				h.must(err)
			}
			got := h.filings(m.id)
			slices.Sort(got)
			if want := []string{"planned anna/inbox→processed", "planned boris/inbox→processed"}; !slices.Equal(got, want) {
				t.Errorf("filings %q", got)
			}
		}
	})
}

// Whatever the order in which folders and mailboxes are looked at, however the letters are cut into batches, and whether
// the program is restarted in between: in the end the same letters are filed.
func TestOrderDoesNotMatter(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for round := range 6 {
			id := func(name string) string { return fmt.Sprintf("%s.%d@romashka.example", name, round) }
			says := func(m mail, minute int) mail { m.at = day.Add(time.Duration(minute) * time.Minute); return m }
			first := says(mail{id: id("first"), from: ivan, to: anna + ", " + boris, subject: fmt.Sprintf("Заявка %d", round)}, 0)
			second := says(first.reply(id("second"), ivan, anna), 1)
			answer := says(second.reply(id("answer"), boris, ivan), 2)
			answer.refs = answer.refs[1:]
			third := says(answer.reply(id("third"), ivan, anna), 3)
			forward := says(mail{id: id("forward"), from: anna, to: boris, subject: "Fwd: " + third.subject, refs: []string{third.id}}, 4)
			type arrival struct {
				who  string
				role models.FolderRole
				m    mail
			}
			list := []arrival{
				{anna, models.FolderInbox, first}, {boris, models.FolderInbox, first}, {anna, models.FolderInbox, second},
				{boris, models.FolderSent, answer}, {anna, models.FolderInbox, third}, {anna, models.FolderSent, forward},
				{boris, models.FolderInbox, forward},
			}
			rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for i, a := range list {
				batch := []mail{a.m}
				if i+1 < len(list) && list[i+1].who == a.who && list[i+1].role == a.role && rnd.IntN(2) == 0 {
					batch = append(batch, list[i+1].m) // and once more by itself: the batch was cut short by a crash
				}
				got := h.batch(a.who, a.role, batch...)
				h.must(h.in.Arrived(t.Context(), got))
				if len(batch) > 1 {
					h.boxes[a.who].folders[a.role].LastUID--
				}
				if rnd.IntN(4) == 0 {
					h.restart()
					h.must(h.in.Resume(t.Context()))
				}
			}
			got := h.filings(first.id)
			slices.Sort(got)
			if want := []string{"planned anna/inbox→processed", "planned boris/inbox→processed"}; !slices.Equal(got, want) {
				t.Errorf("round %d: filings of the first letter %q", round, got)
			}
			h.wantFilings(second.id, "planned anna/inbox→processed")
			h.wantFilings(third.id)
			h.wantHushed(round+1, forward.id)
		}
	})
}
