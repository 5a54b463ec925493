package imapsync

import (
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"slices"
	"strings"
	"unicode/utf16"
)

// Statuses asks about several folders, with one LIST where the server can (RFC 5819), and with STATUS where it cannot or
// where LIST says nothing of a folder: many STATUS at once where the server can take them.
func (c *Conn) Statuses(ctx context.Context, names []string) (map[string]Selected, error) {
	found := make(map[string]Selected, len(names))
	if c.caps.ListStatus && len(names) > 1 {
		err := c.listStatus(ctx, names, found)
		var refused *StatusError
		if errors.As(err, &refused) {
			c.caps.ListStatus = false
			c.link.dialer.log.Info("imap server refuses LIST with STATUS, asking for each folder", "words", refused.Text)
		} else if err != nil {
			return nil, err
		}
	}
	denied := make(map[string]bool)
	unknown := func(name string) bool { _, ok := found[name]; return !ok && !denied[name] }
	rest := slices.Collect(filtered(names, unknown))
	for part := range slices.Chunk(rest, c.link.permit.mostTogether()) {
		if len(part) < 2 || !c.pipelines() {
			break
		}
		if err := c.statusesTogether(ctx, part, found, denied); err != nil {
			return nil, err
		}
	}
	for name := range filtered(rest, unknown) {
		s, err := c.Status(ctx, name)
		if refused(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[name] = s
	}
	return found, nil
}

// listStatus asks about all the folders with one command.
func (c *Conn) listStatus(ctx context.Context, names []string, found map[string]Selected) error {
	ans := newAnswers(0, 0, nil)
	ans.asking = true
	wire := `LIST "" ` + wireNames(names) + ` RETURN (STATUS (` + c.statusItems() + `))`
	ans, err := c.link.raw(ctx, command{wire: wire, ans: ans})
	if err != nil {
		return err
	}
	ans.found(names, found)
	return nil
}

// statusItems is what is asked of a folder that is not selected.
func (c *Conn) statusItems() string {
	if c.caps.CondStore {
		return "MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ"
	}
	return "MESSAGES UIDNEXT UIDVALIDITY"
}

// found takes the numbers of the named folders from STATUS lines.
func (a *answers) found(names []string, found map[string]Selected) {
	for _, s := range a.statuses {
		i := slices.IndexFunc(names, func(n string) bool { return sameName(n, s.name) })
		if i < 0 || s.uidNext == 0 { // without UIDNEXT it is not an answer to what was asked
			continue
		}
		found[names[i]] = Selected{UIDValidity: max(s.uidValidity, 1), UIDNext: s.uidNext, Messages: s.messages, ModSeq: s.modSeq}
	}
}

// filtered goes through the names that which accepts at that moment.
func filtered(names []string, which func(string) bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, n := range names {
			if which(n) && !yield(n) {
				return
			}
		}
	}
}

// Notify asks the server to tell of changes in other folders. See RFC 5465 section 3.1.
func (c *Conn) Notify(ctx context.Context, names []string) (bool, error) {
	l := c.link
	if len(names) == 0 || !l.guard.has("NOTIFY") || !c.caps.Idle {
		return false, nil
	}
	events := "(MessageNew MessageExpunge"
	if c.caps.CondStore {
		events += " FlagChange" // tells HIGHESTMODSEQ, so it needs CONDSTORE
	}
	events += ")"
	// All personal folders, because Dovecot 2.3 takes names for UTF-8 and never finds those in Cyrillic. With STATUS it tells
	// at once how the folders are, so that nothing can happen between the last look and the first notice.
	l.guard.listenTo(true)
	wire := "NOTIFY SET STATUS (selected (MessageNew MessageExpunge FlagChange)) (personal " + events + ")"
	_, err := l.raw(ctx, command{wire: wire})
	if err == nil {
		return true, nil
	}
	l.guard.listenTo(false)
	var refused *StatusError
	if errors.As(err, &refused) {
		l.dialer.log.Info("imap server refuses NOTIFY, polling instead", "words", refused.Text)
		return false, nil
	}
	return false, err
}

// listenTo makes STATUS lines that nobody asked for notices, or ends that.
func (g *guard) listenTo(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notify = on
}

// wireNames writes folder names as a list in parentheses.
func wireNames(names []string) string {
	quoted := make([]string, 0, len(names))
	for _, n := range names {
		quoted = append(quoted, wireName(n))
	}
	return "(" + strings.Join(quoted, " ") + ")"
}

// wireName writes a folder name in quotes.
func wireName(n string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(encodeName(n)) + `"`
}

// encodeName encodes a folder name in modified UTF-7. See RFC 3501 section 5.1.3.
func encodeName(name string) string {
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		units := utf16.Encode(run)
		raw := make([]byte, 0, 2*len(units))
		for _, u := range units {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + base64.NewEncoding(nameAlphabet).WithPadding(base64.NoPadding).EncodeToString(raw) + "-")
		run = run[:0]
	}
	for _, r := range name {
		if r < ' ' || r > '~' {
			run = append(run, r)
			continue
		}
		flush()
		if r == '&' {
			b.WriteString("&-")
		} else {
			b.WriteRune(r)
		}
	}
	flush()
	return b.String()
}
