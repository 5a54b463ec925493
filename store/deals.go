package store

import (
	"context"
	"fmt"
	"time"

	"kontrol/models"
)

// Stages returns the steps of the pipeline in their order.
func (q *Queries) Stages(ctx context.Context) ([]models.Stage, error) {
	var rows []models.Stage
	return rows, failed("read stages", q.on(ctx).Order("position, code").Find(&rows).Error)
}

// Deal returns the deal with the number that people call it by, with Client, Owner and Stage filled in, or
// models.ErrNotFound.
func (q *Queries) Deal(ctx context.Context, number int64) (models.Deal, error) {
	var row models.Deal
	err := q.on(ctx).Preload("Client").Preload("Owner").Preload("Stage").Where("number = ?", number).Take(&row).Error
	return row, failed(fmt.Sprintf("read deal #%d", number), err)
}

// DealByID returns the deal with the id, with Client, Owner and Stage filled in, or models.ErrNotFound.
func (q *Queries) DealByID(ctx context.Context, id int64) (models.Deal, error) {
	return first[models.Deal](q.on(ctx).Preload("Client").Preload("Owner").Preload("Stage"), "read deal", id)
}

// DealFilter narrows Deals. The zero value takes all deals.
type DealFilter struct {
	IDs       []int64 // only these; nil means all
	ClientID  int64   // only those of this client
	OwnerID   int64   // only those of this manager
	StageCode string  // only those in this stage
	Open      bool    // only those in a stage of kind open
	Limit     int     // at most so many; zero means no limit
	Offset    int
}

// Deals returns deals with Client, Owner and Stage filled in, the newest number first.
func (q *Queries) Deals(ctx context.Context, f DealFilter) ([]models.Deal, error) {
	g := q.on(ctx).Preload("Client").Preload("Owner").Preload("Stage").Order("number DESC")
	if f.IDs != nil {
		g = g.Where("id IN ?", f.IDs)
	}
	if f.ClientID != 0 {
		g = g.Where("client_id = ?", f.ClientID)
	}
	if f.OwnerID != 0 {
		g = g.Where("owner_id = ?", f.OwnerID)
	}
	if f.StageCode != "" {
		g = g.Where("stage_code = ?", f.StageCode)
	}
	if f.Open {
		g = g.Where("stage_code IN (SELECT code FROM stages WHERE kind = ?)", models.StageOpen)
	}
	if f.Limit > 0 {
		g = g.Limit(f.Limit).Offset(f.Offset)
	}
	var rows []models.Deal
	return rows, failed("read deals", g.Find(&rows).Error)
}

// OpenDeals returns the deals of the client in a stage of kind open, with Stage filled in, the newest number first.
func (q *Queries) OpenDeals(ctx context.Context, clientID int64) ([]models.Deal, error) {
	return q.Deals(ctx, DealFilter{ClientID: clientID, Open: true})
}

// StageChanges returns the history of the deal, oldest first.
func (q *Queries) StageChanges(ctx context.Context, dealID int64) ([]models.StageChange, error) {
	var rows []models.StageChange
	return rows, failed("read history of deal", q.on(ctx).Where("deal_id = ?", dealID).Order("id").Find(&rows).Error)
}

// CreateDeal stores a deal under the next free number, sets its ID and Number, and records the first line of its history
// and the event deal.created on behalf of actor. An empty StageCode means the first stage. It returns models.ErrNotFound
// when there is no such stage or client.
func (tx *Tx) CreateDeal(ctx context.Context, d *models.Deal, actor string) error {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{d.ClientID}})
	if err != nil {
		return err
	}
	row := *d
	row.ID, row.Client, row.Owner, row.Stage = 0, nil, nil, nil
	stage, err := tx.stage(ctx, row.StageCode)
	if err != nil {
		return err
	}
	if _, err := first[models.Client](tx.on(ctx), "read client of deal", row.ClientID); err != nil {
		return err
	}
	if err := tx.lockFor(ctx, lockDealNumbers); err != nil {
		return failed("create deal", err)
	}
	err = tx.on(ctx).Model(&models.Deal{}).Select("COALESCE(MAX(number), 0) + 1").Scan(&row.Number).Error
	if err != nil {
		return failed("number deal", err)
	}
	row.StageCode = stage.Code
	row.ClosedAt = closedAt(stage, tx.now())
	if err := tx.on(ctx).Create(&row).Error; err != nil {
		return failed("create deal", err)
	}
	now := tx.now()
	change := models.StageChange{DealID: row.ID, ToCode: stage.Code, Actor: actor, OccurredAt: now, RecordedAt: now}
	if err := tx.on(ctx).Create(&change).Error; err != nil {
		return failed("write history of deal", err)
	}
	key := fmt.Sprintf("deal/%d", row.ID)
	_, err = tx.AddEvent(ctx, &models.Event{
		Kind: models.EventDealCreated, Actor: actor, DedupeKey: &key, ClientID: &row.ClientID, DealID: &row.ID,
		Text: models.Say("store.event.deal_created", "Number", row.Number, "Title", row.Title),
	})
	if err == nil {
		*d = row
	}
	return err
}

