package inbound

import (
	"testing"
	"time"
)

func TestReturnDay(t *testing.T) {
	t.Parallel()
	written := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) // a Tuesday
	for text, want := range map[string]string{
		"Я в отпуске до 05.12":                             "2026-12-06",
		"Автоответ: в отпуске по 05.12.2026 включительно.": "2026-12-06",
		"Нахожусь в отпуске с 23 ноября по 4 декабря 2026 г. По срочным вопросам: Анна.":    "2026-12-05",
		"В период с 23.11.26 по 04.12.26 буду отсутствовать на рабочем месте.":              "2026-12-05",
		"Меня не будет в офисе. Отпуск 23.11–04.12":                                         "2026-12-05",
		"Я в отпуске. Вернусь 7 декабря.":                                                   "2026-12-07",
		"Отсутствую. Выйду на работу в понедельник, 7-го декабря":                           "2026-12-07",
		"Буду на рабочем месте с 7 декабря":                                                 "2026-12-07",
		"Отпуск до 4 декабря. Буду доступна с 07.12.2026.":                                  "2026-12-07",
		"Отсутствую на рабочем месте до 12 января":                                          "2027-01-13",
		"Нахожусь в командировке, отвечу после 1 декабря":                                   "2026-12-02",
		"Вернусь в понедельник":                                                             "2026-11-30",
		"I am out of the office and will be back on Monday, 7 December.":                    "2026-12-07",
		"I'm on vacation until December 7th, 2026. For urgent matters call Ann.":            "2026-12-07",
		"I am away from November 23 through December 4.":                                    "2026-12-05",
		"I will be out of the office from 11/23/2026 to 12/04/2026.":                        "2026-12-05",
		"Out of office. I will return to the office on 12/7.":                               "2026-12-07",
		"I will be out of office starting 23.11.2026 and will not return until 07.12.2026.": "2026-12-07",
		"Back in the office on 2026-12-07":                                                  "2026-12-07",
		"I'll be back on Friday":                                                            "2026-11-27",
		"Ich bin bis zum 4.12. im Urlaub":                                                   "2026-12-05",
		"Ваше обращение №5 от 23.11.2026 зарегистрировано. Срок ответа до 30.11.2026":       "",
		"Спасибо за письмо! Мы ответим в течение 2 дней. Акция до 31.12!":                   "",
		"Я в отпуске, телефон 8 (495) 123-45-67, звоните с 9.00 до 18.00":                   "",
		"Вернусь 45.13": "",
		"Я в отпуске.\n> вернусь 7 декабря": "",
		"": "",
	} {
		got := ""
		if d, ok := returnDay(text, written); ok {
			got = d.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	if _, ok := returnDay("Вернусь 7 декабря", time.Time{}); ok {
		t.Error("a day without a year, of a letter without a date")
	}
}

func FuzzReturnDay(f *testing.F) {
	for _, s := range []string{"в отпуске с 23.11-04.12 по 5 декабря 2026 г.", "back on Monday, 7th of December", "until 29/2", "до 31.02 вернусь в среду"} {
		f.Add(s)
	}
	written := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		quick(t, func() {
			if d, ok := returnDay(s, written); ok && (d.Hour() != 0 || d.Location() != time.UTC || !plausible(d)) {
				t.Errorf("%v", d)
			}
		})
	})
}
