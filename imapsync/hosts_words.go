package imapsync

import (
	"slices"
	"strings"
)

// trouble is what a server's words mean for the number of connections.
type trouble struct {
	limit   bool // there are too many connections
	host    bool // of ours, to the server as a whole
	account bool // to this mailbox
}

// The words are those of Dovecot, Cyrus, Courier, Gmail, Exchange, Zimbra, Yandex, Mail.ru and their like, in lower case.
// They are searched for only where codes are silent.
func tooManyWords() []string {
	return []string{
		"too many", "maximum number of connections", "connection limit", "connections exceeded", "connection count exceeded",
		"simultaneous", "concurrent", "number of connections", "max connections", "maximum connections", "connections reached",
		"session limit", "sessions limit", "limit of connections", "user is authenticated but not connected",
		"слишком много", "превышен", "лимит соединений", "лимит подключений", "одновременн", "число соединений",
		"количество соединений", "количество подключений", "число подключений",
	}
}

// notConnections are things that there can be too many of without the connections being the matter.
func notConnections() []string {
	return []string{"login attempt", "failed", "invalid command", "bad command", "errors", "попыток", "неудачн", "неверн", "ошиб", "quota", "квот", "bandwidth", "трафик"}
}

func hostWords() []string {
	return []string{"ip address", "your ip", "per ip", "from ip", "same ip", "this ip", "your host", "your address", "this address", "per host",
		"вашего ip", "ip-адрес", "с одного ip", "вашего адреса", "с одного адреса", "этого адреса"}
}

func accountWords() []string {
	return []string{"user+ip", "userip", "per user", "from user", "for user", "this user", "account", "per mailbox", "this mailbox", "your mailbox", "per login",
		"authenticated but not connected", "simultaneous", "ящик", "пользовател", "учетн", "учётн"}
}

// troubleOf reads what a server has said about the number of connections.
func troubleOf(s statusText) trouble {
	text := strings.ToLower(s.text)
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return strings.Contains(text, w) })
	}
	t := trouble{account: has(accountWords())}
	t.host = !t.account && has(hostWords())
	switch s.code {
	case "LIMIT", "INUSE":
		t.limit = true
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "OVERQUOTA", "SERVERBUG", "PRIVACYREQUIRED":
	default:
		t.limit = has(tooManyWords()) && !has(notConnections())
	}
	return t
}
