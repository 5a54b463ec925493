package inbound

import (
	"slices"
	"strings"
	"time"
)

// SubjectWindow is how far back a letter that names no known letter may join a conversation by its base subject alone.
const SubjectWindow = 60 * 24 * time.Hour

// Threading says how Threads makes conversations.
type Threading int

// The ways of Threads.
const (
	// ByReferences follows References and In-Reply-To. A conversation that begins with an answer ("Re:") joins the newest one
	// with the same base subject that was alive within SubjectWindow before it. This is THREAD=REFERENCES of RFC 5256, but
	// for the step that gathers by subject: there letters join that are no answers, whatever time lies between.
	ByReferences Threading = iota
	// ByReferencesOnly follows References and In-Reply-To alone, as one must when the letters are of several clients.
	ByReferencesOnly
	// BySubject puts letters with the same base subject below the oldest of them: THREAD=ORDEREDSUBJECT of RFC 5256.
	BySubject
)

// Threaded is a letter as Threads needs it. A letter without ID continues others, but none can continue it.
type Threaded struct {
	ID         string   // Message-ID without angle brackets; of two letters with one ID the second counts as one without
	Print      string   // of two letters with one ID and one Print the second is a copy; "" when that cannot be told
	OtherIDs   []string // ids that it had before a relay gave it another one
	References []string // ids of the letters that it continues, oldest first, as Facts has them
	Subject    string   // decoded
	At         time.Time
}

// ThreadNode is a letter in its place in a conversation.
type ThreadNode struct {
	Letter int   // its place in the list given to Threads
	Parent int   // the place in the conversation of the letter it continues, always a smaller one; -1 when that is not known or not there
	Depth  int   // how many letters stand above it
	Copies []int // further copies of the letter
}

// Threads divides letters into conversations, see RFC 5256 section 3. Each is in the order of reading: a letter before those
// that continue it, these by date; conversations are in the order of the date of their first letter, letters of one date as
// they were given. Every letter is in one conversation, once, as a node or as a copy. A letter that others name but that is not there holds them
// together without a place of its own. References that go round in a circle are cut at the letter given last. The cost is
// that of sorting, whatever the references look like.
func Threads(letters []Threaded, how Threading) [][]ThreadNode {
	t := threader{letters: letters, byID: make(map[string]int, len(letters)), copies: map[int][]int{}, isCopy: make([]bool, len(letters))}
	if how == BySubject {
		return t.orderedSubject()
	}
	t.register()
	t.link()
	t.prune()
	roots := t.roots()
	if how == ByReferences {
		roots = t.gather(roots)
	}
	return t.read(roots)
}

// threader is the state of Threads. Containers are numbered: the letters as they were given, then those that are only named.
type threader struct {
	letters  []Threaded
	byID     map[string]int
	parent   []int   // of each container, -1 for none
	top      []int   // union-find: towards the root of the container's tree
	own      []bool  // its parent is what the letter itself says, or it says it has none but a circle
	children [][]int // filled by prune
	copies   map[int][]int
	isCopy   []bool
}

func (t *threader) container() int {
	t.parent, t.top, t.own = append(t.parent, -1), append(t.top, len(t.top)), append(t.own, false)
	return len(t.parent) - 1
}

// register gives every letter its container under its id, and under its other ids where no letter has them.
func (t *threader) register() {
	for i, l := range t.letters {
		t.container()
		first, taken := t.byID[l.ID]
		switch {
		case l.ID == "":
		case !taken:
			t.byID[l.ID] = i
		case l.Print != "" && l.Print == t.letters[first].Print:
			t.copies[first], t.isCopy[i] = append(t.copies[first], i), true
		}
	}
	for i, l := range t.letters {
		if t.isCopy[i] {
			i = t.byID[l.ID]
		}
		for _, id := range l.OtherIDs {
			if _, taken := t.byID[id]; id != "" && !taken {
				t.byID[id] = i
			}
		}
	}
}

func (t *threader) named(id string) int {
	c, ok := t.byID[id]
	if !ok {
		c = t.container()
		t.byID[id] = c
	}
	return c
}

