package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

// importBatch is how many clients are stored in one transaction.
const importBatch = 500

// importing holds the flags of `kontrol client import`.
type importing struct {
	path, sheet, rejected string
	named, merge          []string
	keep, dry             bool
}

func (c *cli) clientImport() *cobra.Command {
	var f importing
	cmd := c.command("import", "cli.client_import", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		f.path = args[0]
		return c.importFile(cmd.Context(), f)
	})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"csv", "txt", "tsv", "xlsx"}, cobra.ShellCompDirectiveFilterFileExt
	}
	cmd.Flags().StringArrayVar(&f.named, "map", nil, c.Text("cli.flag.map"))
	cmd.Flags().BoolVar(&f.keep, "keep-columns", false, c.Text("cli.flag.keep_columns"))
	cmd.Flags().StringArrayVar(&f.merge, "merge-by", nil, c.Text("cli.flag.merge_by"))
	cmd.Flags().StringVar(&f.sheet, "sheet", "", c.Text("cli.flag.sheet"))
	cmd.Flags().StringVar(&f.rejected, "rejected", "", c.Text("cli.flag.rejected"))
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	c.completeWords(cmd, "merge-by", mergeKeys()...)
	return cmd
}

func mergeKeys() []string {
	return []string{string(store.MergeByAddress), string(store.MergeByDomain), string(store.MergeByPhone)}
}

