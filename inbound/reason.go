package inbound

import (
	"regexp"
	"strings"

	"kontrol/models"
)

// Groups of reasons that the code itself needs to name; the others stand in the tables.
const (
	reasonFeedback  = "feedback"
	reasonUndefined = "undefined"
	reasonExpired   = "expired"
)

// enhancedStatus matches an enhanced status code, see RFC 3463. An IP address or a version number is none.
var enhancedStatus = regexp.MustCompile(`(?:^|[^0-9.])([245])\.([0-9]{1,2})\.([0-9]{1,3})(?:$|[^0-9.]|\.(?:$|[^0-9]))`)

// smtpRefusal matches a reply code of a refusal with what must follow it. See RFC 5321 section 4.2.
var smtpRefusal = regexp.MustCompile(`(?:^|[^0-9.:/=-])(4[2-5][0-9]|5[0-7][0-9])(?:[ -]+(?:[245]\.[0-9]{1,2}\.[0-9]|[#<"'(A-Za-z\x{80}-\x{10ffff}]|\[)|: )`)

// findStatus returns the first enhanced status code in s, "" when there is none.
func findStatus(s string) string {
	m := enhancedStatus.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	return m[1] + "." + m[2] + "." + m[3]
}

// findRefusal returns the first enhanced status code of a failure in s, "" when there is none.
func findRefusal(s string) string {
	for _, m := range enhancedStatus.FindAllStringSubmatch(s, 20) {
		if m[1] != "2" {
			return m[1] + "." + m[2] + "." + m[3]
		}
	}
	return ""
}

// findReply returns the first reply code in s that refuses, "" when there is none.
func findReply(s string) string {
	m := smtpRefusal.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	return m[1]
}

// refusal reports whether a line begins with a reply code that refuses, as lines of a dialogue do.
func refusal(line string) bool {
	line = strings.TrimLeft(line, "<> \t-")
	line = strings.TrimSpace(strings.TrimPrefix(line, "(reason:"))
	if len(line) < 5 || line[0] != '4' && line[0] != '5' || line[3] != ' ' && line[3] != '-' {
		return false
	}
	return digits(line[:3])
}

// vague reports whether an enhanced status code says no more than whether it is for good.
func vague(status string) bool {
	switch _, detail, _ := strings.Cut(status, "."); detail {
	case "", "0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "7.1", "3.2", "4.1", "4.2":
		return true
	}
	return false
}

// tells reports whether words name a cause.
func tells(words string) bool {
	return findRefusal(words) != "" || findReply(words) != "" || reasonByWords(foldText(words)) != ""
}

// failurePhrase reports whether a line speaks of a failure.
func failurePhrase(line string) bool {
	s := foldText(line)
	if _, ok := containsAny(s, failureTexts); ok {
		return true
	}
	if _, ok := containsAny(s, troubles); ok {
		return true
	}
	return findReply(line) != "" || reasonByWords(s) != ""
}

// troubles are further words of failure that prove nothing alone, folded.
var troubles = []string{"deliver", "reject", "unknown", "failed", "not known", "unavailable", "not found", "не доставлен", "отклонен", "не найден", "originally addressed", "generated from"}

