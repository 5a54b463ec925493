package store

import (
	"context"
	"database/sql"
	"time"

	"kontrol/models"
)

// What is read here is only what taking letters in and deciding about them need, in a fixed number of statements for a
// whole batch.

// KnownLetters returns ID, Fingerprint, ThreadID and Class of the letters with any of the fingerprints, by fingerprint.
func (q *Queries) KnownLetters(ctx context.Context, fingerprints []string) (map[string]models.Letter, error) {
	out := make(map[string]models.Letter)
	err := readSet(ctx, q, "read letters by fingerprint", "SELECT id, fingerprint, thread_id, class FROM letters WHERE fingerprint IN (?)", fingerprints,
		func(r *sql.Rows) error {
			var l models.Letter
			err := r.Scan(&l.ID, &l.Fingerprint, &l.ThreadID, &l.Class)
			out[l.Fingerprint] = l
			return err
		})
	return out, err
}

// readSet is each for a statement with one set. An empty set finds nothing.
func readSet[T int64 | uint32 | string](ctx context.Context, q *Queries, doing, text string, list []T, scan func(*sql.Rows) error, more ...any) error {
	if len(list) == 0 {
		return nil
	}
	set, err := values(q, list)
	if err != nil {
		return failed(doing, err)
	}
	return q.each(ctx, doing, text, scan, append([]any{set}, more...)...)
}

// ThreadsNamed returns the threads of the letters that have one of the Message-IDs, by Message-ID, each thread once.
func (q *Queries) ThreadsNamed(ctx context.Context, messageIDs []string) (map[string][]int64, error) {
	return q.threadsBy(ctx, "read threads by message-id", "SELECT DISTINCT message_id, thread_id FROM letters WHERE message_id IN (?)", messageIDs)
}

// ThreadsNaming returns the threads of the letters that name one of the Message-IDs in References or In-Reply-To, by
// Message-ID, each thread once.
func (q *Queries) ThreadsNaming(ctx context.Context, messageIDs []string) (map[string][]int64, error) {
	return q.threadsBy(ctx, "read threads by reference", `SELECT DISTINCT letter_references.message_id, letters.thread_id FROM letter_references
		JOIN letters ON letters.id = letter_references.letter_id WHERE letter_references.message_id IN (?)`, messageIDs)
}

func (q *Queries) threadsBy(ctx context.Context, doing, text string, messageIDs []string) (map[string][]int64, error) {
	out := make(map[string][]int64)
	err := readSet(ctx, q, doing, text, storableAll(messageIDs), func(r *sql.Rows) error {
		var messageID string
		var thread int64
		err := r.Scan(&messageID, &thread)
		out[messageID] = append(out[messageID], thread)
		return err
	})
	return out, err
}

