package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"kontrol/models"
)

// TagKey folds a tag for search and comparison: lower case, ё as е, single blanks, at most 100 characters.
func TagKey(tag string) string { return fitText(foldName(tag), 100) }

// SetTags gives the client tags and takes tags away, and reports how many were really new and really there. Tags that
// differ only in case, ё or blanks are one. It returns models.ErrNotFound when there is no such client.
func (tx *Tx) SetTags(ctx context.Context, clientID int64, add, remove []string, actor string) (added, removed int, err error) {
	ctx, err = tx.mayChange(ctx, touched{clients: []int64{clientID}})
	if err != nil {
		return 0, 0, err
	}
	if _, err := first[models.Client](tx.on(ctx), "tag client", clientID); err != nil {
		return 0, 0, err
	}
	rows := newTags(clientID, add)
	if len(rows) > 0 {
		res := ignoring(tx.on(ctx)).Omit("Client").Create(&rows)
		if res.Error != nil {
			return 0, 0, failed("tag client", res.Error)
		}
		added = int(res.RowsAffected)
	}
	var keys []string
	for _, t := range remove {
		keys = append(keys, TagKey(t))
	}
	if len(keys) > 0 {
		res := tx.on(ctx).Where("client_id = ? AND tag_key IN ?", clientID, keys).Delete(&models.ClientTag{})
		if res.Error != nil {
			return 0, 0, failed("untag client", res.Error)
		}
		removed = int(res.RowsAffected)
	}
	if added+removed == 0 {
		return 0, 0, nil
	}
	return added, removed, tx.clientEvent(ctx, models.EventClientTagged, clientID, actor,
		models.Say("store.event.client_tagged", "Added", strings.Join(add, ", "), "Removed", strings.Join(remove, ", ")))
}

func newTags(clientID int64, tags []string) []models.ClientTag {
	var rows []models.ClientTag
	for _, t := range tags {
		key := TagKey(t)
		known := slices.ContainsFunc(rows, func(r models.ClientTag) bool { return r.TagKey == key })
		if key != "" && !known {
			rows = append(rows, models.ClientTag{ClientID: clientID, Tag: strings.Join(strings.Fields(t), " "), TagKey: key})
		}
	}
	return rows
}

// Tags returns all tags in use with the number of clients that have each, the commonest first.
func (q *Queries) Tags(ctx context.Context) ([]TagCount, error) {
	var rows []TagCount
	err := q.on(ctx).Model(&models.ClientTag{}).Select("MIN(tag) AS tag, COUNT(*) AS clients").Group("tag_key").
		Order("clients DESC, tag").Find(&rows).Error
	return rows, failed("read tags", err)
}

// TagCount is a tag and how many clients have it.
type TagCount struct {
	Tag     string
	Clients int
}

// SetTemperature stores how ready the client is to buy; "" for not known. It reports whether that is a change.
func (tx *Tx) SetTemperature(ctx context.Context, clientID int64, t models.Temperature, actor string) (bool, error) {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{clientID}})
	if err != nil {
		return false, err
	}
	c, err := first[models.Client](locked(tx.on(ctx)), "read client", clientID)
	if err != nil || c.Temperature == t {
		return false, err
	}
	if err := tx.updateClient(ctx, clientID, map[string]any{"temperature": t}); err != nil {
		return false, err
	}
	return true, tx.clientEvent(ctx, models.EventClientTemperature, clientID, actor,
		models.Say("store.event.client_temperature", "From", temperatureName(c.Temperature), "To", temperatureName(t)))
}

func temperatureName(t models.Temperature) models.Phrase {
	if t == "" {
		return models.Say("temperature.none")
	}
	return models.Say("temperature." + string(t))
}

func (tx *Tx) updateClient(ctx context.Context, id int64, values map[string]any) error {
	return changedOne(tx.on(ctx).Model(&models.Client{}).Where("id = ?", id).Updates(values), "change client")
}

// clientEvent records what a person did with a client. Doing it twice is two events.
func (tx *Tx) clientEvent(ctx context.Context, kind models.EventKind, clientID int64, actor string, text models.Phrase) error {
	_, err := tx.AddEvent(ctx, &models.Event{Kind: kind, Actor: actor, ClientID: &clientID, Text: text})
	return err
}

