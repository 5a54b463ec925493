package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"kontrol/inbound"
	"kontrol/models"
)

// readJSON is a letter in the output of `kontrol message read --format json`.
type readJSON struct {
	File        string           `json:"file"`
	Number      int              `json:"number"` // which letter of the file it is, from 1
	MessageID   string           `json:"message_id"`
	InReplyTo   string           `json:"in_reply_to"`
	References  []string         `json:"references"`
	From        personJSON       `json:"from"`
	To          []string         `json:"to"`
	Cc          []string         `json:"cc"`
	Subject     string           `json:"subject"`
	BaseSubject string           `json:"base_subject"`
	Date        *string          `json:"date"`
	Class       string           `json:"class"`
	AutoReply   *autoReplyJSON   `json:"auto_reply"`
	Bounce      *bounceJSON      `json:"bounce"`
	Text        string           `json:"text"`
	ReplyText   string           `json:"reply_text"`
	Signature   string           `json:"signature"`
	Attachments []attachmentJSON `json:"attachments"`
	Named       namedJSON        `json:"named"`
	Problems    []string         `json:"problems"`
	Quarantine  *phraseJSON      `json:"quarantine,omitempty"` // why nothing could be made of it
}

type personJSON struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

type autoReplyJSON struct {
	ReturnsOn *string `json:"returns_on"`
}

type bounceJSON struct {
	Recipients        []recipientJSON `json:"recipients"`
	OriginalMessageID string          `json:"original_message_id"`
}

type recipientJSON struct {
	Address   string `json:"address"`
	Action    string `json:"action"`
	Status    string `json:"status"`
	Reply     string `json:"reply"`
	Permanent bool   `json:"permanent"`
	Reason    string `json:"reason"`
}

type attachmentJSON struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // "" when the letter ends within it
}

type namedJSON struct {
	INN         []string      `json:"inn"`
	KPP         []string      `json:"kpp"`
	Phones      []string      `json:"phones"`
	Sites       []string      `json:"sites"`
	Invoices    []string      `json:"invoices"`
	Offers      []string      `json:"offers"`
	Deals       []string      `json:"deals"`
	Sums        []sumJSON     `json:"sums"`
	Dates       []dayJSON     `json:"dates"`
	Paid        bool          `json:"paid"`
	Unsubscribe bool          `json:"unsubscribe"`
	Promises    []promiseJSON `json:"promises"`
}

type sumJSON struct {
	Minor    int64  `json:"minor"` // kopecks, cents
	Currency string `json:"currency"`
	Text     string `json:"text"`
}

type dayJSON struct {
	Day  string `json:"day"`
	Text string `json:"text"`
}

type promiseJSON struct {
	Kind string `json:"kind"`
	By   string `json:"by"`
	Text string `json:"text"`
}

func readJSONOf(file string, number int, f inbound.Facts) readJSON {
	l := f.Letter
	j := readJSON{File: file, Number: number, MessageID: l.MessageID, InReplyTo: f.InReplyTo, References: list(f.References),
		From: personJSON{l.FromAddress, l.FromName}, To: list(l.To), Cc: list(l.Cc), Subject: l.Subject, BaseSubject: l.BaseSubject,
		Date: writtenAt(f.Written), Class: string(l.Class), Text: f.Unfolded.Text, ReplyText: f.ReplyText, Signature: f.Signature,
		Attachments: []attachmentJSON{}, Named: namedJSONOf(f.Named), Problems: list(l.Problems)}
	for _, a := range f.Unfolded.Attachments {
		j.Attachments = append(j.Attachments, attachmentJSON(a))
	}
	if f.AutoReply != nil {
		j.AutoReply = &autoReplyJSON{ReturnsOn: dayOf(f.AutoReply.ReturnsOn)}
	}
	if f.Bounce != nil {
		j.Bounce = &bounceJSON{Recipients: []recipientJSON{}, OriginalMessageID: f.Bounce.OriginalMessageID}
		for _, r := range f.Bounce.Recipients {
			j.Bounce.Recipients = append(j.Bounce.Recipients, recipientJSON(r))
		}
	}
	return j
}

