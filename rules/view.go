package rules

import (
	"cmp"
	"slices"
	"strings"

	"kontrol/models"
)

// view is one letter with what the rules ask about it.
type view struct {
	f       Facts
	thread  *Thread
	id      string   // Message-ID of the letter; "" when missing
	senders []string // who must be answered: From and Reply-To, without our own addresses
	party   []known  // by group of the thread; nil until it is asked for
	answer  int64    // the letter found by answered; zero when it was never stored
}

func newView(t *Thread, f Facts) *view {
	v := &view{f: f, thread: t, id: messageID(f.Letter.MessageID)}
	for _, a := range append([]string{f.Letter.FromAddress}, f.Letter.ReplyTo...) {
		a = models.NormalAddress(a)
		if a != "" && !slices.Contains(v.senders, a) && (f.Own == nil || !f.Own(a)) {
			v.senders = append(v.senders, a)
		}
	}
	return v
}

// sameLetter reports whether two letters are one. Letters that were never stored and have no fingerprint are told apart
// by their Message-ID.
func sameLetter(a, b models.Letter) bool {
	if a.ID != 0 && b.ID != 0 {
		return a.ID == b.ID
	}
	if a.Fingerprint != "" || b.Fingerprint != "" {
		return a.Fingerprint == b.Fingerprint
	}
	return a.MessageID != "" && a.MessageID == b.MessageID
}

// compareSiblings orders by time, then by whatever tells letters and their copies apart. A draft comes after a sent copy
// of the same letter.
func compareSiblings(a, b Sibling) int {
	return cmp.Or(
		a.Letter.ArrivedAt.Compare(b.Letter.ArrivedAt),
		cmp.Compare(a.Letter.ID, b.Letter.ID),
		cmp.Compare(a.Letter.Fingerprint, b.Letter.Fingerprint),
		cmp.Compare(a.Letter.MessageID, b.Letter.MessageID),
		compareBool(a.Draft, b.Draft),
		cmp.Compare(a.MailboxAddress, b.MailboxAddress),
		slices.Compare(a.References, b.References),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// messageID makes Message-IDs comparable: without angle brackets and blanks. See RFC 5322 section 3.6.4.
func messageID(s string) string {
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "<"), ">"))
}

// names reports whether a letter references the Message-ID.
func (s Sibling) names(id string) bool {
	return id != "" && slices.ContainsFunc(s.References, func(r string) bool { return messageID(r) == id })
}

// recipients lists To and Cc of a letter, normalised, each once.
func recipients(l models.Letter) []string {
	var out []string
	for _, a := range slices.Concat(l.To, l.Cc) {
		if a = models.NormalAddress(a); a != "" && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}
