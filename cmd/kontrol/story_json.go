package main

import (
	"kontrol/models"
)

// phraseJSON is a text for people: what it says, and the stable key and values it is made of.
type phraseJSON struct {
	Key  string         `json:"key"`
	Args map[string]any `json:"args,omitempty"`
	Text string         `json:"text"`
}

// phrase gives nil for the zero phrase.
func (c *cli) phrase(p models.Phrase) *phraseJSON {
	if p.IsZero() {
		return nil
	}
	return &phraseJSON{Key: p.ID, Args: p.Args, Text: c.texts.Say(p)}
}

// letterJSON is a letter in JSON.
type letterJSON struct {
	ID          int64       `json:"id"`
	MessageID   string      `json:"message_id"`
	ThreadID    int64       `json:"thread_id"`
	Direction   string      `json:"direction"`
	Class       string      `json:"class"`
	ClassReason *phraseJSON `json:"class_reason"`
	FromAddress string      `json:"from_address"`
	FromName    string      `json:"from_name"`
	ReplyTo     []string    `json:"reply_to"`
	To          []string    `json:"to"`
	Cc          []string    `json:"cc"`
	Subject     string      `json:"subject"`
	Date        *string     `json:"date"`
	ArrivedAt   *string     `json:"arrived_at"`
	Size        int64       `json:"size"`
	Problems    []string    `json:"problems"`
}

func (c *cli) letterJSON(l models.Letter) letterJSON {
	return letterJSON{
		ID: l.ID, MessageID: l.MessageID, ThreadID: l.ThreadID, Direction: string(l.Direction), Class: string(l.Class),
		ClassReason: c.phrase(l.ClassReason), FromAddress: l.FromAddress, FromName: l.FromName, ReplyTo: list(l.ReplyTo),
		To: list(l.To), Cc: list(l.Cc), Subject: l.Subject, Date: stamp(l.Date), ArrivedAt: stamp(&l.ArrivedAt), Size: l.Size,
		Problems: list(l.Problems),
	}
}

// list keeps an empty list from becoming null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

type linkJSON struct {
	ClientID     int64       `json:"client_id"`
	ClientName   string      `json:"client_name"`
	DealNumber   *int64      `json:"deal_number"`
	Method       string      `json:"method"`
	Score        int         `json:"score"`
	Evidence     *phraseJSON `json:"evidence"`
	Ask          bool        `json:"ask"`
	Actor        string      `json:"actor"`
	CreatedAt    *string     `json:"created_at"`
	SupersededAt *string     `json:"superseded_at"`
	EndedBy      *string     `json:"ended_by"`
}

func (c *cli) linkJSON(l models.Link) linkJSON {
	j := linkJSON{ClientID: l.ClientID, Method: string(l.Method), Score: l.Score, EndedBy: l.EndedBy, Evidence: c.phrase(l.Evidence), Ask: l.Ask, Actor: l.Actor,
		CreatedAt: stamp(&l.CreatedAt), SupersededAt: stamp(l.SupersededAt)}
	if l.Client != nil {
		j.ClientName = l.Client.Name
	}
	if l.Deal != nil {
		j.DealNumber = &l.Deal.Number
	}
	return j
}

type stepJSON struct {
	Holds bool        `json:"holds"`
	Text  *phraseJSON `json:"text"`
}

type decisionJSON struct {
	DecidedAt *string     `json:"decided_at"`
	Mailbox   string      `json:"mailbox"`
	Action    string      `json:"action"`
	Target    string      `json:"target"`
	Rule      string      `json:"rule"`
	RuleText  *phraseJSON `json:"rule_text"`
	AnswerID  *int64      `json:"answer_id"`
	Trace     []stepJSON  `json:"trace"`
}

func (c *cli) decisionJSON(s story, d models.Decision) decisionJSON {
	j := decisionJSON{DecidedAt: stamp(&d.DecidedAt), Mailbox: s.mailboxes[d.MailboxID].Address, Action: string(d.Action),
		Target: string(d.Target), Rule: d.Rule, RuleText: c.phrase(rulePhrase(d.Rule)), AnswerID: d.AnswerID, Trace: []stepJSON{}}
	for _, st := range d.Trace {
		j.Trace = append(j.Trace, stepJSON{Holds: st.Holds, Text: c.phrase(st.Text)})
	}
	return j
}

type placeJSON struct {
	Mailbox     string `json:"mailbox"`
	Role        string `json:"role"`
	Folder      string `json:"folder"`
	UIDValidity uint32 `json:"uid_validity"`
	UID         uint32 `json:"uid"`
}