// AddNote stores a note about a client and sets its ID. A zero OccurredAt becomes now.
func (tx *Tx) AddNote(ctx context.Context, n *models.ClientNote) error {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{n.ClientID}})
	if err != nil {
		return err
	}
	if _, err := first[models.Client](tx.on(ctx), "read client of note", n.ClientID); err != nil {
		return err
	}
	n.ID = 0
	if n.OccurredAt.IsZero() {
		n.OccurredAt = tx.now()
	}
	return failed("store note", tx.on(ctx).Omit("Client").Create(n).Error)
}

// Notes returns the notes about the client, the newest first.
func (q *Queries) Notes(ctx context.Context, clientID int64) ([]models.ClientNote, error) {
	var rows []models.ClientNote
	err := q.on(ctx).Where("client_id = ?", clientID).Order("occurred_at DESC, id DESC").Find(&rows).Error
	return rows, failed("read notes", err)
}

// Assignment asks for another owner of a client.
type Assignment struct {
	ClientID  int64
	ManagerID *int64 // nil: nobody
	Comment   string
	Actor     string
}

// Assign gives the client another owner, with a line in its history, and ends a claim of somebody else's. It reports false,
// and changes nothing, when the owner is the same.
func (tx *Tx) Assign(ctx context.Context, a Assignment) (bool, error) {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{a.ClientID}})
	if err != nil {
		return false, err
	}
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return false, failed("assign client", err)
	}
	c, err := first[models.Client](tx.on(ctx), "read client", a.ClientID)
	if err != nil || sameID(c.OwnerID, a.ManagerID) {
		return false, err
	}
	if err := tx.updateClient(ctx, a.ClientID, map[string]any{"owner_id": a.ManagerID}); err != nil {
		return false, err
	}
	err = tx.on(ctx).Model(&models.ClientOwner{}).Where("client_id = ? AND until IS NULL", a.ClientID).
		Updates(map[string]any{"until": tx.now()}).Error
	if err != nil {
		return false, failed("end ownership", err)
	}
	text := models.Say("store.event.client_unassigned")
	if a.ManagerID != nil {
		m, err := first[models.Manager](tx.on(ctx), "read manager", *a.ManagerID)
		if err != nil {
			return false, err
		}
		text = models.Say("store.event.client_assigned", "Manager", m.Name)
		if err := tx.beginOwner(ctx, a.ClientID, m.ID, models.OwnerAssigned, a.Comment, a.Actor); err != nil {
			return false, err
		}
		if err := tx.endClaims(ctx, "client_id = ? AND manager_id <> ?", models.ClaimAssigned, a.ClientID, m.ID); err != nil {
			return false, err
		}
	}
	return true, tx.clientEvent(ctx, models.EventClientAssigned, a.ClientID, a.Actor, text)
}

func sameID(a, b *int64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func (tx *Tx) beginOwner(ctx context.Context, clientID, managerID int64, why models.OwnerReason, comment, actor string) error {
	if actor == "" {
		actor = actorKontrol
	}
	row := models.ClientOwner{ClientID: clientID, ManagerID: managerID, Reason: why, Comment: comment, Actor: actor, Since: tx.now()}
	return failed("store owner of client", tx.on(ctx).Omit("Client", "Manager").Create(&row).Error)
}

// OwnersOf returns whose the client was and is, oldest first, with Manager filled in.
func (q *Queries) OwnersOf(ctx context.Context, clientID int64) ([]models.ClientOwner, error) {
	var rows []models.ClientOwner
	err := q.on(ctx).Where("client_id = ?", clientID).Preload("Manager").Order("since, id").Find(&rows).Error
	return rows, failed("read owners of client", err)
}

// ClaimRequest asks for a claim.
type ClaimRequest struct {
	ClientID  int64
	ManagerID int64
	For       time.Duration // how long it holds
	Limit     int           // how many claims a manager may hold at a time; 0: no limit
	Actor     string
}

// ErrClaimed is returned when a client is somebody else's, by claim or as owner.
var ErrClaimed = errors.New("client is somebody else's")

// ErrClaimLimit is returned when a manager holds as many claims as he may.
var ErrClaimLimit = errors.New("too many claims")

// Claim reserves a client for a manager until r.For from now; claiming one's own again renews that. It returns ErrClaimed
// with a phrase when the client is another's, ErrClaimLimit with a phrase when the manager holds r.Limit claims already.
func (tx *Tx) Claim(ctx context.Context, r ClaimRequest) (models.Claim, error) {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{r.ClientID}, deputising: []int64{r.ManagerID}})
	if err != nil {
		return models.Claim{}, err
	}
	if err := tx.lockFor(ctx, lockClients); err != nil {
		return models.Claim{}, failed("claim client", err)
	}
	c, err := first[models.Client](tx.on(ctx).Preload("Owner"), "read client", r.ClientID)
	if err != nil {
		return models.Claim{}, err
	}
	if c.OwnerID != nil && *c.OwnerID != r.ManagerID {
		return models.Claim{}, saying(models.Say("store.claim.owned", "Client", c.Name, "Manager", c.Owner.Name), ErrClaimed)
	}
	err = tx.endClaims(ctx, "client_id = ? AND expires_at <= ?", models.ClaimExpired, r.ClientID, tx.now())
	if err != nil {
		return models.Claim{}, err
	}
	var open []models.Claim
	if err := tx.on(ctx).Preload("Manager").Where("client_id = ? AND ended_at IS NULL", r.ClientID).Find(&open).Error; err != nil {
		return models.Claim{}, failed("read claims", err)
	}
	if len(open) > 0 {
		return tx.renewClaim(ctx, c, open[0], r)
	}
	held, err := tx.CountClaims(ctx, r.ManagerID)
	if err != nil {
		return models.Claim{}, err
	}
	if r.Limit > 0 && held >= r.Limit {
		return models.Claim{}, saying(models.Say("store.claim.limit", "Client", c.Name, "Limit", r.Limit), ErrClaimLimit)
	}
	if r.Actor == "" {
		r.Actor = actorKontrol
	}
	row := models.Claim{ClientID: r.ClientID, ManagerID: r.ManagerID, Actor: r.Actor, ClaimedAt: tx.now(), ExpiresAt: tx.now().Add(r.For)}
	if err := tx.on(ctx).Omit("Client", "Manager").Create(&row).Error; err != nil {
		return row, failed("store claim", err)
	}
	return row, tx.claimEvent(ctx, row, models.EventClientClaimed, r.Actor)
}

