package inbound

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

// ruHeads are heads of quotes as programs write them in Russian mail; the quoted lines follow with marks.
func ruHeads() []string {
	return []string{
		"01.11.2026 10:00, Иван Петров пишет:", "01.11.2026, 10:00, \"Иван Петров\" <ivan@romashka.example>:", "1 ноября 2026 г., 10:00 пользователь Иван <ivan@romashka.example> написал:",
		"вс, 1 нояб. 2026 г. в 10:00, Иван Петров <ivan@romashka.example>:", "вс, 1 нояб. 2026 г. в 10:00, Иван Петров\n<ivan@romashka.example>:", "1 нояб. 2026 г., в 10:00, Иван Петров <ivan@romashka.example> написал(а):",
		"1 нояб. 2026 г., в 10:00, Иван Петров\n<ivan@romashka.example>\nнаписал(а):", "Понедельник, 1 ноября 2026, 10:00 +03:00 от Иван Петров <ivan@romashka.example>:", "Понедельник, 1 ноября 2026, 10:00 +03:00 от \"Иван Петров\"\n<ivan@romashka.example>:",
		"Вы писали 1 ноября 2026 г., 10:00:22:", "Вы писали:", "В письме от 1 ноября 2026 г. Иван Петров писал:", "On Sun, Nov 1, 2026 at 10:00 AM Иван Петров <ivan@romashka.example> wrote:", "On 01.11.2026 10:00, Иван Петров wrote:",
		"Sun, 1 Nov 2026 10:00:51 +0300 от Иван Петров <ivan@romashka.example>:", "Am 01.11.2026 um 10:00 schrieb Iwan Petrow:", "Le 1 nov. 2026 à 10:00, Ivan <ivan@romashka.example> a écrit :", "El dom, 1 nov 2026 a las 10:00, Iván (<ivan@romashka.example>) escribió:",
		"2026年11月1日 10:00 Ivan <ivan@romashka.example>:", "Il giorno dom 1 nov 2026 alle ore 10:00 Ivan <ivan@romashka.example> ha scritto:", "Op zo 1 nov. 2026 om 10:00 schreef Ivan <ivan@romashka.example>:", "W dniu 01.11.2026 o 10:00, Ivan Petrov pisze:",
		"Иван Петров <ivan@romashka.example> писал(а) 1 ноября 2026 г. 10:00:", "1 листопада 2026 р. 10:00 Іван <ivan@romashka.example> пише:", "01.11.2026 10:00, ivan@romashka.example пишет:", "Den sön 1 nov. 2026 kl 10:00 skrev Ivan <ivan@romashka.example>:",
	}
}

// ruBlocks begin a quote that has no marks.
func ruBlocks() []string {
	return []string{
		"От: Иван Петров <ivan@romashka.example>\nОтправлено: 1 ноября 2026 г. 10:00\nКому: Анна\nТема: Насосы", "От: Иван Петров\nОтправлено: воскресенье, 1 ноября 2026 г. 10:00\nКому: 'Анна'\nКопия: Борис\nТема: RE: Насосы",
		"________________________________\nОт: Иван <ivan@romashka.example>\nОтправлено: 1 ноября 2026 г. 10:00\nКому: Анна\nТема: Насосы", "-----Исходное сообщение-----\nОт: Иван [mailto:ivan@romashka.example]\nОтправлено: 1 ноября 2026 г. 10:00\nКому: Анна\nТема: Насосы",
		"-----Original Message-----\nFrom: Ivan [mailto:ivan@romashka.example]\nSent: Sunday, November 1, 2026 10:00 AM\nTo: Anna\nSubject: Pumps", "-------- Пересылаемое сообщение --------\n01.11.2026, 10:00, \"Иван\" <ivan@romashka.example>:",
		"-------- Исходное сообщение --------\nОт: Иван <ivan@romashka.example>\nДата: 01.11.2026 10:00 (GMT+03:00)\nКому: Анна\nТема: Насосы", "---------- Forwarded message ---------\nОт: Иван <ivan@romashka.example>\nDate: вс, 1 нояб. 2026 г. в 10:00\nSubject: Насосы\nTo: <anna@teplodom.example>",
		"Начало переадресованного сообщения:\n\nОт: Иван <ivan@romashka.example>\nДата: 1 ноября 2026 г. в 10:00:00 GMT+3\nКому: Анна\nТема: Насосы", "*От:* Иван Петров\n*Отправлено:* 1 ноября 2026 г. 10:00\n*Кому:* Анна\n*Тема:* Насосы",
		"Von: Iwan <ivan@romashka.example>\nGesendet: Sonntag, 1. November 2026 10:00\nAn: Anna\nBetreff: Pumpen", "De : Ivan <ivan@romashka.example>\nEnvoyé : dimanche 1 novembre 2026 10:00\nÀ : Anna\nObjet : Pompes",
		"От кого: Иван Петров <ivan@romashka.example>\nКому: Анна\nДата: 1 ноября 2026, 10:00\nТема: Насосы", "差出人: Ivan <ivan@romashka.example>\n送信日時: 2026年11月1日 10:00\n宛先: Anna\n件名: Pumps", "##- Пожалуйста, введите ответ выше этой строки -##",
	}
}

