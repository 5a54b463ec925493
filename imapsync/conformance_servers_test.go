package imapsync

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"kontrol/internal/courier"
	"kontrol/internal/cyrus"
	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/internal/rawimap"
	"kontrol/internal/testcert"
	"kontrol/internal/unpacked"
)

// fleet holds the servers that cells share. Each is started when the first cell wants it.
type fleet struct {
	t        *testing.T
	mu       sync.Mutex
	dovecots map[string]func() (*dovecot.Server, error) // by their options, written out
	cyruses  map[cyrus.Options]func() (*cyrus.Server, error)
	couriers map[courier.Options]func() (*courier.Server, error)
	cert     func() (testcert.Cert, string, error)
}

// complete reports whether all servers are on this machine.
func (f *fleet) complete() bool {
	_, err := unpacked.Find()
	_, derr := f.dovecot(dovecot.Options{})
	return err == nil && derr == nil && os.Getenv("KONTROL_CELL") == ""
}

func (f *fleet) dovecot(o dovecot.Options) (*dovecot.Server, error) {
	f.mu.Lock()
	if f.dovecots == nil {
		f.dovecots = map[string]func() (*dovecot.Server, error){}
	}
	key := fmt.Sprintf("%+v", o)
	start := f.dovecots[key]
	if start == nil {
		start = sync.OnceValues(func() (*dovecot.Server, error) {
			s, err := dovecot.Start(f.t.Context(), o)
			if err == nil {
				f.t.Cleanup(s.Stop)
			}
			return s, err
		})
		f.dovecots[key] = start
	}
	f.mu.Unlock()
	return start()
}

func (f *fleet) cyrus(o cyrus.Options) (*cyrus.Server, error) {
	f.mu.Lock()
	if f.cyruses == nil {
		f.cyruses = map[cyrus.Options]func() (*cyrus.Server, error){}
	}
	start := f.cyruses[o]
	if start == nil {
		start = sync.OnceValues(func() (*cyrus.Server, error) {
			s, err := cyrus.Start(f.t.Context(), o)
			if err == nil {
				f.t.Cleanup(s.Stop)
			}
			return s, err
		})
		f.cyruses[o] = start
	}
	f.mu.Unlock()
	return start()
}

func (f *fleet) courier(o courier.Options) (*courier.Server, error) {
	f.mu.Lock()
	if f.couriers == nil {
		f.couriers = map[courier.Options]func() (*courier.Server, error){}
	}
	start := f.couriers[o]
	if start == nil {
		start = sync.OnceValues(func() (*courier.Server, error) {
			s, err := courier.Start(o)
			if err == nil {
				f.t.Cleanup(s.Stop)
			}
			return s, err
		})
		f.couriers[o] = start
	}
	f.mu.Unlock()
	return start()
}

// certificate is the one of the servers that live in this process.
func (f *fleet) certificate() (testcert.Cert, string, error) {
	f.mu.Lock()
	if f.cert == nil {
		dir := f.t.TempDir()
		var once sync.Once
		var cert testcert.Cert
		var err error
		file := filepath.Join(dir, "ca.pem")
		f.cert = func() (testcert.Cert, string, error) {
			once.Do(func() {
				if cert, err = testcert.New(); err == nil {
					err = os.WriteFile(file, cert.PEM, 0o600)
				}
			})
			return cert, file, err
		}
	}
	f.mu.Unlock()
	return f.cert()
}

// venues are the columns of the table.
func (f *fleet) venues() []*venue {
	list := []*venue{
		f.dovecotVenue("Dovecot", dovecot.Options{}),
		f.dovecotVenue("Dovecot INBOX.", dovecot.Options{Separator: ".", Prefix: "INBOX."}),
	}
	for _, hide := range []string{"MOVE", "UIDPLUS", "MOVE UIDPLUS", "CONDSTORE", "IDLE", "SPECIAL-USE", "LIST-STATUS"} {
		v := f.dovecotVenue("Dovecot −"+strings.ReplaceAll(hide, " ", " −"), dovecot.Options{})
		v.hide = strings.Fields(hide)
		v.polls = hide == "IDLE"
		if hide == "CONDSTORE" {
			v.hide = append(v.hide, "QRESYNC")
		}
		list = append(list, v)
	}
	list = append(list,
		f.cyrusVenue("Cyrus", cyrus.Options{}), f.cyrusVenue("Cyrus INBOX.", cyrus.Options{Separator: ".", Prefix: true}),
		f.courierVenue(), f.memoryVenue(),
	)
	return append(list,
		f.scriptVenue("Yandex", imaptest.Yandex()), f.scriptVenue("Mail.ru", imaptest.MailRu()),
		f.scriptVenue("Exchange", imaptest.Exchange()), f.scriptVenue("Microsoft 365", imaptest.Microsoft365()),
		f.scriptVenue("Zimbra", imaptest.Zimbra()), f.scriptVenue("CommuniGate", imaptest.CommuniGate()),
	)
}

