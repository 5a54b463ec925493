package imaptest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	if got := EncodeName("Отправленные"); got != "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-" {
		t.Errorf("encoded as %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.RuneFrom([]rune("aZ&-/. ЖёЩ𝄞€"))).Draw(t, "name")
		if got := DecodeName(EncodeName(name)); got != name {
			t.Fatalf("%q became %q", name, got)
		}
	})
}

// talk sends commands one by one and returns what came back.
func talk(t *testing.T, addr string, commands ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	br := bufio.NewReader(c)
	var out strings.Builder
	for i, cmd := range append([]string{""}, commands...) {
		if i > 0 {
			_, _ = fmt.Fprintf(c, "a%d %s\r\n", i, cmd)
		}
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v", cmd, err)
			}
			out.WriteString(line)
			if i == 0 || strings.HasPrefix(line, fmt.Sprintf("a%d ", i)) {
				break
			}
		}
	}
	return out.String()
}

func TestMemorySpecialUse(t *testing.T) {
	t.Parallel()
	m := NewMemory(t, MemoryOptions{Users: map[string]string{"u": "p"}, Without: []string{"MOVE", "IDLE"}, Epoch: 5000})
	if _, err := m.Deliver("u", "INBOX", []byte("Subject: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	got := talk(t, m.Addr(), "LOGIN u p", "CAPABILITY", `LIST "" "*" RETURN (SPECIAL-USE)`, "CREATE Sent/2026", `LIST "" "Sent*"`, "SELECT INBOX", "UID MOVE 9 Sent", "UID MOVE 1 Sent", "STATUS Sent (MESSAGES UIDVALIDITY)")
	for _, want := range []string{`* LIST (\Sent) "/" "Sent"`, `"Sent/2026"`, "UIDVALIDITY 500", "a7 OK", "COPYUID 500", "MESSAGES 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, line := range strings.Split(got, "\n") {
		if strings.Contains(line, "CAPABILITY ") && (strings.Contains(line, " MOVE") || strings.Contains(line, " IDLE")) {
			t.Errorf("hidden capabilities are shown: %s", line)
		}
	}
}

func TestScriptState(t *testing.T) {
	t.Parallel()
	s := NewScript(t, NoMove())
	s.Deliver("INBOX", []byte("Subject: x\r\n\r\nt"))
	got := talk(t, s.Addr(), "LOGIN a b", "SELECT INBOX", "UID MOVE 1 Sent", "UID COPY 1 Nowhere", "UID COPY 1 Sent",
		`UID STORE 1 +FLAGS (\Deleted)`, "UID EXPUNGE 1", "STATUS Sent (MESSAGES)")
	for _, want := range []string{"a3 BAD", "a4 NO [TRYCREATE]", "a5 OK [COPYUID", `FLAGS (\Deleted)`, "* 1 EXPUNGE", "MESSAGES 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
