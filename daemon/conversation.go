package daemon

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/rules"
	"kontrol/store"
)

// conversations is what the rules want to know about some threads: of each the letters that lie in an inbox, and what
// the department has sent. It is read with a fixed number of queries, whatever there is.
type conversations struct {
	w         *work
	threads   map[int64]*conversation
	links     map[int64][]models.Link // by letter
	last      map[int64]store.LastDecision
	filings   map[int64][]models.Filing // by location, oldest first
	mailboxes map[int64]models.Mailbox
	folders   map[int64]map[models.FolderRole]int64 // by mailbox
	cards     map[int64]*clientFacts
}

// conversation is one thread. It grows with what was sent in it and what is still in an inbox.
type conversation struct {
	inInbox    []store.CopyToDecide
	sent       []store.CopyToDecide
	since      time.Time // the oldest letter in an inbox
	siblings   []rules.Sibling
	starred    bool
	wroteSince bool // the department has written in it since the first look
}

// clientFacts is what the rules want to know about a client.
type clientFacts struct {
	*store.ClientToDecide
	deals []models.Deal // open ones
}

func (w *work) conversations(ctx context.Context, threads []int64) (*conversations, error) {
	c := &conversations{w: w, threads: map[int64]*conversation{}, cards: map[int64]*clientFacts{}}
	copies, letters, err := c.readCopies(ctx, threads)
	if err != nil || len(copies) == 0 {
		return c, err
	}
	if err := c.readSiblings(ctx); err != nil {
		return nil, err
	}
	if c.last, err = w.tx.LastDecisions(ctx, copies); err != nil {
		return nil, err
	}
	if c.filings, err = w.tx.FilingsToDecide(ctx, copies); err != nil {
		return nil, err
	}
	return c, c.readClients(ctx, letters)
}

// readCopies reads where the letters lie and lay, and returns the copies that are in an inbox now and their letters. A
// mailbox that is not ours any more does not count.
func (c *conversations) readCopies(ctx context.Context, threads []int64) (copies, letters []int64, err error) {
	all, err := c.w.tx.CopiesToDecide(ctx, threads)
	if err != nil {
		return nil, nil, err
	}
	if err := c.readOffice(ctx, all); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(all, func(a, b store.CopyToDecide) int {
		return cmp.Or(a.Letter.ArrivedAt.Compare(b.Letter.ArrivedAt), cmp.Compare(a.Letter.ID, b.Letter.ID), cmp.Compare(a.Location.ID, b.Location.ID))
	})
	for _, k := range all {
		t := c.threads[k.Letter.ThreadID]
		if t == nil {
			t = &conversation{since: k.Letter.ArrivedAt}
			c.threads[k.Letter.ThreadID] = t
		}
		live := k.Location.GoneAt == nil
		t.starred = t.starred || live && k.Location.Flagged()
		if k.Role == models.FolderSent {
			t.sent = append(t.sent, k)
			t.wroteSince = t.wroteSince || !k.Location.FirstLook
		}
		if k.Role == models.FolderInbox && live && c.mailboxes[k.Location.MailboxID].State != models.MailboxRemoved {
			if len(t.inInbox) == 0 {
				t.since = k.Letter.ArrivedAt
			}
			t.inInbox = append(t.inInbox, k)
			copies, letters = append(copies, k.Location.ID), append(letters, k.Letter.ID)
		}
	}
	return copies, letters, nil
}

// readSiblings makes what the rules see of the other letters of a thread: the sent ones, and the ones that a sent one
// names and that are no older than some letter in an inbox: only those can show that it was answered. A letter counts as
// sent when a copy of it lies or lay in a Sent folder: a person who clears Sent has answered all the same.
func (c *conversations) readSiblings(ctx context.Context) error {
	var threads, sent []int64
	var since time.Time
	for id, t := range c.threads {
		if len(t.inInbox) == 0 || len(t.sent) == 0 {
			continue
		}
		if len(threads) == 0 || t.since.Before(since) {
			since = t.since
		}
		threads = append(threads, id)
		for _, k := range t.sent {
			sent = append(sent, k.Letter.ID)
		}
	}
	later, err := c.w.tx.LaterLetters(ctx, threads, since)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(later))
	byThread := map[int64][]models.Letter{}
	for _, l := range later {
		if !l.ArrivedAt.Before(c.threads[l.ThreadID].since) {
			ids = append(ids, l.MessageID)
			byThread[l.ThreadID] = append(byThread[l.ThreadID], l)
		}
	}
	refs, err := c.w.tx.Naming(ctx, sent, ids)
	if err != nil {
		return err
	}
	for _, id := range threads {
		c.threads[id].join(c.mailboxes, refs, byThread[id])
	}
	return nil
}