func (f *fleet) dovecotVenue(name string, o dovecot.Options) *venue {
	open := func(c *cell, ho houseOptions) *house {
		opt, start := o, f.dovecot
		switch {
		case ho.small:
			opt.Quota = "30K"
		case ho.mortal:
			// Maildir leaves lock files behind when it is killed, and Dovecot waits two minutes before it breaks them.
			opt.Storage = "sdbox"
			start = func(o dovecot.Options) (*dovecot.Server, error) {
				if len(c.v.hide) > 0 {
					c.skip("the same server as Dovecot")
				}
				s, err := dovecot.Start(c.ctx, o)
				if err == nil {
					c.Cleanup(s.Stop)
				}
				return s, err
			}
		}
		s, err := start(opt)
		if errors.Is(err, dovecot.ErrMissing) {
			err = fmt.Errorf("%w: %w", unpacked.ErrMissing, err)
		}
		c.absent(err)
		return &house{
			addr: s.IMAPAddr, secureAddr: s.IMAPAddr, caFile: s.CAFile, user: c.name, password: s.Password,
			deliver: func(l []byte) error { return s.Deliver(c.ctx, c.name, l) },
			readOnly: func() error {
				r, err := rawimap.Dial(s.IMAPAddr, nil, c.name, s.Password)
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = r.Command("SETACL INBOX " + c.name + " lr")
				return err
			},
			kill: s.KillHard, restart: func() error { return s.Restart(c.ctx) },
		}
	}
	return &venue{name: name, open: open, version: func() string {
		s, err := f.dovecot(o)
		if err != nil {
			return ""
		}
		v, err := s.Version(context.Background())
		if err != nil {
			return err.Error()
		}
		return v
	}}
}

func (f *fleet) cyrusVenue(name string, o cyrus.Options) *venue {
	open := func(c *cell, ho houseOptions) *house {
		s, err := f.cyrus(o)
		if ho.mortal {
			s, err = cyrus.Start(c.ctx, o)
			if err == nil {
				c.Cleanup(s.Stop)
			}
		}
		c.absent(err)
		quota := 0
		if ho.small {
			quota = 30
		}
		c.check("make a user", s.AddUser(c.ctx, c.name, quota))
		return &house{
			addr: s.IMAPAddr, secureAddr: s.IMAPAddr, caFile: s.CAFile, user: c.name, password: s.Password,
			deliver: func(l []byte) error { return s.Deliver(c.ctx, c.name, l) },
			readOnly: func() error {
				return s.Admin(fmt.Sprintf(`SETACL "user%s%s" %s lr`, s.Delimiter(), c.name, c.name))
			},
			kill: s.KillHard, restart: func() error { return s.Restart(c.ctx) },
		}
	}
	return &venue{name: name, open: open, version: func() string {
		if s, err := f.cyrus(o); err == nil {
			return s.Version()
		}
		return ""
	}}
}

func (f *fleet) courierVenue() *venue {
	open := func(c *cell, ho houseOptions) *house {
		o := courier.Options{}
		if ho.small {
			o.Quota = 30 << 10
		}
		s, err := f.courier(o)
		if ho.mortal {
			s, err = courier.Start(o)
			if err == nil {
				c.Cleanup(s.Stop)
			}
		}
		c.absent(err)
		return &house{
			addr: s.IMAPAddr, secureAddr: s.IMAPAddr, caFile: s.CAFile, user: c.name, password: s.Password,
			readOnly: func() error {
				r, err := rawimap.Dial(s.IMAPAddr, nil, c.name, s.Password)
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = r.Command("SETACL INBOX owner lra")
				return err
			},
			kill: s.KillHard, restart: func() error { return s.Restart(c.ctx) },
		}
	}
	return &venue{name: "Courier", open: open, version: func() string {
		if s, err := f.courier(courier.Options{}); err == nil {
			return s.Version()
		}
		return ""
	}}
}

func (f *fleet) memoryVenue() *venue {
	open := func(c *cell, ho houseOptions) *house {
		switch {
		case ho.small:
			c.skip("it knows no limits")
		case ho.mortal:
			c.skip("it lives in the process of the test; see the outage")
		}
		m := imaptest.NewMemory(c, imaptest.MemoryOptions{Users: map[string]string{c.name: "pass"}})
		return &house{addr: m.Addr(), user: c.name, password: "pass"}
	}
	return &venue{name: "memory", open: open, version: func() string { return "go-imap v2.0.0-beta.8" }}
}

func (f *fleet) scriptVenue(name string, p imaptest.Profile) *venue {
	open := func(c *cell, ho houseOptions) *house {
		if ho.mortal {
			c.skip("it lives in the process of the test; see the outage")
		}
		cert, file, err := f.certificate()
		c.check("certificate", err)
		pair, err := tls.X509KeyPair(cert.PEM, cert.Key)
		c.check("certificate", err)
		own := p
		own.Username, own.Password = c.name, "pass"
		own.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		own.Caps += " STARTTLS"
		s := imaptest.NewScript(c, own)
		return &house{
			addr: s.Addr(), secureAddr: s.Addr(), caFile: file, user: c.name, password: "pass",
			fill:     func() error { s.SetFull(defaultControl, true); return nil },
			readOnly: func() error { s.SetReadOnly("INBOX"); return nil },
			subscribed: func() ([]string, error) {
				_, subs := s.Folders()
				return subs, nil
			},
		}
	}
	return &venue{name: name, open: open, polls: p.IdleBad || !slices.Contains(strings.Fields(p.Caps), "IDLE"), version: func() string { return "scripted" }}
}
