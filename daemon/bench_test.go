package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kontrol/imapsync"
	"kontrol/internal/postgres"
	"kontrol/models"
	"kontrol/store"
)

// body is about 5 KB of text as people write it.
var body = strings.Repeat("Добрый день! Просим выставить счёт на оборудование согласно спецификации во вложении и указать сроки.\r\n", 28)

// received is what the servers on the way put on top of a letter.
const received = "Return-Path: <x@client.example>\r\n" +
	"Received: from mx1.client.example (mx1.client.example [192.0.2.17])\r\n\tby mail.teplodom.example (Postfix) with ESMTPS id 4ABCDE1234\r\n\tfor <anna@teplodom.example>; Mon, 23 Nov 2026 09:00:00 +0300 (MSK)\r\n" +
	"Authentication-Results: mail.teplodom.example; dkim=pass header.d=client.example; spf=pass; dmarc=pass\r\n" +
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=client.example; s=mail;\r\n\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n" +
	"X-Mailer: Outlook 16.0\r\n"

// office makes a house with 250 clients known, half of those that write.
func office(t testing.TB, url string) *house {
	h := newHouse(t, url)
	for i := range 250 {
		h.client(fmt.Sprintf("Клиент %d", i), []string{fmt.Sprintf("p%d@client%d.example", i%7, i)}, fmt.Sprintf("client%d.example", i))
	}
	return h
}

// firstSync makes n letters of a mailbox in batches: three of four lie in INBOX, every fourth in Sent and answers one.
func firstSync(h *house, n, size int) []imapsync.Arrival {
	var in, out []mail
	for i := range n {
		at := day.Add(time.Duration(i-n) * time.Minute)
		who := fmt.Sprintf("p%d@client%d.example", i%7, i%500)
		m := mail{id: fmt.Sprintf("%d@client.example", i), from: who, to: anna, subject: fmt.Sprintf("Заявка %d", i), at: at, text: body, delivery: received}
		if i%4 == 3 {
			asked := in[len(in)-1]
			m = asked.reply(fmt.Sprintf("%d@teplodom.example", i), anna, asked.from)
			m.at, m.text = at, body
			out = append(out, m)
			continue
		}
		in = append(in, m)
	}
	var list []imapsync.Arrival
	for _, f := range []struct {
		role    models.FolderRole
		letters []mail
	}{{models.FolderInbox, in}, {models.FolderSent, out}} {
		for part := range slices.Chunk(f.letters, size) {
			a := h.batch(anna, f.role, part...)
			a.FirstLook = true
			list = append(list, a)
		}
	}
	return list
}

// benchURLs names the databases to measure on.
func benchURLs(b *testing.B) map[string]func(*testing.B) string {
	b.Helper()
	return map[string]func(*testing.B) string{
		"sqlite":   func(b *testing.B) string { return "sqlite:" + b.TempDir() + "/kontrol.db" },
		"postgres": func(b *testing.B) string { return postgres.Test(b) },
	}
}

// cpuTime is what this process has used of the processors, which says more than the clock on a busy machine. What a
// database server uses is not in it.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// How fast letters are taken in: parsed, stored, linked, decided. KONTROL_BENCH_LARGE adds 200,000 letters.
func BenchmarkIntake(b *testing.B) {
	sizes := []int{2000, 20000}
	if os.Getenv("KONTROL_BENCH_LARGE") != "" {
		sizes = append(sizes, 200000)
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		for _, n := range sizes {
			for _, size := range []int{50, 200, 500} {
				b.Run(fmt.Sprintf("%s/letters=%d/batch=%d", kind, n, size), func(b *testing.B) {
					b.ReportAllocs()
					var spent time.Duration
					for range b.N {
						b.StopTimer()
						h := office(b, benchURLs(b)[kind](b))
						list := firstSync(h, n, size)
						before := cpuTime(b)
						b.StartTimer()
						for _, a := range list {
							h.must(h.in.Arrived(context.Background(), a))
						}
						spent += cpuTime(b) - before
					}
					b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "letters/s")
					b.ReportMetric(float64(spent.Microseconds())/float64(n*b.N), "cpu-µs/letter")
				})
			}
		}
	}
}

