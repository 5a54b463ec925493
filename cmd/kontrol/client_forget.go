package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/names"
	"kontrol/store"
)

// forgetting holds the flags of `kontrol client forget`.
type forgetting struct {
	act, reason string
	yes, dry    bool
}

func (c *cli) clientForget() *cobra.Command {
	var f forgetting
	cmd := c.command("forget", "cli.client_forget", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.forChange(cmd.Context(), f.dry, func(db *store.DB) error { return c.forgetClient(cmd.Context(), db, args[0], f) })
	})
	cmd.Flags().StringVar(&f.reason, "reason", "", c.Text("cli.flag.forget_reason"))
	cmd.Flags().StringVar(&f.act, "act", "", c.Text("cli.flag.act"))
	cmd.Flags().BoolVar(&f.yes, "yes", false, c.Text("cli.flag.yes"))
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.ValidArgsFunction = argument(0, c.completeClients)
	return cmd
}

func (c *cli) forgetClient(ctx context.Context, db *store.DB, word string, f forgetting) error {
	q, err := c.seen(ctx, db.Read())
	if err != nil {
		return err
	}
	x, err := c.findClient(ctx, q, word)
	if err != nil {
		return err
	}
	if x.ForgottenAt != nil { // what was interrupted is finished
		if f.dry {
			return c.saidOf(c.Text("cli.client_forget.again", "ID", x.ID), true)
		}
		return errors.Join(db.Scrub(ctx), c.saidOf(c.Text("cli.client_forget.again", "ID", x.ID), false))
	}
	plan, err := db.Read().PlanForget(ctx, x.ID)
	if err != nil {
		return err
	}
	told := c.Text("cli.client_forget.plan", "Name", x.Name, "ID", x.ID, "Letters", models.Say("count.letters", "Count", len(plan.Letters)),
		"Contacts", len(plan.Card.Contacts), "Notes", plan.Notes, "Deals", len(plan.Deals))
	if f.dry {
		return c.saidOf(told, true)
	}
	if err := c.confirm(told, x.Name, f.yes); err != nil {
		return err
	}
	return c.destroy(ctx, db, plan, f)
}

// confirm asks for the name of what is going to be destroyed.
func (c *cli) confirm(text, name string, yes bool) error {
	if yes {
		return nil
	}
	c.complain(text)
	c.complain(c.Text("cli.client_forget.ask", "Name", name))
	line, err := bufio.NewReader(c.env.stdin).ReadString('\n')
	if typed := strings.TrimSpace(line); typed != "" && (typed == name || names.Key(typed) == names.Key(name)) {
		return nil
	}
	if err != nil && line == "" {
		return misused(models.Say("cli.client_forget.nobody"))
	}
	return told(models.Say("cli.client_forget.mismatch"))
}

// destroy writes the act, destroys what it says, and cleans the files of the database.
func (c *cli) destroy(ctx context.Context, db *store.DB, plan store.ForgetPlan, f forgetting) error {
	now := c.localNow()
	id := plan.Card.ID
	number := fmt.Sprintf("%d-%s", id, now.Format("20060102"))
	if f.act == "" {
		f.act = "act-" + number + ".html"
	}
	content, err := c.act(plan, number, f)
	if err != nil {
		return err
	}
	if err := writeNew(f.act, content); err != nil {
		return told(models.Say("cli.client_forget.act", "Path", f.act, "Detail", reasonOf(err)))
	}
	sum := sha256.Sum256(content)
	err = c.inTx(ctx, db, false, func(tx *store.Tx) error {
		if _, err := c.staff(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ForgetClient(ctx, store.Forgetting{ClientID: id, Number: number, FileHash: hex.EncodeToString(sum[:]), Actor: c.actor(),
			Pseudonym: c.Text("cli.client_forget.pseudonym", "ID", id), Categories: c.categories()})
		return err
	})
	if err != nil { // nothing was destroyed: an act that says so must not stay
		return errors.Join(err, os.Remove(f.act))
	}
	if err := db.Scrub(ctx); err != nil {
		return err
	}
	err = c.saidOf(c.Text("cli.client_forget.done", "Name", plan.Card.Name, "ID", id, "Letters", models.Say("count.letters", "Count", len(plan.Letters)), "Path", f.act), false)
	return errors.Join(err, c.warnOfBackups())
}

// warnOfBackups names copies of the database that still hold everything.
func (c *cli) warnOfBackups() error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	path, lite := strings.CutPrefix(cfg.DatabaseURL(), "sqlite:")
	if !lite {
		c.complain(c.Text("cli.client_forget.server_copies"))
		return nil
	}
	path, _, _ = strings.Cut(path, "?")
	found, err := filepath.Glob(path + ".backup-*")
	if err != nil || len(found) == 0 {
		return err
	}
	c.complain(c.Text("cli.client_forget.backups", "Files", found))
	return errWarned
}

