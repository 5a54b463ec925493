package main

import (
	"context"
	"slices"

	"kontrol/models"
	"kontrol/store"
)

// story is everything that is stored about one letter.
type story struct {
	letter    models.Letter
	thread    []models.Letter // oldest first, the letter itself included
	links     []models.Link   // superseded ones too
	decisions []models.Decision
	filings   []models.Filing
	copies    []models.Location // gone ones too
	events    []models.Event
	proposals []models.Proposal // settled ones too
	rules     []models.LinkRule // that hold about its addresses
	mailboxes map[int64]models.Mailbox
	folders   map[int64]models.Folder
}

// loadStory gathers the story of a letter.
func loadStory(ctx context.Context, q *store.Queries, l models.Letter) (story, error) {
	s := story{letter: l}
	steps := []func() error{
		func() (err error) { s.thread, err = q.ThreadLetters(ctx, l.ThreadID); return err },
		func() (err error) { s.links, err = q.LinksOf(ctx, l.ID); return err },
		func() (err error) { s.decisions, err = q.DecisionsOf(ctx, l.ID); return err },
		func() (err error) { s.filings, err = q.FilingsOf(ctx, l.ID); return err },
		func() (err error) { s.copies, err = q.LocationsOf(ctx, l.ID); return err },
		func() (err error) { s.events, err = q.EventsOf(ctx, l.ID); return err },
		func() (err error) { s.proposals, err = q.ProposalsOf(ctx, l.ID); return err },
		func() (err error) { s.rules, err = q.LinkRulesFor(ctx, addressesOf(l)); return err },
		func() (err error) { s.mailboxes, s.folders, err = loadPlaces(ctx, q); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return story{}, err
		}
	}
	return s, nil
}

// addressesOf are the addresses of a letter about which something may have been taught.
func addressesOf(l models.Letter) []string {
	return slices.Concat([]string{l.FromAddress}, l.ReplyTo, l.To, l.Cc)
}

// loadPlaces returns all mailboxes and folders by id.
func loadPlaces(ctx context.Context, q *store.Queries) (map[int64]models.Mailbox, map[int64]models.Folder, error) {
	boxes, err := q.Mailboxes(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := q.Folders(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	mailboxes, folders := make(map[int64]models.Mailbox, len(boxes)), make(map[int64]models.Folder, len(list))
	for _, m := range boxes {
		mailboxes[m.ID] = m
	}
	for _, f := range list {
		folders[f.ID] = f
	}
	return mailboxes, folders, nil
}

// letterInThread returns the letter of the thread with the id.
func (s story) letterInThread(id int64) (models.Letter, bool) {
	for _, l := range s.thread {
		if l.ID == id {
			return l, true
		}
	}
	return models.Letter{}, false
}
