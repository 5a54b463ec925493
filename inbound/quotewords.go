package inbound

import (
	"slices"
	"strings"
)

// quotedField is a kind of header line as mail programs write it above a letter that they quote, or a set of such kinds.
type quotedField byte

const (
	fieldFrom quotedField = 1 << iota
	fieldDate
	fieldTo
	fieldSubject
	fieldOther
	fieldNone quotedField = 0
)

// fieldOf returns what the line says of a quoted letter: «*Отправлено:* 1 ноября» says its date.
func fieldOf(s string) quotedField {
	colon := strings.IndexByte(s[:min(len(s), 48)], ':')
	width := 1
	if wide := strings.Index(s[:min(len(s), 48)], "："); wide >= 0 && (colon < 0 || wide < colon) {
		colon, width = wide, len("：")
	}
	if colon < 1 {
		return fieldNone
	}
	key := strings.Trim(s[:colon], "*_ \t\u00a0|")
	if key == "" {
		return fieldNone
	}
	if strings.HasPrefix(s[colon+width:], "//") {
		return fieldNone
	}
	return fieldNamed(foldWords(key))
}

// fieldNamed knows the names of header lines in the languages of mail programs.
func fieldNamed(key string) quotedField {
	switch key {
	case "from", "от", "от кого", "отправитель", "von", "de", "de la", "da", "van", "od", "från", "fra", "lähettäjä", "kimden", "gönderen", "від", "від кого",
		"feladó", "expéditeur", "remitente", "mittente", "afzender", "absender", "nadawca", "avsändare", "afsender", "avsender", "saatja", "no", "nuo",
		"από", "מאת", "من", "差出人", "送信者", "发件人", "寄件者", "寄件人", "發件人", "보낸 사람", "보낸사람", "из", "от имени":
		return fieldFrom
	case "sent", "date", "отправлено", "дата", "отослано", "дата отправки", "послано", "gesendet", "datum", "gesendet am", "envoyé", "envoyé le", "date d'envoi", "message du", "le",
		"enviado", "enviado el", "enviado em", "enviada em", "enviada", "fecha", "data", "inviato", "data invio", "verzonden", "wysłano", "wysłane", "skickat", "sendt", "dato", "lähetetty",
		"päivämäärä", "päiväys", "gönderildi", "gönderilme tarihi", "tarih", "надіслано", "elküldve", "dátum", "trimis", "odesláno", "odoslané", "poslano", "изпратено", "saadetud", "kuupäev", "ημερομηνία", "στάλθηκε",
		"送信日時", "日時", "日付", "送信", "发送时间", "日期", "寄件日期", "傳送時間", "时间", "보낸 날짜", "보낸날짜", "날짜", "תאריך", "נשלח", "التاريخ", "sent on", "отправлено в", "received", "получено":
		return fieldDate
	case "to", "кому", "получатель", "получатели", "an", "à", "a", "para", "aan", "do", "till", "til", "vastaanottaja", "kime", "alıcı", "címzett", "către", "komu", "do kogo",
		"destinataire", "destinatario", "empfänger", "до", "за", "prima", "saaja", "προς", "אל", "إلى", "宛先", "收件人", "收件者", "받는 사람", "받는사람":
		return fieldTo
	case "subject", "тема", "тема письма", "betreff", "objet", "sujet", "asunto", "assunto", "oggetto", "onderwerp", "temat", "ämne", "emne", "aihe", "konu", "tárgy", "subiect", "předmět", "predmet",
		"относно", "teema", "θέμα", "נושא", "الموضوع", "件名", "主题", "主旨", "主題", "标题", "제목", "re":
		return fieldSubject
	case "cc", "копия", "копии", "bcc", "скрытая копия", "kopie", "copie à", "copie", "cci", "kopia", "kopio", "kopi", "dw", "udw", "másolat", "копія", "копие", "抄送", "참조", "副本", "bilgi", "con copia", "reply-to", "ответить",
		"importance", "важность", "priority", "приоритет", "attachments", "вложения", "вложение", "anlagen", "wichtigkeit", "priorität", "pièces jointes", "answer to", "antwort an", "répondre à",
		"organization", "организация", "sender", "x-mailer", "message-id", "in-reply-to", "references", "sensitivity", "resent-from", "dátum és idő", "cópia":
		return fieldOther
	}
	return fieldNone
}