func (tx *Tx) renewClaim(ctx context.Context, c models.Client, row models.Claim, r ClaimRequest) (models.Claim, error) {
	if row.ManagerID != r.ManagerID {
		return row, saying(models.Say("store.claim.taken", "Client", c.Name, "Manager", row.Manager.Name, "Until", row.ExpiresAt), ErrClaimed)
	}
	row.ExpiresAt = tx.now().Add(r.For)
	res := tx.on(ctx).Model(&models.Claim{}).Where("id = ?", row.ID).Updates(map[string]any{"expires_at": row.ExpiresAt})
	return row, changedOne(res, "renew claim")
}

func (tx *Tx) claimEvent(ctx context.Context, c models.Claim, kind models.EventKind, actor string) error {
	m, err := first[models.Manager](tx.on(ctx), "read manager", c.ManagerID)
	if err != nil {
		return err
	}
	text := models.Say("store.event.client_claimed", "Manager", m.Name, "Until", c.ExpiresAt)
	if kind == models.EventClientReleased {
		text = models.Say("store.event.client_released", "Manager", m.Name)
	}
	return tx.clientEvent(ctx, kind, c.ClientID, actor, text)
}

// ReleaseClaim ends the claim on a client and reports whether there was one. With managerID not 0 only that manager's is
// ended; another's gives ErrClaimed with a phrase.
func (tx *Tx) ReleaseClaim(ctx context.Context, clientID, managerID int64, actor string) (bool, error) {
	ctx, err := tx.mayChange(ctx, touched{clients: []int64{clientID}})
	if err != nil {
		return false, err
	}
	var open []models.Claim
	err = tx.on(ctx).Preload("Manager").Preload("Client").
		Where("client_id = ? AND ended_at IS NULL AND expires_at > ?", clientID, tx.now()).Find(&open).Error
	if err != nil || len(open) == 0 {
		return false, failed("read claims", err)
	}
	row := open[0]
	if managerID != 0 && row.ManagerID != managerID {
		return false, saying(models.Say("store.claim.taken", "Client", row.Client.Name, "Manager", row.Manager.Name, "Until", row.ExpiresAt), ErrClaimed)
	}
	if err := tx.endClaims(ctx, "client_id = ?", models.ClaimReleased, clientID); err != nil {
		return false, err
	}
	return true, tx.claimEvent(ctx, row, models.EventClientReleased, actor)
}

func (tx *Tx) endClaims(ctx context.Context, where string, why models.ClaimEnd, args ...any) error {
	err := tx.on(ctx).Model(&models.Claim{}).Where("ended_at IS NULL").Where(where, args...).
		Updates(map[string]any{"ended_at": tx.now(), "end_reason": why}).Error
	return failed("end claims", err)
}

