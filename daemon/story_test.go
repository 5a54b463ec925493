package daemon

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// part is a run of letters that come to one folder one after another.
type part struct {
	who       string
	role      models.FolderRole
	firstLook bool
	letters   []mail
}

// teller makes up the mail of a department: questions and answers, those that come late or in the wrong order, copies in
// two mailboxes, reports, machines, colleagues.
type teller struct {
	r     *rand.Rand
	n     int
	at    time.Time
	asked []mail // letters from outside
	long  []mail // letters of one long conversation
	late  []mail // answers to letters that have not come yet, and those letters
}

func (s *teller) next() string { s.n++; return fmt.Sprintf("%d.story", s.n) }

func (s *teller) stranger() string {
	k := s.r.IntN(60)
	return fmt.Sprintf("p%d@client%d.example", k%3, k)
}

// inbound makes a letter that comes to one of us.
func (s *teller) inbound(to string) mail {
	s.at = s.at.Add(time.Minute)
	m := mail{id: s.next() + "@client.example", from: s.stranger(), to: to, subject: fmt.Sprintf("Заявка %d", s.r.IntN(40)), at: s.at}
	switch k := s.r.IntN(100); {
	case k < 8 && len(s.asked) > 0: // asks again
		old := s.asked[s.r.IntN(len(s.asked))]
		m = old.reply(m.id, old.from, to)
	case k < 16 && len(s.asked) > 0: // answers without saying which letter
		old := s.asked[s.r.IntN(len(s.asked))]
		m.from, m.subject = old.from, "Re: "+old.subject
	case k < 20 && len(s.asked) > 0: // the same letter again
		m = s.asked[s.r.IntN(len(s.asked))]
	case k < 26 && len(s.long) > 0:
		m = s.long[len(s.long)-1].reply(m.id, ivan, to)
		s.long = append(s.long, m)
	case k < 28:
		m.id = ""
	case k < 31:
		m.from, m.extra = "mailer-daemon@client1.example", []string{"Auto-Submitted: auto-replied", "X-Failed-Recipients: p1@client1.example"}
		m.subject = "Undelivered Mail Returned to Sender"
	case k < 34:
		m.extra = []string{"List-Unsubscribe: <mailto:x@client1.example>", "List-Id: <news.client1.example>", "Precedence: bulk"}
	case k < 37:
		m.from = boris
	case k < 42:
		m.flags = []string{`\Flagged`, `\Seen`}
	case k < 46 && len(s.late) > 0: // what somebody has answered already
		m, s.late = s.late[0], s.late[1:]
		m.to = to
	case k < 48:
		m.cc = boris + ", " + s.stranger()
	}
	m.at = s.at
	s.asked = append(s.asked, m)
	return m
}

// outbound makes a letter that one of us has sent.
func (s *teller) outbound(from string) mail {
	s.at = s.at.Add(time.Minute)
	id := s.next() + "@teplodom.example"
	old := s.asked[s.r.IntN(len(s.asked))]
	m := old.reply(id, from, old.from)
	switch k := s.r.IntN(100); {
	case k < 10:
		m = mail{id: id, from: from, to: s.stranger(), subject: "Предложение"}
	case k < 20: // answers what has not come yet, and names two conversations
		ask := mail{id: s.next() + "@client.example", from: old.from, subject: "Поздно", refs: []string{s.next() + "@client.example"}}
		s.late = append(s.late, ask)
		m = ask.reply(id, from, ask.from)
		m.refs = append([]string{old.id}, m.refs...)
	case k < 25:
		m.refs = nil
	case k < 30:
		m.flags = []string{`\Draft`}
	case k < 33:
		m.to = boris
	case k < 45 && len(s.long) > 0:
		m = s.long[len(s.long)-1].reply(id, from, ivan)
		s.long = append(s.long, m)
	}
	m.at = s.at
	return m
}

// story is one and the same mail each time, in two mailboxes: some 300 letters, or as many as KONTROL_STORY says.
func story() []part {
	total, err := strconv.Atoi(os.Getenv("KONTROL_STORY"))
	if err != nil {
		total = 300
	}
	s := &teller{r: rand.New(rand.NewPCG(1, 2)), at: day.AddDate(0, 0, -60)}
	s.long = []mail{{id: "long@romashka.example", from: ivan, to: anna, subject: "Долгий разговор"}}
	plan := []part{
		{who: anna, role: models.FolderInbox, firstLook: true}, {who: anna, role: models.FolderSent, firstLook: true},
		{who: boris, role: models.FolderInbox}, {who: boris, role: models.FolderSent}, {who: anna, role: models.FolderInbox},
		{who: anna, role: models.FolderControl},
	}
	for i, n := range []int{500, 400, 500, 250, 300, 50} {
		for range n * total / 2000 {
			if plan[i].role == models.FolderSent {
				plan[i].letters = append(plan[i].letters, s.outbound(plan[i].who))
			} else {
				plan[i].letters = append(plan[i].letters, s.inbound(plan[i].who))
			}
		}
	}
	return plan
}

