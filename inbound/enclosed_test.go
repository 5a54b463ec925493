package inbound

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// enclosing puts a letter, or several, behind some words.
func enclosing(words string, letters ...string) string {
	parts := []string{"Content-Type: text/plain; charset=utf-8\r\n\r\n" + words}
	for _, l := range letters {
		parts = append(parts, "Content-Type: message/rfc822\r\n\r\n"+l)
	}
	boundary := fmt.Sprintf("b%d", len(strings.Join(letters, "")))
	return "From: a@example.com\r\nSubject: see\r\nContent-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n" +
		strings.Join(parts, "\r\n--"+boundary+"\r\n") + "\r\n--" + boundary + "--\r\n"
}

func TestEnclosedLetters(t *testing.T) {
	t.Parallel()
	plain := "From: b@example.com\r\nSubject: x\r\n\r\nСтрока внутри\r\n"
	html := "From: b@example.com\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Строка <b>в</b> HTML</p>"
	withFile := "From: b@example.com\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\nСчёт во вложении\r\n" +
		"--inner\r\nContent-Type: application/pdf; name=\"s.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--inner--\r\n"
	report := strings.NewReplacer("\n", "\r\n").Replace("From: mailer-daemon@example.com\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\n\n" +
		"--r\n\nUser unknown\n--r\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; c@example.com\nAction: failed\nStatus: 5.1.1\n\n" +
		"--r\nContent-Type: message/rfc822\n\nFrom: a@example.com\nMessage-ID: <1@example.com>\n\nHello\n--r--\n")
	encoded := "From: a@example.com\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nwords\r\n--o\r\nContent-Type: message/rfc822\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(plain)) + "\r\n--o--\r\n"
	size := func(s string) int { return len(strings.ReplaceAll(s, "\r\n", "\n")) }
	for _, c := range []struct{ name, raw, text, files string }{
		{"none", plain, "Строка внутри", ""},
		{"plain", enclosing("см.", plain), "см.\nСтрока внутри", fmt.Sprintf(" message/rfc822 %d", size(plain))},
		{"HTML", enclosing("см.", html), "см.\nСтрока в HTML", fmt.Sprintf(" message/rfc822 %d", size(html))},
		{"with a file", enclosing("см.", withFile), "см.\nСчёт во вложении", fmt.Sprintf(" message/rfc822 %d, s.pdf application/pdf 5", size(withFile))},
		{"two", enclosing("см.", withFile, plain), "см.\nСчёт во вложении\nСтрока внутри",
			fmt.Sprintf(" message/rfc822 %d, s.pdf application/pdf 5,  message/rfc822 %d", size(withFile), size(plain))},
		{"two deep", enclosing("раз", enclosing("два", withFile)), "раз\nдва\nСчёт во вложении",
			fmt.Sprintf(" message/rfc822 %d,  message/rfc822 %d, s.pdf application/pdf 5", size(enclosing("два", withFile)), size(withFile))},
		{"encoded, as some programs wrongly do", encoded, "words\nСтрока внутри", fmt.Sprintf(" message/rfc822 %d", len(plain))},
		{"after a line of a mailbox", enclosing("см.", "From b@example.com Tue May 10 11:28:07 2005\r\n"+plain), "см.\nСтрока внутри", fmt.Sprintf(" message/rfc822 %d", size(plain))},
		{"no header", enclosing("см.", "просто слова"), "см.\nпросто слова", fmt.Sprintf(" message/rfc822 %d", len("просто слова"))},
		{"empty", enclosing("см.", ""), "см.", " message/rfc822 0"},
		{"a report", report, "User unknown\nHello", fmt.Sprintf(" message/rfc822 %d", len("From: a@example.com\nMessage-ID: <1@example.com>\n\nHello"))},
	} {
		for _, store := range []struct{ name, raw string }{{"CRLF", c.raw}, {"LF", strings.ReplaceAll(c.raw, "\r\n", "\n")}} {
			f := mustReadAll(t, store.raw)
			if got := strings.TrimSpace(f.Unfolded.Text); got != c.text {
				t.Errorf("%s, %s: text %q, want %q", c.name, store.name, got, c.text)
			}
			if got := fileList(Facts{Attachments: f.Unfolded.Attachments}); got != c.files {
				t.Errorf("%s, %s: files %q, want %q", c.name, store.name, got, c.files)
			}
			sameAsRead(t, c.name, []byte(store.raw))
		}
	}
}

// TestEnclosedWordsAreNotTheWriters holds what follows from the words of a letter apart from those of the letters in it.
func TestEnclosedWordsAreNotTheWriters(t *testing.T) {
	t.Parallel()
	f := mustReadAll(t, enclosing("Посмотрите, пожалуйста.", "From: b@example.com\r\nSubject: x\r\n\r\nОплатили счёт № 17\r\n"))
	if f.Text != "Посмотрите, пожалуйста." || f.ReplyText != f.Text || f.Named.Paid || len(f.Named.Invoices) > 0 {
		t.Errorf("text %q, reply %q, named %+v", f.Text, f.ReplyText, f.Named)
	}
	if f.Attachments[0].SHA256 != f.Unfolded.Attachments[0].SHA256 || len(f.Attachments) != 1 {
		t.Errorf("attachments %+v", f.Attachments)
	}
}

func TestEnclosedLimits(t *testing.T) {
	t.Parallel()
	deep := "From: b@example.com\r\n\r\ninnermost\r\n"
	for range 25 {
		deep = enclosing("level", deep)
	}
	many := "From: b@example.com\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n" + strings.Repeat("--m\r\n\r\nx\r\n", 600) + "--m--\r\n"
	for name, c := range map[string]struct {
		raw  string
		told bool
	}{"deep": {deep, true}, "many": {enclosing("see", many), true}, "usual": {enclosing("see", enclosing("see", "From: c@example.com\r\n\r\nx")), false}} {
		f := mustReadAll(t, c.raw)
		if got := has(f.Letter.Problems, problemEnclosed); got != c.told {
			t.Errorf("%s: told %t, problems %q", name, got, f.Letter.Problems)
		}
		if strings.Contains(f.Unfolded.Text, "innermost") {
			t.Errorf("%s: deeper than the limit", name)
		}
	}
}
