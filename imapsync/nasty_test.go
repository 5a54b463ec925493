package imapsync

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"kontrol/internal/courier"
	"kontrol/internal/cyrus"
	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/internal/rawimap"
)

func koi8(s string) string {
	b, _ := charmap.KOI8R.NewEncoder().String(s)
	return b
}

func cp1251(s string) string {
	b, _ := charmap.Windows1251.NewEncoder().String(s)
	return b
}

// nastyLetters are letters that break parsers: of headers, of structures, of the protocol.
func nastyLetters() map[string]string {
	n := 0
	h := func() string {
		n++
		return fmt.Sprintf("From: a@b.ru\r\nTo: u1@localhost\r\nDate: Mon, 2 Nov 2026 10:00:00 +0300\r\nMessage-ID: <%d@x>\r\n", n)
	}
	nest := "leaf"
	for i := range 120 {
		nest = fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n", i, i, nest, i)
	}
	forwarded := "From: a@b\r\nSubject: deep\r\n\r\nx\r\n"
	for i := range 60 {
		forwarded = fmt.Sprintf("From: a@b\r\nSubject: fwd%d\r\nContent-Type: message/rfc822\r\n\r\n%s", i, forwarded)
	}
	var to []string
	for i := range 5000 {
		to = append(to, fmt.Sprintf("User %d <u%d@x.ru>", i, i))
	}
	utf16, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("привет")
	multi := func(rest string) string { return h() + "Content-Type: multipart/mixed; boundary=" + rest }
	return map[string]string{
		"empty": "", "crlf-only": "\r\n", "no-headers": "just a body line without headers\r\n\r\nmore\r\n",
		"nul-body": h() + "Subject: nul\r\n\r\nab\x00cd\x00\r\n", "nul-header": h() + "Subject: nu\x00l\r\n\r\nx\r\n",
		"raw-koi8-subject":  h() + "Subject: " + koi8("Счет на оплату") + "\r\nX: 1\r\n\r\nx\r\n",
		"raw-cp1251-from":   cp1251("From: \"Иванов Пётр\" <p@x.ru>\r\nTo: Менеджер <u1@x.ru>\r\nSubject: Заявка №5\r\n\r\nтекст\r\n"),
		"raw-utf8":          "From: Иван <i@x.ru>\r\nSubject: Заявка\r\nContent-Type: text/plain; name=счёт.pdf\r\n\r\nт\r\n",
		"eai-localpart":     "From: иван@пример.рф\r\nSubject: eai\r\n\r\nт\r\n",
		"unbalanced-quote":  "From: \"Ivan <i@x.ru>\r\nTo: \"\"\" <a@b>\r\nSubject: q\r\n\r\nx\r\n",
		"group":             "From: a@b\r\nTo: undisclosed-recipients:;\r\nCc: Team: a@b, \"c\" <d@e>;\r\nSubject: g\r\n\r\nx\r\n",
		"odd-addresses":     "From: <>\r\nTo: @a,@b:c@d, foo, <bar, baz>, (comment)\r\nReply-To: ,,,\r\nSubject: o\r\n\r\nx\r\n",
		"looks-like-imap":   "From: \"a]b{5}\\\"c\" <\"x)y(\"@z>\r\nSubject: {10}\r\nX-A: 1\r\nMessage-ID: <a b\"c)>\r\n\r\nT5 OK x\r\n* BYE\r\n",
		"header-200k":       h() + "Subject: " + strings.Repeat("x", 200000) + "\r\n\r\nx\r\n",
		"to-5000":           "From: a@b\r\nTo: " + strings.Join(to, ",\r\n ") + "\r\nSubject: many\r\n\r\nx\r\n",
		"no-boundary":       h() + "Content-Type: multipart/mixed\r\n\r\nx\r\n",
		"empty-boundary":    multi("\"\"\r\n\r\n--\r\nx\r\n----\r\n"),
		"boundary-never":    multi("zzz\r\n\r\nno parts here\r\n"),
		"unclosed":          multi("zzz\r\n\r\n--zzz\r\nContent-Type: text/plain\r\n\r\nx\r\n"),
		"closed-empty":      multi("zzz\r\n\r\n--zzz--\r\n"),
		"empty-parts":       multi("zzz\r\n\r\n--zzz\r\n--zzz\r\n\r\n--zzz\r\nContent-Type:\r\n\r\n--zzz--\r\n"),
		"nested-120":        "From: a@b\r\nSubject: nest\r\n" + nest,
		"forwarded-60":      forwarded,
		"rfc822-base64":     h() + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte("From: a@b\r\n\r\nx")) + "\r\n",
		"rfc822-empty":      multi("z\r\n\r\n--z\r\nContent-Type: message/rfc822\r\n\r\n--z--\r\n"),
		"dsn":               h() + "Content-Type: multipart/report; report-type=delivery-status; boundary=z\r\n\r\n--z\r\nContent-Type: text/plain\r\n\r\nbounce\r\n--z\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;x\r\n\r\nFinal-Recipient: rfc822;a@b\r\nStatus: 5.1.1\r\n--z--\r\n",
		"type-garbage":      h() + "Content-Type: ;;;=\"\r\n\r\nx\r\n",
		"type-no-subtype":   h() + "Content-Type: text\r\n\r\nx\r\n",
		"param-no-value":    h() + "Content-Type: text/plain; charset; name=\"\r\n\r\nx\r\n",
		"twice":             h() + "Content-Type: text/plain\r\nContent-Type: text/html; charset=\"\"\r\nSubject: a\r\nSubject: b\r\nFrom: second@x\r\n\r\nx\r\n",
		"quotes-everywhere": multi("z\r\n\r\n--z\r\nContent-Type: application/octet-stream; name=\"a\\\"b.pdf\"\r\nContent-Description: \"\"\"\r\nContent-ID: weird \" id\r\n\r\nAAAA\r\n--z--\r\n"),
		"cte-empty":         h() + "Content-Type: text/plain\r\nContent-Transfer-Encoding: \r\n\r\nx\r\n",
		"rfc2231":           h() + "Content-Type: application/pdf; name*0*=koi8-r''%F3%DE; name*2=x; name*1*=%A3%D4\r\n\r\nx\r\n",
		"raw-filename":      h() + cp1251("Content-Type: application/pdf; name=\"Счет.pdf\"\r\nContent-Disposition: attachment; filename=\"Счет.pdf\"\r\n\r\nx\r\n"),
		"bad-word":          h() + "Subject: =?utf-8?B?0KHRh9C#?= =?koi8-r?Q?=F3=DE=ZZ?= =?xxx-unknown?B?AAAA?=\r\n\r\nx\r\n",
		"odd-ids":           "From: a@b\r\nMessage-ID: no brackets at all\r\nIn-Reply-To: Your message of \"Mon, 2 Nov\"\r\nReferences: <a@b><c@d>,<e f>\r\n\r\nx\r\n",
		"bad-date":          "From: a@b\r\nDate: " + koi8("вторник") + " 45 Foo 99999 25:61\r\n\r\nx\r\n",
		"lf-only":           "From: a@b\nSubject: lf\nTo: x@y\n\nbody\nline\n",
		"bare-cr":           "From: a@b\rSubject: cr\rTo: x@y\r\rbody\r",
		"control":           h() + "Subject: \x01\x07\x1b[31m\x7f\x0b\x0c\x85\r\nX\x01Y: z\r\n\r\nx\r\n",
		"no-colon":          "From: a@b\r\nthis is not a header\r\nSubject: after\r\n\r\nx\r\n",
		"mbox-from":         "From a@b Mon Nov  2 10:00:00 2026\r\nFrom: a@b\r\nSubject: mboxline\r\n\r\nx\r\n",
		"leading-fold":      " folded first line\r\nFrom: a@b\r\n\r\nx\r\n",
		"tnef":              h() + "Content-Type: application/ms-tnef; name=\"winmail.dat\"\r\nContent-Transfer-Encoding: base64\r\n\r\neJ8+\r\n",
		"huge-line":         h() + "Subject: longline\r\n\r\n" + strings.Repeat("y", 300000) + "\r\n",
		"utf16":             h() + "Content-Type: text/plain; charset=utf-16\r\n\r\n" + utf16 + "\r\n",
		"header-600k":       h() + strings.Repeat("X-Pad: "+strings.Repeat("p", 900)+"\r\n", 660) + "\r\nx\r\n",
	}
}