// judge completes what is known of a recipient by the words about him: codes, whether it is for good, and the reason.
func (rec *BounceRecipient) judge(class models.Class, words string) {
	words = cutUTF8(words, reportTextSample)
	said := findRefusal(words)
	switch {
	case said == "":
	case rec.Status == "", vague(rec.Status) && said[0] == rec.Status[0] && !vague(said), rec.Action == actionFailed && rec.Status[0] == '4' && said[0] == '5':
		rec.Status = said
	}
	if rec.Reply == "" {
		rec.Reply = findReply(words)
	}
	if rec.Action == "" {
		rec.Action = map[models.Class]string{models.ClassDelayed: actionDelayed, models.ClassDelivered: actionDelivered}[class]
		if rec.Action == "" {
			rec.Action = actionFailed
		}
	}
	defer func() { rec.Permanent = rec.permanent() }()
	if rec.Action != actionFailed && rec.Action != actionDelayed {
		return
	}
	if r := reasonByStatus(rec.Status); r != "" && !vague(rec.Status) {
		rec.Reason = r
		if by := reasonByWords(foldText(words)); by != "" && overrides(by, r) {
			rec.Reason = by
		}
		return
	}
	folded := foldText(words)
	if rec.Reason = reasonByWords(folded); rec.Reason != "" {
		rec.Reason = rec.inContext(rec.Reason, folded)
		return
	}
	if rec.Reason = reasonByStatus(rec.Status); rec.Reason == "" {
		rec.Reason = reasonByReply(rec.Reply)
	}
	if rec.Reason == "" || rec.Action == actionDelayed && rec.Reason == reasonUndefined {
		rec.Reason = map[string]string{actionDelayed: reasonExpired, actionFailed: reasonUndefined}[rec.Action]
	}
}

// permanent reports whether trying again will not help. The first digit of the status says so, else that of the reply,
// else whether the server has given up. See RFC 3463 section 2.
func (rec *BounceRecipient) permanent() bool {
	switch {
	case rec.Action != actionFailed:
		return false
	case rec.Status != "" && rec.Status != "5.0.0" && rec.Status != "4.0.0":
		return rec.Status[0] == '5'
	case rec.Reply != "":
		return rec.Reply[0] == '5'
	case rec.Status != "":
		return rec.Status[0] == '5'
	}
	return rec.Reason != reasonExpired
}

// inContext corrects a reason that words name by what is said around them. A server that calls a user unknown after the
// letter's content, having taken the address before, speaks of a filter of that user; but sendmail shows a refused address
// behind DATA as well when it sends ahead (RFC 2920), and then complains that there is none. A name that is unknown at the
// moment may be known tomorrow.
func (rec *BounceRecipient) inContext(reason, words string) string {
	switch reason {
	case "userunknown":
		_, after := containsAny(words, afterContent)
		_, ahead := containsAny(words, []string{"need rcpt", "no valid recipients", "503 "})
		if after && !ahead {
			return "filtered"
		}
	case "hostunknown":
		if rec.Status != "" && rec.Status[0] == '4' {
			return "networkerror"
		}
	}
	return reason
}

// afterContent is how servers tell that a refusal answered the letter's content, folded.
var afterContent = []string{"in reply to end of data command", "in reply to data command", "after end of data", ">>> data", ">>> .", "smtp command data", "failed after i sent the message"}

// overrides reports whether what the words say is believed more than the status: servers give a status for the wrong user
// where they mean a full or a closed mailbox, and one for policy whatever the policy is.
func overrides(words, status string) bool {
	if words == status {
		return false
	}
	switch words {
	case "mailboxfull", "hasmoved", "spamdetected", "virusdetected":
		return true
	case "suspend":
		return status != "hasmoved"
	case "userunknown":
		return status == "filtered" || status == "suspend" || status == "rejected" || status == "hostunknown" || status == "mailererror" || status == "notaccept"
	case "notaccept":
		return status == "hostunknown"
	case "expired":
		return status == "networkerror"
	case "policyviolation":
		return status == "securityerror"
	case "hostunknown":
		return status == "userunknown" || status == "networkerror"
	case "blocked", "badreputation", "requireptr", "authfailure", "norelaying", "notcompliantrfc":
		return status == "rejected" || status == "policyviolation" || status == "securityerror" || status == "userunknown"
	}
	return false
}

