package deals

import (
	"cmp"
	"slices"

	"kontrol/models"
)

// choice is the deal that a letter of a client concerns, or why there is none.
type choice struct {
	deal *int64
	ask  bool
	text models.Phrase
}

// chooseDeal takes the thread's deal while it is open, else the only open deal. When several fit it asks. A letter that
// no person wrote (guess is false) gets the thread's deal or none, and nobody is asked about it.
func chooseDeal(f finding, open []models.Deal, guess bool) choice {
	open = slices.DeleteFunc(slices.Clone(open), func(d models.Deal) bool { return d.ClosedAt != nil })
	slices.SortFunc(open, func(a, b models.Deal) int { return cmp.Compare(a.Number, b.Number) })
	if f.deal != nil {
		for _, d := range open {
			if d.ID == *f.deal {
				return choice{deal: &d.ID, text: models.Say("deals.deal.thread", "Deal", dealName(d))}
			}
		}
	}
	switch {
	case len(open) == 0:
		return choice{text: models.Say("deals.deal.none", "Client", f.name)}
	case !guess:
		return choice{text: models.Say("deals.deal.no_guess")}
	case len(open) == 1:
		return choice{deal: &open[0].ID, text: models.Say("deals.deal.only", "Deal", dealName(open[0]))}
	}
	names := make([]any, 0, len(open))
	for _, d := range open {
		names = append(names, dealName(d))
	}
	return choice{ask: true, text: models.Say("deals.deal.several", "Count", len(open), "Deals", names)}
}

// dealName is how people call a deal: #12 «Насосы».
func dealName(d models.Deal) models.Phrase {
	if d.Title == "" {
		return models.Say("deals.deal.number", "Number", d.Number)
	}
	return models.Say("deals.deal.name", "Number", d.Number, "Title", d.Title)
}
