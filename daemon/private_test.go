package daemon

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
)

// wantHushed checks that of so many letters between colleagues nothing is kept by which they could be found, and that
// they stay where they are.
func (h *house) wantHushed(n int, messageIDs ...string) {
	h.t.Helper()
	found, err := h.db.Read().LettersByMessageIDs(h.t.Context(), messageIDs)
	h.must(err)
	if len(found) != 0 {
		h.t.Errorf("letters between colleagues are stored: %+v", found)
	}
	list, err := h.db.Read().ListLetters(h.t.Context(), store.LetterFilter{Class: models.ClassInternal, Limit: 1000})
	h.must(err)
	if len(list) != n {
		h.t.Errorf("%d letters between colleagues, want %d", len(list), n)
	}
	for _, l := range list {
		filings, err := h.db.Read().FilingsOf(h.t.Context(), l.ID)
		h.must(err)
		if len(filings) != 0 {
			h.t.Errorf("a letter between colleagues is filed: %+v", filings)
		}
	}
}

// searched looks for words in every row of the database, and on SQLite in the octets of its files, as somebody would who
// has got hold of them.
func (h *house) searched(words ...string) []string {
	h.t.Helper()
	hits := h.inRows(words...)
	if path, ok := strings.CutPrefix(h.url, "sqlite:"); ok {
		files, err := filepath.Glob(path + "*")
		h.must(err)
		for _, f := range files {
			data, err := os.ReadFile(f) //nolint:gosec // the test's own database
			h.must(err)
			hits = append(hits, found(filepath.Base(f), string(data), words)...)
		}
	}
	return hits
}

// inRows looks for words in every row of every table.
func (h *house) inRows(words ...string) []string {
	h.t.Helper()
	driver, source, tables := "pgx", h.url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
	if path, ok := strings.CutPrefix(h.url, "sqlite:"); ok {
		driver, source, tables = "sqlite", "file:"+path, "SELECT name FROM sqlite_master WHERE type = 'table'"
	}
	pool, err := sql.Open(driver, source)
	h.must(err)
	defer func() { _ = pool.Close() }()
	var hits []string
	for _, name := range h.read(pool, tables) {
		for _, row := range h.read(pool, `SELECT * FROM "`+strings.TrimSpace(name)+`"`) {
			hits = append(hits, found(name, row, words)...)
		}
	}
	return hits
}

// read returns the rows of a query as text.
func (h *house) read(pool *sql.DB, query string) []string {
	h.t.Helper()
	rows, err := pool.QueryContext(h.t.Context(), query)
	h.must(err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	h.must(err)
	var out []string
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		h.must(rows.Scan(targets...))
		var b strings.Builder
		for _, v := range values {
			if raw, ok := v.([]byte); ok {
				v = string(raw)
			}
			fmt.Fprint(&b, v, " ")
		}
		out = append(out, b.String())
	}
	h.must(rows.Err())
	return out
}

func found(where, text string, words []string) []string {
	var hits []string
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, strings.ToLower(w)) {
			hits = append(hits, where+": "+w)
		}
	}
	return hits
}

// secrets are the words of letters that must not be found, and the addresses and ids that go with them.
func secrets() []string {
	return []string{"Тайнозавр", "tainozavr", "ключ от сейфа", "mama@home.example", "школьное собрание"}
}

func TestLettersBetweenColleaguesAreNotStored(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := mail{id: "tainozavr@teplodom.example", from: boris, to: anna, subject: "Тайнозавр", text: "Ключ от сейфа под ковром. Ключ от сейфа."}
		h.sent(boris, m)
		h.inbox(anna, m)
		h.sent(anna, m.reply("re-tainozavr@teplodom.example", anna, boris))
		h.wantHushed(2, m.id, "re-tainozavr@teplodom.example")
		if hits := h.searched(secrets()...); len(hits) > 0 {
			t.Errorf("found %q", hits)
		}
		list, err := h.db.Read().ListLetters(t.Context(), store.LetterFilter{Class: models.ClassInternal})
		h.must(err)
		copies, err := h.db.Read().LocationsOf(t.Context(), list[1].ID)
		h.must(err)
		decisions, err := h.db.Read().DecisionsOf(t.Context(), list[1].ID)
		h.must(err)
		if len(copies) != 2 || len(decisions) != 1 || decisions[0].Rule != "internal" {
			t.Errorf("copies %+v, decisions %+v", copies, decisions)
		}
	})
}

