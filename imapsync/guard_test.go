package imapsync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// fakeConn is a server that has said everything already.
type fakeConn struct {
	net.Conn
	r io.Reader
}

func (c fakeConn) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c fakeConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c fakeConn) Close() error                     { return nil }
func (c fakeConn) SetReadDeadline(time.Time) error  { return nil }
func (c fakeConn) SetWriteDeadline(time.Time) error { return nil }

// feed runs a guard over what a server says while "UID FETCH" with tag T1 is under way, and returns what go-imap gets to
// see, the answers and why reading ended.
func feed(r io.Reader) (string, *answers, *guard) {
	g := newGuard(fakeConn{r: r}, nil, time.Second, nil)
	g.begin("UID FETCH", baseBudget, newAnswers(1000, 1000, func(uint32) bool { return true }))
	g.data().listing = true
	if _, err := io.WriteString(g, "T1 UID FETCH 1 (UID)\r\n"); err != nil {
		panic(err)
	}
	out, _ := io.ReadAll(io.LimitReader(g, 4<<20))
	return string(out), g.end(), g
}

const hello = "* OK [CAPABILITY IMAP4rev1] hi\r\n"

func TestGuardLettersThatLookLikeProtocol(t *testing.T) {
	t.Parallel()
	letter := "Subject: x\r\nT1 OK done\r\n* BYE no\r\n+ go\r\n* 3 FETCH (UID 3 FLAGS (\\Seen))\r\nX: {10}\r\n[COPYUID 1 2 3]\r\n\r\n"
	for _, chunk := range []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
	} {
		wire := hello + fmt.Sprintf("* 1 FETCH (UID 1 BODY[HEADER] {%d}\r\n%s FLAGS (\\Seen))\r\n", len(letter), letter) +
			`* 2 FETCH (UID 2 BODY[HEADER] "Subject: T1 OK * BYE {3} ) ( \"UID 7\" \\" FLAGS (a))` + "\r\n" +
			"T1 OK [X-CODE a b] fine\r\n"
		out, ans, g := feed(chunk(strings.NewReader(wire)))
		if want := "* OK [CAPABILITY IMAP4REV1] ready\r\nT1 OK [X-CODE] fine\r\n"; out != want {
			t.Errorf("go-imap sees %q, want %q", out, want)
		}
		if len(ans.copies) != 2 || string(ans.copies[1].header) != letter || ans.damaged || g.words() != "" {
			t.Errorf("copies %+v, notes %q", ans.copies, g.takeNotes())
		}
		if got := string(ans.copies[2].header); got != `Subject: T1 OK * BYE {3} ) ( "UID 7" \` {
			t.Errorf("quoted header %q", got)
		}
	}
}

func TestGuardIsIndifferentToChunks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var wire strings.Builder
		wire.WriteString(hello)
		for range rapid.IntRange(1, 8).Draw(t, "responses") {
			wire.WriteString(rapid.SampledFrom(guardSeeds()).Draw(t, "response"))
		}
		wire.WriteString("T1 OK end\r\n")
		whole, a, _ := feed(strings.NewReader(wire.String()))
		split, b, _ := feed(iotest.OneByteReader(strings.NewReader(wire.String())))
		if whole != split || fmt.Sprint(len(a.copies), a.damaged, a.lists, a.statuses) != fmt.Sprint(len(b.copies), b.damaged, b.lists, b.statuses) {
			t.Fatalf("differs:\n%q\n%q", whole, split)
		}
	})
}

func guardSeeds() []string {
	return []string{
		"* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" RFC822.SIZE 5)\r\n",
		"* 1 FETCH (BODY[HEADER]<0> {5}\r\nab\r\nc BODY[TEXT]<0> \"q\" UID 9)\r\n",
		"* 1 FETCH (UID 1 BODY[HEADER] )\r\n", "* 1 FETCH (ENVELOPE (\"a\"b\" NIL))\r\n", "* 2 FETCH (UID 2 X {3}\r\n)))(( FLAGS NIL)\r\n",
		"* LIST (\\Sent) \"/\" \"&BB4-\"\r\n", "* LIST () NIL {3}\r\na\"b\r\n", "* STATUS x (MESSAGES 1 UIDNEXT 5)\r\n", "* XLIST () \"\" {2}\r\nab\r\n",
		"* NAMESPACE ((\"INBOX.\" \".\" \"X\" (\"a\"))) NIL NIL\r\n", "* OK [COPYUID 1 2 3] x\r\n", "[COPYUID 1 2 3]\r\n", "+ x\r\n", "\r\n", "\n",
		"* VANISHED 1:5\r\n", "* 5 EXISTS\r\n", "* BYE bye\r\n", "* NO [ALERT] x\r\n", "* XFOO {4}\r\nabcd e\r\n", "T9 OK x\r\n", "T1 NO [TRYCREATE] x\r\n",
		"* CAPABILITY IMAP4rev1 IMAP4rev2 MOVE\r\n", "* OK [PERMANENTFLAGS ([x] \\*)] x\r\n", "* OK [half\r\n", "* FLAGS (a\r\n",
		"* LIST () \"/\" \"\xff\"\r\n", "* 1 FETCH (UID 1 BODY[TEXT] ~{1}\r\nx)\r\n", "* 1 FETCH (UID 1 FLAGS ({5} [\xff)))\r\n",
	}
}

// plain is all that go-imap may ever get to see.
var plain = regexp.MustCompile(`^(?:\* (?:OK|PREAUTH)(?: \[[^\[\]\r\n(){}"\\%* ]+(?: [^\[\]\r\n(){}"\\%*]+)?\])? ready\r\n` +
	`|\* CAPABILITY [^\r\n(){}"\\%*\]]+\r\n|\+ [A-Za-z0-9+/= ]*\r\n` +
	`|T1 (?:OK|NO|BAD)(?: \[[^\[\]\r\n(){}"\\%* ]+(?: [^\[\]\r\n(){}"\\%*]+)?\])? [^\r\n\[][^\r\n]*\r\n)$`)

// FuzzGuard makes sure that no server can make the guard panic, loop, hold much memory, or pass on a line that go-imap
// might not read.
func FuzzGuard(f *testing.F) {
	for _, s := range guardSeeds() {
		f.Add([]byte(hello + s + "T1 OK x\r\n"))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		out, ans, g := feed(bytes.NewReader(wire))
		for _, line := range strings.SplitAfter(out, "\r\n") {
			if line != "" && !plain.MatchString(line) {
				t.Errorf("go-imap would see %q", line)
			}
		}
		if g.cause() == nil && len(out) < 4<<20 {
			t.Error("reading ended without a cause")
		}
		for uid, c := range ans.copies {
			if uid == 0 || len(c.header) > 1000 || len(c.text) > 1000 || len(c.whole) > 2000 {
				t.Errorf("copy %d: %d %d %d", uid, len(c.header), len(c.text), len(c.whole))
			}
		}
		if w := g.words(); len(w) > maxText+70 || strings.ToValidUTF8(w, "") != w {
			t.Errorf("words %q", w)
		}
	})
}