// fetchNasty fetches letters with UIDs 1 to n and makes sure that each is accounted for, and returns the good ones.
func fetchNasty(t *testing.T, c *Conn, n int) map[uint32]Fetched {
	t.Helper()
	must[Selected](t)(c.Select(t.Context(), "INBOX", true))
	var uids []uint32
	for i := range n {
		uids = append(uids, uint32(i+1))
	}
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 64<<10))
	if len(ans.Letters)+len(ans.Bad) != n || len(ans.Gone) != 0 {
		t.Errorf("%d letters, %d bad, %d gone of %d", len(ans.Letters), len(ans.Bad), len(ans.Gone), n)
	}
	good := map[uint32]Fetched{}
	for _, l := range ans.Letters {
		good[l.UID] = l
		if len(l.Header) == 0 || len(l.Header) > defaultHeaderCap || len(l.Text) > 64<<10 || l.Text == nil {
			t.Errorf("letter %d: %d octets of header, %d of text", l.UID, len(l.Header), len(l.Text))
		}
	}
	return good
}

func TestNastyOnMemory(t *testing.T) {
	t.Parallel()
	letters := nastyLetters()
	m, c := memory(t, imaptest.MemoryOptions{})
	names := []string{}
	for name, l := range letters {
		names = append(names, name)
		must[uint32](t)(m.Deliver("ivan", "INBOX", []byte(l)))
	}
	good := fetchNasty(t, c, len(names))
	for i, name := range names {
		// The memory server cannot cut these apart and says that they are empty.
		hopeless := slices.Contains([]string{"empty", "no-headers", "bare-cr", "control", "no-colon", "mbox-from", "leading-fold"}, name)
		if _, ok := good[uint32(i+1)]; !ok && !hopeless {
			t.Errorf("%s is lost", name)
		}
	}
}

