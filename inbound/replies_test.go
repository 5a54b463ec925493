package inbound

import (
	"strings"
	"testing"
)

// replyLetters are letters as programs for people make them, with what their writers added. HTML begins with "<".
// A signature of "*" is not compared.
var replyLetters = []struct{ name, body, reply, signature string }{
	// Plain text, top posting.
	{"Outlook ru", "Добрый день!\n\nСогласовано, высылайте договор.\n\nС уважением,\nИван Петров\n\nОт: Анна Смирнова <anna@firma.example>\nОтправлено: понедельник, 23 ноября 2026 г. 10:15\nКому: Иван Петров <ivan@romashka.example>\nКопия: Пётр <petr@romashka.example>\nТема: Договор\n\nИван, добрый день!\nНаправляю проект.\n",
		"Добрый день!\n\nСогласовано, высылайте договор.", "С уважением,\nИван Петров"},
	{"Outlook ru, from:/sent: with dashes", "Ок\n\n-----Original Message-----\nОт: Анна <anna@firma.example>\nОтправлено: 23 ноября 2026 г. 10:15\nКому: Иван\nТема: RE: Договор\n\nтекст", "Ок", ""},
	{"Outlook en", "Agreed.\n\nFrom: Anna Smirnova <anna@firma.example> \nSent: Monday, November 23, 2026 10:15 AM\nTo: Ivan Petrov <ivan@romashka.example>\nCc: Petr\nSubject: RE: Contract\n\nHi Ivan,\nplease see the draft.", "Agreed.", ""},
	{"Outlook, importance and attachments fields", "Да, всё верно.\n\nFrom: Anna\nSent: Monday, November 23, 2026 10:15 AM\nTo: Ivan\nSubject: Счёт\nImportance: High\nAttachments: счет.pdf\n\nтекст", "Да, всё верно.", ""},
	{"Outlook mobile", "Получил, спасибо\n\nПолучить Outlook для Android<https://aka.ms/x>\n________________________________\nОт: Анна <anna@firma.example>\nОтправлено: понедельник, ноября 23, 2026 10:15:00 AM\nКому: Иван\nТема: КП\n\nтекст", "Получил, спасибо", "*"},
	{"Outlook mobile en", "Thanks, got it\n\nGet Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nFrom: Anna <anna@firma.example>\nSent: Monday, November 23, 2026 10:15:00 AM\nTo: Ivan\nSubject: Offer\n\ntext", "Thanks, got it", "*"},
	{"Apple Mail ru", "Подтверждаю.\n\n> 23 нояб. 2026 г., в 10:15, Анна Смирнова <anna@firma.example> написал(а):\n> \n> Подтвердите заказ\n", "Подтверждаю.", ""},
	{"Apple Mail en", "Confirmed.\n\nIvan\n\n> On 23 Nov 2026, at 10:15, Anna Smirnova <anna@firma.example> wrote:\n> \n> Please confirm\n", "Confirmed.\n\nIvan", ""},
	{"iPhone ru", "Да\n\nОтправлено с iPhone\n\n> 23 нояб. 2026 г., в 10:15, Анна <anna@firma.example> написал(а):\n> \n> \ufeffЗаказ в силе?", "Да", "Отправлено с iPhone"},
	{"iPhone, quote without marks", "Завтра пришлю\n\nОтправлено с iPhone\n\n23 нояб. 2026 г., в 10:15, Анна <anna@firma.example> написал(а):\n\nКогда ждать?", "Завтра пришлю", "Отправлено с iPhone"},
	{"Gmail ru", "Спасибо, изучаем.\n\nпн, 23 нояб. 2026 г. в 10:15, Анна Смирнова <anna@firma.example>:\n\n> Направляю КП.\n>\n", "Спасибо, изучаем.", ""},
	{"Gmail ru, broken head", "Спасибо, изучаем.\n\nпн, 23 нояб. 2026 г. в 10:15, Анна Смирнова-Константинопольская <\nanna.smirnova-konstantinopolskaya@firma.example>:\n\n> Направляю КП.\n", "Спасибо, изучаем.", ""},
	{"Gmail en", "We will think about it.\n\nOn Mon, Nov 23, 2026 at 10:15 AM Anna Smirnova <anna@firma.example> wrote:\n\n> Offer attached.\n>\n> --\n> Anna\n", "We will think about it.", ""},
	{"Gmail en, head over two lines", "No.\n\nOn Mon, Nov 23, 2026 at 10:15 AM Anna Smirnova <anna@firma.example>\nwrote:\n\n> Offer attached.\n", "No.", ""},
	{"Gmail, pointed years", "Ок.\n\n23.11.2026 10:15 пользователь \"Анна\" <anna@firma.example> написал:\n\n> текст\n", "Ок.", ""},
	{"Yandex web", "Принято.\n\n23.11.2026, 10:15, \"Анна Смирнова\" <anna@firma.example>:\n> Направляю акт.\n\n-- \nИван Петров\n", "Принято.", "*"},
	{"Yandex web, dashes and name", "Принято.\n \n-- \nС уважением, Иван Петров\n \n \n \n23.11.2026, 10:15, \"Анна\" <anna@firma.example>:\n \n Направляю акт.\n", "Принято.", "-- \nС уважением, Иван Петров"},
	{"Yandex mobile", "Да, подойдёт.\n----\n10:15, 23 ноября 2026 г., Анна <anna@firma.example>:\n\nПодойдёт?", "Да, подойдёт.", ""},
	{"Mail.ru web", "Оплатили вчера.\n--\nИван Петров\n \n>Понедельник, 23 ноября 2026, 10:15 +03:00 от Анна Смирнова <anna@firma.example>:\n> \n>Добрый день!\n>Когда оплата?", "Оплатили вчера.", "*"},
	{"Mail.ru web, no marks", "Оплатили вчера.\n\n \n\nПонедельник, 23 ноября 2026, 10:15 +03:00 от Анна Смирнова <anna@firma.example>:\n\nДобрый день!\nКогда оплата?", "Оплатили вчера.", ""},
	{"Mail.ru mobile", "Хорошо\n\n--\nОтправлено из мобильной Почты Mail.ru\nпонедельник, 23 ноября 2026 г., 10:15 +0300 от Анна <anna@firma.example>:\n> Перенесём встречу?\n", "Хорошо", "*"},
	{"The Bat!", "Здравствуйте, Анна.\n\nВы писали 23 ноября 2026 г., 10:15:03:\n\n> Когда отгрузка?\n\nВ среду.\n\n-- \nС уважением,\n Иван                          mailto:ivan@romashka.example\n", "Здравствуйте, Анна.\n\nВ среду.", "*"},
	{"The Bat!, initials", "Здравствуйте, Анна.\n\nMonday, November 23, 2026, 10:15:03 AM, you wrote:\n\nАС> Когда отгрузка?\nАС> Адрес прежний?\n\nВ среду, адрес прежний.\n", "Здравствуйте, Анна.\n\nВ среду, адрес прежний.", ""},
	{"Thunderbird ru", "Счёт оплачен.\n\n23.11.2026 10:15, Анна Смирнова пишет:\n> Добрый день!\n> Ждём оплату.\n", "Счёт оплачен.", ""},
	{"Thunderbird en", "Paid today.\n\nOn 23.11.2026 10:15, Anna Smirnova wrote:\n> Waiting for the payment.\n", "Paid today.", ""},
	{"Roundcube", "Анна Смирнова писал 2026-11-23 10:15:\n> Когда оплата?\n\nЗавтра.", "Завтра.", ""},
	{"Zimbra", "Да.\n\n----- Исходное сообщение -----\nОт: \"Анна\" <anna@firma.example>\nКому: \"Иван\" <ivan@romashka.example>\nОтправленные: Понедельник, 23 Ноябрь 2026 г 10:15:03\nТема: Заказ\n\nтекст", "Да.", ""},
	{"Lotus Notes", "Ок, берём.\n\n\n\nОт:     Анна Смирнова/Firma\nКому:   Иван/Romashka@Romashka\nДата:   23.11.2026 10:15\nТема:   КП\n\n\n\nтекст", "Ок, берём.", ""},
	{"Samsung", "Ок\n\nОтправлено с моего Galaxy\n\n-------- Исходное сообщение --------\nОт: Анна <anna@firma.example>\nДата: 23.11.2026 10:15 (GMT+03:00)\nКому: Иван\nТема: КП\n\nтекст", "Ок", "Отправлено с моего Galaxy"},
	{"Huawei", "Хорошо.\n\n\n-------- Исходное сообщение --------\nОт: Анна <anna@firma.example>\nДата: пн, 23 нояб. 2026 г., 10:15\nКому: ivan@romashka.example\nТема: КП\nтекст", "Хорошо.", ""},
	{"Evolution", "Fine.\n\nOn Mon, 2026-11-23 at 10:15 +0300, Anna Smirnova wrote:\n> Is it fine?\n", "Fine.", ""},
	{"ticket system", "##- Пожалуйста, пишите ответ выше этой строки -##\n\nВаш заказ принят.", "", "*"},
	{"answer above a ticket line", "Да, закрывайте.\n\n##- Пожалуйста, введите свой ответ над этой строкой -##\n\nЗаявка 15 решена?", "Да, закрывайте.", ""},
	// Bottom posting and answers between quotes.
	{"below", "On 23.11.2026 10:15, Anna wrote:\n> Is it in stock?\n> And the price?\n\nYes, 100 pieces.\nThe price is the same.", "Yes, 100 pieces.\nThe price is the same.", ""},
	{"between", "23.11.2026 10:15, Анна пишет:\n> Сколько штук?\n\n12\n\n> Адрес доставки?\n\nТверь, Советская, 1\n\n> Спасибо!\n", "12\n\nТверь, Советская, 1", ""},
	{"above and below", "Ответы ниже.\n\n23.11.2026 10:15, Анна пишет:\n> Сколько штук?\n\n12\n", "Ответы ниже.\n\n12", ""},
	{"quotes of quotes", "Нет.\n\n23.11.2026 10:15, Анна пишет:\n> 22.11.2026 9:00, Иван пишет:\n>> Цена?\n> 100\n", "Нет.", ""},
	// Signatures.
	{"block without a closing", "Пришлите счёт, пожалуйста.\n\nИван Петров\nНачальник отдела снабжения\nООО «Ромашка»\n+7 (912) 345-67-89\nwww.romashka.example", "Пришлите счёт, пожалуйста.", "Иван Петров\nНачальник отдела снабжения\nООО «Ромашка»\n+7 (912) 345-67-89\nwww.romashka.example"},
	{"closing on one line", "Ждём.\n\nС наилучшими пожеланиями, Иван", "Ждём.", "С наилучшими пожеланиями, Иван"},
	{"shortened closing", "Ждём.\n\nС ув., Иван Петров", "Ждём.", "С ув., Иван Петров"},
	{"thanks and closing", "Ждём ответа.\n\nЗаранее спасибо!\n\nС уважением,\nИван", "Ждём ответа.\n\nЗаранее спасибо!", "С уважением,\nИван"},
	{"English, with a block", "Please send the invoice.\n\nKind regards,\nIvan Petrov\nHead of Purchasing\nRomashka LLC\nM: +7 912 345 67 89", "Please send the invoice.", "Kind regards,\nIvan Petrov\nHead of Purchasing\nRomashka LLC\nM: +7 912 345 67 89"},
	{"postscript", "Берём.\n\nС уважением,\nИван\n\nP.S. Нужны сертификаты.", "Берём.\n\nP.S. Нужны сертификаты.", "С уважением,\nИван"},
	{"confidential", "Ок.\n\n--\nИван\n\nДанное сообщение и любые вложения к нему являются конфиденциальными и предназначены только для адресата.", "Ок.", "*"},
	// No quote at all.
	{"list of goods", "Добрый день!\nНужно:\n1. Насос - 2 шт\n2. Клапан - 5 шт\nДоставка в Тверь.", "Добрый день!\nНужно:\n1. Насос - 2 шт\n2. Клапан - 5 шт\nДоставка в Тверь.", ""},
	{"fields of a request", "Название: ООО «Ромашка»\nИНН: 7707083893\nКонтакт: Иван", "Название: ООО «Ромашка»\nИНН: 7707083893\nКонтакт: Иван", "*"},
	// Forwarded with a comment.
	{"Gmail forward", "Посмотри, пожалуйста.\n\n---------- Forwarded message ---------\nОт: Анна <anna@firma.example>\nDate: пн, 23 нояб. 2026 г. в 10:15\nSubject: КП\nTo: Иван <ivan@romashka.example>\n\n\nтекст", "Посмотри, пожалуйста.", ""},
	{"Yandex forward", "К сведению.\n\n-------- Пересылаемое сообщение --------\n23.11.2026, 10:15, \"Анна\" <anna@firma.example>:\n\nтекст\n\n-------- Конец пересылаемого сообщения --------", "К сведению.", ""},
	{"Mail.ru forward", "Коля, займись.\n\n-------- Пересылаемое сообщение --------\nОт: Анна <anna@firma.example>\nКому: ivan@romashka.example\nДата: Понедельник, 23 ноября 2026, 10:15 +03:00\nТема: КП\n\nтекст", "Коля, займись.", ""},
	{"Apple forward", "FYI\n\nBegin forwarded message:\n\nFrom: Anna <anna@firma.example>\nSubject: Offer\nDate: 23 November 2026 at 10:15:00 GMT+3\nTo: Ivan\n\ntext", "FYI", ""},
	// HTML alone.
	{"Gmail HTML", `<div dir="ltr">Спасибо, изучаем.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">пн, 23 нояб. 2026 г. в 10:15, Анна &lt;<a href="mailto:anna@firma.example">anna@firma.example</a>&gt;:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex"><div>Направляю КП</div></blockquote></div>`, "Спасибо, изучаем.", ""},
	{"Gmail HTML with a signature", `<div dir="ltr">Ок<br clear="all"><div><br></div><span class="gmail_signature_prefix">-- </span><br><div class="gmail_signature">Иван Петров<br>Ромашка</div></div><br><div class="gmail_quote"><div class="gmail_attr">пн, 23 нояб. 2026 г. в 10:15, Анна &lt;anna@firma.example&gt;:<br></div><blockquote class="gmail_quote">x</blockquote></div>`, "Ок", "*"},
	{"Outlook.com HTML", `<div>Согласен.</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><font><b>От:</b> Анна &lt;anna@firma.example&gt;<br><b>Отправлено:</b> 23 ноября 2026 г. 10:15<br><b>Кому:</b> Иван<br><b>Тема:</b> КП</font><div>&nbsp;</div></div><div>Направляю</div>`, "Согласен.", ""},
	{"Word HTML", `<div class="WordSection1"><p class="MsoNormal">Согласен.</p><p class="MsoNormal">&nbsp;</p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>From:</b> Anna &lt;anna@firma.example&gt; <br><b>Sent:</b> Monday, November 23, 2026 10:15 AM<br><b>To:</b> Ivan<br><b>Subject:</b> Offer</p></div><p class="MsoNormal">Hello</p></div>`, "Согласен.", ""},
	{"Thunderbird HTML", `<p>Подтверждаю.</p><div class="moz-cite-prefix">23.11.2026 10:15, Анна пишет:<br></div><blockquote type="cite" cite="mid:1@x"><p>Подтвердите</p></blockquote>`, "Подтверждаю.", ""},
	{"Apple Mail HTML", `<html><body>Да, ждём.<br><div><br><blockquote type="cite"><div>23 нояб. 2026 г., в 10:15, Анна &lt;anna@firma.example&gt; написал(а):</div><br><div>Ждёте?</div></blockquote></div></body></html>`, "Да, ждём.", ""},
	{"iPhone HTML", `<html><body dir="auto">Хорошо<br><br><div dir="ltr">Отправлено с iPhone</div><div dir="ltr"><br><blockquote type="cite">23 нояб. 2026 г., в 10:15, Анна &lt;anna@firma.example&gt; написал(а):<br><br></blockquote></div><blockquote type="cite"><div>Перенесём?</div></blockquote></body></html>`, "Хорошо", "Отправлено с iPhone"},
	{"Yandex HTML", `<div>Принято.</div><div>&nbsp;</div><div>--&nbsp;</div><div>Иван</div><div>&nbsp;</div><div>23.11.2026, 10:15, "Анна" &lt;anna@firma.example&gt;:</div><blockquote><div>Акт</div></blockquote>`, "Принято.", "*"},
	{"Mail.ru HTML", `<div>Оплатили.</div><div>&nbsp;</div><div data-signature-widget="container"><div data-signature-widget="content"><div>--<br>Иван Петров</div></div></div><blockquote style="border-left:1px solid #0857A6;margin:10px;padding:0 0 0 10px">Понедельник, 23 ноября 2026, 10:15 +03:00 от Анна &lt;anna@firma.example&gt;:<br><div>Когда?</div></blockquote>`, "Оплатили.", "*"},
	{"Yahoo HTML", `<div>Agreed.</div><div id="ydp1yahoo_quoted_2" class="ydp1yahoo_quoted"><div>On Monday, November 23, 2026 at 10:15:00 AM GMT+3, Anna &lt;anna@firma.example&gt; wrote:</div><div>Offer</div></div>`, "Agreed.", ""},
	{"Proton HTML", `<div>Согласен.</div><div class="protonmail_quote">В понедельник, 23 ноября 2026 г. в 10:15, Анна &lt;anna@firma.example&gt; написал:<br><blockquote class="protonmail_quote" type="cite">x</blockquote></div>`, "Согласен.", ""},
	{"Bitrix24 HTML", `<div>Берём.</div><br><blockquote style="margin:0 0 0 5px; padding:5px 5px 5px 8px; border-left:4px solid #e2e3e5;">От: Анна &lt;anna@firma.example&gt;<br>Кому: Иван<br>Дата: 23.11.2026 10:15<br>Тема: КП<br><br>текст</blockquote>`, "Берём.", ""},
	{"answers between quotes in HTML", `<div class="moz-cite-prefix">23.11.2026 10:15, Анна пишет:</div><blockquote type="cite"><p>Сколько?</p></blockquote><p>12</p><blockquote type="cite"><p>Куда?</p></blockquote><p>Тверь</p>`, "12\n\nТверь", ""},
}

func TestRepliesOfPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range replyLetters {
		kind := "text/plain"
		if strings.HasPrefix(c.body, "<") {
			kind = "text/html"
		}
		f := mustReadAll(t, "From: ivan@romashka.example\nSubject: Re: x\nContent-Type: "+kind+"; charset=utf-8\n\n"+c.body)
		if f.ReplyText != c.reply {
			t.Errorf("%s\n--- reply\n%s\n--- want\n%s", c.name, f.ReplyText, c.reply)
		}
		if c.signature != "*" && f.Signature != c.signature {
			t.Errorf("%s\n--- signature\n%s\n--- want\n%s", c.name, f.Signature, c.signature)
		}
	}
}
