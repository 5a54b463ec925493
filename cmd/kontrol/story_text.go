package main

import (
	"strconv"
	"strings"
	"time"

	"kontrol/models"
	"kontrol/rules"
)

// tellStory writes the whole reasoning about a letter for people.
func (c *cli) tellStory(s story) error {
	c.tellLetter(s.letter)
	c.tellThread(s)
	c.tellLinks(s.links)
	c.tellProposals(s.proposals)
	c.tellLinkRules(s.rules)
	c.tellDecisions(s)
	c.tellMoves(s)
	c.tellCopies(s)
	c.tellEvents(s.events)
	return c.out.err
}

// tellLetter writes the head of a letter and what kind of letter it is.
func (c *cli) tellLetter(l models.Letter) {
	c.out.line(c.out.paint(paintBold, c.Text("cli.letter.title", "ID", l.ID)))
	kind := c.class(l.Class)
	if why := c.texts.Say(l.ClassReason); why != "" {
		kind += " — " + why
	}
	rows := [][2]string{
		{c.Text("cli.letter.from"), person(l.FromName, l.FromAddress)},
		{c.Text("cli.letter.to"), strings.Join(l.To, ", ")},
		{c.Text("cli.letter.cc"), strings.Join(l.Cc, ", ")},
		{c.Text("cli.letter.subject"), c.subject(l)},
		{c.Text("cli.letter.arrived"), c.texts.Time(l.ArrivedAt)},
		{c.Text("cli.letter.kind"), kind},
		{c.Text("cli.letter.problems"), strings.Join(l.Problems, "; ")},
	}
	width := 0
	for _, r := range rows {
		width = max(width, len([]rune(r[0])))
	}
	for _, r := range rows {
		if r[1] != "" {
			c.out.line("  ", c.out.paint(paintFaint, pad(r[0]+":", width+1)), " ", r[1])
		}
	}
}

func person(name, address string) string {
	switch {
	case name == "":
		return address
	case address == "":
		return name
	}
	return name + " <" + address + ">"
}

func (c *cli) subject(l models.Letter) string {
	if strings.TrimSpace(l.Subject) == "" {
		return c.Text("cli.letter.no_subject")
	}
	return l.Subject
}

// class names a class of letters; an unknown one by its code.
func (c *cli) class(k models.Class) string {
	if s := c.optional("cli.class." + string(k)); s != "" {
		return s
	}
	return string(k)
}

func (c *cli) folderName(role models.FolderRole) string {
	if s := c.optional("folder." + string(role)); s != "" {
		return s
	}
	return string(role)
}

func arrow(d models.Direction) string {
	switch d {
	case models.Inbound:
		return "←"
	case models.Outbound:
		return "→"
	}
	return "↔"
}

func (c *cli) tellThread(s story) {
	c.out.heading(c.Text("cli.why.thread", "Letters", models.Say("count.letters", "Count", len(s.thread))))
	width := 0
	for _, l := range s.thread {
		width = max(width, len(strconv.FormatInt(l.ID, 10)))
	}
	for _, l := range s.thread {
		who := l.FromName
		if who == "" {
			who = l.FromAddress
		}
		number := strconv.FormatInt(l.ID, 10)
		parts := []any{"  ", arrow(l.Direction), " ", c.texts.Time(l.ArrivedAt), "  № ", number,
			strings.Repeat(" ", width-len(number)+2), who, ": ", c.subject(l)}
		if l.Class != models.ClassPerson {
			parts = append(parts, " (", c.class(l.Class), ")")
		}
		if l.ID == s.letter.ID {
			parts = append(parts, "  ", c.out.paint(paintBold, c.Text("cli.why.this_letter")))
		}
		c.out.line(parts...)
	}
}

func (c *cli) tellLinks(links []models.Link) {
	c.out.heading(c.Text("cli.why.links"))
	if len(links) == 0 {
		c.out.line("  ", c.Text("cli.why.no_links"))
		return
	}
	for _, past := range []bool{false, true} {
		for _, l := range links {
			if (l.SupersededAt != nil) == past {
				c.tellLink(l)
			}
		}
	}
}

func (c *cli) tellLink(l models.Link) {
	name, deal := "", ""
	if l.Client != nil {
		name = l.Client.Name
	}
	if l.Deal != nil {
		deal = c.Text("cli.why.link_deal", "Number", l.Deal.Number, "Title", l.Deal.Title)
	}
	head := c.Text("cli.why.link", "Client", name, "Deal", deal, "Method", models.Say("cli.method."+string(l.Method)),
		"At", l.CreatedAt, "Actor", actor(l.Actor))
	if l.Score > 0 {
		head += c.Text("cli.why.link_score", "Score", l.Score)
	}
	if l.SupersededAt != nil {
		by := ""
		if l.EndedBy != nil {
			by = *l.EndedBy
		}
		c.out.line("  ", c.out.paint(paintFaint, c.Text("cli.why.link_past", "Link", head, "Until", *l.SupersededAt, "By", by)))
	} else {
		c.out.line("  ", head)
	}
	if why := c.texts.Say(l.Evidence); why != "" {
		c.out.block("    ", why)
	}
	if l.Ask && l.SupersededAt == nil {
		c.out.line("    ", c.out.paint(paintWarn, c.Text("cli.why.link_ask")))
	}
}

// actor gives "" for our own work: only people are worth naming.
func actor(a string) string {
	if a == "kontrol" {
		return ""
	}
	return a
}

// rulePhrase says what a rule of the procedure is for; zero for a rule that is not known.
func rulePhrase(key string) models.Phrase {
	for _, r := range rules.Procedure() {
		if r.Key == key {
			return r.Text
		}
	}
	return models.Phrase{}
}