func TestNastyOnScript(t *testing.T) {
	t.Parallel()
	letters := nastyLetters()
	s, c := script(t, imaptest.Plain())
	var names []string
	for name, l := range letters {
		names = append(names, name)
		s.Deliver("INBOX", []byte(l))
	}
	good := fetchNasty(t, c, len(names))
	for i, name := range names {
		l, ok := good[uint32(i+1)]
		if !ok {
			if name != "empty" {
				t.Errorf("%s is lost", name)
			}
			continue
		}
		raw := letters[name]
		got := string(l.Header) + string(l.Text)
		if !strings.HasPrefix(raw, string(l.Header)) || (len(l.Header) < defaultHeaderCap && !strings.HasPrefix(raw, got)) {
			t.Errorf("%s changed on the way", name)
		}
	}
	neverAsked(t, s)
}

func TestNastyOnDovecot(t *testing.T) {
	t.Parallel()
	d := dovecot.Test(t, dovecot.Options{})
	c := dialTest(t, dovecotAccount(d, "ivan"))
	var names []string
	for name, l := range nastyLetters() {
		if name == "empty" {
			continue // Dovecot takes it for a refusal to append
		}
		names = append(names, name)
		if _, err := c.Append(t.Context(), "INBOX", nil, time.Time{}, []byte(l)); err != nil {
			t.Fatalf("append %s: %v", name, err)
		}
	}
	good := fetchNasty(t, c, len(names))
	for i, name := range names {
		if _, ok := good[uint32(i+1)]; !ok {
			t.Errorf("%s is lost", name)
		}
	}
}

// nastyOn appends the letters with a client of its own, fetches those that the server has taken, and compares them with
// what that client sees.
func nastyOn(t *testing.T, addr string, c *Conn, atLeast int) {
	r, err := rawimap.Dial(addr, nil, "ivan", "pass")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	taken := 0
	for name, l := range nastyLetters() {
		if err := r.Append("INBOX", "", []byte(l)); err != nil {
			if !strings.Contains(err.Error(), "NO") && !strings.Contains(err.Error(), "BAD") {
				t.Fatalf("append %s: %v", name, err)
			}
			continue
		}
		taken++
	}
	if taken < atLeast {
		t.Errorf("the server took %d letters, want %d", taken, atLeast)
	}
	seen, err := r.Look("INBOX")
	if err != nil || len(seen) != taken {
		t.Fatalf("%d letters of %d, %v", len(seen), taken, err)
	}
	good := fetchNasty(t, c, taken)
	for _, l := range seen {
		got, ok := good[l.UID]
		if !ok {
			if len(l.Body) > 2 {
				t.Errorf("letter %d of %d octets is lost: %.60q", l.UID, len(l.Body), l.Body)
			}
			continue
		}
		if !strings.Contains(string(l.Body), "\r\n\r\n") {
			continue // where a header without an end ends, Courier sees one way in HEADER and another in the whole
		}
		if !strings.HasPrefix(string(l.Body), string(got.Header)) || len(got.Header) < defaultHeaderCap && !strings.HasPrefix(string(l.Body), string(got.Header)+string(got.Text)) {
			t.Errorf("letter %d changed on the way: %.60q", l.UID, l.Body)
		}
	}
}

func TestNastyOnCyrus(t *testing.T) {
	t.Parallel()
	s := cyrus.Test(t, cyrus.Options{})
	if err := s.AddUser(t.Context(), "ivan", 0); err != nil {
		t.Fatal(err)
	}
	nastyOn(t, s.IMAPAddr, dialTest(t, account("imap+insecure://"+s.IMAPAddr)), 35)
}

func TestNastyOnCourier(t *testing.T) {
	t.Parallel()
	s := courier.Test(t, courier.Options{})
	nastyOn(t, s.IMAPAddr, dialTest(t, account("imap+insecure://"+s.IMAPAddr)), 44)
}
