package imapsync

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"kontrol/internal/dovecot"
	wardpkg "kontrol/internal/ward"
)

// post makes the letters of a sales department for benchmarks: Russian and English, in threads, as plain text, with HTML
// beside it, or with an attachment; half of them below 5 KB, some of 200 KB. The same number gives the same letter.
type post struct{ attachment []byte }

func newPost() *post {
	r := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, 180<<10)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return &post{attachment: []byte(lines76(base64.StdEncoding.EncodeToString(raw)))}
}

func lines76(s string) string {
	var b strings.Builder
	for piece := range slices.Chunk([]byte(s), 76) {
		b.Write(piece)
		b.WriteString("\r\n")
	}
	return b.String()
}

var (
	russianWords = strings.Fields(`договор поставка оплата срок проект задача встреча сегодня завтра отчёт команда сервер почта письмо
		ответ вопрос сумма рублей заказ доставка склад товар клиент менеджер документ подпись согласование пожалуйста добрый день
		коллеги спасибо уважением счёт акт накладная адрес телефон город улица дом офис этаж рейс насос фланец кабель труба`)
	englishWords = strings.Fields(`contract delivery payment deadline project task meeting today tomorrow report team server mail
		letter reply question amount order shipping warehouse goods client manager document signature approval please regards dear`)
)

// letter makes letter number i.
func (p *post) letter(i int) []byte {
	r := rand.New(rand.NewPCG(42, uint64(i)))
	words := russianWords
	if r.IntN(100) < 40 {
		words = englishWords
	}
	text := prose(r, words, min(max(int(1100*math.Exp(0.8*r.NormFloat64())), 60), 30000))
	domain := fmt.Sprintf("corp%02d.example", r.IntN(60))
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 97 * time.Second).Format(time.RFC1123Z)
	var b bytes.Buffer
	for hop := range 2 + r.IntN(3) {
		fmt.Fprintf(&b, "Received: from mx%d.%s (mx%d.%s [192.0.2.%d])\r\n\tby relay%d.example with ESMTPS id %x\r\n\tfor <ivan@bench.example>; %s\r\n",
			hop, domain, hop, domain, r.IntN(255), hop, r.Uint64(), at)
	}
	if r.IntN(3) > 0 {
		fmt.Fprintf(&b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=s1;\r\n\th=from:to:subject:date:message-id; bh=%x;\r\n\tb=%s\t %s",
			domain, r.Uint64(), p.attachment[:78], p.attachment[78:156])
		fmt.Fprintf(&b, "Authentication-Results: relay1.example; dkim=pass header.d=%s; spf=pass\r\n", domain)
	}
	subject := strings.Join([]string{words[r.IntN(len(words))], words[r.IntN(len(words))], words[r.IntN(len(words))], fmt.Sprint(i)}, " ")
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%d.%x@%s>\r\n", at, i, i*7919, domain)
	if parent := i - 1 - r.IntN(40); parent >= 0 && r.IntN(2) == 0 {
		fmt.Fprintf(&b, "In-Reply-To: <%d.%x@corp.example>\r\nReferences: <%d.%x@corp.example>\r\n\t<%d.root@corp.example>\r\n", parent, parent*7919, parent, parent*7919, parent)
		subject = "Re: " + subject
	}
	fmt.Fprintf(&b, "From: %s <user%d@%s>\r\nTo: <ivan@bench.example>\r\nSubject: %s\r\nX-Mailer: bench 1\r\nMIME-Version: 1.0\r\n",
		mime.BEncoding.Encode("utf-8", "Пётр Соболев"), r.IntN(900), domain, strings.ReplaceAll(mime.BEncoding.Encode("utf-8", subject), "?= =?", "?=\r\n =?"))
	p.body(&b, r, text, i)
	return b.Bytes()
}

func prose(r *rand.Rand, words []string, size int) string {
	var b strings.Builder
	for b.Len() < size {
		for range 6 + r.IntN(8) {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		b.WriteString(".\r\n")
	}
	return b.String()
}

func (p *post) body(b *bytes.Buffer, r *rand.Rand, text string, i int) {
	boundary := fmt.Sprintf("=_b%x", i)
	html := "<html><head><style>p{margin:0;color:#222}</style></head><body><p>" + strings.ReplaceAll(text, "\r\n", "</p>\r\n<p>") + "</p></body></html>\r\n"
	switch kind := r.IntN(100); {
	case kind < 55:
		part(b, r, "plain", text)
	case kind < 87:
		fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=%q\r\n\r\n--%s\r\n", boundary, boundary)
		part(b, r, "plain", text)
		fmt.Fprintf(b, "--%s\r\n", boundary)
		part(b, r, "html", html)
		fmt.Fprintf(b, "--%s--\r\n", boundary)
	default:
		size := 6000 + r.IntN(26000)
		if kind >= 97 {
			size = 150000 + r.IntN(80000)
		}
		fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=%q\r\n\r\n--%s\r\n", boundary, boundary)
		part(b, r, "plain", text)
		fmt.Fprintf(b, "--%s\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n"+
			"Content-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n", boundary)
		b.Write(p.attachment[:size/78*78])
		fmt.Fprintf(b, "--%s--\r\n", boundary)
	}
}

func part(b *bytes.Buffer, r *rand.Rand, kind, text string) {
	charset := "utf-8"
	if r.IntN(5) == 0 {
		charset = "windows-1251"
		text, _ = charmap.Windows1251.NewEncoder().String(text)
	}
	fmt.Fprintf(b, "Content-Type: text/%s; charset=%s\r\n", kind, charset)
	if r.IntN(3) == 0 {
		b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
		w := quotedprintable.NewWriter(b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		b.WriteString("\r\n")
		return
	}
	b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n" + lines76(base64.StdEncoding.EncodeToString([]byte(text))))
}

// fillMaildir puts n letters into a user's INBOX without going through the server, and returns their octets.
func fillMaildir(tb testing.TB, d *dovecot.Server, user string, n int) (octets int64) {
	tb.Helper()
	account, err := wardpkg.AccountToUse()
	if err != nil {
		tb.Fatal(err)
	}
	home := filepath.Join(d.Dir, "mail", user)
	box := filepath.Join(home, "mail")
	for _, dir := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(box, dir), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	p := newPost()
	for i := range n {
		l := p.letter(i)
		octets += int64(len(l))
		name := filepath.Join(box, "cur", fmt.Sprintf("%d.M%06dP1.bench,S=%d,W=%d:2,S", 1700000000+i, i%1000000, len(l), len(l)))
		if err := os.WriteFile(name, l, 0o600); err != nil {
			tb.Fatal(err)
		}
		if os.Geteuid() == 0 {
			_ = os.Chown(name, account.UID, account.GID)
		}
	}
	if os.Geteuid() == 0 {
		for _, dir := range []string{filepath.Join(box, "cur"), filepath.Join(box, "new"), filepath.Join(box, "tmp"), box, home, filepath.Dir(home)} {
			_ = os.Chown(dir, account.UID, account.GID)
		}
	}
	return octets
}
