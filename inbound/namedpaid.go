package inbound

import "strings"

// Kinds of verbs that say that money has been sent.
const (
	paidSays  = 1 + iota // alone: «оплатили»
	paidMoney            // of money: «перечислили аванс»
	paidDone             // of a payment: «платёж прошёл», «произвели оплату»
)

// pastPaid says of a folded Russian or English word which of the kinds it is, 0 for none.
func pastPaid(w string) int {
	switch w {
	case "оплатил", "оплатила", "оплатили", "оплачен", "оплачена", "оплачено", "оплачены", "проплатил", "проплатили", "проплатила", "проплачен", "проплачено", "заплатил", "заплатили", "заплатила", "предоплатили":
		return paidSays
	case "перечислил", "перечислили", "перечислила", "перечислен", "перечислена", "перечислены", "перечислено", "перевел", "перевели", "перевела", "переведен", "переведена", "переведены", "внесли", "внес", "внесла", "отправили", "отправил", "отправила", "отправлен", "отправлены", "отправлена",
		"transferred", "wired":
		return paidMoney
	case "произвели", "произвел", "произвела", "произведен", "произведена", "провели", "провел", "провела", "проведен", "проведена", "проведены", "проведено", "осуществили", "осуществлена", "осуществлен", "сделали", "сделал", "сделала", "сделан", "сделана", "выполнен", "выполнена", "прошла", "прошел", "прошли", "ушла", "ушел", "ушли", "поступила", "поступил", "поступили", "совершен", "совершена", "внесен", "внесена":
		return paidDone
	}
	return 0
}

// paid reports whether the sentence says that money has been sent.
func (v view) paid() bool {
	for i := v.from; i < v.to; i++ {
		if v.f.tokens[i].kind != tokenWord {
			continue
		}
		w := v.f.at(i)
		if w == "paid" && v.paidEnglish(i) || w == "п" && v.order(i) {
			return true
		}
		kind := pastPaid(w)
		if kind == 0 || v.negated(i) || v.conditional(i) || v.others(i) || v.future(i) {
			continue
		}
		switch {
		case kind == paidSays,
			kind == paidMoney && (v.money(i) || v.sum && w[0] != 'o' && !strings.HasPrefix(w, "отправ")),
			kind == paidDone && v.payment(i):
			return true
		}
	}
	return v.slip() || v.paymentMade()
}

// money reports whether money is named near token i.
func (v view) money(i int) bool {
	return v.near(i, "оплат", "аванс", "предоплат", "деньг", "денег", "средства", "платеж", "payment", "money", "deposit", "funds", "amount") && !v.has("платежн", "платежк")
}

// payment reports whether a payment is named near token i.
func (v view) payment(i int) bool {
	return (v.opens(i, "оплата", "платеж") || v.near(i, "оплата", "оплату", "оплаты", "платеж", "предоплат", "аванс", "деньг", "перевод", "средства")) && !v.has("оплатить")
}

// opens reports whether one of the words is the first of the sentence, with no comma between it and token i: a number of
// an invoice may stand there, which has many tokens.
func (v view) opens(i int, words ...string) bool {
	if i-v.from > 16 || !begins(v.f.at(v.from), words) {
		return false
	}
	for k := v.from; k < i; k++ {
		if v.f.is(k, ",") {
			return false
		}
	}
	return true
}

// near reports whether a word that begins with one of the stems stands at most four tokens from token i.
func (v view) near(i int, stems ...string) bool {
	for _, step := range [...]int{-1, 1} {
		for k := i + step; k >= v.from && k < v.to && k >= i-4 && k <= i+4 && !v.f.is(k, ","); k += step {
			if v.f.kind(k) == tokenWord && begins(v.f.at(k), stems) {
				return true
			}
		}
	}
	return false
}

