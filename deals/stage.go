package deals

import (
	"fmt"
	"strings"
	"time"

	"kontrol/models"
)

// maxLostReason is how many characters of a reason the deal itself keeps; the history keeps all of it.
const maxLostReason = 200

// Transition moves a deal to another stage and returns the deal as it then is and the line of its history. Entering a
// won or lost stage sets ClosedAt to the given instant; a lost one needs a reason, which is kept in LostReason as well.
// Entering an open stage clears both. The stage it is in already, a stage that is not one, and a loss without a reason
// are errors with a models.Told, and the deal comes back unchanged. ID, Actor and RecordedAt of the history line are left
// to the caller.
func Transition(deal models.Deal, to models.Stage, reason string, at time.Time) (models.Deal, models.StageChange, error) {
	reason = strings.TrimSpace(reason)
	if err := checkTransition(deal, to, reason); err != nil {
		return deal, models.StageChange{}, err
	}
	change := models.StageChange{
		DealID: deal.ID, FromCode: deal.StageCode, ToCode: to.Code, Reason: reason, OccurredAt: at.UTC(),
	}
	closed := at.UTC()
	deal.StageCode, deal.Stage, deal.UpdatedAt, deal.LostReason, deal.ClosedAt = to.Code, &to, closed, "", nil
	if to.Kind != models.StageOpen {
		deal.ClosedAt = &closed
	}
	if to.Kind == models.StageLost {
		deal.LostReason = firstRunes(reason, maxLostReason)
	}
	return deal, change, nil
}

func checkTransition(deal models.Deal, to models.Stage, reason string) error {
	refuse := func(p models.Phrase) error {
		return &models.Told{Phrase: p, Err: fmt.Errorf("move deal %d from stage %q to %q: refused (%s)", deal.Number, deal.StageCode, to.Code, p.ID)}
	}
	switch {
	case to.Code == "" || to.Kind != models.StageOpen && to.Kind != models.StageWon && to.Kind != models.StageLost:
		return refuse(models.Say("deals.stage.unknown", "Stage", stageName(to)))
	case to.Code == deal.StageCode:
		return refuse(models.Say("deals.stage.same", "Deal", dealName(deal), "Stage", stageName(to)))
	case to.Kind == models.StageLost && reason == "":
		return refuse(models.Say("deals.stage.no_reason", "Deal", dealName(deal), "Stage", stageName(to)))
	}
	return nil
}

func stageName(s models.Stage) string {
	if s.Name != "" {
		return s.Name
	}
	return s.Code
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// Outstanding reports whether a deal waits for something, so that an answered letter of it still needs a person's eye:
// it is open, and a next action is set or its stage is one that waits. The phrase says why, or why not, and names
// neither the deal nor the client.
func Outstanding(deal models.Deal, stage models.Stage) (bool, models.Phrase) {
	switch {
	case stage.Kind != models.StageOpen || deal.ClosedAt != nil:
		return false, models.Say("deals.outstanding.closed", "Stage", stageName(stage))
	case deal.NextActionAt != nil && strings.TrimSpace(deal.NextAction) != "":
		return true, models.Say("deals.outstanding.action", "Action", strings.TrimSpace(deal.NextAction), "At", deal.NextActionAt.UTC())
	case deal.NextActionAt != nil:
		return true, models.Say("deals.outstanding.date", "At", deal.NextActionAt.UTC())
	case stage.Outstanding:
		return true, models.Say("deals.outstanding.stage", "Stage", stageName(stage))
	}
	return false, models.Say("deals.outstanding.nothing", "Stage", stageName(stage))
}
