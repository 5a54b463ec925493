package inbound

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kontrol/models"
)

// letter makes a source out of header lines and a body.
func letter(body string, lines ...string) Source {
	h := strings.Join(lines, "\r\n") + "\r\n\r\n"
	return Source{Header: []byte(h), Text: []byte(body), Size: int64(len(h) + len(body))}
}

func mustRead(t *testing.T, src Source, own Own) Facts {
	t.Helper()
	f, err := Read(src, own)
	if err != nil {
		t.Fatalf("%q: %v", src.Header, err)
	}
	checkFacts(t, f)
	return f
}

func TestReadOrdinaryLetter(t *testing.T) {
	t.Parallel()
	arrived := time.Date(2026, 11, 1, 7, 0, 5, 0, time.UTC)
	src := letter("=?\r\nДобрый день!\r\n", "From: =?koi8-r?B?6dfBzg==?= <Ivan@Client.RU>", "To: sales@own.ru, b@own.ru", "Cc: c@client.ru", "Reply-To: ivan@client.ru",
		"Subject: Re: =?utf-8?B?0KHRh9GR0YI=?=", "Date: Sun, 1 Nov 2026 10:00:00 +0300", "Message-ID: <2@client.ru>", "In-Reply-To: <1@own.ru>", "References: <0@own.ru> <1@own.ru>",
		"X-Microsoft-Original-Message-ID: <orig@client.ru>")
	src.InternalDate = arrived
	f := mustRead(t, src, NewOwn(nil, []string{"own.ru"}))
	l := f.Letter
	for name, c := range map[string][2]any{
		"from": {l.FromAddress, "ivan@client.ru"}, "name": {l.FromName, "Иван"}, "to": {strings.Join(l.To, " "), "sales@own.ru b@own.ru"}, "cc": {strings.Join(l.Cc, " "), "c@client.ru"},
		"reply to": {strings.Join(l.ReplyTo, " "), "ivan@client.ru"}, "subject": {l.Subject, "Re: Счёт"}, "base": {l.BaseSubject, "счет"}, "id": {l.MessageID, "2@client.ru"},
		"references": {strings.Join(f.References, " "), "0@own.ru 1@own.ru"}, "other": {strings.Join(f.OtherIDs, " "), "orig@client.ru"}, "class": {l.Class, models.ClassPerson},
		"direction": {l.Direction, models.Inbound}, "arrived": {l.ArrivedAt, arrived}, "size": {l.Size, src.Size}, "text": {f.Text, "=?\nДобрый день!"},
		"date": {l.Date.Unix(), time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC).Unix()}, "problems": {len(l.Problems), 0},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got %v, want %v", name, c[0], c[1])
		}
	}
}

func TestReadNothing(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "\r\n", "\r\n\r\n", "X: 1\r\n\r\n", "Content-Type: text/plain\r\n\r\n  \r\n"} {
		if _, err := Read(sourceOf([]byte(s)), Own{}); !errors.Is(err, ErrNothing) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if f := mustRead(t, sourceOf([]byte("just a line without a header\r\n\r\nmore\r\n")), Own{}); len(f.Letter.Problems) == 0 || !strings.Contains(f.Text, "just a line") {
		t.Errorf("no header: %+v", f)
	}
}

