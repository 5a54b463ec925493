package store

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"kontrol/models"
)

// copyColumns is one copy as a line of text: its UID and, after a blank, its flags as they are stored. JSON on one line has
// no line ends in it.
const copyColumns = "uid || ' ' || flags"

// Copies returns the copies that are in the folder under the UIDVALIDITY as far as is known, with first <= UID <= last,
// ascending by UID; last 0 means to the end. It is made for folders of hundreds of thousands of letters: the database hands
// the list over in one piece, and copies with equal flags share them.
func (q *Queries) Copies(ctx context.Context, folderID int64, uidValidity, first, last uint32) ([]models.Copy, error) {
	if err := q.notShown(); err != nil {
		return nil, err
	}
	if last == 0 {
		last = math.MaxUint32
	}
	query := "SELECT COALESCE(string_agg(" + copyColumns + ", E'\\n' ORDER BY uid), '') FROM locations" +
		" WHERE folder_id = ? AND uid_validity = ? AND uid BETWEEN ? AND ? AND gone_at IS NULL"
	if q.g.Name() == string(dialectSQLite) {
		query = "SELECT COALESCE(group_concat(line, char(10)), '') FROM (SELECT " + copyColumns + " AS line FROM locations" +
			" WHERE folder_id = ? AND uid_validity = ? AND uid BETWEEN ? AND ? AND gone_at IS NULL ORDER BY uid)"
	}
	var text string
	if err := q.on(ctx).Raw(query, folderID, uidValidity, first, last).Row().Scan(&text); err != nil {
		return nil, failed("read copies", err)
	}
	list, err := readCopies(text)
	return list, failed("read copies", err)
}

// readCopies reads what Copies has asked for.
func readCopies(text string) ([]models.Copy, error) {
	if text == "" {
		return nil, nil
	}
	list := make([]models.Copy, 0, strings.Count(text, "\n")+1)
	alike := make(map[string][]string)
	for line := range strings.SplitSeq(text, "\n") {
		number, flags, ok := strings.Cut(line, " ")
		uid, err := strconv.ParseUint(number, 10, 32)
		if !ok || err != nil {
			return nil, errors.New("malformed list of copies")
		}
		set, known := alike[flags]
		if !known {
			if err := json.Unmarshal([]byte(flags), &set); flags != "" && err != nil {
				return nil, err
			}
			alike[flags] = set
		}
		list = append(list, models.Copy{UID: uint32(uid), Flags: set})
	}
	return list, nil
}

// CopiesOf is Copies for some UIDs. Those that are not there as far as is known are left out.
func (q *Queries) CopiesOf(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) ([]models.Copy, error) {
	var list []models.Copy
	err := inChunks(uids, func(part []uint32) error {
		var rows []models.Location
		err := q.on(ctx).Select("uid", "flags").Order("uid").
			Where("folder_id = ? AND uid_validity = ? AND uid IN ? AND gone_at IS NULL", folderID, uidValidity, part).
			Find(&rows).Error
		for _, r := range rows {
			list = append(list, models.Copy{UID: r.UID, Flags: r.Flags})
		}
		return err
	})
	return list, failed("read copies by uid", err)
}

// CountCopies counts the copies that are in the folder under the UIDVALIDITY as far as is known.
func (q *Queries) CountCopies(ctx context.Context, folderID int64, uidValidity uint32) (int, error) {
	var n int64
	err := q.on(ctx).Model(&models.Location{}).
		Where("folder_id = ? AND uid_validity = ? AND gone_at IS NULL", folderID, uidValidity).Count(&n).Error
	return int(n), failed("count copies", err)
}

// Copies is Queries.Copies outside of a transaction.
func (db *DB) Copies(ctx context.Context, folderID int64, uidValidity, first, last uint32) ([]models.Copy, error) {
	return db.Read().Copies(ctx, folderID, uidValidity, first, last)
}

// CopiesOf is Queries.CopiesOf outside of a transaction.
func (db *DB) CopiesOf(ctx context.Context, folderID int64, uidValidity uint32, uids []uint32) ([]models.Copy, error) {
	return db.Read().CopiesOf(ctx, folderID, uidValidity, uids)
}

// CountCopies is Queries.CountCopies outside of a transaction.
func (db *DB) CountCopies(ctx context.Context, folderID int64, uidValidity uint32) (int, error) {
	return db.Read().CountCopies(ctx, folderID, uidValidity)
}
