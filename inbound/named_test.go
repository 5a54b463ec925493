package inbound

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// summary writes what was found in one line, in the order in which the test names it.
func summary(n Named) string {
	var out []string
	put := func(key string, values []string) {
		if len(values) > 0 {
			out = append(out, key+" "+strings.Join(values, ","))
		}
	}
	put("inn", n.INN)
	put("kpp", n.KPP)
	put("tel", n.Phones)
	put("site", n.Sites)
	put("inv", n.Invoices)
	put("kp", n.Offers)
	put("deal", n.Deals)
	var sums, dates, promises []string
	for _, s := range n.Sums {
		sums = append(sums, fmt.Sprintf("%d%s", s.Minor, s.Currency))
	}
	for _, d := range n.Dates {
		dates = append(dates, d.Day.Format("060102"))
	}
	for _, p := range n.Promises {
		promises = append(promises, p.Kind+":"+p.By.Format("060102"))
	}
	put("sum", sums)
	put("date", dates)
	put("will", promises)
	if n.Paid {
		out = append(out, "paid")
	}
	if n.Unsubscribe {
		out = append(out, "stop")
	}
	return strings.Join(out, "; ")
}

// written is a Tuesday.
func written() time.Time {
	return time.Date(2026, 11, 24, 15, 0, 0, 0, time.FixedZone("", 3*3600))
}

