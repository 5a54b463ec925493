package imapsync

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

func quick(a Account) Account {
	a.Timeouts = Timeouts{Greeting: 300 * time.Millisecond, Command: 300 * time.Millisecond, Literal: 5 * time.Second, Poll: 10 * time.Millisecond}
	return a
}

func script(t *testing.T, p imaptest.Profile) (*imaptest.Script, *Conn) {
	t.Helper()
	s := imaptest.NewScript(t, p)
	return s, dialTest(t, quick(account(s.URL())))
}

// neverAsked makes sure that the server was not asked for what go-imap cannot read.
func neverAsked(t *testing.T, s *imaptest.Script) {
	t.Helper()
	for _, c := range s.Commands() {
		for _, bad := range []string{"ENVELOPE", "BODYSTRUCTURE", "RFC822 ", "RFC822)", "BODY[", "CLOSE", "ENABLE", "SEARCH"} {
			if strings.Contains(strings.ReplaceAll(c, "BODY.PEEK[", ""), bad) {
				t.Errorf("the server was sent %q", c)
			}
		}
	}
}

const (
	kept = "kept"
	bad  = "bad"
	gone = "gone"
)

// shape is how a server answers about letter 2, where items are the items asked for and rest what a good server says
// about the letter after its UID.
type shape struct {
	name string
	line func(items, rest string) string
	want string // what becomes of letter 2
}