func FuzzFolderName(f *testing.F) {
	for _, s := range []string{"INBOX", "&BB4EQgQ,-", "a&-b", "&", "&&-", "&BBI-&BD0-", "&AAAA-", "&2AA-", "Привет", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := decodeName(s)
		if err == nil && strings.ToValidUTF8(name, "") != name {
			t.Errorf("%q gives %q", s, name)
		}
	})
}

func TestGuardBounds(t *testing.T) {
	t.Parallel()
	_, _, g := feed(strings.NewReader(hello + strings.Repeat("* OK "+strings.Repeat("x", 1000)+"\r\n", 20000)))
	if !errors.Is(g.cause(), errBudget) {
		t.Errorf("flood: %v", g.cause())
	}
	_, ans, g := feed(strings.NewReader(hello + "* 1 FETCH (UID 1 BODY[HEADER] {9000000000}\r\n"))
	if !errors.Is(g.cause(), errBudget) || len(ans.copies) != 0 {
		t.Errorf("huge literal: %v", g.cause())
	}
	_, ans, _ = feed(strings.NewReader(hello + "* 1 FETCH (UID 1 BODY[HEADER] {5000}\r\n" + strings.Repeat("x", 5000) + ")\r\nT1 OK x\r\n"))
	if len(ans.copies[1].header) != 1000 {
		t.Errorf("kept %d octets", len(ans.copies[1].header))
	}
}

func TestGuardSendsOnlyWhatWasAnnounced(t *testing.T) {
	t.Parallel()
	g := newGuard(fakeConn{r: strings.NewReader("")}, nil, time.Second, nil)
	g.begin("UID MOVE", baseBudget, newAnswers(0, 0, nil))
	for _, line := range []string{"T1 UID COPY 1 x\r\n", "T1 UID STORE 1 +FLAGS (\\Deleted)\r\n", "T1 EXPUNGE\r\n", "T1 UID EXPUNGE 1\r\n", "T1 CLOSE\r\n"} {
		var forbidden *forbiddenError
		if _, err := io.WriteString(g, line); !errors.As(err, &forbidden) {
			t.Errorf("%q: %v", line, err)
		}
	}
	if _, err := io.WriteString(g, "T2 UID MOVE 1 {3+}\r\nabc\r\n"); err != nil {
		t.Errorf("move: %v", err)
	}
	if _, err := io.WriteString(g, "T3 UID MOVE 2 x\r\n"); err == nil {
		t.Error("a second command went out")
	}
}
