package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/daemon"
	"kontrol/models"
	"kontrol/payments"
	"kontrol/store"
)

func (c *cli) paymentImport() *cobra.Command {
	var dry bool
	var accounts []string
	cmd := c.command("import", "cli.payment_import", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1<<16); err != nil {
			return err
		}
		if c.flags.format == formatCSV {
			return misused(models.Say("cli.error.no_csv", "Path", cmd.CommandPath()))
		}
		own, err := c.ownAccounts(accounts)
		if err != nil {
			return err
		}
		return c.importPayments(cmd.Context(), args, own, dry)
	})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.Flags().StringSliceVar(&accounts, "account", nil, c.Text("cli.flag.own_account"))
	return cmd
}

// ownAccounts are the accounts and taxpayer numbers of the config, with the accounts given on the command line.
func (c *cli) ownAccounts(given []string) (payments.Own, error) {
	own := payments.Own{}
	for _, a := range given {
		if len(a) != 20 || strings.Trim(a, "0123456789") != "" {
			return own, misused(models.Say("cli.error.account", "Value", a))
		}
		own.Accounts = append(own.Accounts, a)
	}
	if cfg, err := c.config(); err == nil {
		own.Accounts = append(own.Accounts, cfg.Company.Accounts...)
		if cfg.Company.INN != "" {
			own.INNs = append(own.INNs, cfg.Company.INN)
		}
	}
	return own, nil
}

// importPayments takes files one after the other. A file that is refused does not keep the others from being taken.
func (c *cli) importPayments(ctx context.Context, paths []string, own payments.Own, dry bool) error {
	files, err := c.paymentFiles(paths)
	if err != nil {
		return err
	}
	failed := 0
	for _, path := range files {
		statement, err := c.readStatement(path, own)
		if err != nil {
			failed++
			if err := c.refuseFile(path, err); err != nil {
				return err
			}
			continue
		}
		done, err := c.bookPayments(ctx, path, statement, dry)
		if err != nil {
			return fmt.Errorf("import %s: %w", path, err)
		}
		if err := c.showImport(path, statement, done, dry); err != nil {
			return err
		}
	}
	if failed > 0 {
		return errRefused
	}
	return c.out.err
}

// errRefused ends an import of which a file was refused; what is wrong has been said.
var errRefused = errors.New("a file was refused")

// paymentFiles lists the files meant: a directory stands for the files in it, by name.
func (c *cli) paymentFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		if path == "-" || !isDir(path) {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, told(models.Say("cli.payment_import.unreadable", "Path", path, "Detail", reasonOf(err)))
		}
		var names []string
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, filepath.Join(path, e.Name()))
			}
		}
		sort.Strings(names)
		files = append(files, names...)
	}
	return files, nil
}

func (c *cli) readStatement(path string, own payments.Own) (*payments.Statement, error) {
	if path == "-" {
		return payments.ReadStatement(c.env.stdin, own)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, told(models.Say("cli.payment_import.unreadable", "Path", path, "Detail", reasonOf(err)))
	}
	s, err := payments.ReadStatement(f, own)
	return s, errors.Join(err, f.Close())
}

// refuseFile tells of a file that is not taken.
func (c *cli) refuseFile(path string, err error) error {
	c.complain(c.Text("cli.payment_import.refused", "Path", path, "Detail", c.errorText(err)))
	if c.flags.format != formatJSON {
		return nil
	}
	phrase, _ := models.PhraseOf(err)
	return c.out.jsonLine(statementJSON{File: path, Error: &problemJSON{Key: phrase.ID, Text: c.errorText(err), Line: phrase.Args["Line"]},
		Documents: []documentJSON{}, Accounts: []checksumJSON{}, Problems: []string{}})
}

// bookPayments stores what the file says, or tries it. A try needs neither a config nor a database.
func (c *cli) bookPayments(ctx context.Context, path string, s *payments.Statement, dry bool) (*daemon.PaymentImport, error) {
	if dry {
		cfg, err := c.config()
		if err != nil || databaseExists(cfg) != nil {
			return tryWithoutInvoices(s), nil
		}
	}
	var done *daemon.PaymentImport
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		var err error
		done, err = daemon.ImportPayments(ctx, tx, s.Documents, c.paymentOptions(filepath.Base(path)))
		return err
	})
	return done, err
}

// tryWithoutInvoices is what an import would find where nothing is known.
func tryWithoutInvoices(s *payments.Statement) *daemon.PaymentImport {
	done := &daemon.PaymentImport{}
	for i, m := range payments.NewMatcher(nil).FindAll(s.Documents) {
		done.Rows = append(done.Rows, daemon.PaymentRow{Document: s.Documents[i], Match: m})
	}
	return done
}

