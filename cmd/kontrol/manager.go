package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

func (c *cli) managerCommand() *cobra.Command {
	return c.group("manager", "cli.manager", c.managerList(), c.managerAway(), c.managerBack())
}

// managerJSON is a row of `kontrol manager list --format json`.
type managerJSON struct {
	Name    string  `json:"name"`
	Email   string  `json:"email"`
	Role    string  `json:"role"`
	Team    string  `json:"team"`
	Clients int     `json:"clients"`
	Claims  int     `json:"claims"`
	AwayOn  *string `json:"away_from"`
	AwayTo  *string `json:"away_until"`
	Deputy  string  `json:"deputy"`
}

func (c *cli) managerList() *cobra.Command {
	return c.command("list", "cli.manager_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error { return c.listManagers(cmd.Context(), q) })
	})
}

func (c *cli) listManagers(ctx context.Context, q *store.Queries) error {
	managers, err := q.Managers(ctx)
	if err != nil {
		return err
	}
	absences, err := q.Absences(ctx)
	if err != nil {
		return err
	}
	l := listing{columns: []column{{title: c.Text("cli.column.owner"), flex: true}, {title: c.Text("cli.column.email"), flex: true},
		{title: c.Text("cli.column.role")}, {title: c.Text("cli.column.team")}, {title: c.Text("cli.column.clients"), right: true},
		{title: c.Text("cli.column.claims"), right: true}, {title: c.Text("cli.column.away"), flex: true}, {title: c.Text("cli.column.deputy"), flex: true}},
		empty: c.Text("cli.manager_list.empty")}
	values := []managerJSON{}
	for _, m := range managers {
		if !m.Active {
			continue
		}
		j := managerJSON{Name: m.Name, Email: m.Email, Role: string(m.Role), Team: m.Team}
		if j.Clients, err = q.CountClients(ctx, store.ClientFilter{OwnerID: m.ID}); err != nil {
			return err
		}
		if j.Claims, err = q.CountClaims(ctx, m.ID); err != nil {
			return err
		}
		away := ""
		for _, a := range absences {
			if a.ManagerID == m.ID && j.AwayOn == nil { // the next one
				j.AwayOn, j.AwayTo = stamp(&a.StartsAt), stamp(&a.EndsAt)
				away = c.day(&a.StartsAt) + " – " + c.day(&a.EndsAt)
				if a.Deputy != nil {
					j.Deputy = a.Deputy.Name
				}
			}
		}
		values = append(values, j)
		l.rows = append(l.rows, []string{j.Name, j.Email, c.Text("cli.role." + j.Role), j.Team, strconv.Itoa(j.Clients), strconv.Itoa(j.Claims), away, j.Deputy})
	}
	l.values = values
	return c.out.list(c.flags.format, l)
}

func (c *cli) managerAway() *cobra.Command {
	var from, until, deputy, comment string
	var dry bool
	cmd := c.command("away", "cli.manager_away", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		a := models.Absence{StartsAt: c.env.now(), Comment: comment, Actor: c.actor()}
		var err error
		if from != "" {
			if a.StartsAt, err = parseDay(from, c.localNow(), false); err != nil {
				return err
			}
		}
		if a.EndsAt, err = parseDay(until, c.localNow(), false); err != nil {
			return err
		}
		a.EndsAt = a.EndsAt.AddDate(0, 0, 1) // the last day counts
		return c.change(cmd.Context(), dry, func(tx *store.Tx) error { return c.sendAway(cmd.Context(), tx, a, args[0], deputy, dry) })
	})
	f := cmd.Flags()
	f.StringVar(&from, "from", "", c.Text("cli.flag.away_from"))
	f.StringVar(&until, "until", "", c.Text("cli.flag.away_until"))
	f.StringVar(&deputy, "deputy", "", c.Text("cli.flag.deputy"))
	f.StringVar(&comment, "reason", "", c.Text("cli.flag.assign_reason"))
	f.BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	c.completeFlag(cmd, "deputy", c.completeOwners)
	cmd.ValidArgsFunction = argument(0, c.completeOwners)
	return cmd
}

func (c *cli) sendAway(ctx context.Context, tx *store.Tx, a models.Absence, who, deputy string, dry bool) error {
	m, err := c.manager(ctx, tx, who)
	if err != nil {
		return err
	}
	a.ManagerID = m.ID
	stands := models.Say("cli.manager_away.nobody")
	if deputy != "" {
		d, err := c.manager(ctx, tx, deputy)
		if err != nil {
			return err
		}
		a.DeputyID = &d.ID
		stands = models.Say("cli.manager_away.deputy", "Deputy", d.Name)
	}
	if err := tx.AddAbsence(ctx, &a); err != nil {
		return err
	}
	last := a.EndsAt.AddDate(0, 0, -1)
	return c.saidOf(c.Text("cli.manager_away.done", "Manager", m.Name, "From", c.day(&a.StartsAt), "Until", c.day(&last), "Deputy", stands), dry)
}

func (c *cli) managerBack() *cobra.Command {
	var dry bool
	cmd := c.command("back", "cli.manager_back", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.change(cmd.Context(), dry, func(tx *store.Tx) error {
			m, err := c.manager(cmd.Context(), tx, args[0])
			if err != nil {
				return err
			}
			n, err := tx.EndAbsences(cmd.Context(), m.ID)
			if err != nil {
				return err
			}
			key := "cli.manager_back.done"
			if n == 0 {
				key = "cli.manager_back.none"
			}
			return c.saidOf(c.Text(key, "Manager", m.Name), dry)
		})
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.ValidArgsFunction = argument(0, c.completeOwners)
	return cmd
}

// saidOf says what was done, or would be.
func (c *cli) saidOf(text string, dry bool) error {
	if c.flags.format == formatJSON {
		return c.out.json(map[string]any{"text": text, "dry_run": dry})
	}
	if dry {
		text = c.Text("cli.would", "Text", text)
	}
	c.out.line(text)
	return c.out.err
}