// reasonByStatus maps enhanced status codes to groups of reasons. See RFC 3463 and the registry that RFC 5248 founded.
func reasonByStatus(status string) string {
	if len(status) < 5 {
		return ""
	}
	r := map[string]string{
		"1.0": "userunknown", "1.1": "userunknown", "1.2": "hostunknown", "1.3": "userunknown", "1.4": "filtered", "1.6": "hasmoved", "1.7": "rejected", "1.8": "rejected", "1.9": "systemerror", "1.10": "notaccept",
		"2.0": "filtered", "2.1": "suspend", "2.2": "mailboxfull", "2.3": "exceedlimit", "2.4": "filtered",
		"3.0": "systemerror", "3.1": "systemfull", "3.2": "notaccept", "3.3": "systemerror", "3.4": "mesgtoobig", "3.5": "systemerror",
		"4.0": "networkerror", "4.1": "networkerror", "4.2": "networkerror", "4.3": "systemerror", "4.4": "hostunknown", "4.5": "toomanyconn", "4.6": "networkerror", "4.7": "expired", "4.14": "networkerror", "4.300": "expired", "4.310": "hostunknown", "4.312": "networkerror", "4.316": "networkerror",
		"5.0": "mailererror", "5.1": "syntaxerror", "5.2": "syntaxerror", "5.3": "exceedlimit", "5.4": "syntaxerror", "5.5": "syntaxerror",
		"6.0": "contenterror", "6.1": "contenterror", "6.2": "contenterror", "6.3": "contenterror", "6.7": "contenterror", "6.9": "contenterror",
		"7.0": "securityerror", "7.1": "rejected", "7.2": "rejected", "7.3": "securityerror", "7.4": "securityerror", "7.5": "securityerror", "7.6": "securityerror", "7.7": "authfailure", "7.8": "securityerror", "7.9": "securityerror",
		"7.10": "securityerror", "7.11": "securityerror", "7.13": "suspend", "7.15": "rejected", "7.17": "hasmoved", "7.20": "authfailure", "7.21": "authfailure", "7.22": "authfailure", "7.23": "authfailure", "7.24": "authfailure",
		"7.25": "requireptr", "7.26": "authfailure", "7.27": "notaccept", "7.28": "speeding", "7.509": "authfailure",
	}[status[2:]]
	if status[0] == '4' && r == "hostunknown" {
		return "networkerror"
	}
	return r
}

// reasonByReply is the last resort. See RFC 5321 section 4.2.3.
func reasonByReply(reply string) string {
	return map[string]string{"421": "networkerror", "422": "mailboxfull", "452": "systemfull", "501": "syntaxerror", "502": "syntaxerror", "503": "syntaxerror", "521": "notaccept",
		"530": "securityerror", "535": "securityerror", "552": "mailboxfull", "556": "notaccept"}[reply]
}

