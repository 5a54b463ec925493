package imapsync

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// saying is what a server says to a command beyond or against the standard, and what must come of it.
type saying struct {
	name    string
	command string // the command it is the answer to
	answer  string // TAG stands for the command's tag
	want    string // for the document
	check   func(t *testing.T, s *imaptest.Script, c *Conn)
}

// moved moves letter 1 to Sent and wants the given answer.
func moved(want CopyUID) func(*testing.T, *imaptest.Script, *Conn) {
	return func(t *testing.T, _ *imaptest.Script, c *Conn) {
		if got, err := c.Move(t.Context(), 1, "Sent"); err != nil || got != want {
			t.Errorf("moved to %+v, %v; want %+v", got, err, want)
		}
		alive(t, c)
	}
}

func alive(t *testing.T, c *Conn) {
	t.Helper()
	if err := c.noop(t.Context()); err != nil || c.Dead() {
		t.Errorf("afterwards: %v, dead %v", err, c.Dead())
	}
}

// listedAs wants LIST to give these names.
func listedAs(want ...string) func(*testing.T, *imaptest.Script, *Conn) {
	return func(t *testing.T, _ *imaptest.Script, c *Conn) {
		list, err := c.List(t.Context())
		var names []string
		for _, f := range list {
			names = append(names, f.Name+"|"+f.Delimiter)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("listed %q, %v; want %q", names, err, want)
		}
		alive(t, c)
	}
}

// harmless wants a NOOP to succeed and the connection to work on.
func harmless(t *testing.T, _ *imaptest.Script, c *Conn) {
	alive(t, c)
	if sel, err := c.Select(t.Context(), "INBOX", false); err != nil || sel.Messages != 2 {
		t.Errorf("afterwards: %+v, %v", sel, err)
	}
}

// ended wants a NOOP to fail with words of the server's, and the connection to be given up.
func ended(words string) func(*testing.T, *imaptest.Script, *Conn) {
	return func(t *testing.T, _ *imaptest.Script, c *Conn) {
		start := time.Now()
		if err := c.noop(t.Context()); !models.IsTemporary(err) || !strings.Contains(err.Error(), words) || !c.Dead() || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %v, dead %v", err, time.Since(start), c.Dead())
		}
	}
}

