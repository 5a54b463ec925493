package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"kontrol/config"
	"kontrol/imapsync"
	"kontrol/models"
)

// Probed is what a look at one mailbox's server has shown.
type Probed struct {
	Address string
	Server  string // host and port
	Took    time.Duration
	Caps    imapsync.Caps
	Folders []ProbedFolder
	Notes   []string // English, for the administrator
	Err     error    // why the look failed; the rest may be empty then
}

// ProbedFolder is one of the four folders as the server has it.
type ProbedFolder struct {
	Role     models.FolderRole
	Name     string // "" when there is none yet: the daemon will make it
	Messages uint32
	ReadOnly bool // letters cannot be moved out of it
}

// probeWithin bounds the look at one mailbox.
const probeWithin = 45 * time.Second

// Probe logs in to a mailbox as the daemon would, looks at the server's abilities and folders, and changes nothing there. It
// never returns nil Folders when Err is nil.
func Probe(ctx context.Context, box config.Mailbox, logins *Logins, now func() time.Time, log *slog.Logger) Probed {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	begin := now()
	p := Probed{Address: box.Address, Server: box.Server.IMAP.Addr()}
	account := accountOf(box, box.Secret)
	account.Token = logins.Token(box)
	p.Err = p.look(ctx, imapsync.NewDialer(account, log, now), box)
	p.Took = now().Sub(begin)
	return p
}

func (p *Probed) look(ctx context.Context, d imapsync.Dialer, box config.Mailbox) error {
	s, err := d.Dial(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	p.Caps = s.Caps()
	found, notes, err := imapsync.LookUpFolders(ctx, s, namesOf(box))
	p.Notes = notes
	if err != nil {
		return err
	}
	for _, role := range []models.FolderRole{models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl} {
		pf := ProbedFolder{Role: role}
		if f, ok := found[role]; ok {
			pf.Name = f.Name
			// SELECT tells whether the folder can be written to; it changes nothing but \Recent.
			sel, err := s.Select(ctx, f.Name, false)
			if err != nil {
				return fmt.Errorf("open %s: %w", role, err)
			}
			pf.Messages, pf.ReadOnly = sel.Messages, sel.ReadOnly
		}
		p.Folders = append(p.Folders, pf)
	}
	return nil
}

func namesOf(box config.Mailbox) imapsync.Names {
	return imapsync.Names{Sent: box.Folders.Sent, Processed: box.Folders.Processed, Control: box.Folders.Control, Private: box.Folders.Private}
}

// accountOf is what the mailbox engine has to know of a mailbox's server and login.
func accountOf(box config.Mailbox, secret func(context.Context) (string, error)) imapsync.Account {
	return imapsync.Account{
		Address: box.Address, URL: imapURL(box.Server.IMAP), Username: box.Username, Secret: secret,
		CAFile: box.Server.CAFile, DisableExtensions: box.Server.DisableExtensions,
	}
}
