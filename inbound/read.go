package inbound

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"kontrol/models"
)

// ErrNothing is returned by Read for octets that have nothing by which a letter could be told from another.
var ErrNothing = errors.New("no header field and no text that identify a letter")

// Source is a letter as it came from the server.
type Source struct {
	Header       []byte    // BODY[HEADER]; read up to its first empty line, at most 256 KB and 1000 lines
	Text         []byte    // the start of BODY[TEXT]; nil when it was not fetched
	Size         int64     // RFC822.SIZE in octets
	InternalDate time.Time // zero when the server gave none
	TextCut      bool      // Text is not all of the body
}

// Facts is what was understood of a letter.
type Facts struct {
	// Letter has everything but ID, ThreadID, Thread, Text and CreatedAt. ArrivedAt is the INTERNALDATE; without one the
	// newest Received field or the Date; zero when none of them can be read.
	Letter models.Letter
	// References are the ids of the letters that this one continues, oldest first, without angle brackets: References,
	// then In-Reply-To. At most 100, the newest.
	References []string
	// OtherIDs are ids that the letter had before a relay gave it another one: those who answer may name either.
	OtherIDs []string
	// Text is the start of the readable text: valid UTF-8, LF line ends, at most 64 KB. It includes what is quoted.
	Text string
	// Bounce is what a report about a letter of ours says; nil unless Class is ClassBounce, ClassDelayed, ClassDelivered or
	// ClassFeedback.
	Bounce *Bounce
	// AutoReply is what an automatic answer says; nil unless Class is ClassAutoReply.
	AutoReply *AutoReply
	// ReplyText is what the writer has added to the conversation: Text without quotes and signature. "" unless Class is
	// ClassPerson: what a machine or a list writes is nobody's word.
	ReplyText string
	// Signature is the writer's signature; "" when there is none, and unless Class is ClassPerson.
	Signature string
	// Named is what ReplyText and Signature name; empty unless Class is ClassPerson.
	Named Named
	// Written is Letter.Date with the offset from UTC that the letter gives; the zero time when it has no readable Date.
	Written time.Time
	// InReplyTo is the id of the letter that this one answers, the first where several are named; "" when none is.
	InReplyTo string
	// Attachments are the files of the letter in its order. What was fetched of a letter may show only the first of them.
	Attachments []Attachment
	// Unfolded is Text and Attachments with those of the letters within the letter. Only ReadAll gives it.
	Unfolded Unfolded
}

// Read understands a letter. It fails only with ErrNothing; a letter that breaks the rules gives what can be read of it,
// with the oddities in Letter.Problems. It never panics, and takes time proportional to the size of the source.
//
// A letter without a Message-ID is recognised by its text, among other things: give Text for such a letter, and the same
// amount of it (at least 64 KB, or all) each time.
//
// Nothing here proves who sent a letter: From may be forged, and with it Direction.
func Read(src Source, own Own) (Facts, error) {
	r := startReading(src.Header, own)
	r.times(src.InternalDate)
	r.letter.Size = src.Size
	r.body(src)
	return r.facts()
}

// startReading reads a header.
func startReading(head []byte, own Own) *reader {
	h, _, problems := scanHeader(head)
	r := &reader{h: h, own: own}
	r.letter.Problems = problems
	if v, ok := h.first("content-type"); ok {
		r.hint = parseMedia(v, "").params["charset"]
	}
	r.participants()
	r.subjectAndIDs()
	return r
}

// facts concludes from everything that was read.
func (r *reader) facts() (Facts, error) {
	if r.nothing() {
		return Facts{}, ErrNothing
	}
	r.letter.Fingerprint = fingerprint(r.letter, r.rawDate, r.content)
	r.classify()
	h := r.h
	r.letter.Problems = append(r.letter.Problems, r.root.notices(r.text)...)
	f := Facts{Letter: r.letter, References: references(h, r.letter.MessageID), OtherIDs: otherIDs(h, r.letter.MessageID), Text: r.text,
		Attachments: r.root.attachments(), Written: r.written}
	if v, ok := h.first("in-reply-to"); ok {
		f.InReplyTo = firstID(v)
	}
	switch r.letter.Class {
	case models.ClassBounce, models.ClassDelayed, models.ClassDelivered, models.ClassFeedback:
		f.Bounce = r.readBounce()
	case models.ClassAutoReply:
		f.AutoReply = r.readAutoReply()
	case models.ClassPerson:
		f.words()
	}
	return f, nil
}

