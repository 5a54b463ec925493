package inbound

import (
	"strings"
	"testing"

	"kontrol/models"
)

// TestPersonsAreNeverBounces reads letters in which people speak of what was not delivered, send reports on, and sign with
// an address of their own: none of them is a report.
func TestPersonsAreNeverBounces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ head, body string }{
		"goods":                            {"Subject: Груз не доставлен", "Груз до сих пор не было доставлено.\nИван\nivan@romashka.example\n"},
		"an answer without a thread":       {"Subject: Re: Заказ 5 не доставлен", "Не удалось доставить, склад закрыт.\nПозвоните кладовщику.\nivan@romashka.example\n"},
		"an answer from a phone":           {"Subject: Re: Письмо не доставлено\nX-Mailer: iPhone Mail (20A380)", "Не доставлено по адресу\nanna@firma.example\nпроверьте.\n"},
		"asks for another address":         {"Subject: Re: счёт: не доставлен", "Здравствуйте! Письмо не доставлено по адресу\nbuh@firma.example\nПришлите другой.\n"},
		"quotes the report":                {"Subject: Undelivered Mail Returned to Sender", "Анна, смотрите, что пришло:\n> 550 5.1.1 <anna@firma.example>: user unknown\n"},
		"sends the report on":              {"Subject: Fwd: Undelivered Mail Returned to Sender\nUser-Agent: Mozilla Thunderbird", "Что это?\n\n-------- Forwarded Message --------\nSubject: Undelivered Mail Returned to Sender\nFrom: MAILER-DAEMON@mx.example\n\n550 5.1.1 user unknown\n"},
		"pastes the report":                {"Subject: Undelivered Mail Returned to Sender", "Анна, пришло вот такое\n550 5.1.1 <anna@firma.example>: user unknown\n"},
		"asks about a code":                {"Subject: ошибка 550", "Почему ваш сервер отвечает 550 5.7.1 relay access denied?\n"},
		"a postmaster who is a person":     {"From: Пётр <postmaster@romashka.example>\nSubject: ваш заказ\nUser-Agent: Mozilla Thunderbird", "Добрый день! Отгрузим завтра.\n"},
		"an answer to a report":            {"Subject: Re: Delivery Status Notification (Failure)\nIn-Reply-To: <1@mx.example>\nReferences: <1@mx.example>", "Ящик переполнен, почистил. Отправьте ещё раз.\n"},
		"delay of goods":                   {"Subject: Задержка доставки", "Доставка задержана на два дня, приносим извинения.\n"},
		"returned goods":                   {"Subject: возврат отправителю", "Товар возвращён отправителю, акт во вложении.\n"},
		"English":                          {"Subject: Re: delivery failed", "The carrier was unable to deliver to\n12 Main Street.\nCall me.\njohn@romashka.example\n"},
		"English, with an address":         {"Subject: RE: invoice - undeliverable", "I was unable to deliver your message to Petrov.\nHis address is\npetrov@romashka.example\n"},
		"a full mailbox told by its owner": {"Subject: Re: Счёт", "Извините, почтовый ящик переполнен был, теперь пишите.\n"},
	} {
		raw := "Message-ID: <x@romashka.example>\nTo: anna@firma.example\nContent-Type: text/plain; charset=utf-8\n" + c.head + "\n"
		if !strings.HasPrefix(c.head, "From: ") {
			raw = "From: Иван <ivan@romashka.example>\n" + raw
		}
		f := mustReadAll(t, raw+"\n"+c.body)
		if f.Letter.Class != models.ClassPerson {
			t.Errorf("%s: %s (%s)", name, f.Letter.Class, f.Letter.ClassReason.ID)
		}
	}
}