// join makes the siblings of a thread of what was read.
func (t *conversation) join(mailboxes map[int64]models.Mailbox, refs map[int64][]string, later []models.Letter) {
	named, isSent := map[string]bool{}, map[int64]bool{}
	for _, k := range t.sent {
		t.siblings = append(t.siblings, rules.Sibling{
			Letter: k.Letter, References: refs[k.Letter.ID], Sent: true, Draft: k.Location.Draft(), MailboxAddress: mailboxes[k.Location.MailboxID].Address,
		})
		isSent[k.Letter.ID] = true
		for _, id := range refs[k.Letter.ID] {
			named[id] = true
		}
	}
	for _, l := range later {
		if named[l.MessageID] && !isSent[l.ID] {
			t.siblings = append(t.siblings, rules.Sibling{Letter: l})
		}
	}
}

// readClients reads whose the letters are.
func (c *conversations) readClients(ctx context.Context, letters []int64) error {
	links, cards, err := c.w.tx.LinksToDecide(ctx, letters)
	if err != nil {
		return err
	}
	c.links = links
	open, err := c.w.tx.OpenDealsOf(ctx, slices.Sorted(maps.Keys(cards)))
	if err != nil {
		return err
	}
	for id, card := range cards {
		c.cards[id] = &clientFacts{ClientToDecide: card, deals: open[id]}
	}
	return nil
}

// readOffice reads the mailboxes in which the copies lie, and their folders. The other mailboxes of the department do not
// matter, and there may be a thousand.
func (c *conversations) readOffice(ctx context.Context, copies []store.CopyToDecide) (err error) {
	met := map[int64]bool{}
	for _, k := range copies {
		met[k.Location.MailboxID] = true
	}
	c.mailboxes, c.folders, err = c.w.tx.MailboxesToDecide(ctx, slices.Collect(maps.Keys(met)))
	return err
}

// facts gathers what the rules want to know about one copy of a letter in an inbox.
func (c *conversations) facts(ctx context.Context, letter models.Letter, loc models.Location, v *conversation) (rules.Facts, error) {
	w := c.w
	f := rules.Facts{
		Letter: letter, StarredInThread: v.starred, Now: w.now,
		Copy: rules.Copy{
			FolderRole: models.FolderInbox, Flagged: loc.Flagged(), Deleted: loc.Deleted(), HandsOff: loc.HandsOff,
			// What the department wrote after Kontrol came is today's work, however old the letter that it answers.
			FirstLook: loc.FirstLook && !v.wroteSince,
		},
		Own: w.set.Own.Has, SameParty: w.sameParty,
		Settings: rules.Settings{FirstLookWindow: w.set.FirstLookWindow},
	}
	if loc.FirstLook {
		f.Now = loc.SeenAt // a letter does not grow too old by lying in the inbox
	}
	links := c.links[letter.ID]
	if len(links) == 0 || c.cards[links[0].ClientID] == nil {
		return f, nil
	}
	card := c.cards[links[0].ClientID]
	f.Client, f.ClientAddresses = &card.Client, card.Addresses
	var err error
	f.Deals, err = c.deals(ctx, card, links[0].DealID)
	return f, err
}

// deals shows the client's open deals to the rules, and the deal that the letter is tied to even when it is closed.
func (c *conversations) deals(ctx context.Context, card *clientFacts, linked *int64) ([]rules.Deal, error) {
	all := card.deals
	if linked != nil && !slices.ContainsFunc(all, func(d models.Deal) bool { return d.ID == *linked }) {
		closed, err := c.w.tx.DealByID(ctx, *linked)
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
