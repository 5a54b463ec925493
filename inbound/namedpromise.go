package inbound

import (
	"strings"
	"time"
)

// sentenceDay is a day that a sentence names.
type sentenceDay struct {
	day      time.Time
	from, to int
}

// day remembers a day; the first few are enough.
func (s *sentence) day(day time.Time, from, to int) {
	if s.nDays < len(s.days) {
		s.days[s.nDays] = sentenceDay{day, from, to}
		s.nDays++
	}
}

// promises keeps what the writer undertakes in the sentence, with its day. Days that are gone are no promise.
func (f *finder) promises(v view, s sentence) {
	var verbs [8]int
	var kinds [8]string
	n := 0
	for i := v.from; i < v.to && n < len(verbs); i++ {
		if f.tokens[i].kind != tokenWord {
			continue
		}
		if kind := v.undertakes(i); kind != "" && !v.negated(i) && !v.conditional(i) {
			verbs[n], kinds[n] = i, kind
			n++
		}
	}
	for k := range n {
		before, behind := v.from, v.to
		if k > 0 {
			before = verbs[k-1]
		}
		if k+1 < n {
			behind = verbs[k+1]
		}
		d, ok := s.dayFor(verbs[k], before, behind, f.today)
		if !ok || len(f.n.Promises) >= maxNamed {
			continue
		}
		f.n.Promises = append(f.n.Promises, Promise{Kind: kinds[k], By: d.day, Text: f.span(min(verbs[k], d.from), max(verbs[k]+1, d.to))})
	}
}

// dayFor returns the day that goes with the verb at token i: one close before it, the first behind it that no other verb is
// nearer to, or the last before it.
func (s *sentence) dayFor(i, before, behind int, today time.Time) (day sentenceDay, ok bool) {
	var last sentenceDay
	for _, d := range s.days[:s.nDays] {
		switch {
		case d.day.Before(today):
		case d.to <= i:
			last, ok = d, true
			if d.to >= i-1 && d.from >= before { // «завтра вышлю»
				day = d
			}
		case d.from < behind && (day.day.IsZero() || d.from <= i+2):
			return d, true
		}
	}
	if !day.day.IsZero() {
		return day, true
	}
	return last, ok
}

// undertakes returns what the writer undertakes with the verb at i: "pay", "send", "call", "answer"; "" for other words.
func (v view) undertakes(i int) string {
	w := v.f.at(i)
	if w[0] != 0xd0 && w[0] != 0xd1 {
		return v.undertakesEnglish(i, w)
	}
	kind := futureVerb(w)
	if kind == "" && v.plans(i) {
		kind = infinitive(w)
	}
	switch {
	case kind == "send" && v.sendsMoney(), kind == "move" && (v.sendsMoney() || v.sum || v.f.is(i+1, "вам")), kind == "do" && v.sendsMoney():
		return "pay"
	case kind == "move", kind == "do":
		return ""
	case kind == "give":
		if v.has("ответ", "знать", "обратн", "информаци", "решени") {
			return "answer"
		}
		return ""
	}
	if kind == "" && (w == "оплата" || w == "платеж" || w == "деньги" || w == "предоплата" || w == "аванс") && v.where(i, "будет", "будут", "пройдет", "уйдет", "поступит", "поступят", "состоится") > i {
		return "pay"
	}
	return kind
}

// sendsMoney reports whether it is money that is sent.
func (v view) sendsMoney() bool {
	return v.has("деньг", "оплату", "платеж", "аванс", "предоплат", "перевод") && !v.has("платежк", "платежное", "платежного", "подтвержд")
}

// futureVerb knows verbs in the first person of the future; "move", "do" and "give" depend on what is moved, done, given.
func futureVerb(w string) string {
	switch w {
	case "оплатим", "оплачу", "оплатит", "оплатят", "заплатим", "заплачу", "проплатим", "проплачу", "доплатим", "доплачу", "перечислим", "перечислю", "перечислят", "погасим", "погашу", "рассчитаемся", "рассчитаюсь":
		return "pay"
	case "вышлю", "вышлем", "пришлю", "пришлем", "отправлю", "отправим", "направлю", "направим", "скину", "скинем", "сброшу", "сбросим", "перешлю", "перешлем", "предоставлю", "предоставим", "подготовлю", "подготовим", "передам", "передадим":
		return "send"
	case "позвоню", "позвоним", "перезвоню", "перезвоним", "наберу", "наберем", "созвонимся", "созвонюсь", "свяжусь", "свяжемся":
		return "call"
	case "отвечу", "ответим", "сообщу", "сообщим", "напишу", "напишем", "вернусь", "вернемся", "отпишусь", "отпишемся":
		return "answer"
	case "переведем", "переведу":
		return "move"
	case "проведем", "проведу", "произведем", "произведу", "сделаем", "сделаю", "внесем", "внесу", "осуществим":
		return "do"
	case "дам", "дадим":
		return "give"
	}
	return ""
}

func infinitive(w string) string {
	switch w {
	case "оплатить", "заплатить", "перечислить", "проплатить", "рассчитаться", "погасить":
		return "pay"
	case "выслать", "прислать", "отправить", "направить", "скинуть", "переслать", "предоставить", "подготовить":
		return "send"
	case "позвонить", "перезвонить", "набрать", "созвониться", "связаться":
		return "call"
	case "ответить", "сообщить", "написать", "вернуться":
		return "answer"
	case "перевести":
		return "move"
	case "произвести", "провести", "внести", "сделать":
		return "do"
	}
	return ""
}

// plans reports whether a word shortly before token i says that the writer means to do it.
func (v view) plans(i int) bool {
	for k := i - 1; k >= v.from && k >= i-5; k-- {
		switch v.f.at(k) {
		case "планируем", "планирую", "постараемся", "постараюсь", "сможем", "смогу", "обещаю", "обещаем", "готовы", "готов", "готова", "собираемся", "собираюсь", "намерены", "должны", "обязуемся", "планирует", "планируется":
			return !v.negated(k)
		case ",":
			return false
		}
	}
	return false
}

// undertakesEnglish reads "will pay", "we'll send", "I am going to call", "payment will be made".
func (v view) undertakesEnglish(i int, w string) string {
	kind := ""
	switch w {
	case "pay", "transfer", "settle":
		kind = "pay"
	case "send", "forward", "provide", "email":
		kind = "send"
	case "call", "ring", "phone":
		kind = "call"
	case "reply", "answer", "respond", "write":
		kind = "answer"
	case "get":
		if v.f.is(i+1, "back") {
			kind = "answer"
		}
	case "let":
		if v.f.is(i+1, "you") && v.f.is(i+2, "know") {
			kind = "answer"
		}
	case "payment":
		if v.f.is(i+1, "will") && v.f.is(i+2, "be") {
			return "pay"
		}
	}
	if kind == "" {
		return ""
	}
	for k := i - 1; k >= v.from && k >= i-4; k-- {
		switch v.f.at(k) {
		case "you", "please", "could", "can", "should":
			return ""
		case "will", "ll", "shall":
			return kind
		case "to":
			if v.f.is(k-1, "going") || v.f.is(k-1, "plan") || strings.HasPrefix(v.f.at(k-1), "promise") {
				return kind
			}
		}
	}
	return ""
}