// live tells the story to a fresh house, at most size letters at once, and leaves a bad letter in quarantine.
func live(t *testing.T, url string, size int) *house {
	h := newHouse(t, url)
	h.client("Ромашка", []string{ivan}, "romashka.example")
	for i := range 30 {
		if i%2 == 0 {
			h.client(fmt.Sprintf("Клиент %d", i), []string{fmt.Sprintf("p0@client%d.example", i)})
		} else {
			id := h.client(fmt.Sprintf("Клиент %d", i), nil, fmt.Sprintf("client%d.example", i))
			stage := "talks"
			if i%3 == 0 {
				stage = "invoice"
			}
			h.tx(func(ctx context.Context, tx *store.Tx) error {
				return tx.CreateDeal(ctx, &models.Deal{ClientID: id, Title: "Поставка", StageCode: stage}, "test")
			})
		}
	}
	for _, p := range story() {
		for letters := range slices.Chunk(p.letters, size) {
			a := h.batch(p.who, p.role, letters...)
			a.FirstLook = p.firstLook
			if p.role == models.FolderControl {
				a.Bad = []imapsync.BadLetter{{UID: 9000, Reason: "unreadable"}}
			}
			h.must(h.in.Arrived(t.Context(), a))
		}
	}
	return h
}

// rows returns what a query gives, a line for each row, in a form that does not depend on the database.
func (h *house) rows(query string) []string {
	h.t.Helper()
	driver, url := "pgx", h.url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, url = "sqlite", "file:"+path+"?_time_format=sqlite&_timezone=UTC"
	}
	db, err := sql.Open(driver, url)
	h.must(err)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(context.Background(), query)
	h.must(err)
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	h.must(err)
	var out []string
	for rows.Next() {
		values, at := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			at[i] = &values[i]
		}
		h.must(rows.Scan(at...))
		var b strings.Builder
		for i, v := range values {
			switch x := v.(type) {
			case time.Time:
				v = x.UTC().Format(time.RFC3339Nano)
			case bool:
				v = map[bool]int{true: 1}[x]
			case []byte:
				v = string(x)
			}
			fmt.Fprintf(&b, "%s=%v ", names[i], v)
		}
		out = append(out, b.String())
	}
	h.must(rows.Err())
	return out
}

// outcome is what must not depend on how the letters were cut into batches: everything but decisions, moves and jobs that
// were overtaken by later ones, and their numbers.
func (h *house) outcome() []string {
	h.t.Helper()
	var all []string
	for _, q := range []string{
		`SELECT * FROM threads ORDER BY id`, `SELECT * FROM letters ORDER BY id`, `SELECT * FROM letter_references ORDER BY id`,
		`SELECT * FROM locations ORDER BY id`, `SELECT * FROM links ORDER BY id`,
		`SELECT id, mailbox_id, role, uid_validity, last_uid, first_uid FROM folders ORDER BY id`,
		`SELECT folder_id, uid_validity, uid, reason FROM quarantines ORDER BY id`,
		`SELECT letter_id, location_id, mailbox_id, action, target, rule, answer_id, trace, decided_at FROM decisions
			WHERE NOT EXISTS (SELECT 1 FROM decisions later WHERE later.location_id = decisions.location_id AND later.id > decisions.id)
			ORDER BY location_id`,
		`SELECT mailbox_id, letter_id, location_id, source_folder_id, source_uid_validity, source_uid, header_hash, size, target_folder_id, state, planned_at
			FROM filings WHERE finished_at IS NULL ORDER BY location_id`,
		`SELECT kind, actor, dedupe_key, letter_id, mailbox_id, client_id, deal_id, filing_id, text FROM events ORDER BY dedupe_key`,
	} {
		list := h.rows(q)
		if strings.Contains(q, "ORDER BY dedupe_key") {
			slices.Sort(list) // databases order texts differently
		}
		all = append(all, list...)
	}
	return all
}

// The same mail gives the same department, however it is cut into batches and whichever database holds it.
func TestStoryInBatches(t *testing.T) {
	t.Parallel()
	want := live(t, "sqlite:"+t.TempDir()+"/kontrol.db", 1).outcome()
	filed := 0
	for _, line := range want {
		if strings.Contains(line, "rule=answered") {
			filed++
		}
	}
	if filed < 40 {
		t.Fatalf("a dull story: %d letters answered", filed)
	}
	for _, size := range []int{1, 50, 500} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			storetest.EachMigrated(t, func(t *testing.T, url string) {
				if size == 1 && (strings.HasPrefix(url, "sqlite") || testing.Short()) {
					t.Skip("told already, or too slow")
				}
				h := live(t, url, size)
				got := h.outcome()
				for i := range max(len(got), len(want)) {
					if i >= len(got) || i >= len(want) || got[i] != want[i] {
						t.Fatalf("line %d of %d and %d:\n%s\nwant\n%s", i, len(got), len(want), at(got, i), at(want, i))
					}
				}
			})
		})
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}
