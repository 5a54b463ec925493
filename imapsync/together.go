package imapsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// This file sends several STATUS commands at once, where LIST cannot ask for all folders: the wait is then that of one. See
// RFC 9051 section 5.5.

// mostTogether is how many commands are sent at once; what they say must fit into the buffers of both sides.
const mostTogether = 32

// PIPELINING is no capability of IMAP, where it is a matter of course; Account.DisableExtensions takes the word for servers
// that cannot do it.
const pipelining = "PIPELINING"

// together follows commands that travel in one packet with the announced one, before it. Their results are not for go-imap.
type together struct {
	waiting map[string]int // tag → place in said
	said    []result       // of these commands
	held    []byte         // the announced command's result, when it came before all of theirs
}

// result is how the server has answered one command. Its zero value is that it has not.
type result struct {
	word string // OK, NO or BAD
	text statusText
}

// alongside makes commands travel before the announced one, whose results are in the answers in their order.
func (g *guard) alongside(commands []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent.before = commands
}

// withBeforeLocked puts the commands that are to travel before the announced one in front of it.
func (g *guard) withBeforeLocked(wire []byte) []byte {
	o := &g.sent
	if len(o.before) == 0 {
		return wire
	}
	o.all = together{waiting: make(map[string]int, len(o.before)), said: make([]result, len(o.before))}
	var b []byte
	for i, c := range o.before {
		tag := "S" + strconv.Itoa(i+1)
		o.all.waiting[tag] = i
		b = fmt.Appendf(b, "%s %s\r\n", tag, c)
		if g.log != nil {
			g.log.write("C:", tag+" "+c)
		}
	}
	o.before = nil
	return append(b, wire...)
}

// taggedTogether deals with a result while several commands are under way: with those that go-imap knows nothing of, and
// with go-imap's own when it has to wait for theirs. It returns the line that is to be dealt with now, and whether there is
// one.
func (g *guard) taggedTogether(tag string, rest []byte) (string, []byte, bool) {
	g.mu.Lock()
	all := &g.sent.all
	i, ours := all.waiting[tag]
	if !ours {
		defer g.mu.Unlock()
		if _, known := g.sent.pending[tag]; known && len(all.waiting) > 0 { // RFC 9051 section 5.5: in any order
			all.held = append([]byte(tag+" "), rest...)
			return "", nil, false
		}
		return tag, rest, true
	}
	word, after := cutWord(rest)
	delete(all.waiting, tag)
	all.said[i] = result{strings.ToUpper(word), readStatus(after)}
	said := all.said[i].text
	held := all.held
	if len(all.waiting) > 0 || held == nil {
		g.mu.Unlock()
		g.takeStatus(said)
		return "", nil, false
	}
	all.held = nil
	g.mu.Unlock()
	g.takeStatus(said)
	first, rest := cutWord(held)
	return first, rest, true
}

// statusesTogether asks for each folder with a STATUS of its own, all sent at once. What it has no answer for is not in
// found; denied are the folders that the server does not want to tell of. A server that cannot take several commands at
// once is not sent them again.
func (c *Conn) statusesTogether(ctx context.Context, names []string, found map[string]Selected, denied map[string]bool) error {
	l := c.link
	items := c.statusItems()
	commands := make([]string, 0, len(names))
	for _, n := range names {
		commands = append(commands, "STATUS "+wireName(n)+" ("+items+")")
	}
	last := len(commands) - 1
	ans := newAnswers(0, 0, nil)
	ans.asking = true
	ans, err := l.raw(ctx, command{wire: commands[last], before: commands[:last], ans: ans})
	var no *StatusError
	if err != nil && !errors.As(err, &no) {
		if ctx.Err() == nil {
			l.dialer.oneByOne.Store(true) // it may have been this
		}
		return err
	}
	ans.found(names, found)
	if len(ans.together) != last {
		return nil
	}
	results := append(ans.together, result{word: "OK"})
	if no != nil {
		results[last].word = map[bool]string{true: "BAD", false: "NO"}[no.Bad]
	}
	for i, r := range results {
		if _, ok := found[names[i]]; ok {
			continue
		}
		switch r.word {
		case "NO":
			denied[names[i]] = true
		case "OK":
		default:
			l.dialer.oneByOne.Store(true)
		}
	}
	if l.dialer.oneByOne.Load() {
		l.dialer.log.Info("imap server cannot take several commands at once, asking one by one")
	}
	return nil
}

// pipelines reports whether several commands may be sent at once.
func (c *Conn) pipelines() bool {
	d := c.link.dialer
	return !d.oneByOne.Load() && !d.hidden(c.link.place.host)(pipelining)
}
