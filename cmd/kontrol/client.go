package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/names"
	"kontrol/store"
)

func (c *cli) clientCommand() *cobra.Command {
	return c.group("client", "cli.client", c.clientAdd(), c.clientList(), c.clientShow(), c.clientImport(), c.clientTag(), c.clientTemperature(),
		c.clientNote(), c.clientContact(), c.clientAssign(), c.clientClaim(), c.clientDuplicates(), c.clientMerge(), c.clientLink(),
		c.clientUnlink(), c.clientRules(), c.clientDismiss(), c.clientExport(), c.clientForget())
}

// newClient holds the flags of `kontrol client add`.
type newClient struct {
	inn, kpp, contact, owner, comment string
	emails, phones, domains, tags     []string
	temperature                       string
	another, readmit, dry             bool
	letter                            int64        // that introduces the client; 0 for none
	took                              []fromLetter // what was taken from it
}

func (c *cli) clientAdd() *cobra.Command {
	var n newClient
	var letter string
	cmd := c.command("add", "cli.client_add", func(cmd *cobra.Command, args []string) error {
		if letter != "" {
			if err := c.arguments(cmd, args, 0, 1); err != nil {
				return err
			}
			return c.addFromLetter(cmd.Context(), strings.Join(args, ""), letter, n)
		}
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		return c.addClient(cmd.Context(), args[0], n)
	})
	f := cmd.Flags()
	f.StringVar(&letter, "from-letter", "", c.Text("cli.flag.from_letter"))
	f.StringVar(&n.inn, "inn", "", c.Text("cli.flag.inn"))
	f.StringVar(&n.kpp, "kpp", "", c.Text("cli.flag.kpp"))
	f.StringArrayVar(&n.emails, "email", nil, c.Text("cli.flag.email"))
	f.StringArrayVar(&n.phones, "phone", nil, c.Text("cli.flag.phone"))
	f.StringVar(&n.contact, "contact", "", c.Text("cli.flag.contact"))
	f.StringArrayVar(&n.domains, "domain", nil, c.Text("cli.flag.domain"))
	f.StringVar(&n.owner, "owner", "", c.Text("cli.flag.owner"))
	f.StringVar(&n.comment, "comment", "", c.Text("cli.flag.comment"))
	f.StringArrayVar(&n.tags, "tag", nil, c.Text("cli.flag.tag"))
	f.StringVar(&n.temperature, "temperature", "", c.Text("cli.flag.temperature"))
	f.BoolVar(&n.readmit, "readmit", false, c.Text("cli.flag.readmit"))
	f.BoolVar(&n.another, "another", false, c.Text("cli.flag.another"))
	f.BoolVar(&n.dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	c.completeFlag(cmd, "owner", c.completeOwners)
	return cmd
}

// ownDomain reports whether a domain is one of the department's.
func (c *cli) ownDomain() func(string) bool {
	cfg, err := c.config()
	if err != nil {
		return nil
	}
	own := cfg.OwnDomains()
	return func(d string) bool { return slices.Contains(own, d) }
}

// card checks the flags and makes a client of them. Everything that is wrong is told at once.
func (c *cli) card(name string, n newClient) (store.ClientCard, error) {
	card := store.ClientCard{Client: models.Client{Name: strings.TrimSpace(name), KPP: n.kpp, Comment: n.comment}}
	var wrong []models.Phrase
	if card.Name == "" {
		wrong = append(wrong, models.Say("cli.error.empty_name"))
	}
	if n.inn != "" {
		if !deals.ValidINN(n.inn) {
			wrong = append(wrong, models.Say("deals.import.inn", "Value", n.inn))
		}
		card.INN = &n.inn
	}
	if n.kpp != "" && !deals.ValidKPP(n.kpp) {
		wrong = append(wrong, models.Say("deals.import.kpp", "Value", n.kpp))
	}
	contact := store.ContactCard{Contact: models.Contact{Name: n.contact}}
	for _, e := range n.emails {
		a, ok := deals.NormalEmail(e)
		if !ok {
			wrong = append(wrong, models.Say("deals.import.email", "Value", e))
		}
		contact.Points = append(contact.Points, models.ContactPoint{Kind: models.PointEmail, Value: a})
	}
	for _, p := range n.phones {
		a, ok := deals.NormalPhone(p)
		if !ok {
			wrong = append(wrong, models.Say("cli.error.phone", "Value", p))
		}
		contact.Points = append(contact.Points, models.ContactPoint{Kind: models.PointPhone, Value: a})
	}
	for _, d := range n.domains {
		a, err := deals.CorporateDomain(d, c.ownDomain())
		if p, told := models.PhraseOf(err); told {
			wrong = append(wrong, p)
		}
		card.Domains = append(card.Domains, models.ClientDomain{Domain: a})
	}
	for _, t := range n.tags {
		card.Tags = append(card.Tags, models.ClientTag{Tag: t})
	}
	if n.temperature != "" {
		t, err := c.temperature(n.temperature)
		if p, told := models.PhraseOf(err); told {
			wrong = append(wrong, p)
		}
		card.Temperature = t
	}
	if contact.Name != "" || len(contact.Points) > 0 {
		card.Contacts = []store.ContactCard{contact}
	}
	return card, misusedAll(wrong)
}

func (c *cli) addClient(ctx context.Context, name string, n newClient) error {
	card, err := c.card(name, n)
	if err != nil {
		return err
	}
	err = c.change(ctx, n.dry, func(tx *store.Tx) error {
		people, err := c.staff(ctx, tx)
		if err != nil {
			return err
		}
		fresh := card
		if n.owner != "" {
			m, err := findOwner(people, n.owner)
			if err != nil {
				return err
			}
			fresh.OwnerID = &m.ID
		}
		if !n.another {
			if err := c.namesake(ctx, tx, name); err != nil {
				return err
			}
		}
		if err := c.admit(ctx, tx, fresh, n.readmit); err != nil {
			return err
		}
		if err := tx.CreateClient(ctx, &fresh, c.actor()); err != nil {
			return err
		}
		if n.letter != 0 {
			if err := tx.SettleProposals(ctx, n.letter, c.actor()); err != nil {
				return err
			}
		}
		card, err = tx.Client(ctx, fresh.ID)
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		if err := c.relinkAfter(ctx, n.dry, card.ID); err != nil {
			return err
		}
		return c.out.json(addedJSON{c.clientJSON(card), n.took, n.dry})
	}
	key := models.Say("cli.client_add.done", "Name", card.Name, "ID", card.ID)
	if n.dry {
		key = models.Say("cli.client_add.would", "Name", card.Name)
	}
	c.out.line(c.texts.Say(key))
	if err := c.relinkAfter(ctx, n.dry, card.ID); err != nil {
		return err
	}
	return c.out.err
}

// admit refuses what was destroyed on demand, or takes it off that list when the person has come back.
func (c *cli) admit(ctx context.Context, tx *store.Tx, card store.ClientCard, readmit bool) error {
	var values []string
	if card.INN != nil {
		values = append(values, *card.INN)
	}
	for _, d := range card.Domains {
		values = append(values, d.Domain)
	}
	for _, k := range card.Contacts {
		for _, p := range k.Points {
			values = append(values, p.Value)
		}
	}
	if readmit {
		_, err := tx.Remember(ctx, values)
		return err
	}
	forgotten, err := tx.Forgotten(ctx, values)
	for _, v := range values {
		if act := forgotten[v]; act != "" {
			return told(models.Say("store.forgotten", "Value", v, "Act", act))
		}
	}
	return err
}

// addedJSON is what `kontrol client add --format json` gives.
type addedJSON struct {
	clientJSON
	Took   []fromLetter `json:"took,omitempty"` // with --from-letter
	DryRun bool         `json:"dry_run"`
}

// namesake refuses a client that is known under the same name already.
func (c *cli) namesake(ctx context.Context, tx *store.Tx, name string) error {
	same, err := namesakes(ctx, tx, name)
	if err != nil || len(same) == 0 {
		return err
	}
	return told(models.Say("cli.error.namesake", "Name", name, "List", c.clientLines(same)))
}

// namesakes returns the clients whose names differ from this one in nothing that matters.
func namesakes(ctx context.Context, tx *store.Tx, name string) ([]models.Client, error) {
	key := names.Key(name)
	found, err := tx.ListClients(ctx, store.ClientFilter{Query: name}, mostOffered, 0)
	return slices.DeleteFunc(found, func(x models.Client) bool { return x.NameKey != key }), err
}

// clientFilter holds the flags of `kontrol client list`.
type clientFilter struct {
	owner, query, temperature, claimedBy string
	tags                                 []string
	claimed, free, noDeal, forgotten     bool
	proposed                             bool // those whom the program proposes
	dismissed                            bool // those whom it does not propose any more
	limit                                int
}

func (c *cli) clientList() *cobra.Command {
	var x clientFilter
	cmd := c.command("list", "cli.client_list", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		return c.read(cmd.Context(), func(q *store.Queries) error {
			if x.proposed {
				return c.listProposed(cmd.Context(), q, x.limit)
			}
			if x.dismissed {
				return c.listDismissed(cmd.Context(), q, x.limit)
			}
			f, err := c.clientsWanted(cmd.Context(), q, x)
			if err != nil {
				return err
			}
			found, err := q.ListClients(cmd.Context(), f, rowLimit(x.limit), 0)
			if err != nil {
				return err
			}
			return c.listClients(cmd.Context(), q, found)
		})
	})
	f := cmd.Flags()
	f.StringVar(&x.owner, "owner", "", c.Text("cli.flag.owner_filter"))
	f.StringVar(&x.query, "query", "", c.Text("cli.flag.name_query"))
	f.StringArrayVar(&x.tags, "tag", nil, c.Text("cli.flag.tag_filter"))
	f.StringVar(&x.temperature, "temperature", "", c.Text("cli.flag.temperature_filter"))
	f.BoolVar(&x.claimed, "claimed", false, c.Text("cli.flag.claimed"))
	f.StringVar(&x.claimedBy, "claimed-by", "", c.Text("cli.flag.claimed_by"))
	f.BoolVar(&x.free, "free", false, c.Text("cli.flag.free"))
	f.BoolVar(&x.noDeal, "no-deal", false, c.Text("cli.flag.no_deal"))
	f.BoolVar(&x.forgotten, "forgotten", false, c.Text("cli.flag.forgotten"))
	f.BoolVar(&x.proposed, "proposed", false, c.Text("cli.flag.proposed"))
	f.BoolVar(&x.dismissed, "dismissed", false, c.Text("cli.flag.dismissed"))
	f.IntVar(&x.limit, "limit", 50, c.Text("cli.flag.limit"))
	c.completeFlag(cmd, "owner", c.completeOwners)
	c.completeFlag(cmd, "claimed-by", c.completeOwners)
	c.completeFlag(cmd, "tag", c.completeTags)
	c.completeWords(cmd, "temperature", temperatures()...)
	return cmd
}

// clientsWanted turns the flags into what the store asks for.
func (c *cli) clientsWanted(ctx context.Context, q *store.Queries, x clientFilter) (store.ClientFilter, error) {
	f := store.ClientFilter{Query: x.query, Tags: x.tags, Claimed: x.claimed, Free: x.free, NoDeal: x.noDeal, Forgotten: x.forgotten}
	var err error
	if f.OwnerID, err = c.ownerFilter(ctx, q, x.owner); err != nil {
		return f, err
	}
	if f.ClaimedBy, err = c.ownerFilter(ctx, q, x.claimedBy); err != nil {
		return f, err
	}
	if x.temperature != "" {
		f.Temperature, err = c.temperature(x.temperature)
	}
	return f, err
}

func (c *cli) listClients(ctx context.Context, q *store.Queries, found []models.Client) error {
	ids := make([]int64, 0, len(found))
	for _, x := range found {
		ids = append(ids, x.ID)
	}
	cards, err := q.Clients(ctx, ids)
	if err != nil {
		return err
	}
	l := listing{columns: []column{
		{title: "№", right: true}, {title: c.Text("cli.column.client"), flex: true}, {title: c.Text("cli.column.inn")},
		{title: c.Text("cli.column.contact"), flex: true}, {title: c.Text("cli.column.email"), flex: true},
		{title: c.Text("cli.column.phone")}, {title: c.Text("cli.column.owner"), flex: true},
		{title: c.Text("cli.column.temperature")}, {title: c.Text("cli.column.tags"), flex: true},
	}, empty: c.Text("cli.client_list.empty")}
	values := []clientJSON{}
	for _, card := range cards {
		j := c.clientJSON(card)
		values = append(values, j)
		names, emails, phones := []string{}, []string{}, []string{}
		for _, k := range j.Contacts {
			if k.Name != "" {
				names = append(names, k.Name)
			}
			phones = append(phones, k.Phones...)
			for _, e := range k.Emails { // what is looked up here is to be written to
				if !slices.Contains(k.Dead, e) {
					emails = append(emails, e)
				}
			}
		}
		inn := ""
		if card.INN != nil {
			inn = *card.INN
		}
		l.rows = append(l.rows, []string{strconv.FormatInt(card.ID, 10), card.Name, inn, strings.Join(names, ", "),
			strings.Join(emails, ", "), strings.Join(phones, ", "), j.Owner, c.temperatureName(card.Temperature), strings.Join(j.Tags, ", ")})
	}
	l.values = values
	return c.out.list(c.flags.format, l)
}

// clientJSON is a client in JSON.
type clientJSON struct {
	ID        int64         `json:"id"`
	Name      string        `json:"name"`
	INN       *string       `json:"inn"`
	KPP       string        `json:"kpp"`
	Owner     string        `json:"owner"`
	Comment   string        `json:"comment"`
	Domains   []string      `json:"domains"`
	Contacts  []contactJSON `json:"contacts"`
	CreatedAt *string       `json:"created_at"`

	Tags         []string          `json:"tags"`
	Temperature  string            `json:"temperature"`
	Fields       map[string]string `json:"fields"`
	ClaimedBy    string            `json:"claimed_by"`
	ClaimedUntil *string           `json:"claimed_until"`
	ForgottenAt  *string           `json:"forgotten_at"`
}

type contactJSON struct {
	Name     string   `json:"name"`
	Position string   `json:"position"`
	Emails   []string `json:"emails"`
	Dead     []string `json:"dead_emails"` // of these, those that no letter reaches
	Phones   []string `json:"phones"`
}

func (c *cli) clientJSON(card store.ClientCard) clientJSON {
	j := clientJSON{ID: card.ID, Name: card.Name, INN: card.INN, KPP: card.KPP, Comment: card.Comment, Domains: []string{},
		Contacts: []contactJSON{}, CreatedAt: stamp(&card.CreatedAt), Tags: []string{}, Temperature: string(card.Temperature),
		Fields: map[string]string{}, ForgottenAt: stamp(card.ForgottenAt)}
	for _, t := range card.Tags {
		j.Tags = append(j.Tags, t.Tag)
	}
	for _, f := range card.Fields {
		j.Fields[f.Name] = f.Value
	}
	if card.Claim != nil {
		j.ClaimedUntil = stamp(&card.Claim.ExpiresAt)
		if card.Claim.Manager != nil {
			j.ClaimedBy = card.Claim.Manager.Name
		}
	}
	if card.Owner != nil {
		j.Owner = card.Owner.Name
	}
	for _, d := range card.Domains {
		j.Domains = append(j.Domains, d.Domain)
	}
	for _, k := range card.Contacts {
		x := contactJSON{Name: k.Name, Position: k.Position, Emails: []string{}, Dead: []string{}, Phones: []string{}}
		for _, p := range k.Points {
			if !p.Alive() {
				x.Dead = append(x.Dead, p.Value)
			}
			if p.Kind == models.PointEmail {
				x.Emails = append(x.Emails, p.Value)
			} else {
				x.Phones = append(x.Phones, p.Value)
			}
		}
		j.Contacts = append(j.Contacts, x)
	}
	return j
}
