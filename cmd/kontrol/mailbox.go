package main

import (
	"strings"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

func (c *cli) mailboxCommand() *cobra.Command {
	return c.group("mailbox", "cli.mailbox", c.mailboxList(), c.mailboxShow(), c.mailboxLogin(), c.mailboxLogout())
}

// mailboxJSON is a mailbox in JSON.
type mailboxJSON struct {
	Address       string         `json:"address"`
	Kind          string         `json:"kind"`
	Manager       string         `json:"manager"`
	Aliases       []string       `json:"aliases"`
	State         string         `json:"state"`
	StateReason   *phraseJSON    `json:"state_reason"`
	Connected     bool           `json:"connected"`
	LoginRefusals int            `json:"login_refusals"`
	SyncedAt      *string        `json:"synced_at"`
	LagSeconds    *int64         `json:"lag_seconds"`
	Letters       int            `json:"letters"`
	Unanswered    int            `json:"unanswered"`
	OnControl     int            `json:"on_control"`
	Copies        map[string]int `json:"copies"`
	Moves         map[string]int `json:"moves"`
	Quarantine    int            `json:"quarantine"`
	Login         *loginJSON     `json:"login,omitempty"`
}

func (c *cli) mailboxJSON(h health, m store.MailboxStatus) mailboxJSON {
	j := mailboxJSON{
		Address: m.Address, Kind: string(m.Kind), Aliases: list(m.Aliases), State: string(m.State), StateReason: c.phrase(m.StateReason),
		Connected: m.Connected && h.running, LoginRefusals: m.LoginRefusals, SyncedAt: stamp(m.SyncedAt), Letters: m.Letters,
		Unanswered: h.unanswered[m.ID], OnControl: m.Live[models.FolderControl], Copies: map[string]int{}, Moves: map[string]int{},
		Quarantine: m.Quarantine, Login: c.loginJSON(h.logins, m.Address),
	}
	if m.Manager != nil {
		j.Manager = m.Manager.Name
	}
	if m.SyncedAt != nil {
		lag := int64(c.env.now().Sub(*m.SyncedAt).Seconds())
		j.LagSeconds = &lag
	}
	for role, n := range m.Live {
		j.Copies[string(role)] = n
	}
	for state, n := range m.Filings {
		j.Moves[string(state)] = n
	}
	return j
}

// mailboxListing is the table of mailboxes. With brief the reasons are left out that attention tells below the table.
func (c *cli) mailboxListing(h health, brief bool) listing {
	l := listing{columns: []column{
		{title: c.Text("cli.column.mailbox")}, {title: c.Text("cli.column.state"), flex: true},
		{title: c.Text("cli.column.synced")}, {title: c.Text("cli.column.lag"), right: true},
		{title: c.Text("cli.column.unanswered"), right: true}, {title: c.Text("cli.column.on_control"), right: true},
		{title: c.Text("cli.column.letters"), right: true},
	}, empty: c.Text("cli.mailbox_list.empty")}
	logins := h.logins.anyOAuth() && !brief
	if logins {
		l.columns = append(l.columns, column{title: c.Text("cli.login.word"), flex: true})
	}
	values := []mailboxJSON{}
	for _, m := range h.Mailboxes {
		lag := ""
		if m.SyncedAt != nil {
			lag = c.span(c.env.now().Sub(*m.SyncedAt))
		}
		shown := m.Mailbox
		if _, told := c.mailboxAttention(m, h.running); told && brief {
			shown.StateReason = models.Phrase{}
		}
		l.rows = append(l.rows, []string{m.Address, c.mailboxState(shown, h.running), c.when(m.SyncedAt), lag,
			number(h.unanswered[m.ID]), number(m.Live[models.FolderControl]), number(m.Letters)})
		if logins {
			last := len(l.rows) - 1
			l.rows[last] = append(l.rows[last], c.loginText(h.logins, m.Address))
		}
		values = append(values, c.mailboxJSON(h, m))
	}
	l.values = values
	return l
}

func (c *cli) mailboxList() *cobra.Command {
	return c.command("list", "cli.mailbox_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.withDB(cmd.Context(), false, func(db *store.DB) error {
			h, err := gatherHealth(cmd.Context(), db)
			if err != nil {
				return err
			}
			if h.logins, err = c.gatherLogins(cmd.Context(), db); err != nil {
				return err
			}
			return c.out.list(c.flags.format, c.mailboxListing(h, false))
		})
	})
}

