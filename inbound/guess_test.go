package inbound

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// subjects are what people and shops really write, long and short, in all manners of case.
const subjects = `Счет на оплату
СЧЕТ
Счёт № 125 от 12.11.2026
Заявка на поставку кабеля ВВГнг 3х2,5
Re: Коммерческое предложение
Fwd: Договор поставки
Прайс-лист
Запрос цены
ООО «Ромашка» — акт сверки
Иванов Пётр Сергеевич
Отдел продаж
Анна
Жду ответа
СРОЧНО! Отгрузка завтра
Уточнение по заказу №458
Юлия Щербакова
Эдуард
Возврат
Бухгалтерия
КП на трубы
Реквизиты
Добрый день
Платёжное поручение
Объект на Ленинградском шоссе
Съезд дилеров
Письмо директору
Заказ
Оплата
Снабжение ЗАО "Вектор"
Тендер: металлопрокат, арматура
оплатили
ИП Зайцев А.В.
Напоминание о встрече
Накладная
Гарантийное письмо
Спецификация к договору
Ошибка в счете
Доставка в Екатеринбург
Скидка 10% до конца месяца
Петров`

func TestGuessRussian(t *testing.T) {
	t.Parallel()
	charsets := map[string]encoding.Encoding{
		"windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R, "ibm866": charmap.CodePage866, "iso-8859-5": charmap.ISO8859_5,
	}
	for name, enc := range charsets {
		for _, want := range strings.Split(subjects, "\n") {
			b, err := encoding.ReplaceUnsupported(enc.NewEncoder()).Bytes([]byte(want))
			if err != nil {
				t.Fatal(err)
			}
			shown, err := enc.NewDecoder().Bytes(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := guessText(b, ""); got != string(shown) {
				t.Errorf("%s %q: got %q", name, want, got)
			}
		}
	}
}

// TestGuessWords takes single words, where there is least to go by.
func TestGuessWords(t *testing.T) {
	t.Parallel()
	for name, floor := range map[string]float64{"windows-1251": 0.99, "koi8-r": 0.97, "ibm866": 0.97, "iso-8859-5": 0.97} {
		enc := lookupCharset(name)
		total, right := 0, 0
		var wrong []string
		for _, w := range strings.FieldsFunc(subjects+longText, func(c rune) bool { return russianIndex(c) == 0 }) {
			if len([]rune(w)) < 3 {
				continue
			}
			for _, v := range []string{strings.ToLower(w), strings.ToUpper(w), capitalised(w)} {
				b, err := enc.NewEncoder().Bytes([]byte(v))
				if err != nil {
					t.Fatal(err)
				}
				total++
				if got := guessText(b, ""); got == v {
					right++
				} else {
					wrong = append(wrong, v+"→"+got)
				}
			}
		}
		t.Logf("%s: %d of %d; wrong: %s", name, right, total, strings.Join(wrong[:min(30, len(wrong))], " "))
		if rate := float64(right) / float64(total); rate < floor {
			t.Errorf("%s: %.3f of words, below %.2f", name, rate, floor)
		}
	}
}

func capitalised(w string) string {
	r := []rune(strings.ToLower(w))
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}

// longText has words that are in no list used to make the table of letters.
const longText = ` здравствуйте получили образцы вчера качество устраивает вполне готовы взять пробную партию сколько стоит перевозка
до склада заказчика укажите сроки изготовления чертежи приложены нужна консультация технолога подберите аналог подешевле
перезвоните после обеда менеджеру наши условия прежние отсрочка тридцать дней подпишите документы электронной подписью
хотелось бы уточнить комплектацию станка ждем самосвал щебень песок бетон цемент кирпич утеплитель фанера шпаклевка
Ярославль Хабаровск Чебоксары Щёлково Южно Сахалинск Нижний Новгород Казань Уфа Пермь Жуковский Фёдоров Цветкова Хомяков
Лукьянов Гущин Шишкин Бойко Тимофеева Ксения Рустам Айгуль Вячеслав Георгий Яна Зинаида Лев Глеб Ян Фаина`

func TestGuessOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, hint, want string }{
		{"utf-8", "Счёт", "", "Счёт"},
		{"western", "M\xfcller GmbH", "", "Müller GmbH"},
		{"french", "R\xe9ponse \xe0 votre demande", "", "Réponse à votre demande"},
		{"utf-8 cut within a letter", "Счёт на оплат\xd1", "", "Счёт на оплат\uFFFD"},
		{"cp1251 with quotes", "\xce\xce\xce \xab\xd0\xee\xec\xe0\xf8\xea\xe0\xbb", "", "ООО «Ромашка»"},
		{"hint decides", "\xc1\xc2", "koi8-r", "аб"},
		{"nothing", "", "", ""},
	} {
		if got := guessText([]byte(c.in), c.hint); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDeclaredCharset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, charset, in, want string }{
		{"alias", "win-1251", "\xd1\xf7\xe5\xf2", "Счет"},
		{"quoted alias", `"CP1251"`, "\xd1\xf7\xe5\xf2", "Счет"},
		{"unknown name", "xxx-unknown", "\xd1\xf7\xe5\xf2", "Счет"},
		{"says ascii", "us-ascii", "\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3", "Счет на оплату"},
		{"says utf-8, is cp1251", "utf-8", "\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3", "Счет на оплату"},
		{"says latin 1, is cp1251", "iso-8859-1", "\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3", "Счет на оплату"},
		{"is latin 1", "iso-8859-1", "Gr\xfc\xdfe", "Grüße"},
		{"says koi8-r, is utf-8", "koi8-r", "Счёт на оплату", "Счёт на оплату"},
		{"koi8-u", "koi8-u", "\xd0\xd2\xc9\xd7\xa6\xd4", "привіт"},
		{"utf-16 with mark", "utf-16", "\xff\xfe\x21\x04\x47\x04", "Сч"},
		{"utf-16 without mark, little", "utf-16", "\x21\x04\x47\x04\x35\x04\x42\x04", "Счет"},
		{"utf-16 big", "utf-16be", "\x04\x21\x04\x47", "Сч"},
		{"utf-16 that never was", "utf-16", "plain", "plain"},
		{"utf-7", "utf-7", "+BCEERwQ1BEI- 1+-1", "Счет 1+1"},
		{"iso-2022-jp", "iso-2022-jp", "\x1b$B$3\x1b(B", "こ"},
		{"gb2312", "gb2312", "\xc4\xe3", "你"},
	} {
		if got := decodeCharset(c.charset, []byte(c.in), ""); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
