package inbound

import (
	"regexp"
	"strings"

	"kontrol/models"
)

// failureSubjects are what the subjects of reports about undelivered letters contain, folded.
var failureSubjects = []string{
	"undeliver", "undelivered", "not deliver", "non-deliver", "nondeliver", "delivery status", "delivery failure",
	"delivery has failed",
	"delivery failed", "delivery error", "delivery problem", "delivery report", "delivery delay", "delivery incomplete",
	"delivery notification",
	"delivery warning", "delivery unsuccessful", "error during delivery", "failure notice", "failure delivery", "failed delivery",
	"mail failure", "mail failed", "failed mail", "failed message", "message failed", "returned mail", "returned to sender",
	"returning message", "returned message", "mail returned", "message returned", "mail system error", "mail delivery",
	"message delivery",
	"delayed mail", "message delayed", "mail delayed", "could not send", "could not be sent", "could not be delivered",
	"unable to deliver", "errors from",
	"unzustellbar", "nicht zustellbar", "zustellung fehlgeschlagen", "non remis", "échec de la remise", "non recapitato",
	"mancato recapito", "no se puede entregar", "no entregado", "не доставлен", "недоставлен", "не удалось доставить",
	"невозможно доставить", "ошибка доставки", "ошибка при доставке", "сбой доставки", "сбой при доставке",
	"возврат письма", "возвращено отправителю",
	"недоставка", "задержка доставки", "доставка задержана", "доставка отложена", "отчет о доставке",
	"уведомление о доставке", "статус доставки",
}

// failureTexts are what the texts of such reports contain, folded.
var failureTexts = []string{
	"could not be delivered", "cannot be delivered", "can't be delivered", "was not delivered", "not been delivered",
	"unable to deliver",
	"wasn't able to deliver", "failed to deliver", "delivery failed", "delivery has failed", "delivery to the following",
	"undeliverable", "undelivered",
	"delivery failure", "permanent failure", "permanent fatal error", "permanent error", "returned to sender",
	"returned message", "returned mail",
	"user unknown", "unknown user", "no such user", "unknown recipient", "recipient unknown", "invalid recipient",
	"recipient address rejected",
	"mailbox unavailable", "mailbox full", "mailbox is full", "over quota", "quota exceeded", "host unknown",
	"unknown host", "relay access denied",
	"message delayed", "will keep trying", "will continue to try", "has not yet been delivered", "does not exist",
	"unrouteable address",
	"transcript of session", "reporting-mta", "final-recipient", "diagnostic-code", "arrival-date", "remote host said", "smtp error",
	"не удалось доставить", "не может быть доставлено", "не было доставлено", "не доставлено", "создано автоматически сервером",
	"невозможно доставить", "ящик переполнен", "пользователь не найден", "адресат не найден", "несуществующ",
	"почтовый ящик не существует",
}

// daemonLocals are the local parts from which mail servers write; daemonNames the names that they give themselves, folded.
var (
	daemonLocals = []string{"mailer-daemon", "mailerdaemon", "mailer_daemon", "mail-daemon", "maildaemon", "mdaemon", "postmaster", "mail-delivery", "bounce@"}
	daemonNames  = []string{"mailer-daemon", "mailer daemon", "mail delivery s", "mail deliver s", "delivery subsystem", "delivery system", "postmaster", "mail administrator",
		"почтовая система", "система доставки", "служба доставки почты", "microsoft outlook"}
)

// smtpReply matches the enhanced status codes and reply codes by which servers refuse. See RFC 3463 and RFC 5321.
var smtpReply = regexp.MustCompile(`(?:^|[^0-9.])(?:[45]\.[0-9]{1,2}\.[0-9]{1,3}(?:[^0-9.]|$)|(?:4[2-5][0-9]|5[0-7][0-9])[ -][^0-9])`)

// reportTextSample is how much of the text is looked at for phrases.
const reportTextSample = 8 << 10

