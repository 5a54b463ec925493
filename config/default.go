package config

import (
	"time"

	"kontrol/models"
)

// Default returns the config of an empty file: what every key means when it is not there. Only servers, managers and
// shared mailboxes have no default. What a manager or a mailbox leaves out is taken from the rest of the config, see
// Config.inherit.
//
// The folder names do not follow the language: a change of language must not make Kontrol look for other folders.
func Default() *Config {
	return &Config{
		Language: "ru",
		Timezone: "Europe/Moscow",
		Database: Database{URL: Hide("sqlite:kontrol.db")},
		Folders: Folders{
			FolderNames:    FolderNames{Processed: "Обработанные письма", Control: "На контроле", Private: "Команды/Личное"},
			WithoutUIDPlus: Refuse,
		},
		Triage:   Triage{FirstLook: Duration(30 * 24 * time.Hour)},
		Payments: Payments{WonWhen: "paid"},
		Clients:  Clients{Visibility: SeeOwn, ClaimLimit: 50, ClaimFor: Duration(14 * 24 * time.Hour)},
		Log:      Log{Level: "info", Format: LogAuto},
	}
}

// inherit fills in what managers and shared mailboxes leave to the rest of the config.
func (c *Config) inherit() {
	only := ""
	if len(c.Servers) == 1 {
		for name := range c.Servers {
			only = name
		}
	}
	for i := range c.Managers {
		m := &c.Managers[i]
		m.Email = models.NormalAddress(m.Email)
		normalise(m.Aliases)
		if m.Role == "" {
			m.Role = models.RoleManager
		}
		fill(&m.Server, only)
		fill(&m.Username, m.Email)
		fill(&m.Timezone, c.Timezone)
	}
	for i := range c.SharedMailboxes {
		s := &c.SharedMailboxes[i]
		s.Address = models.NormalAddress(s.Address)
		normalise(s.Aliases)
		fill(&s.Server, only)
		fill(&s.Username, s.Address)
	}
	normalise(c.Company.Addresses)
	normalise(c.Private.Addresses)
}

func normalise(addresses []string) {
	for i, a := range addresses {
		addresses[i] = models.NormalAddress(a)
	}
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
