package daemon

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store/storetest"
)

// firstLookLetters is how many letters the test's first look meets; KONTROL_FIRST_LOOK says another
// number for measuring.
func firstLookLetters(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("KONTROL_FIRST_LOOK"))
	if err != nil {
		return 120
	}
	return n
}

// A first look takes every letter in, and files those that were answered. How fast it was is logged.
func TestFirstLookThroughAServer(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, firstLook)
}

func firstLook(t *testing.T, url string) {
	n := firstLookLetters(t)
	m := memory(t, anna)
	at := time.Now().Add(-24 * time.Hour)
	for i := range n {
		client := fmt.Sprintf("p%d@client%d.example", i%7, i%500)
		letter := mail{id: fmt.Sprintf("%d@client.example", i), from: client, to: anna, subject: fmt.Sprintf("Заявка %d", i), at: at}
		folder := "INBOX"
		if i%4 == 3 { // every fourth answers the one before
			letter.from = fmt.Sprintf("p%d@client%d.example", (i-1)%7, (i-1)%500)
			letter = letter.reply(fmt.Sprintf("%d@teplodom.example", i), anna, letter.from)
			letter.refs, folder = []string{fmt.Sprintf("%d@client.example", i-1)}, "Sent"
		}
		if _, err := m.Put(anna, folder, nil, at, raw(letter)); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	d := start(t, place{url: url, imap: m.URL(), passwords: map[string]string{anna: "secret"}})
	eventually(t, "all letters are known", func() bool { // a cheap question: counting would be measured too
		folders, err := d.app.DB().Read().Folders(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		known := 0
		for _, f := range folders {
			if f.Role == models.FolderInbox || f.Role == models.FolderSent {
				known += int(f.LastUID)
			}
		}
		return known == n
	})
	took := time.Since(begin)
	t.Logf("%d letters taken in within %v: %.0f/s", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
	eventually(t, "the answered ones are filed", func() bool {
		open, err := d.app.DB().Read().OpenFilingsCount(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(open) == 0
	})
	if got := d.live(anna, models.FolderProcessed); got != n/4 {
		t.Errorf("%d letters filed, want %d", got, n/4)
	}
	t.Logf("all of them filed within %v", time.Since(begin).Round(time.Millisecond))
}