// ruSignatures are signatures as they stand below Russian letters.
func ruSignatures() []string {
	return []string{
		"-- \nИван Петров", "--\nС уважением,\nИван Петров\nООО «Ромашка»", "С уважением,\nИван Петров", "С уважением, Иван Петров\nменеджер\nтел. +7 912 345-67-89", "С ув. Иван", "С наилучшими пожеланиями,\nИван",
		"Отправлено с iPhone", "Отправлено из мобильной Почты Mail.ru", "Отправлено из Mail.ru для Android", "Отправлено из мобильного приложения Яндекс Почты", "Sent from my iPhone", "Отправлено с моего Samsung Galaxy", "Отправлено из Outlook для iOS<https://aka.ms/x>",
		"Иван Петров\nООО «Ромашка»\nтел. +7 912 345-67-89\nivan@romashka.example", "---\nИван Петров\nДиректор\n+7 912 345-67-89", "Best regards,\nIvan Petrov\nSales manager\n+7 912 345-67-89", "С уважением\n\nПетров Иван Сергеевич\n\nДиректор ООО «Ромашка»\n\n+7 (912) 345-67-89",
		"Von meinem iPhone gesendet", "Envoyé de mon iPhone", "__________________\nС уважением,\nИван",
		"Настоящее сообщение и вложения к нему содержат конфиденциальную информацию и предназначены исключительно для адресата. Если вы получили его по ошибке, удалите его.",
	}
}

const ownWords = "Анна, добрый день!\n\nСпасибо, счёт получили. Когда отгрузка?"

func TestReplyInRussianShapes(t *testing.T) {
	t.Parallel()
	n := 0
	check := func(text, reply, signature string) {
		n++
		gotReply, gotSignature := SplitReply(text)
		if gotReply != reply {
			t.Errorf("%s\n--- got reply\n%s\n--- want\n%s", text, gotReply, reply)
		}
		if signature != "*" && gotSignature != signature {
			t.Errorf("%s\n--- got signature\n%s\n--- want\n%s", text, gotSignature, signature)
		}
	}
	for _, h := range ruHeads() {
		quote := h + "\n> Направляем счёт.\n>\n> -- \n> Анна"
		check(ownWords+"\n\n"+quote, ownWords, "")
		check(ownWords+"\n"+quote+"\n", ownWords, "")
		check(quote+"\n\n"+ownWords, ownWords, "")
		check(h+"\n> Какой насос?\n\nК-20.\n\n> Когда?\n\nЗавтра.", "К-20.\n\nЗавтра.", "")
	}
	for _, b := range ruBlocks() {
		check(ownWords+"\n\n"+b+"\n\nДобрый день, Анна!\nНаправляем счёт.", ownWords, "")
		check(b+"\n\nДобрый день, Анна!", "", "")
	}
	for _, s := range ruSignatures() {
		check(ownWords+"\n\n"+s, ownWords, s)
		check(ownWords+"\n\n"+s+"\n\n"+ruHeads()[0]+"\n> Направляем счёт.", ownWords, s)
		check(ownWords+"\n\n"+s+"\n\n"+ruBlocks()[0]+"\n\nНаправляем счёт.", ownWords, s)
	}
	check("Здравствуйте, Иван.\n\nВы писали 1 ноября 2026 г., 10:00:\n\nИП> Когда отгрузка?\n\nЗавтра.\n\nИП>> Старое\nИП> Адрес?\n\nТверь.", "Здравствуйте, Иван.\n\nЗавтра.\n\nТверь.", "")
	check("С уважением отношусь к вашей просьбе, но нет.", "С уважением отношусь к вашей просьбе, но нет.", "")
	check("Отправлено вчера с базы, ждите.\nИван", "Отправлено вчера с базы, ждите.\nИван", "")
	check("Нужно:\n- насос\n- клапан\n\nИтого: 2 шт", "Нужно:\n- насос\n- клапан\n\nИтого: 2 шт", "")
	check("From: Москва\nTo: Тверь\nDate: 5 декабря\n\nСколько стоит?", "From: Москва\nTo: Тверь\nDate: 5 декабря\n\nСколько стоит?", "")
	check("Иван писал, что 01.12.2026 будет отгрузка.\nЖдём.", "Иван писал, что 01.12.2026 будет отгрузка.\nЖдём.", "")
	check("Счёт получили.\n\nС уважением,\nИван\n\nP.S. Забыл: нужен акт.", "Счёт получили.\n\nP.S. Забыл: нужен акт.", "С уважением,\nИван")
	check("Давление > 5 атм, a > b.\n5 > 3", "Давление > 5 атм, a > b.\n5 > 3", "")
	check("Hi. I am fine.\n\nThanks,\nAlex", "Hi. I am fine.\n\nThanks,\nAlex", "")
	check("", "", "")
	check("Отправлено с iPhone", "", "Отправлено с iPhone")
	t.Logf("%d letters", n)
}