func TestArrivedWithoutInternalDate(t *testing.T) {
	t.Parallel()
	f := mustRead(t, letter("", "Received: from a by b; Sun, 1 Nov 2026 10:00:01 +0000", "Received: from c by a; Sun, 1 Nov 2026 09:00:00 +0000", "From: a@b", "Date: Sun, 1 Nov 2026 08:00:00 +0000"), Own{})
	if got := f.Letter.ArrivedAt.Format(time.TimeOnly); got != "10:00:01" {
		t.Errorf("from Received: %s", got)
	}
	if f := mustRead(t, letter("", "From: a@b"), Own{}); !f.Letter.ArrivedAt.IsZero() {
		t.Errorf("from nothing: %v", f.Letter.ArrivedAt)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	const mixed = "Content-Type: multipart/mixed; boundary=z"
	for _, c := range []struct{ name, head, body, want string }{
		{"plain without a type", "X: 1", "Привет", "Привет"},
		{"declared koi8-r", "Content-Type: text/plain; charset=koi8-r", "\xf3\xde\xc5\xd4", "Счет"},
		{"undeclared cp1251", "Content-Type: text/plain", "\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3", "Счет на оплату"},
		{"base64", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: \"BASE64\"", "0KHR\r\nh9GR0YI=\r\n", "Счёт"},
		{"base64 cut", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", "0KHRh9GR0", "Счё"},
		{"quoted-printable", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable", "=D0=A1=\r\n=D1=87 =zz", "Сч =zz"},
		{"html", "Content-Type: text/html; charset=utf-8", "<html><head><title>t</title><style>p{}</style></head><body><p>Добрый&nbsp;день</p><p>a<br>b &lt;c&gt; &amp;lt;</p><script>x</script><ul><li>1<li>2</ul>", "Добрый день\n\na\nb <c> &lt;\n\n- 1\n- 2"},
		{"html with its own charset", "Content-Type: text/html", "<html><head><meta charset=\"koi8-r\"></head>\xf3\xde\xc5\xd4", "Счет"},
		{"alternative", "Content-Type: multipart/alternative; boundary=z", "--z\r\nContent-Type: text/plain\r\n\r\nplain\r\n--z\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--z--", "plain"},
		{"alternative, plain is empty", "Content-Type: multipart/alternative; boundary=z", "--z\r\nContent-Type: text/plain\r\n\r\n \r\n--z\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--z--", "html"},
		{"text round a picture", mixed, "--z\r\n\r\none\r\n--z\r\nContent-Type: image/png\r\n\r\nPNG\r\n--z\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--z--", "one\ntwo"},
		{"attachment is not read", mixed, "--z\r\n\r\none\r\n--z\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nsecret\r\n--z--", "one"},
		{"letter within is not read", mixed, "--z\r\n\r\none\r\n--z\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b\r\n\r\ninner\r\n--z--", "one"},
		{"not closed", mixed, "preamble\r\n--z\r\n\r\none", "one"},
		{"boundary not named", "Content-Type: multipart/mixed", "x\r\n--zz\r\nContent-Type: text/plain\r\n\r\none\r\n--zz--\r\n", "one"},
		{"boundary never comes", mixed, "no parts here", "no parts here"},
		{"similar boundary", mixed, "--zz\r\n\r\nno\r\n--z\r\n\r\none\r\n--zz\r\ntwo\r\n--z--", "one\n--zz\ntwo"},
		{"nested", mixed, "--z\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\nContent-Type: text/plain\r\n\r\ninner\r\n--y--\r\n--z--", "inner"},
		{"controls go", "X: 1", "a\x00b\x1b[1m\r\n\tc", "ab[1m\n\tc"},
		{"utf-16", "Content-Type: text/plain; charset=utf-16", "\xff\xfe\x21\x04\x47\x04", "Сч"},
	} {
		src := sourceOf([]byte("From: a@b\r\n" + c.head + "\r\n\r\n" + c.body))
		if f := mustRead(t, src, Own{}); f.Text != c.want {
			t.Errorf("%s: got %q, want %q", c.name, f.Text, c.want)
		}
	}
}

// TestBombs reads letters that are made to hurt: each must be done at once.
func TestBombs(t *testing.T) {
	t.Parallel()
	nested := "leaf"
	for i := range 3000 {
		nested = fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i) + nested
	}
	big := func(s string) string { return strings.Repeat(s, 250<<10/len(s)) }
	for name, raw := range map[string]string{
		"nesting":         "From: a@b\r\n" + nested,
		"one boundary":    "From: a@b\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n" + strings.Repeat("--z\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n", 20000),
		"many parts":      "From: a@b\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n" + strings.Repeat("--z\r\n\r\n", 200000),
		"words":           "From: a@b\r\nSubject: " + big("=?a?q?"),
		"words b":         "From: a@b\r\nSubject: " + big("=?a?q?") + " x",
		"words c":         "From: a@b\r\nSubject: " + big("=?u?q?a?=AA"),
		"quotes":          "From: a@b\r\nTo: " + big("\""),
		"quotes b":        "From: a@b\r\nTo: " + big("\"\\\""),
		"comments":        "From: a@b\r\nTo: " + big("("),
		"angles":          "From: a@b\r\nTo: " + big("<"),
		"routes":          "From: a@b\r\nTo: " + big("<@a,"),
		"colons":          "From: a@b\r\nTo: a" + big("x") + "@" + big(":"),
		"addresses":       "From: a@b\r\nTo: " + big("a@b,"),
		"ids":             "From: a@b\r\nReferences: " + big("<"),
		"ids b":           "From: a@b\r\nReferences: " + big("<a@b>"),
		"prefixes":        "From: a@b\r\nSubject: " + big("Re: [a] "),
		"brackets":        "From: a@b\r\nSubject: " + big("[1] "),
		"brackets b":      "From: a@b\r\nSubject: " + big("[fwd:"),
		"parameters":      "From: a@b\r\nContent-Type: a/b; " + big("x*0=\";"),
		"one line":        "From: a@b\r\nX: " + big("x") + big("y") + big("z"),
		"folds":           "From: a@b\r\nSubject: " + big("\r\n x"),
		"eight bits":      "From: a@b\r\nSubject: " + big("\xd1\xf7\x80"),
		"combining marks": "From: a@b\r\nSubject: a" + big("\u0301\u0316"),
		"tags":            "From: a@b\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("<p><div>", 200000),
		"open tag":        "From: a@b\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("<a ", 400000),
		"entities":        "From: a@b\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("&lt", 400000),
		"status":          "From: a@b\r\nContent-Type: message/delivery-status\r\n\r\n" + strings.Repeat("a:b\n\n", 200000),
		"dashes":          "From: a@b\r\nContent-Type: multipart/mixed; boundary=" + strings.Repeat("-", 70) + "\r\n\r\n" + big("-") + big("--\r\n"),
	} {
		start := time.Now()
		if _, err := Read(sourceOf([]byte(raw)), Own{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	base := []string{"From: Ivan <ivan@client.ru>", "To: sales@own.ru", "Subject: =?utf-8?B?0KHRh9GR0YI=?= one two", "Date: Sun, 1 Nov 2026 10:00:00 +0300"}
	id := "Message-ID: <1@client.ru>"
	with := func(extra ...string) []string { return append(append([]string(nil), base...), extra...) }
	swap := func(i int, line string, extra ...string) []string {
		c := with(extra...)
		c[i] = line
		return c
	}
	for _, c := range []struct {
		name         string
		lines        []string // of a letter with an id; the text is "body\r\n"
		body         string
		same, sameNo bool // same letter with an id; same letter without
	}{
		{"other trace fields", append([]string{"Received: from x by y; 1 Nov 2026", "Delivered-To: b@own.ru", "X-Spam: no", "Return-Path: <ivan@client.ru>"}, base...), "body\r\n", true, true},
		{"refolded", swap(2, "Subject: =?utf-8?B?0KHRh9GR0YI=?=\r\n one\r\n\ttwo"), "body\r\n", true, true},
		{"encoded otherwise", swap(2, "Subject: =?utf-8?Q?=D0=A1=D1=87?= =?utf-8?Q?=D1=91=D1=82_one?= two"), "body\r\n", true, true},
		{"date in another zone", swap(3, "Date: Sun, 1 Nov 2026 07:00:00 +0000 (UTC)"), "body\r\n", true, true},
		{"fields in another order", []string{base[3], base[2], base[1], base[0]}, "body\r\n", true, true},
		{"line ends and blanks of the body", with(), "body\n\n", true, true},
		{"another recipient", swap(1, "To: other@own.ru"), "body\r\n", true, false},
		{"another text", with(), "other\r\n", true, false},
		{"another subject", swap(2, "Subject: x"), "body\r\n", false, false},
		{"another date", swap(3, "Date: Sun, 1 Nov 2026 10:00:01 +0300"), "body\r\n", false, false},
		{"an unreadable date", swap(3, "Date: yesterday"), "body\r\n", false, false},
		{"another sender", swap(0, "From: petr@client.ru"), "body\r\n", false, false},
	} {
		want := mustRead(t, letter("body\r\n", with(id)...), Own{}).Letter.Fingerprint
		got := mustRead(t, letter(c.body, append(append([]string(nil), c.lines...), id)...), Own{}).Letter.Fingerprint
		if (got == want) != c.same {
			t.Errorf("%s, with an id: the same is %v", c.name, got == want)
		}
		want = mustRead(t, letter("body\r\n", with()...), Own{}).Letter.Fingerprint
		got = mustRead(t, letter(c.body, c.lines...), Own{}).Letter.Fingerprint
		if (got == want) != c.sameNo {
			t.Errorf("%s, without an id: the same is %v", c.name, got == want)
		}
	}
}

// TestFingerprintIsFrozen guards stored data: whoever changes what goes into a fingerprint must change its version and
// think of the letters that are stored already.
func TestFingerprintIsFrozen(t *testing.T) {
	t.Parallel()
	f := mustRead(t, letter("body", "From: a@b.ru", "To: c@d.ru", "Subject: x", "Date: Sun, 1 Nov 2026 10:00:00 +0300", "Message-ID: <1@b.ru>"), Own{})
	if want := "dd01c2cda564c2a52138491ab52b5b7857b3552e3c4a976a7c3c09d2b08e333a"; f.Letter.Fingerprint != want {
		t.Errorf("got %s", f.Letter.Fingerprint)
	}
}

func TestReadDoesNotChangeItsSource(t *testing.T) {
	t.Parallel()
	raw := []byte("From: a@b\r\nSubject: x\r\n y\r\n\r\n--\x00")
	src := sourceOf(raw)
	before := bytes.Clone(raw)
	mustRead(t, src, Own{})
	if !bytes.Equal(raw, before) {
		t.Error("changed")
	}
}

func BenchmarkRead(b *testing.B) {
	src := letter(strings.Repeat("Добрый день! Просим выставить счёт на оплату.\r\n", 80), "Received: from a by b; Sun, 1 Nov 2026 10:00:00 +0300", "From: =?utf-8?B?0JjQstCw0L0=?= <ivan@client.ru>",
		"To: sales@own.ru, b@own.ru", "Subject: Re: =?utf-8?B?0KHRh9GR0YI=?=", "Date: Sun, 1 Nov 2026 10:00:00 +0300", "Message-ID: <2@client.ru>", "References: <0@own.ru> <1@own.ru>",
		"Content-Type: text/plain; charset=utf-8")
	own := NewOwn(nil, []string{"own.ru"})
	b.SetBytes(src.Size)
	for b.Loop() {
		if _, err := Read(src, own); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}
