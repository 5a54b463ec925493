package rules

import (
	"slices"

	"kontrol/models"
)

// maxRejected is how many letters that do not answer are explained; more would hide the reason.
const maxRejected = 5

// answered looks for the letter that answers: written by a person, sent, addressed to the sender's side, and naming this
// letter or a newer one of the thread. A letter that names this one beats one that names another; the oldest comes first.
func answered(v *view) (bool, models.Trace) {
	t := v.thread.without(v.f.Letter)
	s := t.answer(v)
	if s == nil {
		return false, t.unconvincing(v)
	}
	v.answer = s.Letter.ID
	named, _ := t.judge(v, s)
	addressed, _ := v.addressed(t.groups[s.group])
	sent := models.Say("rules.answer.sent", "At", instant(s.Letter.ArrivedAt), "From", s.Letter.FromAddress, "Mailbox", s.MailboxAddress)
	return true, models.Trace{{Text: sent, Holds: true}, {Text: named, Holds: true}, {Text: addressed, Holds: true}}
}

// answer finds the letter that answers without looking at those that cannot.
func (t *Thread) answer(v *view) *sentLetter {
	for _, i := range t.naming[v.id] {
		if s := &t.sent[i]; s.may() && t.reaches(v, s) {
			return s
		}
	}
	for _, i := range t.since(v.f.Letter.ArrivedAt) {
		if s := &t.sent[i]; t.newest(s, &v.f.Letter) != nil && t.reaches(v, s) {
			return s
		}
	}
	return nil
}

// unconvincing says why none of the letters that were sent answers.
func (t *Thread) unconvincing(v *view) models.Trace {
	trace := models.Trace{{Text: models.Say("rules.step.no_answer")}}
	more := max(len(t.sent)-maxRejected, 0)
	for i := range t.sent[more:] {
		why, _ := t.judge(v, &t.sent[more+i])
		trace = append(trace, models.Step{Text: why})
	}
	if more > 0 {
		trace = append(trace, models.Step{Text: models.Say("rules.reject.more", "Count", more)})
	}
	return trace
}

// judge says whether a sent letter answers, and what it names or why it does not answer.
func (t *Thread) judge(v *view, s *sentLetter) (models.Phrase, bool) {
	at, from := instant(s.Letter.ArrivedAt), s.Letter.FromAddress
	to := t.groups[s.group]
	switch {
	case s.Draft:
		return models.Say("rules.reject.draft", "At", at, "From", from), false
	case s.Letter.Direction == models.Internal || s.Letter.Class == models.ClassInternal:
		return models.Say("rules.reject.colleagues", "At", at, "From", from, "To", to), false
	case s.Letter.Class != models.ClassPerson:
		return models.Say("rules.reject.not_person", "At", at, "From", from), false
	case s.Letter.Direction != models.Outbound:
		return models.Say("rules.reject.not_ours", "At", at, "From", from), false
	case !t.reaches(v, s):
		return models.Say("rules.reject.addressee", "At", at, "From", from, "To", to, "Sender", v.f.Letter.FromAddress), false
	case s.names(v.id):
		return models.Say("rules.answer.direct"), true
	case s.Letter.ArrivedAt.Before(v.f.Letter.ArrivedAt):
		return models.Say("rules.reject.earlier", "At", at, "From", from), false
	}
	if l := t.newest(s, &v.f.Letter); l != nil {
		return models.Say("rules.answer.later", "From", l.FromAddress, "At", instant(l.ArrivedAt)), true
	}
	if v.f.Letter.BaseSubject != "" && s.Letter.BaseSubject == v.f.Letter.BaseSubject {
		return models.Say("rules.reject.weak", "At", at, "From", from), false
	}
	return models.Say("rules.reject.names_nothing", "At", at, "From", from), false
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