func shapes() []shape {
	text := func(s string) func(string, string) string {
		return func(string, string) string { return s }
	}
	bodies := func(s string) func(string, string) string { // only when the letter itself is asked for
		return func(items, rest string) string {
			if strings.Contains(items, "BODY") {
				return s
			}
			return "* 2 FETCH (UID 2" + rest + ")\r\n"
		}
	}
	replace := func(old, with string) func(string, string) string {
		return func(_, rest string) string { return "* 2 FETCH (UID 2" + strings.Replace(rest, old, with, 1) + ")\r\n" }
	}
	return []shape{
		{"well-formed", replace("", ""), kept},
		{"body without a value (Yandex)", bodies("* 2 FETCH (UID 2 BODY[HEADER] )\r\n"), bad},
		{"body without a value, more after it", bodies("* 2 FETCH (BODY[HEADER] UID 2 FLAGS ())\r\n"), bad},
		{"body NIL", bodies("* 2 FETCH (UID 2 BODY[HEADER] NIL BODY[TEXT]<0> NIL)\r\n"), bad},
		{"body nil in lower case", bodies("* 2 FETCH (UID 2 BODY[HEADER] nil BODY[TEXT]<0> nil)\r\n"), bad},
		{"body empty", bodies("* 2 FETCH (UID 2 BODY[HEADER] \"\" BODY[TEXT]<0> {0}\r\n)\r\n"), bad},
		{"only flags", bodies("* 2 FETCH (UID 2 FLAGS ())\r\n"), bad},
		{"nothing at all", text(""), gone},
		{"literal too short (Yandex)", bodies("* 2 FETCH (UID 2 BODY[HEADER] {5000}\r\nFrom: x\r\n\r\n)\r\n"), bad},
		{"literal too long", bodies("* 2 FETCH (UID 2 BODY[HEADER] {5}\r\nFrom: x\r\nTo: y\r\n\r\n)\r\n"), bad},
		{"literal of absurd size", bodies("* 2 FETCH (UID 2 BODY[HEADER] {99999999999}\r\nFrom: x\r\n\r\n)\r\n"), bad},
		{"literal beyond 64 bits", bodies("* 2 FETCH (UID 2 BODY[HEADER] {99999999999999999999999}\r\n)\r\n"), bad},
		{"header quoted", bodies("* 2 FETCH (UID 2 BODY[HEADER] \"Subject: \\\"q\\\" * 9 FETCH (\" BODY[TEXT]<0> \"t\")\r\n"), kept},
		{"literal8", bodies("* 2 FETCH (UID 2 BODY[HEADER] ~{12}\r\nSubject: x\r\n BODY[TEXT]<0> ~{1}\r\nt)\r\n"), kept},
		{"UID after the literal", func(_, rest string) string { return "* 2 FETCH (" + strings.TrimPrefix(rest, " ") + " UID 2)\r\n" }, kept},
		{"unsolicited flags first", func(_, rest string) string {
			return "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 2" + rest + ")\r\n"
		}, kept},
		{"unsolicited flags after", func(_, rest string) string {
			return "* 2 FETCH (UID 2" + rest + ")\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"
		}, kept},
		{"twice", func(_, rest string) string { return strings.Repeat("* 2 FETCH (UID 2"+rest+")\r\n", 2) }, kept},
		{"in two lines", func(items, rest string) string {
			i := strings.Index(rest, " INTERNALDATE")
			return "* 2 FETCH (UID 2" + rest[:i] + ")\r\n* 2 FETCH (UID 2" + rest[i:] + ")\r\n"
		}, kept},
		{"expunge and exists between", func(_, rest string) string {
			return "* 7 EXPUNGE\r\n* 4 EXISTS\r\n* OK still here\r\n* 2 FETCH (UID 2" + rest + ")\r\n* BAD what\r\n"
		}, kept},
		{"no blank before the list", func(_, rest string) string { return "* 2 FETCH(UID 2" + rest + ")\r\n" }, kept},
		{"lower case", func(_, rest string) string { return "* 2 fetch (uid 2" + strings.ToLower(rest) + ")\r\n" }, kept},
		{"date in the year 1", replace(`INTERNALDATE "`, `INTERNALDATE "01-Jan-0001 00:00:00 +0000" X "`), kept},
		{"date junk", replace(`INTERNALDATE "`, `INTERNALDATE "00-XXX-0000 00:00:00 +0000" X "`), kept},
		{"date NIL", replace(`INTERNALDATE "`, `INTERNALDATE NIL X "`), kept},
		{"date with one digit", replace(`INTERNALDATE "`, `INTERNALDATE "1-Jan-2020 00:00:00 +0000" X "`), kept},
		{"flags with brackets", replace("FLAGS ()", `FLAGS (\Seen [foo])`), kept},
		{"flags in Russian", replace("FLAGS ()", `FLAGS (\Seen Срочно)`), kept},
		{"flags in cp1251", replace("FLAGS ()", "FLAGS (\\Seen \xd1\xf0\xee\xf7)"), kept},
		{"flags quoted", replace("FLAGS ()", `FLAGS (\Seen "a b")`), kept},
		{"flags NIL", replace("FLAGS ()", `FLAGS NIL`), kept},
		{"flags with a brace", replace("FLAGS ()", `FLAGS ({5} \Seen)`), kept},
		{"size NIL", replace("RFC822.SIZE ", "RFC822.SIZE NIL X-SIZE "), kept},
		{"size beyond 64 bits", replace("RFC822.SIZE ", "RFC822.SIZE 99999999999999999999 X-SIZE "), kept},
		{"X-GM-MSGID", replace(" FLAGS", " X-GM-MSGID 1278455344230334865 X-GM-LABELS (\"\\\\Sent\" foo) FLAGS"), kept},
		{"EMAILID", replace(" FLAGS", " EMAILID (M6d99ac3275bb4e) THREADID NIL SAVEDATE NIL PREVIEW {3}\r\nabc FLAGS"), kept},
		{"BODYSTRUCTURE of Mail.ru", replace(" FLAGS", ` BODYSTRUCTURE (("text" "plain" NIL NIL NIL "8bit" 9.3736e+06 0) "mixed" ("boundary" NIL)) FLAGS`), kept},
		{"ENVELOPE NIL", replace(" FLAGS", ` ENVELOPE NIL FLAGS`), kept},
		{"ENVELOPE with nine fields", replace(" FLAGS", ` ENVELOPE (NIL "s" NIL NIL NIL NIL NIL NIL NIL) FLAGS`), kept},
		{"BODYSTRUCTURE with a boundary NIL (Mail.ru)", replace(" FLAGS", ` BODYSTRUCTURE (("text" "plain" NIL NIL NIL "8bit" 1 0) "mixed" ("boundary" NIL) NIL NIL) FLAGS`), kept},
		{"BODYSTRUCTURE with a float (Mail.ru)", replace(" FLAGS", ` BODYSTRUCTURE ("text" "plain" NIL NIL NIL "8bit" 9.3736e+06 12) FLAGS`), kept},
		{"BODYSTRUCTURE with four quotes (163.com)", replace(" FLAGS", ` BODYSTRUCTURE ("text" "plain" ("name" """") NIL NIL "8bit" 1 1) FLAGS`), kept},
		{"BODYSTRUCTURE closed too early (Yandex)", bodies("* 2 FETCH (UID 2 BODYSTRUCTURE (\"text\" \"plain\")) NIL NIL) BODY[HEADER] {4}\r\nA: b)\r\n"), bad},
		{"BODYSTRUCTURE NIL", replace(" FLAGS", ` BODYSTRUCTURE NIL FLAGS`), kept},
		{"BODYSTRUCTURE of an empty multipart (hoodiecrow, gluon)", replace(" FLAGS", ` BODYSTRUCTURE ("mixed" ("boundary" "b") NIL NIL) FLAGS`), kept},
		{"RFC822 that nobody asked for", replace(" FLAGS", " RFC822 {6}\r\na\r\nb\r\n RFC822.HEADER NIL FLAGS"), kept},
		{"size 0", replace("RFC822.SIZE ", "RFC822.SIZE 0 X-SIZE "), kept},
		{"ENVELOPE with a literal", replace(" FLAGS", " ENVELOPE (NIL {5}\r\na)\"b( ((NIL NIL {1}\r\nx NIL)) NIL) FLAGS"), kept},
		{"ENVELOPE with a wrong quote", bodies("* 2 FETCH (UID 2 ENVELOPE (\"d\" \"bad\"quote\" NIL) BODY[HEADER] {4}\r\nA: b)\r\n"), bad},
		{"line end within quotes", bodies("* 2 FETCH (UID 2 BODY[HEADER] \"A: b\r\nC: d\")\r\n"), bad},
		{"list without an end", bodies("* 2 FETCH (UID 2 FLAGS (\\Seen\r\n"), bad},
		{"a thousand parentheses", bodies("* 2 FETCH (UID 2 X " + strings.Repeat("(", 1000) + ")\r\n"), bad},
		{"line of two megabytes", bodies("* 2 FETCH (UID 2 X " + strings.Repeat("y", 2<<20) + ")\r\n"), bad},
		{"number out of range", func(_, rest string) string { return "* 99999999999 FETCH (UID 2" + rest + ")\r\n" }, kept},
		{"UID out of range", bodies("* 2 FETCH (UID 99999999999 FLAGS ())\r\n"), bad},
		{"connection closed", func(items, rest string) string {
			if strings.Contains(items, "BODY") {
				return "CLOSE"
			}
			return "* 2 FETCH (UID 2" + rest + ")\r\n"
		}, bad},
	}
}

