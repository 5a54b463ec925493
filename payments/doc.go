// Package payments reads what banks and 1C say about money, and finds the invoices that it pays.
//
// A bank's client program and 1C exchange statements in one text format, kl_to_1c.txt («1CClientBankExchange», versions 1.01
// to 1.03, see https://v8.1c.ru/tekhnologii/obmen-dannymi-i-integratsiya/standarty-i-formaty/standart-obmena-s-sistemami-klient-banka/).
// ReadStatement understands it with the liberties that banks take: charsets other than the declared one, missing keys, decimal
// commas, blank lines. What would be guesswork with money is refused as a whole: a file that is cut short, or one of another kind.
//
// A Document is classified twice: which way the money went (Direction) and what it is about (Nature). Only ordinary money
// coming in is ever matched to an invoice. Named reads the numbers of invoices out of the words of a payment; Matcher weighs
// them against the open invoices in the tiers A to E.
//
// The package computes; it stores nothing and reads no clock.
package payments
