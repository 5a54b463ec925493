package daemon

import (
	"context"
	"maps"
	"slices"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/rules"
)

// conversations is everything the rules want to know about some threads. It is read with a fixed number of queries,
// whatever there is.
type conversations struct {
	w         *work
	letters   map[int64][]models.Letter // by thread
	refs      map[int64][]string
	copies    map[int64][]models.Location // every copy there is or was, by letter
	links     map[int64][]models.Link
	last      map[int64]models.Decision // by location
	filings   map[int64][]models.Filing // by location, oldest first
	mailboxes map[int64]models.Mailbox
	folders   map[int64]map[models.FolderRole]models.Folder // by mailbox
	cards     map[int64]*clientFacts
}

// clientFacts is what the rules want to know about a client.
type clientFacts struct {
	client    models.Client
	addresses []string
	deals     []models.Deal // open ones
}

func (w *work) conversations(ctx context.Context, threads []int64) (*conversations, error) {
	c := &conversations{w: w, copies: map[int64][]models.Location{}, links: map[int64][]models.Link{},
		filings: map[int64][]models.Filing{}, mailboxes: map[int64]models.Mailbox{},
		folders: map[int64]map[models.FolderRole]models.Folder{}, cards: map[int64]*clientFacts{}}
	var err error
	if c.letters, err = w.tx.LettersOfThreads(ctx, threads); err != nil {
		return nil, err
	}
	var ids []int64
	for _, list := range c.letters {
		for _, l := range list {
			ids = append(ids, l.ID)
		}
	}
	if c.refs, err = w.tx.ReferencesOf(ctx, ids); err != nil {
		return nil, err
	}
	inInbox, err := c.readCopies(ctx, ids)
	if err != nil {
		return nil, err
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
	if err := c.readClients(ctx, ids); err != nil {
		return nil, err
	}
	return c, c.readOffice(ctx)
}

// readCopies reads where the letters lie and lay, and returns the copies that are in an inbox now.
func (c *conversations) readCopies(ctx context.Context, letters []int64) ([]int64, error) {
	copies, err := c.w.tx.LocationsOfLetters(ctx, letters)
	if err != nil {
		return nil, err
	}
	var inInbox []int64
	for _, l := range copies {
		c.copies[l.LetterID] = append(c.copies[l.LetterID], l)
		if isIn(l, models.FolderInbox) {
			inInbox = append(inInbox, l.ID)
		}
	}
	return inInbox, nil
}

// isIn reports whether a copy is in the folder now.
func isIn(l models.Location, role models.FolderRole) bool {
	return l.GoneAt == nil && l.Folder != nil && l.Folder.Role == role
}

// readClients reads whose the letters are.
func (c *conversations) readClients(ctx context.Context, letters []int64) error {
	links, err := c.w.tx.CurrentLinks(ctx, letters)
	if err != nil {
		return err
	}
	clients := map[int64]bool{}
	for _, l := range links {
		c.links[l.LetterID] = append(c.links[l.LetterID], l)
		clients[l.ClientID] = true
	}
	ids := slices.Sorted(maps.Keys(clients))
	cards, err := c.w.tx.Clients(ctx, ids)
	if err != nil {
		return err
	}
	open, err := c.w.tx.OpenDealsOf(ctx, ids)
	if err != nil {
		return err
	}
	for _, card := range cards {
		f := &clientFacts{client: card.Client, deals: open[card.ID]}
		for _, contact := range card.Contacts {
			for _, p := range contact.Points {
				if p.Kind == models.PointEmail {
					f.addresses = append(f.addresses, p.Value)
				}
			}
		}
		c.cards[card.ID] = f
	}
	return nil
}

// readOffice reads the mailboxes and their folders.
func (c *conversations) readOffice(ctx context.Context) error {
	boxes, err := c.w.tx.Mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		c.mailboxes[b.ID] = b
		c.folders[b.ID] = map[models.FolderRole]models.Folder{}
	}
	folders, err := c.w.tx.Folders(ctx, 0)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if c.folders[f.MailboxID] != nil {
			c.folders[f.MailboxID][f.Role] = f
		}
	}
	return nil
}

// letter returns a letter of the thread by ID.
func (c *conversations) letter(threadID, id int64) (models.Letter, bool) {
	i := slices.IndexFunc(c.letters[threadID], func(l models.Letter) bool { return l.ID == id })
	if i < 0 {
		return models.Letter{}, false
	}
	return c.letters[threadID][i], true
}

// starred reports whether a person has starred a letter of the thread.
func (c *conversations) starred(threadID int64) bool {
	for _, l := range c.letters[threadID] {
		for _, loc := range c.copies[l.ID] {
			if loc.GoneAt == nil && loc.Flagged() {
				return true
			}
		}
	}
	return false
}

// siblings shows to the rules those letters of a thread that can matter: the sent ones, and the ones that a sent one
// names. A letter counts as sent when a copy of it lies or lay in a Sent folder: a person who clears Sent has answered
// all the same.
func (c *conversations) siblings(threadID int64) []rules.Sibling {
	var list []rules.Sibling
	named, sent := map[string]bool{}, map[int64]bool{}
	for _, l := range c.letters[threadID] {
		for _, loc := range c.copies[l.ID] {
			if loc.Folder == nil || loc.Folder.Role != models.FolderSent {
				continue
			}
			list = append(list, rules.Sibling{
				Letter: l, References: c.refs[l.ID], Sent: true, Draft: loc.Draft(), MailboxAddress: c.mailboxes[loc.MailboxID].Address,
			})
			sent[l.ID] = true
			for _, id := range c.refs[l.ID] {
				named[id] = true
			}
		}
	}
	for _, l := range c.letters[threadID] {
		if named[l.MessageID] && !sent[l.ID] {
			list = append(list, rules.Sibling{Letter: l, References: c.refs[l.ID]})
		}
	}
	return list
}

// threadView is what the rules see of a thread, whichever of its letters is decided about.
type threadView struct {
	siblings   []rules.Sibling
	starred    bool
	wroteSince bool // the department has written in it since the first look
}

func (c *conversations) view(threadID int64) threadView {
	v := threadView{siblings: c.siblings(threadID), starred: c.starred(threadID)}
	for _, l := range c.letters[threadID] {
		for _, loc := range c.copies[l.ID] {
			v.wroteSince = v.wroteSince || (loc.Folder != nil && loc.Folder.Role == models.FolderSent && !loc.FirstLook)
		}
	}
	return v
}

// facts gathers what the rules want to know about one copy of a letter.
func (c *conversations) facts(ctx context.Context, letter models.Letter, loc models.Location, v threadView) (rules.Facts, error) {
	w := c.w
	f := rules.Facts{
		Letter: letter, Thread: v.siblings, StarredInThread: v.starred, Now: w.now,
		Copy: rules.Copy{
			FolderRole: loc.Folder.Role, Flagged: loc.Flagged(), Deleted: loc.Deleted(), HandsOff: loc.HandsOff,
			// What the department wrote after Kontrol came is today's work, however old the letter that it answers.
			FirstLook: loc.FirstLook && !v.wroteSince,
		},
		Own: w.set.Own.Has, SameParty: deals.SameParty(func(d string) bool { return w.set.Own.Domains[d] }),
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
	f.Client, f.ClientAddresses = &card.client, card.addresses
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