func (c *cli) tellDecisions(s story) {
	c.out.heading(c.Text("cli.why.decisions"))
	if len(s.decisions) == 0 {
		c.out.line("  ", c.Text("cli.why.no_decisions"))
	} else {
		c.out.line("  ", c.out.paint(paintFaint, c.Text("cli.why.legend")))
	}
	for _, d := range s.decisions {
		what := c.Text("cli.why.stay")
		if d.Action == models.ActionFile {
			what = c.Text("cli.why.file", "Folder", c.folderName(d.Target))
		}
		c.out.line("  ", c.texts.Time(d.DecidedAt), "  ", s.mailboxes[d.MailboxID].Address, "  ", c.out.paint(paintBold, what))
		if rule := rulePhrase(d.Rule); !rule.IsZero() {
			c.out.line("    ", c.out.paint(paintFaint, c.Text("cli.why.rule", "Rule", rule)))
		} else if d.Rule != "" {
			c.out.line("    ", c.out.paint(paintFaint, c.Text("cli.why.rule", "Rule", d.Rule)))
		}
		for _, st := range d.Trace {
			c.tellStep(st)
		}
		if d.AnswerID != nil {
			c.tellAnswer(s, *d.AnswerID)
		}
	}
}

func (c *cli) tellStep(st models.Step) {
	// Every step is a true sentence: one that did not decide must not look as if it were denied.
	mark := c.out.paint(paintFaint, "–")
	if st.Holds {
		mark = c.out.paint(paintGood, "✓")
	}
	c.out.line("    ", mark, " ", c.texts.Say(st.Text))
}

func (c *cli) tellAnswer(s story, id int64) {
	answer, ok := s.letterInThread(id)
	if !ok {
		c.out.line("    ", c.Text("cli.why.answer_elsewhere", "ID", id))
		return
	}
	c.out.line("    ", c.Text("cli.why.answer", "ID", id, "At", answer.ArrivedAt, "From", answer.FromAddress))
}

func (c *cli) tellMoves(s story) {
	c.out.heading(c.Text("cli.why.moves"))
	if len(s.filings) == 0 {
		c.out.line("  ", c.Text("cli.why.no_moves"))
	}
	for _, f := range s.filings {
		c.out.line("  ", c.texts.Time(f.PlannedAt), "  ", s.mailboxes[f.MailboxID].Address, "  ",
			c.folderOf(s, f.SourceFolderID), " → ", c.folderOf(s, f.TargetFolderID), "  ", c.out.paint(moveColour(f.State), c.moveState(f.State)))
		c.out.line("    ", strings.Join(c.moveTimes(f), " → "))
		c.out.line("    ", c.moveNumbers(f))
		if why := c.texts.Say(f.Reason); why != "" {
			c.out.block("    ", why)
		}
		if f.LastError != "" {
			c.out.line("    ", c.Text("cli.why.move_error", "Error", f.LastError))
		}
	}
}

func (c *cli) folderOf(s story, id int64) string {
	f, ok := s.folders[id]
	if !ok {
		return "?"
	}
	return "«" + c.folderName(f.Role) + "»"
}

func (c *cli) moveState(st models.FilingState) string {
	if s := c.optional("cli.filing." + string(st)); s != "" {
		return s
	}
	return string(st)
}

func moveColour(st models.FilingState) string {
	switch st {
	case models.FilingDone:
		return paintGood
	case models.FilingFailed:
		return paintBad
	case models.FilingGone, models.FilingCancelled:
		return paintFaint
	}
	return paintWarn
}

// moveTimes lists the stations of a move with their times.
func (c *cli) moveTimes(f models.Filing) []string {
	parts := []string{c.Text("cli.why.move_planned", "At", f.PlannedAt)}
	add := func(key string, t *time.Time) {
		if t != nil {
			parts = append(parts, c.Text(key, "At", *t))
		}
	}
	add("cli.why.move_sent", f.SentAt)
	add("cli.why.move_finished", f.FinishedAt)
	if f.State.Open() {
		add("cli.why.move_next", f.NextAttemptAt)
	}
	return parts
}

func (c *cli) moveNumbers(f models.Filing) string {
	to := "?"
	if f.DestUID != 0 {
		to = strconv.FormatUint(uint64(f.DestUID), 10)
	}
	return c.Text("cli.why.move_numbers", "From", f.SourceUID, "To", to, "Count", f.Attempts)
}

func (c *cli) tellCopies(s story) {
	c.out.heading(c.Text("cli.why.copies"))
	there := 0
	for _, l := range s.copies {
		if l.GoneAt != nil {
			continue
		}
		there++
		note := ""
		if l.HandsOff {
			note = "  " + c.Text("cli.why.hands_off")
		}
		if l.Flagged() {
			note += "  ★"
		}
		c.out.line("  ", s.mailboxes[l.MailboxID].Address, "  ", c.folderOf(s, l.FolderID), "  UID ", l.UID, note)
	}
	if there == 0 {
		c.out.line("  ", c.Text("cli.why.no_copies"))
	}
}

func (c *cli) tellEvents(events []models.Event) {
	if len(events) == 0 {
		return
	}
	c.out.heading(c.Text("cli.why.events"))
	for _, e := range events {
		text := c.texts.Say(e.Text)
		if text == "" {
			text = c.eventName(e.Kind)
		}
		if who := actor(e.Actor); who != "" {
			text += " (" + who + ")"
		}
		c.out.line("  ", c.texts.Time(e.OccurredAt), "  ", text)
	}
}

// eventName says what an event without words of its own was; an unknown kind by its code.
func (c *cli) eventName(k models.EventKind) string {
	if s := c.optional("cli.event." + strings.ReplaceAll(string(k), ".", "_")); s != "" {
		return s
	}
	return string(k)
}
