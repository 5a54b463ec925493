package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/models"
	"kontrol/store"
)

// staleAfter is how old the last complete look at a mailbox may be before a person should know.
const staleAfter = 30 * time.Minute

// statusJSON is what `kontrol status --format json` gives.
type statusJSON struct {
	DaemonRunning  bool             `json:"daemon_running"`
	NeedsAttention bool             `json:"needs_attention"`
	Attention      []phraseJSON     `json:"attention"`
	Mailboxes      []mailboxJSON    `json:"mailboxes"`
	Moves          moveCounts       `json:"moves"`
	Quarantine     []quarantineJSON `json:"quarantine"`
	Jobs           jobCounts        `json:"jobs"`
	LastEventAt    *string          `json:"last_event_at"`
}

type moveCounts struct {
	Open    int `json:"open"`
	Unknown int `json:"unknown"`
	Failed  int `json:"failed"`
}

type jobCounts struct {
	Waiting int `json:"waiting"`
	Running int `json:"running"`
	Failed  int `json:"failed"`
}

type quarantineJSON struct {
	Mailbox     string  `json:"mailbox"`
	Folder      string  `json:"folder"`
	UIDValidity uint32  `json:"uid_validity"`
	UID         uint32  `json:"uid"`
	Reason      string  `json:"reason"`
	Attempts    int     `json:"attempts"`
	Since       *string `json:"since"`
}

// health is what `kontrol status` shows, gathered.
type health struct {
	store.Status
	running    bool
	unanswered map[int64]int // letters in the inbox of a mailbox that wait for an answer
	quarantine []models.Quarantine
	logins     logins // nil where they are not shown
	story             // mailboxes and folders
}

func (c *cli) statusCommand() *cobra.Command {
	return c.command("status", "cli.status", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		var h health
		err := c.withDB(cmd.Context(), false, func(db *store.DB) (err error) {
			h, err = gatherHealth(cmd.Context(), db)
			return err
		})
		if err != nil {
			return err
		}
		attention := c.attention(h)
		if err := c.showHealth(h, attention); err != nil {
			return err
		}
		if len(attention) > 0 {
			return errWarned
		}
		return nil
	})
}

func gatherHealth(ctx context.Context, db *store.DB) (health, error) {
	var h health
	var err error
	q := db.Read()
	if h.Status, err = q.Status(ctx); err != nil {
		return h, err
	}
	if h.running, err = db.DaemonRunning(ctx); err != nil {
		return h, err
	}
	if h.quarantine, err = q.Quarantined(ctx, 0); err != nil {
		return h, err
	}
	if h.mailboxes, h.folders, err = loadPlaces(ctx, q); err != nil {
		return h, err
	}
	h.unanswered, err = unanswered(ctx, q, h.Mailboxes)
	return h, err
}

// unanswered counts the letters that wait in each inbox.
func unanswered(ctx context.Context, q *store.Queries, boxes []store.MailboxStatus) (map[int64]int, error) {
	counts := make(map[int64]int, len(boxes))
	for _, m := range boxes {
		n, err := q.CountLetters(ctx, store.LetterFilter{MailboxID: m.ID, Role: models.FolderInbox, Unanswered: true})
		if err != nil {
			return nil, err
		}
		counts[m.ID] = n
	}
	return counts, nil
}

// attention lists what needs a person, worst first.
func (c *cli) attention(h health) []models.Phrase {
	var list []models.Phrase
	if !h.running {
		list = append(list, models.Say("cli.status.not_running"))
	}
	for _, m := range h.Mailboxes {
		if p, bad := c.mailboxAttention(m, h.running); bad {
			list = append(list, p)
		}
	}
	moves := countMoves(h.Mailboxes)
	if moves.Unknown > 0 {
		list = append(list, models.Say("cli.status.unknown_moves", "Count", moves.Unknown))
	}
	if moves.Failed > 0 {
		list = append(list, models.Say("cli.status.failed_moves", "Count", moves.Failed))
	}
	if n := len(h.quarantine); n > 0 {
		list = append(list, models.Say("cli.status.quarantined", "Count", n))
	}
	if h.JobsFailed > 0 {
		list = append(list, models.Say("cli.status.failed_jobs", "Count", h.JobsFailed))
	}
	return list
}

func (c *cli) mailboxAttention(m store.MailboxStatus, running bool) (models.Phrase, bool) {
	switch {
	case m.State == models.MailboxStopped:
		return models.Say("cli.status.stopped", "Mailbox", m.Address, "Reason", m.StateReason), true
	case m.State != models.MailboxActive:
		return models.Phrase{}, false
	case !m.Connected && !m.StateReason.IsZero():
		return models.Say("cli.status.disconnected", "Mailbox", m.Address, "Reason", m.StateReason), true
	case !running:
		return models.Phrase{}, false
	case m.SyncedAt != nil && c.env.now().Sub(*m.SyncedAt) > staleAfter:
		return models.Say("cli.status.stale", "Mailbox", m.Address, "At", *m.SyncedAt), true
	}
	return models.Phrase{}, false
}

