package daemon

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/riverqueue/river"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/rules"
)

// decideTouched decides anew about every copy in an inbox whose thread the transaction touched.
func (w *work) decideTouched(ctx context.Context) error {
	if len(w.letters) > 0 {
		touched, err := w.tx.LettersByIDs(ctx, slices.Collect(maps.Keys(w.letters)))
		if err != nil {
			return err
		}
		for _, l := range touched {
			w.threads[l.ThreadID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.threads)) {
		if err := w.decideThread(ctx, id); err != nil {
			return err
		}
	}
	for id := range w.pokes { // a backstop: the poke after the commit may be lost with the process
		if err := w.tx.Enqueue(ctx, FileLetters{MailboxID: id}, &river.InsertOpts{MaxAttempts: 5}); err != nil {
			return err
		}
	}
	return nil
}

// conversation is everything the rules want to know about one thread.
type conversation struct {
	letters   []models.Letter
	refs      map[int64][]string
	copies    map[int64][]models.Location // every copy there is or was, by letter
	siblings  []rules.Sibling
	links     map[int64][]models.Link
	last      map[int64]models.Decision // by location
	filings   map[int64][]models.Filing // by location, oldest first
	mailboxes map[int64]string
	starred   bool
	clients   map[int64]*clientFacts
}

type clientFacts struct {
	client    models.Client
	addresses []string
	deals     []models.Deal // open ones
}

func (w *work) decideThread(ctx context.Context, threadID int64) error {
	c, err := w.conversation(ctx, threadID)
	if err != nil {
		return err
	}
	for i := range c.letters {
		for _, loc := range c.copies[c.letters[i].ID] {
			if loc.GoneAt != nil || loc.Folder == nil || loc.Folder.Role != models.FolderInbox {
				continue
			}
			facts, err := w.facts(ctx, c, &c.letters[i], loc)
			if err != nil {
				return err
			}
			if err := w.carryOut(ctx, c, loc, rules.Decide(facts)); err != nil {
				return err
			}
		}
	}
	return nil
}

// conversation reads a thread with a fixed number of queries, whatever its length.
func (w *work) conversation(ctx context.Context, threadID int64) (*conversation, error) {
	c := &conversation{copies: map[int64][]models.Location{}, links: map[int64][]models.Link{},
		filings: map[int64][]models.Filing{}, clients: map[int64]*clientFacts{}, mailboxes: map[int64]string{}}
	var err error
	if c.letters, err = w.tx.ThreadLetters(ctx, threadID); err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(c.letters))
	for _, l := range c.letters {
		ids = append(ids, l.ID)
	}
	if c.refs, err = w.tx.ReferencesOf(ctx, ids); err != nil {
		return nil, err
	}
	copies, err := w.tx.LocationsOfLetters(ctx, ids)
	if err != nil {
		return nil, err
	}
	var inInbox []int64
	for _, l := range copies {
		c.copies[l.LetterID] = append(c.copies[l.LetterID], l)
		if l.GoneAt == nil {
			c.starred = c.starred || l.Flagged()
			if l.Folder != nil && l.Folder.Role == models.FolderInbox {
				inInbox = append(inInbox, l.ID)
			}
		}
	}
	links, err := w.tx.CurrentLinks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		c.links[l.LetterID] = append(c.links[l.LetterID], l)
	}
	if c.last, err = w.tx.LastDecisions(ctx, inInbox); err != nil {
		return nil, err
	}
	filings, err := w.tx.FilingsOfLocations(ctx, inInbox)
	if err != nil {
		return nil, err
	}
	for _, f := range filings {
		c.filings[f.LocationID] = append(c.filings[f.LocationID], f)
	}
	boxes, err := w.tx.Mailboxes(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		c.mailboxes[b.ID] = b.Address
	}
	c.siblings = siblings(c)
	return c, nil
}

// siblings shows the thread's letters to the rules. A letter counts as sent when a copy of it lies or lay in a Sent
// folder: a person who clears Sent has answered all the same.
func siblings(c *conversation) []rules.Sibling {
	list := make([]rules.Sibling, 0, len(c.letters))
	for _, l := range c.letters {
		s := rules.Sibling{Letter: l, References: c.refs[l.ID]}
		for _, loc := range c.copies[l.ID] {
			if loc.Folder != nil && loc.Folder.Role == models.FolderSent {
				s.Sent, s.Draft, s.MailboxAddress = true, loc.Draft(), c.mailboxes[loc.MailboxID]
			}
		}
		list = append(list, s)
	}
	return list
}

func (w *work) facts(ctx context.Context, c *conversation, letter *models.Letter, loc models.Location) (rules.Facts, error) {
	f := rules.Facts{
		Letter: *letter, Thread: c.siblings, StarredInThread: c.starred, Now: w.now,
		Copy: rules.Copy{
			FolderRole: loc.Folder.Role, Flagged: loc.Flagged(), Deleted: loc.Deleted(), HandsOff: loc.HandsOff,
			FirstLook: loc.FirstLook,
		},
		Own: w.set.Own.Has, SameParty: deals.SameParty(func(d string) bool { return w.set.Own.Domains[d] }),
		Settings: rules.Settings{FirstLookWindow: w.set.FirstLookWindow},
	}
	links := c.links[letter.ID]
	if len(links) == 0 {
		return f, nil
	}
	cl, err := w.client(ctx, c, links[0].ClientID)
	if err != nil {
		return f, err
	}
	f.Client, f.ClientAddresses = &cl.client, cl.addresses
	f.Deals, err = w.dealFacts(ctx, cl, links[0].DealID)
	return f, err
}