func TestPrivateLettersAreNotStored(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.client("Школа", nil, "school.example") // a client's corporate domain does not help
		h.set.Private = inbound.NewOwn([]string{"mama@home.example", "teacher@school.example"}, nil)
		h.restart()
		h.inbox(anna, mail{id: "1@tainozavr.example", from: "mama@home.example", to: anna, subject: "Тайнозавр", text: "Ключ от сейфа"},
			mail{id: "2@tainozavr.example", from: "teacher@school.example", to: anna, subject: "Школьное собрание"},
			mail{id: "3@school.example", from: "director@school.example", to: anna, cc: "teacher@school.example", subject: "Заявка"})
		h.sent(anna, mail{id: "4@teplodom.example", from: anna, to: "mama@home.example", subject: "Тайнозавр", text: "Ключ от сейфа"})
		if hits := h.searched("Тайнозавр", "tainozavr", "ключ от сейфа", "mama@home.example", "школьное собрание"); len(hits) > 0 {
			t.Errorf("found %q", hits)
		}
		if got := h.clients("3@school.example"); len(got) != 1 {
			t.Errorf("a client's letter with a private address in Cc is tied to %v", got)
		}
		list, err := h.db.Read().ListLetters(t.Context(), store.LetterFilter{Class: models.ClassPrivate})
		h.must(err)
		if len(list) != 3 || len(list[0].Locations) != 1 {
			t.Errorf("letters %+v", list)
		}
	})
}

func TestThePrivateFolderForgets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.client("Ромашка", []string{ivan})
		f := models.Folder{MailboxID: h.boxes[anna].ID, Role: models.FolderPrivate, Name: "Команды/Личное", Delimiter: "/", UIDValidity: 7, FirstUID: 1}
		h.must(h.db.SaveFolder(t.Context(), &f))
		h.boxes[anna].folders[models.FolderPrivate] = &f
		m := mail{id: "tainozavr@romashka.example", from: ivan, to: anna, subject: "Тайнозавр", text: "Ключ от сейфа"}
		h.inbox(anna, m, request)
		if len(h.searched("Тайнозавр", "Ключ от сейфа", "tainozavr")) == 0 {
			t.Fatal("the letter was not stored in the first place")
		}
		h.arrive(anna, models.FolderPrivate, m)
		direct := mail{id: "2@tainozavr.example", from: "mama@home.example", to: anna, subject: "Школьное собрание"}
		h.arrive(anna, models.FolderPrivate, direct)
		rows, err := h.db.Read().ListLetters(t.Context(), store.LetterFilter{Class: models.ClassPrivate})
		h.must(err)
		if len(rows) != 2 {
			t.Fatalf("private letters: %+v", rows)
		}
		for _, l := range rows {
			if l.Subject+l.FromAddress+l.MessageID+l.BaseSubject+l.FromName != "" || len(l.To) > 0 || len(l.Links) > 0 {
				t.Errorf("kept: %+v", l)
			}
		}
		if hits := h.inRows("Тайнозавр", "tainozavr", "ключ от сейфа", "mama@home.example", "школьное собрание"); len(hits) > 0 {
			t.Errorf("found %q", hits)
		}
		if got := h.clients(request.id); fmt.Sprint(got) != fmt.Sprint([]int64{id}) {
			t.Errorf("another letter of the client is tied to %v", got)
		}
	})
}
