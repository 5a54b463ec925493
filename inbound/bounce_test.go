package inbound

import (
	"fmt"
	"strings"
	"testing"

	"kontrol/models"
)

// reports are reports about delivery in the words of programs that write no part for machines, or a broken one. Each is
// header lines joined by |, then the text, then what must be read: class, then address, action, status, reply, whether it is
// permanent, and the reason for each recipient, then the id of the letter.
var reports = []struct{ name, lines, text, want string }{
	{"qmail", "From: MAILER-DAEMON@mx.beta.example|Return-Path: <>|Subject: failure notice",
		"Hi. This is the qmail-send program at mx.beta.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ivan@beta.example>:\n192.0.2.5 does not like recipient.\nRemote host said: 550 5.1.1 no such user\nGiving up on 192.0.2.5.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <anna@own.ru>\nMessage-ID: <kp-1@own.ru>\nTo: ivan@beta.example\n",
		"bounce ivan@beta.example failed 5.1.1 550 true userunknown kp-1@own.ru"},
	{"exim, two recipients", "From: Mail Delivery System <Mailer-Daemon@relay.example>|X-Failed-Recipients: a@one.example,|Subject: Mail delivery failed: returning message to sender",
		"This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  a@one.example\n    host mx.one.example [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<a@one.example>:\n    552 5.2.2 mailbox is over quota\n  b@two.example\n    Unrouteable address\n\n------ This is a copy of the message, including all the headers. ------\n\nReceived: from x\nMessage-ID: <kp-2@own.ru>\n",
		"bounce a@one.example failed 5.2.2 552 true mailboxfull, b@two.example failed   true hostunknown kp-2@own.ru"},
	{"yandex, in Russian", "From: mailer-daemon@yandex.example|Auto-Submitted: auto-replied|Subject: Недоставленное сообщение",
		"Это письмо отправлено почтовым сервером.\n\nК сожалению, мы вынуждены сообщить Вам о том, что Ваше письмо не может\nбыть отправлено одному или нескольким адресатам. Технические подробности можно найти ниже.\n\n<petr@gamma.example>: host mx.gamma.example[192.0.2.9] said: 550 5.7.1 Message rejected as spam (in reply to end of DATA command)\n\nMessage-ID: <kp-3@own.ru>\n",
		"bounce petr@gamma.example failed 5.7.1 550 true spamdetected kp-3@own.ru"},
	{"mail.ru, in Russian", "From: mailer-daemon@corp.example|Subject: Ваше сообщение не доставлено. Mail failure.",
		"Это письмо создано автоматически сервером, отвечать на него не нужно.\n\nК сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\n\n  olga@delta.example\n    пользователь не найден\n",
		"bounce olga@delta.example failed   true userunknown "},
	{"old sendmail", "From: Mail Delivery Subsystem <MAILER-DAEMON@host.example>|Subject: Returned mail: User unknown",
		"The original message was received at Mon, 23 Nov 2026 10:00:00 +0300\nfrom localhost\n\n   ----- The following addresses had permanent fatal errors -----\n<x@eps.example>\n\n   ----- Transcript of session follows -----\n... while talking to mx.eps.example.:\n>>> RCPT To:<x@eps.example>\n<<< 550 5.1.1 <x@eps.example>... User unknown\n550 5.1.1 <x@eps.example>... User unknown\n\n   ----- Original message follows -----\n",
		"bounce x@eps.example failed 5.1.1 550 true userunknown "},
	{"lotus", "From: Postmaster@zeta.example|Return-Path: <>|Subject: DELIVERY FAILURE: User lena (lena@zeta.example) not listed in Domino Directory",
		"Your message\n\n  Subject: КП\n\nwas not delivered to:\n\n  lena@zeta.example\n\nbecause:\n\n  User lena (lena@zeta.example) not listed in Domino Directory\n",
		"bounce lena@zeta.example failed   true userunknown "},
	{"exchange 5.5", "From: System Administrator <postmaster@eta.example>|Subject: Undeliverable: KP|X-Mailer: Internet Mail Service (5.5.2653.19)",
		"Your message\n\n  To:      Sidorov\n  Subject: KP\n  Sent:    Mon, 23 Nov 2026 10:00:00 +0300\n\ndid not reach the following recipient(s):\n\nsidorov@eta.example on Mon, 23 Nov 2026 10:00:01 +0300\n    The recipient name is not recognized\n",
		"bounce sidorov@eta.example failed   true userunknown "},
	{"x.400", "From: postmaster@gw.example|Return-Path: <>|Subject: Undeliverable message",
		"did not reach the following recipient(s):\n\nc=RU;a= ;p=FIRMA;dda:SMTP=ivanov@theta.example; on Mon, 23 Nov 2026 10:00:00 +0300\n    The recipient name is not recognized\n",
		"bounce ivanov@theta.example failed   true userunknown "},
	{"still being tried", "From: Mail Delivery System <Mailer-Daemon@relay.example>|Subject: Warning: message 1abc delayed 24 hours",
		"A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\nThe address to which the message has not yet been delivered is:\n\n  kate@iota.example\n    host mx.iota.example: 451 4.7.1 Greylisted, try again later\n\nNo action is required on your part.\n",
		"delayed kate@iota.example delayed 4.7.1 451 false blocked "},
	{"still being tried, in Russian", "From: mailer-daemon@corp.example|Return-Path: <>|Subject: Доставка письма откладывается",
		"Ваше письмо пока не доставлено следующему адресату:\n\n  kate@iota.example\n\nСервер продолжит попытки в течение 3 дней. Отправлять письмо повторно не нужно.\n",
		"delayed kate@iota.example delayed   false expired "},
	{"complaint", "From: fbl@provider.example|Subject: FW: КП|Content-Type: multipart/report; report-type=feedback-report; boundary=z",
		"--z\n\nAn abuse report\n--z\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <kate@iota.example>\n\n--z\nContent-Type: message/rfc822\n\nMessage-ID: <kp-4@own.ru>\n\nx\n--z--",
		"feedback kate@iota.example    false feedback kp-4@own.ru"},
	{"fields with wrong words", "From: MAILER-DAEMON@x.example|Subject: x|Content-Type: multipart/report; report-type=delivery-status; boundary=z",
		"--z\n\nno\n--z\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822;kate@iota.example\nAction: failure\nStatus: 552 message size exceeds the limit\n--z--",
		"bounce kate@iota.example failed  552 true mesgtoobig "},
	{"only the returned letter names somebody", "From: postmaster@x.example|Return-Path: <>|Subject: Delivery failure|Content-Type: multipart/mixed; boundary=z",
		"--z\n\nThe mail system was unable to deliver the attached letter.\n--z\nContent-Type: message/rfc822\n\nMessage-ID: <kp-5@own.ru>\nTo: Kate <kate@iota.example>\n\nx\n--z--",
		"bounce kate@iota.example failed   true systemerror kp-5@own.ru"},
}

