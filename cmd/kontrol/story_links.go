package main

import "kontrol/models"

// tellProposals writes what a person was or is asked about a letter.
func (c *cli) tellProposals(list []models.Proposal) {
	if len(list) == 0 {
		return
	}
	c.out.heading(c.Text("cli.why.proposals"))
	for _, p := range list {
		text := c.texts.Say(p.Evidence)
		if p.SettledAt == nil {
			c.out.line("  ", c.out.paint(paintWarn, text))
			continue
		}
		by := ""
		if p.SettledBy != nil {
			by = *p.SettledBy
		}
		c.out.line("  ", c.out.paint(paintFaint, c.Text("cli.why.proposal_past", "Text", text, "At", *p.SettledAt, "By", by)))
	}
}

// tellLinkRules writes what people have taught about the addresses of a letter or of a client, and how to take it back.
func (c *cli) tellLinkRules(list []models.LinkRule) {
	if len(list) == 0 {
		return
	}
	c.out.heading(c.Text("cli.why.rules"))
	for _, r := range list {
		name, deal := "", ""
		if r.Client != nil {
			name = r.Client.Name
		}
		if r.Deal != nil {
			deal = c.Text("cli.why.link_deal", "Number", r.Deal.Number, "Title", r.Deal.Title)
		}
		c.out.line("  ", c.Text("cli.why.link_rule", "Number", r.ID, "Address", r.Address, "Client", name, "Deal", deal, "At", r.CreatedAt, "Actor", r.Actor))
	}
}
