package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
	"kontrol/names"
)

// Forgotten tells which of the values (normalised addresses, domains, phones, INNs) belong to forgotten clients: by value,
// the number of the act. A value on the list is not stored again by an import, and letters of that time from and to it are
// stored without their words.
func (q *Queries) Forgotten(ctx context.Context, values []string) (map[string]string, error) {
	found, err := q.forgottenActs(ctx, values)
	out := make(map[string]string, len(found))
	for v, act := range found {
		out[v] = act.Number
	}
	return out, err
}

// ForgottenSince is Forgotten with when each value was forgotten.
func (q *Queries) ForgottenSince(ctx context.Context, values []string) (map[string]time.Time, error) {
	found, err := q.forgottenActs(ctx, values)
	out := make(map[string]time.Time, len(found))
	for v, act := range found {
		out[v] = act.MadeAt
	}
	return out, err
}

func (q *Queries) forgottenActs(ctx context.Context, values []string) (map[string]models.ForgetAct, error) {
	key, err := q.forgetKey(ctx)
	if err != nil || key == nil || len(values) == 0 {
		return nil, err
	}
	byHash := make(map[string]string, len(values))
	hashes := make([]string, 0, len(values))
	for _, v := range values {
		h := forgetHash(key, v)
		byHash[h] = v
		hashes = append(hashes, h)
	}
	rows, err := findIn[models.ForgottenValue](q.on(ctx), "hash", hashes, func(g *gorm.DB) *gorm.DB { return g.Preload("Act") })
	out := make(map[string]models.ForgetAct, len(rows))
	for _, r := range rows {
		if r.Act != nil {
			out[byHash[r.Hash]] = *r.Act
		}
	}
	return out, failed("look for forgotten clients", err)
}

// forgetKey returns the key of the hashes, nil when nobody was forgotten yet.
func (q *Queries) forgetKey(ctx context.Context) ([]byte, error) {
	var rows []models.ForgetKey
	if err := q.on(ctx).Order("id").Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, failed("read key of forgotten values", err)
	}
	key, err := hex.DecodeString(rows[0].Key)
	return key, failed("read key of forgotten values", err)
}

