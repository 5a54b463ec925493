package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/daemon"
	"kontrol/models"
	"kontrol/store"
)

func (c *cli) paymentCommand() *cobra.Command {
	return c.group("payment", "cli.payment", c.paymentImport(), c.paymentList(), c.paymentShow(), c.paymentMatch())
}

// paymentOptions are how the config has money booked.
func (c *cli) paymentOptions(source string) daemon.PaymentOptions {
	o := daemon.PaymentOptions{Source: source, Actor: c.actor(), Zone: c.texts.Zone()}
	if cfg, err := c.config(); err == nil {
		o.SameSum, o.Prepaid = cfg.Payments.SameSum, cfg.Payments.WonPercent()
	}
	return o
}

// paymentJSON is a row of `kontrol payment list --format json`. Sums are in roubles or whatever the currency is.
type paymentJSON struct {
	ID        int64    `json:"id"`
	Number    string   `json:"number"`
	Date      string   `json:"date"`
	BookedOn  *string  `json:"booked_on"`
	Amount    sumValue `json:"amount"`
	Currency  string   `json:"currency"`
	Direction string   `json:"direction"`
	Payer     string   `json:"payer"`
	PayerINN  string   `json:"payer_inn"`
	Purpose   string   `json:"purpose"`
	Client    string   `json:"client"`
	State     string   `json:"state"`
	Tier      string   `json:"tier"`
	Invoices  []string `json:"invoices"`
	DecidedBy string   `json:"decided_by"`
	Source    string   `json:"source"`
}

// sumValue is a sum that JSON shows as a number with two decimals.
type sumValue struct{ models.Money }

// MarshalJSON writes the sum exactly, as a decimal number.
func (s sumValue) MarshalJSON() ([]byte, error) {
	minor, minus := uint64(s.Minor), ""
	if s.Minor < 0 {
		minor, minus = uint64(-(s.Minor+1))+1, "-"
	}
	kopecks := strconv.FormatUint(minor%100+100, 10)[1:]
	return []byte(minus + strconv.FormatUint(minor/100, 10) + "." + kopecks), nil
}

func currencyOf(m models.Money) string {
	if m.Currency == "" {
		return "RUB"
	}
	return m.Currency
}

func (c *cli) paymentList() *cobra.Command {
	var state, client, from, to string
	var limit int
	cmd := c.command("list", "cli.payment_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		f := store.PaymentFilter{Limit: rowLimit(limit)}
		if state != "" {
			if err := c.oneOf("state", state, paymentStates()); err != nil {
				return err
			}
			f.States = []models.PaymentState{models.PaymentState(state)}
		}
		for _, bound := range []struct {
			word string
			to   *time.Time
		}{{from, &f.From}, {to, &f.To}} {
			if bound.word == "" {
				continue
			}
			day, err := c.calendarDay(bound.word, false)
			if err != nil {
				return err
			}
			*bound.to = day
		}
		return c.read(cmd.Context(), func(q *store.Queries) error { return c.listPayments(cmd.Context(), q, f, client) })
	})
	cmd.Flags().StringVar(&state, "state", "", c.Text("cli.flag.payment_state"))
	cmd.Flags().StringVar(&client, "client", "", c.Text("cli.flag.client"))
	cmd.Flags().StringVar(&from, "from", "", c.Text("cli.flag.from_day"))
	cmd.Flags().StringVar(&to, "to", "", c.Text("cli.flag.to_day"))
	cmd.Flags().IntVar(&limit, "limit", 50, c.Text("cli.flag.limit"))
	c.completeWords(cmd, "state", paymentStates()...)
	c.completeFlag(cmd, "client", c.completeClients)
	return cmd
}

func paymentStates() []string {
	return []string{string(models.PaymentMatched), string(models.PaymentQuestion), string(models.PaymentUnmatched), string(models.PaymentExpected), string(models.PaymentSetAside)}
}

// calendarDay reads a date as midnight UTC standing for it.
func (c *cli) calendarDay(word string, ahead bool) (time.Time, error) {
	at, err := parseDay(word, c.localNow(), ahead)
	y, m, d := at.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), err
}

// showDay writes a calendar date that stands at midnight UTC.
func showDay(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("02.01.2006")
}

