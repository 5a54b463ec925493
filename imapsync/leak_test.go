package imapsync

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kontrol/internal/imaptest"
)

// TestNothingIsLeftBehind opens and ends connections in every way and looks for goroutines. It is not parallel, so that
// it sees its own only.
func TestNothingIsLeftBehind(t *testing.T) { //nolint:paralleltest // see above
	before := goleak.IgnoreCurrent()
	s, err := imaptest.StartScript(imaptest.Plain())
	if err != nil {
		t.Fatal(err)
	}
	d := NewDialer(quick(account(s.URL())), nil, nil)
	open := func() *Conn {
		c, err := d.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		must[Selected](t)(c.Select(t.Context(), "INBOX", false))
		return c.(*Conn)
	}
	c := open()
	must[bool](t)(c.Idle(t.Context(), time.Millisecond, nil))
	c.Close()
	c.Close()
	c = open()
	s.Once("NOOP", imaptest.Hang)
	if c.noop(t.Context()) == nil || !c.Dead() {
		t.Error("hung, and alive")
	}
	c = open()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.Idle(ctx, time.Minute, nil); err == nil || !c.Dead() {
		t.Error("canceled, and alive")
	}
	s.Once("AUTHENTICATE", imaptest.Answer("TAG NO [AUTHENTICATIONFAILED] x\r\n"))
	if _, err := d.Dial(t.Context()); err == nil {
		t.Error("logged in with a wrong password")
	}
	c = open()
	s.Once("APPEND", imaptest.Hang)
	if _, err := c.Append(t.Context(), "Sent", nil, time.Time{}, letter(1)); err == nil {
		t.Error("appended to a server that hangs")
	}
	s.Close()
	goleak.VerifyNone(t, before)
}