// sayings are the rows of interop.md section 3 that are not about the answer to FETCH; those are in shapes.
func sayings() []saying {
	inbox := "* LIST () \"/\" INBOX\r\n"
	list := []saying{
		{"COPYUID on a line of its own (Exchange 2013, Microsoft 365, home.pl)", "UID MOVE", "[COPYUID 1001 1 7]\r\n* 1 EXPUNGE\r\nTAG OK MOVE completed.\r\n", "read", moved(CopyUID{1001, 7})},
		{"COPYUID after the star, without OK", "UID MOVE", "* [COPYUID 1001 1 7]\r\nTAG OK done\r\n", "read", moved(CopyUID{1001, 7})},
		{"COPYUID with empty sets (hoodiecrow, memory server)", "UID MOVE", "* OK [COPYUID 1001  ] moved\r\nTAG OK done\r\n", "not believed; the letter is looked for", moved(CopyUID{})},
		{"COPYUID of another letter", "UID MOVE", "* OK [COPYUID 1001 5 7] moved\r\nTAG OK done\r\n", "not believed; the letter is looked for", moved(CopyUID{})},
		{"COPYUID in the tagged answer", "UID MOVE", "* 1 EXPUNGE\r\nTAG OK [COPYUID 1001 1 7] done\r\n", "read", moved(CopyUID{1001, 7})},
		{"LIST name in raw cp1251", "LIST", inbox + "* LIST () \"/\" \"\xd1\xf7\xe5\xf2\"\r\nTAG OK\r\n", "this line is left out", listedAs("INBOX|/")},
		{"LIST name with a bare ampersand", "LIST", inbox + "* LIST () \"/\" \"R&D\"\r\nTAG OK\r\n", "this line is left out", listedAs("INBOX|/")},
		{"LIST name with a null shift", "LIST", inbox + "* LIST () \"/\" \"&BBI-&BD0-\"\r\nTAG OK\r\n", "this line is left out", listedAs("INBOX|/")},
		{"LIST delimiter empty", "LIST", inbox + "* LIST () \"\" flat\r\nTAG OK\r\n", "no levels", listedAs("INBOX|/", "flat|")},
		{"LIST quotes not escaped (hoodiecrow)", "LIST", inbox + "* LIST () \"/\" \"a\"b\"\r\nTAG OK\r\n", "this line is left out or read to the quote", nil},
		{"LIST name in raw UTF-8", "LIST", inbox + "* LIST () \"/\" \"Счета\"\r\nTAG OK\r\n", "read", listedAs("INBOX|/", "Счета|/")},
		{"LIST answered by a folder that no longer exists", "LIST", inbox + "* LIST (\\NonExistent \\Subscribed) \"/\" was\r\nTAG OK\r\n", "left out", listedAs("INBOX|/")},
		{"STATUS name with a bare ampersand", "NOOP", "* STATUS \"R&D\" (MESSAGES 1)\r\nTAG OK\r\n", "ignored", harmless},
		{"STATUS value NIL", "NOOP", "* STATUS x (MESSAGES NIL)\r\nTAG OK\r\n", "ignored", harmless},
		{"untagged response nobody knows", "NOOP", "* XFOO {3}\r\nabc \"x\r\nTAG OK\r\n", "ignored", harmless},
		{"VANISHED", "NOOP", "* VANISHED (EARLIER) 1:3\r\nTAG OK\r\n", "ignored", harmless},
		{"empty line", "NOOP", "\r\n\r\nTAG OK\r\n", "ignored", harmless},
		{"stray continuation request", "NOOP", "+ go on\r\nTAG OK\r\n", "ignored", harmless},
		{"EXISTS beyond 32 bits", "NOOP", "* 99999999999 EXISTS\r\nTAG OK\r\n", "ignored", harmless},
		{"tag that nobody has used", "NOOP", "ZZ9 OK hm\r\nT99999 NO hm\r\nTAG OK\r\n", "ignored", harmless},
		{"bracket that is never closed", "NOOP", "* OK [text without end\r\n* 2 EXISTS\r\nTAG OK [half\r\n", "only its own line is lost", harmless},
		{"two hundred EXPUNGE lines before an answer", "UID COPY", strings.Repeat("* 1 EXPUNGE\r\n", 200) + "TAG OK [COPYUID 1001 1 7] done\r\n", "no deadlock", copied200},
		{"untagged NO with ALERT", "NOOP", "* NO [ALERT] quota is nearly used up\r\nTAG NO sorry\r\n", "the words are kept", alerted},
		{"BYE with the line kept open", "NOOP", "* BYE Autologout; idle for too long\r\n", "given up within a second, the words are kept", ended("Autologout")},
		{"BYE with a pause asked for (Microsoft 365)", "NOOP", "* BYE Request is throttled. Suggested Backoff Time: 4000 milliseconds\r\n", "the pause is kept", throttled},
		{"IDLE ended by the server with OK", "IDLE", "+ idling\r\nTAG OK done\r\n", "asked for again on the same connection; polled after three such ends", idleOver},
		{"IDLE answered with BAD (Mail.ru)", "IDLE", "TAG BAD [CLIENTBUG] Unrecognised command\r\n", "polls instead", idleRefused},
		{"SELECT without UIDNEXT (Courier)", "SELECT", "* 2 EXISTS\r\n* OK [UIDVALIDITY 1000] x\r\nTAG OK [READ-WRITE] x\r\n", "asked with STATUS", nextAsked},
		{"UIDVALIDITY beyond 32 bits", "SELECT", "* 2 EXISTS\r\n* OK [UIDVALIDITY 1666390893380] x\r\n* OK [UIDNEXT 3] x\r\nTAG OK x\r\n", "folded, always to the same number", selectedTwice},
		{"refusal without a code (Exchange, Cyrus, Courier)", "UID COPY", "TAG NO Over quota\r\n", "a refusal, the connection lives", refusedCopy},
		{"BAD although logged in (Microsoft 365)", "NOOP", "TAG BAD User is authenticated but not connected.\r\n", "a refusal, the connection lives", refusedNoop},
		{"UID MOVE not permitted (Zimbra)", "UID MOVE", "TAG BAD command not permitted with UID\r\n", "a refusal, nothing is removed", refusedMove},
	}
	return list
}

func copied200(t *testing.T, _ *imaptest.Script, c *Conn) {
	if got, err := c.Copy(t.Context(), 1, "Sent"); err != nil || got.UID != 7 {
		t.Errorf("copied to %+v, %v", got, err)
	}
	alive(t, c)
}

func alerted(t *testing.T, _ *imaptest.Script, c *Conn) {
	var refused *StatusError
	if err := c.noop(t.Context()); !errors.As(err, &refused) || !strings.Contains(refused.Text, "quota is nearly used up") || c.Dead() {
		t.Errorf("%v, dead %v", err, c.Dead())
	}
}

func throttled(t *testing.T, _ *imaptest.Script, c *Conn) {
	if err := c.noop(t.Context()); RetryAfter(err) != 4*time.Second || !c.Dead() {
		t.Errorf("%v, pause %v", err, RetryAfter(err))
	}
}

func idleOver(t *testing.T, _ *imaptest.Script, c *Conn) {
	if _, err := c.Idle(t.Context(), 200*time.Millisecond, nil); err != nil || c.Dead() || c.Caps().Idle {
		t.Errorf("%v, dead %v, caps %+v", err, c.Dead(), c.Caps())
	}
	alive(t, c)
}

func idleRefused(t *testing.T, _ *imaptest.Script, c *Conn) {
	if changed, err := c.Idle(t.Context(), 30*time.Millisecond, nil); err != nil || changed || c.Caps().Idle {
		t.Errorf("changed %v, %v, caps %+v", changed, err, c.Caps())
	}
	alive(t, c)
}

