package inbound

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// slow is more than any small input may take, even on a busy machine with the fuzzer's counters in the code.
const slow = 5 * time.Second

// quick fails the test when f took longer than a small input may.
func quick(t *testing.T, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d > slow {
		t.Errorf("took %v", d)
	}
}

func FuzzScanHeader(f *testing.F) {
	for _, s := range []string{"A: 1\r\n b\r\n\r\nbody", "From a@b\nA : 1\n\n", "A: 1\rB: 2\r\r", " x\r\n\xef\xbb\xbfA:\x00", ":\r\n=?\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		quick(t, func() {
			h, rest, _ := scanHeader(b)
			if len(h) > maxHeaderLines || len(rest) > len(b) {
				t.Errorf("%d fields, rest %d of %d", len(h), len(rest), len(b))
			}
			for _, x := range h {
				if x.name == "" || bytes.ContainsAny(x.value, "\r\n\x00") {
					t.Errorf("field %q: %q", x.name, x.value)
				}
			}
		})
		if !bytes.Equal(before, b) {
			t.Error("the input was changed")
		}
	})
}

func FuzzDecodeWords(f *testing.F) {
	for _, s := range []string{"=?utf-8?B?0KHRh9E=?= =?utf-8?B?kdGC?=", "=?koi8-r?Q?=F3=DE?=", "=?utf-16?B?//4hBA==?=", "=?utf-7?Q?+BCE-?=", "=?x?q?=?a?b?=", "\xd1\xf7\xe5\xf2", "=?iso-2022-jp?B?GyRC?="} {
		f.Add([]byte(s), "koi8-r")
	}
	f.Fuzz(func(t *testing.T, b []byte, hint string) {
		before := bytes.Clone(b)
		quick(t, func() {
			s := decodeWords(b, hint)
			if !utf8.ValidString(s) {
				t.Errorf("not UTF-8: %q", s)
			}
			line := cleanLine(s, maxSubject)
			if !norm.NFC.IsNormalString(line) || strings.ContainsAny(line, "\r\n\x00\u202e") || utf8.RuneCountInString(line) > maxSubject {
				t.Errorf("not clean: %q", line)
			}
		})
		if !bytes.Equal(before, b) {
			t.Error("the input was changed")
		}
	})
}

func FuzzParseAddresses(f *testing.F) {
	for _, s := range []string{"\"P, I\" <a@b>, c@d (x (y))", "G: a@b;, <@a,@b:c@d>", "\"\"\" <a@b", "=?utf-8?Q?=D0,?= <i@x>", "((((<<<<\"\\", "a@пример.рф"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick(t, func() {
			for _, m := range parseAddresses(b, "") {
				if m.address == "" || !utf8.ValidString(m.address) || utf8.RuneCountInString(m.address) > maxAddress || !utf8.ValidString(m.name) {
					t.Errorf("%q <%q>", m.name, m.address)
				}
				if strings.Contains(m.address, "@") && Normal(m.address) != m.address {
					t.Errorf("%q is normalised again to %q", m.address, Normal(m.address))
				}
			}
		})
	})
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"From: a@b\r\nTo: c@d\r\nSubject: x\r\n\r\ntext", "Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--z--",
		"Content-Type: multipart/report; report-type=delivery-status; boundary=z\r\n\r\n--z\r\n\r\nx\r\n--z\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nFinal-Recipient: rfc822;a@b\r\nAction: failed\r\n\r\n--z--",
		"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n0KHRh9GR0YI=", "Date: 1 Nov 2026\r\nReferences: <a@b> <c@d>\r\nIn-Reply-To: <c@d>\r\n\r\n", "\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	own := NewOwn([]string{"a@b"}, []string{"own.ru"})
	f.Fuzz(func(t *testing.T, b []byte) {
		quick(t, func() {
			facts, err := Read(sourceOf(b), own)
			if err != nil {
				return
			}
			checkFacts(t, facts)
		})
	})
}

// checkFacts checks what holds for every letter.
func checkFacts(t *testing.T, f Facts) {
	t.Helper()
	l := f.Letter
	for _, s := range append([]string{l.MessageID, l.FromAddress, l.FromName, l.Subject, l.BaseSubject, f.Text}, f.References...) {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Errorf("not fit to be stored: %q", s)
		}
	}
	if len(l.Fingerprint) != 64 || l.Class == "" || l.Direction == "" || l.ClassReason.IsZero() {
		t.Errorf("not complete: %+v", l)
	}
	if len(f.Text) > maxText || len(f.References) > maxReferences || len(l.MessageID) > maxMessageID || utf8.RuneCountInString(l.FromAddress) > maxAddress {
		t.Errorf("beyond a limit: text %d, references %d, id %d", len(f.Text), len(f.References), len(l.MessageID))
	}
	if BaseSubject(l.BaseSubject) != l.BaseSubject {
		t.Errorf("base subject %q is not stable", l.BaseSubject)
	}
}
