package inbound

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on a signature that nothing but its look tells from the words above it.
const (
	maxSignatureLines = 20
	maxBlockLines     = 10
)

// signer tells the signature from the words in the writer's own pieces.
type signer struct {
	*quoter
	reply, signature []lineSpan
}

func (s *signer) empty() bool { return len(s.reply) == 0 && len(s.signature) > 0 }

// whole takes everything for words, but for what phones append and what stands below "-- ".
func (s *signer) whole(own []lineSpan) {
	s.reply, s.signature = nil, nil
	for _, p := range own {
		end := s.divider(p)
		for k := p.from; k < end; k++ {
			if s.lines[k].kind != lineBlank && mobileLine(s.at(k)) {
				end = k
			}
		}
		s.keep(&s.reply, p.from, end)
		s.keep(&s.signature, end, p.to)
	}
}

func (s *signer) keep(list *[]lineSpan, from, to int) {
	for from < to && s.lines[from].kind == lineBlank {
		from++
	}
	for to > from && s.lines[to-1].kind == lineBlank {
		to--
	}
	if from < to {
		*list = append(*list, lineSpan{from, to})
	}
}

// piece divides one run of own lines; last says that nothing of the writer's own follows.
func (s *signer) piece(p lineSpan, last bool) {
	end := s.divider(p)
	end = s.mobile(p.from, end)
	tail := s.afterword(p.from, end)
	start := s.closing(p.from, tail)
	if start == tail && last {
		start = s.block(p.from, tail)
	}
	if ps := s.postscript(start, tail); ps < tail {
		s.keep(&s.reply, p.from, start)
		s.keep(&s.signature, start, ps)
		s.keep(&s.reply, ps, tail)
		s.keep(&s.signature, tail, p.to)
		return
	}
	s.keep(&s.reply, p.from, start)
	s.keep(&s.signature, start, p.to)
}

// divider returns where the line "-- " or one drawn above a signature stands, or the end of the piece. See RFC 3676
// section 4.3.
func (s *signer) divider(p lineSpan) int {
	for k := p.from; k < p.to; k++ {
		if s.lines[k].kind != lineRule {
			continue
		}
		switch l := s.at(k); {
		case l == "--", l == "__", l == "—", l == "––", l == "- --", l == "- -":
			return k
		default:
			if n := s.count(k+1, p.to, 10); n <= 10 && (n <= 4 && n > 0 || s.contacts(k+1, p.to) > 0 || n == 0) && k > p.from {
				return k
			}
		}
	}
	return p.to
}

// count returns how many lines that are not blank there are, at most one above the limit.
func (s *signer) count(from, to, limit int) int {
	n := 0
	for k := from; k < to && n <= limit; k++ {
		if s.lines[k].kind != lineBlank {
			n++
		}
	}
	return n
}

// mobile returns where a line such as «Отправлено с iPhone» stands, if what follows it is not the writer's: nothing, or a
// quote without marks. What such a line is written above belongs to the writer when there is nothing above the line.
func (s *signer) mobile(from, end int) int {
	words := false
	for k := from; k < end; k++ {
		if s.lines[k].kind == lineBlank {
			continue
		}
		alone := k == from || s.lines[k-1].kind == lineBlank || s.lines[k-1].kind == lineRule
		if !alone && k < end-4 || !mobileLine(s.at(k)) {
			words = true
			continue
		}
		rest := s.count(k+1, end, 1)
		if rest == 0 || words && (alone || rest <= 2) && (k+1 >= end || s.lines[k+1].kind == lineBlank || s.count(k+1, end, 3) <= 3) {
			return k
		}
	}
	return end
}