// genLetter draws letters of the lines that matter.
func genLetter() *rapid.Generator[string] {
	parts := append(append(append([]string{ownWords, "", "\n", "> цитата", ">> цитата", "ИП> цитата", "Слова.", "слова и слова", "-- ", "---", "Спасибо,\nИван", "Thanks!", "P.S. ещё", "5.12.2026 10:00", "Иван <a@b.example> пишет:", "пишет:", "От: Иван", "<a@b.example>:"}, ruHeads()...), ruBlocks()...), ruSignatures()...)
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts"), rapid.SampledFrom([]string{"\n", "\n\n"}).Draw(t, "joint"))
	})
}

// checkSplit checks what holds for every text.
func checkSplit(t interface{ Errorf(string, ...any) }, text string) {
	reply, signature := SplitReply(text)
	lines := strings.Split(text, "\n")
	at := 0
	for l := range strings.SplitSeq(reply, "\n") {
		if l == "" {
			continue
		}
		for at < len(lines) && strings.TrimRightFunc(lines[at], blankRune) != strings.TrimRightFunc(l, blankRune) {
			at++
		}
		if at == len(lines) {
			t.Errorf("%q: the line %q of the reply %q is none of the text, or in another order", text, l, reply)
			return
		}
		at++
	}
	if again, more := SplitReply(reply); again != reply || more != "" {
		t.Errorf("%q: the reply %q is split again to %q and %q", text, reply, again, more)
	}
	if len(signature) > len(text)+8 {
		t.Errorf("%q: signature %q", text, signature)
	}
}

func TestSplitReplyProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := genLetter().Draw(t, "letter")
		checkSplit(t, text)
		first := rapid.StringMatching(`[А-Я][а-я]{2,8} [а-я]{3,8} [а-я]{3,8}`).Draw(t, "first")
		if reply, _ := SplitReply(first + ".\n\n" + text); !strings.HasPrefix(reply, first) {
			t.Fatalf("%q: the first words are lost, the reply is %q", first+".\n\n"+text, reply)
		}
	})
}

func TestSplitReplyIsLinear(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"marks": ">", "marked lines": "> a\n", "heads": "01.11.2026 10:00, Иван пишет:\n", "almost heads": "01.11.2026 10:00, Иван\n", "colons": "a:\n", "fields": "От: Иван\n", "fields with gaps": "От: Иван\n\n", "rules": "---\n", "lines": "a\n", "empty": "\n",
		"signatures": "С уважением,\nИван\n\n", "phones": "Sent from my iPhone\n\n", "initials": "ИП>", "brackets": "On <\n", "markers": "-----Исходное\n", "disclaimers": "конфиденциальное сообщение не являетесь адресатом\n\n", "wrapped": "> " + strings.Repeat("a", 60) + "\nb\n",
	} {
		text := strings.Repeat(s, maxText/len(s))
		start := time.Now()
		reply, signature := SplitReply(text)
		FindNamed(text, signature, start)
		if d := time.Since(start); d > 5*time.Second { // far above what it takes: minutes would pass if it were not linear
			t.Errorf("%s: %s, reply of %d octets", name, d, len(reply))
		}
	}
}

func FuzzSplitReply(f *testing.F) {
	for _, s := range append(append(ruHeads()[:6], ruBlocks()[:6]...), ruSignatures()[:6]...) {
		f.Add(ownWords + "\n\n" + s + "\n> a\n\nb")
	}
	f.Fuzz(func(t *testing.T, s string) {
		quick(t, func() {
			reply, signature := SplitReply(s)
			if strings.TrimFunc(reply, unicode.IsSpace) == "" && reply != "" || len(reply) > len(s)+8 || len(signature) > len(s)+16 {
				t.Errorf("%q: reply %q, signature %q", s, reply, signature)
			}
		})
	})
}

func FuzzFindNamed(f *testing.F) {
	for i, l := range namedLines() {
		if i%20 == 0 {
			f.Add(l)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		quick(t, func() {
			n := FindNamed(s, s, written())
			for _, d := range n.Dates {
				if d.Day.Hour() != 0 || d.Text == "" {
					t.Errorf("%q: date %v", s, d)
				}
			}
			if len(n.Phones) > maxNamed || len(n.Sums) > maxNamed || len(n.Promises) > maxNamed {
				t.Errorf("%q: too many", s)
			}
			FindNamed(s, "", time.Time{})
		})
	})
}

func FuzzHTMLText(f *testing.F) {
	for _, s := range []string{"<p>a<blockquote type=cite>b<br>c</blockquote>d", "<table><tr><td>a<td>b</table>", "<ol><li>a<li>b</ol><pre> x\n\ny</pre>", "<div style='display:none'>x</div>y", "<div id=divRplyFwdMsg>From: a@b<br>Sent: 1</div>c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quick(t, func() {
			if out := htmlText(s); len(out) > 3*maxText+maxHTMLToken {
				t.Errorf("%d octets", len(out))
			}
		})
	})
}
