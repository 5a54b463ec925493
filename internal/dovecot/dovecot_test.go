package dovecot_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"kontrol/internal/dovecot"
)

const letter = "From: Анна <anna@example.ru>\r\nSubject: test\r\nMessage-ID: <1@example.ru>\r\n\r\nПривет.\r\n.точка\r\n"

func login(t *testing.T, s *dovecot.Server, user string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialTLS(s.IMAPSAddr, &imapclient.Options{TLSConfig: s.TLS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Login(user, s.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// inbox returns the full texts of the letters in INBOX.
func inbox(t *testing.T, c *imapclient.Client) []string {
	t.Helper()
	sel, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if sel.NumMessages == 0 {
		return nil
	}
	section := &imap.FetchItemBodySection{Peek: true}
	all := imap.SeqSet{}
	all.AddRange(1, 0)
	got, err := c.Fetch(all, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, 0, len(got))
	for _, m := range got {
		texts = append(texts, string(m.FindBodySection(section)))
	}
	return texts
}

func folders(t *testing.T, c *imapclient.Client) map[string][]imap.MailboxAttr {
	t.Helper()
	list, err := c.List("", "*", &imap.ListOptions{ReturnSpecialUse: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]imap.MailboxAttr{}
	for _, f := range list {
		byName[f.Mailbox] = f.Attrs
	}
	return byName
}

func TestDeliveredLetterIsReadBack(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{})
	for _, user := range []string{"anna", "boris@firma.ru"} {
		if err := s.Deliver(t.Context(), user, []byte(letter)); err != nil {
			t.Fatal(err)
		}
		got := inbox(t, login(t, s, user))
		if len(got) != 1 || !strings.HasSuffix(got[0], letter) {
			t.Errorf("%s has %q, want one letter that ends with %q", user, got, letter)
		}
	}
}

func TestStartTLSIsTrustedAndWrongPasswordRefused(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{})
	c, err := imapclient.DialStartTLS(s.IMAPAddr, &imapclient.Options{TLSConfig: s.TLS()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login("anna", "wrong").Wait(); err == nil {
		t.Error("a wrong password was accepted")
	}
	if err := c.Login("anna", s.Password).Wait(); err != nil {
		t.Error(err)
	}
	if pem, err := os.ReadFile(s.CAFile); err != nil || !strings.Contains(string(pem), "CERTIFICATE") {
		t.Errorf("CAFile holds %q, %v", pem, err)
	}
}

func TestOptionsShow(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{Caps: "IMAP4rev1 IDLE", Separator: ".", Prefix: "INBOX.", Storage: "sdbox"})
	c := login(t, s, "anna")
	caps, err := c.Capability().Wait()
	if err != nil {
		t.Fatal(err)
	}
	if caps.Has(imap.CapMove) || !caps.Has(imap.CapIdle) {
		t.Errorf("capabilities are %v, want IDLE and no MOVE", caps)
	}
	if f := folders(t, c); f["INBOX.Sent"] == nil {
		t.Errorf("folders are %v, want INBOX.Sent among them", f)
	}
	bare := dovecot.Test(t, dovecot.Options{Bare: true})
	if f := folders(t, login(t, bare, "anna")); len(f) != 1 {
		t.Errorf("a bare mailbox has the folders %v, want INBOX only", f)
	}
}

func TestQuotaAndConnectionLimit(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{Quota: "100K", MaxConn: 1})
	c := login(t, s, "anna")
	second, err := imapclient.DialTLS(s.IMAPSAddr, &imapclient.Options{TLSConfig: s.TLS()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if err := second.Login("anna", s.Password).Wait(); err == nil {
		t.Error("a second connection was let in, want one only")
	}
	big := letter + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 3000)
	a := c.Append("INBOX", int64(len(big)), nil)
	_, err = io.WriteString(a, big)
	err = errors.Join(err, a.Close())
	_, waitErr := a.Wait()
	var status *imap.Error
	if !errors.As(errors.Join(err, waitErr), &status) || status.Code != "OVERQUOTA" {
		t.Errorf("a letter over the quota gives %v, want OVERQUOTA", waitErr)
	}
}

func TestKilledServerComesBackWithItsMail(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{})
	if err := s.Deliver(t.Context(), "anna", []byte(letter)); err != nil {
		t.Fatal(err)
	}
	c := login(t, s, "anna")
	s.KillHard()
	if err := c.Noop().Wait(); err == nil {
		t.Error("a connection survived the kill")
	}
	if conn, err := net.Dial("tcp", s.IMAPAddr); err == nil {
		t.Errorf("%s still answers", conn.RemoteAddr())
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := inbox(t, login(t, s, "anna")); len(got) != 1 {
		t.Errorf("after the restart there are %d letters, want 1", len(got))
	}
}

func TestFrozenServerIsSilent(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{})
	c := login(t, s, "anna")
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() { answer <- c.Noop().Wait() }()
	select {
	case err := <-answer:
		t.Errorf("a frozen server answered: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("after the thaw: %v", err)
	}
}

func TestDoveadmAndFolderRemoved(t *testing.T) {
	t.Parallel()
	s := dovecot.Test(t, dovecot.Options{})
	out, err := s.Doveadm(t.Context(), "mailbox", "list", "-u", "anna")
	if err != nil || !strings.Contains(out, "INBOX") {
		t.Errorf("doveadm says %q, %v", out, err)
	}
	s.Stop()
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// TestServerDiesWithItsProcess kills a test process that has started a server and looks that nothing is left of it.
func TestServerDiesWithItsProcess(t *testing.T) {
	if os.Getenv("KONTROL_TEST_CHILD") == "1" {
		s := dovecot.Test(t, dovecot.Options{})
		if _, err := os.Stdout.WriteString("\n" + s.IMAPAddr + " " + s.Dir + "\n"); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // until killed
	}
	t.Parallel()
	dovecot.Test(t, dovecot.Options{}) // skips where there is none
	child := exec.Command(os.Args[0], "-test.run", "^TestServerDiesWithItsProcess$")
	child.Env = append(os.Environ(), "KONTROL_TEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	addr, dir := readChild(t, out)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		conn, dialErr := net.Dial("tcp", addr)
		if dialErr == nil {
			_ = conn.Close()
		}
		left, _ := filepath.Glob(dir)
		if dialErr != nil && len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("20 s after the kill: dialling gives %v, and there is %q", dialErr, left)
		}
	}
}

func readChild(t *testing.T, out io.Reader) (addr, dir string) {
	t.Helper()
	buf := make([]byte, 4096)
	var text string
	for {
		n, err := out.Read(buf)
		text += string(buf[:n])
		for line := range strings.Lines(text) {
			if a, d, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(a, "127.") && strings.HasSuffix(line, "\n") {
				return a, d
			}
		}
		if err != nil {
			t.Fatalf("the child says %q: %v", text, err)
		}
	}
}