// mobileLine reports whether a program has written the line below the letter: "Sent from my iPhone".
func mobileLine(s string) bool {
	if len(s) > 300 || len(s) < 8 || s[0] == '>' || len(s) > 120 && strings.IndexByte(s, '<') < 0 {
		return false
	}
	r, n := utf8.DecodeRuneInString(s)
	if (r == '-' || r == '*' || r == '[' || r == '(' || r == '_') && n < len(s) {
		s = strings.TrimLeft(s, "-*[(_ ")
		r, _ = utf8.DecodeRuneInString(s)
	}
	switch r { // the first letters of the words below
	case 'S', 's', 'G', 'g', 'V', 'v', 'D', 'd', 'E', 'e', 'I', 'i', 'T', 't', 'L', 'l', 'W', 'w', 'O', 'o', 'N', 'n', 'P', 'p', 'О', 'о', 'Н', 'н', 'П', 'п', 'Э', 'э', 'И', 'и', '从', '發', '发', '나', '来', '從', 'A', 'a', 'М', 'м', 'Y', 'y', 'К', 'Д', 'С', 'с':
	default:
		return false
	}
	folded := strings.Trim(foldWords(s), "*_. ])-")
	if link := strings.IndexAny(folded, "<("); link > 8 {
		folded = strings.TrimSpace(folded[:link])
	}
	for _, w := range mobileEndings {
		if strings.HasSuffix(folded, w) && len(folded) < 110 {
			return true
		}
	}
	for _, w := range mobileStarts {
		if rest, ok := strings.CutPrefix(folded, w); ok && strings.Count(rest, " ") <= 8 && !strings.ContainsAny(rest, "?!;") {
			return device(rest) || !cyrillicFirst(w)
		}
	}
	return false
}

func cyrillicFirst(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.Is(unicode.Cyrillic, r)
}