func countMoves(boxes []store.MailboxStatus) moveCounts {
	var n moveCounts
	for _, m := range boxes {
		for state, count := range m.Filings {
			switch {
			case state == models.FilingUnknown:
				n.Unknown += count
			case state.Open():
				n.Open += count
			case state == models.FilingFailed:
				n.Failed += count
			}
		}
	}
	return n
}

func (c *cli) showHealth(h health, attention []models.Phrase) error {
	if c.flags.format == formatJSON {
		return c.out.json(c.healthJSON(h, attention))
	}
	if c.flags.format == formatTable {
		word, code := c.Text("cli.status.running"), paintGood
		if !h.running {
			word, code = c.Text("cli.status.not_running_word"), paintBad
		}
		c.out.line(c.Text("cli.status.daemon"), " ", c.out.paint(code, word))
		c.out.line()
	}
	if err := c.out.list(c.flags.format, c.mailboxListing(h, c.flags.format == formatTable)); err != nil || c.flags.format == formatCSV {
		return err
	}
	moves := countMoves(h.Mailboxes)
	c.out.line()
	if err := c.facts([][2]string{
		{c.Text("cli.status.moves"), c.Text("cli.status.moves_text", "Open", moves.Open, "Unknown", moves.Unknown, "Failed", moves.Failed)},
		{c.Text("cli.status.jobs"), c.Text("cli.status.jobs_text", "Waiting", h.JobsWaiting, "Running", h.JobsRunning, "Failed", h.JobsFailed)},
		{c.Text("cli.status.last_event"), c.when(h.LastEventAt)},
	}); err != nil {
		return err
	}
	c.tellQuarantine(h)
	if len(attention) > 0 {
		c.out.heading(c.Text("cli.status.attention"))
		for _, p := range attention {
			c.out.line("  ", c.out.paint(paintWarn, "!"), " ", c.texts.Say(p))
		}
	}
	return c.out.err
}

func (c *cli) tellQuarantine(h health) {
	if len(h.quarantine) == 0 {
		return
	}
	c.out.heading(c.Text("cli.status.quarantine"))
	for _, e := range h.quarantine {
		c.out.line("  ", h.mailboxes[e.MailboxID].Address, "  ", c.folderOf(h.story, e.FolderID), "  UID ", e.UID, "  ",
			c.Text("cli.status.since", "At", e.CreatedAt), ": ", e.Reason)
	}
}

func (c *cli) healthJSON(h health, attention []models.Phrase) statusJSON {
	j := statusJSON{
		DaemonRunning: h.running, NeedsAttention: len(attention) > 0, Attention: []phraseJSON{}, Mailboxes: []mailboxJSON{},
		Moves: countMoves(h.Mailboxes), Quarantine: []quarantineJSON{}, LastEventAt: stamp(h.LastEventAt),
		Jobs: jobCounts{Waiting: h.JobsWaiting, Running: h.JobsRunning, Failed: h.JobsFailed},
	}
	for _, p := range attention {
		j.Attention = append(j.Attention, *c.phrase(p))
	}
	for _, m := range h.Mailboxes {
		j.Mailboxes = append(j.Mailboxes, c.mailboxJSON(h, m))
	}
	for _, e := range h.quarantine {
		j.Quarantine = append(j.Quarantine, quarantineJSON{Mailbox: h.mailboxes[e.MailboxID].Address,
			Folder: h.folders[e.FolderID].Name, UIDValidity: e.UIDValidity, UID: e.UID, Reason: e.Reason, Attempts: e.Attempts,
			Since: stamp(&e.CreatedAt)})
	}
	return j
}

// span says how long something takes in the coarsest unit that is still useful.
func (c *cli) span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return c.Text("cli.span.seconds", "N", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return c.Text("cli.span.minutes", "N", int(d.Minutes()))
	case d < 48*time.Hour:
		return c.Text("cli.span.hours", "N", int(d.Hours()))
	}
	return c.Text("cli.span.days", "N", int(d.Hours()/24))
}

// mailboxState says in words how a mailbox is.
func (c *cli) mailboxState(m models.Mailbox, running bool) string {
	word := c.Text("cli.mailbox_state.connecting")
	switch {
	case m.State != models.MailboxActive:
		if word = c.optional("cli.mailbox_state." + string(m.State)); word == "" {
			word = string(m.State)
		}
	case !running:
		word = c.Text("cli.mailbox_state.unwatched")
	case m.Connected:
		word = c.Text("cli.mailbox_state.connected")
	}
	if why := c.texts.Say(m.StateReason); why != "" {
		word += ": " + strings.TrimSuffix(why, ".")
	}
	return word
}

func number(n int) string { return strconv.Itoa(n) }