func (c *cli) mailboxShow() *cobra.Command {
	cmd := c.command("show", "cli.mailbox_show", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.withDB(cmd.Context(), false, func(db *store.DB) error {
			wanted, err := c.findMailbox(cmd.Context(), db.Read(), args[0])
			if err != nil {
				return err
			}
			h, err := gatherHealth(cmd.Context(), db)
			if err != nil {
				return err
			}
			if h.logins, err = c.gatherLogins(cmd.Context(), db); err != nil {
				return err
			}
			for _, m := range h.Mailboxes {
				if m.ID == wanted.ID {
					return c.showMailbox(h, m)
				}
			}
			return nil
		})
	})
	cmd.ValidArgsFunction = argument(0, c.completeMailboxes)
	return cmd
}

// mailboxDetailJSON is what `kontrol mailbox show --format json` gives.
type mailboxDetailJSON struct {
	mailboxJSON
	Folders []folderJSON `json:"folders"`
}

type folderJSON struct {
	Role        string  `json:"role"`
	Name        string  `json:"name"`
	UIDValidity uint32  `json:"uid_validity"`
	LastUID     uint32  `json:"last_uid"`
	ReadOnly    bool    `json:"read_only"`
	Copies      int     `json:"copies"`
	SyncedAt    *string `json:"synced_at"`
}

func (c *cli) showMailbox(h health, m store.MailboxStatus) error {
	var folders []models.Folder
	for _, role := range folderRoles() {
		for _, f := range h.folders {
			if f.MailboxID == m.ID && string(f.Role) == role {
				folders = append(folders, f)
			}
		}
	}
	if c.flags.format == formatJSON {
		j := mailboxDetailJSON{mailboxJSON: c.mailboxJSON(h, m), Folders: []folderJSON{}}
		for _, f := range folders {
			j.Folders = append(j.Folders, folderJSON{Role: string(f.Role), Name: f.Name, UIDValidity: f.UIDValidity,
				LastUID: f.LastUID, ReadOnly: f.ReadOnly, Copies: m.Live[f.Role], SyncedAt: stamp(f.SyncedAt)})
		}
		return c.out.json(j)
	}
	owner := ""
	if m.Manager != nil {
		owner = person(m.Manager.Name, m.Manager.Email)
	}
	if err := c.facts([][2]string{
		{c.Text("cli.column.mailbox"), m.Address},
		{c.Text("cli.mailbox_show.kind"), c.Text("cli.mailbox_kind." + string(m.Kind))},
		{c.Text("cli.column.owner"), owner},
		{c.Text("cli.mailbox_show.aliases"), strings.Join(m.Aliases, ", ")},
		{c.Text("cli.column.state"), c.mailboxState(m.Mailbox, h.running)},
		{c.Text("cli.login.word"), c.loginText(h.logins, m.Address)},
		{c.Text("cli.column.synced"), c.when(m.SyncedAt)},
		{c.Text("cli.column.letters"), number(m.Letters)},
		{c.Text("cli.column.unanswered"), number(h.unanswered[m.ID])},
		{c.Text("cli.column.on_control"), number(m.Live[models.FolderControl])},
		{c.Text("cli.status.quarantine"), number(m.Quarantine)},
	}); err != nil || c.flags.format == formatCSV {
		return err
	}
	c.out.line()
	return c.out.list(formatTable, c.folderListing(m, folders))
}

func (c *cli) folderListing(m store.MailboxStatus, folders []models.Folder) listing {
	l := listing{columns: []column{{title: c.Text("cli.column.folder")}, {title: c.Text("cli.column.server_name"), flex: true},
		{title: c.Text("cli.column.letters"), right: true}, {title: c.Text("cli.column.synced")}},
		empty: c.Text("cli.mailbox_show.no_folders")}
	for _, f := range folders {
		l.rows = append(l.rows, []string{c.folderName(f.Role), f.Name, number(m.Live[f.Role]), c.when(f.SyncedAt)})
	}
	return l
}
