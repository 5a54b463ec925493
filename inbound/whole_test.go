package inbound

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kontrol/models"
)

func mustReadAll(t *testing.T, raw string) Facts {
	t.Helper()
	f, err := ReadAll(strings.NewReader(raw), Own{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sameAsRead checks that both ways of reading a letter understand the same.
func sameAsRead(t *testing.T, name string, raw []byte) {
	t.Helper()
	want, wantErr := Read(sourceOf(raw), Own{})
	got, gotErr := ReadAll(iotest.HalfReader(bytes.NewReader(raw)), Own{})
	if c := want.Letter.Class; wantErr == nil && c != models.ClassPerson && !c.AboutOurs() {
		want.words() // which ReadAll does for mailings as well
	}
	if errors.Is(gotErr, ErrNotLetter) {
		return
	}
	if (wantErr == nil) != (gotErr == nil) {
		t.Errorf("%s: %v and %v", name, wantErr, gotErr)
		return
	}
	got.Letter.Size, got.Unfolded = want.Letter.Size, Unfolded{}
	got.Letter.Problems = slices.DeleteFunc(got.Letter.Problems, func(p string) bool { return p == problemEnclosed })
	if len(got.Letter.Problems) == 0 {
		got.Letter.Problems = want.Letter.Problems[:0:len(want.Letter.Problems)]
	}
	if len(got.Text) > maxText || len(want.Text) > maxText-4 {
		return // only the limits differ
	}
	for _, x := range []struct {
		what      string
		want, got any
	}{
		{"text", want.Text, got.Text}, {"attachments", want.Attachments, got.Attachments},
		{"problems", want.Letter.Problems, got.Letter.Problems}, {"fingerprint", want.Letter.Fingerprint, got.Letter.Fingerprint},
		{"all", want, got},
	} {
		if !reflect.DeepEqual(x.want, x.got) {
			t.Errorf("%s: %s: at once %q, as it passes %q", name, x.what, x.want, x.got)
			return
		}
	}
}

// corpusLetters calls f with every letter of the corpora.
func corpusLetters(t testing.TB, f func(set, path string, raw []byte)) {
	t.Helper()
	err := filepath.WalkDir(corpora, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(corpora, path)
		if err != nil {
			return err
		}
		if set := strings.Split(filepath.ToSlash(rel), "/")[0]; filepath.Ext(path) == ".eml" || LooksLikeLetter(raw) && set != "reply_trimmer" {
			f(set, rel, raw)
		}
		return nil
	})
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
}

func TestBothWaysOfReadingAgree(t *testing.T) {
	t.Parallel()
	corpusLetters(t, func(_, path string, raw []byte) { sameAsRead(t, path, raw) })
	for name, raw := range nasty() {
		if len(raw) < 64<<10 {
			sameAsRead(t, name, []byte(raw))
		}
	}
	whole := typical()
	for i := range whole {
		if i%17 == 0 {
			sameAsRead(t, "cut letter", whole[:i])
		}
	}
}

func TestTextsOfParts(t *testing.T) {
	t.Parallel()
	part := func(head, body string) string {
		if head != "" {
			head += "\r\n"
		}
		return "--b\r\n" + head + "\r\n" + body + "\r\n"
	}
	letter := func(kind string, parts ...string) string {
		return "From: a@b.example\r\nContent-Type: " + kind + "; boundary=b\r\n\r\n" + strings.Join(parts, "") + "--b--\r\n"
	}
	cases := []struct{ name, raw, text, files string }{
		{"flowed", "From: a@b\r\nContent-Type: text/plain; format=flowed\r\n\r\n> one \r\n> two\r\nthree \r\nfour\r\n-- \r\nme", "> one two\nthree four\n-- \nme", ""},
		{"flowed with DelSp", "From: a@b\r\nContent-Type: text/plain; format=flowed; delsp=yes\r\n\r\nпред \r\nложение\r\n", "предложение", ""},
		{"uuencode", "From: a@b\r\n\r\nfile:\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nbye", "file:\nbye", "cat.txt text/plain 3"},
		{"not uuencode", "From: a@b\r\n\r\nbegin 644 words\r\nhere we go on and on\r\n", "begin 644 words\nhere we go on and on", ""},
		{"yEnc stays", "From: a@b\r\n\r\n=ybegin line=128 size=3 name=a\r\nxyz\r\n=yend size=3", "=ybegin line=128 size=3 name=a\nxyz\n=yend size=3", ""},
		{"uuencode as transfer encoding", "From: a@b\r\nContent-Type: image/gif; name=a.gif\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.gif\r\n#0V%T\r\n`\r\nend\r\n", "", "a.gif image/gif 3"},
		{"inline image", letter("multipart/related", part("Content-Type: text/html", "<p>hi"), part("Content-Type: image/png\r\nContent-ID: <x>", "123")), "hi", " image/png 3"},
		{"a named text is a file", letter("multipart/mixed", part("", "hi"), part("Content-Type: text/plain; name=notes.txt", "notes")), "hi", "notes.txt text/plain 5"},
		{"a named text alone is the letter", "From: a@b\r\nContent-Type: text/plain; name=x.txt\r\n\r\nhi", "hi", ""},
		{"a letter within", letter("multipart/mixed", part("", "see"), part("Content-Type: message/rfc822", "Subject: x\r\n\r\ninner")), "see", " message/rfc822 17"},
		{"signed", letter("multipart/signed", part("Content-Type: text/plain", "words"), part("Content-Type: application/pkcs7-signature; name=smime.p7s", "x")), "words", "smime.p7s application/pkcs7-signature 1"},
		{"calendar", letter("multipart/alternative", part("Content-Type: text/plain", "meet"), part("Content-Type: text/calendar", "BEGIN:VCALENDAR")), "meet", " text/calendar 15"},
		{"soft break at the end", "From: a@b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nab=\r\nc=", "abc", ""},
	}
	for _, c := range cases {
		f := mustReadAll(t, c.raw)
		if f.Text != c.text {
			t.Errorf("%s: text %q", c.name, f.Text)
		}
		if got := fileList(f); got != c.files {
			t.Errorf("%s: files %q", c.name, got)
		}
		sameAsRead(t, c.name, []byte(c.raw))
	}
}

// fileList names the files of a letter.
func fileList(f Facts) string {
	var out []string
	for _, a := range f.Attachments {
		out = append(out, fmt.Sprintf("%s %s %d", a.Name, a.Type, a.Size))
	}
	return strings.Join(out, ", ")
}

func TestNotices(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"Content-Type: application/ms-tnef; name=winmail.dat":                     "TNEF",
		"Content-Type: application/octet-stream; name=WINMAIL.DAT":                "TNEF",
		"Content-Type: application/pkcs7-mime; smime-type=enveloped-data":         "encrypted (S/MIME)",
		"Content-Type: multipart/encrypted; boundary=b":                           "encrypted (OpenPGP)",
		"Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nabc=": "encrypted (OpenPGP)",
	} {
		f := mustReadAll(t, "From: a@b\r\n"+head+"\r\n\r\n--b\r\n\r\nx\r\n--b--")
		if !strings.Contains(strings.Join(f.Letter.Problems, "; "), want) {
			t.Errorf("%s: %q", head, f.Letter.Problems)
		}
	}
}

func TestNotALetter(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{"": ErrNothing, "\r\n\r\n": ErrNothing, "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01": ErrNotLetter} {
		_, err := ReadAll(strings.NewReader(raw), Own{})
		if !errors.Is(err, want) || Quarantine(err).IsZero() {
			t.Errorf("%q: %v", raw, err)
		}
	}
	broken := errors.New("broken")
	if _, err := ReadAll(io.MultiReader(strings.NewReader("From: a@b\r\n\r\nx"), iotest.ErrReader(broken)), Own{}); !errors.Is(err, broken) || !Quarantine(err).IsZero() {
		t.Errorf("a reader that fails: %v", err)
	}
}

// nasty are letters made to hurt whoever reads them.
func nasty() map[string]string {
	head := "From: a@b.example\r\n"
	var deep, open strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		open.WriteString("--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n")
	}
	mixed := head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	return map[string]string{
		"deep":                   head + deep.String(),
		"same boundary within":   head + "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + open.String(),
		"parts":                  mixed + strings.Repeat("--b\r\n\r\nx\r\n", 100_000) + "--b--",
		"header of 10 MB":        head + "X: " + strings.Repeat("y", 10<<20) + "\r\n\r\ntext",
		"header lines":           head + strings.Repeat("X: y\r\n", 20_000) + "\r\ntext",
		"part header":            mixed + "--b\r\n" + strings.Repeat("X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 100_000) + "\r\ntext\r\n--b--",
		"endless encoded words":  head + "Subject: " + strings.Repeat("=?utf-8?Q?=D0", 20_000) + "\r\n\r\ntext",
		"encoded words":          head + "Subject:" + strings.Repeat(" =?koi8-r?B?8PLJ18XU?=", 10_000) + "\r\n\r\ntext",
		"references":             head + "References:" + strings.Repeat(" <a@b>", 30_000) + "\r\n\r\ntext",
		"addresses":              head + "To: " + strings.Repeat("\"a\" <a@b.example>, ((", 10_000) + "\r\n\r\ntext",
		"base64 in one line":     head + "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUJD", 1<<19),
		"equals signs":           head + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=", 4<<20),
		"soft breaks":            head + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=  \r\n", 1<<16),
		"dashes":                 mixed + strings.Repeat("--\r\n", 1<<19),
		"nearly boundaries":      mixed + strings.Repeat("--bb\r\n", 1<<16),
		"long boundary":          head + "Content-Type: multipart/mixed; boundary=\"" + strings.Repeat("b", 5000) + "\"\r\n\r\n--" + strings.Repeat("b", 5000) + "\r\n\r\nx",
		"parameters":             head + "Content-Type: text/plain" + strings.Repeat("; a*1*=b", 30_000) + "\r\n\r\ntext",
		"combining marks":        head + "Content-Type: text/plain; charset=utf-8\r\n\r\na" + strings.Repeat("\u0301\u0316", 1<<16),
		"HTML that never closes": head + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div><blockquote>", 50_000) + "x",
		"HTML comment":           head + "Content-Type: text/html\r\n\r\nx" + strings.Repeat("<!--", 1<<16),
		"quotes":                 head + "\r\n" + strings.Repeat(">", 1<<16) + "\r\n" + strings.Repeat("> ", 1<<16),
		"flowed":                 head + "Content-Type: text/plain; format=flowed\r\n\r\n" + strings.Repeat("a \r\n", 1<<16),
		"uu beginnings":          head + "\r\n" + strings.Repeat("begin 644 a\r\n#0V%T\r\n", 20_000),
		"empty lines":            head + "\r\n" + strings.Repeat("\r\n", 1<<17),
		"NULs":                   head + "\r\n" + strings.Repeat("\x00", 4<<20),
		"CRs":                    strings.ReplaceAll(head+"Subject: x\r\n\r\ntext\r\nmore", "\r\n", "\r"),
		"many CRs":               head + strings.Repeat("\r", 4<<20),
		"no boundary":            head + "Content-Type: multipart/mixed\r\n\r\ntext",
		"empty boundary":         head + "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\ntext\r\n----",
		"boundary of the parent": mixed + "--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--",
		"boundary begins alike":  mixed + "--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\none\r\n--bb--\r\n--b\r\n\r\ntwo\r\n--b--",
		"boundary in the header": mixed + "--b\r\nContent-Type: text/plain\r\n--b\r\n\r\ntwo\r\n--b--",
		"closed before opened":   mixed + "--b--\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue\r\n--b\r\n\r\nthree",
		"another boundary":       head + "Content-Type: multipart/mixed; boundary=lost\r\n\r\nhi\r\n--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: image/png\r\n\r\ntwo\r\n--b--",
		"another within":         mixed + "--b\r\nContent-Type: multipart/mixed; boundary=lost\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\none\r\n--c--\r\n--b\r\n\r\ntwo\r\n--b--",
		"parts without boundary": mixed + "--b\r\nContent-Type: multipart/mixed\r\n\r\nwords\r\n--b\r\n\r\ntwo\r\n--b--",
		"header of one CR":       mixed + "--b\r\nContent-Type: text/plain\rX: y\r\rbody\r\n--b--",
		"part of a CR":           mixed + "--b\r\n\rline\r\nbody\r\n--b--",
		"equals across lines":    head + "Content-Transfer-Encoding: quoted-printable\r\n\r\n==\r\nD0=\r\n=B0= \t\r\n=4\r\n1=",
	}
}