type moveJSON struct {
	ID            int64       `json:"id"`
	State         string      `json:"state"`
	Source        placeJSON   `json:"source"`
	Target        placeJSON   `json:"target"`
	Attempts      int         `json:"attempts"`
	LastError     string      `json:"last_error"`
	Reason        *phraseJSON `json:"reason"`
	PlannedAt     *string     `json:"planned_at"`
	SentAt        *string     `json:"sent_at"`
	NextAttemptAt *string     `json:"next_attempt_at"`
	FinishedAt    *string     `json:"finished_at"`
}

func (c *cli) moveJSON(s story, f models.Filing) moveJSON {
	return moveJSON{
		ID: f.ID, State: string(f.State), Attempts: f.Attempts, LastError: f.LastError, Reason: c.phrase(f.Reason),
		Source:    s.place(f.MailboxID, f.SourceFolderID, f.SourceUIDValidity, f.SourceUID),
		Target:    s.place(f.MailboxID, f.TargetFolderID, f.DestUIDValidity, f.DestUID),
		PlannedAt: stamp(&f.PlannedAt), SentAt: stamp(f.SentAt), NextAttemptAt: stamp(f.NextAttemptAt), FinishedAt: stamp(f.FinishedAt),
	}
}

func (s story) place(mailbox, folder int64, uidValidity, uid uint32) placeJSON {
	f := s.folders[folder]
	return placeJSON{Mailbox: s.mailboxes[mailbox].Address, Role: string(f.Role), Folder: f.Name, UIDValidity: uidValidity, UID: uid}
}

type copyJSON struct {
	placeJSON
	Flags    []string `json:"flags"`
	HandsOff bool     `json:"hands_off"`
	SeenAt   *string  `json:"seen_at"`
	GoneAt   *string  `json:"gone_at"`
}

func (c *cli) copyJSON(s story, l models.Location) copyJSON {
	return copyJSON{placeJSON: s.place(l.MailboxID, l.FolderID, l.UIDValidity, l.UID), Flags: list(l.Flags),
		HandsOff: l.HandsOff, SeenAt: stamp(&l.SeenAt), GoneAt: stamp(l.GoneAt)}
}

type eventJSON struct {
	Kind       string      `json:"kind"`
	OccurredAt *string     `json:"occurred_at"`
	RecordedAt *string     `json:"recorded_at"`
	Actor      string      `json:"actor"`
	Text       *phraseJSON `json:"text"`
}

func (c *cli) eventJSON(e models.Event) eventJSON {
	return eventJSON{Kind: string(e.Kind), OccurredAt: stamp(&e.OccurredAt), RecordedAt: stamp(&e.RecordedAt), Actor: e.Actor,
		Text: c.phrase(e.Text)}
}

// storyJSON is what `kontrol message why --format json` gives.
type storyJSON struct {
	Letter    letterJSON     `json:"letter"`
	Thread    []letterJSON   `json:"thread"`
	Links     []linkJSON     `json:"links"`
	Proposals []proposalJSON `json:"proposals"`
	Rules     []linkRuleJSON `json:"rules"`
	Decisions []decisionJSON `json:"decisions"`
	Moves     []moveJSON     `json:"moves"`
	Copies    []copyJSON     `json:"copies"`
	Events    []eventJSON    `json:"events"`
}

func (c *cli) storyJSON(s story) storyJSON {
	j := storyJSON{Letter: c.letterJSON(s.letter), Thread: []letterJSON{}, Links: []linkJSON{}, Decisions: []decisionJSON{},
		Proposals: []proposalJSON{}, Rules: []linkRuleJSON{}, Moves: []moveJSON{}, Copies: []copyJSON{}, Events: []eventJSON{}}
	for _, l := range s.thread {
		j.Thread = append(j.Thread, c.letterJSON(l))
	}
	for _, l := range s.links {
		j.Links = append(j.Links, c.linkJSON(l))
	}
	for _, p := range s.proposals {
		j.Proposals = append(j.Proposals, c.proposalJSON(p))
	}
	for _, r := range s.rules {
		j.Rules = append(j.Rules, c.linkRuleJSON(r))
	}
	for _, d := range s.decisions {
		j.Decisions = append(j.Decisions, c.decisionJSON(s, d))
	}
	for _, f := range s.filings {
		j.Moves = append(j.Moves, c.moveJSON(s, f))
	}
	for _, l := range s.copies {
		j.Copies = append(j.Copies, c.copyJSON(s, l))
	}
	for _, e := range s.events {
		j.Events = append(j.Events, c.eventJSON(e))
	}
	return j
}
