package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"kontrol/internal/imaptest"
	"kontrol/internal/smtpsink"
	"kontrol/models"
)

// password is the password of every mailbox of the demo. It protects nothing: the servers listen on loopback only.
const password = "demo"

// Names of the folders as the demo's server and config have them.
var folderNames = map[models.FolderRole]string{
	models.FolderInbox: "INBOX", models.FolderSent: "Отправленные", models.FolderProcessed: "Обработанные письма",
	models.FolderControl: "На контроле",
}

// house is the department's mail server: IMAP in memory, and SMTP that delivers to it. What is addressed to somebody
// outside is accepted and goes nowhere.
type house struct {
	day  *day
	imap *imaptest.Memory
	smtp *smtpsink.Server
}

func openHouse(d *day) (*house, error) {
	users := map[string]string{}
	for _, m := range d.Managers {
		users[d.address(m.Key)] = password
	}
	h := &house{day: d}
	var err error
	h.imap, err = imaptest.StartMemory(imaptest.MemoryOptions{
		Users: users, Special: map[string]string{folderNames[models.FolderSent]: `\Sent`}, Epoch: uint32(time.Now().Unix()), //nolint:gosec // until 2106
	})
	if err != nil {
		return nil, fmt.Errorf("start the demo's imap server: %w", err)
	}
	h.smtp, err = smtpsink.Start(smtpsink.Options{OnLetter: h.distribute})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the demo's smtp server: %w", err), h.imap.Close())
	}
	return h, nil
}

func (h *house) close() {
	h.smtp.Stop()
	_ = h.imap.Close() // loopback; nothing is kept
}

// distribute puts a letter into the inboxes of those recipients who work here.
func (h *house) distribute(l smtpsink.Letter) {
	for _, to := range l.To {
		if domainOf(models.NormalAddress(to)) == h.day.Domain {
			// An address of nobody here loses the letter, as a server without such a mailbox would refuse it.
			_, _ = h.imap.Put(models.NormalAddress(to), "INBOX", nil, madeUpDate(l.Data), l.Data)
		}
	}
}

// madeUpDate is when a letter came going by its Date: in the made-up day, and not in the minute that plays it.
func madeUpDate(letter []byte) time.Time {
	if m, err := mail.ReadMessage(bytes.NewReader(letter)); err == nil {
		if at, err := m.Header.Date(); err == nil {
			return at
		}
	}
	return time.Now()
}

// config is the config file with which the daemon watches this house.
func (h *house) config(d *day) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[company]\nname = %q\ndomains = [%q]\n\n[servers.demo]\nimap = \"imap+insecure://%s\"\n\n[log]\nlevel = \"error\"\n",
		d.Company, d.Domain, h.imap.Addr())
	for _, m := range d.Managers {
		fmt.Fprintf(&b, "\n[[managers]]\nname = %q\nemail = %q\npassword = %q\n", m.Name, d.address(m.Key), password)
	}
	return b.String()
}

// invite tells how to look at the mailboxes with a mail client.
func (h *house) invite(s *screen) {
	s.say(models.Say("demo.connect"))
	for _, x := range []struct{ key, addr string }{{"demo.connect_imap", h.imap.Addr()}, {"demo.connect_smtp", h.smtp.Addr}} {
		host, port, err := net.SplitHostPort(x.addr)
		if err != nil {
			continue
		}
		s.say(models.Phrase{ID: x.key, Args: map[string]any{"Host": host, "Port": port}})
	}
	for _, m := range h.day.Managers {
		s.say(models.Say("demo.connect_user", "User", h.day.address(m.Key), "Password", password))
	}
	s.line("")
}

// deliver brings a letter in from outside, by SMTP.
func (h *house) deliver(_ context.Context, from, to string, letter []byte) error {
	c, err := smtp.Dial(h.smtp.Addr)
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	defer func() { _ = c.Close() }()
	if err := errors.Join(c.Mail(from), c.Rcpt(to)); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if _, err := w.Write(letter); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	return nil
}

