package inbound

import (
	"strings"
	"testing"
	"time"
)

// usualReply is a letter as clients write it, with a signature and what it answers.
func usualReply() string {
	return "Анна, добрый день!\n\nСпасибо за коммерческое предложение № 45 от 20.11.2026, посмотрели с директором. Насосы подходят, по доставке в Тверь вопросов нет.\n" +
		"Счёт № 1205 на сумму 240 000,00 руб. получили, оплатим в пятницу. Если можно, добавьте в спецификацию ещё два клапана,\n" +
		strings.Repeat("как в прошлый раз, и уточните, пожалуйста, срок поставки и условия гарантии на оборудование.\n", 6) +
		"\nС уважением,\nИван Петров\nООО «Ромашка»\nИНН 7707083893\nтел. +7 (912) 345-67-89\nwww.romashka.example\n\n20.11.2026, 10:15, Анна Смирнова <anna@teplodom.example> пишет:\n" +
		strings.Repeat("> Направляем вам предложение на оборудование согласно вашему запросу.\n", 12)
}

func BenchmarkSplitReply(b *testing.B) {
	s := usualReply()
	b.ReportAllocs()
	for b.Loop() {
		SplitReply(s)
	}
}

func BenchmarkFindNamed(b *testing.B) {
	reply, signature := SplitReply(usualReply())
	b.Logf("%d and %d octets", len(reply), len(signature))
	b.ReportAllocs()
	for b.Loop() {
		FindNamed(reply, signature, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	}
}
