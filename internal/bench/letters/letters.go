// Package letters makes up the mail of a sales department for benchmarks: Cyrillic and Latin, several charsets, threads,
// HTML, attachments, two letters of a hundred broken in one way or another. The same seed gives the same letters on every
// machine. Half of 5 KB letters and now and then one of 200 KB is what real mailboxes look like.
package letters

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Letter is one letter. Raw has LF line ends, as a Maildir holds it.
type Letter struct {
	ID   string // Message-ID without angle brackets; "" when the letter is broken so that it has none
	From string // the sender's address
	Rule int    // index into Rules, -1 when none matches
	Date time.Time
	Raw  []byte
	info string // Maildir flags, in their order
}

// Maker makes letters. It is safe for concurrent use: a letter depends on the seed, the mailbox and its number only.
type Maker struct {
	seed        uint64
	attachments []byte // base64 lines to cut attachments from
}

// attachmentLines is how many lines of 76 characters an attachment is cut from.
const attachmentLines = 8192

// NewMaker returns a Maker.
func NewMaker(seed uint64) *Maker {
	r := random{seed ^ 0xa77ac4}
	raw := make([]byte, 57)
	var b bytes.Buffer
	for range attachmentLines {
		for i := range raw {
			raw[i] = byte(r.next())
		}
		b.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	}
	return &Maker{seed: seed, attachments: b.Bytes()}
}

// random is splitmix64: tiny, seedable, the same everywhere.
type random struct{ s uint64 }

func (r *random) next() uint64 {
	r.s += 0x9e3779b97f4a7c15
	z := r.s
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (r *random) n(n int) int               { return int(r.next() % uint64(n)) }
func (r *random) float() float64            { return float64(r.next()>>11) / (1 << 53) }
func (r *random) pick(list []string) string { return list[r.n(len(list))] }
func (r *random) normal() float64 {
	return math.Sqrt(-2*math.Log(1-r.float())) * math.Cos(2*math.Pi*r.float())
}

func (m *Maker) random(box, n int) *random {
	r := random{m.seed*0x2545f4914f6cdd1d + uint64(box)*0x9e3779b97f4a7c15 + uint64(n)*0xd1342543de82ef95}
	r.next()
	return &r
}

// threadSpan is how many letters in a row the threads of a mailbox run through; a thread takes every fourteenth of them.
const threadSpan = 60

func (m *Maker) thread(box, n int) int { return m.random(box, n^0x5a5a5a5a).n(14) }

func (m *Maker) id(box, n int) string {
	r := m.random(box, n^0x3c3c3c3c)
	return fmt.Sprintf("%x.%d.%d@%s", r.next()>>20, box, n, Domain(r.n(Domains)))
}

// Domains is how many companies write.
const Domains = 60

// Domain is the mail domain of company number n.
func Domain(n int) string { return fmt.Sprintf("corp%02d.example", n) }

// Wishes for the rule that a letter matches.
const (
	Mixed  = -2 // every second letter matches one
	NoRule = -1
)

// Address is the address of mailbox number box.
func Address(box int) string { return fmt.Sprintf("u%04d@%s", box, Company) }

// Company is the domain of the department whose mail this is.
const Company = "teplodom.example"

var epoch = time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)

// draft is a letter in the making.
type draft struct {
	*Letter
	*random
	m       *Maker
	box, n  int
	russian bool
	charset string
	name    string
	subject string
	refs    []string
	broken  breakage
	out     bytes.Buffer
}

// breakage is one way in which letters of the wild are broken.
type breakage int

const (
	sound breakage = iota
	unfinished
	wrongType
	longReferences
	nested // the ways up to here leave what the rules look at readable
	rawSubject
	noIdentity
	nonsenseHeaders
	breakages
)

// Letter makes letter number n of a mailbox. rule is the index of the rule that it must match, Mixed or NoRule.
func (m *Maker) Letter(box, n, rule int) Letter {
	d := &draft{Letter: &Letter{Rule: rule}, random: m.random(box, n), m: m, box: box, n: n}
	if rule == Mixed {
		d.Rule = RuleOf(n)
	}
	d.circumstances()
	d.applyRule()
	if d.n100() < 2 {
		d.broken = unfinished + breakage(d.random.n(int(breakages-unfinished)))
		if d.Rule >= 0 {
			d.broken = unfinished + breakage(d.random.n(int(nested-unfinished)+1))
		}
	}
	d.ID = m.id(box, n)
	d.trace()
	d.identity()
	d.addressees()
	d.rest()
	d.body()
	d.Raw = d.out.Bytes()
	return *d.Letter
}

// RuleOf is the rule that letter number n of a Mixed mailbox matches, or -1.
func RuleOf(n int) int {
	if n%2 != 0 {
		return NoRule
	}
	return int((uint64(n/2)*7 + 3) % uint64(len(Rules())))
}

func (d *draft) n100() int { return d.random.n(100) }

