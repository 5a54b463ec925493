package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/payments"
	"kontrol/store"
)

func (c *cli) invoiceCommand() *cobra.Command {
	return c.group("invoice", "cli.invoice", c.invoiceAdd(), c.invoiceList(), c.invoiceShow(), c.invoiceCancel(), c.invoiceDefer())
}

// newInvoice holds the flags of `kontrol invoice add`.
type newInvoice struct {
	client, deal, date, due, instead, comment string
	dry                                       bool
}

func (c *cli) invoiceAdd() *cobra.Command {
	var n newInvoice
	cmd := c.command("add", "cli.invoice_add", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 2, 2); err != nil {
			return err
		}
		return c.addInvoice(cmd.Context(), args[0], args[1], n)
	})
	f := cmd.Flags()
	f.StringVar(&n.client, "client", "", c.Text("cli.flag.client"))
	f.StringVar(&n.deal, "deal", "", c.Text("cli.flag.invoice_deal"))
	f.StringVar(&n.date, "date", "", c.Text("cli.flag.invoice_date"))
	f.StringVar(&n.due, "due", "", c.Text("cli.flag.due"))
	f.StringVar(&n.instead, "instead-of", "", c.Text("cli.flag.instead_of"))
	f.StringVar(&n.comment, "comment", "", c.Text("cli.flag.comment"))
	f.BoolVar(&n.dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	c.completeFlag(cmd, "client", c.completeClients)
	return cmd
}

func (c *cli) addInvoice(ctx context.Context, number, sum string, n newInvoice) error {
	if payments.NumberKey(number) == "" {
		return misused(models.Say("cli.invoice_add.number", "Value", number))
	}
	if n.client == "" && n.deal == "" {
		return misused(models.Say("cli.invoice_add.whose"))
	}
	inv := models.Invoice{Number: strings.TrimSpace(number), Comment: n.comment, Actor: c.actor()}
	var err error
	if inv.Amount, err = parseMoney(sum); err != nil {
		return err
	}
	word := n.date
	if word == "" {
		word = "сегодня"
	}
	if inv.IssuedOn, err = c.calendarDay(word, false); err != nil {
		return err
	}
	if n.due != "" {
		due, err := c.calendarDay(n.due, true)
		if err != nil {
			return err
		}
		inv.DueOn = &due
	}
	err = c.change(ctx, n.dry, func(tx *store.Tx) error { return c.storeInvoice(ctx, tx, &inv, n) })
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(invoiceJSONOf(inv))
	}
	c.out.line(c.Text("cli.invoice_add.done", "Number", inv.Number, "Day", showDay(&inv.IssuedOn), "Sum", showMoney(inv.Amount), "Client", inv.Client.Name))
	if n.dry {
		c.out.line(c.Text("cli.would", "Text", ""))
	}
	return c.out.err
}

// storeInvoice looks up whose the invoice is, and ends the one it replaces.
func (c *cli) storeInvoice(ctx context.Context, tx *store.Tx, inv *models.Invoice, n newInvoice) error {
	row := *inv
	if n.deal != "" {
		d, err := c.findDeal(ctx, tx.Queries, n.deal)
		if err != nil {
			return err
		}
		row.DealID, row.ClientID = &d.ID, d.ClientID
	}
	if n.client != "" {
		found, err := c.findClient(ctx, tx.Queries, n.client)
		if err != nil {
			return err
		}
		if row.DealID != nil && found.ID != row.ClientID {
			return told(models.Say("cli.invoice_add.other_client", "Client", found.Name))
		}
		row.ClientID = found.ID
	}
	if n.instead != "" {
		old, err := c.findInvoice(ctx, tx.Queries, n.instead)
		if err != nil {
			return err
		}
		if err := c.endInvoice(ctx, tx, old, models.InvoiceSuperseded); err != nil {
			return err
		}
		row.SupersedesID = &old.ID
	}
	err := tx.CreateInvoice(ctx, &row)
	if errors.Is(err, models.ErrDuplicate) {
		return told(models.Say("cli.invoice_add.duplicate", "Number", row.Number, "Day", showDay(&row.IssuedOn)))
	}
	if err != nil {
		return err
	}
	*inv, err = tx.Invoice(ctx, row.ID)
	return err
}

func (c *cli) endInvoice(ctx context.Context, tx *store.Tx, inv models.Invoice, state models.InvoiceState) error {
	ended, err := tx.EndInvoice(ctx, inv.ID, state, c.actor())
	switch {
	case errors.Is(err, store.ErrInvoicePaid):
		return told(models.Say("cli.invoice_cancel.paid", "Number", inv.Number, "Sum", showMoney(models.Money{Minor: inv.PaidMinor, Currency: inv.Amount.Currency})))
	case err == nil && !ended:
		return told(models.Say("cli.invoice_cancel.ended", "Number", inv.Number, "State", c.Text("cli.invoice_state."+string(inv.State))))
	}
	return err
}

