package deals_test

import (
	"strings"
	"testing"
	"time"

	"kontrol/deals"
	"kontrol/locale"
	"kontrol/models"
)

var (
	stageNew  = models.Stage{Code: "new", Name: "Новая", Kind: models.StageOpen}
	stageSent = models.Stage{Code: "offer", Name: "КП отправлено", Kind: models.StageOpen, Outstanding: true}
	stageWon  = models.Stage{Code: "won", Name: "Оплачена", Kind: models.StageWon}
	stageLost = models.Stage{Code: "lost", Name: "Отказ", Kind: models.StageLost}
)

func TestTransition(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.FixedZone("MSK", 3*3600))
	before := at.Add(-24 * time.Hour)
	open := models.Deal{ID: 4, Number: 12, Title: "Насосы", StageCode: "new"}
	won, lost := open, open
	won.StageCode, won.ClosedAt = "won", &before
	lost.StageCode, lost.ClosedAt, lost.LostReason = "lost", &before, "дорого"
	for name, tc := range map[string]struct {
		deal   models.Deal
		to     models.Stage
		reason string
		closed bool
		lost   string
		told   string
	}{
		"forward":               {deal: open, to: stageSent},
		"win":                   {deal: open, to: stageWon, reason: "оплата", closed: true},
		"lose":                  {deal: open, to: stageLost, reason: " дорого ", closed: true, lost: "дорого"},
		"lose for a long story": {deal: open, to: stageLost, reason: strings.Repeat("ж", 300), closed: true, lost: strings.Repeat("ж", 200)},
		"reopen a lost one":     {deal: lost, to: stageSent, reason: "передумали"},
		"reopen a won one":      {deal: won, to: stageNew},
		"lost turns out won":    {deal: lost, to: stageWon, closed: true},
		"lose without a reason": {deal: open, to: stageLost, reason: " \n", told: "deals.stage.no_reason"},
		"same stage":            {deal: open, to: stageNew, told: "deals.stage.same"},
		"no stage":              {deal: open, to: models.Stage{}, told: "deals.stage.unknown"},
		"stage of no kind":      {deal: open, to: models.Stage{Code: "x"}, told: "deals.stage.unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, change, err := deals.Transition(tc.deal, tc.to, tc.reason, at)
			if tc.told != "" {
				if p, _ := models.PhraseOf(err); p.ID != tc.told || got.StageCode != tc.deal.StageCode || change != (models.StageChange{}) {
					t.Fatalf("got %+v, %+v, %v", got, change, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.StageCode != tc.to.Code || got.Stage.Name != tc.to.Name || got.LostReason != tc.lost || (got.ClosedAt != nil) != tc.closed {
				t.Errorf("deal: %+v", got)
			}
			if tc.closed && (!got.ClosedAt.Equal(at) || got.ClosedAt.Location() != time.UTC) {
				t.Errorf("closed at %v", got.ClosedAt)
			}
			want := models.StageChange{DealID: 4, FromCode: tc.deal.StageCode, ToCode: tc.to.Code, Reason: strings.TrimSpace(tc.reason), OccurredAt: at.UTC()}
			if change != want {
				t.Errorf("change: got %+v, want %+v", change, want)
			}
		})
	}
}

func TestOutstanding(t *testing.T) {
	t.Parallel()
	texts, err := locale.New("ru", time.FixedZone("MSK", 3*3600))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		deal  models.Deal
		stage models.Stage
		waits bool
		says  string
	}{
		"new":             {models.Deal{}, stageNew, false, "на этапе «Новая» ничего не ждём, следующий шаг не назначен"},
		"waiting stage":   {models.Deal{}, stageSent, true, "на этапе «КП отправлено» ещё ждём клиента"},
		"action":          {models.Deal{NextAction: "позвонить", NextActionAt: &at}, stageNew, true, "назначено «позвонить» на 25.11.2026 10:00"},
		"date":            {models.Deal{NextActionAt: &at}, stageNew, true, "назначен следующий шаг на 25.11.2026 10:00"},
		"won with action": {models.Deal{NextActionAt: &at}, stageWon, false, "сделка закрыта, этап «Оплачена»"},
		"closed":          {models.Deal{ClosedAt: &at}, stageSent, false, "сделка закрыта, этап «КП отправлено»"},
	} {
		got, why := deals.Outstanding(tc.deal, tc.stage)
		if got != tc.waits || texts.Say(why) != tc.says {
			t.Errorf("%s: got %v, %q", name, got, texts.Say(why))
		}
	}
}