// What one further letter costs in a conversation that is long already, and all of whose letters are still in the inbox.
func BenchmarkLongThread(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		for _, n := range []int{20, 200, 2000} {
			b.Run(fmt.Sprintf("%s/thread=%d", kind, n), func(b *testing.B) {
				h := office(b, benchURLs(b)[kind](b))
				last := mail{id: "0@client.example", from: "p1@client1.example", to: anna, subject: "Долгий разговор", at: day}
				next := func(i int) (models.FolderRole, mail) {
					role := models.FolderInbox
					m := last.reply(fmt.Sprintf("%d@client.example", i), fmt.Sprintf("p%d@client1.example", i%20), anna)
					if i%4 == 3 {
						role = models.FolderSent
						m = last.reply(fmt.Sprintf("%d@teplodom.example", i), anna, fmt.Sprintf("p%d@client1.example", i%20))
					}
					m.refs = m.refs[max(0, len(m.refs)-20):]
					m.at = day.Add(time.Duration(i) * time.Second)
					last = m
					return role, m
				}
				letters := map[models.FolderRole][]mail{models.FolderInbox: {last}}
				for i := 1; i < n; i++ {
					role, m := next(i)
					letters[role] = append(letters[role], m)
				}
				for _, role := range []models.FolderRole{models.FolderInbox, models.FolderSent} {
					for part := range slices.Chunk(letters[role], 500) {
						h.arrive(anna, role, part...)
					}
				}
				i := n
				for b.Loop() {
					role, m := next(i)
					h.must(h.in.Arrived(context.Background(), h.batch(anna, role, m)))
					i++
				}
			})
		}
	}
}

// What one letter costs, question or answer, in departments of several sizes.
func BenchmarkOneLetter(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		for _, boxes := range []int{2, 100, 1000} {
			b.Run(fmt.Sprintf("%s/mailboxes=%d", kind, boxes), func(b *testing.B) {
				h := office(b, benchURLs(b)[kind](b))
				h.enlarge(boxes)
				var asked mail
				i := 0
				for b.Loop() {
					role, m := models.FolderInbox, mail{id: fmt.Sprintf("%d@client.example", i), from: fmt.Sprintf("p%d@client%d.example", i%7, i%500),
						to: anna, subject: fmt.Sprintf("Заявка %d", i), at: day.Add(time.Duration(i) * time.Second), text: body, delivery: received}
					if i%4 == 3 {
						role, m = models.FolderSent, asked.reply(fmt.Sprintf("%d@teplodom.example", i), anna, asked.from)
						m.at, m.text = day.Add(time.Duration(i)*time.Second), body
					}
					asked = m
					h.must(h.in.Arrived(context.Background(), h.batch(anna, role, m)))
					i++
				}
			})
		}
	}
}

// enlarge declares as many mailboxes as are missing, with their folders.
func (h *house) enlarge(boxes int) {
	h.t.Helper()
	declared := []models.Mailbox{{Address: anna, Kind: models.MailboxPersonal}, {Address: boris, Kind: models.MailboxPersonal}}
	for i := len(declared); i < boxes; i++ {
		declared = append(declared, models.Mailbox{Address: fmt.Sprintf("m%d@teplodom.example", i), Kind: models.MailboxPersonal})
	}
	h.tx(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SyncMailboxes(ctx, declared); err != nil {
			return err
		}
		for _, m := range declared[2:] {
			for _, role := range []models.FolderRole{models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl} {
				if err := tx.SaveFolder(ctx, &models.Folder{MailboxID: m.ID, Role: role, Name: string(role), Delimiter: "/", UIDValidity: 7, FirstUID: 1}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
