package rules

import (
	"cmp"
	"slices"

	"kontrol/models"
)

// file sends an answered letter to «На контроле» when a star or an outstanding deal asks for it, else to «Обработанные
// письма». All conditions are looked at, so that the trace shows everything that keeps the letter on control.
func file(v *view) models.Decision {
	starred, trace := star(v)
	waits, steps := dealsWait(v)
	d := models.Decision{Action: models.ActionFile, Target: models.FolderProcessed, Trace: append(trace, steps...)}
	if starred || waits {
		d.Target = models.FolderControl
	}
	if id := v.answer; id != 0 {
		d.AnswerID = &id
	}
	return d
}

func star(v *view) (bool, models.Trace) {
	switch {
	case v.f.Copy.Flagged:
		return one(true, models.Say("rules.step.star"))
	case v.f.StarredInThread:
		return one(true, models.Say("rules.step.star_thread"))
	}
	return one(false, models.Say("rules.step.no_star"))
}

// dealsWait asks the deal that the letter is tied to, or without one every open deal of the client.
func dealsWait(v *view) (bool, models.Trace) {
	list := slices.Clone(v.f.Deals)
	if slices.ContainsFunc(list, func(d Deal) bool { return d.Linked }) {
		list = slices.DeleteFunc(list, func(d Deal) bool { return !d.Linked })
	}
	if len(list) == 0 {
		if v.f.Client == nil {
			return one(false, models.Say("rules.step.no_client"))
		}
		return one(false, models.Say("rules.step.no_deals", "Client", v.f.Client.Name))
	}
	slices.SortStableFunc(list, func(a, b Deal) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Title, b.Title), cmp.Compare(a.StageName, b.StageName),
			compareBool(a.Outstanding, b.Outstanding), cmp.Compare(a.Why.ID, b.Why.ID))
	})
	var any bool
	var trace models.Trace
	for _, d := range list {
		waits := d.Outstanding && d.StageKind != models.StageWon && d.StageKind != models.StageLost
		any = any || waits
		trace = append(trace, models.Step{Text: dealText(d, waits), Holds: waits})
	}
	return any, trace
}

func dealText(d Deal, waits bool) models.Phrase {
	pairs := []any{"Number", d.Number, "Title", d.Title, "Stage", d.StageName, "Why", d.Why}
	switch {
	case waits:
		return models.Say("rules.step.deal_waits", pairs...)
	case d.StageKind == models.StageWon || d.StageKind == models.StageLost:
		return models.Say("rules.step.deal_closed", pairs...)
	}
	return models.Say("rules.step.deal_quiet", pairs...)
}
