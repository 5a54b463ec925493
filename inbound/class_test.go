package inbound

import (
	"slices"
	"strings"
	"testing"

	"kontrol/models"
)

func TestDirection(t *testing.T) {
	t.Parallel()
	own := NewOwn([]string{"boss@gmail.com"}, []string{"own.ru"})
	for _, c := range []struct {
		name  string
		lines []string
		want  models.Direction
		class models.Class
	}{
		{"in", []string{"From: a@client.ru", "To: sales@own.ru"}, models.Inbound, models.ClassPerson},
		{"out", []string{"From: sales@own.ru", "To: a@client.ru"}, models.Outbound, models.ClassPerson},
		{"out, a colleague first", []string{"From: sales@own.ru", "To: b@own.ru", "Cc: a@client.ru"}, models.Outbound, models.ClassPerson},
		{"out by bcc", []string{"From: sales@own.ru", "To: sales@own.ru", "Bcc: a@client.ru"}, models.Outbound, models.ClassPerson},
		{"out without recipients", []string{"From: sales@own.ru", "To: undisclosed-recipients:;"}, models.Outbound, models.ClassPerson},
		{"internal", []string{"From: sales@own.ru", "To: b@own.ru, boss@gmail.com"}, models.Internal, models.ClassInternal},
		{"to oneself", []string{"From: sales@own.ru", "To: sales@own.ru"}, models.Internal, models.ClassOwn},
		{"web form from our own address", []string{"From: site@own.ru", "To: sales@own.ru", "Reply-To: a@client.ru"}, models.Inbound, models.ClassPerson},
		{"web form from a no-reply address", []string{"From: noreply@tilda.example", "To: sales@own.ru", "Reply-To: a@client.ru"}, models.Inbound, models.ClassPerson},
		{"no-reply", []string{"From: no-reply@shop.example", "To: sales@own.ru"}, models.Inbound, models.ClassAutoReply},
		{"colleague wants answers to a colleague", []string{"From: b@own.ru", "To: sales@own.ru", "Reply-To: c@own.ru"}, models.Internal, models.ClassInternal},
		{"our own automatic answer", []string{"From: sales@own.ru", "To: a@client.ru", "Auto-Submitted: auto-replied"}, models.Outbound, models.ClassAutoReply},
		{"our own newsletter", []string{"From: sales@own.ru", "To: a@client.ru", "List-Id: <news.own.ru>"}, models.Outbound, models.ClassList},
		{"our own server's bounce", []string{"From: MAILER-DAEMON@own.ru", "To: sales@own.ru", "Subject: Undelivered Mail Returned to Sender"}, models.Inbound, models.ClassBounce},
	} {
		f := mustRead(t, letter("text", append(c.lines, "Subject: x")...), own)
		if f.Letter.Direction != c.want || f.Letter.Class != c.class {
			t.Errorf("%s: got %s %s (%s)", c.name, f.Letter.Direction, f.Letter.Class, f.Letter.ClassReason.ID)
		}
	}
}

