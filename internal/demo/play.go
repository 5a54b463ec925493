package demo

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"kontrol/models"
)

// settleWithin is how long a step may take to show its effect before the demo says that something is wrong.
const settleWithin = 20 * time.Second

// player plays the steps one after another, each when its turn has come and the effect of the one before is seen.
type player struct {
	day     *day
	house   *house
	eyes    *eyes
	show    *screen
	date    time.Time // midnight of the made-up day, in the zone of the texts
	letters map[string]*letter
	order   []*letter // the letters that the summary judges, in the order of the day
}

// play runs the whole day. Between two steps at least pace passes.
func (p *player) play(ctx context.Context, pace time.Duration) error {
	tick := time.NewTicker(max(pace, time.Millisecond))
	defer tick.Stop()
	for i, s := range p.day.Steps {
		if err := p.step(ctx, s); err != nil {
			return fmt.Errorf("step %d at %s (%s): %w", i+1, s.At, s.Do, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *player) step(ctx context.Context, s step) error {
	at, err := p.clock(s.At)
	if err != nil {
		return err
	}
	switch s.Do {
	case "answer":
		return p.answer(ctx, s, at)
	case "star":
		l := p.letters[s.Of]
		p.show.step(s.At, "star", models.Say("demo.step.star", "Manager", p.name(s.By), "Subject", l.subject))
		if err := p.house.star(s.By, l); err != nil {
			return err
		}
		return p.eyes.waitStarred(ctx, l)
	case "move":
		return p.move(ctx, s)
	}
	return p.arrive(ctx, s, at)
}

func (p *player) clock(at string) (time.Time, error) {
	t, err := time.Parse("15:04", at)
	if err != nil {
		return time.Time{}, fmt.Errorf("time of a step: %w", err)
	}
	return p.date.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute), nil
}

func (p *player) name(key string) string { return p.day.manager(key).Name }

func (p *player) person(key string) mail.Address {
	return mail.Address{Name: p.name(key), Address: p.day.address(key)}
}

// arrive has a letter delivered by SMTP to a manager's mailbox and waits until the daemon knows it.
func (p *player) arrive(ctx context.Context, s step, at time.Time) error {
	l, headers, err := p.compose(s, at)
	if err != nil {
		return err
	}
	p.letters[l.key] = l
	p.order = append(p.order, l)
	who := l.from.Name
	if c := p.day.clientByAddress(l.from.Address); c != nil {
		who = c.Name
	}
	p.show.step(s.At, s.Do, models.Say("demo.step."+s.Do, "Manager", p.name(l.manager), "From", who, "Subject", l.subject))
	envelope := l.from.Address
	if s.Do == "bounce" {
		envelope = "" // RFC 5321 section 6.1
	}
	if err := p.house.deliver(ctx, envelope, l.to.Address, l.bytes(headers...)); err != nil {
		return err
	}
	if err := p.eyes.waitKnown(ctx, l); err != nil {
		return err
	}
	return p.eyes.report(ctx, l)
}

// compose makes the letter of a step and the headers that its kind has besides.
func (p *player) compose(s step, at time.Time) (*letter, []string, error) {
	l := &letter{key: s.Key, subject: s.Subject, text: s.Text, step: s, manager: s.To, sent: at, to: p.person(s.To)}
	var headers []string
	switch s.Do {
	case "letter", "follow", "auto":
		c := p.day.client(s.Client)
		if c != nil {
			l.from = mail.Address{Name: c.Contact, Address: c.Email}
		}
		if s.Do == "auto" {
			headers = []string{"Auto-Submitted: auto-replied"}
		}
		if s.Do == "follow" {
			first := p.letters[s.Of]
			l.subject, l.refs = "Re: "+first.subject, append(append([]string(nil), first.refs...), first.messageID)
		}
	case "internal":
		l.from = p.person(s.From)
	case "list":
		headers = []string{"List-Id: <news.vestnik-otopleniya.example>", "Precedence: bulk"}
	case "bounce":
		l.from = mail.Address{Name: "Mail Delivery System", Address: "mailer-daemon@" + p.day.Domain}
		headers = []string{"Auto-Submitted: auto-replied", "X-Failed-Recipients: buhgalter@granit.example"}
	default:
		return nil, nil, fmt.Errorf("unknown kind of step %q", s.Do)
	}
	if l.from.Address == "" {
		a, err := mail.ParseAddress(s.From)
		if err != nil {
			return nil, nil, fmt.Errorf("sender: %w", err)
		}
		l.from = *a
	}
	l.messageID = s.Key + "." + strings.ReplaceAll(s.At, ":", "") + "@" + domainOf(l.from.Address)
	return l, headers, nil
}

// answer does what a mail client does with an answer: sends it by SMTP, saves it in Sent, marks the original.
func (p *player) answer(ctx context.Context, s step, at time.Time) error {
	l := p.letters[s.To]
	r := l.reply("re-"+s.To, p.person(s.By), s.Text, at)
	c := p.day.clientByAddress(l.from.Address)
	to := l.from.Name
	if c != nil {
		to = c.Name
	}
	p.show.step(s.At, "answer", models.Say("demo.step.answer", "Manager", p.name(s.By), "To", to, "Subject", l.subject))
	if err := p.house.send(ctx, s.By, r); err != nil {
		return err
	}
	begin := time.Now()
	if err := p.house.saveSent(s.By, r, l, s.By == l.manager); err != nil {
		return err
	}
	if err := p.eyes.waitFiled(ctx, l); err != nil {
		return err
	}
	p.show.took(time.Since(begin))
	for _, other := range p.order { // the earlier letters of the conversation go with it
		if other != l && other.step.Key != "" && sameThread(other, l) {
			if err := p.eyes.waitFiled(ctx, other); err != nil {
				return err
			}
			if err := p.eyes.report(ctx, other); err != nil {
				return err
			}
		}
	}
	return p.eyes.report(ctx, l)
}

// sameThread reports whether a was written before b in the same conversation.
func sameThread(a, b *letter) bool {
	for _, id := range b.refs {
		if id == a.messageID {
			return true
		}
	}
	return false
}

// move does what a person's mail client does when a letter is dragged to another folder.
func (p *player) move(ctx context.Context, s step) error {
	l := p.letters[s.Of]
	if s.Expect != "" {
		l.step.Expect = s.Expect
	}
	where := models.Say("folder." + s.Where)
	p.show.step(s.At, "move", models.Say("demo.step.move", "Manager", p.name(s.By), "Subject", l.subject, "Folder", where, "Note", s.Note))
	if err := p.house.move(ctx, l, models.FolderRole(s.Where)); err != nil {
		return err
	}
	if err := p.eyes.waitMoved(ctx, l); err != nil {
		return err
	}
	return p.eyes.report(ctx, l)
}
