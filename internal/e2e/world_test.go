package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/rawimap"
)

// managers are the users of the private server.
var managers = []string{"anna", "boris", "vera"}

const domain = "teplodom.example"

// unit is one conversation with one client, and what must have become of its letters in the end. The oracle is written
// down here by hand, apart from the rules package.
type unit struct {
	n       int
	kind    kind
	box     int // whose inbox
	letters []*sent
	answer  []byte // what is put into Sent; nil when nothing is
	by      int    // in whose Sent
	from    string
}

// sent is one letter of a client and where it has to be in the end.
type sent struct {
	id    string
	bytes []byte
	want  string // wire name of the folder
	flags string // flags that the manager's mail client has set, sorted
}

type kind int

const (
	unanswered kind = iota
	answered
	byColleague
	outstandingDeal
	starred
	followUp
	forwarded
	autoReply
	answeredFlagged
	stranger
	kinds
)

// folder names on the wire.
const (
	inbox = "INBOX"
	sentF = "Sent"
)

// newUnits makes n conversations, every kind among them, in a fixed order.
func newUnits(n int, prefix string) []*unit {
	list := make([]*unit, 0, n)
	for i := range n {
		u := &unit{n: i, kind: kind(i % int(kinds)), box: i % len(managers), by: i % len(managers)}
		u.from = fmt.Sprintf("zakaz@client%d.example", i)
		first := u.letter(prefix, 1, "", "")
		switch u.kind {
		case answered, stranger:
			first.want, u.answer = rawimap.Processed, u.reply(first)
		case byColleague:
			u.by = (u.box + 1) % len(managers)
			first.want, u.answer = rawimap.Processed, u.reply(first)
		case outstandingDeal:
			first.want, u.answer = rawimap.Control, u.reply(first)
		case starred:
			first.want, first.flags, u.answer = rawimap.Control, `\Flagged`, u.reply(first)
		case followUp:
			second := u.letter(prefix, 2, first.id, "")
			first.want, second.want, u.answer = rawimap.Processed, rawimap.Processed, u.reply(second)
		case forwarded:
			u.answer = u.forward(first)
		case autoReply:
			first.bytes = []byte("Auto-Submitted: auto-replied\r\n" + string(first.bytes))
		case answeredFlagged:
			first.want, first.flags, u.answer = rawimap.Processed, `\Answered`, u.reply(first)
		case unanswered, kinds:
		}
		list = append(list, u)
	}
	return list
}

func (u *unit) letter(prefix string, n int, inReplyTo, extra string) *sent {
	id := fmt.Sprintf("%s.%d.%d@client%d.example", prefix, u.n, n, u.n)
	subject := fmt.Sprintf("=?utf-8?B?0JfQsNGP0LLQutCw?= %d", u.n) // Заявка
	ref := ""
	if inReplyTo != "" {
		subject = "Re: " + subject
		ref = "In-Reply-To: <" + inReplyTo + ">\r\nReferences: <" + inReplyTo + ">\r\n"
	}
	s := &sent{id: id, want: inbox, bytes: fmt.Appendf(nil, "From: =?utf-8?B?0JjQstCw0L0=?= <%s>\r\nTo: %s@%s\r\n"+
		"Subject: %s\r\nDate: %s\r\nMessage-ID: <%s>\r\n%s%sMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Transfer-Encoding: 8bit\r\n\r\nДобрый день! Пришлите, пожалуйста, предложение № %d.\r\n",
		u.from, managers[u.box], domain, subject, date(u.n), id, ref, extra, u.n)}
	u.letters = append(u.letters, s)
	return s
}

func (u *unit) reply(to *sent) []byte {
	return fmt.Appendf(nil, "From: %s@%s\r\nTo: <%s>\r\nSubject: Re: =?utf-8?B?0JfQsNGP0LLQutCw?= %d\r\nDate: %s\r\n"+
		"Message-ID: <re.%s>\r\nIn-Reply-To: <%s>\r\nReferences: <%s>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\nЗдравствуйте! Предложение во вложении.\r\n",
		managers[u.by], domain, u.from, u.n, date(u.n), to.id, to.id, to.id)
}

func (u *unit) forward(to *sent) []byte {
	colleague := managers[(u.box+1)%len(managers)]
	return fmt.Appendf(nil, "From: %s@%s\r\nTo: %s@%s\r\nSubject: Fwd: =?utf-8?B?0JfQsNGP0LLQutCw?= %d\r\nDate: %s\r\n"+
		"Message-ID: <fwd.%s>\r\nReferences: <%s>\r\n\r\nПосмотри, пожалуйста.\r\n",
		managers[u.by], domain, colleague, domain, u.n, date(u.n), to.id, to.id)
}

