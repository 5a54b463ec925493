package inbound

import (
	"strings"
	"testing"
	"time"
)

func TestDecodeWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"plain", "Hello", "Hello"},
		{"utf-8 b", "=?UTF-8?B?0KHRh9GR0YI=?=", "Счёт"},
		{"q with underscores", "=?koi8-r?Q?=F3=DE=A3=D4_1?=", "Счёт 1"},
		{"split within a letter", "=?utf-8?B?0KHRh9E=?= =?utf-8?B?kdGC?=", "Счёт"},
		{"split within a letter, q, folded", "=?utf-8?Q?=D0=A1=D1?=\r\n =?UTF-8?Q?=87=D0=B5=D1=82?=", "Счет"},
		{"b and q joined", "=?utf-8?B?0KHRh9E=?= =?utf-8?Q?=91=D1=82?=", "Счёт"},
		{"two charsets", "=?koi8-r?Q?=F3?= =?utf-8?Q?=D1=87?=", "Сч"},
		{"words without a blank between", "=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"},
		{"text round a word", "Re: =?utf-8?Q?=D1=87?= x", "Re: ч x"},
		{"blank before text stays", "=?utf-8?Q?a?= b", "a b"},
		{"language", "=?utf-8*ru?Q?=D1=87?=", "ч"},
		{"blank within", "=?utf-8?Q?a b?=", "a b"},
		{"question mark not encoded", "=?utf-8?Q?a?=D1=87?=", "a?ч"},
		{"bad base64", "=?utf-8?B?0KHR*h9GR0YI?=", "Счёт"},
		{"padding in the middle", "=?utf-8?B?0KE=0YfQtdGC?=", "Счет"},
		{"cut off", "=?utf-8?B?0KHRh9GR0YI", "Счёт"},
		{"unknown charset", "=?x-nobody?Q?=F1=F7=B8=F2_=ED=E0_=EE=EF=EB=E0=F2=F3?=", "счёт на оплату"},
		{"wrong charset", "=?utf-8?Q?=D1=F7=E5=F2_=ED=E0_=EE=EF=EB=E0=F2=F3?=", "Счет на оплату"},
		{"not a word", "=?x?y?z", "=?x?y?z"},
		{"unknown encoding", "=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
		{"encoded twice", "=?utf-8?Q?=3D=3Futf-8=3FB=3F0KHRh9GR0YI=3D=3F=3D?=", "Счёт"},
		{"raw beside a word", "\xd1\xf7\xe5\xf2 \xed\xe0 =?utf-8?Q?=D1=87?=", "Счет на ч"},
		{"empty word", "=?utf-8?Q??=", ""},
	} {
		if got := decodeWords([]byte(c.in), ""); strings.ReplaceAll(got, "\r\n", "") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCleanLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{" a \t b\r\n\u00a0c ", "a b c"},
		{"и\u0306\u0301x", "й\u0301x"},
		{"abc\u202egpj.exe\u202c", "abcgpj.exe"},
		{"\x1b[31mred\x00", "[31mred"},
		{"\ufeffСчёт\u200b", "Счёт"},
		{"\xff", "\uFFFD"},
		{"12345678901", "1234567890"},
		{"123456789 1", "123456789"},
	} {
		if got := cleanLine(c.in, 10); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestScanHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want, rest string }{
		{"usual", "A: 1\r\nB: 2\r\n x\r\n\r\nbody", "a=1|b=2 x", "body"},
		{"line feeds only", "A: 1\nB: 2\n\tx\n\nbody", "a=1|b=2\tx", "body"},
		{"carriage returns only", "A: 1\rB: 2\r\rbody", "a=1|b=2", "body"},
		{"a carriage return starts no field", "A: 1\rB: 2\r\nC: 3\r\n\r\n", "a=1 B: 2|c=3", ""},
		{"mbox line", "From a@b Mon Nov  2 10:00:00 2026\r\nA: 1\r\n\r\n", "a=1", ""},
		{"no colon", "A: 1\r\nnot a field\r\n with more\r\nB: 2\r\n\r\n", "a=1|b=2", ""},
		{"leading fold", " folded\r\nA: 1\r\n\r\n", "a=1", ""},
		{"control in the name", "A: 1\r\nX\x01Y: z\r\nB: 2\r\n\r\n", "a=1|b=2", ""},
		{"blank before the colon", "Subject : x\r\n\r\n", "subject=x", ""},
		{"nul", "Sub\x00ject: a\x00b\r\n\r\n", "subject=ab", ""},
		{"byte order mark", "\xef\xbb\xbfA: 1\r\n\r\n", "a=1", ""},
		{"folded without a blank", "Subject: =?utf-8?Q?a?=\r\n=?utf-8?Q?b?=\r\n\r\n", "subject==?utf-8?Q?a?==?utf-8?Q?b?=", ""},
		{"empty lines first", "\r\n\r\nA: 1\r\n\r\nbody", "a=1", "body"},
		{"nothing", "", "", ""},
		{"no end", "A: 1", "a=1", ""},
	} {
		h, rest, _ := scanHeader([]byte(c.in))
		var parts []string
		for _, f := range h {
			parts = append(parts, f.name+"="+strings.TrimSpace(string(f.value)))
		}
		if got := strings.Join(parts, "|"); got != c.want || string(rest) != c.rest {
			t.Errorf("%s: got %q rest %q, want %q rest %q", c.name, got, rest, c.want, c.rest)
		}
	}
	h, _, problems := scanHeader([]byte(strings.Repeat("A: 1\r\n", 5000)))
	if len(h) != maxHeaderLines || len(problems) != 1 {
		t.Errorf("many lines: %d fields, problems %q", len(h), problems)
	}
}

