package inbound

// word reads what begins with the word at i.
func (f *finder) word(i int) int {
	w := f.at(i)
	if len(w) < 2 {
		return i + 1
	}
	if next, ok := f.label(i, w); ok {
		return next
	}
	if next, ok := f.day(i); ok {
		return next
	}
	if !f.signature {
		f.sentence.see(f, i, w)
	}
	return i + 1
}

// label reads the number after a word that announces one.
func (f *finder) label(i int, w string) (next int, ok bool) {
	switch w[0] {
	case 'i', 'o', 'q', 'p', 'd', 'k':
		switch w {
		case "inn", "kpp":
			return f.taxNumber(i), true
		case "invoice", "invoices", "inv":
			return f.invoice(i), true
		case "offer", "quote", "quotation", "proposal":
			return f.offer(i), true
		case "deal":
			return f.deal(i), true
		}
	case 0xd0, 0xd1:
		switch w {
		case "инн", "кпп":
			return f.taxNumber(i), true
		case "счет", "счета", "счету", "счетом", "счете", "счетов", "счетам", "сч":
			return f.invoice(i), true
		case "кп", "предложение", "предложения", "предложению", "предложением", "предложении", "предложений":
			return f.offer(i), true
		case "сделка", "сделке", "сделки", "сделку", "сделкой", "сделок":
			return f.deal(i), true
		}
	}
	return i, false
}

// trigger says what a sentence may be about.
type trigger byte

const (
	triggerPaid trigger = 1 << iota
	triggerStop
	triggerPromise
)

// sentence is what was seen since the last one ended.
type sentence struct {
	from     int // its first token
	triggers trigger
	past     bool // a verb says that something has been done
	sum      bool // a sum of money is named
	days     [4]sentenceDay
	nDays    int
}

// triggerOf tells by how a folded word begins whether the sentence is worth a closer look.
func triggerOf(w string) trigger {
	if w[0] != 0xd0 && w[0] != 0xd1 {
		switch w {
		case "paid", "transferred", "wired":
			return triggerPaid
		case "payment":
			return triggerPaid | triggerPromise
		case "unsubscribe", "remove", "stop", "contact", "opt":
			return triggerStop
		case "email", "write", "mail":
			return triggerStop | triggerPromise
		case "send":
			return triggerStop | triggerPromise
		case "pay", "call", "reply", "answer", "respond", "transfer", "forward", "ring", "phone", "get", "let", "provide":
			return triggerPromise
		}
		return 0
	}
	return triggerRussian(w)
}

// triggerRussian is triggerOf for Russian words.
func triggerRussian(w string) trigger {
	switch w[:2] {
	case "а":
		return stems(w, triggerPaid|triggerPromise, "аванс")
	case "б":
		return stems(w, triggerStop, "беспоко")
	case "в":
		return stems(w, triggerPromise, "вышл", "высл", "вернусь", "вернемся")
	case "д":
		return stems(w, triggerPaid|triggerPromise, "деньг") | stems(w, triggerPromise, "дам", "дадим")
	case "з":
		return stems(w, triggerPaid|triggerPromise, "заплат")
	case "и":
		return stems(w, triggerStop, "исключите")
	case "к":
		return stems(w, triggerPaid, "квитанци")
	case "н":
		return stems(w, triggerPromise, "направ", "набер", "наберу", "напиш")
	case "о":
		return stems(w, triggerPaid|triggerPromise, "оплат", "оплач") | stems(w, triggerStop, "отпи") | stems(w, triggerPromise|triggerStop, "отправ") | stems(w, triggerPromise, "отвеч", "ответ", "отпиш")
	case "п":
		return stems(w, triggerPaid|triggerPromise, "проплат", "платеж", "предоплат", "перечисл", "перев") | stems(w, triggerStop, "пиши", "присыла", "прекрат", "перестан", "получать") | stems(w, triggerStop|triggerPromise, "писать") | stems(w, triggerPromise, "пришл", "присл", "переш", "предостав", "подготов", "передад", "передам", "позвон", "перезвон", "провед", "произвед")
	case "р":
		return stems(w, triggerStop, "рассыл")
	case "с":
		return stems(w, triggerPaid|triggerPromise, "средств") | stems(w, triggerStop, "спам") | stems(w, triggerPromise, "скин", "сброшу", "сбросим", "созвон", "свяж", "сообщ")
	case "у":
		return stems(w, triggerStop, "удалите", "уберите")
	case "х":
		return stems(w, triggerStop, "хватит")
	case "ч":
		return stems(w, triggerPaid, "чек")
	case "ш":
		return stems(w, triggerStop, "шлите")
	}
	return 0
}