// CountClaims returns how many claims of the manager hold now.
func (q *Queries) CountClaims(ctx context.Context, managerID int64) (int, error) {
	var n int64
	err := q.on(ctx).Model(&models.Claim{}).Where("manager_id = ? AND ended_at IS NULL AND expires_at > ?", managerID, q.now()).Count(&n).Error
	return int(n), failed("count claims", err)
}

// ClaimsOf returns all claims on the client, also ended ones, oldest first, with Manager filled in.
func (q *Queries) ClaimsOf(ctx context.Context, clientID int64) ([]models.Claim, error) {
	var rows []models.Claim
	err := q.on(ctx).Where("client_id = ?", clientID).Preload("Manager").Order("claimed_at, id").Find(&rows).Error
	return rows, failed("read claims", err)
}

// claimsOn returns the claims that hold now on the clients, by client.
func (q *Queries) claimsOn(ctx context.Context, clientIDs []int64) (map[int64]models.Claim, error) {
	rows, err := findIn[models.Claim](q.on(ctx), "client_id", clientIDs, func(g *gorm.DB) *gorm.DB {
		return g.Where("ended_at IS NULL AND expires_at > ?", q.now()).Preload("Manager")
	})
	out := make(map[int64]models.Claim, len(rows))
	for _, r := range rows {
		out[r.ClientID] = r
	}
	return out, failed("read claims", err)
}

// AddAbsence stores when a manager is away and who stands in, and sets its ID. It must end after it starts, and nobody
// stands in for himself.
func (tx *Tx) AddAbsence(ctx context.Context, a *models.Absence) error {
	ctx, err := tx.mayChange(ctx, touched{deputising: []int64{a.ManagerID}})
	if err != nil {
		return err
	}
	if !a.EndsAt.After(a.StartsAt) {
		return saying(models.Say("store.absence.span"), errors.New("store absence: it ends before it starts"))
	}
	if a.DeputyID != nil && *a.DeputyID == a.ManagerID {
		return saying(models.Say("store.absence.self"), errors.New("store absence: own deputy"))
	}
	a.ID, a.CancelledAt = 0, nil
	return failed("store absence", tx.on(ctx).Omit("Manager", "Deputy").Create(a).Error)
}

// EndAbsences ends what absences of the manager are not over yet: he is back. It returns how many there were.
func (tx *Tx) EndAbsences(ctx context.Context, managerID int64) (int, error) {
	ctx, err := tx.mayChange(ctx, touched{deputising: []int64{managerID}})
	if err != nil {
		return 0, err
	}
	res := tx.on(ctx).Model(&models.Absence{}).Where("manager_id = ? AND cancelled_at IS NULL AND ends_at > ?", managerID, tx.now()).
		Updates(map[string]any{"cancelled_at": tx.now()})
	return int(res.RowsAffected), failed("end absences", res.Error)
}

// Absences returns the absences that are not over yet, by their start, with Manager and Deputy filled in.
func (q *Queries) Absences(ctx context.Context) ([]models.Absence, error) {
	var rows []models.Absence
	err := q.on(ctx).Where("cancelled_at IS NULL AND ends_at > ?", q.now()).Preload("Manager").Preload("Deputy").
		Order("starts_at, id").Find(&rows).Error
	return rows, failed("read absences", err)
}

// ColumnMap returns what a person said about the columns of a table with these titles, or models.ErrNotFound.
func (q *Queries) ColumnMap(ctx context.Context, headerKey string) (models.ColumnMap, error) {
	var row models.ColumnMap
	err := q.on(ctx).Where("header_key = ?", headerKey).Take(&row).Error
	return row, failed("read column map", err)
}

// SaveColumnMap stores what a person said about columns in the place of what was said before.
func (tx *Tx) SaveColumnMap(ctx context.Context, m models.ColumnMap) error {
	ctx = tx.free(ctx)
	old, err := tx.ColumnMap(ctx, m.HeaderKey)
	switch {
	case errors.Is(err, models.ErrNotFound):
		m.ID = 0
		return failed("store column map", tx.on(ctx).Create(&m).Error)
	case err != nil:
		return err
	}
	res := tx.on(ctx).Model(&models.ColumnMap{}).Where("id = ?", old.ID).
		Updates(map[string]any{"titles": m.Titles, "fields": m.Fields, "actor": m.Actor})
	return changedOne(res, fmt.Sprintf("store column map %d", old.ID))
}
