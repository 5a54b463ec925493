package daemon

import (
	"context"
	"errors"
	"fmt"

	"kontrol/config"
	"kontrol/models"
	"kontrol/store"
)

// Reloaded tells what Reload did.
type Reloaded struct {
	Applied []string // keys that are in force now
	Restart []string // keys that changed but need a restart of the daemon
}

// Reload reads the config again and puts into force what can be changed while running: passwords, [triage], [[hosts]],
// log.level and the language. The last two are for the caller to heed: see Reloaded.Applied. A config with any error changes nothing, and
// the error names everything that is wrong with it. Mailboxes that had stopped because of refused logins are tried again,
// once. Another [triage] counts for decisions made from now on; those made stay until their threads change.
func (a *App) Reload(context.Context) (Reloaded, error) {
	if a.opts.Load == nil {
		return Reloaded{}, errors.New("reload: there is no config file")
	}
	cfg, err := a.opts.Load()
	if err != nil {
		return Reloaded{}, fmt.Errorf("reload config: %w", err)
	}
	a.mu.Lock()
	applied, restart := config.Changes(a.cfg, cfg)
	if len(restart) == 0 {
		a.setConfig(cfg)
	} else {
		a.setConfig(a.cfg.WithReloadable(cfg))
	}
	a.intake.SetSettings(SettingsOf(a.cfg))
	err = a.boundHosts(a.cfg)
	a.mu.Unlock()
	if err != nil {
		return Reloaded{}, fmt.Errorf("reload config: %w", err)
	}
	for _, w := range a.boxes {
		select {
		case w.again <- struct{}{}:
		default:
		}
	}
	return Reloaded{Applied: applied, Restart: restart}, nil
}

// syncStaff declares the config's managers and mailboxes to the store.
func syncStaff(ctx context.Context, tx *store.Tx, cfg *config.Config) error {
	managers := make([]models.Manager, 0, len(cfg.Managers))
	for _, m := range cfg.Managers {
		managers = append(managers, models.Manager{
			Name: m.Name, Email: models.NormalAddress(m.Email), Role: models.ManagerRole(m.Role), Timezone: m.Timezone, Team: m.Team, Active: true,
		})
	}
	if err := tx.SyncManagers(ctx, managers); err != nil {
		return err
	}
	stored, err := tx.Managers(ctx)
	if err != nil {
		return err
	}
	byEmail := make(map[string]int64, len(stored))
	for _, m := range stored {
		byEmail[m.Email] = m.ID
	}
	boxes := make([]models.Mailbox, 0, len(cfg.Mailboxes()))
	for _, b := range cfg.Mailboxes() {
		row := models.Mailbox{Address: models.NormalAddress(b.Address), Kind: b.Kind, State: models.MailboxActive}
		for _, alias := range b.Aliases {
			row.Aliases = append(row.Aliases, models.NormalAddress(alias))
		}
		if id, ok := byEmail[models.NormalAddress(b.ManagerEmail)]; ok {
			row.ManagerID = &id
		}
		boxes = append(boxes, row)
	}
	return tx.SyncMailboxes(ctx, boxes)
}

// Config returns the config in force.
func (a *App) Config() *config.Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg
}