func nextAsked(t *testing.T, _ *imaptest.Script, c *Conn) {
	if sel, err := c.Select(t.Context(), "INBOX", false); err != nil || sel.UIDNext != 3 {
		t.Errorf("selected %+v, %v", sel, err)
	}
}

func selectedTwice(t *testing.T, _ *imaptest.Script, c *Conn) {
	a, err := c.Select(t.Context(), "INBOX", false)
	b, err2 := c.Select(t.Context(), "INBOX", false)
	if errors.Join(err, err2) != nil || a != b || a.UIDValidity == 0 {
		t.Errorf("selected %+v and %+v, %v", a, b, errors.Join(err, err2))
	}
}

func refusedCopy(t *testing.T, _ *imaptest.Script, c *Conn) {
	if _, err := c.Copy(t.Context(), 1, "Sent"); !refused(err) {
		t.Errorf("copy: %v", err)
	}
	alive(t, c)
}

func refusedNoop(t *testing.T, _ *imaptest.Script, c *Conn) {
	if err := c.noop(t.Context()); !refused(err) || c.Dead() {
		t.Errorf("noop: %v, dead %v", err, c.Dead())
	}
}

func refusedMove(t *testing.T, s *imaptest.Script, c *Conn) {
	if _, err := c.Move(t.Context(), 1, "Sent"); !refused(err) || len(s.Letters("INBOX")) != 2 {
		t.Errorf("move: %v, %d letters left", err, len(s.Letters("INBOX")))
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, sh := range sayings() {
		t.Run(sh.name, func(t *testing.T) {
			t.Parallel()
			s, c := script(t, imaptest.Plain())
			s.Deliver("INBOX", letter(1))
			s.Deliver("INBOX", letter(2))
			must[Selected](t)(c.Select(t.Context(), "INBOX", false))
			first := true
			s.On(sh.command, func(turn *imaptest.Turn) bool {
				if sh.command == "NOOP" && !first {
					return false
				}
				first = false
				turn.Printf("%s", strings.ReplaceAll(sh.answer, "TAG", turn.Tag))
				if !strings.Contains(sh.answer, "TAG") {
					turn.Hang()
				}
				return true
			})
			if sh.check != nil {
				sh.check(t, s, c)
				return
			}
			if _, err := c.List(t.Context()); err != nil {
				t.Error(err)
			}
			alive(t, c)
		})
	}
}

// TestOwnMistakesStayAtHome: what go-imap would choke on is refused before it gets there.
func TestOwnMistakesStayAtHome(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	s.Deliver("INBOX", letter(1))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	before := len(s.Commands())
	ctx := t.Context()
	if ans, err := c.Fetch(ctx, nil, 10); err != nil || len(ans.Letters)+len(ans.Bad)+len(ans.Gone) > 0 {
		t.Errorf("nothing asked for: %+v %v", ans, err)
	}
	_, moveErr := c.Move(ctx, 0, "Sent")
	_, copyErr := c.Copy(ctx, 0, "Sent")
	for _, flag := range []string{"Срочно", "two words", "", "a(b", `\`} {
		if _, err := c.Append(ctx, "Sent", []string{flag}, time.Time{}, letter(1)); err == nil {
			t.Errorf("the flag %q was sent", flag)
		}
	}
	for _, err := range []error{moveErr, copyErr, c.MarkDeleted(ctx, 0), c.Expunge(ctx, 0)} {
		if err == nil {
			t.Error("UID 0 was sent")
		}
	}
	if n := len(s.Commands()); n != before {
		t.Errorf("%q was sent", s.Commands()[before:])
	}
	alive(t, c)
}

const (
	shapesBegin = "<!-- shapes: begin -->\n"
	shapesEnd   = "<!-- shapes: end -->\n"
)

// TestShapesAreInTheDocument keeps the list in docs/interop.md; KONTROL_INTEROP=write writes it.
func TestShapesAreInTheDocument(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\n| a server says | what comes of it | test |\n|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\\", `\\`)
	for _, sh := range shapes() {
		fate := map[string]string{kept: "the letter is taken in", bad: "the letter is put aside, the others are taken in", gone: "the letter counts as gone"}[sh.want]
		fmt.Fprintf(&b, "| FETCH: %s | %s | `TestFetchShapes` |\n", cell.Replace(sh.name), fate)
	}
	for _, sh := range sayings() {
		fmt.Fprintf(&b, "| %s: %s | %s | `TestShapes` |\n", sh.command, cell.Replace(sh.name), sh.want)
	}
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), shapesBegin)
	old, after, closed := strings.Cut(rest, shapesEnd)
	if !found || !closed {
		t.Fatalf("%s has no marks for the shapes", tableFile)
	}
	if table := b.String() + "\n"; old != table {
		if os.Getenv("KONTROL_INTEROP") != "write" {
			t.Fatalf("the list of shapes in %s is another one; make interop writes it anew", tableFile)
		}
		if err := os.WriteFile(tableFile, []byte(before+shapesBegin+table+shapesEnd+after), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
}