// TestNastyLetters has every letter read in time, and every limit told of. BenchmarkReadAll has the figures.
func TestNastyLetters(t *testing.T) {
	problems := map[string]string{
		"deep": problemDepth, "parts": problemParts, "header of 10 MB": "header longer than 256 KB: the end was left out",
		"header lines": "header of more than 1000 lines: the end was left out", "equals signs": problemText, "no boundary": problemBoundary,
	}
	for name, raw := range nasty() {
		start := time.Now()
		f, err := ReadAll(strings.NewReader(raw), Own{})
		if err != nil && Quarantine(err).IsZero() {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > slow {
			t.Errorf("%s: took %v", name, took)
		} else if took > 200*time.Millisecond {
			t.Logf("%s: %v", name, took)
		}
		if err == nil {
			l := f.Letter
			if !strings.Contains(strings.Join(l.Problems, "; "), problems[name]) {
				t.Errorf("%s: problems %q", name, l.Problems)
			}
			if l.Class == "" || len(f.Text) > maxWholeText || len(f.Attachments) > maxParts+maxWithin {
				t.Errorf("%s: class %q, %d octets of text, %d files", name, l.Class, len(f.Text), len(f.Attachments))
			}
		}
	}
}

// encoded gives a letter with an attachment of size zero octets without holding it.
func encoded(size int64) io.Reader {
	line := strings.Repeat("A", 76) + "\r\n"
	lines := size / 57
	return io.MultiReader(strings.NewReader("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"+
		"Content-Type: application/zip; name=big.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
		io.LimitReader(&repeated{s: line}, lines*int64(len(line))),
		strings.NewReader(base64.StdEncoding.EncodeToString(make([]byte, size%57))+"\r\n--b--\r\n"))
}

// repeated reads the same line for ever.
type repeated struct {
	s  string
	at int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], r.s[r.at:])
		n += k
		r.at = (r.at + k) % len(r.s)
	}
	return n, nil
}

