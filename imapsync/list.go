package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/text/unicode/norm"
)

// sameName compares folder names as servers and people mean them: INBOX without regard to case, all else by its letters,
// however they are composed. See RFC 9051 section 5.1.
func sameName(a, b string) bool {
	if strings.EqualFold(a, "INBOX") || strings.EqualFold(b, "INBOX") {
		return strings.EqualFold(a, b)
	}
	return norm.NFC.String(a) == norm.NFC.String(b)
}

// List returns all folders that can be selected.
func (c *Conn) List(ctx context.Context) ([]Listed, error) {
	if err := c.loadList(ctx); err != nil {
		return nil, err
	}
	list := make([]Listed, 0, len(c.all))
	for _, r := range c.all {
		if canSelect(r) {
			list = append(list, Listed{Name: r.name, Delimiter: r.delimiter, Attrs: slices.Clone(r.attrs)})
		}
	}
	return list, nil
}

func canSelect(r rawListed) bool {
	return !hasAttr(r.attrs, `\Noselect`) && !hasAttr(r.attrs, `\NonExistent`)
}

func hasAttr(attrs []string, want string) bool {
	return slices.ContainsFunc(attrs, func(a string) bool { return strings.EqualFold(a, want) })
}

// loadList asks for all folders. LIST becomes XLIST on its way where that is the only source of special uses. Lines that
// could not be read are in the log.
func (c *Conn) loadList(ctx context.Context) error {
	var o *imap.ListOptions
	if c.caps.SpecialUse {
		o = &imap.ListOptions{ReturnSpecialUse: true}
	}
	ans, err := c.listCommand(ctx, o)
	var refused *StatusError
	if errors.As(err, &refused) && o != nil {
		c.caps.SpecialUse = false
		ans, err = c.listCommand(ctx, nil)
	} else if errors.As(err, &refused) && c.link.dropXList() {
		ans, err = c.listCommand(ctx, nil)
	}
	if err != nil {
		return err
	}
	if ans.badNames > 0 {
		c.link.dialer.log.Warn("folders with unreadable names are left out", "count", ans.badNames)
	}
	c.all, c.listed = c.all[:0], true
	for _, r := range ans.lists {
		if hasAttr(r.attrs, `\Inbox`) { // XLIST names the inbox in the user's language
			r.name = "INBOX"
		}
		if r.name != "" && !slices.ContainsFunc(c.all, func(o rawListed) bool { return o.name == r.name }) {
			c.all = append(c.all, r)
		}
	}
	return nil
}

// dropXList makes LIST plain again; it reports whether it was not.
func (l *link) dropXList() bool {
	l.guard.mu.Lock()
	defer l.guard.mu.Unlock()
	was := l.guard.xlist
	l.guard.xlist = false
	return was
}

func (c *Conn) listCommand(ctx context.Context, o *imap.ListOptions) (*answers, error) {
	l := c.link
	ans := newAnswers(0, 0, nil)
	ans.listing = true
	return l.do(ctx, command{name: "LIST", budget: 32 << 20, ans: ans}, func() error {
		return l.client.List("", "*", o).Close()
	})
}

// Create makes a folder and its missing parents, and subscribes to them. The name may lack the prefix of the personal
// namespace (INBOX. on many servers); it is then put before it.
func (c *Conn) Create(ctx context.Context, name string) error {
	// A folder of an older list may be gone by now: that is why one is made.
	if err := c.loadList(ctx); err != nil {
		return err
	}
	prefix, delim, err := c.home(ctx)
	if err != nil {
		return err
	}
	name = resolve(name, prefix)
	from := len(prefix)
	for {
		end := len(name)
		if i := strings.Index(name[min(from, len(name)):], delim); delim != "" && i >= 0 {
			end = from + i
		}
		if part := name[:end]; part != "" {
			if err := c.createOne(ctx, part); err != nil {
				return err
			}
		}
		if end == len(name) {
			return nil
		}
		from = end + len(delim)
	}
}

// resolve puts the prefix of the personal namespace before a name that has none.
func resolve(name, prefix string) string {
	if prefix == "" || strings.EqualFold(name, "INBOX") || len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
		return name
	}
	return prefix + name
}

// createOne makes one folder unless it is there, and subscribes to it, since many mail clients show only such folders.
func (c *Conn) createOne(ctx context.Context, name string) error {
	there := func() bool {
		return slices.ContainsFunc(c.all, func(r rawListed) bool {
			return sameName(r.name, name) && !hasAttr(r.attrs, `\NonExistent`)
		})
	}
	if there() {
		return nil
	}
	l := c.link
	_, err := l.do(ctx, command{name: "CREATE"}, func() error { return l.client.Create(name, nil).Wait() })
	var refused *StatusError
	if errors.As(err, &refused) && refused.Code != "ALREADYEXISTS" {
		if err := c.loadList(ctx); err != nil { // some say NO without telling why when it exists
			return err
		}
		if !there() {
			return err
		}
	} else if err != nil && refused == nil {
		return err
	}
	c.all = append(c.all, rawListed{name: name})
	_, err = l.do(ctx, command{name: "SUBSCRIBE"}, func() error { return l.client.Subscribe(name).Wait() })
	if errors.As(err, &refused) {
		l.dialer.log.Info("imap folder cannot be subscribed to", "words", refused.Text)
		return nil
	}
	return err
}

// home returns prefix and delimiter of the personal namespace: as NAMESPACE tells, or else as the list shows.
func (c *Conn) home(ctx context.Context) (prefix, delim string, err error) {
	l := c.link
	if !c.spaceDone && l.guard.has("NAMESPACE") {
		ans, err := l.do(ctx, command{name: "NAMESPACE"}, func() error {
			_, err := l.client.Namespace().Wait()
			return err
		})
		var refused *StatusError
		if err != nil && !errors.As(err, &refused) {
			return "", "", err
		}
		if err == nil && len(ans.namespaces) > 0 {
			c.space = &ans.namespaces[0]
		}
	}
	c.spaceDone = true
	if !c.listed {
		if err := c.loadList(ctx); err != nil {
			return "", "", err
		}
	}
	list := make([]Listed, 0, len(c.all))
	for _, r := range c.all {
		list = append(list, Listed{Name: r.name, Delimiter: r.delimiter, Attrs: r.attrs})
	}
	prefix, delim = inferHome(list)
	if c.space != nil {
		prefix = c.space.prefix
		if c.space.delimiter != "" {
			delim = c.space.delimiter
		}
	}
	if strings.ContainsAny(prefix, "\r\n") {
		return "", "", fmt.Errorf("imap NAMESPACE: prefix %q cannot be used", prefix)
	}
	return prefix, delim, nil
}

// inferHome guesses prefix and delimiter from the folders: where everything lies below INBOX, INBOX is the prefix.
func inferHome(list []Listed) (prefix, delim string) {
	below, beside := 0, 0
	for _, f := range list {
		if delim == "" {
			delim = f.Delimiter
		}
		switch {
		case strings.EqualFold(f.Name, "INBOX"):
		case f.Delimiter != "" && len(f.Name) > 6 && strings.EqualFold(f.Name[:5], "INBOX") && f.Name[5:5+len(f.Delimiter)] == f.Delimiter:
			below++
		default:
			beside++
		}
	}
	if below > 0 && beside == 0 {
		prefix = "INBOX" + delim
	}
	return prefix, delim
}