// answerShape makes the server answer about letter 2 in the given way.
func answerShape(s *imaptest.Script, p imaptest.Profile, sh shape) {
	s.On("UID FETCH", func(turn *imaptest.Turn) bool {
		items := strings.Join(turn.Args[3:], " ")
		for _, l := range s.Letters("INBOX") {
			if !slices.Contains(expand(turn.Args[2]), l.UID) {
				continue
			}
			rest := string(imaptest.FetchItems(p, items, l))
			line := fmt.Sprintf("* %d FETCH (UID %d%s)\r\n", l.UID, l.UID, rest)
			if l.UID == 2 {
				line = sh.line(items, rest)
			}
			if line == "CLOSE" {
				turn.Close()
				return true
			}
			turn.Printf("%s", line)
		}
		turn.Printf("%s OK done\r\n", turn.Tag)
		return true
	})
}

func expand(set string) []uint32 { return expandSet(set, 1000) }

func TestFetchShapes(t *testing.T) {
	t.Parallel()
	for _, sh := range shapes() {
		t.Run(sh.name, func(t *testing.T) {
			t.Parallel()
			p := imaptest.Plain()
			s, c := script(t, p)
			for i := range 5 {
				s.Deliver("INBOX", letter(i+1))
			}
			must[Selected](t)(c.Select(t.Context(), "INBOX", false))
			answerShape(s, p, sh)
			ans := must[FetchAnswer](t)(c.Fetch(t.Context(), []uint32{1, 2, 3, 4, 5}, 1000))
			fate := gone
			for _, l := range ans.Letters {
				if l.UID == 2 {
					fate = kept
				}
			}
			if len(ans.Bad) > 0 {
				fate = bad
				if ans.Bad[0].UID != 2 || len(ans.Bad) > 1 {
					t.Errorf("bad: %+v", ans.Bad)
				}
			}
			if fate != sh.want {
				t.Errorf("letter 2 is %s, want %s: %+v", fate, sh.want, ans)
			}
			if n := len(ans.Letters) + len(ans.Gone) + len(ans.Bad); n != 5 {
				t.Errorf("%d of 5 letters are accounted for", n)
			}
			for _, l := range ans.Letters {
				if l.UID != 2 && string(l.Header)+string(l.Text) != string(letter(int(l.UID))) {
					t.Errorf("letter %d changed: %q %q", l.UID, l.Header, l.Text)
				}
				for _, f := range l.Flags {
					if strings.ToValidUTF8(f, "") != f {
						t.Errorf("flag %q", f)
					}
				}
			}
			if c.Dead() {
				t.Error("the session is dead")
			}
			neverAsked(t, s)
		})
	}
}