func TestNamedThings(t *testing.T) {
	t.Parallel()
	for _, c := range namedLines() {
		text, want, _ := strings.Cut(c, " =>")
		text = strings.ReplaceAll(text, `\n`, "\n")
		if got := summary(FindNamed(text, "", written())); got != strings.TrimSpace(want) {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	t.Logf("%d lines", len(namedLines()))
}

func namedLines() []string {
	var out []string
	for _, group := range [...]string{taxLines, phoneLines, siteLines, documentLines, dateLines, sumLines, paidLines, stopLines, promiseLines} {
		for l := range strings.Lines(strings.TrimSpace(group)) {
			if l = strings.TrimSpace(l); l != "" {
				out = append(out, l)
			}
		}
	}
	return out
}

const taxLines = `
ИНН 7707083893 => inn 7707083893
ИНН: 7707083893, КПП: 770701001 => inn 7707083893; kpp 770701001
ИНН/КПП 7707083893/770701001 => inn 7707083893; kpp 770701001
ИНН / КПП: 7707083893 / 770701001 => inn 7707083893; kpp 770701001
инн организации - 7736050003 => inn 7736050003
ИНН 500100732259 (ИП) => inn 500100732259
ИНН 7707083894 => 
ИНН 500100732258 => 
наш номер 7707083893 => 
ИНН\n7736050003 => inn 7736050003
КПП 7707AB001 => kpp 7707AB001
КПП 12345678 => 
ОГРН 1027700132195, ИНН 7707083893 => inn 7707083893
ИНН 7707 083 893 => inn 7707083893
INN 7707083893 => inn 7707083893
Наши реквизиты: ООО «Ромашка», ИНН 7736050003 КПП 773601001 р/с 40702810938000012345 => inn 7736050003; kpp 773601001
ИНН 7707083893 и ИНН 7736050003, снова ИНН 7707083893 => inn 7707083893,7736050003
`

const phoneLines = `
8 (912) 345-67-89 => tel +79123456789
+7 912 345 67 89 => tel +79123456789
Мой телефон 89123456789, звоните => tel +79123456789
тел.: (495) 123-45-67 доб. 12 => tel +74951234567
т. 495 123-45-67 => tel +74951234567
тел. 8-495-123-45-67, моб. +7(912)3456789 => tel +74951234567,+79123456789
8 800 555-35-35 => tel +78005553535
8 800 555 35 35 звонок бесплатный => tel +78005553535
+375 29 123-45-67 => tel +375291234567
+49 30 1234567 => tel +49301234567
+1 (555) 234-5678 => tel +15552345678
позвоните мне 9123456789 => tel +79123456789
+79123456789, +7 (495) 123-45-67 => tel +79123456789,+74951234567
8.912.345.67.89 => tel +79123456789
+7 912 345-67-89 доб. 101 => tel +79123456789
123-45-67 => 
заказ 89123456789 => 
р/с 40702810938000012345 => 
№ 84951234567 => 
номер заказа 9123456789 => 
трек 80085412345678 => 
ОГРН 1027700132195 => 
арт. 8800555 => 
8 912 345 67 => 
8912345678901 => 
телефон 8 912 345-67-89 и рабочий 8 495 123-45-67 => tel +79123456789,+74951234567
+7 999 999 99 999 => 
`

const siteLines = `
www.romashka.ru => site romashka.ru
наш сайт romashka.ru/katalog => site romashka.ru
https://shop.romashka.ru/a?b=c.pdf => site shop.romashka.ru
http://ромашка.рф/ => site xn--80aa3agjl3d.xn--p1ai
Сайт: Romashka-Plus.com. => site romashka-plus.com
пишите на ivan@romashka.ru => 
файл dogovor.pdf и list.xlsx => 
ivan.petrov@mail.ru => 
ivan.com@mail.ru => 
т.е. это так => 
версия 2.10.ru-beta => 
смотрите sub.domain.romashka.ru, там всё => site sub.domain.romashka.ru
конец.Начало предложения => 
`

const documentLines = `
оплатили счёт № 45 => inv 45; paid
Счет №45 от 05.12.2026 => inv 45; date 261205
счёт на оплату № А-45/2 получили => inv А-45/2
по счету 1205 вопрос => inv 1205
счета 45, 46 и 47 получили => inv 45,46,47
счет № УТ-000123 от 20 ноября => inv УТ-000123; date 261120
счёт-фактура № 117 => 
счет фактура 117 => 
р/с и расчетный счет 40702810938000012345 => 
за счёт 50 клиентов => 
счет 5 декабря => date 261205
счет 240 000 руб => sum 24000000RUB
счет на 240 000 руб => sum 24000000RUB
счёт 240т.р. => sum 24000000RUB
счет 10% => 
пришлите счет => 
сч. 45 => inv 45
invoice #1024 attached => inv 1024
Invoice no. INV-2026-17 => inv INV-2026-17
invoice for 5 units => 
КП № 45 => kp 45
КП 45/2026 получили => kp 45/2026
КП-45 => kp 45
по КП от 05.12 => date 261205
КП на 240 000 рублей => sum 24000000RUB
коммерческое предложение № 12 => kp 12
предложение №12-А => kp 12-А
ваше предложение 5 дней назад => 
кп 2 шт => 
offer no. 45 => kp 45
quote #Q-17 => kp Q-17
offer 10% discount => 
special offer 5 => 
[С-123] Насосы => deal 123
RE: [C-77] => deal 77
[D1042-k7q2m] => deal 1042
сделка 123 => deal 123
по сделке № 77 => deal 77
deal #15 => deal 15
сделка на 240 000 рублей => sum 24000000RUB
сделка 5 дней => 
[1] и [А-15] => 
`

const dateLines = `
поставка 05.12 => date 261205
поставка 05.12.2026 г. => date 261205
5 декабря => date 261205
5-го декабря 2026 года => date 261205
05.12.26 => date 261205
2026-12-05 => date 261205
05/12/2026 => date 261205
12/25/2026 => date 261225
5 Dec 2026 => date 261205
Dec 5 => date 261205
December 5th, 2026 => date 261205
завтра => date 261125
послезавтра удобно => date 261126
сегодня => date 261124
tomorrow => date 261125
the day after tomorrow => date 261126
в пятницу => date 261127
до пятницы => date 261127
к среде => date 261125
во вторник => date 261201
в следующую пятницу => date 261204
в прошлую пятницу => date 261120
on Friday => date 261127
next Monday => date 261130
через 3 дня => date 261127
через неделю => date 261201
через две недели => date 261208
через 5 рабочих дней => date 261201
in 3 days => date 261127
до конца месяца => date 261130
до конца недели => date 261127
15 января => date 270115
15.10 => date 261015
до 15-го => date 261215
5 числа => date 261205
в пт => date 261127
31.02 => 
32.12.2026 => 
версия 1.12 => 
в 10.10 => 
10.10.10.10 => 
10.5 кг => 
2.10 млн руб => sum 210000000RUB
цена 24.12 руб => sum 2412RUB
5 марок и 3 декады => 
среды разработки => 
24-12-15 => 
с 01.12 по 15.12 => date 261201,261215
1.12.2026-5.12.2026 => date 261201,261205
пятница подойдет => date 261127
`

const sumLines = `
240 т.р. => sum 24000000RUB
240т => sum 24000000RUB
240т.р. => sum 24000000RUB
240 тыс. руб. => sum 24000000RUB
240 тысяч => sum 24000000RUB
240к => sum 24000000RUB
1,2 млн => sum 120000000RUB
1.2 млн руб. => sum 120000000RUB
2 млрд руб => sum 200000000000RUB
240 000,00 руб. => sum 24000000RUB
240 000 руб. 50 коп. => sum 24000050RUB
240000 рублей => sum 24000000RUB
240 000 ₽ => sum 24000000RUB
₽240 000 => sum 24000000RUB
240000р => sum 24000000RUB
$1,000 => sum 100000USD
$1,000.50 => sum 100050USD
1,000 USD => sum 100000USD
1 500 евро => sum 150000EUR
€500 => sum 50000EUR
1.200.000 руб => sum 120000000RUB
240,50 руб. => sum 24050RUB
на сумму 240 000 => sum 24000000RUB
сумма 1500,00 => sum 150000RUB
цена 5000 => sum 500000RUB
240 000 => 
20 т щебня => 
20т щебня => 
5 млн человек => 
240 шт => 
50% => 
цена 5 шт => 
0 руб => 
скидка 3% на 100 000 рублей => sum 10000000RUB
модель К-20к и Т-40т => 
от 100 до 200 тыс. руб. => sum 20000000RUB
500 долларов => sum 50000USD
`

const paidLines = `
Оплатили => paid
Счёт оплачен. => paid
Мы оплатили счёт вчера => date 261123; paid
п/п во вложении => paid
П/п № 45 от 20.11 => date 261120; paid
платёжка во вложении => paid
Платежное поручение прилагаю => paid
Оплата прошла сегодня => date 261124; paid
деньги отправили => paid
перечислили аванс => paid
перевели вам 240 000 руб. => sum 24000000RUB; paid
произвели оплату по счету 45 => inv 45; paid
We have paid the invoice => paid
paid today => date 261124; paid
Payment has been sent => paid
В пятницу оплатили => date 261120; paid
не оплатили => 
ещё не оплатили => 
счет пока не оплачен => 
оплатим => 
будет оплачен => 
если оплатили, сообщите => 
оплатили? => 
Вы оплатили счёт? => 
когда оплатите => 
как только оплатим, пришлём п/п => 
чтобы вы оплатили => 
перевели договор на английский => 
перечислили все замечания => 
отправили договор => 
paid parking nearby => 
not paid yet => 
we haven't paid => 
will be paid => 
to be paid by you => 
payment will be made => 
пришлите платёжку => 
платежку пока не отправили => 
прошла встреча => 
оплаченный ранее заказ => 
Встреча прошла хорошо, деньги пока не нужны =>
`

const stopLines = `
отпишите меня от рассылки => stop
Отпишите => stop
прошу отписать нас => stop
хочу отписаться => stop
не пишите мне больше => stop
Больше не пишите! => stop
больше не присылайте ваши предложения => stop
не присылайте рекламу => stop
удалите мой адрес из базы => stop
исключите нас из рассылки => stop
прекратите рассылку => stop
хватит слать спам => stop
не беспокойте нас => stop
не хочу получать ваши письма => stop
STOP => stop
Стоп. => stop
unsubscribe => stop
Please unsubscribe me => stop
remove me from your mailing list => stop
stop emailing me => stop
do not contact us again => stop
чтобы отписаться, перейдите по ссылке => 
To unsubscribe click here => 
не присылайте пока счёт => 
пишите мне больше => 
удалите позицию из счёта => 
не пишите пока договор => 
стоп-кран сломан => 
one stop shop => 
хватит двух насосов => 
сделайте рассылку партнёрам => 
`

const promiseLines = `
оплатим в пятницу => date 261127; will pay:261127
Оплачу завтра => date 261125; will pay:261125
завтра оплатим счёт № 45 => inv 45; date 261125; will pay:261125
вышлю завтра => date 261125; will send:261125
Пришлём реквизиты до 28.11 => date 261128; will send:261128
перезвоню в четверг => date 261126; will call:261126
наберу вас через час => will call:261124
отвечу на следующей неделе => will answer:261204
дам ответ в понедельник => date 261130; will answer:261130
бухгалтерия оплатит до конца недели => date 261127; will pay:261127
планируем оплатить 1 декабря => date 261201; will pay:261201
отправим оплату завтра => date 261125; will pay:261125
оплата будет в среду => date 261125; will pay:261125
проведём платёж послезавтра => date 261126; will pay:261126
We will pay on Friday => date 261127; will pay:261127
I'll send it tomorrow => date 261125; will send:261125
will get back to you by Monday => date 261130; will answer:261130
payment will be made on 5 December => date 261205; will pay:261205
завтра вышлю договор, оплатим в пятницу => date 261125,261127; will send:261125,pay:261127
не оплатим в пятницу => date 261127
оплатим => 
оплатим в пятницу? => date 261127
если подпишем, оплатим в пятницу => date 261127
когда оплатите? завтра? => date 261125
пришлите завтра => date 261125
вышлите в пятницу счёт => date 261127
не сможем оплатить завтра => date 261125
вчера вышлю шутка => date 261123
can you send it tomorrow => date 261125
please pay by Friday => date 261127
Оплатим.\n\nЗавтра выходной => date 261125
`
