package inbound

import (
	"strings"

	"kontrol/models"
)

// verdict is a class with the reason for it.
type verdict struct {
	class  models.Class
	reason models.Phrase
}

// classify finds the direction and the class. What machines send is looked for in the order in which a mistake would do
// most harm; whatever is left was written by a person. When in doubt it is a person: a machine's letter in the inbox is
// a nuisance, a client's letter taken for a machine's is a lost client.
func (r *reader) classify() {
	r.letter.Direction = r.direction()
	for _, f := range []func() verdict{r.feedback, r.receipt, r.bounce, r.challenge, r.autoReply, r.list, r.noReply, r.mailing} {
		if v := f(); v.class != "" {
			r.letter.Class, r.letter.ClassReason = v.class, v.reason
			if v.class.AboutOurs() { // from our own server, perhaps, but to us
				r.letter.Direction = models.Inbound
			}
			return
		}
	}
	if r.letter.Direction == models.Internal && r.toOneself() {
		r.letter.Class, r.letter.ClassReason = models.ClassOwn, models.Say("inbound.class.own")
		return
	}
	if r.letter.Direction == models.Internal {
		r.letter.Class, r.letter.ClassReason = models.ClassInternal, models.Say("inbound.class.internal")
		return
	}
	r.letter.Class, r.letter.ClassReason = models.ClassPerson, models.Say("inbound.class.person")
	if r.form() {
		r.letter.ClassReason = models.Say("inbound.class.form", "Address", r.letter.ReplyTo[0])
	}
}

// direction compares the sender and the recipients with our own addresses. A letter of ours without visible recipients
// went to somebody outside (a mailing by Bcc); one that our web site sent to ourselves on behalf of a visitor came in.
func (r *reader) direction() models.Direction {
	if !r.own.Has(r.letter.FromAddress) {
		return models.Inbound
	}
	recipients := 0
	for _, list := range [][]string{r.letter.To, r.letter.Cc, r.bcc} {
		for _, a := range list {
			if !r.own.Has(a) {
				return models.Outbound
			}
			recipients++
		}
	}
	switch {
	case recipients == 0:
		return models.Outbound
	case r.form():
		return models.Inbound
	}
	return models.Internal
}

// toOneself reports whether the sender is the only recipient.
func (r *reader) toOneself() bool {
	for _, list := range [][]string{r.letter.To, r.letter.Cc, r.bcc} {
		for _, a := range list {
			if a != r.letter.FromAddress {
				return false
			}
		}
	}
	return true
}

// form reports whether the letter was sent by a program on behalf of somebody else, as web sites send what was written
// into a form: from our own or a no-reply address, with answers to go to an address outside that takes them.
func (r *reader) form() bool {
	if len(r.letter.ReplyTo) == 0 || !r.own.Has(r.letter.FromAddress) && !noReplyAddress(r.letter.FromAddress) {
		return false
	}
	for _, a := range r.letter.ReplyTo {
		if r.own.Has(a) || noReplyAddress(a) {
			return false
		}
	}
	return true
}

// noReply is for senders that say in their own address that no person reads the answers.
func (r *reader) noReply() verdict {
	if !noReplyAddress(r.letter.FromAddress) || r.form() {
		return verdict{}
	}
	return verdict{models.ClassAutoReply, models.Say("inbound.class.noreply", "Address", r.letter.FromAddress)}
}

// noReplyAddress recognises no-reply, noreply, donotreply and mailer-daemon, with other words before or after them.
func noReplyAddress(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	local = strings.Map(func(c rune) rune {
		if c == '-' || c == '_' || c == '.' {
			return -1
		}
		return c
	}, local)
	for _, w := range []string{"noreply", "donotreply", "mailerdaemon"} {
		if strings.HasPrefix(local, w) || strings.HasSuffix(local, w) {
			return true
		}
	}
	return false
}

// nullSender reports whether the letter came with the empty envelope sender, as nothing that a person writes does. See
// RFC 5321 section 4.5.5.
func (r *reader) nullSender() bool {
	if v, ok := r.h.first("return-path"); ok {
		return strings.Trim(string(v), " \t<>\"") == ""
	}
	v, ok := r.h.first("from")
	return ok && strings.HasSuffix(strings.TrimSpace(string(v)), "<>")
}

// startsAnswer reports whether the folded subject has a prefix of an answer or a forwarded letter: a person sent it on.
func startsAnswer(subject string) bool {
	_, ok := cutPrefixWord(subject)
	return ok
}

// containsAny returns the first of the phrases that s contains.
func containsAny(s string, phrases []string) (string, bool) {
	for _, p := range phrases {
		if strings.Contains(s, p) {
			return p, true
		}
	}
	return "", false
}

// startsWithAny returns the first of the phrases with which s begins.
func startsWithAny(s string, phrases []string) (string, bool) {
	for _, p := range phrases {
		if strings.HasPrefix(s, p) {
			return p, true
		}
	}
	return "", false
}
