package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"kontrol/models"
)

// clientTables are the tables whose rows belong to a client by a column client_id. A merge moves them; a test looks for
// tables that are missing here.
func clientTables() []string {
	return []string{"contacts", "client_domains", "client_notes", "client_owners", "claims", "deals", "links", "events",
		"client_tags", "client_fields", "proposals", "link_rules", "invoices", "payments"}
}

// moved is what a merge has changed, so that it can be taken back.
type moved struct {
	From  models.Client      `json:"from"`   // the client that went away
	Into  models.Client      `json:"into"`   // the other one before it
	Rows  map[string][]int64 `json:"rows"`   // rows that changed hands, by table
	Links []int64            `json:"links"`  // links that were ended because the other client has the letter too
	Owner *int64             `json:"owner"`  // the open span of ownership that was ended
	Claim *int64             `json:"claim"`  // the claim that was ended
	Tags  []string           `json:"tags"`   // tags that both had
	Cells []field            `json:"fields"` // kept columns that both had
}

type field struct{ Name, Value string }

// MergeReport says what a merge has moved, by table, and what it has filled in.
type MergeReport struct {
	ID    int64 // of the merge, for UnmergeClient
	Moved map[string]int
}

// ErrOtherINN is returned when two clients have different INNs: they are different companies.
var ErrOtherINN = errors.New("clients have different inn")

// MergeClients makes one client of two: contacts, addresses, domains, deals, letters, notes, tags, events and the history of
// owners and claims of the second go to the first, which also gets what it lacks (INN, KPP, owner, temperature) and both
// comments. The second one is no more, and its number leads to the first. With different INNs it returns ErrOtherINN with a
// phrase unless force is set.
func (tx *Tx) MergeClients(ctx context.Context, intoID, fromID int64, force bool, actor string) (MergeReport, error) {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{intoID, fromID}})
	if err != nil {
		return MergeReport{}, err
	}
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return MergeReport{}, failed("merge clients", err)
	}
	if intoID == fromID {
		return MergeReport{}, saying(models.Say("store.merge.same"), errors.New("merge clients: one and the same"))
	}
	into, err := first[models.Client](tx.on(ctx), "read client", intoID)
	if err != nil {
		return MergeReport{}, err
	}
	from, err := first[models.Client](tx.on(ctx), "read client", fromID)
	if err != nil {
		return MergeReport{}, err
	}
	if into.ForgottenAt != nil || from.ForgottenAt != nil {
		return MergeReport{}, saying(models.Say("store.merge.forgotten"), ErrForgotten)
	}
	if into.INN != nil && from.INN != nil && *into.INN != *from.INN && !force {
		return MergeReport{}, saying(models.Say("store.merge.inn", "First", into.Name, "FirstINN", *into.INN, "Second", from.Name, "SecondINN", *from.INN), ErrOtherINN)
	}
	m := moved{From: from, Into: into, Rows: map[string][]int64{}}
	steps := []func(context.Context, *moved) error{tx.mergeEnds, tx.mergeMarks, tx.moveRows, tx.mergeCard}
	for _, step := range steps {
		if err := step(ctx, &m); err != nil {
			return MergeReport{}, err
		}
	}
	return tx.recordMerge(ctx, m, actor)
}

// mergeEnds ends what only one of the two can go on having: an owner, a claim, the link of one letter.
func (tx *Tx) mergeEnds(ctx context.Context, m *moved) error {
	into, from := m.Into.ID, m.From.ID
	var owners []models.ClientOwner
	if err := tx.on(ctx).Where("client_id IN ? AND until IS NULL", []int64{into, from}).Find(&owners).Error; err != nil {
		return failed("read owners", err)
	}
	var claims []models.Claim
	if err := tx.on(ctx).Where("client_id IN ? AND ended_at IS NULL", []int64{into, from}).Find(&claims).Error; err != nil {
		return failed("read claims", err)
	}
	var list []statement
	for _, o := range owners {
		if o.ClientID == from && len(owners) == 2 {
			m.Owner = &o.ID
			list = append(list, statement{`UPDATE client_owners SET until = ? WHERE id = ?`, []any{tx.now(), o.ID}})
		}
	}
	for _, c := range claims {
		if c.ClientID == from && len(claims) == 2 {
			m.Claim = &c.ID
			list = append(list, statement{`UPDATE claims SET ended_at = ?, end_reason = ? WHERE id = ?`, []any{tx.now(), models.ClaimMerged, c.ID}})
		}
	}
	err := tx.on(ctx).Model(&models.Link{}).Where(`client_id = ? AND superseded_at IS NULL AND letter_id IN
		(SELECT letter_id FROM links WHERE client_id = ? AND superseded_at IS NULL)`, from, into).Pluck("id", &m.Links).Error
	if err != nil {
		return failed("read links", err)
	}
	for _, id := range m.Links {
		list = append(list, statement{`UPDATE links SET superseded_at = ? WHERE id = ?`, []any{tx.now(), id}})
	}
	return tx.run(ctx, "merge clients", list)
}

