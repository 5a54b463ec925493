package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// Letter returns the letter with the id, or models.ErrNotFound.
func (q *Queries) Letter(ctx context.Context, id int64) (models.Letter, error) {
	return first[models.Letter](q.on(ctx), "read letter", id)
}

// LettersByIDs returns the letters with the ids that exist, by ascending id.
func (q *Queries) LettersByIDs(ctx context.Context, ids []int64) ([]models.Letter, error) {
	return q.letters(ctx, "id", ids, nil)
}

// LettersByMessageIDs returns the letters with any of the Message-IDs (without angle brackets), by ascending id. There may
// be several letters with one Message-ID. An empty Message-ID finds nothing.
func (q *Queries) LettersByMessageIDs(ctx context.Context, messageIDs []string) ([]models.Letter, error) {
	rows, err := findIn[models.Letter](q.on(ctx), "message_id", storableAll(messageIDs), nil)
	return sortedLetters(rows), failed("read letters by message-id", err)
}

// LettersByFingerprints returns the letters with any of the fingerprints, by ascending id.
func (q *Queries) LettersByFingerprints(ctx context.Context, fingerprints []string) ([]models.Letter, error) {
	rows, err := findIn[models.Letter](q.on(ctx), "fingerprint", storableAll(fingerprints), nil)
	return sortedLetters(rows), failed("read letters by fingerprint", err)
}

func (q *Queries) letters(ctx context.Context, column string, ids []int64, more func(*gorm.DB) *gorm.DB) ([]models.Letter, error) {
	rows, err := findIn[models.Letter](q.on(ctx), column, ids, more)
	return sortedLetters(rows), failed("read letters", err)
}