// others reports whether it is the reader who has paid, or shall have: «вы оплатили».
func (v view) others(i int) bool {
	for k := i - 1; k >= v.from && k >= i-2; k-- {
		switch v.f.at(k) {
		case "вы", "вами", "you", "ты", "должен", "должна", "должны", "нужно":
			return true
		}
	}
	return false
}

// future reports whether it is yet to come: «будет оплачен».
func (v view) future(i int) bool {
	for k := i - 1; k >= v.from && k >= i-4; k-- {
		switch v.f.at(k) {
		case "будет", "будут", "быть", "должен", "должна", "должны", "will", "shall", "should", "must":
			return true
		}
	}
	return v.f.is(i+1, "будет") || v.f.is(i+1, "будут")
}

// order reports whether «п/п» at i is a payment order that is there: with a number, or attached.
func (v view) order(i int) bool {
	if !v.f.is(i+1, "/") || !v.f.is(i+2, "п") || v.negated(i) {
		return false
	}
	if v.f.is(i+3, "№") || v.f.kind(i+3) == tokenNumber {
		return !v.has("вышл", "пришл", "отправим", "отправлю")
	}
	return v.attached()
}

// slip reports whether the proof of a payment is attached: «платёжка во вложении», «высылаю платёжное поручение».
func (v view) slip() bool {
	i := v.find(v.from, "платежк", "платежное", "платежного", "платежным", "квитанци", "чек")
	if i < 0 || v.negated(i) || strings.HasPrefix(v.f.at(i), "чек") && len(v.f.at(i)) > len("чека") {
		return false
	}
	return v.attached()
}

// attached reports whether the sentence says that something is attached or sent now.
func (v view) attached() bool {
	i := v.find(v.from, "вложени", "приложени", "прилага", "приложен", "приложил", "прикреп", "прикладыва", "высыла", "направляю", "направляем", "отправляю", "отправляем", "выслал", "отправил", "attach", "скан")
	if i < 0 {
		i = v.where(v.from, "ниже", "вот")
	}
	return i >= 0 && !v.negated(i) && !v.conditional(i) && !v.has("ждем", "жду", "просим", "прошу", "пришлите", "вышлите", "приложите", "нужн")
}

// paymentMade reports whether an English sentence says that a payment has been made.
func (v view) paymentMade() bool {
	i := v.where(v.from, "payment")
	if i < 0 || v.conditional(v.to) {
		return false
	}
	k := v.where(v.from, "sent", "made", "done", "completed", "transferred", "processed", "initiated", "released", "executed")
	return k >= 0 && !v.negated(k) && !v.future(k) && !v.word("will", "please", "should", "when", "once", "be", "to")
}

// paidEnglish reports whether "paid" at i says that the writer has paid: not "paid leave", not "to be paid".
func (v view) paidEnglish(i int) bool {
	if v.negated(i) || v.conditional(i) || v.future(i) {
		return false
	}
	said := false
	for k := i - 1; k >= v.from && k >= i-5; k-- {
		switch v.f.at(k) {
		case "we", "i", "have", "has", "been", "was", "were", "is", "are", "just", "already", "ve":
			said = true
		case "be", "get", "being", "un", "to", "you", "will", "not", "if":
			return false
		}
	}
	switch v.f.at(i + 1) {
	case "the", "your", "invoice", "in", "today", "yesterday", "this":
		return true
	}
	return said
}

// unsubscribe reports whether the sentence asks for no more letters. The words by which newsletters offer it are no such
// request.
func (v view) unsubscribe(question bool) bool {
	if v.word("чтобы", "http", "https", "www", "если", "click", "нажмите", "перейдите", "link", "ссылке", "below") {
		return false
	}
	if v.unsubscribeEnglish() {
		return true
	}
	if v.word("отпишите", "отписать", "отпишите", "отписывайте") || v.word("отписаться", "отписываюсь", "отписываемся") && v.has("хоч", "хотим", "хотел", "прош", "прос", "можно", "нужно", "желаю", "пожалуйста", "отписыва") {
		return true
	}
	if question {
		return false
	}
	return v.removal() || v.silence() || v.enough()
}

