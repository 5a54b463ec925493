package imaptest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// memorySession adds to the backend's session what it lacks: special uses, UIDVALIDITY values that differ from run to
// run, and a MOVE that survives a letter which is no longer there.
type memorySession struct {
	*imapmemserver.UserSession // nil before login
	server                     *Memory
	u                          *memoryUser
}

var _ imapserver.SessionIMAP4rev2 = (*memorySession)(nil)

func (s *memorySession) Close() error {
	if s.UserSession == nil {
		return nil
	}
	return s.UserSession.Close()
}

func (s *memorySession) Login(username, password string) error {
	u := s.server.user(username)
	if u == nil || u.password != password {
		return imapserver.ErrAuthFailed
	}
	s.u, s.UserSession = u, imapmemserver.NewUserSession(u.User)
	return nil
}

func (s *memorySession) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	d, err := s.UserSession.Select(name, options)
	if err != nil {
		return nil, err
	}
	d.UIDValidity += s.server.options.Epoch
	return d, nil
}

func (s *memorySession) Status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	d, err := s.UserSession.Status(name, options)
	if err != nil {
		return nil, err
	}
	if options.UIDValidity {
		d.UIDValidity += s.server.options.Epoch
	}
	return d, nil
}

func (s *memorySession) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	d, err := s.UserSession.Append(name, r, options)
	if err != nil {
		return nil, err
	}
	d.UIDValidity += s.server.options.Epoch
	return d, nil
}

func (s *memorySession) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	d, err := s.UserSession.Copy(set, dest)
	if err != nil {
		return nil, err
	}
	if len(d.SourceUIDs) == 0 {
		return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "No such message"}
	}
	d.UIDValidity += s.server.options.Epoch
	return d, nil
}

// Move copies, marks and expunges exactly the letters that were copied.
func (s *memorySession) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	d, err := s.Copy(set, dest)
	var refused *imap.Error
	if errors.As(err, &refused) && refused.Code == "" {
		return nil // nothing to move: OK without COPYUID, as real servers say
	}
	if err != nil {
		return err
	}
	from := d.SourceUIDs
	if err := w.WriteCopyData(d); err != nil {
		return err
	}
	flags := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := s.Store(nil, from, flags, &imap.StoreOptions{}); err != nil {
		return err
	}
	return s.Expunge(nil, &from)
}

// Idle tells of changes, also of those that came between the last command and IDLE, which the backend would keep back.
func (s *memorySession) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-stop:
			return nil
		}
	}
}

func (s *memorySession) Create(name string, options *imap.CreateOptions) error {
	if err := s.UserSession.Create(name, options); err != nil {
		return err
	}
	s.u.note(func() { s.u.names[strings.TrimRight(name, "/")] = true })
	return nil
}

func (s *memorySession) Delete(name string) error {
	if err := s.UserSession.Delete(name); err != nil {
		return err
	}
	s.u.note(func() { delete(s.u.names, name); delete(s.u.subs, name) })
	return nil
}

func (s *memorySession) Rename(from, to string, options *imap.RenameOptions) error {
	if err := s.UserSession.Rename(from, to, options); err != nil {
		return err
	}
	s.u.note(func() { delete(s.u.names, from); s.u.names[strings.TrimRight(to, "/")] = true })
	return nil
}

func (s *memorySession) Subscribe(name string) error {
	if err := s.UserSession.Subscribe(name); err != nil {
		return err
	}
	s.u.note(func() { s.u.subs[name] = true })
	return nil
}

func (s *memorySession) Unsubscribe(name string) error {
	if err := s.UserSession.Unsubscribe(name); err != nil {
		return err
	}
	s.u.note(func() { delete(s.u.subs, name) })
	return nil
}

func (u *memoryUser) note(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
}

// List shows the folders with their special uses.
func (s *memorySession) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	if len(patterns) == 0 {
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: '/'})
	}
	var names []string
	subs := map[string]bool{}
	s.u.note(func() { names, subs = slices.Sorted(maps.Keys(s.u.names)), maps.Clone(s.u.subs) })
	for _, name := range names {
		match := slices.ContainsFunc(patterns, func(p string) bool { return imapserver.MatchList(name, '/', ref, p) })
		use := s.server.options.Special[name]
		if !match || (o.SelectSubscribed && !subs[name]) || (o.SelectSpecialUse && use == "") {
			continue
		}
		d := &imap.ListData{Mailbox: name, Delim: '/'}
		if use != "" {
			d.Attrs = append(d.Attrs, imap.MailboxAttr(use))
		}
		if subs[name] && (o.SelectSubscribed || o.ReturnSubscribed) {
			d.Attrs = append(d.Attrs, imap.MailboxAttrSubscribed)
		}
		if o.ReturnStatus != nil {
			st, err := s.Status(name, o.ReturnStatus)
			if err != nil {
				return err
			}
			d.Status = st
		}
		if err := w.WriteList(d); err != nil {
			return err
		}
	}
	return nil
}
