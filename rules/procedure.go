package rules

import (
	"slices"
	"time"

	"kontrol/models"
)

// rule is one line of the procedure: when all conditions hold, it decides.
type rule struct {
	key        string
	text       models.Phrase
	conditions []condition
	decide     func(*view) models.Decision
}

// condition is one question to the facts. Its steps say what was found; a condition that does not hold may be silent
// where a later one speaks for it.
type condition struct {
	name string
	look func(*view) (holds bool, steps models.Trace)
}

// procedure is the department's procedure for mail, in order.
func procedure() []rule {
	return []rule{
		{"elsewhere", models.Say("rules.rule.elsewhere"), []condition{{"not in the inbox", elsewhere}}, stay},
		{"deleted", models.Say("rules.rule.deleted"), []condition{{"marked for deletion", deleted}}, stay},
		{"moving", models.Say("rules.rule.moving"), []condition{{"a move is under way", moving}}, stay},
		{"hands_off", models.Say("rules.rule.hands_off"), []condition{{"put here by a person", handsOff}}, stay},
		{"internal", models.Say("rules.rule.internal"), []condition{{"between colleagues", internal}}, stay},
		{"bounce", models.Say("rules.rule.bounce"), []condition{{"a bounce", class(models.ClassBounce)}}, stay},
		{"auto_reply", models.Say("rules.rule.auto_reply"), []condition{{"an auto-reply", class(models.ClassAutoReply)}}, stay},
		{"list", models.Say("rules.rule.list"), []condition{{"a mailing", class(models.ClassList, models.ClassNewsletter)}}, stay},
		{"challenge", models.Say("rules.rule.challenge"), []condition{{"a challenge", class(models.ClassChallenge)}}, stay},
		{"receipt", models.Say("rules.rule.receipt"), []condition{{"a receipt", class(models.ClassReceipt, models.ClassDelayed,
			models.ClassDelivered)}}, stay},
		{"feedback", models.Say("rules.rule.feedback"), []condition{{"a complaint", class(models.ClassFeedback)}}, stay},
		{"ours", models.Say("rules.rule.ours"), []condition{{"not from outside", ours}}, stay},
		{"not_person", models.Say("rules.rule.not_person"), []condition{{"not known to be a person's", notPerson}}, stay},
		{"old", models.Say("rules.rule.old"), []condition{{"old at the first look", old}}, stay},
		{"answered", models.Say("rules.rule.answered"), []condition{{"answered", answered}}, file},
		{"unanswered", models.Say("rules.rule.unanswered"), nil, unanswered},
	}
}

func stay(*view) models.Decision { return models.Decision{Action: models.ActionStay} }

func one(holds bool, text models.Phrase) (bool, models.Trace) {
	return holds, models.Trace{{Text: text, Holds: holds}}
}

func elsewhere(v *view) (bool, models.Trace) {
	switch v.f.Copy.FolderRole {
	case models.FolderInbox:
		return one(false, models.Say("rules.step.inbox"))
	case models.FolderSent:
		return one(true, models.Say("rules.step.elsewhere", "Folder", models.Say("folder.sent")))
	case models.FolderProcessed:
		return one(true, models.Say("rules.step.elsewhere", "Folder", models.Say("folder.processed")))
	case models.FolderControl:
		return one(true, models.Say("rules.step.elsewhere", "Folder", models.Say("folder.control")))
	}
	return one(true, models.Say("rules.step.elsewhere_unknown"))
}

func deleted(v *view) (bool, models.Trace) {
	if !v.f.Copy.Deleted {
		return false, nil
	}
	return one(true, models.Say("rules.step.deleted"))
}

func moving(v *view) (bool, models.Trace) {
	if !v.f.Copy.OpenFiling {
		return false, nil
	}
	return one(true, models.Say("rules.step.moving"))
}

func handsOff(v *view) (bool, models.Trace) {
	if !v.f.Copy.HandsOff {
		return one(false, models.Say("rules.step.untouched"))
	}
	return one(true, models.Say("rules.step.hands_off"))
}

func internal(v *view) (bool, models.Trace) {
	if v.f.Letter.Direction != models.Internal && v.f.Letter.Class != models.ClassInternal && v.f.Letter.Class != models.ClassOwn {
		return false, nil
	}
	return one(true, models.Say("rules.step.internal", "From", v.f.Letter.FromAddress))
}

func class(any ...models.Class) func(*view) (bool, models.Trace) {
	return func(v *view) (bool, models.Trace) {
		if !slices.Contains(any, v.f.Letter.Class) {
			return false, nil
		}
		return one(true, classText(v.f.Letter))
	}
}

func classText(l models.Letter) models.Phrase {
	switch l.Class {
	case models.ClassBounce:
		return models.Say("rules.step.bounce", "Reason", l.ClassReason)
	case models.ClassAutoReply:
		return models.Say("rules.step.auto_reply", "Reason", l.ClassReason)
	case models.ClassList, models.ClassNewsletter:
		return models.Say("rules.step.list", "Reason", l.ClassReason)
	case models.ClassReceipt, models.ClassDelayed, models.ClassDelivered, models.ClassFeedback, models.ClassChallenge:
		return models.Say("rules.step.receipt", "Reason", l.ClassReason)
	}
	return models.Say("rules.step.not_person", "Reason", l.ClassReason)
}

func ours(v *view) (bool, models.Trace) {
	if v.f.Letter.Direction == models.Inbound {
		return false, nil
	}
	return one(true, models.Say("rules.step.ours", "From", v.f.Letter.FromAddress))
}

func notPerson(v *view) (bool, models.Trace) {
	l := v.f.Letter
	if l.Class != models.ClassPerson {
		return one(true, classText(l))
	}
	return one(false, models.Say("rules.step.person", "From", named(l), "At", instant(l.ArrivedAt)))
}

func old(v *view) (bool, models.Trace) {
	if !v.f.Copy.FirstLook {
		return false, nil
	}
	window := v.f.Settings.firstLookWindow()
	days := int(window / (24 * time.Hour))
	if v.f.Now.Sub(v.f.Letter.ArrivedAt) <= window {
		return one(false, models.Say("rules.step.recent", "Count", days))
	}
	return one(true, models.Say("rules.step.old", "At", instant(v.f.Letter.ArrivedAt), "Count", days))
}

// named shows a sender with the name, when there is one.
func named(l models.Letter) string {
	if l.FromName == "" {
		return l.FromAddress
	}
	return l.FromName + " <" + l.FromAddress + ">"
}

// instant makes an instant fit for a phrase: UTC, without the monotonic clock, so that equal decisions compare equal.
func instant(t time.Time) time.Time { return t.Round(0).UTC() }
