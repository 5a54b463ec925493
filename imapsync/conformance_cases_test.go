package imapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// guarantees are the rows of the table, in the order of interop.md section 5.
func guarantees() []guarantee {
	return []guarantee{
		{"deadline", "a command without an answer closes the connection within its deadline", checkDeadline},
		{"cancel", "the end of the context closes the connection at once", checkCancel},
		{"append", "a letter that is stored stands there octet by octet", checkAppend},
		{"append-refused", "after a refused APPEND the connection is opened anew", checkAppendRefused},
		{"fetch", "header and text arrive octet by octet as another client sees them", checkFetch},
		{"fetch-poison", "a letter that breaks the connection is found by halving and put aside; the others arrive", checkFetchPoison},
		{"fetch-cut", "a letter cut off half-way is not taken in by half", checkFetchCut},
		{"fetch-gone", "a letter expunged while being read counts as gone; one made up by the server is not taken in", checkFetchGone},
		{"seen", "no letter is marked as read", checkSeen},
		{"move", "a letter is moved exactly once, or untouched and the reason told", checkMove},
		{"move-deleted", "other people's letters marked \\Deleted stay", checkMoveDeleted},
		{"move-nofolder", "a target folder that has gone is made again, the letter is moved", checkMoveNoFolder},
		{"move-quota", "a full mailbox costs no letter", checkMoveQuota},
		{"move-unsent", "cut before the command arrives: the letter is moved once", checkMoveUnsent},
		{"move-lost", "a lost answer is resolved by looking, without a second copy", checkMoveLost},
		{"read-only", "a read-only mailbox is noticed, the letter untouched and the reason told", checkReadOnly},
		{"examine", "EXAMINE counts as read-only", checkExamine},
		{"keywords", "whether new keywords can be made is noticed", checkKeywords},
		{"folders", "nested folders with Russian names are made and subscribed to, no prefix is doubled", checkFolders},
		{"arrival-inbox", "a new letter in INBOX is noticed", checkArrivalInbox},
		{"arrival-sent", "a new letter in Sent is noticed", checkArrivalSent},
		{"flags", "a star is noticed", checkFlags},
		{"expunge", "a deletion is noticed", checkExpunge},
		{"hand-move", "a move by hand is noticed", checkHandMove},
		{"connections", "never more than two connections to a mailbox", checkConnections},
		{"one-connection", "a mailbox works where one connection is allowed", checkOneConnection},
		{"idle-ended", "the server ends IDLE by itself: the mailbox listens again", checkIdleEnded},
		{"silent", "a connection that has gone silent is found and replaced", checkSilent},
		{"bye", "BYE on a line that stays open: the words are kept, the connection replaced", checkBye},
		{"outage", "after an outage everything that happened meanwhile is noticed", checkOutage},
		{"killed", "the server is killed and comes back: letters are whole and taken in once", checkKilled},
		{"folder-deleted", "a deleted folder is made again, the mailbox works on", checkFolderDeleted},
		{"folder-renamed", "a folder is renamed under us: letters are whole, the mailbox works on", checkFolderRenamed},
		{"folder-recreated", "a folder is made anew: a new letter in it is taken in", checkFolderRecreated},
		{"uidvalidity", "another UIDVALIDITY: letters are known again by fingerprint, no move is repeated", checkUIDValidity},
		{"password", "a wrong password: three logins, then an end", checkPassword},
		{"starttls", "STARTTLS under the guard", checkStartTLS},
		{"starttls-ca", "a stranger's certificate is shown no password", checkStartTLSAuthority},
		{"starttls-hidden", "STARTTLS hidden on the way: no password is sent", checkStartTLSHidden},
		{"starttls-injected", "what is slipped in before TLS is refused", checkStartTLSInjected},
		{"login-disabled", "LOGINDISABLED is respected: no password is sent", checkLoginDisabled},
		{"wire", "never sent: ENABLE, UTF8=ACCEPT, QRESYNC, CLOSE, EXPUNGE without UIDs, ENVELOPE, BODYSTRUCTURE, \\Seen, commands that are not announced", func(*cell) {}},
	}
}

