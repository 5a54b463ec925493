package inbound

import (
	"strings"
	"testing"
)

func TestForwarded(t *testing.T) {
	t.Parallel()
	lines := func(l ...string) string { return strings.Join(l, "\n") + "\n" }
	for name, tc := range map[string]struct {
		subject, text string
		who, address  string
	}{
		"Outlook, Russian": {"FW: Заявка", lines("Аня, посмотри.", "", "________________________________", "От: Иван Петров <ivan@romashka.example>",
			"Отправлено: 20 ноября 2026 г. 10:12", "Кому: Борис", "Тема: Заявка", "", "Добрый день!"), "Иван Петров", "ivan@romashka.example"},
		"Outlook, mailto": {"WG: Заявка", lines("From: Ivan Petrov [mailto:Ivan@Romashka.example]", "Sent: Friday, November 20, 2026 10:12 AM",
			"To: Boris", "Subject: Заявка"), "Ivan Petrov", "ivan@romashka.example"},
		"Outlook, link beside the address": {"Пересл: Заявка", lines("От: ivan@romashka.example <mailto:ivan@romashka.example>", "Отправлено: вчера",
			"Кому: Борис"), "", "ivan@romashka.example"},
		"Apple Mail": {"Fwd: Заявка", lines("Begin forwarded message:", "", "> From: Ivan Petrov <ivan@romashka.example>", "> Subject: Заявка",
			"> Date: 20 November 2026 at 10:12:00 GMT+3", "> To: boris@teplodom.example"), "Ivan Petrov", "ivan@romashka.example"},
		"Apple Mail, Russian": {"Fwd: Заявка", lines("> Начало переадресованного сообщения:", ">", "> От: Иван Петров <ivan@romashka.example>",
			"> Тема: Заявка", "> Дата: 20 ноября 2026 г., 10:12"), "Иван Петров", "ivan@romashka.example"},
		"phone": {"Fwd: Заявка", lines("Отправлено с iPhone", "", "Начало пересылаемого сообщения:", "", "От: ivan@romashka.example",
			"Дата: 20 ноября 2026 г.", "Кому: boris@teplodom.example"), "", "ivan@romashka.example"},
		"Gmail": {"Fwd: Заявка", lines("---------- Forwarded message ---------", "От: Иван Петров <ivan@romashka.example>",
			"Date: пт, 20 нояб. 2026 г. в 10:12", "Subject: Заявка", "To: <boris@teplodom.example>"), "Иван Петров", "ivan@romashka.example"},
		"Thunderbird": {"Fwd: Заявка", lines("", "-------- Перенаправленное сообщение --------", "Тема: Заявка", "Дата: Fri, 20 Nov 2026 10:12:00 +0300",
			"От: Иван Петров <ivan@romashka.example>", "Кому: boris@teplodom.example"), "Иван Петров", "ivan@romashka.example"},
		"Yandex": {"Fwd: Заявка", lines("-------- Пересылаемое сообщение --------", "20.11.2026, 10:12, \"Иван Петров\" <ivan@romashka.example>:", "",
			"От: Иван Петров <ivan@romashka.example>", "Кому: Борис <boris@teplodom.example>"), "Иван Петров", "ivan@romashka.example"},
		"Mail.ru": {"Fwd: Заявка", lines("-------- Пересылаемое сообщение --------", "От кого: Иван Петров <ivan@romashka.example>",
			"Кому: Борис <boris@teplodom.example>", "Дата: Пятница, 20 ноября 2026"), "Иван Петров", "ivan@romashka.example"},
		"value in the next line": {"Fwd: Заявка", lines("От:", "Иван Петров <ivan@romashka.example>", "Кому: Борис"), "Иван Петров", "ivan@romashka.example"},
		"bold fields":            {"Fwd: Заявка", lines("*От:* Иван <ivan@romashka.example>", "*Кому:* Борис"), "Иван", "ivan@romashka.example"},
		"the first of two":       {"Fwd: Заявка", lines("От: a@romashka.example", "Кому: b@lutik.example", "", "текст", "От: b@lutik.example", "Кому: a@romashka.example"), "", "a@romashka.example"},
		"behind a tag":           {"[Заявки] Re: FW: x", lines("From: a@romashka.example", "To: b@lutik.example"), "", "a@romashka.example"},

		"an answer":            {"Re: Заявка", lines("Согласен.", "", "От: Иван <ivan@romashka.example>", "Кому: Борис", "Тема: Заявка"), "", ""},
		"an answer in English": {"Re: Заявка", lines("OK", "-----Original Message-----", "From: ivan@romashka.example", "To: b@teplodom.example"), "", ""},
		"one line is no head":  {"Fwd: Заявка", lines("От: ivan@romashka.example", "", "текст"), "", ""},
		"prose":                {"Fwd: Заявка", lines("От нас: привет!", "Тема: важная"), "", ""},
		"no address":           {"Fwd: Заявка", lines("От: Иван Петров", "Кому: Борис"), "", ""},
		"empty":                {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who, address := Forwarded(tc.subject, tc.text)
			if who != tc.who || address != tc.address {
				t.Errorf("got %q %q, want %q %q", who, address, tc.who, tc.address)
			}
		})
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("Fwd: x", "Begin forwarded message:\n\n> From: A <a@b.example>\n> To: c@d.example\n")
	f.Add("FW: x", "От: Иван [mailto:a@b.example]\nОтправлено: вчера\n")
	f.Add("WG: x", "From:\n\"<mailto:\n>@\nTo:")
	f.Fuzz(func(t *testing.T, subject, text string) {
		_, address := Forwarded(subject, text)
		if address != "" && (address != Normal(address) || !strings.Contains(address, "@")) {
			t.Errorf("%q is not a normal address", address)
		}
	})
}