// findInvoice looks an invoice up by its number as people write it: «УТ-000123», «123», «УТ-123 от 05.10.2026».
func (c *cli) findInvoice(ctx context.Context, q *store.Queries, word string) (models.Invoice, error) {
	number, date, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(word, "№")), " от ")
	found, err := q.Invoices(ctx, store.InvoiceFilter{Number: strings.TrimSpace(number)})
	if err == nil && len(found) == 0 {
		found, err = c.alikeInvoices(ctx, q, number)
	}
	if err != nil {
		return models.Invoice{}, err
	}
	if date != "" {
		day, err := c.calendarDay(date, false)
		if err != nil {
			return models.Invoice{}, err
		}
		var of []models.Invoice
		for _, inv := range found {
			if inv.IssuedOn.Equal(day) {
				of = append(of, inv)
			}
		}
		found = of
	}
	switch len(found) {
	case 0:
		return models.Invoice{}, told(models.Say("cli.error.no_invoice", "Number", word))
	case 1:
		return found[0], nil
	}
	var lines []string
	for _, inv := range found {
		lines = append(lines, c.Text("cli.error.invoice_line", "Number", inv.Number, "Day", showDay(&inv.IssuedOn), "Client", inv.Client.Name, "Sum", showMoney(inv.Amount)))
	}
	return models.Invoice{}, told(models.Say("cli.error.several_invoices", "Number", word, "Lines", strings.Join(lines, "\n")))
}

// alikeInvoices finds invoices whose numbers are the same but for letters and leading noughts.
func (c *cli) alikeInvoices(ctx context.Context, q *store.Queries, number string) ([]models.Invoice, error) {
	key := payments.NumberKey(number)
	if key == "" {
		return nil, nil
	}
	last := key[strings.LastIndexByte(key, '/')+1:]
	all, err := q.Invoices(ctx, store.InvoiceFilter{NumberEnds: last})
	var out []models.Invoice
	for _, inv := range all {
		if payments.NumberKey(inv.Number) == key {
			out = append(out, inv)
		}
	}
	return out, err
}

// invoiceJSON is a row of `kontrol invoice list --format json`.
type invoiceJSON struct {
	ID          int64    `json:"id"`
	Number      string   `json:"number"`
	IssuedOn    string   `json:"issued_on"`
	Client      string   `json:"client"`
	Deal        *int64   `json:"deal"`
	Amount      sumValue `json:"amount"`
	Paid        sumValue `json:"paid"`
	Outstanding sumValue `json:"outstanding"`
	Currency    string   `json:"currency"`
	State       string   `json:"state"`
	DueOn       *string  `json:"due_on"`
	DeferredTo  *string  `json:"deferred_to"`
	Comment     string   `json:"comment"`
}

func invoiceJSONOf(inv models.Invoice) invoiceJSON {
	optional := func(t *time.Time) *string {
		if t == nil {
			return nil
		}
		return isoDay(t.UTC())
	}
	j := invoiceJSON{ID: inv.ID, Number: inv.Number, IssuedOn: inv.IssuedOn.UTC().Format(time.DateOnly), Amount: sumValue{inv.Amount},
		Paid: sumValue{models.Money{Minor: inv.PaidMinor}}, Outstanding: sumValue{inv.Outstanding()}, Currency: currencyOf(inv.Amount),
		State: string(inv.State), DueOn: optional(inv.DueOn), DeferredTo: optional(inv.DeferredTo), Comment: inv.Comment}
	if inv.Client != nil {
		j.Client = inv.Client.Name
	}
	if inv.Deal != nil {
		j.Deal = &inv.Deal.Number
	}
	return j
}

func (c *cli) invoiceList() *cobra.Command {
	var open, overdue bool
	var client, deal string
	var limit int
	cmd := c.command("list", "cli.invoice_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		f := store.InvoiceFilter{Open: open, Limit: rowLimit(limit)}
		if overdue {
			today, err := c.calendarDay("сегодня", false)
			if err != nil {
				return err
			}
			f.Overdue = today
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			if client != "" {
				found, err := c.findClient(cmd.Context(), q, client)
				if err != nil {
					return err
				}
				f.ClientID = found.ID
			}
			if deal != "" {
				d, err := c.findDeal(cmd.Context(), q, deal)
				if err != nil {
					return err
				}
				f.DealID = d.ID
			}
			found, err := q.Invoices(cmd.Context(), f)
			if err != nil {
				return err
			}
			return c.out.list(c.flags.format, c.invoiceListing(found))
		})
	})
	f := cmd.Flags()
	f.BoolVar(&open, "open", false, c.Text("cli.flag.unpaid"))
	f.BoolVar(&overdue, "overdue", false, c.Text("cli.flag.overdue"))
	f.StringVar(&client, "client", "", c.Text("cli.flag.client"))
	f.StringVar(&deal, "deal", "", c.Text("cli.flag.deal_filter"))
	f.IntVar(&limit, "limit", 50, c.Text("cli.flag.limit"))
	c.completeFlag(cmd, "client", c.completeClients)
	return cmd
}