func (c *cli) listPayments(ctx context.Context, q *store.Queries, f store.PaymentFilter, client string) error {
	if client != "" {
		found, err := c.findClient(ctx, q, client)
		if err != nil {
			return err
		}
		f.ClientID = found.ID
	}
	found, err := q.Payments(ctx, f)
	if err != nil {
		return err
	}
	values, err := c.paymentValues(ctx, q, found)
	if err != nil {
		return err
	}
	l := listing{columns: []column{{title: "ID", right: true}, {title: c.Text("cli.column.day")}, {title: c.Text("cli.column.payer"), flex: true},
		{title: c.Text("cli.column.amount"), right: true}, {title: c.Text("cli.column.invoices"), flex: true}, {title: c.Text("cli.column.state"), flex: true}},
		empty: c.Text("cli.payment_list.empty"), values: values}
	for i, p := range found {
		day := p.BookedOn
		if day == nil {
			day = &p.Date
		}
		l.rows = append(l.rows, []string{strconv.FormatInt(p.ID, 10), showDay(day), p.PayerName, showMoney(p.Amount),
			strings.Join(values[i].Invoices, ", "), c.Text("cli.payment_state." + string(p.State))})
	}
	return c.out.list(c.flags.format, l)
}

// paymentValues makes the rows for JSON, with what the payments pay.
func (c *cli) paymentValues(ctx context.Context, q *store.Queries, found []models.Payment) ([]paymentJSON, error) {
	ids := make([]int64, 0, len(found))
	for _, p := range found {
		ids = append(ids, p.ID)
	}
	parts, err := q.AllocationsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	invoices := map[int64][]string{}
	for _, a := range parts {
		if a.Invoice != nil {
			invoices[a.PaymentID] = append(invoices[a.PaymentID], a.Invoice.Number)
		}
	}
	values := make([]paymentJSON, 0, len(found))
	for _, p := range found {
		j := paymentJSON{ID: p.ID, Number: p.Number, Date: p.Date.UTC().Format(time.DateOnly), Amount: sumValue{p.Amount}, Currency: currencyOf(p.Amount),
			Direction: p.Direction, Payer: p.PayerName, PayerINN: p.PayerINN, Purpose: p.Purpose, State: string(p.State), Tier: p.Tier,
			Invoices: list(invoices[p.ID]), DecidedBy: p.DecidedBy, Source: p.Source}
		if p.BookedOn != nil {
			day := p.BookedOn.UTC().Format(time.DateOnly)
			j.BookedOn = &day
		}
		if p.Client != nil {
			j.Client = p.Client.Name
		}
		values = append(values, j)
	}
	return values, nil
}

func (c *cli) paymentShow() *cobra.Command {
	return c.command("show", "cli.payment_show", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			p, err := c.findPayment(cmd.Context(), q, args[0])
			if err != nil {
				return err
			}
			return c.showPayment(cmd.Context(), q, p)
		})
	})
}

// findPayment looks a payment up by its id.
func (c *cli) findPayment(ctx context.Context, q *store.Queries, word string) (models.Payment, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(word, "#"), 10, 64)
	if err != nil || id < 1 {
		return models.Payment{}, misused(models.Say("cli.error.payment_id", "Value", word))
	}
	p, err := q.Payment(ctx, id)
	if errors.Is(err, models.ErrNotFound) {
		return p, told(models.Say("cli.error.no_payment", "ID", id))
	}
	return p, err
}

func (c *cli) showPayment(ctx context.Context, q *store.Queries, p models.Payment) error {
	values, err := c.paymentValues(ctx, q, []models.Payment{p})
	if err != nil || c.flags.format == formatJSON {
		return errors.Join(err, c.out.json(values))
	}
	parts, err := q.AllocationsOf(ctx, []int64{p.ID})
	if err != nil {
		return err
	}
	text := func(key string) string { return c.Text("cli.payment_show." + key) }
	client := ""
	if p.Client != nil {
		client = p.Client.Name
	}
	rows := [][2]string{{text("order"), c.Text("cli.payment_show.order_line", "Number", p.Number, "Day", showDay(&p.Date))},
		{text("booked"), showDay(p.BookedOn)}, {c.Text("cli.column.amount"), showMoney(p.Amount)},
		{c.Text("cli.column.payer"), strings.TrimSpace(p.PayerName)}, {text("inn"), p.PayerINN}, {text("purpose"), p.Purpose},
		{c.Text("cli.column.client"), client}, {c.Text("cli.column.state"), c.Text("cli.payment_state." + string(p.State))}, {text("why"), c.texts.Say(p.Why)}}
	for _, a := range parts {
		rows = append(rows, [2]string{text("pays"), c.Text("cli.payment_show.pays_line", "Number", a.Invoice.Number, "Sum", showMoney(models.Money{Minor: a.Minor, Currency: p.Amount.Currency}))})
	}
	return c.facts(append(rows, [2]string{text("source"), p.Source}))
}

