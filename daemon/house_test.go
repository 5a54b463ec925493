package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// day is when the tests begin.
var day = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

const (
	anna  = "anna@teplodom.example"
	boris = "boris@teplodom.example"
	ivan  = "ivan@romashka.example"
)

// house is a department with two mailboxes, an Intake, and hands to feed it.
type house struct {
	t     testing.TB
	url   string
	db    *store.DB
	in    *Intake
	set   Settings
	now   time.Time
	pokes []int64
	boxes map[string]*box
}

// box is a mailbox as the Syncer would know it.
type box struct {
	models.Mailbox
	folders map[models.FolderRole]*models.Folder
}

func newHouse(t testing.TB, url string) *house {
	t.Helper()
	h := &house{t: t, url: url, now: day, boxes: map[string]*box{}}
	h.db = storetest.Open(t, store.Config{URL: url, Now: func() time.Time { return h.now }})
	h.furnish()
	return h
}

// houseOn is a house on a database that is open already.
func houseOn(t testing.TB, db *store.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, now: day, boxes: map[string]*box{}}
	h.furnish()
	return h
}

// furnish declares the mailboxes and their folders.
func (h *house) furnish() {
	h.t.Helper()
	h.set = Settings{Own: inbound.NewOwn([]string{anna, boris}, []string{"teplodom.example"}), FirstLookWindow: 30 * 24 * time.Hour}
	declared := []models.Mailbox{{Address: anna, Kind: models.MailboxPersonal}, {Address: boris, Kind: models.MailboxPersonal}}
	h.tx(func(ctx context.Context, tx *store.Tx) error { return tx.SyncMailboxes(ctx, declared) })
	for _, m := range declared {
		b := &box{Mailbox: m, folders: map[models.FolderRole]*models.Folder{}}
		for _, role := range []models.FolderRole{models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl} {
			f := models.Folder{MailboxID: m.ID, Role: role, Name: string(role), Delimiter: "/", UIDValidity: 7, FirstUID: 1}
			h.must(h.db.SaveFolder(h.t.Context(), &f))
			b.folders[role] = &f
		}
		h.boxes[m.Address] = b
	}
	h.restart()
}

// restart makes the Intake anew, as a restart of the program does.
func (h *house) restart() {
	h.in = NewIntake(h.db, h.set, func(ids ...int64) { h.pokes = append(h.pokes, ids...) }, func() time.Time { return h.now }, slog.New(slog.DiscardHandler))
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) tx(f func(ctx context.Context, tx *store.Tx) error) {
	h.t.Helper()
	h.must(h.db.Tx(h.t.Context(), func(tx *store.Tx) error { return f(tx.Context(), tx) }))
}

// client adds a client with one contact.
func (h *house) client(name string, addresses []string, domains ...string) int64 {
	h.t.Helper()
	card := store.ClientCard{Client: models.Client{Name: name}}
	contact := store.ContactCard{Contact: models.Contact{Name: "Контакт"}}
	for _, a := range addresses {
		contact.Points = append(contact.Points, models.ContactPoint{Kind: models.PointEmail, Value: a})
	}
	card.Contacts = append(card.Contacts, contact)
	for _, d := range domains {
		card.Domains = append(card.Domains, models.ClientDomain{Domain: d})
	}
	h.tx(func(ctx context.Context, tx *store.Tx) error { return tx.CreateClient(ctx, &card, "test") })
	return card.ID
}

// mail is a letter to be written.
type mail struct {
	id, from, to, cc, subject string
	refs                      []string // the last one is also In-Reply-To
	extra                     []string // further header lines
	delivery                  string   // what the last delivery has put on top
	text                      string
	at                        time.Time // Date and INTERNALDATE; zero: the house's clock
	flags                     []string
}

// reply answers a letter.
func (m mail) reply(id, from, to string) mail {
	subject := m.subject
	if !strings.HasPrefix(subject, "Re: ") {
		subject = "Re: " + subject
	}
	return mail{id: id, from: from, to: to, subject: subject, refs: append(slices.Clone(m.refs), m.id)}
}