func checkDeadline(c *cell) {
	s := c.dial(c.account())
	s.dialer.account.Timeouts.Command = 3 * time.Second // not for the login: a busy machine may need longer
	c.proxy.Hook(func(m *imaptest.Passage) bool { return m.Command != "NOOP" || !m.FromServer })
	start := time.Now()
	err := s.noop(c.ctx)
	if took := time.Since(start); !models.IsTemporary(err) || !s.Dead() || took > 8*time.Second {
		c.fail("no answer: %v after %v, dead %v", err, took, s.Dead())
	}
	if _, err := s.Status(c.ctx, "INBOX"); !errors.Is(err, ErrDead) {
		c.fail("a dead session answers %v", err)
	}
}

func checkCancel(c *cell) {
	s := c.dial(c.account())
	_, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	ctx, cancel := context.WithCancel(c.ctx)
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		if !m.FromServer && (m.Command == "IDLE" || m.Command == "NOOP") {
			cancel()
		}
		return true
	})
	start := time.Now()
	if _, err = s.Idle(ctx, time.Minute, nil); err == nil || !s.Dead() || time.Since(start) > 5*time.Second {
		c.fail("cancelled: %v after %v, dead %v", err, time.Since(start), s.Dead())
	}
}

// sentFolder finds the folder of sent letters.
func (c *cell) sentFolder(s Session) string {
	found, _, err := ResolveFolders(c.ctx, s, Names{})
	c.check("folders", err)
	return found[models.FolderSent].Name
}

func checkAppend(c *cell) {
	s := c.dial(c.account())
	sent := c.sentFolder(s)
	l := bytes.Repeat([]byte("line of a long letter\r\n"), 500)
	l = append(letter(1), l...)
	to, err := s.Append(c.ctx, sent, []string{`\Seen`}, time.Now(), l)
	c.check("append", err)
	got := c.look(sent)
	if len(got) != 1 || !bytes.Equal(got[0].Body, l) || !strings.EqualFold(strings.Join(got[0].Flags, " "), `\Seen`) {
		c.fail("stored: %d letters", len(got))
	}
	if s.Caps().UIDPlus && to.UID != got[0].UID {
		c.fail("APPENDUID %+v, stored under %d", to, got[0].UID)
	}
}

func checkAppendRefused(c *cell) {
	s := c.dial(c.account())
	_, err := s.Append(c.ctx, "INBOX/no such folder", nil, time.Time{}, bytes.Repeat([]byte("x\r\n"), 3000))
	if err == nil || !s.Dead() {
		c.fail("append to nowhere: %v, dead %v", err, s.Dead())
	}
	_, err = c.dial(c.account()).Select(c.ctx, "INBOX", false)
	c.check("afterwards", err)
}

// hardLetters are letters that look like the protocol, are long, or are in no charset.
func hardLetters() [][]byte {
	head := "From: a@b.ru\r\nTo: b@c.ru\r\nDate: Mon, 2 Nov 2026 10:00:00 +0300\r\n"
	return [][]byte{
		letter(1),
		[]byte(head + "Subject: protocol {5}\r\nMessage-ID: <2@x>\r\n\r\n* 9 FETCH (UID 9 BODY[] {3}\r\nT5 OK done\r\n* BYE\r\n)\r\n"),
		[]byte(head + "Subject: long\r\nMessage-ID: <3@x>\r\n\r\n" + strings.Repeat("0123456789\r\n", 20000)),
		[]byte(head + "Subject: cp1251\r\nMessage-ID: <4@x>\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\n" + cp1251("Счёт на оплату") + "\r\n"),
		[]byte(head + "Subject: no text\r\nMessage-ID: <5@x>\r\n\r\n"),
	}
}

