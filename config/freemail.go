package config

import "strings"

// freeMail reports whether anybody can have a mailbox in the domain (lower case): such a domain is nobody's own.
func freeMail(domain string) bool {
	for _, line := range strings.Fields(freeMailDomains) {
		if line == domain {
			return true
		}
	}
	return false
}

// freeMailDomains are the free-mail services that a Russian department is likely to use itself; it need not be complete,
// for it only guards against a slip in company.domains.
const freeMailDomains = `
mail.ru bk.ru list.ru inbox.ru internet.ru xmail.ru mail.ua vk.com
yandex.ru ya.ru yandex.com yandex.by yandex.kz yandex.uz yandex.ua narod.ru
rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru rambler.ua
gmail.com googlemail.com outlook.com outlook.ru hotmail.com hotmail.ru live.com live.ru msn.com
yahoo.com yahoo.ru ymail.com icloud.com me.com mac.com
proton.me protonmail.com pm.me aol.com gmx.com gmx.de gmx.net web.de mail.com zoho.com tuta.com tuta.io tutanota.com
fastmail.com hey.com duck.com qq.com 163.com 126.com foxmail.com
qip.ru pochta.ru nm.ru nxt.ru fromru.com front.ru hotbox.ru krovatka.su land.ru mail15.com mail333.com pisem.net
pochtamt.ru pop3.ru rbcmail.ru smtp.ru e1.ru ngs.ru sibmail.com km.ru newmail.ru hotmail.fr orange.fr
ukr.net i.ua meta.ua bigmir.net tut.by mail.by mail.kz mail.uz seznam.cz libero.it t-online.de
`