// dealFacts shows the client's open deals to the rules, and the deal that the letter is tied to even when it is closed.
func (w *work) dealFacts(ctx context.Context, cl *clientFacts, linked *int64) ([]rules.Deal, error) {
	all := cl.deals
	if linked != nil && !slices.ContainsFunc(all, func(d models.Deal) bool { return d.ID == *linked }) {
		closed, err := w.tx.DealByID(ctx, *linked)
		if err != nil {
			return nil, err
		}
		all = append(slices.Clone(all), closed)
	}
	list := make([]rules.Deal, 0, len(all))
	for _, d := range all {
		f := rules.Deal{Number: d.Number, Title: d.Title, Linked: linked != nil && *linked == d.ID}
		if d.Stage != nil {
			f.StageName, f.StageKind = d.Stage.Name, d.Stage.Kind
			f.Outstanding, f.Why = deals.Outstanding(d, *d.Stage)
		}
		list = append(list, f)
	}
	return list, nil
}

func (w *work) client(ctx context.Context, c *conversation, id int64) (*clientFacts, error) {
	if cl, ok := c.clients[id]; ok {
		return cl, nil
	}
	card, err := w.tx.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	cl := &clientFacts{client: card.Client}
	for _, contact := range card.Contacts {
		for _, p := range contact.Points {
			if p.Kind == models.PointEmail {
				cl.addresses = append(cl.addresses, p.Value)
			}
		}
	}
	if cl.deals, err = w.tx.OpenDeals(ctx, id); err != nil {
		return nil, err
	}
	c.clients[id] = cl
	return cl, nil
}

// carryOut stores a decision that says something new and plans or withdraws the move it implies.
func (w *work) carryOut(ctx context.Context, c *conversation, loc models.Location, d models.Decision) error {
	d.LetterID, d.LocationID, d.MailboxID, d.DecidedAt = loc.LetterID, loc.ID, loc.MailboxID, w.now
	last, had := c.last[loc.ID]
	if had && sameDecision(last, d) {
		d.ID = last.ID
	} else if err := w.tx.AddDecision(ctx, &d); err != nil {
		return err
	}
	open, blocked := w.filingState(c.filings[loc.ID])
	if d.Action != models.ActionFile {
		if open != nil && open.State == models.FilingPlanned {
			_, err := w.tx.CancelFilings(ctx, []int64{loc.ID})
			return err
		}
		return nil
	}
	if open != nil || blocked {
		return nil
	}
	return w.plan(ctx, loc, d)
}

// filingState returns the open filing of a copy, if any, and whether a new one must not be made: one that failed since
// the program started would only fail again.
func (w *work) filingState(all []models.Filing) (open *models.Filing, blocked bool) {
	for i := range all {
		f := &all[i]
		if f.State.Open() {
			open = f
		}
		if f.State == models.FilingFailed && f.FinishedAt != nil && !f.FinishedAt.Before(w.in.started) {
			blocked = true
		}
	}
	return open, blocked
}

func (w *work) plan(ctx context.Context, loc models.Location, d models.Decision) error {
	target, err := w.tx.FolderByRole(ctx, loc.MailboxID, d.Target)
	if err != nil {
		return err
	}
	decision := d.ID
	f := models.Filing{
		MailboxID: loc.MailboxID, LetterID: loc.LetterID, LocationID: loc.ID, SourceFolderID: loc.FolderID,
		SourceUIDValidity: loc.UIDValidity, SourceUID: loc.UID, HeaderHash: loc.HeaderHash, Size: loc.Size,
		TargetFolderID: target.ID, State: models.FilingPlanned, DecisionID: &decision, PlannedAt: w.now,
	}
	if err := w.tx.PlanFiling(ctx, &f); err != nil {
		return err
	}
	w.pokes[loc.MailboxID] = true
	if d.AnswerID == nil {
		return nil
	}
	return w.event(ctx, models.EventLetterAnswered, "answered/"+decimal(loc.LetterID), loc.LetterID, loc.MailboxID,
		models.Say("daemon.event.answered"))
}

func sameDecision(a, b models.Decision) bool {
	return a.Action == b.Action && a.Target == b.Target && a.Rule == b.Rule && reflect.DeepEqual(a.AnswerID, b.AnswerID) &&
		sameTrace(a.Trace, b.Trace)
}

// sameTrace compares what the traces say as they are stored: a stored trace has been through JSON.
func sameTrace(a, b models.Trace) bool {
	x, errX := a.Value()
	y, errY := b.Value()
	return errX == nil && errY == nil && x == y
}