// isVerb knows the word "wrote" and its like in the languages of mail programs.
func isVerb(word string) bool {
	switch word {
	case "wrote", "writes", "said", "says", "написал", "написала", "написал(а", "написал(a", "написала(а", "написали", "написало", "написал/а", "пишет", "пишете", "писал", "писала", "писали", "писал(а", "писал(a", "сообщает", "сообщил",
		"пише", "написав", "писав", "пишуть", "напиша", "написа", "писа", "напісаў", "жазды", "пиша",
		"schrieb", "schreibt", "geschrieben", "schreef", "schrijft", "geschreven", "escribió", "escribio", "escribiste", "escreveu", "escrito", "scritto", "scrive", "écrit", "ecrit",
		"skrev", "skriver", "skrifaði", "kirjoitti", "napisał", "napisała", "napisał(a", "napisal", "napisała/napisał", "pisze", "napsal", "napsala", "napsal(a", "píše", "napísal", "napísala", "napísal(a", "napisao", "napisala", "piše", "je napisao",
		"yazdı", "yazmış", "yazdi", "írta", "írt", "scris", "a scris", "kirjutas", "rakstīja", "rašė", "parašė", "έγραψε", "έγραψες", "כתב", "כתבה", "كتب", "menulis", "viết", "sumulat", "escrigué", "va escriure", "escribiu", "idatzi":
		return true
	}
	return false
}

// verbWithoutBlanks finds the verb in languages that are written without blanks between words.
func verbWithoutBlanks(folded string) bool {
	for _, v := range [...]string{"写道", "寫道", "写到", "書きました", "のメール", "のメッセージ", "님이 작성", "작성:", "เขียน", "wrote", "写信", "さんは"} {
		if strings.Contains(folded, v) {
			return true
		}
	}
	return false
}

// leadsDate knows the words with which a head begins that are no dates.
func leadsDate(word string) bool {
	switch word {
	case "on", "at", "in", "quoting", "citando", "am", "um", "le", "el", "il", "em", "op", "den", "d", "w", "dnia", "dne", "dňa", "dana", "dna", "tarihinde", "på", "kell", "pe", "a", "az", "la", "data", "в", "во", "вы", "ты", "на", "у", "от", "du",
		"zitat", "de", "van", "från", "né", "στις", "vào", "pada", "ב", "بتاريخ", "date", "date:":
		return true
	}
	return false
}

// weekday knows the days of the week and their short forms.
func weekday(word string) bool {
	switch strings.TrimSuffix(word, ".") {
	case "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
		"пн", "вт", "ср", "чт", "пт", "сб", "вс", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье", "нд", "понеділок", "вівторок", "середа", "четвер", "п'ятниця", "неділя",
		"montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag", "mo", "di", "mi", "do", "fr", "sa", "so",
		"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lun", "mar", "mer", "jeu", "ven", "sam", "dim",
		"lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo", "mié", "jue", "vie", "sáb", "dom", "segunda", "terça", "quarta", "quinta", "sexta", "seg", "ter", "qua", "qui", "sex",
		"lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica", "gio", "sab", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag", "ma", "wo", "vr", "za", "zo",
		"måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag", "mandag", "tirsdag", "lørdag", "søndag", "mån", "tis", "ons", "tors", "fre", "lör", "sön", "man", "tir", "tor", "lør", "søn",
		"ti", "ke", "to", "pe", "la", "su", "maanantai", "tiistai", "keskiviikko", "torstai", "perjantai", "lauantai", "sunnuntai",
		"poniedziałek", "wtorek", "środa", "czwartek", "piątek", "sobota", "niedziela", "pon", "wt", "śr", "czw", "pt", "sob", "niedz", "pondělí", "úterý", "středa", "čtvrtek", "pátek", "neděle", "po", "út", "st", "čt", "pá", "ne",
		"pzt", "sal", "çar", "per", "cum", "cmt", "paz", "pazartesi", "salı", "çarşamba", "perşembe", "cuma", "cumartesi", "pazar":
		return true
	}
	return false
}

// monthWord knows the names of months by how they begin, in the languages of mail programs. It is asked only beside a number.
func monthWord(word string) bool {
	r := []rune(strings.TrimSuffix(word, "."))
	if len(r) < 3 || len(r) > 13 {
		return false
	}
	switch string(r[:3]) {
	case "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "янв", "фев", "мар", "апр", "мая", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек",
		"січ", "лют", "бер", "кві", "тра", "чер", "лип", "сер", "вер", "жов", "лис", "гру",
		"mär", "mai", "okt", "dez", "maj", "mei", "maa", "mrt", "fév", "fev", "avr", "jui", "aoû", "aou", "déc", "ene", "abr", "ago", "dic", "set", "out", "gen", "mag", "giu", "lug", "ott",
		"tam", "hel", "huh", "tou", "kes", "hei", "elo", "syy", "lok", "mrz", "jou", "sty", "lut", "kwi", "cze", "lip", "sie", "wrz", "paź", "lis", "gru",
		"led", "úno", "bře", "dub", "kvě", "čer", "srp", "zář", "říj", "pro", "oca", "şub", "nis", "haz", "tem", "ağu", "eyl", "eki", "kas", "ara", "iun", "iul", "ian", "noi", "mac", "jún", "júl", "máj", "sij", "már", "ápr", "des":
		return true
	}
	return false
}

