package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kontrol/deals"
	"kontrol/models"
	"kontrol/store"
)

// doneJSON is what commands that change a client give with --format json.
type doneJSON struct {
	Client int64  `json:"client_id"`
	Text   string `json:"text"`
	DryRun bool   `json:"dry_run"`
}

// onClient runs f on the client that the first argument names, in a transaction, and says what f returns.
func (c *cli) onClient(ctx context.Context, word string, dry bool, f func(tx *store.Tx, x models.Client) (models.Phrase, error)) error {
	var done doneJSON
	err := c.change(ctx, dry, func(tx *store.Tx) error {
		if _, err := c.staff(ctx, tx); err != nil {
			return err
		}
		x, err := c.foundClient(ctx, tx, word)
		if err != nil {
			return err
		}
		p, err := f(tx, x)
		done = doneJSON{Client: x.ID, Text: c.texts.Say(p), DryRun: dry}
		return err
	})
	if err != nil {
		return err
	}
	if c.flags.format == formatJSON {
		return c.out.json(done)
	}
	if dry {
		done.Text = c.Text("cli.would", "Text", done.Text)
	}
	c.out.line(done.Text)
	return c.out.err
}

// keeping makes a command about one client with so many further arguments.
func (c *cli) keeping(name string, least, most int, run func(ctx context.Context, args []string, dry bool) error) *cobra.Command {
	var dry bool
	cmd := c.command(name, "cli.client_"+name, func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, least, most); err != nil {
			return err
		}
		return run(cmd.Context(), args, dry)
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.Text("cli.flag.dry_run"))
	cmd.ValidArgsFunction = argument(0, c.completeClients)
	return cmd
}

func (c *cli) clientTag() *cobra.Command {
	var remove []string
	cmd := c.keeping("tag", 1, 50, func(ctx context.Context, args []string, dry bool) error {
		if len(args) == 1 && len(remove) == 0 {
			return misused(models.Say("cli.error.no_tag"))
		}
		return c.onClient(ctx, args[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
			if _, _, err := tx.SetTags(ctx, x.ID, args[1:], remove, c.actor()); err != nil {
				return models.Phrase{}, err
			}
			card, err := tx.Client(ctx, x.ID)
			return models.Say("cli.client_tag.done", "Name", x.Name, "Tags", tagsOf(card)), err
		})
	})
	cmd.Flags().StringArrayVar(&remove, "remove", nil, c.Text("cli.flag.remove_tag"))
	c.completeFlag(cmd, "remove", c.completeTags)
	clients := cmd.ValidArgsFunction
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return clients(cmd, args, begun)
		}
		return c.completeTags(cmd, args, begun)
	}
	return cmd
}

func tagsOf(card store.ClientCard) string {
	list := make([]string, 0, len(card.Tags))
	for _, t := range card.Tags {
		list = append(list, t.Tag)
	}
	return strings.Join(list, ", ")
}

func (c *cli) completeTags(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), func(q *store.Queries) ([]string, error) {
		tags, err := q.Tags(cmd.Context())
		words := make([]string, 0, len(tags))
		for _, t := range tags {
			words = append(words, clean(t.Tag))
		}
		return words, err
	})
}

func temperatures() []string {
	return []string{string(models.TemperatureCold), string(models.TemperatureWarm), string(models.TemperatureHot)}
}

// temperature understands a word of a person; "none" takes the temperature away.
func (c *cli) temperature(word string) (models.Temperature, error) {
	if t, ok := deals.TemperatureOf(word); ok {
		return t, nil
	}
	if word == "none" || word == c.Text("temperature.none") {
		return "", nil
	}
	return "", misused(models.Say("cli.error.temperature", "Value", word))
}

func (c *cli) temperatureName(t models.Temperature) string {
	if t == "" {
		return ""
	}
	return c.Text("temperature." + string(t))
}

func (c *cli) clientTemperature() *cobra.Command {
	cmd := c.keeping("temperature", 2, 2, func(ctx context.Context, args []string, dry bool) error {
		t, err := c.temperature(args[1])
		if err != nil {
			return err
		}
		return c.onClient(ctx, args[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
			_, err := tx.SetTemperature(ctx, x.ID, t, c.actor())
			name := "none"
			if t != "" {
				name = string(t)
			}
			return models.Say("cli.client_temperature.done", "Name", x.Name, "Temperature", models.Say("temperature."+name)), err
		})
	})
	clients := cmd.ValidArgsFunction
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return append(temperatures(), "none"), cobra.ShellCompDirectiveNoFileComp
		}
		return clients(cmd, args, begun)
	}
	return cmd
}

func (c *cli) clientNote() *cobra.Command {
	var day string
	cmd := c.keeping("note", 2, 2, func(ctx context.Context, args []string, dry bool) error {
		n := models.ClientNote{Text: strings.TrimSpace(args[1])}
		if n.Text == "" {
			return misused(models.Say("cli.error.empty_note"))
		}
		if day != "" {
			at, err := parseSince(day, c.localNow())
			if err != nil {
				return err
			}
			n.OccurredAt = at
		}
		return c.onClient(ctx, args[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
			n.ClientID, n.Author = x.ID, c.actor()
			return models.Say("cli.client_note.done", "Name", x.Name), tx.AddNote(ctx, &n)
		})
	})
	cmd.Flags().StringVar(&day, "date", "", c.Text("cli.flag.note_date"))
	return cmd
}