func checkFetch(c *cell) {
	a := c.account()
	s := c.dial(a)
	c.put("INBOX", hardLetters()...)
	_, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	seen := c.look("INBOX")
	var uids []uint32
	for _, l := range seen {
		uids = append(uids, l.UID)
	}
	ans, err := s.Fetch(c.ctx, uids, 1<<20)
	c.check("fetch", err)
	if len(ans.Letters) != len(hardLetters()) || len(ans.Gone)+len(ans.Bad) > 0 {
		c.fail("%d letters, gone %v, bad %+v", len(ans.Letters), ans.Gone, ans.Bad)
	}
	for i, l := range ans.Letters {
		if got := append(slices.Clone(l.Header), l.Text...); !bytes.Equal(got, seen[i].Body) {
			c.fail("letter %d differs from what is stored: %d and %d octets", i+1, len(got), len(seen[i].Body))
		}
	}
}

// asked reports whether a client's line asks for the text of a letter.
func asked(m *imaptest.Passage, uid uint32) bool {
	w := strings.Fields(m.Line)
	return !m.FromServer && m.Command == "UID FETCH" && strings.Contains(m.Line, "BODY") && len(w) > 3 && slices.Contains(expandSet(w[3], 1000), uid)
}

func checkFetchPoison(c *cell) {
	s := c.dial(c.account())
	c.put("INBOX", letter(1), letter(2), letter(3), letter(4), letter(5))
	_, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	metas, err := s.UIDs(c.ctx, 1, 0)
	c.check("list", err)
	var uids []uint32
	for _, m := range metas {
		uids = append(uids, m.UID)
	}
	if len(uids) != 5 {
		c.fail("%d letters", len(uids))
	}
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		if asked(m, uids[2]) {
			m.Cut()
			return false
		}
		return true
	})
	ans, err := s.Fetch(c.ctx, uids, 1000)
	c.check("fetch", err)
	if len(ans.Letters) != 4 || len(ans.Bad) != 1 || ans.Bad[0].UID != uids[2] {
		c.fail("%d letters, gone %v, bad %+v", len(ans.Letters), ans.Gone, ans.Bad)
	}
}

// checkFetchCut breaks the first connection in the middle of the answer, after the first line of it.
func checkFetchCut(c *cell) {
	s := c.dial(c.account())
	long := append(letter(2), bytes.Repeat([]byte("0123456789\r\n"), 500)...)
	c.put("INBOX", letter(1), long, letter(3))
	_, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	lines := 0
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		if m.FromServer && strings.Contains(m.Line, "FETCH") && strings.Contains(m.Line, "BODY[") {
			if lines++; lines == 2 {
				m.Reply("* 2 FETCH (UID 2 BODY[HEADER] {400}\r\nSubject: half\r\n")
				m.Cut()
				return false
			}
		}
		return true
	})
	ans, err := s.Fetch(c.ctx, []uint32{1, 2, 3}, 100000)
	c.check("fetch", err)
	if len(ans.Letters) != 3 {
		c.fail("%d letters, gone %v, bad %+v", len(ans.Letters), ans.Gone, ans.Bad)
	}
	for i, want := range [][]byte{letter(1), long, letter(3)} {
		if got := append(slices.Clone(ans.Letters[i].Header), ans.Letters[i].Text...); !bytes.Equal(got, want) {
			c.fail("letter %d is %q", i+1, got)
		}
	}
}