// stems returns t when the word begins with one of the stems.
func stems(w string, t trigger, list ...string) trigger {
	if begins(w, list) {
		return t
	}
	return 0
}

// see takes note of a word.
func (s *sentence) see(f *finder, i int, w string) {
	if len(w) == 2 {
		if w == "п" && f.is(i+1, "/") && f.is(i+2, "п") {
			s.triggers |= triggerPaid
		}
		return
	}
	t := triggerOf(w)
	s.triggers |= t
	if t&triggerPaid != 0 && pastPaid(w) != 0 {
		s.past = true
	}
}

// endSentence judges the sentence that ends before token to.
func (f *finder) endSentence(to int, question bool) {
	s := f.sentence
	f.sentence = sentence{from: to}
	if s.triggers == 0 || f.signature || to <= s.from {
		return
	}
	v := view{f: f, from: max(s.from, to-maxSentence), to: to, sum: s.sum}
	if s.triggers&triggerStop != 0 && !f.n.Unsubscribe {
		f.n.Unsubscribe = v.unsubscribe(question)
	}
	if question {
		return
	}
	if s.triggers&triggerPaid != 0 && !f.n.Paid {
		f.n.Paid = v.paid()
	}
	if s.triggers&triggerPromise != 0 && s.nDays > 0 {
		f.promises(v, s)
	}
}

// view is a sentence under a closer look.
type view struct {
	f        *finder
	from, to int
	sum      bool
}

// find returns the first token from i on that begins with one of the stems, -1 when there is none.
func (v view) find(i int, stems ...string) int {
	for ; i < v.to; i++ {
		if v.f.tokens[i].kind == tokenWord && begins(v.f.at(i), stems) {
			return i
		}
	}
	return -1
}

func (v view) has(stems ...string) bool { return v.find(v.from, stems...) >= 0 }

// word reports whether one of the words is in the sentence, whole.
func (v view) word(words ...string) bool { return v.where(v.from, words...) >= 0 }

func (v view) where(i int, words ...string) int {
	for ; i < v.to; i++ {
		for _, w := range words {
			if v.f.at(i) == w {
				return i
			}
		}
	}
	return -1
}

func begins(w string, stems []string) bool {
	for _, s := range stems {
		if len(w) >= len(s) && w[:len(s)] == s {
			return true
		}
	}
	return false
}

// negated reports whether "not" stands before token i, at most with an adverb or an auxiliary between.
func (v view) negated(i int) bool {
	for k := i - 1; k >= v.from && k >= i-3; k-- {
		switch w := v.f.at(k); w {
		case "не", "нет", "not", "never", "без", "ни", "cannot", "won", "isn", "wasn", "hasn", "haven", "aren", "didn", "don":
			return true
		case "еще", "пока", "been", "yet", "могу", "можем", "смогу", "сможем", "уже", "the", "be", "was", "t", "'", "’", "будем", "буду", "будет", "успели", "успел", "успеем", "была", "был", "было", "были", "have", "has", "being":
		default:
			return false
		}
	}
	return false
}

// conditional reports whether a word before token i makes the sentence a condition or a wish.
func (v view) conditional(i int) bool {
	for k := v.from; k < i; k++ {
		switch v.f.at(k) {
		case "если", "когда", "чтобы", "кабы", "ежели", "if", "when", "once", "unless", "until", "whether", "after":
			return true
		case "как":
			if v.f.is(k+1, "только") {
				return true
			}
		case "после":
			if v.f.is(k+1, "того") {
				return true
			}
		}
	}
	return v.f.is(i+1, "бы")
}
