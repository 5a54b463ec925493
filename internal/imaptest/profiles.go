package imaptest

// The profiles of the providers that Russian companies use, as far as their behaviour is publicly known. They hide what
// those servers lack and misbehave where those servers do.

// Yandex: XLIST without SPECIAL-USE, "|" between levels, no CONDSTORE.
func Yandex() Profile {
	return Profile{
		Name: "yandex", Delimiter: "|", Keywords: true,
		Caps: "IMAP4rev1 CHILDREN UNSELECT LITERAL+ NAMESPACE XLIST BINARY UIDPLUS ENABLE ID AUTH=PLAIN AUTH=XOAUTH2 IDLE MOVE",

		Folders: []string{"Отправленные", "Черновики", "Удалённые", "Спам"},
		Attrs:   [][2]string{{"Отправленные", `\Sent`}, {"Черновики", `\Drafts`}, {"Удалённые", `\Trash`}, {"Спам", `\Spam`}},
	}
}

// MailRu: a BODYSTRUCTURE that no parser reads, IDLE answered BAD, no keywords.
func MailRu() Profile {
	return Profile{
		Name: "mail.ru", Delimiter: "/", BadBodies: true, IdleBad: true,
		Caps: "IMAP4rev1 ID XLIST UIDPLUS UNSELECT MOVE LIST-STATUS IDLE AUTH=PLAIN SASL-IR",

		Folders: []string{"Отправленные", "Корзина", "Спам", "Черновики"},
		Attrs:   [][2]string{{"Отправленные", `\Sent`}, {"Корзина", `\Trash`}},
	}
}

// Exchange: COPYUID on a line of its own, refusals without a code, sizes that are estimates.
func Exchange() Profile {
	return Profile{
		Name: "exchange", Delimiter: "/", CopyUID: "bare", Codeless: true, Estimate: true,
		Caps: "IMAP4 IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",

		Folders: []string{"Sent Items", "Deleted Items", "Drafts", "Junk Email"},
	}
}

// NoMove: a server such as Zimbra or Courier was for years: UIDPLUS but no MOVE.
func NoMove() Profile {
	return Profile{
		Name: "nomove", Delimiter: "/", Keywords: true, Caps: "IMAP4rev1 UIDPLUS IDLE NAMESPACE SPECIAL-USE",

		Folders: []string{"Sent"}, Attrs: [][2]string{{"Sent", `\Sent`}},
	}
}

// NoUIDPlus: neither MOVE nor UIDPLUS, nor UIDNEXT in SELECT.
func NoUIDPlus() Profile {
	return Profile{Name: "nouidplus", Delimiter: ".", NoUIDNext: true, Caps: "IMAP4rev1", Folders: []string{"INBOX.Sent"}}
}

// Plain: a well-behaved server with everything.
func Plain() Profile {
	return Profile{
		Name: "plain", Delimiter: "/", Keywords: true,
		Caps: "IMAP4rev1 UIDPLUS MOVE IDLE NAMESPACE SPECIAL-USE LITERAL+ SASL-IR AUTH=PLAIN",

		Folders: []string{"Sent"}, Attrs: [][2]string{{"Sent", `\Sent`}},
	}
}