// send is what a manager's mail client does first: SMTP.
func (h *house) send(ctx context.Context, by string, l *letter) error {
	return h.deliver(ctx, h.day.address(by), l.to.Address, l.bytes())
}

// saveSent is what it does then: mark the original as answered, if it lies here, and save the answer in Sent.
func (h *house) saveSent(by string, answer, original *letter, own bool) error {
	return h.as(by, func(c *imapclient.Client) error {
		if own {
			if err := mark(c, original.messageID, imap.FlagAnswered); err != nil {
				return err
			}
		}
		b := answer.bytes()
		cmd := c.Append(folderNames[models.FolderSent], int64(len(b)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}, Time: answer.sent})
		if _, err := cmd.Write(b); err != nil {
			return fmt.Errorf("save in sent: %w", err)
		}
		if err := cmd.Close(); err != nil {
			return fmt.Errorf("save in sent: %w", err)
		}
		_, err := cmd.Wait()
		return err
	})
}

// star marks a letter in the inbox as a person does.
func (h *house) star(by string, l *letter) error {
	return h.as(by, func(c *imapclient.Client) error { return mark(c, l.messageID, imap.FlagFlagged) })
}

func mark(c *imapclient.Client, messageID string, flag imap.Flag) error {
	uid, err := findIn(c, "INBOX", messageID)
	if err != nil || uid == 0 {
		return err
	}
	return c.Store(imap.UIDSetNum(uid), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}, nil).Close()
}

// move drags a letter to another folder, as a person does.
func (h *house) move(ctx context.Context, l *letter, to models.FolderRole) error {
	from, err := h.find(ctx, l)
	if err != nil {
		return err
	}
	return h.as(l.manager, func(c *imapclient.Client) error {
		uid, err := findIn(c, folderNames[from], l.messageID)
		if err != nil {
			return err
		}
		// The person's mail client, on a server known to have MOVE; the daemon moves through imapsync only.
		_, err = c.Move(imap.UIDSetNum(uid), folderNames[to]).Wait() //nolint:forbidigo // see above
		return err
	})
}

// find asks the mail server in which folder of its manager's mailbox a letter lies; "" when in none, or in several.
func (h *house) find(_ context.Context, l *letter) (models.FolderRole, error) {
	var found []models.FolderRole
	err := h.as(l.manager, func(c *imapclient.Client) error {
		for _, role := range []models.FolderRole{models.FolderInbox, models.FolderProcessed, models.FolderControl} {
			uid, err := findIn(c, folderNames[role], l.messageID)
			if err != nil {
				return err
			}
			if uid != 0 {
				found = append(found, role)
			}
		}
		return nil
	})
	if err != nil || len(found) != 1 {
		return "", err
	}
	return found[0], nil
}

// findIn opens a folder and returns the UID of the letter with the Message-ID; 0 when it is not there.
func findIn(c *imapclient.Client, folder, messageID string) (imap.UID, error) {
	if _, err := c.Select(folder, nil).Wait(); err != nil {
		return 0, fmt.Errorf("open %s: %w", folder, err)
	}
	criteria := &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Message-ID", Value: "<" + messageID + ">"}}}
	data, err := c.UIDSearch(criteria, nil).Wait()
	if err != nil {
		return 0, fmt.Errorf("search %s: %w", folder, err)
	}
	if uids := data.AllUIDs(); len(uids) > 0 {
		return uids[0], nil
	}
	return 0, nil
}

// as does something at a manager's mail client.
func (h *house) as(manager string, do func(*imapclient.Client) error) error {
	c, err := imapclient.DialInsecure(h.imap.Addr(), nil)
	if err != nil {
		return fmt.Errorf("mail client of %s: %w", manager, err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(h.day.address(manager), password).Wait(); err != nil {
		return fmt.Errorf("mail client of %s: %w", manager, err)
	}
	if err := do(c); err != nil {
		return fmt.Errorf("mail client of %s: %w", manager, err)
	}
	return nil
}