func forgetHash(key []byte, value string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// Remember takes values off the list of forgotten ones: the person has come back by himself. It returns how many were on it.
func (tx *Tx) Remember(ctx context.Context, values []string) (int, error) {
	ctx, err := tx.mayChange(ctx, touched{department: true})
	if err != nil {
		return 0, err
	}
	key, err := tx.forgetKey(ctx)
	if err != nil || key == nil || len(values) == 0 {
		return 0, err
	}
	hashes := make([]string, 0, len(values))
	for _, v := range values {
		hashes = append(hashes, forgetHash(key, v))
	}
	res := tx.on(ctx).Where("hash IN ?", hashes).Delete(&models.ForgottenValue{})
	return int(res.RowsAffected), failed("remember forgotten values", res.Error)
}

// ForgetPlan is what forgetting a client would destroy and keep.
type ForgetPlan struct {
	Card    ClientCard
	Letters []int64 // their rows stay, without a word, so that the copies on the server are known again
	Notes   int
	Deals   []models.Deal
}

// PlanForget returns what forgetting the client would destroy. It returns models.ErrNotFound when there is no such client.
func (q *Queries) PlanForget(ctx context.Context, clientID int64) (ForgetPlan, error) {
	card, err := q.Client(ctx, clientID)
	if err != nil {
		return ForgetPlan{}, err
	}
	p := ForgetPlan{Card: card}
	if p.Letters, err = q.lettersToForget(ctx, card); err != nil {
		return p, err
	}
	notes, err := q.Notes(ctx, clientID)
	if err != nil {
		return p, err
	}
	p.Notes = len(notes)
	p.Deals, err = q.Deals(ctx, DealFilter{ClientID: clientID})
	return p, err
}

// lettersToForget returns the letters that are about a client: those tied to it, those from and to its addresses and
// domains, and the others of these conversations that are tied to nobody else.
func (q *Queries) lettersToForget(ctx context.Context, card ClientCard) ([]int64, error) {
	addresses, domains := reachOf(card)
	found := map[int64]bool{}
	add := func(where string, args ...any) error {
		var ids []int64
		err := q.on(ctx).Model(&models.Letter{}).Where(where, args...).Pluck("id", &ids).Error
		for _, id := range ids {
			found[id] = true
		}
		return failed("find letters of client", err)
	}
	const others = "EXISTS (SELECT 1 FROM links WHERE links.letter_id = letters.id AND superseded_at IS NULL AND client_id <> ?)"
	err := add("id IN (SELECT letter_id FROM links WHERE client_id = ? AND superseded_at IS NULL)", card.ID)
	if err == nil {
		err = add("id IN (SELECT letter_id FROM links WHERE client_id = ?) AND NOT "+others, card.ID, card.ID)
	}
	for part := range slices.Chunk(addresses, 100) {
		if err == nil {
			var text string
			var args []any
			if text, args, err = withAddresses(part); err == nil {
				text, args, err = withReplyTo(text, args, part)
			}
			if err == nil {
				err = add(text, args...)
			}
		}
	}
	for part := range slices.Chunk(domains, 100) {
		if err == nil {
			var text string
			var args []any
			if text, args, err = withDomains(part); err == nil {
				err = add(text, args...)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	err = inChunks(ids, func(part []int64) error {
		return add("thread_id IN (SELECT thread_id FROM letters WHERE id IN ?) AND NOT "+others, part, card.ID)
	})
	ids = ids[:0]
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, err
}

// withReplyTo asks for letters that name one of the addresses in Reply-To too.
func withReplyTo(text string, args []any, addresses []string) (string, []any, error) {
	for _, a := range addresses {
		p, err := likeItem(a, false)
		if err != nil {
			return "", nil, err
		}
		text += ` OR reply_to LIKE ? ESCAPE '!'`
		args = append(args, p)
	}
	return "(" + text + ")", args, nil
}

// reachOf returns the addresses and the domains of a client.
func reachOf(card ClientCard) (addresses, domains []string) {
	for _, c := range card.Contacts {
		for _, p := range c.Points {
			if p.Kind == models.PointEmail {
				addresses = append(addresses, p.Value)
			}
		}
	}
	for _, d := range card.Domains {
		domains = append(domains, d.Domain)
	}
	return addresses, domains
}

// Forgetting asks for the destruction of a client's personal data.
type Forgetting struct {
	ClientID   int64
	Pseudonym  string   // what the client and its deals are called from then on
	Number     string   // of the act
	Categories []string // of the data, as the act names them
	FileHash   string   // hex SHA-256 of the act on disk; "" when there is none
	Actor      string
}

// ErrForgotten is returned when a client's data was destroyed before.
var ErrForgotten = errors.New("client is forgotten already")

// ForgetClient destroys what is personal of a client: name, INN, contacts, addresses, domains, tags, notes, kept columns and
// texts, and everything that letters from and to it say. What stays is the client's number with its deals, their sums, stages
// and dates, under the pseudonym, and of each letter where its copies lie and a hash by which it is known again. The
// addresses, domains, phones and INN are put on a list as keyed hashes. The act is stored and returned.
//
// In the files of the database the old words are still to be found until DB.Scrub has been called after the commit.
func (tx *Tx) ForgetClient(ctx context.Context, f Forgetting) (models.ForgetAct, error) {
	ctx, err := tx.mayChange(ctx, touched{department: true})
	if err != nil {
		return models.ForgetAct{}, err
	}
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return models.ForgetAct{}, failed("forget client", err)
	}
	plan, err := tx.PlanForget(ctx, f.ClientID)
	if err != nil {
		return models.ForgetAct{}, err
	}
	if plan.Card.ForgottenAt != nil {
		return models.ForgetAct{}, fmt.Errorf("forget client %d: %w", f.ClientID, ErrForgotten)
	}
	act := models.ForgetAct{Number: f.Number, ClientID: f.ClientID, Pseudonym: f.Pseudonym, Categories: f.Categories,
		Letters: len(plan.Letters), Contacts: len(plan.Card.Contacts), Notes: plan.Notes, Deals: len(plan.Deals),
		FileHash: f.FileHash, Actor: f.Actor, MadeAt: tx.now()}
	if err := tx.on(ctx).Create(&act).Error; err != nil {
		return act, failed("store act", err)
	}
	if err := tx.listForgotten(ctx, act, plan.Card); err != nil {
		return act, err
	}
	if err := tx.eraseLetters(ctx, f.ClientID, plan.Letters); err != nil {
		return act, err
	}
	if err := tx.eraseClient(ctx, f); err != nil {
		return act, err
	}
	return act, tx.clientEvent(ctx, models.EventClientForgotten, f.ClientID, f.Actor, models.Say("store.event.client_forgotten", "Act", f.Number))
}

func (tx *Tx) listForgotten(ctx context.Context, act models.ForgetAct, card ClientCard) error {
	key, err := tx.forgetKey(ctx)
	if err != nil {
		return err
	}
	if key == nil {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return fmt.Errorf("make key of forgotten values: %w", err)
		}
		if err := tx.on(ctx).Create(&models.ForgetKey{Key: hex.EncodeToString(key)}).Error; err != nil {
			return failed("store key of forgotten values", err)
		}
	}
	var values []string
	if card.INN != nil {
		values = append(values, *card.INN)
	}
	for _, d := range card.Domains {
		values = append(values, d.Domain)
	}
	for _, c := range card.Contacts {
		for _, p := range c.Points {
			values = append(values, p.Value)
		}
	}
	var rows []models.ForgottenValue
	for _, v := range values {
		rows = append(rows, models.ForgottenValue{Hash: forgetHash(key, v), ActID: act.ID})
	}
	if len(rows) == 0 {
		return nil
	}
	return failed("store forgotten values", ignoring(tx.on(ctx)).Omit("Act").CreateInBatches(&rows, chunkSize).Error)
}

// statement is one step of erasing; it is run with what it names.
type statement struct {
	text string
	args []any
}

func (tx *Tx) run(ctx context.Context, doing string, list []statement) error {
	for _, s := range list {
		if err := tx.on(ctx).Exec(s.text, s.args...).Error; err != nil {
			return failed(doing, err)
		}
	}
	return nil
}

// erasedEvent is what events say whose words were destroyed.
func erasedEvent() (string, error) {
	v, err := models.Say("store.event.erased").Value()
	text, _ := v.(string)
	return text, err
}

// eraseLetters takes everything that letters say out of all tables, and leaves the rows by which the copies are known.
func (tx *Tx) eraseLetters(ctx context.Context, clientID int64, letters []int64) error {
	said, err := erasedEvent()
	if err != nil {
		return err
	}
	return inChunks(letters, func(ids []int64) error {
		return tx.run(ctx, "erase letters", []statement{
			{`DELETE FROM proposals WHERE letter_id IN ?`, []any{ids}},
			{`DELETE FROM letter_references WHERE letter_id IN ? OR message_id IN (SELECT message_id FROM letters WHERE id IN ? AND message_id <> '')`, []any{ids, ids}},
			{`DELETE FROM links WHERE letter_id IN ? AND client_id = ?`, []any{ids, clientID}},
			{`UPDATE links SET evidence = '' WHERE letter_id IN ?`, []any{ids}},
			{`DELETE FROM decisions WHERE letter_id IN ?`, []any{ids}},
			{`UPDATE filings SET reason = '', last_error = '' WHERE letter_id IN ?`, []any{ids}},
			{`UPDATE events SET text = ? WHERE letter_id IN ?`, []any{said, ids}},
			{`UPDATE letters SET message_id = '', from_address = '', from_name = '', reply_to = '[]', "to" = '[]', cc = '[]', subject = '',
				base_subject = '', date = NULL, text = '', class_reason = '', problems = '[]' WHERE id IN ?`, []any{ids}},
			{`UPDATE threads SET base_subject = '' WHERE id IN (SELECT thread_id FROM letters WHERE id IN ?)
				AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.thread_id = threads.id AND l.from_address <> '')`, []any{ids}},
		})
	})
}

// eraseClient takes the words out of the client's own tables. Sums, stages and dates stay.
func (tx *Tx) eraseClient(ctx context.Context, f Forgetting) error {
	said, err := erasedEvent()
	if err != nil {
		return err
	}
	id, now := f.ClientID, tx.now()
	list := []statement{
		{`DELETE FROM dismissed_senders WHERE address IN (SELECT value FROM contact_points WHERE contact_id IN (SELECT id FROM contacts WHERE client_id = ?))`, []any{id}},
		{`DELETE FROM contact_points WHERE contact_id IN (SELECT id FROM contacts WHERE client_id = ?)`, []any{id}},
		{`UPDATE links SET evidence = '' WHERE client_id = ?`, []any{id}},
		{`UPDATE client_owners SET comment = '' WHERE client_id = ?`, []any{id}},
		{`UPDATE claims SET ended_at = ?, end_reason = ? WHERE client_id = ? AND ended_at IS NULL`, []any{now, models.ClaimErased, id}},
		{`DELETE FROM client_merges WHERE into_id = ?`, []any{id}},
		{`UPDATE events SET text = ? WHERE client_id = ? OR deal_id IN (SELECT id FROM deals WHERE client_id = ?)`, []any{said, id, id}},
		{`UPDATE stage_changes SET reason = '' WHERE deal_id IN (SELECT id FROM deals WHERE client_id = ?)`, []any{id}},
		{`UPDATE deals SET title = ?, next_action = '', lost_reason = '' WHERE client_id = ?`, []any{f.Pseudonym, id}},
		{`UPDATE invoices SET comment = '' WHERE client_id = ?`, []any{id}},
		{`UPDATE payments SET payer_name = ?, payer_inn = '', payer_account = '', purpose = '', why = '' WHERE client_id = ?`, []any{f.Pseudonym, id}},
		{`UPDATE clients SET name = ?, name_key = ?, inn = NULL, kpp = '', comment = '', temperature = '', forgotten_at = ?, updated_at = ? WHERE id = ?`,
			[]any{f.Pseudonym, names.Key(f.Pseudonym), now, now, id}},
	}
	for _, table := range []string{"contacts", "client_domains", "client_tags", "client_fields", "client_notes", "proposals", "link_rules"} {
		list = append(list, statement{`DELETE FROM ` + table + ` WHERE client_id = ?`, []any{id}})
	}
	return tx.run(ctx, "erase client", list)
}

// ForgetActs returns the acts of destruction, the newest first.
func (q *Queries) ForgetActs(ctx context.Context) ([]models.ForgetAct, error) {
	var rows []models.ForgetAct
	return rows, failed("read acts", q.on(ctx).Order("id DESC").Find(&rows).Error)
}

// Scrub removes from the files of the database what is no longer in its tables, and notes that in the acts that wait for it.
// On SQLite the whole file is written anew and the log emptied, so that no erased word is left in either; a process that
// reads at that moment makes it fail with a temporary error, and it can be called again. On PostgreSQL dead rows are
// vacuumed: their space is used again, but the server's own log and backups keep what they have.
func (db *DB) Scrub(ctx context.Context) error {
	if db.dialect == dialectPostgres {
		for _, table := range []string{"letters", "letter_references", "clients", "contacts", "contact_points", "client_domains",
			"client_notes", "client_tags", "client_fields", "deals", "events", "links", "decisions", "threads"} {
			if _, err := db.writeSQL.ExecContext(ctx, "VACUUM "+table); err != nil {
				return failed("vacuum", err)
			}
		}
		return db.noteScrubbed(ctx)
	}
	if _, err := db.writeSQL.ExecContext(ctx, "VACUUM"); err != nil {
		return failed("vacuum", err)
	}
	if err := db.noteScrubbed(ctx); err != nil {
		return err
	}
	var busy, pages, done int
	err := db.writeSQL.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
	if err == nil && busy != 0 {
		return models.Temporary(saying(models.Say("store.scrub.busy"), errors.New("empty the log of the database: somebody reads")))
	}
	return failed("empty the log of the database", err)
}

func (db *DB) noteScrubbed(ctx context.Context) error {
	return db.Tx(ctx, func(tx *Tx) error {
		err := tx.on(ctx).Model(&models.ForgetAct{}).Where("scrubbed_at IS NULL").Updates(map[string]any{"scrubbed_at": tx.now()}).Error
		return failed("note that the database was cleaned", err)
	})
}
