package inbound

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"ivan@x.ru", "<ivan@x.ru>"},
		{"Ivan Petrov <Ivan@X.RU>", "Ivan Petrov <ivan@x.ru>"},
		{`"Petrov, Ivan" <ivan@x.ru>, b@y.ru`, "Petrov, Ivan <ivan@x.ru>|<b@y.ru>"},
		{"=?utf-8?B?0JjQstCw0L0=?= <i@x.ru>", "Иван <i@x.ru>"},
		{`"=?utf-8?B?0JjQstCw0L0=?=" <i@x.ru>`, "Иван <i@x.ru>"},
		{"=?utf-8?Q?=D0=98,_?= =?utf-8?Q?=D0=9F?= <i@x.ru>", "И, П <i@x.ru>"},
		{"\xc8\xe2\xe0\xed\xee\xe2 \xcf\xe5\xf2\xf0 <i@x.ru>", "Иванов Петр <i@x.ru>"},
		{"i@x.ru (Ivan (the) Terrible)", "Ivan (the) Terrible <i@x.ru>"},
		{"undisclosed-recipients:;", ""},
		{"Team: a@b.ru, \"c\" <d@e.ru>;, z@z.ru", "<a@b.ru>|c <d@e.ru>|<z@z.ru>"},
		{"@a,@b:c@d.ru", "<c@d.ru>"},
		{"<@a,@b:c@d.ru>", "<c@d.ru>"},
		{"\"Ivan <i@x.ru>", "Ivan <i@x.ru>"},
		{"\"Ivan <i@x.ru>, \"Petr\" <p@x.ru>", "Ivan <i@x.ru>|Petr <p@x.ru>"},
		{"Ivan <i@x.ru", "Ivan <i@x.ru>"},
		{"Ivan i@x.ru", "Ivan <i@x.ru>"},
		{"<<i@x.ru>>", "<i@x.ru>"},
		{"i @ x.ru", "<i@x.ru>"},
		{"'i@x.ru'", "<i@x.ru>"},
		{"\"i@x.ru\" <>", "<i@x.ru>"},
		{"\"i@x.ru\" <i@x.ru>", "i@x.ru <i@x.ru>"},
		{"a@x.ru; b@x.ru", "<a@x.ru>|<b@x.ru>"},
		{"mailto:i@x.ru", "<i@x.ru>"},
		{"иван@пример.рф", "<иван@xn--e1afmkfd.xn--p1ai>"},
		{"i@ПРИМЕР.РФ.", "<i@xn--e1afmkfd.xn--p1ai>"},
		{"i@faß.de", "<i@xn--fa-hia.de>"},
		{`"ivan"@x.ru`, "<ivan@x.ru>"},
		{"MAILER-DAEMON (Mail Delivery System)", "Mail Delivery System <mailer-daemon>"},
		{"MAILER-DAEMON <>", ""},
		{"<>", ""},
		{",,,", ""},
		{"", ""},
		{"Иван Петров", ""},
		{"a@b@c.ru", "<a@b@c.ru>"},
		{"Ivan\u202e <i@x.ru>", "Ivan <i@x.ru>"},
		{"i@[127.0.0.1]", "<i@[127.0.0.1]>"},
	} {
		var got []string
		for _, m := range parseAddresses([]byte(c.in), "") {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s <%s>", m.name, m.address)))
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%q: got %q, want %q", c.in, s, c.want)
		}
	}
}

