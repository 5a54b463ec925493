package demo

import (
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
)

// letter is one letter of the day and what is known about it.
type letter struct {
	key       string
	messageID string // without angle brackets
	refs      []string
	from, to  mail.Address
	subject   string
	text      string
	step      step
	manager   string // key of the manager in whose mailbox it lies
	sent      time.Time
}

// bytes renders the letter the way an ordinary mail client does: encoded words, quoted-printable text.
func (l *letter) bytes(extra ...string) []byte {
	var b strings.Builder
	line := func(k, v string) { fmt.Fprintf(&b, "%s: %s\r\n", k, v) }
	line("From", l.from.String())
	line("To", l.to.String())
	line("Subject", mime.QEncoding.Encode("utf-8", l.subject))
	line("Date", l.sent.Format(time.RFC1123Z))
	line("Message-ID", "<"+l.messageID+">")
	if n := len(l.refs); n > 0 {
		line("In-Reply-To", "<"+l.refs[n-1]+">")
		line("References", "<"+strings.Join(l.refs, "> <")+">")
	}
	for _, x := range extra {
		b.WriteString(x + "\r\n")
	}
	line("MIME-Version", "1.0")
	line("Content-Type", `text/plain; charset="utf-8"`)
	line("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(l.text + "\r\n")) // a strings.Builder does not fail
	_ = q.Close()
	return []byte(b.String())
}

// reply makes the answer to l by the given person, quoting it as mail clients do.
func (l *letter) reply(key string, from mail.Address, text string, at time.Time) *letter {
	subject := l.subject
	if !strings.HasPrefix(subject, "Re: ") {
		subject = "Re: " + subject
	}
	quoted := "> " + strings.ReplaceAll(l.text, "\n", "\n> ")
	return &letter{
		key: key, messageID: key + "." + fmt.Sprint(at.UnixNano()) + "@" + domainOf(from.Address),
		refs: append(append([]string(nil), l.refs...), l.messageID), from: from, to: l.from, subject: subject,
		text: text + "\n\n" + l.sent.Format("02.01.2006 15:04") + ", " + l.from.Name + " пишет:\n" + quoted, sent: at,
	}
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