func TestReportsInWords(t *testing.T) {
	t.Parallel()
	for _, c := range append(moreReports, reports...) {
		lines := append(strings.Split(c.lines, "|"), "To: anna@own.ru")
		if !strings.Contains(c.lines, "Content-Type") {
			lines = append(lines, "Content-Type: text/plain; charset=utf-8")
		}
		f := mustRead(t, letter(strings.ReplaceAll(c.text, "\n", "\r\n"), lines...), NewOwn(nil, []string{"own.ru"}))
		var list []string
		b := f.Bounce
		if b == nil {
			b = &Bounce{}
		}
		for _, r := range b.Recipients {
			list = append(list, fmt.Sprintf("%s %s %s %s %t %s", r.Address, r.Action, r.Status, r.Reply, r.Permanent, r.Reason))
		}
		if got := fmt.Sprintf("%s %s %s", f.Letter.Class, strings.Join(list, ", "), b.OriginalMessageID); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// people write about what bounced, send it on, and use the same words about goods. Every one of these is a person's.
var people = []struct{ name, lines, text string }{
	{"asks about a refusal", "Subject: Ошибка доставки письма", "Добрый день!\n\nПисьмо вам не уходит, сервер пишет:\n\n<sales@own.ru>: host mx.own.ru said: 550 5.1.1 User unknown\n\nПодскажите верный адрес.\n"},
	{"sends a report on", "Subject: Fwd: Undelivered Mail Returned to Sender", "Смотрите, что пришло.\n\n<sales@own.ru>: 550 5.1.1 User unknown\n\nFinal-Recipient: rfc822; sales@own.ru\nAction: failed\n"},
	{"sends a report on, as a file", "Subject: Returned mail: user unknown|Content-Type: multipart/mixed; boundary=z|X-Mailer: Outlook", "--z\n\nHello,\n\nplease look at this.\n--z\nContent-Type: message/rfc822\n\nSubject: Undelivered\n\n550 5.1.1 user unknown\n--z--"},
	{"answers a report", "Subject: Re: Undelivered Mail Returned to Sender|In-Reply-To: <x@own.ru>", "Это был старый адрес: 550 user unknown, mailbox unavailable. Пишите на новый.\n"},
	{"goods not delivered", "Subject: Заказ не доставлен", "Здравствуйте! Заказ 550 так и не доставлен, получатель не найден. Когда привезёте?\n"},
	{"goods delayed", "Subject: Задержка доставки", "Доставка задержана на 3 дня, адресат не найден по адресу склада, верните деньги.\n"},
	{"a person at the postmaster's desk", "From: Пётр <postmaster@client.ru>|Subject: Re: ваши письма|User-Agent: Mozilla Thunderbird|In-Reply-To: <x@own.ru>|References: <x@own.ru>", "Добрый день! Ваш сервер в чёрном списке, поэтому 550 5.7.1. Снимаю блокировку.\n"},
	{"on holiday, but writes himself", "Subject: КП", "Я в отпуске до 05.12, но КП посмотрел: подходит.\n"},
	{"confirms an order", "Subject: Подтверждение заказа", "Прошу подтвердить отправку письма со счётом. Требуется подтверждение.\n"},
	{"complains", "Subject: Жалоба на спам", "Уберите меня из рассылки, иначе пожалуюсь: abuse, spam.\n"},
}

func TestPeopleAreNoMachines(t *testing.T) {
	t.Parallel()
	for _, c := range people {
		lines := append(strings.Split(c.lines, "|"), "To: sales@own.ru", "Message-ID: <1@client.ru>")
		if !strings.Contains(c.lines, "From: ") {
			lines = append(lines, "From: Иван Петров <ivan@client.ru>")
		}
		f := mustRead(t, letter(strings.ReplaceAll(c.text, "\n", "\r\n"), lines...), NewOwn(nil, []string{"own.ru"}))
		if f.Letter.Class != models.ClassPerson || f.Bounce != nil {
			t.Errorf("%s: %s (%s)", c.name, f.Letter.Class, f.Letter.ClassReason.ID)
		}
	}
}

// challenges are letters with the classes that they must have.
var challenges = []struct {
	lines, text string
	want        models.Class
}{
	{"From: kate@iota.example|Subject: Please confirm your message|Auto-Submitted: auto-replied", "Your message is being held.", models.ClassChallenge},
	{"From: filter@iota.example|Return-Path: <>|Subject: Re: КП", "Подтвердите, что вы не робот: ответьте на это письмо.", models.ClassChallenge},
	{"From: kate@iota.example|Subject: КП|Precedence: bulk", "To confirm that you are human, click the link.", models.ClassChallenge},
	{"From: list@iota.example|Subject: confirm your subscription|List-Id: <x.iota.example>|Precedence: bulk", "request for confirmation", models.ClassList},
	{"From: kate@iota.example|Subject: Please confirm your message", "Did you get it? Please confirm your message of Monday.", models.ClassPerson},
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	for _, c := range challenges {
		f := mustRead(t, letter(c.text, append(strings.Split(c.lines, "|"), "To: anna@own.ru")...), NewOwn(nil, []string{"own.ru"}))
		if f.Letter.Class != c.want {
			t.Errorf("%s: %s (%s), want %s", c.lines, f.Letter.Class, f.Letter.ClassReason.ID, c.want)
		}
	}
}

func FuzzReadBounce(f *testing.F) {
	for _, c := range append(moreReports, reports...) {
		f.Add([]byte(strings.ReplaceAll(c.lines, "|", "\r\n") + "\r\n\r\n" + c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick(t, func() {
			facts, err := Read(sourceOf(b), Own{})
			if err != nil || facts.Bounce == nil {
				return
			}
			checkFacts(t, facts)
			seen := map[string]bool{}
			for _, r := range facts.Bounce.Recipients {
				if r.Address == "" || seen[r.Address] || r.Permanent && r.Action != actionFailed || r.Status != "" && findStatus(r.Status) != r.Status {
					t.Errorf("%+v", r)
				}
				seen[r.Address] = true
			}
			if len(facts.Bounce.Recipients) > maxAddresses {
				t.Errorf("%d recipients", len(facts.Bounce.Recipients))
			}
		})
	})
}