func TestOwn(t *testing.T) {
	t.Parallel()
	own := NewOwn([]string{"Sales@Romashka.RU", "", "ivan@gmail.com"}, []string{"пример.рф", "@romashka.su"})
	for a, want := range map[string]bool{
		"sales@romashka.ru": true, " <SALES@romashka.ru> ": true, "other@romashka.ru": false, "a@xn--e1afmkfd.xn--p1ai": true, "a@Пример.РФ": true,
		"x@romashka.su": true, "x@mail.romashka.su": false, "ivan+news@gmail.com": true, "petr+ivan@gmail.com": false, "": false, "@": false, "romashka.su": false,
	} {
		if got := own.Has(a); got != want {
			t.Errorf("%q: %v", a, got)
		}
	}
	if (Own{}).Has("a@b") {
		t.Error("the zero value owns something")
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		lone bool
		want string
	}{
		{"<a@b>", true, "a@b"},
		{" <A.b@C> ", true, "A.b@C"},
		{"a@b", true, "a@b"},
		{"no brackets at all", true, "nobracketsatall"},
		{"no brackets at all", false, ""},
		{"<a@b><c@d>,<e f>", false, "a@b c@d ef"},
		{"<a@\r\n b>", false, "a@b"},
		{"a@b, c@d", false, "a@b c@d"},
		{"Your message of \"Mon, 2 Nov\" <a@b> from i@x.ru", false, "a@b"},
		{"<a@b<c@d>", false, "a@b c@d"},
		{"<a@b c", false, "a@b"},
		{"=?utf-8?Q?=3Ca=40b=3E?=", false, "a@b"},
		{"<>", true, ""},
		{"", true, ""},
	} {
		if got := strings.Join(parseIDs([]byte(c.in), c.lone), " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	long := parseIDs([]byte("<"+strings.Repeat("x", 5000)+"@y>"), true)
	if len(long) != 1 || len(long[0]) > maxMessageID {
		t.Errorf("a long id: %d octets", len(long[0]))
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, want string }{
		{"in reply to is there", "References: <a@x> <b@x>\r\nIn-Reply-To: <a@x>\r\n", "a@x b@x"},
		{"in reply to is new", "References: <a@x>\r\nIn-Reply-To: <b@x>\r\n", "a@x b@x"},
		{"only in reply to", "In-Reply-To: <b@x>\r\n", "b@x"},
		{"twice", "References: <a@x> <b@x> <a@x>\r\n", "b@x a@x"},
		{"two fields", "References: <a@x>\r\nReferences: <b@x>\r\n", "a@x b@x"},
		{"itself", "Message-ID: <me@x>\r\nReferences: <a@x> <me@x>\r\nIn-Reply-To: <me@x>\r\n", "a@x"},
		{"none", "Subject: x\r\n", ""},
	} {
		h, _, _ := scanHeader([]byte(c.header + "\r\n"))
		if got := strings.Join(references(h, messageID(h)), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, " <%d@x>\r\n", i)
	}
	h, _, _ := scanHeader([]byte("References:" + many.String() + "\r\n"))
	if got := references(h, ""); len(got) != maxReferences || got[99] != "299@x" {
		t.Errorf("many: %d, last %s", len(got), got[len(got)-1])
	}
}

// TestAddressesNeverLost puts sound addresses into a field in odd ways: each must be found.
func TestAddressesNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want, items []string
		for i := range rapid.IntRange(1, 5).Draw(t, "n") {
			a := fmt.Sprintf("%s%d@%s.ru", rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "local"), i, rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "domain"))
			name := rapid.SampledFrom([]string{"", "Ivan ", `"Petrov, I. \"x\"" `, "=?utf-8?Q?=D0=98?= ", "Иван ", "(c) ", `"a@b" `, "'q' "}).Draw(t, "name")
			form := rapid.SampledFrom([]string{"%s<%s>", "%s <%s> (comment)", "%s<%s>  "}).Draw(t, "form")
			items, want = append(items, fmt.Sprintf(form, name, a)), append(want, a)
		}
		sep := rapid.SampledFrom([]string{",", ", ", ";", ",\r\n\t", " , ,"}).Draw(t, "sep")
		h, _, _ := scanHeader([]byte("To: " + strings.Join(items, sep) + "\r\n\r\n"))
		if got := addresses(h, "to", ""); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("%q: got %q, want %q", items, got, want)
		}
	})
}
