package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

// importBatch is how many clients are stored in one transaction.
const importBatch = 200

func (c *cli) clientImport() *cobra.Command {
	var dry bool
	cmd := c.command("import", "cli.client_import", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		file, err := os.Open(args[0])
		if err != nil {
			return told(models.Say("cli.client_import.unreadable", "Path", args[0], "Detail", reasonOf(err)))
		}
		rows, problems := deals.ParseClients(file)
		if err := file.Close(); err != nil {
			return fmt.Errorf("close %s: %w", args[0], err)
		}
		return c.importClients(cmd.Context(), rows, problems, dry)
	})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"csv", "txt", "tsv"}, cobra.ShellCompDirectiveFilterFileExt
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

// reasonOf takes the path out of a file error: the sentence around it names the file already.
func reasonOf(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// imported counts what an import, or a batch of one, has done.
type imported struct {
	added, extended, unchanged int
	problems                   []deals.RowError
	clients                    []int64 // that are new or have more than before
}

func (r *imported) add(b imported) {
	r.added += b.added
	r.extended += b.extended
	r.unchanged += b.unchanged
	r.problems = append(r.problems, b.problems...)
	r.clients = append(r.clients, b.clients...)
}

func (c *cli) importClients(ctx context.Context, rows []deals.ClientRow, problems []deals.RowError, dry bool) error {
	total := imported{problems: problems}
	var err error
	if len(rows) > 0 {
		var done imported
		done, err = c.storeClients(ctx, rows, dry)
		total.add(done)
	}
	if err := errors.Join(err, c.toldImport(total, dry), c.relinkAfter(ctx, dry, total.clients...)); err != nil {
		return err
	}
	switch {
	case len(total.problems) == 0:
		return nil
	case total.added+total.extended+total.unchanged == 0:
		return told(models.Say("cli.client_import.nothing"))
	}
	return errWarned
}

// storeClients stores the rows, a batch in a transaction each. A try is one transaction, so that later rows see earlier
// ones and nothing of it stays.
func (c *cli) storeClients(ctx context.Context, rows []deals.ClientRow, dry bool) (imported, error) {
	var total imported
	size := importBatch
	if dry {
		size = len(rows)
	}
	progress := c.progress(len(rows))
	defer progress.end()
	err := c.forChange(ctx, dry, func(db *store.DB) error {
		for batch := range slices.Chunk(rows, size) {
			var done imported
			err := inTx(ctx, db, dry, func(tx *store.Tx) (err error) {
				done, err = c.storeBatch(ctx, tx, batch, progress)
				return err
			})
			if err != nil {
				return err
			}
			total.add(done)
			progress.reached(total.added + total.extended + total.unchanged + len(total.problems))
		}
		return nil
	})
	return total, err
}

func (c *cli) storeBatch(ctx context.Context, tx *store.Tx, batch []deals.ClientRow, p *progress) (imported, error) {
	var done imported
	people, err := c.staff(ctx, tx)
	if err != nil {
		return done, err
	}
	for _, row := range batch {
		card := cardOf(row)
		if row.Manager != "" {
			if m, err := findOwner(people, row.Manager); err == nil {
				card.OwnerID = &m.ID
			} else {
				done.problems = append(done.problems, deals.RowError{Line: row.Line, Value: row.Manager, Kept: true,
					Text: models.Say("cli.client_import.no_manager", "Value", row.Manager)})
			}
		}
		err := c.storeRow(ctx, tx, row, card, &done)
		if phrase, ok := models.PhraseOf(err); ok && errors.Is(err, models.ErrDuplicate) {
			done.problems = append(done.problems, deals.RowError{Line: row.Line, Value: row.Name, Text: phrase})
		} else if err != nil {
			return done, err
		}
		p.step()
	}
	return done, nil
}

// storeRow adds a client, or adds to the one that is known by INN or by name.
func (c *cli) storeRow(ctx context.Context, tx *store.Tx, row deals.ClientRow, card store.ClientCard, done *imported) error {
	id, several, err := knownClient(ctx, tx, row)
	switch {
	case err != nil:
		return err
	case several:
		done.problems = append(done.problems, deals.RowError{Line: row.Line, Value: row.Name,
			Text: models.Say("cli.client_import.several", "Name", row.Name)})
		return nil
	case id == 0:
		if err := tx.CreateClient(ctx, &card, c.actor()); err != nil {
			return err
		}
		done.added++
		done.clients = append(done.clients, card.ID)
		return nil
	}
	more, err := tx.ExtendClient(ctx, id, &card)
	if err != nil {
		return err
	}
	if more {
		done.extended++
		done.clients = append(done.clients, id)
	} else {
		done.unchanged++
	}
	return nil
}

// knownClient finds the stored client of a row: by INN, else by name among those whose INN does not say otherwise. It
// gives 0 when there is none, and several when the name alone does not decide.
func knownClient(ctx context.Context, tx *store.Tx, row deals.ClientRow) (id int64, several bool, err error) {
	if row.INN != "" {
		found, err := tx.FindClients(ctx, row.INN, mostOffered)
		if err != nil {
			return 0, false, err
		}
		for _, x := range found {
			if x.INN != nil && *x.INN == row.INN {
				return x.ID, false, nil
			}
		}
	}
	same, err := namesakes(ctx, tx, row.Name)
	if err != nil {
		return 0, false, err
	}
	same = slices.DeleteFunc(same, func(x models.Client) bool { return row.INN != "" && x.INN != nil })
	switch len(same) {
	case 0:
		return 0, false, nil
	case 1:
		return same[0].ID, false, nil
	}
	return 0, true, nil
}

func cardOf(row deals.ClientRow) store.ClientCard {
	card := store.ClientCard{Client: models.Client{Name: row.Name, KPP: row.KPP, Comment: row.Comment}}
	if row.INN != "" {
		inn := row.INN
		card.INN = &inn
	}
	for _, d := range row.Domains {
		card.Domains = append(card.Domains, models.ClientDomain{Domain: d})
	}
	for _, k := range row.Contacts {
		contact := store.ContactCard{Contact: models.Contact{Name: k.Name, Position: k.Position}}
		for _, e := range k.Emails {
			contact.Points = append(contact.Points, models.ContactPoint{Kind: models.PointEmail, Value: e})
		}
		for _, p := range k.Phones {
			contact.Points = append(contact.Points, models.ContactPoint{Kind: models.PointPhone, Value: p})
		}
		card.Contacts = append(card.Contacts, contact)
	}
	return card
}

// importJSON is what `kontrol client import --format json` gives.
type importJSON struct {
	Added     int              `json:"added"`
	Extended  int              `json:"extended"`
	Unchanged int              `json:"unchanged"`
	Skipped   int              `json:"skipped_rows"`
	Problems  []rowProblemJSON `json:"problems"`
	DryRun    bool             `json:"dry_run"`
}

type rowProblemJSON struct {
	Line  int         `json:"line"`
	Value string      `json:"value"`
	Kept  bool        `json:"kept"`
	Text  *phraseJSON `json:"text"`
}

func (c *cli) toldImport(r imported, dry bool) error {
	sort.SliceStable(r.problems, func(i, k int) bool { return r.problems[i].Line < r.problems[k].Line })
	j := importJSON{Added: r.added, Extended: r.extended, Unchanged: r.unchanged, DryRun: dry, Problems: []rowProblemJSON{}}
	for _, p := range r.problems {
		if !p.Kept {
			j.Skipped++
		}
		j.Problems = append(j.Problems, rowProblemJSON{Line: p.Line, Value: p.Value, Kept: p.Kept, Text: c.phrase(p.Text)})
	}
	if c.flags.format == formatJSON {
		return c.out.json(j)
	}
	for _, p := range r.problems {
		c.complain(c.rowProblem(p))
	}
	key := "cli.client_import.done"
	if dry {
		key = "cli.client_import.would"
	}
	c.out.line(c.Text(key, "Added", r.added, "Extended", r.extended, "Unchanged", r.unchanged, "Skipped", j.Skipped))
	return c.out.err
}

func (c *cli) rowProblem(p deals.RowError) string {
	text := c.texts.Say(p.Text)
	switch {
	case p.Line == 0:
		return text
	case p.Kept:
		return c.Text("cli.client_import.warning", "Line", p.Line, "Text", text)
	}
	return c.Text("cli.client_import.skipped", "Line", p.Line, "Text", text)
}

// progress shows how far long work has come: a bar on a terminal, plain lines elsewhere.
type progress struct {
	bar   *progressbar.ProgressBar
	plain func(done int)
}

func (c *cli) progress(total int) *progress {
	if c.env.terminal {
		return &progress{bar: progressbar.NewOptions(total, progressbar.OptionSetWriter(c.env.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription(c.Text("cli.client_import.progress")), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowCount())}
	}
	return &progress{plain: func(done int) {
		if total > importBatch {
			c.complain(c.Text("cli.client_import.reached", "Done", min(done, total), "Total", total))
		}
	}}
}

// step counts one more piece of work on the bar. The bar is only for the eye: what goes wrong with it does not matter.
func (p *progress) step() {
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

// reached writes a plain line.
func (p *progress) reached(done int) {
	if p.plain != nil {
		p.plain(done)
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