// reader gathers what Read finds out.
type reader struct {
	h         header
	own       Own
	hint      string // charset that the letter declares for its text
	letter    models.Letter
	bcc       []string
	from      mailbox // may lack an @
	rawDate   string
	written   time.Time // letter.Date with the offset that the field gives
	root      *entity
	text      string
	content   string // text, or the start of the body as it came when nothing in it is readable
	folded    string // the subject by foldSubject, once isFolded
	isFolded  bool
	blocks    []header // groups of fields of the parts for machines, once hasBlocks
	hasBlocks bool
}

// subject returns the letter's subject, folded.
func (r *reader) subject() string {
	if !r.isFolded {
		r.folded, r.isFolded = foldSubject(r.letter.Subject), true
	}
	return r.folded
}

func (r *reader) problem(s string) { r.letter.Problems = append(r.letter.Problems, s) }

// participants reads the address fields. The sender is the first address in From, else in Sender, else in Return-Path.
func (r *reader) participants() {
	for _, name := range []string{"from", "sender", "return-path"} {
		for _, v := range r.h.all(name) {
			for _, m := range parseAddresses(v, r.hint) {
				if r.from.address == "" || !strings.Contains(r.from.address, "@") && strings.Contains(m.address, "@") && name == "from" {
					r.from = m
				}
			}
		}
		if r.from.address != "" {
			break
		}
	}
	if n := len(r.h.all("from")); n > 1 {
		r.problem("more than one From field: the first was taken")
	}
	if r.from.address == "" {
		r.problem("no sender")
	}
	r.letter.FromAddress, r.letter.FromName = r.from.address, r.from.name
	r.letter.ReplyTo = addresses(r.h, "reply-to", r.hint)
	r.letter.To = addresses(r.h, "to", r.hint)
	r.letter.Cc = addresses(r.h, "cc", r.hint)
	r.bcc = addresses(r.h, "bcc", r.hint)
}

func (r *reader) subjectAndIDs() {
	if v, ok := r.h.first("subject"); ok {
		r.letter.Subject = cleanLine(decodeWords(v, r.hint), maxSubject)
	}
	r.letter.BaseSubject = BaseSubject(r.letter.Subject)
	r.letter.MessageID = messageID(r.h)
	if r.letter.MessageID == "" {
		r.problem("no Message-ID")
	}
}

func (r *reader) times(internal time.Time) {
	if v, ok := r.h.first("date"); ok {
		r.rawDate = string(v)
		if t, ok := parseDate(v); ok {
			at := t.UTC()
			r.letter.Date, r.written = &at, t
		} else {
			r.problem("unreadable Date")
		}
	}
	r.letter.ArrivedAt = internal.UTC()
	if !internal.IsZero() {
		return
	}
	r.letter.ArrivedAt = time.Time{}
	if v, ok := r.h.first("received"); ok { // the topmost is the newest; its date follows the last semicolon
		if t, ok := parseDate(v[strings.LastIndexByte(string(v), ';')+1:]); ok {
			r.letter.ArrivedAt = t.UTC()
			return
		}
	}
	if r.letter.Date != nil {
		r.letter.ArrivedAt = *r.letter.Date
	}
}

const problemNoHeader = "no header"

func (r *reader) body(src Source) {
	body := src.Text
	if len(body) > maxBodyBytes {
		body = body[:maxBodyBytes]
	}
	if usesBareCR(src.Header) && usesBareCR(body) {
		body = bytes.ReplaceAll(body, []byte{'\r'}, []byte{'\n'})
	}
	if len(r.h) == 0 && len(src.Header) > 0 { // it was taken for a header, but is none
		r.problem(problemNoHeader)
		body = append(append([]byte(nil), src.Header[:min(len(src.Header), maxHeaderBytes)]...), body...)
	}
	p := parser{hint: r.hint}
	r.root = p.parse(r.h, body, nil, 0)
	if src.TextCut {
		r.lastCut()
	}
	r.text = r.root.readableText(r.hint, maxText)
	r.content = r.text
	if r.content == "" {
		r.content = string(body[:min(len(body), maxText)])
	}
	if !src.TextCut {
		r.letter.Problems = append(r.letter.Problems, p.problems...)
	}
}

// nothing reports whether there is nothing by which the letter could be told from another.
func (r *reader) nothing() bool {
	l := r.letter
	return l.MessageID == "" && l.FromAddress == "" && l.Subject == "" && strings.TrimSpace(r.rawDate) == "" &&
		len(l.To) == 0 && len(l.Cc) == 0 && strings.TrimSpace(r.content) == ""
}