// originalWords reports whether the folded words of a drawn line announce the letter below: «исходное сообщение».
func originalWords(s string) bool {
	return len(s) <= 120 && slices.ContainsFunc(announcements[:], func(w string) bool { return strings.Contains(s, w) })
}

var announcements = [...]string{
	"original message", "original appointment", "original e-mail", "original mail", "forwarded message", "forwarded by", "forwarded mail", "forwarded email", "forward message", "begin forward", "begin message", "reply message", "reply separator", "end message",
	"исходное сообщение", "исходное письмо", "пересылаемое сообщение", "пересланное сообщение", "переадресованное сообщение", "переадресовано", "переслано", "пересылаемое письмо", "пересланное письмо", "перенаправленное", "оригинальное сообщение", "оригинал сообщения",
	"первоначальное сообщение", "конец переадресованного", "конец пересылаемого", "вихідне повідомлення", "оригінальне повідомлення", "переслане повідомлення",
	"ursprüngliche nachricht", "originalnachricht", "original-nachricht", "urspr. nachricht", "weitergeleitete nachricht", "weitergeleitet von", "message d'origine", "message original", "message initial", "message transféré", "message transmis", "mensaje original", "mensaje reenviado",
	"mensagem original", "mensagem encaminhada", "messaggio originale", "messaggio inoltrato", "oorspronkelijk bericht", "doorgestuurd bericht", "origineel bericht", "wiadomość oryginalna", "oryginalna wiadomość", "wiadomość przekazana", "treść przekazanej", "ursprungligt meddelande", "originalmeddelande",
	"vidarebefordrat", "oprindelig meddelelse", "opprinnelig melding", "videresendt", "alkuperäinen viesti", "välitetty viesti", "původní zpráva", "původní e-mail", "přeposlaná zpráva", "pôvodná správa", "özgün ileti", "orijinal mesaj", "iletilen ileti", "eredeti üzenet", "továbbított üzenet", "mesaj original", "mesaj redirecționat",
	"元のメッセージ", "元のメール", "転送メッセージ", "転送された", "原始邮件", "原邮件", "原始郵件", "转发邮件", "转发的邮件", "轉寄郵件", "원본 메시지", "원본 메일", "전달된 메시지",
}

// announces reports whether a line that is not drawn says that a forwarded letter follows: "Begin forwarded message:".
func announces(s string) bool {
	if len(s) < 12 || len(s) > 120 {
		return false
	}
	drawn := framed(s)
	s = strings.TrimLeft(foldWords(s), "-_*=>~ ")
	if !drawn && !strings.ContainsAny(s, ":：") && !strings.HasPrefix(s, "begin ") {
		return false
	}
	for _, w := range [...]string{"begin forwarded message", "forwarded message", "начало переадресованного сообщения", "начало пересылаемого сообщения", "начало пересылаемого письма", "пересылаемое сообщение", "пересланное сообщение", "anfang der weitergeleiteten", "début du message", "inicio del mensaje reenviado",
		"inizio messaggio inoltrato", "início da mensagem", "begin doorgestuurd bericht", "vidarebefordrat brev", "videresendt besked", "videresendt melding", "välitetty viesti", "początek przekazywanej", "začátek přeposílané", "iletilen ileti başlangıcı", "початок листа, що пересилається", "転送されたメッセージ", "以下は、転送", "下面是被转发的邮件"} {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return drawn && originalWords(s)
}

// replyAbove reports whether the folded words of a drawn line ask to write above it, as help desks do.
func replyAbove(s string) bool {
	if len(s) > 160 {
		return false
	}
	for _, w := range [...]string{"reply above", "type your reply", "write above this line", "above this line", "ответ выше", "над этой строкой", "над этой линией", "выше этой линии", "выше этой строки", "не удаляйте эту строку", "antworten sie oberhalb", "antwort oberhalb", "répondre au-dessus", "responde por encima"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