// importFile reads a table, asks what is remembered of its columns, and stores its clients while it reads.
func (c *cli) importFile(ctx context.Context, f importing) (err error) {
	named, err := c.namedColumns(f.named)
	if err != nil {
		return err
	}
	for _, k := range f.merge {
		if err := c.oneOf("merge-by", k, mergeKeys()); err != nil {
			return err
		}
	}
	file, err := os.Open(f.path)
	if err != nil {
		return told(models.Say("cli.client_import.unreadable", "Path", f.path, "Detail", reasonOf(err)))
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	table, problems := deals.OpenTable(file, f.sheet)
	if table == nil {
		return c.endImport(ctx, f, imported{problems: problems}, nil, "")
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	known, err := c.rememberColumns(ctx, table, named, f.dry)
	if err != nil {
		return err
	}
	survey := table.Survey(deals.ReadOptions{Named: known, Keep: f.keep})
	total, err := c.storeClients(ctx, f, table, survey)
	if err != nil {
		return c.importStopped(ctx, f, total, err)
	}
	total.problems = append(slices.Clone(survey.Problems), total.problems...)
	rejected, err := c.writeRejected(f, table, total.problems)
	if err != nil {
		return err
	}
	return c.endImport(ctx, f, total, survey.Columns, rejected)
}

// namedColumns reads «Колонка=поле» of --map.
func (c *cli) namedColumns(words []string) (map[string]string, error) {
	named := map[string]string{}
	for _, w := range words {
		at := strings.LastIndexByte(w, '=')
		if at < 1 {
			return nil, misused(models.Say("cli.client_import.map", "Value", w, "Known", deals.Fields()))
		}
		title, word := deals.FoldTitle(w[:at]), strings.TrimSpace(w[at+1:])
		field, ok := deals.FieldOf(word)
		if !ok && word != "" {
			return nil, misused(models.Say("cli.client_import.map_field", "Value", word, "Nearest", nearest(word, deals.Fields()), "Known", deals.Fields()))
		}
		named[title] = field
	}
	return named, nil
}

// rememberColumns adds what was said before about a table with these titles, and stores what is said now.
func (c *cli) rememberColumns(ctx context.Context, table *deals.Table, named map[string]string, dry bool) (map[string]string, error) {
	all := map[string]string{}
	key := table.HeaderKey()
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		clear(all)
		stored, err := tx.ColumnMap(ctx, key)
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		for i, title := range stored.Titles {
			all[title] = stored.Fields[i]
		}
		maps.Copy(all, named)
		maps.DeleteFunc(all, func(_, field string) bool { return field == "" })
		if len(named) == 0 {
			return nil
		}
		m := models.ColumnMap{HeaderKey: key, Actor: c.actor()}
		for _, title := range slices.Sorted(maps.Keys(all)) {
			m.Titles, m.Fields = append(m.Titles, title), append(m.Fields, all[title])
		}
		return tx.SaveColumnMap(ctx, m)
	})
	return all, err
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

// endImport says what an import has done, and looks again at the letters that it concerns.
func (c *cli) endImport(ctx context.Context, f importing, total imported, columns []deals.ColumnUse, rejected string) error {
	if err := errors.Join(c.toldImport(total, columns, rejected, f), c.relinkMany(ctx, f.dry, total.clients)); err != nil {
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

// importStopped says how far an import has come that was interrupted, or that the database has refused.
func (c *cli) importStopped(ctx context.Context, f importing, total imported, err error) error {
	if f.dry || total.added+total.extended == 0 {
		return err
	}
	c.complain(c.Text("cli.client_import.stopped", "Added", total.added, "Extended", total.extended))
	return errors.Join(err, c.relinkMany(context.WithoutCancel(ctx), false, total.clients))
}

// storeClients stores the clients while they are read, a batch in a transaction each: what is interrupted is taken up by
// importing the file again. A try is one transaction, so that later rows see earlier ones and nothing of it stays.
func (c *cli) storeClients(ctx context.Context, f importing, table *deals.Table, survey deals.Survey) (imported, error) {
	if !survey.Readable {
		return imported{}, nil
	}
	var total imported
	progress := c.progress(survey.Rows)
	defer progress.end()
	read := func(store func([]deals.ClientRow) error) error {
		progress.reach(0)
		batch := make([]deals.ClientRow, 0, importBatch)
		problems, err := table.Clients(survey, func(row deals.ClientRow, done int) error {
			if batch = append(batch, row); len(batch) < importBatch {
				return nil
			}
			err := store(batch)
			clear(batch)
			batch = batch[:0]
			progress.reach(done)
			return err
		})
		if err == nil && len(batch) > 0 {
			err = store(batch)
		}
		progress.reach(survey.Rows)
		total.problems = append(total.problems, problems...)
		return err
	}
	err := c.forChange(ctx, f.dry, func(db *store.DB) error {
		if f.dry {
			return c.inTx(ctx, db, true, func(tx *store.Tx) error {
				total = imported{}
				return read(func(batch []deals.ClientRow) error {
					done, err := c.storeBatch(ctx, tx, f, batch)
					total.add(done)
					return err
				})
			})
		}
		return read(func(batch []deals.ClientRow) error {
			var done imported
			err := c.inTx(ctx, db, false, func(tx *store.Tx) (err error) {
				done, err = c.storeBatch(ctx, tx, f, batch)
				return err
			})
			if err == nil {
				total.add(done)
			}
			return err
		})
	})
	return total, err
}

func (c *cli) storeBatch(ctx context.Context, tx *store.Tx, f importing, batch []deals.ClientRow) (imported, error) {
	var done imported
	people, err := c.staff(ctx, tx)
	if err != nil {
		return done, err
	}
	cards := make([]store.ClientCard, 0, len(batch))
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
		cards = append(cards, card)
	}
	keys := make([]store.MergeKey, 0, len(f.merge))
	for _, k := range f.merge {
		keys = append(keys, store.MergeKey(k))
	}
	results, err := tx.ImportClients(ctx, cards, keys, c.actor())
	if err != nil {
		return done, err
	}
	for i, r := range results {
		done.count(batch[i], r)
	}
	return done, nil
}

// count notes what became of a row.
func (r *imported) count(row deals.ClientRow, x store.Imported) {
	for _, w := range x.Warnings {
		r.problems = append(r.problems, deals.RowError{Line: row.Line, Value: row.Name, Text: w, Kept: true})
	}
	switch x.Outcome {
	case store.ImportAdded:
		r.added++
		r.clients = append(r.clients, x.ClientID)
	case store.ImportExtended:
		r.extended++
		r.clients = append(r.clients, x.ClientID)
	case store.ImportUnchanged:
		r.unchanged++
	case store.ImportRefused:
		for _, line := range row.Lines {
			r.problems = append(r.problems, deals.RowError{Line: line, Value: row.Name, Text: x.Reason})
		}
	}
}

// writeRejected writes the rows that were left out, with the reason, as a table that can be mended and imported. It returns
// the file's name, "" when there was nothing to write. A try writes only to a file that was asked for.
func (c *cli) writeRejected(f importing, table *deals.Table, problems []deals.RowError) (string, error) {
	path := f.rejected
	if path == "" {
		path = strings.TrimSuffix(f.path, filepath.Ext(f.path)) + ".rejected.csv"
	}
	reasons := map[int][]string{}
	for _, p := range problems {
		if !p.Kept && p.Line > 0 {
			reasons[p.Line] = append(reasons[p.Line], c.texts.Say(p.Text))
		}
	}
	if len(reasons) == 0 || (f.dry && f.rejected == "") {
		return "", nil
	}
	rows, err := c.rejectedRows(table, reasons)
	if err != nil || len(rows) == 1 {
		return "", err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // by which spreadsheets know that it is UTF-8
	w := csv.NewWriter(&b)
	w.Comma = ';'
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("write rejected rows: %w", err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return "", told(models.Say("cli.client_import.rejected_failed", "Path", path, "Detail", reasonOf(err)))
	}
	return path, nil
}

// rejectedRows reads the lines that have reasons, and puts these beside them, below the titles.
func (c *cli) rejectedRows(table *deals.Table, reasons map[int][]string) ([][]string, error) {
	titles := table.Titles()
	rows := [][]string{append(slices.Clone(titles), c.Text("cli.client_import.reason_title"))}
	err := table.Rows(func(line int, cells []string) error {
		why, ok := reasons[line]
		if !ok {
			return nil
		}
		row := make([]string, len(titles), len(titles)+1)
		copy(row, cells)
		for i, cell := range row {
			row[i] = guardCell(cell)
		}
		rows = append(rows, append(row, strings.Join(why, "; ")))
		return nil
	})
	return rows, err
}

// guardCell keeps a spreadsheet from running a cell. What can only be a phone or a number stays as it is.
func guardCell(s string) string {
	if s != "" && strings.Trim(s, "+-() 0123456789") == "" {
		return s
	}
	return guardCSV(s)
}

// relinkMany is relink for many clients: only those are looked at that letters which are stored already may concern.
func (c *cli) relinkMany(ctx context.Context, dry bool, ids []int64) error {
	if dry || len(ids) == 0 {
		return nil
	}
	const few = 20
	if len(ids) > few {
		concerned := map[int64]bool{}
		err := c.withDB(ctx, true, func(db *store.DB) error {
			parties, err := db.Read().UnlinkedParties(ctx)
			if err != nil {
				return err
			}
			domains := make([]string, 0, len(parties))
			for _, a := range parties {
				domains = append(domains, models.DomainOf(a))
			}
			points, err := db.Read().ClientsByAddresses(ctx, parties)
			if err != nil {
				return err
			}
			owned, err := db.Read().ClientsByDomains(ctx, domains)
			for _, p := range points {
				concerned[p.Contact.ClientID] = true
			}
			for _, d := range owned {
				concerned[d.ClientID] = true
			}
			return err
		})
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return !concerned[id] })
	}
	return c.relink(ctx, ids...)
}

func cardOf(row deals.ClientRow) store.ClientCard {
	card := store.ClientCard{Client: models.Client{Name: row.Name, KPP: row.KPP, Comment: row.Comment, Temperature: row.Temperature}, Fields: row.Fields}
	for _, t := range row.Tags {
		card.Tags = append(card.Tags, models.ClientTag{Tag: t})
	}
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
