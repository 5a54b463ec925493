package store

import (
	"context"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"

	"kontrol/models"
)

// LetterFilter narrows ListLetters. The zero value takes all letters.
type LetterFilter struct {
	MailboxID  int64             // only those with a live copy in this mailbox
	Role       models.FolderRole // only those with a live copy in a folder of this role (of MailboxID, when that is set)
	ClientID   int64             // only those tied to this client now
	DealID     int64             // only those tied to this deal now
	ThreadID   int64
	Class      models.Class
	Direction  models.Direction
	Query      string    // part of the subject, of the sender's address or name, or the whole Message-ID
	Since      time.Time // arrived then or later
	Until      time.Time // arrived earlier than that
	Unanswered bool      // inbound letters of persons after which no person's letter of ours came in the thread
	Unlinked   bool      // tied to no client
	Limit      int       // zero means 50
	BeforeID   int64     // only those that are listed after this letter: the last id of the page before
}

// ListedLetter is a letter with where it lies and whose it is.
type ListedLetter struct {
	models.Letter
	Locations []models.Location // live copies, with Folder filled in
	Links     []models.Link     // that hold now, with Client and Deal filled in
}

// How many letters are listed when the filter does not say.
const defaultLimit = 50

// ListLetters returns the letters that the filter takes, the last to arrive first. Texts of letters are left out.
func (q *Queries) ListLetters(ctx context.Context, f LetterFilter) ([]ListedLetter, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	g := f.where(q.on(ctx)).Omit("text").Order("arrived_at DESC, id DESC").Limit(f.Limit)
	var letters []models.Letter
	if err := g.Find(&letters).Error; err != nil {
		return nil, failed("list letters", err)
	}
	ids := make([]int64, 0, len(letters))
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	locations, err := q.LiveLocationsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	links, err := q.CurrentLinks(ctx, ids)
	if err != nil {
		return nil, err
	}
	at := group(locations, func(l models.Location) int64 { return l.LetterID })
	tied := group(links, func(l models.Link) int64 { return l.LetterID })
	out := make([]ListedLetter, 0, len(letters))
	for _, l := range letters {
		out = append(out, ListedLetter{Letter: l, Locations: at[l.ID], Links: tied[l.ID]})
	}
	return out, nil
}

func (f LetterFilter) where(g *gorm.DB) *gorm.DB {
	g = f.wherePlaced(f.whereTied(g))
	if f.ThreadID != 0 {
		g = g.Where("thread_id = ?", f.ThreadID)
	}
	if f.Class != "" {
		g = g.Where("class = ?", f.Class)
	}
	if f.Direction != "" {
		g = g.Where("direction = ?", f.Direction)
	}
	if !f.Since.IsZero() {
		g = g.Where("arrived_at >= ?", instant(f.Since))
	}
	if !f.Until.IsZero() {
		g = g.Where("arrived_at < ?", instant(f.Until))
	}
	if f.BeforeID != 0 {
		g = g.Where("(arrived_at, id) < (SELECT edge.arrived_at, edge.id FROM letters edge WHERE edge.id = ?)", f.BeforeID)
	}
	if f.Unanswered {
		g = g.Where("direction = ? AND class = ?", models.Inbound, models.ClassPerson).
			Where(`NOT EXISTS (SELECT 1 FROM letters ours WHERE ours.thread_id = letters.thread_id AND ours.direction = ?
				AND ours.class = ? AND ours.arrived_at >= letters.arrived_at)`, models.Outbound, models.ClassPerson)
	}
	if query := strings.TrimSpace(f.Query); query != "" {
		g = g.Where(textQuery(g, query))
	}
	return g
}

// wherePlaced asks for one live copy that fits both mailbox and role.
func (f LetterFilter) wherePlaced(g *gorm.DB) *gorm.DB {
	if f.MailboxID == 0 && f.Role == "" {
		return g
	}
	text := `EXISTS (SELECT 1 FROM locations JOIN folders ON folders.id = locations.folder_id
		WHERE locations.letter_id = letters.id AND locations.gone_at IS NULL`
	var args []any
	if f.MailboxID != 0 {
		text += " AND locations.mailbox_id = ?"
		args = append(args, f.MailboxID)
	}
	if f.Role != "" {
		text += " AND folders.role = ?"
		args = append(args, f.Role)
	}
	return g.Where(text+")", args...)
}

func (f LetterFilter) whereTied(g *gorm.DB) *gorm.DB {
	const now = "EXISTS (SELECT 1 FROM links WHERE links.letter_id = letters.id AND links.superseded_at IS NULL"
	if f.ClientID != 0 {
		g = g.Where(now+" AND links.client_id = ?)", f.ClientID)
	}
	if f.DealID != 0 {
		g = g.Where(now+" AND links.deal_id = ?)", f.DealID)
	}
	if f.Unlinked {
		g = g.Where("NOT " + now + ")")
	}
	return g
}

// textQuery looks for words of a person. Neither database folds Cyrillic the same way, so the folded subject is used, and
// names are looked for as written, in lower case and capitalised.
func textQuery(g *gorm.DB, query string) *gorm.DB {
	fresh := g.Session(&gorm.Session{NewDB: true})
	folded := strings.ReplaceAll(strings.ToLower(query), "ё", "е")
	where := fresh.Where("base_subject LIKE ? ESCAPE '!'", like(folded)).
		Or("subject LIKE ? ESCAPE '!'", like(query)).
		Or("from_address LIKE ? ESCAPE '!'", like(strings.ToLower(query))).
		Or("message_id = ?", strings.Trim(storable(query), "<>"))
	for _, name := range []string{query, strings.ToLower(query), capitalised(query)} {
		where = where.Or("from_name LIKE ? ESCAPE '!'", like(name))
	}
	return where
}

func capitalised(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		upper := start
		start = unicode.IsSpace(r) || r == '-'
		if upper {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}