// removal: «удалите наш адрес из базы», «исключите меня из рассылки».
func (v view) removal() bool {
	i := v.find(v.from, "уберите", "удалите", "исключите", "вычеркните", "убрать", "удалить", "исключить", "снимите")
	if i < 0 || v.negated(i) {
		return false
	}
	if k := v.find(i, "рассыл"); k >= 0 {
		return true
	}
	return v.has("баз", "списк", "контакт") && (v.word("меня", "нас") || v.has("наш", "мой", "мою", "мои", "адрес", "почт"))
}

// silence: «не пишите мне больше», «больше не присылайте», «не беспокойте нас», «не хочу получать ваши письма».
func (v view) silence() bool {
	for i := v.from; i < v.to; i++ {
		if !v.f.is(i, "не") {
			continue
		}
		rest := i + 1
		for rest < v.to && (v.f.is(rest, "надо") || v.f.is(rest, "нужно") || v.f.is(rest, "стоит") || v.f.is(rest, "нам") || v.f.is(rest, "мне") || v.f.is(rest, "больше") || v.f.is(rest, "хочу") || v.f.is(rest, "хотим") || v.f.is(rest, "желаю") || v.f.is(rest, "желаем") || v.f.is(rest, "хотел") || v.f.is(rest, "хотела") || v.f.is(rest, "бы")) {
			rest++
		}
		wish := rest > i+1
		more := v.word("больше", "впредь", "никогда", "более")
		switch w := v.f.at(rest); {
		case begins(w, []string{"беспоко"}):
			return true
		case begins(w, []string{"пишите", "писать"}):
			if more || wish && w == "писать" || v.f.is(rest+1, "мне") || v.f.is(rest+1, "нам") || v.f.is(rest+1, "сюда") {
				return true
			}
		case begins(w, []string{"присыла", "шлите", "слать", "отправля", "высыла"}), wish && w == "получать":
			if more && !v.has("счет", "договор", "документ", "образц", "товар", "курьер") || v.has("письм", "рассыл", "предложени", "реклам", "спам") {
				return true
			}
		}
	}
	return false
}

// enough: «прекратите рассылку», «хватит слать спам», «отказываюсь от рассылки».
func (v view) enough() bool {
	if i := v.find(v.from, "прекрат", "перестан", "хватит", "остановите"); i >= 0 && !v.negated(i) {
		return v.find(i, "рассыл", "писать", "присыла", "слать", "спам", "отправля", "беспоко", "письм") >= 0
	}
	return v.has("отказ", "отключите", "против") && v.has("рассыл") && !v.has("отказали")
}

func (v view) unsubscribeEnglish() bool {
	if i := v.where(v.from, "unsubscribe"); i >= 0 && !v.f.is(i-1, "to") && !v.negated(i) {
		return i == v.from || v.word("please", "me", "us", "kindly", "pls")
	}
	if i := v.where(v.from, "remove", "take"); i >= 0 && v.word("me", "us", "my", "our") {
		return v.word("list", "mailing", "database", "lists", "mailings", "newsletter") && !v.negated(i)
	}
	if i := v.where(v.from, "stop"); i >= 0 && (v.f.is(i+1, "emailing") || v.f.is(i+1, "sending") || v.f.is(i+1, "writing") || v.f.is(i+1, "contacting") || v.f.is(i+1, "mailing") || v.f.is(i+1, "spamming")) {
		return !v.negated(i)
	}
	if i := v.where(v.from, "contact", "email", "write", "mail"); i >= 0 && v.negated(i) {
		return v.word("me", "us") || v.word("again", "anymore", "further")
	}
	if i := v.where(v.from, "send"); i >= 0 && v.negated(i) {
		return (v.word("me", "us") || v.word("any")) && (v.word("anymore", "again", "more", "further")) && v.word("emails", "mails", "letters", "messages", "mail", "email", "offers", "newsletters")
	}
	return false
}