func (c *cli) invoiceListing(found []models.Invoice) listing {
	l := listing{columns: []column{{title: c.Text("cli.column.number")}, {title: c.Text("cli.column.day")}, {title: c.Text("cli.column.client"), flex: true},
		{title: c.Text("cli.column.amount"), right: true}, {title: c.Text("cli.column.outstanding"), right: true}, {title: c.Text("cli.column.due")},
		{title: c.Text("cli.column.state"), flex: true}}, empty: c.Text("cli.invoice_list.empty")}
	values := []invoiceJSON{}
	for _, inv := range found {
		values = append(values, invoiceJSONOf(inv))
		due := showDay(inv.DueOn)
		if inv.DeferredTo != nil {
			due = c.Text("cli.invoice_list.deferred", "Day", showDay(inv.DeferredTo))
		}
		l.rows = append(l.rows, []string{inv.Number, showDay(&inv.IssuedOn), inv.Client.Name, showMoney(inv.Amount), showMoney(inv.Outstanding()), due,
			c.Text("cli.invoice_state." + string(inv.State))})
	}
	l.values = values
	return l
}

func (c *cli) invoiceShow() *cobra.Command {
	return c.command("show", "cli.invoice_show", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			inv, err := c.findInvoice(cmd.Context(), q, args[0])
			if err != nil {
				return err
			}
			return c.showInvoice(cmd.Context(), q, inv)
		})
	})
}

func (c *cli) showInvoice(ctx context.Context, q *store.Queries, inv models.Invoice) error {
	if c.flags.format == formatJSON {
		return c.out.json(invoiceJSONOf(inv))
	}
	paid, err := q.AllocationsTo(ctx, inv.ID)
	if err != nil {
		return err
	}
	deal := ""
	if inv.Deal != nil {
		deal = c.Text("cli.invoice_show.deal_line", "Number", inv.Deal.Number, "Title", inv.Deal.Title)
	}
	text := func(key string) string { return c.Text("cli.invoice_show." + key) }
	rows := [][2]string{{c.Text("cli.column.number"), inv.Number}, {c.Text("cli.column.day"), showDay(&inv.IssuedOn)}, {c.Text("cli.column.client"), inv.Client.Name},
		{text("deal"), deal}, {c.Text("cli.column.amount"), showMoney(inv.Amount)}, {c.Text("cli.column.outstanding"), showMoney(inv.Outstanding())},
		{c.Text("cli.column.state"), c.Text("cli.invoice_state." + string(inv.State))}, {c.Text("cli.column.due"), showDay(inv.DueOn)},
		{text("deferred"), showDay(inv.DeferredTo)}, {text("comment"), inv.Comment}}
	for _, a := range paid {
		rows = append(rows, [2]string{text("paid"), c.Text("cli.invoice_show.paid_line", "Number", a.Payment.Number, "Day", showDay(a.Payment.BookedOn),
			"Sum", showMoney(models.Money{Minor: a.Minor, Currency: inv.Amount.Currency}), "ID", a.PaymentID)})
	}
	return c.facts(rows)
}

func (c *cli) invoiceCancel() *cobra.Command {
	var dry bool
	cmd := c.command("cancel", "cli.invoice_cancel", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.changeInvoice(cmd.Context(), args[0], dry, "cli.invoice_cancel.done", func(tx *store.Tx, inv models.Invoice) error {
			return c.endInvoice(cmd.Context(), tx, inv, models.InvoiceCancelled)
		})
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

func (c *cli) invoiceDefer() *cobra.Command {
	var until string
	var dry bool
	cmd := c.command("defer", "cli.invoice_defer", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		if until == "" {
			return misused(models.Say("cli.invoice_defer.until"))
		}
		day, err := c.calendarDay(until, true)
		if err != nil {
			return err
		}
		return c.changeInvoice(cmd.Context(), args[0], dry, "cli.invoice_defer.done", func(tx *store.Tx, inv models.Invoice) error {
			if !inv.State.Open() {
				return told(models.Say("cli.invoice_defer.not_open", "Number", inv.Number, "State", c.Text("cli.invoice_state."+string(inv.State))))
			}
			return tx.DeferInvoice(cmd.Context(), inv.ID, &day, c.actor())
		})
	})
	cmd.Flags().StringVar(&until, "until", "", c.Text("cli.flag.defer_until"))
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	return cmd
}

// changeInvoice finds an invoice, changes it, and says so.
func (c *cli) changeInvoice(ctx context.Context, word string, dry bool, done string, change func(tx *store.Tx, inv models.Invoice) error) error {
	var inv models.Invoice
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		found, err := c.findInvoice(ctx, tx.Queries, word)
		if err != nil {
			return err
		}
		if err := change(tx, found); err != nil {
			return err
		}
		inv, err = tx.Invoice(ctx, found.ID)
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(invoiceJSONOf(inv))
	}
	c.out.line(c.Text(done, "Number", inv.Number, "Day", showDay(inv.DeferredTo), "Client", inv.Client.Name))
	if dry {
		c.out.line(c.Text("cli.would", "Text", ""))
	}
	return c.out.err
}
