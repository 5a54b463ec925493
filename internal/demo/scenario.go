// Package demo plays a made-up sales department's day against the real daemon, with a mail server of its own in the same
// process: IMAP and SMTP on loopback, SQLite in a temporary folder, nothing installed. It shows on the terminal what the
// daemon does, and checks at the end that every letter lies where the procedure says, by asking the mail server and not
// the daemon.
package demo

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"kontrol/models"
)

//go:embed day.toml
var dayFile []byte

// day is the script of the demo. See day.toml.
type day struct {
	Company  string
	Domain   string
	Managers []manager
	Clients  []client
	Steps    []step
}

type manager struct{ Key, Name string }

type client struct {
	Key, Name, INN, Contact, Email, Owner, Deal, Stage string
}

// step is one thing that happens at a time of the made-up day.
type step struct {
	At      string // wall clock of the made-up day, 09:02
	Do      string // what happens; see day.toml
	Key     string // names the letter for later steps
	Of, To  string // the letter (or manager) that the step is about
	By      string // the manager who acts
	From    string // a sender who is no client, or a manager for an internal letter
	Client  string
	Subject string
	Text    string
	Where   string // role of the folder a letter is moved to
	Note    string
	Expect  models.FolderRole // where the letter lies at the end of the day
}

func loadDay() (*day, error) {
	var d day
	if err := toml.Unmarshal(dayFile, &d); err != nil {
		return nil, fmt.Errorf("read the day: %w", err)
	}
	return &d, d.check()
}

// check makes sure that the script names only people, clients and letters that exist.
func (d *day) check() error {
	var errs []error
	letters := map[string]bool{}
	for i, s := range d.Steps {
		bad := func(what, v string) {
			errs = append(errs, fmt.Errorf("step %d (%s): unknown %s %q", i+1, s.Do, what, v))
		}
		if s.By != "" && d.manager(s.By) == nil {
			bad("manager", s.By)
		}
		if s.Client != "" && d.client(s.Client) == nil {
			bad("client", s.Client)
		}
		target := s.Of
		if s.Do == "answer" {
			target = s.To
		}
		if target != "" && !letters[target] {
			bad("letter", target)
		}
		if s.Key != "" {
			letters[s.Key] = true
		}
	}
	return errors.Join(errs...)
}

func (d *day) manager(key string) *manager {
	for i := range d.Managers {
		if d.Managers[i].Key == key {
			return &d.Managers[i]
		}
	}
	return nil
}

func (d *day) client(key string) *client {
	for i := range d.Clients {
		if d.Clients[i].Key == key {
			return &d.Clients[i]
		}
	}
	return nil
}

func (d *day) clientByAddress(address string) *client {
	for i := range d.Clients {
		if strings.EqualFold(d.Clients[i].Email, address) {
			return &d.Clients[i]
		}
	}
	return nil
}

// address is a manager's mailbox.
func (d *day) address(key string) string { return key + "@" + d.Domain }
