package inbound

import (
	"strings"
	"testing"

	"kontrol/models"
)

// TestMailingsWithoutFields recognises newsletters by what stands below them, and nobody's letter for one.
func TestMailingsWithoutFields(t *testing.T) {
	t.Parallel()
	const html = "Content-Type: text/html; charset=utf-8\n"
	for name, c := range map[string]struct {
		head, body string
		want       models.Class
	}{
		"Russian":               {html, "<h1>Скидки недели</h1><p>Насосы от 10 000 руб.</p><p>Вы получили это письмо, потому что подписались на рассылку. <a href=x>Отписаться</a></p>", models.ClassNewsletter},
		"English":               {html, "<p>News of the week</p><p>You are receiving this email because you signed up. To unsubscribe click here.</p>", models.ClassNewsletter},
		"seen in a browser":     {html, "<p>Письмо не отображается? Посмотреть в браузере</p><h1>Новинки</h1>", models.ClassNewsletter},
		"with a phone below":    {html, "<h1>Новинки</h1><p>Звоните 8 800 555-35-35</p><p>Чтобы отписаться, перейдите по ссылке</p>", models.ClassNewsletter},
		"plain text":            {"", "Добрый день! Чтобы отписаться от ваших писем, что сделать?", models.ClassPerson},
		"signed":                {html, "<p>Добрый день! Посмотрите КП.</p><p>С уважением,<br>Иван Петров<br>тел. +7 912 345-67-89</p>", models.ClassPerson},
		"quotes a mailing":      {html, "<p>Это вы прислали?</p><blockquote type=cite><p>Скидки!</p><p>Чтобы отписаться, перейдите по ссылке</p></blockquote>", models.ClassPerson},
		"sends a mailing on":    {html + "Subject: Fwd: Скидки\n", "<p>Интересно?</p><p>Скидки! Чтобы отписаться, перейдите по ссылке</p>", models.ClassPerson},
		"answers":               {html + "In-Reply-To: <1@firma.example>\n", "<p>Да, берём.</p><p>Чтобы отписаться, перейдите по ссылке</p>", models.ClassPerson},
		"asks to be removed":    {html, "<p>Как отписаться? Не пишите нам больше.</p>", models.ClassPerson},
		"signed, with a footer": {html, "<p>Добрый день! Нужен счёт на насос.</p><p>--&nbsp;<br>Иван Петров<br>ООО Ромашка<br>тел. +7 912 345-67-89</p><p>Если вы не хотите получать письма, сообщите</p>", models.ClassPerson},
	} {
		f := mustReadAll(t, "From: ivan@romashka.example\nTo: anna@firma.example\nMessage-ID: <2@romashka.example>\n"+c.head+"\n"+c.body)
		if f.Letter.Class != c.want {
			t.Errorf("%s: %s, want %s", name, f.Letter.Class, c.want)
		}
	}
}

// TestFooterHints holds that no footer is passed over for want of a hint, with a capital or without.
func TestFooterHints(t *testing.T) {
	t.Parallel()
	for _, f := range footers {
		first, rest := []rune(f)[:1], string([]rune(f)[1:])
		for _, s := range []string{f, strings.ToUpper(string(first)) + rest} {
			if _, ok := containsAny(s, footerHints); !ok {
				t.Errorf("%q has no hint", s)
			}
		}
	}
}
