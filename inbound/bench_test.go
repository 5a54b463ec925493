package inbound

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// typical is a letter of about 7 KB as a manager gets it.
func typical() []byte {
	return []byte("Return-Path: <ivan@romashka.example>\r\n" +
		"Received: from mx1.romashka.example (mx1.romashka.example [192.0.2.17])\r\n\tby mail.teplodom.example (Postfix) with ESMTPS id 4ABC\r\n\tfor <anna@teplodom.example>; Mon, 23 Nov 2026 09:00:00 +0300 (MSK)\r\n" +
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=romashka.example; s=mail;\r\n\th=from:to:subject:date:message-id;\r\n\tb=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n" +
		"From: =?UTF-8?B?0JjQstCw0L0g0J/QtdGC0YDQvtCy?= <ivan@romashka.example>\r\nTo: anna@teplodom.example\r\nCc: boris@teplodom.example\r\n" +
		"Subject: =?UTF-8?B?UmU6INCX0LDRj9Cy0LrQsCDQvdCwINC90LDRgdC+0YHRiw==?=\r\nDate: Mon, 23 Nov 2026 09:00:00 +0300\r\n" +
		"Message-ID: <1@romashka.example>\r\nIn-Reply-To: <0@teplodom.example>\r\nReferences: <00@romashka.example> <0@teplodom.example>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b1\r\nX-Mailer: Outlook 16.0\r\n\r\n" +
		"--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
		strings.Repeat("Просим выставить счёт на оборудование согласно спецификации и указать сроки.\r\n", 20) +
		"\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><body>" +
		strings.Repeat("<p>Просим выставить счёт на оборудование согласно спецификации и указать сроки.</p>\r\n", 20) +
		"</body></html>\r\n--b1--\r\n")
}

// How fast letters are understood, by one goroutine: a typical one, and all the odd ones of the corpora.
func BenchmarkReadLetters(b *testing.B) {
	own := NewOwn([]string{"anna@teplodom.example"}, []string{"teplodom.example"})
	run := func(name string, letters []Source) {
		b.Run(name, func(b *testing.B) {
			if len(letters) == 0 {
				b.Skip("no corpora beside the checkout")
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = Read(letters[i%len(letters)], own) // some have nothing to be read
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "letters/s")
		})
	}
	run("typical", []Source{sourceOf(typical())})
	var odd []Source
	_ = filepath.WalkDir(corpora, func(path string, d fs.DirEntry, err error) error { // what cannot be read is left out
		if err == nil && strings.HasSuffix(path, ".eml") {
			if raw, err := os.ReadFile(path); err == nil && len(raw) < 64<<10 {
				odd = append(odd, sourceOf(raw))
			}
		}
		return nil
	})
	run("corpora", odd)
}
