package payments_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
	"kontrol/payments"
)

const (
	romashka = "7707083893"
	vasilek  = "7736050003"
)

func rub(minor int64) models.Money { return models.Money{Minor: minor, Currency: "RUB"} }

func on(month, day int) time.Time {
	return time.Date(2026, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

func invoice(id int64, number string, date time.Time, owed, client int64, inn string) payments.Invoice {
	return payments.Invoice{ID: id, Number: number, Date: date, Amount: rub(owed), Outstanding: rub(owed), ClientID: client, INNs: []string{inn}}
}

// paid makes a document of ordinary money that came on 20 August 2026.
func paid(inn string, minor int64, purpose string) payments.Document {
	return payments.Document{Number: "1", Date: on(8, 19), CreditedOn: on(8, 20), Amount: rub(minor), Payer: payments.Party{INN: inn, Account: "40702810000000000777"},
		Purpose: purpose, Direction: payments.DirectionIn, Nature: payments.NatureOrdinary, Invoices: payments.Named(purpose)}
}

func TestFind(t *testing.T) {
	t.Parallel()
	open := []payments.Invoice{
		invoice(1, "УТ-000123", on(7, 1), 120_000_00, 1, romashka),
		invoice(2, "УТ-000124", on(7, 2), 50_000_00, 1, romashka),
		invoice(3, "УТ-000125", on(7, 3), 50_000_00, 1, romashka),
		invoice(4, "0000-000200", on(7, 4), 70_000_00, 2, vasilek),
		invoice(5, "200", on(8, 4), 71_000_00, 3, "500100732259"),
		invoice(6, "300", time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), 5_00, 1, romashka),
		{ID: 7, Number: "УТ-000400", Date: on(7, 9), Amount: rub(1_00), ClientID: 1, INNs: []string{romashka}},
	}
	for name, c := range map[string]struct {
		d    payments.Document
		tier payments.Tier
		auto bool
		to   string // invoice=kopecks …
		rest int64
		why  string
	}{
		"A, all of it":              {paid(romashka, 120_000_00, "по счету № 123 от 01.07.2026"), "A", true, "1=12000000", 0, "paid"},
		"A, a rouble short":         {paid(romashka, 119_999_00, "по счету УТ-123"), "A", true, "1=11999900", 0, "paid"},
		"A, a part":                 {paid(romashka, 60_000_00, "Предоплата 50% по сч. 123"), "A", true, "1=6000000", 0, "part"},
		"A, a rouble more":          {paid(romashka, 120_000_50, "по счету 123"), "A", true, "1=12000000", 50, "paid"},
		"surplus":                   {paid(romashka, 130_000_00, "по счету 123"), "D", true, "1=12000000", 10_000_00, "surplus"},
		"D, exact":                  {paid(romashka, 170_000_00, "по счетам № 123, 124"), "D", true, "1=12000000 2=5000000", 0, "paid"},
		"D, in the order named":     {paid(romashka, 60_000_00, "по счетам № 124, 123"), "D", true, "2=5000000 1=1000000", 0, "part"},
		"B, another pays":           {paid(vasilek, 120_000_00, "за ООО Ромашка ИНН 7707083893 по счету УТ-000123"), "B", false, "1=12000000", 0, "paid_for"},
		"B, another pays, unsaid":   {paid("", 120_000_00, "по счету УТ-000123"), "B", false, "1=12000000", 0, "other_payer"},
		"another pays another sum":  {paid(vasilek, 1_00, "по счету УТ-000123"), "E", false, "", 0, "other_payer_other_sum"},
		"C, the only such sum":      {paid(romashka, 120_000_00, "за насосы"), "C", false, "1=12000000", 0, "same_sum"},
		"C, two such sums":          {paid(romashka, 50_000_00, "за насосы"), "E", false, "", 0, "several_same_sum"},
		"no such sum":               {paid(romashka, 51_00, "за насосы"), "E", false, "", 0, "no_invoice"},
		"unknown payer":             {paid("7702070139", 50_000_00, "за насосы"), "E", false, "", 0, "unknown_payer"},
		"number of two clients":     {paid("7702070139", 70_000_00, "по счету 0200"), "E", false, "", 0, "several_numbers"},
		"spelling decides":          {paid("7702070139", 71_000_00, "по счету 200"), "B", false, "5=7100000", 0, "other_payer"},
		"payer decides":             {paid(vasilek, 70_000_00, "по счету 200"), "A", true, "4=7000000", 0, "paid"},
		"date decides":              {paid("7702070139", 70_000_00, "по счету 0200 от 04.07.2026"), "B", false, "4=7000000", 0, "other_payer"},
		"a number of long ago":      {paid(romashka, 5_00, "по счету 300"), "C", false, "6=500", 0, "same_sum"},
		"paid already":              {paid(romashka, 1_00, "по счету 400"), "E", false, "", 0, "already_paid"},
		"invoices of two clients":   {paid(romashka, 120_000_00, "по счетам УТ-123 и 0000-000200 от 04.07.2026"), "E", false, "", 0, "several_clients"},
		"only a tax invoice, a sum": {paid(romashka, 120_000_00, "по сч-ф 124"), "C", false, "1=12000000", 0, "same_sum"},
	} {
		m := payments.NewMatcher(open)
		got := m.Find(&c.d)
		var to []string
		for _, a := range got.Allocations {
			to = append(to, fmt.Sprintf("%d=%d", a.InvoiceID, a.Amount.Minor))
		}
		if got.Tier != c.tier || got.Auto != c.auto || strings.Join(to, " ") != c.to || got.Surplus.Minor != c.rest || got.Why.ID != "payments.why."+c.why {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestFindLeavesOther(t *testing.T) {
	t.Parallel()
	m := payments.NewMatcher([]payments.Invoice{invoice(1, "123", on(7, 1), 100, 1, romashka)})
	for _, change := range []func(*payments.Document){
		func(d *payments.Document) { d.Direction = payments.DirectionOut },
		func(d *payments.Document) { d.Direction = payments.DirectionInternal },
		func(d *payments.Document) { d.Direction = payments.DirectionUnknown },
		func(d *payments.Document) { d.Nature = payments.NatureAcquiring },
		func(d *payments.Document) { d.Nature = payments.NatureRefund },
		func(d *payments.Document) { d.Amount.Minor = -100 },
		func(d *payments.Document) { d.Amount.Currency = "USD" },
	} {
		d := paid(romashka, 100, "по счету 123")
		change(&d)
		if got := m.Find(&d); got.Tier != payments.TierE || got.Auto || len(got.Allocations) > 0 {
			t.Errorf("%+v is matched: %+v", d, got)
		}
	}
}

// drawn makes invoices of few clients and payments that name some of them, so that they meet often.
func drawn(t *rapid.T) ([]payments.Invoice, []payments.Document) {
	inns := []string{romashka, vasilek, "7702070139"}
	var open []payments.Invoice
	for i := range rapid.IntRange(0, 8).Draw(t, "invoices") {
		client := rapid.IntRange(0, 1).Draw(t, "client")
		open = append(open, invoice(int64(i+1), fmt.Sprintf("УТ-%06d", rapid.IntRange(1, 6).Draw(t, "number")), on(rapid.IntRange(1, 8).Draw(t, "month"), 1),
			int64(rapid.IntRange(1, 5).Draw(t, "owed"))*1000, int64(client+1), inns[client]))
	}
	var documents []payments.Document
	for i := range rapid.IntRange(0, 10).Draw(t, "payments") {
		purpose := rapid.SampledFrom([]string{"за насосы", "по счету 1", "по счетам 1, 2", "по счетам № 2, 3, 4", "по счету 5 от 01.02.2026"}).Draw(t, "purpose")
		d := paid(rapid.SampledFrom(inns).Draw(t, "payer"), int64(rapid.IntRange(1, 6).Draw(t, "sum"))*1000, purpose)
		d.Number = fmt.Sprint(i)
		d.CreditedOn = on(8, rapid.IntRange(1, 3).Draw(t, "day"))
		documents = append(documents, d)
	}
	return open, documents
}

// TestMoneyIsConserved: what is allocated and left over is the sum of the payment, and no invoice gets more than is owed.
func TestMoneyIsConserved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		open, documents := drawn(t)
		m := payments.NewMatcher(open)
		m.AutoC = rapid.Bool().Draw(t, "auto")
		got := map[int64]int64{}
		for i, match := range m.FindAll(documents) {
			sum := match.Surplus.Minor
			for _, a := range match.Allocations {
				if a.Amount.Minor <= 0 {
					t.Fatalf("allocates %d", a.Amount.Minor)
				}
				sum += a.Amount.Minor
				if match.Auto {
					got[a.InvoiceID] += a.Amount.Minor
				}
			}
			if match.Tier != payments.TierE && sum != documents[i].Amount.Minor {
				t.Fatalf("%d of %d: %+v", sum, documents[i].Amount.Minor, match)
			}
			if match.Tier == payments.TierE && (sum != 0 || match.Auto) {
				t.Fatalf("no match, but %+v", match)
			}
		}
		for _, inv := range open {
			if got[inv.ID] > inv.Amount.Minor {
				t.Fatalf("invoice %d of %d is paid %d", inv.ID, inv.Amount.Minor, got[inv.ID])
			}
		}
	})
}

// TestOrderDoesNotMatter: the documents of an import give the same matches in any order.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		open, documents := drawn(t)
		auto := rapid.Bool().Draw(t, "auto")
		matches := func(documents []payments.Document) map[string]string {
			m := payments.NewMatcher(open)
			m.AutoC = auto
			out := map[string]string{}
			for i, match := range m.FindAll(documents) {
				out[documents[i].Number] = fmt.Sprintf("%+v", match)
			}
			return out
		}
		other := rapid.Permutation(documents).Draw(t, "order")
		a, b := matches(documents), matches(slices.Clone(other))
		for number := range a {
			if a[number] != b[number] {
				t.Fatalf("document %s:\n%s\n%s", number, a[number], b[number])
			}
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	a := paid(romashka, 100, "по счету 123")
	again := a
	again.CreditedOn = time.Time{} // exported before the money came
	other := a
	other.Number = "2"
	keys := payments.Keys([]payments.Document{a, a, other})
	if keys[0] == keys[1] || keys[0] == keys[2] {
		t.Errorf("keys are not unique: %q", keys)
	}
	if k := payments.Keys([]payments.Document{again}); k[0] != keys[0] {
		t.Errorf("the same document is known by %q and %q", keys[0], k[0])
	}
}

// BenchmarkFindAll matches payments against half as many open invoices: the cost of one must not grow with their number.
func BenchmarkFindAll(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("payments=%d", n), func(b *testing.B) {
			open := make([]payments.Invoice, n/2)
			for i := range open {
				client := i / 5
				open[i] = invoice(int64(i+1), fmt.Sprintf("УТ-%06d", i+1), on(i%8+1, i%28+1), int64(10_000+i*7%90_000), int64(client+1), fmt.Sprintf("%010d", client))
			}
			documents := make([]payments.Document, n)
			for i := range documents {
				inv := open[i*31%len(open)]
				purpose := "за товар по договору"
				if i%3 > 0 {
					purpose = fmt.Sprintf("Оплата по счету № %d от %s, в т.ч. НДС", inv.ID, inv.Date.Format("02.01.2006"))
				}
				documents[i] = paid(inv.INNs[0], inv.Amount.Minor/int64(1+i%2), purpose)
				documents[i].Number = fmt.Sprint(i)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ResetTimer()
			for b.Loop() {
				m := payments.NewMatcher(open)
				matches := m.FindAll(documents)
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(matches)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/payment")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		})
	}
}