// statementJSON is what `kontrol payment import --format json` gives for a file. Sums are decimal numbers in the currency.
type statementJSON struct {
	File      string         `json:"file"`
	Charset   string         `json:"charset,omitempty"`
	Error     *problemJSON   `json:"error,omitempty"`
	Documents []documentJSON `json:"documents"`
	Accounts  []checksumJSON `json:"accounts"`
	Problems  []string       `json:"problems"`
}

type problemJSON struct {
	Key  string `json:"key"`
	Text string `json:"text"`
	Line any    `json:"line"`
}

type documentJSON struct {
	Line       int            `json:"line"`
	Kind       string         `json:"kind"`
	Number     string         `json:"number"`
	Date       string         `json:"date"`
	CreditedOn *string        `json:"credited_on"`
	DebitedOn  *string        `json:"debited_on"`
	Amount     sumValue       `json:"amount"`
	Currency   string         `json:"currency"`
	Direction  string         `json:"direction"`
	Nature     string         `json:"nature"`
	Payer      payments.Party `json:"payer"`
	Payee      payments.Party `json:"payee"`
	Purpose    string         `json:"purpose"`
	Invoices   []string       `json:"invoices"`
	Match      matchJSON      `json:"match"`
	State      string         `json:"state"`
	Known      bool           `json:"known"`
	ID         int64          `json:"id,omitempty"`
	Problems   []string       `json:"problems"`
}

type matchJSON struct {
	Tier        string     `json:"tier"`
	Invoice     *string    `json:"invoice"` // the first of Allocations
	Amount      *sumValue  `json:"amount"`  // what is allocated in all
	Auto        bool       `json:"auto"`
	Allocations []partJSON `json:"allocations"`
	Surplus     sumValue   `json:"surplus"`
	Why         string     `json:"why"`
}

type partJSON struct {
	Invoice string   `json:"invoice"`
	Amount  sumValue `json:"amount"`
}

type checksumJSON struct {
	Account  string    `json:"account"`
	From     *string   `json:"from"`
	To       *string   `json:"to"`
	Credited *sumsJSON `json:"credited"`
	Debited  *sumsJSON `json:"debited"`
	OK       bool      `json:"ok"`
}

type sumsJSON struct {
	Stated  sumValue `json:"stated"`
	Counted sumValue `json:"counted"`
}

func isoDay(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.Format(time.DateOnly)
	return &s
}

// showImport tells what was found and done.
func (c *cli) showImport(path string, s *payments.Statement, done *daemon.PaymentImport, dry bool) error {
	if c.flags.format == formatJSON {
		return c.out.jsonLine(c.importJSON(path, s, done))
	}
	l := listing{columns: []column{{title: c.Text("cli.column.day")}, {title: c.Text("cli.column.number")}, {title: c.Text("cli.column.payer"), flex: true},
		{title: c.Text("cli.column.amount"), right: true}, {title: c.Text("cli.column.result"), flex: true}},
		empty: c.Text("cli.payment_import.nothing")}
	count := map[string]int{}
	for _, row := range done.Rows {
		d := &row.Document
		state := string(row.State)
		switch {
		case row.Known:
			count["known"]++
		case state == "" && d.Direction != payments.DirectionIn:
			count["passed"]++
			continue
		default:
			count[state]++
		}
		booked := d.BookedOn()
		l.rows = append(l.rows, []string{showDay(&booked), d.Number, d.Counterparty().Name, showMoney(d.Amount), c.importResult(row)})
	}
	c.out.line(c.out.paint(paintBold, c.Text("cli.payment_import.heading", "Path", path, "Count", len(s.Documents))))
	if err := c.out.list(formatTable, l); err != nil {
		return err
	}
	c.sayChecks(s)
	c.sayCounts(count, dry)
	c.sayDeals(done)
	return c.out.err
}

// importResult says in words what became of a document.
func (c *cli) importResult(row daemon.PaymentRow) string {
	why := c.texts.Say(row.Match.Why)
	if row.State == models.PaymentExpected {
		why = c.Text("cli.payment_import.expected")
	}
	if row.Known {
		return c.Text("cli.payment_import.known", "State", c.Text("cli.payment_state."+string(row.State)))
	}
	return why
}

// sayChecks tells where the bank's sums differ from the documents, and what is odd.
func (c *cli) sayChecks(s *payments.Statement) {
	for _, sum := range s.Checksums() {
		if !sum.OK {
			j := checksumJSONOf(sum)
			p := models.Say("cli.payment_import.sums_differ", "Account", sum.Account)
			c.out.line(c.out.paint(paintWarn, c.texts.Say(p)))
			for _, pair := range []struct {
				key  string
				sums *sumsJSON
			}{{"credited", j.Credited}, {"debited", j.Debited}} {
				if pair.sums != nil && pair.sums.Stated.Minor != pair.sums.Counted.Minor {
					c.out.line("  ", c.Text("cli.payment_import."+pair.key, "Stated", showMoney(pair.sums.Stated.Money), "Counted", showMoney(pair.sums.Counted.Money)))
				}
			}
		}
	}
	for _, p := range s.Problems {
		c.out.line(c.out.paint(paintWarn, c.texts.Say(p)))
	}
	c.sayProblems(s)
}