func TestParseMedia(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, kind, name, want string }{
		{`text/plain; charset=utf-8`, "text/plain", "charset", "utf-8"},
		{`TEXT/HTML; Charset="KOI8-R"; x=y`, "text/html", "charset", "KOI8-R"},
		{`multipart/mixed; boundary="a;b"`, "multipart/mixed", "boundary", "a;b"},
		{`multipart/mixed;boundary=a b`, "multipart/mixed", "boundary", "a b"},
		{`application/pdf; name*0*=koi8-r''%F3%DE; name*2=x; name*1*=%A3%D4`, "application/pdf", "name", "Счётx"},
		{`application/pdf; name*=windows-1251''%D1%F7%E5%F2.pdf; name=bad`, "application/pdf", "name", "Счет.pdf"},
		{"application/pdf; name=\"\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3.pdf\"", "application/pdf", "name", "Счет на оплату.pdf"},
		{`application/pdf; name="=?utf-8?B?0KHRh9GR0YI=?=.pdf"`, "application/pdf", "name", "Счёт.pdf"},
		{`text/plain; charset; name="`, "text/plain", "charset", ""},
		{`;;;="`, "", "charset", ""},
		{`text`, "text", "charset", ""},
		{`attachment; filename="never closed`, "attachment", "filename", "never closed"},
		{`text/plain; charset=a; charset=b`, "text/plain", "charset", "a"},
		{`"text/plain"; format=flowed`, "text/plain", "format", "flowed"},
	} {
		m := parseMedia([]byte(c.in), "")
		if m.kind != c.kind || m.params[c.name] != c.want {
			t.Errorf("%s: got %q %q", c.in, m.kind, m.params)
		}
	}
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC)
	for _, s := range []string{
		"Sun, 1 Nov 2026 10:00:00 +0300", "Sun, 01 Nov 2026 10:00:00 +0300 (MSK)", "1 Nov 2026 10:00 +0300", "Sun, 1 Nov 26 10:00:00 +0300",
		"Sun, 1 Nov 2026 10.00.00 +0300", "2026-11-01T10:00:00+03:00", "2026-11-01T07:00:00Z", "Sun Nov  1 10:00:00 2026 +0300", "Sun, 1 Nov 2026 10:00:00 GMT+3",
		"Вс, 1 ноя 2026 10:00:00 +0300", "1 ноября 2026 10:00:00 MSK", "1-Nov-2026 10:00:00 +0300", "Sun,1 Nov 2026 10:00:00 +03:00", "Sunday, 1 November 2026 10:00:00 MSK",
		"Sun, 1 Nov 2026 07:00:00", "Sun, 1 Nov 2026 07:00:00 UT", "01.11.2026 07:00:00",
	} {
		if got, ok := parseDate([]byte(s)); !ok || !got.Equal(want) {
			t.Errorf("%q: got %v %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "yesterday", "\xd7\xd4\xcf 45 Foo 99999 25:61", "Sun, 1 Nov 0001 10:00:00 +0300", "1 2 3 4 5"} {
		if got, ok := parseDate([]byte(s)); ok {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