// root finds the topmost container of a tree, shortening the way for the next time.
func (t *threader) root(c int) int {
	for t.top[c] != c {
		t.top[c] = t.top[t.top[c]]
		c = t.top[c]
	}
	return c
}

// put makes a container the child of another, unless it has a parent or that would be a circle.
func (t *threader) put(child, parent int) {
	if t.parent[child] >= 0 || t.root(parent) == child {
		return
	}
	t.parent[child], t.top[child] = parent, parent
}

// link joins letters to the last they name, then what else is named in the order in which it is named: what a letter says of
// itself counts more than what others say. See step 1 of THREAD=REFERENCES.
func (t *threader) link() {
	for i, l := range t.letters {
		if len(l.References) > 0 && !t.isCopy[i] {
			t.put(i, t.named(l.References[len(l.References)-1]))
			t.own[i] = true
		}
	}
	for _, l := range t.letters {
		before := -1
		for _, id := range l.References {
			c := t.named(id)
			if before >= 0 && before != c && !t.own[c] {
				t.put(c, before)
			}
			before = c
		}
	}
}

// prune takes containers without letters out of the chains: what stands below goes to what stands above. A root without a
// letter stays when it holds several together. See step 3.
func (t *threader) prune() {
	t.children = make([][]int, len(t.parent))
	up := append([]int(nil), t.parent...) // shortened on the way: chains of missing letters may be long and shared
	for c := range t.letters {
		if t.isCopy[c] {
			continue
		}
		p := t.parent[c]
		for t.missing(p) && up[p] >= 0 {
			if q := up[p]; t.missing(q) && up[q] >= 0 {
				up[p] = up[q]
			}
			p = up[p]
		}
		if t.parent[c] = p; p >= 0 {
			t.children[p] = append(t.children[p], c)
		}
	}
}

func (t *threader) missing(c int) bool { return c >= len(t.letters) }

// roots returns the roots by date.
func (t *threader) roots() []int {
	var roots []int
	for c := range t.parent {
		switch {
		case t.parent[c] >= 0, !t.missing(c) && t.isCopy[c]:
		case !t.missing(c):
			roots = append(roots, c)
		case len(t.children[c]) == 1:
			only := t.children[c][0]
			t.parent[only] = -1
			roots = append(roots, only)
		case len(t.children[c]) > 1:
			t.sort(t.children[c])
			roots = append(roots, c)
		}
	}
	t.sort(roots)
	return roots
}

// at returns the date of a container, which without a letter is that of its first child.
func (t *threader) at(c int) time.Time {
	if t.missing(c) {
		return t.at(t.children[c][0])
	}
	return t.letters[c].At
}

// place breaks ties of dates.
func (t *threader) place(c int) int {
	if t.missing(c) {
		return t.children[c][0]
	}
	return c
}

func (t *threader) sort(list []int) {
	slices.SortStableFunc(list, func(a, b int) int {
		if c := t.at(a).Compare(t.at(b)); c != 0 {
			return c
		}
		return t.place(a) - t.place(b)
	})
}

// bySubject is a conversation that later answers may join.
type bySubject struct {
	root   int // place in the list of roots
	newest time.Time
}

// gather joins conversations that begin with an answer to the newest with the same base subject. See step 5, and ByReferences
// for where this differs.
func (t *threader) gather(roots []int) []int {
	known := map[string]bySubject{}
	var out []int
	for _, c := range roots {
		subject := t.letters[t.place(c)].Subject
		base, newest := BaseSubject(subject), t.latest(c)
		if base == "" {
			out = append(out, c)
			continue
		}
		k, ok := known[base]
		if !ok || !IsReply(subject) || t.at(c).Sub(k.newest) > SubjectWindow {
			known[base] = bySubject{len(out), newest}
			out = append(out, c)
			continue
		}
		out[k.root] = t.join(out[k.root], c)
		if newest.After(k.newest) {
			k.newest = newest
		}
		known[base] = k
	}
	return out
}

