package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

// exportJSON is client.json of an export: all that is stored about a client.
type exportJSON struct {
	Client  clientDetailJSON  `json:"client"`
	Notes   []noteJSON        `json:"notes"`
	Claims  []claimJSON       `json:"claims"`
	History []dealHistoryJSON `json:"deal_history"`
	Letters []letterTextJSON  `json:"letters"`
	Links   []linkJSON        `json:"links"`
	MadeAt  *string           `json:"made_at"`
}

type noteJSON struct {
	At     *string `json:"at"`
	Author string  `json:"author"`
	Text   string  `json:"text"`
}

type claimJSON struct {
	Manager string  `json:"manager"`
	From    *string `json:"from"`
	Until   *string `json:"until"`
	Ended   *string `json:"ended"`
}

type dealHistoryJSON struct {
	Deal    int64             `json:"deal"`
	Changes []stageChangeJSON `json:"changes"`
}

type letterTextJSON struct {
	letterJSON
	Text string `json:"text"`
	File string `json:"file"`
}

func (c *cli) clientExport() *cobra.Command {
	cmd := c.command("export", "cli.client_export", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			x, err := c.findClient(cmd.Context(), q, args[0])
			if err != nil {
				return err
			}
			return c.exportClient(cmd.Context(), q, x, args[1])
		})
	})
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return argument(0, c.completeClients)(cmd, args, begun)
	}
	return cmd
}

func (c *cli) exportClient(ctx context.Context, q *store.Queries, x models.Client, place string) error {
	all, letters, err := c.exported(ctx, q, x.ID)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode export: %w", err)
	}
	files := map[string][]byte{"client.json": append(b, '\n')}
	for i, l := range letters {
		files[all.Letters[i].File] = []byte(c.letterFile(l))
	}
	write := writeFolder
	if strings.EqualFold(filepath.Ext(place), ".zip") {
		write = writeZip
	}
	if err := write(place, files); err != nil {
		return told(models.Say("cli.client_export.failed", "Path", place, "Detail", reasonOf(err)))
	}
	return c.saidOf(c.Text("cli.client_export.done", "Name", x.Name, "Path", place, "Letters", models.Say("count.letters", "Count", len(letters))), false)
}

// exported gathers what is stored about a client.
func (c *cli) exported(ctx context.Context, q *store.Queries, id int64) (exportJSON, []models.Letter, error) {
	var j exportJSON
	plan, err := q.PlanForget(ctx, id)
	if err != nil {
		return j, nil, err
	}
	letters, err := q.LettersByIDs(ctx, plan.Letters)
	if err != nil {
		return j, nil, err
	}
	owners, err := q.OwnersOf(ctx, id)
	if err != nil {
		return j, nil, err
	}
	rules, err := q.LinkRules(ctx, id)
	if err != nil {
		return j, nil, err
	}
	timeline, err := q.Timeline(ctx, id, c.env.now().AddDate(1, 0, 0), rowLimit(0))
	if err != nil {
		return j, nil, err
	}
	now := c.env.now()
	j = exportJSON{Client: c.clientDetail(plan.Card, plan.Deals, nil, rules, owners, timeline), Notes: []noteJSON{}, Claims: []claimJSON{},
		History: []dealHistoryJSON{}, Letters: []letterTextJSON{}, Links: []linkJSON{}, MadeAt: stamp(&now)}
	for _, l := range letters {
		j.Letters = append(j.Letters, letterTextJSON{c.letterJSON(l), l.Text, fmt.Sprintf("letters/%06d.txt", l.ID)})
		links, err := q.LinksOf(ctx, l.ID)
		if err != nil {
			return j, nil, err
		}
		for _, k := range links {
			if k.ClientID == id {
				j.Links = append(j.Links, c.linkJSON(k))
			}
		}
	}
	return j, letters, c.exportHistory(ctx, q, plan, &j)
}

func (c *cli) exportHistory(ctx context.Context, q *store.Queries, plan store.ForgetPlan, j *exportJSON) error {
	notes, err := q.Notes(ctx, plan.Card.ID)
	if err != nil {
		return err
	}
	for _, n := range notes {
		j.Notes = append(j.Notes, noteJSON{stamp(&n.OccurredAt), n.Author, n.Text})
	}
	claims, err := q.ClaimsOf(ctx, plan.Card.ID)
	if err != nil {
		return err
	}
	for _, k := range claims {
		j.Claims = append(j.Claims, claimJSON{k.Manager.Name, stamp(&k.ClaimedAt), stamp(&k.ExpiresAt), stamp(k.EndedAt)})
	}
	for _, d := range plan.Deals {
		changes, err := q.StageChanges(ctx, d.ID)
		if err != nil {
			return err
		}
		h := dealHistoryJSON{Deal: d.Number}
		for _, x := range changes {
			h.Changes = append(h.Changes, stageChangeJSON{x.FromCode, x.ToCode, x.Actor, x.Reason, stamp(&x.OccurredAt)})
		}
		j.History = append(j.History, h)
	}
	return nil
}

// letterFile is a letter as a text that people read. Of most letters the database holds only the start.
func (c *cli) letterFile(l models.Letter) string {
	from := l.FromAddress
	if l.FromName != "" {
		from = l.FromName + " <" + l.FromAddress + ">"
	}
	return fmt.Sprintf("From: %s\nTo: %s\nCc: %s\nDate: %s\nMessage-ID: %s\nSubject: %s\n\n%s\n", from, strings.Join(l.To, ", "),
		strings.Join(l.Cc, ", "), c.texts.Time(l.ArrivedAt), l.MessageID, l.Subject, l.Text)
}

// writeFolder makes a folder, which must not exist, readable by its owner only.
func writeFolder(place string, files map[string][]byte) error {
	if err := os.Mkdir(place, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(place, "letters"), 0o700); err != nil {
		return err
	}
	for name, content := range files {
		if err := writeNew(filepath.Join(place, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a file that must not exist, readable by its owner only, and waits until it is on the disk.
func writeNew(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func writeZip(place string, files map[string][]byte) (err error) {
	f, err := os.OpenFile(place, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return z.Close()
}
