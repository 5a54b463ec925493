package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// TestBadNeighbours: one mailbox's server accepts connections and says nothing, one mailbox's password is wrong, and one is
// flooded. What arrives for the others is filed as if they were alone.
func TestBadNeighbours(t *testing.T) { // not parallel: it measures
	const good, flood = 6, 300
	silent := imaptest.NewScript(t, imaptest.Plain())
	silent.On("LOGIN", imaptest.Hang)
	silent.On("AUTHENTICATE", imaptest.Hang)
	users := []string{"flood@teplodom.example", "wrong@teplodom.example"}
	for i := range good {
		users = append(users, fmt.Sprintf("good%d@teplodom.example", i))
	}
	m := memory(t, users...)
	for i := range flood {
		put(t, m, users[0], "INBOX", mail{id: fmt.Sprintf("f%d@x.example", i), from: "x@x.example", to: users[0], subject: "Поток"})
	}
	d := start(t, place{url: sqliteIn(t), imap: m.URL(), more: neighbours(users, silent.URL())})
	d.synced(users[2:]...)
	slowest := time.Duration(0)
	for i, u := range users[2:] {
		letter := mail{id: fmt.Sprintf("g%d@x.example", i), from: ivan, to: u, subject: "Счёт"}
		put(t, m, u, "INBOX", letter)
		begin := time.Now()
		put(t, m, u, "Sent", letter.reply(fmt.Sprintf("a%d@teplodom.example", i), u, ivan))
		eventually(t, "the letter of "+u+" is filed", func() bool { return d.filing(letter.id).State == models.FilingDone })
		slowest = max(slowest, time.Since(begin))
	}
	t.Logf("slowest of %d: %v; of the flood %d are stored", good, slowest, d.live(users[0], models.FolderInbox))
	bound := 10 * time.Second // a tenth of a second on a machine with nothing else to do
	if underRace {
		bound = 40 * time.Second
	}
	if slowest > bound {
		t.Errorf("a letter waited %v for its neighbours", slowest)
	}
	eventually(t, "the flood is stored", func() bool { return d.live(users[0], models.FolderInbox) == flood })
	eventually(t, "the wrong password has stopped its mailbox", func() bool { return d.mailbox(users[1]).State == models.MailboxStopped })
	if d.mailbox("silent@teplodom.example").Connected {
		t.Error("the silent mailbox counts as connected")
	}
}

// neighbours is the part of the config with a second server, which is silent, and all mailboxes.
func neighbours(users []string, silent string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[servers.silent]\nimap = %q\n", silent)
	manager := func(address, server, password string) {
		name, _, _ := strings.Cut(address, "@")
		fmt.Fprintf(&b, "[[managers]]\nname = %q\nemail = %q\nusername = %q\npassword = %q\nserver = %q\n", name, address, address, password, server)
	}
	for _, u := range users {
		password := "secret"
		if strings.HasPrefix(u, "wrong") {
			password = "other"
		}
		manager(u, "s", password)
	}
	manager("silent@teplodom.example", "silent", "secret")
	return b.String()
}
