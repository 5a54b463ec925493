package imaptest

// The profiles of the providers that Russian companies use, as far as their behaviour is publicly known. They hide what
// those servers lack and misbehave where those servers do.

// Yandex has XLIST without SPECIAL-USE, "|" between levels, no CONDSTORE.
func Yandex() Profile {
	return Profile{
		Name: "yandex", Delimiter: "|", Keywords: true,
		Caps: "IMAP4rev1 CHILDREN UNSELECT LITERAL+ NAMESPACE XLIST BINARY UIDPLUS ENABLE ID AUTH=PLAIN AUTH=XOAUTH2 IDLE MOVE",

		Folders: []string{"Отправленные", "Черновики", "Удалённые", "Спам"},
		Attrs:   [][2]string{{"Отправленные", `\Sent`}, {"Черновики", `\Drafts`}, {"Удалённые", `\Trash`}, {"Спам", `\Spam`}},
	}
}

// MailRu has a BODYSTRUCTURE that no parser reads, IDLE answered BAD, no keywords.
func MailRu() Profile {
	return Profile{
		Name: "mail.ru", Delimiter: "/", BadBodies: true, IdleBad: true,
		Caps: "IMAP4rev1 ID XLIST UIDPLUS UNSELECT MOVE LIST-STATUS IDLE AUTH=PLAIN SASL-IR",

		Folders: []string{"Отправленные", "Корзина", "Спам", "Черновики"},
		Attrs:   [][2]string{{"Отправленные", `\Sent`}, {"Корзина", `\Trash`}},
	}
}

// Exchange puts COPYUID on a line of its own, refusals without a code, sizes that are estimates.
func Exchange() Profile {
	return Profile{
		Name: "exchange", Delimiter: "/", CopyUID: "bare", Codeless: true, Estimate: true,
		Caps: "IMAP4 IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",

		Folders: []string{"Sent Items", "Deleted Items", "Drafts", "Junk Email"},
	}
}

// Microsoft365 is Exchange in the cloud: the same bare COPYUID and no keywords.
func Microsoft365() Profile {
	return Profile{
		Name: "microsoft 365", Delimiter: "/", CopyUID: "bare", Codeless: true, Estimate: true,
		Caps: "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",

		Folders: []string{"Отправленные", "Удаленные", "Черновики", "Нежелательная почта"},
	}
}

// Zimbra has no MOVE, answers UID MOVE with BAD, and tells special uses by XLIST only.
func Zimbra() Profile {
	return Profile{
		Name: "zimbra", Delimiter: "/", Keywords: true,
		Caps: "IMAP4rev1 BINARY CHILDREN ID IDLE LITERAL+ NAMESPACE QUOTA SASL-IR UIDPLUS UNSELECT XLIST AUTH=PLAIN",

		Folders: []string{"Sent", "Trash", "Drafts", "Junk"}, Attrs: [][2]string{{"Sent", `\Sent`}, {"Trash", `\Trash`}},
	}
}

// CommuniGate is strict and old-fashioned: MOVE without SPECIAL-USE, and folders named in English.
func CommuniGate() Profile {
	return Profile{
		Name: "communigate", Delimiter: "/", Keywords: true,
		Caps: "IMAP4 IMAP4REV1 ACL NAMESPACE UIDPLUS IDLE LITERAL+ QUOTA ID MULTIAPPEND UNSELECT MOVE AUTH=PLAIN",

		Folders: []string{"Sent Items", "Trash", "Drafts"},
	}
}

// NoMove is a server such as Zimbra or Courier was for years: UIDPLUS but no MOVE.
func NoMove() Profile {
	return Profile{
		Name: "nomove", Delimiter: "/", Keywords: true, Caps: "IMAP4rev1 UIDPLUS IDLE NAMESPACE SPECIAL-USE",

		Folders: []string{"Sent"}, Attrs: [][2]string{{"Sent", `\Sent`}},
	}
}

// NoUIDPlus has neither MOVE nor UIDPLUS, nor UIDNEXT in SELECT.
func NoUIDPlus() Profile {
	return Profile{Name: "nouidplus", Delimiter: ".", NoUIDNext: true, Caps: "IMAP4rev1", Folders: []string{"INBOX.Sent"}}
}

// Plain is a well-behaved server with everything.
func Plain() Profile {
	return Profile{
		Name: "plain", Delimiter: "/", Keywords: true,
		Caps: "IMAP4rev1 UIDPLUS MOVE IDLE NAMESPACE SPECIAL-USE LITERAL+ SASL-IR AUTH=PLAIN",

		Folders: []string{"Sent"}, Attrs: [][2]string{{"Sent", `\Sent`}},
	}
}