// classCases are letters from a@client.ru (unless a From is given) with their classes.
var classCases = []struct {
	name  string
	lines string // joined by |
	body  string
	want  models.Class
}{
	{"question", "Subject: Сколько стоит?", "Здравствуйте", models.ClassPerson},
	{"exchange's own field", "Subject: x|X-Auto-Response-Suppress: DR, OOF, AutoReply|X-MS-Exchange-Organization-AuthSource: a", "x", models.ClassPerson},
	{"exchange, about a holiday", "Subject: График отпусков, мы в отпуске до 5.12|X-Auto-Response-Suppress: All", "x", models.ClassPerson},
	{"auto-submitted no", "Subject: x|Auto-Submitted: no", "x", models.ClassPerson},
	{"goods that were not delivered", "Subject: Товар не доставлен", "Заказ 550 не доставлен, не удалось доставить, разберитесь", models.ClassPerson},
	{"delivery of goods", "Subject: Ошибка доставки", "Не было доставлено 5 позиций. Срочно.", models.ClassPerson},
	{"asks about a bounce", "Subject: Re: Undelivered Mail Returned to Sender|In-Reply-To: <1@own.ru>", "Почему письмо вернулось? 550 5.1.1 User unknown, could not be delivered", models.ClassPerson},
	{"sends a bounce on", "Subject: Fwd: Delivery Status Notification (Failure)", "550 5.1.1 User unknown, could not be delivered to, permanent failure", models.ClassPerson},
	{"postmaster is a person", "From: Postmaster <postmaster@client.ru>|Subject: Настройка почты", "Добрый день, уточните адрес", models.ClassPerson},
	{"a bounce is attached", "Subject: Не доходит|Content-Type: multipart/mixed; boundary=z", "--z\r\n\r\nСмотрите\r\n--z\r\nContent-Type: message/rfc822\r\n\r\nFrom: mailer-daemon@x\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=y\r\n\r\n--y\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n--y--\r\n--z--", models.ClassPerson},
	{"writes from holiday", "Subject: Я в отпуске, счёт оплатим позже", "Вернусь 5.12", models.ClassPerson},
	{"answers an automatic answer", "Subject: Re: Автоответ: Отпуск", "Спасибо", models.ClassPerson},
	{"read: a book", "Subject: Read: our new catalogue", "See attached.", models.ClassPerson},
	{"sales tool adds unsubscribe to an answer", "Subject: Re: КП|In-Reply-To: <1@own.ru>|List-Unsubscribe: <mailto:u@x>", "Согласны", models.ClassPerson},
	{"through our own group", "Subject: x|List-Id: <sales.own.ru>|Precedence: list|List-Post: <mailto:sales@own.ru>", "x", models.ClassPerson},
	{"report of a server", "From: x@y|Return-Path: <>|Subject: x|Content-Type: multipart/report; report-type=delivery-status; boundary=z", "--z\r\n\r\nno\r\n--z--", models.ClassBounce},
	{"field of exim", "From: Mail <m@y>|Subject: x|X-Failed-Recipients: a@b", "x", models.ClassBounce},
	{"russian bounce", "From: mailer-daemon@corp.mail.ru|Subject: Ваше сообщение не доставлено. Mail failure.", "x", models.ClassBounce},
	{"exchange, in russian", "From: Почтовая система <p@client.ru>|Return-Path: <>|Subject: Не удалось доставить: КП", "x", models.ClassBounce},
	{"empty sender, only the text tells", "Return-Path: <>|Subject: Hello", "Your message could not be delivered: 550 5.1.1 user unknown", models.ClassBounce},
	{"delivered", "From: mailer-daemon@x|Return-Path: <>|Subject: Success|Content-Type: multipart/report; report-type=delivery-status; boundary=z", "--z\r\n\r\nok\r\n--z\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\nAction: delivered\r\nStatus: 2.0.0\r\n--z--", models.ClassDelivered},
	{"read receipt", "Subject: Прочтено: КП|Content-Type: multipart/report; report-type=disposition-notification; boundary=z", "--z\r\n\r\nok\r\n--z--", models.ClassReceipt},
	{"read receipt in words", "Subject: Прочтено: КП", "Ваше сообщение было прочтено 01.11.2026 10:00", models.ClassReceipt},
	{"auto-replied", "Subject: x|Auto-Submitted: auto-replied (vacation)", "x", models.ClassAutoReply},
	{"x-autoreply", "Subject: x|X-Autoreply: yes", "x", models.ClassAutoReply},
	{"precedence auto_reply", "Subject: x|Precedence: auto_reply", "x", models.ClassAutoReply},
	{"outlook, in russian", "Subject: Автоматический ответ: КП", "Я в отпуске", models.ClassAutoReply},
	{"holiday with the empty sender", "Return-Path: <>|Subject: Я в отпуске", "Вернусь 5.12", models.ClassAutoReply},
	{"ticket system", "Subject: Ваше обращение зарегистрировано №5|X-Auto-Response-Suppress: All", "x", models.ClassAutoReply},
	{"automatic answer that quotes a refusal", "Return-Path: <>|Auto-Submitted: auto-replied|Subject: Out of office", "mailbox unavailable until 5.12, user unknown to me", models.ClassAutoReply},
	{"discussion list", "Subject: x|List-Id: <go.example.org>", "x", models.ClassList},
	{"newsletter", "Subject: Скидки|List-Unsubscribe: <https://x>", "x", models.ClassNewsletter},
	{"bulk", "Subject: Скидки|Precedence: bulk", "x", models.ClassNewsletter},
	{"generated for a list", "Subject: x|Auto-Submitted: auto-generated|List-Id: <x.example.org>", "x", models.ClassList},
}

func TestClass(t *testing.T) {
	t.Parallel()
	own := NewOwn(nil, []string{"own.ru"})
	for _, c := range classCases {
		lines := strings.Split(c.lines, "|")
		if !strings.Contains(c.lines, "From: ") {
			lines = append(lines, "From: Ivan <a@client.ru>")
		}
		f := mustRead(t, letter(c.body, append(lines, "To: sales@own.ru")...), own)
		if f.Letter.Class != c.want {
			t.Errorf("%s: got %s (%s)", c.name, f.Letter.Class, f.Letter.ClassReason.ID)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	f := mustRead(t, letter("--z\r\n\r\nno\r\n--z\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nOriginal-Recipient: rfc822;Ivan@client.ru\r\nFinal-Recipient: rfc822; i@client.ru\r\nAction: delayed\r\nStatus: 4.4.7 (expired)\r\n\r\n"+
		"Final-Recipient: rfc822; <p@client.ru>\r\nAction: failed\r\nStatus: 5.1.1\r\n--z\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <kp@own.ru>\r\nSubject: KP\r\n--z--",
		"From: MAILER-DAEMON@x", "Subject: x", "Content-Type: multipart/report; report-type=delivery-status; boundary=z"), Own{})
	b := f.Bounce
	want := []BounceRecipient{
		{Address: "i@client.ru", Action: "delayed", Status: "4.4.7", Reason: "expired"},
		{Address: "p@client.ru", Action: "failed", Status: "5.1.1", Permanent: true, Reason: "userunknown"},
	}
	if b == nil || b.OriginalMessageID != "kp@own.ru" || !slices.Equal(b.Recipients, want) {
		t.Errorf("got %+v", b)
	}
	if f := mustRead(t, letter("x", "From: a@b", "Subject: x"), Own{}); f.Bounce != nil || f.AutoReply != nil {
		t.Errorf("a person's letter reports %+v %+v", f.Bounce, f.AutoReply)
	}
}
