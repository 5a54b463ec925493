package daemon

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontrol/deals"
	"kontrol/imapsync"
	"kontrol/inbound"
	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// matchCase is a scenario of testdata/matching: letters that are taken in one after the other, and whose the last one is to be.
type matchCase struct {
	name, about, want string
	deals             []int64 // that are open
	private           string
	named             inbound.Facts // what the last letter names, for readers that do not find it out
	files             []string
}

func matchCases(t *testing.T) []matchCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "matching", "*", "want.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	list := make([]matchCase, 0, len(paths))
	for _, p := range paths {
		c := readCase(t, p)
		c.name = filepath.Base(filepath.Dir(p))
		if c.files, err = filepath.Glob(filepath.Join(filepath.Dir(p), "[0-9]-*")); err != nil || len(c.files) == 0 {
			t.Fatalf("%s: no letters: %v", c.name, err)
		}
		list = append(list, c)
	}
	return list
}

func readCase(t *testing.T, path string) matchCase {
	t.Helper()
	f, err := os.Open(path) //nolint:gosec // a file of the tests
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var c matchCase
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "about":
			c.about = value
		case "want":
			c.want = value
		case "private":
			c.private = value
		case "deals":
			for _, n := range strings.Fields(value) {
				if number, err := strconv.ParseInt(n, 10, 64); err == nil {
					c.deals = append(c.deals, number)
				}
			}
		case "named":
			c.names(value)
		}
	}
	return c
}

func (c *matchCase) names(value string) {
	for part := range strings.SplitSeq(value, ",") {
		what, v, _ := strings.Cut(part, "=")
		switch what {
		case "inn":
			c.named.Named.INN = append(c.named.Named.INN, v)
		case "phone":
			c.named.Named.Phones = append(c.named.Named.Phones, v)
		case "offer":
			c.named.Named.Offers = append(c.named.Named.Offers, v)
		case "deal":
			c.named.Named.Deals = append(c.named.Named.Deals, v)
		case "reply":
			c.named.ReplyText = v
		case "signature":
			c.named.Signature = strings.ReplaceAll(v, "|", "\n")
		}
	}
}

// orFacts fills in what inbound has not found out.
func orFacts(f, named inbound.Facts) inbound.Facts {
	pick := func(list *[]string, other []string) {
		if len(*list) == 0 {
			*list = other
		}
	}
	pick(&f.Named.INN, named.Named.INN)
	pick(&f.Named.Phones, named.Named.Phones)
	pick(&f.Named.Offers, named.Named.Offers)
	pick(&f.Named.Deals, named.Named.Deals)
	if f.ReplyText == "" {
		f.ReplyText = named.ReplyText
	}
	if f.Signature == "" {
		f.Signature = named.Signature
	}
	return f
}

// matchHouse is a house with two clients and three deals: #1 «Насосы» and #2 «Котлы» of Ромашка, #3 «Лампы» of Лютик.
func matchHouse(t *testing.T, h *house, c matchCase) deals.TokenKey {
	t.Helper()
	h.set.OwnINN = "7710140679"
	h.set.Private = inbound.NewOwn([]string{c.private}, nil)
	inns := []string{"7707083893", "7736050003"}
	romashka := store.ClientCard{Client: models.Client{Name: "Ромашка", INN: &inns[0]},
		Domains: []models.ClientDomain{{Domain: "romashka.example"}, {Domain: "xn--80aa3agjl3d.xn--p1ai"}},
		Contacts: []store.ContactCard{{Contact: models.Contact{Name: "Иван Петров"}, Points: []models.ContactPoint{{Kind: models.PointEmail, Value: ivan},
			{Kind: models.PointEmail, Value: "ivan.petrov@gmail.com"}, {Kind: models.PointPhone, Value: "+79123456789"}}}}}
	lutik := store.ClientCard{Client: models.Client{Name: "Лютик", INN: &inns[1]}, Contacts: []store.ContactCard{{
		Points: []models.ContactPoint{{Kind: models.PointEmail, Value: "lutik@mail.ru"}}}}}
	var key deals.TokenKey
	h.tx(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.CreateClient(ctx, &romashka, "test"); err != nil {
			return err
		}
		if err := tx.CreateClient(ctx, &lutik, "test"); err != nil {
			return err
		}
		for i, d := range []models.Deal{{ClientID: romashka.ID, Title: "Насосы"}, {ClientID: romashka.ID, Title: "Котлы"}, {ClientID: lutik.ID, Title: "Лампы"}} {
			if !slices.Contains(c.deals, int64(i+1)) {
				d.StageCode = "won"
			}
			if err := tx.CreateDeal(ctx, &d, "test"); err != nil {
				return err
			}
		}
		k, err := tx.Secret(ctx, tokenSecret)
		key = k
		return err
	})
	h.restart()
	return key
}

// play hands the letters of a scenario over and returns the last one that was stored.
func (h *house) play(c matchCase, key deals.TokenKey) models.Letter {
	h.t.Helper()
	marks := strings.NewReplacer(
		"MSGID2", key.MessageID(2, "x1", "teplodom.example"), "MARK1", strings.Trim(key.Mark(1), "[]"), "MARK2", strings.Trim(key.Mark(2), "[]"),
		"MARK3", strings.Trim(key.Mark(3), "[]"),
	)
	for i, path := range c.files {
		data, err := os.ReadFile(path) //nolint:gosec // a file of the tests
		h.must(err)
		text := marks.Replace(string(data))
		words := strings.Split(strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".eml"), ".txt"), "-")
		if words[1] == "byhand" {
			h.linkLast(strings.TrimSpace(text))
			continue
		}
		if len(words) > 3 {
			h.restart()
		}
		who := map[string]string{"anna": anna, "boris": boris}[words[1]]
		h.arriveRaw(who, models.FolderRole(words[2]), text, c.named, i == len(c.files)-1)
	}
	return h.last()
}