func TestLinesThatMeanNothing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"* VANISHED 1:3", "* VANISHED (EARLIER) 1:3", "* XFOO bar", "* XFOO {3}\r\nabc baz", "+ stray", "+", "", " ", "*", "* ", "* OK", "* OK ",
		"* OK [half text", "* OK [", "* OK []", "* OK [UIDNEXT]", "* OK [UIDVALIDITY abc] x", "* OK [COPYUID 1  ] moved",
		"* OK [COPYUID 1 2 3:1] x", "* OK [HIGHESTMODSEQ 0] x", "* OK [PERMANENTFLAGS ([x] \\*)] x", "* NO [ALERT] quota",
		"* LIST () \"/\" \"\xd1\xf7\xe5\xf2\"", "* LIST () \"/\" \"R&D\"", "* LIST () \"\" \"x\"", "* LIST", "* STATUS x (MESSAGES NIL)",
		"* STATUS \"R&D\" (MESSAGES 1)", "* FLAGS (\\Seen [x])", "* FLAGS", "* CAPABILITY", "* CAPABILITY IMAP4rev1 MOVE (x) \"y\"",
		"* 99999999999 EXISTS", "* -1 EXISTS", "* 5", "* 5 ", "* 1 FETCH", "* 1 FETCH (", "* 1 FETCH (ENVELOPE NIL)", "* 1 FETCH ()", "* 1 FETCH NIL",
		"* SEARCH 1 2 x", "* SORT", "ZZZ9 OK hm", "T99999 OK hm", "T1", "T1 MAYBE x", "* ENABLED QRESYNC", "* XLIST (\\Inbox) \"/\" INBOX",
		"* NAMESPACE NIL", "* METADATA x", "* ID NIL", "* PREAUTH hello", "\x00\x01\x02", "* OK \x00\xff", strings.Repeat("x", 3<<20),
		"* OK text {5}", "* NO {99}", "[COPYUID 1 2 3]", "[", "* [", "* 1 FETCH (BODY[HEADER] {3}\r\nabc)", "DONE", "* 3 RECENT", "* 0 EXPUNGE",
	} {
		t.Run(fmt.Sprintf("%.30q", line), func(t *testing.T) {
			t.Parallel()
			s, c := script(t, imaptest.Plain())
			s.Once("NOOP", imaptest.Answer(line+"\r\nTAG OK done\r\n"))
			if err := errors.Join(c.noop(t.Context()), c.noop(t.Context())); err != nil {
				t.Fatal(err)
			}
			if st, err := c.Status(t.Context(), "INBOX"); err != nil || st.UIDNext != 1 {
				t.Errorf("afterwards: %+v %v", st, err)
			}
		})
	}
}