// reasonPhrases are what servers write, folded, by group of reasons. The first group with a phrase that is there is the
// reason: what is said of the mailbox comes before what is said of the letter, and that before what is said of the way.
var reasonPhrases = []struct {
	reason  string
	phrases []string
}{
	{"mailboxfull", []string{"mailbox full", "mailbox is full", "mailbox was full", "mail box full", "box is full", "inbox is full", "inbox full", "over quota", "overquota", "over the quota", "out of storage", "quota exceeded", "exceeded quota", "exceeded its quota",
		"exceeds its quota", "exceeded the quota", "quota full", "quota is full", "exceeded storage allocation", "exceeded its storage", "storage quota", "mail quota", "disk quota", "quota violation", "exceeding quota", "exceeds quota", "would exceed mailbox", "mailbox size limit",
		"mailbox has exceeded", "mailbox exceeds", "insufficient mailbox", "not enough storage space", "not enough space in", "has exceeded the limit", "mailbox quota", "user is over", "account is full", "recipient overquota", "no space left for this user", "maildir over", "mailbox exceeded",
		"ящик переполнен", "ящик получателя переполнен", "переполнен", "превышена квота", "превышен размер ящика", "превышен лимит ящика", "нет места в ящике", "postfach ist voll", "boîte aux lettres pleine", "boite aux lettres pleine"}},
	{"hasmoved", []string{"has moved to", "has been replaced by", "new e-mail address is", "new email address is", "address has changed", "has changed address", "changed email address", "no longer at this address", "please use the new address", "recipient has moved", "user has moved", "адрес изменился", "новый адрес получателя"}},
	{"suspend", []string{"account disabled", "account is disabled", "account has been disabled", "has been disabled", "is disabled", "mailbox disabled", "mailbox is disabled", "account is inactive", "mailbox is inactive", "is inactive", "inactive account", "account inactive", "has been suspended", "is suspended",
		"account suspended", "currently suspended", "temporarily suspended", "account is locked", "mailbox is locked", "account locked", "no longer active", "is not active", "account expired", "account has expired", "mailbox is frozen", "mailbox unavailable or access denied", "deactivated", "account is terminated", "invalid/inactive", "user suspended",
		"account closed", "has been closed", "disabled or discontinued", "no longer on server", "boxes closed", "учетная запись отключена", "учетная запись заблокирована", "ящик заблокирован", "ящик отключен", "аккаунт заблокирован", "пользователь заблокирован", "ящик удален", "заблокирован за неиспользование", "account is blocked", "account has been blocked", "mailbox is blocked"}},
	{"userunknown", []string{"user unknown", "unknown user", "no such user", "user not found", "user is not found", "user not known", "user doesn't exist", "user does not exist", "user dosn't exist", "recipient unknown", "unknown recipient", "no such recipient", "recipient not found", "recipient does not exist", "recipient doesn't exist",
		"recipient name is not recognized", "recipientnotfound", "recipient address rejected: access denied", "delivery userid", "не найден в справочнике", "не найден в адресн", "не указан в справочнике", "отсутствует в справочнике", "адресат неизвестен", "получатель не существует", "адресата не существует", "no account by that name", "does not exist here", "no such local user", "user account not found", "invalid recipient", "invalid mailbox", "invalid address", "invalid user", "not a valid recipient", "not a valid mailbox", "not a valid user", "not a known user", "is not a valid", "no such mailbox", "no such address", "no such account", "no such person",
		"no mailbox here", "no mailbox by that", "mailbox not found", "mailbox unavailable", "mailbox does not exist", "mailbox doesn't exist", "mailbox unknown", "unknown mailbox", "unknown address", "address unknown", "address does not exist", "address doesn't exist", "address not found", "email account that you tried to reach does not exist",
		"account does not exist", "account doesn't exist", "account not found", "unknown account", "unknown local part", "unknown local-part", "bad destination mailbox", "bad address", "not listed in", "not our customer", "destination address was unknown", "recipient rejected", "this user doesn't have", "there is no such", "unknown email", "unknown e-mail",
		"undeliverable address", "addressee unknown", "adressee unknown", "user invalid", "name is not recognized", "wasn't found", "couldn't be found at", "no one by that name", "not in directory", "local user", "recipient address rejected: undeliverable", "unable to validate recipient", "illegal alias", "unrouteable mail address", "not exist in", "email address could not be found", "address couldn't be found",
		"pользователь не найден", "пользователь не найден", "пользователя не существует", "пользователь не существует", "нет такого пользователя", "адресат не найден", "получатель не найден", "адрес не существует", "адрес не найден", "ящик не существует", "ящик не найден", "несуществующ", "неизвестный получатель", "неизвестный пользователь", "неверный адрес", "empfänger unbekannt", "benutzer unbekannt", "destinataire inconnu", "utilisateur inconnu"}},
	{"hostunknown", []string{"host unknown", "unknown host", "domain does not exist", "domain doesn't exist", "domain is not valid", "domain not found", "domain name not found", "no such domain", "no such host", "host not found", "hostname not found", "host name is unknown", "domain must exist", "unrouteable address", "unrouteable domain", "unroutable", "nxdomain",
		"name service error", "not a valid domain", "invalid domain", "domain is unknown", "unknown domain", "couldn't find any host", "cannot find any host", "domain couldn't be found", "no such hostname", "illegal host/domain", "no mail exchanger", "could not be resolved", "not a registered domain", "recipient domain not found", "invalid recipient domain", "домен не найден", "домен не существует", "домена не существует", "неизвестный домен"}},
	{"notaccept", []string{"does not accept mail", "doesn't accept mail", "not accepting mail", "does not accept any mail", "null mx", "nullmx", "no smtp service", "no mx found for domain", "couldn't find a mail exchanger", "accepts no mail", "host accepts no", "no longer accepts mail", "не принимает почту"}},
	{"notcompliantrfc", []string{"not rfc 5322 compliant", "not rfc5322 compliant", "not rfc 2822 compliant", "not rfc compliant", "multiple addresses in from"}},
	{"virusdetected", []string{"virus", "malware", "infected", "trojan", "вирус"}},
	{"mesgtoobig", []string{"message too large", "message too big", "message is too large", "message is too big", "mail is too large", "message size exceeds", "exceeds size limit", "size limit", "exceeded maximum", "maximum message size", "exceeds the maximum", "exceeds maximum", "max message size", "message file too big", "too big", "размер письма", "слишком большое", "размер сообщения превышает"}},
	{"exceedlimit", []string{"message length exceeds", "too many recipients", "exceeds administrative limit", "exceeds limit", "слишком много получателей"}},
	{"authfailure", []string{"dmarc", "spf check", "spf fail", "spf record", "not authorized by spf", "sender policy framework", "openspf", "spf validation", "dkim", "unauthenticated", "authentication checks", "does not have authentication information", "sender id"}},
	{"requireptr", []string{"reverse dns", "rdns", "ptr record", "ptr dns", "no ptr", "missing ptr", "reverse lookup", "reverse hostname", "cannot find your hostname", "cannot find your reverse", "domain name verification", "your dns", "обратной зоны", "обратная запись"}},
	{"norelaying", []string{"relay", "not an open", "not our local domain", "that domain isn't in my list", "insecure mail relay", "пересылка запрещена"}},
	{"badreputation", []string{"reputation", "unexpected volume or user complaints", "репутаци"}},
	{"spamdetected", []string{"spam message", "spam content", "spam detected", "as spam", "is spam", "be spam", "like spam", "spam-like", "spam score", "spam rejected", "considered spam", "considered unsolicited", "unsolicited", "bulk e-mail", "bulk mail", "junk mail", "spamassassin", "classified as", "spam classification", "uribl", "surbl", "blacklisted url", "content rejected", "content reject", "due to content", "message content", "identified spam",
		"content filter", "rejected due to the sending", "appears to be spam", "suspected spam", "spam filter", "похоже на спам", "спам", "высокая вероятность спама"}},
	{"blocked", []string{"blocked using", "blocked by", "is blocked", "been blocked", "blacklist", "blocklist", "block list", "black list", "blackhole", "dnsbl", " rbl", "greylist", "graylist", "grey-list", "spamhaus", "spamcop", "barracuda", "sorbs", "client host rejected", "client host blocked", "your ip", "ip address", "access from", "connection refused by", "ip blocked", "your network is", "smtp server of your isp",
		"banned", "dynamic", "not allowed to connect", "refused to talk", "black-list", "hosts are not allowed", "in our block", "invalid ip", "заблокирован", "черном списке", "черный список", "блокиров"}},
	{"speeding", []string{"rate limit", "rate-limit", "ratelimit", "throttl", "too many messages", "too fast", "sending too", "excessive", "message rate", "превышен лимит"}},
	{"toomanyconn", []string{"too many connections", "too many sessions", "too many concurrent", "max connections", "too many smtp", "connection limit", "слишком много соединений"}},
	{"rejected", []string{"sender rejected", "sender address rejected", "sender verify", "sender verification", "sender denied", "domain of sender", "sender domain", "sender is not", "mail from", "not allowed to send", "invalid sender", "bad sender", "your envelope sender", "restricted sender", "recipients only accept", "return path", "sender not", "are not allowed to", "not permitted to send", "you do not have permission", "permission to", "отправитель отклонен"}},
	{"securityerror", []string{"authentication required", "authentication failure", "authentication credentials", "auth required", "starttls", " tls", "certificate", "must issue", "ssl", "smtp authentication", "требуется аутентификация"}},
	{"notcompliantrfc", []string{"rfc 5322", "rfc5322", "rfc 5321", "rfc 2822", "rfc 822", "rfc822", "rfc-", "not rfc", "rfc compliant", "bare lf", "bare <lf>", "missing header", "duplicate header", "multiple from", "header error", "message header", "invalid header", "headers are", "syntactically invalid"}},
	{"policyviolation", []string{"policy", "prohibited", "administrative", "attachment", "violat", "forbidden", "запрещен", "политик"}},
	{"expired", []string{"expired", "giving up", "too old", "retry timeout", "retry time", "max queue time", "maximum queue", "been in the queue", "in queue too long", "could not be delivered for", "delivery time", "message timed out", "queue too long", "for more than", "still being retried", "will be retried", "has been delayed", "hop count exceeded - expired", "failing for a long time", "did not accept our requests to connect", "after multiple retries", "multiple attempts", "aborted after", "host not reachable", "message will be deleted from queue", "delivery attempts failed", "не удалось доставить за", "не удалось доставить в течение", "срок доставки истек"}},
	{"systemfull", []string{"insufficient system", "insufficient disk", "disk full", "no space left", "not enough disk", "system full", "out of disk", "storage is full"}},
	{"networkerror", []string{"could not connect", "couldn't connect", "unable to connect", "can't connect", "cannot connect", "connection refused", "connection timed out", "connection timeout", "connect to", "connection reset", "connection lost", "lost connection", "connection dropped", "network is unreachable", "network unreachable", "network error", "no route to host", "unreachable",
		"too many hops", "mail loop", "loop detected", "looping", "loops back", "hop count", "hop limit", "dns", "mx record", "name server", "nameserver", "no answer from host", "timed out", "establish an smtp connection", "host is down", "not responding", "conversation with", "no hosts could", "routing loop", "превышено время", "не удалось соединиться", "не отвечает"}},
	{"syntaxerror", []string{"syntax error", "malformed address", "parameter not implemented", "command not implemented", "command unrecognized", "unrecognized command", "command not", "need rcpt", "bad sequence", "unexpected command"}},
	{"mailererror", []string{"command output", "procmail", "maildrop", "mailer error", "unknown mailer", "exit status", "exited with", "deliver: ", "x-unix", "pipe to", "local delivery", "command died", "status 75", "status code"}},
	{"filtered", []string{"filtered", "filter", "refused due to recipient preferences", "restricted sms", "rejected by the recipient", "rejected by user", "recipient refuses", "refused by recipient", "recipient has refused", "does not want", "not want to receive", "blocked by recipient", "blocked this sender", "was rejected by a remote", "rejected by a remote mail server", "no valid recipient", "not accepted by"}},
	{"rejected", []string{"access denied", "permission denied", "not authorized", "rejected", "refused", "denied", "not accepted", "отклонен", "отказано"}},
	{"systemerror", []string{"system error", "internal error", "server error", "local error", "local problem", "configuration error", "service unavailable", "service not available", "out of memory", "resources temporarily", "server configuration", "i/o error", "write error", "temporary failure", "transaction failed", "temporarily unavailable", "try again later", "system resources", "unable to", "внутренняя ошибка", "ошибка сервера"}},
}

// reasonByWords finds the group of reasons in folded words, "" when none is named.
func reasonByWords(s string) string {
	for _, g := range reasonPhrases {
		if _, ok := containsAny(s, g.phrases); ok {
			return g.reason
		}
	}
	return ""
}
