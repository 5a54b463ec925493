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

// importFile reads a table, asks what is remembered of its columns, and stores its clients.
func (c *cli) importFile(ctx context.Context, f importing) error {
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
	table, problems := deals.OpenTable(file, f.sheet)
	if err := file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	if table == nil {
		return c.importClients(ctx, f, nil, deals.Parsed{Problems: problems})
	}
	known, err := c.rememberColumns(ctx, table, named, f.dry)
	if err != nil {
		return err
	}
	return c.importClients(ctx, f, table, table.Clients(deals.ReadOptions{Named: known, Keep: f.keep}))
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

func (c *cli) importClients(ctx context.Context, f importing, table *deals.Table, p deals.Parsed) error {
	total := imported{problems: p.Problems}
	var err error
	if len(p.Clients) > 0 {
		var done imported
		done, err = c.storeClients(ctx, f, p.Clients)
		total.add(done)
	}
	file := ""
	if err == nil && table != nil {
		file, err = c.writeRejected(f, table, total.problems)
	}
	if err := errors.Join(err, c.toldImport(total, p.Columns, file, f), c.relinkMany(ctx, f.dry, total.clients)); err != nil {
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

// storeClients stores the rows, a batch in a transaction each: what is interrupted is taken up by importing the file again. A
// try is one transaction, so that later rows see earlier ones and nothing of it stays.
func (c *cli) storeClients(ctx context.Context, f importing, rows []deals.ClientRow) (imported, error) {
	var total imported
	progress := c.progress(len(rows))
	defer progress.end()
	one := func(tx *store.Tx, batch []deals.ClientRow, into *imported) error {
		done, err := c.storeBatch(ctx, tx, f, batch)
		if err != nil {
			return err
		}
		into.add(done)
		progress.step(len(batch))
		return nil
	}
	err := c.forChange(ctx, f.dry, func(db *store.DB) error {
		if f.dry {
			return inTx(ctx, db, true, func(tx *store.Tx) error {
				total = imported{}
				for batch := range slices.Chunk(rows, importBatch) {
					if err := one(tx, batch, &total); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for batch := range slices.Chunk(rows, importBatch) {
			var done imported
			err := db.Tx(ctx, func(tx *store.Tx) error {
				done = imported{}
				return one(tx, batch, &done)
			})
			if err != nil {
				return err
			}
			total.add(done)
		}
		return nil
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
		if !p.Kept && p.Line > 0 && table.Record(p.Line) != nil {
			reasons[p.Line] = append(reasons[p.Line], c.texts.Say(p.Text))
		}
	}
	if len(reasons) == 0 || (f.dry && f.rejected == "") {
		return "", nil
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // by which spreadsheets know that it is UTF-8
	w := csv.NewWriter(&b)
	w.Comma = ';'
	titles := table.Titles()
	rows := [][]string{append(slices.Clone(titles), c.Text("cli.client_import.reason_title"))}
	for _, line := range slices.Sorted(maps.Keys(reasons)) {
		row := slices.Clone(table.Record(line))
		for len(row) < len(titles) {
			row = append(row, "")
		}
		for i, cell := range row {
			row[i] = guardCell(cell)
		}
		rows = append(rows, append(row[:len(titles)], strings.Join(reasons[line], "; ")))
	}
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("write rejected rows: %w", err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return "", told(models.Say("cli.client_import.rejected_failed", "Path", path, "Detail", reasonOf(err)))
	}
	return path, nil
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