// problemsShown is how many oddities of documents people are told of; the rest is counted. JSON has them all.
const problemsShown = 5

// sayProblems tells what is odd about the documents that bring money.
func (c *cli) sayProblems(s *payments.Statement) {
	shown, more := 0, 0
	for i := range s.Documents {
		d := &s.Documents[i]
		for _, p := range d.Problems {
			switch {
			case d.Direction == payments.DirectionOut || d.Direction == payments.DirectionInternal:
			case shown == problemsShown:
				more++
			default:
				shown++
				c.out.line(c.out.paint(paintFaint, c.Text("cli.payment_import.problem", "Line", d.Line, "Number", d.Number, "Detail", c.texts.Say(p))))
			}
		}
	}
	if more > 0 {
		c.out.line(c.out.paint(paintFaint, c.Text("cli.payment_import.more_problems", "Number", more)))
	}
}

// sayCounts ends the import with what is there to be done.
func (c *cli) sayCounts(count map[string]int, dry bool) {
	var parts []string
	for _, key := range []string{"matched", "question", "unmatched", "expected", "known", "passed"} {
		if n := count[key]; n > 0 {
			parts = append(parts, c.Text("cli.payment_count."+key)+" "+strconv.Itoa(n))
		}
	}
	if len(parts) > 0 {
		c.out.line(c.Text("cli.payment_import.total", "Parts", strings.Join(parts, ", ")))
	}
	switch {
	case dry:
		c.out.line(c.Text("cli.would", "Text", ""))
	case count["question"] > 0:
		c.out.line(c.Text("cli.payment_import.next", "State", models.PaymentQuestion))
	case count["unmatched"] > 0:
		c.out.line(c.Text("cli.payment_import.next", "State", models.PaymentUnmatched))
	}
}

func (c *cli) importJSON(path string, s *payments.Statement, done *daemon.PaymentImport) statementJSON {
	j := statementJSON{File: path, Charset: s.Charset, Documents: []documentJSON{}, Accounts: []checksumJSON{}, Problems: c.phrases(s.Problems)}
	for _, row := range done.Rows {
		j.Documents = append(j.Documents, c.documentJSON(row))
	}
	for _, sum := range s.Checksums() {
		j.Accounts = append(j.Accounts, checksumJSONOf(sum))
	}
	return j
}

func checksumJSONOf(sum payments.Checksum) checksumJSON {
	pair := func(stated, counted *models.Money) *sumsJSON {
		if stated == nil || counted == nil {
			return nil
		}
		return &sumsJSON{sumValue{*stated}, sumValue{*counted}}
	}
	return checksumJSON{Account: sum.Account, From: isoDay(sum.From), To: isoDay(sum.To), Credited: pair(sum.StatedIn, sum.CountedIn),
		Debited: pair(sum.StatedOut, sum.CountedOut), OK: sum.OK}
}

func (c *cli) phrases(list []models.Phrase) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, c.texts.Say(p))
	}
	return out
}

func (c *cli) documentJSON(row daemon.PaymentRow) documentJSON {
	d := &row.Document
	j := documentJSON{Line: d.Line, Kind: d.Kind, Number: d.Number, Date: d.Date.Format(time.DateOnly), CreditedOn: isoDay(d.CreditedOn), DebitedOn: isoDay(d.DebitedOn),
		Amount: sumValue{d.Amount}, Currency: currencyOf(d.Amount), Direction: string(d.Direction), Nature: string(d.Nature), Payer: d.Payer, Payee: d.Payee,
		Purpose: d.Purpose, Invoices: []string{}, State: string(row.State), Known: row.Known, ID: row.ID, Problems: c.phrases(d.Problems)}
	for _, n := range d.Invoices {
		j.Invoices = append(j.Invoices, n.Number)
	}
	m := row.Match
	j.Match = matchJSON{Tier: string(m.Tier), Auto: m.Auto, Allocations: []partJSON{}, Surplus: sumValue{m.Surplus}, Why: c.texts.Say(m.Why)}
	total := models.Money{Currency: d.Amount.Currency}
	for _, a := range m.Allocations {
		total.Minor += a.Amount.Minor
		j.Match.Allocations = append(j.Match.Allocations, partJSON{a.Number, sumValue{a.Amount}})
	}
	if len(m.Allocations) > 0 {
		j.Match.Invoice, j.Match.Amount = &m.Allocations[0].Number, &sumValue{total}
	}
	return j
}