// delayWords are what reports say while the server keeps trying, final what they say when it has given up, folded.
var (
	delayWords = []string{"warning: could not send", "warning: message", "has not yet been delivered", "not yet been delivered", "not been delivered yet", "still being retried", "will keep trying", "will continue to try",
		"delivery attempts will continue", "will be retried", "continue to be made", "has been delayed", "is delayed", "message delayed", "mail delayed", "delayed mail", "delivery delayed", "(delay)", "delivery is delayed", "notification: delayed",
		"status notification: warning", "temporary failure report", "warning message only", "this is a warning", "this is only a warning", "no action is required", "do not need to resend", "do not need to re-send", "no need to resend", "will be tried again", "delivery delay", "not delivered for the past", "keep trying",
		"пока не доставлен", "еще не доставлен", "до сих пор не доставлен", "доставка задержана", "доставка отложена", "доставка откладывается", "задержка доставки", "продолжит попытки", "попытки будут продолжены", "попытки доставки будут", "будет предпринимать попытки", "повторять попытки", "отправлять письмо повторно не нужно",
		"verzögert", "retardé", "retraso"}
	finalWords = []string{"permanent", "i've given up", "has given up", "giving up", "not going to try again", "will not be retried", "no further", "returned to sender", "returning message to sender", "failed after", "gave up", "delivery has failed",
		"попытки прекращены", "больше не будет", "окончательн"}
)

// bounce recognises reports that a letter was not delivered, or not yet, or that it was. A report with the structure of
// RFC 3464 needs no more; otherwise at least two things must speak for it, and never a subject alone: people send such
// reports on, ask about them, and write about goods that were not delivered.
func (r *reader) bounce() verdict {
	if p := r.bounceStructure(); !p.IsZero() {
		return r.fate(p)
	}
	subject := r.subject()
	_, failed := containsAny(subject, failureSubjects)
	answers := failed && startsAnswer(subject)
	failed = failed && !answers
	if _, auto := startsWithAny(subject, autoSubjects); auto {
		return verdict{}
	}
	daemon, null := r.daemon(), r.nullSender()
	if !daemon && !null && !failed && !answers {
		return verdict{} // as nearly every letter: its text need not be searched
	}
	hits := r.failureHits()
	switch {
	case (daemon && (!r.human() || r.lists()) || null) && failed:
		return r.fate(models.Say("inbound.class.bounce_subject", "Address", r.from.address))
	case daemon && !r.human() && hits >= 1 && !startsAnswer(subject), null && hits >= 2 && !startsAnswer(subject) && !r.autoHeader():
		return r.fate(models.Say("inbound.class.bounce_text", "Address", r.from.address))
	case answers && r.gatewayAnswers(hits):
		return r.fate(models.Say("inbound.class.bounce_text", "Address", r.from.address))
	case failed && hits >= 1 && !r.human() && !r.h.has("in-reply-to") && (r.autoHeader() || r.machine() && r.lists()):
		return r.fate(models.Say("inbound.class.bounce_text", "Address", r.from.address))
	}
	return verdict{}
}

// gatewayAnswers recognises reports of gateways that put the subject of the lost letter, as an answer, before their own
// words: the letter continues no conversation, no program for people made it, and its few lines announce an address that
// did not take the letter, which then stands alone.
func (r *reader) gatewayAnswers(hits int) bool {
	if hits == 0 || r.from.name != "" || r.human() || r.h.has("in-reply-to") || r.h.has("references") || len(r.root.children) > 0 || len(r.text) > 1000 || greets(r.text) {
		return false
	}
	subject := r.subject()
	at := -1
	for _, p := range failureSubjects {
		at = max(at, strings.LastIndex(subject, p))
	}
	if at < len(subject)/2 || quotesSomebody(r.text) {
		return false
	}
	asked := false
	for line := range strings.Lines(r.text) {
		list := addressesIn(line)
		if asked && len(list) == 1 && strings.Trim(line, " \t\r\n<>") == list[0].address && Normal(list[0].address) != r.from.address {
			return true
		}
		asked = asksFor(line, false)
	}
	return false
}

// quotesSomebody reports whether a line is quoted, or a signature begins.
func quotesSomebody(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ">") || strings.TrimRight(line, " \r\n") == "--" {
			return true
		}
	}
	return false
}

// fate says which of the three kinds of report about delivery it is. One that tells of several recipients is as bad as the
// worst of them.
func (r *reader) fate(why models.Phrase) verdict {
	actions := map[string]int{}
	for _, b := range r.statusBlocks() {
		if action := reportedAction(b); action != "" {
			actions[action]++
		}
	}
	good := actions[actionDelivered] + actions["relayed"] + actions["expanded"]
	switch {
	case actions[actionFailed] > 0:
	case actions[actionDelayed] > 0, len(actions) == good && good == 0 && r.saysDelayed():
		return verdict{models.ClassDelayed, models.Say("inbound.class.delayed")}
	case good > 0:
		return verdict{models.ClassDelivered, models.Say("inbound.class.delivered")}
	}
	return verdict{models.ClassBounce, why}
}

