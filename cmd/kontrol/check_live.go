package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/models"
)

// probedJSON is a mailbox in `kontrol check --live --format json`.
type probedJSON struct {
	Mailbox   string             `json:"mailbox"`
	Server    string             `json:"server"`
	OK        bool               `json:"ok"`
	Error     string             `json:"error,omitempty"`
	TookMS    int64              `json:"took_ms"`
	Abilities []string           `json:"abilities"`
	Folders   []probedFolderJSON `json:"folders"`
	Notes     []string           `json:"notes"`
	Login     *loginJSON         `json:"login,omitempty"`
}

type probedFolderJSON struct {
	Role     string `json:"role"`
	Name     string `json:"name"` // "" when the daemon will make it
	Messages uint32 `json:"messages"`
	ReadOnly bool   `json:"read_only"`
}

// probesAtOnce bounds how many mailboxes are looked at at the same time: servers dislike a storm of logins.
const probesAtOnce = 4

// checkLive logs in to every mailbox, looks at the server and its folders, opens the database, and changes nothing.
func (c *cli) checkLive(ctx context.Context, cfg *config.Config, tokens *daemon.Logins, all logins) error {
	list := c.probe(ctx, cfg, tokens)
	failed := false
	rows := make([]probedJSON, 0, len(list))
	for _, p := range list {
		failed = failed || p.Err != nil
		row := c.probed(p)
		row.Login = c.loginJSON(all, p.Address)
		rows = append(rows, row)
	}
	if c.flags.format == formatJSON {
		if err := c.out.json(rows); err != nil {
			return err
		}
	} else {
		for _, p := range rows {
			c.showProbed(p)
		}
	}
	if failed {
		return told(models.Say("cli.check.failed"))
	}
	return c.out.err
}

func (c *cli) probe(ctx context.Context, cfg *config.Config, tokens *daemon.Logins) []daemon.Probed {
	boxes := cfg.Mailboxes()
	list := make([]daemon.Probed, len(boxes))
	slots := make(chan struct{}, probesAtOnce)
	var wg sync.WaitGroup
	for i, box := range boxes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			list[i] = daemon.Probe(ctx, box, tokens, c.env.now, c.log)
		})
	}
	wg.Wait()
	return list
}

func (c *cli) probed(p daemon.Probed) probedJSON {
	j := probedJSON{
		Mailbox: p.Address, Server: p.Server, OK: p.Err == nil, TookMS: p.Took.Milliseconds(), Abilities: []string{},
		Folders: []probedFolderJSON{}, Notes: append([]string{}, p.Notes...),
	}
	if p.Err != nil {
		j.Error = c.errorText(p.Err)
		return j
	}
	for name, has := range map[string]bool{
		"MOVE": p.Caps.Move, "UIDPLUS": p.Caps.UIDPlus, "IDLE": p.Caps.Idle, "CONDSTORE": p.Caps.CondStore,
		"SPECIAL-USE": p.Caps.SpecialUse, "LIST-STATUS": p.Caps.ListStatus,
	} {
		if has {
			j.Abilities = append(j.Abilities, name)
		}
	}
	slices.Sort(j.Abilities)
	for _, f := range p.Folders {
		j.Folders = append(j.Folders, probedFolderJSON{Role: string(f.Role), Name: f.Name, Messages: f.Messages, ReadOnly: f.ReadOnly})
	}
	return j
}

func (c *cli) showProbed(p probedJSON) {
	if !p.OK {
		c.out.line(c.out.paint(paintBad, "✗"), " ", p.Mailbox, " (", p.Server, "): ", p.Error)
		return
	}
	c.out.line(c.out.paint(paintGood, "✓"), " ", p.Mailbox, " (", p.Server, "), ", strconv.FormatInt(p.TookMS, 10), " ms: ",
		strings.Join(p.Abilities, " "))
	for _, f := range p.Folders {
		role := c.Text("folder." + f.Role)
		switch {
		case f.Name == "":
			c.out.line("    ", role, ": ", c.Text("cli.check.will_make"))
		case f.ReadOnly:
			c.out.line("    ", role, ": ", clean(f.Name), ", ", c.Text("count.letters", "Count", f.Messages), ", ", c.Text("cli.check.read_only"))
		default:
			c.out.line("    ", role, ": ", clean(f.Name), ", ", c.Text("count.letters", "Count", f.Messages))
		}
	}
	if !slices.Contains(p.Abilities, "MOVE") && !slices.Contains(p.Abilities, "UIDPLUS") {
		c.out.line("    ", c.out.paint(paintWarn, "! "), c.Text("cli.check.cannot_move"))
	}
	if !slices.Contains(p.Abilities, "IDLE") {
		c.out.line("    ", c.out.paint(paintWarn, "! "), c.Text("cli.check.no_idle"))
	}
	for _, n := range p.Notes {
		c.out.line("    ", clean(n))
	}
}