func TestListShapes(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	s.Once("LIST", imaptest.Answer(strings.Join([]string{
		`* LIST () "/" INBOX`, `* LIST (\Sent) "/" "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"`, "* LIST () \"/\" \"\xd1\xf7\xe5\xf2\"", `* LIST () "/" "R&D"`,
		`* LIST () "/" "&BBI-&BD0-"`, `* LIST () "/" "Входящие счета"`, `* LIST () "" flat`, `* LIST () NIL nil`, `* LIST (\Noselect) "/" parent`,
		`* LIST (\NonExistent) "/" was`, "* LIST () \"/\" {5}\r\na b\"c", `* LIST () "/" a[b]`, `* LIST () "\\" "back"`, `* LIST () / x`,
		`* LIST () "/" "a&-b"`, `* LIST () "/" "Sent" ("CHILDINFO" ("SUBSCRIBED"))`, `TAG OK done`,
	}, "\r\n")+"\r\n"))
	list := must[[]Listed](t)(c.List(t.Context()))
	var names []string
	for _, f := range list {
		names = append(names, f.Name+"|"+f.Delimiter)
	}
	want := []string{"INBOX|/", "Отправленные|/", "Входящие счета|/", "flat|", "nil|", "a b\"c|/", "a[b]|/", `back|\`, "x|/", "a&b|/", "Sent|/"}
	if !slices.Equal(names, want) {
		t.Errorf("got  %q\nwant %q", names, want)
	}
	s.Once("LIST", imaptest.Answer("TAG OK done\r\n"))
	if _, _, err := ResolveFolders(t.Context(), c, Names{}); !models.IsTemporary(err) {
		t.Errorf("empty list: %v", err)
	}
}

func TestSelectShapes(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.NoUIDPlus())
	s.Deliver("INBOX", letter(1))
	sel := must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	if sel.UIDNext != 2 || sel.Keywords || sel.ReadOnly {
		t.Errorf("no UIDNEXT: %+v", sel)
	}
	s.On("STATUS", imaptest.Answer("TAG BAD no\r\n"))
	if sel = must[Selected](t)(c.Select(t.Context(), "INBOX", true)); sel.UIDNext != 2 || !sel.ReadOnly {
		t.Errorf("no STATUS either: %+v", sel)
	}
	s.SetReadOnly("INBOX")
	if sel = must[Selected](t)(c.Select(t.Context(), "INBOX", false)); !sel.ReadOnly {
		t.Errorf("read-only: %+v", sel)
	}
	big := "* 3 EXISTS\r\n* OK [UIDVALIDITY 1666390893380] x\r\n* OK [UIDNEXT 7] x\r\n* OK [PERMANENTFLAGS (\\Seen [x] \\*)] x\r\nTAG OK [READ-WRITE] x\r\n"
	s.On("SELECT", imaptest.Answer(big))
	a := must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	b := must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	if a != b || a.UIDValidity == 0 || a.UIDNext != 7 || !a.Keywords {
		t.Errorf("long UIDVALIDITY: %+v %+v", a, b)
	}
	s.On("SELECT", imaptest.Answer("* 0 EXISTS\r\nTAG OK x\r\n"))
	if sel = must[Selected](t)(c.Select(t.Context(), "INBOX", false)); sel.UIDValidity != 1 || sel.UIDNext != 1 {
		t.Errorf("nothing told: %+v", sel)
	}
	s.On("SELECT", imaptest.Answer("TAG NO [NONEXISTENT] gone\r\n"))
	var refused *StatusError
	if _, err := c.Select(t.Context(), "INBOX", false); !errors.As(err, &refused) || refused.Code != "NONEXISTENT" {
		t.Errorf("refused: %v", err)
	}
}

func TestYandex(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Yandex())
	folders, notes, err := ResolveFolders(t.Context(), c, Names{Processed: "Продажи/Готово"})
	if err != nil {
		t.Fatal(err)
	}
	if folders[models.FolderSent].Name != "Отправленные" || folders[models.FolderProcessed].Name != "Продажи|Готово" || folders[models.FolderInbox].Delimiter != "|" {
		t.Errorf("folders %v %v", folders, notes)
	}
	if _, subs := s.Folders(); !slices.Equal(subs, []string{"На контроле", "Продажи", "Продажи|Готово"}) {
		t.Errorf("subscribed %q", subs)
	}
	if !slices.Contains(s.Commands(), `XLIST "" "*"`) {
		t.Errorf("no XLIST: %q", s.Commands())
	}
	s.On("XLIST", imaptest.Answer("TAG BAD no such command\r\n"))
	if again, _, err := ResolveFolders(t.Context(), c, Names{Processed: "Продажи/Готово"}); err != nil || again[models.FolderSent].Name != "Отправленные" {
		t.Errorf("by name: %v %v", again, err)
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.Once("NOOP", func(turn *imaptest.Turn) bool {
		for range 50 {
			turn.Printf("* BYE Autologout; idle for too long\r\n")
		}
		turn.Hang()
		return true
	})
	start := time.Now()
	err = c.noop(t.Context())
	if !models.IsTemporary(err) || !strings.Contains(err.Error(), "Autologout") || !c.Dead() || time.Since(start) > 3*time.Second {
		t.Errorf("endless BYE: %v after %v", err, time.Since(start))
	}
	neverAsked(t, s)
}

func TestMailRu(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.MailRu())
	sel := must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	if sel.Keywords || !c.Caps().Idle {
		t.Errorf("selected %+v, caps %+v", sel, c.Caps())
	}
	if changed := must[bool](t)(c.Idle(t.Context(), 30*time.Millisecond, nil)); changed || c.Caps().Idle {
		t.Errorf("changed %v, caps %+v", changed, c.Caps())
	}
	s.Deliver("INBOX", letter(1))
	if changed := must[bool](t)(c.Idle(t.Context(), 5*time.Second, nil)); !changed {
		t.Error("polling noticed nothing")
	}
	if n := strings.Count(strings.Join(s.Commands(), "\n"), "IDLE"); n != 1 {
		t.Errorf("IDLE was sent %d times", n)
	}
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), []uint32{1}, 100))
	if len(ans.Letters) != 1 {
		t.Errorf("fetch %+v", ans)
	}
	neverAsked(t, s)
}

func TestExchange(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Exchange())
	folders, _, err := ResolveFolders(t.Context(), c, Names{})
	if err != nil || folders[models.FolderSent].Name != "Sent Items" {
		t.Fatalf("%v %v", folders, err)
	}
	s.Deliver("INBOX", letter(1))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	if ans := must[FetchAnswer](t)(c.Fetch(t.Context(), []uint32{1}, 100)); len(ans.Letters) != 1 || string(ans.Letters[0].Text) != "body 1\r\n" {
		t.Errorf("fetch with an estimated size: %+v", ans)
	}
	if to := must[CopyUID](t)(c.Move(t.Context(), 1, defaultProcessed)); to.UID != 1 || to.UIDValidity == 0 {
		t.Errorf("bare COPYUID: %+v", to)
	}
	if err := c.Create(t.Context(), defaultProcessed); err != nil {
		t.Errorf("create what exists: %v", err)
	}
	s.Once("NOOP", func(turn *imaptest.Turn) bool {
		turn.Printf("* BYE Request is throttled. Suggested Backoff Time: 2000 milliseconds\r\n")
		turn.Close()
		return true
	})
	err = c.noop(t.Context())
	if RetryAfter(err) != 2*time.Second || !models.IsTemporary(err) || phraseOf(t, err) != "imap.busy" {
		t.Errorf("throttled: %v, retry after %v", err, RetryAfter(err))
	}
}

func TestServerEndsIdle(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.Once("IDLE", imaptest.Answer("+ idling\r\nTAG OK IDLE terminated\r\n"))
	go func() {
		for !slices.Contains(s.Commands(), "NOOP") { // comes when the end of IDLE has been noticed
			runtime.Gosched()
		}
		s.Deliver("INBOX", letter(1))
	}()
	start := time.Now()
	if changed := must[bool](t)(c.Idle(t.Context(), time.Minute, nil)); !changed || time.Since(start) > time.Second {
		t.Errorf("after the end of idle: changed %v after %v", changed, time.Since(start))
	}
	if slices.Contains(s.Commands()[:len(s.Commands())-1], "DONE") || s.Connections() != 1 || !c.Caps().Idle {
		t.Errorf("commands %v, %d connections, caps %+v", s.Commands(), s.Connections(), c.Caps())
	}
}

func TestServerEndsIdleAtOnceEachTime(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.On("IDLE", imaptest.Answer("+ idling\r\nTAG OK IDLE terminated\r\n"))
	if changed := must[bool](t)(c.Idle(t.Context(), 100*time.Millisecond, nil)); changed || c.Dead() || c.Caps().Idle {
		t.Errorf("changed %v, dead %v, caps %+v", changed, c.Dead(), c.Caps())
	}
	s.Deliver("INBOX", letter(1))
	if changed := must[bool](t)(c.Idle(t.Context(), 5*time.Second, nil)); !changed {
		t.Error("polling noticed nothing")
	}
	if n := strings.Count(strings.Join(s.Commands(), "\n"), "IDLE"); n != shortIdles || s.Connections() != 1 {
		t.Errorf("%d times IDLE, %d connections", n, s.Connections())
	}
}

func TestMoveIsNothingElse(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.NoMove())
	s.Deliver("INBOX", letter(1))
	s.Deliver("INBOX", letter(2), `\Deleted`)
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	if _, err := c.Move(t.Context(), 1, "Sent"); err == nil {
		t.Error("moved without MOVE")
	}
	c.caps.Move = true // as if the capability had been withdrawn between two commands
	if _, err := c.Move(t.Context(), 1, "Нет такой"); err == nil || !c.Dead() {
		t.Errorf("go-imap's substitute for MOVE: %v", err)
	}
	for _, cmd := range s.Commands() {
		if strings.HasPrefix(cmd, "UID COPY") || strings.HasPrefix(cmd, "UID STORE") || strings.Contains(cmd, "EXPUNGE") {
			t.Errorf("sent %q", cmd)
		}
	}
	if n := len(s.Letters("INBOX")); n != 2 {
		t.Errorf("%d letters left", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.NoMove())
	s.Deliver("INBOX", letter(1))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	var refused *StatusError
	if _, err := c.Copy(t.Context(), 1, "Нет такой"); !errors.As(err, &refused) || refused.Code != "TRYCREATE" {
		t.Errorf("copy: %v", err)
	}
	s.SetFull("Sent", true)
	if _, err := c.Copy(t.Context(), 1, "Sent"); !errors.As(err, &refused) || refused.Code != "OVERQUOTA" || c.Dead() {
		t.Errorf("copy: %v", err)
	}
	if _, err := c.Append(t.Context(), "Sent", []string{"not ok"}, time.Time{}, letter(1)); err == nil || c.Dead() {
		t.Errorf("bad flag: %v", err)
	}
	if _, err := c.Append(t.Context(), "Sent", nil, time.Time{}, letter(1)); !errors.As(err, &refused) || refused.Code != "OVERQUOTA" || !c.Dead() {
		t.Errorf("append: %v", err)
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	for _, cmd := range []string{"NOOP", "STATUS", "IDLE", "UID COPY", "APPEND"} {
		t.Run(cmd, func(t *testing.T) {
			t.Parallel()
			s, c := script(t, imaptest.Plain())
			must[Selected](t)(c.Select(t.Context(), "INBOX", false))
			s.On(cmd, imaptest.Hang)
			ctx := t.Context()
			err := map[string]func() error{
				"NOOP":     func() error { return c.noop(ctx) },
				"STATUS":   func() error { _, err := c.Status(ctx, "Sent"); return err },
				"IDLE":     func() error { _, err := c.Idle(ctx, time.Minute, nil); return err },
				"UID COPY": func() error { _, err := c.Copy(ctx, 1, "Sent"); return err },
				"APPEND":   func() error { _, err := c.Append(ctx, "Sent", nil, time.Time{}, letter(1)); return err },
			}[cmd]()
			if !models.IsTemporary(err) || !c.Dead() || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, dead %v", err, c.Dead())
			}
		})
	}
}

func TestContextEndsEverything(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	ctx, cancel := context.WithCancel(t.Context())
	s.Once("NOOP", func(turn *imaptest.Turn) bool { cancel(); turn.Hang(); return true })
	if err := c.noop(ctx); !errors.Is(err, context.Canceled) || !c.Dead() {
		t.Errorf("canceled: %v", err)
	}
}