// mergeMarks takes away tags and kept columns that both have.
func (tx *Tx) mergeMarks(ctx context.Context, m *moved) error {
	const both = " AND %[1]s IN (SELECT %[1]s FROM %[2]s WHERE client_id = ?)"
	var tags []models.ClientTag
	where := "client_id = ?" + fmt.Sprintf(both, "tag_key", "client_tags")
	if err := tx.on(ctx).Where(where, m.From.ID, m.Into.ID).Find(&tags).Error; err != nil {
		return failed("read tags", err)
	}
	var fields []models.ClientField
	where = "client_id = ?" + fmt.Sprintf(both, "name", "client_fields")
	if err := tx.on(ctx).Where(where, m.From.ID, m.Into.ID).Find(&fields).Error; err != nil {
		return failed("read client fields", err)
	}
	var list []statement
	for _, t := range tags {
		m.Tags = append(m.Tags, t.Tag)
		list = append(list, statement{`DELETE FROM client_tags WHERE id = ?`, []any{t.ID}})
	}
	for _, f := range fields {
		m.Cells = append(m.Cells, field{f.Name, f.Value})
		list = append(list, statement{`DELETE FROM client_fields WHERE id = ?`, []any{f.ID}})
	}
	return tx.run(ctx, "merge clients", list)
}

func (tx *Tx) moveRows(ctx context.Context, m *moved) error {
	for _, table := range clientTables() {
		var ids []int64
		if err := tx.on(ctx).Table(table).Where("client_id = ?", m.From.ID).Order("id").Pluck("id", &ids).Error; err != nil {
			return failed("read "+table, err)
		}
		if len(ids) == 0 {
			continue
		}
		m.Rows[table] = ids
		if err := tx.on(ctx).Exec("UPDATE "+table+" SET client_id = ? WHERE client_id = ?", m.Into.ID, m.From.ID).Error; err != nil {
			return failed("move "+table, err)
		}
	}
	// Merges into the second client are merges into the first from now on.
	return failed("move merges", tx.on(ctx).Exec("UPDATE client_merges SET into_id = ? WHERE into_id = ?", m.Into.ID, m.From.ID).Error)
}

// mergeCard removes the second client and gives the first what it lacks.
func (tx *Tx) mergeCard(ctx context.Context, m *moved) error {
	if err := tx.on(ctx).Where("id = ?", m.From.ID).Delete(&models.Client{}).Error; err != nil {
		return failed("remove merged client", err)
	}
	values := map[string]any{}
	if m.Into.INN == nil && m.From.INN != nil {
		values["inn"] = *m.From.INN
	}
	if m.Into.KPP == "" && m.From.KPP != "" {
		values["kpp"] = m.From.KPP
	}
	if m.Into.OwnerID == nil && m.From.OwnerID != nil {
		values["owner_id"] = *m.From.OwnerID
	}
	if m.Into.Temperature == "" && m.From.Temperature != "" {
		values["temperature"] = m.From.Temperature
	}
	if m.From.Comment != "" && m.From.Comment != m.Into.Comment {
		values["comment"] = strings.TrimSpace(m.Into.Comment + "\n" + m.From.Comment)
	}
	if len(values) == 0 {
		return nil
	}
	return tx.updateClient(ctx, m.Into.ID, values)
}

func (tx *Tx) recordMerge(ctx context.Context, m moved, actor string) (MergeReport, error) {
	r := MergeReport{Moved: map[string]int{}}
	for table, ids := range m.Rows {
		r.Moved[table] = len(ids)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return r, fmt.Errorf("encode merge: %w", err)
	}
	if actor == "" {
		actor = actorKontrol
	}
	row := models.ClientMerge{IntoID: m.Into.ID, FromID: m.From.ID, FromName: m.From.Name, Actor: actor, Moved: string(text), MergedAt: tx.now()}
	if err := tx.on(ctx).Omit("Into").Create(&row).Error; err != nil {
		return r, failed("store merge", err)
	}
	r.ID = row.ID
	return r, tx.clientEvent(ctx, models.EventClientMerged, m.Into.ID, actor,
		models.Say("store.event.client_merged", "Name", m.From.Name, "ID", m.From.ID))
}

