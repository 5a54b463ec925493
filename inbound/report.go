package inbound

import (
	"bytes"
	"strings"

	"kontrol/models"
)

// maxReport bounds what is read of a machine-readable report and of the letter that it returns, in octets.
const maxReport = 64 << 10

// The values of BounceRecipient.Action that are set here. See RFC 3464 section 2.3.3.
const (
	actionFailed    = "failed"
	actionDelayed   = "delayed"
	actionDelivered = "delivered"
)

// statusBlocks returns the groups of fields of the machine-readable parts of a report. See RFC 3464 section 2.1,
// RFC 8098 section 3 and RFC 5965 section 3.
func (r *reader) statusBlocks() []header {
	if !r.hasBlocks {
		r.blocks, r.hasBlocks = statusBlocks(r.root), true
		if len(r.blocks) == 0 {
			r.blocks = pastedBlocks(r.root.anyText(maxReport))
		}
		if e := r.root.find("message/rfc822"); len(r.blocks) == 0 && e != nil && e != r.root && r.daemon() { // a gateway hands a report on
			r.blocks = pastedBlocks(e.decoded(maxReport))
		}
	}
	return r.blocks
}

func statusBlocks(root *entity) []header {
	var blocks []header
	root.walk(func(e *entity) {
		switch e.media.kind {
		case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification", "message/feedback-report":
		default:
			return
		}
		rest := e.decoded(maxReport)
		for len(rest) > 0 && len(blocks) < maxParts {
			var h header
			before := len(rest)
			h, rest, _ = scanHeader(rest)
			if len(h) > 0 {
				blocks = append(blocks, h)
			}
			if len(rest) == before {
				break
			}
		}
	})
	return blocks
}

// pastedBlocks finds such groups of fields in plain text, as programs leave them that take a report apart.
func pastedBlocks(text []byte) []header {
	var blocks []header
	group := false
	for rest := text; len(rest) > 0 && len(blocks) < maxParts; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		lower := bytes.ToLower(line[:min(len(line), 24)])
		group = bytes.HasPrefix(lower, []byte("final-recipient:")) || bytes.HasPrefix(lower, []byte("original-recipient:"))
		if !group {
			rest = after
			continue
		}
		var h header
		before := len(rest)
		if h, rest, _ = scanHeader(rest[:min(len(rest), 16<<10)]); len(h) > 0 {
			blocks = append(blocks, h)
		}
		if len(rest) == before {
			break
		}
	}
	return blocks
}

// readBounce reads a report about delivery, or a complaint: its fields for machines where it has them, its words
// otherwise, and the letter that it returns.
func (r *reader) readBounce() *Bounce {
	rep := report{class: r.letter.Class, seen: map[string]int{}}
	rep.words(r)
	rep.returned(r)
	for _, b := range r.statusBlocks() {
		rep.block(b)
	}
	if len(rep.out.Recipients) == 0 {
		rep.transcript(r)
	} else {
		rep.explain()
	}
	if len(rep.out.Recipients) == 0 {
		rep.likely(r)
	}
	if rep.out.OriginalMessageID == "" {
		rep.out.OriginalMessageID = rep.answered(r)
	}
	return &rep.out
}

// report gathers what readBounce finds out.
type report struct {
	class    models.Class
	out      Bounce
	seen     map[string]int // address → its place in out.Recipients
	text     string         // what the report says in words, without the letter that it returns
	pasted   string         // what comes after those words when the letter is pasted behind them
	original header         // of the letter that it is about
}

// returned finds the letter that the report is about, attached or pasted behind the words.
func (rep *report) returned(r *reader) {
	r.root.walk(func(e *entity) {
		switch e.media.kind {
		case "message/rfc822", "message/rfc822-headers", "text/rfc822-headers", "text/rfc822-header", "message/global", "message/global-headers":
			if rep.original == nil && e != r.root {
				rep.original, _, _ = scanHeader(bytes.TrimLeft(e.decoded(maxReport), "\r\n \t"))
			}
		}
	})
	if rep.original == nil && rep.pasted != "" {
		rep.original, _, _ = scanHeader([]byte(strings.TrimLeft(rep.pasted, "\n ")))
	}
	rep.out.OriginalMessageID = messageID(rep.original)
}

// block reads one group of fields.
func (rep *report) block(b header) {
	if v, ok := b.first("original-message-id"); ok && rep.out.OriginalMessageID == "" {
		rep.out.OriginalMessageID = firstID(v)
	}
	if rep.class == models.ClassFeedback {
		for _, name := range []string{"original-rcpt-to", "removal-recipient"} {
			for _, v := range b.all(name) {
				for _, m := range parseAddresses(v, "") {
					rep.add(BounceRecipient{Address: m.address, Reason: reasonFeedback})
				}
			}
		}
		return
	}
	address := reportedAddress(b)
	if address == "" {
		return
	}
	status, _ := b.first("status")
	var diagnosis []string
	if findStatus(string(status)) == "" { // some write words there, or an SMTP reply
		diagnosis = append(diagnosis, string(status))
	}
	for _, v := range b.all("diagnostic-code") {
		s := string(v)
		if i := strings.IndexByte(s, ';'); i >= 0 && i < 20 {
			s = s[i+1:]
		}
		diagnosis = append(diagnosis, decodeCharset("", []byte(s), ""))
	}
	rec := BounceRecipient{Address: address, Action: reportedAction(b), Status: findStatus(string(status))}
	rec.judge(rep.class, strings.Join(diagnosis, " "))
	rep.add(rec)
}