// join puts a conversation below another, and returns the root of both. Two answers to a letter that is not there stand
// beside each other.
func (t *threader) join(root, c int) int {
	if !t.missing(root) && IsReply(t.letters[root].Subject) {
		both := t.container()
		t.children = append(t.children, []int{root})
		root = both
	}
	if t.missing(c) {
		t.children[root] = append(t.children[root], t.children[c]...)
	} else {
		t.children[root] = append(t.children[root], c)
	}
	return root
}

// latest returns the date of the newest letter of a tree.
func (t *threader) latest(root int) time.Time {
	var newest time.Time
	t.walk(root, func(c, _, _ int) int {
		if !t.missing(c) && t.letters[c].At.After(newest) {
			newest = t.letters[c].At
		}
		return 0
	})
	return newest
}

// walk calls f for a container and everything below, in the order of reading, with what f returned for the parent and with
// the depth. Chains may be as long as there are letters: it does not recurse.
func (t *threader) walk(root int, f func(c, parent, depth int) int) {
	type step struct{ c, parent, depth int }
	todo := []step{{root, -1, 0}}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		at, below := f(s.c, s.parent, s.depth), s.depth+1
		if t.missing(s.c) {
			below = s.depth
		}
		for i := len(t.children[s.c]) - 1; i >= 0; i-- {
			todo = append(todo, step{t.children[s.c][i], at, below})
		}
	}
}

// read writes the trees down.
func (t *threader) read(roots []int) [][]ThreadNode {
	out := make([][]ThreadNode, 0, len(roots))
	for _, list := range t.children {
		t.sort(list)
	}
	for _, root := range roots {
		var nodes []ThreadNode
		t.walk(root, func(c, parent, depth int) int {
			if t.missing(c) {
				return parent
			}
			nodes = append(nodes, ThreadNode{Letter: c, Parent: parent, Depth: depth, Copies: t.copies[c]})
			return len(nodes) - 1
		})
		out = append(out, nodes)
	}
	return out
}

// orderedSubject is THREAD=ORDEREDSUBJECT. See RFC 5256 section 3.
func (t *threader) orderedSubject() [][]ThreadNode {
	order, bases := make([]int, len(t.letters)), make([]string, len(t.letters))
	for i, l := range t.letters {
		order[i], bases[i] = i, BaseSubject(l.Subject)
	}
	byDate := func(a, b int) int { return t.letters[a].At.Compare(t.letters[b].At) }
	slices.SortStableFunc(order, func(a, b int) int {
		if c := strings.Compare(bases[a], bases[b]); c != 0 {
			return c
		}
		return byDate(a, b)
	})
	var out [][]ThreadNode
	for i, l := range order {
		if i == 0 || bases[l] != bases[order[i-1]] {
			out = append(out, []ThreadNode{{Letter: l, Parent: -1}})
			continue
		}
		last := len(out) - 1
		out[last] = append(out[last], ThreadNode{Letter: l, Parent: 0, Depth: 1})
	}
	slices.SortStableFunc(out, func(a, b []ThreadNode) int {
		if c := byDate(a[0].Letter, b[0].Letter); c != 0 {
			return c
		}
		return a[0].Letter - b[0].Letter
	})
	return out
}

// ThreadedOf reads of a letter's header what Threads needs. at stands for a Date that is missing or cannot be read. ok is
// false when the header has none of the fields that every letter has at least one of: then it is hardly a letter.
func ThreadedOf(header []byte, at time.Time) (l Threaded, ok bool) {
	r := reader{}
	r.h, _, _ = scanHeader(header)
	if v, ok := r.h.first("content-type"); ok {
		r.hint = parseMedia(v, "").params["charset"]
	}
	r.participants()
	r.subjectAndIDs()
	l = Threaded{ID: r.letter.MessageID, Subject: r.letter.Subject, At: at}
	l.References, l.OtherIDs = references(r.h, l.ID), otherIDs(r.h, l.ID)
	if v, has := r.h.first("date"); has {
		if date, readable := parseDate(v); readable {
			date = date.UTC()
			l.At, r.letter.Date = date, &date
		}
		l.Print = fingerprint(r.letter, string(v), "")
	}
	for _, name := range []string{"message-id", "from", "date", "subject", "to", "received", "mime-version"} {
		ok = ok || r.h.has(name)
	}
	return l, ok
}
