package imapsync

import (
	"bytes"
	"slices"
)

// maxHeard is how many folders a notice names before it says that anything may have changed.
const maxHeard = 1000

// tell adds to the notice that nobody has taken yet.
func (g *guard) tell(n Notice) {
	g.mu.Lock()
	g.notice.add(n)
	g.mu.Unlock()
	select {
	case g.poke <- struct{}{}:
	default:
	}
}

// take returns and clears the notice; ok is false when there is none.
func (g *guard) take() (n Notice, ok bool) {
	select {
	case <-g.poke:
	default:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n, g.notice = g.notice, Notice{}
	return n, n.any()
}

// forget clears what was told about the selected folder.
func (g *guard) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notice.New, g.notice.Gone, g.notice.Flags = false, false, false
	if !g.notice.any() {
		select {
		case <-g.poke:
		default:
		}
	}
}

// replace makes the announced command travel as another one. It is for commands that go-imap does not know: it waits for
// their tagged result as for that of its own, and their data is read by the guard anyway.
func (g *guard) replace(wire string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent.instead = wire
}

// add makes n tell what o tells as well.
func (n *Notice) add(o Notice) {
	n.New, n.Gone, n.Flags, n.All = n.New || o.New, n.Gone || o.Gone, n.Flags || o.Flags, n.All || o.All
	for _, name := range o.Folders {
		if len(n.Folders) >= maxHeard {
			n.All = true
		} else if !slices.Contains(n.Folders, name) {
			n.Folders = append(n.Folders, name)
		}
	}
}

// any reports whether the notice tells anything.
func (n Notice) any() bool { return n.New || n.Gone || n.Flags || n.All || len(n.Folders) > 0 }

// plainMetas reads the lines of a long list of UIDs and flags without an allocation for each: nearly all letters of a folder
// have one of a few sets of flags.
type plainMetas struct {
	accept func(uid uint32) bool
	alike  map[string][]string
}

// take reads what follows FETCH when it is nothing but UID, FLAGS and MODSEQ in their plainest form, in any order.
// Everything else is left to the patient reader.
func (p *plainMetas) take(line []byte) (m Meta, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("("))
	if !ok {
		return Meta{}, false
	}
	var uid uint32
	var flags []byte
	for first := true; ; first = false {
		var value []byte
		switch {
		case bytes.HasPrefix(rest, []byte("UID ")):
			n := 4
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			if n == 4 || n > 4+10 || uid != 0 {
				return Meta{}, false
			}
			v := uint64(0)
			for _, c := range rest[4:n] {
				v = v*10 + uint64(c-'0')
			}
			if v == 0 || v > 0xffffffff {
				return Meta{}, false
			}
			uid, rest = uint32(v), rest[n:]
		case bytes.HasPrefix(rest, []byte("FLAGS (")) && flags == nil:
			if value, rest, ok = bytes.Cut(rest[7:], []byte(")")); !ok || !plainFlags(value) {
				return Meta{}, false
			}
			flags = value[:len(value):len(value)]
			if flags == nil {
				flags = []byte{}
			}
		case bytes.HasPrefix(rest, []byte("MODSEQ (")):
			if value, rest, ok = bytes.Cut(rest[8:], []byte(")")); !ok || bytes.ContainsAny(value, `({"`) {
				return Meta{}, false
			}
		default:
			return Meta{}, false
		}
		if len(rest) == 1 && rest[0] == ')' {
			break
		}
		if len(rest) == 0 || rest[0] != ' ' || (first && len(rest) < 2) {
			return Meta{}, false
		}
		rest = rest[1:]
	}
	if uid == 0 || flags == nil || !p.accept(uid) {
		return Meta{}, false
	}
	return Meta{UID: uid, Flags: p.set(flags)}, true
}

// plainFlags reports whether the flags are atoms of ASCII letters and hold nothing that needs a closer look.
func plainFlags(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7f || c == '(' || c == '{' || c == '"' {
			return false
		}
	}
	return true
}

// set returns the set of flags, the same one for the same text.
func (p *plainMetas) set(text []byte) []string {
	known, ok := p.alike[string(text)]
	if !ok {
		var words []string
		for _, w := range bytes.Fields(text) {
			words = append(words, string(w))
		}
		known = cleanFlags(words)
		if len(p.alike) < 1000 {
			p.alike[string(text)] = known
		}
	}
	return known
}
