package store

import (
	"context"
	"fmt"

	"kontrol/models"
)

// Managers returns all people of the department, also those who have left, by name.
func (q *Queries) Managers(ctx context.Context) ([]models.Manager, error) {
	var rows []models.Manager
	return rows, failed("read managers", q.on(ctx).Order("name, id").Find(&rows).Error)
}

// Manager returns the person with the e-mail address, or models.ErrNotFound.
func (q *Queries) Manager(ctx context.Context, email string) (models.Manager, error) {
	var row models.Manager
	err := q.on(ctx).Where("email = ?", models.NormalAddress(storable(email))).Take(&row).Error
	return row, failed("read manager", err)
}

// Mailboxes returns all mailboxes, also removed ones, with Manager filled in, by address.
func (q *Queries) Mailboxes(ctx context.Context) ([]models.Mailbox, error) {
	var rows []models.Mailbox
	return rows, failed("read mailboxes", q.on(ctx).Preload("Manager").Order("address").Find(&rows).Error)
}

// Mailbox returns the mailbox with the address, with Manager filled in, or models.ErrNotFound.
func (q *Queries) Mailbox(ctx context.Context, address string) (models.Mailbox, error) {
	var row models.Mailbox
	err := q.on(ctx).Preload("Manager").Where("address = ?", models.NormalAddress(storable(address))).Take(&row).Error
	return row, failed("read mailbox", err)
}

// SyncManagers makes the stored people those that the config declares, by address, and sets their IDs: new ones are
// added, known ones take over name, role and zone and are active, all others become inactive.
func (tx *Tx) SyncManagers(ctx context.Context, declared []models.Manager) error {
	ctx = tx.free(ctx)
	stored, err := tx.Managers(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]models.Manager, len(stored))
	for _, m := range stored {
		known[m.Email] = m
	}
	for i := range declared {
		m := &declared[i]
		m.Email, m.Active = models.NormalAddress(m.Email), true
		old, ok := known[m.Email]
		delete(known, m.Email)
		if ok {
			m.ID, m.CreatedAt = old.ID, old.CreatedAt
			err = tx.setManager(ctx, m.ID, map[string]any{"name": m.Name, "role": m.Role, "timezone": m.Timezone, "team": m.Team, "active": true})
		} else {
			m.ID = 0
			err = failed("add manager", tx.on(ctx).Create(m).Error)
		}
		if err != nil {
			return err
		}
	}
	for _, m := range known {
		if err := tx.setManager(ctx, m.ID, map[string]any{"active": false}); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) setManager(ctx context.Context, id int64, values map[string]any) error {
	return changedOne(tx.on(ctx).Model(&models.Manager{}).Where("id = ?", id).Updates(values), "change manager")
}

// SyncMailboxes makes the stored mailboxes those that the config declares, by address, and makes *declared what is stored.
// New ones are added, active unless their State says otherwise. Known ones take over kind, manager and aliases and keep
// their state, except that a removed one is active again. All others become removed; their history stays.
func (tx *Tx) SyncMailboxes(ctx context.Context, declared []models.Mailbox) error {
	ctx = tx.free(ctx)
	stored, err := tx.Mailboxes(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]models.Mailbox, len(stored))
	for _, m := range stored {
		known[m.Address] = m
	}
	for i := range declared {
		m := &declared[i]
		m.Address = models.NormalAddress(m.Address)
		old, ok := known[m.Address]
		delete(known, m.Address)
		if ok {
			err = tx.keepMailbox(ctx, m, old)
		} else {
			err = tx.addMailbox(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	for _, m := range known {
		if m.State == models.MailboxRemoved {
			continue
		}
		if err := tx.SetMailboxState(ctx, m.ID, models.MailboxRemoved, models.Phrase{}); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) addMailbox(ctx context.Context, m *models.Mailbox) error {
	m.ID = 0
	if m.State == "" {
		m.State = models.MailboxActive
	}
	return failed("add mailbox", tx.on(ctx).Omit("Manager").Create(m).Error)
}

func (tx *Tx) keepMailbox(ctx context.Context, m *models.Mailbox, old models.Mailbox) error {
	values := map[string]any{"kind": m.Kind, "manager_id": m.ManagerID, "aliases": m.Aliases}
	old.Kind, old.ManagerID, old.Aliases, old.Manager = m.Kind, m.ManagerID, m.Aliases, m.Manager
	if old.State == models.MailboxRemoved {
		old.State, old.StateReason, old.LoginRefusals, old.RefusedAt = models.MailboxActive, models.Phrase{}, 0, nil
		values["state"], values["state_reason"], values["login_refusals"], values["refused_at"] = old.State, old.StateReason, 0, nil
	}
	*m = old
	return tx.setMailbox(ctx, m.ID, values)
}

// SetMailboxState pauses, resumes, stops or removes a mailbox and stores why. The mailbox counts as not connected from
// then on, and refused logins are counted anew.
func (tx *Tx) SetMailboxState(ctx context.Context, mailboxID int64, s models.MailboxState, reason models.Phrase) error {
	return tx.setMailbox(ctx, mailboxID, map[string]any{
		"state": s, "state_reason": reason, "connected": false, "login_refusals": 0, "refused_at": nil,
	})
}

func (tx *Tx) setMailbox(ctx context.Context, id int64, values map[string]any) error {
	return changedOne(tx.on(ctx).Model(&models.Mailbox{}).Where("id = ?", id).Updates(values), fmt.Sprintf("change mailbox %d", id))
}

// SaveMailboxHealth stores how the mailbox is; a nil SyncedAt leaves what is stored. A mailbox that a person has paused,
// or that is no longer in the config, stays so whatever h.State says: only Tx.SetMailboxState and Tx.SyncMailboxes end
// that. It returns models.ErrNotFound when there is no such mailbox.
func (db *DB) SaveMailboxHealth(ctx context.Context, mailboxID int64, h models.MailboxHealth) error {
	return db.Tx(ctx, func(tx *Tx) error {
		values := map[string]any{"login_refusals": h.LoginRefusals, "refused_at": h.RefusedAt, "connected": h.Connected}
		if h.SyncedAt != nil {
			values["synced_at"] = h.SyncedAt
		}
		if err := tx.setMailbox(ctx, mailboxID, values); err != nil {
			return err
		}
		err := tx.on(ctx).Model(&models.Mailbox{}).
			Where("id = ? AND state NOT IN ?", mailboxID, []models.MailboxState{models.MailboxPaused, models.MailboxRemoved}).
			Updates(map[string]any{"state": h.State, "state_reason": h.Reason}).Error
		return failed("store health of mailbox", err)
	})
}