// ThreadsOf returns the threads of the letters, each once.
func (q *Queries) ThreadsOf(ctx context.Context, letterIDs []int64) ([]int64, error) {
	var ids []int64
	err := readSet(ctx, q, "read threads of letters", "SELECT DISTINCT thread_id FROM letters WHERE id IN (?)", letterIDs, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// TiesOfThreads returns, by thread, the current links that tell to whom the threads belong, with Client.Name filled in: of
// the links that name the same client and deal, and were made by a person or were not, the last one.
func (q *Queries) TiesOfThreads(ctx context.Context, threadIDs []int64) (map[int64][]models.Link, error) {
	out := make(map[int64][]models.Link)
	err := readSet(ctx, q, "read links of threads", `SELECT last.thread_id, links.id, links.letter_id, links.client_id, links.deal_id, links.method,
			links.created_at, clients.name
		FROM (SELECT letters.thread_id AS thread_id, MAX(links.id) AS id FROM letters JOIN links ON links.letter_id = letters.id
			WHERE letters.thread_id IN (?) AND links.superseded_at IS NULL
			GROUP BY letters.thread_id, links.client_id, links.deal_id, CASE WHEN links.method = 'manual' THEN links.id ELSE 0 END) AS last
		JOIN links ON links.id = last.id JOIN clients ON clients.id = links.client_id ORDER BY links.id`, threadIDs,
		func(r *sql.Rows) error {
			var thread int64
			l := models.Link{Client: &models.Client{}}
			err := r.Scan(&thread, &l.ID, &l.LetterID, &l.ClientID, &l.DealID, &l.Method, &l.CreatedAt, &l.Client.Name)
			l.Client.ID = l.ClientID
			out[thread] = append(out[thread], l)
			return err
		})
	return out, err
}

// ThreadMembers returns the addresses in From, Reply-To, To and Cc of those letters of a thread that persons wrote and
// that are tied to the client at present. An address may come several times. The
// sum in the query keeps databases from starting with all links of the client, of which there may be thousands.
func (q *Queries) ThreadMembers(ctx context.Context, threadID, clientID int64) ([]string, error) {
	var all []string
	err := q.each(ctx, "read members of thread", `SELECT DISTINCT letters.from_address, letters.reply_to, letters."to", letters.cc FROM letters
		JOIN links ON links.letter_id = letters.id AND links.superseded_at IS NULL AND links.client_id + 0 = ?
		WHERE letters.thread_id = ? AND letters.class = ?`, func(r *sql.Rows) error {
		var from string
		var reply, to, cc models.Strings
		err := r.Scan(&from, &reply, &to, &cc)
		all = append(append(append(append(all, from), reply...), to...), cc...)
		return err
	}, clientID, threadID, string(models.ClassPerson))
	return all, err
}

// CopyToDecide is a copy of a letter of a conversation that matters when it is decided about.
type CopyToDecide struct {
	Letter   models.Letter // without Subject, Date, Size, Text, Problems and CreatedAt
	Location models.Location
	Role     models.FolderRole
}

// CopiesToDecide returns, in no particular order, what of the threads matters when it is decided about: the copies that
// are in an inbox now, those that are or were in a Sent folder, and those that are somewhere and starred (and perhaps some
// others). The sum in the query keeps databases from starting with all copies in a folder. Of the copy ID, LetterID, MailboxID, FolderID, Flags, HandsOff, FirstLook, SeenAt and GoneAt are filled in.
func (q *Queries) CopiesToDecide(ctx context.Context, threadIDs []int64) ([]CopyToDecide, error) {
	var out []CopyToDecide
	err := readSet(ctx, q, "read copies of threads", `SELECT letters.id, letters.fingerprint, letters.message_id, letters.thread_id, letters.direction,
			letters.class, letters.from_address, letters.from_name, letters.reply_to, letters."to", letters.cc, letters.base_subject,
			letters.arrived_at, letters.class_reason, locations.id, locations.mailbox_id, locations.folder_id, locations.flags,
			locations.hands_off, locations.first_look, locations.seen_at, locations.gone_at, folders.role
		FROM letters JOIN locations ON locations.letter_id = letters.id JOIN folders ON folders.id = locations.folder_id + 0
		WHERE letters.thread_id IN (?) AND (folders.role = 'sent'
			OR locations.gone_at IS NULL AND (folders.role = 'inbox' OR lower(locations.flags) LIKE '%flagged%'))`, threadIDs,
		func(r *sql.Rows) error {
			var c CopyToDecide
			l, k := &c.Letter, &c.Location
			err := r.Scan(&l.ID, &l.Fingerprint, &l.MessageID, &l.ThreadID, &l.Direction, &l.Class, &l.FromAddress, &l.FromName, &l.ReplyTo,
				&l.To, &l.Cc, &l.BaseSubject, &l.ArrivedAt, &l.ClassReason, &k.ID, &k.MailboxID, &k.FolderID, &k.Flags, &k.HandsOff,
				&k.FirstLook, &k.SeenAt, &k.GoneAt, &c.Role)
			k.LetterID = l.ID
			out = append(out, c)
			return err
		})
	return out, err
}

// MailboxesToDecide returns ID, Address and State of the mailboxes, by id, and the ids of their folders, by mailbox and
// role.
func (q *Queries) MailboxesToDecide(ctx context.Context, ids []int64) (map[int64]models.Mailbox, map[int64]map[models.FolderRole]int64, error) {
	boxes, folders := make(map[int64]models.Mailbox), make(map[int64]map[models.FolderRole]int64)
	err := readSet(ctx, q, "read mailboxes", "SELECT id, address, state FROM mailboxes WHERE id IN (?)", ids, func(r *sql.Rows) error {
		var b models.Mailbox
		err := r.Scan(&b.ID, &b.Address, &b.State)
		boxes[b.ID], folders[b.ID] = b, make(map[models.FolderRole]int64)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = readSet(ctx, q, "read folders", "SELECT id, mailbox_id, role FROM folders WHERE mailbox_id IN (?)", ids, func(r *sql.Rows) error {
		var id, mailbox int64
		var role models.FolderRole
		err := r.Scan(&id, &mailbox, &role)
		if folders[mailbox] != nil {
			folders[mailbox][role] = id
		}
		return err
	})
	return boxes, folders, err
}

// LaterLetters returns ID, Fingerprint, MessageID, ThreadID, Direction, FromAddress and ArrivedAt of those letters from
// outside in the threads that have a Message-ID and arrived no earlier than the instant, in no particular order.
func (q *Queries) LaterLetters(ctx context.Context, threadIDs []int64, since time.Time) ([]models.Letter, error) {
	var out []models.Letter
	err := readSet(ctx, q, "read later letters of threads", `SELECT id, fingerprint, message_id, thread_id, direction, from_address, arrived_at FROM letters
		WHERE thread_id IN (?) AND arrived_at >= ? AND direction = ? AND message_id <> ''`, threadIDs, func(r *sql.Rows) error {
		var l models.Letter
		err := r.Scan(&l.ID, &l.Fingerprint, &l.MessageID, &l.ThreadID, &l.Direction, &l.FromAddress, &l.ArrivedAt)
		out = append(out, l)
		return err
	}, instant(since), string(models.Inbound))
	return out, err
}

// Naming returns which of the Message-IDs each of the letters names in References or In-Reply-To, in their order.
func (q *Queries) Naming(ctx context.Context, letterIDs []int64, messageIDs []string) (map[int64][]string, error) {
	out := make(map[int64][]string)
	if len(messageIDs) == 0 || len(letterIDs) == 0 {
		return out, nil
	}
	ids, err := values(q, letterIDs)
	if err != nil {
		return nil, failed("read references", err)
	}
	// The plus keeps the databases from looking at every reference of every letter.
	err = readSet(ctx, q, "read references", `SELECT letter_id, message_id FROM letter_references WHERE message_id IN (?) AND +letter_id IN (?)
		ORDER BY letter_id, position`, storableAll(messageIDs), func(r *sql.Rows) error {
		var letter int64
		var messageID string
		err := r.Scan(&letter, &messageID)
		out[letter] = append(out[letter], messageID)
		return err
	}, ids)
	return out, err
}

// LastDecision is the newest decision about a copy: what is compared with the next one.
type LastDecision struct {
	ID       int64
	Action   models.Action
	Target   models.FolderRole
	Rule     string
	AnswerID *int64
	Trace    string // as it is stored
}

// LastDecisions returns the newest decision about each of the copies. Copies without one are missing.
func (q *Queries) LastDecisions(ctx context.Context, locationIDs []int64) (map[int64]LastDecision, error) {
	out := make(map[int64]LastDecision)
	err := readSet(ctx, q, "read last decisions", `SELECT location_id, id, action, target, rule, answer_id, trace FROM decisions WHERE location_id IN (?)
		AND NOT EXISTS (SELECT 1 FROM decisions later WHERE later.location_id = decisions.location_id AND later.id > decisions.id)`, locationIDs,
		func(r *sql.Rows) error {
			var location int64
			var d LastDecision
			err := r.Scan(&location, &d.ID, &d.Action, &d.Target, &d.Rule, &d.AnswerID, &d.Trace)
			out[location] = d
			return err
		})
	return out, err
}

// FilingsToDecide returns ID, LocationID, State, TargetFolderID and FinishedAt of all filings of the copies, by copy, by
// ascending id.
func (q *Queries) FilingsToDecide(ctx context.Context, locationIDs []int64) (map[int64][]models.Filing, error) {
	out := make(map[int64][]models.Filing)
	err := readSet(ctx, q, "read filings of copies", `SELECT id, location_id, state, target_folder_id, finished_at FROM filings
		WHERE location_id IN (?) ORDER BY id`, locationIDs, func(r *sql.Rows) error {
		var f models.Filing
		err := r.Scan(&f.ID, &f.LocationID, &f.State, &f.TargetFolderID, &f.FinishedAt)
		out[f.LocationID] = append(out[f.LocationID], f)
		return err
	})
	return out, err
}

// ClientToDecide is what the rules want to know about a client.
type ClientToDecide struct {
	Client    models.Client // ID and Name
	Addresses []string      // normalised, of all contacts
}

// LinksToDecide returns ID, LetterID, ClientID and DealID of the links of the letters that hold now, by letter, by
// ascending id, and the clients that they lead to, by id.
func (q *Queries) LinksToDecide(ctx context.Context, letterIDs []int64) (map[int64][]models.Link, map[int64]*ClientToDecide, error) {
	links, clients := make(map[int64][]models.Link), make(map[int64]*ClientToDecide)
	var ids []int64
	err := readSet(ctx, q, "read links", "SELECT id, letter_id, client_id, deal_id FROM links WHERE letter_id IN (?) AND superseded_at IS NULL ORDER BY id",
		letterIDs, func(r *sql.Rows) error {
			var l models.Link
			err := r.Scan(&l.ID, &l.LetterID, &l.ClientID, &l.DealID)
			links[l.LetterID] = append(links[l.LetterID], l)
			ids = append(ids, l.ClientID)
			return err
		})
	if err != nil {
		return nil, nil, err
	}
	err = readSet(ctx, q, "read clients", "SELECT id, name FROM clients WHERE id IN (?)", ids, func(r *sql.Rows) error {
		c := &ClientToDecide{}
		err := r.Scan(&c.Client.ID, &c.Client.Name)
		clients[c.Client.ID] = c
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = readSet(ctx, q, "read addresses of clients", `SELECT contacts.client_id, contact_points.value FROM contacts
		JOIN contact_points ON contact_points.contact_id = contacts.id AND contact_points.kind = 'email'
		WHERE contacts.client_id IN (?) ORDER BY contacts.id, contact_points.id`, ids, func(r *sql.Rows) error {
		var id int64
		var address string
		err := r.Scan(&id, &address)
		if c := clients[id]; c != nil {
			c.Addresses = append(c.Addresses, address)
		}
		return err
	})
	return links, clients, err
}

// ThreadBySubject returns the thread, ArrivedAt and ID of the newest letter with the base subject that arrived between the
// two instants, both included, and is linked to the client at present; models.ErrNotFound when there is none.
func (q *Queries) ThreadBySubject(ctx context.Context, baseSubject string, clientID int64, since, until time.Time) (models.Letter, error) {
	var found models.Letter
	err := q.each(ctx, "read letters by subject", `SELECT letters.id, letters.thread_id, letters.arrived_at FROM letters
		JOIN links ON links.letter_id = letters.id AND links.client_id = ? AND links.superseded_at IS NULL
		WHERE letters.base_subject = ? AND letters.arrived_at >= ? AND letters.arrived_at <= ?`, func(r *sql.Rows) error {
		var l models.Letter
		err := r.Scan(&l.ID, &l.ThreadID, &l.ArrivedAt)
		if at := l.ArrivedAt.Compare(found.ArrivedAt); found.ID == 0 || at > 0 || at == 0 && l.ID > found.ID {
			found = l
		}
		return err
	}, clientID, storable(baseSubject), instant(since), instant(until))
	if err == nil && found.ID == 0 {
		err = failed("read letters by subject", models.ErrNotFound)
	}
	return found, err
}

// ArrivedAt returns when the letters arrived, by id.
func (q *Queries) ArrivedAt(ctx context.Context, letterIDs []int64) (map[int64]time.Time, error) {
	out := make(map[int64]time.Time)
	err := readSet(ctx, q, "read arrivals", "SELECT id, arrived_at FROM letters WHERE id IN (?)", letterIDs, func(r *sql.Rows) error {
		var id int64
		var at time.Time
		err := r.Scan(&id, &at)
		out[id] = at
		return err
	})
	return out, err
}
