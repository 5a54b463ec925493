package rules

import (
	"slices"

	"kontrol/models"
)

// maxRejected is how many letters that do not answer are explained; more would hide the reason.
const maxRejected = 5

// evidence is a letter of ours that answers.
type evidence struct {
	letter models.Letter
	direct bool // it names the letter itself
	steps  models.Trace
}

// answered looks for the letter that answers: written by a person, sent, addressed to the sender's side, and naming this
// letter or a newer one of the thread. A letter that names this one beats one that names another; the oldest comes first.
func answered(v *view) (bool, models.Trace) {
	var rejected models.Trace
	for _, s := range v.sent {
		e, why := v.judge(s)
		if e == nil {
			rejected = append(rejected, models.Step{Text: why})
		} else if v.answer == nil || e.direct && !v.answer.direct {
			v.answer = e
		}
	}
	if v.answer != nil {
		return true, v.answer.steps
	}
	trace := models.Trace{{Text: models.Say("rules.step.no_answer")}}
	if n := len(rejected) - maxRejected; n > 0 {
		rejected = append(rejected[n:], models.Step{Text: models.Say("rules.reject.more", "Count", n)})
	}
	return false, append(trace, rejected...)
}

// judge says whether a sent letter answers, or why it does not.
func (v *view) judge(s Sibling) (*evidence, models.Phrase) {
	at, from := instant(s.Letter.ArrivedAt), s.Letter.FromAddress
	to := recipients(s.Letter)
	switch {
	case s.Draft:
		return nil, models.Say("rules.reject.draft", "At", at, "From", from)
	case s.Letter.Direction == models.Internal || s.Letter.Class == models.ClassInternal:
		return nil, models.Say("rules.reject.colleagues", "At", at, "From", from, "To", to)
	case s.Letter.Class != models.ClassPerson:
		return nil, models.Say("rules.reject.not_person", "At", at, "From", from)
	case s.Letter.Direction != models.Outbound:
		return nil, models.Say("rules.reject.not_ours", "At", at, "From", from)
	}
	addressed, ok := v.addressed(to)
	if !ok {
		return nil, models.Say("rules.reject.addressee", "At", at, "From", from, "To", to, "Sender", v.f.Letter.FromAddress)
	}
	before := s.Letter.ArrivedAt.Before(v.f.Letter.ArrivedAt)
	named, found := v.named(s)
	direct := s.names(v.id)
	switch {
	case direct:
		named = models.Say("rules.answer.direct")
	case before:
		return nil, models.Say("rules.reject.earlier", "At", at, "From", from)
	case found:
	case v.f.Letter.BaseSubject != "" && s.Letter.BaseSubject == v.f.Letter.BaseSubject:
		return nil, models.Say("rules.reject.weak", "At", at, "From", from)
	default:
		return nil, models.Say("rules.reject.names_nothing", "At", at, "From", from)
	}
	sent := models.Say("rules.answer.sent", "At", at, "From", from, "Mailbox", s.MailboxAddress)
	steps := models.Trace{{Text: sent, Holds: true}, {Text: named, Holds: true}, {Text: addressed, Holds: true}}
	return &evidence{letter: s.Letter, direct: direct, steps: steps}, models.Phrase{}
}

// named finds a newer letter of the thread that a sent letter answers: who answers the newest has read the older ones.
func (v *view) named(s Sibling) (models.Phrase, bool) {
	for _, l := range v.later {
		if s.names(messageID(l.Letter.MessageID)) {
			return models.Say("rules.answer.later", "From", l.Letter.FromAddress, "At", instant(l.Letter.ArrivedAt)), true
		}
	}
	return models.Phrase{}, false
}

// addressed finds the recipient that stands on the sender's side: the sender, another address of the client, or
// somebody of the same company. The sender itself is named first.
func (v *view) addressed(to []string) (models.Phrase, bool) {
	outside := slices.DeleteFunc(slices.Clone(to), func(a string) bool { return v.f.Own != nil && v.f.Own(a) })
	for _, a := range outside {
		if slices.Contains(v.senders, a) {
			return models.Say("rules.answer.to_sender", "To", a), true
		}
	}
	if v.f.Client != nil {
		for _, a := range outside {
			if slices.ContainsFunc(v.f.ClientAddresses, func(c string) bool { return models.NormalAddress(c) == a }) {
				return models.Say("rules.answer.to_client", "To", a, "Client", v.f.Client.Name), true
			}
		}
	}
	if v.f.SameParty == nil {
		return models.Phrase{}, false
	}
	for _, a := range outside {
		for _, s := range v.senders {
			if v.f.SameParty(a, s) {
				return models.Say("rules.answer.to_party", "To", a, "Sender", s), true
			}
		}
	}
	return models.Phrase{}, false
}

// unanswered says what would answer the letter.
func unanswered(v *view) models.Decision {
	text := models.Say("rules.step.answer_it", "To", v.replyAddress())
	switch {
	case len(v.senders) == 0:
		text = models.Say("rules.step.file_it")
	case v.id == "":
		text = models.Say("rules.step.no_message_id")
	}
	return models.Decision{Action: models.ActionStay, Trace: models.Trace{{Text: text, Holds: true}}}
}

// replyAddress is where an answer goes: Reply-To when there is one. See RFC 5322 section 3.6.2.
func (v *view) replyAddress() string {
	for _, a := range v.f.Letter.ReplyTo {
		if a = models.NormalAddress(a); slices.Contains(v.senders, a) {
			return a
		}
	}
	if len(v.senders) > 0 {
		return v.senders[0]
	}
	return ""
}
