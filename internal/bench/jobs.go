package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kontrol/internal/bench/letters"
)

// job is a name and what it does.
type job struct {
	name string
	do   func(context.Context, *world) ([]table, error)
}

func jobs() []job {
	return []job{
		{"first-sync", firstSync}, {"first-sync-all", firstSyncAll}, {"copy", copyJob}, {"triage", triage}, {"delta", delta},
		{"arrival", arrival}, {"storm", storm}, {"idle", idle}, {"scale", scale},
	}
}

func jobNames() []string {
	var names []string
	for _, j := range jobs() {
		names = append(names, j.name)
	}
	return names
}

// measureAll does the jobs that were asked for. What was measured before an error is returned with it.
func measureAll(ctx context.Context, s settings) ([]table, error) {
	for _, n := range s.jobs {
		if !slices.Contains(jobNames(), n) {
			return nil, fmt.Errorf("no job %q; there are %s", n, strings.Join(jobNames(), " "))
		}
	}
	defer s.moreWatches()()
	w, err := newWorld(ctx, s)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var out []table
	for _, j := range jobs() {
		if len(s.jobs) > 0 && !slices.Contains(s.jobs, j.name) {
			continue
		}
		s.logf("%s", j.name)
		begin := time.Now()
		tables, err := j.do(ctx, w)
		s.logf("  %s took %v", j.name, time.Since(begin).Round(100*time.Millisecond))
		out = append(out, tables...)
		if err != nil {
			return out, fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return out, nil
}

// mailbox makes one of n letters, once. Of Mixed letters half match a rule; those that match one for threads make threads
// of hundreds, so only the triage has them.
func (w *world) mailbox(ctx context.Context, n, rule int) (order, string, error) {
	user := fmt.Sprintf("main%d", n)
	if rule == letters.Mixed {
		user = fmt.Sprintf("mixed%d", n)
	}
	o := order{Letters: n, Want: n}
	uids := w.maker.UIDs(n)
	o.LastUID = uids[n-1]
	if !w.have(user, "warm") {
		w.logf("  making %d letters", n)
		f, err := w.fill(ctx, contents{user: user, box: 1, letters: n, rule: rule})
		if err != nil {
			return o, user, fmt.Errorf("make letters: %w", err)
		}
		w.logf("  %d letters, %.1f MB", f.Letters, float64(f.Octets)/1e6)
	}
	return o, user, nil
}

// asked makes a side of the raw client.
func asked(name string, commands ...string) side {
	return side{name: name, order: func(o *order) { o.Do, o.Commands = "raw", commands }}
}

func saw(_ *world, o order, out outcome) error {
	if out.Count != o.Want {
		return fmt.Errorf("%d letters were seen, want %d", out.Count, o.Want)
	}
	return nil
}

func goimapSide(do string, tuned bool) side {
	name := "go-imap"
	if tuned {
		name += " tuned"
	}
	return side{name: name, order: func(o *order) { o.Do, o.Tuned = do, tuned }, check: saw}
}

// firstSync fetches and parses every letter, and keeps nothing.
func firstSync(ctx context.Context, w *world) ([]table, error) {
	o, user, err := w.mailbox(ctx, w.letters, letters.NoRule)
	if err != nil {
		return nil, err
	}
	mine := func(name, against string, text int) side {
		return side{name: name, against: against, order: func(o *order) { o.Do, o.Text = "fetch", text }, check: saw}
	}
	goimap, tuned := goimapSide("goimap-fetch", false), goimapSide("goimap-fetch", true)
	const envelopes, heads = "raw, envelopes", "raw, headers"
	goimap.against, tuned.against = envelopes, envelopes
	list, err := w.measure(ctx, timedJob{user: user, snap: "warm", base: o, sides: []side{
		asked("raw, letters", "EXAMINE INBOX", "UID FETCH 1:* "+itemsLetters),
		asked(heads, "EXAMINE INBOX", "UID FETCH 1:* "+itemsHeaders),
		asked(envelopes, "EXAMINE INBOX", "UID FETCH 1:* "+itemsEnvelope),
		mine("kontrol", "", 64<<10), mine("kontrol, headers only", heads, 0),
		goimap, tuned,
		{name: "imapflow", against: envelopes, program: nodeProgram, command: imapflow("fetch")},
		{name: "imapfilter", against: envelopes, program: "imapfilter", command: imapfilter("fetch", false), once: true},
	}})
	t := timedTable("first-sync", fmt.Sprintf("First sync, fetch and parse only, %d letters", w.letters), list)
	t.goal = "at most 2.3 times the raw drain of the same bytes"
	t.rateOf, t.unit = w.letters, "letters/s"
	return []table{t}, err
}

// firstSyncAll is the first sync with everything: read, stored, linked, decided.
func firstSyncAll(ctx context.Context, w *world) ([]table, error) {
	o, user, err := w.mailbox(ctx, w.letters, letters.NoRule)
	if err != nil {
		return nil, err
	}
	list, err := w.measure(ctx, timedJob{user: user, snap: "warm", base: o, sides: []side{
		asked("raw, whole letters", "EXAMINE INBOX", "UID FETCH 1:* "+itemsWhole),
		takeIn("kontrol, SQLite", "sqlite"), takeIn("kontrol, PostgreSQL", "postgres"),
		{name: "mbsync", program: "mbsync", command: mbsync, check: copied},
	}})
	t := timedTable("first-sync-all", fmt.Sprintf("First sync with everything, %d letters", w.letters), list)
	t.goal = "at least 5,000 letters/s into SQLite"
	t.rateOf, t.unit = w.letters, "letters/s"
	return []table{t}, err
}

func takeIn(name, database string) side {
	return side{name: name, order: func(o *order) { o.Do, o.Database = "take-in", database }, check: saw}
}

// copyJob is the same with fewer letters, for the programs that need minutes for all.
func copyJob(ctx context.Context, w *world) ([]table, error) {
	o, user, err := w.mailbox(ctx, w.small, letters.NoRule)
	if err != nil {
		return nil, err
	}
	list, err := w.measure(ctx, timedJob{user: user, snap: "warm", base: o, sides: []side{
		asked("raw, whole letters", "EXAMINE INBOX", "UID FETCH 1:* "+itemsWhole),
		takeIn("kontrol, SQLite", "sqlite"),
		{name: "mbsync", program: "mbsync", command: mbsync, check: copied},
		{name: "fdm", program: "fdm", command: fdm, check: copied},
		{name: "offlineimap", program: "offlineimap", command: offlineimap, check: copied, once: true},
		{name: "getmail", program: "getmail", command: getmail, check: copied, once: true, slow: true},
	}})
	t := timedTable("copy", fmt.Sprintf("The same with %d letters, beside programs that copy mail", w.small), list)
	t.rateOf, t.unit = w.small, "letters/s"
	return []table{t}, err
}

// scale shows how the first sync grows with the mailbox.
func scale(ctx context.Context, w *world) ([]table, error) {
	t := table{job: "scale", title: "First sync with everything, into SQLite", goal: "letters/s and memory do not depend on the size of the mailbox",
		head: []string{"letters", "median, s", "letters/s", "peak memory, MB", "CPU, s"}}
	for _, n := range w.scale {
		o, user, err := w.mailbox(ctx, n, letters.NoRule)
		if err != nil {
			return []table{t}, err
		}
		few := *w
		few.sides = nil
		if n > 50000 {
			few.rounds = 1
		}
		list, err := few.measure(ctx, timedJob{user: user, snap: "warm", base: o, sides: []side{takeIn("kontrol, SQLite", "sqlite")}})
		w.runs = few.runs
		if err != nil {
			return []table{t}, err
		}
		s := list[0]
		if len(s.runs) == 0 {
			t.notes = append(t.notes, fmt.Sprintf("%d letters: %s", n, s.why()))
			continue
		}
		m := s.median(seconds)
		t.rows = append(t.rows, []string{fmt.Sprint(n), secs(m), fmt.Sprintf("%.0f", float64(n)/m), mb(s.median(peak)), secs(s.median(cpu))})
		if n != w.letters {
			w.forget(user)
		}
	}
	return []table{t}, nil
}

// movePlan is what a triage has to move, by folder.
func (w *world) movePlan(n int) [2][]uint32 {
	var todo [2][]uint32
	for i, uid := range w.maker.UIDs(n) {
		if r := letters.RuleOf(i); r >= 0 {
			todo[r%2] = append(todo[r%2], uid)
		}
	}
	return todo
}

// triage evaluates thirty rules and moves half of the mailbox into two Cyrillic folders.
func triage(ctx context.Context, w *world) ([]table, error) {
	o, user, err := w.mailbox(ctx, w.letters, letters.Mixed)
	if err != nil {
		return nil, err
	}
	plan, folders := w.movePlan(w.letters), letters.WireFolders()
	commands := []string{"SELECT INBOX", "UID FETCH 1:* " + itemsEnvelope}
	for f, uids := range plan {
		commands = append(commands, "UID MOVE "+ranges(uids)+` "`+folders[f]+`"`)
	}
	moved := func(w *world, o order, _ outcome) error {
		want := map[string]int{"": w.letters - len(plan[0]) - len(plan[1]), folders[0]: len(plan[0]), folders[1]: len(plan[1])}
		got := map[string]int{}
		for f := range want {
			got[f] = w.count(o.User, f)
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("INBOX and the two folders hold %d, %d, %d letters, want %d, %d, %d",
				got[""], got[folders[0]], got[folders[1]], want[""], want[folders[0]], want[folders[1]])
		}
		return nil
	}
	sides := []side{
		asked("raw", commands...),
		{name: "kontrol", order: func(o *order) { o.Do, o.Database = "triage", "sqlite" }},
		goimapSide("goimap-triage", false), goimapSide("goimap-triage", true),
		{name: "imapflow", program: nodeProgram, command: imapflow("triage")},
		{name: "imapfilter, rules joined", program: "imapfilter", command: imapfilter("triage", true)},
		{name: "imapfilter", program: "imapfilter", command: imapfilter("triage", false)},
	}
	for i := range sides {
		sides[i].check = moved
	}
	list, err := w.measure(ctx, timedJob{user: user, snap: "warm", base: o, sides: sides})
	t := timedTable("triage", fmt.Sprintf("Triage: 30 rules, %d of %d letters moved to two folders, journaled", len(plan[0])+len(plan[1]), w.letters), list)
	t.goal = "at most 2.0 times raw"
	return []table{t}, err
}

// ranges writes a set of UIDs the short way. See RFC 9051 section 4.1.1.
func ranges(uids []uint32) string {
	var b strings.Builder
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, uids[i])
		if j > i {
			fmt.Fprintf(&b, ":%d", uids[j])
		}
		i = j + 1
	}
	return b.String()
}