func namedJSONOf(n inbound.Named) namedJSON {
	j := namedJSON{INN: list(n.INN), KPP: list(n.KPP), Phones: list(n.Phones), Sites: list(n.Sites), Invoices: list(n.Invoices),
		Offers: list(n.Offers), Deals: list(n.Deals), Sums: []sumJSON{}, Dates: []dayJSON{}, Paid: n.Paid, Unsubscribe: n.Unsubscribe,
		Promises: []promiseJSON{}}
	for _, s := range n.Sums {
		j.Sums = append(j.Sums, sumJSON(s))
	}
	for _, d := range n.Dates {
		j.Dates = append(j.Dates, dayJSON{d.Day.Format(time.DateOnly), d.Text})
	}
	for _, p := range n.Promises {
		j.Promises = append(j.Promises, promiseJSON{p.Kind, p.By.Format(time.DateOnly), p.Text})
	}
	return j
}

// writtenAt writes the instant of a letter with the offset that the letter gives; nil for none.
func writtenAt(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.Format(time.RFC3339)
	return &s
}

// dayOf writes a calendar date; nil for none.
func dayOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.Format(time.DateOnly)
	return &s
}

// jsonLine writes v on a line of its own.
func (o *output) jsonLine(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // texts of letters are full of ">"
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	o.raw(string(guardJSON(b.Bytes())))
	return o.err
}

// showRead writes a letter for people.
func (c *cli) showRead(file string, f inbound.Facts) error {
	l := f.Letter
	c.out.line(c.out.paint(paintBold, c.subject(l)))
	date := c.texts.Time(f.Written)
	if _, err := c.config(); err != nil { // nobody said where the reader is: the writer's own time
		date = c.texts.In(f.Written.Location()).Time(f.Written)
	}
	from := l.FromAddress
	if l.FromName != "" {
		from = l.FromName + " <" + l.FromAddress + ">"
	}
	text := func(key string) string { return c.Text("cli.message_read." + key) }
	rows := [][2]string{{text("file"), file}, {text("from"), from}, {text("to"), strings.Join(l.To, ", ")}, {text("cc"), strings.Join(l.Cc, ", ")},
		{text("date"), date}, {c.Text("cli.column.class"), c.class(l.Class)}}
	if f.AutoReply != nil && f.AutoReply.ReturnsOn != nil {
		rows = append(rows, [2]string{text("returns"), f.AutoReply.ReturnsOn.Format("02.01.2006")})
	}
	if f.Bounce != nil {
		for _, r := range f.Bounce.Recipients {
			rows = append(rows, [2]string{text("recipient"), strings.Join(strings.Fields(strings.Join([]string{r.Address, r.Action, r.Status, r.Reason}, " ")), ", ")})
		}
	}
	for _, a := range f.Unfolded.Attachments {
		name := a.Name
		if name == "" {
			name = text("no_name")
		}
		rows = append(rows, [2]string{text("attachment"), c.Text("cli.message_read.attachment_line", "Name", name, "Type", a.Type, "Size", a.Size)})
	}
	rows = append(rows, c.namedRows(f.Named)...)
	for _, p := range l.Problems {
		rows = append(rows, [2]string{text("problem"), p})
	}
	if err := c.facts(rows); err != nil {
		return err
	}
	words, signature := f.ReplyText, f.Signature
	if strings.TrimSpace(words) == "" {
		words = f.Unfolded.Text
	}
	if strings.TrimSpace(words) != "" {
		c.out.line()
		c.out.block("  ", strings.TrimSpace(words))
	}
	if signature != "" {
		c.out.line()
		c.out.block("  ", signature)
	}
	return c.out.err
}

// namedRows lists what a letter names.
func (c *cli) namedRows(n inbound.Named) [][2]string {
	text := func(key string) string { return c.Text("cli.message_read." + key) }
	sums, days := []string{}, []string{}
	for _, s := range n.Sums {
		sums = append(sums, showMoney(models.Money{Minor: s.Minor, Currency: s.Currency}))
	}
	for _, d := range n.Dates {
		days = append(days, d.Day.Format("02.01.2006"))
	}
	rows := [][2]string{}
	for _, x := range []struct {
		key    string
		values []string
	}{
		{"inn", n.INN}, {"kpp", n.KPP}, {"phones", n.Phones}, {"sites", n.Sites}, {"invoices", n.Invoices}, {"offers", n.Offers},
		{"deals", n.Deals}, {"sums", sums}, {"dates", days},
	} {
		rows = append(rows, [2]string{text(x.key), strings.Join(x.values, ", ")})
	}
	return rows
}