// reportedAction returns what happened by a group of fields, "" when it does not say. Words of those who do not keep to
// RFC 3464 section 2.3.3 are understood, too.
func reportedAction(b header) string {
	action := b.token("action")
	for _, a := range [][2]string{{"fail", actionFailed}, {"error", actionFailed}, {"reject", actionFailed}, {"delay", actionDelayed}, {"deliver", actionDelivered}, {"relay", "relayed"}, {"expand", "expanded"}} {
		if strings.HasPrefix(action, a[0]) {
			return a[1]
		}
	}
	return ""
}

// reportedAddress takes the recipient out of a group of fields: "rfc822; a@b". The final recipient is where the letter got
// stuck; programs that write no address there leave it in one of the others. See RFC 3464 section 2.3.2.
func reportedAddress(b header) string {
	for _, name := range []string{"final-recipient", "original-recipient", "x-actual-recipient", "x-display-name"} {
		v, ok := b.first(name)
		if !ok {
			continue
		}
		if i := bytes.IndexByte(v, ';'); i >= 0 {
			v = v[i+1:]
		}
		for _, m := range parseAddresses(v, "") {
			if strings.Contains(m.address, "@") {
				return m.address
			}
		}
		if list := addressesIn(string(v)); len(list) > 0 {
			return Normal(list[0].address)
		}
	}
	return ""
}

// add takes a recipient in, once.
func (rep *report) add(rec BounceRecipient) *BounceRecipient {
	if rec.Address = Normal(rec.Address); rec.Address == "" || len(rep.out.Recipients) >= maxAddresses {
		return nil
	}
	if i, ok := rep.seen[rec.Address]; ok {
		return &rep.out.Recipients[i]
	}
	rep.seen[rec.Address] = len(rep.out.Recipients)
	rep.out.Recipients = append(rep.out.Recipients, rec)
	return &rep.out.Recipients[len(rep.out.Recipients)-1]
}

// explain looks in the words of the report for what its fields for machines leave out.
func (rep *report) explain() {
	if rep.class == models.ClassFeedback {
		return
	}
	var said []passage
	for i := range rep.out.Recipients {
		rec := &rep.out.Recipients[i]
		if rec.Reason != "" && rec.Reply != "" && !vague(rec.Status) {
			continue
		}
		if said == nil {
			said = passages(rep.text, nil)
		}
		words := rep.text
		for _, p := range said {
			if p.address == rec.Address {
				words = p.text()
				break
			}
		}
		if len(rep.out.Recipients) > 1 && len(words) == len(rep.text) {
			continue // they may be about another one
		}
		full := *rec
		full.judge(rep.class, words)
		if rec.Reply == "" {
			rec.Reply = full.Reply
		}
		if rec.Reason == "" || rec.Reason == reasonUndefined {
			rec.Reason = full.Reason
		}
		if rec.Status == "" || strings.HasSuffix(rec.Status, ".0.0") && full.Status[0] == rec.Status[0] {
			rec.Status, rec.Permanent = full.Status, full.Permanent
		}
	}
}

// likely names whom the returned letter was for, when the report itself names nobody.
func (rep *report) likely(r *reader) {
	var list []string
	for _, v := range r.h.all("x-failed-recipients") {
		for _, m := range addressesIn(string(v)) {
			list = append(list, m.address)
		}
	}
	for _, name := range []string{"x-envelope-to", "envelope-to", "x-rcpt-to", "x-original-to", "delivered-to", "to"} {
		if len(list) == 0 {
			list = addresses(rep.original, name, r.hint)
		}
	}
	if len(list) == 0 || len(list) > 1 && !r.h.has("x-failed-recipients") && rep.class != models.ClassFeedback {
		return // several: it is not known for which
	}
	for _, a := range list {
		if !strings.Contains(a, "@") || has(r.letter.To, Normal(a)) {
			continue
		}
		rec := BounceRecipient{Address: a, Reason: reasonFeedback}
		if rep.class != models.ClassFeedback {
			rec.Reason = ""
			rec.judge(rep.class, rep.text)
		}
		rep.add(rec)
	}
}

// answered returns the id of the letter that the report names as the one it answers.
func (rep *report) answered(r *reader) string {
	for _, text := range []string{rep.pasted, rep.text} {
		if id := idLine(text); id != "" {
			return id
		}
	}
	for _, name := range []string{"original-message-id", "x-original-message-id", "in-reply-to", "references"} {
		if v, ok := r.h.first(name); ok {
			if ids := parseIDs(v, false); len(ids) > 0 {
				return ids[len(ids)-1]
			}
		}
	}
	return ""
}

// idLine finds a line "Message-ID: <…>" in text.
func idLine(text string) string {
	for rest := text; rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		line = strings.TrimLeft(line, "> \t")
		if len(line) > 11 && strings.EqualFold(line[:10], "message-id") && strings.ContainsAny(line[10:12], ":") {
			return firstID([]byte(line[11:]))
		}
	}
	return ""
}

func firstID(v []byte) string {
	if ids := parseIDs(v, true); len(ids) > 0 {
		return ids[0]
	}
	return ""
}