func (c *cli) clientAssign() *cobra.Command {
	var comment string
	cmd := c.keeping("assign", 2, 2, func(ctx context.Context, args []string, dry bool) error {
		return c.onClient(ctx, args[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
			a := store.Assignment{ClientID: x.ID, Comment: comment, Actor: c.actor()}
			p := models.Say("cli.client_assign.nobody", "Name", x.Name)
			if args[1] != "-" {
				m, err := c.manager(ctx, tx, args[1])
				if err != nil {
					return p, err
				}
				a.ManagerID = &m.ID
				p = models.Say("cli.client_assign.done", "Name", x.Name, "Manager", m.Name)
			}
			_, err := tx.Assign(ctx, a)
			return p, err
		})
	})
	cmd.Flags().StringVar(&comment, "reason", "", c.Text("cli.flag.assign_reason"))
	clients := cmd.ValidArgsFunction
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return c.completeOwners(cmd, args, begun)
		}
		return clients(cmd, args, begun)
	}
	return cmd
}

func (c *cli) clientClaim() *cobra.Command {
	var who, span string
	var release bool
	cmd := c.keeping("claim", 1, 1, func(ctx context.Context, args []string, dry bool) error {
		return c.onClient(ctx, args[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
			if release {
				return c.releaseClaim(ctx, tx, x, who)
			}
			m, err := c.manager(ctx, tx, who)
			if err != nil {
				return models.Phrase{}, err
			}
			cfg, err := c.config()
			if err != nil {
				return models.Phrase{}, err
			}
			hold := cfg.Clients.ClaimFor.Std()
			if span != "" {
				if hold, err = parseSpan(span); err != nil {
					return models.Phrase{}, err
				}
			}
			claim, err := tx.Claim(ctx, store.ClaimRequest{ClientID: x.ID, ManagerID: m.ID, For: hold, Limit: cfg.Clients.ClaimLimit, Actor: c.actor()})
			return models.Say("cli.client_claim.done", "Name", x.Name, "Manager", m.Name, "Until", claim.ExpiresAt), err
		})
	})
	cmd.Flags().StringVar(&who, "for", "", c.Text("cli.flag.claim_for"))
	cmd.Flags().StringVar(&span, "days", "", c.Text("cli.flag.claim_days"))
	cmd.Flags().BoolVar(&release, "release", false, c.Text("cli.flag.release"))
	c.completeFlag(cmd, "for", c.completeOwners)
	return cmd
}

// releaseClaim ends a claim. Without --for and --as, the administrator ends anybody's.
func (c *cli) releaseClaim(ctx context.Context, tx *store.Tx, x models.Client, who string) (models.Phrase, error) {
	owner := int64(0)
	if who != "" || c.flags.as != "" {
		m, err := c.manager(ctx, tx, who)
		if err != nil {
			return models.Phrase{}, err
		}
		owner = m.ID
	}
	was, err := tx.ReleaseClaim(ctx, x.ID, owner, c.actor())
	if !was {
		return models.Say("cli.client_claim.none", "Name", x.Name), err
	}
	return models.Say("cli.client_claim.released", "Name", x.Name), err
}

// parseSpan reads a number of days.
func parseSpan(word string) (time.Duration, error) {
	days := 0
	for _, r := range strings.TrimRight(strings.ToLower(word), "dд") {
		if r < '0' || r > '9' || days > 3650 {
			days = 0
			break
		}
		days = days*10 + int(r-'0')
	}
	if days == 0 {
		return 0, misused(models.Say("cli.error.days", "Value", word))
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

func (c *cli) clientContact() *cobra.Command {
	var k models.Contact
	var emails, phones []string
	cmd := c.keeping("contact", 1, 1, func(ctx context.Context, args []string, dry bool) error {
		card, err := c.card("-", newClient{contact: k.Name, emails: emails, phones: phones})
		if err != nil {
			return err
		}
		if len(card.Contacts) == 0 {
			return misused(models.Say("cli.error.empty_contact"))
		}
		card.Contacts[0].Position = k.Position
		id := int64(0)
		err = c.onClient(ctx, args[0], dry, func(tx *store.Tx, x models.Client) (models.Phrase, error) {
			id = x.ID
			fresh := store.ClientCard{Contacts: card.Contacts}
			more, err := tx.ExtendClient(ctx, x.ID, &fresh)
			if !more {
				return models.Say("cli.client_contact.known", "Name", x.Name), err
			}
			return models.Say("cli.client_contact.done", "Name", x.Name), err
		})
		if err != nil {
			return err
		}
		return c.relinkAfter(ctx, dry, id)
	})
	cmd.Flags().StringVar(&k.Name, "name", "", c.Text("cli.flag.contact"))
	cmd.Flags().StringVar(&k.Position, "position", "", c.Text("cli.flag.position"))
	cmd.Flags().StringArrayVar(&emails, "email", nil, c.Text("cli.flag.email"))
	cmd.Flags().StringArrayVar(&phones, "phone", nil, c.Text("cli.flag.phone"))
	return cmd
}