func (h *house) last() models.Letter {
	h.t.Helper()
	list, err := h.db.Read().ListLetters(h.t.Context(), store.LetterFilter{Limit: 1000})
	h.must(err)
	return slices.MaxFunc(list, func(a, b store.ListedLetter) int { return int(a.ID - b.ID) }).Letter
}

func (h *house) linkLast(number string) {
	h.t.Helper()
	n, err := strconv.ParseInt(number, 10, 64)
	h.must(err)
	d, err := h.db.Read().Deal(h.t.Context(), n)
	h.must(err)
	_, err = LinkByHand(h.t.Context(), h.db, h.set, ByHand{LetterID: h.last().ID, ClientID: d.ClientID, DealID: &d.ID, Teach: true, Actor: "anna"},
		func() time.Time { return h.now })
	h.must(err)
}

// arriveRaw takes in one letter as it lies on the server.
func (h *house) arriveRaw(who string, role models.FolderRole, text string, named inbound.Facts, last bool) {
	h.t.Helper()
	header, body, _ := strings.Cut(strings.ReplaceAll(text, "\n", "\r\n"), "\r\n\r\n")
	header += "\r\n\r\n"
	at := h.now
	for line := range strings.Lines(header) {
		if v, ok := strings.CutPrefix(line, "Date: "); ok {
			var err error
			at, err = time.Parse(time.RFC1123Z, strings.TrimSpace(v))
			h.must(err)
		}
	}
	f := h.boxes[who].folders[role]
	f.LastUID++
	a := imapsync.Arrival{Folder: *f, Letters: []imapsync.Fetched{{
		UID: f.LastUID, InternalDate: at, Size: int64(len(header) + len(body)), Header: []byte(header), Text: []byte(body),
	}}}
	read := readAll(a.Letters, h.set.Own)
	if last {
		read[0].facts = orFacts(read[0].facts, named)
	}
	h.must(h.in.commit(h.t.Context(), &h.set, f.MailboxID, 1, "take letters in", func(ctx context.Context, w *work) error {
		if err := w.takeBatch(ctx, a, read); err != nil {
			return err
		}
		return w.tx.AdvanceFolder(ctx, a.Folder)
	}))
}

// verdict tells whose a letter is, as the scenarios do.
func (h *house) verdict(l models.Letter) string {
	h.t.Helper()
	ctx, q := h.t.Context(), h.db.Read()
	links, err := q.CurrentLinks(ctx, []int64{l.ID})
	h.must(err)
	proposals, err := q.ProposalsOf(ctx, l.ID)
	h.must(err)
	var parts []string
	for _, k := range links {
		parts = append(parts, named(k.Client, k.Deal)+" "+string(k.Method)+map[bool]string{true: " ask"}[k.Ask])
		if strings.Contains(fmt.Sprint(k.Evidence), "deals.deal.reopen") {
			parts = append(parts, "reopen")
		}
	}
	slices.SortStableFunc(parts, func(a, b string) int { return int(b[0]) - int(a[0]) }) // clients before remarks
	for _, p := range proposals {
		switch p.Kind {
		case models.ProposeClient:
			parts = append(parts, fmt.Sprintf("new client %s <%s>", p.Draft.Name, p.Draft.Address))
		case models.ProposeReview:
			parts = append(parts, "review "+named(p.Client, p.Deal)+" "+string(p.Method))
		case models.ProposeForward:
			parts = append(parts, "forward "+named(p.Client, p.Deal))
		case models.ProposeDeal:
			parts = append(parts, "new deal "+named(p.Client, p.Deal))
		}
	}
	return strings.Join(append(parts, h.circumstances(l)...), ", ")
}

func named(c *models.Client, d *models.Deal) string {
	s := c.Name
	if d != nil {
		s += fmt.Sprintf(" #%d", d.Number)
	}
	return s
}

// circumstances tells what else a scenario may want to know about the letter.
func (h *house) circumstances(l models.Letter) (parts []string) {
	h.t.Helper()
	ctx, q := h.t.Context(), h.db.Read()
	if l.MessageID == "" && l.FromAddress == "" {
		parts = append(parts, "not stored "+string(l.Class))
	}
	copies, err := q.LocationsOf(ctx, l.ID)
	h.must(err)
	if len(copies) > 1 {
		parts = append(parts, fmt.Sprintf("%d copies", len(copies)))
	}
	if l.MessageID != "" {
		same, err := q.LettersByMessageIDs(ctx, []string{l.MessageID})
		h.must(err)
		if len(same) > 1 {
			parts = append(parts, fmt.Sprintf("%d letters", len(same)))
		}
	}
	thread, err := q.ThreadLetters(ctx, l.ThreadID)
	h.must(err)
	if len(thread) == 1 && inbound.IsReply(l.Subject) && len(parts) == 0 {
		all, err := q.ListLetters(ctx, store.LetterFilter{Limit: 10})
		h.must(err)
		if len(all) > 1 {
			parts = append(parts, "alone in thread")
		}
	}
	return parts
}

// TestMatching takes the scenarios in, on both databases, and prints the table.
func TestMatching(t *testing.T) {
	t.Parallel()
	for _, c := range matchCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				h := houseOn(t, db)
				got := h.verdict(h.play(c, matchHouse(t, h, c)))
				t.Logf("%s | %s", c.about, got)
				if got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			})
		})
	}
}