// stage returns the stage with the code; the first one when code is empty.
func (tx *Tx) stage(ctx context.Context, code string) (models.Stage, error) {
	g := tx.on(ctx).Order("position, code")
	if code != "" {
		g = g.Where("code = ?", code)
	}
	var row models.Stage
	return row, failed("read stage", g.Take(&row).Error)
}

func closedAt(s models.Stage, at time.Time) *time.Time {
	if s.Kind == models.StageOpen {
		return nil
	}
	return &at
}

// StageMove asks for a change of a deal's stage.
type StageMove struct {
	Number     int64     // of the deal
	To         string    // code of the stage
	Actor      string    // who decided; "" means "kontrol"
	Reason     string    // why; becomes Deal.LostReason when the stage is of kind lost
	OccurredAt time.Time // when it happened; zero means now
}

// SetDealStage moves a deal to another stage, adds the line to its history and records the event deal.stage. ClosedAt is
// set or cleared by the kind of the stage. It reports false, and changes nothing, when the deal is in that stage already.
// It returns models.ErrNotFound when there is no such deal or stage.
func (tx *Tx) SetDealStage(ctx context.Context, m StageMove) (bool, error) {
	var deal models.Deal
	if err := locked(tx.on(ctx)).Where("number = ?", m.Number).Take(&deal).Error; err != nil {
		return false, failed(fmt.Sprintf("read deal #%d", m.Number), err)
	}
	ctx, err := tx.mayChange(ctx, touched{deals: []int64{deal.ID}})
	if err != nil {
		return false, err
	}
	from, err := tx.stage(ctx, deal.StageCode)
	if err != nil {
		return false, err
	}
	if m.To == "" {
		return false, fmt.Errorf("change stage of deal #%d: no stage: %w", m.Number, models.ErrNotFound)
	}
	to, err := tx.stage(ctx, m.To)
	if err != nil || to.Code == from.Code {
		return false, err
	}
	if m.OccurredAt.IsZero() {
		m.OccurredAt = tx.now()
	}
	if m.Actor == "" {
		m.Actor = actorKontrol
	}
	values := map[string]any{"stage_code": to.Code, "closed_at": closedAt(to, m.OccurredAt), "lost_reason": ""}
	if to.Kind == models.StageLost {
		values["lost_reason"] = m.Reason
	}
	res := tx.on(ctx).Model(&models.Deal{}).Where("id = ?", deal.ID).Updates(values)
	if err := changedOne(res, "change stage of deal"); err != nil {
		return false, err
	}
	return true, tx.recordStage(ctx, m, deal, from, to)
}

func (tx *Tx) recordStage(ctx context.Context, m StageMove, deal models.Deal, from, to models.Stage) error {
	change := models.StageChange{
		DealID: deal.ID, FromCode: from.Code, ToCode: to.Code, Actor: m.Actor, Reason: m.Reason,
		OccurredAt: m.OccurredAt, RecordedAt: tx.now(),
	}
	if err := tx.on(ctx).Create(&change).Error; err != nil {
		return failed("write history of deal", err)
	}
	key := fmt.Sprintf("stage/%d", change.ID)
	_, err := tx.AddEvent(ctx, &models.Event{
		Kind: models.EventDealStage, OccurredAt: m.OccurredAt, Actor: m.Actor, DedupeKey: &key, ClientID: &deal.ClientID, DealID: &deal.ID,
		Text: models.Say("store.event.deal_stage", "Number", deal.Number, "From", from.Name, "To", to.Name),
	})
	return err
}

// SetDealNext stores what is promised next in the deal with the number, and by when; "" and nil clear it.
func (tx *Tx) SetDealNext(ctx context.Context, number int64, action string, at *time.Time) error {
	var ids []int64
	if err := tx.on(ctx).Model(&models.Deal{}).Where("number = ?", number).Pluck("id", &ids).Error; err != nil {
		return failed(fmt.Sprintf("read deal #%d", number), err)
	}
	ctx, err := tx.mayChange(ctx, touched{deals: ids})
	if err != nil {
		return err
	}
	res := tx.on(ctx).Model(&models.Deal{}).Where("number = ?", number).
		Updates(map[string]any{"next_action": action, "next_action_at": at})
	return changedOne(res, fmt.Sprintf("change deal #%d", number))
}