func TestBigAttachmentPasses(t *testing.T) {
	const size = 8 << 20 // BenchmarkReadAll has 50 MB
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f, err := ReadAll(encoded(size), Own{})
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Attachments) != 1 || f.Attachments[0].Size != size || f.Attachments[0].SHA256 != sumOf(make([]byte, size)) || f.Text != "text" {
		t.Errorf("%+v, text %q", f.Attachments, f.Text)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("allocated %d MB", grown>>20)
	}
	t.Logf("8 MB in %v", took)
	cut, err := readUpTo(encoded(1<<20), Own{}, 1<<20)
	if err != nil || len(cut.Attachments) != 1 || cut.Attachments[0].SHA256 != "" || !strings.Contains(strings.Join(cut.Letter.Problems, ";"), "100 MB") {
		t.Errorf("beyond the limit: %v, %+v, %q", err, cut.Attachments, cut.Letter.Problems)
	}
}

func TestEachLetter(t *testing.T) {
	t.Parallel()
	sep := "From a@b Mon Nov 23 09:00:00 2026\n"
	for in, want := range map[string]string{
		"Subject: a\n\nFrom here\n\n" + sep:                                                "Subject: a\n\nFrom here\n\n" + sep,
		sep + "Subject: a\n\n>From x\n>>From y\nFrom z\n\n" + sep + "Subject: b\n\n" + sep: "Subject: a\n\nFrom x\n>From y\nFrom z\n\n|Subject: b\n\n|",
		sep: "", "": "",
	} {
		var got []string
		if err := EachLetter(iotest.OneByteReader(strings.NewReader(in)), func(r io.Reader) error {
			b, err := io.ReadAll(r)
			got = append(got, string(b))
			return err
		}); err != nil || strings.Join(got, "|") != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// TestCorpusLetters prints what became of every letter of the corpora, by set.
func TestCorpusLetters(t *testing.T) {
	type row struct {
		letters, read, quarantined int
		total, slowest             time.Duration
	}
	rows := map[string]*row{}
	corpusLetters(t, func(set, path string, raw []byte) {
		if rows[set] == nil {
			rows[set] = &row{}
		}
		r := rows[set]
		if err := EachLetter(bytes.NewReader(raw), func(letter io.Reader) error {
			start := time.Now()
			_, err := ReadAll(letter, Own{})
			took := time.Since(start)
			r.letters++
			r.total += took
			r.slowest = max(r.slowest, took)
			if err == nil {
				r.read++
			} else if !Quarantine(err).IsZero() {
				r.quarantined++
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	})
	for _, set := range slices.Sorted(maps.Keys(rows)) {
		r := rows[set]
		t.Logf("%-18s %4d letters, %4d read, %2d quarantined, %6.0f letters/s, slowest %v", set, r.letters, r.read, r.quarantined,
			float64(r.letters)/r.total.Seconds(), r.slowest.Round(time.Microsecond))
		if r.read+r.quarantined != r.letters || r.slowest > slow {
			t.Errorf("%s: not every letter was read or quarantined in time", set)
		}
	}
}

// rewritten explains where the expected JSON cannot be met, because the program that made it changed what the letter says.
var rewritten = map[string]string{
	"plain_emails/raw_email6.eml":                                  "letters beyond ASCII were dropped",
	"error_emails/content_transfer_encoding_plain.eml":             "letters beyond ASCII were dropped",
	"plain_emails/raw_email_incorrect_header.eml":                  "a broken header line was taken for the start of the text",
	"attachment_2_base64.eml":                                      "base64 was taken for the text of the enclosed letter",
	"error_emails/missing_content_disposition.eml":                 "a file without a name was passed over",
	"attachment_7bit.eml":                                          "header lines of the enclosed letter were folded anew",
	"mime_emails/raw_email_with_mimepart_without_content_type.eml": "header lines of the enclosed letter were folded anew",
	"multipart_report_emails/multi_address_bounce1.eml":            "header lines of the enclosed letter were folded anew",
	"multipart_report_emails/multi_address_bounce2.eml":            "header lines of the enclosed letter were folded anew",
	"multipart_report_emails/multipart_report_multiple_status.eml": "header lines of the enclosed letter were folded anew, its text is listed as a file too",
}

// TestCorpusExpected compares with what others expect of labelled letters, letters within the letter unfolded.
func TestCorpusExpected(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(corpora, "mime_labelled", "expected.json"))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	var expected map[string]struct {
		Text        string
		Attachments []struct {
			Filename    string
			ContentType string `json:"content_type"`
			Payload     struct {
				Bytes int64 `json:"bytes_len"`
			}
		}
	}
	if err := json.Unmarshal(b, &expected); err != nil {
		t.Fatal(err)
	}
	var texts, files share
	for name, want := range expected {
		raw, err := os.ReadFile(filepath.Join(corpora, "mime_labelled", name))
		if err != nil {
			t.Fatal(err)
		}
		f := mustReadAll(t, string(raw))
		sameText := want.Text == "" || strings.Join(strings.Fields(want.Text), "") == strings.Join(strings.Fields(f.Unfolded.Text), "") // they join texts with nothing between
		texts.count(sameText)
		var list []string
		for _, a := range want.Attachments {
			list = append(list, fmt.Sprintf("%s %s %d", a.Filename, a.ContentType, a.Payload.Bytes))
		}
		got := fileList(Facts{Attachments: f.Unfolded.Attachments})
		sameFiles := got == strings.Join(list, ", ")
		files.count(sameFiles)
		if why := rewritten[name]; why != "" {
			t.Logf("%s: %s", name, why)
		} else if !sameText || !sameFiles {
			t.Errorf("%s: text %.80q, files %q; expected %.80q, %q", name, f.Unfolded.Text, got, want.Text, list)
		}
	}
	t.Logf("%d letters: texts equal %s, lists of files equal %s", len(expected), texts, files)
	if texts.part < 77 || files.part < 75 {
		t.Error("fewer than there were")
	}
}

func BenchmarkReadAll(b *testing.B) {
	b.Run("typical", func(b *testing.B) {
		raw := typical()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadAll(bytes.NewReader(raw), Own{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("50MB", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(50 << 20)
		for b.Loop() {
			if _, err := ReadAll(encoded(50<<20), Own{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func FuzzReadAll(f *testing.F) {
	for _, s := range []string{
		"From: a@b\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--z--",
		"Content-Type: multipart/mixed\n\n--q\nContent-Type: text/plain\n\nbegin 644 a\n#0V%T\n`\nend\n--q--",
		"From: a@b\nContent-Transfer-Encoding: quoted-printable\n\n==\n=D0=\n=B0", "Content-Transfer-Encoding: base64\n\nQ=Q=J\nD", "From: a@b\rTo: c\r\rtext\r",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick(t, func() { sameAsRead(t, "letter", b) })
	})
}

func FuzzParseMedia(f *testing.F) {
	for _, s := range []string{"text/plain; charset=\"utf-8", "attachment; filename*0*=utf-8''%D0; filename*1=b", "a/b; name==?utf-8?Q?=D0=B0?=; name*=koi8-r'ru'%C1"} {
		f.Add([]byte(s), "koi8-r")
	}
	f.Fuzz(func(t *testing.T, b []byte, hint string) {
		quick(t, func() {
			m := parseMedia(b, hint)
			e := entity{media: m, disposition: m}
			if name := e.fileName(); strings.ContainsAny(name, "/\\\r\n\x00") || len([]rune(name)) > maxName {
				t.Errorf("name %q", name)
			}
			if len(m.params) > maxParams {
				t.Errorf("%d parameters", len(m.params))
			}
		})
	})
}