func (h *house) fetched(uid uint32, m mail) imapsync.Fetched {
	if m.at.IsZero() {
		m.at = h.now
	}
	if m.text == "" {
		m.text = "Добрый день!"
	}
	var b strings.Builder
	b.WriteString(m.delivery)
	fmt.Fprintf(&b, "From: <%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
		m.from, m.to, m.subject, m.at.Format(time.RFC1123Z))
	if m.cc != "" {
		fmt.Fprintf(&b, "Cc: %s\r\n", m.cc)
	}
	if m.id != "" {
		fmt.Fprintf(&b, "Message-ID: <%s>\r\n", m.id)
	}
	if n := len(m.refs); n > 0 {
		fmt.Fprintf(&b, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", m.refs[n-1], strings.Join(m.refs, "> <"))
	}
	for _, x := range m.extra {
		b.WriteString(x + "\r\n")
	}
	b.WriteString("\r\n")
	header := b.String()
	return imapsync.Fetched{
		UID: uid, Flags: m.flags, InternalDate: m.at, Size: int64(len(header) + len(m.text)), Header: []byte(header), Text: []byte(m.text),
	}
}

// batch makes the next arrival in a folder without handing it over. The folder's cursor moves on.
func (h *house) batch(who string, role models.FolderRole, letters ...mail) imapsync.Arrival {
	f := h.boxes[who].folders[role]
	a := imapsync.Arrival{}
	for _, m := range letters {
		f.LastUID++
		a.Letters = append(a.Letters, h.fetched(f.LastUID, m))
	}
	a.Folder = *f
	return a
}

// arrive hands letters over as one batch.
func (h *house) arrive(who string, role models.FolderRole, letters ...mail) {
	h.t.Helper()
	h.must(h.in.Arrived(h.t.Context(), h.batch(who, role, letters...)))
}

// inbox is arrive into INBOX, sent into Sent.
func (h *house) inbox(who string, letters ...mail) {
	h.t.Helper()
	h.arrive(who, models.FolderInbox, letters...)
}

func (h *house) sent(who string, letters ...mail) {
	h.t.Helper()
	h.arrive(who, models.FolderSent, letters...)
}

// letter returns the only stored letter with the Message-ID.
func (h *house) letter(id string) models.Letter {
	h.t.Helper()
	rows, err := h.db.Read().LettersByMessageIDs(h.t.Context(), []string{id})
	h.must(err)
	if len(rows) != 1 {
		h.t.Fatalf("%d letters with Message-ID %s", len(rows), id)
	}
	return rows[0]
}

// at returns the live copies of a letter, as "anna/inbox", sorted.
func (h *house) at(id string) []string {
	h.t.Helper()
	var list []string
	for _, l := range h.copies(id) {
		if l.GoneAt == nil {
			list = append(list, h.place(l))
		}
	}
	slices.Sort(list)
	return list
}

func (h *house) place(l models.Location) string {
	for a, b := range h.boxes {
		if b.ID == l.MailboxID {
			name, _, _ := strings.Cut(a, "@")
			return name + "/" + string(l.Folder.Role)
		}
	}
	return "?"
}

func (h *house) copies(id string) []models.Location {
	h.t.Helper()
	rows, err := h.db.Read().LocationsOf(h.t.Context(), h.letter(id).ID)
	h.must(err)
	return rows
}

// filings returns the journal of a letter, as "planned anna/inbox→processed", by id.
func (h *house) filings(id string) []string {
	h.t.Helper()
	rows, err := h.db.Read().FilingsOf(h.t.Context(), h.letter(id).ID)
	h.must(err)
	places := map[int64]string{}
	for _, l := range h.copies(id) {
		places[l.ID] = h.place(l)
	}
	var list []string
	for _, f := range rows {
		list = append(list, fmt.Sprintf("%s %s→%s", f.State, places[f.LocationID], f.TargetFolder.Role))
	}
	return list
}

// wantFilings checks the journal of a letter.
func (h *house) wantFilings(id string, want ...string) {
	h.t.Helper()
	if got := h.filings(id); !slices.Equal(got, want) {
		h.t.Errorf("filings of %s: %q, want %q", id, got, want)
	}
}

// finish plays the Mover for all open filings of a letter: done, or what else is asked for.
func (h *house) finish(id string, state models.FilingState) {
	h.t.Helper()
	rows, err := h.db.Read().FilingsOf(h.t.Context(), h.letter(id).ID)
	h.must(err)
	for _, f := range rows {
		if !f.State.Open() {
			continue
		}
		f.State = state
		if state == models.FilingDone {
			for _, b := range h.boxes {
				for _, target := range b.folders {
					if target.ID == f.TargetFolderID {
						target.LastUID++
						f.DestUIDValidity, f.DestUID = target.UIDValidity, target.LastUID
					}
				}
			}
		}
		h.must(h.db.FinishFiling(h.t.Context(), &f))
	}
}

// gone tells that copies of a letter have left a folder.
func (h *house) gone(who string, role models.FolderRole, id string) {
	h.t.Helper()
	f := h.boxes[who].folders[role]
	c := imapsync.Change{Folder: *f}
	for _, l := range h.copies(id) {
		if l.FolderID == f.ID && l.UIDValidity == f.UIDValidity && l.GoneAt == nil {
			c.Gone = append(c.Gone, l.UID)
		}
	}
	slices.Sort(c.Gone)
	h.must(h.in.Changed(h.t.Context(), c))
}

// drag is a person's move between two folders: the copy is seen at its new place first.
func (h *house) drag(who string, m mail, from, to models.FolderRole) {
	h.t.Helper()
	h.arrive(who, to, m)
	h.gone(who, from, m.id)
}

// flag sets the flags of a letter's copies in a folder.
func (h *house) flag(who string, role models.FolderRole, id string, flags ...string) {
	h.t.Helper()
	f := h.boxes[who].folders[role]
	c := imapsync.Change{Folder: *f, Flags: map[uint32][]string{}}
	for _, l := range h.copies(id) {
		if l.FolderID == f.ID && l.GoneAt == nil {
			c.Flags[l.UID] = flags
		}
	}
	h.must(h.in.Changed(h.t.Context(), c))
}

// reset gives a folder a new UIDVALIDITY. Nothing has been taken in under it yet.
func (h *house) reset(who string, role models.FolderRole, validity uint32) {
	h.t.Helper()
	f := h.boxes[who].folders[role]
	f.UIDValidity, f.LastUID = validity, 0
	h.must(h.in.Reset(h.t.Context(), *f))
}

// decision returns the last decision about the only live copy of a letter in an inbox, and how many there were.
func (h *house) decision(id string) (models.Decision, int) {
	h.t.Helper()
	rows, err := h.db.Read().DecisionsOf(h.t.Context(), h.letter(id).ID)
	h.must(err)
	if len(rows) == 0 {
		return models.Decision{}, 0
	}
	return rows[len(rows)-1], len(rows)
}

// wantRule checks which rule decided last.
func (h *house) wantRule(id, rule string) {
	h.t.Helper()
	if d, _ := h.decision(id); d.Rule != rule {
		h.t.Errorf("%s was decided by rule %q, want %q", id, d.Rule, rule)
	}
}

// events returns the kinds of the events of a letter, in the order of recording.
func (h *house) events(id string) []string {
	h.t.Helper()
	rows, err := h.db.Read().EventsOf(h.t.Context(), h.letter(id).ID)
	h.must(err)
	slices.SortFunc(rows, func(a, b models.Event) int { return int(a.ID - b.ID) })
	list := make([]string, 0, len(rows))
	for _, e := range rows {
		list = append(list, string(e.Kind))
	}
	return list
}

// sameThread checks which letters are in one conversation and which are not.
func (h *house) sameThread(want bool, a, b string) {
	h.t.Helper()
	if got := h.letter(a).ThreadID == h.letter(b).ThreadID; got != want {
		h.t.Errorf("%s and %s in one thread: %v, want %v", a, b, got, want)
	}
}

// clients returns the clients that a letter is tied to.
func (h *house) clients(id string) []int64 {
	h.t.Helper()
	links, err := h.db.Read().CurrentLinks(h.t.Context(), []int64{h.letter(id).ID})
	h.must(err)
	var ids []int64
	for _, l := range links {
		ids = append(ids, l.ClientID)
	}
	return ids
}

// dump is everything that is stored about letters, in a form that can be compared.
func (h *house) dump() string {
	h.t.Helper()
	ctx, q := context.Background(), h.db.Read()
	var ids []int64
	for id := int64(1); id <= 200; id++ {
		ids = append(ids, id)
	}
	var b strings.Builder
	letters, err := q.LettersByIDs(ctx, ids)
	h.must(err)
	links, err := q.CurrentLinks(ctx, ids)
	h.must(err)
	copies, err := q.LocationsOfLetters(ctx, ids)
	h.must(err)
	refs, err := q.ReferencesOf(ctx, ids)
	h.must(err)
	events, err := q.EventsAfter(ctx, 0, 10000)
	h.must(err)
	folders, err := q.Folders(ctx, 0)
	h.must(err)
	status, err := q.Status(ctx)
	h.must(err)
	for _, l := range letters {
		fmt.Fprintf(&b, "letter %d %s thread %d text %d refs %v\n", l.ID, l.MessageID, l.ThreadID, len(l.Text), refs[l.ID])
		decisions, err := q.DecisionsOf(ctx, l.ID)
		h.must(err)
		for _, d := range decisions {
			fmt.Fprintf(&b, "decision %d %d %s %s\n", d.ID, d.LocationID, d.Rule, d.Target)
		}
	}
	var last int64
	for _, l := range letters {
		last = max(last, l.ThreadID)
	}
	for id := int64(1); id <= last+3; id++ { // also those that no letter is in
		if t, err := q.Thread(ctx, id); err == nil {
			fmt.Fprintf(&b, "thread %d %v\n", t.ID, t.LastAt.UTC())
		}
	}
	for _, l := range links {
		fmt.Fprintf(&b, "link %d %d %d %s\n", l.ID, l.LetterID, l.ClientID, l.Method)
	}
	for _, l := range copies {
		fmt.Fprintf(&b, "copy %d of %d in %d/%d/%d %v hands off %v gone %v\n", l.ID, l.LetterID, l.FolderID, l.UIDValidity, l.UID, l.Flags, l.HandsOff, l.GoneAt != nil)
	}
	for _, f := range folders {
		fmt.Fprintf(&b, "folder %d %d %d\n", f.ID, f.UIDValidity, f.LastUID)
	}
	for _, e := range events {
		fmt.Fprintf(&b, "event %s %s\n", e.Kind, *e.DedupeKey)
	}
	for _, m := range status.Mailboxes {
		fmt.Fprintf(&b, "mailbox %d filings %v quarantine %d\n", m.ID, slices.Sorted(maps.Keys(m.Filings)), m.Quarantine)
	}
	fmt.Fprintf(&b, "jobs %d\n", status.JobsWaiting)
	return b.String()
}