func (d *draft) circumstances() {
	d.Date = epoch.Add(time.Duration(d.n)*97*time.Second + time.Duration(d.random.n(60))*time.Second)
	if last := epoch.AddDate(0, 10, 0); d.Date.After(last) { // never in the future
		d.Date = last.Add(time.Duration(d.n%100000) * time.Second)
	}
	d.info = "S"
	switch k := d.n100(); {
	case k < 20:
		d.info = ""
	case k < 30:
		d.info = "RS"
	case k < 33:
		d.info = "FS"
	}
	d.russian = d.n100() < 55
	d.charset = d.pick([]string{"utf-8", "utf-8", "utf-8", "koi8-r", "windows-1251"})
	d.name = d.pick(latinNames)
	if d.russian {
		d.name = d.pick(russianNames)
	} else if !isASCII(d.name) {
		d.charset = "utf-8"
	}
	d.From = fmt.Sprintf("user%d@%s", d.random.n(15)+15*d.random.n(Domains), Domain(d.random.n(Domains)))
	d.subject = strings.TrimSpace(strings.ReplaceAll(prose(d.random, d.russian, 20+d.random.n(40)), "\n", " "))
	if cut := []rune(d.subject); len(cut) > 70 {
		d.subject = strings.TrimSpace(string(cut[:70]))
	}
	thread := d.m.thread(d.box, d.n)
	for k := d.n - d.n%threadSpan; k < d.n; k++ {
		if d.m.thread(d.box, k) == thread {
			d.refs = append(d.refs, d.m.id(d.box, k))
		}
	}
	d.refs = d.refs[max(0, len(d.refs)-8):]
}

func (d *draft) applyRule() {
	if d.Rule >= 0 {
		r := Rules()[d.Rule]
		switch r.Kind {
		case From:
			d.From = r.Value
		case FromDomain:
			d.From = fmt.Sprintf("sender%d@%s", d.random.n(50), r.Value)
		case Subject:
			d.subject = r.Value + " " + strconv.Itoa(d.random.n(100000))
		case Thread:
			d.refs = append([]string{r.Value}, d.refs...)
		}
	}
	if len(d.refs) > 0 && d.random.n(10) < 8 {
		d.subject = "Re: " + d.subject
	}
}

func (d *draft) printf(format string, args ...any) { fmt.Fprintf(&d.out, format, args...) }

func (d *draft) host() string { return d.From[strings.IndexByte(d.From, '@')+1:] }

// trace writes what relays leave behind: a good part of every header.
func (d *draft) trace() {
	host := d.host()
	for k := 2 + d.random.n(3); k > 0; k-- {
		d.printf("Received: from mx%d.%s (mx%d.%s [192.0.2.%d])\n\tby relay%d.example with ESMTPS id %x\n\tfor <%s>; %s\n",
			k, host, k, host, d.random.n(255), k, d.next()>>16, Address(d.box), d.Date.Format(time.RFC1123Z))
	}
	if d.random.n(3) > 0 {
		line := func() []byte { return d.m.attachments[77*d.random.n(attachmentLines):][:76] }
		d.printf("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=s1;\n\th=from:to:subject:date:message-id; bh=%s;\n\tb=%s\n\t %s\n",
			host, line()[:44], line(), line())
		d.printf("Authentication-Results: relay1.example; dkim=pass header.d=%s; spf=pass smtp.mailfrom=%s\n", host, d.From)
	}
}

func (d *draft) identity() {
	switch d.broken {
	case noIdentity:
		d.ID = ""
	case nonsenseHeaders:
		d.ID = ""
		d.printf("Date: Tuesday, 99 Foo 20250 25:61\nMessage-ID: no-brackets-here %d\nFrom: \"unterminated <x@y\nFrom: second@%s\n", d.n, d.host())
		return
	default:
		d.printf("Date: %s\nMessage-ID: <%s>\n", d.Date.Format(time.RFC1123Z), d.ID)
	}
	name := word(d.random, d.name, d.charset)
	if name == d.name {
		name = `"` + name + `"`
	}
	d.printf("From: %s <%s>\n", name, d.From)
}

func (d *draft) addressees() {
	d.printf("To: <%s>", Address(d.box))
	for k := d.random.n(4); k > 0; k-- {
		d.printf(",\n \"Recipient %d\" <to%d@%s>", k, d.random.n(100), Domain(d.random.n(Domains)))
	}
	d.out.WriteByte('\n')
	if d.random.n(5) == 0 {
		d.printf("Cc: %s <cc%d@%s>\n", word(d.random, d.pick(russianNames), d.charset), d.random.n(100), Domain(d.random.n(Domains)))
	}
}

func (d *draft) rest() {
	subject := word(d.random, d.subject, d.charset)
	if d.broken == rawSubject {
		subject = string(encode(d.subject, "koi8-r"))
	}
	d.printf("Subject: %s\n", subject)
	if d.broken == longReferences {
		for k := range 150 {
			d.refs = append(d.refs, fmt.Sprintf("long-%d-%d@%s", d.n, k, d.host()))
		}
		if d.Rule >= 0 && Rules()[d.Rule].Kind == Thread { // the newest hundred are all that a reader need keep
			d.refs = append(d.refs, Rules()[d.Rule].Value)
		}
	}
	if len(d.refs) > 0 {
		d.printf("In-Reply-To: <%s>\nReferences: <%s>\n", d.refs[len(d.refs)-1], strings.Join(d.refs, ">\n <"))
	}
	if d.random.n(4) == 0 {
		d.printf("X-Spam-Status: No, score=-%d.%d required=5.0\n\ttests=DKIM_SIGNED,DKIM_VALID,SPF_PASS\n", d.random.n(9), d.random.n(9))
	}
	d.printf("X-Mailer: made up\nMIME-Version: 1.0\n")
}

// Starred reports whether a person has starred the letter in the mailbox that Fill writes.
func (l Letter) Starred() bool { return strings.Contains(l.info, "F") }