func checkFetchGone(c *cell) {
	s := c.dial(c.account())
	c.put("INBOX", letter(1), letter(2), letter(3))
	_, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	other := c.hand()
	c.say(other, "SELECT INBOX", `UID STORE 2 +FLAGS (\Deleted)`, "EXPUNGE")
	other.Close()
	ans, err := s.Fetch(c.ctx, []uint32{1, 2, 3}, 1000)
	c.check("fetch", err)
	for _, l := range ans.Letters {
		if got := append(slices.Clone(l.Header), l.Text...); !bytes.Equal(got, letter(int(l.UID))) {
			c.fail("letter %d is made up: %q", l.UID, got)
		}
	}
	if len(ans.Bad) > 0 || len(ans.Letters)+len(ans.Gone) != 3 || len(ans.Letters) < 2 {
		c.fail("%d letters, gone %v, bad %+v", len(ans.Letters), ans.Gone, ans.Bad)
	}
	_, err = s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	if ans, err = s.Fetch(c.ctx, []uint32{2}, 1000); err != nil || !slices.Equal(ans.Gone, []uint32{2}) {
		c.fail("afterwards: %+v %v", ans, err)
	}
}

func checkSeen(c *cell) {
	c.put("INBOX", letter(1))
	l := c.live(nil)
	l.until("first look", l.told("+inbox/1"))
	c.put("INBOX", letter(2))
	l.until("new letter", l.told("+inbox/2"))
	for _, x := range c.look("INBOX") {
		if len(x.Flags) > 0 {
			c.fail("letter %d has the flags %v", x.UID, x.Flags)
		}
	}
}

func checkExamine(c *cell) {
	s := c.dial(c.account())
	sel, err := s.Select(c.ctx, "INBOX", true)
	c.check("examine", err)
	if !sel.ReadOnly {
		c.fail("opened with EXAMINE: %+v", sel)
	}
}

func checkKeywords(c *cell) {
	s := c.dial(c.account())
	sel, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	can := false
	for _, r := range c.say(c.hand(), "SELECT INBOX") {
		can = can || strings.Contains(r.Text, "[PERMANENTFLAGS") && strings.Contains(r.Text, `\*`)
	}
	if sel.Keywords != can || sel.ReadOnly {
		c.fail("selected %+v, keywords possible: %v", sel, can)
	}
}

func checkFolders(c *cell) {
	s := c.dial(c.account())
	names := Names{Processed: "Продажи/Обработанные письма"}
	found, _, err := ResolveFolders(c.ctx, s, names)
	c.check("folders", err)
	prefix, delim, err := s.home(c.ctx)
	c.check("namespace", err)
	parent, child := prefix+"Продажи", prefix+"Продажи"+delim+"Обработанные письма"
	if got := found[models.FolderProcessed].Name; got != child || found[models.FolderSent].Name == "" {
		c.fail("found %+v, want %q", found, child)
	}
	again, notes, err := ResolveFolders(c.ctx, c.dial(c.account()), names)
	if err != nil || len(notes) > 0 || again[models.FolderProcessed] != found[models.FolderProcessed] || again[models.FolderControl] != found[models.FolderControl] {
		c.fail("second look: %v %v %v", again, notes, err)
	}
	list, subs := c.names("LIST"), []string(nil)
	if c.house.subscribed != nil {
		subs, err = c.house.subscribed()
		c.check("subscriptions", err)
	} else {
		subs = c.names("LSUB")
	}
	for _, want := range []string{parent, child, found[models.FolderControl].Name} {
		if !slices.Contains(list, want) || !slices.Contains(subs, want) {
			c.fail("%q is not among %q and subscribed %q", want, list, subs)
		}
	}
	for _, n := range list {
		if strings.HasPrefix(strings.ToUpper(n), "INBOX.INBOX") || strings.HasPrefix(strings.ToUpper(n), "INBOX/INBOX") {
			c.fail("the prefix is doubled: %q", n)
		}
	}
}

// names returns what LIST or LSUB show to a person.
func (c *cell) names(command string) []string {
	var names []string
	for _, r := range c.say(c.hand(), command+` "" "*"`) {
		if i := strings.LastIndex(r.Text, `" `); i >= 0 && len(r.Lits) == 0 {
			names = append(names, imaptest.DecodeName(strings.Trim(r.Text[i+2:], `"`)))
		} else if len(r.Lits) > 0 {
			names = append(names, imaptest.DecodeName(string(r.Lits[0])))
		}
	}
	for i, n := range names { // the last blank may stand within the name
		if j := strings.LastIndex(n, `" "`); j >= 0 {
			names[i] = n[j+3:]
		}
	}
	return names
}