func (c *cli) paymentMatch() *cobra.Command {
	var none, dry bool
	cmd := c.command("match", "cli.payment_match", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 50); err != nil {
			return err
		}
		if none == (len(args) > 1) {
			return misused(models.Say("cli.payment_match.what"))
		}
		return c.matchPayment(cmd.Context(), args[0], args[1:], dry)
	})
	cmd.Flags().BoolVar(&none, "none", false, c.Text("cli.flag.pays_none"))
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

// matchPayment books what a person says: the invoices, each with its sum or with what is left.
func (c *cli) matchPayment(ctx context.Context, id string, words []string, dry bool) error {
	var done *daemon.PaymentImport
	var p models.Payment
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		var err error
		if p, err = c.findPayment(ctx, tx.Queries, id); err != nil {
			return err
		}
		decision := daemon.PaymentDecision{PaymentID: p.ID, Actor: c.actor()}
		if decision.Parts, err = c.partsOf(ctx, tx.Queries, p, words); err != nil {
			return err
		}
		done, err = daemon.DecidePayment(ctx, tx, decision, c.paymentOptions(""))
		if errors.Is(err, store.ErrOverAllocated) {
			return told(models.Say("cli.payment_match.too_much", "Sum", showMoney(p.Amount)))
		}
		if err != nil {
			return err
		}
		p, err = tx.Payment(ctx, p.ID)
		return err
	})
	if err != nil {
		return err
	}
	key := "cli.payment_match.done"
	if len(words) == 0 {
		key = "cli.payment_match.none"
	}
	c.out.line(c.Text(key, "Number", p.Number, "Sum", showMoney(p.Amount), "Invoices", strings.Join(words, ", ")))
	c.sayDeals(done)
	if dry {
		c.out.line(c.Text("cli.would", "Text", ""))
	}
	return c.out.err
}

// partsOf reads «УТ-123» or «УТ-123=5000». Without a sum an invoice gets what is owed on it, as far as the money goes.
func (c *cli) partsOf(ctx context.Context, q *store.Queries, p models.Payment, words []string) ([]models.Allocation, error) {
	held, err := q.AllocationsOf(ctx, []int64{p.ID})
	if err != nil {
		return nil, err
	}
	left := p.Amount.Minor
	var parts []models.Allocation
	for _, word := range words {
		number, sum, given := strings.Cut(word, "=")
		inv, err := c.findInvoice(ctx, q, number)
		if err != nil {
			return nil, err
		}
		part := min(left, inv.Amount.Minor-inv.PaidMinor+allocatedTo(held, inv.ID))
		if given {
			m, err := parseMoney(sum)
			if err != nil {
				return nil, err
			}
			part = m.Minor
		}
		if part <= 0 {
			return nil, told(models.Say("cli.payment_match.nothing_owed", "Number", inv.Number))
		}
		left -= part
		parts = append(parts, models.Allocation{InvoiceID: inv.ID, Minor: part})
	}
	return parts, nil
}

// allocatedTo is what a payment has given to an invoice: it is taken back before a person's decision is carried out.
func allocatedTo(held []models.Allocation, invoiceID int64) int64 {
	for _, a := range held {
		if a.InvoiceID == invoiceID {
			return a.Minor
		}
	}
	return 0
}

// sayDeals tells which deals the money has moved.
func (c *cli) sayDeals(done *daemon.PaymentImport) {
	for _, d := range done.Won {
		c.out.line(c.out.paint(paintGood, c.Text("cli.payment_import.won", "Number", d.Number, "Title", d.Title, "Client", d.Client.Name)))
	}
	for _, d := range done.Lost {
		c.out.line(c.out.paint(paintWarn, c.Text("cli.payment_import.reopened", "Number", d.Number, "Title", d.Title, "Client", d.Client.Name)))
	}
}

// isDir reports whether a path is a directory.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