func date(n int) string {
	return time.Now().Add(time.Duration(n) * time.Millisecond).Format(time.RFC1123Z)
}

// outside is a person at a mail client: one connection to each mailbox, shared with nothing.
type outside struct {
	t      *testing.T
	srv    *dovecot.Server
	prefix string // of all folders but INBOX
	box    []*rawimap.Client
}

// wire is the name of a folder as this server has it.
func (o *outside) wire(name string) string {
	if name == inbox {
		return name
	}
	return o.prefix + name
}

func newOutside(t *testing.T, srv *dovecot.Server) *outside {
	t.Helper()
	o := &outside{t: t, srv: srv}
	for _, m := range managers {
		c, err := rawimap.Dial(srv.IMAPSAddr, srv.TLS(), m, srv.Password)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		o.box = append(o.box, c)
	}
	return o
}

// arrive has the unit's letters delivered by LMTP, and marked as the manager's mail client would mark them.
func (o *outside) arrive(u *unit) {
	o.t.Helper()
	for _, l := range u.letters {
		if err := o.srv.Deliver(o.t.Context(), managers[u.box], l.bytes); err != nil {
			o.t.Fatalf("deliver %s: %v", l.id, err)
		}
	}
	for _, l := range u.letters {
		if l.flags == "" {
			continue
		}
		c := o.box[u.box]
		uids, err := c.Find(inbox, l.id)
		if err != nil || len(uids) != 1 {
			o.t.Fatalf("find %s: %v %v", l.id, uids, err)
		}
		if _, err := c.Command(fmt.Sprintf("UID STORE %d +FLAGS.SILENT (%s)", uids[0], l.flags)); err != nil {
			o.t.Fatalf("mark %s: %v", l.id, err)
		}
	}
}

// reply puts the unit's answer into Sent.
func (o *outside) reply(u *unit) {
	o.t.Helper()
	if u.answer == nil {
		return
	}
	if err := o.box[u.by].Append(o.wire(sentF), `\Seen`, u.answer); err != nil {
		o.t.Fatalf("append answer of unit %d: %v", u.n, err)
	}
}

// settled waits until every folder holds as many letters as it has to.
func (o *outside) settled(units []*unit, within time.Duration) {
	o.t.Helper()
	want := make([]map[string]int, len(managers))
	for i := range want {
		want[i] = map[string]int{inbox: 0, rawimap.Processed: 0, rawimap.Control: 0}
	}
	for _, u := range units {
		for _, l := range u.letters {
			want[u.box][l.want]++
		}
	}
	deadline := time.Now().Add(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		diff := o.difference(want)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			o.t.Errorf("not settled after %v: %s", within, diff)
			return
		}
		<-tick.C
	}
}

func (o *outside) difference(want []map[string]int) string {
	var diff []string
	for i, folders := range want {
		for name, n := range folders {
			got, err := o.box[i].Count(o.wire(name))
			if err != nil {
				o.t.Fatal(err)
			}
			if got != n {
				diff = append(diff, fmt.Sprintf("%s %s: %d, want %d", managers[i], name, got, n))
			}
		}
	}
	return strings.Join(diff, "; ")
}

// check looks at every folder: each letter exactly once, where it has to be, bytes and flags as they were.
func (o *outside) check(units []*unit) {
	o.t.Helper()
	type place struct {
		folder string
		letter rawimap.Letter
	}
	for i := range managers {
		found := map[string][]place{}
		total := 0
		for _, name := range []string{inbox, rawimap.Processed, rawimap.Control} {
			all, err := o.box[i].Look(o.wire(name))
			if err != nil {
				o.t.Fatalf("look at %s %s: %v", managers[i], name, err)
			}
			for _, l := range all {
				found[l.MessageID()] = append(found[l.MessageID()], place{name, l})
				total++
			}
		}
		expected := 0
		for _, u := range units {
			if u.box != i {
				continue
			}
			for _, l := range u.letters {
				expected++
				at := found[l.id]
				if len(at) != 1 {
					o.t.Errorf("unit %d kind %d: %s is in %d places", u.n, u.kind, l.id, len(at))
					continue
				}
				if at[0].folder != l.want {
					o.t.Errorf("unit %d kind %d: %s is in %s, want %s", u.n, u.kind, l.id, at[0].folder, l.want)
				}
				if !strings.HasSuffix(string(at[0].letter.Body), string(l.bytes)) {
					o.t.Errorf("%s: bytes changed", l.id)
				}
				if got := strings.Join(at[0].letter.Flags, " "); got != l.flags {
					o.t.Errorf("%s: flags %q, want %q", l.id, got, l.flags)
				}
			}
		}
		if total != expected {
			o.t.Errorf("%s holds %d letters, want %d", managers[i], total, expected)
		}
	}
}
