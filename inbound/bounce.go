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

// bounce recognises reports that a letter was not delivered, or not yet. A report with the structure of RFC 3464 needs no
// more; otherwise at least two things must speak for it, and never a subject alone: people send such reports on, ask
// about them, and write about goods that were not delivered.
func (r *reader) bounce() verdict {
	if p := r.bounceStructure(); !p.IsZero() {
		if deliveredOnly(r.root) {
			return verdict{models.ClassReceipt, models.Say("inbound.class.delivered")}
		}
		return verdict{models.ClassBounce, p}
	}
	subject := r.subject()
	_, failed := containsAny(subject, failureSubjects)
	failed = failed && !startsAnswer(subject)
	if _, auto := startsWithAny(subject, autoSubjects); auto {
		return verdict{}
	}
	daemon, null := r.daemon(), r.nullSender()
	if !daemon && !null && !failed {
		return verdict{} // as nearly every letter: its text need not be searched
	}
	hits := r.failureHits()
	switch {
	case (daemon || null) && failed:
		return verdict{models.ClassBounce, models.Say("inbound.class.bounce_subject", "Address", r.letter.FromAddress)}
	case daemon && hits >= 1 && !startsAnswer(subject), null && hits >= 2 && !startsAnswer(subject) && !r.autoHeader():
		return verdict{models.ClassBounce, models.Say("inbound.class.bounce_text", "Address", r.letter.FromAddress)}
	case failed && hits >= 3 && !r.h.has("in-reply-to"):
		return verdict{models.ClassBounce, models.Say("inbound.class.bounce_text", "Address", r.letter.FromAddress)}
	}
	return verdict{}
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