func checkPassword(c *cell) {
	a := c.account()
	a.Secret = func(context.Context) (string, error) { return "wrong", nil }
	l := c.life(a, nil)
	err := l.y.Run(c.ctx)
	var refused *LoginError
	if p, _ := models.PhraseOf(err); p.ID != "sync.stopped" || !errors.As(err, &refused) {
		c.fail("ended with %v", err)
	}
	if made, _ := c.proxy.Connections(); made != 3 {
		c.fail("%d connections for three logins", made)
	}
}

// secure is the account over STARTTLS.
func (c *cell) secure(secureAddr string) Account {
	a := c.account()
	a.URL, a.CAFile, a.ServerName = "imap://"+secureAddr, c.house.caFile, "localhost"
	return a
}

func (c *cell) needsTLS() {
	if c.account(); c.house.secureAddr == "" {
		c.skip("it has no TLS")
	}
}

func checkStartTLS(c *cell) {
	c.needsTLS()
	s := c.dial(c.secure(c.proxy.Addr()))
	_, err := s.Select(c.ctx, "INBOX", false)
	c.check("select", err)
	for _, line := range c.proxy.Sent() {
		if w := strings.Fields(strings.ToUpper(line)); len(w) > 0 && (w[0] == "LOGIN" || w[0] == "AUTHENTICATE" || w[0] == "SELECT") {
			c.fail("%q was sent before TLS", w[0])
		}
	}
}

// unsaid makes sure that nothing was sent which could hold the password.
func (c *cell) unsaid() {
	for _, line := range c.proxy.Sent() {
		if w := strings.Fields(strings.ToUpper(line)); len(w) > 0 && !slices.Contains([]string{"CAPABILITY", "STARTTLS", "LOGOUT", "NOOP"}, w[0]) {
			c.fail("%q was sent", w[0])
		}
	}
}

func (c *cell) refusedAs(a Account, phrase string) {
	s, err := NewDialer(a, nil, nil).Dial(c.ctx)
	if err == nil {
		s.Close()
		c.fail("connected, want %s", phrase)
	}
	if p, _ := models.PhraseOf(err); p.ID != phrase || models.IsTemporary(err) {
		c.fail("%v: told as %s, want %s", err, p.ID, phrase)
	}
	c.unsaid()
}

func checkStartTLSAuthority(c *cell) {
	c.needsTLS()
	a := c.secure(c.proxy.Addr())
	a.CAFile = ""
	c.refusedAs(a, "imap.tls_unknown_ca")
}

func checkStartTLSHidden(c *cell) {
	c.account()
	c.proxy = imaptest.NewProxy(c, c.house.addr, imaptest.ProxyOptions{Hide: []string{"STARTTLS"}})
	c.refusedAs(c.secure(c.proxy.Addr()), "imap.starttls_missing")
}

func checkStartTLSInjected(c *cell) {
	c.account()
	c.proxy = imaptest.NewProxy(c, c.house.addr, imaptest.ProxyOptions{Hide: []string{"STARTTLS"}, Add: []string{"STARTTLS"}})
	c.proxy.Hook(func(m *imaptest.Passage) bool {
		if m.FromServer || m.Command != "STARTTLS" {
			return true
		}
		m.Reply(fmt.Sprintf("%s OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", m.Tag))
		return false
	})
	c.refusedAs(c.secure(c.proxy.Addr()), "imap.starttls_injected")
}

func checkLoginDisabled(c *cell) {
	c.account()
	c.proxy = imaptest.NewProxy(c, c.house.addr, imaptest.ProxyOptions{Hide: []string{"AUTH=*"}, Add: []string{"LOGINDISABLED"}})
	c.refusedAs(c.account(), "imap.login_disabled")
}