func sortedLetters(rows []models.Letter) []models.Letter {
	slices.SortFunc(rows, func(a, b models.Letter) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

// LettersReferring returns the letters that name one of the Message-IDs in References or In-Reply-To, by ascending id.
func (q *Queries) LettersReferring(ctx context.Context, messageIDs []string) ([]models.Letter, error) {
	var rows []models.Letter
	err := inChunks(storableAll(messageIDs), func(part []string) error {
		var some []models.Letter
		err := q.on(ctx).Where("id IN (SELECT letter_id FROM letter_references WHERE message_id IN ?)", part).Find(&some).Error
		rows = append(rows, some...)
		return err
	})
	rows = slices.CompactFunc(sortedLetters(rows), func(a, b models.Letter) bool { return a.ID == b.ID })
	return rows, failed("read letters referring to letters", err)
}

// ReferencesOf returns the Message-IDs that each of the letters names, oldest first. Letters that name none are missing.
func (q *Queries) ReferencesOf(ctx context.Context, letterIDs []int64) (map[int64][]string, error) {
	rows, err := findIn[models.Reference](q.on(ctx), "letter_id", letterIDs, func(g *gorm.DB) *gorm.DB {
		return g.Order("letter_id, position")
	})
	if err != nil {
		return nil, failed("read references", err)
	}
	out := make(map[int64][]string)
	for _, r := range rows {
		out[r.LetterID] = append(out[r.LetterID], r.MessageID)
	}
	return out, nil
}

// ThreadLetters returns the letters of the thread, oldest first.
func (q *Queries) ThreadLetters(ctx context.Context, threadID int64) ([]models.Letter, error) {
	var rows []models.Letter
	err := q.on(ctx).Where("thread_id = ?", threadID).Order("arrived_at, id").Find(&rows).Error
	return rows, failed("read letters of thread", err)
}

// LettersFrom returns letters of persons that no client is tied to and that have one of the normalised addresses, or one
// at one of the domains (A-labels, without subdomains), as sender or recipient. They come by ascending id, those after
// afterID, at most limit: call it again with the last id until fewer come back.
func (q *Queries) LettersFrom(ctx context.Context, addresses, domains []string, afterID int64, limit int) ([]models.Letter, error) {
	var all []models.Letter
	collect := func(values []string, where func([]string) (string, []any, error)) error {
		for part := range slices.Chunk(storableAll(values), 100) { // each value is three conditions
			text, args, err := where(part)
			if err != nil {
				return err
			}
			var rows []models.Letter
			err = q.on(ctx).Where("id > ? AND class = ?", afterID, models.ClassPerson).Where(text, args...).
				Where("NOT EXISTS (SELECT 1 FROM links WHERE links.letter_id = letters.id AND (links.superseded_at IS NULL OR links.ended_by IS NOT NULL))").
				Order("id").Limit(limit).Find(&rows).Error
			if err != nil {
				return err
			}
			all = append(all, rows...)
		}
		return nil
	}
	if err := collect(addresses, withAddresses); err != nil {
		return nil, failed("read letters by address", err)
	}
	if err := collect(domains, withDomains); err != nil {
		return nil, failed("read letters by domain", err)
	}
	all = slices.CompactFunc(sortedLetters(all), func(a, b models.Letter) bool { return a.ID == b.ID })
	return all[:min(len(all), limit)], nil
}

func withAddresses(addresses []string) (string, []any, error) {
	text, args := "from_address IN ?", []any{addresses}
	for _, a := range addresses {
		p, err := likeItem(a, false)
		if err != nil {
			return "", nil, err
		}
		text += ` OR "to" LIKE ? ESCAPE '!' OR cc LIKE ? ESCAPE '!'`
		args = append(args, p, p)
	}
	return text, args, nil
}

func withDomains(domains []string) (string, []any, error) {
	text, args := "1 = 0", []any{}
	for _, d := range domains {
		p, err := likeItem("@"+d, true)
		if err != nil {
			return "", nil, err
		}
		from := like("@" + d)
		text += ` OR from_address LIKE ? ESCAPE '!' OR "to" LIKE ? ESCAPE '!' OR cc LIKE ? ESCAPE '!'`
		args = append(args, from[:len(from)-1], p, p)
	}
	return text, args, nil
}

// UpsertLetter stores a letter that is not known yet, by its Fingerprint, with the Message-IDs that it names, oldest
// first, and reports true. When it is known *l becomes the stored row, nothing is changed, and it reports false. The
// thread must exist.
func (tx *Tx) UpsertLetter(ctx context.Context, l *models.Letter, references []string) (bool, error) {
	row := *l
	row.ID, row.Thread = 0, nil
	res := ignoring(tx.on(ctx)).Create(&row)
	if res.Error != nil {
		return false, failed("store letter", res.Error)
	}
	if res.RowsAffected == 0 {
		err := tx.on(ctx).Where("fingerprint = ?", l.Fingerprint).Take(l).Error
		return false, failed("read letter by fingerprint", err)
	}
	*l = row
	refs := make([]models.Reference, 0, len(references))
	for i, id := range references {
		refs = append(refs, models.Reference{LetterID: l.ID, Position: i, MessageID: id})
	}
	if len(refs) == 0 {
		return true, nil
	}
	return true, failed("store references", tx.on(ctx).CreateInBatches(&refs, chunkSize).Error)
}

// SetLetterText stores the start of the plain text; "" forgets it.
func (tx *Tx) SetLetterText(ctx context.Context, letterID int64, text string) error {
	return tx.setLetter(ctx, letterID, map[string]any{"text": text})
}

// SetLetterClass stores another class and why.
func (tx *Tx) SetLetterClass(ctx context.Context, letterID int64, class models.Class, reason models.Phrase) error {
	return tx.setLetter(ctx, letterID, map[string]any{"class": class, "class_reason": reason})
}

func (tx *Tx) setLetter(ctx context.Context, id int64, values map[string]any) error {
	res := tx.on(ctx).Model(&models.Letter{}).Where("id = ?", id).Updates(values)
	return changedOne(res, "change letter")
}

// changedOne turns an update that found nothing into models.ErrNotFound.
func changedOne(res *gorm.DB, doing string) error {
	if res.Error == nil && res.RowsAffected == 0 {
		return fmt.Errorf("%s: %w", doing, models.ErrNotFound)
	}
	return failed(doing, res.Error)
}

// ForgetLetter takes every word out of a letter: addresses, subject, ids, text, what it names, its links, what was proposed,
// and what decisions and events say about it. The row stays, as private and for the given reason, so that its copies are
// known and not taken in again. Its thread forgets the subject when nobody else has it.
func (tx *Tx) ForgetLetter(ctx context.Context, id int64, reason models.Phrase) error {
	l, err := tx.Letter(ctx, id)
	if err != nil {
		return err
	}
	err = tx.setLetter(ctx, id, map[string]any{
		"message_id": "", "class": models.ClassPrivate, "class_reason": reason, "from_address": "", "from_name": "", "reply_to": models.Strings{},
		"to": models.Strings{}, "cc": models.Strings{}, "subject": "", "base_subject": "", "date": nil, "text": "", "problems": models.Strings{},
	})
	if err != nil {
		return err
	}
	for _, text := range []string{
		"DELETE FROM letter_references WHERE letter_id = ?", "DELETE FROM proposals WHERE letter_id = ?", "DELETE FROM link_rules WHERE letter_id = ?",
		"DELETE FROM links WHERE letter_id = ?", "UPDATE decisions SET trace = '[]' WHERE letter_id = ?",
		"UPDATE events SET text = '', client_id = NULL, deal_id = NULL WHERE letter_id = ?",
	} {
		if err := tx.on(ctx).Exec(text, id).Error; err != nil {
			return failed("forget letter", err)
		}
	}
	if had, err := tx.SubjectInThread(ctx, l.ThreadID, l.BaseSubject, id); had || err != nil {
		return err
	}
	err = tx.on(ctx).Model(&models.Thread{}).Where("id = ? AND base_subject = ?", l.ThreadID, l.BaseSubject).
		Updates(map[string]any{"base_subject": ""}).Error
	return failed("forget subject of thread", err)
}

// Thread returns the thread with the id, or models.ErrNotFound.
func (q *Queries) Thread(ctx context.Context, id int64) (models.Thread, error) {
	return first[models.Thread](q.on(ctx), "read thread", id)
}

// CreateThread stores a new thread and sets its ID.
func (tx *Tx) CreateThread(ctx context.Context, t *models.Thread) error {
	t.ID = 0
	return failed("create thread", tx.on(ctx).Create(t).Error)
}

// TouchThread moves the thread's LastAt forward to at; an earlier instant changes nothing.
func (tx *Tx) TouchThread(ctx context.Context, id int64, at time.Time) error {
	err := tx.on(ctx).Model(&models.Thread{}).Where("id = ? AND last_at < ?", id, instant(at)).
		Updates(map[string]any{"last_at": at}).Error
	return failed("touch thread", err)
}

// SetLetterThread moves all letters of one thread to another. The emptied thread stays; see MergeThreads.
func (tx *Tx) SetLetterThread(ctx context.Context, fromThread, intoThread int64) error {
	err := tx.on(ctx).Model(&models.Letter{}).Where("thread_id = ?", fromThread).
		Updates(map[string]any{"thread_id": intoThread}).Error
	return failed("move letters to another thread", err)
}

// MergeThreads moves the letters of one thread into another and deletes the emptied one. Merging a thread into itself
// does nothing. It returns models.ErrNotFound when one of them does not exist.
func (tx *Tx) MergeThreads(ctx context.Context, into, from int64) error {
	if into == from {
		return nil
	}
	var both []models.Thread
	// Locked in the order of ids, so that two merges cannot wait for one another, and so that nobody adds a letter to a
	// thread that is about to go.
	err := locked(tx.on(ctx)).Where("id IN ?", []int64{into, from}).Order("id").Find(&both).Error
	if err != nil {
		return failed("merge threads", err)
	}
	if len(both) != 2 {
		return fmt.Errorf("merge threads: %w", models.ErrNotFound)
	}
	if err := tx.SetLetterThread(ctx, from, into); err != nil {
		return err
	}
	last := both[0].LastAt
	if both[1].LastAt.After(last) {
		last = both[1].LastAt
	}
	if err := tx.TouchThread(ctx, into, last); err != nil {
		return err
	}
	return failed("delete emptied thread", tx.on(ctx).Where("id = ?", from).Delete(&models.Thread{}).Error)
}

// listText is a list of flags as it is stored.
func listText(list []string) (string, error) {
	v, err := models.Strings(list).Value()
	text, _ := v.(string)
	return text, err
}