// saysDelayed reports whether the words tell that the server keeps trying.
func (r *reader) saysDelayed() bool {
	said, _ := cutReturned(cutUTF8(r.text, reportTextSample))
	s := r.subject() + "\n" + foldText(said)
	if _, ok := containsAny(s, delayWords); !ok {
		return false
	}
	_, final := containsAny(s, finalWords)
	return !final
}

// human reports whether a program for people made the letter, or it continues a conversation: a person at the postmaster's
// desk.
func (r *reader) human() bool {
	if r.nullSender() || r.autoHeader() || noReplyAddress(r.from.address) {
		return false
	}
	if r.h.has("user-agent") || r.h.has("x-mailer") && !r.mailerIsServer() {
		return true
	}
	return r.h.has("in-reply-to") && r.h.has("references") && startsAnswer(r.subject())
}

// mailerIsServer reports whether the field in which programs name themselves names a mail server or a gateway.
func (r *reader) mailerIsServer() bool {
	v, _ := r.h.first("x-mailer")
	_, ok := containsAny(strings.ToLower(string(v)), []string{"server", "internet mail service", "daemon", "mta", "gateway", "smtp", "deliver", "postmaster", "mdaemon", "imail", "mailsite", "groupwise", "listserv", "exchange"})
	return ok
}

// machine reports whether the sender has no name and an address that speaks of mail and programs: "smtp_gateway@". A person
// who pastes a report into a letter has a name, or at least a name in the address.
func (r *reader) machine() bool {
	if r.from.name != "" && r.from.name != r.from.address {
		return false
	}
	local, _, _ := strings.Cut(r.from.address, "@")
	_, ok := containsAny(local, []string{"smtp", "mail", "gateway", "antivirus", "virus", "daemon", "mta", "server", "system", "delivery", "robot", "notif", "bounce", "exchange"})
	return ok
}

// lists reports whether the letter has the build of a report: lines that consist of an address or of an SMTP refusal, and a
// letter returned with it.
func (r *reader) lists() bool {
	said, pasted := cutReturned(cutUTF8(r.text, reportTextSample))
	if pasted == "" && r.root.find("message/rfc822") == nil && r.root.find("text/rfc822-headers") == nil && strings.Count(said, "\n") > 20 {
		return false
	}
	if greets(said) {
		return false
	}
	for _, p := range passages(said, nil) {
		if p.weight >= listed {
			return true
		}
	}
	return false
}

// greets recognises the first line of a letter by which people address each other.
func greets(text string) bool {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	s := foldText(line)
	for _, w := range []string{"здравствуйте", "добрый день", "доброе утро", "добрый вечер", "уважаем", "привет", "приветствую", "коллеги", "hello", "hi ", "hi,", "dear ", "good morning", "good afternoon"} {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

// bounceStructure looks for what only mail servers write: a delivery report, or the field in which Exim and Google list
// the recipients. A delivery report within an ordinary letter counts only when a server sent the letter.
func (r *reader) bounceStructure() models.Phrase {
	m := r.root.media
	if m.kind == "multipart/report" && strings.EqualFold(m.params["report-type"], "delivery-status") {
		return models.Say("inbound.class.bounce_report")
	}
	if r.root.find("message/delivery-status") != nil || r.root.find("message/global-delivery-status") != nil {
		_, failed := containsAny(r.subject(), failureSubjects)
		if m.kind == "multipart/report" || m.kind == "message/delivery-status" || r.daemon() || r.nullSender() || failed && !startsAnswer(r.subject()) {
			return models.Say("inbound.class.bounce_report")
		}
	}
	if r.h.has("x-failed-recipients") {
		return models.Say("inbound.class.bounce_header", "Header", "X-Failed-Recipients")
	}
	return models.Phrase{}
}

// daemon reports whether a mail server signs as the sender.
func (r *reader) daemon() bool {
	address := r.from.address
	if _, ok := startsWithAny(address, daemonLocals); ok {
		return true
	}
	_, ok := startsWithAny(foldSubject(r.from.name), daemonNames)
	return ok
}

// failureHits counts the different phrases of failure in the text; a reply code of SMTP counts as one.
func (r *reader) failureHits() int {
	s := foldText(cutUTF8(r.text, reportTextSample))
	n := 0
	for _, p := range failureTexts {
		if strings.Contains(s, p) {
			n++
		}
	}
	if smtpReply.MatchString(s) {
		n++
	}
	return n
}

// foldText makes text comparable with the lists of phrases.
func foldText(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(s), "ё", "е"), "’", "'")), " ")
}