// categories are the kinds of personal data that are stored, as the act names them.
func (c *cli) categories() []string {
	return []string{c.Text("cli.act.category_names"), c.Text("cli.act.category_reach"), c.Text("cli.act.category_letters"),
		c.Text("cli.act.category_notes"), c.Text("cli.act.category_inn")}
}

// actLine is a line of the act.
type actLine struct{ Name, Value string }

// actPart is one of the two documents that order 179 of Roskomnadzor of 28.10.2022 asks for when data is processed by
// machine: the act (its section 3) and the extract from the log (section 5).
type actPart struct {
	Title string
	Lines []actLine
}

// act makes the act of destruction and the extract from the log: HTML, or plain text when the file's name ends in .txt. It
// names the people, as the order demands: it is the only thing that still does.
func (c *cli) act(plan store.ForgetPlan, number string, f forgetting) ([]byte, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if f.reason == "" {
		f.reason = c.Text("cli.act.reason_default")
	}
	who := []string{plan.Card.Name}
	for _, k := range plan.Card.Contacts {
		if k.Name != "" {
			who = append(who, k.Name)
		}
	}
	operator := cfg.Company.Name
	if cfg.Company.INN != "" {
		operator += ", " + c.Text("cli.inn", "INN", cfg.Company.INN)
	}
	system := c.Text("cli.act.system_value", "Database", cfg.RedactedDatabaseURL())
	line := func(key, value string) actLine { return actLine{c.Text("cli.act." + key), value} } // keys of the act's own section
	subjects, kinds := line("subjects", strings.Join(who, "; ")), line("categories", strings.Join(c.categories(), "; "))
	at := line("date", c.texts.Time(c.env.now()))
	const blank = "______________________________"
	parts := []actPart{
		{c.Text("cli.act.title", "Number", number), []actLine{line("operator", operator), line("address", blank), line("processor", c.Text("cli.act.none")),
			subjects, line("by", c.actor()+", "+blank), kinds, line("carriers", c.Text("cli.act.none")), line("system", system),
			line("method", c.Text("cli.act.method_value")), line("reason", f.reason), at,
			line("kept", c.Text("cli.act.kept_value", "Deals", len(plan.Deals), "ID", plan.Card.ID)), line("signature", blank)}},
		{c.Text("cli.act.log", "Number", number), []actLine{subjects, kinds, line("system", system), line("reason", f.reason), at,
			line("rows", c.Text("cli.act.rows_value", "Letters", len(plan.Letters), "Contacts", len(plan.Card.Contacts), "Notes", plan.Notes))}},
	}
	if strings.EqualFold(filepath.Ext(f.act), ".txt") {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p.Title + "\n\n")
			for _, l := range p.Lines {
				b.WriteString(l.Name + ": " + clean(l.Value) + "\n")
			}
			b.WriteString("\n")
		}
		return []byte(b.String()), nil
	}
	page, err := template.New("act").Parse(actPage)
	if err != nil {
		return nil, fmt.Errorf("read template of act: %w", err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, parts); err != nil {
		return nil, fmt.Errorf("write act: %w", err)
	}
	return b.Bytes(), nil
}

const actPage = `<!doctype html>
<meta charset="utf-8">
<style>body{font:12pt serif;margin:2cm;max-width:18cm}td{padding:.3em .6em;vertical-align:top;border:1px solid #999}table{border-collapse:collapse}h1{font-size:14pt}</style>
{{range .}}<h1>{{.Title}}</h1>
<table>
{{range .Lines}}<tr><td>{{.Name}}</td><td>{{.Value}}</td></tr>
{{end}}</table>
{{end}}`