// device reports whether the words name a program or a thing that sends letters. The Russian for "sent from" is said of
// goods as well.
func device(s string) bool {
	for _, w := range [...]string{"iphone", "ipad", "айфон", "айпад", "android", "андроид", "samsung", "galaxy", "huawei", "honor", "xiaomi", "redmi", "nokia", "sony", "lg", "htc", "blackberry", "lumia", "windows", "outlook", "mail", "почт", "майл", "яндекс", "yandex", "gmail",
		"мобильн", "телефон", "смартфон", "планшет", "устройств", "приложен", "ios", "spark", "bluemail", "aqua", "mymail", "thunderbird", "bat!", "rambler", "рамблер", "клиент", "ноутбук", "коммуникатор", "realme", "tecno", "oppo", "vivo", "pixel", "poco", "tele2", "мегафон", "proton"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

var mobileStarts = [...]string{
	"sent from my ", "sent from a ", "sent from mail", "sent from outlook", "sent from yahoo", "sent from samsung", "sent from windows", "sent from proton", "sent from spark", "sent from blue", "sent from ", "sent via ", "sent using ", "sent with ", "sent by ", "sent on the go", "sent through ", "get outlook for ", "typed on ", "typed with ", "written on my ", "download outlook", "this message was sent from my", "this email was sent from my", "sent form my ",
	"отправлено с ", "отправлено со ", "отправлено из ", "отправлено через ", "отправлено от ", "отправлено при помощи ", "отправлено посредством ", "отправлено моим ", "послано с ", "послано из ", "письмо отправлено с ", "письмо отправлено из ", "это письмо отправлено с ", "это сообщение отправлено с ", "сообщение отправлено с ", "написано с ", "написано на ", "получите outlook для ", "получить outlook для ", "скачать outlook", "исходящее с ", "пользуюсь ", "отправленно с ", "отправленно из ", "отправил с ", "отправила с ", "отправил из ", "надіслано з ", "надіслано із ", "надіслано з моєї ", "даслана з ", "изпратено от ",
	"von meinem ", "von meiner ", "gesendet von ", "gesendet mit ", "gesendet über ", "gesendet aus ", "diese nachricht wurde von mein", "diese nachricht wurde mit", "holen sie sich outlook", "outlook für ", "envoyé de mon ", "envoyé depuis ", "envoyé à partir ", "envoyé avec ", "envoyé via ", "envoyé par ", "télécharger outlook", "obtenir outlook", "obtenez outlook", "provenance : courrier", "enviado desde ", "enviado do ", "enviado da ", "enviado de ", "enviado via ", "enviado por ", "enviado con ", "enviado com ", "enviado pelo ", "obtener outlook", "obter o outlook",
	"inviato da", "inviato dal ", "inviato con ", "inviato tramite ", "scarica outlook", "ottieni outlook", "verstuurd vanaf ", "verzonden vanaf ", "verzonden met ", "verstuurd met ", "verzonden via ", "outlook voor ", "skickat från ", "skickas från ", "sendt fra ", "sendt via ", "lähetetty ", "wysłane z ", "wysłano z ", "wysłane przez ", "odesláno z ", "odesláno ze ", "odoslané z ", "odesláno pomocí ", "trimis de pe ", "trimis din ", "küldve ", "elküldve ", "poslano z ", "poslano s ", "tarafından gönderildi",
	"发自我的", "发自我", "从我的", "發自我的", "從我的", "나의 ", "来自我的", "iphoneから送信", "ipadから送信", "iphone から送信", "androidから送信",
}

var mobileEndings = [...]string{
	"gesendet", "geschickt", "から送信", "gönderildi", "발송", "에서 보냄", "з мого iphone", "mail gesendet", "verzonden", "versendet",
}

// afterword returns where paragraphs that nobody writes begin at the end of the lines: disclaimers, what virus scanners and
// mailing lists append.
func (s *signer) afterword(from, end int) int {
	for end > from {
		k := end
		for k > from && s.lines[k-1].kind == lineBlank {
			k--
		}
		top := k
		for top > from && s.lines[top-1].kind != lineBlank && k-top < maxSignatureLines {
			top--
		}
		if top == k || top == from || !maybeDisclaimer(s.cutOut(lineSpan{top, k})) || !disclaimer(foldWords(cutUTF8(s.cutOut(lineSpan{top, k}), 3000))) {
			return end
		}
		end = top
	}
	return end
}

// maybeDisclaimer is a cheap look at what disclaimer decides.
func maybeDisclaimer(p string) bool {
	if len(p) < 40 {
		return false
	}
	for _, w := range [...]string{"онфиденциал", "ОНФИДЕНЦИАЛ", "дресат", "редназначен", "ирус", "печат", "айну", "onfiden", "ONFIDEN", "ntended", "rivileged", "ertraulich", "ertrouwelijk", "iservat", "irus", "nvironment", "subscri", "ecycl", "ерегите", "отказаться от подписки", "rint"} {
		if strings.Contains(p, w) {
			return true
		}
	}
	return false
}

// disclaimer reports whether a folded paragraph is one.
func disclaimer(p string) bool {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(p, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("confidential", "intended recipient", "intended only", "intended solely", "privileged", "legally protected"):
		return has("e-mail", "email", "message", "communication", "transmission", "attachment")
	case has("конфиденциальн", "предназначен", "адресат", "коммерческую тайну"):
		return has("сообщени", "письм", "e-mail", "электронн") && (has("не являетесь", "по ошибке", "ошибочно", "исключительно", "запрещ", "уничтож", "удалите", "раскрыти", "может содержать", "могут содержать", "содержит") || strings.HasPrefix(p, "конфиденциальн"))
	case has("vertraulich", "confiden", "riservat", "vertrouwelijk"):
		return has("nachricht", "e-mail", "message", "mensaje", "messaggio", "bericht", "mail") && len(p) > 120
	case has("avast", "virus-free", "без вирусов", "antivirus", "антивирус", "касперск"):
		return len(p) < 400 && has("avast", "virus-free", "без вирусов", "проверен", "checked", "scanned", "защищен")
	case has("consider the environment", "перед печатью", "прежде чем печатать", "прежде чем распечат", "берегите лес", "берегите природу", "think before you print"):
		return len(p) < 400
	}
	return has("you received this message because you are subscribed", "to unsubscribe from this group", "чтобы отказаться от подписки на эту группу")
}

// closing returns where a closing stands below which there is nothing but a signature: «С уважением, Иван». One in another
// language counts when ways to reach the writer stand below it. It returns end when there is none.
func (s *signer) closing(from, end int) int {
	n := 0
	for k := end - 1; k >= from && n < maxSignatureLines; k-- {
		if s.lines[k].kind == lineBlank {
			continue
		}
		n++
		c := closingOf(s.at(k))
		if c == closingNone {
			continue
		}
		if c == closingFirm || s.contacts(k, end) > 0 {
			if k > from && s.lines[k-1].kind == lineRule {
				k--
			}
			return k
		}
		return end
	}
	return end
}

// closingKind says how sure a closing begins a signature.
type closingKind byte

const (
	closingNone  closingKind = iota
	closingLoose             // with ways to reach the writer below it
	closingFirm              // always
)

func closingOf(line string) closingKind {
	if len(line) > 160 || len(line) < 4 {
		return closingNone
	}
	switch r, _ := utf8.DecodeRuneInString(line); r { // the first letters of the words below
	case 'С', 'с', 'З', 'з', 'И', 'и', 'Н', 'н', 'П', 'п', '-', '—', '*', '–', 'C', 'c', 'В', 'в':
	case 'B', 'b', 'K', 'k', 'R', 'r', 'S', 's', 'Y', 'y', 'W', 'w', 'T', 't', 'M', 'm', 'V', 'v', 'F', 'f', 'L', 'l', 'G', 'g', 'A', 'a', 'H', 'h', 'D', 'd', 'P', 'p', 'E', 'e', 'J', 'j', 'N', 'n':
	default:
		return closingNone
	}
	s := strings.TrimLeft(foldWords(line), "-–—* ")
	for _, w := range closingsFirm {
		if rest, ok := strings.CutPrefix(s, w); ok && closes(rest) {
			return closingFirm
		}
	}
	for _, w := range closingsLoose {
		if rest, ok := strings.CutPrefix(s, w); ok && closes(rest) && strings.Count(rest, " ") <= 4 {
			return closingLoose
		}
	}
	return closingNone
}

// closes reports whether what follows the words of a closing in its line leaves it one: a comma, a name. "С уважением
// отношусь" does not.
func closes(rest string) bool {
	if rest == "" {
		return true
	}
	if strings.Count(rest, " ") > 12 || strings.ContainsAny(rest, "?") {
		return false
	}
	switch rest[0] {
	case ',', '.', '!', ' ', ':', ';', '-':
	default:
		return false
	}
	rest = strings.TrimLeft(rest, ",.!:;- ")
	for _, w := range [...]string{"отношусь", "отношу", "относимся", "относиться", "к вам и", "за внимание", "прошу", "просим", "напоминаем", "обращаюсь", "обращаемся", "сообщаем"} {
		if strings.HasPrefix(rest, w) {
			return false
		}
	}
	return true
}

var closingsFirm = [...]string{
	"с уважением", "c уважением", "с ув", "с искренним уважением", "с глубоким уважением", "с большим уважением", "искренне ваш", "с почтением", "с наилучшими пожеланиями", "с наилучшими", "с пожеланиями", "с добрыми пожеланиями", "с надеждой на сотрудничество", "с надеждой на плодотворное",
	"заранее благодарю, с уважением", "заранее спасибо, с уважением", "спасибо, с уважением", "всегда ваш", "всегда к вашим услугам", "с благодарностью", "с признательностью", "з повагою", "з найкращими побажаннями", "с уважухой", "с/у", "c наилучшими пожеланиями", "с найкращими",
}

var closingsLoose = [...]string{
	"best regards", "kind regards", "warm regards", "regards", "with regards", "with best regards", "with kind regards", "warmest regards", "kindest regards", "many regards", "best wishes", "with best wishes", "all the best", "best", "sincerely", "sincerely yours", "yours sincerely", "yours truly", "yours faithfully", "yours", "respectfully", "cordially",
	"thanks", "thank you", "many thanks", "thanks and regards", "thanks & regards", "cheers", "br", "rgds", "mit freundlichen grüßen", "mit freundlichem gruß", "mit freundlichen gruessen", "freundliche grüße", "viele grüße", "beste grüße", "schöne grüße", "herzliche grüße", "liebe grüße", "mit besten grüßen", "mfg", "lg", "gruß", "grüße", "hochachtungsvoll",
	"cordialement", "bien cordialement", "salutations", "bien à vous", "saludos", "un saludo", "atentamente", "saludos cordiales", "cordiali saluti", "distinti saluti", "atenciosamente", "cumprimentos", "abraços", "met vriendelijke groet", "met vriendelijke groeten", "groeten", "vriendelijke groet", "med vänliga hälsningar", "vänliga hälsningar", "med vennlig hilsen", "vennlig hilsen", "mvh", "hälsningar", "venlig hilsen", "med venlig hilsen",
	"ystävällisin terveisin", "terveisin", "pozdrawiam", "z poważaniem", "s pozdravem", "s přátelským pozdravem", "saygılarımla", "iyi çalışmalar", "всего доброго", "всего хорошего", "всего наилучшего", "хорошего дня", "доброго дня", "спасибо", "заранее спасибо", "благодарю", "заранее благодарю", "поздоровляю", "всех благ", "до связи", "ваш", "ваша",
}

// postscript returns where the writer goes on below the signature: «P.S. …».
func (s *signer) postscript(from, end int) int {
	for k := from + 1; k < end; k++ {
		l := s.at(k)
		if len(l) < 3 {
			continue
		}
		switch f := foldWords(l[:min(len(l), 12)]); {
		case strings.HasPrefix(f, "p.s"), strings.HasPrefix(f, "ps:"), strings.HasPrefix(f, "ps "), strings.HasPrefix(f, "з.ы"), strings.HasPrefix(f, "зы "), strings.HasPrefix(f, "p. s"), strings.HasPrefix(f, "п.с."), strings.HasPrefix(f, "постскриптум"):
			return k
		}
	}
	return end
}

// block returns where a block with the writer's name and ways to reach the writer begins, at the end of the lines; end when
// there is none. Two ways at least, or one under a line that names a company, and no sentences.
func (s *signer) block(from, end int) int {
	top, ways, n := end, 0, 0
	for k := end - 1; k > from && n <= maxBlockLines; k-- {
		if s.lines[k].kind == lineBlank {
			if top < end && s.nameAt(top) && ways >= 1 && (ways >= 2 || n >= 3) && s.lines[k-1].kind != lineBlank && !strings.HasSuffix(s.at(k-1), ":") {
				return top
			}
			continue
		}
		l := s.at(k)
		if s.lines[k].kind != lineWords || utf8.RuneCountInString(l) > 90 {
			return end
		}
		if contactLine(l) {
			ways++
		} else if proseLine(l) {
			return end
		}
		top = k
		n++
	}
	return end
}

// nameAt reports whether a line could be the name above a signature: a few words with capitals, no sentence.
func (s *signer) nameAt(k int) bool {
	l := strings.TrimLeft(s.at(k), "-—–*# ")
	words, capitals := 0, 0
	for w := range strings.FieldsSeq(l) {
		words++
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsUpper(r) || strings.HasPrefix(w, "#") {
			capitals++
		}
	}
	return words > 0 && words <= 7 && capitals*2 >= words && !strings.HasSuffix(l, ":") && !contactLine(l) || closingOf(l) != closingNone
}

// proseLine reports whether a line is more likely part of one than part of a name, a position or an address.
func proseLine(l string) bool {
	switch l[len(l)-1] {
	case '?', '!', ':', ';':
		return true
	case '.':
		return strings.Count(l, " ") > 5
	}
	return strings.Count(l, " ") > 9
}

// contacts returns how many of the lines say how to reach the writer, or for whom the writer works.
func (s *signer) contacts(from, to int) int {
	n := 0
	for k := from; k < to && k < from+2*maxSignatureLines; k++ {
		if s.lines[k].kind == lineWords && utf8.RuneCountInString(s.at(k)) <= 200 && contactLine(s.at(k)) {
			n++
		}
	}
	return n
}

// contactLine reports whether a line has a phone number, an address, a site, or the form of a company.
func contactLine(l string) bool {
	digits := 0
	for i := range len(l) {
		switch c := l[i]; {
		case digit(c):
			digits++
		case c == '@' && i > 0 && i+3 < len(l) && l[i-1] > ' ':
			return true
		}
	}
	if strings.Contains(l, "www.") || strings.Contains(l, "http") {
		return true
	}
	if digits >= 7 && digits <= 40 {
		return digits*4 >= len(l) || hasLabel(foldWords(l))
	}
	return hasLabel(foldWords(l))
}

// hasLabel reports whether a folded line begins with what stands before a phone, or names the form of a company.
func hasLabel(s string) bool {
	for _, w := range [...]string{"тел", "моб", "сот.", "факс", "phone", "tel", "mob", "fax", "cell", "e-mail", "email", "skype", "telegram", "whatsapp", "viber", "сайт", "web", "инн", "огрн", "ооо ", "оао ", "зао ", "ао ", "пао ", "ип "} {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	for _, w := range [...]string{"ооо «", "ооо \"", "ао «", "ао \"", " gmbh", " ltd", " llc", " inc.", " b.v.", " s.a."} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
