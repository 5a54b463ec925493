package rules

import "kontrol/models"

// Decide says where the copy belongs. The rules of the procedure are tried in order; the first whose conditions all hold
// decides, and its key stands in Rule. The trace names every condition that was looked at, in that order, each as a true
// sentence with the values it was judged by; the steps that hold are the reasons for the outcome. Only Action, Target,
// Rule, AnswerID and Trace are set. Two equal sets of facts give equal decisions whatever the order of their lists. To
// decide about several letters of one thread, see Thread.
func Decide(f Facts) models.Decision { return NewThread(f.Thread).Decide(f) }

// Decide is the function Decide for a letter of this thread; it takes f.Thread for what the Thread was made of and does
// not look at it. Own, SameParty and the addresses of a client must be the same for all letters that are decided about.
// What decisions hold in common may be shared: their traces are not to be changed.
func (t *Thread) Decide(f Facts) models.Decision {
	v := newView(t, f)
	var trace models.Trace
	for _, r := range t.procedure {
		holds := true
		for _, c := range r.conditions {
			ok, steps := c.look(v)
			trace = append(trace, steps...)
			if holds = ok; !holds {
				break
			}
		}
		if holds {
			d := r.decide(v)
			d.Rule, d.Trace = r.key, append(trace, d.Trace...)
			return d
		}
	}
	return models.Decision{Action: models.ActionStay, Trace: trace}
}

// RuleInfo describes one rule of the built-in procedure for people.
type RuleInfo struct {
	Key  string
	Text models.Phrase
}

// Procedure lists the built-in rules in the order in which they are tried.
func Procedure() []RuleInfo {
	rules := procedure()
	infos := make([]RuleInfo, len(rules))
	for i, r := range rules {
		infos[i] = RuleInfo{Key: r.key, Text: r.text}
	}
	return infos
}