// MergedInto returns the merge by which the client with the number went into another one, or models.ErrNotFound.
func (q *Queries) MergedInto(ctx context.Context, fromID int64) (models.ClientMerge, error) {
	var row models.ClientMerge
	err := q.on(ctx).Where("from_id = ? AND undone_at IS NULL", fromID).Order("id DESC").Take(&row).Error
	return row, failed("read merge", err)
}

// UnmergeClient takes a merge back: the client is there again under its number, with the rows that came from it and are
// still with the other one. What was added since stays with the other one, and so do values that people have changed since.
// It returns models.ErrNotFound when there is no such merge that counts.
func (tx *Tx) UnmergeClient(ctx context.Context, fromID int64, actor string) (models.ClientMerge, error) {
	row, err := tx.MergedInto(ctx, fromID)
	if err != nil {
		return row, err
	}
	if ctx, err = tx.mayChange(ctx, touched{clients: []int64{row.IntoID}}); err != nil {
		return models.ClientMerge{}, err
	}
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return row, failed("take merge back", err)
	}
	if row, err = tx.MergedInto(ctx, fromID); err != nil { // nobody was faster
		return row, err
	}
	var m moved
	if err := json.Unmarshal([]byte(row.Moved), &m); err != nil {
		return row, fmt.Errorf("decode merge: %w", err)
	}
	if err := tx.parseCards(ctx, row, m); err != nil {
		return row, err
	}
	for table, ids := range m.Rows {
		err := inChunks(ids, func(part []int64) error {
			return tx.on(ctx).Exec("UPDATE "+table+" SET client_id = ? WHERE client_id = ? AND id IN ?", fromID, row.IntoID, part).Error
		})
		if err != nil {
			return row, failed("move back "+table, err)
		}
	}
	if err := tx.restoreMarks(ctx, m); err != nil {
		return row, err
	}
	res := tx.on(ctx).Model(&models.ClientMerge{}).Where("id = ?", row.ID).Updates(map[string]any{"undone_at": tx.now()})
	if err := changedOne(res, "take merge back"); err != nil {
		return row, err
	}
	return row, tx.clientEvent(ctx, models.EventClientUnmerged, row.IntoID, actor,
		models.Say("store.event.client_unmerged", "Name", m.From.Name, "ID", fromID))
}

// parseCards takes the values back that the first client got from the second, and stores the second again.
func (tx *Tx) parseCards(ctx context.Context, row models.ClientMerge, m moved) error {
	now, err := first[models.Client](tx.on(ctx), "read client", row.IntoID)
	if err != nil {
		return err
	}
	values := map[string]any{}
	if m.Into.INN == nil && m.From.INN != nil && now.INN != nil && *now.INN == *m.From.INN {
		values["inn"] = nil
	}
	if m.Into.KPP == "" && now.KPP == m.From.KPP {
		values["kpp"] = ""
	}
	if m.Into.OwnerID == nil && sameID(now.OwnerID, m.From.OwnerID) {
		values["owner_id"] = nil
	}
	if m.Into.Temperature == "" && now.Temperature == m.From.Temperature {
		values["temperature"] = ""
	}
	if now.Comment == strings.TrimSpace(m.Into.Comment+"\n"+m.From.Comment) {
		values["comment"] = m.Into.Comment
	}
	if len(values) > 0 {
		if err := tx.updateClient(ctx, row.IntoID, values); err != nil {
			return err
		}
	}
	m.From.Owner = nil
	return failed("restore merged client", tx.on(ctx).Omit("Owner").Create(&m.From).Error)
}

func (tx *Tx) restoreMarks(ctx context.Context, m moved) error {
	var list []statement
	for _, id := range m.Links {
		list = append(list, statement{`UPDATE links SET superseded_at = NULL WHERE id = ? AND NOT EXISTS (SELECT 1 FROM links other
			WHERE other.letter_id = links.letter_id AND other.client_id = links.client_id AND other.superseded_at IS NULL)`, []any{id}})
	}
	if m.Owner != nil {
		list = append(list, statement{`UPDATE client_owners SET until = NULL WHERE id = ?`, []any{*m.Owner}})
	}
	if m.Claim != nil {
		list = append(list, statement{`UPDATE claims SET ended_at = NULL, end_reason = '' WHERE id = ? AND expires_at > ?`, []any{*m.Claim, tx.now()}})
	}
	if err := tx.run(ctx, "take merge back", list); err != nil {
		return err
	}
	card := ClientCard{Client: models.Client{ID: m.From.ID}, Tags: newTags(m.From.ID, m.Tags)}
	for _, f := range m.Cells {
		card.Fields = append(card.Fields, models.ClientField{Name: f.Name, Value: f.Value})
	}
	return tx.createMarks(ctx, &card, "")
}
